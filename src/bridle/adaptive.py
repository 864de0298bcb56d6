r"""Adaptive weights (Zou 2006): features that a first fit finds large are penalised less.

.. math:: v_j = v_j^0 / |s_j \hat b^0_j|^\gamma, \qquad v_g = v_g^0 / |(s \hat b^0)_g|_2^\gamma,

:math:`\hat b^0` a ridge or lasso fit whose lambda five folds of these rows choose, or the fit without penalty. The
weights are part of the fit: a fold of a cross-validation finds them from its own training rows. Of several linear
predictors a feature has one weight, from the length of its coefficients; those of classes are taken about their mean,
since only their differences mean something.

References
----------
Zou (2006), The adaptive lasso and its oracle properties, JASA 101.
Wang and Leng (2008), A note on adaptive group lasso, Computational Statistics and Data Analysis 52(12).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import InputError
from bridle.grid import lambda_grid
from bridle.limits import at_zero
from bridle.losses import Family
from bridle.penalties import Penalty
from bridle.problem import Problem, Settings
from bridle.reduction import applies, solve_reduced
from bridle.several import SeveralFamily, SeveralProblem
from bridle.several.separation import separates

Float = NDArray[np.float64]
Int = NDArray[np.int64]

FOLDS = 5
_LAMBDAS = 50
_TOLERANCE = 1e-8  # of the first fit: what it is off by moves the weights


def with_weights(X: Any, y: ArrayLike, family: Family, penalty: Penalty, **given: Any) -> Penalty:
    """Return the penalty with adaptive weights in its factors.

    Parameters
    ----------
    X, y, family
        As for :func:`bridle.fit_path`.
    penalty : Penalty
        An adaptive one, with the user's factors.
    **given
        Further arguments of :meth:`Problem.make`, or of :meth:`SeveralProblem.make`.

    Returns
    -------
    Penalty
        A coefficient of 0 in the first fit has an infinite factor: it stays out.

    Raises
    ------
    InputError
        The first fit isn't possible.
    """
    kind = penalty.kind
    plain = Penalty(0.0 if kind.initial == "ridge" else 1.0, penalty.factor)  # without bounds, which would give zeros
    first = _make(X, y, family, penalty=plain, **given)
    p = first.shape[1]
    factor = penalty.factors(p)
    if kind.initial == "ols":
        b = _unpenalised(first)
    else:
        problems = _fold_problems(first, **given)
        grid = lambda_grid(first.lambda_max(_settings()), *first.shape, _LAMBDAS, None, first.l1_ratio)
        best = _choose(first, problems, grid)
        b = _coefficients(_solve(first, grid[: best + 1]), first)[-1]
    if family.name == "multinomial":
        b = b - b.mean(axis=1, keepdims=True)
    size = np.linalg.norm(b, axis=1) * first.scale
    if kind.grouped:
        groups = penalty.blocks(p)
        size = groups.spread(np.sqrt(groups.sum(size**2)), p)
    with np.errstate(divide="ignore", over="ignore"):
        weight = np.asarray(size**-kind.gamma)
    kept = (factor > 0.0) & np.isfinite(factor)
    return replace(penalty, factor=np.where(kept, np.where(kept, factor, 1.0) * weight, factor))


def _make(X: Any, y: ArrayLike, family: Family, **given: Any) -> Problem | SeveralProblem:
    if isinstance(family, SeveralFamily):
        return SeveralProblem.make(X, y, family=family, **given)
    return Problem.make(X, y, family=family, **given)


def _settings() -> Settings:
    return Settings(_TOLERANCE, 100_000, 0)


def _solve(problem: Problem | SeveralProblem, lambdas: Float) -> Any:
    if applies(problem, lambdas, _settings()):
        return solve_reduced(problem, lambdas, _settings())
    return problem.solve(lambdas, _settings())


def _coefficients(raw: Any, problem: Problem | SeveralProblem) -> Float:
    """Coefficients at all lambdas, (L, p, Q), Q = 1 for one linear predictor."""
    p, width = problem.shape[1], getattr(problem, "width", 1)
    b = np.zeros((len(raw["intercept"]), p * width))
    b[np.repeat(np.arange(len(b)), np.diff(raw["starts"])), raw["columns"]] = raw["values"]
    return b.reshape(len(b), p, width)


def _predictors(raw: Any, problem: Problem | SeveralProblem, rows: Int) -> Float:
    """Linear predictors of some rows at all lambdas, (m, L), or (m, M, L)."""
    b = _coefficients(raw, problem)  # (L, p, Q)
    flat = np.moveaxis(b, 1, 0).reshape(b.shape[1], -1)
    eta = np.asarray(problem.matrix[rows] @ flat).reshape(rows.size, len(b), -1)
    if isinstance(problem, Problem):
        return np.asarray(eta[:, :, 0] + raw["intercept"] + problem.offset[rows, None])
    return np.moveaxis(eta + raw["intercept"] + problem.offset[rows, None], 1, 2)


def _unpenalised(problem: Problem | SeveralProblem) -> Float:
    raw = _solve(problem, np.zeros(1))
    status = [""]
    if isinstance(problem, Problem):
        at_zero(problem, raw, status, _TOLERANCE)
    elif separates(problem, raw, _TOLERANCE):
        status = ["separated"]
    if status[0] == "separated":
        raise InputError(
            "without a penalty the first fit of the adaptive lasso has no limit, since the features separate the "
            "target: use initial='ridge'"
        )
    return np.asarray(_coefficients(raw, problem)[0])


def _fold_problems(first: Problem | SeveralProblem, **given: Any) -> list[tuple[Int, Problem | SeveralProblem]]:
    """Folds as weightings of the rows: who is held out, and the problem of the others."""
    rows = np.flatnonzero(first.w > 0.0)
    fold = _deal(first, rows)
    problems = []
    if "moments" in given:
        given["moments"] = None
    for k in range(FOLDS):
        held = rows[fold == k]
        w = first.w.copy()
        w[held] = 0.0
        try:
            made = _make(first.matrix, first.y, first.family, penalty=first.penalty, **given | {"sample_weight": w})
        except InputError:  # a part with one class, or without events
            continue
        if held.size and first.family.units(first.y[held], first.w[held]).sum() > 0.0:
            problems.append((held, made))
    if not problems:
        raise InputError(
            "there are too few rows to choose lambda for the adaptive lasso's first fit "
            f"(n_samples = {rows.size}); give initial='ols'"
        )
    return problems


def _deal(first: Problem | SeveralProblem, rows: Int) -> Int:
    """Fold of each of ``rows``: dealt out by class, in order of the target and then of the sum of the features.

    Each fold has of all targets so, and depends neither on a seed nor on the order of the rows; a row that is there
    twice is in one fold with itself, so that it counts as one of twice the weight does.
    """
    classes = first.family.classes(first.y)
    v = np.where(np.isfinite(first.factor), 1.0 / np.where(first.deviation > 0.0, first.deviation, 1.0), 0.0)
    total = np.round(first.design.times(v)[rows] - first.mean @ v, 8)  # sums of equal rows may differ in the last digit
    keys = [*np.reshape(first.y, (len(first.y), -1))[rows].T, total]
    if classes is not None:
        keys = [classes[rows].astype(np.float64), *keys]
    return np.asarray(np.unique(np.column_stack(keys), axis=0, return_inverse=True)[1]).ravel() % FOLDS


def _choose(first: Problem | SeveralProblem, problems: list[tuple[Int, Problem | SeveralProblem]], grid: Float) -> int:
    """Index of the lambda with the smallest mean deviance of the rows held out."""
    family, y, w = first.family, first.y, first.w
    total, weight = np.zeros(len(grid)), 0.0
    for held, problem in problems:
        raw = _solve(problem, grid)
        rows, which = held, np.ones(held.size, dtype=bool)
        if not family.row_wise:  # what held-out rows add depends on those of training beside them
            rows = np.flatnonzero(w > 0.0)
            which = np.isin(rows, held)
        eta = _predictors(raw, first, rows)
        unit = float(family.units(y[held], w[held]).sum())
        total += unit * family.held_out_deviance(y[rows], eta, which, w[rows])
        weight += unit
    mean = total / weight
    return int(np.argmin(np.where(np.isfinite(mean), mean, np.inf)))
