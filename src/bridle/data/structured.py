"""A formula or interactions, met with the columns of a table: the target, the terms, and the columns that they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

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
