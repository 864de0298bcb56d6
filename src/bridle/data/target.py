"""The target column: which family of models it asks for, and its values as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bridle.data.classes import classes_of, levels_of, looks_like_classes, responses, shares
from bridle.data.kinds import parse_dates
from bridle.data.ordered import ordered_levels
from bridle.data.values import NumberFormat, as_numbers, as_text, guess_format, without_missing
from bridle.errors import InputError
from bridle.losses import Family, get_family

if TYPE_CHECKING:
    import polars as pl

Float = NDArray[np.float64]
NEGATIVE_WORDS = frozenset(
    (
        "no",
        "false",
        "negative",
        "neg",
        "benign",
        "control",
        "healthy",
        "normal",
        "absent",
        "none",
        "absence",
        "alive",
        "good",
    )
)
COUNT_NAME = ("count", "number_of", "num_", "n_", "visits", "claims", "events", "accidents", "admissions")


@dataclass(frozen=True)
class Target:
    """The target as numbers: 0 and 1 for two classes, NaN where it is missing."""

    y: Float  # (n,), or (n, K): 0 and 1 for each of several classes, or several responses
    family: str
    classes: tuple[str, ...]  # (negative, positive) for two classes; all of several, lowest first if they are ordered
    sentence: str  # how it was understood
    warnings: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()  # names of several responses


def understand_target(
    column: pl.Series,
    family: str | None = None,
    positive: str | None = None,
    decimal: str | None = None,
    levels: Sequence[str] | None = None,
) -> Target:
    """Find the family that fits the target, unless ``family`` says it, and turn it into numbers.

    Two distinct values of any type are two classes (binomial), more labels are several (multinomial), or ordered ones
    (ordinal) where ``levels`` lists them, lowest first, or the column is an Enum. Numbers are gaussian, except that
    whole numbers which behave like counts (see :func:`looks_like_counts`) are poisson. Of two classes the positive one
    is ``positive`` if given, else the one whose partner is a word for "no", else the last in sorted order.

    Raises
    ------
    InputError
        The target holds one value, too many classes or too few rows of one, dates, or values that ``family`` does not
        allow.
    """
    kind = None if family is None else get_family(family)
    name = column.name
    if column.dtype.is_nested() or column.dtype.is_temporal():
        raise InputError(f"the target {name!r} holds {column.dtype}; expected numbers, counts or two classes")
    numbers = numbers_of(column, decimal)
    if kind is not None and kind.several and not kind.has_classes:
        raise InputError(
            f"family {kind.name!r} predicts several numbers, and one target column is given; name all of them, or use "
            "gaussian"
        )
    levels = ordered_levels(column, levels)
    labels = as_text(column, keep=levels or ())
    known = labels.drop_nulls()
    if known.len() == 0:
        raise InputError(f"every cell of the target {name!r} is missing; choose another target column")
    distinct = known.n_unique()
    if distinct == 1:
        raise InputError(
            f"the target {name!r} is always {known[0]!r}: with one class or value there is nothing to predict; "
            "choose another target, or add rows with other values"
        )
    if numbers is not None:
        _refuse_infinite(numbers, name)
    if (family is None and distinct == 2 and (numbers is None or _whole(numbers))) or (
        kind is not None and kind.is_classifier and distinct == 2
    ):
        return _two_classes(name, labels, numbers, positive, family or "binomial")
    several = numbers is None and kind is None and looks_like_classes(known) and parse_dates(known) is None
    if (kind is not None and kind.has_classes) or several or (kind is None and levels is not None):
        return _classes(name, labels, numbers, positive, kind, levels)
    if numbers is None:
        raise _not_two_classes(name, known, family)
    if positive is not None:
        raise InputError(
            f"positive={positive!r} asks for two classes, but the target {name!r} has {distinct} different values"
        )
    return _numeric(name, numbers, distinct, kind)


def numbers_of(column: pl.Series, decimal: str | None) -> Float | None:
    """(n,) numbers of a column, NaN where missing; None if it doesn't hold numbers."""
    import polars as pl

    form = NumberFormat()
    if column.dtype == pl.Boolean or isinstance(column.dtype, pl.Categorical | pl.Enum):
        return None
    if column.dtype == pl.String:
        guessed = guess_format(without_missing(column), decimal)
        if guessed is None:
            return None
        form = guessed
    parsed = as_numbers(column, form)
    return np.asarray(parsed.numbers.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)


def _refuse_infinite(y: Float, name: str) -> None:
    bad = np.flatnonzero(np.isinf(y))
    if bad.size:
        raise InputError(
            f"the target {name!r} is infinite in {bad.size} row{'s' * (bad.size > 1)}, first in row {bad[0] + 1}; "
            "correct these cells, or leave them empty to drop the rows"
        )


def _whole(y: Float) -> bool:
    known = y[~np.isnan(y)]
    return bool(np.all(known == np.round(known)))


def _two_classes(name: str, labels: pl.Series, numbers: Float | None, positive: str | None, family: str) -> Target:
    found = labels.drop_nulls().unique().to_list()
    # numbers sort as numbers: -1 before 1, 9 before 10
    order = sorted(found, key=lambda v: (float(v) if numbers is not None else 0.0, v))
    if positive is not None:
        if str(positive) not in order:
            raise InputError(
                f"positive={positive!r} is not a class of {name!r}; its classes are {order[0]!r} and {order[1]!r}"
            )
        order.sort(key=lambda v: v == str(positive))
    elif numbers is None and order[1].casefold() in NEGATIVE_WORDS and order[0].casefold() not in NEGATIVE_WORDS:
        order.reverse()
    y = np.where(labels.is_null().to_numpy(), np.nan, (labels == order[1]).fill_null(False).to_numpy().astype(float))
    share = float(np.nanmean(y))
    warnings = []
    rarer = int(min(np.nansum(y), np.nansum(1 - y)))
    if rarer < 20:
        fewer = order[1] if share < 0.5 else order[0]
        warnings.append(
            f"Only {rarer} rows are {fewer!r}: estimates will be uncertain, and some folds may hold few of them."
        )
    sentence = (
        f"The target {name!r} has two classes: the model gives the probability of {order[1]!r} "
        f"({100 * share:.3g} % of the rows) against {order[0]!r}."
    )
    return Target(y, family, (order[0], order[1]), sentence, tuple(warnings))


def _classes(
    name: str,
    labels: pl.Series,
    numbers: Float | None,
    positive: str | None,
    kind: Family | None,
    levels: Sequence[str] | None,
) -> Target:
    """Several classes, or ordered ones where ``levels`` orders them or the family is ordinal."""
    if positive is not None:
        raise InputError(
            f"positive={positive!r} asks for two classes, but the target {name!r} has "
            f"{labels.drop_nulls().n_unique()} different values"
        )
    ordered = levels is not None if kind is None else kind.spec == "ordinal"
    if ordered:
        classes, note = levels_of(name, labels, numbers, levels)
        order = ", ".join(map(repr, classes)) if len(classes) <= 8 else f"{classes[0]!r}, ..., {classes[-1]!r}"
        said = f"The target {name!r} has {len(classes)} ordered levels ({order}), each with a probability.{note}"
    else:
        classes = classes_of(name, labels, numbers)
        said = f"The target {name!r} has {len(classes)} classes, each with a probability."
    y, warnings = shares(name, labels, classes, "levels" if ordered else "classes")
    return Target(y, "ordinal" if ordered else "multinomial", classes, said, warnings)


def understand_responses(columns: Sequence[pl.Series], family: str | None = None, decimal: str | None = None) -> Target:
    """Turn several target columns into numbers, (n, K): a multi-response gaussian target.

    Raises
    ------
    InputError
        A column doesn't hold numbers that vary, or ``family`` is for one column.
    """
    names = [c.name for c in columns]
    kind = None if family is None else get_family(family)
    if kind is not None and (not kind.several or kind.has_classes):
        raise InputError(
            f"family {kind.name!r} is for one target column, and {len(names)} are given; name one, or leave the family "
            "out: several numbers are predicted together"
        )
    if len(set(names)) < len(names):
        raise InputError(f"the targets {', '.join(map(repr, names))} name a column twice; name each once")
    found = []
    for column in columns:
        numbers = None if column.dtype.is_nested() or column.dtype.is_temporal() else numbers_of(column, decimal)
        if numbers is None:
            raise InputError(
                f"several targets are predicted together only if all are numbers, and {column.name!r} holds "
                f"{column.dtype}; give it a study of its own"
            )
        found.append((str(column.name), numbers))
    sentence = f"The targets {', '.join(map(repr, names))} are {len(names)} numbers, predicted together."
    return Target(responses(found), "multigaussian", (), sentence, responses=tuple(map(str, names)))


def _not_two_classes(name: str, known: pl.Series, family: str | None) -> InputError:
    counts = known.rename("label").value_counts(sort=True, name="rows")
    n_classes = counts.height
    if parse_dates(known) is not None:
        return InputError(f"the target {name!r} holds dates; expected numbers, counts or two classes")
    shown = ", ".join(f"{v!r} ({k} rows)" for v, k in counts.head(8).iter_rows()) + (", ..." if n_classes > 8 else "")
    what = (
        f"family {family!r} needs numbers"
        if family is not None and not get_family(family).is_classifier
        else "bridle predicts numbers, counts or classes"
    )
    advice = (
        "use --family multinomial for these classes, or keep the rows of two"
        if looks_like_classes(known)
        else "check that it is the right column, and that its numbers use one decimal mark and no other signs"
    )
    return InputError(f"the target {name!r} has {n_classes} different labels: {shown}; {what}: {advice}")


def _numeric(name: str, y: Float, distinct: int, kind: Family | None) -> Target:
    known = y[~np.isnan(y)]
    family = None if kind is None else kind.spec
    low = float(known.min())
    if kind is not None and (low < kind.least or (kind.positive_only and low == kind.least)):
        needed = "counts" if kind.counts else "numbers above 0" if kind.positive_only else "numbers of at least 0"
        instead = "tweedie, which allows zeros" if low == 0 else "gaussian"
        raise InputError(
            f"family {kind.name!r} needs {needed}, but the target {name!r} goes down to {low:g}; use {instead}"
        )
    if kind is not None and kind.is_classifier and not kind.has_probabilities:
        raise InputError(
            f"family {kind.name!r} needs two classes, but the target {name!r} has {distinct} different values"
        )
    if family == "binomial":
        if known.min() < 0 or known.max() > 1:
            raise InputError(
                f"family 'binomial' needs two classes or shares between 0 and 1, but the target {name!r} has "
                f"{distinct} different values from {known.min():g} to {known.max():g}"
            )
        return Target(
            y,
            family,
            ("0", "1"),
            f"The target {name!r} holds shares between 0 and 1; the model gives the expected share.",
        )
    counts = looks_like_counts(name, known)
    chosen = family or ("poisson" if counts else "gaussian")
    spread = f"mean {_plain(known.mean())}, standard deviation {_plain(known.std())}"
    if get_family(chosen).counts:
        why = (
            ""
            if family
            else " It was taken for counts (small whole numbers with a long right tail); --family gaussian overrides."
        )
        return Target(y, chosen, (), f"The target {name!r} is a count ({spread}).{why}")
    hint = ""
    if family is None and _whole(known) and known.min() >= 0:
        if distinct <= 10:
            hint = " It has few whole values: for counts use --family poisson, for classes multinomial or ordinal."
        elif known.max() <= 1000:
            hint = " They are whole numbers: if they count events, use --family poisson."
    elif family is None and known.min() >= 0 and _skewness(known) > 2.0:
        other = "gamma" if known.min() > 0 else "tweedie"
        hint = f" It is far skewed to the right: if its spread grows with its mean, try --family {other}."
    return Target(y, chosen, (), f"The target {name!r} is numeric ({spread}).{hint}")


def looks_like_counts(name: str, y: Float) -> bool:
    """Tell whether numbers (n,) behave like counts, cautiously: a rating, an age or a price must not.

    Whole, not negative, at least three distinct values, small (mean at most 20, maximum at most 100), with zeros in at
    least 2 % of the rows, and skewed to the right (mean above median, skewness over 0.5). A name that says count, such
    as n_visits, stands for zeros and needs less skewness.
    """
    if not _whole(y) or y.min() < 0 or y.max() > 100 or y.mean() > 20 or len(np.unique(y)) < 3:
        return False
    named = any(part in name.lower() for part in COUNT_NAME)
    if (y == 0).mean() < 0.02 and not named:
        return False
    skewness = _skewness(y)
    return skewness > 0.0 if named else skewness > 0.5 and bool(y.mean() > np.median(y))


def _skewness(y: Float) -> float:
    return float(np.mean((y - y.mean()) ** 3)) / float(y.std()) ** 3


def _plain(x: float) -> str:
    """Four significant digits, and whole numbers from a thousand on: 41.72, 540,088."""
    return f"{x:,.0f}" if 1e3 <= abs(x) < 1e9 else f"{x:.4g}"
