"""Families with a log link besides Poisson: gamma, Tweedie's between the two, and negative binomial counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, expit, xlogy

from bridle.errors import InputError
from bridle.losses.base import Family, not_quite_negative
from bridle.losses.canonical import POISSON
from bridle.losses.dispersion import negative_binomial_theta, tweedie_power
from bridle.losses.roots import stationary

Float = NDArray[np.float64]


class _LogLink(Family):
    compiled: ClassVar[bool] = True
    link_name: ClassVar[Any] = "log"
    predicts_mean: ClassVar[bool] = True
    least: ClassVar[float] = 0.0
    _mean_is_null: ClassVar[bool] = True

    def mean(self, eta: Float) -> Float:
        with np.errstate(over="ignore"):
            return np.exp(eta)

    def link(self, mu: Float) -> Float:
        with np.errstate(divide="ignore"):
            return np.log(mu)


@dataclass(frozen=True)
class Gamma(_LogLink):
    """Positive numbers whose standard deviation is a share of their mean: y e^-eta + eta, y > 0."""

    name: ClassVar[str] = "gamma"
    loss_name: ClassVar[str] = "gamma deviance per row"
    formula: ClassVar[str] = "y e^-eta + eta"
    information: ClassVar[Any] = "profiled"
    positive_only: ClassVar[bool] = True
    _domain: ClassVar[str] = "numbers above 0"

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return self.curvature(y, eta) + eta

    def gradient(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return 1.0 - self.curvature(y, eta)

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        with np.errstate(over="ignore"):
            return np.asarray(y * np.exp(-eta))

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.asarray(1.0 + np.log(y))

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore"):
            return np.asarray(2.0 * (y / mu - 1.0 - np.log(y / mu)))

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        t = not_quite_negative(1.0 - u, 1.0)  # y e^-eta where the slope is u; entr is -inf below 0
        return np.asarray(-entr(t) - t - t * np.log(y))


@dataclass(frozen=True)
class Tweedie(_LogLink):
    """Sums of a random number of gamma amounts, often 0: variance mu^power, 1 < power < 2.

    The loss is y (e^(-a eta) - 1)/a + (e^(b eta) - 1)/b with a = power - 1, b = 2 - power; the constants make Poisson
    and gamma its limits. Beyond 2 it isn't convex with a log link. ``power`` None is to be estimated.
    """

    name: ClassVar[str] = "tweedie"
    loss_name: ClassVar[str] = "Tweedie deviance per row"
    formula: ClassVar[str] = "y e^(-(p-1) eta)/(p-1) + e^((2-p) eta)/(2-p)"
    information: ClassVar[Any] = "profiled"
    settles_to: ClassVar[float] = 2e-3
    _domain: ClassVar[str] = "numbers of at least 0"

    power: float | None = None

    def __post_init__(self) -> None:
        self._set(power=self.power)
        if self.power is not None and not 1.0 < self.power < 2.0:
            raise InputError(f"the power of a Tweedie family must lie between 1 and 2; got {self.power!r}")

    @property
    def _ab(self) -> tuple[float, float]:
        power = self._value("power")
        return power - 1.0, 2.0 - power

    def opening(self, y: Float, w: Float) -> Family:  # noqa: D102
        return self if self.is_settled else tweedie(1.5)

    def settle(self, y: Float, mu: Float, w: Float) -> Family:
        """Estimate the power by maximum likelihood, the dispersion with it.

        Parameters
        ----------
        y, mu, w : (n,)
            Target, means and weights.

        Returns
        -------
        Family
        """
        return self if self.is_settled else Tweedie(tweedie_power(y, mu, w))

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        a, b = self._ab
        with np.errstate(over="ignore"):
            return np.asarray(y * np.expm1(-a * eta) / a + np.expm1(b * eta) / b)

    def gradient(self, y: Float, eta: Float) -> Float:  # noqa: D102
        a, b = self._ab
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(b * eta) - y * np.exp(-a * eta))

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        a, b = self._ab
        with np.errstate(over="ignore"):
            return np.asarray(b * np.exp(b * eta) + a * y * np.exp(-a * eta))

    def saturated(self, y: Float) -> Float:  # noqa: D102
        a, b = self._ab
        with np.errstate(divide="ignore", invalid="ignore"):
            eta = np.log(y)
            return np.where(y > 0.0, y * np.expm1(-a * eta) / a + np.expm1(b * eta) / b, -1.0 / b)

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore", invalid="ignore"):
            eta = np.log(mu)
            value = np.where(
                mu > 0.0, self.loss(y, np.where(mu > 0.0, eta, 0.0)), np.where(y > 0.0, np.inf, -1.0 / self._ab[1])
            )
        return np.asarray(2.0 * (value - self.saturated(y)))

    def conjugate(self, y: Float, u: Float) -> Float:
        """Found numerically for y > 0; for y = 0 it is that of (e^(b eta) - 1)/b."""
        b = self._ab[1]
        positive = np.broadcast_to(y > 0.0, np.shape(u))
        target, slope = np.where(positive, y, 1.0), np.where(positive, u, 0.0)
        eta, _ = stationary(
            lambda at: self.gradient(target, at) - slope, lambda at: self.curvature(target, at), np.log(target)
        )
        found = slope * eta - self.loss(target, eta)
        zero = (xlogy(u, np.maximum(u, 0.0)) - u) / b + 1.0 / b  # e^(b eta) = u
        return np.where(positive, found, np.where(u >= 0.0, zero, np.inf))


@dataclass(frozen=True)
class NegativeBinomial(_LogLink):
    """Counts with variance mu + mu^2 / theta: (y + theta) log(1 + e^eta / theta) - y eta, y >= 0.

    ``theta`` infinite is Poisson; None is to be estimated.
    """

    name: ClassVar[str] = "negative_binomial"
    loss_name: ClassVar[str] = "negative binomial deviance per row"
    formula: ClassVar[str] = "(y + theta) log(1 + e^eta/theta) - y eta"
    effect_name: ClassVar[str] = "count"
    information: ClassVar[Any] = "deviance"
    _domain: ClassVar[str] = "numbers of at least 0 (counts)"

    theta: float | None = None

    def __post_init__(self) -> None:
        self._set(theta=self.theta)
        if self.theta is not None and not 0.0 < self.theta < np.inf:
            raise InputError(f"theta of a negative binomial family must be a finite number above 0; got {self.theta!r}")

    @property
    def _theta(self) -> float:
        return self._value("theta")

    def opening(self, y: Float, w: Float) -> Family:
        """Return theta by moments, as if all rows had one mean.

        Parameters
        ----------
        y, w : (n,)
            Target and weights.

        Returns
        -------
        Family
        """
        mean = float(w @ y)
        excess = float(w @ (y - mean) ** 2) - mean
        theta = mean**2 / max(excess, 1e-4 * mean, 1e-300)
        return self if self.is_settled else NegativeBinomial(float(np.clip(theta, 1e-3, 1e4)))

    def settle(self, y: Float, mu: Float, w: Float) -> Family:
        """Estimate theta by maximum likelihood; counts that vary no more than Poisson's make a Poisson family.

        Parameters
        ----------
        y, mu, w : (n,)
            Target, means and weights.

        Returns
        -------
        Family
        """
        if self.is_settled:
            return self
        theta = negative_binomial_theta(y, mu, w)
        return POISSON if np.isinf(theta) else NegativeBinomial(theta)

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray((y + self._theta) * np.logaddexp(0.0, eta - np.log(self._theta)) - y * eta)

    def gradient(self, y: Float, eta: Float) -> Float:  # noqa: D102
        z = eta - np.log(self._theta)
        return np.asarray(self._theta * expit(z) - y * expit(-z))

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        z = eta - np.log(self._theta)
        return np.asarray((y + self._theta) * expit(z) * expit(-z))

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.asarray((y + self._theta) * np.log1p(y / self._theta) - xlogy(y, y))

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore"):
            loss = (y + self._theta) * np.log1p(mu / self._theta) - xlogy(y, mu)
        return np.asarray(2.0 * (loss - self.saturated(y)))

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        m = y + self._theta
        t = not_quite_negative(y + u, m)  # of the mean that has slope u, mean/(1 + mean/theta); at least 0,
        rest = not_quite_negative(self._theta - u, m)  # and what is left of m: entr is -inf below 0
        with np.errstate(divide="ignore", invalid="ignore"):
            ending = np.where(t < rest, rest * np.log1p(-t / m), -entr(rest) - rest * np.log(m))
        return np.asarray(-entr(t) - t * np.log1p(y / self._theta) + np.where(t < 0.0, 0.0, ending))


GAMMA = Gamma()


def tweedie(power: float | None = None) -> Family:
    """Return Tweedie's family of a power from 1 (Poisson) to 2 (gamma); None is to be estimated.

    Raises
    ------
    InputError
        The power lies outside: then the loss isn't convex with a log link, or there is no such distribution.
    """
    if power is not None and not 1.0 <= power <= 2.0:
        advice = (
            "for power 0 use gaussian"
            if power == 0.0
            else "with a log link the loss isn't convex, so a fit can't be certified"
        )
        raise InputError(
            f"the power of a Tweedie family must lie from 1 (Poisson) to 2 (gamma); got {power!r}: {advice}"
        )
    return POISSON if power == 1.0 else GAMMA if power == 2.0 else Tweedie(power)


def negative_binomial(theta: float | None = None) -> Family:
    """Return the family of counts with variance mu + mu^2 / theta; infinite is Poisson, None is to be estimated."""
    return POISSON if theta is not None and np.isposinf(theta) else NegativeBinomial(theta)
