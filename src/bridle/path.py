"""The regularisation path: fits at a sequence of lambdas, each with its certificate."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle import _core, blocks
from bridle.adaptive import with_weights
from bridle.crew import Crew
from bridle.errors import BridleWarning, ConvergenceError, as_number
from bridle.fitted import STATUSES, Path, coefficients, relaxed_path, with_names
from bridle.grid import check_lambdas, lambda_grid
from bridle.limits import SEPARATED, at_zero
from bridle.losses import Family, get_family
from bridle.moments import Map, Moments
from bridle.penalties import Penalty
from bridle.problem import Problem, Settings, bound, column_names, optional_array
from bridle.reduction import applies, solve_reduced
from bridle.relaxed import relax as refit_active
from bridle.settling import settled
from bridle.several import SeveralFamily, SeveralProblem, separates

__all__ = [
    "STATUSES", "Path", "announce", "as_path", "coefficients", "fit_path", "make_problem", "relaxed_path",
    "solve_problem", "with_names",
]  # fmt: skip

Float = NDArray[np.float64]


def fit_path(
    X: Any,
    y: ArrayLike,
    *,
    family: str | Family = "gaussian",
    l1_ratio: float = 1.0,
    lambdas: ArrayLike | None = None,
    n_lambdas: int = 100,
    lambda_min_ratio: float | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    lower: ArrayLike = -np.inf,
    upper: ArrayLike = np.inf,
    penalty: str = "elastic_net",
    groups: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = True,
    tol: float = 1e-6,
    max_iter: int = 100_000,
    mode: str = "auto",
    strict: bool = False,
    feature_names: ArrayLike | None = None,
    relax: bool = False,
    n_jobs: int = 1,
) -> Path:
    r"""Fit a generalised linear model with a lasso, ridge, elastic-net or other penalty at a sequence of lambdas.

    .. math:: \min_{b_0, b} \sum_i w_i f(y_i, o_i + b_0 + x_i'b)
        + \lambda \sum_j v_j [a |s_j b_j| + (1-a)/2 (s_j b_j)^2]

    The other penalties, by groups and not convex, are in docs/penalties.md.

    Parameters
    ----------
    X : (n, p) array or sparse matrix
        float64 or float32 in Fortran order, or CSC, are read in place, as is C order for squared errors with more rows
        than columns, or beyond 1 GiB; anything else is copied once.
    y : (n,), or n rows as the family takes them
        Numbers, counts, 0/1 or shares; for "binomial" also (n, 2) successes and failures; labels or shares of classes
        (multinomial), ordered levels (ordinal), columns of numbers (multigaussian), times to an event (cox).
    family : str or Family
        "gaussian", "binomial", "poisson", "gamma", "tweedie(power=1.5)", "negative_binomial(theta=2)",
        "huber(delta=1)", "quantile(tau=0.9)", "squared_hinge", "cox", "multinomial", "ordinal", "multigaussian", or a
        family of your own (docs/families.md). A parameter that is left out is estimated first: see
        :func:`bridle.settle_family`.
    l1_ratio : float
        a: 1 is the lasso, 0 is ridge.
    lambdas : (L,) or None
        Values >= 0, sorted descending if they aren't; None is ``lambda_grid``.
    n_lambdas, lambda_min_ratio
        Of the grid.
    sample_weight : (n,) or None
        Weights >= 0, rescaled to sum to 1.
    offset : (n,) or None
        Added to the linear predictor.
    penalty_factor : (p,) or None
        v: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,)
        Bounds of the coefficients on the original scale; they hold 0.
    penalty : str
        "elastic_net", "group_lasso", "sparse_group_lasso(l1_share=0.95)", "adaptive_lasso(gamma=1)",
        "adaptive_group_lasso(gamma=1)", "mcp(gamma=3)", "scad(gamma=3.7)", "group_mcp(gamma=3)" or
        "group_scad(gamma=3.7)".
    groups : (p,) or None
        Labels: features with the same one form a group.
    fit_intercept, standardize : bool
        Whether to fit b0, and whether s is the standard deviation (1/n) of the columns or 1.
    tol : float
        Largest duality gap, relative to half the mean null deviance; for MCP and SCAD the largest violation of
        stationarity, relative to the largest slope of the null model.
    max_iter : int
        Limit of sweeps and Newton steps for each lambda.
    mode : str
        "auto", "gram" (work on X'X, gaussian only) or "columns".
    strict : bool
        Whether a lambda without certificate is an error; else it is a warning, and a status.
    feature_names : (p,) or None
        Kept in the result; None takes a data frame's column names.
    relax : bool
        Whether to refit each lambda's active features without penalty, as ``Path.relaxed``; ``Path.blend`` mixes the
        two.
    n_jobs : int
        Threads for the one pass over the rows that squared errors with more rows than columns take (-1: one per
        processor); all else runs on one. The answer is the same.

    Returns
    -------
    Path
        One fit for every lambda that was asked for.

    Raises
    ------
    InputError
        Data or arguments can't be used as they are.
    ConvergenceError
        Only if ``strict``.

    References
    ----------
    Friedman, Hastie and Tibshirani (2010), Journal of Statistical Software 33(1).
    """
    settings = Settings.make(tol, max_iter, mode, family)
    y, sample_weight = get_family(family).observations(y, sample_weight)
    given: dict[str, Any] = {
        "sample_weight": sample_weight,
        "offset": offset,
        "fit_intercept": bool(fit_intercept),
        "standardize": standardize,
        "penalty": Penalty(
            as_number("l1_ratio", l1_ratio), optional_array(penalty_factor), bound(lower), bound(upper), penalty, groups
        ),
    }
    found = settled(X, y, get_family(family), lambdas=lambdas, **given)
    each = Crew(n_jobs, 0, None).each
    problem = make_problem(X, y, family=found.family, mode=settings.mode, each=each, **given)
    path = solve_problem(problem, settings, lambdas, n_lambdas, lambda_min_ratio, relax=relax)
    path = replace(path, notes=(found.note, *path.notes)) if found.note else path
    names = column_names(feature_names, X, problem.shape[1])
    if isinstance(problem, SeveralProblem):
        path = with_names(path, responses=problem.family.names(y, problem.y))
    return announce(with_names(path, feature_names=names) if names else path, strict)


def make_problem(
    X: Any,
    y: ArrayLike,
    *,
    family: Family,
    penalty: Penalty,
    mode: int,
    moments: Moments | None = None,
    each: Map | None = None,
    **given: Any,
) -> Problem | SeveralProblem:
    """Check what the user gave, for one linear predictor or several.

    Parameters
    ----------
    X, y, family
        As for :func:`fit_path`.
    penalty : Penalty
        On the coefficients.
    mode : int
        That of the settings.
    moments : Moments or None
        Of these rows, if they are known.
    each : callable or None
        Maps a function over parts of a pass over the rows, on threads perhaps.
    **given
        Further arguments of :meth:`Problem.make` and :meth:`SeveralProblem.make`.

    Returns
    -------
    Problem or SeveralProblem
        What :func:`solve_problem` takes.

    Raises
    ------
    InputError
        The penalty isn't one for this family, or the data can't be used.
    """
    if isinstance(family, SeveralFamily):
        if penalty.kind.initial:
            penalty = with_weights(X, y, family, penalty, **given)
        return SeveralProblem.make(X, y, family=family, penalty=penalty, **given)
    if penalty.kind.initial:
        penalty = with_weights(X, y, family, penalty, mode=mode, moments=moments, **given)
    return Problem.make(X, y, family=family, penalty=penalty, mode=mode, moments=moments, each=each, **given)


def solve_problem(
    problem: Problem | SeveralProblem,
    settings: Settings,
    lambdas: ArrayLike | None = None,
    n_lambdas: int = 100,
    lambda_min_ratio: float | None = None,
    *,
    relax: bool = False,
) -> Path:
    """Solve a checked problem at ``lambdas``, or at its own grid: the path, whatever became of each lambda.

    Parameters
    ----------
    problem : Problem
        What to solve.
    settings : Settings
        Tolerance and limits.
    lambdas, n_lambdas, lambda_min_ratio, relax
        As for :func:`fit_path`.

    Returns
    -------
    Path
        Without names of the features.
    """
    lambda_max, notes = problem.lambda_max(settings), list(problem.notes)
    if lambdas is None:
        if lambda_max == 0.0:
            notes.append("no feature is related to the target after the unpenalised part: every coefficient is 0")
            problem = replace(
                problem, factor=problem.unpenalised_part().factor
            )  # at lambda = 0 rounding alone would move them
        grid = lambda_grid(lambda_max, *problem.shape, n_lambdas, lambda_min_ratio, problem.l1_ratio)
    else:
        grid = check_lambdas(lambdas)
    if isinstance(problem, Problem) and blocks.applies(problem):
        raw, relative_gap = blocks.solve_blocks(problem, grid, settings)
        path = as_path(problem, grid, raw, settings, lambda_max=lambda_max, notes=notes, relax=relax)
        path = replace(path, relative_gap=relative_gap)
        if not problem.penalty.concave:
            return path
        return replace(path, convex_min=blocks.convex_until(problem, path.coef_sparse, path.intercept, grid))
    raw = solve_reduced(problem, grid, settings) if applies(problem, grid, settings) else problem.solve(grid, settings)
    path = as_path(problem, grid, raw, settings, lambda_max=lambda_max, notes=notes, relax=relax)
    if isinstance(problem, SeveralProblem) and problem.penalty.concave:
        path = replace(path, relative_gap=problem.relative_violation(grid, raw))
        if problem.family.shared:
            return replace(path, convex_min=blocks.convex_until(problem, path.coef_sparse, path.intercept, grid))
    return path


def as_path(
    problem: Problem | SeveralProblem,
    grid: Float,
    raw: _core.PathResult,
    settings: Settings,
    *,
    lambda_max: float,
    notes: list[str],
    relax: bool = False,
) -> Path:
    """Return what the core has found as a path.

    Parameters
    ----------
    problem, grid, raw, settings
        What was solved, at which lambdas (L,), the result and the limits.
    lambda_max : float
        Of the problem.
    notes : list of str
        What there is to say so far.
    relax : bool
        Whether to refit the active features without penalty.

    Returns
    -------
    Path
        With the defined answers at lambda = 0, and advice where something didn't converge; without names of features.
    """
    status = [STATUSES[s] for s in raw["status"].tolist()]
    if grid[-1] == 0.0 and isinstance(problem, Problem):
        notes = notes + at_zero(problem, raw, status, settings.tol)
    elif grid[-1] == 0.0 and isinstance(problem, SeveralProblem) and separates(problem, raw, settings.tol):
        status[-1] = "separated"
        notes = [*notes, SEPARATED]
    notes = notes + [f"lambda = {lam:.4g}: {_ADVICE[s]}" for lam, s in zip(grid, status, strict=True) if s in _ADVICE]
    gap = raw["gap"]
    path = Path(
        family=problem.family.spec,
        lambdas=grid,
        l1_ratio=problem.l1_ratio,
        intercept=raw["intercept"] if problem.family.has_intercept else np.zeros(len(grid)),
        coef_sparse=coefficients(raw, problem.shape[1] * problem.width),
        mean=problem.mean,
        scale=problem.scale,
        relative_gap=gap / problem.reference if problem.reference > 0.0 else gap,
        gap=gap,
        kkt=raw["kkt"],
        n_iter=raw["n_iter"],
        status=tuple(status),
        deviance=np.maximum(0.0, 2.0 * (raw["loss"] - problem.saturated)),
        null_deviance=2.0 * problem.reference,
        lambda_max=lambda_max,
        tol=settings.tol,
        fit_intercept=problem.fit_intercept and problem.family.has_intercept,
        standardize=problem.standardize,
        feature_names=None,
        notes=tuple(notes),
        penalty=problem.penalty.spec,
        groups=None if problem.penalty.groups is None else tuple(np.asarray(problem.penalty.groups).tolist()),
        factor=problem.penalty.factor if problem.penalty.kind.initial else None,
    )
    return replace(path, relaxed=_relaxed(problem, path, raw, settings)) if relax else path


def _relaxed(problem: Problem | SeveralProblem, path: Path, raw: _core.PathResult, settings: Settings) -> Path:
    """Return the path of the refits."""
    refits, notes = refit_active(problem, raw, path.lambdas, settings)
    return relaxed_path(path, refits, problem.reference, problem.saturated, notes)


_ADVICE = {
    "max_iter": "Raise max_iter or tol, or ask for fewer small lambdas.",
    "separated": "The likelihood has no maximum: use a lasso or ridge penalty (lambda > 0), which has a solution.",
    "stalled": "Rounding stops here: raise tol, centre or rescale the columns, or use float64.",
}


def announce(path: Path, strict: bool) -> Path:
    """Warn of lambdas without certificate, or raise if ``strict``.

    Parameters
    ----------
    path : Path
        What was fitted.
    strict : bool
        Whether a missed certificate is an error.

    Returns
    -------
    Path
        The same.
    """
    failed = [i for i, s in enumerate(path.status) if s != "converged"]
    fits = "values of lambda" if path.gamma == 1.0 else "relaxed fits"
    if not failed:
        if path.relaxed is not None:
            announce(path.relaxed, strict)
        return path
    first, what = failed[0], "gap" if path.certificate == "duality gap" else "violation"
    message = (
        f"{len(failed)} of {len(path.lambdas)} {fits} did not converge to the relative {what} {path.tol:g}; "
        f"the first is lambda = {path.lambdas[first]:.4g} ({path.status[first]}, {what} "
        f"{path.relative_gap[first]:.1e}). {_ADVICE[path.status[first]]}"
    )
    if strict:
        raise ConvergenceError(message)
    warnings.warn(message, BridleWarning, stacklevel=3)
    return path
