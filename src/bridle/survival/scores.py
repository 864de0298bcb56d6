"""Scores of predicted risks and survival curves on rows that weren't fitted, each with a large-sample interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridle import _core
from bridle.survival.target import EVENT, START, STRATUM, TIME

Float = NDArray[np.float64]

MOST_GROUPS = 200  # of rows left out in turn; a standard error from 200 is known to 5 %


@dataclass(frozen=True)
class Product:
    """A Kaplan-Meier estimate with pointwise log-log intervals; all (K,)."""

    time: Float
    survival: Float
    lower: Float
    upper: Float


def kaplan_meier(y: Float, w: Float | None = None, z: float = 1.959964) -> Product:
    """Estimate the survival curve of rows as one population, strata pooled.

    Parameters
    ----------
    y : (n, 4)
        Start, time, event, stratum.
    w : (n,) or None
        Weights.
    z : float
        Normal quantile of the intervals, on the scale log(-log S) (Kalbfleisch and Prentice 2002), with Greenwood's
        variance.

    Returns
    -------
    Product
        At the times of events.

    References
    ----------
    Kaplan and Meier (1958), Nonparametric estimation from incomplete observations, JASA 53.
    """
    weight = np.ones(len(y)) if w is None else w
    event = (y[:, EVENT] == 1.0) & (weight > 0.0)
    times, index = np.unique(y[event, TIME], return_inverse=True)
    died = np.bincount(index, weight[event], minlength=times.size)
    at_risk = _at_risk(y, weight, times)
    left = np.maximum(1.0 - died / at_risk, 0.0)
    survival = np.cumprod(left)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(died / (at_risk * (at_risk - died)))
        half = z * np.sqrt(greenwood) / np.abs(np.log(survival))
        lower, upper = survival ** np.exp(half), survival ** np.exp(-half)
    none = survival <= 0.0  # nobody is left: the log-log scale ends, so the limits stay where they were
    lower[none], upper[none] = 0.0, upper[~none][-1] if (~none).any() else 1.0
    return Product(times, *(np.asarray(v, dtype=np.float64) for v in (survival, lower, upper)))


def _at_risk(y: Float, weight: Float, times: Float) -> Float:
    """Weight at risk at each time (K,): started before, and not ended before."""

    def before(values: Float, side: str) -> Float:
        order = np.argsort(values, kind="stable")
        total = np.concatenate([[0.0], np.cumsum(weight[order])])
        return np.asarray(total[np.searchsorted(values[order], times, side=side)])  # type: ignore[call-overload]

    return before(y[:, START], "left") - before(y[:, TIME], "left")


def survival_at(curve: Product, time: float) -> tuple[float, float, float]:
    """Return a Kaplan-Meier estimate and its limits at one time; 1 before the first event.

    Parameters
    ----------
    curve : Product
        The estimate.
    time : float
        When.
    """
    k = int(np.searchsorted(curve.time, time, side="right")) - 1
    if k < 0:
        return 1.0, 1.0, 1.0
    return float(curve.survival[k]), float(curve.lower[k]), float(curve.upper[k])


def concordance_error(y: Float, risk: Float, w: Float, cluster: NDArray[np.int64] | None = None) -> tuple[float, float]:
    """Return Harrell's concordance index and its standard error, by leaving out rows (or clusters) in turn.

    NaN where no two rows can be compared.

    Parameters
    ----------
    y : (n, 4)
        Start, time, event, stratum.
    risk, w : (n,)
        Risks, higher for earlier events, and weights.
    cluster : (n,) or None
        Codes of rows that belong together.

    References
    ----------
    Kang, Chen, Petrick and Gallas (2015), Comparing two correlated C indices with right-censored survival outcome,
    Statistics in Medicine 34. Shao and Wu (1989), A general theory for jackknife variance estimation, Annals of
    Statistics 17.
    """
    rank = np.unique(risk, return_inverse=True)[1].astype(np.int64)
    rows, size = np.ascontiguousarray(y), int(rank.max(initial=0)) + 1

    def index(weight: Float) -> float:
        below, tied, comparable = _core.concordance(rows, rank, weight, size)
        return (below + 0.5 * tied) / comparable if comparable > 0.0 else np.nan

    return index(w), _jackknife(index, w, cluster)


def _jackknife(statistic: Callable[[Float], float], w: Float, cluster: NDArray[np.int64] | None) -> float:
    """Delete-a-group jackknife: groups of clusters (or rows), at most ``MOST_GROUPS``, drawn once and for all."""
    unit = np.arange(w.size) if cluster is None else cluster
    units = int(unit.max(initial=0)) + 1
    count = min(units, MOST_GROUPS)
    if count < 2:
        return float("nan")
    group = (np.random.default_rng(0).permutation(units) % count)[unit]
    without = np.array([statistic(np.where(group == g, 0.0, w)) for g in range(count)])
    known = without[np.isfinite(without)]
    if known.size < 2:
        return float("nan")
    return float(np.sqrt((known.size - 1) / known.size * np.sum((known - known.mean()) ** 2)))


def inverse_censoring(y: Float, w: Float) -> Callable[[Float], Float]:
    """Return a function of time: 1 / the probability of not being censored before it, by Kaplan and Meier.

    Rows are in it from the beginning; at a time of events and censoring, events come first.

    Parameters
    ----------
    y : (n, 4)
        Start, time, event, stratum.
    w : (n,)
        Weights.
    """
    censored = (y[:, EVENT] == 0.0) & (w > 0.0)
    times, index = np.unique(y[censored, TIME], return_inverse=True)
    gone = np.bincount(index, w[censored], minlength=times.size)
    order = np.argsort(y[:, TIME], kind="stable")
    ended = np.concatenate([[0.0], np.cumsum(w[order])])
    done = np.concatenate([[0.0], np.cumsum(np.where(y[order, EVENT] == 1.0, w[order], 0.0))])
    place_left = np.searchsorted(y[order, TIME], times, side="left")
    place_right = np.searchsorted(y[order, TIME], times, side="right")
    at_risk = w.sum() - ended[place_left] - (done[place_right] - done[place_left])  # less the events of that time
    stays = np.concatenate([[1.0], np.cumprod(np.clip(1.0 - gone / at_risk, 0.0, 1.0))])

    def weight(time: Float) -> Float:
        left = stays[np.searchsorted(times, time, side="left")]  # just before
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / left)

    return weight


def brier_rows(y: Float, survival: Float, times: Float, w: Float) -> Float:
    """(n,) each row's part of the Brier score integrated over ``times`` (mean over rows: the score).

    Squared errors of survival probabilities, weighted by the inverse probability of not being censored before (Graf et
    al. 1999), as the mean over the span of the times by the trapezoidal rule.

    Parameters
    ----------
    y : (n, 4)
        Start, time, event, stratum; no late entry.
    survival : (n, K)
        Predicted probabilities of no event up to each time.
    times : (K,)
        Ascending, within the time under observation.
    w : (n,)
        Weights.

    References
    ----------
    Graf, Schmoor, Sauerbrei and Schumacher (1999), Assessment and comparison of prognostic classification schemes for
    survival data, Statistics in Medicine 18.
    """
    stays = inverse_censoring(y, w)
    time, event = y[:, TIME, None], y[:, EVENT, None] == 1.0
    over = (time <= times) & event
    still = time > times
    own, then = stays(y[:, TIME])[:, None], stays(np.nextafter(times, np.inf))[None, :]
    with np.errstate(invalid="ignore"):
        errors = np.where(over, survival**2 * own, 0.0) + np.where(still, (1.0 - survival) ** 2 * then, 0.0)
    if times.size == 1:
        return np.asarray(errors[:, 0])
    return np.asarray(np.trapezoid(errors, times, axis=1) / (times[-1] - times[0]))


def uno_concordance(y: Float, risk: Float, until: float, w: Float) -> float:
    """Return Uno's concordance index: pairs weighted so that it doesn't depend on the censoring.

    Parameters
    ----------
    y : (n, 4)
        Start, time, event, stratum; no late entry.
    risk, w : (n,)
        Risks, higher for earlier events, and weights.
    until : float
        Events after it aren't compared.

    References
    ----------
    Uno, Cai, Pencina, D'Agostino and Wei (2011), On the C-statistics for evaluating overall adequacy of risk prediction
    procedures with censored survival data, Statistics in Medicine 30.
    """
    weight = inverse_censoring(y, w)(y[:, TIME]) ** 2
    above = total = 0.0
    for i in np.flatnonzero((y[:, EVENT] == 1.0) & (y[:, TIME] < until) & (w > 0.0)):
        t = y[i, TIME]
        later = (y[:, STRATUM] == y[i, STRATUM]) & ((y[:, TIME] > t) | ((y[:, TIME] == t) & (y[:, EVENT] == 0.0)))
        pair = w[i] * weight[i] * w[later]
        above += float(pair @ ((risk[later] < risk[i]) + 0.5 * (risk[later] == risk[i])))
        total += float(pair.sum())
    return above / total if total > 0.0 else float("nan")
