r"""The marginalised objective, its gradient and its curvature.

.. math:: F(b_0, \beta) = \sum_i w_i \psi(y_i, \eta_i, t_i), \quad \eta_i = o_i + b_0 + z_i'\beta, \quad
    t_i = \frac{\delta}{1 - \delta} \sum_j s_{ij} \beta_j^2

t is the variance that the noise gives to the linear predictor, and psi = A(eta) - y eta + A''(eta) t / 2 the expected
loss to second order in the noise (Wager, Wang and Liang 2013, equation 6). theta = (b0, beta) in one vector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bridle.linear_dropout.columns import Columns
from bridle.losses import Family

Float = NDArray[np.float64]


def _gaussian(eta: Float) -> tuple[Float, Float, Float]:
    zero = np.zeros_like(eta)
    return np.ones_like(eta), zero, zero


def _binomial(eta: Float) -> tuple[Float, Float, Float]:
    a = expit(eta) * expit(-eta)
    return a, a * -np.tanh(0.5 * eta), a * (1.0 - 6.0 * a)


def _poisson(eta: Float) -> tuple[Float, Float, Float]:
    with np.errstate(over="ignore"):
        mu = np.exp(eta)
    return mu, mu, mu


CUMULANTS: dict[str, Callable[[Float], tuple[Float, Float, Float]]] = {
    "gaussian": _gaussian,
    "binomial": _binomial,
    "poisson": _poisson,
}
"""Second to fourth derivative of A, the family's log-partition function, at eta (n,)."""


class Point(NamedTuple):
    """The objective at one theta, and what its curvature there is made of."""

    theta: Float  # (p + 1,)
    value: float
    gradient: Float  # (p + 1,)
    diagonal: Float  # (p,) of the penalty's own curvature, noise level held
    rows: tuple[Float, Float]  # (n,) w psi_eta_eta and w psi_eta_t
    floor: Float  # (n,) w A'', the loss's own curvature
    eta: Float  # (n,)

    @property
    def steepest(self) -> float:
        """Largest component of the gradient."""
        return float(np.max(np.abs(self.gradient)))


@dataclass(frozen=True)
class Objective:
    """F at one dropout rate."""

    columns: Columns
    family: Family
    y: Float  # (n,)
    w: Float  # (n,) sums to 1
    offset: Float  # (n,)
    fit_intercept: bool
    ratio: float  # delta / (1 - delta)

    def at(self, theta: Float) -> Point:
        """Return value, gradient and curvature at theta (p + 1,); the value is inf where anything overflows."""
        beta = theta[1:]
        eta, q = self.columns.forward(beta, beta**2)
        eta += self.offset + theta[0]
        t = self.ratio * np.maximum(q, 0.0)  # algebra of a sparse matrix may leave -1e-16
        with np.errstate(over="ignore", invalid="ignore"):
            a2, a3, a4 = CUMULANTS[self.family.name](eta)
            value = float(self.w @ (self.family.loss(self.y, eta) + 0.5 * a2 * t))
            slope = self.w * (self.family.gradient(self.y, eta) + 0.5 * a3 * t)
            rows = self.w * (a2 + 0.5 * a4 * t), self.w * 0.5 * a3
        floor = self.w * a2
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            nothing = np.zeros_like(theta)
            return Point(theta, np.inf, nothing, nothing[1:], rows, floor, eta)
        through_eta, diagonal = self.columns.backward(slope, self.ratio * floor)
        gradient = np.concatenate([[np.sum(slope) * self.fit_intercept], through_eta + diagonal * beta])
        return Point(theta, value, gradient, diagonal, rows, floor, eta)

    def curve(self, point: Point, d: Float) -> Float:
        """Return the Hessian at ``point`` times d (p + 1,)."""
        beta, (eta_eta, eta_t) = point.theta[1:], point.rows
        d_eta, d_t = self.columns.forward(d[1:], 2.0 * self.ratio * beta * d[1:])
        d_eta += d[0]
        u = eta_eta * d_eta + eta_t * d_t
        through_eta, through_t = self.columns.backward(u, 2.0 * self.ratio * eta_t * d_eta)
        return np.concatenate(
            [[np.sum(u) * self.fit_intercept], through_eta + beta * through_t + point.diagonal * d[1:]]
        )

    def escapes(self, point: Point) -> bool:
        """Whether F falls to 0, its bound, all along the ray through theta: separated classes, seen from here.

        With margins m = |eta| on the right side and m' = |eta - offset| there, every row falls along the ray once
        m' tanh(m / 2) >= 2, since A'' falls faster than the variance t of the noise grows.
        """
        if self.family.name != "binomial":
            return False
        side = np.where(self.y == 1.0, 1.0, np.where(self.y == 0.0, -1.0, 0.0))
        falls = side * (point.eta - self.offset) * np.tanh(0.5 * np.maximum(side * point.eta, 0.0)) >= 2.0
        return bool(np.all(falls | (self.w == 0.0)))
