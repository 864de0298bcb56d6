"""Targets of several columns: more than two classes, ordered levels, several numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError

if TYPE_CHECKING:
    import polars as pl

Float = NDArray[np.float64]

MOST_CLASSES = 50  # more than these are text, or a number
LEAST_ROWS = 3  # of a class: one to hold out, and two for cross-validation
FEW_ROWS = 20  # of a class: estimates are uncertain


def looks_like_classes(known: pl.Series) -> bool:
    """Whether labels without gaps are classes: at most 50 of them, and half of them in some rows each."""
    counts = known.rename("label").value_counts(name="rows")["rows"]
    return counts.len() <= MOST_CLASSES and 2 * int((counts >= LEAST_ROWS).sum()) >= counts.len()


def classes_of(name: str, labels: pl.Series, numbers: Float | None) -> tuple[str, ...]:
    """Give the classes of a target without an order, sorted as text, or as numbers.

    Raises
    ------
    InputError
        Too many to be classes, or numbers with fractions.
    """
    found = labels.drop_nulls().unique().to_list()
    if numbers is None:
        return tuple(sorted(found))
    known = numbers[~np.isnan(numbers)]
    if np.any(known != np.round(known)):
        raise InputError(
            f"classes are labels or whole numbers, but the target {name!r} has fractions, e.g. "
            f"{known[known != np.round(known)][0]:g}; choose a family for numbers"
        )
    return tuple(sorted(found, key=float))


def levels_of(
    name: str, labels: pl.Series, numbers: Float | None, listed: Sequence[str] | None
) -> tuple[tuple[str, ...], str]:
    """Give the levels of an ordered target, lowest first, that have rows; and a sentence on those that have none.

    Raises
    ------
    InputError
        Nothing orders the labels, or there are too many levels to be levels.
    """
    found = set(labels.drop_nulls().unique().to_list())
    if listed is not None:
        levels = tuple(level for level in listed if level in found)
        empty = [level for level in listed if level not in found]
        note = f" No row has {', '.join(map(repr, empty[:5]))}: left out." if empty else ""
        return levels, note
    if numbers is None:
        raise InputError(
            f"family 'ordinal' needs levels with an order, and the target {name!r} has labels without one "
            f"({', '.join(map(repr, sorted(found)[:5]))}); list them, lowest first: --ordered {name}=low,mid,high "
            f"(in Python ordered={{{name!r}: [...]}}), or use family 'multinomial'"
        )
    return tuple(sorted(found, key=float)), ""


def shares(name: str, labels: pl.Series, classes: Sequence[str], what: str) -> tuple[Float, tuple[str, ...]]:
    """Give the target as 0 and 1 for each class, (n, K), NaN where it is missing; and warnings of rare classes.

    Parameters
    ----------
    name : str
        The target's.
    labels : polars.Series
        Classes as text.
    classes : sequence of str
        All of them, in the order of the columns.
    what : {"classes", "levels"}
        For messages.

    Raises
    ------
    InputError
        There are too many, or some have too few rows.
    """
    if len(classes) > MOST_CLASSES:
        raise InputError(
            f"the target {name!r} has {len(classes)} {what}, more than the {MOST_CLASSES} that make sense as {what}; "
            "check that it is the right column, merge rare ones, or choose a family for numbers"
        )
    values = labels.to_numpy()
    y = np.stack([(values == label).astype(np.float64) for label in classes], axis=1)
    y[labels.is_null().to_numpy()] = np.nan
    rows = [int(k) for k in np.nansum(y, axis=0)]
    rare = [k for k in np.argsort(rows, kind="stable") if rows[k] < LEAST_ROWS]
    if rare:
        shown = ", ".join(f"{classes[k]!r} ({rows[k]} row{'s' * (rows[k] != 1)})" for k in rare[:8])
        raise InputError(
            f"the target {name!r} has {what} with too few rows to be both trained on and held out: {shown}; each needs "
            f"at least {LEAST_ROWS}. Merge them with others, leave these rows out, or collect more"
        )
    few = [k for k in np.argsort(rows, kind="stable") if rows[k] < FEW_ROWS]
    if not few:
        return y, ()
    shown = ", ".join(f"{classes[k]!r} ({rows[k]})" for k in few[:8]) + (", ..." if len(few) > 8 else "")
    return y, (
        f"Some {what} have few rows: {shown}. What is said of them will be uncertain, and there can be no more folds "
        "than rows of the rarest.",
    )


def responses(columns: Sequence[tuple[str, Float]]) -> Float:
    """Give several numbers a row as a target, (n, K).

    Raises
    ------
    InputError
        A column has one value only, or infinite ones.
    """
    for name, values in columns:
        known = values[~np.isnan(values)]
        if not np.isfinite(known).all():
            raise InputError(f"the target {name!r} is infinite in some rows; correct these cells, or leave them empty")
        if known.size == 0 or np.ptp(known) == 0.0:
            what = "is empty" if known.size == 0 else f"is always {known[0]:g}"
            raise InputError(f"the target {name!r} {what}, so there is nothing to predict; leave it out of the targets")
    return np.column_stack([values for _, values in columns])
