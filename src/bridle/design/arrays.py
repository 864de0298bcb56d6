"""Encoding plain numeric arrays, dense or CSC: every column is a number, and as little as possible is copied."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.data.matrices import dense_columns, missing_rows
from bridle.design.columns import ColumnCode, Encoded, is_flagged, moments
from bridle.design.matrix import center

Float = NDArray[np.float64]
Index = NDArray[np.int64]


def missing_cells(matrix: Any) -> dict[int, Index]:
    """Map each column with missing cells to their rows."""
    if not isinstance(matrix, np.ndarray):
        at = np.flatnonzero(np.isnan(matrix.data)) if matrix.dtype.kind == "f" else np.empty(0, dtype=np.int64)
        columns = np.searchsorted(matrix.indptr, at, side="right") - 1
        return {int(j): np.sort(matrix.indices[at[columns == j]]).astype(np.int64) for j in np.unique(columns)}
    found: dict[int, Index] = {}
    if matrix.dtype.kind == "f" and missing_rows(matrix).any():
        for start, block in dense_columns(matrix):
            gone = np.isnan(block)
            found |= {start + int(j): np.flatnonzero(gone[:, j]) for j in np.flatnonzero(gone.any(axis=0))}
    return found


def dense_matrix(matrix: Any, gone: dict[int, Index], codes: tuple[ColumnCode, ...], dtype: str) -> Any:
    """Return (n, p + flags) features of a dense matrix (n, p); the matrix itself if nothing has to change."""
    flagged, place = flags(codes), places(codes)
    if not gone and not flagged:
        usable = matrix.dtype == dtype and (matrix.flags.f_contiguous or matrix.flags.c_contiguous)
        return matrix if usable else np.asarray(matrix, dtype=dtype, order="F")
    values = np.zeros((matrix.shape[0], place.size + len(flagged)), dtype=dtype, order="F")
    values[:, place] = matrix
    for j, rows in gone.items():
        values[rows, place[j]] = codes[j].fill
    for j in flagged:
        values[gone.get(j, []), place[j] + 1] = 1.0
    return values


def sparse_matrix(matrix: Any, gone: dict[int, Index], codes: tuple[ColumnCode, ...], dtype: str) -> Any:
    """Return (n, p + flags) features of a CSC matrix (n, p)."""
    flagged = flags(codes)
    values = sparse.csc_array(matrix, dtype=dtype, copy=bool(gone))
    values.sort_indices()
    for j, rows in gone.items():
        start, stop = values.indptr[j], values.indptr[j + 1]
        values.data[start + np.searchsorted(values.indices[start:stop], rows)] = codes[j].fill
    if not flagged:
        return values
    parts, done = [], 0
    for j in flagged:
        rows = gone.get(j, np.empty(0, dtype=np.int64))
        flag = sparse.csc_array((np.ones(rows.size), (rows, np.zeros(rows.size, dtype=np.int64))), (matrix.shape[0], 1))
        parts += [values[:, done : j + 1], flag.astype(dtype)]
        done = j + 1
    stacked = sparse.csc_array(sparse.hstack([*parts, values[:, done:]], format="csc"))
    stacked.sort_indices()
    return stacked


def flags(codes: tuple[ColumnCode, ...]) -> list[int]:
    """Columns whose being missing is a feature."""
    return [j for j, code in enumerate(codes) if code.missing]


def places(codes: tuple[ColumnCode, ...]) -> Index:
    """(p,) position of each column among the features: flags lie beside their columns."""
    return np.cumsum([0, *(1 + code.missing for code in codes)])[:-1]


def learn_columns(
    matrix: Any, names: list[str], gone: dict[int, Index], policy: str, weights: Float | None
) -> tuple[tuple[ColumnCode, ...], tuple[float, ...], tuple[float, ...]]:
    """Learn codes, means and scales of the features from training rows (n, p)."""
    n = matrix.shape[0]
    how = "median" if policy == "median" else "mean"
    codes: list[ColumnCode] = []
    means: list[float] = []
    scales: list[float] = []
    for j, name in enumerate(names):
        column = matrix[:, j] if isinstance(matrix, np.ndarray) else matrix[:, [j]].toarray()[:, 0]
        x = np.array(column, dtype=np.float64)
        absent = gone.get(j, np.empty(0, dtype=np.int64))
        known = np.ones(n, dtype=bool)
        known[absent] = False
        fill = center(x[known], None if weights is None else weights[known], how, 0.0)
        x[absent] = fill
        code = ColumnCode(name, "number", missing=policy == "indicator" and is_flagged(absent.size, n), fill=fill)
        mean, scale = moments(code, Encoded(x, None, absent, absent, {}), weights)
        codes.append(code)
        means += mean
        scales += scale
    return tuple(codes), tuple(means), tuple(scales)
