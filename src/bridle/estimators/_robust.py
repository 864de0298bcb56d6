"""HuberRegressor, whose scale is fitted with it as scikit-learn does, and QuantileRegressor, smoothed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.estimators._base import check_training_data, fit_at, path_options
from bridle.estimators._checks import check_choice, check_flags, check_number, check_offset, check_weight
from bridle.estimators._generalized import FamilyRegressor
from bridle.estimators._huber_scale import fit_together
from bridle.losses import Family, Huber, get_family
from bridle.losses.dispersion import robust_deviation, weighted_median
from bridle.path import Path

Float = NDArray[np.float64]

SHARPNESS = 1e-3  # bandwidth in robust standard deviations, where nearness to the pinball loss is what is asked for
FOLD_GAP = 1e-11  # of a fold's fits: the slope's root then has six digits
LEAST_SCALE = 1e-6  # sigma of a perfect fit, in robust standard deviations of y


class HuberRegressor(FamilyRegressor):
    r"""Linear regression that outliers sway little: Huber's loss, its scale fitted with it, and an L2 penalty.

    .. math:: \min_{b_0, b, \sigma > 0} \; \sum_i w_i \left[ \sigma + \sigma H_\epsilon(r_i / \sigma) \right]
              + \alpha |b|^2, \quad r = y - b_0 - X b, \quad
              H_\epsilon(z) = z^2 \text{ if } |z| \le \epsilon \text{ else } 2 \epsilon |z| - \epsilon^2

    The objective is scikit-learn's. For a given sigma it is bridle's Huber family with delta = epsilon sigma; the best
    sigma is where the objective's slope in it is 0.

    Parameters
    ----------
    epsilon : float, default=1.35
        At least 1: residuals beyond epsilon sigma count by their size, not their square.
    max_iter : int, default=100
        Bound on the solver's work; rarely met.
    alpha : float, default=0.0001
        Strength of the squared L2 penalty, at least 0, on the sum over the rows.
    warm_start : bool, default=False
        Accepted for compatibility: the answer doesn't depend on the start.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    tol : float, default=1e-5
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
        Coefficients.
    intercept_ : float
        Intercept.
    scale_ : float
        sigma.
    outliers_ : (n,) of bool
        Rows whose residuals are beyond epsilon sigma.
    family_ : Family
        Huber's, with delta = epsilon sigma.
    n_iter_ : int
        Iterations of the last fit.
    dual_gap_, relative_gap_ : float
        Certificate, given sigma.
    objective_ : str
        The objective solved, given sigma.
    path_ : Path
        The fit with all its certificates.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.

    References
    ----------
    Owen (2007), A robust hybrid of lasso and ridge regression, Contemporary Mathematics 443.
    """

    _scores_deviance = False

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        max_iter: int = 100,
        alpha: float = 0.0001,
        warm_start: bool = False,
        fit_intercept: bool = True,
        tol: float = 1e-05,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.alpha = alpha
        self.warm_start = warm_start
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Self:
        """Fit coefficients and scale.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Target.
        sample_weight : (n,), optional
            Weights of the rows; twice the weights are twice the rows.
        offset : (n,), optional
            Added to the linear predictor.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used.
        """
        self._check_parameters()
        check_number(self, "alpha", 0.0)
        X, target = check_training_data(self, X, y)
        weight, o = check_weight(sample_weight, len(target)), check_offset(offset, len(target))
        self._keep(HuberRows(X, target, weight, o), float(self.alpha))
        return self

    def _check_parameters(self) -> None:
        check_number(self, "epsilon", 1.0)
        check_number(self, "max_iter", 1, integer=True)
        check_number(self, "tol", 0.0, above=True)
        check_flags(self, "warm_start", "fit_intercept", "standardize")

    def _keep(self, rows: HuberRows, alpha: float) -> None:
        """Fit all rows, and set the attributes."""
        self.scale_, path = fit_with_scale(self, rows, alpha)
        self.outliers_ = np.abs(rows.residual(path)) > self.scale_ * self.epsilon
        self._store(path, rows.X.dtype)

    def _asked(self) -> Family:
        return Huber()


@dataclass(frozen=True)
class HuberRows:
    """Checked data of some rows."""

    X: Any  # (n, p)
    y: Float  # (n,)
    weight: Float | None  # (n,)
    offset: Float | None  # (n,)

    @property
    def w(self) -> Float:
        """(n,) weights."""
        return np.ones(len(self.y)) if self.weight is None else self.weight

    @property
    def rest(self) -> Float:
        """(n,) y less the offset."""
        return self.y if self.offset is None else self.y - self.offset

    def residual(self, path: Path) -> Float:
        """(n,) residuals of the last fit on a path."""
        at = len(path.lambdas) - 1
        return np.asarray(self.rest - np.asarray(self.X @ path.coef_row(at)) - path.intercept[at])

    def take(self, rows: Any) -> HuberRows:
        """Take rows."""
        weight, offset = (None if given is None else given[rows] for given in (self.weight, self.offset))
        return HuberRows(self.X[rows], self.y[rows], weight, offset)


def fit_with_scale(
    owner: Any, rows: HuberRows, alpha: float, near: float | None = None, *, fold: bool = False
) -> tuple[float, Path]:
    """Fit coefficients and scale.

    Parameters
    ----------
    owner : HuberRegressor
        Its parameters count.
    rows : HuberRows
        Those of training.
    alpha : float
        Strength of the penalty.
    near : float or None
        The scale at a nearby alpha, where the search starts.
    fold : bool
        Whether the fit is one of a fold: six digits of the scale will do, since the loss is flat there.

    Returns
    -------
    tuple
        sigma and a path of one lambda, alpha sigma / sum of the weights.
    """
    w, epsilon = rows.w, float(owner.epsilon)
    options = path_options(owner, Huber(epsilon).spec, 0.0) | ({"tol": FOLD_GAP} if fold else {})
    options |= {"sample_weight": rows.weight, "offset": rows.offset}
    middle = weighted_median(rows.rest, w)
    spread = robust_deviation(rows.rest - middle, w)
    least = LEAST_SCALE * spread
    fits: dict[float, Path] = {}

    def at(sigma: float) -> Path:
        """Fit with the scale given; the last two are kept."""
        if sigma not in fits:
            given = options | {"family": Huber(epsilon * sigma).spec}
            fits[sigma] = fit_at(rows.X, rows.y, [alpha * sigma / float(np.sum(w))], given)
            if len(fits) > 2:
                del fits[next(iter(fits))]
        return fits[sigma]

    def slope(sigma: float) -> float:
        """Slope of the objective in sigma, per row: 1 less the mean of H at z = r / sigma, cut at epsilon."""
        z = np.minimum(np.abs(rows.residual(at(sigma))) / sigma, epsilon)
        return float(1.0 - np.average(z**2, weights=w))

    if rows.X.shape[1] >= len(w) and slope(least) > 0.0:  # the fit is perfect, or nearly
        return least, at(least)
    guess, path = fit_together(rows.X, rows.y, alpha, epsilon, (middle, spread, least), options)
    if guess is not None and path is not None:
        return guess, path
    null = float(np.average(rows.rest, weights=w)) if owner.fit_intercept else 0.0
    top = 2.0 * max(float(np.sqrt(np.average((rows.rest - null) ** 2, weights=w))), spread)
    sigma = _best_scale(slope, (least, top), near if guess is None else guess, 1e-6 if fold else 1e-10)
    return sigma, at(sigma)


def _best_scale(
    slope: Callable[[float], float], within: tuple[float, float], near: float | None, error: float
) -> float:
    """Return where the slope of the profiled objective, which rises with sigma, is 0."""
    from scipy.optimize import brentq

    (least, top), step = within, 8.0 if near is None else 1.2
    high = top if near is None else min(1.1 * near, top)
    while high < top and slope(high) < 0.0:
        high = min(step * high, top)
    low = max(high / step, least)
    while slope(low) > 0.0:
        if low == least:  # the fit is perfect, or nearly
            return least
        low, high = max(low / step**2, least), low
    return float(brentq(slope, low, high, rtol=error, xtol=1e-300)) if slope(high) > 0.0 else high


class QuantileRegressor(FamilyRegressor):
    r"""Linear regression of a quantile, smoothed, with an L1 (or L2, or mixed) penalty, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i \rho_{\tau, h}(y_i - b_0 - x_i'b)
              + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right]

    scikit-learn's objective has the pinball loss itself, which is less by at most h log 2 a row; its linear programme
    takes memory and time that grow fast with the rows.

    Parameters
    ----------
    quantile : float, default=0.5
        tau, between 0 and 1.
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    solver : str, default="highs"
        Accepted for compatibility, as scikit-learn's: one solver serves all.
    solver_options : dict or None, default=None
        Accepted for compatibility.
    bandwidth : float or None, default=None
        h, in units of y; None is a thousandth of y's robust standard deviation.
    l1_ratio : float, default=1.0
        Share of the L1 penalty; 1 is scikit-learn's.
    max_iter : int, default=1000
        Bound on the solver's work.
    tol : float, default=1e-6
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
        Coefficients.
    intercept_ : float
        Intercept.
    family_ : Family
        With the bandwidth used.
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
    """

    _scores_deviance = False

    def __init__(
        self,
        *,
        quantile: float = 0.5,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "highs",
        solver_options: dict[str, Any] | None = None,
        bandwidth: float | None = None,
        l1_ratio: float = 1.0,
        max_iter: int = 1000,
        tol: float = 1e-6,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.quantile = quantile
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.solver_options = solver_options
        self.bandwidth = bandwidth
        self.l1_ratio = l1_ratio
        self.max_iter = max_iter
        self.tol = tol
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "quantile", 0.0, 1.0, above=True)
        check_number(self, "bandwidth", 0.0, above=True, none=True)
        check_choice(self, "solver", ("highs-ds", "highs-ipm", "highs", "interior-point", "revised simplex"))

    def _for(self, y: Float, w: Float) -> Family:
        return sharp_quantile(self, y, w)

    def _asked(self) -> Family:
        return get_family(f"quantile(tau={float(self.quantile)!r})")


def sharp_quantile(owner: Any, y: Float, w: Float) -> Family:
    """Return the family of an estimator's ``quantile``, with a bandwidth for a target (n,) if none is given."""
    h = owner.bandwidth
    if h is None:
        h = SHARPNESS * robust_deviation(y - weighted_median(y, w), w)
    return get_family(f"quantile(tau={float(owner.quantile)!r}, bandwidth={float(h)!r})")
