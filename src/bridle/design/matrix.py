"""The matrix that models are fitted on, with the meaning of its columns and the pattern of its missing cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Float = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Design:
    """n rows of p numeric features.

    ``matrix`` has no missing cells: they hold the value that the encoder learned from its training rows. Inside a fold
    :meth:`for_rows` fills them from that fold's training rows instead, so nothing leaks from held-out rows; products
    and splines of such cells are then made anew.
    """

    matrix: Any  # (n, p) Fortran ordered array, or csc_array; an array that was usable as it came keeps its order
    feature_names: tuple[str, ...]  # (p,), "age", "thal = fixed", "chol (missing)"
    source: tuple[str, ...]  # (p,), the table column of each feature
    indicator: tuple[bool, ...]  # (p,), whether the feature is 0 or 1 for a level or for being missing
    gaps: tuple[tuple[int, Index], ...] = ()  # (column, its imputed rows, ascending)
    how: str = "mean"  # "mean" or "median"
    weights: Float | None = None  # (n,), for the means
    n_missing: Mapping[str, int] = field(default_factory=dict)  # table column -> rows in which it is missing
    unseen: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (table column, level) -> rows
    groups: tuple[str, ...] = ()  # (p,), features of one label enter a model together; by default those of a column
    base: Design | None = None  # the encoded columns that terms are made of, where some of their cells are imputed
    recipe: Any = None  # bridle.design.terms.Recipe, with ``base``

    def __post_init__(self) -> None:
        if not self.groups:
            object.__setattr__(self, "groups", self.source)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        n, p = self.matrix.shape
        return int(n), int(p)

    @property
    def is_sparse(self) -> bool:
        """Whether the matrix is a csc_array."""
        return not isinstance(self.matrix, np.ndarray)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about levels that never occurred in training."""
        if not self.unseen:
            return ()
        shown = ", ".join(f"{c} = {level} ({k} rows)" for (c, level), k in list(self.unseen.items())[:6])
        more = f" and {len(self.unseen) - 6} more" if len(self.unseen) > 6 else ""
        return (f"Levels that never occurred in training: {shown}{more}.",)

    def is_indicator(self, j: int) -> bool:
        """Whether feature ``j`` is 0 or 1 for a level or for being missing."""
        return self.indicator[j]

    def for_rows(self, train: Index | None) -> Any:
        """Return the matrix (n, p) of all rows, missing cells filled from the rows ``train`` only.

        Without missing cells, or with ``train`` None, this is :attr:`matrix` itself, not a copy. A column without a
        known cell in ``train`` keeps the encoder's value.
        """
        if train is not None and self.base is not None:
            changed = {j for j, _ in self.base.gaps}
            return self.recipe.refill(self.matrix, self.base.for_rows(train), changed)
        if train is None or not self.gaps:
            return self.matrix
        inside = np.zeros(self.shape[0], dtype=bool)
        inside[train] = True
        if isinstance(self.matrix, np.ndarray):
            filled = np.array(self.matrix, order="F")
            for j, rows in self.gaps:
                filled[rows, j] = self._fill(filled[:, j], rows, inside, float(filled[rows[0], j]))
            return filled
        matrix = self.matrix
        data = matrix.data.copy()
        for j, rows in self.gaps:
            start, stop = matrix.indptr[j], matrix.indptr[j + 1]
            at = start + np.searchsorted(matrix.indices[start:stop], rows)
            column = np.zeros(self.shape[0])
            column[matrix.indices[start:stop]] = data[start:stop]
            data[at] = self._fill(column, rows, inside, float(data[at[0]]))
        return sparse.csc_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def _fill(self, column: NDArray[Any], gaps: Index, inside: NDArray[np.bool_], otherwise: float) -> float:
        known = inside.copy()
        known[gaps] = False
        weights = None if self.weights is None else self.weights[known]
        return center(column[known], weights, self.how, otherwise)

    def filled(self) -> Design:
        """Return the same design with its missing cells settled: :meth:`for_rows` is then always :attr:`matrix`."""
        return replace(self, gaps=(), base=None)

    def take(self, rows: Index | NDArray[np.bool_]) -> Design:
        """Return the design of some rows (numbers, also repeated ones, or a mask)."""
        given = np.asarray(rows)
        index: Index = np.flatnonzero(given) if given.dtype == bool else given.astype(np.int64)
        if isinstance(self.matrix, np.ndarray):
            matrix: Any = np.empty((index.size, self.shape[1]), dtype=self.matrix.dtype, order="F")
            np.take(self.matrix.T, index, axis=1, out=matrix.T, mode="clip")  # other modes buffer the whole output
        else:
            matrix = sparse.csc_array(self.matrix[index])
            matrix.sort_indices()
        gaps = []
        for j, missing in self.gaps:
            gone = np.zeros(self.shape[0], dtype=bool)
            gone[missing] = True
            new = np.flatnonzero(gone[index])
            if new.size:
                gaps.append((j, new))
        weights = None if self.weights is None else self.weights[index]
        base = None if self.base is None else self.base.take(index)
        return replace(self, matrix=matrix, gaps=tuple(gaps), weights=weights, n_missing={}, unseen={}, base=base)


def center(values: NDArray[Any], weights: Float | None, how: str, otherwise: float) -> float:
    """Weighted mean or (lower) weighted median of ``values`` (m,); ``otherwise`` if no value has weight."""
    if values.size == 0 or (weights is not None and not weights.any()):
        return otherwise
    if how == "mean":
        return float(np.average(values, weights=weights))
    if weights is None:
        return float(np.median(values))
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(reached, 0.5 * reached[-1])]])
