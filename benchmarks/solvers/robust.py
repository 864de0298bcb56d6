"""Losses of the referee that aren't likelihoods; ``family`` has the notation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from family import Float, RowFamily, root
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit


@dataclass(frozen=True)
class Huber(RowFamily):
    """f = r^2 / 2 for |r| <= delta, else delta |r| - delta^2 / 2, r = y - eta."""

    delta: float

    def loss(self, y: Float, eta: Float) -> Float:
        r = np.abs(y - eta)
        return np.where(r <= self.delta, 0.5 * r**2, self.delta * r - 0.5 * self.delta**2)

    def gradient(self, y: Float, eta: Float) -> Float:
        return np.clip(eta - y, -self.delta, self.delta)

    def least(self, y: Float) -> Float:
        return np.zeros_like(y)

    def row_conjugate(self, y: Float, u: Float) -> Float:
        """For |u| <= delta; there is no other."""
        return 0.5 * u**2 + u * y

    def balance(self, y: Float, xb: Float, b0: float) -> float:
        def slope(b: float) -> tuple[float, float]:
            u = xb + b - y
            return float(np.mean(np.clip(u, -self.delta, self.delta))), float(np.mean(np.abs(u) < self.delta))

        return root(slope, b0)


class SquaredHinge(RowFamily):
    """f = max(0, 1 - m)^2 / 2, m = eta for y = 1 and -eta for y = 0."""

    def loss(self, y: Float, eta: Float) -> Float:
        return 0.5 * self._short(y, eta) ** 2

    def gradient(self, y: Float, eta: Float) -> Float:
        return np.where(y == 1.0, -1.0, 1.0) * self._short(y, eta)

    def least(self, y: Float) -> Float:
        return np.zeros_like(y)

    def row_conjugate(self, y: Float, u: Float) -> Float:
        """Of u = -v for y = 1, v for y = 0, v >= 0; the sup is at m = 1 - v."""
        return 0.5 * u**2 - np.abs(u)

    def balance(self, y: Float, xb: Float, b0: float) -> float:
        def slope(b: float) -> tuple[float, float]:
            u = self.gradient(y, xb + b)
            return float(np.mean(u)), float(np.mean(u != 0.0))

        return root(slope, b0)

    @staticmethod
    def _short(y: Float, eta: Float) -> Float:
        return np.maximum(0.0, 1.0 - np.where(y == 1.0, eta, -eta))


@dataclass(frozen=True)
class Pinball(RowFamily):
    """f = tau r for r >= 0, else (tau - 1) r, r = y - eta: not smoothed, whoever solves it by smoothing.

    Rows without a residual may have any slope from -tau to 1 - tau, so coefficients alone don't make a dual point:
    ``dual_points`` looks for slopes.
    """

    tau: float

    def loss(self, y: Float, eta: Float) -> Float:
        r = y - eta
        return np.maximum(self.tau * r, (self.tau - 1.0) * r)

    def gradient(self, y: Float, eta: Float) -> Float:
        """Rows without a residual share what makes the sum zero, as far as it goes."""
        u = np.where(eta > y, 1.0 - self.tau, -self.tau)
        level = eta == y
        if np.any(level):
            u[level] = np.clip(-np.sum(u[~level]) / np.count_nonzero(level), -self.tau, 1.0 - self.tau)
        return u

    def least(self, y: Float) -> Float:
        return np.zeros_like(y)

    def row_conjugate(self, y: Float, u: Float) -> Float:
        """For u from -tau to 1 - tau; there is no other."""
        return u * y

    def balance(self, y: Float, xb: Float, b0: float) -> float:
        return float(np.quantile(y - xb, self.tau, method="inverted_cdf"))

    def dual_points(
        self, y: Float, xb: Float, worth: Callable[[Float], float], used: Float, slope: Float
    ) -> list[Float]:
        """Points that sum to zero, within the bounds; ``worth`` is a point's dual value.

        From a vertex, as linear programmes end in: rows nearest to it, one more than features are used, get what makes
        used'u the slope that it has to be and the sum zero. From a smoothed loss, tau r + h log(1 + e^(-r/h)): its
        slopes, at the h that makes the most of them.
        """
        r = y - xb
        points, level = [], float(np.quantile(r, self.tau, method="inverted_cdf"))
        order = np.argsort(np.abs(r - level), kind="stable")
        near, far = order[: used.shape[1] + 1], order[used.shape[1] + 1 :]
        u = np.where(r < level, 1.0 - self.tau, -self.tau)
        rows = np.column_stack([np.ones(len(y)), used])
        left = np.concatenate([[0.0], slope]) - rows[far].T @ u[far]
        u[near] = np.linalg.lstsq(rows[near].T, left, rcond=None)[0]
        if np.all(np.abs(u - 0.5 + self.tau) <= 0.5 + 1e-9) and abs(np.mean(u)) < 1e-12:
            points.append(np.clip(u, -self.tau, 1.0 - self.tau))
        logs = np.linspace(np.log(1e-7), np.log(0.1), 15) + np.log(np.std(y))
        values = [worth(self._smoothed(r, h)) for h in np.exp(logs)]
        best = int(np.argmax(values))
        low, high = logs[max(best - 1, 0)], logs[min(best + 1, 14)]
        found = minimize_scalar(
            lambda h: -worth(self._smoothed(r, np.exp(h))),
            bounds=(low, high),
            method="bounded",
            options={"xatol": 1e-9},
        )
        return [*points, self._smoothed(r, np.exp(found.x)), self._smoothed(r, np.exp(logs[best]))]

    def _smoothed(self, r: Float, h: float) -> Float:
        def excess(b: float) -> tuple[float, float]:
            q = np.asarray(expit((b - r) / h))
            return float(np.mean(q)) - self.tau, float(np.mean(q * (1.0 - q))) / h

        b = root(excess, float(np.quantile(r, self.tau)) + h * float(logit(self.tau)))
        return np.asarray(expit((b - r) / h)) - self.tau
