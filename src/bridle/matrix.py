"""The matrix of a problem as the core reads it: where it lies, unless it can't be read there or is cheaper to copy."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from bridle import _core
from bridle.errors import InputError

COPIED = 1 << 30  # bytes of a table by rows, up to which it's copied


def by_columns(X: Any) -> Any:
    """Return X, or a copy by columns of a dense table that is stored by rows.

    A solver reads some columns again and again. Of a table by rows that is all of it, and takes up to five times as
    long, where copying costs a few passes. Tables beyond 1 GiB are read as they are.

    Parameters
    ----------
    X : (n, p)
        Array, sparse matrix, data frame, or nested lists, unchecked.

    Returns
    -------
    array, or X
        The same numbers.
    """
    if sparse.issparse(X) or not hasattr(X, "__array__"):
        return X
    dense = np.asarray(X)
    if dense.ndim != 2 or dense.nbytes > COPIED or dense.flags.f_contiguous or not dense.flags.c_contiguous:
        return dense
    return np.asfortranarray(dense)


def as_design(X: Any) -> tuple[_core.Design, Any]:
    """Return (view, matrix that it looks into); only what the core can't read is converted.

    Parameters
    ----------
    X : (n, p)
        Array, sparse matrix or data frame.

    Returns
    -------
    tuple
        The design, and the object whose memory it reads.

    Raises
    ------
    InputError
        X isn't a matrix of numbers with at least one row and one column.
    """
    if sparse.issparse(X):
        if X.ndim != 2 or 0 in X.shape:
            raise InputError(f"X has shape {X.shape}; expected at least one row and one column")
        csc = X if X.format == "csc" else X.tocsc()
        if not csc.has_canonical_format:
            csc = csc.copy()
            csc.sum_duplicates()
        data = csc.data if csc.data.dtype in (np.float64, np.float32) else csc.data.astype(np.float64)
        indices, starts = csc.indices, csc.indptr
        if indices.dtype != starts.dtype or indices.dtype not in (np.int32, np.int64):
            indices, starts = indices.astype(np.int64), starts.astype(np.int64)
        view = sparse.csc_array((data, indices, starts), shape=X.shape)
        return _core.sparse(data, indices, starts, X.shape[0]), view
    try:
        dense = np.asarray(X)
        if dense.dtype not in (np.float64, np.float32):
            dense = dense.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"X can't be read as a matrix of numbers: {error}") from None
    if dense.ndim != 2 or 0 in dense.shape:
        raise InputError(f"X has shape {dense.shape}; expected two dimensions, at least one row and one column")
    if dense.dtype.byteorder not in "=|" or dense.itemsize not in dense.strides or min(dense.strides) < 0:
        dense = np.asfortranarray(dense, dtype=dense.dtype.newbyteorder("="))
    return _core.dense(dense), dense
