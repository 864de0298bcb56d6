"""Generalised linear regression of any family: alpha is lam itself, since the loss is a mean of half deviances."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length

from bridle.errors import InputError
from bridle.estimators._base import (
    LinearPrediction,
    check_training_data,
    fit_at,
    objective_at,
    one_column,
    path_options,
    warn_unless_converged,
)
from bridle.estimators._checks import check_flags, check_number, check_offset, check_weight
from bridle.estimators._path_cv import PathCV, l1_ratio_list
from bridle.losses import Family, get_family
from bridle.path import Path

Float = NDArray[np.float64]


class FamilyPrediction(RegressorMixin, LinearPrediction):  # type: ignore[misc]
    """Prediction and score of a model whose family is ``family_`` once it is fitted."""

    _scores_deviance = True  # whether score is the share of the deviance explained, or R squared as scikit-learn has it

    def _asked(self) -> Family:
        """Return the family that the parameters say, perhaps with parameters to be estimated."""
        raise NotImplementedError

    def _for(self, y: Float, w: Float) -> Family:
        """Return the family for a target (n,) and weights (n,)."""
        return self._asked()

    def _known(self) -> Family:
        """Return the family, as far as it can be known before a fit."""
        try:
            return self._asked()
        except (InputError, TypeError):
            return get_family("gaussian")

    def predict(self, X: Any, offset: ArrayLike | None = None) -> Any:
        """Predict the mean, or what the family predicts in its place.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        offset : (n,), optional
            Added to the linear predictor.

        Returns
        -------
        (n,)
            For the binomial family the probability of 1.
        """
        eta = self._linear_predictor(X, offset)
        return self.family_.mean(eta)

    def score(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> float:
        """Return the share of the deviance explained, or R squared for a squared error and where scikit-learn has that.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Target.
        sample_weight : (n,), optional
            Weights of the rows.
        offset : (n,), optional
            Added to both linear predictors.

        Returns
        -------
        float
            1 is perfect, 0 is no better than a constant.
        """
        eta = np.asarray(self._linear_predictor(X, offset), dtype=np.float64)
        target = one_column(check_array(y, dtype=np.float64, ensure_2d=False, input_name="y"))
        check_consistent_length(eta, target)
        family = self.family_ if self._scores_deviance else get_family("gaussian")
        target = family.target(target, len(eta))
        weight = check_weight(sample_weight, len(target))
        w = np.ones_like(target) if weight is None else weight
        o = check_offset(offset, len(target))
        base = np.zeros_like(target) if o is None else o
        null = family.null_predictor(target, w, base) + base
        both = family.mean_deviance(target, np.column_stack([eta, null]), w)
        return float(1.0 - both[0] / both[1])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self._known().least >= 0.0
        return tags


class FamilyRegressor(FamilyPrediction):
    """One fit at one alpha."""

    alpha: float
    fit_intercept: bool

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Self:
        """Fit to a certificate.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Target.
        sample_weight : (n,), optional
            Weights of the rows; their sum doesn't matter.
        offset : (n,), optional
            Added to the linear predictor.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used.
        """
        self._check_parameters()
        X, target = check_training_data(self, X, y)
        w, o = check_weight(sample_weight, len(target)), check_offset(offset, len(target))
        family = self._for(target, np.ones(len(target)) if w is None else w)
        family.check_target(target)
        options = path_options(self, family.spec, self._ratio()) | self._penalty(X.shape[1])
        self._store(self._solve(X, target, options | {"sample_weight": w, "offset": o}), X.dtype)
        return self

    def _penalty(self, p: int) -> dict[str, Any]:
        """Return what says which penalty of p features is meant, if it isn't the elastic net."""
        return {}

    def _solve(self, X: Any, y: Float, options: dict[str, Any]) -> Path:
        """Return a path whose last fit is the one at alpha."""
        return fit_at(X, y, [self.alpha], options)

    def _ratio(self) -> float:
        return float(getattr(self, "l1_ratio", 0.0))

    def _check_parameters(self) -> None:
        check_number(self, "alpha", 0.0)
        check_number(self, "l1_ratio", 0.0, 1.0)
        check_number(self, "max_iter", 1, integer=True)
        check_number(self, "tol", 0.0, above=True)
        check_flags(self, "fit_intercept", "standardize")

    def _store(self, path: Path, dtype: Any) -> None:
        self.family_ = get_family(path.family)
        self.path_, self.objective_ = path, objective_at(path, float(path.lambdas[-1]))
        self.coef_ = path.coef_row(len(path.lambdas) - 1).astype(dtype, copy=False)
        self.intercept_ = path.intercept[-1].astype(dtype, copy=False) if self.fit_intercept else 0.0
        self.n_iter_ = max(int(path.n_iter[-1]), 1)
        self.dual_gap_, self.relative_gap_ = path.gap[-1], path.relative_gap[-1]
        warn_unless_converged(self, path)


class FamilyRegressorCV(FamilyPrediction, PathCV):
    """alpha, and perhaps l1_ratio, chosen by the cross-validated deviance."""

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
            Target.
        sample_weight : (n,), optional
            Weights of the rows, in the fits and in the deviance of the folds.
        offset : (n,), optional
            Added to the linear predictor.
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
        self._fit(X, y, sample_weight, offset, params)
        self.family_ = get_family(self.path_.family)
        return self

    def _spec(self, y: Float, w: Float | None) -> str:
        return self._for(y, np.ones(len(y)) if w is None else w).spec

    def _has_scikit_learns_grid(self) -> bool:
        return False

    def _l1_ratios(self) -> list[float]:
        return l1_ratio_list(self)

    def _prepare(self, X: Any, y: ArrayLike) -> tuple[Any, Float]:
        X, target = check_training_data(self, X, y)
        target = one_column(target)
        self._asked().check_target(target)
        return X, target

    def _loss_path(self, losses: Float) -> None:
        self.deviance_path_ = losses


class GeneralizedLinearRegressor(FamilyRegressor):
    r"""Regression with the loss of any family and an L2, L1 or mixed penalty, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i f(y_i, \eta_i)
              + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right], \quad
              \eta_i = o_i + b_0 + x_i'b, \quad \rho = \texttt{l1\_ratio}

    Parameters
    ----------
    family : str or Family, default="gaussian"
        As for ``bridle.fit_path``; parameters that it leaves out are estimated at this alpha.
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    l1_ratio : float, default=0.0
        Share of the L1 penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    max_iter : int, default=100
        Bound on the solver's work; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
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
        With a value for every parameter.
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
        family: str | Family = "gaussian",
        *,
        alpha: float = 1.0,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        max_iter: int = 100,
        tol: float = 1e-4,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.family = family
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper

    def _asked(self) -> Family:
        return _regression(self.family)


class GeneralizedLinearRegressorCV(FamilyRegressorCV):
    r"""Regression with the loss of any family, alpha (and l1_ratio) chosen by cross-validated deviance.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i f(y_i, \eta_i)
              + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right]

    Parameters
    ----------
    family : str or Family, default="gaussian"
        As for ``bridle.fit_path``; parameters that it leaves out are estimated once, from all rows.
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
        With a value for every parameter.
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
        family: str | Family = "gaussian",
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
        self.family = family
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
        return _regression(self.family)


_ESTIMATORS = {
    "cox": "CoxRegressor",
    "multinomial": "LogisticRegression",
    "multigaussian": "MultiTaskElasticNet",
    "ordinal": "OrdinalClassifier",
}


def _regression(family: str | Family) -> Family:
    """Return a family of one number a row that isn't a class."""
    found = get_family(family)
    if found.name in _ESTIMATORS:
        raise InputError(f"the {found.name} family has an estimator of its own, bridle.{_ESTIMATORS[found.name]}")
    if found.is_classifier and not found.has_probabilities:
        raise InputError(f"the {found.name} family is for classes: use bridle.fit_path, or LogisticRegression")
    return found
