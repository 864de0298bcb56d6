"""Fits, curves and bootstrap samples turned into the plain frozen values of :mod:`bridle.results`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.design import Encoder
from bridle.diagnosis.intervals import t_quantile
from bridle.diagnosis.verdict import Interval
from bridle.job import words
from bridle.job.fitting import Fit, Problem
from bridle.job.stability import Stability
from bridle.job.wide import wide_coefficient
from bridle.model_io.effects import term_effects
from bridle.results import Certificate, Coefficient, CurveSummary, PathSummary, TermEffect
from bridle.selection import applicable_rules

Float = NDArray[np.float64]

SHOWN_PATHS = 12  # features drawn on the path chart; more can't be told apart
SHOWN_SAMPLES = 20  # bootstrap paths drawn behind it
SHOWN_COEFFICIENTS = 200
SHOWN_TERMS = 100


def loss_interval(value: float, error: float, problem: Problem, level: float) -> Interval:
    """Mean held-out loss with the interval of Student's t that goes with the spread of so many folds."""
    half = t_quantile(0.5 + level / 2, max(len(problem.folds) - 1, 1)) * float(error)
    return Interval(float(value), float(np.maximum(value - half, 0.0)), float(value + half), level)


def shown_features(fit: Fit) -> NDArray[np.int64]:
    """(F,) the features to draw: largest standardised coefficient at the chosen value, then largest on the path."""
    assert fit.path is not None
    peak = np.asarray(abs(fit.path.coef_sparse).max(axis=0).toarray()).reshape(len(fit.coef), -1).max(axis=1)
    peak = peak * fit.path.scale
    order = np.lexsort((-peak, -fit.sizes))
    return np.asarray(order[peak[order] > 0.0][:SHOWN_PATHS])


def curve_summary(fit: Fit, scores: dict[str, tuple[float, ...]]) -> CurveSummary:
    """The validation curve as the report draws it."""
    assert fit.curve is not None
    curve, rules = fit.curve, applicable_rules(fit.curve)
    n_nonzero = curve.n_nonzero if curve.n_nonzero is not None else np.zeros(curve.values.size, dtype=np.int64)
    return CurveSummary(
        parameter=curve.parameter,
        values=tuple(curve.values.tolist()),
        mean=tuple(curve.mean.tolist()),
        standard_error=tuple(curve.standard_error.tolist()),
        train=tuple(curve.train_mean.tolist()),
        n_nonzero=tuple(int(k) for k in n_nonzero),
        scores=scores,
        index_min=rules["min"],
        index_1se=rules["1se"],
        index_chosen=fit.index,
        rules=dict(rules),
    )


def path_scores(
    fit: Fit, problem: Problem, X: Any, y: Float, w: Float, offset: Float | None
) -> dict[str, tuple[float, ...]]:
    """Scores along the path for the slider: explained deviance across folds, and on held-out rows the AUC or RMSE."""
    assert fit.curve is not None
    found = {"deviance explained (folds)": tuple((1.0 - fit.curve.mean / fit.curve.null_loss).tolist())}
    if not w.sum() > 0.0:
        return found
    along = [problem.outcome.scores_along(y, w, eta) for eta in _links(fit, X, offset)]
    return found | {name: tuple(at[name] for at in along) for name in along[0]}


def _links(fit: Fit, X: Any, offset: Float | None) -> Iterator[Float]:
    """Links of n rows, one strength at a time: all at once would outgrow the table. NaN where training diverged."""
    if fit.nets is not None:
        for trained in fit.nets.fits:
            yield np.full(X.shape[0], np.nan) if trained.network is None else trained.network.link(X, offset)
        return
    assert fit.path is not None
    for k in range(fit.path.lambdas.size):
        yield replace(fit, intercept=fit.path.intercept[k], coef=fit.path.coef_row(k)).link(X, offset)


def path_summary(fit: Fit, problem: Problem, shown: NDArray[np.int64], stability: Stability | None) -> PathSummary:
    """Coefficient paths per standard deviation, with the bootstrap paths behind them."""
    assert fit.path is not None
    drawn = problem.outcome.drawn(fit.path, shown)  # (F, L)
    samples: tuple[tuple[tuple[float, ...], ...], ...] = ()
    values: tuple[float, ...] = ()
    if stability is not None:
        samples = tuple(tuple(_short(f) for f in sample) for sample in stability.paths[:SHOWN_SAMPLES])
        values = tuple(stability.lambdas.tolist())
    return PathSummary(
        features=tuple(problem.design.feature_names[j] for j in shown),
        coefficients=tuple(_short(row) for row in drawn),
        bootstrap=samples,
        bootstrap_values=values,
    )


def _short(row: Float) -> tuple[float, ...]:
    return tuple(float(f"{v:.4g}") for v in row)  # the eye sees three digits; the model file has them all


def coefficients(fit: Fit, problem: Problem, stability: Stability | None, level: float) -> tuple[Coefficient, ...]:
    """The selected features, most important first, with what the bootstrap says of each."""
    if fit.path is None:
        return ()
    order = np.argsort(-fit.sizes, kind="stable")
    order = order[fit.in_use[order]][:SHOWN_COEFFICIENTS]
    if fit.coef.ndim == 2:
        return tuple(wide_coefficient(int(j), fit, problem, stability, level) for j in order)
    return tuple(_coefficient(int(j), fit, problem, stability, level) for j in order)


def _coefficient(j: int, fit: Fit, problem: Problem, stability: Stability | None, level: float) -> Coefficient:
    assert fit.path is not None
    value, design = float(fit.coef[j]), problem.design
    lower = upper = frequency = consistency = float("nan")
    if stability is not None:
        sample = stability.coef[:, j]
        lower, upper = (float(q) for q in np.quantile(sample, [(1 - level) / 2, (1 + level) / 2]))
        frequency = float(np.mean(sample != 0.0))
        consistency = float(np.mean(np.sign(sample[sample != 0.0]) == np.sign(value))) if frequency > 0 else 0.0
    indicator, scale = design.is_indicator(j), float(fit.path.scale[j])
    return Coefficient(
        feature=design.feature_names[j],
        column=design.source[j],
        value=value,
        standardised=value * scale,
        effect=problem.outcome.effect(value, scale, design.feature_names[j], indicator),
        lower=lower,
        upper=upper,
        selection_frequency=frequency,
        sign_consistency=consistency,
        unit=words.unit(scale, indicator),
        mean=float(fit.path.mean[j]),
        scale=scale,
    )


def terms(fit: Fit, problem: Problem, encoder: Encoder) -> tuple[TermEffect, ...]:
    """Groups of several features as wholes, those that move the link most first."""
    if fit.path is None or fit.coef.ndim == 2:
        return ()
    groups = np.asarray(problem.design.groups, dtype=object)
    found = []
    for effect in term_effects(encoder, fit.coef, fit.path.mean):
        at = np.flatnonzero(groups == effect.name)
        if at.size > 1 or effect.kind == "product":
            part = np.asarray(problem.X[:, at] @ fit.coef[at], dtype=np.float64)
            centre = float(np.average(part, weights=problem.weights))
            found.append(
                replace(effect, size=float(np.sqrt(np.average((part - centre) ** 2, weights=problem.weights))))
            )
    return tuple(sorted(found, key=lambda e: -e.size)[:SHOWN_TERMS])


def certificate(fit: Fit, problem: Problem) -> Certificate | None:
    """The worst certificate along the fit's path."""
    if fit.path is None:
        return None
    path = fit.path
    converged = np.array([s == "converged" for s in path.status])
    messages: Sequence[str] = sorted({s for s in path.status if s != "converged"}) + list(path.notes)
    return Certificate(
        objective=problem.outcome.objective(fit),
        n_values=int(path.lambdas.size),
        worst_relative_gap=float(np.max(path.relative_gap)),
        worst_kkt=float(np.max(path.kkt)),
        tolerance=path.tol,
        n_converged=int(converged.sum()),
        messages=tuple(messages),
    )
