"""MultiTaskLasso and MultiTaskElasticNet: several targets, each feature in or out for all of them at once."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn import get_config
from sklearn.base import MultiOutputMixin, RegressorMixin

from bridle.errors import InputError
from bridle.estimators._base import (
    LinearPrediction,
    check_training_data,
    fit_at,
    objective_at,
    path_options,
    warn_unless_converged,
)
from bridle.estimators._checks import check_number, check_solver_controls, check_weight
from bridle.estimators._paths import enet_path

Float = NDArray[np.float64]


class MultiTaskPrediction(MultiOutputMixin, RegressorMixin, LinearPrediction):  # type: ignore[misc]
    """What the classes for several targets share."""

    lower, upper = -np.inf, np.inf  # bounds can't be combined with norms

    def predict(self, X: Any) -> Any:
        """Predict the targets: X coef_' + intercept_.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.

        Returns
        -------
        (n, t)
        """
        return self._linear_predictor(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = False
        return tags

    def _check_targets(self, X: Any, y: ArrayLike, single: str) -> tuple[Any, Float]:
        X, y = check_training_data(self, X, y, multi_output=True)
        if y.ndim == 1:
            raise InputError(f"{type(self).__name__} takes several targets, (n, t); for mono-task outputs use {single}")
        return X, y


class _MultiTaskBase(MultiTaskPrediction):
    """What MultiTaskLasso and MultiTaskElasticNet share; the two differ in their parameters only."""

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to a certificate.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n, t)
            Targets.
        sample_weight : (n,), optional
            Weights of the rows; their sum doesn't matter.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data or the weights can't be used.
        """
        check_number(self, "alpha", 0.0)
        check_number(self, "l1_ratio", 0.0, 1.0)
        check_number(self, "max_iter", 1, integer=True)
        check_solver_controls(self)
        X, y = self._check_targets(X, y, type(self).__name__.removeprefix("MultiTask"))
        options = path_options(self, "multigaussian", self.l1_ratio) | {
            "penalty": "group_lasso",
            "sample_weight": check_weight(sample_weight, X.shape[0]),
        }
        path = fit_at(X, y, [self.alpha], options)
        dtype = X.dtype if X.dtype.kind == "f" else np.float64
        self.coef_ = np.asfortranarray(path.coef[0].T.astype(dtype, copy=False))
        self.intercept_: Any = path.intercept[0].astype(dtype, copy=False) if self.fit_intercept else 0.0
        self.n_iter_ = max(int(path.n_iter[0]), 1)
        self.dual_gap_, self.relative_gap_ = float(path.gap[0]), float(path.relative_gap[0])
        self.eps_ = float(self.tol) * 0.5 * path.null_deviance
        self.path_, self.objective_ = path, objective_at(path, float(self.alpha))
        warn_unless_converged(self, path)
        return self

    @property
    def sparse_coef_(self) -> Any:
        """(t, p) coefficients in CSR form."""
        if get_config().get("sparse_interface") == "sparray":
            return sparse.csr_array(self.coef_)
        return sparse.csr_matrix(self.coef_)


class MultiTaskElasticNet(_MultiTaskBase):
    r"""Linear regression of several targets with a mixture of group-lasso and ridge penalty, to a certificate.

    .. math:: \min_{b_0, B} \; \frac{1}{2n} \|Y - 1 b_0' - X B\|_F^2
              + \alpha \sum_j v_j \left[ \rho \|B_j\|_2 + \frac{1 - \rho}{2} \|B_j\|_2^2 \right], \qquad
              \rho = \texttt{l1\_ratio}

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``selection`` are bridle's own.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    l1_ratio : float, default=0.5
        Share of the norm, from 0 (ridge) to 1 (lasso).
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to.
    max_iter : int, default=1000
        Bound on the solver's work, about as many passes as in scikit-learn; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    warm_start : bool, default=False
        Accepted for compatibility: the answer doesn't depend on the start.
    random_state : int, RandomState or None, default=None
        Accepted for compatibility: the solver is deterministic.
    selection : {"cyclic", "random"}, default="cyclic"
        Accepted for compatibility.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance. ``coef_`` stays on the
        original scale.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.

    Attributes
    ----------
    coef_ : (t, p)
        Coefficients.
    intercept_ : (t,)
        Intercepts.
    n_iter_ : int
        Iterations.
    dual_gap_, relative_gap_ : float
        Duality gap of the objective above, and the same over the objective of the model without features.
    eps_ : float
        The gap that ``tol`` allows.
    objective_ : str
        The objective solved, with its numbers.
    path_ : Path
        The fit with all its certificates.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    path = staticmethod(enet_path)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.selection = selection
        self.standardize = standardize
        self.penalty_factor = penalty_factor


class MultiTaskLasso(_MultiTaskBase):
    r"""Linear regression of several targets with a group-lasso penalty, to a certificate.

    .. math:: \min_{b_0, B} \; \frac{1}{2n} \|Y - 1 b_0' - X B\|_F^2 + \alpha \sum_j v_j \|B_j\|_2

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``selection`` are bridle's own.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to.
    max_iter : int, default=1000
        Bound on the solver's work, about as many passes as in scikit-learn; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    warm_start : bool, default=False
        Accepted for compatibility: the answer doesn't depend on the start.
    random_state : int, RandomState or None, default=None
        Accepted for compatibility: the solver is deterministic.
    selection : {"cyclic", "random"}, default="cyclic"
        Accepted for compatibility.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance. ``coef_`` stays on the
        original scale.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.

    Attributes
    ----------
    coef_ : (t, p)
        Coefficients.
    intercept_ : (t,)
        Intercepts.
    n_iter_ : int
        Iterations.
    dual_gap_, relative_gap_ : float
        Duality gap of the objective above, and the same over the objective of the model without features.
    eps_ : float
        The gap that ``tol`` allows.
    objective_ : str
        The objective solved, with its numbers.
    path_ : Path
        The fit with all its certificates.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    path = staticmethod(enet_path)
    l1_ratio = 1.0

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.selection = selection
        self.standardize = standardize
        self.penalty_factor = penalty_factor
