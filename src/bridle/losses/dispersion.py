"""Estimates of what a family leaves open, given the means: theta, power, a robust spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, logsumexp

Float = NDArray[np.float64]

LARGEST_THETA = 1e7  # from which on a negative binomial can't be told from Poisson
POWERS = (1.02, 1.98)  # between which Tweedie's density is summed without trouble
_MOST_ROWS = 1000  # whose likelihood says where the power lies: more know it no better than it matters


def negative_binomial_theta(y: Float, mu: Float, w: Float) -> float:
    """Return theta of the highest likelihood, given the means; infinite where no overdispersion is seen.

    Parameters
    ----------
    y, mu, w : (n,)
        Counts, means, weights.

    Returns
    -------
    float
        The root of the score, as in MASS's ``theta.ml``.
    """
    from scipy.optimize import brentq

    def score(log_theta: float) -> float:
        theta = np.exp(log_theta)
        own = digamma(y + theta) - digamma(theta) - np.log1p(mu / theta)
        return float(w @ (own + (mu - y) / (mu + theta)))

    low, high = np.log(1e-6), np.log(LARGEST_THETA)
    overdispersed = float(w @ ((y - mu) ** 2 - y)) > 0.0  # the likelihood's slope in 1/theta at 0
    if not overdispersed or score(high) >= 0.0:
        return np.inf
    if score(low) <= 0.0:
        return float(np.exp(low))
    return float(np.exp(brentq(score, low, high, xtol=1e-13, rtol=1e-14)))


def tweedie_power(y: Float, mu: Float, w: Float) -> float:
    """Return the power of the highest likelihood, given the means; the dispersion is maximised over too.

    Parameters
    ----------
    y, mu, w : (n,)
        Target, means, weights. Of many rows, evenly spaced ones count.

    Returns
    -------
    float
        Between 1.02 and 1.98.

    References
    ----------
    Dunn and Smyth (2005), Series evaluation of Tweedie exponential dispersion model densities, Statistics and
    Computing 15.
    """
    from scipy.optimize import minimize

    rows = np.flatnonzero(w > 0.0)
    rows = rows[np.linspace(0, rows.size - 1, min(rows.size, _MOST_ROWS)).astype(np.int64)]
    t, m, weight = y[rows], np.maximum(mu[rows], 1e-300), w[rows] / w[rows].sum()

    def unlikely(at: Float) -> float:
        power = float(np.clip(at[0], *POWERS))
        value = -float(weight @ tweedie_log_density(t, m, power, float(np.exp(np.clip(at[1], -30.0, 30.0)))))
        return value + 10.0 * abs(float(at[0]) - power)

    start = 1.5
    pearson = float(weight @ ((t - m) ** 2 / m**start))
    found = minimize(
        unlikely, np.array([start, np.log(max(pearson, 1e-12))]), method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-6, "initial_simplex": _simplex(start, np.log(max(pearson, 1e-12)))},
    )  # fmt: skip
    return float(np.clip(found.x[0], *POWERS))


def _simplex(power: float, log_phi: float) -> Float:
    return np.array([[power, log_phi], [power + 0.15, log_phi], [power, log_phi + 0.5]])


def tweedie_log_density(y: Float, mu: Float, power: float, phi: float) -> Float:
    """Return the log density (n,) of Tweedie's distribution, 1 < power < 2: a Poisson number of gamma amounts.

    Parameters
    ----------
    y, mu : (n,)
        Values and means.
    power, phi : float
        The variance is phi mu^power.

    Returns
    -------
    (n,)
    """
    up, down = mu ** (2.0 - power) / (2.0 - power), mu ** (1.0 - power) / (power - 1.0)
    out = -up / phi
    some = np.flatnonzero(y > 0.0)
    if not some.size:
        return out
    t = y[some]
    alpha = (2.0 - power) / (power - 1.0)
    log_z = alpha * np.log(t) - alpha * np.log(power - 1.0) - (1.0 + alpha) * np.log(phi) - np.log(2.0 - power)
    centre = np.maximum(t ** (2.0 - power) / (phi * (2.0 - power)), 1.0)  # number of amounts of the largest term
    wide = 1.0 + np.ceil(9.0 * np.sqrt(centre / (1.0 + alpha)) + 12.0)  # beyond which terms are below e^-37 of it
    count = int(min(2.0 * np.max(wide), 400.0))
    step = np.maximum(np.ceil(2.0 * wide / count), 1.0)  # of a long series every few terms stand for those between
    j = np.maximum(np.round(centre - wide), 1.0)[:, None] + step[:, None] * np.arange(count)[None]
    terms = j * log_z[:, None] - gammaln(j + 1.0) - gammaln(alpha * j)
    series = logsumexp(terms, axis=1) + np.log(step)
    out[some] = series - np.log(t) - t * down[some] / phi - up[some] / phi
    return out


def weighted_median(x: Float, w: Float) -> float:
    """Return the x (n,) that has half of the weight at or below it, or the middle of two that come next to that."""
    order = np.argsort(x, kind="stable")
    order = order[w[order] > 0.0]
    share = np.cumsum(w[order])
    places = np.searchsorted(share, np.array([0.5 - 1e-12, 0.5 + 1e-12]) * share[-1])
    return float(np.mean(x[order][np.minimum(places, len(order) - 1)]))


def robust_deviation(residual: Float, w: Float) -> float:
    """Return 1.4826 times the median size of residuals (n,), or, if half are 0, 1.2533 times their mean size.

    Parameters
    ----------
    residual, w : (n,)
        Residuals and weights.

    Returns
    -------
    float
        Above 0: 1 where all residuals are 0.
    """
    size = np.abs(residual)
    median = 1.4826 * weighted_median(size, w)
    mean = 1.2533 * float(np.average(size, weights=w))
    return median if median > 1e-9 * mean else mean if mean > 0.0 else 1.0
