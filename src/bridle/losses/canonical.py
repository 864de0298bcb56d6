"""Families whose link is canonical, so that the loss's slope is mean less target: gaussian, binomial, Poisson."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr, expit, logit, xlogy

from bridle.errors import InputError
from bridle.losses.base import Family, not_quite_negative, row_values

Float = NDArray[np.float64]


class _Canonical(Family):
    predicts_mean: ClassVar[bool] = True

    def gradient(self, y: Float, eta: Float) -> Float:
        """First derivative of the loss in ``eta``: mean(eta) - y, since the link is canonical."""
        return self.mean(eta) - y


@dataclass(frozen=True)
class Gaussian(_Canonical):
    """Squared error: 1/2 (y - eta)^2."""

    name: ClassVar[str] = "gaussian"
    loss_name: ClassVar[str] = "mean squared error"
    short_loss: ClassVar[str] = "MSE"
    main_score: ClassVar[str] = "R2"
    formula: ClassVar[str] = "1/2 (y - eta)^2"
    compiled: ClassVar[bool] = True
    information: ClassVar[Any] = "profiled"
    _mean_is_null: ClassVar[bool] = True

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

    def unit(self, reference: float) -> float:  # noqa: D102
        return float(np.sqrt(2.0 * reference))


@dataclass(frozen=True)
class Binomial(_Canonical):
    """Logistic loss: log(1 + e^eta) - y eta, y in [0, 1] (a class, or a share of successes)."""

    name: ClassVar[str] = "binomial"
    loss_name: ClassVar[str] = "binomial deviance per row"
    main_score: ClassVar[str] = "ROC AUC"
    formula: ClassVar[str] = "log(1 + e^eta) - y eta"
    compiled: ClassVar[bool] = True
    link_name: ClassVar[Any] = "logit"
    is_classifier: ClassVar[bool] = True
    has_probabilities: ClassVar[bool] = True
    effect_name: ClassVar[str] = "odds"
    information: ClassVar[Any] = "deviance"
    _domain: ClassVar[str] = "values from 0 to 1 (classes 0 and 1, or shares)"
    _mean_is_null: ClassVar[bool] = True

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
        t = not_quite_negative(y + u, 1.0)  # the mean that has slope u; entr is -inf outside [0, 1]
        return np.asarray(-entr(t) - entr(not_quite_negative(1.0 - t, 1.0)))

    def observations(self, y: Any, weight: ArrayLike | None) -> tuple[Any, ArrayLike | None]:
        """Return shares of successes, and weights times trials, of a target (n, 2) of successes and failures.

        Parameters
        ----------
        y : (n,) or (n, 2)
            As the user has given it: classes or shares, or counts of successes and of failures.
        weight : (n,) or None
            As the user has given them.

        Returns
        -------
        tuple
            Target (n,), and weights: a row of m trials counts as m rows.

        Raises
        ------
        InputError
            A count is negative or not finite.
        """
        if np.ndim(y) != 2 or np.shape(y)[1] != 2:
            return y, weight
        counts = np.asarray(y, dtype=np.float64)
        bad = ~np.isfinite(counts).all(axis=1) | (counts < 0.0).any(axis=1)
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f"successes and failures must be finite and at least 0; row {row} has {counts[row].tolist()}. Give "
                "failures, not trials, in the second column: trials less successes"
            )
        trials = counts.sum(axis=1)
        if not trials.any():
            raise InputError("no row has a trial: successes and failures are 0 in every row")
        given = 1.0 if weight is None else row_values(weight, len(trials), "sample_weight")
        return counts[:, 0] / np.maximum(trials, 1e-300), given * trials

    def _outside(self, y: Float) -> NDArray[np.bool_]:
        return (y < 0.0) | (y > 1.0)


@dataclass(frozen=True)
class Poisson(_Canonical):
    """Counts with a log link: e^eta - y eta, y >= 0."""

    name: ClassVar[str] = "poisson"
    loss_name: ClassVar[str] = "Poisson deviance per row"
    formula: ClassVar[str] = "e^eta - y eta"
    compiled: ClassVar[bool] = True
    link_name: ClassVar[Any] = "log"
    least: ClassVar[float] = 0.0
    effect_name: ClassVar[str] = "count"
    information: ClassVar[Any] = "deviance"
    _domain: ClassVar[str] = "numbers of at least 0 (counts)"
    _mean_is_null: ClassVar[bool] = True

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
        t = not_quite_negative(y + u, y)  # entr is -inf below 0
        return np.asarray(-entr(t) - t)


GAUSSIAN, BINOMIAL, POISSON = Gaussian(), Binomial(), Poisson()
