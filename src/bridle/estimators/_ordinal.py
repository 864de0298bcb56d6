"""OrdinalClassifier: ordered classes with proportional odds; C is 1 / (S lam) as in LogisticRegression."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from bridle.errors import DataWarning
from bridle.estimators._base import (
    LinearPrediction,
    check_new_data,
    fit_at,
    objective_at,
    path_options,
    warn_unless_converged,
)
from bridle.estimators._checks import (
    check_class_weight,
    check_flags,
    check_number,
    check_offset,
    check_weight_of_sum,
    refuse,
)
from bridle.estimators._logistic import lambda_of
from bridle.estimators._logistic_prediction import ClassTargets
from bridle.path import Path
from bridle.several import Ordinal
from bridle.several.labels import ordered_levels

Float = NDArray[np.float64]


class OrdinalClassifier(ClassTargets, ClassifierMixin, LinearPrediction):  # type: ignore[misc]
    r"""Ordered classes by proportional odds, with an L2, L1 or mixed penalty, to a certificate.

    .. math:: \min_{t, b} \; -C \sum_i s_i \log P(y_i)
              + \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right], \quad
              \operatorname{logit} P(y_i > k) = o_i + x_i'b - t_k, \quad \rho = \texttt{l1\_ratio}

    With two levels it is :class:`LogisticRegression`. Thresholds ascend, and are never penalised.

    Parameters
    ----------
    levels : list or None, default=None
        All labels, lowest first. None takes the order of numbers, or of an ordered categorical.
    C : float, default=1.0
        Inverse strength of the penalty, above 0; inf is none.
    l1_ratio : float, default=0.0
        Share of the L1 penalty, from 0 (ridge) to 1 (lasso).
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    max_iter : int, default=100
        Bound on the solver's work; rarely met.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; they multiply the sample weights.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper.

    Attributes
    ----------
    classes_ : (K,)
        Labels, sorted as scikit-learn's tools expect them: the columns of ``predict_proba``.
    levels_ : (K,)
        Labels, lowest first.
    coef_ : (p,)
        Coefficients; above 0 they move rows towards higher levels.
    thresholds_ : (K - 1,)
        t, ascending.
    n_iter_ : int
        Iterations.
    dual_gap_, relative_gap_ : float
        Certificate, on the scale of the mean loss: the objective above over C times the sum of the weights.
    objective_ : str
        The objective solved.
    path_ : Path
        The fit with all its certificates.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.

    References
    ----------
    McCullagh (1980), Regression models for ordinal data, JRSS B 42(2).
    """

    fit_intercept: ClassVar[bool] = True  # the thresholds
    _multi_class: ClassVar[bool] = True

    def __init__(
        self,
        levels: ArrayLike | None = None,
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        tol: float = 1e-4,
        max_iter: int = 100,
        class_weight: Any = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.levels = levels
        self.C = C
        self.l1_ratio = l1_ratio
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
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
            Labels of two or more ordered classes.
        sample_weight : (n,), optional
            Weights of the rows. Their sum matters: the loss is a sum, so doubling them halves the penalty.
        offset : (n,), optional
            Added to the linear predictor.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used, or y has one class.
        """
        self._check()
        X, target, w, _ = self._prepare(X, y, sample_weight)
        lam = float(lambda_of(self.C, float(w.sum())))
        options = {"sample_weight": w, "offset": check_offset(offset, len(target))}
        self._store(fit_at(X, target, [lam], path_options(self, "ordinal", float(self.l1_ratio)) | options), X.dtype)
        return self

    def _prepare(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None) -> tuple[Any, Float, Float, NDArray[Any]]:
        """Return X, which level each row has (n, K), weights (n,) and labels (n,); sets the order of the levels."""
        order = ordered_levels(y) if self.levels is None else list(np.asarray(self.levels).tolist())
        X, _, labels = self._encode(X, y, [np.float64, np.float32])
        self._place = place = self._places(order)  # of each class among the levels
        self.levels_ = self.classes_[np.argsort(place)]
        w = self._total_weight(labels, check_weight_of_sum(sample_weight, len(labels)))
        return X, np.eye(len(place))[place[np.searchsorted(self.classes_, labels)]], w, labels

    def _store(self, path: Path, dtype: Any) -> None:
        self.path_, self.objective_ = path, objective_at(path, float(path.lambdas[-1]))
        self.coef_ = path.coef[-1].astype(dtype, copy=False)
        self.thresholds_ = -path.intercept[-1].astype(dtype, copy=False)
        self.n_iter_ = max(int(path.n_iter[-1]), 1)
        self.dual_gap_, self.relative_gap_ = float(path.gap[-1]), float(path.relative_gap[-1])
        warn_unless_converged(self, path)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # of classes without an order, which the conformance suite has
        return tags

    def _check(self) -> None:
        check_number(self, "C", 0.0, np.inf, above=True)
        check_number(self, "l1_ratio", 0.0, 1.0)
        check_number(self, "tol", 0.0)
        check_number(self, "max_iter", 0, integer=True)
        check_flags(self, "standardize")
        check_class_weight(self)

    def _places(self, order: list[Any] | None) -> NDArray[np.intp]:
        """Return the place of each class among the levels, (K,)."""
        found = self.classes_.tolist()
        if order is None:
            if self.classes_.dtype.kind not in "biufmM":
                warnings.warn(
                    f"the order of the levels isn't known: taken is {', '.join(map(str, found))}. Give levels=[lowest, "
                    "..., highest], numbers, or an ordered categorical",
                    DataWarning,
                    stacklevel=3,
                )
            return np.arange(len(found))
        if len(set(order)) != len(order) or not set(found) <= set(order):
            raise refuse(self, "levels", order, f"all labels once, lowest first; y has {found}")
        there = [level for level in order if level in set(found)]
        return np.array([there.index(label) for label in found], dtype=np.intp)

    def linear_predictor(self, X: Any, offset: ArrayLike | None = None) -> Float:
        """Return o + x'b, which grows with the level that is expected.

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
        X = check_new_data(self, X)
        eta, o = X @ self.coef_, check_offset(offset, X.shape[0])
        return np.asarray(eta if o is None else eta + o)

    def predict_proba(self, X: Any, offset: ArrayLike | None = None) -> Float:
        """Return the probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        offset : (n,), optional
            Added to the linear predictor.

        Returns
        -------
        (n, K)
        """
        return np.asarray(np.exp(self.predict_log_proba(X, offset)))

    def predict_log_proba(self, X: Any, offset: ArrayLike | None = None) -> Float:
        """Return the logarithms of the probabilities, exact where these round to 0.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        offset : (n,), optional
            Added to the linear predictor.

        Returns
        -------
        (n, K)
        """
        check_is_fitted(self)
        eta = np.asarray(self.linear_predictor(X, offset), dtype=np.float64)[:, None] - self.thresholds_
        return np.asarray(Ordinal().log_mean(eta)[:, self._place])

    def predict(self, X: Any, offset: ArrayLike | None = None) -> NDArray[Any]:
        """Return the most probable class of each row.

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
        number = np.argmax(self.predict_log_proba(X, offset), axis=1)
        return np.asarray(self.classes_[number])
