"""What is predicted by logistic models of two or more classes, and the checks that they share."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from bridle.errors import InputError
from bridle.estimators._base import LinearPrediction, check_new_data, is_plain, remember_columns
from bridle.estimators._checks import (
    check_choice,
    check_class_weight,
    check_flags,
    check_number,
    check_offset,
    check_seed,
    check_verbose,
    refuse,
)

Float = NDArray[np.float64]

SOLVERS = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")


class ClassTargets:
    """Labels made into targets, and weights of rows from weights of classes."""

    classes_: NDArray[Any]
    class_weight: Any
    _multi_class: ClassVar[bool] = False  # whether more than two classes are taken

    def _encode(self, X: Any, y: ArrayLike, dtype: Any) -> tuple[Any, Float, NDArray[Any]]:
        """Return X, the target, and the labels as given; sets ``classes_``.

        The target is 0 and 1, (n,), or which of more classes a row has, (n, K).
        """
        if is_plain(X) and type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iub" and len(y) == len(X):
            labels = y
            remember_columns(self, X)
        else:
            X, labels = validate_data(self, X, y, accept_sparse=["csc", "csr"], dtype=dtype)
            check_classification_targets(labels)
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            raise InputError(
                "a classifier needs samples of at least 2 classes; the data have only one class: "
                f"{self.classes_.tolist()[0]!r}"
            )
        if len(self.classes_) > 2 and not self._multi_class:
            raise InputError(
                f"Only binary classification is supported. The type of the target is {type_of_target(labels)}, with "
                f"{len(self.classes_)} classes; wrap {type(self).__name__} in sklearn.multiclass.OneVsRestClassifier"
            )
        if len(self.classes_) > 2:
            return X, (labels[:, None] == self.classes_).astype(np.float64), labels
        return X, (labels == self.classes_[1]).astype(np.float64), labels

    def _total_weight(self, labels: NDArray[Any], weight: Float | None) -> Float:
        """Sample weight times class weight, (n,)."""
        w = np.ones(len(labels)) if weight is None else weight.copy()
        self._check_both_classes(labels, w)
        given = self.class_weight
        if given is None:
            return w
        if isinstance(given, dict):
            if not set(given) <= set(self.classes_.tolist()):
                raise refuse(
                    self, "class_weight", given, f"a dict with keys among the classes {self.classes_.tolist()}"
                )
            factors = [float(given.get(label, 1.0)) for label in self.classes_.tolist()]
        else:
            factors = [float(w.sum() / (len(self.classes_) * w[labels == label].sum())) for label in self.classes_]
        w *= np.asarray(factors)[np.searchsorted(self.classes_, labels)]
        self._check_both_classes(labels, w)
        return w

    def _check_both_classes(self, labels: NDArray[Any], w: Float) -> None:
        for label in self.classes_:
            if not np.any(w[labels == label] > 0.0):
                raise InputError(
                    f"every row of the class {np.array(label).tolist()!r} has weight zero, or is held out by a fold: a "
                    f"classifier needs rows of {'both' if len(self.classes_) == 2 else 'all'} classes. Merge rare "
                    "classes, leave their rows out, or use fewer folds"
                )


class LogisticPrediction(ClassTargets, ClassifierMixin, LinearPrediction):  # type: ignore[misc]
    """Classes and probabilities of a fitted logistic model, and the checks that its classes share.

    Two classes have one linear predictor, the log odds of the second; K > 2 have K, and their softmax as probabilities.
    """

    coef_: Any

    def decision_function(self, X: Any, offset: ArrayLike | None = None) -> Float:
        """Return the log odds of the second class, or the linear predictor of each of more classes.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        offset : (n,), or (n, K) for K > 2 classes, optional
            Added to the linear predictor.

        Returns
        -------
        (n,), or (n, K) for K > 2 classes
        """
        X = check_new_data(self, X)
        eta = X @ self.coef_.T
        eta = np.asarray(eta.toarray() if sparse.issparse(eta) else eta) + self.intercept_
        eta = eta.reshape(-1) if len(self.classes_) == 2 else eta
        o = check_offset(offset, X.shape[0], len(self.classes_))
        return np.asarray(eta if o is None else eta + o)

    def predict(self, X: Any, offset: ArrayLike | None = None) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        offset : (n,), or (n, K) for K > 2 classes, optional
            Added to the linear predictor.

        Returns
        -------
        (n,)
        """
        eta = self.decision_function(X, offset)
        number = (eta > 0.0).astype(np.intp) if eta.ndim == 1 else np.argmax(eta, axis=1)
        return np.asarray(self.classes_[number])

    def predict_proba(self, X: Any, offset: ArrayLike | None = None) -> Float:
        """Return the probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        offset : (n,), or (n, K) for K > 2 classes, optional
            Added to the linear predictor.

        Returns
        -------
        (n, K)
        """
        eta = self.decision_function(X, offset)
        return np.column_stack([expit(-eta), expit(eta)]) if eta.ndim == 1 else np.asarray(softmax(eta, axis=1))

    def predict_log_proba(self, X: Any, offset: ArrayLike | None = None) -> Float:
        """Return the logarithms of the probabilities, exact where these round to 0.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        offset : (n,), or (n, K) for K > 2 classes, optional
            Added to the linear predictor.

        Returns
        -------
        (n, K)
        """
        eta = self.decision_function(X, offset)
        if eta.ndim == 2:
            return np.asarray(log_softmax(eta, axis=1))
        return np.column_stack([log_expit(-eta), log_expit(eta)])

    def sparsify(self) -> Self:
        """Turn ``coef_`` into a CSR matrix; predictions stay the same."""
        check_is_fitted(self)
        self.coef_ = sparse.csr_matrix(self.coef_)
        return self

    def densify(self) -> Self:
        """Turn ``coef_`` back into an array."""
        check_is_fitted(self)
        if sparse.issparse(self.coef_):
            self.coef_ = self.coef_.toarray()
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = self._multi_class
        return tags

    def _check_controls(self) -> None:
        check_number(self, "tol", 0.0)
        check_number(self, "max_iter", 0, integer=True)
        check_number(self, "intercept_scaling", 0.0, above=True)
        check_number(self, "n_jobs", integer=True, none=True)
        check_flags(self, "fit_intercept", "dual", "standardize")
        check_choice(self, "solver", SOLVERS)
        check_seed(self)
        check_verbose(self)
        if self.dual and self.solver != "liblinear":
            raise refuse(self, "dual", True, f"False with solver={self.solver!r}")
        check_class_weight(self)
