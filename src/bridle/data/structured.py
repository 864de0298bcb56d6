"""A formula or interactions, met with the columns of a table: the target, the terms, and the columns that they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bridle.data.kinds import Column
from bridle.data.reading import Table
from bridle.data.structure import Structure, pairs_structure, parse_formula
from bridle.errors import InputError


def refuse_structure(table: Table, formula: str | None, interactions: Any) -> None:
    """Refuse what can't have terms.

    Raises
    ------
    InputError
        Both are given, or the table is an array.
    """
    if formula is not None and interactions is not None:
        raise InputError("both a formula and interactions are given; write the interactions into the formula, as a:b")
    if table.frame is None:
        what = "a formula needs" if formula is not None else "interactions need"
        raise InputError(f"{what} a table with named columns, got an array of numbers; give a data frame")


def formula_target(formula: str | None, names: Sequence[str], target: Any) -> Any:
    """Give the target: the formula's left side, or ``target`` where the formula has none.

    Raises
    ------
    InputError
        There is none, or the two contradict each other.
    """
    left = "" if formula is None else parse_formula(formula, names)[0]
    if target is None and not left:
        hint = ", or a formula that names it, as in y ~ a + b" if formula is None else f": {formula!r} names none"
        raise InputError(f"no target was given{hint}; name the column to predict")
    if target is None:
        return left
    if left and not (isinstance(target, str) and target == left):
        shown = repr(target) if isinstance(target, str) else "another"
        raise InputError(f"the target is {left!r} in the formula and {shown} besides; give one of them")
    return target


def several_names(target: Any, names: Sequence[str]) -> Any:
    """Give the target, or a tuple of several: of names, written as a list or in one text with commas, or of columns."""
    if isinstance(target, str) and target not in names and "," in target:
        target = [part.strip() for part in target.split(",") if part.strip()]
    if isinstance(target, list | tuple) and len(target) > 1 and all(isinstance(t, str) for t in target):
        if any(t in names for t in target):
            return tuple(target)
        return target
    columns = getattr(target, "columns", None)
    if np.ndim(target) == 2 and np.shape(target)[1] > 1:
        labels = [f"y{k}" for k in range(np.shape(target)[1])] if columns is None else [str(c) for c in columns]
        import polars as pl

        values = np.asarray(target)
        return tuple(pl.Series(label, values[:, k]) for k, label in enumerate(labels))
    return target[0] if isinstance(target, list | tuple) and len(target) == 1 and target[0] in names else target


def structure_of(
    formula: str | None, interactions: Any, columns: tuple[Column, ...]
) -> tuple[Structure | None, tuple[Column, ...]]:
    """Read the terms, and leave out the columns that a formula doesn't name.

    Raises
    ------
    InputError
        A column of the formula isn't there, has another role, or isn't used as a feature.
    """
    if formula is None and interactions is None:
        return None, columns
    used = [c.name for c in columns if c.used]
    if formula is None:
        return pairs_structure(interactions, used), columns
    structure = parse_formula(formula, used)[1]
    known = {c.name: c for c in columns}
    for name in structure.columns:
        column = known.get(name)
        if column is None:
            shown = ", ".join(map(repr, list(known)[:15]))
            raise InputError(f"the formula names {name!r}, which the table lacks. It has {shown}")
        if not column.used:
            why = column.note.removeprefix("left out: ") or f"is the {column.kind}"
            keep = "" if column.kind in ("constant", "empty") or not column.note else " Keep it as a feature with keep="
            raise InputError(f"the formula names {name!r}, which can't be a feature: {why}.{keep}")
    return structure, tuple(_settle(c, structure) for c in columns)


def _settle(column: Column, structure: Structure) -> Column:
    if column.used and column.name not in structure.columns:
        return replace(column, used=False, note="left out: not in the formula")
    if column.name in structure.categories and column.kind == "numeric":
        return replace(column, kind="categorical", note="taken as categories, C(...) in the formula")
    return column
