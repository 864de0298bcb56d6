r"""The referee's loss of ordered classes; ``family`` has the notation.

Levels k = 0, ..., K - 1 with logit P(y >= k) = eta_k, k = 1, ..., K - 1, eta_k = x'b + c_k: one coefficient a feature,
an intercept for each step, c falling. As P(y = k) = sigma(eta_k) sigma(-eta_{k+1}) (1 - e^{eta_{k+1} - eta_k}),

.. math:: f = \log(1 + e^{-\eta_k}) + \log(1 + e^{\eta_{k+1}}) - \log(1 - e^{-(\eta_k - \eta_{k+1})})

without what isn't there for the lowest and the highest level. f* is the least sum of the terms' conjugates over all
ways to write u as a sum of slopes, so any one bounds it from above. Here each term has s times its own slope, which
is exact at s = 1 and, as the infimum of f and of each term is 0, at s = 0.
"""

from __future__ import annotations

import numpy as np
from family import Family, Float
from scipy.special import expit, xlogy


class Ordinal(Family):
    """Proportional odds; y (n,) holds the numbers of levels from 0."""

    several = True

    def predictors(self, y: Float) -> int:
        return int(np.max(y))

    def columns(self, y: Float) -> int:
        return 1

    def by_column(self, u: Float) -> Float:
        return np.sum(u, axis=1, keepdims=True)

    def value(self, y: Float, eta: Float) -> float:
        upper, lower = _around(y, eta)
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = -np.log(-np.expm1(lower - upper))
        rows = np.logaddexp(0.0, -upper) + np.logaddexp(0.0, lower) + apart
        return float(np.mean(rows)) if np.all(upper > lower) else float("inf")

    def gradient(self, y: Float, eta: Float) -> Float:
        upper, lower = _around(y, eta)
        odds = _odds(upper - lower)
        return _at_steps(y, eta.shape[1], -expit(-upper) - odds, expit(lower) + odds)

    def balanced(self, y: Float, xb: Float, b0: Float) -> tuple[Float, Float]:
        """Newton's steps, halved until F falls; short ones are taken as they are, since F no longer tells."""
        value = self.value(y, xb + b0)
        if not np.isfinite(value):  # steps out of order: start where each is best for the mean of xb
            b0 = self.null(y) - float(np.mean(xb))
            value = self.value(y, xb + b0)
        for _ in range(100):
            slope = np.mean(self.gradient(y, xb + b0), axis=0)
            if np.max(np.abs(slope)) < 1e-16:
                break
            step = np.linalg.solve(self._curvature(y, xb + b0), slope)
            if np.max(np.abs(step)) <= 1e-15 * max(1.0, float(np.max(np.abs(b0)))):
                break
            short, share = float(slope @ step) < 1e-10, 1.0
            while share > 1e-9:
                there = self.value(y, xb + b0 - share * step)
                if np.isfinite(there) and (short or there < value):
                    break
                share *= 0.5
            b0, value = b0 - share * step, there
        return b0, self.gradient(y, xb + b0)

    def conjugate(self, y: Float, eta: Float, u: Float, s: float) -> float:
        upper, lower = _around(y, eta)
        total = np.zeros(len(y))
        for slope, rest in ((expit(-upper), expit(upper)), (expit(lower), expit(-lower))):  # of log(1 + e^q)
            m = s * slope
            total += xlogy(m, m) + xlogy(rest + (1.0 - s) * slope, rest + (1.0 - s) * slope)
        m = s * _odds(upper - lower)  # of -log(1 - e^-d), at slope -m
        return float(np.mean(total + xlogy(m, m) - (1.0 + m) * np.log1p(m)))

    def deviance(self, y: Float, eta: Float) -> float:
        return 2.0 * self.value(y, eta)

    def null(self, y: Float) -> Float:
        above = 1.0 - np.cumsum(np.bincount(y.astype(np.intp)))[:-1] / len(y)
        return np.asarray(np.log(above) - np.log1p(-above))

    @staticmethod
    def _curvature(y: Float, eta: Float) -> Float:
        """Mean second derivatives, (K - 1, K - 1): between neighbours only."""
        upper, lower = _around(y, eta)
        odds = _odds(upper - lower)
        bend = odds * (1.0 + odds)
        own = _at_steps(y, eta.shape[1], expit(upper) * expit(-upper) + bend, expit(lower) * expit(-lower) + bend)
        H = np.diag(np.mean(own, axis=0))
        shared = np.bincount(y.astype(np.intp), weights=bend, minlength=eta.shape[1] + 1)[1:-1] / len(y)
        at = np.arange(eta.shape[1] - 1)
        H[at, at + 1] = H[at + 1, at] = -shared
        return H


def _around(y: Float, eta: Float) -> tuple[Float, Float]:
    """eta_k and eta_{k+1} of each row's level k, infinite where there is none."""
    padded = np.column_stack([np.full(len(eta), np.inf), eta, np.full(len(eta), -np.inf)])
    row, k = np.arange(len(eta)), y.astype(np.intp)
    return padded[row, k], padded[row, k + 1]


def _at_steps(y: Float, steps: int, upper: Float, lower: Float) -> Float:
    """(n, K - 1) with these at eta_k and eta_{k+1}, 0 elsewhere."""
    padded = np.zeros((len(y), steps + 2))
    row, k = np.arange(len(y)), y.astype(np.intp)
    padded[row, k], padded[row, k + 1] = upper, lower
    return padded[:, 1:-1]


def _odds(d: Float) -> Float:
    """1 / (e^d - 1)."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / np.expm1(d))
