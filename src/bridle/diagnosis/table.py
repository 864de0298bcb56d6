"""The features that alternatives see of a table that was made for somebody else's estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError

Float = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_LEVELS = 50  # a text column with more distinct values says little in a table of this kind


@dataclass(frozen=True, eq=False)
class FrameDesign:
    """A table whose encoding is learned from training rows: a scikit-learn transformer as a ``FoldDesign``."""

    frame: Any  # (n, columns) table or array
    transformer: Any  # unfitted; turns the frame into a matrix

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the table (not of the matrix, which depends on the training rows)."""
        return (int(self.frame.shape[0]), int(self.frame.shape[1]))

    def for_rows(self, train: IntArray | None) -> Any:
        """Matrix of all rows, encoded as learned from ``train`` (all rows if None)."""
        from sklearn.base import clone

        rows = self.frame if train is None else take_rows(self.frame, train)
        return clone(self.transformer).fit(rows).transform(self.frame)


def take_rows(table: Any, rows: IntArray) -> Any:
    """Rows of an array, sparse matrix, pandas or polars frame, or list."""
    if hasattr(table, "iloc"):
        return table.iloc[rows]
    if isinstance(table, list | tuple):
        return [table[i] for i in rows]
    return table[rows]


def matrix_for(X: Any, train: IntArray) -> Any:
    """(n, p) matrix of all rows, with everything learned from the training rows."""
    return X.for_rows(train) if hasattr(X, "for_rows") else X


def n_rows_of(X: Any) -> int:
    """Number of rows of an array, sparse matrix, frame or list."""
    shape = getattr(X, "shape", None)
    return int(shape[0]) if shape else len(X)


def challenger_features(X: Any) -> tuple[Any, tuple[str, ...]]:
    """Numeric features of any table: numbers as they are, text as indicators, gaps filled with the training median.

    Parameters
    ----------
    X : (n, p) array, sparse matrix, or pandas, polars or Arrow table
        Not changed.

    Returns
    -------
    features, notes
        A matrix, or a FoldDesign where something must be learned from the training rows; and what was left out.

    Raises
    ------
    InputError
        Nothing usable is left.
    """
    from scipy import sparse

    if sparse.issparse(X):
        return sparse.csr_array(X).astype(np.float64), ()
    numbers, levels, notes = _columns(X)
    if not numbers and not levels:
        raise InputError("no column of X can be used by the alternatives: all are text with many values, or empty")
    if not levels and all(np.isfinite(c).all() for c in numbers):
        return np.column_stack(numbers), tuple(notes)
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    matrix = np.column_stack([*numbers, *levels])
    matrix[~np.isfinite(matrix)] = np.nan
    k = len(numbers)
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    indicate = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    steps = [("numbers", fill, np.arange(k)), ("levels", indicate, np.arange(k, matrix.shape[1]))]
    return FrameDesign(matrix, ColumnTransformer([s for s in steps if len(s[2])])), tuple(notes)


def _columns(X: Any) -> tuple[list[Float], list[Float], list[str]]:
    """Numeric columns, coded text columns, and notes."""
    numbers, levels, notes = [], [], []
    for name, values in _named(X):
        try:
            numeric = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            text = np.array(["" if v is None or v != v else str(v) for v in values])  # noqa: PLR0124 (NaN of any type)
            found, codes = np.unique(text, return_inverse=True)
            if len(found) > MOST_LEVELS:
                notes.append(f"the alternatives don't use {name}: text with {len(found)} distinct values")
            else:
                levels.append(codes.astype(np.float64))
        else:
            if np.isfinite(numeric).any():
                numbers.append(numeric)
    return numbers, levels, notes


def _named(X: Any) -> list[tuple[str, Any]]:
    if isinstance(X, np.ndarray):
        if X.ndim != 2:
            raise InputError(f"X has shape {X.shape}; expected rows and columns")
        return [(f"column {j}", X[:, j]) for j in range(X.shape[1])]
    import narwhals as nw

    try:
        frame = nw.from_native(X, eager_only=True)
    except TypeError:
        raise InputError(f"X is a {type(X).__name__}; expected an array, sparse matrix or data frame") from None
    out = []
    for name in frame.columns:
        column = frame[name]
        if column.dtype.is_temporal():
            column = column.cast(nw.Datetime("us")).cast(nw.Int64).cast(nw.Float64) / 86_400e6
        elif column.dtype.is_numeric() or column.dtype == nw.Boolean:
            column = column.cast(nw.Float64)
        out.append((name, column.to_numpy() if column.dtype == nw.Float64 else column.to_list()))
    return out
