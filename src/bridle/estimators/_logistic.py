"""LogisticRegression: C is 1 / (S lam), S the sum of the weights, since its loss is a sum and C multiplies it."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.convert import from_sklearn
from bridle.errors import BridleWarning
from bridle.estimators._base import fit_at, objective_at, path_options, warn_unless_converged
from bridle.estimators._checks import (
    check_choice,
    check_flags,
    check_number,
    check_offset,
    check_weight_of_sum,
    refuse,
)
from bridle.estimators._logistic_prediction import LogisticPrediction
from bridle.path import Path

Float = NDArray[np.float64]

_PENALTY_RATIO = {"l2": 0.0, "l1": 1.0}


def lambda_of(C: ArrayLike, total: float) -> Float:
    """Return lam for C, element by element; C = inf is no penalty."""
    strengths = np.asarray(C, dtype=np.float64)
    return np.asarray(from_sklearn("LogisticRegression", C=strengths, l1_ratio=0.0, sum_weight=total).lam)


def family_of(target: Float) -> str:
    """Return the family of a target, (n,) of two classes or (n, K) of more."""
    return "binomial" if target.ndim == 1 else "multinomial"


def rows_of(path: Path) -> tuple[Float, Float]:
    """Return coefficients (L, R, p) and intercepts (L, R) of R = 1 log odds, or of R = K classes."""
    if path.intercept.ndim == 1:
        return path.coef[:, None, :], path.intercept[:, None]
    return np.moveaxis(path.coef, 1, 2), path.intercept


class LogisticRegression(LogisticPrediction):
    r"""Logistic regression of two or more classes with an L2, L1 or mixed penalty, to a certificate.

    .. math:: \min_{b_0, b} \; C \sum_i s_i \left[ \log(1 + e^{\eta_i}) - y_i \eta_i \right]
              + \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right], \quad
              \eta_i = o_i + b_0 + x_i'b, \quad \rho = \texttt{l1\_ratio}

    K > 2 classes have a linear predictor each, the loss is :math:`\log \sum_k e^{\eta_{ik}} - \eta_{i y_i}`, and the
    penalty is summed over the classes: the symmetric multinomial model. Parameters, defaults and fitted attributes are
    scikit-learn's; those after ``n_jobs`` are bridle's own.

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
    classes_ : (K,)
        Labels of the classes, sorted.
    coef_ : (1, p) or (K, p)
        Coefficients of the log odds of the second class, or of each of more classes.
    intercept_ : (1,) or (K,)
        Intercept; those of several classes sum to 0.
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

    _multi_class: ClassVar[bool] = True

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
            Labels of two or more classes, of any type.
        sample_weight : (n,), optional
            Weights of the rows. Their sum matters: the loss is a sum, so doubling them halves the penalty.
        offset : (n,), or (n, K) for K > 2 classes, optional
            Added to the linear predictor.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used, or y has one class.
        """
        self._check_controls()
        check_flags(self, "warm_start")
        check_number(self, "C", 0.0, np.inf, above=True)
        C, ratio = self._penalty()
        X, target, labels = self._encode(X, y, [np.float64, np.float32])
        w = self._total_weight(labels, check_weight_of_sum(sample_weight, len(target)))
        lam = float(lambda_of(C, float(w.sum())))
        options = path_options(self, family_of(target), ratio) | {
            "sample_weight": w,
            "offset": check_offset(offset, len(target), len(self.classes_)),
        }
        path = fit_at(X, target, [lam], options)
        self.path_, self.objective_ = path, objective_at(path, lam)
        coef, intercept = rows_of(path)
        self.coef_ = coef[0].astype(X.dtype, copy=False)
        self.intercept_ = intercept[0].astype(X.dtype, copy=False)
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
