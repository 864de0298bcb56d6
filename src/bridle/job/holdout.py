"""Scores on held-out rows with large-sample intervals in closed form: no resampling, so no seed.

Means of rows use the normal approximation, ratios and roots the delta method, shares Wilson's interval (1927) and
the area under the ROC curve DeLong, DeLong and Clarke-Pearson's variance (1988). Every row counts by its weight.
Rows of one cluster aren't independent: where clusters are given, the terms of a cluster are summed before they are
squared (Liang and Zeger 1986; for the area under the curve Obuchowski 1997).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.verdict import Interval
from bridle.losses import Family
from bridle.results import CalibrationBin, HoldoutPoints

Float = NDArray[np.float64]
Cluster = NDArray[np.int64] | None  # (n,) codes from 0; None where rows are independent


def normal_quantile(level: float) -> float:
    """Two-sided normal quantile of a confidence level."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2.0))


def mean_interval(x: Float, w: Float, level: float, cluster: Cluster = None) -> Interval:
    """Weighted mean of rows with its interval; x, w are (n,)."""
    share = w / w.sum()
    mean = float(share @ x)
    if not np.isfinite(mean):
        return Interval(mean, np.nan, np.nan, level)
    half = normal_quantile(level) * standard_error(share * (x - mean), share, cluster)
    return Interval(mean, mean - half, mean + half, level)


def loss_interval(x: Float, w: Float, level: float, cluster: Cluster = None) -> Interval:
    """Weighted mean of losses, which can't be below 0."""
    found = mean_interval(x, w, level, cluster)
    return replace(found, lower=float(np.maximum(found.lower, 0.0)))


def explained_interval(loss: Float, null_loss: Float, w: Float, level: float, cluster: Cluster = None) -> Interval:
    """1 - mean(loss) / mean(null_loss) with the delta method for a ratio of paired means; all (n,)."""
    share = w / w.sum()
    bottom = float(share @ null_loss)
    if bottom <= 0.0:
        return Interval(np.nan, np.nan, np.nan, level)
    ratio = float(share @ loss) / bottom
    if not np.isfinite(ratio):
        return Interval(-np.inf, np.nan, np.nan, level)
    terms = share * (loss - ratio * null_loss) / bottom
    half = normal_quantile(level) * standard_error(terms, share, cluster)
    return Interval(1.0 - ratio, 1.0 - ratio - half, 1.0 - ratio + half, level)


def standard_error(terms: Float, share: Float, cluster: Cluster = None) -> float:
    """Root of the sum of squared terms (n,), summed by cluster first; NaN with fewer than two clusters (or rows)."""
    rows = np.flatnonzero(share > 0.0)
    n = rows.size if cluster is None else np.unique(cluster[rows]).size
    if n < 2:
        return float("nan")
    terms = terms if cluster is None else np.asarray(np.bincount(cluster, terms), dtype=np.float64)
    return float(np.sqrt(np.sum(terms**2) * n / (n - 1)))


def auc(y: NDArray[np.bool_], score: Float, w: Float | None = None) -> float:
    """Area under the ROC curve, ties counted half; NaN with one class only."""
    above, _ = _placements(y, score, np.ones(y.size) if w is None else w)
    return float("nan") if above is None else float(above[0] @ above[1])


Placed = tuple[Float, Float] | None  # weights of a class's rows (sum 1), and their placements among the other class


def _placements(y: NDArray[np.bool_], score: Float, w: Float) -> tuple[Placed, Placed]:
    """Of each positive the share of negatives below it, of each negative that of positives above; ties half."""
    w1, w0 = w[y], w[~y]
    if not (w1.sum() > 0.0 and w0.sum() > 0.0):
        return None, None
    w1, w0 = w1 / w1.sum(), w0 / w0.sum()
    return (w1, _below(score[y], score[~y], w0)), (w0, _below(-score[~y], -score[y], w1))


def _below(of: Float, among: Float, w: Float) -> Float:
    """Weight of ``among`` below each of ``of``, ties counted half."""
    order = np.argsort(among, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(w[order])])
    left, right = (np.searchsorted(among[order], of, side) for side in ("left", "right"))
    return np.asarray(0.5 * (total[left] + total[right]))


def auc_interval(y: NDArray[np.bool_], score: Float, w: Float, level: float, cluster: Cluster = None) -> Interval:
    """Area under the ROC curve with DeLong's variance; the interval is cut at 0 and 1."""
    above, beneath = _placements(y, score, w)
    if above is None or beneath is None:
        return Interval(np.nan, np.nan, np.nan, level)
    value = min(float(above[0] @ above[1]), 1.0)
    terms = np.empty(y.size)
    terms[y], terms[~y] = above[0] * (above[1] - value), beneath[0] * (beneath[1] - value)
    if cluster is None:
        error = np.hypot(
            standard_error(terms[y], above[0], None), standard_error(terms[~y], beneath[0], None)
        )  # two samples, each with its own count
    else:
        error = standard_error(terms, w, cluster)
    if (
        min(value, 1.0 - value) < 1e-12
    ):  # no row on the wrong side: DeLong's variance says nothing of how soon one would be
        return perfect_auc(value, int(y.sum()), int((~y).sum()), level)
    half = normal_quantile(level) * float(error)
    lower, upper = np.clip([value - half, value + half], 0.0, 1.0)
    return Interval(value, float(lower), float(upper), level)


def one_against_rest(y: NDArray[np.bool_], score: Float, w: Float) -> tuple[float, Float] | None:
    """Area under the ROC curve and the influence of each row on it (n,), which sum to 0; None with one class only."""
    above, beneath = _placements(y, score, w)
    if above is None or beneath is None:
        return None
    value, terms = float(above[0] @ above[1]), np.empty(y.size)
    terms[y], terms[~y] = above[0] * (above[1] - value), beneath[0] * (beneath[1] - value)
    return value, terms


def perfect_auc(value: float, n1: int, n0: int, level: float) -> Interval:
    """Interval of an area of 1 (or 0) by inverting Hanley and McNeil's variance (Newcombe 2006, method 5)."""
    from scipy.optimize import brentq

    z, extra = normal_quantile(level), 0.5 * (n1 + n0) - 1.0

    def beyond(area: float) -> float:
        spread = 1.0 + extra * ((1.0 - area) / (2.0 - area) + area / (1.0 + area))
        return 1.0 - area - z * float(np.sqrt(area * (1.0 - area) * spread / (n1 * n0)))

    lowest = float(brentq(beyond, 0.0, 1.0 - 1e-12)) if beyond(1.0 - 1e-12) < 0.0 else 0.0
    return Interval(1.0, lowest, 1.0, level) if value > 0.5 else Interval(0.0, 0.0, 1.0 - lowest, level)


def share_interval(share: float, n: float, level: float) -> Interval:
    """Wilson's interval of a share of ``n`` rows."""
    z = normal_quantile(level)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return Interval(share, max(centre - half, 0.0), min(centre + half, 1.0), level)


def proportion_interval(x: Float, w: Float, level: float, cluster: Cluster = None) -> Interval:
    """Wilson's interval of the weighted mean of x in [0, 1] (n,), with as many rows as the weights are worth.

    Weights leave Kish's 1 / sum(share^2) rows; clusters as many as their variance is that of, or, where all x are the
    same, one row each.
    """
    share = w / w.sum()
    value, n = float(np.clip(share @ x, 0.0, 1.0)), 1.0 / float(share @ share)
    if cluster is not None:
        error = standard_error(share * (x - value), share, cluster)
        clusters = np.unique(cluster[share > 0.0]).size
        n = min(n, value * (1.0 - value) / error**2) if error > 0.0 else min(n, float(clusters))
    return share_interval(value, max(n, 1.0), level)


def scores(
    family: Family, y: Float, mu: Float, null_mu: Float, w: Float, level: float, cluster: Cluster = None
) -> dict[str, Interval]:
    """Named scores of predictions on held-out rows; higher is better except for errors, all arrays (n,)."""
    loss, null_loss = family.deviance(y, mu), family.deviance(y, null_mu)
    found = {"deviance explained": explained_interval(loss, null_loss, w, level, cluster)}
    if family.has_probabilities:
        if np.all((y == 0.0) | (y == 1.0)):
            found["ROC AUC"] = auc_interval(y == 1.0, mu, w, level, cluster)
            right = ((mu >= 0.5) == (y == 1.0)).astype(np.float64)
            found["accuracy"] = proportion_interval(right, w, level, cluster)
        found["Brier score"] = loss_interval((y - mu) ** 2, w, level, cluster)
        return found
    if family.share_below is not None:
        found["share of rows below"] = proportion_interval((y <= mu).astype(np.float64), w, level, cluster)
        found["mean absolute error"] = loss_interval(np.abs(y - mu), w, level, cluster)
        return found
    mse = mean_interval((y - mu) ** 2, w, level, cluster)
    root = float(np.sqrt(mse.value))
    half = (mse.upper - mse.value) / (2 * root) if root > 0.0 else 0.0
    found["RMSE"] = Interval(root, float(np.maximum(root - half, 0.0)), root + half, level)
    found["mean absolute error"] = loss_interval(np.abs(y - mu), w, level, cluster)
    return found


def deviance_residuals(family: Family, y: Float, mu: Float) -> Float:
    """sign(y - mu) * sqrt(unit deviance), (n,)."""
    return np.asarray(np.sign(y - mu) * np.sqrt(np.maximum(family.deviance(y, mu), 0.0)))


def points(
    family: Family, y: Float, mu: Float, w: Float, level: float, rng: np.random.Generator, cluster: Cluster = None
) -> HoldoutPoints:
    """What calibration, residual and ROC plots need; at most 400 rows are drawn, the bins use all."""
    shown = np.sort(rng.permutation(y.size)[:400])
    roc: tuple[tuple[float, float], ...] = ()
    if family.is_classifier and np.all((y == 0.0) | (y == 1.0)) and w[y == 1.0].sum() > 0.0 < w[y == 0.0].sum():
        roc = _roc(y == 1.0, mu, w)
    residual = deviance_residuals(family, y, mu)
    return HoldoutPoints(
        predicted=tuple(mu[shown].tolist()),
        observed=tuple(y[shown].tolist()),
        residual=tuple(residual[shown].tolist()),
        calibration=_calibration(family, y, mu, w, level, cluster),
        roc=roc,
    )


def _calibration(
    family: Family, y: Float, mu: Float, w: Float, level: float, cluster: Cluster
) -> tuple[CalibrationBin, ...]:
    if family.share_below is not None:
        return ()  # what is predicted isn't what is observed on average
    interval = proportion_interval if family.has_probabilities else mean_interval
    used = np.flatnonzero(w > 0.0)
    bins = []
    for rows in np.array_split(used[np.argsort(mu[used], kind="stable")], int(np.clip(used.size // 20, 2, 10))):
        if rows.size == 0:
            continue
        ci = interval(y[rows], w[rows], level, None if cluster is None else cluster[rows])
        mean = float(np.average(mu[rows], weights=w[rows]))
        bins.append(CalibrationBin(mean, ci.value, ci.lower, ci.upper, int(rows.size)))
    return tuple(bins)


def _roc(y: NDArray[np.bool_], score: Float, w: Float, at_most: int = 120) -> tuple[tuple[float, float], ...]:
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0.0, True])  # one point per distinct score
    true, false = (np.cumsum(np.where(of, w, 0.0)[order])[ends] / w[of].sum() for of in (y, ~y))
    true, false = np.r_[0.0, true[:-1], 1.0], np.r_[0.0, false[:-1], 1.0]
    keep = np.unique(np.linspace(0, true.size - 1, min(at_most, true.size)).astype(int))
    return tuple(zip(false[keep].tolist(), true[keep].tolist(), strict=True))
