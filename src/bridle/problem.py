"""A problem as the core takes it: checked input, moments of the columns, scales, and what rounding leaves undefined."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle import _core
from bridle.certificates import constant_below, null_gap, penalty_scale
from bridle.errors import InputError, as_number
from bridle.grid import L1_FLOOR
from bridle.losses import GAUSSIAN, Family, get_family, row_values
from bridle.matrix import as_design, by_columns
from bridle.moments import WORST_CANCELLATION, Map, Moments, applies
from bridle.penalties import Penalty

Float = NDArray[np.float64]

_MODES = {"auto": 0, "gram": 1, "columns": 2}


@dataclass(frozen=True)
class Settings:
    """Tolerance and limits, checked."""

    tol: float
    max_iter: int
    mode: int

    @classmethod
    def make(cls, tol: float, max_iter: int, mode: str, family: str | Family) -> Settings:
        """Check and translate what the user gave."""
        if not 0.0 < as_number("tol", tol) < 1.0:
            raise InputError(f"tol must lie between 0 and 1; got {tol!r}")
        if as_number("max_iter", max_iter) < 1:
            raise InputError(f"max_iter must be at least 1; got {max_iter!r}")
        if mode not in _MODES:
            raise InputError(f"unknown mode {mode!r}; expected one of {', '.join(_MODES)}")
        if mode == "gram" and get_family(family) is not GAUSSIAN:
            raise InputError("mode='gram' needs the gaussian family: other losses have no fixed Gram matrix")
        return cls(float(tol), int(max_iter), _MODES[mode])


@dataclass(frozen=True)
class Problem:
    """A checked problem in the form that the core takes."""

    design: _core.Design
    matrix: Any  # the array or CSC matrix that the design looks into
    family: Family
    y: Float  # (n,), or n rows as the family takes them
    w: Float  # (n,) sums to 1
    offset: Float  # (n,)
    mean: Float  # (p,)
    deviation: Float  # (p,)
    products: Float  # (p,) X'r, r the null model's residual -w f'
    scale: Float  # (p,)
    factor: Float  # (p,) inf for constant columns too
    lower: Float
    upper: Float
    l1_ratio: float
    fit_intercept: bool  # or columns are centred for a loss that an intercept doesn't change
    standardize: bool
    start: float  # intercept of the null model
    reference: float
    notes: tuple[str, ...]
    penalty: Penalty  # as it was given; factor, lower, upper and l1_ratio are what the core takes of it
    summary: _core.Summary | None = None  # of a gaussian problem that is solved in the space of X'X

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.design.shape

    width: ClassVar[int] = 1  # coefficients of a feature

    @classmethod
    def make(
        cls,
        X: Any,
        y: ArrayLike,
        *,
        family: str | Family,
        sample_weight: ArrayLike | None,
        offset: ArrayLike | None,
        fit_intercept: bool,
        standardize: bool,
        penalty: Penalty,
        mode: int = 2,
        moments: Moments | None = None,
        each: Map | None = None,
    ) -> Problem:
        """Check what the user gave, and find the moments of the columns and the null model.

        ``mode`` is that of the settings; by columns (2) X'X isn't made. ``moments`` are those of these rows, if
        somebody has them; else ``each`` maps a function over parts of the pass that makes them.
        """
        return cls.make_all(
            X, y, family=family, sample_weights=[sample_weight], offset=offset, fit_intercept=fit_intercept,
            standardize=standardize, penalty=penalty, mode=mode, moments=moments, each=each,
        )[0]  # fmt: skip

    @classmethod
    def make_all(
        cls,
        X: Any,
        y: ArrayLike,
        *,
        family: str | Family,
        sample_weights: Sequence[ArrayLike | None],
        offset: ArrayLike | None,
        fit_intercept: bool,
        standardize: bool,
        penalty: Penalty,
        mode: int = 2,
        moments: Moments | None = None,
        each: Map | None = None,
    ) -> list[Problem]:
        """Make one problem for each of several weightings of the same rows, with one pass over X for all."""
        fam = get_family(family)
        design, matrix = as_design(laid_out(X, fam, mode))
        n, p = design.shape
        penalty.check_groups(p)
        target = fam.target(y, n)
        o = np.zeros(n) if offset is None else row_values(offset, n, "offset")
        weights = [row_weights(w, n) for w in sample_weights]
        fit_intercept = bool(fit_intercept) or not fam.has_intercept
        starts = [_start(fam, target, w, o) if fit_intercept else 0.0 for w in weights]
        summary: _core.Summary | None = None
        if len(weights) == 1 and fam is GAUSSIAN and applies(matrix, mode):
            summary = _summary(design, target - o, weights[0], moments, each)
            crossed = summary.slope if fit_intercept else summary.slope + summary.mean * summary.y_mean
            means, deviations, products = summary.mean[None], summary.deviation[None], crossed[None]
        else:
            residuals = [fam.residual(target, o + start, w) for w, start in zip(weights, starts, strict=True)]
            means, squares, products = design.survey(np.array(weights), np.array(residuals))
            deviations = np.sqrt(squares)
        lower, upper = (np.ascontiguousarray(bound) for bound in penalty.bounds(p))
        problems = []
        for k, (w, start) in enumerate(zip(weights, starts, strict=True)):
            mean, deviation = means[k], deviations[k]
            check_finite(X, deviation)
            notes: list[str] = []
            factor = penalty.factors(p).copy()
            constant = deviation <= constant_below(mean)
            if fit_intercept and constant.any():
                factor[constant] = np.inf
                notes.append(f"{name_columns(constant)} constant: their coefficients are 0")
            unseen = fam.unseen(target, w, matrix) & ~constant
            if unseen.any():
                factor[unseen] = np.inf
                notes.append(f"{name_columns(unseen)} constant in every stratum: their coefficients are 0")
            problem = cls(
                design=design,
                matrix=matrix,
                family=fam,
                y=target,
                w=w,
                offset=o,
                mean=mean,
                deviation=deviation,
                products=products[k],
                scale=penalty_scale(mean, deviation, fit_intercept=fit_intercept, standardize=standardize),
                factor=factor,
                lower=lower,
                upper=upper,
                l1_ratio=penalty.l1_ratio,
                fit_intercept=fit_intercept,
                standardize=bool(standardize),
                start=start,
                reference=null_gap(fam, target, w, o, fit_intercept=fit_intercept),
                notes=tuple(notes),
                penalty=penalty,
                summary=summary,
            )
            problems.append(problem)
        return problems

    @property
    def saturated(self) -> float:
        """Mean loss of a model that fits every row."""
        return 0.0 if self.family is GAUSSIAN else self.family.total_saturated(self.y, self.w)

    @property
    def centre(self) -> Float:
        """What is subtracted from the columns, (p,): nothing without an intercept."""
        return self.mean if self.fit_intercept else np.zeros_like(self.mean)

    def solve(self, lambdas: Float, settings: Settings) -> _core.PathResult:
        """Solve at each of ``lambdas`` (L,), descending; a null model that is already perfect is the answer."""
        return solve_together([self], lambdas, settings)[0]

    def with_family(self, family: Family) -> Problem:
        """Return the same rows and penalty with another family for the same target."""
        start = _start(family, self.y, self.w, self.offset) if self.fit_intercept else 0.0
        residual = -self.w * family.gradient(self.y, self.offset + start)
        reference = null_gap(family, self.y, self.w, self.offset, fit_intercept=self.fit_intercept)
        products = self.design.dots(residual)
        return replace(self, family=family, start=start, products=products, reference=reference)

    def unpenalised_part(self) -> Problem:
        """Return the same problem without the penalised features."""
        return replace(self, factor=np.where(self.factor > 0.0, np.inf, 0.0), penalty=Penalty(self.l1_ratio))

    def in_space(self, Z: Float, unpenalised: int) -> Problem:
        """Return the same problem with other features Z (n, r), as they are; the last ``unpenalised`` are free."""
        products = Z.T @ self.family.residual(self.y, self.offset + self.start, self.w)
        return replace(self, products=products, summary=None, **plain_features(Z, unpenalised, self.w, self.l1_ratio))

    def _null_result(self, count: int) -> _core.PathResult:
        zeros = np.zeros(count)
        loss = self.family.total_loss(self.y, self.start + self.offset, self.w)
        return {
            "intercept": np.full(count, self.start),
            "starts": np.zeros(count + 1, dtype=np.int64),
            "columns": np.zeros(0, dtype=np.int64),
            "values": np.zeros(0),
            "gap": zeros,
            "kkt": zeros,
            "loss": np.full(count, loss),
            "status": np.zeros(count, dtype=np.int32),
            "n_iter": np.zeros(count, dtype=np.int64),
        }

    def lambda_max(self, settings: Settings) -> float:
        """Smallest lambda at which every penalised coefficient is 0.

        For ridge there is none; taken is that of l1_ratio 0.001, for a gaussian y in standard deviations, since the
        ridge penalty that matters doesn't depend on the unit of y (docs/decisions/0201).
        """
        eta, room, noise, products = self.offset + self.start, 1.0, 0.0, self.products
        if (self.factor == 0.0).any():
            tight = replace(settings, tol=min(settings.tol, 1e-12))
            raw = self.unpenalised_part().solve(np.ones(1), tight)
            b = np.zeros(self.shape[1])
            b[raw["columns"]] = raw["values"]
            eta = self.offset + raw["intercept"][0] + self.design.times(b)
            room = 1.0 + 1e-9  # what the fit of the unpenalised features may be off by
            noise = 10.0 * float(raw["kkt"][0])  # and what it leaves of slopes that it should have made 0
            products = self.design.dots(self.family.residual(self.y, eta, self.w))
        residual = self.family.residual(self.y, eta, self.w)
        slope = products - (self.mean * np.sum(residual) if self.fit_intercept else 0.0)
        size = float(np.sum(residual**2 / np.where(self.w > 0.0, self.w, 1.0)))
        length = np.hypot(self.mean, self.deviation) * np.sqrt(max(size, self.reference))
        slope[np.abs(slope) <= 1e-13 * length + noise * self.scale] = 0.0  # what rounding leaves of an exact 0
        top = room * self.penalty.largest_strength(slope / self.scale, self.factor)
        if self.l1_ratio >= L1_FLOOR or top == 0.0:
            return top / max(self.l1_ratio, L1_FLOOR)
        return top / (L1_FLOOR * self.family.unit(self.reference))


def _summary(design: _core.Design, y: Float, w: Float, moments: Moments | None, each: Map | None) -> _core.Summary:
    """Return means and covariances; where the sample misled about the means, about those that it found."""
    summary = (moments or Moments.make(design, y, w, each=each)).summary()
    if summary.cancellation <= WORST_CANCELLATION or not np.isfinite(summary.deviation).all():
        return summary
    return Moments.make(design, y, w, centre=summary.mean, each=each).summary()


def plain_features(Z: Float, unpenalised: int, w: Float, l1_ratio: float) -> dict[str, Any]:
    """Return the fields of a problem whose features are the columns of a matrix as they are, without bounds.

    Parameters
    ----------
    Z : (n, r)
        Centred columns.
    unpenalised : int
        How many of the last ones are free.
    w : (n,)
        Weights that sum to 1.
    l1_ratio : float
        Of the penalty on the others.

    Returns
    -------
    dict
        Fields that :class:`Problem` and its twin of several predictors have alike.
    """
    r = Z.shape[1]
    return {
        "design": _core.dense(Z),
        "matrix": Z,
        "mean": np.zeros(r),
        "deviation": np.sqrt(w @ Z**2),
        "scale": np.ones(r),
        "factor": np.where(np.arange(r) < r - unpenalised, 1.0, 0.0),
        "lower": np.full(r, -np.inf),
        "upper": np.full(r, np.inf),
        "penalty": Penalty(l1_ratio),
    }


def solve_together(
    problems: Sequence[Problem], lambdas: Float, settings: Settings, threads: int = 1
) -> list[_core.PathResult]:
    """Solve problems that differ in nothing but weights and moments, sharing what is read of their matrix.

    Parameters
    ----------
    problems : sequence of Problem
        From one call of :meth:`Problem.make_all`.
    lambdas : (L,)
        Descending.
    settings : Settings
        Tolerance and limits.
    threads : int
        Threads to work on; the answer is the same for any number.

    Returns
    -------
    list of PathResult
        One per problem.
    """
    first = problems[0]
    open_ones = [problem for problem in problems if problem.reference > 0.0]
    solved: list[_core.PathResult] = []
    if open_ones:
        with one_blas_thread:
            solved = _core.solve_paths(
                first.design,
                first.family.core(first.y),
                first.y,
                first.offset,
                [
                    (
                        problem.w,
                        (problem.centre, problem.scale, problem.mean, problem.deviation, problem.products),
                        (problem.factor, problem.lower, problem.upper),
                        problem.start,
                        problem.reference,
                        problem.summary,
                    )
                    for problem in open_ones
                ],
                first.l1_ratio,
                first.fit_intercept,
                lambdas,
                settings.tol,
                settings.max_iter,
                settings.mode,
                threads,
            )
    rest = iter(solved)
    return [next(rest) if problem.reference > 0.0 else problem._null_result(len(lambdas)) for problem in problems]


def laid_out(X: Any, family: Family | None, mode: int) -> Any:
    """Return X (n, p) by columns, as far as :func:`by_columns` copies, unless one pass over its rows is all it takes.

    ``family`` is None for one that isn't known yet, ``mode`` that of the settings.
    """
    return X if family is GAUSSIAN and applies(X, mode) else by_columns(X)


def _start(family: Family, y: Float, w: Float, offset: Float) -> float:
    """Return the intercept of the null model."""
    start = family.null_predictor(y, w, offset)
    if not np.isfinite(start) and np.ptp(y[w > 0.0]) > 0.0 and np.any(offset):
        raise InputError(
            f"offsets from {np.min(offset):g} to {np.max(offset):g} are too far apart: {family.name} means leave the "
            "range of numbers. Give offsets on the scale of the link, such as the logarithm of an exposure"
        )
    if not np.isfinite(start):
        raise InputError(
            f"every row has the target {y[w > 0.0][0]:g}: a {family.name} model needs rows with other values too"
        )
    return start


def row_weights(values: ArrayLike | None, n: int) -> Float:
    """Return weights (n,) that sum to 1; None is equal ones."""
    if values is None:
        return np.full(n, 1.0 / n)
    w = row_values(values, n, "sample_weight")
    if (w < 0.0).any():
        row = int(np.argmax(w < 0.0))
        raise InputError(f"sample weights must be >= 0; row {row} has {w[row]:g}")
    total = float(np.sum(w))
    if not 0.0 < total < np.inf:
        raise InputError("sample weights must have a finite sum above 0: at least one row has to count")
    return w / total


def check_finite(X: Any, deviation: Float) -> None:
    """Moments of a column are finite exactly if its entries are (or are too large to square)."""
    bad = ~np.isfinite(deviation)
    if bad.any():
        j = int(np.argmax(bad))
        name = f" ({X.columns[j]!r})" if hasattr(X, "columns") else ""
        raise InputError(
            f"column {j}{name} of X has missing, infinite or too large values: impute them or leave the column out"
        )


def name_columns(which: NDArray[np.bool_]) -> str:
    """Return the start of a sentence about the columns marked in (p,)."""
    numbers = [str(j) for j in np.flatnonzero(which)[:5]]
    more = f" and {int(which.sum()) - 5} more" if which.sum() > 5 else ""
    return f"columns {', '.join(numbers)}{more} are"


def optional_array(values: ArrayLike | None, name: str = "penalty_factor") -> Float | None:
    """Return an array of float64, or None as it came; ``name`` is for the message."""
    if values is None:
        return None
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} can't be read as numbers: {error}") from None


def bound(values: ArrayLike, name: str = "a bound") -> Float | float:
    """Return one bound for all coefficients, or (p,) of them; ``name`` is for the message."""
    array = optional_array(values, name)
    if array is None:
        raise InputError(f"{name} must be a number or one for each feature, infinite where there is none; got None")
    return float(array) if array.ndim == 0 else array


def column_names(names: ArrayLike | None, X: Any, p: int) -> tuple[str, ...] | None:
    """Return p names: those given, or a data frame's."""
    if names is None:
        if not hasattr(X, "columns"):
            return None
        names = list(X.columns)
    result = tuple(str(name) for name in np.asarray(names, dtype=object).ravel())
    if len(result) != p:
        raise InputError(f"there are {len(result)} feature names for {p} columns")
    return result


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


class _OneBlasThread:
    """Holds BLAS to one thread while any path is being solved, in whichever thread of Python.

    The core's products come one block after another: threads that are woken and put to sleep for each cost more than
    they bring as soon as the processor has other work, and one thread gives the same digits everywhere.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._before: list[tuple[Any, int]] = []

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:  # threadpoolctl's own context asks each library for its whole description
                self._before = [(library, library.get_num_threads()) for library in _blas().lib_controllers]
                for library, threads in self._before:
                    if threads != 1:
                        library.set_num_threads(1)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                for library, threads in self._before:
                    if threads != 1:
                        library.set_num_threads(threads)


one_blas_thread = _OneBlasThread()
