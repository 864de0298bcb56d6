"""Times to an event in a table: a column of times, one of events, and perhaps starts and strata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bridle.data.kinds import parse_dates
from bridle.data.sentences import listed
from bridle.data.target import NEGATIVE_WORDS, Target, numbers_of
from bridle.data.values import as_text
from bridle.errors import InputError
from bridle.losses import get_family
from bridle.survival.target import EVENT, START, STRATUM, TIME

if TYPE_CHECKING:
    import polars as pl

Float = NDArray[np.float64]

_NO_EVENT = NEGATIVE_WORDS | frozenset(
    ("censored", "cens", "censor", "lost", "withdrawn", "survived", "living", "event-free", "ongoing", "active", "0",
     "f", "n")
)  # fmt: skip
_FEW_EVENTS = 20
_MANY_LABELS = 20


@dataclass(frozen=True)
class SurvivalColumns:
    """Which columns say when, whether and among whom an event happened."""

    time: str
    event: str
    label: str  # of the event in its column: "1", "true", "dead"
    start: str = ""  # empty for none
    strata: str = ""  # empty for none
    levels: tuple[str, ...] = ()  # of the strata: stratum k of the target is levels[k]


def survival_of(
    time: pl.Series,
    roles: Mapping[str, pl.Series],
    *,
    family: str | None,
    positive: str | None,
    decimal: str | None,
) -> tuple[Target, SurvivalColumns] | None:
    """Return the target of times to an event, if there is an event column; None where the target is of another kind.

    Parameters
    ----------
    time : series of n rows
        The target column.
    roles : mapping of str to series
        Columns by their role.
    family, positive, decimal : str or None
        As given by the user.

    Raises
    ------
    InputError
        The cox family, starts or strata without an event column, and all that :func:`understand_survival` refuses.
    """
    event, start, strata = (roles.get(role) for role in ("event", "start", "strata"))
    if event is not None:
        found = understand_survival(time, event, start, strata, family=family, positive=positive, decimal=decimal)
        return found if start is None or "groups" in roles else (_said(found[0]), found[1])
    if family is not None and get_family(family).name == "cox":
        raise InputError(
            "family 'cox' needs to know which times ended with an event; name the column that says so with --event "
            "(event= in Python)"
        )
    if start is not None or strata is not None:
        what = "start" if start is not None else "strata"
        raise InputError(f"{what} is for times to an event; name the column of events with --event (event= in Python)")
    return None


def understand_survival(
    time: pl.Series,
    event: pl.Series,
    start: pl.Series | None = None,
    strata: pl.Series | None = None,
    *,
    family: str | None = None,
    positive: str | None = None,
    decimal: str | None = None,
) -> tuple[Target, SurvivalColumns]:
    """Put the columns together as Cox's family takes them; rows without a time or an event are NaN.

    The event is 1 of 0 and 1, true of true and false, ``positive`` of any labels (all others are then censored), and
    else the one of two labels whose partner is a word for none, such as alive or censored.

    Parameters
    ----------
    time, event, start, strata : series of n rows
        Columns of the table.
    family : str, optional
        "cox" with its options.
    positive : str, optional
        Label of the event.
    decimal : str, optional
        Decimal mark of numbers in text.

    Returns
    -------
    Target, SurvivalColumns
        The target has ``y`` (n, 4).

    Raises
    ------
    InputError
        Times or events that can't be; the message names the row, counted from 1.
    """
    kind = get_family("cox" if family is None else family)
    if kind.name != "cox":
        raise InputError(
            f"an event column asks for the cox family, and family {family!r} is given besides; leave one of them out"
        )
    n = len(time)
    y = np.full((n, 4), np.nan)
    y[:, TIME] = _times(time, "target", decimal)
    happened, label, others = _events(event, positive)
    y[:, EVENT] = happened
    y[:, START] = -np.inf if start is None else _times(start, "start", decimal)
    known = np.isfinite(y[:, TIME]) & np.isfinite(y[:, EVENT])
    codes, levels = (np.zeros(n), ()) if strata is None else _strata(strata, known)
    y[:, STRATUM] = codes
    y[~known] = np.nan
    if not known.any():
        raise InputError(f"no row has both a time {time.name!r} and an event {event.name!r}; nothing can be learned")
    _check(y, known, time.name, event.name, "" if start is None else start.name)
    columns = SurvivalColumns(
        time.name, event.name, label, "" if start is None else start.name, "" if strata is None else strata.name, levels
    )
    sentence, warnings = _sentence(y[known], columns, others), _warnings(y[known], columns)
    return Target(y, kind.spec, (), sentence, warnings), columns


def _times(column: pl.Series, role: str, decimal: str | None) -> Float:
    name = column.name
    if column.dtype.is_temporal() or (parse_dates(column) is not None and numbers_of(column, decimal) is None):
        raise InputError(
            f"{role} {name!r} holds dates or times of day; expected numbers: how long from the beginning to the event "
            "or the end of observation. Subtract the date of entry first"
        )
    values = numbers_of(column, decimal)
    if values is None:
        known = as_text(column).drop_nulls()
        what = f"such as {known[0]!r}" if known.len() else "with nothing in it"
        raise InputError(f"{role} {name!r} is a column of text, {what}; expected times as numbers")
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        raise InputError(f"{role} {name!r} is infinite in row {infinite[0] + 1}; correct it, or leave the cell empty")
    return values


def _events(column: pl.Series, positive: str | None) -> tuple[Float, str, tuple[str, ...]]:
    """(n,) 1 for events, 0 for none, NaN where missing; the event's label; other labels that count as none."""
    labels = as_text(column)
    found = labels.drop_nulls().unique().sort().to_list()
    name = column.name
    if not found:
        raise InputError(f"every cell of the event {name!r} is missing; name the column that says whether it happened")
    shown = listed(found)
    if positive is not None:
        if positive not in found:
            raise InputError(f"positive={positive!r} isn't in the event {name!r}, which holds {shown}")
        label = positive
    elif set(found) <= {"0", "1"}:
        label = "1"
    elif set(found) <= {"false", "true"}:
        label = "true"
    elif len(found) == 2:
        no = [v.strip().casefold() in _NO_EVENT for v in found]
        if no[0] == no[1]:
            raise InputError(
                f"the event {name!r} holds {shown}, and it isn't clear which of them is the event; name it: "
                f"--positive {found[1]} (positive={found[1]!r} in Python)"
            )
        label = found[int(no[0])]
    elif len(found) == 1:
        raise InputError(
            f"the event {name!r} is {shown} in every row; expected 0 or 1, or two labels. If it is the label of an "
            f"event that all rows had, say so: --positive {found[0]} (positive={found[0]!r} in Python)"
        )
    else:
        hint = f"name the one that is the event, e.g. --positive {found[-1]}, and all others count as censored"
        if len(found) > _MANY_LABELS:
            hint = "check that it is the right column"
        raise InputError(f"the event {name!r} has {len(found)} different values: {shown}; expected 0 and 1: {hint}")
    values = (labels == label).cast(float).fill_null(float("nan")).to_numpy()
    others = tuple(v for v in found if v != label)
    return np.asarray(values, dtype=np.float64), label, others


def _strata(column: pl.Series, known: NDArray[np.bool_]) -> tuple[Float, tuple[str, ...]]:
    labels = as_text(column)
    gone = np.flatnonzero(labels.is_null().to_numpy() & known)
    if gone.size:
        raise InputError(f"strata {column.name!r} is missing in row {gone[0] + 1}; give a label or leave the row out")
    text = labels.fill_null("").to_numpy().astype(str)
    found = sorted(set(text[known].tolist()), key=_order)
    place = {v: float(k) for k, v in enumerate(found)}
    return np.array([place.get(v, np.nan) for v in text]), tuple(found)


def _order(label: str) -> tuple[int, float, str]:
    """Numbers as numbers, before text."""
    try:
        return 0, float(label), label
    except ValueError:
        return 1, 0.0, label


def _check(y: Float, known: NDArray[np.bool_], time: str, event: str, start: str) -> None:
    def first(bad: NDArray[np.bool_]) -> int | None:
        rows = np.flatnonzero(bad & known)
        return int(rows[0]) if rows.size else None

    with np.errstate(invalid="ignore"):
        if not start and (row := first(y[:, TIME] < 0.0)) is not None:
            raise InputError(
                f"target {time!r} is {y[row, TIME]:g} in row {row + 1}; a time to an event is at least 0. Correct it, "
                "leave the row out, or give the time of entry with --start (start=)"
            )
        if start and (row := first(np.isnan(y[:, START]))) is not None:
            raise InputError(f"start {start!r} is missing in row {row + 1}; every row needs the time of its entry")
        if start and (row := first(y[:, START] >= y[:, TIME])) is not None:
            raise InputError(
                f"start {start!r} is {y[row, START]:g} and {time!r} {y[row, TIME]:g} in row {row + 1}; a row is at "
                "risk after its start up to its time, so start must be less. Correct it or leave the row out"
            )
    if not (y[known, EVENT] == 1.0).any():
        raise InputError(
            f"no row has an event: {event!r} says so of none of the {int(known.sum())} rows with a time, so there is "
            "nothing to learn. Is it the right column, and the right label (--positive)?"
        )


def _said(target: Target) -> Target:
    """Say what several rows of one person need."""
    more = (
        " Where several rows are one person's, name the column that says whose they are (--groups), so that folds keep "
        "them together."
    )
    return replace(target, sentence=target.sentence + more)


def _sentence(y: Float, columns: SurvivalColumns, others: tuple[str, ...]) -> str:
    event = y[:, EVENT] == 1.0
    count = int(event.sum())
    said = (
        f"The target is the time {columns.time!r} to an event ({columns.event!r} is {columns.label!r}), which "
        f"{count:,} of {len(y):,} rows had; the others are censored: they were seen without one up to their time"
    )
    said += f", of them those with {listed(others)}: hazards are of this cause only." if len(others) > 1 else "."
    if columns.start:
        said += f" Rows are at risk only after their start {columns.start!r}."
    if columns.strata:
        said += f" Each of the {len(columns.levels)} strata {columns.strata!r} has a baseline hazard of its own."
    zero = int(np.sum((y[:, TIME] == 0.0) & ~event)) if not columns.start else 0
    if zero:
        said += f" {zero} row{'s are' if zero > 1 else ' is'} censored at time 0, which tells nothing."
    return said


def _warnings(y: Float, columns: SurvivalColumns) -> tuple[str, ...]:
    event = y[:, EVENT] == 1.0
    found = []
    if (count := int(event.sum())) < _FEW_EVENTS:
        found.append(f"Only {count} rows have an event: estimates will be uncertain, and some folds may hold few.")
    per = np.bincount(y[:, STRATUM].astype(np.int64), event, minlength=len(columns.levels))
    empty = [v for v, k in zip(columns.levels, per, strict=False) if k == 0]
    if empty:
        found.append(
            f"No event in {'stratum' if len(empty) == 1 else 'the strata'} {listed(empty)} of {columns.strata!r}: "
            "their rows add nothing, and no survival can be predicted for them."
        )
    return tuple(found)
