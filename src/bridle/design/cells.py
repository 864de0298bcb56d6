"""Collecting encoded cells, column by column, in a dense or a mostly empty matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.design.columns import ColumnCode, Encoded

Float = NDArray[np.float64]
Index = NDArray[np.int64]


class DenseCells:
    """Fills a Fortran ordered matrix column by column: no second copy of the whole."""

    def __init__(self, n: int, p: int, dtype: str) -> None:
        self.matrix = np.zeros((n, p), dtype=dtype, order="F")

    def add(self, j: int, code: ColumnCode, part: Encoded) -> None:
        """Put the cells of one table column from feature ``j`` on."""
        if part.number is not None:
            self.matrix[:, j : j + code.filled] = part.number.reshape(part.number.shape[0], -1)
            if code.missing:
                self.matrix[part.missing, j + code.filled] = 1.0
        elif part.code is not None:
            rows = np.flatnonzero(part.code >= 0)
            self.matrix[rows, j + part.code[rows]] = 1.0

    def finish(self, _: str) -> Any:
        """Return the (n, p) array."""
        return self.matrix


class SparseCells:
    """Collects the nonzero cells of a mostly empty matrix."""

    def __init__(self, n: int, p: int) -> None:
        self.shape = (n, p)
        self.rows: list[Index] = []
        self.columns: list[Index] = []
        self.values: list[Float] = []

    def add(self, j: int, code: ColumnCode, part: Encoded) -> None:
        """Put the cells of one table column from feature ``j`` on."""
        everyone = np.arange(self.shape[0])
        if part.number is not None:
            for k, values in enumerate(np.atleast_2d(part.number.T)):
                self._put(everyone, np.full(everyone.size, j + k), values)
            if code.missing:
                at = j + code.filled
                self._put(part.missing, np.full(part.missing.size, at), np.ones(part.missing.size))
        elif part.code is not None:
            rows = np.flatnonzero(part.code >= 0)
            self._put(rows, j + part.code[rows], np.ones(rows.size))

    def _put(self, rows: Index, columns: Index, values: Float) -> None:
        self.rows.append(rows)
        self.columns.append(columns)
        self.values.append(values)

    def finish(self, dtype: str) -> Any:
        """Return the (n, p) csc_array."""
        entries = (np.concatenate(self.values).astype(dtype), (np.concatenate(self.rows), np.concatenate(self.columns)))
        matrix = sparse.csc_array(sparse.coo_array(entries, shape=self.shape))
        matrix.sort_indices()
        return matrix
