"""Scores on held-out rows with large-sample intervals in closed form: no resampling, so no seed.

Means of rows use the normal approximation, ratios and roots the delta method, accuracy Wilson's interval (1927)
and the area under the ROC curve DeLong, DeLong and Clarke-Pearson's variance (1988).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.verdict import Interval
from bridle.losses import Family
from bridle.results import CalibrationBin, HoldoutPoints

Float = NDArray[np.float64]


def normal_quantile(level: float) -> float:
    """Two-sided normal quantile of a confidence level."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2.0))


def mean_interval(x: Float, w: Float, level: float) -> Interval:
    """Weighted mean of independent rows with its interval; x, w are (n,)."""
    share = w / w.sum()
    mean = float(share @ x)
    if np.count_nonzero(share) < 2 or not np.isfinite(mean):
        return Interval(mean, np.nan, np.nan, level)
    half = normal_quantile(level) * _standard_error(x - mean, share)
    return Interval(mean, mean - half, mean + half, level)


def explained_interval(loss: Float, null_loss: Float, w: Float, level: float) -> Interval:
    """1 - mean(loss) / mean(null_loss) with the delta method for a ratio of paired means; all (n,)."""
    share = w / w.sum()
    bottom = float(share @ null_loss)
    if bottom <= 0.0:
        return Interval(np.nan, np.nan, np.nan, level)
    ratio = float(share @ loss) / bottom
    half = normal_quantile(level) * _standard_error((loss - ratio * null_loss) / bottom, share)
    return Interval(1.0 - ratio, 1.0 - ratio - half, 1.0 - ratio + half, level)


def _standard_error(centred: Float, share: Float) -> float:
    n = int(np.count_nonzero(share))
    return float(np.sqrt(np.sum((share * centred) ** 2) * n / max(n - 1, 1)))


def auc(y: NDArray[np.bool_], score: Float) -> float:
    """Area under the ROC curve by ranks, ties counted half; NaN with one class only."""
    from scipy.stats import rankdata

    n1 = int(y.sum())
    n0 = y.size - n1
    if n1 == 0 or n0 == 0:
        return float("nan")
    return float((rankdata(score)[y].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def auc_interval(y: NDArray[np.bool_], score: Float, level: float) -> Interval:
    """Area under the ROC curve with DeLong's variance; the interval is cut at 0 and 1."""
    from scipy.stats import rankdata

    n1 = int(y.sum())
    n0 = y.size - n1
    if n1 < 2 or n0 < 2:
        return Interval(auc(y, score), np.nan, np.nan, level)
    rank = rankdata(score)
    v1 = (rank[y] - rankdata(score[y])) / n0  # share of negatives below each positive
    v0 = 1.0 - (rank[~y] - rankdata(score[~y])) / n1
    value = float(v1.mean())
    half = normal_quantile(level) * float(np.sqrt(v1.var(ddof=1) / n1 + v0.var(ddof=1) / n0))
    return Interval(value, max(value - half, 0.0), min(value + half, 1.0), level)


def share_interval(share: float, n: int, level: float) -> Interval:
    """Wilson's interval of a share of ``n`` rows."""
    z = normal_quantile(level)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return Interval(share, max(centre - half, 0.0), min(centre + half, 1.0), level)


def scores(family: Family, y: Float, mu: Float, null_mu: Float, w: Float, level: float) -> dict[str, Interval]:
    """Named scores of predictions on held-out rows; higher is better except for errors, all arrays (n,)."""
    loss, null_loss = family.deviance(y, mu), family.deviance(y, null_mu)
    found = {"deviance explained": explained_interval(loss, null_loss, w, level)}
    if family.name == "binomial":
        if np.all((y == 0.0) | (y == 1.0)):
            found["ROC AUC"] = auc_interval(y == 1.0, mu, level)
            found["accuracy"] = share_interval(float(np.mean((mu >= 0.5) == (y == 1.0))), y.size, level)
        found["Brier score"] = mean_interval((y - mu) ** 2, w, level)
        return found
    mse = mean_interval((y - mu) ** 2, w, level)
    root = float(np.sqrt(mse.value))
    half = (mse.upper - mse.value) / (2 * root) if root > 0.0 else 0.0
    found["RMSE"] = Interval(root, max(root - half, 0.0), root + half, level)
    found["mean absolute error"] = mean_interval(np.abs(y - mu), w, level)
    return found


def deviance_residuals(family: Family, y: Float, mu: Float) -> Float:
    """sign(y - mu) * sqrt(unit deviance), (n,)."""
    return np.asarray(np.sign(y - mu) * np.sqrt(np.maximum(family.deviance(y, mu), 0.0)))


def points(family: Family, y: Float, mu: Float, level: float, rng: np.random.Generator) -> HoldoutPoints:
    """What calibration, residual and ROC plots need; at most 400 rows are drawn, the bins use all."""
    shown = np.sort(rng.permutation(y.size)[:400])
    roc: tuple[tuple[float, float], ...] = ()
    if family.name == "binomial" and 0 < np.sum(y == 1.0) < y.size and np.all((y == 0.0) | (y == 1.0)):
        roc = _roc(y == 1.0, mu)
    residual = deviance_residuals(family, y, mu)
    return HoldoutPoints(
        predicted=tuple(mu[shown].tolist()),
        observed=tuple(y[shown].tolist()),
        residual=tuple(residual[shown].tolist()),
        calibration=_calibration(family, y, mu, level),
        roc=roc,
    )


def _calibration(family: Family, y: Float, mu: Float, level: float) -> tuple[CalibrationBin, ...]:
    n_bins = int(np.clip(y.size // 20, 2, 10))
    bins = []
    for rows in np.array_split(np.argsort(mu, kind="stable"), n_bins):
        if rows.size == 0:
            continue
        if family.name == "binomial":
            ci = share_interval(float(y[rows].mean()), rows.size, level)
        else:
            ci = mean_interval(y[rows], np.ones(rows.size), level)
        bins.append(CalibrationBin(float(mu[rows].mean()), ci.value, ci.lower, ci.upper, int(rows.size)))
    return tuple(bins)


def _roc(y: NDArray[np.bool_], score: Float, at_most: int = 120) -> tuple[tuple[float, float], ...]:
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0.0, True])  # one point per distinct score
    true = np.r_[0.0, np.cumsum(y[order])[ends] / y.sum()]
    false = np.r_[0.0, np.cumsum(~y[order])[ends] / (~y).sum()]
    keep = np.unique(np.linspace(0, true.size - 1, min(at_most, true.size)).astype(int))
    return tuple(zip(false[keep].tolist(), true[keep].tolist(), strict=True))
