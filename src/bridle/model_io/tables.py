"""Tables and single rows as people hold them, made into what an encoder takes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError

if TYPE_CHECKING:
    import polars

    from bridle.data import Table


def to_table(source: Any) -> polars.DataFrame | Table:
    """Give a frame for every kind of data frame or mapping, and a :class:`bridle.data.Table` for files and arrays."""
    import polars

    from bridle.data import read_table
    from bridle.data.frames import frame_from

    if isinstance(source, str | os.PathLike | np.ndarray):
        return read_table(source)
    if isinstance(source, Mapping) and not any(_is_column(value) for value in source.values()):
        return polars.DataFrame([polars.Series(str(k), [v], strict=False) for k, v in source.items()])
    frame = frame_from(source)
    return read_table(source) if frame is None else frame


def one_row(row: Any, names: Sequence[str], what: str = "row") -> polars.DataFrame:
    """Give a frame of exactly one row; ``names`` are the columns of an array.

    Raises
    ------
    InputError
        ``row`` is a table of none or several rows.
    """
    import polars

    if getattr(row, "ndim", 0) == 1:  # a pandas Series, as from df.loc[3], or one row of an array
        row = row.to_dict() if hasattr(row, "to_dict") else np.reshape(row, (1, -1))
    table = to_table(row)
    frame = table if isinstance(table, polars.DataFrame) else table.frame
    if frame is None:
        matrix: Any = table.matrix  # type: ignore[union-attr]
        if matrix.shape[1] != len(names):
            raise InputError(f"the {what} has {matrix.shape[1]} values, expected {len(names)} as in training")
        frame = polars.DataFrame(matrix if isinstance(matrix, np.ndarray) else matrix.toarray(), schema=list(names))
    if frame.height != 1:
        raise InputError(f"the {what} to explain is a table of {frame.height} rows; expected one, e.g. table[3:4]")
    return frame


def offset_of(table: polars.DataFrame | Table, name: str) -> NDArray[np.float64]:
    """(n,) the offset column of a table, which has no default.

    Raises
    ------
    InputError
        The column is missing or holds something else than finite numbers.
    """
    import polars

    from bridle.data.values import as_numbers

    frame = table if isinstance(table, polars.DataFrame) else table.frame
    if frame is None or name not in frame.columns:
        raise InputError(f"the model was fitted with the offset {name!r}, which the table lacks; add this column")
    values = as_numbers(frame[name]).numbers.fill_null(float("nan")).to_numpy()
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise InputError(f"the offset {name!r} has {frame[name][row]!r} in row {row}; every row needs a finite number")
    return np.asarray(values, dtype=np.float64)


def _is_column(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray) or hasattr(value, "to_list") or hasattr(value, "tolist")
