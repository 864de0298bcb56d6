"""What a network looks like, and how it is trained: two frozen values, checked once."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

from bridle.errors import InputError

ACTIVATIONS = ("relu", "tanh", "gelu")
NORMALIZATIONS = (None, "batch", "layer")
FAMILIES = ("gaussian", "binomial", "multinomial", "poisson")


@dataclass(frozen=True)
class Architecture:
    """A multi-layer perceptron: linear, normalisation, activation and dropout for each hidden layer, then a linear one.

    Parameters
    ----------
    hidden : tuple of int
        Units of each hidden layer; empty for a linear model.
    activation : {"relu", "tanh", "gelu"}
        After every hidden layer.
    normalization : {None, "batch", "layer"}
        Before every activation: batch normalisation (Ioffe and Szegedy 2015) or layer normalisation (Ba, Kiros and
        Hinton 2016).

    Raises
    ------
    InputError
        A value is outside its range.
    """

    hidden: tuple[int, ...] = (64, 64)
    activation: str = "relu"
    normalization: str | None = None

    def __post_init__(self) -> None:
        whole = all(isinstance(h, numbers.Integral) and not isinstance(h, bool) and h >= 1 for h in self.hidden)
        if not isinstance(self.hidden, tuple) or not whole:
            raise InputError(f"hidden must be a tuple of whole numbers >= 1, one per layer; got {self.hidden!r}")
        if self.activation not in ACTIVATIONS:
            raise InputError(f"unknown activation {self.activation!r}; expected one of {', '.join(ACTIVATIONS)}")
        if self.normalization not in NORMALIZATIONS:
            raise InputError(f"unknown normalization {self.normalization!r}; expected None, 'batch' or 'layer'")


@dataclass(frozen=True)
class Training:
    """How networks are trained: Adam (Kingma and Ba 2015) with decoupled penalties, and early stopping.

    Parameters
    ----------
    learning_rate : float
        Of Adam.
    batch_size : int, optional
        Rows of a step; by default about a sixteenth of the training rows, between 32 and 512.
    max_epochs : int
        Passes over the training rows at most.
    patience : int
        Epochs without a better validation loss after which training stops; the best weights are kept.
    tol : float
        Relative gain of the validation loss that counts as better.
    l1 : float
        L1 penalty on all weights by a proximal step of ``learning_rate * l1``: exact zeros.
    l2 : float
        L2 penalty on all weights, decoupled from Adam's scaling (Loshchilov and Hutter 2019).
    group_l1 : float
        Group lasso over the first layer's weights of each feature: a feature goes out as a whole.
    input_dropout : float
        Share of features dropped in every step.
    early_stopping : bool
        Whether validation rows are set aside; else training runs for ``max_epochs``.
    validation_fraction : float
        Share of the training rows set aside.

    Raises
    ------
    InputError
        A value is outside its range.
    """

    learning_rate: float = 2e-3
    batch_size: int | None = None
    max_epochs: int = 200
    patience: int = 15
    tol: float = 1e-4
    l1: float = 0.0
    l2: float = 1.0
    group_l1: float = 0.0
    input_dropout: float = 0.0
    early_stopping: bool = True
    validation_fraction: float = 0.15

    def __post_init__(self) -> None:
        _number("learning_rate", self.learning_rate, 0.0, math.inf, open_low=True)
        if self.batch_size is not None:
            _whole("batch_size", self.batch_size)
        _whole("max_epochs", self.max_epochs)
        _whole("patience", self.patience)
        for name in ("tol", "l1", "l2", "group_l1"):
            _number(name, getattr(self, name), 0.0, math.inf)
        check_rate("input_dropout", self.input_dropout)
        _number("validation_fraction", self.validation_fraction, 0.0, 0.9, open_low=True)


def check_rate(name: str, rate: Any) -> float:
    """Return a dropout rate as a float.

    Raises
    ------
    InputError
        It isn't in [0, 1): with a rate of 1 nothing would be left.
    """
    real = isinstance(rate, numbers.Real) and not isinstance(rate, bool)
    if not real or not 0.0 <= rate < 1.0:
        raise InputError(f"{name} must be a share from 0 (none) to below 1 (all) of the units; got {rate!r}")
    return float(rate)


def _number(name: str, value: Any, low: float, high: float, *, open_low: bool = False) -> None:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or value < low or value > high or (open_low and value == low):
        upper = "" if high == math.inf else f" and at most {high:g}"
        raise InputError(f"{name} must be a number {'above' if open_low else 'from'} {low:g}{upper}; got {value!r}")


def _whole(name: str, value: Any) -> None:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} must be a whole number >= 1; got {value!r}")
