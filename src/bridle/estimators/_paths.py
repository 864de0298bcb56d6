"""``lasso_path`` and ``enet_path`` with scikit-learn's arguments, and the grid of alphas as scikit-learn makes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_consistent_length

from bridle.errors import InputError
from bridle.estimators._base import (
    FINEST_L1,
    PATIENCE,
    LinearPrediction,
    check_training_data,
    fit_at,
    warn_unless_converged,
)
from bridle.estimators._checks import (
    ParameterError,
    check_count_or_grid,
    check_flags,
    check_number,
    check_precompute,
    check_solver_controls,
    check_verbose,
    check_weight,
)

Float = NDArray[np.float64]

TINY = float(np.finfo(np.float64).resolution)


def alpha_grid(
    X: Any,
    y: Float,
    count: int,
    eps: float,
    l1_ratio: float,
    *,
    weight: Float | None = None,
    fit_intercept: bool = False,
    positive: bool = False,
) -> Float:
    """Return scikit-learn's grid: ``count`` values, geometric, down to ``eps`` times the smallest that leaves none.

    Where no feature is related to the target, all are the smallest positive number that counts, as there.

    Parameters
    ----------
    X : (n, p)
    y : (n,) or (n, t)
    count, eps, l1_ratio
        Of the grid.
    weight : (n,) or None
    fit_intercept, positive : bool
    """
    if weight is None:
        n, residual = float(len(y)), y - y.mean(axis=0) if fit_intercept else y
        slope = X.T @ residual
        if fit_intercept:
            slope = slope - np.multiply.outer(np.asarray(X.sum(axis=0)).ravel(), residual.sum(axis=0) / n)
    else:
        n = weight.sum()
        residual = (weight * (y - (weight @ y / n if fit_intercept else 0.0)).T).T
        slope = X.T @ residual
        if fit_intercept:
            slope = slope - np.multiply.outer(X.T @ weight, residual.sum(axis=0) / n)
    slope = slope if slope.ndim == 1 else np.linalg.norm(slope, axis=1)
    top = float(np.max(slope if positive else np.abs(slope))) / (n * l1_ratio)
    return np.full(count, TINY) if top <= TINY else np.geomspace(top, top * eps, num=count)


class PathArguments(SimpleNamespace):
    """What ``enet_path`` was given, in the form in which estimators are checked."""

    def check(self) -> None:
        """Refuse what can't be used."""
        check_number(self, "eps", 0.0, above=True, none=True)
        check_number(self, "l1_ratio", 0.0, 1.0)
        check_number(self, "max_iter", 1, integer=True)
        check_flags(self, "check_input", "return_n_iter")
        check_verbose(self)
        check_solver_controls(self)


_DEFAULTS = {"tol": 1e-4, "max_iter": 1000, "sample_weight": None, "random_state": None, "selection": "cyclic"}


def enet_path(
    X: Any,
    y: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    n_alphas: int | str = "deprecated",
    alphas: ArrayLike | int | str | None = "warn",
    precompute: Any = "auto",
    Xy: ArrayLike | None = None,
    copy_X: bool = True,
    coef_init: ArrayLike | None = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,
    **params: Any,
) -> tuple[Any, ...]:
    r"""Return the elastic-net path as scikit-learn's function of this name: no intercept, nothing standardised.

    .. math:: \min_b \; \frac{1}{2n} \|y - Xb\|^2 + \alpha \sum_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right],
              \qquad \rho = \texttt{l1\_ratio}

    Parameters
    ----------
    X : (n, p) array, data frame or sparse matrix
        Features.
    y : (n,)
        Target.
    l1_ratio : float, default=0.5
        Share of the L1 penalty, from 0 to 1.
    eps : float, default=1e-3
        Smallest over largest alpha of an automatic grid.
    n_alphas : int, optional
        Older spelling of an integer ``alphas``.
    alphas : int or (L,), default=100
        Number of values of an automatic grid, or the grid itself.
    precompute : "auto", bool or (p, p) array, default="auto"
        Accepted for compatibility: bridle chooses Gram space by itself.
    Xy : (p,), optional
        Accepted for compatibility.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to.
    coef_init : (p,), optional
        Accepted for compatibility: the answer doesn't depend on the start.
    verbose : bool or int, default=False
        Accepted for compatibility.
    return_n_iter : bool, default=False
        Whether to return the iterations as well.
    positive : bool, default=False
        Whether coefficients must be at least 0.
    check_input : bool, default=True
        Accepted for compatibility.
    **params
        ``tol``, ``max_iter``, ``sample_weight``, ``random_state`` and ``selection`` as in :class:`ElasticNet`.

    Returns
    -------
    alphas (L,), coefs (p, L) or (t, p, L), dual_gaps (L,), and a list of L n_iters if ``return_n_iter``
    """
    unknown = sorted(set(params) - {*_DEFAULTS, "do_screening"})
    if unknown:
        raise ParameterError(f"enet_path got unexpected arguments {', '.join(unknown)}; expected any of {[*_DEFAULTS]}")
    given = PathArguments(
        **(_DEFAULTS | params),
        alpha=None,
        alphas=_alphas(n_alphas, alphas),
        l1_ratio=l1_ratio,
        eps=eps,
        precompute=precompute,
        copy_X=copy_X,
        verbose=verbose,
        return_n_iter=return_n_iter,
        positive=positive,
        check_input=check_input,
        fit_intercept=False,
        warm_start=False,
        standardize=False,
    )
    given.check()
    X, y = check_training_data(LinearPrediction(), X, y, multi_output=True)
    check_consistent_length(X, y)
    several = y.ndim > 1
    if several and positive:
        raise InputError("positive=True can't be combined with several targets: their penalty is on norms")
    check_precompute(given, X.shape[1])
    weight = check_weight(given.sample_weight, len(y))
    grid = given.alphas = check_count_or_grid(given, "alphas")
    if isinstance(grid, int):
        if l1_ratio == 0.0:
            raise InputError("l1_ratio=0 has no largest alpha: give alphas as a list of numbers")
        grid = alpha_grid(X, y, grid, eps, float(l1_ratio), weight=weight, positive=positive)
    path = fit_at(
        X,
        y,
        grid,
        {
            "family": "multigaussian" if several else "gaussian",
            "penalty": "group_lasso" if several else "elastic_net",
            "l1_ratio": float(l1_ratio),
            "sample_weight": weight,
            "fit_intercept": False,
            "standardize": False,
            "lower": 0.0 if positive else -np.inf,
            "tol": min(max(float(given.tol), 1e-14), FINEST_L1),
            "max_iter": PATIENCE["gaussian"] * int(given.max_iter),
        },
    )
    warn_unless_converged(given, path)
    result = (path.lambdas, path.coef.T.astype(X.dtype, copy=False), path.gap)  # (t, p, L) for several
    return (*result, [max(int(k), 1) for k in path.n_iter]) if return_n_iter else result


def _alphas(n_alphas: int | str, alphas: Any) -> Any:
    """Return the one argument that both spellings mean: scikit-learn's present default is 100 in either."""
    unset = alphas is None or (isinstance(alphas, str) and alphas == "warn")
    if not unset:
        return alphas
    return 100 if isinstance(n_alphas, str) and n_alphas == "deprecated" else n_alphas


def lasso_path(
    X: Any,
    y: ArrayLike,
    *,
    eps: float = 1e-3,
    n_alphas: int | str = "deprecated",
    alphas: ArrayLike | int | str | None = "warn",
    precompute: Any = "auto",
    Xy: ArrayLike | None = None,
    copy_X: bool = True,
    coef_init: ArrayLike | None = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    **params: Any,
) -> tuple[Any, ...]:
    """Return the lasso path as scikit-learn's function of this name: :func:`enet_path` with ``l1_ratio=1``.

    Parameters
    ----------
    X : (n, p) array, data frame or sparse matrix
        Features.
    y : (n,)
        Target.
    eps, n_alphas, alphas, precompute, Xy, copy_X, coef_init, verbose, return_n_iter, positive
        As for :func:`enet_path`.
    **params
        As for :func:`enet_path`.

    Returns
    -------
    alphas (L,), coefs (p, L) or (t, p, L), dual_gaps (L,), and a list of L n_iters if ``return_n_iter``
    """
    return enet_path(
        X,
        y,
        l1_ratio=1.0,
        eps=eps,
        n_alphas=n_alphas,
        alphas=alphas,
        precompute=precompute,
        Xy=Xy,
        copy_X=copy_X,
        coef_init=coef_init,
        verbose=verbose,
        return_n_iter=return_n_iter,
        positive=positive,
        **params,
    )
