"""Ordered categories: the levels as the caller lists them, or as a data frame's own type orders them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bridle.data.values import MISSING, as_text
from bridle.errors import InputError

if TYPE_CHECKING:
    import polars as pl


def check_ordered(
    ordered: dict[str, Sequence[str]], names: Sequence[str], roles: Mapping[str, str]
) -> Sequence[str] | None:
    """Refuse lists of levels that are none, or that belong to no feature; take out and return those of the target.

    Raises
    ------
    InputError
        A column is unknown or has another role, or its levels are fewer than two or not distinct.
    """
    for column, levels in ordered.items():
        if column not in names:
            shown = ", ".join(map(repr, names[:15]))
            raise InputError(f"ordered: there is no column {column!r}. The table has {shown}")
        if roles.get(column, "target") != "target":
            raise InputError(f"ordered: {column!r} is the {roles[column]}, not a feature; leave it out of ordered")
        if isinstance(levels, str) or len(levels) < 2:
            raise InputError(
                f"ordered: column {column!r} needs at least two levels, lowest first, such as low,mid,high; "
                f"got {levels!r}"
            )
        texts = [str(level).strip() for level in levels]
        if len(set(texts)) < len(texts):
            double = next(t for t in texts if texts.count(t) > 1)
            raise InputError(f"ordered: column {column!r} has the level {double!r} twice; list every level once")
    return next((ordered.pop(column) for column in list(ordered) if column in roles), None)


def ordered_levels(series: pl.Series, levels: Sequence[str] | None) -> tuple[str, ...] | None:
    """Give the levels of a column, lowest first, as its cells spell them; None if nothing orders them.

    Parameters
    ----------
    series : polars.Series
        The column.
    levels : sequence of str or None
        As the caller lists them; None asks the column's own type (an Enum).

    Raises
    ------
    InputError
        A cell holds a level that isn't listed, or a listed level is a spelling of "missing".
    """
    import polars as pl

    if levels is None:
        if not isinstance(series.dtype, pl.Enum):
            return None
        own = as_text(pl.Series(series.dtype.categories.to_list(), dtype=pl.String), keep=MISSING).to_list()
        return tuple(dict.fromkeys(own))
    given = pl.Series([str(level).strip() for level in levels])
    if series.dtype.is_numeric():
        numbers = given.cast(pl.Float64, strict=False)
        if numbers.null_count():
            bad = given.filter(numbers.is_null())[0]
            raise InputError(f"ordered: column {series.name!r} holds numbers, but its level {bad!r} is none")
        given = as_text(numbers)
    listed = tuple(given.to_list())
    if series.dtype == pl.String and series.null_count() and (lost := [v for v in listed if v in MISSING]):
        raise InputError(
            f"ordered: the level {lost[0]!r} of column {series.name!r} can't be told from a missing cell; "
            "write it otherwise in the table"
        )
    every: list[str] = series.dtype.categories.to_list() if isinstance(series.dtype, pl.Enum) else []
    found = as_text(series, keep=(*listed, *every)).drop_nulls().unique().to_list()
    if strange := sorted(set(found) - set(listed)):
        shown = ", ".join(map(repr, strange[:8]))
        raise InputError(
            f"ordered: column {series.name!r} holds {shown}, not among the levels {', '.join(listed)}; "
            "list every level, lowest first"
        )
    return listed
