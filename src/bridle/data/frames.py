"""Tables that are in memory already: pandas, polars, Arrow, any frame narwhals knows, NumPy, SciPy sparse, dicts."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bridle.data.text import check_names
from bridle.errors import InputError

if TYPE_CHECKING:
    import polars as pl
    from scipy import sparse


_GONE = ("NAType", "NaTType")


def frame_from(source: Any) -> pl.DataFrame | None:
    """Turn any data frame into a polars one, or return None if ``source`` is no frame; numbers are not copied twice."""
    import polars as pl

    frame = _frame_from(source)
    objects = [] if frame is None else [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    return frame.with_columns(_series(name, frame[name].to_list()) for name in objects) if frame is not None else None


def _frame_from(source: Any) -> pl.DataFrame | None:
    import polars as pl

    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    if isinstance(source, Mapping):
        return _from_mapping(source)
    kind = type(source).__module__.split(".")[0]
    if kind == "pandas" and hasattr(source, "columns"):
        return _from_pandas(source)
    if kind == "pyarrow" and hasattr(source, "column_names"):
        check_names(tuple(source.column_names), "Arrow table")
    if hasattr(source, "__arrow_c_stream__"):
        return pl.DataFrame(source)
    return _from_narwhals(source)


def _from_mapping(source: Mapping[Any, Any]) -> pl.DataFrame:
    import polars as pl

    lengths = {str(k): len(v) if hasattr(v, "__len__") and not isinstance(v, str) else None for k, v in source.items()}
    if None in lengths.values() or len(set(lengths.values())) > 1:
        raise InputError(f"a dict of columns needs sequences of the same length, got {lengths}; make them equal")
    return pl.DataFrame([_series(str(k), v) for k, v in source.items()])


def _from_pandas(source: Any) -> pl.DataFrame:
    import polars as pl

    names = tuple(str(c) for c in source.columns)
    check_names(names, "pandas DataFrame")
    columns = []
    for i, name in enumerate(names):
        column = source.iloc[:, i]
        dtype = str(column.dtype)
        if dtype == "category":
            labels = [None if is_gone(v) else str(v) for v in column.astype(object)]
            order = [str(c) for c in column.cat.categories] if column.cat.ordered else []
            kind = pl.Enum(order) if order and len(set(order)) == len(order) else pl.Categorical()
            columns.append(pl.Series(name, labels, dtype=pl.String).cast(kind))
        elif dtype.startswith("Sparse["):
            columns.append(pl.Series(name, np.asarray(column)))
        elif column.dtype.kind in "iufbM" and isinstance(column.dtype, np.dtype):
            columns.append(pl.Series(name, column.to_numpy()))
        elif column.dtype.kind in "iuf":  # nullable numbers
            columns.append(pl.Series(name, column.to_numpy(dtype=float, na_value=np.nan)))
        else:
            columns.append(_series(name, column.astype(object).where(column.notna(), None).tolist()))
    return pl.DataFrame(columns)


def _from_narwhals(source: Any) -> pl.DataFrame | None:
    import narwhals as nw

    try:
        frame = nw.from_native(source)
    except TypeError:
        return None
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    result: pl.DataFrame = eager.to_polars()
    return result


def is_gone(value: Any) -> bool:
    """Whether a Python object stands for a missing cell: None, NaN, pandas' NA and NaT."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in _GONE


def _series(name: str, values: Any) -> pl.Series:
    """Make a column of ``values``; mixed types become text."""
    import polars as pl

    if isinstance(values, np.ndarray) and values.dtype != object:
        return pl.Series(name, values)
    if isinstance(values, pl.Series):
        return values.rename(name)
    items = [None if is_gone(v) else v for v in values]
    try:
        return pl.Series(name, items, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        pass
    if all(v is None or (isinstance(v, int | float | np.number) and not isinstance(v, bool)) for v in items):
        return pl.Series(name, [None if v is None else float(v) for v in items], dtype=pl.Float64)
    return pl.Series(name, [None if v is None else str(v) for v in items], dtype=pl.String)


def matrix_from(source: Any, columns: Sequence[str] | None) -> tuple[Any, tuple[str, ...]] | None:
    """Return a 2-D NumPy array or CSC matrix with its column names, or None if ``source`` is neither."""
    from scipy import sparse

    if sparse.issparse(source):
        if source.ndim != 2:
            raise InputError(f"a sparse table needs 2 dimensions, got {source.ndim}")
        matrix = sparse.csc_array(source)
        if matrix.dtype.kind not in "biuf":
            raise InputError(f"a sparse table needs numbers, got {matrix.dtype}")
    elif isinstance(source, np.ndarray):
        matrix = source
    elif isinstance(source, Sequence) and not isinstance(source, str | bytes):
        matrix = np.asarray(source)
    else:
        return None
    if matrix.ndim != 2:
        raise InputError(f"an array needs 2 dimensions (rows, columns), got shape {matrix.shape}; reshape it")
    names = tuple(columns) if columns is not None else tuple(f"x{j}" for j in range(matrix.shape[1]))
    if len(names) != matrix.shape[1]:
        raise InputError(f"{len(names)} column names for an array of {matrix.shape[1]} columns; give one for each")
    check_names(names, "array")
    return matrix, names


def frame_of_objects(matrix: np.ndarray[Any, Any], names: Sequence[str]) -> pl.DataFrame:
    """Turn an array of text or objects into a frame, column by column."""
    import polars as pl

    return pl.DataFrame([_series(name, matrix[:, j].tolist()) for j, name in enumerate(names)])


def content_hash(frame: pl.DataFrame | None, matrix: np.ndarray[Any, Any] | sparse.csc_array | None) -> str:
    """SHA-256 of names, types and cells, so that the same table has the same hash in every session."""
    digest = hashlib.sha256()
    if frame is not None:
        for column in frame:
            digest.update(f"{column.name}\0{column.dtype}\0{column.len()}\0".encode())
            digest.update(np.packbits(column.is_null().to_numpy()).tobytes())
            if column.dtype.is_numeric() and not column.dtype.is_decimal():
                digest.update(np.ascontiguousarray(column.fill_null(0).to_numpy()).data)
            elif column.dtype.is_temporal() or str(column.dtype) == "Boolean":
                digest.update(np.ascontiguousarray(column.to_physical().fill_null(0).to_numpy()).data)
            else:
                cells = [str(v).encode() for v in column.drop_nulls().to_list()]
                digest.update(np.array([len(cell) for cell in cells], dtype=np.int64).tobytes())
                digest.update(b"".join(cells))
    elif isinstance(matrix, np.ndarray):
        digest.update(f"{matrix.shape}{matrix.dtype}".encode())
        for start in range(0, matrix.shape[1], 64):
            digest.update(np.asfortranarray(matrix[:, start : start + 64]).tobytes(order="F"))
    elif matrix is not None:
        digest.update(f"{matrix.shape}{matrix.dtype}".encode())
        for part in (matrix.indptr, matrix.indices, matrix.data):
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
