"""MultiTaskLassoCV and MultiTaskElasticNetCV."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.estimators._checks import refuse
from bridle.estimators._multi_task import MultiTaskPrediction
from bridle.estimators._path_cv import PathCV, l1_ratio_list
from bridle.estimators._paths import enet_path, lasso_path
from bridle.path import Path

Float = NDArray[np.float64]


class _MultiTaskCVBase(MultiTaskPrediction, PathCV):
    """What MultiTaskLassoCV and MultiTaskElasticNetCV share."""

    _family: ClassVar[str] = "multigaussian"

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, **params: Any) -> Self:
        """Choose alpha by cross-validation, and fit all rows with it.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n, t)
            Targets.
        sample_weight : (n,), optional
            Weights of the rows, in the fits and in the error of the folds.
        **params
            ``groups`` for the splitter, and whatever metadata routing sends there.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data or the weights can't be used.
        """
        return self._fit(X, y, sample_weight, None, params)

    def _penalty(self, p: int) -> dict[str, Any]:
        return {"penalty": "group_lasso"}

    def _prepare(self, X: Any, y: ArrayLike) -> tuple[Any, Float]:
        return self._check_targets(X, y, type(self).__name__.removeprefix("MultiTask"))

    def _store_fit(self, path: Path, dtype: Any) -> None:
        super()._store_fit(path, dtype)
        self.coef_ = np.asfortranarray(self.coef_.T)

    def _loss_path(self, losses: Float) -> None:
        self.mse_path_ = losses / self.path_.intercept.shape[1]  # their mean over the targets


class MultiTaskLassoCV(_MultiTaskCVBase):
    r"""MultiTaskLasso with alpha chosen by cross-validation.

    .. math:: \min_{b_0, B} \; \frac{1}{2n} \|Y - 1 b_0' - X B\|_F^2 + \alpha \sum_j v_j \|B_j\|_2

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``selection`` are bridle's own.

    Parameters
    ----------
    eps : float, default=1e-3
        Smallest over largest alpha of an automatic grid.
    alphas : int or (L,), default=100
        Number of values of an automatic grid, or the grid itself.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    max_iter : int, default=1000
        Bound on the solver's work, about as many passes as in scikit-learn; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to.
    cv : int, splitter or iterable of (train, test), default=None
        Folds as in scikit-learn; None is 5 folds in the order of the rows.
    verbose : bool or int, default=False
        Accepted for compatibility.
    n_jobs : int or None, default=None
        Threads for the folds; the result doesn't depend on it.
    random_state : int, RandomState or None, default=None
        Accepted for compatibility: the solver is deterministic.
    selection : {"cyclic", "random"}, default="cyclic"
        Accepted for compatibility.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance, in each fold by its own
        rows. ``coef_`` stays on the
        original scale.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    rule : str, default="min"
        How alpha is chosen on the curve: "min" as scikit-learn, "1se", or another cross-validated rule of
        ``bridle.select``.
    relax : bool or list of float, default=False
        Whether to blend with refits of the active features without penalty; gamma, the share of the penalised fit, is
        chosen with alpha, of 0, 0.25, 0.5, 0.75 and 1, or of those given.

    Attributes
    ----------
    alpha_ : float
        The alpha chosen.
    coef_ : (t, p)
        Coefficients at the choice.
    intercept_ : (t,)
        Intercepts.
    gamma_ : float
        The share of the penalised fit that was chosen; 1 without ``relax``.
    alphas_ : (L,)
        The grid, largest first.
    mse_path_ : (L, folds)
        Mean squared error of the held-out rows, over all targets.
    dual_gap_, relative_gap_ : float
        Certificate at the choice.
    n_iter_ : int
        Iterations at the choice.
    curve_ : Curve
        The validation curve, fold by fold: squared errors summed over the targets.
    selection_ : Selection
        What the rule chose, and why.
    path_ : Path
        Coefficients of all rows at every alpha, with certificates.
    objective_ : str
        The objective solved.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    path = staticmethod(lasso_path)

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: ArrayLike = 100,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        copy_X: bool = True,
        cv: Any = None,
        verbose: bool | int = False,
        n_jobs: int | None = None,
        random_state: Any = None,
        selection: str = "cyclic",
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        rule: str = "min",
        relax: Any = False,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.copy_X = copy_X
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.selection = selection
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.rule = rule
        self.relax = relax


class MultiTaskElasticNetCV(_MultiTaskCVBase):
    r"""MultiTaskElasticNet with alpha and l1_ratio chosen together by cross-validation.

    .. math:: \min_{b_0, B} \; \frac{1}{2n} \|Y - 1 b_0' - X B\|_F^2
              + \alpha \sum_j v_j \left[ \rho \|B_j\|_2 + \frac{1 - \rho}{2} \|B_j\|_2^2 \right], \qquad
              \rho = \texttt{l1\_ratio}

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``selection`` are bridle's own.

    Parameters
    ----------
    l1_ratio : float or list of float, default=0.5
        Share of the norm, from 0 to 1; of several, the best is chosen.
    eps : float, default=1e-3
        Smallest over largest alpha of an automatic grid.
    alphas : int or (L,), default=100
        Number of values of an automatic grid, or the grid itself.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    max_iter : int, default=1000
        Bound on the solver's work, about as many passes as in scikit-learn; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    cv : int, splitter or iterable of (train, test), default=None
        Folds as in scikit-learn; None is 5 folds in the order of the rows.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to.
    verbose : bool or int, default=0
        Accepted for compatibility.
    n_jobs : int or None, default=None
        Threads for the folds; the result doesn't depend on it.
    random_state : int, RandomState or None, default=None
        Accepted for compatibility: the solver is deterministic.
    selection : {"cyclic", "random"}, default="cyclic"
        Accepted for compatibility.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance, in each fold by its own
        rows. ``coef_`` stays on the
        original scale.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    rule : str, default="min"
        How alpha is chosen on the curve: "min" as scikit-learn, "1se", or another cross-validated rule of
        ``bridle.select``.
    relax : bool or list of float, default=False
        Whether to blend with refits of the active features without penalty; gamma, the share of the penalised fit, is
        chosen with alpha, of 0, 0.25, 0.5, 0.75 and 1, or of those given.

    Attributes
    ----------
    alpha_ : float
        The alpha chosen.
    l1_ratio_ : float
        The l1_ratio chosen.
    coef_ : (t, p)
        Coefficients at the choice.
    intercept_ : (t,)
        Intercepts.
    gamma_ : float
        The share of the penalised fit that was chosen; 1 without ``relax``.
    alphas_ : (L,) or (ratios, L)
        The grid, largest first.
    mse_path_ : (L, folds) or (ratios, L, folds)
        Mean squared error of the held-out rows, over all targets.
    dual_gap_, relative_gap_ : float
        Certificate at the choice.
    n_iter_ : int
        Iterations at the choice.
    curve_ : Curve
        The validation curve, fold by fold: squared errors summed over the targets.
    selection_ : Selection
        What the rule chose, and why.
    path_ : Path
        Coefficients of all rows at every alpha, with certificates.
    objective_ : str
        The objective solved.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    path = staticmethod(enet_path)

    def _l1_ratios(self) -> list[float]:
        ratios = l1_ratio_list(self)
        if min(ratios) == 0.0 and isinstance(self.alphas, numbers.Integral):
            raise refuse(self, "alphas", self.alphas, "a list of numbers where l1_ratio is 0: no largest alpha exists")
        return ratios

    def __init__(
        self,
        *,
        l1_ratio: ArrayLike = 0.5,
        eps: float = 1e-3,
        alphas: ArrayLike = 100,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        cv: Any = None,
        copy_X: bool = True,
        verbose: bool | int = 0,
        n_jobs: int | None = None,
        random_state: Any = None,
        selection: str = "cyclic",
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        rule: str = "min",
        relax: Any = False,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.selection = selection
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.rule = rule
        self.relax = relax
