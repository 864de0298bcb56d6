"""MCPRegressor and SCADRegressor: penalties that don't shrink large coefficients, followed from the largest lambda."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.estimators._base import fit_at
from bridle.estimators._checks import check_number
from bridle.estimators._general import PenalisedModel, PenalisedModelCV, labels_of
from bridle.path import Path, fit_path

Float = NDArray[np.float64]

_STEPS = 30  # lambdas from the largest one down to alpha


class _Concave:
    """What says which of the two penalties is meant."""

    _kind = "mcp"
    _least = 1.0
    gamma: float
    groups: Any

    def _penalty(self, p: int) -> dict[str, Any]:
        parameters = f"(gamma={float(self.gamma)!r})"
        if self.groups is None:
            return {"penalty": self._kind + parameters}
        return {"penalty": f"group_{self._kind}{parameters}", "groups": labels_of(self.groups, p)}


class _ConcaveModel(_Concave, PenalisedModel):
    """The path from the null model to alpha, each fit from the one before."""

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        gamma: float = 3.0,
        groups: ArrayLike | None = None,
        l1_ratio: float = 1.0,
        family: Any = "gaussian",
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
    ) -> None:
        self.alpha = alpha
        self.gamma = gamma
        self.groups = groups
        self.l1_ratio = l1_ratio
        self.family = family
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.max_iter = max_iter
        self.tol = tol

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "gamma", self._least, above=True)

    def _solve(self, X: Any, y: Float, options: dict[str, Any]) -> Path:
        alpha = float(self.alpha)
        top = fit_path(X, y, n_lambdas=1, **options).lambda_max
        if not 0.0 < alpha < top:
            return fit_at(X, y, [alpha], options)
        return fit_at(X, y, top * (alpha / top) ** (np.arange(_STEPS) / (_STEPS - 1.0)), options)


class _ConcaveModelCV(_Concave, PenalisedModelCV):
    """The same path for all rows and for each fold: its own grid, down to the alpha chosen."""

    def __init__(
        self,
        *,
        gamma: float = 3.0,
        groups: ArrayLike | None = None,
        l1_ratio: Any = 1.0,
        family: Any = "gaussian",
        alphas: Any = 100,
        eps: float | None = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        rule: str = "min",
        cv: Any = None,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        n_jobs: int | None = None,
    ) -> None:
        self.gamma = gamma
        self.groups = groups
        self.l1_ratio = l1_ratio
        self.family = family
        self.alphas = alphas
        self.eps = eps
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.rule = rule
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    def _check(self) -> None:
        super()._check()
        check_number(self, "gamma", self._least, above=True)

    def _last(self, X: Any, y: Float, options: dict[str, Any]) -> Path:
        return fit_at(X, y, self.path_.lambdas[: self.selection_.index + 1], options)


class MCPRegressor(_ConcaveModel):
    r"""A generalised linear model with the minimax concave penalty, solved along the path from the null model to alpha.

    .. math:: \frac{1}{n} \sum_i f(y_i, b_0 + x_i'b) + \sum_j \rho(|b_j|), \qquad
              \rho(r) = \alpha r - \frac{r^2}{2 \gamma} \text{ up to } r = \gamma \alpha, \text{ then constant}

    The objective isn't convex: what is certified is that the fit is a stationary point (docs/penalties.md).

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    gamma : float, default=3.0
        Where the penalty becomes flat, above 1; large values approach the lasso.
    groups : (p,), optional
        Labels: the penalty is then one of the groups' norms.
    l1_ratio : float, default=1.0
        Share of this penalty; the rest is ridge.
    family : str or Family, default="gaussian"
        The loss f: "gaussian", "binomial" (y is 0 or 1; predictions are probabilities), "poisson", ...
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance. gamma is meant for such features:
        scale them, or set this.
    penalty_factor : (p,), optional
        v: 0 is never penalised, inf is excluded.
    max_iter : int or None, default=1000
        Bound on the solver's work; rarely met.
    tol : float, default=1e-4
        Largest violation of stationarity, over the null model's largest slope, that passes without a
        ConvergenceWarning.

    Attributes
    ----------
    coef_ : (p,)
        Coefficients.
    intercept_ : float
        Intercept.
    n_iter_ : int
        Iterations at alpha.
    relative_gap_ : float
        Violation of stationarity over the null model's largest slope.
    objective_ : str
        The objective, with its numbers.
    path_ : Path
        The fits on the way to alpha, which is the last one; ``convex_min`` tells where convexity ends.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """


class SCADRegressor(_ConcaveModel):
    r"""A generalised linear model with the SCAD penalty, solved along the path from the null model to alpha.

    The penalty has slope alpha up to alpha, then :math:`(\gamma \alpha - r) / (\gamma - 1)` up to
    :math:`\gamma \alpha`, then none. The objective isn't convex: what is certified is that the fit is a stationary
    point (docs/penalties.md).

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    gamma : float, default=3.7
        Where the penalty becomes flat, above 2.
    groups : (p,), optional
        Labels: the penalty is then one of the groups' norms.
    l1_ratio : float, default=1.0
        Share of this penalty; the rest is ridge.
    family : str or Family, default="gaussian"
        The loss: "gaussian", "binomial" (y is 0 or 1; predictions are probabilities), "poisson", ...
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance. gamma is meant for such features:
        scale them, or set this.
    penalty_factor : (p,), optional
        v: 0 is never penalised, inf is excluded.
    max_iter : int or None, default=1000
        Bound on the solver's work; rarely met.
    tol : float, default=1e-4
        Largest violation of stationarity, over the null model's largest slope, that passes without a
        ConvergenceWarning.

    Attributes
    ----------
    coef_ : (p,)
        Coefficients; the other attributes are those of :class:`MCPRegressor`.
    """

    _kind = "scad"
    _least = 2.0

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        gamma: float = 3.7,
        groups: ArrayLike | None = None,
        l1_ratio: float = 1.0,
        family: Any = "gaussian",
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
    ) -> None:
        super().__init__(
            alpha, gamma=gamma, groups=groups, l1_ratio=l1_ratio, family=family, fit_intercept=fit_intercept,
            standardize=standardize, penalty_factor=penalty_factor, max_iter=max_iter, tol=tol,
        )  # fmt: skip


class MCPRegressorCV(_ConcaveModelCV):
    """:class:`MCPRegressor` with alpha, and l1_ratio if several are given, chosen by cross-validation.

    Each fold follows the grid from its largest alpha down, as the fit of all rows does.

    Parameters
    ----------
    gamma : float, default=3.0
        Where the penalty becomes flat, above 1.
    groups : (p,), optional
        Labels: the penalty is then one of the groups' norms.
    l1_ratio : float or list of float, default=1.0
        Share of this penalty; the rest is ridge.
    family : str or Family, default="gaussian"
        The loss.
    alphas : int or list of float, default=100
        Number of values on an automatic grid, or the values.
    eps : float or None, default=None
        Smallest over largest alpha of the automatic grid; None is 1e-4 if n > p, else 1e-2.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance, by each fold's training rows.
    penalty_factor : (p,), optional
        v: 0 is never penalised, inf is excluded.
    rule : str, default="min"
        How to choose: "min", "1se", "within", "aic", "aicc", "bic", "ebic", "gcv".
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn.
    max_iter : int or None, default=1000
        Bound on the solver's work.
    tol : float, default=1e-4
        Largest relative violation of stationarity that passes without a ConvergenceWarning.
    n_jobs : int or None, default=None
        Threads.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        Those chosen.
    alphas_ : (L,) or (R, L)
        The grid.
    deviance_path_ : (L, J) or (R, L, J)
        Mean held-out deviance of each fold.
    coef_ : (p,)
        Coefficients.
    intercept_ : float
        Intercept.
    curve_ : Curve
        The validation curve.
    selection_ : Selection
        What the rule chose, and why.
    path_ : Path
        Of all rows; ``convex_min`` tells where convexity ends.
    relative_gap_ : float
        Violation of stationarity over the null model's largest slope.
    objective_ : str
        The objective, with its numbers.
    """


class SCADRegressorCV(_ConcaveModelCV):
    """:class:`SCADRegressor` with alpha, and l1_ratio if several are given, chosen by cross-validation.

    Each fold follows the grid from its largest alpha down, as the fit of all rows does.

    Parameters
    ----------
    gamma : float, default=3.7
        Where the penalty becomes flat, above 2.
    groups : (p,), optional
        Labels: the penalty is then one of the groups' norms.
    l1_ratio : float or list of float, default=1.0
        Share of this penalty; the rest is ridge.
    family : str or Family, default="gaussian"
        The loss.
    alphas : int or list of float, default=100
        Number of values on an automatic grid, or the values.
    eps : float or None, default=None
        Smallest over largest alpha of the automatic grid; None is 1e-4 if n > p, else 1e-2.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance, by each fold's training rows.
    penalty_factor : (p,), optional
        v: 0 is never penalised, inf is excluded.
    rule : str, default="min"
        How to choose: "min", "1se", "within", "aic", "aicc", "bic", "ebic", "gcv".
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn.
    max_iter : int or None, default=1000
        Bound on the solver's work.
    tol : float, default=1e-4
        Largest relative violation of stationarity that passes without a ConvergenceWarning.
    n_jobs : int or None, default=None
        Threads.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        Those chosen.
    alphas_ : (L,) or (R, L)
        The grid.
    deviance_path_ : (L, J) or (R, L, J)
        Mean held-out deviance of each fold.
    coef_ : (p,)
        Coefficients.
    intercept_ : float
        Intercept.
    curve_ : Curve
        The validation curve.
    selection_ : Selection
        What the rule chose, and why.
    path_ : Path
        Of all rows; ``convex_min`` tells where convexity ends.
    relative_gap_ : float
        Violation of stationarity over the null model's largest slope.
    objective_ : str
        The objective, with its numbers.
    """

    _kind = "scad"
    _least = 2.0

    def __init__(
        self,
        *,
        gamma: float = 3.7,
        groups: ArrayLike | None = None,
        l1_ratio: Any = 1.0,
        family: Any = "gaussian",
        alphas: Any = 100,
        eps: float | None = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        rule: str = "min",
        cv: Any = None,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(
            gamma=gamma, groups=groups, l1_ratio=l1_ratio, family=family, alphas=alphas, eps=eps,
            fit_intercept=fit_intercept, standardize=standardize, penalty_factor=penalty_factor, rule=rule, cv=cv,
            max_iter=max_iter, tol=tol, n_jobs=n_jobs,
        )  # fmt: skip
