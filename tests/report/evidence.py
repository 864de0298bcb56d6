# ruff: noqa: E501  (rows of results read better whole)
"""The made-up half of a study: verdicts, notes on the data, swaps, sample size, held-out points."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from report_tables import NAN, Float, Source, deviance, mean_of  # registered by conftest.py

from bridle.diagnosis.verdict import Check, Comparison, Interval, LearningCurve, Verdict
from bridle.results import CalibrationBin, ColumnNote, DataNotes, HoldoutPoints, ModelResult, SampleSize, Swap


def verdict_of(
    m: ModelResult, models: list[ModelResult], source: Source, label: str, n: int, rng: np.random.Generator
) -> Verdict:
    comparisons = []
    for other in models:
        if other.name == m.name or other.failed:
            continue
        rho = m.cv_loss.value / other.cv_loss.value - 1
        if label == "balanced":
            rho = min(rho, -0.02)  # as the rule demands: every upper end below the margin
        side = "null" if other.name == "null" else "simpler" if other.train_loss > m.train_loss else "richer"
        comparisons.append(
            Comparison(
                other.name,
                other.label,
                side,
                Interval(rho, rho - 0.05, rho + 0.05),
                float(min(1, math.exp(-40 * max(rho, 0)))),
                other.cv_loss.value,
                other.train_loss,
            )
        )
    effect = {"balanced": 0.01, "overfitting": 0.17, "underfitting": 0.12, "no signal": -0.01, "undetermined": 0.04}[
        label
    ]
    for name, text, rho in (
        ("splines", "Splines", -0.03),
        ("boosting", "Gradient boosting", effect if label == "underfitting" else -0.12),
    ):
        comparisons.append(
            Comparison(
                name,
                text,
                "richer",
                Interval(rho, rho - 0.06, rho + 0.06),
                0.4,
                m.cv_loss.value / (1 + rho),
                0.5 * m.train_loss,
            )
        )
    decided = (
        Interval(effect, effect - 0.09, effect + 0.1)
        if label in ("overfitting", "underfitting", "undetermined")
        else Interval(effect, effect - 0.03, effect + 0.03)
    )
    if label in ("overfitting", "undetermined"):
        comparisons.append(
            Comparison(
                "path",
                "Its own path, more regularised",
                "simpler",
                decided,
                0.001,
                m.cv_loss.value / (1 + effect),
                1.1 * m.train_loss,
            )
        )
    null = models[0].cv_loss.value
    sizes = tuple(int(v) for v in np.linspace(max(n // 8, 4), n, 6))
    end, start = m.cv_loss.value, m.train_loss
    test = tuple(
        Interval(end * (1 + 0.5 * n / s / 8), end * (0.9 + 0.4 * n / s / 8), end * (1.1 + 0.7 * n / s / 8))
        for s in sizes
    )
    fit = tuple(
        Interval(start * (1 - 0.4 * n / s / 8), start * (0.9 - 0.5 * n / s / 8), start * (1.08 - 0.3 * n / s / 8))
        for s in sizes
    )
    return Verdict(
        m.name, label, "overfitting" if label == "undetermined" else "",
        f"{label.capitalize()}: excess error {100 * effect:+.0f} % (95 % CI {100 * decided.lower:.0f} to {100 * decided.upper:.0f} %).",
        {"overfitting": "Use the more regularised model, lambda 0.12.", "undetermined": "Collect about 1 900 rows, then run this again."}.get(label, "Nothing needs to change; check again when the data do."),
        decided, "path" if label == "overfitting" else "boosting" if label == "underfitting" else "", 0.05, 0.95, tuple(comparisons),
        Interval(end - start, 0.5 * (end - start), 1.5 * (end - start)), m.cv_loss, m.train_loss, null,
        Interval(1 - end / null, 1 - m.cv_loss.upper / null, 1 - m.cv_loss.lower / null), Interval(1.06, 0.88, 1.24),
        1900 if label == "undetermined" else None, checks(), LearningCurve(sizes, fit, test), f"{source.n_folds}-fold cross-validation, 2 repeats, seed 0",
    )  # fmt: skip


def checks() -> tuple[Check, ...]:
    return (
        Check(
            "BR101",
            "Rows per candidate feature",
            "pass",
            15.2,
            10,
            "rows",
            "15.2 rows of the rarer class for each candidate feature.",
            "",
        ),
        Check(
            "BR102",
            "Calibration slope",
            "warn",
            1.24,
            1.2,
            "",
            "Predictions are a little too timid: slope 1.24.",
            "Try a smaller lambda, or the relaxed fit.",
        ),
        Check(
            "BR103",
            "Stability of lambda",
            "fail",
            31.0,
            10,
            "times",
            "Half of the resampled fits chose values 31 times apart.",
            "Use the one-standard-error rule and more folds.",
        ),
        Check("BR104", "Separation", "not applicable", NAN, NAN, "", "Only for two classes.", ""),
    )


def data_notes(source: Source, n_train: int, n_holdout: int) -> DataNotes:
    X, y = source.X, source.y
    columns = [
        ColumnNote(name, "numeric", True, 0, len(np.unique(X[:, j])), "", tuple(f"{v:.4g}" for v in X[:3, j]))
        for j, name in enumerate(source.names)
    ]
    columns += [
        ColumnNote(
            "patient_id", "identifier", False, 0, len(y), "every value is different: identifies rows, predicts nothing"
        ),
        ColumnNote("site", "constant", False, 3, 1, "has one value only", ("Wien",)),
        ColumnNote(source.target, "target", False, 0, len(np.unique(y)), ""),
    ]
    summary = {"gaussian": f"mean {y.mean():.3g}, sd {y.std():.3g}.", "poisson": f"counts, mean {y.mean():.3g}."}.get(
        source.family, f"{100 * y.mean():.0f} % of rows are '{source.classes[1] if source.classes else 1}'."
    )
    return DataNotes(
        f"{source.target}.csv", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", len(y), n_train, n_holdout,
        X.shape[1] + 3, X.shape[1], source.target, source.family, source.classes, summary, tuple(columns),
        ("2 columns were left out: patient_id (identifier) and site (constant).", "No value is missing in the columns used."),
        ("'worst perimeter' alone separates the classes almost perfectly. If it is measured after the diagnosis, leave it out with --exclude.",) if source.family == "binomial" else (),
    )  # fmt: skip


def sample_size(source: Source, n: int) -> SampleSize:
    events = (
        int(min(source.y.sum(), n - source.y.sum()))
        if source.family == "binomial"
        else int(source.y.sum())
        if source.family == "poisson"
        else n
    )
    p = source.X.shape[1]
    criteria = {
        "Shrinkage of 10 % at most": 14.0 * p,
        "Optimism of explained variation below 0.05": 9.0 * p,
        "Average risk known to ±5 points": 385.0,
    }
    return SampleSize(
        n,
        events,
        p,
        events / p,
        int(max(criteria.values())),
        criteria,
        f"{events / p:.1f} events for each of {p} candidate features; by Riley's criteria {int(max(criteria.values()))} rows are asked for.",
    )


def swaps(source: Source, m: ModelResult) -> tuple[Swap, ...]:
    if len(m.coefficients) < 2 or source.X.shape[1] > 1000:
        return ()
    corr = np.corrcoef(source.X.T)
    found = []
    names = list(source.names)
    inside = {c.feature for c in m.coefficients}
    for c in m.coefficients[:6]:
        j = names.index(c.feature)
        others = [k for k in np.argsort(-np.abs(corr[j])) if names[k] not in inside][:1]
        cost = 0.004 + 0.03 * len(found)
        found += [
            Swap(c.feature, names[k], float(corr[j, k]), Interval(cost, cost - 0.04, cost + 0.05)) for k in others
        ]
    return tuple(found)


def holdout_points(source: Source, eta: Float, held: NDArray[np.int64]) -> HoldoutPoints:
    y, mu = source.y[held], mean_of(eta[held], source.family)
    residual = np.sign(y - mu) * np.sqrt(np.maximum(deviance(y, mu, source.family), 0))
    groups = [g for g in np.array_split(np.argsort(mu), 8) if g.size]
    bins = []
    for g in groups:
        half = 1.96 * max(y[g].std(), 0.05) / math.sqrt(g.size)
        bins.append(
            CalibrationBin(
                float(mu[g].mean()),
                float(y[g].mean()),
                float(y[g].mean() - half),
                float(y[g].mean() + half),
                int(g.size),
            )
        )
    roc: tuple[tuple[float, float], ...] = ()
    if source.family == "binomial":
        cuts = np.r_[np.inf, np.sort(mu)[::-1]]
        roc = tuple((float((mu[y == 0] >= c).mean()), float((mu[y == 1] >= c).mean())) for c in cuts)
    return HoldoutPoints(*(tuple(float(v) for v in a) for a in (mu, y, residual)), tuple(bins), roc)
