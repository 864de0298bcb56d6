"""What a path of somebody's own modules is given: a matrix of numbers, and a target of numbers or labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from bridle.errors import InputError
from bridle.losses import get_family
from bridle.nets.settings import FAMILIES

Float = NDArray[np.float64]

MOST_CLASSES = 100  # more whole numbers than these are numbers


@dataclass(frozen=True, eq=False)
class Target:
    """The target as numbers, with the classes that they stand for."""

    y: Float  # (n,), classes as codes 0 to k - 1
    family: str
    classes: NDArray[Any] | None  # (k,), None for a numeric target

    @property
    def n_outputs(self) -> int:
        """Links of a row: the number of classes for a multinomial target, else 1."""
        return len(self.classes) if self.family == "multinomial" and self.classes is not None else 1


def read_target(y: ArrayLike, family: str | None = None) -> Target:
    """Find the family of a target, unless it is given, and turn labels into numbers.

    Raises
    ------
    InputError
        Missing or infinite values, one value only, or values that the family can't have.
    """
    if family is not None and family not in FAMILIES:
        raise InputError(f"unknown family {family!r}; expected one of {', '.join(FAMILIES)}")
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.size == 0:
        raise InputError(f"y has shape {values.shape}; expected one value per row")
    numbers = _numbers(values)
    if numbers is None:
        missing = np.array([v is None or v != v for v in values.tolist()])  # noqa: PLR0124 (NaN of any type)
        _refuse("missing", missing)
        values = values.astype(str) if values.dtype == object else values
    else:
        _refuse("missing or infinite", ~np.isfinite(numbers))
    distinct = np.unique(values)
    if distinct.size < 2:
        raise InputError(f"y is {distinct.tolist()[0]!r} on every row: there is nothing to learn")
    chosen = family or _family(values, numbers, distinct)
    shares = chosen == "binomial" and numbers is not None and distinct.size > 2
    if chosen in ("gaussian", "poisson") or shares:
        if numbers is None:
            raise InputError(f"y holds labels such as {str(values[0])!r}; the {chosen} family needs numbers")
        get_family(chosen).check_target(numbers)
        return Target(numbers, chosen, None)
    if chosen == "binomial" and distinct.size > 2:
        raise InputError(f"y has {distinct.size} classes; the binomial family needs two: choose multinomial")
    codes = np.searchsorted(distinct, values).astype(np.float64)
    return Target(codes, chosen, distinct)


def read_matrix(X: Any) -> Any:
    """(n, p) array of numbers, or csr_array, from an array, sparse matrix or data frame.

    Raises
    ------
    InputError
        Not two-dimensional, not numbers, or not finite: the message names the first column.
    """
    if sparse.issparse(X):
        found = sparse.csr_array(X)
        values = found.data
    else:
        try:
            found = np.asarray(X)
            found = found.astype(np.float64) if found.dtype.kind in "biuO" else found
        except (TypeError, ValueError) as error:
            raise InputError(f"X can't be read as a matrix of numbers: {error}") from None
        values = found
    if found.ndim != 2 or 0 in found.shape:
        raise InputError(f"X has shape {found.shape}; expected rows and columns of numbers")
    if values.dtype.kind not in "biuf":
        raise InputError(f"X can't be read as a matrix of numbers: it holds {values.dtype}")
    bad = ~np.isfinite(values)
    if bad.any():
        first = found.indices[np.argmax(bad)] if sparse.issparse(X) else np.argmax(bad.any(axis=0))
        name = f" ({X.columns[first]!r})" if hasattr(X, "columns") else ""
        raise InputError(
            f"column {int(first)}{name} of X has missing or infinite values; fill them, or leave the column or rows out"
        )
    return found


def read_row_numbers(name: str, values: ArrayLike | None, least: float = -np.inf) -> Float | None:
    """(n,) finite numbers of the rows, at least ``least``; None if none are given.

    Raises
    ------
    InputError
        Names the first row with something else.
    """
    if values is None:
        return None
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} can't be read as numbers: {error}") from None
    bad = ~(np.isfinite(found) & (found >= least))
    if bad.any():
        row, bound = int(np.argmax(bad)), "" if least == -np.inf else f" of at least {least:g}"
        raise InputError(f"{name} must hold finite numbers{bound}; row {row} has {float(found.flat[row])}")
    return found


def _numbers(values: NDArray[Any]) -> Float | None:
    """The values as numbers; None for labels and truth values."""
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if values.dtype == object and all(v is None or isinstance(v, int | float | np.number) for v in values.tolist()):
        return values.astype(np.float64)
    return None


def _refuse(what: str, bad: NDArray[np.bool_]) -> None:
    if bad.any():
        raise InputError(f"y is {what} in {int(bad.sum())} rows, first in row {int(np.argmax(bad))}; leave them out")


def _family(values: NDArray[Any], numbers: Float | None, distinct: NDArray[Any]) -> str:
    """The family that a target asks for by its looks."""
    from bridle.data.target import looks_like_counts

    whole = numbers is not None and bool(np.all(numbers == np.round(numbers)))
    if distinct.size == 2 and (numbers is None or whole):
        return "binomial"
    if numbers is None:
        return "multinomial"
    if looks_like_counts("", numbers):
        return "poisson"
    codes = distinct.size <= MOST_CLASSES and np.array_equal(distinct, np.arange(distinct.size))
    return "multinomial" if codes and values.dtype.kind in "iu" else "gaussian"
