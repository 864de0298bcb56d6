"""What the estimators with a choice of family share: one fit at alpha, means as predictions, explained deviance."""

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
    refuse_many_targets,
    warn_unless_converged,
)
from bridle.estimators._checks import check_flags, check_number, check_offset, check_weight
from bridle.losses import get_family
from bridle.path import Path

Float = NDArray[np.float64]


class FamilyPrediction(RegressorMixin, LinearPrediction):  # type: ignore[misc]
    """Prediction and score of a model whose ``family`` is a parameter."""

    family: Any
    lower, upper = -np.inf, np.inf  # these classes have no bounds

    def predict(self, X: Any, offset: ArrayLike | None = None) -> Any:
        """Predict the mean: the inverse link of offset + intercept_ + X coef_.

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
        return get_family(self.family).mean(self._linear_predictor(X, offset))

    def score(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> float:
        """Return the share of the deviance explained: 1 - deviance / deviance of the mean; R2 for the gaussian family.

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
        target = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        check_consistent_length(eta, target)
        family = get_family(self.family)
        target = family.target(target, len(eta))
        weight = check_weight(sample_weight, len(eta))
        w = np.ones(len(eta)) if weight is None else weight
        o = check_offset(offset, len(eta))
        base = np.zeros(len(eta)) if o is None else o
        null = family.null_predictor(target, w, base) + base
        both = family.mean_deviance(target, np.column_stack([eta, null]), w)
        return float(1.0 - both[0] / both[1])


class FamilyModel(FamilyPrediction):
    """A fit at one alpha."""

    alpha: float
    l1_ratio: float
    fit_intercept: bool

    def _penalty(self, p: int) -> dict[str, Any]:
        """Return which penalty of p features is meant."""
        raise NotImplementedError

    def _check(self) -> None:
        check_number(self, "alpha", 0.0)
        check_number(self, "l1_ratio", 0.0, 1.0)
        check_number(self, "max_iter", 1, integer=True, none=True)
        check_number(self, "tol", 0.0)
        check_flags(self, "fit_intercept", "standardize")

    def _solve(self, X: Any, y: Float, options: dict[str, Any]) -> Path:
        """Return a path whose last fit is the one at alpha."""
        return fit_at(X, y, [self.alpha], options)

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Self:
        """Fit to a certificate.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Target, as the family takes it.
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
            A parameter, the data, weights or offset can't be used.
        """
        self._check()
        X, y = check_training_data(self, X, y, multi_output=True)
        if y.ndim > 1 and y.shape[1] > 1:
            raise refuse_many_targets(self, y.shape[1])
        target = np.asarray(one_column(y), dtype=np.float64)
        n, p = X.shape
        options = path_options(self, get_family(self.family).spec, self.l1_ratio) | self._penalty(p)
        options |= {"sample_weight": check_weight(sample_weight, n), "offset": check_offset(offset, n)}
        path = self._solve(X, target, options)
        self.path_ = path
        self.coef_ = path.coef_row(len(path.lambdas) - 1).astype(X.dtype, copy=False)
        self.intercept_ = path.intercept[-1].astype(X.dtype, copy=False) if self.fit_intercept else 0.0
        self.n_iter_ = max(int(path.n_iter[-1]), 1)
        self.relative_gap_ = path.relative_gap[-1]
        self.objective_ = objective_at(path, float(self.alpha))
        warn_unless_converged(self, path)
        return self


def labels_of(groups: ArrayLike | None, p: int) -> Any:
    """Return one label per feature: those given, or each feature by itself."""
    if groups is None:
        return np.arange(p)
    labels = np.asarray(groups)
    if labels.shape != (p,):
        raise InputError(f"groups has shape {labels.shape}; expected one label per feature, ({p},)")
    return labels
