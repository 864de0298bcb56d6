"""How one table column becomes features: learned from training rows, then applied to any rows.

Numbers stay one feature. Labels become one 0/1 feature for every level, none left out, so that under a penalty the fit
does not depend on which level is the reference (there is none); a column of exactly two levels is one feature, because
the second would only repeat the first. Ordered labels become steps (:mod:`bridle.design.ordered`). Without a penalty
the columns of one factor add up to the intercept, and the minimum-norm solution among the equally good ones is meant:
its predictions do not depend on the coding either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridle.data.kinds import TRUTH, Column, rare_below
from bridle.data.values import PLAIN, NumberFormat, as_numbers, as_text
from bridle.design.matrix import center
from bridle.design.ordered import learn_fills, observed, ordered_cells
from bridle.errors import InputError

if TYPE_CHECKING:
    import polars as pl

Float = NDArray[np.float64]
Index = NDArray[np.int64]
OTHER, MISSING = "(other)", "(missing)"
COUNTED_KINDS = ("number", "pair", "levels", "ordered")


@dataclass(frozen=True)
class ColumnCode:
    """What was learned about one column."""

    name: str
    kind: str  # "number", "pair" (two levels, one feature), "levels" or "ordered"
    form: NumberFormat = PLAIN
    levels: tuple[
        str, ...
    ] = ()  # those with a feature of their own; for a pair (zero, one); ordered: those seen, lowest first
    rare: int = 0  # how many rare levels share the feature "(other)"; 0 means there is none
    missing: bool = False  # whether being missing is a feature
    fill: float = 0.0  # stands for a missing number, or for a missing or unseen level of a pair
    declared: tuple[str, ...] = ()  # all levels of an ordered column, lowest first
    fills: tuple[float, ...] = ()  # its steps where the level is missing or unknown

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        if self.kind == "number":
            names = [self.name]
        elif self.kind == "pair":
            names = [f"{self.name} = {self.levels[1]}"]
        elif self.kind == "ordered":
            names = [f"{self.name} >= {level}" for level in self.levels[1:]]
        else:
            names = [f"{self.name} = {level}" for level in self.levels]
            names += [f"{self.name} = {OTHER}"] * (self.rare > 0)
        return (*names, *([f"{self.name} {MISSING}"] if self.missing else []))

    @property
    def indicator(self) -> tuple[bool, ...]:
        """For each feature, whether it is 0 or 1 for a level or for being missing."""
        return tuple(not (self.kind == "number" and i == 0) for i in range(len(self.features)))

    @property
    def filled(self) -> int:
        """How many of the first features hold a filled-in value where the cell is missing."""
        return {"number": 1, "pair": 1, "ordered": len(self.levels) - 1}.get(self.kind, 0)

    @property
    def stands_for_unseen(self) -> str:
        """What a level counts as that never occurred in training, in words."""
        if self.kind == "pair":
            return f"it counts as the average of {self.levels[0]!r} and {self.levels[1]!r}"
        if self.kind == "ordered":
            return (
                "it counts as the average of its neighbours, or if it isn't among the ordered levels as a missing cell"
            )
        if self.rare:
            return "it counts as one of the rare levels"
        return "no level's effect is added"


@dataclass(frozen=True)
class Encoded:
    """The cells of one column for m rows: dense number columns, or the feature that is 1 in each row."""

    number: Float | None  # (m,) for numbers and pairs, (m, K) for steps
    code: Index | None  # (m,), for levels: index of the feature that is 1; -1 for none
    missing: Index  # rows in which the cell is missing
    gaps: Index  # rows in which ``number`` is imputed
    unseen: dict[str, int]  # level -> rows


def is_flagged(n_missing: int, n: int) -> bool:
    """Whether so many missing cells get a feature of their own: 5 rows, or 5 % of a small table."""
    return n_missing >= max(1.0, min(5.0, 0.05 * n))


def learn(column: Column, series: pl.Series, weights: Float | None, policy: str) -> ColumnCode:
    """Learn from the training rows of a column how to turn it into features."""
    n = series.len()
    how = "median" if policy == "median" else "mean"
    n_missing = series.null_count()
    flagged = policy == "indicator" and is_flagged(n_missing, n)
    if column.kind == "numeric" and series.dtype.is_numeric():
        values, gone = _numbers(column.name, series, column.form)
        known = np.ones(n, dtype=bool)
        known[gone] = False
        fill = center(values[known], None if weights is None else weights[known], how, 0.0)
        return ColumnCode(column.name, "number", column.form, missing=flagged, fill=fill)
    if column.kind == "ordered":
        return _learn_ordered(column, series, weights, how, flagged)
    labels = as_text(series)
    counts = labels.drop_nulls().value_counts(name="n")
    rows = dict(zip(counts[series.name].to_list(), counts["n"].to_list(), strict=True))
    levels = sorted(rows)
    if len(levels) == 2:
        if {v.casefold() for v in levels} in TRUTH:
            levels.sort(key=str.casefold)  # the words for yes sort after those for no, except on
            if levels[1].casefold() == "on":
                levels.reverse()
        one = (labels == levels[1]).fill_null(False).to_numpy().astype(float)
        known = labels.is_not_null().to_numpy()
        fill = center(one[known], None if weights is None else weights[known], how, 0.5)
        return ColumnCode(column.name, "pair", levels=tuple(levels), missing=flagged, fill=fill)
    own = [v for v in levels if rows[v] >= rare_below(n)]
    rare = len(levels) - len(own)
    if rare == 1:  # pooling one level would only rename it
        own, rare = levels, 0
    return ColumnCode(column.name, "levels", levels=tuple(own), rare=rare, missing=is_flagged(n_missing, n))


def _learn_ordered(column: Column, series: pl.Series, weights: Float | None, how: str, flagged: bool) -> ColumnCode:
    levels = observed(series, column.levels)
    if len(levels) < 2:
        return ColumnCode(column.name, "levels", levels=levels)  # says nothing; the encoder leaves it out
    steps = ordered_cells(series, column.levels, levels, None)[0]
    fills = learn_fills(steps, weights, how)
    return ColumnCode(column.name, "ordered", levels=levels, missing=flagged, declared=column.levels, fills=fills)


def encode(code: ColumnCode, series: pl.Series) -> Encoded:
    """Turn a column into numbers as it was learned.

    Raises
    ------
    InputError
        A column of numbers holds something else, or an infinite number.
    """
    import polars as pl

    none = np.empty(0, dtype=np.int64)
    if code.kind == "number":
        values, gone = _numbers(code.name, series, code.form)
        if gone.size:
            values = np.array(values)
            values[gone] = code.fill
        return Encoded(values, None, gone, gone, {})
    if code.kind == "ordered":
        steps, missing, gaps, unseen = ordered_cells(series, code.declared, code.levels, code.fills)
        return Encoded(steps, None, missing, gaps, unseen)
    labels = as_text(series, keep=code.levels)
    found = labels.unique().drop_nulls().to_list()
    position = {level: i for i, level in enumerate(code.levels)}
    missing = np.flatnonzero(labels.is_null().to_numpy())
    strange = [v for v in found if _same_truth(v, position) not in position]
    mapping = {v: position.get(_same_truth(v, position), -1) for v in found}
    if mapping:
        index = labels.replace_strict(list(mapping), list(mapping.values()), default=-1, return_dtype=pl.Int64)
        codes = index.fill_null(-1).to_numpy().astype(np.int64)
    else:
        codes = np.full(series.len(), -1, dtype=np.int64)
    unseen = {v: int((labels == v).sum()) for v in strange} if strange else {}
    if code.kind == "pair":
        gaps = np.flatnonzero(codes < 0)
        number = codes.astype(np.float64)
        number[gaps] = code.fill
        return Encoded(number, None, missing, gaps, unseen)
    odd = codes < 0
    odd[missing] = False
    codes = codes.copy()
    if code.rare:
        codes[odd] = len(code.levels)
    if code.missing:
        codes[missing] = len(code.features) - 1
    elif code.rare:
        codes[missing] = len(code.levels)
    return Encoded(None, codes, missing, none, unseen)


def _same_truth(label: str, position: dict[str, int]) -> str:
    """Read ``True`` as the level ``true``, so that a boolean column and its text agree."""
    return label if label in position else next((v for v in (label.lower(), label.title()) if v in position), label)


def _numbers(name: str, series: pl.Series, form: NumberFormat) -> tuple[Float, Index]:
    """Return (m,) floats with NaN where missing, and the missing rows; refuse text and infinities."""
    if not series.dtype.is_numeric() or series.dtype.is_decimal():
        parsed = as_numbers(series, form)
        if parsed.n_bad:
            raise InputError(
                f"column {name!r} holds {parsed.bad!r} where numbers were in training ({parsed.n_bad} such cells); "
                "correct them, or leave them empty if they are missing"
            )
        series = parsed.numbers
    # NumPy from here on: a polars expression costs 50 microseconds, too much for thousands of columns
    values = np.asarray(series.to_numpy(), dtype=np.float64)
    finite = np.isfinite(values)
    if finite.all():
        return values, np.empty(0, dtype=np.int64)
    infinite = np.isinf(values)
    if infinite.any():
        raise InputError(
            f"column {name!r} is infinite in row {int(np.argmax(infinite)) + 1}; correct such cells, "
            "or leave them empty"
        )
    return values, np.flatnonzero(~finite)


def unit(feature: str, column: str, indicator: bool, form: NumberFormat) -> str:
    """Word the unit of a feature's coefficient: "per mm" from "radius (mm)", "per year" from "age", else "per unit"."""
    if indicator:
        return "when missing" if feature.endswith(MISSING) else f"when {feature.removeprefix(f'{column} = ')}"
    if form.affix:
        return "per percentage point" if form.affix == "%" else f"per {form.affix}"
    bracket = re.search(r"[(\[]([^()\[\]\d]{1,12})[)\]]\s*$", column)
    if bracket:
        return f"per {bracket.group(1).strip()}"
    if re.fullmatch(r"(?i)age|years?|.*[_ ](age|years?)|(age|years?)[_ ].*", column):
        return "per year"
    return "per unit"


def moments(code: ColumnCode, cells: Encoded, weights: Float | None) -> tuple[list[float], list[float]]:
    """Weighted means and 1/n standard deviations of the features of one column."""
    means, scales = [], []

    def add(x: NDArray[Any]) -> None:
        mean = float(np.average(x, weights=weights))
        means.append(mean)
        scales.append(float(np.sqrt(np.average((x - mean) ** 2, weights=weights))))

    if cells.number is not None:
        for x in np.atleast_2d(cells.number.T):
            add(x)
        if code.missing:
            flag = np.zeros(cells.number.size)
            flag[cells.missing] = 1.0
            add(flag)
        return means, scales
    assert cells.code is not None
    total = float(cells.code.size) if weights is None else float(weights.sum())
    here = cells.code >= 0
    inside = None if weights is None else weights[here]
    share = np.bincount(cells.code[here], weights=inside, minlength=len(code.features)) / total
    return [float(s) for s in share], [float(v) for v in np.sqrt(share * (1.0 - share))]
