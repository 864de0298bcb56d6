"""Coefficients of models with several columns of them, one feature at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.verdict import Interval
from bridle.job import words
from bridle.job.fitting import Fit, Problem
from bridle.job.stability import Stability
from bridle.results import Coefficient

Float = NDArray[np.float64]


def wide_coefficient(j: int, fit: Fit, problem: Problem, stability: Stability | None, level: float) -> Coefficient:
    """Return feature j with its coefficient for each class or response, and the length of these as its size.

    It is selected in a resample if any of them isn't zero; the sign that has to be the same is that of the largest.
    """
    assert fit.path is not None
    design, outcome, scale = problem.design, problem.outcome, float(fit.path.scale[j])
    value = fit.coef[j]  # (K,)
    size, ends = float(np.linalg.norm(value)), np.full((2, value.size), np.nan)
    lower = upper = frequency = consistency = float("nan")
    if stability is not None:
        sample, at = stability.coef[:, j], [(1 - level) / 2, (1 + level) / 2]  # (B, K)
        ends = np.quantile(sample, at, axis=0)
        lower, upper = (float(q) for q in np.quantile(np.linalg.norm(sample, axis=1), at))
        there, leading = (sample != 0.0).any(axis=1), int(np.argmax(np.abs(value)))
        frequency = float(np.mean(there))
        same = np.sign(sample[there, leading]) == np.sign(value[leading])
        consistency = float(np.mean(same)) if frequency > 0 else 0.0
    indicator, columns = design.is_indicator(j), np.vstack([value, ends])
    shown = outcome.outside(columns)
    return Coefficient(
        feature=design.feature_names[j],
        column=design.source[j],
        value=size,
        standardised=size * scale,
        effect=outcome.effect(value, scale, design.feature_names[j], indicator),
        lower=lower,
        upper=upper,
        selection_frequency=frequency,
        sign_consistency=consistency,
        unit=words.unit(scale, indicator),
        mean=float(fit.path.mean[j]),
        scale=scale,
        by_output=tuple(Interval(float(each[0]), float(each[1]), float(each[2]), level) for each in shown.T),
    )
