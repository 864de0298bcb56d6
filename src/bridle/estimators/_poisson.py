"""PoissonRegressor and PoissonRegressorCV: alpha is lam itself, since the loss is a mean of half deviances."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length

from bridle.estimators._base import (
    LinearPrediction,
    check_training_data,
    fit_at,
    objective_at,
    one_column,
    path_options,
    warn_unless_converged,
)
from bridle.estimators._checks import check_choice, check_flags, check_number, check_offset, check_verbose, check_weight
from bridle.estimators._path_cv import PathCV, l1_ratio_list
from bridle.losses import POISSON

Float = NDArray[np.float64]


class _PoissonPrediction(RegressorMixin, LinearPrediction):  # type: ignore[misc]
    """Prediction and score of a log-linear model of counts."""

    def predict(self, X: Any, offset: ArrayLike | None = None) -> Any:
        """Predict the mean exp(offset + intercept_ + X coef_).

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        offset : (n,), optional
            Added to the linear predictor: the log of the exposure.

        Returns
        -------
        (n,)
        """
        return POISSON.mean(self._linear_predictor(X, offset))

    def score(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> float:
        """Return the share of the deviance explained: 1 - deviance / deviance of the mean.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Counts.
        sample_weight : (n,), optional
            Weights of the rows.
        offset : (n,), optional
            Added to both linear predictors.

        Returns
        -------
        float
            1 is perfect, 0 is no better than a constant rate.
        """
        mu = np.asarray(self.predict(X, offset), dtype=np.float64)
        target = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        check_consistent_length(mu, target)
        POISSON.check_target(target)
        weight = check_weight(sample_weight, len(target))
        w = np.ones_like(target) if weight is None else weight
        o = check_offset(offset, len(target))
        base = np.zeros_like(target) if o is None else o
        null = POISSON.mean(POISSON.null_predictor(target, w, base) + base)
        deviance = np.average(POISSON.deviance(target, mu), weights=w)
        return float(1.0 - deviance / np.average(POISSON.deviance(target, null), weights=w))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags


class PoissonRegressor(_PoissonPrediction):
    r"""Log-linear regression of counts with an L2 (or L1, or mixed) penalty, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i \left[ e^{\eta_i} - y_i \eta_i \right]
              + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right], \quad
              \eta_i = o_i + b_0 + x_i'b, \quad \rho = \texttt{l1\_ratio}

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``verbose`` are bridle's own.

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

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Self:
        """Fit to a certificate.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Counts: numbers of at least 0.
        sample_weight : (n,), optional
            Weights of the rows; their sum doesn't matter.
        offset : (n,), optional
            Added to the linear predictor: the log of the exposure.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used.
        """
        check_number(self, "alpha", 0.0)
        check_number(self, "l1_ratio", 0.0, 1.0)
        check_number(self, "max_iter", 1, integer=True)
        check_number(self, "tol", 0.0, above=True)
        check_choice(self, "solver", ("lbfgs", "newton-cholesky"))
        check_flags(self, "fit_intercept", "warm_start", "standardize")
        check_verbose(self)
        X, target = check_training_data(self, X, y)
        POISSON.check_target(target)
        options = path_options(self, "poisson", self.l1_ratio) | {
            "sample_weight": check_weight(sample_weight, len(target)),
            "offset": check_offset(offset, len(target)),
        }
        path = fit_at(X, target, [self.alpha], options)
        self.path_, self.objective_ = path, objective_at(path, float(self.alpha))
        self.coef_ = np.asarray(path.coef[0]).astype(X.dtype, copy=False)
        self.intercept_ = path.intercept[0].astype(X.dtype, copy=False) if self.fit_intercept else 0.0
        self.n_iter_ = max(int(path.n_iter[0]), 1)
        self.dual_gap_, self.relative_gap_ = path.gap[0], path.relative_gap[0]
        warn_unless_converged(self, path)
        return self


class PoissonRegressorCV(_PoissonPrediction, PathCV):
    r"""Log-linear regression of counts with alpha (and l1_ratio) chosen by cross-validated deviance.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i \left[ e^{\eta_i} - y_i \eta_i \right]
              + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right]

    scikit-learn has no such class; parameters follow its LassoCV and PoissonRegressor.

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

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        The choice.
    coef_ : (p,)
        Coefficients at the choice.
    intercept_ : float
        Intercept.
    alphas_ : (L,) or (ratios, L)
        The grid, largest first.
    deviance_path_ : (L, folds) or (ratios, L, folds)
        Mean unit deviance of the held-out rows.
    dual_gap_, relative_gap_ : float
        Certificate at the choice.
    n_iter_ : int
        Iterations at the choice.
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

    _family: ClassVar[str] = "poisson"

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

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose alpha by cross-validation, and fit all rows with it.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Counts: numbers of at least 0.
        sample_weight : (n,), optional
            Weights of the rows, in the fits and in the deviance of the folds.
        offset : (n,), optional
            Added to the linear predictor: the log of the exposure.
        **params
            ``groups`` for the splitter, and whatever metadata routing sends there.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used.
        """
        return self._fit(X, y, sample_weight, offset, params)

    def _l1_ratios(self) -> list[float]:
        return l1_ratio_list(self)

    def _prepare(self, X: Any, y: ArrayLike) -> tuple[Any, Float]:
        X, target = check_training_data(self, X, y)
        target = one_column(target)
        POISSON.check_target(target)
        return X, target

    def _loss_path(self, losses: Float) -> None:
        self.deviance_path_ = losses
