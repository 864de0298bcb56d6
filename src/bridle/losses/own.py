"""Whether a family that somebody has written says the truth about itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import InputError
from bridle.losses.base import Family

Float = NDArray[np.float64]

_TARGETS = (0.0, 1.0, 0.5, 2.0, 7.5, -1.0, -3.5)
_STEP = 1e-5


def check_family(family: Family, y: ArrayLike | None = None, eta: ArrayLike | None = None) -> None:
    """Check a family by finite differences: slopes, convexity, link, least loss and conjugate.

    Parameters
    ----------
    family : Family
        What to check.
    y : (m,) or None
        Targets to check with; None tries some numbers and takes those that the family allows.
    eta : (k,) or None
        Linear predictors; None is 41 from -4 to 4.

    Raises
    ------
    InputError
        Names what doesn't hold, and where first.
    """
    if not isinstance(family, Family):
        raise InputError(f"expected an instance of a subclass of bridle.Family; got {type(family).__name__}")
    at = np.linspace(-4.0, 4.0, 41) if eta is None else np.asarray(eta, dtype=np.float64)
    values = _allowed(family) if y is None else family.target(y, np.size(y))
    if not values.size:
        raise InputError(f"give y: none of {_TARGETS} is a target that the {family.name} family allows")
    t, e = (grid.ravel() for grid in np.meshgrid(values, at, indexing="ij"))  # (m k,)
    for what in ("loss", "gradient", "curvature"):
        found = np.asarray(getattr(family, what)(t, e))
        if found.shape != t.shape or not np.isfinite(found).all():
            raise InputError(f"{family.name}.{what} must give one finite number per row; got shape {found.shape}")
    slope, bend = family.gradient(t, e), family.curvature(t, e)
    near = _near(family, t, e)
    _hold(family, "gradient is the slope of loss", t, e, slope, (near[1] - near[0]) / (2.0 * _STEP), 1e-5)
    ends = [family.gradient(t, e + h) for h in (-_STEP, _STEP)]
    kink = np.abs(family.curvature(t, e + _STEP) - family.curvature(t, e - _STEP)) > 0.1 * (1.0 + np.abs(bend))
    numeric = np.where(kink, bend, (ends[1] - ends[0]) / (2.0 * _STEP))
    _hold(family, "curvature is the slope of gradient", t, e, bend, numeric, 1e-5)
    if (bend < 0.0).any():
        _refuse(family, "curvature is at least 0 (the loss is convex)", t, e, int(np.argmax(bend < 0.0)), bend)
    back = family.link(family.mean(e))
    _hold(family, "link is the inverse of mean", t, e, back, e, 1e-8)
    young = family.loss(t, e) + family.conjugate(t, slope) - slope * e
    _hold(family, "loss + conjugate = slope * eta at the slope", t, e, young, np.zeros_like(e), 1e-7)
    above = family.loss(t, e) - family.saturated(t)
    if (above < -1e-8 * (1.0 + np.abs(family.loss(t, e)))).any():
        _refuse(family, "saturated is the least loss", t, e, int(np.argmin(above)), above)


def _allowed(family: Family) -> Float:
    kept = []
    for value in _TARGETS:
        try:
            kept.append(family.target([value], 1))
        except InputError:
            continue
    return np.concatenate(kept) if kept else np.zeros(0)


def _near(family: Family, t: Float, e: Float) -> tuple[Float, Float]:
    return family.loss(t, e - _STEP), family.loss(t, e + _STEP)


def _hold(family: Family, rule: str, t: Float, e: Float, got: Float, wanted: Float, tol: float) -> None:
    """Refuse a family where two arrays (n,) differ by more than rounding and finite differences explain."""
    bad = ~(np.abs(got - wanted) <= tol * (1.0 + np.abs(wanted)))
    if bad.any():
        _refuse(family, rule, t, e, int(np.argmax(bad)), got, wanted)


def _refuse(family: Family, rule: str, t: Float, e: Float, at: int, got: Float, wanted: Float | None = None) -> None:
    instead = "" if wanted is None else f", expected {wanted[at]:.8g}"
    raise InputError(
        f"family {family.name}: {rule} doesn't hold at y = {t[at]:g}, eta = {e[at]:g}: got {got[at]:.8g}{instead}"
    )
