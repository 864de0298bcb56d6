"""``fit_dropout_path``: one fit for every dropout rate, largest first, each started from the one before."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import BridleWarning, InputError
from bridle.linear_dropout.columns import Columns
from bridle.linear_dropout.expected import MARGINALS
from bridle.linear_dropout.marginal import Objective
from bridle.linear_dropout.newton import minimise
from bridle.linear_dropout.path import LinearDropoutPath
from bridle.losses import get_family
from bridle.path import Path, fit_path
from bridle.penalties import Penalty
from bridle.problem import Problem, column_names, one_blas_thread

Float = NDArray[np.float64]

RATES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)

_FINEST = 1e-14  # relative gap asked of fit_path: it is quadratic in the error of the coefficients
_SWEEPS = 1000  # of fit_path for each Newton step that the caller allows

ADVICE = {
    "separated": "The classes are separated, and the objective falls to its bound as the coefficients grow: it has no "
    "minimum here. Use marginal='normal', or a larger rate, or a ridge or lasso penalty.",
    "max_iter": "Raise max_iter; where classes are nearly separated, marginal='normal' is convex and has a minimum.",
    "stalled": "Rounding stops here: raise tol, or centre or rescale the columns.",
}


def fit_dropout_path(
    X: Any,
    y: ArrayLike,
    *,
    family: str = "gaussian",
    rates: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = True,
    marginal: str = "quadratic",
    tol: float = 1e-8,
    max_iter: int = 200,
    feature_names: ArrayLike | None = None,
) -> LinearDropoutPath:
    r"""Fit a generalised linear model with dropout noise on its features, marginalised, at a sequence of rates.

    .. math:: \min_{b_0, b} \sum_i w_i \Big[ A(\eta_i) - y_i \eta_i
        + \frac12 A''(\eta_i) \frac{\delta}{1 - \delta} \sum_j (x_{ij} - c_j)^2 b_j^2 \Big],
        \quad \eta_i = o_i + b_0 + x_i'b

    For a gaussian target this is the expected loss itself, and ridge; for the others it is the expected loss to second
    order in the noise.

    Parameters
    ----------
    X : (n, p) array or sparse matrix
        float64 or float32; a sparse matrix stays sparse.
    y : (n,)
        Target: numbers (gaussian), 0/1 or shares (binomial), counts (poisson).
    family : str
        "gaussian", "binomial" or "poisson".
    rates : (R,) or None
        delta in [0, 1): the share of features that is dropped; None is 0.9, 0.8, ..., 0.1, 0.
    sample_weight : (n,) or None
        Weights >= 0, rescaled to sum to 1.
    offset : (n,) or None
        Added to the linear predictor; no noise falls on it.
    fit_intercept : bool
        Whether to fit b0; no noise falls on it.
    standardize : bool
        Whether a dropped feature is replaced by its weighted mean (c; needs the intercept) or by 0. The unit of a
        feature doesn't matter either way.
    marginal : {"quadratic", "normal"}
        How the noise is averaged: the objective above, or the expected loss under normal noise of the same variance
        (Wang and Manning 2013), which is convex and has one minimum at every rate above 0.
    tol : float
        Largest component of the gradient, over that at the null model, that passes as stationary.
    max_iter : int
        Newton steps for each rate.
    feature_names : (p,) or None
        Kept in the result; None takes a data frame's column names.

    Returns
    -------
    LinearDropoutPath
        One fit for every rate that was asked for, largest first.

    Raises
    ------
    InputError
        Data or arguments can't be used as they are.

    References
    ----------
    Wager, Wang and Liang (2013), Dropout training as adaptive regularization, NIPS 26.
    Wang and Manning (2013), Fast dropout training, ICML 30.
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014), section 9.1, JMLR 15.
    """
    grid = _check_rates(rates)
    if not 0.0 < tol < 1.0:
        raise InputError(f"tol must lie between 0 and 1; got {tol!r}")
    if marginal not in MARGINALS:
        raise InputError(f"unknown marginal {marginal!r}; expected one of {', '.join(MARGINALS)}")
    if max_iter < 1:
        raise InputError(f"max_iter must be at least 1; got {max_iter!r}")
    if get_family(family).name not in ("gaussian", "binomial", "poisson"):
        raise InputError(f"dropout in a linear model is for gaussian, binomial or poisson; got the family {family!r}")
    problem = Problem.make(
        X,
        y,
        family=family,
        sample_weight=sample_weight,
        offset=offset,
        fit_intercept=fit_intercept,
        standardize=True,
        penalty=Penalty(0.0),
    )
    with one_blas_thread:
        work = _Work(problem, bool(standardize), marginal, float(tol), int(max_iter))
        fits = work.fit(grid)
    family_, y_, w, o = problem.family, problem.y, problem.w, problem.offset
    eta = np.column_stack([o + fit.intercept + problem.design.times(fit.coef) for fit in fits])
    saturated = float(w @ family_.saturated(y_))
    advice = [
        f"rate {rate:g}: {ADVICE[fit.status]}" for rate, fit in zip(grid, fits, strict=True) if fit.status in ADVICE
    ]
    path = LinearDropoutPath(
        family=family_.name,
        rates=grid,
        intercept=np.array([fit.intercept for fit in fits]),
        coef=np.array([fit.coef for fit in fits]),
        objective=np.array([fit.objective for fit in fits]),
        stationarity=np.array([fit.stationarity for fit in fits]),
        n_iter=np.array([fit.n_iter for fit in fits]),
        status=tuple(fit.status for fit in fits),
        deviance=np.array([max(0.0, 2.0 * (float(w @ family_.loss(y_, e)) - saturated)) for e in eta.T]),
        null_deviance=2.0 * problem.reference,
        mean=problem.mean,
        scale=problem.scale,
        tol=float(tol),
        fit_intercept=bool(fit_intercept),
        standardize=bool(standardize),
        marginal=marginal,
        feature_names=column_names(feature_names, X, problem.shape[1]),
        notes=(*problem.notes, *advice),
    )
    _announce(path)
    return path


class _Fit(NamedTuple):
    """One rate's answer on the original scale."""

    intercept: float
    coef: Float  # (p,)
    objective: float
    stationarity: float
    n_iter: int
    status: str


class _Work:
    """A problem as the solver sees it: features of mean 0 (with an intercept) and deviation 1, theta = (b0, beta)."""

    def __init__(self, problem: Problem, standardize: bool, marginal: str, tol: float, max_iter: int) -> None:
        self.problem, self.marginal, self.tol, self.max_iter = problem, marginal, tol, max_iter
        self.centre = problem.centre
        origin = self.centre if standardize else np.zeros_like(self.centre)
        self.moment = (problem.mean - origin) ** 2 + problem.deviation**2  # (p,) of what the noise multiplies
        used = np.isfinite(problem.factor) & (self.moment > 0.0)
        self.scale = np.where(used, np.hypot(problem.mean - self.centre, problem.deviation), 0.0)
        self.columns = Columns(problem.matrix, self.centre, origin, self.scale)
        self.start = np.zeros(problem.shape[1] + 1)
        self.start[0] = problem.start
        null = self.objective(0.0).at(self.start)
        spread = float(np.sqrt(problem.w @ problem.family.gradient(problem.y, null.eta) ** 2))
        self.null_slope = null.steepest if null.steepest > 1e-13 * spread and problem.reference > 0.0 else 0.0

    def objective(self, rate: float) -> Objective:
        """Return F at ``rate``."""
        p = self.problem
        ratio = rate / (1.0 - rate)
        return Objective(self.columns, p.family, p.y, p.w, p.offset, p.fit_intercept, self.marginal, ratio)

    def fit(self, rates: Float) -> list[_Fit]:
        """Return one fit for each of ``rates`` (R,), descending."""
        if self.null_slope == 0.0:  # no feature is related to the target
            return [self.judged(rate, self.start, 0, "converged") for rate in rates]
        quadratic = self.problem.family.name == "gaussian"
        direct = rates if quadratic else rates[rates == 0.0]
        theta, fits = self.start, []
        for rate in rates[: len(rates) - len(direct)]:
            best = minimise(self.objective(rate), theta, self.tol, self.null_slope, self.max_iter)
            fits.append(self.judged(rate, best.point.theta, best.steps, best.status))
            theta = best.point.theta if fits[-1].status == "converged" else theta
        return fits + self.ridge(direct)

    def ridge(self, rates: Float) -> list[_Fit]:
        """Return the fits whose penalty is plain ridge: gaussian at any rate, every family at rate 0."""
        if len(rates) == 0:
            return []
        p = self.problem
        factor = np.where(self.scale > 0.0, self.moment / p.scale**2, np.inf)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*relative gap", category=BridleWarning)
            path = fit_path(
                p.matrix,
                p.y,
                family=p.family.name,
                l1_ratio=0.0,
                lambdas=rates / (1.0 - rates),
                sample_weight=p.w,
                offset=p.offset,
                penalty_factor=factor,
                fit_intercept=p.fit_intercept,
                tol=_FINEST,
                max_iter=_SWEEPS * self.max_iter,
            )
        return [self.polished(rate, path, k) for k, rate in enumerate(rates)]

    def polished(self, rate: float, path: Path, k: int) -> _Fit:
        """Return the ``k``-th fit of ``path``, taken on by Newton's method where its gradient is above ``tol``."""
        b = path.coef_row(k)
        theta = np.concatenate([[path.intercept[k] + self.centre @ b], b * self.scale])
        fit = self.judged(rate, theta, int(path.n_iter[k]), path.status[k])
        if fit.stationarity <= self.tol or fit.status == "separated":
            return fit
        best = minimise(self.objective(rate), theta, self.tol, self.null_slope, self.max_iter)
        return self.judged(rate, best.point.theta, fit.n_iter + best.steps, best.status)

    def judged(self, rate: float, theta: Float, n_iter: int, status: str) -> _Fit:
        """Return theta on the original scale, with the stationarity that these coefficients have."""
        coef = np.divide(theta[1:], self.scale, out=np.zeros_like(self.scale), where=self.scale > 0.0)
        intercept = float(theta[0] - self.centre @ coef) if self.problem.fit_intercept else 0.0
        back = np.concatenate([[intercept + self.centre @ coef], coef * self.scale])
        point = self.objective(rate).at(back)
        stationarity = point.steepest / self.null_slope if self.null_slope > 0.0 else 0.0
        if status != "separated":
            missed = status if status in ADVICE else "stalled"
            status = "converged" if stationarity <= self.tol else missed
        return _Fit(intercept, coef, point.value, stationarity, n_iter, status)


def _check_rates(rates: ArrayLike | None) -> Float:
    """Return the rates (R,), descending, each once."""
    try:
        grid = np.atleast_1d(np.asarray(RATES if rates is None else rates, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(f"rates can't be read as numbers: {error}") from None
    if grid.ndim != 1 or grid.size == 0 or not np.all((grid >= 0.0) & (grid < 1.0)):
        raise InputError(
            f"dropout rates must lie in [0, 1): the share of features that is dropped; got {rates!r}. "
            "A rate of 1 would drop everything"
        )
    return np.unique(grid)[::-1]


def _announce(path: LinearDropoutPath) -> None:
    """Warn of rates that missed the tolerance."""
    failed = [k for k, status in enumerate(path.status) if status != "converged"]
    if failed:
        k = failed[0]
        warnings.warn(
            f"{len(failed)} of {len(path.rates)} dropout rates have no stationary point to {path.tol:g}; the first is "
            f"{path.rates[k]:g} ({path.status[k]}, stationarity {path.stationarity[k]:.1e}). {ADVICE[path.status[k]]}",
            BridleWarning,
            stacklevel=3,
        )
