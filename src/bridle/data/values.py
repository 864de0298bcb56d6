"""Cells: which spellings mean "missing", and how text becomes numbers, the same in training and in prediction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

MISSING = (
    "",
    "NA",
    "N/A",
    "n/a",
    "na",
    "NaN",
    "nan",
    "NAN",
    "null",
    "NULL",
    "Null",
    "None",
    "none",
    "NONE",
    "#N/A",
    "<NA>",
)
MARKS = ("?", "-", ".")  # missing too, unless they are signs among other signs ("+" and "-")
AFFIXES = ("%", "$", "€", "£", "¥")


@dataclass(frozen=True)
class NumberFormat:
    """How a column writes its numbers: ``1.5`` or ``1,5``, and a sign (``%``, ``$``, ...) around every one of them."""

    decimal: str = "."
    affix: str = ""


PLAIN = NumberFormat()


@dataclass(frozen=True)
class Parsed:
    """A text column read as numbers: (n,) floats with nulls, and what could not be read."""

    numbers: pl.Series
    n_bad: int
    bad: str  # the first cell that is neither a number nor missing


def without_missing(text: pl.Series, keep: Collection[str] | None = None) -> pl.Series:
    """Strip blanks and turn the spellings of "missing" into nulls, those in ``keep`` excepted.

    ``?``, ``-`` and ``.`` count as missing, except ``-`` in a column that also holds ``+`` (unless ``keep`` is given).
    """
    import polars as pl

    stripped = text.str.strip_chars()
    if keep is None:
        keep = ("-",) if (stripped == "+").any() else ()
    gone = stripped.is_in([m for m in (*MISSING, *MARKS) if m not in keep])
    if not gone.any():
        return stripped
    return pl.select(pl.when(~gone).then(stripped)).to_series().rename(text.name)


def parse_numbers(text: pl.Series, form: NumberFormat = PLAIN) -> Parsed:
    """Read a text column as numbers written in ``form``; plain numbers are always understood."""
    import polars as pl

    numbers = text.cast(pl.Float64, strict=False)
    failed = text.filter(numbers.is_null() & text.is_not_null())
    if failed.len() == 0:
        return Parsed(numbers.fill_nan(None), 0, "")
    cleaned = without_missing(text)
    numbers = cleaned.cast(pl.Float64, strict=False)
    if form != PLAIN:
        numbers = numbers.zip_with(numbers.is_not_null(), _strip(cleaned, form).cast(pl.Float64, strict=False))
    failed = cleaned.filter(numbers.is_null() & cleaned.is_not_null())
    bad = "" if failed.len() == 0 else str(failed[0])
    return Parsed(numbers.fill_nan(None), failed.len(), bad)


def guess_format(text: pl.Series, decimal: str | None = None) -> NumberFormat | None:
    """Find the one format in which every cell of ``text`` (without missing ones) is a number; None if there is none.

    A comma is taken for a decimal mark only where it can't separate thousands: some cell must have other than three
    digits after it, or ``decimal`` says so.
    """
    if text.len() == text.null_count():
        return None
    head = text.drop_nulls().head(200)
    affix = next((a for a in AFFIXES if _all_match(head, _affix_pattern(a))), "")
    if _any_match(text, r"^[+-]?0\d"):  # a post code or an account number: 007 is not 7
        return None
    for form in (NumberFormat(".", affix), NumberFormat(",", affix)):
        if form.decimal == "," and decimal != "," and not _surely_decimal(text):
            continue
        if parse_numbers(head, form).n_bad == 0 and parse_numbers(text, form).n_bad == 0:
            return form
    return None


def _surely_decimal(text: pl.Series) -> bool:
    with_comma = text.filter(text.str.contains(",", literal=True).fill_null(False))
    if with_comma.len() == 0:
        return False
    return not _all_match(with_comma, r"^[^,]*[1-9]\d{0,2}(,\d{3})+[^,\d]*$")


def _affix_pattern(affix: str) -> str:
    return (
        r"\d\s*%$"
        if affix == "%"
        else rf"^[+-]?\s*\{affix}|\{affix}$"
        if affix == "$"
        else rf"^[+-]?\s*{affix}|{affix}$"
    )


def _all_match(text: pl.Series, pattern: str) -> bool:
    return bool(text.str.contains(pattern).all())


def _any_match(text: pl.Series, pattern: str) -> bool:
    return bool(text.str.contains(pattern).any())


def _strip(text: pl.Series, form: NumberFormat) -> pl.Series:
    if form.affix:
        text = text.str.replace_all(form.affix, "", literal=True).str.strip_chars().str.replace(r"^([+-])\s+", "$1")
    if form.decimal == ",":
        text = text.str.replace(",", ".", literal=True)
    return text


def as_text(series: pl.Series, keep: Collection[str] | None = None) -> pl.Series:
    """Write a column of any type as text labels: missing is null, whole numbers have no ``.0``, truth is true/false."""
    import polars as pl

    if series.dtype == pl.Null:
        return series.cast(pl.String)
    if series.dtype.is_float():
        known = series.fill_nan(None)
        whole = (known.is_finite() & (known == known.round(0)) & (known.abs() < 2**53)).fill_null(False)
        return known.cast(pl.Int64, strict=False).cast(pl.String).zip_with(whole, known.cast(pl.String))
    if series.dtype == pl.Boolean:
        return series.cast(pl.String)
    if series.dtype == pl.Duration:
        series = series.to_physical()
    return without_missing(series.cast(pl.String), keep)


def as_numbers(series: pl.Series, form: NumberFormat = PLAIN) -> Parsed:
    """Read a column of any type as numbers; NaN becomes null."""
    import polars as pl

    dtype = series.dtype
    if dtype.is_numeric():
        return Parsed(series.cast(pl.Float64).fill_nan(None), 0, "")
    if dtype == pl.Boolean:
        return Parsed(series.cast(pl.Float64), 0, "")
    if dtype == pl.Null:
        return Parsed(series.cast(pl.Float64), 0, "")
    if dtype in (pl.String, pl.Categorical) or dtype == pl.Enum:
        return parse_numbers(series.cast(pl.String), form)
    present = series.drop_nulls()
    return Parsed(
        pl.Series(series.name, [None] * series.len(), dtype=pl.Float64),
        present.len(),
        str(present[0]) if present.len() else "",
    )
