"""The thresholds of ordered classes that fit best with given predictors, by Newton's method, for many at once.

With e_m = eta + b_m the log odds of exceeding level m, a row of level k has -log F(e_{k-1}) - log F(-e_k) -
log(1 - e^-d), d = b_{k-1} - b_k. The last term is the same for all rows of a level, and a threshold meets only the rows
of its two levels: one step takes two logistic functions a row, and a tridiagonal matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]

STEPS = 100
SETTLED = 1e-8  # a Newton step's error is about its square: after one as short as this, rounding is what is left
BLOCK = 1 << 20  # numbers at a time


@dataclass(frozen=True)
class Thresholds:
    """Rows sorted out by the thresholds that they meet: r pairs of a row and a threshold, threshold by threshold."""

    row: Int  # (r,)
    at: Int  # (r,) the threshold, ascending
    starts: Int  # (M,) where each threshold's pairs begin
    sign: Float  # (r, 1) 1 where the row's level lies above the threshold, else -1
    w: Float  # (r, 1) weight of the row
    weight: Float  # (n,)
    level: Float  # (K,) weight of each level

    @classmethod
    def make(cls, target: Float, w: Float) -> Self:
        """Sort out levels (n, K) of 0 and 1 with weights (n,)."""
        codes, k = np.argmax(target, axis=1), target.shape[1]
        up, down = np.flatnonzero(codes > 0), np.flatnonzero(codes < k - 1)
        row, at = np.concatenate([up, down]), np.concatenate([codes[up] - 1, codes[down]])
        sign = np.where(np.arange(row.size) < up.size, 1.0, -1.0)
        order = np.argsort(at, kind="stable")
        row, at = row[order], at[order]
        level = np.bincount(codes, w, k).astype(np.float64)
        return cls(row, at, np.searchsorted(at, np.arange(k - 1)), sign[order, None], w[row, None], w, level)

    def solve(self, eta: Float) -> Float:
        """Return minus the thresholds (L, M) for predictors eta (n, L), descending; -inf where a level has no rows.

        Parameters
        ----------
        eta : (n, L)
            x'b and the offset.
        """
        count, m = eta.shape[1], self.level.size - 1
        if not np.all(self.level > 0.0):
            return np.full((count, m), -np.inf)
        if not np.ptp(eta, axis=0).any():
            return np.asarray(self._null() - eta[0][:, None])
        step = max(BLOCK // max(self.row.size, 1), 1)
        return np.asarray(np.concatenate([self._solve(eta[:, k : k + step]) for k in range(0, count, step)]))

    def _null(self) -> Float:
        """Minus the thresholds (M,) that give each level its share, which fit best where all predictors are 0."""
        share = self.level / self.level.sum()
        return np.asarray(np.log(np.cumsum(share[::-1])[::-1][1:]) - np.log(np.cumsum(share)[:-1]))

    def _solve(self, eta: Float) -> Float:
        b = self._null() - np.average(eta, axis=0, weights=self.weight)[:, None]  # (L, M)
        x, left = eta[self.row], np.arange(b.shape[0])
        here, ridge = self._at(x, b), 1e-10 * np.eye(b.shape[1])
        for _ in range(STEPS):
            size = np.abs(here.slope).sum(axis=1)[:, None, None]
            step = np.linalg.solve(here.hessian + size * ridge, here.slope[:, :, None])[:, :, 0]
            step, here = self._shortened(x, b[left], step, here)
            b[left] -= step
            on = np.abs(step).max(axis=1) > SETTLED * np.maximum(1.0, np.abs(b[left]).max(axis=1))
            if not on.any():
                break
            if not on.all():
                left, here, x = left[on], here.take(on), x[:, on]
        return np.asarray(b)

    def _shortened(self, x: Float, b: Float, step: Float, here: _Point) -> tuple[Float, _Point]:
        """Halve each step until it leads to thresholds in order and no larger loss; return steps and where they end."""
        there = self._at(x, b - step)
        bad = np.flatnonzero(~here.admits(there))
        if not bad.size:
            return step, there
        step = step.copy()
        for _ in range(60):
            step[bad] *= 0.5
            trial = self._at(x[:, bad], b[bad] - step[bad])
            good = here.take(bad).admits(trial)
            there.put(bad[good], trial.take(good))
            bad = bad[~good]
            if not bad.size:
                return step, there
        step[bad] = 0.0
        there.put(bad, here.take(bad))
        return step, there

    def _at(self, x: Float, b: Float) -> _Point:
        """Loss and derivatives in b (L, M), from one exponential a pair; the loss is infinite out of order."""
        e = b.T[self.at]
        e += x
        t = np.exp(-np.abs(e))
        share = 1.0 / (1.0 + t)  # of the larger of the two probabilities
        f = np.where(e >= 0.0, share, t * share)
        value = -(self.w[:, 0] @ (np.minimum(self.sign * e, 0.0) - np.log1p(t)))
        slope = np.add.reduceat(self.w * (f - (self.sign > 0.0)), self.starts, axis=0).T.copy()
        bent = np.add.reduceat(self.w * (t * share * share), self.starts, axis=0).T
        hessian, k = np.zeros((*b.shape, b.shape[1])), np.arange(b.shape[1])
        hessian[:, k, k] = bent
        gap = b[:, :-1] - b[:, 1:]
        value[np.any(gap <= 0.0, axis=1)] = np.inf
        with np.errstate(all="ignore"):  # out of order, where nothing is made of it
            value -= np.log(-np.expm1(-gap)) @ self.level[1:-1]
            odds = 1.0 / np.expm1(gap)  # of -log(1 - e^-d)
        pull, bend = self.level[1:-1] * odds, self.level[1:-1] * odds * (1.0 + odds)
        slope[:, :-1] -= pull
        slope[:, 1:] += pull
        low, high = k[:-1], k[1:]
        hessian[:, low, low] += bend
        hessian[:, high, high] += bend
        hessian[:, low, high] -= bend
        hessian[:, high, low] -= bend
        return _Point(value, slope, hessian)


@dataclass(frozen=True)
class _Point:
    """The loss at L vectors of thresholds."""

    value: Float  # (L,)
    slope: Float  # (L, M)
    hessian: Float  # (L, M, M)

    def admits(self, other: _Point) -> NDArray[np.bool_]:
        """(L,) whether the other's loss is no larger, but for rounding."""
        return np.asarray(other.value <= self.value + 1e-14 * np.abs(self.value))

    def take(self, which: Any) -> _Point:
        """Some of them."""
        return _Point(self.value[which], self.slope[which], self.hessian[which])

    def put(self, which: Any, other: _Point) -> None:
        """Overwrite some of them."""
        self.value[which], self.slope[which], self.hessian[which] = other.value, other.slope, other.hessian
