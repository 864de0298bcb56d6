# ruff: noqa: E501  (rows of results read better whole)
"""The studies that the report is tested with: real tables, and everything that can be odd or missing."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
from report_networks import lesson, wild, with_dropout, without_torch  # registered by conftest.py
from report_studies import build
from report_tables import NAN, NOTHING, Source
from sklearn.datasets import load_breast_cancer, load_diabetes

from bridle.diagnosis.verdict import Interval
from bridle.results import CalibrationBin, ModelResult, RiskGroup, SampleSize, StudyResult, Survival


def _breast_cancer() -> Source:
    data = load_breast_cancer()
    names = tuple(str(n) for n in data.feature_names)
    y = data.target.astype(float)
    return Source(
        "Breast cancer: benign or malignant", data.data, y, names, "binomial", "diagnosis", ("malignant", "benign")
    )


@cache
def breast_cancer() -> StudyResult:
    return build(_breast_cancer())


DIABETES = (
    "age", "sex", "body mass index", "blood pressure", "total cholesterol", "LDL", "HDL", "cholesterol / HDL",
    "log triglycerides", "glucose",
)  # fmt: skip


def _diabetes() -> Source:
    data = load_diabetes(scaled=False)
    return Source(
        "Diabetes progression", data.data, data.target, DIABETES, "gaussian", "progression", label="undetermined"
    )


@cache
def diabetes() -> StudyResult:
    return build(_diabetes())


@cache
def counts() -> StudyResult:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(240, 9))
    y = rng.poisson(np.exp(0.5 + 0.4 * X[:, 0] - 0.3 * X[:, 1])).astype(float)
    return build(
        Source(
            "Visits to the doctor",
            X,
            y,
            tuple(f"x{j + 1}" for j in range(9)),
            "poisson",
            "visits",
            n_lambdas=40,
            label="overfitting",
            n_boot=8,
        )
    )


@cache
def wide() -> StudyResult:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(72, 600)) + rng.normal(size=(72, 1))
    y = (X[:, 0] + X[:, 1] + rng.normal(size=72) > 0).astype(float)
    return build(
        Source(
            "Leukaemia, 600 genes",
            X,
            y,
            tuple(f"gene_{j:05d}_at" for j in range(600)),
            "binomial",
            "type",
            ("ALL", "AML"),
            n_lambdas=30,
            n_folds=3,
            n_boot=4,
            label="underfitting",
        )
    )


@cache
def noise() -> StudyResult:
    rng = np.random.default_rng(7)
    study = build(
        Source(
            "Pure noise",
            rng.normal(size=(60, 5)),
            rng.normal(size=60),
            tuple("abcde"),
            "gaussian",
            "y",
            n_lambdas=20,
            n_boot=0,
            label="no signal",
            holdout=False,
        )
    )
    models = [dataclasses.replace(m, coefficients=(), n_nonzero=0, lambda_bootstrap=()) for m in study.models]
    return dataclasses.replace(study, models=tuple(models), swaps=())


@cache
def one_feature() -> StudyResult:
    rng = np.random.default_rng(8)
    X = rng.normal(size=(40, 1))
    return build(
        Source(
            "One feature", X, X[:, 0] + rng.normal(size=40), ("dose",), "gaussian", "response", n_lambdas=12, n_boot=3
        )
    )


HOSTILE = "</script><img src=x onerror=alert(1)>"


@cache
def hostile() -> StudyResult:
    rng = np.random.default_rng(9)
    X = rng.normal(size=(90, 4))
    names = (
        HOSTILE,
        "Größe & <b>Gewicht</b> \u202eabc",
        '{{ 7 * 7 }} \' onload="x"',
        "测量 = 値 \u2028 ]]> <!-- -->" + "x" * 200,
    )
    study = build(
        Source(HOSTILE, X, X[:, 0] - X[:, 1] + rng.normal(size=90), names, "gaussian", HOSTILE, n_lambdas=15, n_boot=3)
    )
    return dataclasses.replace(study, headline=HOSTILE, gain=HOSTILE, best_reason=HOSTILE)


@cache
def broken() -> StudyResult:
    """Everything that can be missing is missing: failed models, no curves, NaN everywhere."""
    study = one_feature()
    size = SampleSize(0, 0, 0, NAN, 0, {}, "")
    models = tuple(_broken(m) for m in study.models)
    return dataclasses.replace(study, models=models, holdout=None, swaps=(), sample_size=size)


def _broken(m: ModelResult) -> ModelResult:
    if m.name in ("ridge", "elastic net", "unregularised"):
        return ModelResult(
            m.name, m.label, m.technique, m.parameter, NAN, m.l1_ratio, "", "", 0, 1, NOTHING, NAN, NOTHING, {}, NAN, None,
            failed="it did not converge",
        )  # fmt: skip
    verdict, curve = m.verdict, m.curve
    if verdict is not None:
        verdict = dataclasses.replace(
            verdict, comparisons=(), checks=(), learning_curve=None, effect=NOTHING, optimism=NOTHING, explained=NOTHING,
            calibration_slope=NOTHING, label="undetermined", lean="",
        )  # fmt: skip
    if curve is not None:
        curve = dataclasses.replace(curve, standard_error=(NAN,) * len(curve.values), scores={})
    return dataclasses.replace(
        m, verdict=verdict, curve=curve, holdout_loss=NOTHING, cv_loss=Interval(1.0, NAN, NAN), coefficients=(), path=None,
        lambda_bootstrap=(),
    )  # fmt: skip


@cache
def dropout() -> StudyResult:
    """A network's curve over its dropout rate, with no path and no coefficients: nothing may assume a lambda."""
    study = one_feature()
    lasso = study.model("lasso")
    assert lasso.curve is not None
    rates = tuple(float(v) for v in np.linspace(0.8, 0.0, len(lasso.curve.values)))
    net = dataclasses.replace(
        lasso, name="dropout", label="Network with dropout", technique="dropout", parameter="dropout rate", path=None, coefficients=(),
        curve=dataclasses.replace(lasso.curve, parameter="dropout rate", values=rates), lambda_bootstrap=rates[2:6],
    )  # fmt: skip
    return dataclasses.replace(study, models=(*study.models, net), best="dropout")


@cache
def network() -> StudyResult:
    """A classifier with dropout beside the linear models, and the best of them."""
    return with_dropout(breast_cancer(), _breast_cancer(), best=True)


@cache
def demo() -> StudyResult:
    """A regressor with dropout that is not the best, and the lesson of the demo."""
    study = with_dropout(diabetes(), _diabetes(), label="undetermined", seed=1)
    return dataclasses.replace(study, lesson=lesson())


@cache
def no_torch() -> StudyResult:
    return without_torch(one_feature())


@cache
def networks_gone_wild() -> StudyResult:
    return wild(demo())


@cache
def separated() -> StudyResult:
    """The unregularised fit was certain and wrong: its held-out error is infinite, and so are ratios to it."""
    study = one_feature()
    models = []
    for m in study.models:
        changed = dataclasses.replace(m, holdout_loss=Interval(np.inf, NAN, np.inf)) if m.name == "unregularised" else m
        if m.verdict is not None:
            far = dataclasses.replace(m.verdict.comparisons[0], rho=Interval(np.inf, 0.3, np.inf))
            verdict = dataclasses.replace(m.verdict, comparisons=(far, *m.verdict.comparisons[1:]))
            changed = dataclasses.replace(changed, verdict=verdict)
        models.append(changed)
    return dataclasses.replace(study, models=tuple(models))


@cache
def survival() -> StudyResult:
    """Times to an event: curves by risk, one of which has no event, and names that must be escaped."""
    times = tuple(float(t) for t in range(1, 41))
    groups = tuple(
        RiskGroup(
            label, 30, events, times[:events], *(tuple(s ** (k + shift) for k in range(1, events + 1)) for shift in (0, 1, -0.5)),
            (0.0, *times), tuple(s**k for k in range(41)),
        )
        for label, events, s in (
            ("lowest third of predicted risk", 0, 0.995), ("middle third", 12, 0.98), ("highest third", 25, 0.93),
        )
    )  # fmt: skip
    bins = (
        CalibrationBin(0.05, 0.0, 0.0, 1.0, 30),
        CalibrationBin(0.3, 0.25, 0.1, 0.5, 30),
        CalibrationBin(0.9, 1.0, NAN, NAN, 30),
    )
    found = diabetes()
    data = dataclasses.replace(found.data, family="cox(ties='efron')", target="<b>months</b>")
    drawn = Survival("<b>months</b>", "died & buried", "yes", "", "centre", ("a", "b"), 18.0, groups, bins)
    return dataclasses.replace(found, data=data, holdout=None, survival=drawn, loss_name="deviance per event")


ALL = {
    f.__name__: f
    for f in (
        breast_cancer, diabetes, counts, wide, noise, one_feature, hostile, broken, dropout, separated, network, demo, no_torch,
        networks_gone_wild, survival,
    )
}  # fmt: skip
