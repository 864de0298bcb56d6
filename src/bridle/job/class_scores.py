"""Scores of predictions with several columns on held-out rows, with large-sample intervals as in ``holdout``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.verdict import Interval
from bridle.job.holdout import (
    Cluster,
    explained_interval,
    loss_interval,
    mean_interval,
    normal_quantile,
    one_against_rest,
    perfect_auc,
    proportion_interval,
    standard_error,
)

Float = NDArray[np.float64]


def class_scores(y: Float, mu: Float, w: Float, level: float, cluster: Cluster = None) -> dict[str, Interval]:
    """Return scores of class probabilities.

    Parameters
    ----------
    y, mu : (n, K)
        Classes as 0 and 1, and probabilities.
    w : (n,)
        Weights above 0.
    level : float
        Confidence level.
    cluster : (n,) or None
        Codes of rows that belong together.

    Returns
    -------
    dict
        Accuracy, balanced accuracy (the mean over classes of the share of their rows that are predicted right), ROC AUC
        (the mean over classes of each one against the rest), log loss, Brier score (the sum over classes of squared
        differences, 0 to 2).
    """
    right = (np.argmax(mu, axis=1) == np.argmax(y, axis=1)).astype(np.float64)
    with np.errstate(divide="ignore"):
        log_loss = -np.log(np.where(y > 0.0, mu, 1.0)).sum(axis=1)
    return {
        "accuracy": proportion_interval(right, w, level, cluster),
        "balanced accuracy": _balanced(y, right, w, level, cluster),
        "ROC AUC (one against rest)": macro_auc(y, mu, w, level, cluster),
        "log loss": loss_interval(log_loss, w, level, cluster),
        "Brier score": loss_interval(((y - mu) ** 2).sum(axis=1), w, level, cluster),
    }


def level_error(y: Float, mu: Float, w: Float, level: float, cluster: Cluster = None) -> Interval:
    """Return by how many levels the likeliest one misses, on average; all as in :func:`class_scores`."""
    off = np.abs(np.argmax(mu, axis=1) - np.argmax(y, axis=1)).astype(np.float64)
    return loss_interval(off, w, level, cluster)


def _balanced(y: Float, right: Float, w: Float, level: float, cluster: Cluster) -> Interval:
    """Mean over the classes that have rows of the share predicted right, by the delta method, cut at 0 and 1."""
    terms, recalls = np.zeros(len(right)), []
    for of in (y[:, k] > 0.0 for k in range(y.shape[1])):
        if of.any():
            share = w[of] / w[of].sum()
            recalls.append(float(share @ right[of]))
            terms[of] = share * (right[of] - recalls[-1])
    value = float(np.mean(recalls))
    half = normal_quantile(level) * standard_error(terms / len(recalls), w, cluster)
    if not half > 0.0:  # no row on the wrong side: Wilson's interval knows how soon one would be
        return proportion_interval(right, w, level, cluster)
    return Interval(value, max(value - half, 0.0), min(value + half, 1.0), level)


def macro_auc(y: Float, mu: Float, w: Float, level: float, cluster: Cluster = None) -> Interval:
    """Return the mean of each class's area under the ROC curve against the rest; classes without rows are left out.

    The influence of a row on the mean is the mean of its influences on the areas (DeLong, DeLong and Clarke-Pearson
    1988).
    """
    areas, terms = [], np.zeros(len(w))
    for k in range(y.shape[1]):
        found = one_against_rest(y[:, k] > 0.0, mu[:, k], w)
        if found is not None:
            areas.append(found[0])
            terms += found[1]
    if not areas:
        return Interval(np.nan, np.nan, np.nan, level)
    value = min(float(np.mean(areas)), 1.0)
    if min(value, 1.0 - value) < 1e-12:
        counts = [int((y[:, k] > 0.0).sum()) for k in range(y.shape[1])]
        ends = [perfect_auc(value, n, len(w) - n, level) for n in counts if 0 < n < len(w)]
        return Interval(value, float(np.mean([e.lower for e in ends])), float(np.mean([e.upper for e in ends])), level)
    half = normal_quantile(level) * standard_error(terms / len(areas), w, cluster)
    return Interval(value, max(value - half, 0.0), min(value + half, 1.0), level)


def response_scores(
    y: Float, mu: Float, null: Float, w: Float, level: float, cluster: Cluster = None
) -> dict[str, Interval]:
    """Return R2 and RMSE of one response; y, mu and the null model's mean are (n,)."""
    square = (y - mu) ** 2
    mse = mean_interval(square, w, level, cluster)
    root = float(np.sqrt(mse.value))
    half = (mse.upper - mse.value) / (2.0 * root) if root > 0.0 else 0.0
    return {
        "R2": explained_interval(square, (y - null) ** 2, w, level, cluster),
        "RMSE": Interval(root, max(root - half, 0.0), root + half, level),
    }


def confusion(y: Float, mu: Float, w: Float) -> tuple[tuple[float, ...], ...]:
    """Return the weight of the rows of each class (rows) that are predicted to be each class (columns), (K, K)."""
    k = y.shape[1]
    table = np.zeros((k, k))
    np.add.at(table, (np.argmax(y, axis=1), np.argmax(mu, axis=1)), w)
    return tuple(tuple(float(v) for v in row) for row in table)
