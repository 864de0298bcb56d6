# ruff: noqa: E501  (rows of results read better whole)
"""The half of a study that is about networks: a dropout model, techniques, and the lesson of the demo."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from report_evidence import verdict_of  # registered by conftest.py
from report_tables import NAN, NOTHING, Source

from bridle.diagnosis.verdict import Interval
from bridle.results import (
    Attribution,
    Coverage,
    CurveSummary,
    Lesson,
    LessonFit,
    ModelResult,
    MonteCarlo,
    StudyResult,
    TechniqueGap,
    Techniques,
    TrainingHistory,
)

RATES = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)
NO_TORCH = "PyTorch isn't installed: pip install 'bridle[nn]'"


def with_dropout(
    study: StudyResult, source: Source, *, best: bool = False, label: str = "balanced", seed: int = 0
) -> StudyResult:
    """Return a study with a network that is a little better, or a little worse, than its lasso."""
    rng = np.random.default_rng(seed)
    lasso = study.model("lasso")
    assert lasso.curve is not None
    factor = 0.9 if best else 1.06
    low = factor * min(lasso.curve.mean)
    rates = np.array(RATES)
    mean = low * (1 + 1.1 * np.maximum(rates - 0.35, 0) ** 2 + 2.2 * np.maximum(0.35 - rates, 0) ** 2)
    error = low * (0.06 + 0.02 * rng.uniform(size=rates.size))
    train = low * (0.25 + 0.95 * rates)
    at = int(np.argmin(mean))
    one = int(np.argmax(mean <= mean[at] + error[at]))
    p = source.X.shape[1]
    curve = CurveSummary(
        "dropout rate", RATES, *(tuple(float(v) for v in a) for a in (mean, error, train)), (p,) * len(RATES),
        {k: tuple(0.5 + 0.4 * low / m for m in mean) for k in lasso.curve.scores}, at, one, at,
        {"min": at, "1se": one},
    )  # fmt: skip
    model = ModelResult(
        "dropout", "Dropout network", "dropout", "dropout rate", RATES[at], NAN, "min",
        f"min: the rate with the lowest cross-validated error (dropout rate {RATES[at]:g}).", p, p,
        Interval(float(mean[at]), float(mean[at] * 0.85), float(mean[at] * 1.18)), float(train[at]),
        _scaled(lasso.holdout_loss, factor), lasso.holdout_scores, 14.2, None, curve,
        network=f"{p} -> 64 -> 64 -> 1, relu", history=history(rng, low), monte_carlo=monte_carlo(source.family),
        attributions=attributions(source.names, rng),
    )  # fmt: skip
    models = [*study.models, model]
    verdict = verdict_of(model, models, source, label, study.data.n_train, rng)
    models[-1] = dataclasses.replace(model, verdict=verdict)
    result = dataclasses.replace(study, models=tuple(models), techniques=techniques(tuple(models), study.folds))
    if best:
        result = dataclasses.replace(
            result, best="dropout", swaps=(), headline=f"Balanced: {verdict.sentence}",
            best_reason="The dropout network has an error below every other model's by more than the margin.",
        )  # fmt: skip
    return result


def _scaled(it: Interval, by: float) -> Interval:
    return Interval(it.value * by, it.lower * by, it.upper * by, it.level)


def history(rng: np.random.Generator, low: float, epochs: int = 58, patience: int = 15) -> TrainingHistory:
    """Return a training that goes up again after its best epoch."""
    e = np.arange(1, epochs + 1)
    best = max(epochs - patience, 1)
    wiggle = 0.015 * low * rng.normal(size=(2, epochs))
    train = low * (0.5 + 2.6 * np.exp(-e / (0.12 * epochs))) - 0.3 * low * e / epochs + wiggle[0]
    held = low * (1.0 + 2.4 * np.exp(-e / (0.12 * epochs))) + 0.4 * low * ((e - best) / epochs) ** 2 + wiggle[1]
    held[best - 1] = held.min() - 0.01 * low
    return TrainingHistory(*(tuple(float(v) for v in a) for a in (train, held)), best, "early stopping", 387, 68)


def monte_carlo(family: str) -> MonteCarlo:
    """Return intervals that are a little too narrow."""
    n = 114 if family == "gaussian" else 12
    unit = "rows" if family == "gaussian" else "groups of 10 rows"
    return MonteCarlo(
        200, unit, n, tuple(Coverage(level, wilson(round(0.88 * level * n), n)) for level in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)),
        "The intervals are somewhat too narrow: those that promise 90 % held 79 % of what was observed.",
    )  # fmt: skip


def wilson(k: int, n: int, z: float = 1.959964) -> Interval:
    share = k / n
    middle, half = (share + z * z / (2 * n)), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n))


def attributions(names: tuple[str, ...], rng: np.random.Generator) -> tuple[Attribution, ...]:
    weight = np.sort(rng.exponential(size=len(names)) ** 1.5)[::-1]
    share = weight / weight.sum()
    direction = np.clip(rng.uniform(-1.3, 1.3, size=len(names)), -1, 1)
    return tuple(
        Attribution(name, name.split(" = ")[0], float(s), float(d))
        for name, s, d in zip(names, share, direction, strict=True)
    )[:200]


def techniques(models: tuple[ModelResult, ...], scheme: str) -> Techniques:
    """Compare one model a technique by its cross-validated loss."""
    there = sorted((m for m in models if m.name != "null" and not m.failed), key=lambda m: m.cv_loss.value)
    best = there[0]
    gaps = []
    for m in there:
        rho = m.cv_loss.value / best.cv_loss.value - 1
        half = 0.09 if rho else 0.0
        excess = Interval(rho, rho - half, rho + half)
        gaps.append(TechniqueGap(m.name, m.label, m.technique, m.cv_loss.value, excess, excess.lower > 0))
    close = [g.label for g in gaps[1:] if not g.beyond_noise]
    tail = f"; {' and '.join(close)} can't be told from it" if close else ", beyond noise"
    return Techniques(best.name, f"{best.label} has the lowest error on these data{tail}.", tuple(gaps), scheme)


def lesson(seed: int = 3) -> Lesson:
    """Fit a polynomial of degree 14 to 18 points by least squares, with and without penalties."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0.0, 1.0, 18))
    grid = np.linspace(0.0, 1.0, 160)

    def truth(t):
        return np.sin(2 * np.pi * t) + 0.4 * t

    y = truth(x) + 0.25 * rng.normal(size=x.size)
    fits = []
    for name, label, setting, line in _lines(x, y, grid):
        at = np.interp(x, grid, line)
        train, true = float(np.mean((at - y) ** 2)), float(np.mean((line - truth(grid)) ** 2))
        fits.append(
            LessonFit(
                name, label, setting, tuple(float(v) for v in line), train, true, 14,
                f"{label} misses the points by {train:.3f} on average and the truth by {true:.3f}.",
            )
        )  # fmt: skip
    return Lesson(
        "What regularisation does",
        "18 points were drawn around a curve, and the same flexible model was fitted to them in several ways. Held back by "
        "nothing, it chases every point; held back just enough, it finds the curve.",
        *(tuple(float(v) for v in a) for a in (x, y, grid, truth(grid))), tuple(fits),
    )  # fmt: skip


def _lines(x, y, grid):
    basis, on_grid = (np.polynomial.legendre.legvander(2 * t - 1, 14) for t in (x, grid))
    ways = (
        ("unregularised", "Unregularised", "no penalty", 0.0), ("ridge", "Ridge (L2)", "λ = 0.0021", 0.02),
        ("lasso", "Lasso (L1)", "λ = 0.0094", 0.1), ("dropout", "Dropout", "rate 0.2", 0.5),
    )  # fmt: skip
    for name, label, setting, strength in ways:
        order = np.arange(15.0) ** 2
        left, right = basis.T @ basis + strength * np.diag(order), basis.T @ y
        yield name, label, setting, on_grid @ np.linalg.lstsq(left, right, rcond=None)[0]


def without_torch(study: StudyResult) -> StudyResult:
    """Return a study whose network could not be trained."""
    model = ModelResult(
        "dropout", "Dropout network", "dropout", "dropout rate", NAN, NAN, "", "", 0, study.data.n_features, NOTHING, NAN,
        NOTHING, {}, NAN, None, failed=NO_TORCH,
    )  # fmt: skip
    return dataclasses.replace(study, models=(*study.models, model))


def wild(study: StudyResult) -> StudyResult:
    """Return a study whose network has everything that can be odd: divergence, two rates, one epoch's worth of units."""
    net = study.model("dropout")
    rng = np.random.default_rng(1)
    long = history(rng, 1.0, 2000, 300)
    losses = [math.nan if 700 <= k < 720 else 4e7 * math.exp(-k / 9) + v for k, v in enumerate(long.train)]
    held = [math.inf if k > 1990 else 9e8 * math.exp(-k / 9) + v for k, v in enumerate(long.validation)]
    first = dataclasses.replace(
        net, name="dropout", history=TrainingHistory(tuple(losses), tuple(held), 1700, "early stopping", 90, 10),
        monte_carlo=MonteCarlo(50, "rows", 3, (Coverage(0.9, wilson(0, 3)),), "Three rows tell nothing."),
        attributions=tuple(
            dataclasses.replace(a, share=s, direction=d)
            for a, s, d in zip(net.attributions, (1.0, 0.0), (NAN, NAN), strict=False)
        ),
        curve=CurveSummary(
            "dropout rate", (0.5, 0.0), (1.2, NAN), (NAN, NAN), (1.0, NAN), (), {}, 0, 0, 0, {"min": 0}
        ), value=0.5, holdout_loss=Interval(math.inf, NAN, math.inf),
    )  # fmt: skip
    second = dataclasses.replace(
        net, name="deep", label="Deep network", curve=None, verdict=None, attributions=(), n_nonzero=0,
        history=TrainingHistory((1.0,), (), 1, "the limit of epochs", 100, 0),
        monte_carlo=None, network="",
    )  # fmt: skip
    third = dataclasses.replace(
        second, name="burnt", label="Diverged network", technique="dropout", network="2 -> 1",
        history=TrainingHistory((NAN, NAN), (math.inf, NAN), 1, "an interrupt", 5, 1),
        curve=CurveSummary("dropout rate", (0.3,), (1.1,), (0.1,), (0.9,), (), {}, 0, 0, 0, {}),
    )  # fmt: skip
    models = tuple(first if m.name == "dropout" else m for m in study.models)
    gaps = Techniques(
        "lasso", "Lasso wins.",
        (
            TechniqueGap("lasso", "Lasso (L1)", "L1", 1.0, Interval(0.0, 0.0, 0.0), False),
            TechniqueGap("dropout", "Dropout network", "dropout", 1.4, Interval(0.4, NAN, NAN), False),
            TechniqueGap("unregularised", "Unregularised", "none", math.inf, Interval(math.inf, 2.0, math.inf), True),
        ), "",
    )  # fmt: skip
    return dataclasses.replace(study, models=(*models, second, third), techniques=gaps, lesson=_odd_lesson())


def _odd_lesson() -> Lesson:
    whole = lesson()
    far, gone = (dataclasses.replace(f, y=y) for f, y in zip(
        whole.fits, (tuple(1e9 * v for v in whole.fits[0].y), (math.nan,) * len(whole.grid)), strict=False))  # fmt: skip
    gone = dataclasses.replace(gone, train_error=NAN, true_error=math.inf, text="", setting="")
    return dataclasses.replace(whole, fits=(far, gone))
