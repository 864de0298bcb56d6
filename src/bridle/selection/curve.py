"""A validation curve over model complexity: the one value where every family of models meets.

Selection rules, diagnosis and report read a :class:`Curve` and never ask which model made it: a lambda path of
the lasso and a dropout-rate path of a network look the same from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Held-out and training loss of each fold at each value of one complexity parameter.

    The loss is the weighted mean unit deviance of the rows (gaussian: squared error). Index 0 is the simplest
    model (largest lambda, largest dropout rate); complexity grows with the index.
    """

    model: str  # "lasso", "ridge", "elastic net", "dropout network", ...
    family: str  # "gaussian", "binomial", "poisson"
    parameter: str  # "lambda", "dropout rate"
    values: Float  # (L,), simplest first
    test_loss: Float  # (J, L), mean unit deviance of fold j's held-out rows
    train_loss: Float  # (J, L), the same on fold j's training rows
    test_weight: Float  # (J,), sum of the weights of the held-out rows
    n_train: NDArray[np.int64]  # (J,)
    n_test: NDArray[np.int64]  # (J,)
    n_repeats: int = 1  # J = n_repeats * folds per repeat
    l1_ratio: float = float("nan")
    scores: Mapping[str, Float] = field(default_factory=dict)  # scorer name -> (J, L), higher is better
    full_loss: Float | None = None  # (L,), training loss of the fit on all rows
    null_loss: float = float("nan")  # training loss of the null model on all rows
    df: Float | None = None  # (L,), effective degrees of freedom of the fit on all rows, intercept left out
    n_nonzero: NDArray[np.int64] | None = None  # (L,), features in the fit on all rows
    n_features: int = 0  # candidate features (EBIC needs it)
    sum_weight: float = 0.0  # effective number of rows: the sum of weights given, or n
    fit_intercept: bool = True  # whether an intercept is one more parameter beside ``df``
    gamma: float = 1.0  # share of the penalised fit in a blend with the relaxed one; 0 is the relaxed fit

    @cached_property
    def mean(self) -> Float:
        """(L,) mean held-out loss, folds weighted by the weight of their held-out rows."""
        return np.asarray(np.average(self.test_loss, axis=0, weights=self.test_weight), dtype=np.float64)

    @cached_property
    def standard_error(self) -> Float:
        """(L,) standard error of :attr:`mean` as in glmnet: weighted spread of the folds over sqrt(K - 1).

        Repeats see the same rows again, so they steady the estimate and don't shrink the error: it is the root mean
        square of the K-fold standard errors of the repeats.
        """
        folds = self.test_loss.shape[0] // self.n_repeats
        if folds < 2:
            return np.full(self.values.shape, np.nan)
        loss = self.test_loss.reshape(self.n_repeats, folds, -1)
        weight = self.test_weight.reshape(self.n_repeats, folds, 1) * np.ones_like(loss)
        with np.errstate(invalid="ignore", over="ignore"):  # an infinite loss has no spread
            spread = loss - np.average(loss, axis=1, weights=weight, keepdims=True)
            squares = np.average(spread**2, axis=1, weights=weight).mean(axis=0)
        return np.asarray(np.sqrt(squares / (folds - 1)), dtype=np.float64)

    @property
    def train_mean(self) -> Float:
        """(L,) mean training loss over the folds."""
        return np.asarray(self.train_loss.mean(axis=0), dtype=np.float64)


@dataclass(frozen=True)
class Selection:
    """The point a rule chose on one or several curves, with the numbers that made it choose."""

    rule: str  # "min", "1se", "within", "aic", "aicc", "bic", "ebic", "gcv", or a scorer's name
    curve: int  # which of the curves given (one per l1_ratio)
    index: int  # which value on that curve
    value: float  # lambda or dropout rate
    l1_ratio: float
    criterion: float  # the minimised (or maximised) number at the choice
    loss: float  # mean held-out loss at the choice
    standard_error: float
    reason: str  # one sentence for people
    gamma: float = 1.0  # share of the penalised fit; below 1 where relaxed fits were to choose from
