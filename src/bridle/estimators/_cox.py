"""CoxRegressor and CoxRegressorCV: proportional hazards for times to an event, with survival curves."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from bridle.errors import InputError
from bridle.estimators._base import (
    LinearPrediction,
    fit_at,
    objective_at,
    path_options,
    warn_unless_converged,
)
from bridle.estimators._checks import check_choice, check_flags, check_number, check_offset, check_weight, refuse
from bridle.estimators._path_cv import PathCV, l1_ratio_list
from bridle.selection import Folds, make_folds
from bridle.survival import BaselineHazard, CoxFamily, StepFunction, concordance_index
from bridle.survival.target import STRATUM, read_target

Float = NDArray[np.float64]


class _CoxPrediction(RegressorMixin, LinearPrediction):  # type: ignore[misc]
    """Relative hazards, survival curves and concordance of a fitted model."""

    fit_intercept = False  # the likelihood depends on differences of predictors alone
    ties: str
    strata_: NDArray[Any] | None
    baseline_: BaselineHazard
    event_times_: Float

    def predict(self, X: Any, offset: ArrayLike | None = None) -> Any:
        """Predict the log relative hazard offset + X coef_: higher is an earlier event.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        offset : (n,), optional
            Added to it.

        Returns
        -------
        (n,)
        """
        return self._linear_predictor(X, offset)

    def predict_cumulative_hazard_function(
        self, X: Any, strata: ArrayLike | None = None, offset: ArrayLike | None = None, *, return_array: bool = False
    ) -> Any:
        """Predict the integral of the hazard over time.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        strata : (n,) or one label, optional
            Stratum of each row; needed if the model has several.
        offset : (n,), optional
            Added to the log relative hazard.
        return_array : bool
            Whether to return values at ``event_times_`` instead of functions.

        Returns
        -------
        (n,) array of StepFunction, or (n, K)
        """
        return self._curves(X, strata, offset, survival=False, return_array=return_array)

    def predict_survival_function(
        self, X: Any, strata: ArrayLike | None = None, offset: ArrayLike | None = None, *, return_array: bool = False
    ) -> Any:
        """Predict the probability of no event up to and including each time.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        strata : (n,) or one label, optional
            Stratum of each row; needed if the model has several.
        offset : (n,), optional
            Added to the log relative hazard.
        return_array : bool
            Whether to return values at ``event_times_`` instead of functions.

        Returns
        -------
        (n,) array of StepFunction, or (n, K)
        """
        return self._curves(X, strata, offset, survival=True, return_array=return_array)

    def score(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        strata: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> float:
        """Return Harrell's concordance index, pairs within strata.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : survival target with n rows
            As for :meth:`fit`.
        sample_weight : (n,), optional
            Weights of the rows.
        strata : (n,), optional
            Labels; they replace those in y.
        offset : (n,), optional
            Added to the log relative hazard.

        Returns
        -------
        float
            1 is perfect, 0.5 is chance.
        """
        risk = np.asarray(self.predict(X, offset), dtype=np.float64)
        target, _ = _with_strata(y, len(risk), strata)
        return concordance_index(target, risk, check_weight(sample_weight, len(risk)))

    def _read(self, X: Any, y: Any, strata: ArrayLike | None) -> tuple[Any, Float]:
        """Validate X, (n, p), and the target, (n, 4)."""
        check_choice(self, "ties", ("efron", "breslow"))
        X = validate_data(self, X, accept_sparse=["csc", "csr"], dtype=[np.float64, np.float32])
        if y is None:
            raise InputError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        target, self.strata_ = _with_strata(y, X.shape[0], strata)
        return X, target

    def _store_baseline(self, X: Any, target: Float, weight: Float | None, offset: Float | None) -> None:
        eta = np.asarray(X @ self.coef_, dtype=np.float64) + (0.0 if offset is None else offset)
        self.baseline_ = BaselineHazard.estimate(CoxFamily(self.ties), target, eta, weight)
        self.event_times_ = np.unique(np.concatenate(self.baseline_.times))

    def _curves(self, X: Any, strata: Any, offset: Any, *, survival: bool, return_array: bool) -> Any:
        eta = np.asarray(self._linear_predictor(X, offset), dtype=np.float64)
        number = self._stratum_of(strata, eta.size)
        base = self.baseline_
        functions = np.empty(eta.size, dtype=object)
        for s in np.unique(number):
            rows = np.flatnonzero(number == s)
            at = base.strata[int(s)]
            times, values = base.survival(eta[rows], at) if survival else base.cumulative_hazard(eta[rows], at)
            for i, value in zip(rows, values, strict=True):
                functions[i] = StepFunction(times, value, float(survival))
        return np.array([f(self.event_times_) for f in functions]) if return_array else functions

    def _stratum_of(self, strata: Any, n: int) -> NDArray[np.int64]:
        if self.strata_ is None:
            return np.zeros(n, dtype=np.int64)
        if strata is None:
            raise InputError(f"the model has {len(self.strata_)} strata with hazards of their own: give strata")
        labels = np.full(n, strata) if np.ndim(strata) == 0 else np.asarray(strata)
        if labels.shape != (n,):
            raise InputError(f"strata has shape {labels.shape}; expected one label for each row, ({n},)")
        place = {label: k for k, label in enumerate(self.strata_.tolist())}
        unknown = [label for label in labels.tolist() if label not in place]
        if unknown:
            raise InputError(f"the model has no stratum {unknown[0]!r}; it has {', '.join(map(str, place))}")
        return np.array([place[label] for label in labels.tolist()], dtype=np.int64)


def _with_strata(y: Any, n: int, strata: ArrayLike | None) -> tuple[Float, NDArray[Any] | None]:
    """Return the target (n, 4), strata numbered from 0, and their labels, None if there is but one."""
    target = read_target(y, n)
    labels = target[:, STRATUM] if strata is None else np.asarray(strata)
    if labels.shape != (n,):
        raise InputError(f"strata has shape {labels.shape}; expected one label for each row, ({n},)")
    try:
        found, number = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise InputError(f"strata mixes types that don't sort ({error}); make all labels the same type") from None
    target[:, STRATUM] = number
    return target, found if found.size > 1 else None


class CoxRegressor(_CoxPrediction):
    r"""Cox's proportional hazards with a lasso, ridge or elastic-net penalty, to a certificate.

    .. math:: \min_b \; \frac{1}{S} \sum_{i: \text{event}} s_i \left[ \log \sum_{j \text{ at risk at } t_i}
              s_j e^{\eta_j} - \eta_i \right] + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right],
              \quad \eta_i = o_i + x_i'b, \quad S = \sum_i s_i, \quad \rho = \texttt{l1\_ratio}

    (tied events by Breslow; by Efron those of one time leave one after another). alpha is ``lam`` of
    :func:`bridle.fit_path` and lambda of R's glmnet; scikit-survival's CoxnetSurvivalAnalysis has the same scale.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    l1_ratio : float, default=0.0
        Share of the L1 penalty; 0 is ridge.
    ties : {"efron", "breslow"}, default="efron"
        How events at the same time are treated; R's coxph has the first as default, glmnet the second only.
    max_iter : int, default=100
        Bound on the solver's work; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper.

    Attributes
    ----------
    coef_ : (p,)
        Log hazard ratios.
    baseline_ : BaselineHazard
        Cumulative baseline hazard of each stratum.
    event_times_ : (K,)
        Times of events, of all strata.
    strata_ : (S,) or None
        Labels of the strata, None where there is one.
    n_iter_ : int
        Iterations.
    dual_gap_, relative_gap_ : float
        Certificate.
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
    Simon, Friedman, Hastie and Tibshirani (2011), Regularization paths for Cox's proportional hazards model via
    coordinate descent, Journal of Statistical Software 39(5).
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        l1_ratio: float = 0.0,
        ties: str = "efron",
        max_iter: int = 100,
        tol: float = 1e-4,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.ties = ties
        self.max_iter = max_iter
        self.tol = tol
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        strata: ArrayLike | None = None,
    ) -> Self:
        """Fit to a certificate.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : survival target with n rows
            ``bridle.survival_target(time, event, start=None)``, scikit-survival's structured array (event, time),
            columns [time, event] or [start, stop, event], or a data frame with columns of these names.
        sample_weight : (n,), optional
            Weights of the rows; their sum doesn't matter.
        offset : (n,), optional
            Added to the log relative hazard.
        strata : (n,), optional
            Labels; each stratum has a baseline hazard of its own.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used.
        """
        check_number(self, "alpha", 0.0)
        check_number(self, "l1_ratio", 0.0, 1.0)
        check_number(self, "max_iter", 1, integer=True)
        check_number(self, "tol", 0.0, above=True)
        check_flags(self, "standardize")
        X, target = self._read(X, y, strata)
        weight, shift = check_weight(sample_weight, len(target)), check_offset(offset, len(target))
        options = path_options(self, CoxFamily(self.ties).spec, self.l1_ratio)
        path = fit_at(X, target, [self.alpha], options | {"sample_weight": weight, "offset": shift})
        self.path_, self.objective_ = path, objective_at(path, float(self.alpha))
        self.coef_ = np.asarray(path.coef[0]).astype(X.dtype, copy=False)
        self.intercept_ = 0.0
        self.n_iter_ = max(int(path.n_iter[0]), 1)
        self.dual_gap_, self.relative_gap_ = path.gap[0], path.relative_gap[0]
        self._store_baseline(X, target, weight, shift)
        warn_unless_converged(self, path)
        return self


class CoxRegressorCV(_CoxPrediction, PathCV):
    r"""Cox's proportional hazards with alpha (and l1_ratio) chosen by cross-validated partial likelihood.

    .. math:: \min_b \; \frac{1}{S} \sum_{i: \text{event}} s_i \left[ \log \sum_{j \text{ at risk at } t_i}
              s_j e^{\eta_j} - \eta_i \right] + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right]

    The loss of a fold is what its rows add to the partial likelihood deviance of the training rows, per event (Verweij
    and van Houwelingen 1993).

    Parameters
    ----------
    l1_ratio : float or list of float, default=1.0
        Share of the L1 penalty; of several, the best is chosen.
    eps : float or None, default=None
        Smallest over largest alpha of an automatic grid; None is that of ``bridle.fit_path``.
    alphas : int or (L,), default=100
        Number of values of an automatic grid, or the grid itself.
    ties : {"efron", "breslow"}, default="efron"
        How events at the same time are treated.
    max_iter : int, default=100
        Bound on the solver's work for each alpha; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    cv : int, splitter or iterable of (train, test), default=5
        Folds; a number is of folds stratified by event, drawn with seed 0. Splitters get the events as y.
    n_jobs : int or None, default=None
        Threads for the folds; the result doesn't depend on it.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance, in each fold by its own rows.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper.
    rule : str, default="min"
        How alpha is chosen on the curves: "min", "1se", or another rule of ``bridle.select``.
    relax : bool or list of float, default=False
        Whether to blend with refits of the active features without penalty; gamma, the share of the penalised fit, is
        chosen with alpha, of 0, 0.25, 0.5, 0.75 and 1, or of those given.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        The choice.
    coef_ : (p,)
        Log hazard ratios at the choice.
    baseline_ : BaselineHazard
        Cumulative baseline hazard of each stratum.
    event_times_ : (K,)
        Times of events, of all strata.
    strata_ : (S,) or None
        Labels of the strata, None where there is one.
    alphas_ : (L,) or (ratios, L)
        The grid, largest first.
    deviance_path_ : (L, folds) or (ratios, L, folds)
        Partial likelihood deviance that the held-out rows add, per event.
    dual_gap_, relative_gap_ : float
        Certificate at the choice.
    n_iter_ : int
        Iterations at the choice.
    gamma_ : float
        The share of the penalised fit that was chosen; 1 without ``relax``.
    curve_ : Curve
        The validation curve of ``l1_ratio_``, fold by fold.
    selection_ : Selection
        What the rule chose, and why.
    path_ : Path
        Coefficients of all rows at every alpha, with certificates.
    objective_ : str
        The objective solved.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    fit_intercept = False

    def __init__(
        self,
        *,
        l1_ratio: ArrayLike = 1.0,
        eps: float | None = None,
        alphas: ArrayLike = 100,
        ties: str = "efron",
        max_iter: int = 100,
        tol: float = 1e-4,
        cv: Any = 5,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        rule: str = "min",
        relax: Any = False,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.ties = ties
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.n_jobs = n_jobs
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper
        self.rule = rule
        self.relax = relax

    @property
    def _family(self) -> str:  # type: ignore[override]
        return CoxFamily(self.ties).spec

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        strata: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose alpha by cross-validation, and fit all rows with it.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : survival target with n rows
            As for :class:`CoxRegressor`.
        sample_weight : (n,), optional
            Weights of the rows, in the fits and in the deviance of the folds.
        offset : (n,), optional
            Added to the log relative hazard.
        strata : (n,), optional
            Labels; each stratum has a baseline hazard of its own.
        **params
            ``groups`` for the splitter, and whatever metadata routing sends there.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used.
        """
        valid, target = self._read(X, y, strata)
        self._fit(valid, target, sample_weight, offset, params)
        n = len(target)
        self._store_baseline(valid, target, check_weight(sample_weight, n), check_offset(offset, n))
        return self

    def _l1_ratios(self) -> list[float]:
        return l1_ratio_list(self)

    def _prepare(self, X: Any, y: ArrayLike) -> tuple[Any, Float]:
        return X, np.asarray(y, dtype=np.float64)

    def _folds(self, X: Any, y: Float, routed: Any, params: dict[str, Any]) -> Folds:
        events = CoxFamily(self.ties).classes(y)
        if isinstance(self.cv, int | np.integer) or self.cv is None:
            if self.cv is not None and self.cv < 2:
                raise refuse(self, "cv", self.cv, "a whole number >= 2, a splitter, or pairs of (train, test) rows")
            return make_folds(y, family=self._family, n_splits=int(self.cv or 5), groups=params.get("groups"))
        return super()._folds(X, events, routed, params)

    def _loss_path(self, losses: Float) -> None:
        self.deviance_path_ = losses
