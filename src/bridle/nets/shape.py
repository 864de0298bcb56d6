"""Where each weight of a network lies in the flat rows that are trained, and how it starts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridle.nets.settings import Architecture

Single = NDArray[np.float32]

OUTPUT_START = 0.1  # the output layer starts this much smaller: training then starts near the null model


class Others(NamedTuple):
    """What of a layer isn't penalised, as (M, 1, units) tensors."""

    bias: Any
    gain: Any = None
    shift: Any = None


class Shape:
    """Widths of a multi-layer perceptron, and the layout of its parameters.

    Parameters
    ----------
    inputs : int
        Features.
    architecture : Architecture
        Hidden layers.
    outputs : int
        Links of a row.
    features : int, optional
        What the first layer's starting weights are scaled by, where its inputs are combinations of so many features.
    """

    def __init__(self, inputs: int, architecture: Architecture, outputs: int, *, features: int | None = None) -> None:
        self._fan_in = (features or inputs, *architecture.hidden)
        self.inputs, self.hidden = inputs, architecture.hidden
        self.activation, self.normalization = architecture.activation, architecture.normalization
        self.widths = (inputs, *architecture.hidden, outputs)
        self._weights = [(a, b) for a, b in pairwise(self.widths)]
        normalised = self.normalization is not None
        self._others = [(3 if normalised else 1, h) for h in self.hidden] + [(1, outputs)]
        ends = np.cumsum([0, *self.hidden]).tolist()
        self._moments = [slice(a, b) for a, b in pairwise(ends)]
        self._n_normalised = ends[-1]

    # Starting values --------------------------------------------------------------------------------------------

    def first_weights(self, seed: int, varies: NDArray[np.bool_]) -> Single:
        """Normal weights of variance 1 / inputs (LeCun et al. 1998), the output layer's smaller still.

        Twice that variance (He et al. 2015) keeps the size of signals through many relu layers; tables need few layers,
        and starting smaller generalises better there (docs/decisions/0303).

        Those of features that don't vary (``varies``, (p,)) are 0 and stay so: nothing would ever train them, and rows
        on which these features do differ would be predicted with noise.
        """
        rng = np.random.default_rng(seed)
        parts = []
        for k, (a, b) in enumerate(self._weights):
            last = k == len(self._weights) - 1
            scale = (OUTPUT_START if last else 1.0) * np.sqrt(1.0 / self._fan_in[k])
            parts.append(scale * rng.standard_normal(a * b, dtype=np.float32))
        parts[0].reshape(-1, self.widths[1])[~varies] = 0.0
        return np.concatenate(parts).astype(np.float32)

    def first_others(self) -> Single:
        """Biases and shifts of 0, gains of 1."""
        return np.concatenate(
            [np.concatenate([np.full(units, float(row == 1)) for row in range(rows)]) for rows, units in self._others]
        ).astype(np.float32)

    def first_moments(self) -> Single:
        """Running means of 0, variances of 1; nothing without batch normalisation."""
        n = self._n_normalised if self.normalization == "batch" else 0
        return np.concatenate([np.zeros(n), np.ones(n)]).astype(np.float32)

    # Layout -----------------------------------------------------------------------------------------------------

    def split(self, weights: Any, others: Any) -> tuple[list[Any], list[Others]]:
        """Weights (M, a, b) and unpenalised parameters of each layer, as views of the flat rows."""
        flat = weights.split([a * b for a, b in self._weights], dim=1)
        parts = others.split([units for rows, units in self._others for _ in range(rows)], dim=1)
        found, at = [], 0
        for rows, _ in self._others:
            found.append(Others(*(v[:, None] for v in parts[at : at + rows])))
            at += rows
        return [w.view(-1, a, b) for w, (a, b) in zip(flat, self._weights, strict=True)], found

    def moments_at(self, k: int) -> tuple[slice, slice]:
        """Where the running mean and variance of hidden layer ``k`` lie."""
        at, n = self._moments[k], self._n_normalised
        return at, slice(n + at.start, n + at.stop)

    def activate(self, torch: Any, z: Any) -> Any:
        """Apply the activation."""
        return torch.nn.functional.gelu(z) if self.activation == "gelu" else getattr(torch, self.activation)(z)

    def layers(self, weights: Single, others: Single, moments: Single, *, epsilon: float) -> list[tuple[Single, ...]]:
        """Weight, bias and layer normalisation of each layer of one model; batch normalisation is folded in."""
        found: list[tuple[Single, ...]] = []
        w_at = o_at = 0
        for k, ((a, b), (rows, units)) in enumerate(zip(self._weights, self._others, strict=True)):
            weight = weights[w_at : w_at + a * b].reshape(a, b)
            own = others[o_at : o_at + rows * units].reshape(rows, units)
            w_at, o_at = w_at + a * b, o_at + rows * units
            if rows == 1 or self.normalization == "layer":
                found.append((weight.copy(), *(v.copy() for v in own)))
                continue
            at = self.moments_at(k)
            size = own[1].astype(np.float64) / np.sqrt(moments[at[1]].astype(np.float64) + epsilon)
            bias = (own[0].astype(np.float64) - moments[at[0]]) * size + own[2]
            found.append(((weight * size).astype(np.float32), bias.astype(np.float32)))
        return found
