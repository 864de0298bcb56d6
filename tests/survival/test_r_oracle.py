"""Figures of R's survival and glmnet (tests/oracle_data/survival, made by make.R there)."""

import json
from pathlib import Path

import numpy as np
import pytest

from bridle import fit_path
from bridle.selection import cross_validate, select
from bridle.survival import BaselineHazard, CoxFamily, StepFunction, concordance_index, survival_target

FOLDER = Path(__file__).parents[1] / "oracle_data" / "survival"
FIGURES = json.loads((FOLDER / "figures.json").read_text())
DATA = {name: np.array(values) for name, values in json.loads((FOLDER / "inputs.json").read_text()).items()}
X = DATA["X"]


def case(name):
    late, apart = name in ("late", "all"), name in ("strata", "all")
    y = survival_target(
        DATA["time"], DATA["event"], DATA["start"] if late else None, DATA["stratum"] if apart else None
    )
    return (
        y,
        DATA["weight"] if name in ("weights", "all") else None,
        DATA["offset"] if name in ("offset", "all") else None,
    )


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("name", ["right", "late", "weights", "offset", "strata", "all"])
def test_coxph(name, ties):
    y, weight, offset = case(name)
    figures = np.ravel(FIGURES["coxph"][f"{ties}_{name}"])
    family, w = CoxFamily(ties), np.ones(90) if weight is None else weight
    path = fit_path(X, y, family=family, lambdas=[0.0], sample_weight=weight, offset=offset, tol=1e-13)
    eta, o = X @ path.coef[0], np.zeros(90) if offset is None else offset
    np.testing.assert_allclose(path.coef[0], figures[:5], rtol=1e-9, atol=1e-11)
    assert -family.total_loss(y, o, w) == pytest.approx(figures[5], rel=1e-11)
    assert -family.total_loss(y, eta + o, w) == pytest.approx(figures[6], rel=1e-11)
    assert concordance_index(y, eta, w) == pytest.approx(figures[7], abs=1e-12)
    residual = family.residual(y, eta + o, w) / w
    np.testing.assert_allclose(residual, np.ravel(FIGURES["martingale"][f"{ties}_{name}"]), atol=1e-9)
    baseline = BaselineHazard.estimate(family, y, eta + o, w)
    hazard, time, stratum = np.array(FIGURES["hazard"][f"{ties}_{name}"]).T
    for s in baseline.strata:
        times, total = baseline.cumulative_hazard([np.average(o, weights=w)], s)  # R's curve is at the mean offset
        on = stratum == s
        np.testing.assert_allclose(StepFunction(times, total[0], 0.0)(time[on]), hazard[on], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lasso", {"l1_ratio": 1.0}),
        ("half", {}),
        ("ridge", {"l1_ratio": 0.0}),
        ("weights", {}),
        ("offset", {}),
        ("plain", {"standardize": False}),
        ("factor", {"penalty_factor": DATA["factor"] * 5.0 / DATA["factor"].sum()}),  # glmnet lets them sum to p
        ("late", {}),
        ("strata", {}),
        ("bounds", {"lower": -0.2, "upper": 0.1}),
        ("wide", {"l1_ratio": 1.0}),
    ],
)
def test_glmnet_paths_on_the_same_scale(name, options):
    y, weight, offset = case(name)
    path = fit_path(
        DATA["wide"] if name == "wide" else X, y, family="cox(ties='breslow')", lambdas=DATA["grid"],
        sample_weight=weight, offset=offset, tol=1e-13, **({"l1_ratio": 0.5} | options),
    )  # fmt: skip
    np.testing.assert_allclose(path.coef, FIGURES["path"][name], atol=2e-6)
    ratio, null = np.array(FIGURES["deviance"][name]).T
    np.testing.assert_allclose(path.deviance_ratio, ratio, atol=5e-7)
    total = 90.0 if weight is None else weight.sum()
    assert path.null_deviance * total == pytest.approx(null[0], rel=1e-9)


def test_glmnet_cross_validated_deviance():
    y, _, _ = case("right")
    fold = DATA["fold"]
    pairs = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(1, 6)]
    (curve,) = cross_validate(X, y, folds=pairs, family="cox(ties='breslow')", lambdas=DATA["grid"], tol=1e-12).curves
    mean, error = np.array(FIGURES["cv"]["right"]).T
    np.testing.assert_allclose(curve.mean, mean, rtol=1e-7)
    np.testing.assert_allclose(curve.standard_error, error, rtol=1e-6)
    chosen = np.ravel(FIGURES["chosen"]["right"])
    assert [select(curve, rule).value for rule in ("min", "1se")] == pytest.approx(chosen, rel=1e-9)
