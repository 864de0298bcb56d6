"""Cross-validated curves of the lambda path: fitted once on all rows and once per fold, on one grid of lambdas."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.crew import Crew
from bridle.errors import BridleWarning, InputError, as_number
from bridle.losses import Family, get_family
from bridle.path import Path, announce, make_problem, solve_problem, with_names
from bridle.penalties import Penalty, read_penalty
from bridle.problem import Settings, bound, column_names, one_blas_thread, optional_array
from bridle.relaxed import gammas_of
from bridle.selection.blends import blends
from bridle.selection.curve import Curve, Selection
from bridle.selection.fits import FoldData, FoldFit, check_folds, fit_folds, has_bounds, per_unit
from bridle.selection.folds import Folds, make_folds
from bridle.selection.freedom import WORK_LIMIT, effective_df
from bridle.selection.grams import FoldMoments
from bridle.selection.rules import select
from bridle.settling import settled
from bridle.several import SeveralFamily

Float = NDArray[np.float64]


@dataclass(frozen=True)
class CVResult:
    """Curves and full-data paths, one of each per ``l1_ratio`` and per gamma of relaxed fits, on the same folds."""

    curves: tuple[Curve, ...]
    paths: tuple[Path, ...]  # fitted on all rows
    folds: Folds

    def select(self, rule: str = "1se", **options: float) -> Selection:
        """Choose lambda, l1_ratio and gamma jointly; see :func:`bridle.selection.select`."""
        return select(self.curves, rule, **options)


def cross_validate(
    X: Any,
    y: ArrayLike,
    *,
    folds: Folds | Any,
    family: str | Family = "gaussian",
    l1_ratio: float | Sequence[float] = 1.0,
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
    scorers: Sequence[Any] | Mapping[str, Any] = (),
    effective_df: bool | Literal["auto"] = "auto",
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    relax: bool | Sequence[float] = False,
) -> CVResult:
    r"""Cross-validate the path of each ``l1_ratio``.

    .. math:: \text{loss}_{jk} = \sum_{i \in test_j} w_i\, d(y_i, \hat\mu_{ij}(\lambda_k)) / \sum_{i \in test_j} w_i,

    d the unit deviance. The path on all rows comes first; its lambdas are used in every fold, so that a column of the
    curve is one value of lambda. (glmnet by default gives each fold a grid of its own and interpolates; given
    ``lambda``, it does as here.) Columns are standardised, and missing values filled, from each fold's training rows.
    Held-out deviances aren't clipped: they are computed from the linear predictor, so they stay finite when
    a probability rounds to 0 or 1, and a confident mistake costs what it should.

    Parameters
    ----------
    X : (n, p) array, sparse matrix or FoldDesign
        A FoldDesign has ``shape`` and ``for_rows(train)``, the matrix of all rows as filled from the training rows.
    y : (n,) or (n, K)
        Target, as in :func:`bridle.fit_path`.
    folds : Folds or what ``make_folds`` takes as ``splitter``
        The folds.
    family, lambdas, n_lambdas, lambda_min_ratio, sample_weight, offset, penalty_factor, lower, upper
        As in :func:`bridle.fit_path`; weights also weigh held-out rows.
    l1_ratio : float or sequence of float
        One curve and one path for each.
    penalty, groups, fit_intercept, standardize, tol, max_iter, mode, strict, feature_names
        As in :func:`bridle.fit_path`. ``groups`` are groups of features.
    scorers : sequence or mapping of scikit-learn scorers
        Names, ``make_scorer`` objects or callables (estimator, X, y); their values on held-out rows go to
        ``Curve.scores``. ``sample_weight`` is passed to those that take it.
    effective_df : bool or "auto"
        Whether to compute the degrees of freedom that information criteria need; "auto" where that is quick. There are
        none for families with several linear predictors.
    n_jobs : int
        Threads; -1 uses all processors. Results are the same bit for bit.
    progress : callable, optional
        Called as ``progress(done, total)`` from the calling thread.
    relax : bool or sequence of float
        Whether to refit active features without penalty, in each fold by its own rows, and to blend: one curve for each
        gamma, the share of the penalised fit. True is 0, 0.25, 0.5, 0.75 and 1.

    Returns
    -------
    CVResult
        Curves, full-data paths, and the folds.

    Raises
    ------
    InputError
        Data, folds or arguments can't be used as they are.
    ConvergenceError
        Only if ``strict``.
    """
    y, sample_weight = get_family(family).observations(y, sample_weight)
    chosen = _settled(X, y, get_family(family), sample_weight, offset, fit_intercept, standardize)
    data = FoldData.make(X, y, sample_weight, offset, chosen)
    folds = folds if isinstance(folds, Folds) else make_folds(data.y, family=chosen.spec, splitter=folds)
    check_folds(folds, data, chosen)
    ratios = [as_number("each l1_ratio", a) for a in np.atleast_1d(np.asarray(l1_ratio, dtype=object))]
    if not ratios:
        raise InputError("l1_ratio is empty; give at least one number from 0 to 1")
    gammas = gammas_of(relax)
    features: dict[str, Any] = {"penalty_factor": penalty_factor, "lower": lower, "upper": upper}
    options = features | {
        "penalty": penalty, "groups": groups,
        "family": chosen.spec, "fit_intercept": fit_intercept, "standardize": standardize, "tol": tol,
        "max_iter": max_iter, "mode": mode, "strict": strict, "relax": min(gammas) < 1.0,
    }  # fmt: skip
    grid = (lambdas, n_lambdas, lambda_min_ratio)
    names = _names(X) if feature_names is None else feature_names
    named = _scorers(scorers)
    counted = effective_df is not False and not chosen.several
    steps = len(ratios) * (1 + counted) + 2 * len(folds)
    if chosen.several and effective_df is True:
        raise InputError(
            f"there are no effective degrees of freedom for the {chosen.name} family: leave effective_df out"
        )
    responses = chosen.names(y, data.y) if isinstance(chosen, SeveralFamily) else None
    crew = Crew(n_jobs, steps, progress)
    with one_blas_thread:
        design = data.matrix(None)
        shared = _shared(data, folds, options, crew)
        paths = crew.map(lambda a: _fit_whole(design, data, a, options, grid, names, shared), ratios)
        with _quiet():
            fits = fit_folds(data, folds, paths, options, named, crew, shared, gammas)
        freedom: list[Float] | list[None] = [None] * len(paths)
        if counted:
            limit = np.inf if effective_df is True else WORK_LIMIT
            freedom = crew.map(lambda path: _freedom(data, design, path, features, limit), paths)
    whole, held = (design, data.y, data.weight, data.offset), has_bounds(options)
    every = [blend for path in paths for blend in blends(path, gammas, *whole, bounded=held)]
    per = [df if gamma == 1.0 else None for df in freedom for gamma in gammas]  # of a refit it isn't known
    _announce([path.status for path in every], [fit.status for of_fold in fits for fit in of_fold], tol)
    curves = tuple(
        _curve(
            data,
            folds,
            path,
            fits=[of[r] for of in fits],
            freedom=df,
            penalty_factor=penalty_factor,
        )
        for r, (path, df) in enumerate(zip(every, per, strict=True))
    )
    return CVResult(curves, tuple(replace(path, responses=responses) for path in every), folds)


def _settled(
    X: Any, y: ArrayLike, family: Family, weight: ArrayLike | None, offset: ArrayLike | None, *how: bool
) -> Family:
    """Estimate what the family leaves open, from all rows: folds that differ in it would measure in different units."""
    if family.is_settled:
        return family
    matrix = X.for_rows(None) if hasattr(X, "for_rows") else X
    return settled(
        matrix, y, family, sample_weight=weight, offset=offset, fit_intercept=how[0], standardize=how[1]
    ).family


def _shared(data: FoldData, folds: Folds, options: Mapping[str, Any], crew: Crew) -> FoldMoments | None:
    """Products of the rows, summed for all folds at once, where the problem has more rows than columns."""
    plain = options["family"] == "gaussian" and options["penalty"] == "elastic_net"
    matrix = data.shared(folds) if plain else None
    if matrix is None:
        return None
    target = data.y if data.offset is None else data.y - data.offset
    return FoldMoments.make(matrix, target, data.weight, folds, options, crew)


def _fit_whole(
    X: Any,
    data: FoldData,
    l1_ratio: float,
    options: Mapping[str, Any],
    grid: tuple[ArrayLike | None, int, float | None],
    names: ArrayLike | None,
    shared: FoldMoments | None,
) -> Path:
    """Fit all rows, with their products if they are known."""
    settings = Settings.make(options["tol"], options["max_iter"], options["mode"], options["family"])
    problem = make_problem(
        X,
        data.y,
        family=get_family(options["family"]),
        sample_weight=data.weight,
        offset=data.offset,
        fit_intercept=options["fit_intercept"],
        standardize=options["standardize"],
        penalty=Penalty(
            l1_ratio,
            optional_array(options["penalty_factor"]),
            bound(options["lower"]),
            bound(options["upper"]),
            options["penalty"],
            options["groups"],
        ),
        mode=settings.mode,
        moments=None if shared is None else shared.moments,
    )
    path = solve_problem(problem, settings, *grid, relax=options["relax"])
    path = with_names(path, feature_names=column_names(names, X, problem.shape[1]))
    return announce(path, strict=True) if options["strict"] else path


def _names(X: Any) -> Any:
    """Column names of a data frame or a design."""
    return getattr(X, "feature_names" if hasattr(X, "for_rows") else "columns", None)


def _scorers(scorers: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    if not scorers:
        return {}
    from bridle.selection.scoring import named_scorers

    return named_scorers(scorers)


def _freedom(data: FoldData, X: Any, path: Path, penalty: Mapping[str, Any], limit: float) -> Float:
    return effective_df(path, X, data.y, weight=data.weight, offset=data.offset, limit=limit, **penalty)


def _curve(
    data: FoldData,
    folds: Folds,
    path: Path,
    *,
    fits: Sequence[FoldFit],
    freedom: Float | None,
    penalty_factor: ArrayLike | None,
) -> Curve:
    n_train = np.array([train.size for train, _ in folds], dtype=np.int64)
    n_test = np.array([test.size for _, test in folds], dtype=np.int64)
    family = get_family(path.family)
    units = family.units(data.y, data.weight)
    per = 1.0 if family.row_wise else per_unit(family, data, np.arange(data.y.shape[0]))
    p = int(data.design.shape[1])
    return Curve(
        model=_model(path),
        family=path.family,
        parameter="lambda",
        values=path.lambdas,
        test_loss=np.array([fit.test_loss for fit in fits]),
        train_loss=np.array([fit.train_loss for fit in fits]),
        test_weight=np.array([units[test].sum() for _, test in folds]),
        n_train=n_train,
        n_test=n_test,
        n_repeats=folds.n_repeats,
        l1_ratio=path.l1_ratio,
        scores={name: np.array([fit.scores[name] for fit in fits]) for name in fits[0].scores},
        full_loss=path.deviance * per,
        null_loss=path.null_deviance * per,
        df=freedom,
        n_nonzero=path.n_nonzero,
        n_features=p if penalty_factor is None else int(np.sum(np.isfinite(penalty_factor))),  # excluded ones aren't
        sum_weight=float(units.sum()),
        fit_intercept=path.fit_intercept,
        gamma=path.gamma,
    )


def _model(path: Path) -> str:
    """What the model is called in words."""
    kind = read_penalty(path.penalty)
    if path.l1_ratio == 0.0:
        return "ridge"
    return "lasso" if kind.name == "elastic_net" and path.l1_ratio == 1.0 else kind.words


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the warning of each single path: one for the whole cross-validation follows."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*relative (gap|violation).*", BridleWarning)
        yield


def _announce(whole: Sequence[tuple[str, ...]], folds: Sequence[tuple[str, ...]], tol: float) -> None:
    every = [path for path in [*whole, *folds] if path.count("converged") < len(path)]
    failed = [i for path in every for i, status in enumerate(path) if status != "converged"]
    if failed:
        total = sum(len(path) for path in [*whole, *folds])
        warnings.warn(
            f"{len(failed)} of {total} fits in cross-validation missed the relative gap {tol:g}, the first at value "
            f"{min(failed)} of the lambdas. Raise max_iter or tol, or ask for fewer small lambdas.",
            BridleWarning,
            stacklevel=3,
        )
