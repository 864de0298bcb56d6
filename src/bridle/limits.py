"""lambda = 0, where the minimum may not be unique, or may not be attained: the answers that are given there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from bridle import _core
from bridle.problem import Problem
from bridle.survival.monotone import is_monotone

Float = NDArray[np.float64]

_NO_MAXIMUM = {
    "binomial": "the classes are separated: the likelihood has no maximum",
    "cox": "the partial likelihood is monotone: it has no maximum",
}
SEPARATED = f"at lambda = 0 {_NO_MAXIMUM['binomial']}, the coefficients no limit"

_MOST_ENTRIES = 20_000_000  # of a dense copy that is made only to look into a rank; larger problems keep the path's end
_MOST_ORDERED = 2_000_000  # the same, of a programme with as many conditions as rows times the depth of a tree
_LOSSY = 1e-6  # ratio of singular values below which X'X keeps fewer than four digits of the smallest
_SUSPICIOUS = 15.0  # |eta| that a fitted probability reaches only next to 0 or 1


def at_zero(problem: Problem, raw: _core.PathResult, status: list[str], tol: float) -> list[str]:
    """Give the last fit, at lambda = 0, its defined answer; change ``raw`` and ``status``, return notes.

    Separated classes (a plane splits them, so that the likelihood has no maximum) get the status "separated" and keep
    the finite coefficients at which the solver stopped. Collinear columns get the minimiser with the smallest
    Euclidean norm of standardised coefficients.

    Parameters
    ----------
    problem : Problem
        The problem.
    raw : PathResult
        The path, whose last lambda is 0.
    status : list of str
        One per lambda.
    tol : float
        Largest relative gap.

    Returns
    -------
    list of str
        Sentences for ``Path.notes``.
    """
    used = np.isfinite(problem.factor)
    b = np.zeros(problem.shape[1])
    last = slice(int(raw["starts"][-2]), int(raw["starts"][-1]))
    b[raw["columns"][last]] = raw["values"][last]
    eta = problem.offset + raw["intercept"][-1] + problem.design.times(b)
    if runs_away(problem, eta):
        status[-1] = "separated"
        return [f"at lambda = 0 {_NO_MAXIMUM[problem.family.name]}, the coefficients no limit"]
    if problem.family.name == "binomial" and _is_extreme(problem, eta):
        return []
    bounded = bool(np.isfinite(problem.lower).any() or np.isfinite(problem.upper).any())
    if bounded or problem.shape[0] * problem.shape[1] > _MOST_ENTRIES or not np.any(b):
        return []
    X = (_dense(problem.matrix)[:, used] - problem.centre[used]) / problem.scale[used]
    X = problem.family.seen(problem.y, problem.w, X)
    root = np.sqrt(problem.w)
    U, s, Vt = np.linalg.svd(root[:, None] * X, full_matrices=False)
    rank = int(np.sum(s > s[0] * max(X.shape) * np.finfo(float).eps))
    lossy = bool(s[rank - 1] < _LOSSY * s[0])  # whether the solver stalled on it then or not is a matter of luck
    direct = problem.family.name == "gaussian" and (status[-1] == "stalled" or lossy)
    if rank == X.shape[1] and not direct:
        return []
    short = Vt[:rank].T @ (Vt[:rank] @ (b[used] * problem.scale[used]))
    if direct:  # X'X has lost digits that X still has
        residual = root * (problem.y - problem.offset - problem.start)
        short = Vt[:rank].T @ (U[:, :rank].T @ residual / s[:rank])
        residual -= root * (X @ short)
        raw["gap"][-1] = 0.5 * float(np.sum((U[:, :rank].T @ residual) ** 2))
        raw["loss"][-1] = 0.5 * float(residual @ residual)
        raw["kkt"][-1] = float(np.max(np.abs(X.T @ (root * residual))))
        status[-1] = "converged" if raw["gap"][-1] <= tol * problem.reference else "stalled"
        raw["intercept"][-1] = problem.start - problem.centre[used] @ (short / problem.scale[used])
    else:
        raw["intercept"][-1] += problem.centre[used] @ (b[used] - short / problem.scale[used])
    short /= problem.scale[used]
    raw["columns"] = np.concatenate([raw["columns"][: last.start], np.flatnonzero(used)])
    raw["values"] = np.concatenate([raw["values"][: last.start], short])
    raw["starts"] = raw["starts"].copy()
    raw["starts"][-1] = last.start + len(short)
    if rank == X.shape[1]:
        return ["at lambda = 0 the columns are so close to dependent that the fit is by singular values"]
    return [f"at lambda = 0 the columns have rank {rank} of {X.shape[1]}: the solution of smallest norm is given"]


def runs_away(problem: Problem, eta: Float) -> bool:
    """Whether the likelihood without penalty has no maximum, asked where the solver stopped.

    Parameters
    ----------
    problem : Problem
        Whose features that aren't excluded are all taken as free.
    eta : (n,)
        Linear predictors of the fit.

    Returns
    -------
    bool
        False for families whose likelihood isn't looked into.
    """
    used, on = np.isfinite(problem.factor), problem.w > 0.0
    entries = problem.shape[0] * problem.shape[1]
    if problem.family.name == "binomial" and _is_extreme(problem, eta):
        small = entries <= _MOST_ENTRIES
        return splits(problem, eta) or (small and not _settled(problem, used, eta) and _separated(problem, used))
    if problem.family.name == "cox" and entries <= _MOST_ORDERED:
        if not np.ptp(eta[on] - problem.offset[on]) > _SUSPICIOUS:
            return False
        Z = (_dense(problem.matrix)[:, used] - problem.centre[used]) / problem.scale[used]
        return bool(is_monotone(problem.y, problem.w, Z, problem.lower[used], problem.upper[used]))
    return False


def _is_extreme(problem: Problem, eta: Float) -> bool:
    return bool(np.max(np.abs(eta[problem.w > 0.0])) > _SUSPICIOUS)


def splits(problem: Problem, eta: Float) -> bool:
    """Whether the plane of a fit with predictors ``eta`` (n,) splits the classes: no programme is needed then."""
    y, on = problem.y, problem.w > 0.0
    right = np.where(y == 1.0, eta - problem.offset > 0.0, eta - problem.offset < 0.0)
    return bool(np.all(right[on] & ((y == 0.0) | (y == 1.0))[on]))


def _settled(problem: Problem, used: NDArray[np.bool_], eta: Float) -> bool:
    r"""Whether a minimum is provably next to the fit: the classes aren't separated then, and no programme is needed.

    The curvature A'' falls at most e-fold where eta moves by 1, since |A'''| <= A'' (Bach 2010, Electronic Journal of
    Statistics 4). With H the Hessian here, s the Newton step and k the largest change of a row's eta by a move of
    length 1 in the norm of H, the loss is higher all over the sphere of radius 3 |s| around the fit if 3 k |s| <= 1.
    """
    rows = problem.w > 0.0
    w, y, eta = problem.w[rows], problem.y[rows], eta[rows]
    Z = (_dense(problem.matrix)[np.ix_(rows, used)] - problem.centre[used]) / problem.scale[used]
    if problem.fit_intercept:
        Z = np.column_stack([np.ones(len(y)), Z])
    try:
        L = np.linalg.cholesky(Z.T @ ((w * problem.family.curvature(y, eta))[:, None] * Z))
    except np.linalg.LinAlgError:
        return False
    pivots = np.diag(L)
    if np.min(pivots) < 1e-6 * np.max(pivots):  # rounding may have a say
        return False
    step = linalg.solve_triangular(L, Z.T @ (w * problem.family.gradient(y, eta)), lower=True)
    reach = np.max(np.sum(linalg.solve_triangular(L, Z.T, lower=True) ** 2, axis=0))
    return bool(3.0 * np.sqrt(reach * (step @ step)) <= 1.0)


def _separated(problem: Problem, used: NDArray[np.bool_]) -> bool:
    """Whether a plane splits the classes, by the linear programme of Konis (2007)."""
    from scipy.optimize import linprog

    rows = problem.w > 0.0
    y = problem.y[rows]
    Z = (_dense(problem.matrix)[np.ix_(rows, used)] - problem.centre[used]) / problem.scale[used]
    if problem.fit_intercept:
        Z = np.column_stack([np.ones(len(y)), Z])
    signed = np.where(y == 1.0, 1.0, -1.0)[:, None] * Z
    sure = (y == 0.0) | (y == 1.0)
    low = np.where(problem.lower[used] < 0.0, -np.inf, 0.0)
    high = np.where(problem.upper[used] > 0.0, np.inf, 0.0)
    bounds = [(None, None)] * problem.fit_intercept + list(zip(low, high, strict=True))
    margin = linprog(
        -signed[sure].sum(axis=0),
        A_ub=np.vstack([signed[sure], -signed[sure]]),
        b_ub=np.concatenate([np.ones(sure.sum()), np.zeros(sure.sum())]),
        A_eq=Z[~sure] if (~sure).any() else None,
        b_eq=np.zeros(int((~sure).sum())) if (~sure).any() else None,
        bounds=bounds,
        method="highs",
    )
    return bool(margin.status == 3 or (margin.status == 0 and -margin.fun > 1e-6))


def _dense(matrix: Any) -> Float:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float64)
