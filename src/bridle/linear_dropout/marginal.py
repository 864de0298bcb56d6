r"""The marginalised objective, its gradient and its curvature.

.. math:: F(b_0, \beta) = \sum_i w_i \psi(y_i, \eta_i, t_i), \quad \eta_i = o_i + b_0 + z_i'\beta, \quad
    t_i = \frac{\delta}{1 - \delta} \sum_j s_{ij} \beta_j^2

t is the variance that the noise gives to the linear predictor, psi the expected loss. theta = (b0, beta) in one vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridle.linear_dropout.columns import Columns
from bridle.linear_dropout.expected import MARGINALS, Terms
from bridle.losses import Family

Float = NDArray[np.float64]


class Point(NamedTuple):
    """The objective at one theta, and what its curvature there is made of."""

    theta: Float  # (p + 1,)
    value: float  # inf where anything overflows
    gradient: Float  # (p + 1,)
    diagonal: Float  # (p,) curvature of the penalty at the noise levels of this point
    eta: Float  # (n,)
    terms: Terms

    @property
    def steepest(self) -> float:
        """Largest component of the gradient."""
        return float(np.max(np.abs(self.gradient)))

    @property
    def pull(self) -> float:
        """Largest component of the penalty's part of the gradient, its noise levels held."""
        return float(np.max(np.abs(self.diagonal * self.theta[1:])))


@dataclass(frozen=True)
class Objective:
    """F at one dropout rate."""

    columns: Columns
    family: Family
    y: Float  # (n,)
    w: Float  # (n,) sums to 1
    offset: Float  # (n,)
    fit_intercept: bool
    marginal: str
    ratio: float  # delta / (1 - delta)

    def at(self, theta: Float) -> Point:
        """Return value, gradient and curvature at theta (p + 1,)."""
        beta = theta[1:]
        eta, q = self.columns.forward(beta, beta**2)
        eta += self.offset + theta[0]
        t = self.ratio * np.maximum(q, 0.0)  # a sparse matrix's algebra may leave -1e-16
        with np.errstate(over="ignore", invalid="ignore"):
            terms = MARGINALS[self.marginal](self.family, self.y, eta, t)
            value = float(self.w @ terms.value)
        if not (np.isfinite(value) and np.isfinite(terms.eta).all()):
            nothing = np.zeros_like(theta)
            return Point(theta, np.inf, nothing, nothing[1:], eta, terms)
        slope = self.w * terms.eta
        through_eta, diagonal = self.columns.backward(slope, 2.0 * self.ratio * self.w * terms.t)
        gradient = np.concatenate([[np.sum(slope) * self.fit_intercept], through_eta + diagonal * beta])
        return Point(theta, value, gradient, diagonal, eta, terms)

    def curve(self, point: Point, d: Float) -> Float:
        """Return the Hessian at ``point`` times d (p + 1,)."""
        beta, terms = point.theta[1:], point.terms
        d_eta, d_t = self.columns.forward(d[1:], 2.0 * self.ratio * beta * d[1:])
        d_eta += d[0]
        u = self.w * (terms.eta_eta * d_eta + terms.eta_t * d_t)
        v = self.w * (terms.eta_t * d_eta + terms.t_t * d_t)
        through_eta, through_t = self.columns.backward(u, 2.0 * self.ratio * v)
        return np.concatenate(
            [[np.sum(u) * self.fit_intercept], through_eta + beta * through_t + point.diagonal * d[1:]]
        )

    def escapes(self, point: Point) -> bool:
        """Whether F falls to 0, its bound, all along the ray through theta: separated classes, seen from here.

        Only the expansion does so. With margins m (eta on the right side) and m' (without the offset), a row's psi
        falls along the ray once m' tanh(m / 2) >= 2, since A'' then falls faster than t grows.
        """
        if self.family.name != "binomial" or self.marginal != "quadratic":
            return False
        side = np.where(self.y == 1.0, 1.0, np.where(self.y == 0.0, -1.0, 0.0))
        falls = side * (point.eta - self.offset) * np.tanh(0.5 * np.maximum(side * point.eta, 0.0)) >= 2.0
        return bool(np.all(falls | (self.w == 0.0)))
