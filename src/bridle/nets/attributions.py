"""Integrated gradients of a network: what each feature adds on the straight way from a reference to a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bridle.nets.passes import Step, forward, reverse

if TYPE_CHECKING:
    from bridle.nets.network import Layer

Float = NDArray[np.float64]

COMPLETE = 1e-4  # of the sum of absolute slopes over the way; see path_slope
FIRST, LAST = 8, 1024  # steps of the first and of the finest grid
LOOKS = 2  # at where units of relu pass zero behind a layer normalisation: the second one knows twice the digits
_NODES, _WEIGHTS = (np.polynomial.legendre.leggauss(3)[0] + 1) / 2, np.polynomial.legendre.leggauss(3)[1] / 2


def path_slope(layers: Sequence[Layer], activation: str, start: Float, end: Float, output: int) -> Float:
    r"""(units,) mean slope of an output in the first layer's linear part a, on the way from ``start`` to ``end``.

    .. math:: \int_0^1 \nabla f(a_0 + t (a_1 - a_0)) dt

    Since a is linear in the features, its product with the first layer's weights is the mean gradient in the features,
    and the way through a network costs nothing for each feature.

    Between knots the integral is taken by Gauss and Legendre's rule of three nodes. The knots are a grid, and for relu
    the places where a unit switches on or off: without layer normalisation f is linear between those, and the result
    exact. Each piece must then be complete, slope times way equal to what f gains between its knots; where the
    pieces' errors add up to more than 1e-4 of what moves, the grid is halved, down to 1/1024.

    Parameters
    ----------
    layers : sequence of Layer
        All layers; the first one's linear part is where the way leads.
    activation : {"relu", "tanh", "gelu"}
        Of the hidden layers.
    start, end : (units,)
        The first layer's linear part for the reference and for the row; float64, so that is what is computed in.
    output : int
        Which output.

    Returns
    -------
    ndarray of shape (units,)

    References
    ----------
    Sundararajan, Taly and Yan (2017), Axiomatic attribution for deep networks.
    """
    way = end - start
    steps = FIRST
    while True:
        t = _knots(layers, activation, start, way, steps)
        gained = np.diff(forward(layers, activation, start + t[:, None] * way)[:, output])  # (T - 1,)
        lengths = np.diff(t)
        nodes = (t[:-1, None] + lengths[:, None] * _NODES).ravel()
        tape: list[Step] = []
        forward(layers, activation, start + nodes[:, None] * way, tape=tape)
        slopes = np.broadcast_to(reverse(layers, activation, tape, output), (nodes.size, way.size))
        pieces = lengths[:, None] * np.einsum("q,tqu->tu", _WEIGHTS, slopes.reshape(lengths.size, -1, way.size))
        mean = np.asarray(pieces.sum(axis=0), dtype=np.float64)
        wrong = float(np.abs(pieces @ way - gained).sum())
        if not wrong > COMPLETE * float(np.abs(mean * way).sum()) + 1e-12 * float(np.abs(gained).sum()):
            return mean
        if steps >= LAST:
            return mean
        steps *= 2


def _knots(layers: Sequence[Layer], activation: str, start: Float, way: Float, steps: int) -> Float:
    """(T,) places on the way, 0 and 1 among them: a grid, and where units of relu pass zero.

    Layer by layer, since a unit's input is linear only between the knots of the layers below it; behind a layer
    normalisation it is curved there too, so what linear interpolation finds is looked at again.
    """
    t = np.linspace(0.0, 1.0, steps + 1)
    if activation != "relu":
        return t
    looks = [number for number, layer in enumerate(layers[:-1]) for _ in range(1 if layer.gain is None else LOOKS)]
    for number in looks:
        tape: list[Step] = []
        forward(layers, activation, start + t[:, None] * way, tape=tape)
        h = tape[number].h  # (T, units)
        at, unit = np.nonzero(h[:-1] * h[1:] < 0)
        before, after = h[at, unit], h[at + 1, unit]
        t = np.unique(np.concatenate([t, t[at] + (t[at + 1] - t[at]) * before / (before - after)]))
    return t


def completed(parts: Float, total: float) -> Float:
    """(p,) contributions that add up to ``total``: what is lacking goes to each in proportion to its size."""
    size = np.abs(parts)
    whole = float(size.sum())
    if whole == 0.0:
        return parts
    return parts + size * ((total - math.fsum(parts.tolist())) / whole)
