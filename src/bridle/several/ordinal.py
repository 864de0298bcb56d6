r"""Ordered classes with proportional odds (McCullagh 1980).

K levels, thresholds :math:`t_1 < \dots < t_{K-1}` and one coefficient vector: logit P(y > k) = x'b - t_k. As linear
predictors count the K - 1 log odds of exceeding a level, :math:`e_k = x'b - t_k`, descending; the intercepts are
:math:`-t_k`. With F the logistic function,

.. math:: P(y = k) = F(e_k) \, F(-e_{k+1}) \, (1 - e^{e_{k+1} - e_k}),

so that the loss is a sum of three convex functions of linear maps of (b, t): it is convex, thresholds that leave their
order cost infinitely much, and its conjugate is a sum too. That gives the duality gap in closed form.

References
----------
McCullagh (1980), Regression models for ordinal data, JRSS B 42(2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit, xlogy

from bridle import _core
from bridle.several.base import SeveralFamily, expand
from bridle.several.labels import class_names, read_levels
from bridle.several.thresholds import Thresholds

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Ordinal(SeveralFamily):
    """Proportional odds: -log P(y), logit P(y > k) = x'b - t_k with thresholds t_1 < ... < t_{K-1}."""

    name: ClassVar[str] = "ordinal"
    has_classes: ClassVar[bool] = True
    main_score: ClassVar[str] = "accuracy"
    loss_name: ClassVar[str] = "ordinal deviance per row"
    formula: ClassVar[str] = "-log P(y)"
    shared: ClassVar[bool] = True
    _domain: ClassVar[str] = "levels with an order"

    def target(self, y: ArrayLike, n: int) -> Float:  # noqa: D102
        return read_levels(y, n, self.name)

    def names(self, y: Any, target: Float) -> tuple[Any, ...]:  # noqa: D102
        return class_names(y, target)

    def classes(self, y: Float) -> NDArray[np.int64] | None:
        """Return the level of each row, (n,)."""
        return np.asarray(np.argmax(y, axis=1))

    def predictors(self, target: Float) -> int:  # noqa: D102
        return int(target.shape[1]) - 1

    def core(self, target: Float) -> _core.Loss:
        """Return the compiled loss, which holds the levels."""
        return _core.ordinal_loss(self.core_target(target), int(target.shape[1]))

    def core_target(self, target: Float) -> Float:  # noqa: D102
        return np.asarray(np.argmax(target, axis=1), dtype=np.float64)

    def log_mean(self, eta: Float) -> Float:
        """Return log P(y = k), (n, K) or (n, K, L), exact where a probability rounds to 0."""
        gap = eta[:, 1:] - eta[:, :-1]  # below 0
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = log_expit(eta[:, :-1]) + log_expit(-eta[:, 1:]) + np.log(-np.expm1(gap))
        return np.concatenate([log_expit(-eta[:, :1]), inside, log_expit(eta[:, -1:])], axis=1)

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        shares = expand(y, eta)
        return np.asarray(-np.where(shares > 0.0, shares * self.log_mean(eta), 0.0).sum(axis=1))

    def mean(self, eta: Float) -> Float:  # noqa: D102
        return np.exp(self.log_mean(eta))

    def link(self, mu: Float) -> Float:  # noqa: D102
        above = np.cumsum(mu[:, ::-1], axis=1)[:, ::-1][:, 1:]
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(above) - np.log(np.cumsum(mu, axis=1)[:, :-1]))

    def gradient(self, y: Float, eta: Float) -> Float:  # noqa: D102
        shares = expand(y, eta)
        slope = shares[:, :-1] * expit(eta) - shares[:, 1:] * expit(-eta)
        odds = shares[:, 1:-1] * _odds(_gaps(eta))  # of -log(1 - e^-d), d = e_k - e_{k+1}
        slope[:, :-1] -= odds
        slope[:, 1:] += odds
        return np.asarray(slope)

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray(np.einsum("nkk->nk", self.row_hessians(y, eta)))

    def row_hessians(self, target: Float, eta: Float) -> Float:  # noqa: D102
        n, m = eta.shape
        H = np.zeros((n, m, m))
        at = np.arange(m)
        H[:, at, at] = (target[:, :-1] + target[:, 1:]) * expit(eta) * expit(-eta)
        odds = _odds(_gaps(eta))
        bend = target[:, 1:-1] * odds * (1.0 + odds)
        H[:, at[:-1], at[:-1]] += bend
        H[:, at[1:], at[1:]] += bend
        H[:, at[:-1], at[1:]] -= bend
        H[:, at[1:], at[:-1]] -= bend
        return H

    def hessian(self, y: Float, eta: Float, w: Float, Z: Float) -> Float:
        """Return the second derivatives along the columns of Z (n, q) at the best thresholds, (q, q); eta is (n, M)."""
        rows = w[:, None, None] * self.row_hessians(y, eta)
        mixed = Z.T @ rows.sum(axis=2)  # (q, M)
        taken = mixed @ np.linalg.solve(rows.sum(axis=0), mixed.T)  # by the thresholds: a Schur complement
        return np.asarray(Z.T @ (rows.sum(axis=(1, 2))[:, None] * Z) - taken)

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.zeros(y.shape[0])

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore"):
            return np.asarray(-2.0 * xlogy(expand(y, mu), mu).sum(axis=1))

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        raise NotImplementedError("the ordinal loss is conjugate factor by factor: see fenchel_gap")

    def fenchel_gap(self, target: Float, eta: Float, fitted: Float, s: float, w: Float) -> float:
        """Return the sum of the gaps of all factors, each with s times its own slope at ``fitted``, >= 0."""
        below, above, inside = target[:, 1:], target[:, :-1], target[:, 1:-1]
        rows = below * _softplus_gap(-eta, -fitted, s) + above * _softplus_gap(eta, fitted, s)
        total = float(w @ rows.sum(axis=1))
        if inside.shape[1]:
            total += float(w @ (inside * _distance_gap(_gaps(eta), _gaps(fitted), s)).sum(axis=1))
        return max(0.0, total)

    def null_predictors(self, target: Float, w: Float, offset: Float) -> Float:  # noqa: D102
        return self.intercepts(target, w, offset[:, 0])

    def intercepts(self, target: Float, w: Float, eta: Float) -> Float:
        """Return minus the thresholds, (K - 1,), that fit best with a predictor eta (n,), by Newton's method.

        Parameters
        ----------
        target : (n, K)
            Levels.
        w : (n,)
            Weights.
        eta : (n,)
            x'b and the offset.
        """
        return np.asarray(Thresholds.make(target, w).solve(eta[:, None])[0])

    def residual(self, target: Float, eta: Float, w: Float) -> Float:
        """Return minus the gradient in x'b at the best thresholds for ``eta`` (n, K - 1), (n, 1)."""
        slope = self.gradient(target, eta[:, :1] + self.intercepts(target, w, eta[:, 0]))
        return np.asarray(-w * slope.sum(axis=1))[:, None]


def _odds(d: Float) -> Float:
    """Return 1 / (e^d - 1)."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / np.expm1(d))


def _gaps(eta: Float) -> Float:
    return np.asarray(eta[:, :-1] - eta[:, 1:])


def _softplus_gap(q: Float, at: Float, s: float) -> Float:
    """Fenchel-Young gap of log(1 + e^q) with s times its slope at ``at``: a divergence of two Bernoulli variables."""
    m, rest = s * expit(at), expit(-at) + (1.0 - s) * expit(at)
    return np.asarray(xlogy(m, m) - m * log_expit(q) + xlogy(rest, rest) - rest * log_expit(-q))


def _distance_gap(d: Float, at: Float, s: float) -> Float:
    """Fenchel-Young gap of -log(1 - e^-d), d > 0, with s times its slope -m at ``at``, m = 1 / (e^d - 1)."""
    m = s * _odds(at)
    conjugate = xlogy(m, m) - (1.0 + m) * np.log1p(m)
    return np.asarray(-np.log(-np.expm1(-d)) + conjugate + m * d)
