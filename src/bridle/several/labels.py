"""Targets with several columns, read: class labels, shares of classes, ordered levels, responses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError

Float = NDArray[np.float64]

_ROUNDING = 1e-8  # by which shares may miss a sum of 1: they are rescaled


def read_classes(y: Any, n: int, family: str) -> Float:
    """Return the share of each class in each row, (n, K), from labels (n,) of any type or from shares.

    Parameters
    ----------
    y : (n,) or (n, K)
        Labels, or shares >= 0 that sum to 1 in each row.
    n : int
        Number of rows of X.
    family : str
        For messages.

    Returns
    -------
    (n, K)
        In the order of the sorted labels, of an ordered categorical's levels, or of the columns given.

    Raises
    ------
    InputError
        Missing labels, fewer than two classes, numbers that aren't labels, shares that aren't.
    """
    if np.ndim(y) == 2:
        return _shares(y, n, family)
    levels, codes = _coded(y, n, family)
    _check_count(len(levels), family, levels)
    return _one_hot(codes, len(levels))


def read_levels(y: Any, n: int, family: str) -> Float:
    """Return which of the ordered levels each row has, (n, K) of 0 and 1.

    Parameters
    ----------
    y : (n,) or (n, K)
        Numbers, dates or truth values, whose order is their own; an ordered categorical; or what this returns.
    n : int
        Number of rows of X.
    family : str
        For messages.

    Returns
    -------
    (n, K)

    Raises
    ------
    InputError
        As :func:`read_classes`, and labels without an order.
    """
    if np.ndim(y) == 2:
        shares = _shares(y, n, family)
        if not np.all((shares == 0.0) | (shares == 1.0)):
            raise InputError(f"the {family} family needs one level per row: 0 and 1 only, not shares")
        return shares
    if ordered_levels(y) is None and np.asarray(y).dtype.kind not in "biufmM":
        raise InputError(
            f"the {family} family needs levels with an order, and y has labels of type {np.asarray(y).dtype} without "
            "one: give numbers, or an ordered categorical: pandas.Categorical(y, [lowest, ..., highest], ordered=True)"
        )
    return read_classes(y, n, family)


def class_names(y: Any, target: Float) -> tuple[Any, ...]:
    """Return the labels of the classes, or names or numbers of the columns that were given, (K,)."""
    if np.ndim(y) == 2:
        return column_labels(y, target)
    levels, _ = _coded(y, target.shape[0], "class")
    return tuple(np.asarray(levels).tolist())


def column_labels(y: Any, target: Float) -> tuple[Any, ...]:
    """Return a data frame's column names, or numbers from 0, (K,)."""
    found = getattr(y, "columns", None)
    return tuple(range(target.shape[1])) if found is None else tuple(str(name) for name in found)


def ordered_levels(y: Any) -> list[Any] | None:
    """Return the levels of an ordered categorical (pandas) or Enum (polars), lowest first; None if it isn't one."""
    box = getattr(y, "cat", y)
    if getattr(box, "ordered", False) is True:
        return list(box.categories)
    dtype = getattr(y, "dtype", None)
    if type(dtype).__name__ == "Enum":
        return list(dtype.categories)  # type: ignore[union-attr]
    return None


def _coded(y: Any, n: int, family: str) -> tuple[list[Any] | NDArray[Any], NDArray[np.int64]]:
    """Return the classes in order and the number of each row's, (n,)."""
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise InputError(f"y has shape {labels.shape}; expected one label per row of X, ({n},), or shares ({n}, K)")
    missing = _missing(labels)
    if missing.any():
        raise InputError(f"y has missing labels, the first in row {int(np.argmax(missing))}: leave these rows out")
    levels = ordered_levels(y)
    if levels is not None:
        place = {level: code for code, level in enumerate(levels)}
        return levels, np.array([place[label] for label in labels.tolist()], dtype=np.int64)
    if labels.dtype.kind in "fc" and np.any(labels != np.floor(labels.real)):
        raise InputError(
            f"the {family} family needs class labels, and y has numbers with fractions, e.g. "
            f"{labels[labels != np.floor(labels.real)][0]:g}: choose a family for numbers"
        )
    try:
        found, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise InputError(f"y mixes types that don't sort ({error}); make all of its values the same type") from None
    return found, np.asarray(codes, dtype=np.int64)


def _missing(labels: NDArray[Any]) -> NDArray[np.bool_]:
    if labels.dtype.kind in "mM":
        return np.asarray(np.isnat(labels))
    if labels.dtype.kind == "O":
        return np.array([v is None or v != v for v in labels.tolist()], dtype=bool)  # noqa: PLR0124 (NaN, NaT)
    return np.asarray(~np.isfinite(labels) if labels.dtype.kind in "fc" else np.zeros(labels.shape, dtype=bool))


def _one_hot(codes: NDArray[np.int64], count: int) -> Float:
    target = np.zeros((codes.size, count))
    target[np.arange(codes.size), codes] = 1.0
    return target


def _shares(y: Any, n: int, family: str) -> Float:
    shares = read_columns(y, n)
    _check_count(shares.shape[1], family, range(shares.shape[1]))
    total = shares.sum(axis=1)
    bad = (shares < 0.0).any(axis=1) | (np.abs(total - 1.0) > _ROUNDING)
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"the {family} family needs shares of the classes, >= 0 with a sum of 1 in each row; row {row} has "
            f"{shares[row].tolist()}. Divide counts by their sum, and give the sum as sample_weight."
        )
    exact = np.all((shares == 0.0) | (shares == 1.0))
    return shares if exact else shares / total[:, None]


def _check_count(count: int, family: str, levels: Any) -> None:
    if count < 2:
        raise InputError(
            f"the {family} family needs at least 2 classes; y has {count}: {np.asarray(levels).tolist()}. "
            "Rows of other classes are missing"
        )


def read_columns(y: Any, n: int) -> Float:
    """Return finite numbers (n, T), one column per response; (n,) is one column.

    Parameters
    ----------
    y : (n,) or (n, T)
        What was given.
    n : int
        Number of rows of X.

    Returns
    -------
    (n, T)

    Raises
    ------
    InputError
        Another shape, not numbers, or not finite.
    """
    try:
        array = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"y can't be read as numbers: {error}") from None
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[0] != n or array.shape[1] == 0:
        raise InputError(f"y has shape {np.shape(y)}; expected a row of numbers for each row of X, ({n}, T)")
    finite = np.isfinite(array)
    if not finite.all():
        row, column = (int(i) for i in np.argwhere(~finite)[0])
        raise InputError(f"y must be finite; row {row}, column {column} has {array[row, column]:g}")
    return array
