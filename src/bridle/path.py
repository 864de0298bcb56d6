"""The regularisation path: fits at a sequence of lambdas, each with its certificate."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from bridle import _core, blocks
from bridle.adaptive import with_weights
from bridle.errors import BridleWarning, ConvergenceError, InputError
from bridle.grid import check_lambdas, lambda_grid
from bridle.limits import at_zero
from bridle.losses import Family, get_family
from bridle.moments import Moments
from bridle.penalties import Penalty, read_penalty
from bridle.problem import Problem, Settings, bound, column_names, optional_array
from bridle.reduction import applies, solve_reduced
from bridle.relaxed import relax as refit_active
from bridle.settling import settled
from bridle.several import SeveralFamily, SeveralProblem

Float = NDArray[np.float64]

STATUSES = ("converged", "max_iter", "separated", "stalled", "interrupted")


@dataclass(frozen=True)
class Path:
    """Coefficients along a sequence of lambdas, with the proof that each is optimal.

    The objective is sum_i w_i loss(y_i, o_i + b0 + x_i'b) + lam sum_j v_j [a |s_j b_j| + (1 - a)/2 (s_j b_j)^2]
    with weights that sum to 1, or with another penalty (docs/penalties.md); L lambdas, p features. A family with
    several linear predictors a row (classes, responses) has K of them, with intercepts and coefficients of their own,
    and the penalty is summed over them; the ordinal family has one vector of coefficients and an intercept, minus a
    threshold, for each step between levels.
    """

    family: str
    lambdas: Float  # (L,) descending
    l1_ratio: float
    intercept: Float  # (L,), or (L, K)
    coef_sparse: sparse.csr_array  # (L, p) on the original scale, or (L, p K), column j K + k
    mean: Float  # (p,) weighted mean
    scale: Float  # (p,) s: weighted standard deviation with 1/n, or 1
    relative_gap: Float  # (L,) gap / (half the mean null deviance); with MCP or SCAD kkt / (null model's largest slope)
    gap: Float  # (L,); with MCP or SCAD there is none, and it is kkt
    kkt: Float  # (L,) worst violation of the optimality conditions
    n_iter: NDArray[np.int64]  # (L,)
    status: tuple[str, ...]
    deviance: Float  # (L,) mean unit deviance of the training rows
    null_deviance: float
    lambda_max: float
    tol: float
    fit_intercept: bool
    standardize: bool
    feature_names: tuple[str, ...] | None
    notes: tuple[str, ...]
    penalty: str = "elastic_net"  # its spec
    groups: tuple[Any, ...] | None = None  # (p,) labels, for penalties that have groups
    convex_min: int | None = None  # index of the first lambda at which MCP or SCAD isn't locally convex any more
    responses: tuple[Any, ...] | None = None  # labels of the classes or names of the responses, where there are several
    relaxed: Path | None = None  # the fits without penalty of the active features, at the same lambdas
    factor: Float | None = None  # (p,) v of an adaptive penalty, its weights multiplied in
    gamma: float = 1.0  # share of the penalised fit: 0 in a relaxed path, between in a blend

    @property
    def n_features(self) -> int:
        """Number of features, p."""
        return int(self.mean.size)

    @cached_property
    def coef(self) -> Float:
        """Coefficients on the original scale, dense, (L, p), or (L, p, K) for several predictors."""
        dense = np.asarray(self.coef_sparse.toarray())
        return dense.reshape(len(self.lambdas), self.n_features, -1) if self._wide else dense

    @property
    def _wide(self) -> bool:
        """Whether each predictor has coefficients of its own."""
        family = get_family(self.family)
        return isinstance(family, SeveralFamily) and not family.shared

    @property
    def n_nonzero(self) -> NDArray[np.int64]:
        """Number of features with a nonzero coefficient at each lambda, (L,)."""
        if self._wide:
            return np.asarray((self.coef != 0.0).any(axis=2).sum(axis=1), dtype=np.int64)
        return np.asarray(np.diff(self.coef_sparse.indptr), dtype=np.int64)

    @property
    def deviance_ratio(self) -> Float:
        """Share of the null deviance that is explained, (L,)."""
        if self.null_deviance == 0.0:
            return np.zeros_like(self.deviance)
        return 1.0 - self.deviance / self.null_deviance

    @property
    def converged(self) -> bool:
        """Whether every lambda has its certificate."""
        return all(s == "converged" for s in self.status)

    @property
    def certificate(self) -> str:
        """What proves each fit: its "duality gap", or "stationarity" where the penalty isn't convex."""
        concave = read_penalty(self.penalty).concave and self.l1_ratio > 0.0 and self.gamma > 0.0
        return "stationarity" if concave else "duality gap"

    @property
    def objective(self) -> str:
        """The objective that was solved, in one line."""
        b = "s_j b_j" if self.standardize else "b_j"
        penalty = Penalty(self.l1_ratio, spec=self.penalty, groups=self.groups).formula(b)
        start = "b0 + " if self.fit_intercept else ""
        family = get_family(self.family)
        eta = f"eta = {start}x'b"
        if isinstance(family, SeveralFamily):
            eta = "logit P(y > k) = x'b - t_k" if family.shared else f"eta = {start}B'x"
        solved = f"minimise mean[{family.formula}] + {penalty},  {eta}"
        if self.gamma == 1.0:
            return solved
        refit = f"minimise mean[{family.formula}] over the active b,  {eta}"
        return refit if self.gamma == 0.0 else f"{self.gamma:g} [{solved}] + {1.0 - self.gamma:g} [{refit}]"

    def blend(self, gamma: float) -> Path:
        r"""Return :math:`\gamma` times the penalised fits plus :math:`1 - \gamma` times the relaxed ones.

        Parameters
        ----------
        gamma : float
            From 0, the relaxed fits, to 1, the penalised ones.

        Returns
        -------
        Path
            Its certificates are the worse of the two fits'. Its deviance isn't known without the rows: NaN.

        Raises
        ------
        InputError
            The path wasn't fitted with ``relax=True``, or gamma isn't from 0 to 1.
        """
        if not 0.0 <= gamma <= 1.0:
            raise InputError(f"gamma must lie between 0 (relaxed) and 1 (penalised); got {gamma!r}")
        if gamma == 1.0:
            return replace(self, relaxed=None)
        if self.relaxed is None:
            raise InputError("there are no relaxed fits to blend with: pass relax=True to fit_path")
        if gamma == 0.0:
            return self.relaxed
        other = self.relaxed
        worse = [mine if mine != "converged" else its for mine, its in zip(self.status, other.status, strict=True)]
        return replace(
            self,
            intercept=gamma * self.intercept + (1.0 - gamma) * other.intercept,
            coef_sparse=sparse.csr_array(gamma * self.coef_sparse + (1.0 - gamma) * other.coef_sparse),
            relative_gap=np.maximum(self.relative_gap, other.relative_gap),
            gap=np.maximum(self.gap, other.gap),
            kkt=np.maximum(self.kkt, other.kkt),
            n_iter=self.n_iter + other.n_iter,
            status=tuple(worse),
            deviance=np.full(len(self.lambdas), np.nan),
            notes=self.notes + other.notes,
            relaxed=None,
            gamma=float(gamma),
        )

    def coef_at(self, lam: float) -> tuple[Any, Float]:
        """Return (intercept, coefficients) at ``lam``, interpolated linearly between the lambdas of the grid.

        Parameters
        ----------
        lam : float
            Any value >= 0; beyond the ends of the grid the end counts.

        Returns
        -------
        tuple
            Intercept and coefficients (p,) on the original scale; (K,) and (p, K) for several predictors.
        """
        low, high, share = self._between(lam)
        coef = share * self.coef_row(high) + (1.0 - share) * self.coef_row(low)
        intercept = share * self.intercept[high] + (1.0 - share) * self.intercept[low]
        return float(intercept) if self.intercept.ndim == 1 else intercept, coef

    def linear_predictor(self, X: Any, offset: ArrayLike | None = None, lam: float | None = None) -> Float:
        """Return eta = offset + b0 + X b.

        Parameters
        ----------
        X : (n, p)
            Dense or sparse.
        offset : (n,) or None
            Added to the predictor; (n, K) for several.
        lam : float or None
            One value (interpolated on the grid), or None for all.

        Returns
        -------
        (n,) for one lambda, (n, L) for all; (n, K) and (n, K, L) for several predictors
        """
        shape = np.shape(X)
        if len(shape) != 2 or shape[1] != self.n_features:
            raise InputError(f"X has shape {shape}; expected two dimensions with {self.n_features} columns")
        if self.intercept.ndim == 2:
            return self._linear_predictors(X, offset, lam)
        if lam is None:
            used = np.unique(self.coef_sparse.indices)  # nothing is multiplied by columns that are zero throughout
            coef = self.coef_sparse[:, used].toarray()
            eta = np.asarray(X[:, used] @ coef.T) if sparse.issparse(X) else np.asarray(X)[:, used] @ coef.T
            eta = eta + self.intercept
            return np.asarray(eta if offset is None else eta + np.asarray(offset, dtype=np.float64)[:, None])
        intercept, b = self.coef_at(lam)
        one = np.asarray(X @ b) + intercept
        return np.asarray(one if offset is None else one + np.asarray(offset, dtype=np.float64))

    def _linear_predictors(self, X: Any, offset: ArrayLike | None, lam: float | None) -> Float:
        """Several predictors, (n, K) or (n, K, L)."""
        if lam is None:
            intercept, coef = self.intercept, self.coef
        else:
            at = self.coef_at(lam)
            intercept, coef = at[0][None], at[1][None]
        count = len(coef)
        flat = np.moveaxis(coef, 1, 0).reshape(self.n_features, -1)  # (p, L K), or (p, L) where all share one
        used = np.flatnonzero(flat.any(axis=1))
        part = X[:, used] if sparse.issparse(X) else np.asarray(X)[:, used]
        eta = np.asarray(part @ flat[used]).reshape(-1, count, flat.shape[1] // count) + intercept
        if offset is not None:
            o = np.asarray(offset, dtype=np.float64)
            eta = eta + (o[:, None, None] if o.ndim == 1 else o[:, None, :])
        return np.ascontiguousarray(np.moveaxis(eta, 1, 2) if lam is None else eta[:, 0])

    def predict(
        self,
        X: Any,
        offset: ArrayLike | None = None,
        lam: float | None = None,
        kind: Literal["response", "link", "class"] = "response",
    ) -> NDArray[Any]:
        """Return means (probabilities of classes), linear predictors or classes, (n,) for one lambda, (n, L) for all.

        Parameters
        ----------
        X : (n, p)
            Dense or sparse.
        offset : (n,) or None
            Added to the linear predictor; (n, K) for several.
        lam : float or None
            One value (interpolated on the grid), or None for all.
        kind : {"response", "link", "class"}
            Scale of the answer; "class" is the likeliest label, of the families of classes.

        Returns
        -------
        (n,) for one lambda, (n, L) for all; (n, K) and (n, K, L) for responses, or probabilities of classes
        """
        family = get_family(self.family)
        labels = self.responses if family.has_classes else None
        kinds = ("response", "link", "class") if labels is not None else ("response", "link")
        if kind not in kinds:
            raise InputError(f"kind must be one of {', '.join(map(repr, kinds))}; got {kind!r}")
        eta = self.linear_predictor(X, offset, lam)
        if kind == "link":
            return eta
        mean = family.mean(eta)
        return mean if kind == "response" else np.asarray(labels)[np.argmax(mean, axis=1)]

    def coef_row(self, index: int) -> Float:
        """Return the coefficients at the ``index``-th lambda, dense, (p,), or (p, K) for several predictors.

        Parameters
        ----------
        index : int
            From 0, the largest lambda, to L - 1.
        """
        sparse_rows, coef = self.coef_sparse, np.zeros(self.coef_sparse.shape[1])
        part = slice(sparse_rows.indptr[index], sparse_rows.indptr[index + 1])
        coef[sparse_rows.indices[part]] = sparse_rows.data[part]
        return coef.reshape(self.n_features, -1) if self._wide else coef

    def _between(self, lam: float) -> tuple[int, int, float]:
        """Return indices of the grid's neighbours below and above ``lam``, and the share of the upper one."""
        if not lam >= 0.0:
            raise InputError(f"lam must be a number of at least 0; got {lam!r}")
        ascending = self.lambdas[::-1]
        last = len(ascending) - 1
        above = int(np.searchsorted(ascending, lam))
        if above == 0 or above > last or ascending[above] == lam:
            at = last - min(above, last)
            return at, at, 1.0
        share = (lam - ascending[above - 1]) / (ascending[above] - ascending[above - 1])
        return last - (above - 1), last - above, float(share)


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
) -> Path:
    r"""Fit a generalised linear model with a lasso, ridge, elastic-net or other penalty at a sequence of lambdas.

    .. math:: \min_{b_0, b} \sum_i w_i f(y_i, o_i + b_0 + x_i'b)
        + \lambda \sum_j v_j [a |s_j b_j| + (1-a)/2 (s_j b_j)^2]

    The other penalties, by groups and not convex, are in docs/penalties.md.

    Parameters
    ----------
    X : (n, p) array or sparse matrix
        float64 or float32, C or Fortran order, or CSC, are read in place; anything else is converted once.
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
            float(l1_ratio), optional_array(penalty_factor), bound(lower), bound(upper), penalty, groups
        ),
    }
    found = settled(X, y, get_family(family), lambdas=lambdas, **given)
    problem = make_problem(X, y, family=found.family, mode=settings.mode, **given)
    path = solve_problem(problem, settings, lambdas, n_lambdas, lambda_min_ratio, relax=relax)
    path = replace(path, notes=(found.note, *path.notes)) if found.note else path
    names = column_names(feature_names, X, problem.shape[1])
    if isinstance(problem, SeveralProblem):
        path = with_names(path, responses=problem.family.names(y, problem.y))
    return announce(with_names(path, feature_names=names) if names else path, strict)


def with_names(path: Path, **names: tuple[Any, ...] | None) -> Path:
    """Return a path with ``feature_names`` or ``responses``, its relaxed fits too.

    Parameters
    ----------
    path : Path
        Without them.
    **names
        Fields of the path.

    Returns
    -------
    Path
    """
    relaxed = None if path.relaxed is None else replace(path.relaxed, **names)  # type: ignore[arg-type]
    return replace(path, relaxed=relaxed, **names)  # type: ignore[arg-type]


def make_problem(
    X: Any, y: ArrayLike, *, family: Family, penalty: Penalty, mode: int, moments: Moments | None = None, **given: Any
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
        return SeveralProblem.make(X, y, family=family, penalty=penalty, **given)
    if penalty.kind.initial:
        penalty = with_weights(X, y, family, penalty, mode=mode, moments=moments, **given)
    return Problem.make(X, y, family=family, penalty=penalty, mode=mode, moments=moments, **given)


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
    if isinstance(problem, Problem) and applies(problem, grid, settings):
        raw = solve_reduced(problem, grid, settings)
    else:
        raw = problem.solve(grid, settings)
    return as_path(problem, grid, raw, settings, lambda_max=lambda_max, notes=notes, relax=relax)


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


def relaxed_path(
    path: Path, refits: _core.PathResult, reference: float, saturated: float, notes: tuple[str, ...]
) -> Path:
    """Return refits as a path beside the penalised one.

    Parameters
    ----------
    path : Path
        The penalised fits.
    refits : PathResult
        One for each lambda.
    reference, saturated : float
        Of the problem: what gaps are relative to, and the mean loss of a fit of every row.
    notes : tuple of str
        What there is to say.

    Returns
    -------
    Path
        With gamma 0.
    """
    gap = refits["gap"]
    return replace(
        path,
        intercept=refits["intercept"] if get_family(path.family).has_intercept else path.intercept,
        coef_sparse=coefficients(refits, path.coef_sparse.shape[1]),
        relative_gap=gap / reference if reference > 0.0 else gap,
        gap=gap,
        kkt=refits["kkt"],
        n_iter=refits["n_iter"],
        status=tuple(STATUSES[s] for s in refits["status"].tolist()),
        deviance=np.maximum(0.0, 2.0 * (refits["loss"] - saturated)),
        notes=notes,
        convex_min=None,
        gamma=0.0,
    )


def coefficients(raw: _core.PathResult, p: int) -> sparse.csr_array:
    """Return what the core found, a row per lambda.

    Parameters
    ----------
    raw : PathResult
        From the core.
    p : int
        Number of coefficients.

    Returns
    -------
    (L, p)
        On the original scale.
    """
    return sparse.csr_array((raw["values"], raw["columns"], raw["starts"]), shape=(len(raw["intercept"]), p))


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
