"""Sequences of lambda: the default grid, and what users give."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import InputError, as_number

Float = NDArray[np.float64]

L1_FLOOR = 1e-3  # ridge has no lambda at which all is zero: lam_max is that of l1_ratio 0.001, as in glmnet
_RIDGE_REACH = 1e-3  # and its grid goes on to where the lasso's ends, else it stops far above the best ridge


def lambda_grid(
    lambda_max: float,
    n: int,
    p: int,
    n_lambdas: int = 100,
    lambda_min_ratio: float | None = None,
    l1_ratio: float = 1.0,
) -> Float:
    """Return the geometric grid from ``lambda_max`` down, (n_lambdas,).

    Parameters
    ----------
    lambda_max : float
        First value.
    n, p : int
        Rows and columns: they choose the default ratio.
    n_lambdas : int
        Number of values.
    lambda_min_ratio : float or None
        Last value over first; None is 1e-4 if n > p, else 1e-2, and a thousandth of that for ridge.
    l1_ratio : float
        Below 1e-3 the penalty counts as ridge.

    Returns
    -------
    (n_lambdas,)
        A single 0 if ``lambda_max`` is 0: there is nothing to penalise.
    """
    if as_number("n_lambdas", n_lambdas) < 1 or n_lambdas != int(n_lambdas):
        raise InputError(f"n_lambdas must be a whole number from 1; got {n_lambdas!r}")
    usual = (1e-4 if n > p else 1e-2) * (1.0 if l1_ratio >= L1_FLOOR else _RIDGE_REACH)
    ratio = usual if lambda_min_ratio is None else as_number("lambda_min_ratio", lambda_min_ratio)
    if not 0.0 < ratio < 1.0:
        raise InputError(f"lambda_min_ratio must lie between 0 and 1; got {ratio!r}")
    if n_lambdas == 1 or lambda_max == 0.0:
        return np.array([lambda_max])
    return np.asarray(lambda_max * ratio ** (np.arange(n_lambdas) / (n_lambdas - 1.0)))


def check_lambdas(values: ArrayLike) -> Float:
    """Return the values that the user gave, checked and in descending order, (L,).

    Parameters
    ----------
    values : float or (L,)
        Finite, at least 0, in any order.

    Returns
    -------
    (L,)
        Sorted: a path is solved from its largest lambda down.
    """
    try:
        grid = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise InputError(f"lambdas must be numbers of at least 0; got {values!r}") from None
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all() or (grid < 0.0).any():
        raise InputError(f"lambdas must be one or more finite numbers of at least 0; got {values!r}")
    return np.ascontiguousarray(np.sort(grid)[::-1])
