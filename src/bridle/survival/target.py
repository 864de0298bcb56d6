"""The target of survival models, for each row: start, time, whether an event ended it, and the stratum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import InputError

Float = NDArray[np.float64]

START, TIME, EVENT, STRATUM = range(4)

_NAMES = {  # of the columns of a data frame or of the fields of a structured array, in small letters
    "start": START, "entry": START, "tstart": START,
    "time": TIME, "stop": TIME, "tstop": TIME, "duration": TIME, "futime": TIME,
    "event": EVENT, "status": EVENT, "cens": EVENT, "death": EVENT, "fustat": EVENT,
    "strata": STRATUM, "stratum": STRATUM,
}  # fmt: skip


def survival_target(
    time: ArrayLike, event: ArrayLike, start: ArrayLike | None = None, strata: ArrayLike | None = None
) -> Float:
    """Put together what the ``cox`` family takes as y.

    A row is at risk after ``start`` up to and including ``time``; at ``time`` it has an event, or is only seen no
    longer (censored). Without ``start`` it is at risk from the beginning, and times are at least 0 (an event at 0
    counts, with everybody at risk). Somebody whose features change is several rows, one after another. Each stratum
    has a baseline hazard of its own: its rows are compared with each other only.

    Parameters
    ----------
    time : (n,)
        End of the time at risk, finite.
    event : (n,)
        True or 1 where it ended with an event, False or 0 where it was censored.
    start : (n,) or None
        Beginning of the time at risk, less than ``time``; -inf is from the beginning.
    strata : (n,) or None
        Labels; rows with the same belong to one stratum.

    Returns
    -------
    (n, 4)
        Start (-inf where there is none), time, event (0 or 1), number of the stratum.

    Raises
    ------
    InputError
        Columns of different lengths, missing values, times that can't be, or no event at all.
    """
    stop = _column(time, "time")
    n = stop.shape[0]
    rows = np.empty((n, 4))
    rows[:, TIME] = stop
    rows[:, EVENT] = _event(event, n)
    rows[:, START] = -np.inf if start is None else _column(start, "start", n)
    rows[:, STRATUM] = 0.0 if strata is None else _codes(strata, n)
    return checked(rows)


def read_target(y: Any, n: int) -> Float:
    """Read y in any of the forms that are in use.

    Parameters
    ----------
    y : array, structured array or data frame with n rows
        What :func:`survival_target` returns; a structured array of (event, time) as scikit-survival's ``Surv`` makes
        it; columns [time, event], [start, stop, event] or [start, stop, event, stratum]; or a data frame or
        structured array whose columns have these names.
    n : int
        Number of rows of X.

    Returns
    -------
    (n, 4)
        As :func:`survival_target`.

    Raises
    ------
    InputError
        None of these forms, or values that can't be.
    """
    if type(y) is np.ndarray and y.dtype == np.float64 and y.ndim == 2 and y.shape[1] == 4:
        columns: dict[int, Any] = {place: y[:, place] for place in range(4)}
    else:
        columns = _columns(y)
    target = survival_target(columns[TIME], columns[EVENT], columns.get(START), columns.get(STRATUM))
    if target.shape[0] != n:
        raise InputError(f"y has {target.shape[0]} rows; expected one for each row of X, {n}")
    return target


def checked(rows: Float) -> Float:
    """Refuse times that can't be.

    Parameters
    ----------
    rows : (n, 4)
        Start, time, event, stratum.

    Returns
    -------
    (n, 4)
        The same.
    """
    start, time, event, _ = rows.T
    if not rows.shape[0]:
        raise InputError("the survival target has no rows")
    _refuse(~np.isfinite(time), time, "time", "finite numbers")
    _refuse(np.isnan(start) | (start == np.inf), start, "start", "numbers, or -inf for rows seen from the beginning")
    _refuse(np.isneginf(start) & (time < 0.0), time, "time", "numbers of at least 0 (or give start)")
    bad = start >= time
    if bad.any():
        i = int(np.argmax(bad))
        raise InputError(
            f"a row is at risk after start up to time, so start must be less; row {i} has start {start[i]:g} and time "
            f"{time[i]:g}. Correct it or leave it out."
        )
    if not event.any():
        raise InputError("there is no event: every row is censored, so there is nothing to learn")
    return rows


def _columns(y: Any) -> dict[int, Any]:
    """Find start, time, event and stratum in what was given."""
    if hasattr(y, "columns"):
        return _named({str(name): np.asarray(y[name]) for name in y.columns})
    array = np.asarray(y)
    names = array.dtype.names
    if names is not None:
        if array.ndim != 1:
            raise InputError(f"a structured survival target must have one dimension; got shape {array.shape}")
        if len(names) == 2 and array.dtype[0].kind == "b" and array.dtype[1].kind in "fiu":  # scikit-survival's
            return {EVENT: array[names[0]], TIME: array[names[1]]}
        return _named({name: array[name] for name in names})
    if array.ndim != 2 or array.shape[1] not in (2, 3, 4):
        raise InputError(
            f"the cox family needs times and events; y has shape {array.shape}. Give "
            "bridle.survival_target(time, event), or columns [time, event] or [start, stop, event]"
        )
    places = (TIME, EVENT) if array.shape[1] == 2 else (START, TIME, EVENT, STRATUM)[: array.shape[1]]
    return {place: array[:, k] for k, place in enumerate(places)}


def _named(given: dict[str, Any]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for name, values in given.items():
        place = _NAMES.get(name.lower())
        if place is None or place in found:
            raise InputError(
                f"column {name!r} of the survival target isn't understood; expected time (or stop), event (or status), "
                "and perhaps start (or entry) and strata; or give bridle.survival_target(time, event, ...)"
            )
        found[place] = values
    if TIME not in found or EVENT not in found:
        raise InputError(f"the survival target needs a time and an event; got {', '.join(given)}")
    return found


def _column(values: ArrayLike, name: str, n: int | None = None) -> Float:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} can't be read as numbers: {error}") from None
    if array.ndim != 1 or (n is not None and array.shape[0] != n):
        expected = "one value a row" if n is None else f"one value for each time, ({n},)"
        raise InputError(f"{name} has shape {array.shape}; expected {expected}")
    return array


def _event(values: ArrayLike, n: int) -> Float:
    event = _column(values, "event", n)
    other = (event != 0.0) & (event != 1.0)
    if other.any():
        i = int(np.argmax(other))
        hint = " (for a status of 1 and 2 give status == 2)" if set(np.unique(event)) <= {1.0, 2.0} else ""
        raise InputError(f"event must be 1 (True) for an event, 0 for a censored row; row {i} has {event[i]:g}{hint}")
    return event


def _codes(values: ArrayLike, n: int) -> Float:
    labels = np.asarray(values)
    if labels.shape != (n,):
        raise InputError(f"strata has shape {labels.shape}; expected one label for each time, ({n},)")
    missing = labels != labels if labels.dtype.kind in "fcmMO" else np.zeros(n, dtype=bool)  # noqa: PLR0124 (NaN)
    if labels.dtype.kind == "O":
        missing = missing | np.array([label is None for label in labels])
    if np.any(missing):
        raise InputError(f"strata has no label in row {int(np.argmax(missing))}; give one or leave the row out")
    try:
        return np.unique(labels, return_inverse=True)[1].astype(np.float64)
    except TypeError as error:
        raise InputError(f"strata mixes types that don't sort ({error}); make all labels the same type") from None


def _refuse(bad: NDArray[np.bool_], values: Float, name: str, expected: str) -> None:
    if bad.any():
        i = int(np.argmax(bad))
        raise InputError(f"{name} must hold {expected}; row {i} has {values[i]:g}. Correct it or leave the row out.")
