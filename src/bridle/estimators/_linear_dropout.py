"""LinearDropoutRegressor and LinearDropoutClassifier: dropout noise on the features, marginalised; no PyTorch."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_array, check_consistent_length

from bridle.errors import BridleWarning
from bridle.estimators._base import LinearPrediction, check_training_data
from bridle.estimators._checks import check_choice, check_flags, check_number, check_offset, check_weight, refuse
from bridle.estimators._logistic_prediction import LogisticPrediction
from bridle.linear_dropout import ADVICE, LinearDropoutPath, fit_dropout_path
from bridle.losses import get_family

Float = NDArray[np.float64]

_FAMILIES = ("gaussian", "poisson")
_MARGINALS = ("quadratic", "normal")


class LinearDropoutRegressor(RegressorMixin, LinearPrediction):  # type: ignore[misc]
    r"""Linear or log-linear regression with dropout noise on its features, averaged over instead of drawn.

    .. math:: \min_{b_0, b} \sum_i w_i \Big[ A(\eta_i) - y_i \eta_i
        + \frac12 A''(\eta_i) \frac{\delta}{1 - \delta} \sum_j (x_{ij} - c_j)^2 b_j^2 \Big],
        \quad \eta_i = o_i + b_0 + x_i'b, \quad \delta = \texttt{dropout}

    For a gaussian target this is ridge with lam = dropout / (1 - dropout) on standardised features.

    Parameters
    ----------
    dropout : float, default=0.5
        delta, at least 0 and below 1: the share of features that is dropped.
    family : {"gaussian", "poisson"}, default="gaussian"
        Numbers and squared error, or counts with a log link.
    fit_intercept : bool, default=True
        Whether to fit an intercept; no noise falls on it.
    standardize : bool, default=True
        Whether a dropped feature is replaced by its mean (c; needs the intercept) or by 0. Units of features never
        matter.
    marginal : {"quadratic", "normal"}, default="quadratic"
        The expansion above, or the expected loss under normal noise of the same variance, which is convex; for a
        gaussian target they are the same.
    tol : float, default=1e-8
        Largest component of the gradient, over that at the null model, that passes without a ConvergenceWarning.
    max_iter : int, default=200
        Newton steps.

    Attributes
    ----------
    coef_ : (p,)
        Coefficients.
    intercept_ : float
        Intercept.
    n_iter_ : int
        Iterations.
    stationarity_ : float
        Certificate: the largest component of the gradient, over that at the null model.
    objective_ : str
        The objective solved.
    path_ : LinearDropoutPath
        The fit as ``bridle.fit_dropout_path`` gives it, with the value of the objective and its status.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    def __init__(
        self,
        dropout: float = 0.5,
        *,
        family: str = "gaussian",
        fit_intercept: bool = True,
        standardize: bool = True,
        marginal: str = "quadratic",
        tol: float = 1e-8,
        max_iter: int = 200,
    ) -> None:
        self.dropout = dropout
        self.family = family
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.marginal = marginal
        self.tol = tol
        self.max_iter = max_iter

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Self:
        """Fit to a stationary point.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Numbers, or counts of at least 0 where ``family="poisson"``.
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
        check_choice(self, "family", _FAMILIES)
        _check_controls(self)
        X, target = check_training_data(self, X, y)
        get_family(self.family).check_target(target)
        n = len(target)
        path = _fit(self, X, target, self.family, check_weight(sample_weight, n), check_offset(offset, n))
        self.coef_ = path.coef[0].astype(X.dtype, copy=False)
        self.intercept_ = path.intercept[0].astype(X.dtype, copy=False) if self.fit_intercept else 0.0
        self.n_iter_ = max(int(path.n_iter[0]), 1)
        return self

    def predict(self, X: Any, offset: ArrayLike | None = None) -> Any:
        """Predict the mean: offset + intercept_ + X coef_, or its exponential for counts; nothing is dropped.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        offset : (n,), optional
            Added to the linear predictor.

        Returns
        -------
        (n,)
        """
        return get_family(self.family).mean(self._linear_predictor(X, offset))

    def score(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> float:
        """Return the share of the deviance explained; for a gaussian target without an offset that is R squared.

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
        family = get_family(self.family)
        mu = np.asarray(self.predict(X, offset), dtype=np.float64)
        target = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        check_consistent_length(mu, target)
        family.check_target(target)
        weight = check_weight(sample_weight, len(target))
        w = np.ones_like(target) if weight is None else weight
        o = check_offset(offset, len(target))
        base = np.zeros_like(target) if o is None else o
        null = family.mean(family.null_predictor(target, w, base) + base)
        deviance = float(np.average(family.deviance(target, mu), weights=w))
        null_deviance = float(np.average(family.deviance(target, null), weights=w))
        if null_deviance == 0.0:
            return float(deviance == 0.0)
        return 1.0 - deviance / null_deviance

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.family == "poisson"
        return tags


class LinearDropoutClassifier(LogisticPrediction):
    r"""Logistic regression of two classes with dropout noise on its features, averaged over instead of drawn.

    .. math:: \min_{b_0, b} \sum_i w_i \Big[ \log(1 + e^{\eta_i}) - y_i \eta_i
        + \frac12 \mu_i (1 - \mu_i) \frac{\delta}{1 - \delta} \sum_j (x_{ij} - c_j)^2 b_j^2 \Big],
        \quad \eta_i = o_i + b_0 + x_i'b, \quad \delta = \texttt{dropout}

    Parameters
    ----------
    dropout : float, default=0.5
        delta, at least 0 and below 1: the share of features that is dropped.
    fit_intercept : bool, default=True
        Whether to fit an intercept; no noise falls on it.
    standardize : bool, default=True
        Whether a dropped feature is replaced by its mean (c; needs the intercept) or by 0. Units of features never
        matter.
    marginal : {"quadratic", "normal"}, default="quadratic"
        The expansion above, which has no minimum where the classes are separated and the noise is small; or the
        expected loss under normal noise of the same variance, which is convex and has one at every rate above 0.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; they multiply the sample weights.
    tol : float, default=1e-8
        Largest component of the gradient, over that at the null model, that passes without a ConvergenceWarning.
    max_iter : int, default=200
        Newton steps.

    Attributes
    ----------
    classes_ : (2,)
        Labels of the classes, sorted.
    coef_ : (1, p)
        Coefficients of the log odds of the second class.
    intercept_ : (1,)
        Intercept.
    n_iter_ : (1,)
        Iterations.
    stationarity_ : float
        Certificate: the largest component of the gradient, over that at the null model.
    objective_ : str
        The objective solved.
    path_ : LinearDropoutPath
        The fit as ``bridle.fit_dropout_path`` gives it, with the value of the objective and its status.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    def __init__(
        self,
        dropout: float = 0.5,
        *,
        fit_intercept: bool = True,
        standardize: bool = True,
        marginal: str = "quadratic",
        class_weight: Any = None,
        tol: float = 1e-8,
        max_iter: int = 200,
    ) -> None:
        self.dropout = dropout
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.marginal = marginal
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Self:
        """Fit to a stationary point.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Labels of two classes, of any type.
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
            A parameter, the data, the weights or the offset can't be used, or y doesn't have two classes.
        """
        _check_controls(self)
        if not (self.class_weight is None or self.class_weight == "balanced" or isinstance(self.class_weight, dict)):
            raise refuse(self, "class_weight", self.class_weight, "'balanced', a dict of class to weight, or None")
        X, target, labels = self._encode(X, y, [np.float64, np.float32])
        w = self._total_weight(labels, check_weight(sample_weight, len(target)))
        path = _fit(self, X, target, "binomial", w, check_offset(offset, len(target)))
        self.coef_ = path.coef.astype(X.dtype, copy=False)
        self.intercept_ = path.intercept.astype(X.dtype, copy=False)
        self.n_iter_ = np.maximum(path.n_iter, 1).astype(np.int32)
        return self


def _check_controls(estimator: Any) -> None:
    check_number(estimator, "dropout", 0.0, 1.0)
    if estimator.dropout == 1.0:
        raise refuse(estimator, "dropout", 1.0, "below 1: at 1 every feature would be dropped")
    check_number(estimator, "tol", 0.0, 1.0, above=True)
    check_number(estimator, "max_iter", 1, integer=True)
    check_flags(estimator, "fit_intercept", "standardize")
    check_choice(estimator, "marginal", _MARGINALS)


def _fit(
    estimator: Any, X: Any, target: Float, family: str, weight: Float | None, offset: Float | None
) -> LinearDropoutPath:
    """Fit at the estimator's one rate, set what its classes share, and warn in scikit-learn's manner."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*no stationary point", category=BridleWarning)
        path = fit_dropout_path(
            X,
            target,
            family=family,
            rates=[estimator.dropout],
            sample_weight=weight,
            offset=offset,
            fit_intercept=bool(estimator.fit_intercept),
            standardize=bool(estimator.standardize),
            marginal=estimator.marginal,
            tol=float(estimator.tol),
            max_iter=int(estimator.max_iter),
        )
    estimator.path_ = path
    estimator.objective_ = f"{path.equation},  delta = {estimator.dropout:g}"
    estimator.stationarity_ = float(path.stationarity[0])
    if not path.converged:
        warnings.warn(
            f"{type(estimator).__name__} did not converge ({path.status[0]}): the stationarity is "
            f"{estimator.stationarity_:.3g}, above tol={estimator.tol:g}. {ADVICE[path.status[0]]}",
            ConvergenceWarning,
            stacklevel=3,
        )
    return path
