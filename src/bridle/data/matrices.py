"""Plain numeric matrices, dense or CSC, as tables: what their columns are, and which cells are missing (NaN)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.data.kinds import Column
from bridle.errors import InputError

_COUNTED = 20_000_000  # cells; in larger matrices the distinct values are not counted


def dense_columns(matrix: Any, width: int = 256) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield (first column, (n, <= width) dense block) over a dense matrix, without copying it whole."""
    for start in range(0, matrix.shape[1], width):
        yield start, matrix[:, start : start + width]


def describe_matrix(matrix: Any, names: Sequence[str]) -> tuple[Column, ...]:
    """Describe the columns of a numeric matrix: all numeric, but constant and empty ones are left out.

    Numbers that run in sequence are kept: who gives an array has chosen its columns.
    """
    dense = isinstance(matrix, np.ndarray)
    n = matrix.shape[0]
    columns = []
    for j, name in enumerate(names):
        stored = matrix[:, j] if dense else matrix.data[matrix.indptr[j] : matrix.indptr[j + 1]]
        gone = np.isnan(stored) if stored.dtype.kind == "f" else np.zeros(stored.shape, dtype=bool)
        n_missing = int(gone.sum())
        known = stored[~gone] if n_missing else stored
        zeros = 0 if dense else n - stored.shape[0]
        n_distinct = _distinct(known, zeros, n * len(names))
        if known.shape[0] + zeros == 0:
            columns.append(Column(name, "empty", False, n_missing, 0, "left out: every cell is missing"))
        elif n_distinct == 1:
            value = float(known[0]) if known.shape[0] else 0.0
            columns.append(Column(name, "constant", False, n_missing, 1, f"left out: always {value:g}"))
        else:
            columns.append(Column(name, "numeric", True, n_missing, n_distinct, ""))
    return tuple(columns)


def _distinct(known: NDArray[Any], zeros: int, cells: int) -> int:
    """Count distinct values; in a very large matrix tell only 1 from more (2)."""
    if known.shape[0] == 0:
        return int(zeros > 0)
    if known.min() == known.max() and (zeros == 0 or known[0] == 0):
        return 1
    if cells > _COUNTED:
        return 2
    values = np.unique(known)
    return int(values.shape[0]) + int(zeros > 0 and not (values == 0).any())


def missing_rows(matrix: Any) -> NDArray[np.bool_]:
    """Tell (n,) which rows hold a NaN."""
    gone = np.zeros(matrix.shape[0], dtype=bool)
    if not isinstance(matrix, np.ndarray):
        gone[matrix.indices[np.isnan(matrix.data)]] = True
        return gone
    if matrix.dtype.kind == "f":
        for _, block in dense_columns(matrix):
            gone |= np.isnan(block).any(axis=1)
    return gone


def refuse_infinite_matrix(matrix: Any, names: Sequence[str], rows: NDArray[np.int64]) -> None:
    """Raise InputError with column and row of the first infinite cell."""
    if not isinstance(matrix, np.ndarray):
        at = np.flatnonzero(np.isinf(matrix.data))
        if not at.size:
            return
        column, row = int(np.searchsorted(matrix.indptr, at[0], side="right")) - 1, int(matrix.indices[at[0]])
    else:
        if matrix.dtype.kind != "f":
            return
        for start, block in dense_columns(matrix):
            infinite = np.isinf(block)
            if infinite.any():
                row, offset = (int(i) for i in np.argwhere(infinite)[0])
                column = start + offset
                break
        else:
            return
    raise InputError(
        f"column {names[column]!r} is infinite in row {int(rows[row]) + 1}; correct such cells, leave them empty "
        "(NaN), or exclude the column"
    )
