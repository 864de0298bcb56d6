"""Calibration of held-out predictions: the slope, and calibration in the large.

References
----------
Cox, D. R. (1958). Two further applications of a model for binary regression. Biometrika 45, 562-565.
Van Calster, B. et al. (2019). Calibration: the Achilles heel of predictive analytics. BMC Medicine 17, 230.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.evidence import Evidence, supported_means
from bridle.diagnosis.intervals import t_quantile
from bridle.diagnosis.measure import measure_of
from bridle.diagnosis.verdict import Interval
from bridle.losses import Family, get_family

Float = NDArray[np.float64]
NEWTON_STEPS = 50


def calibration_slope(evidence: Evidence, model: str, level: float = 0.95) -> Interval:
    """Slope b of the regression of the target on the held-out linear predictor f.

    link(E y) = offset + a + b f. Below 1 the predictions are too extreme, above 1 too timid.

    Each repeat gives a slope with a sandwich standard error; they share all rows, so their mean is given the mean of
    the standard errors. f is centred inside folds: the intercepts of different training sets move against the held-out
    means, which alone would pull the slope of a weak model far below 0.

    Returns
    -------
    Interval
        NaN where the predictions hardly vary, so that a slope isn't defined.
    """
    missing = Interval(np.nan, np.nan, np.nan, level)
    if model not in evidence.predictions or not measure_of(evidence.family).has_slope:
        return missing
    family = get_family(evidence.family)
    own = measure_of(family).slope
    fits = [
        own(evidence.y, mean, evidence.weight, evidence.offset, folds) or _one(evidence, family, mean, folds)
        for mean, folds in zip(evidence.predictions[model], evidence.fold_of, strict=True)
    ]
    slope, se = (float(v) for v in np.mean(np.array(fits), axis=0))
    if not np.isfinite(slope) or not np.isfinite(se):
        return missing
    half = t_quantile(0.5 + level / 2, max(evidence.n_rows - 2, 1)) * se
    return Interval(slope, slope - half, slope + half, level)


def calibration_in_the_large(evidence: Evidence, model: str, level: float = 0.95) -> Interval:
    """Observed over expected: the sum of the target over that of held-out means; identity link: the mean residual.

    Returns
    -------
    Interval
        About 1 (identity link: 0) where predictions are right on average; NaN where no mean is predicted.
    """
    family = get_family(evidence.family)
    in_sd = family.link_name == "identity"
    if model not in evidence.predictions or not family.predicts_mean or family.several:
        return Interval(np.nan, np.nan, np.nan, level)
    values = []
    for mean, folds in zip(evidence.predictions[model], evidence.fold_of, strict=True):
        rows = folds >= 0
        y, mu, w = evidence.y[rows], mean[rows], evidence.weight[rows]
        w = w / w.sum()
        scale = float(np.sqrt(w @ (y - w @ y) ** 2)) if in_sd else float(w @ mu)
        if scale <= 0:
            return Interval(np.nan, np.nan, np.nan, level)
        gap = float(w @ (y - mu)) / scale
        with np.errstate(over="ignore"):
            se = float(np.sqrt(np.sum(w**2 * (y - mu - w @ (y - mu)) ** 2))) / scale
        values.append((gap if in_sd else 1.0 + gap, se))
    value, se = (float(v) for v in np.mean(np.array(values), axis=0))
    half = t_quantile(0.5 + level / 2, max(evidence.n_rows - 1, 1)) * se
    return Interval(value, value - half, value + half, level)


def _one(evidence: Evidence, family: Family, mean: Float, folds: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and standard error of one repeat; NaN where not defined."""
    rows = (folds >= 0) & (evidence.weight > 0)
    y, w = evidence.y[rows], evidence.weight[rows]
    offset = np.zeros(len(y)) if evidence.offset is None else evidence.offset[rows]
    f = _centred(_finite_link(family, mean[rows], y) - offset, folds[rows])
    w = w / w.sum()
    f = f - w @ f
    scale = float(np.sqrt(w @ f**2))
    spread = float(np.sqrt(w @ (y - w @ y) ** 2)) if family.link_name == "identity" else 1.0
    if not scale > 1e-6 * spread:  # constant predictions; also catches NaN
        return np.nan, np.nan
    slope, se = _newton(family, y, f / scale, w, offset)
    return slope / scale, se / scale


def _finite_link(family: Family, mean: Float, y: Float) -> Float:
    """Link of the means; those that have none (a forest's 0 and 1) count as the furthest that is supported."""
    edge = supported_means(mean, y, family.spec)
    possible = (mean > 0) & (mean < 1) if family.has_probabilities else (mean > 0) | (family.link_name == "identity")
    return family.link(np.where(possible, mean, edge))


def _centred(f: Float, fold: NDArray[np.int64]) -> Float:
    """Subtract the mean of each fold, unless folds hold single rows."""
    _, index, count = np.unique(fold, return_inverse=True, return_counts=True)
    if count.min() < 2:
        return f
    return np.asarray(f - (np.bincount(index, f) / count)[index])


def _newton(family: Family, y: Float, z: Float, w: Float, offset: Float) -> tuple[float, float]:
    """Fit link(E y) = offset + a + b z by Newton's method; return b and its sandwich standard error."""
    Z = np.column_stack([np.ones_like(z), z])  # (n, 2)
    beta = np.array([family.null_predictor(y, w, offset), 0.0])
    for _ in range(NEWTON_STEPS):
        eta = offset + Z @ beta
        hessian = Z.T @ ((w * family.curvature(y, eta))[:, None] * Z)
        if not np.isfinite(hessian).all() or np.linalg.cond(hessian) > 1e12:
            return np.nan, np.nan
        step = np.linalg.solve(hessian, Z.T @ (w * family.gradient(y, eta)))
        beta = beta - step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-10 * max(1.0, float(np.abs(beta).max())):
            break
    else:
        return np.nan, np.nan
    score = Z * (w * family.gradient(y, offset + Z @ beta))[:, None]
    bread = np.linalg.inv(hessian)
    n = len(y)
    covariance = bread @ (score.T @ score) @ bread * (n / max(n - 2, 1))
    return float(beta[1]), float(np.sqrt(covariance[1, 1]))
