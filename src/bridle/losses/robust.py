"""Losses that aren't a mean's likelihood: Huber's, a quantile's (smoothed), and the squared hinge of two classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr, expit

from bridle.errors import InputError
from bridle.losses.base import Family, not_quite_negative, row_values
from bridle.losses.dispersion import robust_deviation, weighted_median

Float = NDArray[np.float64]

EFFICIENT = 1.345  # robust standard deviations at which Huber's loss keeps 95 % of least squares' efficiency
LEAST_BANDWIDTH = 0.05  # robust standard deviations


@dataclass(frozen=True)
class Huber(Family):
    """Squared error for residuals up to delta, then absolute: outliers count, but not by their square.

    ``delta`` is in units of y; None is to be estimated: 1.345 robust standard deviations of the residuals, which keeps
    95 % of least squares' efficiency for a gaussian error.

    References
    ----------
    Huber (1964), Annals of Mathematical Statistics 35(1).
    """

    name: ClassVar[str] = "huber"
    loss_name: ClassVar[str] = "mean Huber loss, doubled"
    short_loss: ClassVar[str] = "loss"
    formula: ClassVar[str] = "1/2 r^2 if |r| <= delta else delta |r| - 1/2 delta^2, r = y - eta"
    compiled: ClassVar[bool] = True
    information: ClassVar[Any] = "profiled"

    delta: float | None = None

    def __post_init__(self) -> None:
        self._set(delta=self.delta)
        if self.delta is not None and not 0.0 < self.delta < np.inf:
            raise InputError(
                f"delta of the Huber loss must be a finite number above 0, in units of y; got {self.delta!r}"
            )

    @property
    def _delta(self) -> float:
        return self._value("delta")

    def opening(self, y: Float, w: Float) -> Family:  # noqa: D102
        return self.settle(y, np.full_like(y, weighted_median(y, w)), w)

    def settle(self, y: Float, mu: Float, w: Float) -> Family:
        """Set delta to 1.345 robust standard deviations of the residuals: 1.4826 times their median size.

        Parameters
        ----------
        y, mu, w : (n,)
            Target, predictions and weights.

        Returns
        -------
        Family
        """
        return self if self.is_settled else Huber(EFFICIENT * robust_deviation(y - mu, w))

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        r = np.abs(y - eta)
        inside = np.minimum(r, self._delta)
        return np.asarray(inside * (r - 0.5 * inside))

    def gradient(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray(np.clip(eta - y, -self._delta, self._delta))

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.where(np.abs(y - eta) <= self._delta, 1.0, 0.0)

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.zeros_like(y)

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        return np.where(np.abs(u) <= self._delta * (1.0 + 1e-15), u * (0.5 * u + y), np.inf)

    def unit(self, reference: float) -> float:  # noqa: D102
        return float(np.sqrt(2.0 * reference))


@dataclass(frozen=True)
class Quantile(Family):
    """The pinball loss of a quantile tau, convolved with a logistic kernel of bandwidth h.

    tau (y - eta) + h log(1 + e^((eta - y)/h)) lies above the pinball loss by at most h log 2, and at a residual r by
    less than h e^(-|r|/h). ``bandwidth`` is in units of y; None is to be estimated.

    References
    ----------
    He, Pan, Tan and Zhou (2023), Smoothed quantile regression with large-scale inference, Journal of Econometrics 232.
    """

    name: ClassVar[str] = "quantile"
    loss_name: ClassVar[str] = "mean pinball loss, doubled"
    short_loss: ClassVar[str] = "loss"
    formula: ClassVar[str] = "tau (y - eta) + h log(1 + e^((eta - y)/h))"
    compiled: ClassVar[bool] = True
    information: ClassVar[Any] = "laplace"

    tau: float = 0.5
    bandwidth: float | None = None

    def __post_init__(self) -> None:
        self._set(tau=self.tau, bandwidth=self.bandwidth)
        if not 0.0 < self.tau < 1.0:
            raise InputError(f"tau of a quantile must lie between 0 and 1; got {self.tau!r}")
        if self.bandwidth is not None and not 0.0 < self.bandwidth < np.inf:
            raise InputError(f"the bandwidth must be a finite number above 0, in units of y; got {self.bandwidth!r}")

    @property
    def share_below(self) -> float:  # noqa: D102
        return self.tau

    @property
    def _h(self) -> float:
        return self._value("bandwidth")

    def opening(self, y: Float, w: Float) -> Family:  # noqa: D102
        return self.settle(y, np.full_like(y, weighted_median(y, w)), w)

    def settle(self, y: Float, mu: Float, w: Float) -> Family:
        """Set the kernel's standard deviation to max(0.05, (log n / n)^0.4) robust ones of the residuals.

        Parameters
        ----------
        y, mu, w : (n,)
            Target, predictions and weights.

        Returns
        -------
        Family
        """
        if self.is_settled:
            return self
        n = 1.0 / float(w @ w)  # as many rows as the weights are worth
        residual = y - mu
        spread = robust_deviation(residual - weighted_median(residual, w), w)
        share = max(LEAST_BANDWIDTH, (np.log(max(n, 2.0)) / max(n, 2.0)) ** 0.4)
        return Quantile(self.tau, spread * share * np.sqrt(3.0) / np.pi)

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray(self.tau * (y - eta) + self._h * np.logaddexp(0.0, (eta - y) / self._h))

    def gradient(self, y: Float, eta: Float) -> Float:  # noqa: D102
        z = (eta - y) / self._h
        return np.asarray((1.0 - self.tau) * expit(z) - self.tau * expit(-z))

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        z = (eta - y) / self._h
        return np.asarray(expit(z) * expit(-z) / self._h)

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.full_like(y, self._h * (entr(self.tau) + entr(1.0 - self.tau)))

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        t = not_quite_negative(self.tau + u, 1.0)  # entr is -inf outside [0, 1]
        return np.asarray(u * y - self._h * (entr(t) + entr(not_quite_negative(1.0 - t, 1.0))))

    def unit(self, reference: float) -> float:  # noqa: D102
        return 2.0 * reference


@dataclass(frozen=True)
class SquaredHinge(Family):
    """Squared hinge of two classes: 1/2 max(0, 1 - m)^2, m = eta for y = 1 and -eta for y = 0; no probabilities."""

    name: ClassVar[str] = "squared_hinge"
    loss_name: ClassVar[str] = "mean squared hinge loss"
    short_loss: ClassVar[str] = "loss"
    formula: ClassVar[str] = "1/2 max(0, 1 - m)^2, m = (2y - 1) eta"
    compiled: ClassVar[bool] = True
    is_classifier: ClassVar[bool] = True
    _domain: ClassVar[str] = "two classes, 0 and 1, or -1 and 1"

    def target(self, y: ArrayLike, n: int) -> Float:
        """Return 0 and 1; -1 and 1 are read as these."""
        values = row_values(y, n, "y")
        if (values == -1.0).any() and (values == 0.0).any():
            raise InputError(f"the {self.name} family needs two classes, 0 and 1, or -1 and 1; y has both -1 and 0")
        values = np.where(values == -1.0, 0.0, values)
        self.check_target(values)
        return np.ascontiguousarray(values)

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray(0.5 * self._short(y, eta) ** 2)

    def gradient(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray((1.0 - 2.0 * y) * self._short(y, eta))

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.where(self._short(y, eta) > 0.0, 1.0, 0.0)

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.zeros_like(y)

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        v = (2.0 * y - 1.0) * u
        return np.where(v <= 0.0, v + 0.5 * v**2, np.inf)

    @staticmethod
    def _short(y: Float, eta: Float) -> Float:
        """How far a row is from the right side of the margin."""
        return np.asarray(np.maximum(0.0, 1.0 - (2.0 * y - 1.0) * eta))

    def _outside(self, y: Float) -> NDArray[np.bool_]:
        return np.asarray((y != 0.0) & (y != 1.0))
