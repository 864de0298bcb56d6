"""Lasso and ElasticNet at one alpha: alpha is lam itself, since the loss is a mean in both."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn import get_config
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils import metadata_routing

from bridle.estimators._base import (
    LinearPrediction,
    check_training_data,
    drop_axis,
    fit_at,
    objective_at,
    path_options,
    warn_unless_converged,
)
from bridle.estimators._checks import check_number, check_precompute, check_solver_controls, check_weight
from bridle.estimators._paths import enet_path
from bridle.path import Path


class _ElasticNetBase(MultiOutputMixin, RegressorMixin, LinearPrediction):  # type: ignore[misc]
    """What Lasso and ElasticNet share; the two differ in their parameters only."""

    path = staticmethod(enet_path)
    __metadata_request__fit = {"check_input": metadata_routing.UNUSED}  # noqa: RUF012 (scikit-learn's protocol)

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, check_input: bool = True) -> Self:
        """Fit to a certificate, target by target.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,) or (n, t)
            Target or targets.
        sample_weight : (n,), optional
            Weights of the rows; their sum doesn't matter.
        check_input : bool, default=True
            False leaves scikit-learn's validation out: X must then be an array of floats, or sparse. What the solver
            itself can't take is refused in any case.

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
        check_number(self, "max_iter", 1, integer=True, none=True)
        check_solver_controls(self)
        if check_input:
            X, y = check_training_data(self, X, y, multi_output=True)
        y = np.asarray(y)
        check_precompute(self, X.shape[1], auto=False)
        weight = check_weight(sample_weight, X.shape[0])
        options = path_options(self, l1_ratio=self.l1_ratio) | {"sample_weight": weight}
        columns = y.reshape(len(y), -1)
        paths = [fit_at(X, np.ascontiguousarray(columns[:, k]), [self.alpha], options) for k in range(columns.shape[1])]
        self._store(paths, X.dtype if X.dtype.kind == "f" else np.float64, two_d=y.ndim == 2)
        return self

    def _store(self, paths: list[Path], dtype: Any, two_d: bool) -> None:
        coef = np.array([path.coef_row(0) for path in paths]).astype(dtype, copy=False)  # (t, p)
        intercept = np.array([path.intercept[0] for path in paths]).astype(dtype, copy=False)
        self.coef_ = drop_axis(coef)
        if not self.fit_intercept:
            self.intercept_: Any = 0.0
        else:
            self.intercept_ = intercept if two_d else intercept[0]
        n_iter = [max(int(path.n_iter[0]), 1) for path in paths]
        self.n_iter_ = n_iter[0] if len(paths) == 1 else n_iter
        self.dual_gap_ = drop_axis([path.gap[0] for path in paths])
        self.relative_gap_ = drop_axis([path.relative_gap[0] for path in paths])
        self.path_ = paths[0] if len(paths) == 1 else tuple(paths)
        self.objective_ = objective_at(paths[0], float(self.alpha))
        warn_unless_converged(self, *paths)

    @property
    def sparse_coef_(self) -> Any:
        """(1, p) or (t, p) coefficients in CSR form."""
        matrix = np.atleast_2d(self.coef_)
        if get_config().get("sparse_interface") == "sparray":
            return sparse.csr_array(matrix)
        return sparse.csr_matrix(matrix)

    def predict(self, X: Any) -> Any:
        """Predict the target: X coef_' + intercept_.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.

        Returns
        -------
        (n,) or (n, t)
        """
        return self._linear_predictor(X)


class ElasticNet(_ElasticNetBase):
    r"""Linear regression with a mixture of L1 and L2 penalties, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{2n} \|y - b_0 - Xb\|^2
              + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right], \qquad \rho = \texttt{l1\_ratio}

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``selection`` are bridle's own.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    l1_ratio : float, default=0.5
        Share of the L1 penalty, from 0 (ridge) to 1 (lasso).
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    precompute : bool or (p, p) array, default=False
        Accepted for compatibility: bridle chooses Gram space by itself. An array is checked for its shape only.
    max_iter : int or None, default=1000
        Bound on the solver's work, about as many passes as in scikit-learn; rarely met.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning. The solver itself goes on to rounding
        error where that is cheap.
    warm_start : bool, default=False
        Accepted for compatibility: the problem is convex and its answer doesn't depend on the start.
    positive : bool, default=False
        Whether coefficients must be at least 0.
    random_state : int, RandomState or None, default=None
        Accepted for compatibility: the solver is deterministic.
    selection : {"cyclic", "random"}, default="cyclic"
        Accepted for compatibility.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance. ``coef_`` stays on the original
        scale.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper.

    Attributes
    ----------
    coef_ : (p,) or (t, p)
        Coefficients.
    intercept_ : float or (t,)
        Intercept.
    n_iter_ : int or list of int
        Iterations.
    dual_gap_ : float or (t,)
        Duality gap of the objective above.
    relative_gap_ : float or (t,)
        The gap over the objective of the model without features.
    objective_ : str
        The objective solved, with its numbers.
    path_ : Path or tuple of Path
        The fit with all its certificates, one for each target.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int | None = 1000,
        copy_X: bool = True,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper


class Lasso(_ElasticNetBase):
    r"""Linear regression with an L1 penalty, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{2n} \|y - b_0 - Xb\|^2 + \alpha \sum_j v_j |b_j|

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``selection`` are bridle's own.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    precompute : bool or (p, p) array, default=False
        Accepted for compatibility: bridle chooses Gram space by itself. An array is checked for its shape only.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to.
    max_iter : int or None, default=1000
        Bound on the solver's work, about as many passes as in scikit-learn; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning. The solver itself goes on to rounding
        error where that is cheap.
    warm_start : bool, default=False
        Accepted for compatibility: the answer doesn't depend on the start.
    positive : bool, default=False
        Whether coefficients must be at least 0.
    random_state : int, RandomState or None, default=None
        Accepted for compatibility: the solver is deterministic.
    selection : {"cyclic", "random"}, default="cyclic"
        Accepted for compatibility.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance. ``coef_`` stays on the original
        scale.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper.

    Attributes
    ----------
    coef_ : (p,) or (t, p)
        Coefficients.
    intercept_ : float or (t,)
        Intercept.
    n_iter_ : int or list of int
        Iterations.
    dual_gap_ : float or (t,)
        Duality gap of the objective above.
    relative_gap_ : float or (t,)
        The gap over the objective of the model without features.
    objective_ : str
        The objective solved, with its numbers.
    path_ : Path or tuple of Path
        The fit with all its certificates, one for each target.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    l1_ratio = 1.0

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        copy_X: bool = True,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper
