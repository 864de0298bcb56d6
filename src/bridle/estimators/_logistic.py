"""LogisticRegression: C is 1 / (S lam), S the sum of the weights, since its loss is a sum and C multiplies it."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import expit, log_expit
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from bridle.convert import from_sklearn
from bridle.errors import BridleWarning, InputError
from bridle.estimators._base import (
    LinearPrediction,
    check_new_data,
    fit_at,
    is_plain,
    objective_at,
    path_options,
    remember_columns,
    warn_unless_converged,
)
from bridle.estimators._checks import (
    check_choice,
    check_flags,
    check_number,
    check_offset,
    check_seed,
    check_verbose,
    check_weight_of_sum,
    refuse,
)

Float = NDArray[np.float64]

SOLVERS = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")
_PENALTY_RATIO = {"l2": 0.0, "l1": 1.0}


class LogisticPrediction(ClassifierMixin, LinearPrediction):  # type: ignore[misc]
    """Classes and probabilities of a fitted logistic model, and the checks that its classes share."""

    classes_: NDArray[Any]
    coef_: Any

    def decision_function(self, X: Any, offset: ArrayLike | None = None) -> Float:
        """Return the log odds of the second class.

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
        eta = X @ self.coef_.T
        eta = np.asarray(eta.toarray() if sparse.issparse(eta) else eta).reshape(-1) + self.intercept_
        o = check_offset(offset, X.shape[0])
        return np.asarray(eta if o is None else eta + o)

    def predict(self, X: Any, offset: ArrayLike | None = None) -> NDArray[Any]:
        """Return the more probable class of each row.

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
        second = self.decision_function(X, offset) > 0.0
        return np.asarray(self.classes_[second.astype(np.intp)])

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
        (n, 2)
        """
        eta = self.decision_function(X, offset)
        return np.column_stack([expit(-eta), expit(eta)])

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
        (n, 2)
        """
        eta = self.decision_function(X, offset)
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
        tags.classifier_tags.multi_class = False
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
        if not (self.class_weight is None or self.class_weight == "balanced" or isinstance(self.class_weight, dict)):
            raise refuse(self, "class_weight", self.class_weight, "'balanced', a dict of class to weight, or None")

    def _encode(self, X: Any, y: ArrayLike, dtype: Any) -> tuple[Any, Float, NDArray[Any]]:
        """Return X, the target as 0 and 1, and the labels as given; sets ``classes_``."""
        if is_plain(X) and type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iub" and len(y) == len(X):
            labels = y
            remember_columns(self, X)
        else:
            X, labels = validate_data(self, X, y, accept_sparse=["csc", "csr"], dtype=dtype)
            check_classification_targets(labels)
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            raise InputError(
                f"a classifier needs samples of at least 2 classes; the data have only one class: {self.classes_[0]!r}"
            )
        if len(self.classes_) > 2:
            raise InputError(
                f"Only binary classification is supported. The type of the target is {type_of_target(labels)}, with "
                f"{len(self.classes_)} classes; wrap {type(self).__name__} in sklearn.multiclass.OneVsRestClassifier"
            )
        return X, (labels == self.classes_[1]).astype(np.float64), labels

    def _total_weight(self, labels: NDArray[Any], weight: Float | None) -> Float:
        """Sample weight times class weight, (n,)."""
        w = np.ones(len(labels)) if weight is None else weight.copy()
        self._check_both_classes(labels, w)
        given = self.class_weight
        if given is None:
            return w
        second = labels == self.classes_[1]
        if isinstance(given, dict):
            if not set(given) <= set(self.classes_.tolist()):
                raise refuse(
                    self, "class_weight", given, f"a dict with keys among the classes {self.classes_.tolist()}"
                )
            low, high = (float(given.get(label, 1.0)) for label in self.classes_.tolist())
        else:
            low, high = (float(w.sum() / (2.0 * w[labels == label].sum())) for label in self.classes_)
        w = w * np.where(second, high, low)
        self._check_both_classes(labels, w)
        return w

    def _check_both_classes(self, labels: NDArray[Any], w: Float) -> None:
        for label in self.classes_:
            if not np.any(w[labels == label] > 0.0):
                raise InputError(
                    f"every row of the class {label!r} has weight zero: a classifier needs rows of both classes"
                )


def lambda_of(C: ArrayLike, total: float) -> Float:
    """Return lam for C, element by element; C = inf is no penalty."""
    strengths = np.asarray(C, dtype=np.float64)
    return np.asarray(from_sklearn("LogisticRegression", C=strengths, l1_ratio=0.0, sum_weight=total).lam)


class LogisticRegression(LogisticPrediction):
    r"""Logistic regression of two classes with an L2, L1 or mixed penalty, to a certificate.

    .. math:: \min_{b_0, b} \; C \sum_i s_i \left[ \log(1 + e^{\eta_i}) - y_i \eta_i \right]
              + \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right], \quad
              \eta_i = o_i + b_0 + x_i'b, \quad \rho = \texttt{l1\_ratio}

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``n_jobs`` are bridle's own.

    Parameters
    ----------
    penalty : {"l1", "l2", "elasticnet", None}, optional
        Older spelling of the penalty: "l2" is ``l1_ratio=0``, "l1" is ``l1_ratio=1``, None is ``C=inf``.
    C : float, default=1.0
        Inverse strength of the penalty, above 0; inf is none.
    l1_ratio : float, default=0.0
        Share of the L1 penalty, from 0 (ridge) to 1 (lasso).
    dual : bool, default=False
        Accepted for compatibility.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    intercept_scaling : float, default=1
        Accepted for compatibility: the intercept is never penalised.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; they multiply the sample weights.
    random_state : int, RandomState or None, default=None
        Accepted for compatibility: the solver is deterministic.
    solver : str, default="lbfgs"
        Accepted for compatibility: one solver serves all penalties.
    max_iter : int, default=100
        Bound on the solver's work; rarely met.
    verbose : int, default=0
        Accepted for compatibility.
    warm_start : bool, default=False
        Accepted for compatibility: the answer doesn't depend on the start.
    n_jobs : int or None, default=None
        Accepted for compatibility.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper.

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
    """

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs
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
            Labels of two classes, of any type.
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
            A parameter, the data, the weights or the offset can't be used, or y doesn't have two classes.
        """
        self._check_controls()
        check_flags(self, "warm_start")
        check_number(self, "C", 0.0, np.inf, above=True)
        C, ratio = self._penalty()
        X, target, labels = self._encode(X, y, [np.float64, np.float32])
        w = self._total_weight(labels, check_weight_of_sum(sample_weight, len(target)))
        lam = float(lambda_of(C, float(w.sum())))
        options = path_options(self, "binomial", ratio) | {
            "sample_weight": w,
            "offset": check_offset(offset, len(target)),
        }
        path = fit_at(X, target, [lam], options)
        self.path_, self.objective_ = path, objective_at(path, lam)
        self.coef_ = path.coef.astype(X.dtype, copy=False)
        self.intercept_ = path.intercept.astype(X.dtype, copy=False)
        self.n_iter_ = np.maximum(path.n_iter, 1).astype(np.int32)
        self.dual_gap_, self.relative_gap_ = path.gap[0], path.relative_gap[0]
        warn_unless_converged(self, path)
        return self

    def _penalty(self) -> tuple[float, float]:
        """Return (C, l1_ratio) that ``penalty``, ``C`` and ``l1_ratio`` mean together."""
        check_choice(self, "penalty", ("deprecated", "l1", "l2", "elasticnet", None))
        if self.l1_ratio is not None:
            check_number(self, "l1_ratio", 0.0, 1.0)
        if self.penalty is None:
            return np.inf, 0.0
        if self.penalty == "elasticnet":
            if self.l1_ratio is None:
                raise refuse(self, "l1_ratio", None, "a number from 0 to 1 where penalty='elasticnet'")
            return self.C, float(self.l1_ratio)
        if self.penalty == "deprecated":
            return self.C, float(self.l1_ratio or 0.0)
        ratio = _PENALTY_RATIO[self.penalty]
        if self.l1_ratio not in {None, 0.0, ratio}:
            warnings.warn(
                f"penalty={self.penalty!r} and l1_ratio={self.l1_ratio!r} contradict each other; penalty counts. "
                "Leave penalty out",
                BridleWarning,
                stacklevel=3,
            )
        return self.C, ratio
