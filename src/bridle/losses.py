"""Families: the unit loss of one row, its derivatives in the linear predictor, its link and its conjugate.

All arrays are (n,) and all functions work element by element. ``eta`` is the linear predictor with the offset in
it, ``mu`` the mean. The loss is the unit negative log-likelihood less the terms that don't depend on ``eta``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr, expit, logit, xlogy

from bridle.errors import InputError

Float = NDArray[np.float64]


class Family(ABC):
    """One exponential family with its canonical link."""

    name: ClassVar[str]
    loss_name: ClassVar[str]  # what the mean unit deviance is called in words

    @abstractmethod
    def loss(self, y: Float, eta: Float) -> Float:
        """Unit negative log-likelihood at ``eta``."""

    @abstractmethod
    def curvature(self, y: Float, eta: Float) -> Float:
        """Second derivative of the loss in ``eta``."""

    @abstractmethod
    def mean(self, eta: Float) -> Float:
        """Inverse link."""

    @abstractmethod
    def link(self, mu: Float) -> Float:
        """Linear predictor of a mean."""

    @abstractmethod
    def saturated(self, y: Float) -> Float:
        """Loss of the model that fits every row exactly."""

    @abstractmethod
    def deviance(self, y: Float, mu: Float) -> Float:
        """Unit deviance 2 * (loss - saturated) from means; +inf where the mean rules the observation out."""

    @abstractmethod
    def conjugate(self, y: Float, u: Float) -> Float:
        """Convex conjugate sup_eta (u * eta - loss(y, eta)); +inf outside its domain."""

    @abstractmethod
    def _outside(self, y: Float) -> NDArray[np.bool_]:
        """Where a target value isn't possible."""

    _domain: ClassVar[str]

    def gradient(self, y: Float, eta: Float) -> Float:
        """First derivative of the loss in ``eta``: mean(eta) - y, since the link is canonical."""
        return self.mean(eta) - y

    def check_target(self, y: Float) -> None:
        """Refuse a target that the family can't have.

        Raises
        ------
        InputError
            Names the first value that is not possible and what would be.
        """
        bad = ~np.isfinite(y) | self._outside(y)
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f"the {self.name} family needs a target of {self._domain}; row {row} has {y[row]!r}. "
                "Choose another family, or correct or leave out these rows."
            )

    def null_predictor(self, y: Float, w: Float, offset: ArrayLike = 0.0) -> float:
        """Intercept of the model with nothing else, by Newton's method where an offset rules out a closed form.

        Parameters
        ----------
        y, w : (n,)
            Target and weights (any positive sum).
        offset : (n,) or 0
            Added to the intercept.

        Returns
        -------
        float
            The intercept on the link scale; infinite if all means sit at the end of their range.
        """
        o = np.broadcast_to(np.asarray(offset, dtype=np.float64), y.shape)
        b = float(self.link(np.atleast_1d(np.average(y, weights=w)))[0])
        if not np.isfinite(b) or not np.any(o):
            return b
        b -= float(np.average(o, weights=w))
        for _ in range(200):
            slope = float(np.sum(w * self.gradient(y, b + o)))
            step = slope / max(float(np.sum(w * self.curvature(y, b + o))), 1e-300)
            b -= float(np.clip(step, -2.0, 2.0))
            if abs(step) <= 1e-14 * max(1.0, abs(b)):
                break
        return b


@dataclass(frozen=True)
class Gaussian(Family):
    """Squared error: 1/2 (y - eta)^2."""

    name: ClassVar[str] = "gaussian"
    loss_name: ClassVar[str] = "mean squared error"
    _domain: ClassVar[str] = "finite numbers"

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return 0.5 * (y - eta) ** 2

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.ones_like(eta)

    def mean(self, eta: Float) -> Float:  # noqa: D102
        return eta

    def link(self, mu: Float) -> Float:  # noqa: D102
        return mu

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.zeros_like(y)

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        return np.asarray((y - mu) ** 2)

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        return u * (0.5 * u + y)

    def _outside(self, y: Float) -> NDArray[np.bool_]:
        return np.zeros(y.shape, dtype=bool)


@dataclass(frozen=True)
class Binomial(Family):
    """Logistic loss: log(1 + e^eta) - y eta, y in [0, 1] (a class, or a share of successes)."""

    name: ClassVar[str] = "binomial"
    loss_name: ClassVar[str] = "binomial deviance per row"
    _domain: ClassVar[str] = "values from 0 to 1 (classes 0 and 1, or shares)"

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.logaddexp(0.0, eta) - y * eta

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray(expit(eta) * expit(-eta))

    def mean(self, eta: Float) -> Float:  # noqa: D102
        return np.asarray(expit(eta))

    def link(self, mu: Float) -> Float:  # noqa: D102
        return np.asarray(logit(mu))

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.asarray(entr(y) + entr(1.0 - y))

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore"):
            return np.asarray(2.0 * (-xlogy(y, mu) - xlogy(1.0 - y, 1.0 - mu) - self.saturated(y)))

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        t = y + u  # the mean that has slope u; entr is -inf outside [0, 1]
        return np.asarray(-entr(t) - entr(1.0 - t))

    def _outside(self, y: Float) -> NDArray[np.bool_]:
        return (y < 0.0) | (y > 1.0)


@dataclass(frozen=True)
class Poisson(Family):
    """Counts with a log link: e^eta - y eta, y >= 0."""

    name: ClassVar[str] = "poisson"
    loss_name: ClassVar[str] = "Poisson deviance per row"
    _domain: ClassVar[str] = "numbers of at least 0 (counts)"

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        with np.errstate(over="ignore"):
            return np.exp(eta) - y * eta

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return self.mean(eta)

    def mean(self, eta: Float) -> Float:  # noqa: D102
        with np.errstate(over="ignore"):
            return np.exp(eta)

    def link(self, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore"):
            return np.log(mu)

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.asarray(y - xlogy(y, y))

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore"):
            return np.asarray(2.0 * (mu - xlogy(y, mu) - self.saturated(y)))

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        t = y + u  # entr is -inf below 0
        return np.asarray(-entr(t) - t)

    def _outside(self, y: Float) -> NDArray[np.bool_]:
        return y < 0.0


GAUSSIAN, BINOMIAL, POISSON = Gaussian(), Binomial(), Poisson()
FAMILIES: dict[str, Family] = {f.name: f for f in (GAUSSIAN, BINOMIAL, POISSON)}


def get_family(name: str) -> Family:
    """Return the family called ``name``.

    Raises
    ------
    InputError
        There is no such family.
    """
    try:
        return FAMILIES[name]
    except KeyError:
        raise InputError(f"unknown family {name!r}; expected one of {', '.join(FAMILIES)}") from None
