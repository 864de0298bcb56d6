"""Penalties of groups in NumPy: lam { a [t sum_j v |b_j| + (1-t) rho(|b_g|_2)] + (1-a)/2 v |b_g|^2 }, sums over groups.

All functions take the penalty's strengths group by group (:class:`Strengths`) and coefficients or dual values (p,) on
the scale that is penalised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridle.penalties import concave
from bridle.penalties.groups import Groups
from bridle.penalties.kinds import Kind

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Strengths:
    """The penalty of each group at one lambda."""

    kind: Kind
    groups: Groups
    l1: Float  # (G,) lam a t v
    l2: Float  # (G,) lam a (1 - t) v sqrt(m): slope of rho at 0
    ridge: Float  # (G,) lam (1 - a) v

    @classmethod
    def make(cls, kind: Kind, groups: Groups, lam: float, l1_ratio: float, factor: Float) -> Strengths:
        """Strengths of groups whose members have ``factor`` (p,), infinite for constant columns."""
        v = lam * _factor_of(groups, factor)
        share = kind.l1_share
        return cls(
            kind, groups, v * l1_ratio * share, v * l1_ratio * (1.0 - share) * groups.roots,
            v * (1.0 - l1_ratio),
        )  # fmt: skip

    def norm(self, b: Float) -> Float:
        """Norms of the groups, (G,)."""
        return np.sqrt(self.groups.sum(b**2))

    def soft(self, z: Float) -> Float:
        """What the L1 part leaves of z, (p,)."""
        return np.sign(z) * np.maximum(0.0, np.abs(z) - self.groups.spread(self.l1, len(z)))

    def value(self, b: Float) -> Float:
        """Penalty of each group, (G,)."""
        r = self.norm(b)
        rho = concave.value(self.kind.concave, r, self.l2, self.kind.gamma)
        return np.asarray(self.l1 * self.groups.sum(np.abs(b)) + rho + 0.5 * self.ridge * r**2)

    def reach(self, z: Float, lower: Float, upper: Float) -> Float:
        """How far each group can go on z's side, (G,): groups of several features have no bounds."""
        return np.where(self.groups.sizes == 1, self.groups.first(np.where(z >= 0.0, upper, -lower)), np.inf)

    def conjugate(self, z: Float, lower: Float, upper: Float) -> Float:
        """Return sup_b z'b - penalty of each group without concave part, (G,); infinite where nothing bounds it."""
        slack = np.maximum(0.0, self.norm(self.soft(z)) - self.l2)
        with np.errstate(divide="ignore", invalid="ignore"):
            b = np.where(slack > 0.0, np.minimum(slack / self.ridge, self.reach(z, lower, upper)), 0.0)
            value = slack * b - np.where(np.isfinite(b), 0.5 * self.ridge * b**2, 0.0)
        return np.where(b > 0.0, value, 0.0)

    def violation(self, b: Float, z: Float, lower: Float | None = None, upper: Float | None = None) -> Float:
        """Distance of z, minus the loss's gradient, from the subdifferential at b, (G,); bounds hold groups of one."""
        r = self.norm(b)
        slope = concave.derivative(self.kind.concave, r, self.l2, self.kind.gamma)
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = np.where(r > 0.0, slope / r, 0.0) + self.ridge
        if lower is not None and upper is not None:
            push = self.groups.spread(self.l1 + slope + self.ridge * r, len(b))  # what the penalty itself holds
            near = 1e-12 * np.maximum(1.0, np.abs(b))
            stopped = ((b >= upper - near) & (z > push)) | ((b <= lower + near) & (z < -push))
            z = np.where(stopped, np.where(b == 0.0, 0.0, np.sign(b) * push), z)
        rest = z - self.groups.spread(pull, len(b)) * b
        left = np.where(b == 0.0, self.soft(rest), rest - np.sign(b) * self.groups.spread(self.l1, len(b)))
        return np.where(r > 0.0, self.norm(left), np.maximum(0.0, self.norm(self.soft(z)) - self.l2))

    def feasible_scale(self, z: Float, lower: Float, upper: Float) -> float:
        """Return the largest s <= 1 at which s z lies in the dual norm's ball of every group that needs it."""
        held = (self.ridge == 0.0) & (self.l1 + self.l2 > 0.0) & np.isinf(self.reach(z, lower, upper))

        def feasible(s: float) -> bool:
            return bool(np.all((self.norm(self.soft(s * z)) <= self.l2)[held]))

        low, high = 0.0, 1.0
        if feasible(1.0):
            return 1.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if feasible(middle) else (low, middle)
        return min(low, 1.0 - 1e-15)

    def proximal(self, z: Float, step: float) -> Float:
        """Return argmin_b |b - z|^2 / 2 + step * penalty, (p,); features without group are 0."""
        inner = np.sign(z) * np.maximum(0.0, np.abs(z) - step * self.groups.spread(self.l1, len(z)))
        size = self.norm(inner)
        bend = 1.0 / step + self.ridge
        r = concave.minimiser(self.kind.concave, size / step, self.l2, bend, self.kind.gamma)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(size > 0.0, r / size, 0.0)
        return np.asarray(self.groups.spread(share, len(z)) * inner)


def _factor_of(groups: Groups, factor: Float) -> Float:
    """Return v of each group, (G,): constant columns, whose factor is infinite, don't speak for theirs."""
    v = factor[groups.features]
    out = np.zeros(len(groups))
    on = np.isfinite(v)
    out[groups.number[on]] = v[on]
    return out


def largest_strength(kind: Kind, groups: Groups, z: Float, factor: Float) -> float:
    """Return the smallest lam * a at which every penalised group is 0 for slopes z (p,).

    Parameters
    ----------
    kind : Kind
        The penalty.
    groups : Groups
        Its groups.
    z : (p,)
        Slopes on the penalised scale where nothing penalised takes part; 0 for features that are excluded.
    factor : (p,)
        v.

    Returns
    -------
    float
        0 if no slope is left.
    """
    v, share = _factor_of(groups, factor), kind.l1_share
    on = v > 0.0
    if not on.any():
        return 0.0
    weight = v * ((1.0 - share) * groups.roots if share < 1.0 else 1.0)
    norms = np.sqrt(groups.sum(z**2))
    if share == 0.0:
        return float(np.max(norms[on] / weight[on], initial=0.0))

    def held(strength: float) -> bool:
        at = Strengths.make(kind, groups, strength, 1.0, factor)
        return bool(np.all((at.norm(at.soft(z)) <= at.l2)[on]))

    peak = float(np.max((np.abs(z) / np.where(np.isfinite(factor) & (factor > 0.0), factor, np.inf)), initial=0.0))
    if peak == 0.0:
        return 0.0
    low, high = 0.0, peak / share  # there no coefficient is left of the L1 part
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if held(middle) else (middle, high)
        if high - low <= 1e-15 * high:
            break
    return high
