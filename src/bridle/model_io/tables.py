"""Tables and single rows as people hold them, made into the frame that an encoder takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError

if TYPE_CHECKING:
    import polars

    from bridle.design import Encoder


def to_frame(table: Any, encoder: Encoder) -> polars.DataFrame:
    """Turn anything that bridle reads into the polars frame that ``encoder`` takes."""
    import polars

    from bridle.data import read_table

    if isinstance(table, Mapping) and not any(_is_column(v) for v in table.values()):
        table = polars.DataFrame({str(k): [v] for k, v in table.items()}, strict=False)
    if isinstance(table, polars.DataFrame):
        return table
    return read_table(table).frame


def one_row(row: Any, encoder: Encoder, what: str = "row") -> polars.DataFrame:
    """Give a frame of exactly one row.

    Raises
    ------
    InputError
        ``row`` is a table of none or several rows.
    """
    if hasattr(row, "to_dict") and getattr(row, "ndim", 0) == 1:  # a pandas Series, as from df.loc[3]
        row = row.to_dict()
    frame = to_frame(row, encoder)
    if frame.height != 1:
        raise InputError(f"the {what} to explain is a table of {frame.height} rows; expected one, e.g. table[3:4]")
    return frame


def offset_of(frame: polars.DataFrame, name: str) -> NDArray[np.float64]:
    """(n,) the offset column of a table, which has no default.

    Raises
    ------
    InputError
        The column is missing or holds something else than finite numbers.
    """
    import polars

    if name not in frame.columns:
        raise InputError(f"the model was fitted with the offset {name!r}, which the table lacks; add this column")
    values = frame[name].cast(polars.Float64, strict=False).to_numpy()
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise InputError(f"the offset {name!r} has {frame[name][row]!r} in row {row}; every row needs a finite number")
    return np.asarray(values, dtype=np.float64)


def _is_column(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray) or hasattr(value, "__dataframe__") or hasattr(value, "to_list")


def unseen_levels(encoder: Encoder, frame: polars.DataFrame) -> Mapping[str, tuple[str, str]]:
    """Give, per column of a one-row frame whose level never occurred in training, that level and what it counts as."""
    return encoder.unseen(frame)
