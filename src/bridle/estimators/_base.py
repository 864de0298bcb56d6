"""What the estimators share: data checked once, one door to the path solver, folds, and metadata routing.

The classes keep scikit-learn's scale; every translation to lam (the mean loss plus lam times the penalty) is made in
the class that needs it, and nowhere else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from bridle.errors import BridleWarning, InputError
from bridle.estimators._checks import check_offset
from bridle.path import Path, fit_path
from bridle.selection import Curve, Folds

Float = NDArray[np.float64]

FINE = 1e-8
"""Relative gap that the folds' fits aim at, whatever larger ``tol`` is given: their errors are then beyond doubt."""

FINEST, FINEST_L1 = 1e-14, 1e-10
"""Relative gap that the fit which is kept aims at, so that six figures of its coefficients are right.

With a ridge part the gap is quadratic in their error, and the last digits are cheap. With L1 alone it is linear, since
the dual point has to be scaled into its box. ``tol`` says when to warn."""

PATIENCE = {
    "gaussian": 100,
    "multigaussian": 100,
    "binomial": 1000,
    "poisson": 1000,
    "multinomial": 1000,
    "ordinal": 1000,
}
"""Inner sweeps granted for each iteration that the caller allows (a pass over the data; a Newton step)."""


# Data ---------------------------------------------------------------------------------------------------------


def check_training_data(estimator: Any, X: Any, y: Any, *, multi_output: bool = False) -> tuple[Any, Float]:
    """Validate X, (n, p), and a numeric y, (n,) or (n, t), once; sets n_features_in_ and feature_names_in_."""
    if is_plain(X) and type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "fiub" and len(y) == len(X):
        target = y.astype(np.float64, copy=False)
        if np.isfinite(target).all():
            remember_columns(estimator, X)
            return X, target
    if sparse.issparse(y):
        raise TypeError("y is sparse, and must be an array: use y.toarray()")
    X, y = validate_data(
        estimator,
        X,
        y,
        accept_sparse=["csc", "csr"],
        dtype=[np.float64, np.float32],
        multi_output=multi_output,
        y_numeric=True,
    )
    return X, np.asarray(y, dtype=np.float64)


def is_plain(X: Any) -> bool:
    """Return whether X is an ordinary array of finite floats with rows and columns.

    Then scikit-learn's validation would find nothing to say. It takes longer than a fit of a small table, most of it to
    ask what kind of data frame an array might be; all that isn't plain goes through it, and gets its messages.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or X.size == 0 or X.dtype not in _FLOATS:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))  # a sum that overflows is left to the validation, which looks closer


_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def remember_columns(estimator: Any, X: Any) -> None:
    """Set what validation sets for columns without names."""
    estimator.n_features_in_ = X.shape[1]
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def check_new_data(estimator: Any, X: Any) -> Any:
    """Validate X, (n, p), of a fitted estimator once."""
    check_is_fitted(estimator)
    known = None if hasattr(estimator, "feature_names_in_") else getattr(estimator, "n_features_in_", None)
    if known is not None and is_plain(X) and X.shape[1] == known:
        return X
    return validate_data(estimator, X, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32], reset=False)


# The door to the solver -----------------------------------------------------------------------------------------


def bounds(estimator: Any) -> tuple[Any, Any]:
    """Return (lower, upper) with ``positive`` in them."""
    lower = estimator.lower
    if getattr(estimator, "positive", False):
        lower = np.maximum(lower, 0.0)
    return lower, estimator.upper


def path_options(estimator: Any, family: str = "gaussian", l1_ratio: float | None = None) -> dict[str, Any]:
    """Return the keyword arguments of ``fit_path`` that the estimator's parameters say.

    Parameters
    ----------
    estimator : estimator
    family : str
    l1_ratio : float or None
        Of the fit that is kept; None is for folds.
    """
    ratio = {} if l1_ratio is None else {"l1_ratio": float(l1_ratio)}
    folds = FINEST_L1 if family == "multigaussian" else FINE  # gaussian folds of one target are exact without asking
    goal = folds if l1_ratio is None else FINEST_L1 if l1_ratio == 1.0 else FINEST
    lower, upper = bounds(estimator)
    allowed = estimator.max_iter
    return ratio | {
        "family": family,
        "fit_intercept": bool(estimator.fit_intercept),
        "standardize": bool(estimator.standardize),
        "penalty_factor": estimator.penalty_factor,
        "lower": lower,
        "upper": upper,
        "tol": min(max(float(estimator.tol), FINEST), goal),
        "max_iter": 100_000 if allowed is None else PATIENCE.get(family, 1000) * max(int(allowed), 1),
    }


def fit_at(X: Any, y: Float, lambdas: ArrayLike, options: Mapping[str, Any]) -> Path:
    """Fit the path at ``lambdas``, largest first; the only call of ``fit_path`` in this package."""
    with quiet_about_gaps():
        return fit_path(X, y, lambdas=np.asarray(lambdas, dtype=np.float64), **options)


def fit_last(X: Any, y: Float, lambdas: Float, options: Mapping[str, Any]) -> Path:
    """Fit the last of lambdas that descend; a relaxed fit needs all, since a set may have the refit of one before."""
    return fit_at(X, y, lambdas if options["relax"] else lambdas[-1:], options)


@contextlib.contextmanager
def quiet_about_gaps() -> Iterator[None]:
    """Silence the path's own warning: its tolerance is finer than the caller's, who is warned by the estimator."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*relative (gap|violation)", category=BridleWarning)
        yield


def warn_unless_converged(estimator: Any, *paths: Path) -> None:
    """Give scikit-learn's ConvergenceWarning where a certificate misses ``tol``, or no finite optimum exists."""
    name = type(estimator).__name__
    if any("separated" in path.status for path in paths):
        warnings.warn(
            f"{name} did not converge: the features separate the target, and without a penalty no finite coefficients "
            "are best; those kept fit every row already. Give a penalty.",
            ConvergenceWarning,
            stacklevel=3,
        )
        return
    gap = np.concatenate([path.relative_gap for path in paths])
    missed = ~(gap <= max(float(estimator.tol), FINE))  # below this a missed tol is rounding, not a wrong answer
    if missed.any():
        worst = float(np.max(gap[missed], initial=0.0, where=np.isfinite(gap[missed])))
        warnings.warn(
            f"{name} did not converge for {int(missed.sum())} of {gap.size} penalties: the relative duality gap is "
            f"{worst:.3g}, above tol={estimator.tol:g}. Increase max_iter, or scale X.",
            ConvergenceWarning,
            stacklevel=3,
        )


# Folds and routing ----------------------------------------------------------------------------------------------


def route(estimator: Any, method: str, params: Mapping[str, Any], **always: Any) -> Any:
    """Return the routed parameters of ``method``, or None where routing is off.

    With routing off only ``groups`` may come, and it goes to the splitter.
    """
    if get_config()["enable_metadata_routing"]:
        return process_routing(estimator, method, **always, **params)
    unknown = sorted(set(params) - {"groups"})
    if unknown:
        raise InputError(
            f"{type(estimator).__name__}.{method} got {', '.join(unknown)}: only sample_weight and groups are passed "
            "on as they are; for others enable metadata routing with sklearn.set_config(enable_metadata_routing=True)"
        )
    return None


def split_rows(splitter: Any, X: Any, y: Any, routed: Any, params: Mapping[str, Any]) -> Folds:
    """Return the folds of a scikit-learn splitter as :class:`Folds`."""
    extra = dict(routed.splitter.split) if routed is not None else {k: v for k, v in params.items() if v is not None}
    pairs = tuple((np.asarray(a), np.asarray(b)) for a, b in splitter.split(X, y, **extra))
    pairs = tuple(tuple(np.flatnonzero(r) if r.dtype == bool else r for r in pair) for pair in pairs)  # type: ignore[misc]
    if not pairs:
        raise InputError("cv gave no folds: expected at least one pair of (train, test) rows")
    return Folds(pairs=pairs, description=f"{len(pairs)} folds from {type(splitter).__name__}", n_repeats=1, seed=0)


def splitter_router(estimator: Any, splitter: Any) -> MetadataRouter:
    """Return a router that sends fit's metadata to the splitter."""
    mapping = MethodMapping().add(caller="fit", callee="split")
    return MetadataRouter(owner=estimator).add_self_request(estimator).add(splitter=splitter, method_mapping=mapping)


def count_folds_equally(curve: Curve) -> Curve:
    """Return the curve with equal weight for every fold, as scikit-learn averages."""
    return dataclasses.replace(curve, test_weight=np.ones_like(curve.test_weight))


# Prediction -----------------------------------------------------------------------------------------------------


class LinearPrediction(BaseEstimator):  # type: ignore[misc]
    """eta = X coef_' + intercept_, and the parts of an estimator that all of them have."""

    def _linear_predictor(self, X: Any, offset: ArrayLike | None = None) -> Any:
        """(n,) or (n, t) linear predictor of validated X."""
        X = check_new_data(self, X)
        eta = X @ self.coef_.T + self.intercept_
        o = check_offset(offset, X.shape[0])
        return eta if o is None else eta + (o if eta.ndim == 1 else o[:, None])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def one_column(y: Any) -> Any:
    """Return a single target as (n,), warning as scikit-learn does for a column vector."""
    return y if isinstance(y, np.ndarray) and y.ndim == 1 else column_or_1d(y, warn=True)


def refuse_many_targets(estimator: object, t: int) -> InputError:
    """Return the error for a class that chooses one alpha and was given several targets."""
    return InputError(
        f"{type(estimator).__name__} takes one target, and y has {t} columns; fit one estimator for each, for example "
        "with sklearn.multioutput.MultiOutputRegressor"
    )


def objective_at(path: Path, lam: float) -> str:
    """Return the objective in one line, with its numbers."""
    return f"{path.objective},  lam = {lam:.6g}"


def drop_axis(values: Sequence[Any] | NDArray[Any]) -> Any:
    """Return the only element of a sequence of length one, or the sequence as an array."""
    return values[0] if len(values) == 1 else np.asarray(values)
