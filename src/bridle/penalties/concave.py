r"""MCP and SCAD of a norm r >= 0: value, slope and curvature, and the minimiser next to a quadratic.

With slope s at 0, MCP (Zhang 2010) falls off from there, :math:`s r - r^2 / (2 \gamma)` up to :math:`r = \gamma s`;
SCAD (Fan and Li 2001) is :math:`s r` up to s, then falls off up to :math:`\gamma s`; both are flat from there on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def value(kind: str, r: Float, slope: Float, gamma: float) -> Float:
    """Return the penalty at r, element by element; ``kind`` "" is slope * r."""
    if not kind:
        return slope * r
    flat = r >= gamma * slope
    if kind == "mcp":
        return np.where(flat, 0.5 * gamma * slope**2, slope * r - r**2 / (2.0 * gamma))
    middle = (gamma * slope * r - 0.5 * (r**2 + slope**2)) / (gamma - 1.0)
    return np.where(r <= slope, slope * r, np.where(flat, 0.5 * slope**2 * (gamma + 1.0), middle))


def derivative(kind: str, r: Float, slope: Float, gamma: float) -> Float:
    """Return the penalty's slope at r, element by element."""
    if not kind:
        return slope + 0.0 * r
    if kind == "mcp":
        return np.maximum(0.0, slope - r / gamma)
    return np.where(r <= slope, slope, np.maximum(0.0, (gamma * slope - r) / (gamma - 1.0)))


def minimiser(kind: str, size: Float, slope: Float, bend: Float, gamma: float) -> Float:
    """Return argmin over r >= 0 of bend / 2 r^2 - size r + penalty(r), element by element, size >= 0, bend > 0."""
    soft = np.maximum(0.0, size - slope) / bend
    if not kind:
        return soft
    far = gamma * slope
    drop = 1.0 / gamma if kind == "mcp" else 1.0 / (gamma - 1.0)
    knot = np.zeros_like(slope) if kind == "mcp" else slope
    steep = bend > drop
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where(steep, np.clip((size - drop * far) / (bend - drop), knot, far), far)
    candidates = np.stack([0.0 * size, np.minimum(soft, knot), inner, np.maximum(far, size / bend)])
    costs = 0.5 * bend * candidates**2 - size * candidates + value(kind, candidates, slope, gamma)
    return np.asarray(np.take_along_axis(candidates, np.argmin(costs, axis=0)[None], axis=0)[0])


def concavity(kind: str, gamma: float) -> float:
    """Return minus the smallest curvature of the penalty: the objective is convex where the loss's is above it."""
    return {"": 0.0, "mcp": 1.0 / gamma, "scad": 1.0 / (gamma - 1.0)}[kind]
