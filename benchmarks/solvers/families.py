"""Losses of the referee that are likelihoods, and all of them by name; ``family`` has the notation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from family import Family, Float, RowFamily, root
from ordinal import Ordinal
from robust import Huber, Pinball, SquaredHinge
from scipy.special import expit, logsumexp, softmax, xlogy


class Gaussian(RowFamily):
    """f = (y - eta)^2 / 2."""

    def loss(self, y: Float, eta: Float) -> Float:
        return 0.5 * (y - eta) ** 2

    def gradient(self, y: Float, eta: Float) -> Float:
        return eta - y

    def least(self, y: Float) -> Float:
        return np.zeros_like(y)

    def row_conjugate(self, y: Float, u: Float) -> Float:
        return 0.5 * u**2 + u * y

    def balance(self, y: Float, xb: Float, b0: float) -> float:
        return float(np.mean(y - xb))

    def null(self, y: Float) -> float:
        return float(np.mean(y))


class Binomial(RowFamily):
    """f = log(1 + e^eta) - y eta."""

    def loss(self, y: Float, eta: Float) -> Float:
        return np.logaddexp(0.0, eta) - y * eta

    def gradient(self, y: Float, eta: Float) -> Float:
        return np.asarray(expit(eta)) - y

    def least(self, y: Float) -> Float:
        return np.asarray(-(xlogy(y, y) + xlogy(1.0 - y, 1.0 - y)))

    def row_conjugate(self, y: Float, u: Float) -> Float:
        mu = np.clip(y + u, 0.0, 1.0)  # u = mu - y exactly; rounding may put it past the edge
        return np.asarray(xlogy(mu, mu) + xlogy(1.0 - mu, 1.0 - mu))

    def balance(self, y: Float, xb: Float, b0: float) -> float:
        target = float(np.mean(y))

        def excess(b: float) -> tuple[float, float]:
            mu = np.asarray(expit(xb + b))
            return float(np.mean(mu)) - target, float(np.mean(mu * (1.0 - mu)))

        return root(excess, b0)

    def null(self, y: Float) -> float:
        average = float(np.mean(y))
        return float(np.log(average / (1.0 - average)))


class Poisson(RowFamily):
    """f = e^eta - y eta."""

    def loss(self, y: Float, eta: Float) -> Float:
        return np.exp(eta) - y * eta

    def gradient(self, y: Float, eta: Float) -> Float:
        return np.exp(eta) - y

    def least(self, y: Float) -> Float:
        return np.asarray(y - xlogy(y, y))

    def row_conjugate(self, y: Float, u: Float) -> Float:
        mu = np.maximum(y + u, 0.0)
        return np.asarray(xlogy(mu, mu) - mu)

    def balance(self, y: Float, xb: Float, b0: float) -> float:
        top = float(np.max(xb))
        return float(np.log(np.sum(y)) - np.log(np.sum(np.exp(xb - top)))) - top

    def null(self, y: Float) -> float:
        return float(np.log(np.mean(y)))


class Gamma(RowFamily):
    """f = y e^-eta + eta: the mean is e^eta."""

    def loss(self, y: Float, eta: Float) -> Float:
        return y * np.exp(-eta) + eta

    def gradient(self, y: Float, eta: Float) -> Float:
        return 1.0 - y * np.exp(-eta)

    def least(self, y: Float) -> Float:
        return 1.0 + np.log(y)

    def row_conjugate(self, y: Float, u: Float) -> Float:
        """The sup is at y e^-eta = 1 - u."""
        rest = np.maximum(1.0 - u, 0.0)
        return np.asarray(xlogy(rest, rest / y) - rest)

    def balance(self, y: Float, xb: Float, b0: float) -> float:
        low = float(np.min(xb))
        return float(np.log(np.mean(y * np.exp(low - xb)))) - low


class Tweedie(RowFamily):
    """f = 2 y / t + 2 t with t = e^(eta/2): Tweedie's deviance of power 1.5 with mean e^eta."""

    def loss(self, y: Float, eta: Float) -> Float:
        return 2.0 * y * np.exp(-0.5 * eta) + 2.0 * np.exp(0.5 * eta)

    def gradient(self, y: Float, eta: Float) -> Float:
        return np.exp(0.5 * eta) - y * np.exp(-0.5 * eta)

    def least(self, y: Float) -> Float:
        return 4.0 * np.sqrt(y)

    def row_conjugate(self, y: Float, u: Float) -> Float:
        """The sup is at the positive root of t^2 - u t - y = 0, in the form that doesn't cancel."""
        root = np.sqrt(u**2 + 4.0 * y)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(u > 0.0, 0.5 * (u + root), 2.0 * y / (root - u))
            value = 2.0 * u * np.log(t) - 2.0 * y / t - 2.0 * t
        return np.where((y == 0.0) & (u <= 0.0), 0.0, value)  # there t goes to 0; u < 0 doesn't happen

    def balance(self, y: Float, xb: Float, b0: float) -> float:
        middle = 0.5 * float(np.max(xb) + np.min(xb))
        half = 0.5 * (xb - middle)
        return float(np.log(np.sum(y * np.exp(-half))) - np.log(np.sum(np.exp(half)))) - middle


@dataclass(frozen=True)
class NegativeBinomial(RowFamily):
    """f = (y + theta) log(1 + e^eta / theta) - y eta: mean mu = e^eta, variance mu + mu^2 / theta."""

    theta: float

    def loss(self, y: Float, eta: Float) -> Float:
        return (y + self.theta) * np.logaddexp(0.0, eta - np.log(self.theta)) - y * eta

    def gradient(self, y: Float, eta: Float) -> Float:
        """(y + theta) p - y, p = mu / (mu + theta), without its cancelling."""
        p, q = self._shares(eta)
        return self.theta * p - y * q

    def least(self, y: Float) -> Float:
        return -self.row_conjugate(y, np.zeros_like(y))

    def row_conjugate(self, y: Float, u: Float) -> Float:
        """The sup is at p = (y + u) / (y + theta)."""
        total = y + self.theta
        p = np.clip((y + u) / total, 0.0, 1.0)
        return np.asarray(total * (xlogy(p, p * self.theta) + xlogy(1.0 - p, 1.0 - p)))

    def balance(self, y: Float, xb: Float, b0: float) -> float:
        def slope(b: float) -> tuple[float, float]:
            p, q = self._shares(xb + b)
            return float(np.mean(self.theta * p - y * q)), float(np.mean((y + self.theta) * p * q))

        return root(slope, b0)

    def _shares(self, eta: Float) -> tuple[Float, Float]:
        z = eta - np.log(self.theta)
        return np.asarray(expit(z)), np.asarray(expit(-z))


class MultiGaussian(Family):
    """f = |y - eta|^2 / 2 over K responses; y (n, K)."""

    several = True

    def predictors(self, y: Float) -> int:
        return int(y.shape[1])

    def value(self, y: Float, eta: Float) -> float:
        return 0.5 * float(np.mean(np.sum((y - eta) ** 2, axis=1)))

    def gradient(self, y: Float, eta: Float) -> Float:
        return eta - y

    def balanced(self, y: Float, xb: Float, b0: Float) -> tuple[Float, Float]:
        b0 = np.mean(y - xb, axis=0)
        return b0, xb + b0 - y

    def conjugate(self, y: Float, eta: Float, u: Float, s: float) -> float:
        u = s * u
        return float(np.mean(np.sum(0.5 * u**2 + u * y, axis=1)))

    def deviance(self, y: Float, eta: Float) -> float:
        return 2.0 * self.value(y, eta)

    def null(self, y: Float) -> Float:
        return np.mean(y, axis=0)


class Multinomial(Family):
    """f = log sum_k e^eta_k - eta_y, symmetric: no class is the reference; y (n,) holds numbers of classes from 0."""

    several = True

    def predictors(self, y: Float) -> int:
        return int(np.max(y)) + 1

    def value(self, y: Float, eta: Float) -> float:
        own = eta[np.arange(len(y)), y.astype(np.intp)]
        return float(np.mean(logsumexp(eta, axis=1) - own))

    def gradient(self, y: Float, eta: Float) -> Float:
        u = np.asarray(softmax(eta, axis=1))
        u[np.arange(len(y)), y.astype(np.intp)] -= 1.0
        return u

    def balanced(self, y: Float, xb: Float, b0: Float) -> tuple[Float, Float]:
        """Newton's steps where they are short; else scaling of the classes to their shares, which always descends."""
        shares = self._shares(y)
        for _ in range(500):
            mu = np.asarray(softmax(xb + b0, axis=1))
            average = np.mean(mu, axis=0)
            excess = average - shares
            if np.max(np.abs(excess)) < 2e-16:
                break
            curvature = np.diag(average) - mu.T @ mu / len(y) + 1.0 / shares.size  # excess sums to zero
            step = np.linalg.lstsq(curvature, excess, rcond=None)[0]
            if np.max(np.abs(step)) > 1.0:
                step = np.log(average) - np.log(shares)
            if np.max(np.abs(step)) <= 1e-15 * max(1.0, float(np.max(np.abs(b0)))):
                break
            b0 = b0 - step
        return b0, self.gradient(y, xb + b0)

    def conjugate(self, y: Float, eta: Float, u: Float, s: float) -> float:
        """Minus the entropy of s p + (1 - s) own."""
        mu = s * u
        mu[np.arange(len(y)), y.astype(np.intp)] += 1.0
        mu = np.maximum(mu, 0.0)
        return float(np.mean(np.sum(xlogy(mu, mu), axis=1)))

    def deviance(self, y: Float, eta: Float) -> float:
        return 2.0 * self.value(y, eta)

    def null(self, y: Float) -> Float:
        shares = np.log(self._shares(y))
        return np.asarray(shares - np.mean(shares))

    @staticmethod
    def _shares(y: Float) -> Float:
        return np.bincount(y.astype(np.intp)) / len(y)


class Cox(Family):
    r"""Breslow's partial likelihood, y (n, 2): time, and 1 for an event or 0 for a censored row.

    .. math:: F = \frac1n \sum_{i: event} f_i, \qquad f_i(\eta) = \log \sum_{j: t_j \ge t_i} e^{\eta_j} - \eta_i

    With p_i the softmax over i's risk set, u is the sum of p_i - e_i over events. F* is the least sum of f_i* over all
    ways to write u as a sum, and f_i*(q - e_i) = sum_j q_j log q_j for q in the simplex on the risk set. So any one way
    bounds it from above; with o_i the mean of e_j over the d_i events at i's time, i among them,

    .. math:: n F^*(s u / n) \le \sum_{i: event} \sum_j q_{ij} \log q_{ij}, \qquad q_i = s p_i + (1 - s) o_i

    At s = 1 it is <u, eta> - n F, and at s = 0 minus n min F: exact. An intercept changes nothing, and u sums to zero
    of itself. Sums are kept as logarithms, since late risk sets can be e^-1000 of early ones.
    """

    def value(self, y: Float, eta: Float) -> float:
        at = _AtRisk(y, eta)
        return float(np.sum(at.event * (at.log_sum - at.eta))) / len(y)

    def gradient(self, y: Float, eta: Float) -> Float:
        at = _AtRisk(y, eta)
        until = np.logaddexp.accumulate(np.where(at.event == 1.0, -at.log_sum, -np.inf))[at.last]
        u = np.empty(len(y))
        u[at.order] = np.exp(at.eta + until) - at.event
        return u

    def balanced(self, y: Float, xb: Float, b0: Any) -> tuple[Any, Float]:
        return b0, self.gradient(y, xb)

    def conjugate(self, y: Float, eta: Float, u: Float, s: float) -> float:
        at = _AtRisk(y, eta)
        below = np.max(at.eta) - at.eta
        with np.errstate(divide="ignore"):
            log_below = _from_end(np.log(below) + at.eta)[at.first]
        entropy = np.max(at.eta) - np.exp(log_below - at.log_sum) - at.log_sum  # sum_j p_ij log p_ij
        log_own = at.eta - at.log_sum
        own, tied = np.exp(log_own), np.maximum(at.tied, 1.0)
        mixed = s * own + (1.0 - s) / tied
        each = xlogy(s, s) * (1.0 / tied - own) + s * (entropy / tied - own * log_own) + xlogy(mixed, mixed)
        return float(np.sum(at.event * tied * each)) / len(y)

    def deviance(self, y: Float, eta: Float) -> float:
        """2 (F - min F): the d events of a time share its risk set at best, with 1 / d each."""
        at = _AtRisk(y, eta)
        return 2.0 * float(np.sum(at.event * (at.log_sum - at.eta - np.log(np.maximum(at.tied, 1.0))))) / len(y)

    def null(self, y: Float) -> float:
        return 0.0


class _AtRisk:
    """Rows by time; log of the sum of e^eta over each row's risk set, ties included; how many events share its time."""

    def __init__(self, y: Float, eta: Float) -> None:
        self.order = np.argsort(y[:, 0], kind="stable")
        time, self.event = y[self.order, 0], y[self.order, 1]
        self.first = np.searchsorted(time, time, side="left")
        self.last = np.searchsorted(time, time, side="right") - 1
        self.tied = np.bincount(self.first, weights=self.event, minlength=len(y))[self.first]
        self.eta = eta[self.order]
        self.log_sum = _from_end(self.eta)[self.first]


def _from_end(v: Float) -> Float:
    """log of the sum of e^v from here to the end."""
    return np.asarray(np.logaddexp.accumulate(v[::-1])[::-1])


FAMILIES: dict[str, Family] = {
    "gaussian": Gaussian(),
    "binomial": Binomial(),
    "poisson": Poisson(),
    "gamma": Gamma(),
    "tweedie(power=1.5)": Tweedie(),
    "negative_binomial(theta=2)": NegativeBinomial(2.0),
    "huber(delta=0.8)": Huber(0.8),
    "squared_hinge": SquaredHinge(),
    "quantile(tau=0.8)": Pinball(0.8),
    "multigaussian": MultiGaussian(),
    "multinomial": Multinomial(),
    "ordinal": Ordinal(),
    "cox": Cox(),
}
