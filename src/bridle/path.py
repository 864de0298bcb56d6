"""The regularisation path: fits at a sequence of lambdas, each with its certificate."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from bridle import _core
from bridle.certificates import constant_below, null_gap, penalty_scale, relative
from bridle.errors import BridleWarning, ConvergenceError, InputError
from bridle.losses import Family, get_family
from bridle.penalties import Penalty

Float = NDArray[np.float64]

STATUSES = ("converged", "max_iter", "separated", "stalled", "interrupted")
_FAMILY_CODES = {"gaussian": 0, "binomial": 1, "poisson": 2}
_MODES = {"auto": 0, "gram": 1, "columns": 2}
_L1_FLOOR = 1e-3  # ridge has no lambda at which all is zero: lam_max is that of l1_ratio 0.001, as in glmnet
_RIDGE_REACH = 1e-3  # and its grid goes on to where the lasso's ends, else it stops far above the best ridge


@dataclass(frozen=True)
class Path:
    """Coefficients along a sequence of lambdas, with the proof that each is optimal.

    The objective is sum_i w_i loss(y_i, o_i + b0 + x_i'b) + lam sum_j v_j [a |s_j b_j| + (1 - a)/2 (s_j b_j)^2]
    with weights that sum to 1; L lambdas, p features.
    """

    family: str
    lambdas: Float  # (L,) descending
    l1_ratio: float
    intercept: Float  # (L,)
    coef_sparse: sparse.csr_array  # (L, p) on the original scale
    mean: Float  # (p,) weighted mean
    scale: Float  # (p,) s: weighted standard deviation with 1/n, or 1
    relative_gap: Float  # (L,) gap / (half the mean null deviance)
    gap: Float  # (L,)
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

    @cached_property
    def coef(self) -> Float:
        """Coefficients on the original scale, dense, (L, p)."""
        return np.asarray(self.coef_sparse.toarray())

    @property
    def n_nonzero(self) -> NDArray[np.int64]:
        """Number of nonzero coefficients at each lambda, (L,)."""
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
    def objective(self) -> str:
        """The objective that was solved, in one line."""
        unit = {"gaussian": "1/2 (y - eta)^2", "binomial": "log(1 + e^eta) - y eta", "poisson": "e^eta - y eta"}
        b = "s_j b_j" if self.standardize else "b_j"
        square = f"({b})^2" if self.standardize else f"{b}^2"
        a = self.l1_ratio
        if a == 1.0:
            penalty = f"|{b}|"
        elif a == 0.0:
            penalty = f"{square}/2"
        else:
            penalty = f"[{a:g} |{b}| + {(1.0 - a) / 2.0:g} {square}]"
        start = "b0 + " if self.fit_intercept else ""
        return f"minimise mean[{unit[self.family]}] + lam * sum_j v_j {penalty},  eta = {start}x'b"

    def coef_at(self, lam: float) -> tuple[float, Float]:
        """Return (intercept, coefficients (p,)) at ``lam``, interpolated linearly between the lambdas of the grid.

        Parameters
        ----------
        lam : float
            Any value >= 0; beyond the ends of the grid the end counts.

        Returns
        -------
        tuple
            Intercept and coefficients on the original scale.
        """
        low, high, share = self._between(lam)
        coef = share * self._row(high) + (1.0 - share) * self._row(low)
        return float(share * self.intercept[high] + (1.0 - share) * self.intercept[low]), coef

    def linear_predictor(self, X: Any, offset: ArrayLike | None = None, lam: float | None = None) -> Float:
        """Return eta = offset + b0 + X b.

        Parameters
        ----------
        X : (n, p)
            Dense or sparse.
        offset : (n,) or None
            Added to the predictor.
        lam : float or None
            One value (interpolated on the grid), or None for all.

        Returns
        -------
        (n,) for one lambda, (n, L) for all
        """
        shape = np.shape(X)
        if len(shape) != 2 or shape[1] != self.coef_sparse.shape[1]:
            raise InputError(f"X has shape {shape}; expected two dimensions with {self.coef_sparse.shape[1]} columns")
        if lam is None:
            used = np.unique(self.coef_sparse.indices)  # nothing is multiplied by columns that are zero throughout
            coef = self.coef_sparse[:, used].toarray()
            eta = np.asarray(X[:, used] @ coef.T) if sparse.issparse(X) else np.asarray(X)[:, used] @ coef.T
            eta = eta + self.intercept
            return eta if offset is None else eta + np.asarray(offset, dtype=np.float64)[:, None]
        intercept, b = self.coef_at(lam)
        one = np.asarray(X @ b) + intercept
        return one if offset is None else one + np.asarray(offset, dtype=np.float64)

    def predict(
        self,
        X: Any,
        offset: ArrayLike | None = None,
        lam: float | None = None,
        kind: Literal["response", "link"] = "response",
    ) -> Float:
        """Return means (or linear predictors, ``kind="link"``): (n,) for one lambda, (n, L) for all.

        Parameters
        ----------
        X : (n, p)
            Dense or sparse.
        offset : (n,) or None
            Added to the linear predictor.
        lam : float or None
            One value (interpolated on the grid), or None for all.
        kind : {"response", "link"}
            Scale of the answer.

        Returns
        -------
        (n,) for one lambda, (n, L) for all
        """
        if kind not in ("response", "link"):
            raise InputError(f"kind must be 'response' or 'link'; got {kind!r}")
        eta = self.linear_predictor(X, offset, lam)
        return eta if kind == "link" else get_family(self.family).mean(eta)

    def _row(self, index: int) -> Float:
        return np.asarray(self.coef_sparse[[index], :].toarray()).ravel()

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
    if n_lambdas < 1:
        raise InputError(f"n_lambdas must be at least 1; got {n_lambdas!r}")
    usual = (1e-4 if n > p else 1e-2) * (1.0 if l1_ratio >= _L1_FLOOR else _RIDGE_REACH)
    ratio = usual if lambda_min_ratio is None else lambda_min_ratio
    if not 0.0 < ratio < 1.0:
        raise InputError(f"lambda_min_ratio must lie between 0 and 1; got {ratio!r}")
    if n_lambdas == 1:
        return np.array([lambda_max])
    return np.asarray(lambda_max * ratio ** (np.arange(n_lambdas) / (n_lambdas - 1.0)))


def fit_path(
    X: Any,
    y: ArrayLike,
    *,
    family: str = "gaussian",
    l1_ratio: float = 1.0,
    lambdas: ArrayLike | None = None,
    n_lambdas: int = 100,
    lambda_min_ratio: float | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    lower: ArrayLike = -np.inf,
    upper: ArrayLike = np.inf,
    fit_intercept: bool = True,
    standardize: bool = True,
    tol: float = 1e-6,
    max_iter: int = 100_000,
    mode: str = "auto",
    strict: bool = False,
    feature_names: ArrayLike | None = None,
) -> Path:
    r"""Fit a generalised linear model with lasso, ridge or elastic-net penalty at a sequence of lambdas.

    .. math:: \min_{b_0, b} \sum_i w_i f(y_i, o_i + b_0 + x_i'b) + \lambda \sum_j v_j [a |s_j b_j| + (1-a)/2 (s_j b_j)^2]

    Parameters
    ----------
    X : (n, p) array or sparse matrix
        float64 or float32, C or Fortran order, or CSC, are read in place; anything else is converted once.
    y : (n,)
        Target: numbers (gaussian), 0/1 or shares (binomial), counts (poisson).
    family : str
        "gaussian", "binomial" or "poisson".
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
    fit_intercept, standardize : bool
        Whether to fit b0, and whether s is the standard deviation (1/n) of the columns or 1.
    tol : float
        Largest duality gap, relative to half the mean null deviance.
    max_iter : int
        Limit of sweeps and Newton steps for each lambda.
    mode : str
        "auto", "gram" (work on X'X, gaussian only) or "columns".
    strict : bool
        Whether a lambda without certificate is an error; else it is a warning, and a status.
    feature_names : (p,) or None
        Kept in the result; None takes a data frame's column names.

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
    problem = _Problem.make(
        X, y, family=family, sample_weight=sample_weight, offset=offset, fit_intercept=fit_intercept,
        standardize=standardize, penalty=Penalty(float(l1_ratio), _optional(penalty_factor), _bound(lower), _bound(upper)),
    )  # fmt: skip
    settings = _Settings.make(tol, max_iter, mode, problem.family.name)
    lambda_max, notes = problem.lambda_max(settings), list(problem.notes)
    if lambdas is None:
        if lambda_max == 0.0:
            notes.append("no feature is related to the target after the unpenalised part: every coefficient is 0")
        grid = lambda_grid(lambda_max, *problem.shape, n_lambdas, lambda_min_ratio, float(l1_ratio))
    else:
        grid = _check_lambdas(lambdas)
    raw = problem.solve(grid, settings)
    n_lambda, p = len(grid), problem.shape[1]
    gap = raw["gap"]
    saturated = float(np.sum(problem.w * problem.family.saturated(problem.y)))
    path = Path(
        family=problem.family.name,
        lambdas=grid,
        l1_ratio=float(l1_ratio),
        intercept=raw["intercept"],
        coef_sparse=sparse.csr_array((raw["values"], raw["columns"], raw["starts"]), shape=(n_lambda, p)),
        mean=problem.mean,
        scale=problem.scale,
        relative_gap=np.array([relative(g, problem.reference) for g in gap]),
        gap=gap,
        kkt=raw["kkt"],
        n_iter=raw["n_iter"],
        status=tuple(STATUSES[s] for s in raw["status"]),
        deviance=np.maximum(0.0, 2.0 * (raw["loss"] - saturated)),
        null_deviance=2.0 * problem.reference,
        lambda_max=lambda_max,
        tol=settings.tol,
        fit_intercept=bool(fit_intercept),
        standardize=bool(standardize),
        feature_names=_names(feature_names, X, p),
        notes=tuple(notes),
    )
    return _announce(path, strict)


@dataclass(frozen=True)
class _Settings:
    tol: float
    max_iter: int
    mode: int

    @classmethod
    def make(cls, tol: float, max_iter: int, mode: str, family: str) -> _Settings:
        if not 0.0 < tol < 1.0:
            raise InputError(f"tol must lie between 0 and 1; got {tol!r}")
        if max_iter < 1:
            raise InputError(f"max_iter must be at least 1; got {max_iter!r}")
        if mode not in _MODES:
            raise InputError(f"unknown mode {mode!r}; expected one of {', '.join(_MODES)}")
        if mode == "gram" and family != "gaussian":
            raise InputError("mode='gram' needs the gaussian family: other losses have no fixed Gram matrix")
        return cls(float(tol), int(max_iter), _MODES[mode])


@dataclass(frozen=True)
class _Problem:
    """A checked problem in the form that the core takes."""

    design: _core.Design
    owner: Any  # the matrix that the design looks into
    family: Family
    y: Float  # (n,)
    w: Float  # (n,) sums to 1
    offset: Float  # (n,)
    mean: Float  # (p,)
    deviation: Float  # (p,)
    scale: Float  # (p,)
    factor: Float  # (p,) inf for constant columns too
    lower: Float
    upper: Float
    l1_ratio: float
    fit_intercept: bool
    start: float  # intercept of the null model
    reference: float
    notes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int]:
        return self.design.shape

    @classmethod
    def make(
        cls,
        X: Any,
        y: ArrayLike,
        *,
        family: str,
        sample_weight: ArrayLike | None,
        offset: ArrayLike | None,
        fit_intercept: bool,
        standardize: bool,
        penalty: Penalty,
    ) -> _Problem:
        design, owner = as_design(X)
        n, p = design.shape
        fam = get_family(family)
        target = _rows(y, n, "y")
        fam.check_target(target)
        w = _weights(sample_weight, n)
        o = np.zeros(n) if offset is None else _rows(offset, n, "offset")
        mean = design.dots(w)
        deviation = np.sqrt(design.squares(w, mean))
        _check_finite(X, deviation)
        notes: list[str] = []
        factor = penalty.factors(p).copy()
        constant = deviation <= constant_below(mean)
        if fit_intercept and constant.any():
            factor[constant] = np.inf
            notes.append(f"{_columns(constant)} constant: their coefficients are 0")
        start = fam.null_predictor(target, w, o) if fit_intercept else 0.0
        if not np.isfinite(start):
            raise InputError(
                f"every row has the target {target[w > 0.0][0]:g}: a {fam.name} model needs rows with other values too"
            )
        lower, upper = (np.ascontiguousarray(bound) for bound in penalty.bounds(p))
        return cls(
            design=design,
            owner=owner,
            family=fam,
            y=target,
            w=w,
            offset=o,
            mean=mean,
            deviation=deviation,
            scale=penalty_scale(mean, deviation, fit_intercept=fit_intercept, standardize=standardize),
            factor=factor,
            lower=lower,
            upper=upper,
            l1_ratio=penalty.l1_ratio,
            fit_intercept=fit_intercept,
            start=start,
            reference=null_gap(fam, target, w, o, fit_intercept=fit_intercept),
            notes=tuple(notes),
        )

    def solve(self, lambdas: Float, settings: _Settings, factor: Float | None = None) -> _core.PathResult:
        return _core.solve_path(
            self.design,
            _FAMILY_CODES[self.family.name],
            self.y,
            self.w,
            self.offset,
            self.mean if self.fit_intercept else np.zeros_like(self.mean),
            self.scale,
            (self.factor if factor is None else factor, self.lower, self.upper),
            self.l1_ratio,
            self.fit_intercept,
            self.start,
            self.reference,
            lambdas,
            settings.tol,
            settings.max_iter,
            settings.mode,
        )

    def lambda_max(self, settings: _Settings) -> float:
        """Smallest lambda at which every penalised coefficient is 0.

        For ridge there is none; taken is that of l1_ratio 0.001, for a gaussian y in standard deviations, since the
        ridge penalty that matters doesn't depend on the unit of y (docs/decisions/0201).
        """
        eta = self.offset + self.start
        if (self.factor == 0.0).any():
            raw = self.solve(np.ones(1), settings, np.where(self.factor > 0.0, np.inf, 0.0))
            b = np.zeros(self.shape[1])
            b[raw["columns"]] = raw["values"]
            eta = self.offset + raw["intercept"][0] + self.design.times(b)
        gradient = self.family.gradient(self.y, eta)
        slope = self.design.dots(-self.w * gradient) + (self.mean * (self.w @ gradient) if self.fit_intercept else 0.0)
        length = np.hypot(self.mean, self.deviation) * np.sqrt(self.w @ gradient**2)
        slope[np.abs(slope) <= 1e-14 * length] = 0.0  # what rounding leaves of an exact 0
        on = (self.factor > 0.0) & np.isfinite(self.factor)
        top = float(np.max(np.abs(slope[on]) / (self.scale[on] * self.factor[on]), initial=0.0))
        if self.l1_ratio >= _L1_FLOOR or top == 0.0:
            return top / max(self.l1_ratio, _L1_FLOOR)
        unit = float(np.sqrt(2.0 * self.reference)) if self.family.name == "gaussian" else 1.0
        return top / (_L1_FLOOR * unit)


def as_design(X: Any) -> tuple[_core.Design, Any]:
    """Return (view, matrix that it looks into); only what the core can't read is converted.

    Parameters
    ----------
    X : (n, p)
        Array, sparse matrix or data frame.

    Returns
    -------
    tuple
        The design, and the object whose memory it reads.

    Raises
    ------
    InputError
        X isn't a matrix of numbers with at least one row and one column.
    """
    if sparse.issparse(X):
        if X.ndim != 2 or 0 in X.shape:
            raise InputError(f"X has shape {X.shape}; expected at least one row and one column")
        csc = X if X.format == "csc" else X.tocsc()
        if not csc.has_canonical_format:
            csc = csc.copy()
            csc.sum_duplicates()
        data = csc.data if csc.data.dtype in (np.float64, np.float32) else csc.data.astype(np.float64)
        indices, starts = csc.indices, csc.indptr
        if indices.dtype != starts.dtype or indices.dtype not in (np.int32, np.int64):
            indices, starts = indices.astype(np.int64), starts.astype(np.int64)
        return _core.sparse(data, indices, starts, X.shape[0]), (data, indices, starts)
    try:
        dense = np.asarray(X)
        if dense.dtype not in (np.float64, np.float32):
            dense = dense.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"X can't be read as a matrix of numbers: {error}") from None
    if dense.ndim != 2 or 0 in dense.shape:
        raise InputError(f"X has shape {dense.shape}; expected two dimensions, at least one row and one column")
    if dense.dtype.byteorder not in "=|" or dense.itemsize not in dense.strides or min(dense.strides) < 0:
        dense = np.asfortranarray(dense, dtype=dense.dtype.newbyteorder("="))
    return _core.dense(dense), dense


def _rows(values: ArrayLike, n: int, name: str) -> Float:
    try:
        array = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} can't be read as numbers: {error}") from None
    if array.shape != (n,):
        raise InputError(f"{name} has shape {array.shape}; expected one value per row of X, ({n},)")
    if not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array)))
        raise InputError(f"{name} must be finite; row {row} has {array[row]!r}")
    return array


def _weights(values: ArrayLike | None, n: int) -> Float:
    if values is None:
        return np.full(n, 1.0 / n)
    w = _rows(values, n, "sample_weight")
    if (w < 0.0).any():
        row = int(np.argmax(w < 0.0))
        raise InputError(f"sample weights must be >= 0; row {row} has {w[row]!r}")
    total = float(np.sum(w))
    if not 0.0 < total < np.inf:
        raise InputError("sample weights must have a finite sum above 0: at least one row has to count")
    return w / total


def _check_finite(X: Any, deviation: Float) -> None:
    """Moments of a column are finite exactly if its entries are (or are too large to square)."""
    bad = ~np.isfinite(deviation)
    if bad.any():
        j = int(np.argmax(bad))
        name = f" ({X.columns[j]!r})" if hasattr(X, "columns") else ""
        raise InputError(
            f"column {j}{name} of X has missing, infinite or too large values: impute them or leave the column out"
        )


def _columns(which: NDArray[np.bool_]) -> str:
    numbers = [str(j) for j in np.flatnonzero(which)[:5]]
    more = f" and {int(which.sum()) - 5} more" if which.sum() > 5 else ""
    return f"columns {', '.join(numbers)}{more} are"


def _check_lambdas(values: ArrayLike) -> Float:
    grid = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all() or (grid < 0.0).any():
        raise InputError(f"lambdas must be one or more finite numbers of at least 0; got {values!r}")
    return np.ascontiguousarray(np.sort(grid)[::-1])


def _optional(values: ArrayLike | None) -> Float | None:
    return None if values is None else np.asarray(values, dtype=np.float64)


def _bound(values: ArrayLike) -> Float | float:
    array = np.asarray(values, dtype=np.float64)
    return float(array) if array.ndim == 0 else array


def _names(names: ArrayLike | None, X: Any, p: int) -> tuple[str, ...] | None:
    if names is None:
        if not hasattr(X, "columns"):
            return None
        names = list(X.columns)
    result = tuple(str(name) for name in np.asarray(names, dtype=object).ravel())
    if len(result) != p:
        raise InputError(f"there are {len(result)} feature names for {p} columns")
    return result


def _announce(path: Path, strict: bool) -> Path:
    failed = [i for i, s in enumerate(path.status) if s != "converged"]
    if not failed:
        return path
    first = failed[0]
    message = (
        f"{len(failed)} of {len(path.lambdas)} values of lambda missed the relative gap {path.tol:g}; the first is "
        f"lambda = {path.lambdas[first]:.4g} ({path.status[first]}, gap {path.relative_gap[first]:.1e}). "
        "Raise max_iter or tol, or ask for fewer small lambdas."
    )
    if strict:
        raise ConvergenceError(message)
    warnings.warn(message, BridleWarning, stacklevel=3)
    return path


def lasso_path(
    X: Any,
    y: ArrayLike,
    *,
    eps: float = 1e-3,
    n_alphas: int = 100,
    alphas: ArrayLike | int | None = None,
    positive: bool = False,
    sample_weight: ArrayLike | None = None,
    tol: float = 1e-6,
    max_iter: int = 100_000,
) -> tuple[Float, Float, Float]:
    """Return the lasso path on scikit-learn's scale: 1/(2n) |y - X b|^2 + alpha |b|_1.

    Parameters
    ----------
    X, y, eps, n_alphas, alphas, positive
        As in :func:`sklearn.linear_model.lasso_path`; there is no intercept and nothing is standardised.
    sample_weight : (n,) or None
        Weights of the rows.
    tol, max_iter
        As in :func:`fit_path`.

    Returns
    -------
    alphas (L,), coefs (p, L), dual_gaps (L,)
    """
    return enet_path(
        X, y, l1_ratio=1.0, eps=eps, n_alphas=n_alphas, alphas=alphas, positive=positive,
        sample_weight=sample_weight, tol=tol, max_iter=max_iter,
    )  # fmt: skip


def enet_path(
    X: Any,
    y: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    n_alphas: int = 100,
    alphas: ArrayLike | int | None = None,
    positive: bool = False,
    sample_weight: ArrayLike | None = None,
    tol: float = 1e-6,
    max_iter: int = 100_000,
) -> tuple[Float, Float, Float]:
    """Return the elastic-net path on scikit-learn's scale: 1/(2n) |y - X b|^2 + alpha [l1_ratio |b|_1 + ...].

    Parameters
    ----------
    X, y, l1_ratio, eps, n_alphas, alphas, positive
        As in :func:`sklearn.linear_model.enet_path`; there is no intercept and nothing is standardised.
    sample_weight : (n,) or None
        Weights of the rows.
    tol, max_iter
        As in :func:`fit_path`.

    Returns
    -------
    alphas (L,), coefs (p, L), dual_gaps (L,)
    """
    count = int(alphas) if isinstance(alphas, int) else n_alphas
    given = None if alphas is None or isinstance(alphas, int) else alphas
    path = fit_path(
        X, y, l1_ratio=l1_ratio, lambdas=given, n_lambdas=count, lambda_min_ratio=eps, sample_weight=sample_weight,
        lower=0.0 if positive else -np.inf, fit_intercept=False, standardize=False, tol=tol, max_iter=max_iter,
    )  # fmt: skip
    return path.lambdas, path.coef.T, path.gap
