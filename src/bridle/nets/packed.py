"""A network as one flat array and a short description, as model files hold it, and the checks on the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError
from bridle.nets.network import Layer, Network
from bridle.nets.settings import ACTIVATIONS, FAMILIES, check_rate

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Outline:
    """What a network is apart from its numbers; all shapes follow from ``features`` and ``units``."""

    features: int  # p
    units: tuple[int, ...]  # of each hidden layer, then the number of outputs, k
    normalised: tuple[bool, ...]  # whether each hidden layer has a layer normalisation
    activation: str
    dropout: float
    input_dropout: float
    family: str
    spread: float
    noise: float


def pack(network: Network) -> tuple[Outline, Float]:
    """Return a network's description and all its numbers in one array, which :func:`unpack` takes back to the last bit.

    The numbers of each layer in turn (weight by rows of inputs, bias, gain, shift), then mean, scale and center.
    """
    outline = Outline(
        features=network.n_features,
        units=tuple(int(layer.bias.size) for layer in network.layers),
        normalised=tuple(layer.gain is not None for layer in network.layers[:-1]),
        activation=network.activation,
        dropout=float(network.dropout),
        input_dropout=float(network.input_dropout),
        family=network.family,
        spread=float(network.spread),
        noise=float(network.noise),
    )
    weights = [array.ravel() for layer in network.layers for array in layer.arrays]
    return outline, np.concatenate([*weights, network.mean, network.scale, network.center], dtype=np.float64)


def unpack(outline: Outline, values: Float) -> Network:
    """Return the network that :func:`pack` took apart.

    Raises
    ------
    InputError
        The numbers are fewer or more than the description claims (known before anything of that size is made), aren't
        finite in float32, or an option is unknown.
    """
    sizes = (outline.features, *outline.units)
    if not outline.units or outline.features < 0 or min(outline.units) < 1:
        raise InputError(f"a network of layers {sizes} can't be; every layer needs a unit")
    if len(outline.normalised) != len(outline.units) - 1:
        raise InputError(
            f"{len(outline.units) - 1} hidden layers, but {len(outline.normalised)} say if they are normalised"
        )
    flags = (*outline.normalised, False)
    claimed = 2 * outline.features + outline.units[-1]
    claimed += sum((n + 1 + 2 * norm) * m for n, m, norm in zip(sizes[:-1], sizes[1:], flags, strict=True))
    if values.shape != (claimed,):
        raise InputError(f"a network of layers {sizes} has {claimed:,} numbers; got {values.size:,}")
    place = 0

    def piece(*shape: int) -> Float:
        nonlocal place
        place += math.prod(shape)
        return values[place - math.prod(shape) : place].reshape(shape)

    layers = []
    with np.errstate(over="ignore"):  # what float32 can't hold becomes inf, and is refused
        for n, m, norm in zip(sizes[:-1], sizes[1:], flags, strict=True):
            parts = [piece(n, m), piece(m), *([piece(m), piece(m)] if norm else [])]
            layers.append(Layer(*(part.astype(np.float32) for part in parts)))
    network = Network(
        layers=tuple(layers),
        activation=outline.activation,
        dropout=outline.dropout,
        input_dropout=outline.input_dropout,
        family=outline.family,
        mean=piece(outline.features),
        scale=piece(outline.features),
        center=piece(outline.units[-1]),
        spread=outline.spread,
        noise=outline.noise,
    )
    check(network)
    return network


def check(network: Network) -> None:
    """Refuse a network that can't be computed.

    Raises
    ------
    InputError
        Shapes don't chain, a number isn't finite, or an option is unknown.
    """
    if network.family not in FAMILIES or network.activation not in ACTIVATIONS:
        raise InputError(
            f"unknown family {network.family!r} or activation {network.activation!r}; expected one of "
            f"{', '.join(FAMILIES)} and one of {', '.join(ACTIVATIONS)}"
        )
    check_rate("dropout", network.dropout)
    check_rate("input_dropout", network.input_dropout)
    p, k = network.n_features, network.n_outputs
    if (k < 2) if network.family == "multinomial" else (k != 1):
        raise InputError(f"a {network.family} network has {k} outputs")
    for name, values, size in (("mean", network.mean, p), ("scale", network.scale, p), ("center", network.center, k)):
        if values.shape != (size,) or not np.isfinite(values).all():
            raise InputError(f"{name} of a network has shape {values.shape}; expected ({size},), finite numbers")
    if not (network.scale > 0.0).all() or not 0.0 < network.spread < math.inf:
        raise InputError("scale and spread of a network must be above 0 and finite")
    if not math.isnan(network.noise) and not 0.0 <= network.noise < math.inf:
        raise InputError(f"noise of a network must be at least 0, or NaN where it isn't known; got {network.noise}")
    _check_layers(network)


def _check_layers(network: Network) -> None:
    inputs = network.n_features
    for number, layer in enumerate(network.layers, 1):
        units = int(layer.bias.size)
        if layer.weight.shape != (inputs, units) or any(a.shape != (units,) for a in layer.arrays[1:]):
            raise InputError(f"layer {number} has shape {layer.weight.shape}; expected ({inputs}, {units})")
        if units < 1 or (layer.gain is None) != (layer.shift is None):
            raise InputError(f"layer {number} has {units} units, or half a layer normalisation")
        if any(a.dtype != np.float32 or not np.isfinite(a).all() for a in layer.arrays):
            raise InputError(f"layer {number} holds a number that isn't finite, or isn't float32")
        inputs = units
    if not network.layers or inputs != network.n_outputs or network.layers[-1].gain is not None:
        raise InputError(f"the last layer must be linear with {network.n_outputs} outputs; got {inputs}")
