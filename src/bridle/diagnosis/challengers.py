"""The common alternatives that every model is compared with: simpler ones, tuned linear ones, and richer ones.

They are small on purpose: an alternative proves something only where it's better, and then a small one proves it
as well as a large one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.contenders import (
    EstimatorContender,
    FixedContender,
    LinearContender,
    NullContender,
    Target,
)
from bridle.diagnosis.evidence import Contender
from bridle.diagnosis.measure import measure_of
from bridle.diagnosis.table import FrameDesign
from bridle.errors import InputError

Float = NDArray[np.float64]

MOST_ROWS = 20_000  # richer challengers train on at most so many rows
MOST_SPLINE_FEATURES = 60
MOST_PAIR_FEATURES = 10
MOST_BOOSTING_FEATURES = 1_000  # beyond, a few dozen shallow trees see too few of them to win, and cost minutes
LEAST_DISTINCT = 8  # values that a column needs for a curve to make sense
KNOTS = 3  # both ends and the median: four basis functions for a feature

LINEAR = ("ridge", "lasso", "elastic net", "unregularised")
RICHER = ("splines", "pairs", "boosting")
NAMES = ("null", *LINEAR, *RICHER)
AUTO = ("null", "ridge", "lasso", "splines", "boosting")
LABELS = {
    "ridge": "tuned ridge (L2)",
    "lasso": "tuned lasso (L1)",
    "elastic net": "tuned elastic net",
    "unregularised": "unregularised linear model",
    "splines": "splines of the numeric features",
    "pairs": "products of pairs of features",
    "boosting": "gradient boosting",
}
L1_RATIOS = {"ridge": (0.0,), "lasso": (1.0,), "elastic net": (0.5,)}


def make_challengers(
    X: Any, target: Target, names: Sequence[str] = AUTO, *, seed: int = 0
) -> tuple[tuple[Contender, ...], tuple[str, ...]]:
    """Build the alternatives asked for.

    Parameters
    ----------
    X : (n, p) matrix or FoldDesign
        Numeric features.
    target : Target
        What to predict.
    names : sequence of str
        Some of "null", "ridge", "lasso", "elastic net", "unregularised", "splines", "pairs", "boosting".
    seed : int
        Of tuning folds, subsamples and boosting.

    Returns
    -------
    contenders, notes
        Those that apply, the null always first; and a sentence for each one left out or cut down.

    Raises
    ------
    InputError
        A name isn't known.
    """
    if unknown := [n for n in names if n not in NAMES]:
        raise InputError(f"unknown challengers {', '.join(map(repr, unknown))}; expected some of {', '.join(NAMES)}")
    found: list[Contender] = [NullContender(target, label=measure_of(target.family).null_words.removeprefix("the "))]
    notes: list[str] = []
    for name in (n for n in NAMES[1:] if n in names):
        if name in L1_RATIOS:
            found.append(LinearContender(name, LABELS[name], X, target, L1_RATIOS[name], seed=seed))
        elif name == "unregularised":
            found.append(FixedContender(name, LABELS[name], X, target))
        else:
            made = {"splines": _splines, "pairs": _pairs, "boosting": _boosting}[name](X, target, seed)
            if isinstance(made, str):
                notes.append(f"no challenger from {LABELS[name]}: {made}")
            else:
                found.append(made)
    if len(target.y) > MOST_ROWS * 5 // 4 and any(n in names for n in RICHER):
        notes.append(f"richer challengers train on {MOST_ROWS:,} rows of each training fold, drawn at random")
    return tuple(found), tuple(notes)


def _numeric_matrix(X: Any) -> Any:
    """All rows of the features, encoded from all rows: only to look at shapes and distinct values."""
    return X.for_rows(None) if hasattr(X, "for_rows") else X


def _distinct(matrix: Any) -> NDArray[np.int64]:
    """(p,) number of distinct values of each column of a dense matrix, counted on at most 2,000 rows."""
    step = max(1, matrix.shape[0] // 2000)
    rows = np.sort(np.asarray(matrix[::step]), axis=0)
    return np.asarray(1 + (np.diff(rows, axis=0) != 0).sum(axis=0), dtype=np.int64)


def _splines(X: Any, target: Target, seed: int) -> Contender | str:
    matrix = _numeric_matrix(X)
    if not isinstance(matrix, np.ndarray):
        return "the features are sparse"
    smooth = np.flatnonzero(_distinct(matrix) >= LEAST_DISTINCT)
    if len(smooth) == 0:
        return f"no feature has {LEAST_DISTINCT} distinct values"
    if matrix.shape[1] > MOST_SPLINE_FEATURES:
        return f"{matrix.shape[1]} features are more than {MOST_SPLINE_FEATURES}"
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import SplineTransformer

    curves = SplineTransformer(n_knots=KNOTS, degree=3, knots="quantile", extrapolation="linear", include_bias=False)
    transformer = ColumnTransformer([("curves", curves, smooth)], remainder="passthrough")
    return _expanded("splines", X, transformer, target, seed)


def _pairs(X: Any, target: Target, seed: int) -> Contender | str:
    matrix = _numeric_matrix(X)
    if not isinstance(matrix, np.ndarray):
        return "the features are sparse"
    if not 2 <= matrix.shape[1] <= MOST_PAIR_FEATURES:
        return f"it takes 2 to {MOST_PAIR_FEATURES} features, and there are {matrix.shape[1]}"
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    transformer = make_pipeline(StandardScaler(), PolynomialFeatures(degree=2, include_bias=False))
    return _expanded("pairs", X, transformer, target, seed)


def _expanded(name: str, X: Any, transformer: Any, target: Target, seed: int) -> Contender:
    """Ridge on an expansion of the features that is learned from the training rows."""
    design = _Expansion(X, transformer)
    return LinearContender(
        name, LABELS[name], design, target, (0.0,), inner_folds=3, n_lambdas=15, most_rows=MOST_ROWS, seed=seed
    )


class _Expansion(FrameDesign):
    """A transformer on top of a matrix or FoldDesign."""

    def for_rows(self, train: NDArray[np.int64] | None) -> Any:
        """Matrix of all rows: the inner design first, then the expansion, both learned from ``train``."""
        rows = np.arange(self.shape[0]) if train is None else train
        inner = self.frame.for_rows(train) if hasattr(self.frame, "for_rows") else self.frame
        return FrameDesign(inner, self.transformer).for_rows(rows)


def _boosting(X: Any, target: Target, seed: int) -> Contender | str:
    matrix = _numeric_matrix(X)
    if not isinstance(matrix, np.ndarray):
        return "the features are sparse"
    if matrix.shape[1] > MOST_BOOSTING_FEATURES:
        return f"{matrix.shape[1]:,} features are more than {MOST_BOOSTING_FEATURES:,}"
    if target.offset is not None:
        return "there is an offset"
    if target.family == "binomial" and not np.isin(target.y, (0.0, 1.0)).all():
        return "the target holds shares, not classes"
    options: dict[str, Any] = {
        "max_iter": 40,
        "learning_rate": 0.1,
        "max_leaf_nodes": 8,
        "min_samples_leaf": int(np.clip(len(target.y) // 20, 5, 20)),
        "max_bins": 64,
        "early_stopping": False,
        "random_state": seed,
    }
    estimator = measure_of(target.family).boosted(options)
    if isinstance(estimator, str):
        return estimator
    return EstimatorContender(
        "boosting", LABELS["boosting"], estimator, X, target, most_rows=MOST_ROWS, seed=seed, one_thread=True
    )
