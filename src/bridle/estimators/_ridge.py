"""Ridge: alpha is S times lam, S the sum of the weights, since its loss is a sum."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin

from bridle.certificates import Certificate, certify, constant_below, null_gap, penalty_scale, relative
from bridle.convert import from_sklearn
from bridle.errors import InputError
from bridle.estimators._base import (
    LinearPrediction,
    bounds,
    check_training_data,
    drop_axis,
    fit_at,
    path_options,
    warn_unless_converged,
)
from bridle.estimators._checks import (
    check_choice,
    check_flags,
    check_grid,
    check_number,
    check_seed,
    check_weight_of_sum,
    refuse,
)
from bridle.estimators._ridge_algebra import CentredDesign, moments_of, ridge_gap, solve_ridge
from bridle.losses import GAUSSIAN
from bridle.penalties import Penalty

Float = NDArray[np.float64]

SOLVERS = ("auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs")
LARGEST_GRAM = 6000
"""Side of the largest Gram matrix that is factorised (0.3 GB); beyond it the path solver takes over."""


def centred_design(X: Any, weight: Float | None, estimator: Any) -> tuple[CentredDesign, Float]:
    """Return the design, and q_j, (p,): the weight of b_j^2 on the original scale, as the path defines it."""
    mean, deviation = moments_of(X, weight)
    centred = bool(estimator.fit_intercept)
    q = np.ones(len(mean))
    if estimator.penalty_factor is not None:
        q = Penalty(0.0, np.asarray(estimator.penalty_factor, dtype=np.float64)).factors(len(mean))
    if estimator.standardize:
        q = q * penalty_scale(mean, deviation, fit_intercept=centred, standardize=True) ** 2
    if centred:
        q = np.where(deviation <= constant_below(mean), np.inf, q)
    return CentredDesign.make(X, weight, centred, q, (mean, deviation)), q


def is_bounded(estimator: Any) -> bool:
    """Return whether any coefficient has a bound: then there is no closed form."""
    lower, upper = bounds(estimator)
    if isinstance(lower, float) and isinstance(upper, float):
        return lower > -np.inf or upper < np.inf
    return bool(np.any(np.asarray(lower) > -np.inf) or np.any(np.asarray(upper) < np.inf))


def has_closed_form(estimator: Any, X: Any, q: Float) -> bool:
    """Return whether a Gram matrix of either side is small enough and answers the question."""
    n, p = X.shape
    return not is_bounded(estimator) and min(n, p) <= LARGEST_GRAM and (p <= n or p <= LARGEST_GRAM or bool(np.all(q)))


class Ridge(MultiOutputMixin, RegressorMixin, LinearPrediction):  # type: ignore[misc]
    r"""Linear regression with an L2 penalty, in closed form.

    .. math:: \min_{b_0, b} \; \|y - b_0 - Xb\|^2 + \alpha \sum_j v_j b_j^2

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``random_state`` are bridle's own.

    Parameters
    ----------
    alpha : float or (t,), default=1.0
        Strength of the penalty, at least 0; one for each target if an array. With 0 and a singular X the answer of
        least norm is given.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to.
    max_iter : int or None, default=None
        Bound on the work of the iterative solver, which serves bounded coefficients and very large problems only.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    solver : str, default="auto"
        Accepted for compatibility, and checked as scikit-learn does; bridle chooses by itself.
    positive : bool, default=False
        Whether coefficients must be at least 0.
    random_state : int, RandomState or None, default=None
        Accepted for compatibility: the solver is deterministic.
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
    n_iter_ : (t,)
        Iterations; 1 for the closed form.
    solver_ : str
        "cholesky", or "path" for the iterative solver.
    dual_gap_, relative_gap_ : float or (t,)
        Certificate on the scale of the mean loss: the objective above over twice the sum of the weights.
    objective_ : str
        The objective solved.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    def __init__(
        self,
        alpha: ArrayLike = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit all targets with one factorisation.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,) or (n, t)
            Target or targets.
        sample_weight : float or (n,), optional
            Weights of the rows. Their sum matters: the loss is a sum, so doubling them halves the penalty.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data or the weights can't be used.
        """
        self._check()
        X, y = check_training_data(self, X, y, multi_output=True)
        n, t = X.shape[0], 1 if y.ndim == 1 else y.shape[1]
        weight = check_weight_of_sum(sample_weight, n)
        alphas = check_grid(self, "alpha", self.alpha)
        if alphas.size not in {1, t}:
            raise refuse(self, "alpha", self.alpha, f"one number, or one for each of the {t} targets")
        total = float(n if weight is None else weight.sum())
        lambdas = np.asarray(from_sklearn("Ridge", alpha=np.broadcast_to(alphas, t), sum_weight=total).lam)
        columns, alphas = y.reshape(n, t), np.broadcast_to(alphas, t)
        design, q = centred_design(X, weight, self)
        if has_closed_form(self, X, q):
            coef, intercept = solve_ridge(design, columns, alphas, self.fit_intercept)
            self.solver_, self.n_iter_ = "cholesky", np.ones(t, dtype=np.int32)
            self.certify(design, columns, (coef, intercept), alphas, weight)
        else:
            coef, intercept = self._iterate(X, columns, lambdas, weight)
        coef, intercept = coef.astype(X.dtype, copy=False), intercept.astype(X.dtype, copy=False)
        self.coef_ = drop_axis(coef)
        self.intercept_ = 0.0 if not self.fit_intercept else intercept if y.ndim == 2 else intercept[0]
        self.objective_ = ridge_objective(alphas, self.standardize)
        return self

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

    def _check(self) -> None:
        check_number(self, "tol", 0.0)
        check_number(self, "max_iter", 1, integer=True, none=True)
        check_flags(self, "fit_intercept", "copy_X", "positive", "standardize")
        check_choice(self, "solver", SOLVERS)
        check_seed(self)
        if self.solver == "lbfgs" and not self.positive:
            raise refuse(self, "solver", self.solver, "another one unless positive=True, as in scikit-learn")
        if self.positive and self.solver not in {"auto", "lbfgs"}:
            raise refuse(self, "solver", self.solver, "'auto' or 'lbfgs' where positive=True")

    def certify(
        self, design: CentredDesign, Y: Float, fit: tuple[Float, Float], alphas: Float, weight: Float | None
    ) -> None:
        """Set the gaps of coefficients (t, p) and intercepts (t,) at ``alphas``, (t,)."""
        if np.all(alphas > 0.0):
            w = design.root**2 / float(design.root @ design.root)
            nothing = np.zeros(len(Y))
            intercept = bool(self.fit_intercept)
            reference = [null_gap(GAUSSIAN, y, w, nothing, fit_intercept=intercept) for y in np.ascontiguousarray(Y.T)]
            gaps = ridge_gap(design, Y, fit, alphas)
            self.dual_gap_ = drop_axis(gaps)
            self.relative_gap_ = drop_axis(np.array([relative(*pair) for pair in zip(gaps, reference, strict=True)]))
            return
        found = [self._certify_target(design.X, Y[:, k], fit, k, float(alphas[k]), weight) for k in range(len(alphas))]
        self.dual_gap_ = drop_axis([max(c.gap, 0.0) for c in found])
        self.relative_gap_ = drop_axis([max(c.relative_gap, 0.0) for c in found])

    def _certify_target(
        self, X: Any, y: Float, fit: tuple[Float, Float], k: int, alpha: float, weight: Float | None
    ) -> Certificate:
        """Certify one of several targets; at alpha = 0 every feature is as if it weren't penalised."""
        factor = self.penalty_factor
        factor = np.ones(X.shape[1]) if factor is None else np.asarray(factor, dtype=np.float64)
        return certify(
            X,
            y,
            float(fit[1][k]),
            fit[0][k],
            alpha / float(len(y) if weight is None else weight.sum()),
            family="gaussian",
            penalty=Penalty(0.0, factor if alpha > 0.0 else np.where(np.isfinite(factor), 0.0, np.inf)),
            sample_weight=weight,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
        )

    def _iterate(self, X: Any, Y: Float, lambdas: Float, weight: Float | None) -> tuple[Float, Float]:
        options = path_options(self, l1_ratio=0.0) | {"sample_weight": weight}
        paths = [fit_at(X, np.ascontiguousarray(Y[:, k]), [lam], options) for k, lam in enumerate(lambdas)]
        self.solver_ = "path"
        self.n_iter_ = np.array([max(int(path.n_iter[0]), 1) for path in paths])
        self.dual_gap_ = drop_axis([path.gap[0] for path in paths])
        self.relative_gap_ = drop_axis([path.relative_gap[0] for path in paths])
        warn_unless_converged(self, *paths)
        return np.vstack([path.coef for path in paths]), np.array([path.intercept[0] for path in paths])


def ridge_objective(alphas: Float, standardize: bool) -> str:
    """Return the objective in one line, with its numbers."""
    number = f"{alphas[0]:.6g}" if np.all(alphas == alphas[0]) else "alpha_k"
    scaled = " (b on standardised features)" if standardize else ""
    return f"sum_i s_i (y_i - b0 - x_i'b)^2 + {number} * sum_j v_j b_j^2{scaled}"


def refuse_bounds(estimator: object) -> InputError:
    """Return the error for leave-one-out with bounded coefficients."""
    return InputError(
        f"{type(estimator).__name__}: leave-one-out has no closed form with bounded coefficients; got lower or upper "
        "bounds with cv=None. Give cv, for example cv=5"
    )
