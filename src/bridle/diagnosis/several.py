"""How predictions of several columns are measured: classes, ordered classes, responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.diagnosis.measure import Means, Measure
from bridle.several.base import SeveralFamily

Float = NDArray[np.float64]
IntArray = NDArray[np.int64]


class SeveralMeasure(Measure):
    """Targets and means of n rows and K columns, with one loss a row."""

    family: SeveralFamily

    def target(self, y: ArrayLike) -> Float:  # noqa: D102
        return self.family.target(y, len(np.asarray(y)))

    def strata(self, y: Float) -> IntArray | None:  # noqa: D102
        return self.family.classes(y)

    def null(self, y: Float, weight: Float, offset: Float | None, train: IntArray, test: IntArray) -> Means:
        """Return the shares of the classes, or the means of the responses, of the training rows."""
        share = np.average(y[train], axis=0, weights=weight[train])
        if offset is None or not self.family.takes_offset or (self.family.has_classes and not np.all(share > 0.0)):
            means = (np.broadcast_to(share, (len(rows), share.size)) for rows in (train, test))
            at_train, at_test = means
            return at_train, at_test
        o = self.family.read_offset(offset, y)
        b0 = self.family.null_predictors(y[train], weight[train], o[train])
        return self.family.mean(b0 + o[train]), self.family.mean(b0 + o[test])

    def supported(self, mean: ArrayLike, y_train: Float) -> Float:
        """Keep the probability of each class at 1/(m + K) or more, and their sum at 1."""
        mu = np.asarray(mean, dtype=np.float64)
        if not self.family.has_classes:
            return mu
        least = np.maximum(mu, 1.0 / (len(y_train) + y_train.shape[1]))
        return np.asarray(least / least.sum(axis=1, keepdims=True))

    @property
    def has_slope(self) -> bool:  # noqa: D102
        return False

    def boosted(self, options: dict[str, Any]) -> Any:
        """Return gradient boosting of the classes, or of each response by itself."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        from sklearn.multioutput import MultiOutputRegressor

        if self.family.has_classes:
            return HistGradientBoostingClassifier(**options)
        return MultiOutputRegressor(HistGradientBoostingRegressor(**options))


Fitter = Callable[[Any, Any, Any, Float | None], Any]  # estimator, rows, labels, weights -> the fitted estimator


def fit_classes(
    estimator: Any,
    X: Any,
    labels: NDArray[Any],
    classes: NDArray[Any],
    *,
    weight: Float | None,
    folds: Any,
    fit: Fitter,
) -> Callable[[Any], Float]:
    """Fit a classifier of several classes, and return a function from rows to probabilities (n, K).

    Parameters
    ----------
    estimator : scikit-learn classifier
        With ``predict_proba``; else its ``decision_function`` goes through sigmoids fitted on out-of-fold training
        rows (Platt); else each label stands for the shares of the classes that out-of-fold rows of this label had.
    X : m rows
        Features.
    labels : (m,)
        Classes.
    classes : (K,)
        All classes, in the order of the columns; those that the training rows lack have probability 0.
    weight : (m,) or None
        Weights.
    folds : callable
        Gives pairs of rows, for those without ``predict_proba``.
    fit : callable
        Fits with weights where the estimator takes them.
    """
    if not hasattr(estimator, "predict_proba") and not hasattr(estimator, "decision_function"):
        from sklearn.model_selection import cross_val_predict

        guess = cross_val_predict(estimator, X, labels, cv=folds())
        table = {label: _laplace(labels[guess == label], classes) for label in np.unique(labels)}
        fitted = fit(estimator, X, labels, weight)
        return lambda rows: np.stack([table[label] for label in fitted.predict(rows)])
    if not hasattr(estimator, "predict_proba"):
        from sklearn.calibration import CalibratedClassifierCV

        estimator = CalibratedClassifierCV(estimator, method="sigmoid", cv=folds(), ensemble=False)
    fitted = fit(estimator, X, labels, weight)
    place = np.searchsorted(classes, fitted.classes_)

    def probabilities(rows: Any) -> Float:
        found = np.zeros((rows.shape[0] if hasattr(rows, "shape") else len(rows), len(classes)))
        found[:, place] = fitted.predict_proba(rows)
        return found

    return probabilities


def _laplace(labels: NDArray[Any], classes: NDArray[Any]) -> Float:
    counts = np.array([np.sum(labels == label) for label in classes], dtype=np.float64) + 1.0
    return np.asarray(counts / counts.sum())
