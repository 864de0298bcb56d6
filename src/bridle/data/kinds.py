"""What each column of a table is: recognised once, reported to people, and relied on by the encoder.

Kinds: "numeric", "boolean", "categorical" and "ordered" become features; "date", "identifier", "constant", "text" and
"empty" are left out, each with its reason. The rules never look at the target.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from bridle.data.ordered import ordered_levels
from bridle.data.values import PLAIN, NumberFormat, as_text, guess_format, parse_numbers, without_missing

if TYPE_CHECKING:
    import polars as pl

USED_KINDS = ("numeric", "boolean", "categorical", "ordered")
TRUTH = ({"false", "true"}, {"no", "yes"}, {"n", "y"}, {"f", "t"}, {"off", "on"})
ID_NAME = re.compile(r"(?i)^(unnamed:? ?\d+|index|row ?names?|rn|rows?|row[_ .-]?(id|no|nr|num|number)|obs|pk|key)$")
ID_PART = re.compile(r"(?i)(^|[_ .-])(id|uuid|guid|identifier|ssn|mrn)([_ .-]|$)|[a-z]I[Dd]$")
DATE_FORMATS = (
    (r"\d{4}-\d{1,2}-\d{1,2}", "%Y-%m-%d"),
    (r"\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2}", "%Y-%m-%dT%H:%M"),
    (r"\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2}:\d{2}(\.\d+)?", "%Y-%m-%dT%H:%M:%S%.f"),
    (r"\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})", "%Y-%m-%dT%H:%M:%S%.f%#z"),
    (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d"),
    (r"\d{8}T\d{6}", "%Y%m%dT%H%M%S"),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%m/%d/%Y"),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%d/%m/%Y"),
    (r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}", "%m/%d/%Y %H:%M"),
    (r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}", "%d/%m/%Y %H:%M"),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", "%d.%m.%Y"),
    (r"\d{1,2}-\d{1,2}-\d{4}", "%d-%m-%Y"),
    (r"\d{1,2}[ -][A-Za-z]{3}[ -]\d{4}", "%d %b %Y"),
    (r"[A-Za-z]{3} \d{1,2}, ?\d{4}", "%b %d, %Y"),
)


@dataclass(frozen=True)
class Column:
    """One column of the table as it was understood; the fields of ``results.ColumnNote`` plus its number format."""

    name: str
    kind: str
    used: bool
    n_missing: int
    n_distinct: int  # of the cells that are not missing
    note: str
    examples: tuple[str, ...] = ()
    form: NumberFormat = PLAIN
    levels: tuple[str, ...] = ()  # of an ordered column, lowest first


def settle_types(
    frame: pl.DataFrame, decimal: str | None = None, as_they_are: Collection[str] = ()
) -> tuple[pl.DataFrame, dict[str, NumberFormat]]:
    """Turn text columns into numbers where every cell is one, spellings of "missing" and NaN into nulls.

    Returns
    -------
    frame : polars.DataFrame
        The same columns; untouched ones are not copied.
    forms : dict
        The number format of each column that was text and is now numeric.
    """
    import polars as pl

    changed: list[pl.Series] = []
    forms: dict[str, NumberFormat] = {}
    for name, dtype in frame.schema.items():
        if dtype == pl.String:
            text = without_missing(frame[name])
            form = None if name in as_they_are else guess_format(text, decimal)
            if form is not None:
                forms[name] = form
                text = parse_numbers(text, form).numbers
            changed.append(text.rename(name))
        elif dtype.is_float() and frame[name].is_nan().any():
            changed.append(frame[name].fill_nan(None))
        elif isinstance(dtype, pl.Decimal):
            changed.append(frame[name].cast(pl.Float64))
    return (frame.with_columns(changed) if changed else frame), forms


def describe_columns(
    frame: pl.DataFrame,
    forms: Mapping[str, NumberFormat] | None = None,
    keep: Collection[str] = (),
    ordered: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Column, ...]:
    """Recognise the kind of every column.

    Parameters
    ----------
    frame : polars.DataFrame
        The table.
    forms : mapping, optional
        Number formats of the columns that were text.
    keep : collection of str
        Columns that are features whatever they look like.
    ordered : mapping of str to sequence of str, optional
        Levels of ordered columns, lowest first; a polars Enum brings its own.

    Raises
    ------
    InputError
        An ordered column holds a level that isn't listed.
    """
    import polars as pl

    forms = forms or {}
    n = frame.height
    simple = [c for c, t in frame.schema.items() if not t.is_nested() and t != pl.Object]
    distinct = dict(zip(simple, frame.select(pl.col(simple).n_unique()).row(0), strict=True)) if simple else {}
    missing = dict(zip(frame.columns, frame.null_count().row(0), strict=True)) if frame.width else {}
    columns = []
    for name in frame.columns:
        n_missing = missing[name]
        n_distinct = distinct.get(name, n) - (n_missing > 0)
        column = _describe(frame[name], n_missing, n_distinct)
        if name in keep and not column.used and column.kind not in ("constant", "empty"):
            kind = "numeric" if frame.schema[name].is_numeric() else "categorical"
            column = replace(column, kind=kind, used=True, note=f"kept as asked, though it looks like {column.kind}")
        column = _in_order(column, frame[name], (ordered or {}).get(name))
        form = forms.get(name, PLAIN)
        if form != PLAIN and column.used:
            column = replace(column, note=_join(_form_note(form), column.note))
        columns.append(replace(column, form=form))
    return tuple(columns)


def _in_order(column: Column, series: pl.Series, given: Sequence[str] | None) -> Column:
    """Make a column of ordered levels of one whose order is given, or known by its type."""
    if given is None and column.kind != "categorical":
        return column
    levels = ordered_levels(series, given)
    if levels is None or column.kind in ("constant", "empty"):
        return column
    shown = levels if len(levels) <= 8 else (*levels[:4], "...", levels[-1])
    return replace(column, kind="ordered", used=True, note=f"ordered: {' < '.join(shown)}", levels=levels)


def _describe(series: pl.Series, n_missing: int, n_distinct: int) -> Column:
    import polars as pl

    name, dtype = series.name, series.dtype

    def column(kind: str, note: str = "") -> Column:
        return Column(name, kind, kind in USED_KINDS, n_missing, n_distinct, note, _examples(series))

    if n_distinct <= 0:
        return column("empty", "left out: every cell is missing")
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
        return column("text", f"left out: its cells are of type {dtype}, neither numbers nor categories")
    if n_distinct == 1:
        value = _examples(series)[0]
        return column("constant", f"left out: always {value!r}" + (" or missing" if n_missing else ""))
    if dtype.is_temporal():
        return column("date", _DATE_NOTE)
    if dtype == pl.Boolean:
        return column("boolean")
    if dtype.is_numeric():
        return column(*_describe_numbers(series, n_missing, n_distinct))
    return column(*_describe_labels(series, n_distinct))


_DATE_NOTE = "left out: a date or time; to respect the order of the rows give it as the time column (--time)"


def _describe_numbers(series: pl.Series, n_missing: int, n_distinct: int) -> tuple[str, str]:
    n_known = series.len() - n_missing
    unique = n_distinct == n_known
    named = bool(ID_NAME.search(series.name) or ID_PART.search(series.name))
    if not unique and not (named and n_distinct > n_known / 2):
        return _date_number(series)
    whole = series.dtype.is_integer() or bool((series == series.round(0)).all())
    if not whole:
        return "numeric", ""
    if named and unique:
        return "identifier", "left out: a different whole number in every row, and a name that says identifier"
    if named:
        return "identifier", "left out: it names things rather than measures them; for repeated subjects use --groups"
    if unique and n_known >= 10 and n_missing == 0 and "year" not in series.name.lower() and _runs(series):
        return "identifier", "left out: whole numbers that run in sequence, like a row number"
    return _date_number(series)


def _range(series: pl.Series) -> tuple[float, float]:
    return float(cast(float, series.min())), float(cast(float, series.max()))


def _runs(series: pl.Series) -> bool:
    low, high = _range(series)
    if high - low != series.len() - 1:
        return False
    steps = series.diff().drop_nulls()
    return low in (0.0, 1.0) or bool((steps == 1).all()) or bool((steps == -1).all())


def _date_number(series: pl.Series) -> tuple[str, str]:
    if "date" in series.name.lower():
        low, high = _range(series)
        if low >= 19000101 and high <= 21001231 and bool((series % 100).is_between(1, 31).all()):
            return "date", _DATE_NOTE
    return "numeric", ""


def _describe_labels(series: pl.Series, n_distinct: int) -> tuple[str, str]:
    import polars as pl

    labels = as_text(series).drop_nulls()
    n_known = labels.len()
    if n_distinct == 2 and {v.casefold() for v in labels.unique().to_list()} in TRUTH:
        return "boolean", ""
    if parse_dates(labels) is not None:
        return "date", _DATE_NOTE
    if series.dtype != pl.String:  # the caller's own categories
        return _levels(labels, series.len())
    if n_distinct > 10 and (note := _mixed(labels)):
        return "text", note
    named = bool(ID_NAME.search(series.name) or ID_PART.search(series.name))
    words = float(np.mean([len(label.split()) for label in labels.head(1000).to_list()]))
    unique = n_known >= 10 and n_distinct == n_known
    if unique or (named and n_distinct > n_known / 2):
        if words >= 4:
            return "text", "left out: free text, different in every row"
        return "identifier", "left out: a different label in (nearly) every row"
    if n_distinct > max(20, n_known / 2) and (words >= 4 or n_distinct > 0.8 * n_known):
        return "text", f"left out: free text ({n_distinct} different values in {n_known} rows)"
    return _levels(labels, series.len())


def rare_below(n: int) -> float:
    """Fewest of n rows that a level needs for a feature of its own: 5 (5 % in small tables), and at least 0.5 %."""
    return max(min(5.0, 0.05 * n), 0.005 * n)


def _levels(labels: pl.Series, n: int) -> tuple[str, str]:
    rows = labels.value_counts(name="n")["n"]
    rare = int((rows < rare_below(n)).sum())
    if rare == rows.len() > 2:
        return "text", f"left out: {rare} levels, none of them in {math.ceil(rare_below(n))} rows or more"
    return "categorical", f"{rare} rare levels share one feature" if rare > 1 else ""


def _mixed(labels: pl.Series) -> str:
    """Say what is wrong with a column of numbers in which some cells are none; empty if it is no such column."""
    parsed = parse_numbers(labels)
    grouped = labels.str.contains(r"^[^\d]{0,2}\d{1,3}([,' ]\d{3})+(\.\d+)?$").sum()
    if parsed.n_bad == 0 or parsed.n_bad - grouped > 0.2 * labels.len():
        return ""
    if grouped == parsed.n_bad:
        return (
            f"left out: {grouped} cells such as {parsed.bad!r} hold a separator of thousands, or a decimal mark that "
            "can't be told from one; write the numbers without it, or name the decimal mark"
        )
    return (
        f"left out: {labels.len() - parsed.n_bad} cells are numbers, but {parsed.n_bad} are not, such as "
        f"{parsed.bad!r}; correct these, or leave them empty, to use the column"
    )


def parse_dates(text: pl.Series) -> pl.Series | None:
    """Read text as dates or times if every cell that is not missing is one in the same common form, else None."""
    import polars as pl

    known = text.drop_nulls()
    if known.len() == 0:
        return None
    first = str(known[0])
    for pattern, form in DATE_FORMATS:
        if not re.fullmatch(pattern, first):
            continue
        if not known.str.contains(f"^(?:{pattern})$").all():
            continue
        unified = text.str.replace(r"^(\d{4}-\d{1,2}-\d{1,2}) ", "${1}T") if form.startswith("%Y-") else text
        if form == "%d %b %Y":
            unified = text.str.replace_all("-", " ", literal=True)
        zoned = "%#z" in form
        kind = pl.Datetime("us", "UTC") if zoned else pl.Datetime("us")
        try:
            parsed = unified.str.strptime(kind, form, strict=False)
        except pl.exceptions.PolarsError:
            continue
        if parsed.null_count() == text.null_count():
            return parsed
    return None


def _examples(series: pl.Series) -> tuple[str, ...]:
    import polars as pl

    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary):
        return ()
    found = dict.fromkeys(v for v in series.head(100).to_list() if v is not None)
    if not found:  # a column that starts with missing cells
        found = dict.fromkeys(series.drop_nulls().head(3).to_list())
    return tuple(_shown(v)[:40] for v in list(found)[:3])


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def _form_note(form: NumberFormat) -> str:
    parts = [f"{form.affix!r} taken off"] if form.affix else []
    parts += ["read with decimal comma"] if form.decimal == "," else []
    return "numbers in text: " + ", ".join(parts)


def _join(*parts: str) -> str:
    return "; ".join(p for p in parts if p)
