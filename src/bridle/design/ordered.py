"""Ordered categories by steps: feature k is 1 for the levels from the (k+1)th on, so its coefficient is one step.

With levels 0..K the effect of level l is the sum of its first l steps. A lasso on the steps is therefore the fused
lasso on the effects: a step of exactly 0 makes its two levels one.

References
----------
Gertheiss, J. and Tutz, G. (2010). Sparse modeling of categorial explanatory variables. Annals of Applied Statistics.
Tibshirani, R. et al. (2005). Sparsity and smoothness via the fused lasso. JRSS B.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bridle.data.values import as_text
from bridle.design.matrix import center

if TYPE_CHECKING:
    import polars as pl

Float = NDArray[np.float64]
Index = NDArray[np.int64]


def observed(series: pl.Series, declared: Sequence[str]) -> tuple[str, ...]:
    """Give the levels that occur in the training rows, in their order."""
    found = set(as_text(series, keep=declared).drop_nulls().unique().to_list())
    return tuple(level for level in declared if level in found)


def step_table(declared: Sequence[str], levels: Sequence[str]) -> Float:
    """(D, K) steps of each declared level: between two levels seen in training lies half of the step between them."""
    place = {level: d for d, level in enumerate(declared)}
    at = np.array([place[level] for level in levels])
    d = np.arange(len(declared))[:, None]
    inside = (d > at[:-1]) & (d < at[1:])
    return np.where(inside, 0.5, (d >= at[1:]).astype(float))


def ordered_cells(
    series: pl.Series, declared: Sequence[str], levels: Sequence[str], fills: Sequence[float] | None
) -> tuple[Float, Index, Index, dict[str, int]]:
    """Turn a column into its steps.

    Parameters
    ----------
    series : polars.Series of length m
        Cells of any type.
    declared, levels : sequence of str
        All levels and those with rows in training, lowest first.
    fills : (K,) or None
        Steps that stand for a missing cell or an unknown level; None leaves NaN.

    Returns
    -------
    steps : (m, K)
    missing, gaps : int arrays
        Rows in which the cell is missing, and those that were filled.
    unseen : dict
        Rows of each level that never occurred in training.
    """
    import polars as pl

    labels = as_text(series, keep=declared)
    position = {level: d for d, level in enumerate(declared)}
    index = labels.replace_strict(list(position), list(position.values()), default=-1, return_dtype=pl.Int64)
    codes = index.fill_null(-1).to_numpy()
    table = np.vstack([step_table(declared, levels), np.full((1, len(levels) - 1), np.nan)])
    steps = np.asfortranarray(table[codes])  # -1 is the last row
    gaps = np.flatnonzero(codes < 0)
    if fills is not None:
        steps[gaps] = fills
    found = labels.drop_nulls().unique().to_list()
    unseen = {v: int((labels == v).sum()) for v in found if v not in levels}
    return steps, np.flatnonzero(labels.is_null().to_numpy()), gaps, unseen


def learn_fills(steps: Float, weights: Float | None, how: str) -> tuple[float, ...]:
    """(K,) means or medians of the steps (m, K) over the rows in which they are known."""
    known = np.isfinite(steps[:, 0])
    w = None if weights is None else weights[known]
    return tuple(center(column[known], w, how, 0.5) for column in steps.T)
