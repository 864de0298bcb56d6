"""Cross-validated regressors of one family each: :class:`PoissonRegressorCV` with another family."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.estimators._checks import check_choice, check_number
from bridle.estimators._families import tweedie
from bridle.estimators._poisson import PoissonRegressorCV
from bridle.estimators._robust import sharp_quantile
from bridle.losses import GAMMA, Family, get_family

Float = NDArray[np.float64]


class GammaRegressorCV(PoissonRegressorCV):
    """:class:`GammaRegressor` with alpha (and l1_ratio) chosen by cross-validated deviance.

    Its parameters and attributes are those of :class:`PoissonRegressorCV`.
    """

    def _asked(self) -> Family:
        return GAMMA


class TweedieRegressorCV(PoissonRegressorCV):
    """:class:`TweedieRegressor` with alpha (and l1_ratio) chosen by cross-validated deviance.

    Beside ``power`` and ``link``, which are those of :class:`TweedieRegressor`, its parameters and attributes are those
    of :class:`PoissonRegressorCV`.
    """

    def __init__(
        self,
        *,
        power: float = 0.0,
        link: str = "auto",
        l1_ratio: ArrayLike = 0.0,
        eps: float | None = None,
        alphas: ArrayLike = 100,
        fit_intercept: bool = True,
        max_iter: int = 100,
        tol: float = 1e-4,
        cv: Any = None,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        rule: str = "min",
        relax: Any = False,
    ) -> None:
        super().__init__(
            l1_ratio=l1_ratio, eps=eps, alphas=alphas, fit_intercept=fit_intercept, max_iter=max_iter, tol=tol, cv=cv,
            n_jobs=n_jobs, standardize=standardize, penalty_factor=penalty_factor, lower=lower, upper=upper, rule=rule,
            relax=relax,
        )  # fmt: skip
        self.power = power
        self.link = link

    def _check(self) -> None:
        super()._check()
        check_number(self, "power")
        check_choice(self, "link", ("auto", "identity", "log"))

    def _asked(self) -> Family:
        return tweedie(self)


class NegativeBinomialRegressorCV(PoissonRegressorCV):
    """:class:`NegativeBinomialRegressor` with alpha (and l1_ratio) chosen by cross-validated deviance.

    Beside ``theta`` (None estimates it once from all rows, where a lasso path has its smallest BIC, so that folds
    measure in one unit) its parameters and attributes are those of :class:`PoissonRegressorCV`.
    """

    def __init__(
        self,
        *,
        theta: float | None = None,
        l1_ratio: ArrayLike = 0.0,
        eps: float | None = None,
        alphas: ArrayLike = 100,
        fit_intercept: bool = True,
        max_iter: int = 100,
        tol: float = 1e-4,
        cv: Any = None,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        rule: str = "min",
        relax: Any = False,
    ) -> None:
        super().__init__(
            l1_ratio=l1_ratio, eps=eps, alphas=alphas, fit_intercept=fit_intercept, max_iter=max_iter, tol=tol, cv=cv,
            n_jobs=n_jobs, standardize=standardize, penalty_factor=penalty_factor, lower=lower, upper=upper, rule=rule,
            relax=relax,
        )  # fmt: skip
        self.theta = theta

    def _check(self) -> None:
        super()._check()
        check_number(self, "theta", 0.0, above=True, none=True)

    def _asked(self) -> Family:
        return get_family(
            "negative_binomial" if self.theta is None else f"negative_binomial(theta={float(self.theta)!r})"
        )

    @property
    def theta_(self) -> float:
        """Given or estimated."""
        return float(self.family_.parameters.get("theta") or np.inf)


class QuantileRegressorCV(PoissonRegressorCV):
    """:class:`QuantileRegressor` with alpha (and l1_ratio) chosen by the cross-validated, smoothed pinball loss.

    Beside ``quantile`` and ``bandwidth``, which are those of :class:`QuantileRegressor`, its parameters and attributes
    are those of :class:`PoissonRegressorCV`.
    """

    _scores_deviance = False

    def __init__(
        self,
        *,
        quantile: float = 0.5,
        bandwidth: float | None = None,
        l1_ratio: ArrayLike = 1.0,
        eps: float | None = None,
        alphas: ArrayLike = 100,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-6,
        cv: Any = None,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        rule: str = "min",
        relax: Any = False,
    ) -> None:
        super().__init__(
            l1_ratio=l1_ratio, eps=eps, alphas=alphas, fit_intercept=fit_intercept, max_iter=max_iter, tol=tol, cv=cv,
            n_jobs=n_jobs, standardize=standardize, penalty_factor=penalty_factor, lower=lower, upper=upper, rule=rule,
            relax=relax,
        )  # fmt: skip
        self.quantile = quantile
        self.bandwidth = bandwidth

    def _check(self) -> None:
        super()._check()
        check_number(self, "quantile", 0.0, 1.0, above=True)
        check_number(self, "bandwidth", 0.0, above=True, none=True)

    def _for(self, y: Float, w: Float) -> Family:
        return sharp_quantile(self, y, w)

    def _asked(self) -> Family:
        return get_family(f"quantile(tau={float(self.quantile)!r})")
