r"""Penalties of the referee, over blocks of cells of the coefficients B (p, K).

.. math:: \lambda \sum_g [a \sqrt{m} |B_g| + \frac{1-a}{2} |B_g|^2]

A block is a cell (lasso, elastic net, ridge), the m features of a group, for each predictor apart, or, where predictors
are joint, the K cells of a feature or the m K of a group; m counts features only. Sparse groups have the lasso of cells
besides; MCP and SCAD are of single cells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """Norms of blocks; groups are of equal size and lie one after the other."""

    l1_ratio: float = 1.0
    size: int = 1  # m
    joint: bool = False
    convex = True

    def blocks(self, B: Float) -> Float:
        """Blocks as columns, (cells, blocks)."""
        K = 1 if B.ndim == 1 else B.shape[1]
        cells = B.reshape(-1, self.size, K)
        if self.joint:
            return cells.reshape(-1, self.size * K).T
        return cells.transpose(1, 0, 2).reshape(self.size, -1)

    def norms(self, B: Float) -> Float:
        return _length(self.blocks(B))

    @property
    def weight(self) -> float:
        return float(np.sqrt(self.size))

    def value(self, lam: float, B: Float) -> float:
        a, norms = self.l1_ratio, self.norms(B)
        return lam * float(np.sum(a * self.weight * norms + 0.5 * (1.0 - a) * norms**2))

    def largest(self, Z: Float) -> float:
        """The lambda at which the norm of Z = X'u / n is just held, if a = 1."""
        return float(np.max(self.norms(Z))) / self.weight

    def scalings(self, lam: float, Z: Float) -> list[float]:
        """Factors to try: that which keeps every block within bounds; mixtures may also take the point as it is."""
        within = min(1.0, self.l1_ratio * lam / max(self.largest(Z), np.finfo(float).tiny))
        return [within] if self.l1_ratio == 1.0 else [within, 1.0]

    def conjugate(self, lam: float, Z: Float) -> float:
        """Conjugate of the penalty at a Z that is within bounds, or at any if a < 1."""
        a = self.l1_ratio
        if a == 1.0:
            return 0.0
        over = np.maximum(self.norms(Z) / lam - a * self.weight, 0.0)
        return lam * float(np.sum(over**2)) / (2.0 * (1.0 - a))

    def violation(self, lam: float, B: Float, Z: Float) -> float:
        """Distance of 0 from the subdifferential, the largest over blocks, over their weight."""
        a, held = self.l1_ratio, lam * self.l1_ratio * self.weight
        b = self.blocks(B)
        smooth = self.blocks(Z) + lam * (1.0 - a) * b
        norms = _length(b)
        away = _length(smooth + held * (b / np.where(norms == 0.0, 1.0, norms)))
        return _largest(np.where(norms == 0.0, np.maximum(_length(smooth) - held, 0.0), away)) / self.weight


@dataclass(frozen=True)
class SparseBlocks(Blocks):
    """lam sum_g [t |B_g|_1 + (1 - t) sqrt(m) |B_g|], t = ``share``; no ridge part.

    A Z is within bounds if |S(Z_g, lam t)| <= lam (1 - t) sqrt(m), S the soft threshold: what remains of it when the
    lasso has taken its part is within the group's ball.
    """

    share: float = 0.5

    def value(self, lam: float, B: Float) -> float:
        t = self.share
        return lam * (t * float(np.sum(np.abs(B))) + (1.0 - t) * self.weight * float(np.sum(self.norms(B))))

    def largest(self, Z: Float) -> float:
        """By halving, of all groups at once; from above, so that what is scaled by it is within bounds."""
        size = np.abs(self.blocks(Z))
        low, high = np.zeros(size.shape[1]), np.max(size, axis=0) / max(self.share, (1.0 - self.share) / self.size)
        for _ in range(60):
            middle = 0.5 * (low + high)
            beyond = _length(np.maximum(size - middle * self.share, 0.0)) > middle * (1.0 - self.share) * self.weight
            low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
        return _largest(high)

    def violation(self, lam: float, B: Float, Z: Float) -> float:
        """As of ``Blocks``: in a group that is used, of its empty cells what exceeds the lasso's bound."""
        b, z = self.blocks(B), self.blocks(Z)
        one, two = lam * self.share, lam * (1.0 - self.share) * self.weight
        left, norms = np.maximum(np.abs(z) - one, 0.0), _length(b)
        slope = z + one * np.sign(b) + two * (b / np.where(norms == 0.0, 1.0, norms))
        away = _length(np.where(b == 0.0, left, slope))
        return _largest(np.where(norms == 0.0, np.maximum(_length(left) - two, 0.0), away)) / self.weight


@dataclass(frozen=True)
class Mcp:
    """Minimax concave penalty, Zhang (2010): lam |b| - b^2 / (2 gamma) up to |b| = gamma lam, constant from there.

    It has no dual: what can be said of coefficients is how far they are from stationary, and their objective.
    """

    gamma: float
    convex = False

    def value(self, lam: float, B: Float) -> float:
        size = np.minimum(np.abs(B), self.gamma * lam)
        return float(np.sum(lam * size - size**2 / (2.0 * self.gamma)))

    def largest(self, Z: Float) -> float:
        return _largest(Z)

    def violation(self, lam: float, B: Float, Z: Float) -> float:
        slope = np.maximum(lam - np.abs(B) / self.gamma, 0.0)
        return _largest(np.where(B == 0.0, np.maximum(np.abs(Z) - lam, 0.0), Z + slope * np.sign(B)))


@dataclass(frozen=True)
class Scad:
    """Smoothly clipped absolute deviation, Fan and Li (2001): slope lam up to |b| = lam, falling to 0 at gamma lam.

    What is said of MCP holds.
    """

    gamma: float
    convex = False

    def value(self, lam: float, B: Float) -> float:
        """The slope's integral: of lam up to the first knot, of the falling line from there."""
        size = np.minimum(np.abs(B), self.gamma * lam)
        past = np.maximum(size - lam, 0.0)
        return float(np.sum(lam * size - past**2 / (2.0 * (self.gamma - 1.0))))

    def largest(self, Z: Float) -> float:
        return _largest(Z)

    def violation(self, lam: float, B: Float, Z: Float) -> float:
        slope = np.clip((self.gamma * lam - np.abs(B)) / (self.gamma - 1.0), 0.0, lam)
        return _largest(np.where(B == 0.0, np.maximum(np.abs(Z) - lam, 0.0), Z + slope * np.sign(B)))


def get_penalty(name: str, l1_ratio: float, size: int, joint: bool) -> Blocks | Mcp | Scad:
    """By the name that cases have, as in elastic_net, sparse_group_lasso(l1_share=0.5), scad(gamma=3.7)."""
    kind, number = parameter(name)
    if kind in ("mcp", "scad") and l1_ratio == 1.0 and size == 1 and not joint:
        return Mcp(number) if kind == "mcp" else Scad(number)
    if kind == "sparse_group_lasso" and l1_ratio == 1.0:
        return SparseBlocks(1.0, size, joint, number)
    if name == "group_lasso" or (name == "elastic_net" and size == 1):
        return Blocks(l1_ratio, size, joint)
    raise ValueError(f"no penalty {name!r} with l1_ratio {l1_ratio}, groups of {size}, joint {joint}")


def parameter(name: str) -> tuple[str, float]:
    """mcp(gamma=3) as mcp, 3; nothing of a name without one."""
    found = re.fullmatch(r"(\w+)\((?:gamma|l1_share)=([\d.]+)\)", name)
    return (found[1], float(found[2])) if found else ("", 0.0)


def _length(columns: Float) -> Float:
    """Norm of each column."""
    return np.abs(columns[0]) if len(columns) == 1 else np.sqrt(np.sum(columns**2, axis=0))


def _largest(v: Float) -> float:
    return float(np.max(np.abs(v))) if v.size else 0.0
