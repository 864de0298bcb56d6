"""The penalty with its factors, bounds and groups: what is added to the loss, apart from its strength lam."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import InputError
from bridle.penalties.blocks import Strengths, largest_strength
from bridle.penalties.groups import Groups
from bridle.penalties.kinds import Kind, read_penalty

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Penalty:
    """What is added to the loss, apart from its strength lam.

    Parameters
    ----------
    l1_ratio : float
        a in [0, 1]: 1 is the lasso, 0 is ridge.
    factor : (p,) or None
        v_j >= 0; 0 is never penalised, inf is excluded. None is 1 for all. Alike within a group.
    lower, upper : float or (p,)
        Bounds of the coefficients on the original scale, lower <= 0 <= upper.
    spec : str
        Which penalty, with its parameters: see :func:`read_penalty`.
    groups : (p,) or None
        Labels of the groups, for penalties that have them.
    width : int
        How many coefficients of each feature stand in the place of one: see :meth:`over`.
    """

    l1_ratio: float = 1.0
    factor: Float | None = None
    lower: Float | float = -np.inf
    upper: Float | float = np.inf
    spec: str = "elastic_net"
    groups: Any = None
    width: int = 1

    def __post_init__(self) -> None:
        """Refuse what is not a penalty with 0 in its box."""
        if not 0.0 <= self.l1_ratio <= 1.0:
            raise InputError(f"l1_ratio must lie in [0, 1] (0 is ridge, 1 is the lasso); got {self.l1_ratio!r}")
        if self.factor is not None:
            factor = np.asarray(self.factor, dtype=np.float64)
            if np.isnan(factor).any() or (factor < 0.0).any():
                j = int(np.argmax(np.isnan(factor) | (factor < 0.0)))
                raise InputError(f"penalty factors must be >= 0 (inf excludes a feature); number {j} is {factor[j]:g}")
        lower, upper = np.asarray(self.lower, dtype=np.float64), np.asarray(self.upper, dtype=np.float64)
        if np.isnan(lower).any() or np.isnan(upper).any() or (lower > 0.0).any() or (upper < 0.0).any():
            raise InputError("bounds must hold 0: expected lower <= 0 <= upper for every coefficient")
        kind = read_penalty(self.spec)
        object.__setattr__(self, "spec", kind.spec)
        if not kind.grouped and self.groups is not None:
            raise InputError(
                f"penalty {kind.name!r} has no groups; leave groups out, or choose 'group_lasso', "
                "'sparse_group_lasso', 'adaptive_group_lasso', 'group_mcp' or 'group_scad'"
            )

    @property
    def kind(self) -> Kind:
        """Which penalty this is."""
        return read_penalty(self.spec)

    @property
    def separable(self) -> bool:
        """Whether it is a sum of convex terms, one per feature: the elastic net, and whatever has no L1 part."""
        return self.kind.separable or self.l1_ratio == 0.0

    @property
    def concave(self) -> bool:
        """Whether it isn't convex, so that solutions are stationary points."""
        return bool(self.kind.concave) and self.l1_ratio > 0.0

    def factors(self, p: int) -> Float:
        """Return v, (p,)."""
        if self.factor is None:
            return np.ones(p)
        return _per_feature(self.factor, p, "penalty_factor")

    def bounds(self, p: int) -> tuple[Float, Float]:
        """Return (lower, upper), each (p,), on the original scale."""
        return _per_feature(self.lower, p, "lower"), _per_feature(self.upper, p, "upper")

    def blocks(self, p: int) -> Groups:
        """Return the groups of p features, checked; each feature is one where the penalty has none.

        Features with an infinite factor are in no group, and don't count in its size.

        Raises
        ------
        InputError
            Factors differ within a group, or features of a larger group have bounds.
        """
        factor = self.factors(p)
        kept = np.isfinite(factor)
        if self.groups is None:
            return Groups.single(kept)
        groups = replace(Groups.make(self.groups, kept), width=self.width)
        v = factor[groups.features]
        differs = v != groups.first(factor)[groups.number] if len(groups) else np.zeros(0, dtype=bool)
        if differs.any():
            j = int(groups.features[np.argmax(differs)])
            raise InputError(
                f"penalty factors must be alike within a group; feature {j} has {factor[j]:g} and its group starts "
                f"with {groups.first(factor)[groups.number[np.argmax(differs)]]:g}"
            )
        lower, upper = self.bounds(p)
        bounded = np.isfinite(lower) | np.isfinite(upper)
        held = bounded[groups.features] & (groups.sizes[groups.number] > 1)
        if held.any():
            raise InputError(
                f"bounds don't go with groups of several features; feature {int(groups.features[np.argmax(held)])} has "
                "one. Leave the bound out, or put the feature in a group of its own"
            )
        return groups

    def check_groups(self, p: int) -> None:
        """Refuse groups of p features, or their lack, where each feature has one coefficient.

        Raises
        ------
        InputError
            The penalty needs groups and has none, or those of :meth:`blocks`.
        """
        if not self.separable:
            self.blocks(p)
        if self.kind.grouped and self.groups is None:
            raise InputError(f"the {self.kind.words} needs groups=..., one label per feature")

    def over(self, p: int, predictors: int) -> Penalty:
        """Return the same penalty of all coefficients of several predictors, feature by feature, (p K,).

        A group is then its features over all predictors, though it weighs as much as its features do.

        Parameters
        ----------
        p, predictors : int
            Numbers of features and of linear predictors, K.
        """
        grouped = self.kind.grouped
        labels = np.arange(p) if self.groups is None else np.asarray(self.groups)
        lower, upper = self.bounds(p)
        return replace(
            self,
            factor=np.repeat(self.factors(p), predictors),
            lower=np.repeat(lower, predictors),
            upper=np.repeat(upper, predictors),
            groups=np.repeat(labels, predictors) if grouped else None,
            width=predictors if grouped else 1,
        )

    def value(self, b: Float, factor: Float) -> float:
        """Return sum_j v_j [a |b_j| + (1 - a)/2 b_j^2], for lam = 1; excluded features must be at 0.

        Concave penalties aren't proportional to lam: see :meth:`cost`.

        Parameters
        ----------
        b, factor : (p,)
            Coefficients on the scale that is penalised, and v.
        """
        return self.cost(b, 1.0, factor)

    def cost(self, b: Float, lam: float, factor: Float) -> float:
        """Return the penalty at strength ``lam``.

        Parameters
        ----------
        b, factor : (p,)
            Coefficients on the scale that is penalised, and v.
        lam : float
            Strength of the penalty.
        """
        if not self.separable:
            return float(np.sum(self.strengths(lam, factor).value(b)))
        on = b != 0.0
        bj, v = b[on], factor[on]
        return lam * float(np.sum(v * (self.l1_ratio * np.abs(bj) + 0.5 * (1.0 - self.l1_ratio) * bj**2)))

    def conjugate(self, z: Float, lam: float, factor: Float, lower: Float, upper: Float) -> Float:
        """Return sup over lower <= b <= upper of z b - penalty(b), feature by feature.

        Parameters
        ----------
        z, factor, lower, upper : (p,)
            Dual values, v, and bounds on the scale that is penalised.
        lam : float
            Strength of the penalty.

        Returns
        -------
        (p,)
            +inf where the supremum is not finite (|z| > lam v without ridge part or bound on that side). A group's
            value stands at its first member.
        """
        if not self.separable:
            groups = self.blocks(len(z))
            out = np.zeros(len(z))
            out[groups.features[groups.starts[:-1]]] = self.strengths(lam, factor).conjugate(
                np.where(np.isfinite(factor), z, 0.0), lower, upper
            )
            return out
        on = np.isfinite(factor)
        v = np.where(on, factor, 0.0)
        slack = np.maximum(np.abs(z) - lam * self.l1_ratio * v, 0.0)  # slope left after the L1 part
        ridge = lam * (1.0 - self.l1_ratio) * v
        reach = np.where(z >= 0.0, upper, -lower)  # how far b can go on z's side
        with np.errstate(divide="ignore", invalid="ignore"):
            b = np.where(slack > 0.0, np.minimum(slack / ridge, reach), 0.0)
            value = slack * b - np.where(np.isfinite(b), 0.5 * ridge * b**2, 0.0)
        return np.asarray(np.where(on & (b > 0.0), value, 0.0))

    def feasible_scale(self, z: Float, lam: float, factor: Float, lower: Float, upper: Float) -> float:
        """Return the largest s <= 1 at which s z has a finite conjugate everywhere, a little less for rounding."""
        if not self.separable:
            s = self.strengths(lam, factor).feasible_scale(np.where(np.isfinite(factor), z, 0.0), lower, upper)
            return s * (1.0 - 1e-14) if s < 1.0 else 1.0
        reach = np.where(z >= 0.0, upper, -lower)
        bound = np.where(np.isfinite(factor), lam * self.l1_ratio * np.where(np.isfinite(factor), factor, 0.0), np.inf)
        tight = np.isinf(reach) & (np.abs(z) > bound) & (bound > 0.0)
        return float(np.min(bound[tight] / np.abs(z[tight]), initial=1.0)) * (1.0 - 1e-15 * bool(tight.any()))

    def worst_violation(self, b: Float, z: Float, lam: float, factor: Float, lower: Float, upper: Float) -> float:
        """Return the distance of z from the subdifferential at b, the worst feature or group.

        Parameters
        ----------
        b, z, factor, lower, upper : (p,)
            Coefficients on the penalised scale, minus the loss's gradient there, v, and bounds.
        lam : float
            Strength of the penalty.
        """
        on = np.isfinite(factor)
        excluded = np.where(on | (b == 0.0), 0.0, np.inf)
        if not self.separable:
            left = self.strengths(lam, factor).violation(b, np.where(on, z, 0.0), lower, upper)
            return float(np.max(np.concatenate([left, excluded]), initial=0.0))
        v = np.where(on, factor, 0.0)
        l1, ridge = lam * self.l1_ratio * v, lam * (1.0 - self.l1_ratio) * v
        rest = z - ridge * b - np.sign(b) * l1
        at_zero = np.maximum(np.where(upper > 0.0, z - l1, 0.0), np.where(lower < 0.0, -z - l1, 0.0))
        near = 1e-12 * np.maximum(1.0, np.abs(b))
        stopped = ((b >= upper - near) & (rest > 0.0)) | ((b <= lower + near) & (rest < 0.0))
        violation = np.where(b == 0.0, np.maximum(at_zero, 0.0), np.where(stopped, 0.0, np.abs(rest)))
        return float(np.max(np.where(on, violation, excluded), initial=0.0))

    def largest_strength(self, z: Float, factor: Float) -> float:
        """Return the smallest lam * a at which nothing penalised takes part, for slopes z (p,) of the null model."""
        if not self.separable:
            return largest_strength(self.kind, self.blocks(len(z)), np.where(np.isfinite(factor), z, 0.0), factor)
        on = (factor > 0.0) & np.isfinite(factor)
        return float(np.max(np.abs(z[on]) / factor[on], initial=0.0))

    def proximal(self, z: Float, step: float, lam: float, factor: Float) -> Float:
        """Return argmin_b |b - z|^2 / 2 + step * penalty, without bounds; excluded features are 0.

        Parameters
        ----------
        z, factor : (p,)
            Where from, and v.
        step, lam : float
            Length of the step and strength of the penalty.
        """
        return self.strengths(lam, factor).proximal(np.where(np.isfinite(factor), z, 0.0), step)

    def strengths(self, lam: float, factor: Float) -> Strengths:
        """Return the penalty at ``lam`` group by group; ``factor`` (p,) is infinite for constant columns too."""
        return Strengths.make(self.kind, self.blocks(len(factor)), lam, self.l1_ratio, factor)

    def formula(self, b: str) -> str:
        """Return lam times the penalty as it is printed; ``b`` stands for the coefficient that is penalised."""
        square = f"({b})^2" if " " in b else f"{b}^2"
        a, kind = self.l1_ratio, self.kind
        if kind.initial:
            plain = replace(self, spec=kind.core_name if kind.grouped else "elastic_net").formula(b)
            v, size = ("v_g", f"|({b})_g|_2") if kind.grouped and a > 0.0 else ("v_j", f"|{b}|")
            return f"{plain}, {v} divided by {size}^{kind.gamma:g} of a first fit ({kind.initial})"
        if self.separable:
            parts = (
                f"|{b}|" if a == 1.0 else (f"{square}/2" if a == 0.0 else f"[{a:g} |{b}| + {(1 - a) / 2:g} {square}]")
            )
            return f"lam * sum_j v_j {parts}"
        ridge = f" + lam * sum_j v_j {(1 - a) / 2:g} {square}" if a < 1.0 else ""
        slope = "lam" if a == 1.0 else f"{a:g} lam"
        size = f"|({b})_g|_2" if kind.grouped else f"|{b}|"
        v = "v_g sqrt(m_g)" if kind.grouped else "v_j"
        over = "g" if kind.grouped else "j"
        if kind.concave:
            return f"sum_{over} {kind.concave.upper()}({size}; {slope} {v}, {kind.gamma:g}){ridge}"
        if kind.l1_share == 0.0:
            return f"{slope} * sum_g {v} {size}{ridge}"
        t = kind.l1_share
        return f"{slope} * [{t:g} sum_j v_j |{b}| + {1 - t:g} sum_g {v} {size}]{ridge}"


def _per_feature(value: ArrayLike, p: int, name: str) -> Float:
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0:
        return np.full(p, float(array))
    if array.shape != (p,):
        raise InputError(f"{name} has shape {array.shape}; expected one value per feature, ({p},)")
    return array
