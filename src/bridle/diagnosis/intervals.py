"""Intervals for paired fold losses: log ratios, the Nadeau-Bengio correction, and simultaneous critical values.

References
----------
Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52, 239-281.
Hothorn, T., Bretz, F. and Westfall, P. (2008). Simultaneous inference in general parametric models. Biometrical
Journal 50, 346-363.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from bridle.diagnosis.verdict import Interval

Float = NDArray[np.float64]

DRAWS = 20_000  # of the largest t; the 97.5 % quantile is then known to about 1 %
SEED = 20_030_501  # fixed: the same evidence always gives the same interval


def correction(n_train: NDArray[np.int64], n_test: NDArray[np.int64]) -> float:
    """Nadeau and Bengio's factor 1/J + n_test/n_train, by which the folds' variance is multiplied.

    Training sets of different folds share most of their rows, so that the naive 1/J is far too small.
    """
    return float(1.0 / len(n_train) + np.mean(n_test / n_train))


def log_ratios(model: Float, others: Float, weight: Float) -> tuple[Float, Float]:
    """Log ratio of mean losses and the influence of each fold on it.

    est_k = log(L / L_k), with influence d_jk = J w_j / sum(w) * (l_j / L - l_jk / L_k)

    The log is taken because a ratio of losses is skew and must stay positive, and because swapping model and
    alternative then only changes the sign. The influences have mean 0 over the folds (the delta method).

    Parameters
    ----------
    model : (J,)
        Losses of the model on each fold.
    others : (J, M)
        Losses of the alternatives on the same folds.
    weight : (J,)
        Weight of each fold's held-out rows.

    Returns
    -------
    est, influence : (M,) and (J, M)
    """
    w = weight / weight.sum()
    mean, means = float(w @ model), w @ others
    influence = len(w) * w[:, None] * (model[:, None] / mean - others / means)
    return np.log(mean / means), influence


def standard_errors(influence: Float, factor: float) -> Float:
    """Corrected standard error sqrt(factor * s^2), s^2 the variance of the J fold influences (J, M) -> (M,)."""
    with np.errstate(over="ignore"):  # an exploded count model: its error is then infinite
        return np.asarray(np.sqrt(factor * (influence**2).sum(axis=0) / (len(influence) - 1)))


def t_quantile(probability: float, df: int) -> float:
    """Quantile of Student's t (scipy.special, since importing scipy.stats takes longer than the whole verdict)."""
    return float(stdtrit(df, probability))


def mean_interval(values: Float, weight: Float, factor: float, level: float) -> Interval:
    """Interval for the weighted mean of J fold values with the Nadeau-Bengio correction (J,) -> Interval."""
    w = weight / weight.sum()
    mean = float(w @ values)
    se = float(standard_errors((len(w) * w * (values - mean))[:, None], factor)[0])
    half = t_quantile(0.5 + level / 2, len(w) - 1) * se
    return Interval(mean, mean - half, mean + half, level)


@cache
def _draws(j: int) -> tuple[Float, Float]:
    """(DRAWS, j) normals and (DRAWS,) roots of chi-square over j - 1: the same for every verdict on j folds."""
    rng = np.random.default_rng(SEED)
    return rng.standard_normal((DRAWS, j)), np.sqrt(rng.chisquare(j - 1, DRAWS) / (j - 1))


@dataclass(frozen=True)
class MaxT:
    """Distribution of the largest of M correlated t statistics with ``df`` degrees of freedom.

    The correlation is that of the fold influences: alternatives that err on the same folds (ridge and lasso, say)
    then cost little more than one of them. Bonferroni's value is used where it is smaller.
    """

    largest: Float  # (DRAWS,), ascending
    df: int
    m: int

    @classmethod
    def of(cls, influence: Float) -> MaxT:
        """Simulate from the correlation of the influences (J, M); columns without spread take no part."""
        norm = np.sqrt((influence**2).sum(axis=0))
        used = influence[:, norm > 0] / norm[norm > 0]  # (J, m), unit columns: correlation = used.T @ used
        j, m = used.shape
        normal, chi = _draws(j)
        z = normal @ used if m else np.zeros((DRAWS, 1))
        return cls(np.sort(z.max(axis=1) / chi), j - 1, max(m, 1))

    def critical(self, alpha: float) -> float:
        """One-sided critical value: the largest t exceeds it with probability at most ``alpha``."""
        n = len(self.largest)
        allowed = int(np.floor(alpha * (n + 1))) - 1  # draws that may reach it
        simulated = float(np.nextafter(self.largest[n - 1 - allowed], np.inf)) if allowed >= 0 else np.inf
        bonferroni = t_quantile(1 - alpha / self.m, self.df)
        return max(t_quantile(1 - alpha, self.df), min(simulated, bonferroni))

    def p_value(self, t: float) -> float:
        """Adjusted one-sided p-value: p <= alpha exactly where t reaches ``critical(alpha)``."""
        if np.isnan(t):
            return 1.0
        pointwise = float(stdtr(self.df, -t))
        above = len(self.largest) - int(np.searchsorted(self.largest, t, side="left"))
        simulated = (1 + above) / (len(self.largest) + 1)
        return min(1.0, max(pointwise, min(simulated, self.m * pointwise)))


def excess_risk(
    model: Float,
    alternative: Float,
    *,
    n_train: NDArray[np.int64],
    n_test: NDArray[np.int64],
    weight: Float | None = None,
    level: float = 0.95,
) -> Interval:
    """Excess risk of one model against one alternative from paired fold losses.

    rho = mean(model) / mean(alternative) - 1

    Parameters
    ----------
    model, alternative : (J,)
        Held-out losses on the same folds.
    n_train, n_test : (J,)
        Rows of each fold.
    weight : (J,), optional
        Weight of each fold's held-out rows; their number by default.
    level : float
        Confidence level of the pointwise interval.

    Returns
    -------
    Interval
        rho with the Nadeau-Bengio correction, from the log ratio; NaN where a loss is 0.
    """
    w = np.asarray(n_test if weight is None else weight, dtype=np.float64)
    if not (w @ model > 0 and w @ alternative > 0):
        return Interval(np.nan, np.nan, np.nan, level)
    est, influence = log_ratios(model, np.asarray(alternative)[:, None], w)
    half = t_quantile(0.5 + level / 2, len(w) - 1) * float(standard_errors(influence, correction(n_train, n_test))[0])
    value, lower, upper = (float(np.expm1(est[0] + d)) for d in (0.0, -half, half))
    return Interval(value, lower, upper, level)
