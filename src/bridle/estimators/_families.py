"""Regressors of one family each: gamma, Tweedie and negative binomial."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bridle.errors import InputError
from bridle.estimators._checks import check_choice, check_flags, check_number, check_verbose
from bridle.estimators._generalized import FamilyRegressor
from bridle.losses import GAMMA, Family, get_family


class LikeScikitLearns(FamilyRegressor):
    """The parameters that scikit-learn's generalised linear models have."""

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice(self, "solver", ("lbfgs", "newton-cholesky"))
        check_flags(self, "warm_start")
        check_verbose(self)


class GammaRegressor(LikeScikitLearns):
    r"""Log-linear regression of positive numbers with an L2 (or L1, or mixed) penalty, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i \left[ y_i e^{-\eta_i} + \eta_i \right]
              + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right], \quad
              \eta_i = o_i + b_0 + x_i'b, \quad \rho = \texttt{l1\_ratio}

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``verbose`` are bridle's own.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    solver : {"lbfgs", "newton-cholesky"}, default="lbfgs"
        Accepted for compatibility: one solver serves all penalties.
    max_iter : int, default=100
        Bound on the solver's work; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    warm_start : bool, default=False
        Accepted for compatibility: the answer doesn't depend on the start.
    verbose : int, default=0
        Accepted for compatibility.
    l1_ratio : float, default=0.0
        Share of the L1 penalty; 0 is scikit-learn's ridge penalty.
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
        What was fitted.
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

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
        l1_ratio: float = 0.0,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.l1_ratio = l1_ratio
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper

    def _asked(self) -> Family:
        return GAMMA


class TweedieRegressor(LikeScikitLearns):
    r"""Regression with Tweedie's variance mu^power and an L2 (or L1, or mixed) penalty, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{2n} \sum_i d(y_i, \mu_i)
              + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right], \quad
              \rho = \texttt{l1\_ratio}

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``verbose`` are bridle's own.

    Parameters
    ----------
    power : float, default=0.0
        0 is squared error, 1 Poisson, 2 gamma, between 1 and 2 sums of gamma amounts that may be 0. Others have no
        convex loss with a log link, and are refused. ``GeneralizedLinearRegressor("tweedie")`` estimates it.
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    link : {"auto", "identity", "log"}, default="auto"
        "auto" is the identity for power 0 and the logarithm for others; no other combination is convex.
    solver : {"lbfgs", "newton-cholesky"}, default="lbfgs"
        Accepted for compatibility: one solver serves all penalties.
    max_iter : int, default=100
        Bound on the solver's work; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    warm_start : bool, default=False
        Accepted for compatibility: the answer doesn't depend on the start.
    verbose : int, default=0
        Accepted for compatibility.
    l1_ratio : float, default=0.0
        Share of the L1 penalty; 0 is scikit-learn's ridge penalty.
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
        What was fitted.
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

    def __init__(
        self,
        *,
        power: float = 0.0,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        link: str = "auto",
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
        l1_ratio: float = 0.0,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.power = power
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.link = link
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.l1_ratio = l1_ratio
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "power")
        check_choice(self, "link", ("auto", "identity", "log"))

    def _asked(self) -> Family:
        return tweedie(self)


def tweedie(owner: Any) -> Family:
    """Return the family of an estimator's ``power``, if ``link`` is one for it."""
    power = float(owner.power)
    family = get_family("gaussian" if power == 0.0 else f"tweedie(power={power!r})")
    if owner.link not in ("auto", family.link_name):
        raise InputError(
            f"{type(owner).__name__}(power={owner.power!r}) has a convex loss with the {family.link_name} link only; "
            f"got link={owner.link!r}"
        )
    return family


class NegativeBinomialRegressor(FamilyRegressor):
    r"""Log-linear regression of counts with variance mu + mu^2 / theta, penalised, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i \left[ (y_i + \theta) \log(1 + e^{\eta_i} / \theta)
              - y_i \eta_i \right]
              + \alpha \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right]

    scikit-learn has no such class; parameters follow its PoissonRegressor.

    Parameters
    ----------
    theta : float or None, default=None
        Size of the overdispersion, smaller is more; None estimates it by maximum likelihood at this alpha, in turn with
        the coefficients, as MASS's ``glm.nb`` does at alpha 0.
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    l1_ratio : float, default=0.0
        Share of the L1 penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
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
        Coefficients.
    intercept_ : float
        Intercept.
    theta_ : float
        Given or estimated; inf where the counts vary no more than Poisson's.
    family_ : Family
        What was fitted.
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

    def __init__(
        self,
        *,
        theta: float | None = None,
        alpha: float = 1.0,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        max_iter: int = 100,
        tol: float = 1e-4,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.theta = theta
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "theta", 0.0, above=True, none=True)

    def _asked(self) -> Family:
        given = "" if self.theta is None else f"(theta={float(self.theta)!r})"
        return get_family(f"negative_binomial{given}")

    @property
    def theta_(self) -> float:
        """Given or estimated."""
        return float(self.family_.parameters.get("theta") or np.inf)
