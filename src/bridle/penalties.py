"""The elastic-net penalty with factors and bounds: h_j(b) = v_j [a |b| + (1 - a)/2 b^2] for lower_j <= b <= upper_j."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import InputError

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Penalty:
    """What is added to the loss, apart from its strength lam.

    Parameters
    ----------
    l1_ratio : float
        a in [0, 1]: 1 is the lasso, 0 is ridge.
    factor : (p,) or None
        v_j >= 0; 0 is never penalised, inf is excluded. None is 1 for all.
    lower, upper : float or (p,)
        Bounds of the coefficients on the original scale, lower <= 0 <= upper.
    """

    l1_ratio: float = 1.0
    factor: Float | None = None
    lower: Float | float = -np.inf
    upper: Float | float = np.inf

    def __post_init__(self) -> None:
        """Refuse what is not a convex penalty with 0 in its box."""
        if not 0.0 <= self.l1_ratio <= 1.0:
            raise InputError(f"l1_ratio must lie in [0, 1] (0 is ridge, 1 is the lasso); got {self.l1_ratio!r}")
        if self.factor is not None:
            factor = np.asarray(self.factor, dtype=np.float64)
            if np.isnan(factor).any() or (factor < 0.0).any():
                j = int(np.argmax(np.isnan(factor) | (factor < 0.0)))
                raise InputError(f"penalty factors must be >= 0 (inf excludes a feature); number {j} is {factor[j]!r}")
        lower, upper = np.asarray(self.lower, dtype=np.float64), np.asarray(self.upper, dtype=np.float64)
        if np.isnan(lower).any() or np.isnan(upper).any() or (lower > 0.0).any() or (upper < 0.0).any():
            raise InputError("bounds must hold 0: expected lower <= 0 <= upper for every coefficient")

    def factors(self, p: int) -> Float:
        """Return v, (p,)."""
        if self.factor is None:
            return np.ones(p)
        return _per_feature(self.factor, p, "penalty_factor")

    def bounds(self, p: int) -> tuple[Float, Float]:
        """Return (lower, upper), each (p,), on the original scale."""
        return _per_feature(self.lower, p, "lower"), _per_feature(self.upper, p, "upper")

    def value(self, b: Float, factor: Float) -> float:
        """Return sum_j v_j [a |b_j| + (1 - a)/2 b_j^2]; excluded features must be at 0.

        Parameters
        ----------
        b, factor : (p,)
            Coefficients on the scale that is penalised, and v.
        """
        on = b != 0.0
        bj, v = b[on], factor[on]
        return float(np.sum(v * (self.l1_ratio * np.abs(bj) + 0.5 * (1.0 - self.l1_ratio) * bj**2)))

    def conjugate(self, z: Float, lam: float, factor: Float, lower: Float, upper: Float) -> Float:
        """Return sup over lower <= b <= upper of z b - lam v [a |b| + (1 - a)/2 b^2], feature by feature.

        Parameters
        ----------
        z, factor, lower, upper : (p,)
            Dual values, v, and bounds on the scale that is penalised.
        lam : float
            Strength of the penalty.

        Returns
        -------
        (p,)
            +inf where the supremum is not finite (|z| > lam v without ridge part or bound on that side).
        """
        on = np.isfinite(factor)
        v = np.where(on, factor, 0.0)
        slack = np.maximum(np.abs(z) - lam * self.l1_ratio * v, 0.0)  # slope left after the L1 part
        ridge = lam * (1.0 - self.l1_ratio) * v
        reach = np.where(z >= 0.0, upper, -lower)  # how far b can go on z's side
        with np.errstate(divide="ignore", invalid="ignore"):
            b = np.where(slack > 0.0, np.minimum(slack / ridge, reach), 0.0)
            value = slack * b - np.where(np.isfinite(b), 0.5 * ridge * b**2, 0.0)
        return np.asarray(np.where(on & (b > 0.0), value, 0.0))


def _per_feature(value: ArrayLike, p: int, name: str) -> Float:
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0:
        return np.full(p, float(array))
    if array.shape != (p,):
        raise InputError(f"{name} has shape {array.shape}; expected one value per feature, ({p},)")
    return array
