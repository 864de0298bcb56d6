"""A trained multi-layer perceptron in NumPy: what is saved, predicts and explains, with no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Layer:
    """z -> z W + b, then layer normalisation where there is one; batch normalisation is folded into W and b."""

    weight: NDArray[np.float32]  # (inputs, units)
    bias: NDArray[np.float32]  # (units,)
    gain: NDArray[np.float32] | None = None  # (units,), of layer normalisation
    shift: NDArray[np.float32] | None = None  # (units,)


@dataclass(frozen=True, eq=False)
class Network:
    """eta = center + spread * f((x - mean) / scale), f the layers; hidden ones end with activation and dropout.

    Dropout is inverted: what is kept is divided by 1 - rate in training, so that nothing changes at prediction
    (Srivastava et al. 2014, section 10).
    """

    layers: tuple[Layer, ...]  # hidden layers, then the output layer
    activation: str  # "relu", "tanh" or "gelu"
    dropout: float  # rate of hidden units
    input_dropout: float  # rate of standardised features
    family: str  # "gaussian", "binomial", "multinomial" or "poisson"
    mean: Float  # (p,), of the training rows; 0 for sparse input
    scale: Float  # (p,), 1 for constant features
    center: Float  # (k,), added to the output: gaussian the training mean of y, else 0
    spread: float  # multiplies the output: gaussian the training standard deviation of y, else 1
    noise: float = float("nan")  # gaussian: standard deviation of y around its mean on rows not trained on

    @property
    def n_features(self) -> int:
        """Features, p."""
        return int(self.mean.size)

    @property
    def n_outputs(self) -> int:
        """Outputs, k: the classes of a multinomial network, else 1."""
        return int(self.center.size)

    def link(self, X: Any, offset: Float | None = None) -> Float:
        """(n,) linear predictors of the rows of X (n, p), dense or sparse; (n, k) for a multinomial network."""
        raise NotImplementedError
