"""PoissonRegressor and PoissonRegressorCV: alpha is lam itself, since the loss is a mean of half deviances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bridle.estimators._families import LikeScikitLearns
from bridle.estimators._generalized import FamilyRegressorCV
from bridle.losses import POISSON, Family


class PoissonRegressor(LikeScikitLearns):
    r"""Log-linear regression of counts with an L2 (or L1, or mixed) penalty, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i \left[ e^{\eta_i} - y_i \eta_i \right]
              + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right], \quad
              \eta_i = o_i + b_0 + x_i'b, \quad \rho = \texttt{l1\_ratio}

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``verbose`` are bridle's own. An
    ``offset`` in ``fit`` is the log of the exposure.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    solver : {"lbfgs", "newton-cholesky"}, default="lbfgs"
        Accepted for compatibility: one solver serves all penalties.
    max_iter : int, default=100
        Bound on the solver's work; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    warm_start : bool, default=False
        Accepted for compatibility: the answer doesn't depend on the start.
    verbose : int, default=0
        Accepted for compatibility.
    l1_ratio : float, default=0.0
        Share of the L1 penalty; 0 is scikit-learn's ridge penalty.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper.

    Attributes
    ----------
    coef_ : (p,)
        Coefficients.
    intercept_ : float
        Intercept.
    family_ : Family
        What was fitted.
    n_iter_ : int
        Iterations.
    dual_gap_, relative_gap_ : float
        Certificate.
    objective_ : str
        The objective solved.
    path_ : Path
        The fit with all its certificates.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
        l1_ratio: float = 0.0,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.l1_ratio = l1_ratio
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper

    def _asked(self) -> Family:
        return POISSON


class PoissonRegressorCV(FamilyRegressorCV):
    r"""Log-linear regression of counts with alpha (and l1_ratio) chosen by cross-validated deviance.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i \left[ e^{\eta_i} - y_i \eta_i \right]
              + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right]

    scikit-learn has no such class; parameters follow its LassoCV and PoissonRegressor. An ``offset`` in ``fit`` is the
    log of the exposure.

    Parameters
    ----------
    l1_ratio : float or list of float, default=0.0
        Share of the L1 penalty; of several, the best is chosen.
    eps : float or None, default=None
        Smallest over largest alpha of an automatic grid; None is that of ``bridle.fit_path``.
    alphas : int or (L,), default=100
        Number of values of an automatic grid, or the grid itself.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    max_iter : int, default=100
        Bound on the solver's work for each alpha; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    cv : int, splitter or iterable of (train, test), default=None
        Folds as in scikit-learn; None is 5 folds in the order of the rows.
    n_jobs : int or None, default=None
        Threads for the folds; the result doesn't depend on it.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance, in each fold by its own rows.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper.
    rule : str, default="min"
        How alpha is chosen on the curves: "min", "1se", or another rule of ``bridle.select``.
    relax : bool or list of float, default=False
        Whether to blend with refits of the active features without penalty; gamma, the share of the penalised fit, is
        chosen with alpha, of 0, 0.25, 0.5, 0.75 and 1, or of those given.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        The choice.
    coef_ : (p,)
        Coefficients at the choice.
    intercept_ : float
        Intercept.
    family_ : Family
        What was fitted.
    alphas_ : (L,) or (ratios, L)
        The grid, largest first.
    deviance_path_ : (L, folds) or (ratios, L, folds)
        Mean unit deviance of the held-out rows.
    dual_gap_, relative_gap_ : float
        Certificate at the choice.
    n_iter_ : int
        Iterations at the choice.
    gamma_ : float
        The share of the penalised fit that was chosen; 1 without ``relax``.
    curve_ : Curve
        The validation curve of ``l1_ratio_``, fold by fold.
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

    def __init__(
        self,
        *,
        l1_ratio: ArrayLike = 0.0,
        eps: float | None = None,
        alphas: ArrayLike = 100,
        fit_intercept: bool = True,
        max_iter: int = 100,
        tol: float = 1e-4,
        cv: Any = None,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
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
        self.n_jobs = n_jobs
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper
        self.rule = rule
        self.relax = relax

    def _asked(self) -> Family:
        return POISSON
