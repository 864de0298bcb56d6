"""Roots of slopes of convex functions: Newton's method, held in a bracket."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

_NEAR = 1e-11  # what a maximum's place may be off by: its value is then exact
_FAR = 1e9  # beyond which a slope that hasn't changed its sign doesn't


def monotone_root(
    slope: Callable[[float], float], curvature: Callable[[float], float], start: float, *, reach: float
) -> float:
    """Return where a slope that never falls is 0, or infinity if that is nowhere.

    Parameters
    ----------
    slope, curvature : callable
        Of one number.
    start : float
        Where to begin.
    reach : float
        How far the first step may go; later ones may go further.

    Returns
    -------
    float
        The root; -inf or inf where the slope keeps its sign.
    """
    low, high, b, limit = -np.inf, np.inf, start, reach
    for _ in range(300):
        value, bend = slope(b), curvature(b)
        if value == 0.0:
            return b
        low, high = (low, b) if value > 0.0 else (b, high)
        step = -value / bend if bend > 0.0 else -float(np.sign(value)) * limit
        if np.isinf(low) or np.isinf(high):  # where the curvature vanishes Newton's step may be of any size
            step, limit = float(np.clip(step, -limit, limit)), 1.5 * limit
        trial = b + step
        if bend > 0.0 and abs(step) <= 1e-14 * max(reach, abs(b)):
            return trial
        if not low < trial < high:
            trial = 0.5 * (low + high)
        if not abs(trial) <= _FAR * max(1.0, abs(start), reach):
            return float(np.copysign(np.inf, trial))
        if abs(trial - b) <= 1e-14 * max(reach, abs(trial)):
            return trial
        b = trial
    return b


def stationary(
    slope: Callable[[Float], Float], curvature: Callable[[Float], Float], start: Float
) -> tuple[Float, Float]:
    """Return where slopes that never fall are 0, element by element, or the end at which they come nearest.

    Parameters
    ----------
    slope, curvature : callable
        Of arrays (n,), element by element.
    start : (n,)
        Where to begin.

    Returns
    -------
    tuple of (n,)
        The points, and the slopes that are left there.
    """
    with np.errstate(all="ignore"):
        low, high = _bracket(slope, start)
        at = np.clip(start, low, high)
        for _ in range(100):
            left = slope(at)
            high, low = np.where(left > 0.0, at, high), np.where(left < 0.0, at, low)
            step = at - left / curvature(at)
            middle = 0.5 * (low + high)
            inside = np.isfinite(step) & (step > low) & (step < high)
            moved = np.where(left == 0.0, at, np.where(inside, step, middle))
            if np.all(np.abs(moved - at) <= _NEAR * np.maximum(1.0, np.abs(at))):
                break
            at = moved
        return at, slope(at)


def _bracket(slope: Callable[[Float], Float], start: Float) -> tuple[Float, Float]:
    """Points (n,) below and above the root, as far as there are any where the slope is finite."""
    low, high, width = start - 1.0, start + 1.0, 1.0
    for _ in range(45):
        width *= 2.0
        down, up = slope(low), slope(high)
        if np.all(~(down > 0.0) & ~(up < 0.0)):
            break
        low, high = np.where(down > 0.0, low - width, low), np.where(up < 0.0, high + width, high)
    return low, high
