"""Folds in lockstep: what several folds need of the matrix is read once for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.crew import Crew
from bridle.losses import get_family
from bridle.path import Path, announce, as_path
from bridle.penalties import Penalty
from bridle.problem import Problem, Settings, bound, optional_array, solve_together
from bridle.selection.folds import Folds

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_PER_FEATURE = 160  # bytes that a fold keeps for each feature: moments, slopes and bounds
_PER_ROW = 72  # and for each row: weights, predictor, residual, what the line search tries
_CACHED = 1 << 21  # bytes of a matrix that stays in the processor's cache from one pass to the next
_SPARE = 1 << 28  # bytes of these that folds may always take; of a larger matrix, a quarter of its own


def applies(X: Any, paths: Sequence[Path], options: Mapping[str, Any]) -> bool:
    """Whether passes over the matrix are what paths cost.

    They are where there are more features than rows and an L1 part keeps few of them, and for losses that aren't
    squared errors on dense matrices which no cache holds.
    """
    n, p = X.shape
    if options["mode"] != "auto" or options["penalty"] != "elastic_net" or get_family(options["family"]).several:
        return False
    if p > 2 * n:
        return all(path.l1_ratio > 0.0 and path.lambdas[-1] > 0.0 for path in paths)
    return options["family"] != "gaussian" and not sparse.issparse(X) and X.nbytes > _CACHED


def fit_folds(
    X: Any,
    y: Float,
    weight: Float | None,
    offset: Float | None,
    folds: Folds,
    paths: Sequence[Path],
    options: Mapping[str, Any],
    crew: Crew,
) -> list[tuple[Path, ...]]:
    """Fit every fold's path for each of ``paths``: all folds at one lambda, then at the next.

    A fold is a weighting of all rows, 0 where it holds out. Centring and standardisation per fold are algebra, so that
    products of columns with the folds' residuals are all that is asked of X.

    Parameters
    ----------
    X : (n, p) array or CSC matrix
        Features.
    y, weight, offset : (n,)
        Of all rows; weight and offset may be None.
    folds : Folds
        J training sets.
    paths : sequence of Path
        The fits on all rows, whose lambdas and l1_ratio hold for the folds.
    options : mapping
        Of :func:`bridle.fit_path`.
    crew : Crew
        Threads, and the count of steps.

    Returns
    -------
    list of tuple of Path
        J tuples as long as ``paths``, as if each fold had been fitted on its rows alone.
    """
    n, p = X.shape
    size = X.data.nbytes if sparse.issparse(X) else X.nbytes
    together = max(1, min(len(folds), max(_SPARE, size // 4) // (_PER_FEATURE * p + _PER_ROW * n)))
    weights = [_weighting(n, train, weight) for train, _ in folds]
    groups = [weights[start : start + together] for start in range(0, len(folds), together)]
    fitted = [
        [fold for group in groups for fold in _fit_group(X, y, group, offset, path, options, crew.threads)]
        for path in paths
    ]
    crew.tick(len(folds))
    return list(zip(*fitted, strict=True))


def _fit_group(
    X: Any,
    y: Float,
    weights: Sequence[Float],
    offset: Float | None,
    path: Path,
    options: Mapping[str, Any],
    threads: int,
) -> list[Path]:
    """Fit the path of each weighting (n,) of the rows at the lambdas of ``path``."""
    settings = Settings.make(options["tol"], options["max_iter"], options["mode"], options["family"])
    penalty = Penalty(
        path.l1_ratio, optional_array(options["penalty_factor"]), bound(options["lower"]), bound(options["upper"])
    )
    problems = Problem.make_all(
        X,
        y,
        family=options["family"],
        sample_weights=weights,
        offset=offset,
        fit_intercept=bool(options["fit_intercept"]),
        standardize=options["standardize"],
        penalty=penalty,
    )
    raws = solve_together(problems, path.lambdas, settings, threads)
    fitted = []
    for problem, raw in zip(problems, raws, strict=True):
        fold = as_path(
            problem,
            path.lambdas,
            raw,
            settings,
            lambda_max=path.lambda_max,  # of all rows, as the lambdas are
            notes=list(problem.notes),
            relax=options["relax"],
        )
        fitted.append(announce(fold, options["strict"]))
    return fitted


def _weighting(n: int, train: Int, weight: Float | None) -> Float:
    w = np.zeros(n)
    w[train] = 1.0 if weight is None else weight[train]
    return w
