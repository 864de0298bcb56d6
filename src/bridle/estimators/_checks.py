"""Arguments checked once: what scikit-learn refuses is refused here with the same type of error, and advice."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import InvalidParameterError

from bridle.errors import InputError

Float = NDArray[np.float64]


class ParameterError(InputError, InvalidParameterError):  # type: ignore[misc]
    """A parameter that can't be used: an :class:`InputError` that code written for scikit-learn catches as well."""


def refuse(owner: object, name: str, value: object, expected: str) -> ParameterError:
    """Return the error for a parameter that can't be used."""
    return ParameterError(
        f"{type(owner).__name__}: {name} must be {expected}; got {value!r}. Change it with set_params."
    )


def check_number(
    owner: object,
    name: str,
    low: float = -np.inf,
    high: float | None = None,
    *,
    above: bool = False,
    integer: bool = False,
    none: bool = False,
) -> None:
    """Refuse a parameter that isn't a number of [low, high], or of (low, high] if ``above``; no ``high`` is finite."""
    value = getattr(owner, name)
    if value is None and none:
        return
    if isinstance(value, numbers.Integral if integer else numbers.Real):
        at = float(value)
        if (at < np.inf if high is None else at <= high) and (low < at if above else low <= at):
            return
    kind = "a whole number" if integer else "a number"
    left = "" if low == -np.inf else f" > {low:g}" if above else f" >= {low:g}"
    right = "" if high is None or high == np.inf else f"{' and' if left else ''} <= {high:g}"
    raise refuse(owner, name, value, f"{kind}{left}{right}")


def check_flags(owner: object, *names: str) -> None:
    """Refuse parameters that aren't True or False."""
    for name in names:
        value = getattr(owner, name, False)
        if not isinstance(value, bool | np.bool_):
            raise refuse(owner, name, value, "True or False")


def check_choice(owner: object, name: str, choices: Sequence[str | None]) -> None:
    """Refuse a parameter that isn't one of ``choices``."""
    value = getattr(owner, name)
    if not (value is None or isinstance(value, str)) or value not in choices:
        raise refuse(owner, name, value, f"one of {', '.join(map(repr, choices))}")


def check_grid(owner: object, name: str, values: Any, *, positive: bool = False) -> Float:
    """Return a grid of penalties as (L,) floats in the order given."""
    try:
        grid = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise refuse(owner, name, values, "numbers") from None
    low = grid > 0.0 if positive else grid >= 0.0
    if np.ndim(values) == 0 and not grid[0] < np.inf:
        raise refuse(owner, name, values, "a finite number, or a list of numbers")
    if grid.ndim != 1 or grid.size == 0 or not np.all(low):
        raise refuse(owner, name, values, f"a list of numbers {'> 0' if positive else '>= 0'}")
    return grid


def check_count_or_grid(owner: object, name: str, *, positive: bool = False) -> int | Float:
    """Return a number of values, or the grid that is given as a list."""
    value = getattr(owner, name)
    if isinstance(value, numbers.Number | str | bytes | None) or np.ndim(value) == 0:
        if not isinstance(value, numbers.Integral) or value < 1:
            raise refuse(
                owner, name, value, f"a whole number >= 1 or a list of numbers {'> 0' if positive else '>= 0'}"
            )
        return int(value)
    return check_grid(owner, name, value, positive=positive)


def check_seed(owner: Any) -> None:
    """Refuse what is no seed, though the solvers are deterministic: it would surprise where scikit-learn is next."""
    value = owner.random_state
    seed = isinstance(value, numbers.Integral) and 0 <= int(value) < 2**32
    if not (value is None or seed or isinstance(value, np.random.RandomState)):
        raise refuse(owner, "random_state", value, "a whole number from 0 to 2**32 - 1, a RandomState or None")


def check_verbose(owner: Any) -> None:
    """Refuse what is no level of verbosity."""
    value = owner.verbose
    if not isinstance(value, numbers.Integral | np.bool_) or value < 0:
        raise refuse(owner, "verbose", value, "True, False or a whole number >= 0")


def check_class_weight(owner: Any) -> None:
    """Refuse what gives no weights to classes."""
    value = owner.class_weight
    if not (value is None or isinstance(value, dict) or (isinstance(value, str) and value == "balanced")):
        raise refuse(owner, "class_weight", value, "'balanced', a dict of class to weight, or None")


def check_splitter(owner: Any) -> None:
    """Refuse what makes no folds."""
    value = owner.cv
    splitter = hasattr(value, "split") and hasattr(value, "get_n_splits") and not isinstance(value, str)
    number = isinstance(value, numbers.Integral) and int(value) >= 2
    pairs = isinstance(value, Iterable) and not isinstance(value, str | bytes)
    if not (value is None or number or splitter or pairs):
        raise refuse(owner, "cv", value, "a whole number >= 2, a splitter, pairs of (train, test) rows, or None")


def check_scoring_name(owner: Any, *also: str) -> None:
    """Refuse what is neither a scorer nor the name of one."""
    value = owner.scoring
    if value is None or callable(value) or (isinstance(value, str) and value in {*get_scorer_names(), *also}):
        return
    raise refuse(owner, "scoring", value, "a scorer, a name of sklearn.metrics.get_scorer_names(), or None")


def check_solver_controls(owner: Any) -> None:
    """Check the parameters that steer scikit-learn's solvers; bridle's takes from them what has a meaning here."""
    check_number(owner, "tol", 0.0)
    check_flags(owner, "fit_intercept", "copy_X", "warm_start", "positive", "standardize")
    if hasattr(owner, "selection"):
        check_choice(owner, "selection", ("cyclic", "random"))
    if hasattr(owner, "random_state"):
        check_seed(owner)
    if hasattr(owner, "verbose"):
        check_verbose(owner)


def check_precompute(owner: Any, p: int, *, auto: bool = True) -> None:
    """Check a Gram matrix for its shape; it is then computed afresh, with weights and intercept in it."""
    value = owner.precompute
    if isinstance(value, bool | np.bool_) or (auto and isinstance(value, str) and value == "auto"):
        return
    shape = np.shape(value)
    if shape != (p, p):
        got = value if isinstance(value, str) or not shape else f"an object of shape {shape}"
        raise refuse(
            owner, "precompute", got, f"True, False{', ' + repr('auto') if auto else ''} or a ({p}, {p}) array"
        )


def check_weight(sample_weight: ArrayLike | None, n: int) -> Float | None:
    """Return the weights, (n,), or None; a scalar means equal weights."""
    if sample_weight is None or isinstance(sample_weight, numbers.Number):
        return None
    w = np.asarray(sample_weight, dtype=np.float64)
    if w.shape != (n,):
        raise InputError(f"sample_weight must be a 1D array with one number per row, shape ({n},); got shape {w.shape}")
    if not np.all(np.isfinite(w)) or np.any(w < 0.0):
        raise InputError("sample_weight must hold finite numbers >= 0; remove or correct the others")
    if not np.any(w > 0.0):
        raise InputError("sample_weight is zero for every row: at least one weight must be above zero")
    return w


def check_weight_of_sum(sample_weight: ArrayLike | None, n: int) -> Float | None:
    """Return weights of a loss that is a sum: here a scalar scales it."""
    if isinstance(sample_weight, numbers.Number):
        sample_weight = np.full(n, float(sample_weight))
    return check_weight(sample_weight, n)


def check_offset(offset: ArrayLike | None, n: int, classes: int = 2) -> Float | None:
    """Return the offset, (n,), or (n, classes) for more than two classes, or None."""
    if offset is None:
        return None
    o = np.asarray(offset, dtype=np.float64)
    shape = (n,) if classes == 2 else (n, classes)
    o = np.full(shape, float(o)) if o.ndim == 0 else o
    if o.shape != shape or not np.all(np.isfinite(o)):
        each = "per row" if classes == 2 else "per row and class"
        raise InputError(f"offset must hold one finite number {each}, shape {shape}; got shape {o.shape}")
    return o
