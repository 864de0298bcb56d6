"""Linear predictors of some rows at all lambdas of a path, a block of lambdas at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.path import Path

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_BLOCK = 1 << 20  # linear predictors held at a time (8 MB)


def take_rows(X: Any, rows: Int) -> Any:
    """Give the rows of a matrix in its own memory order, as a view where they are consecutive."""
    if sparse.issparse(X):
        return X[rows]
    if rows.size and rows[-1] - rows[0] + 1 == rows.size:
        return X[rows[0] : rows[-1] + 1]
    if X.flags.f_contiguous and not X.flags.c_contiguous:
        return np.take(X.T, rows, axis=1).T
    return X[rows]


def predictors(path: Path, X: Any, offset: Float | None, rows: Int | None) -> Iterator[tuple[int, Float]]:
    """Give linear predictors of some rows in blocks of lambdas.

    Parameters
    ----------
    path : Path
        The fits.
    X : (n, p)
        Features.
    offset : (m,) or None
        Of the rows.
    rows : (m,) or None
        Which; None is all.

    Yields
    ------
    tuple
        The first lambda's index, and (m, block), or (m, K, block) for several predictors.
    """
    if path.intercept.ndim == 2:
        Z = X if rows is None else take_rows(X, rows)
        yield 0, path.linear_predictor(Z, offset)
        return
    used = np.unique(path.coef_sparse.indices)
    few = 2 * used.size < X.shape[1]
    Z = X[:, used] if few else X
    Z = Z if rows is None else take_rows(Z, rows)
    Z = Z if few or used.size == X.shape[1] else Z[:, used]
    coef, step = path.coef_sparse[:, used].toarray(), max(1, _BLOCK // max(Z.shape[0], 1))
    for start in range(0, len(path.lambdas), step):
        eta = np.asarray(Z @ coef[start : start + step].T) + path.intercept[start : start + step]
        yield start, eta if offset is None else eta + offset[:, None]
