"""Forward and reverse pass through the layers of a network, for any number of rows; the dtype is that of what goes in.

Both start after the first layer's linear part a = z W + b, (m, units): that is where the number of features ends to
matter, so what is integrated over a path (see ``attributions``) or sampled many times doesn't pay for it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

if TYPE_CHECKING:
    from bridle.nets.network import Layer

Array = NDArray[Any]  # float32 or float64

EPSILON = 1e-5  # added to the variance of layer normalisation, as torch.nn.LayerNorm does
_HALF = math.sqrt(0.5)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)


def _relu(h: Array) -> Array:
    return np.maximum(h, 0)


def _relu_slope(h: Array) -> Array:
    return (h > 0).astype(h.dtype)


def _tanh_slope(h: Array) -> Array:
    return np.asarray(1 - np.tanh(h) ** 2)


def _normal(h: Array) -> Array:
    return np.asarray(0.5 * (1 + erf(h * _HALF)))


def _gelu(h: Array) -> Array:
    """``h Phi(h)``, Phi the normal distribution function: the exact form, not its approximation by tanh."""
    return h * _normal(h)


def _gelu_slope(h: Array) -> Array:
    return _normal(h) + h * _DENSITY * np.exp(-0.5 * h * h)


ACTIVATION: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {  # the function and its slope
    "relu": (_relu, _relu_slope),
    "tanh": (np.tanh, _tanh_slope),
    "gelu": (_gelu, _gelu_slope),
}


class Step(NamedTuple):
    """What the reverse pass needs to know of one hidden layer."""

    h: Array  # (m, units), what goes into the activation
    hat: Array | None  # (m, units), layer normalisation: centred and divided by the standard deviation
    precision: Array | None  # (m, 1), 1 / standard deviation


def forward(
    layers: Sequence[Layer],
    activation: str,
    a: Array,
    masks: Sequence[Array] | None = None,
    tape: list[Step] | None = None,
) -> Array:
    """(m, k) outputs for the first layer's linear part ``a`` (m, units).

    ``masks`` has (units,) factors for the units of each hidden layer; ``tape`` collects what :func:`reverse` needs.
    """
    act = ACTIVATION[activation][0]
    for number, (layer, following) in enumerate(pairwise(layers)):
        step = _normalise(layer, a)
        if tape is not None:
            tape.append(step)
        weight = following.weight if masks is None else masks[number][:, None] * following.weight
        a = act(step.h) @ weight
        a += following.bias
    return a


def reverse(layers: Sequence[Layer], activation: str, tape: Sequence[Step], output: int) -> Array:
    """(m, units) slopes of one output in the first layer's linear part; (1, k) for a network without hidden layers."""
    slope = ACTIVATION[activation][1]
    if not tape:
        return np.eye(layers[-1].bias.size, dtype=layers[-1].bias.dtype)[output : output + 1]
    g: Array = layers[-1].weight[:, output]
    for number in reversed(range(len(tape))):
        h, hat, precision = tape[number]
        g = g * slope(h)
        if hat is not None:
            g = g * layers[number].gain
            g = precision * (g - g.mean(axis=1, keepdims=True) - hat * (g * hat).mean(axis=1, keepdims=True))
        if number:
            g = g @ layers[number].weight.T
    return g


def _normalise(layer: Layer, a: Array) -> Step:
    if layer.gain is None or layer.shift is None:
        return Step(a, None, None)
    hat = a - a.mean(axis=1, keepdims=True)
    precision = 1 / np.sqrt((hat * hat).mean(axis=1, keepdims=True) + EPSILON)
    hat = hat * precision
    return Step(hat * layer.gain + layer.shift, hat, precision)
