"""AdaptiveLasso, at one alpha and with alpha chosen by cross-validation."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from bridle.estimators._checks import check_choice, check_number
from bridle.estimators._general import PenalisedModel, PenalisedModelCV, labels_of
from bridle.penalties.kinds import INITIALS


class _Adaptive:
    """What says which penalty is meant."""

    gamma: float
    initial: str
    groups: Any

    def _check_weights(self) -> None:
        check_number(self, "gamma", 0.0, above=True)
        check_choice(self, "initial", INITIALS)

    def _penalty(self, p: int) -> dict[str, Any]:
        parameters = f"(gamma={float(self.gamma)!r}, initial={self.initial!r})"
        if self.groups is None:
            return {"penalty": f"adaptive_lasso{parameters}"}
        return {"penalty": f"adaptive_group_lasso{parameters}", "groups": labels_of(self.groups, p)}


class AdaptiveLasso(_Adaptive, PenalisedModel):
    r"""A generalised linear model whose lasso penalises less what a first fit finds large, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i f(y_i, b_0 + x_i'b)
        + \alpha \sum_j \frac{v_j}{|\hat b^0_j|^\gamma} \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right],
        \qquad \rho = \texttt{l1\_ratio}

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    gamma : float, default=1.0
        Power of the weights, above 0.
    initial : {"ridge", "ols", "lasso"}, default="ridge"
        The first fit: ridge or lasso with its strength chosen by five folds of the rows given, or the fit without
        penalty. Features that it leaves at 0 stay out.
    groups : (p,), optional
        Labels: whole groups are weighed and penalised by their norms.
    l1_ratio : float, default=1.0
        Share of the L1 penalty (or of the groups' norms); the rest is ridge.
    family : str or Family, default="gaussian"
        The loss f: "gaussian", "binomial" (y is 0 or 1; predictions are probabilities), "poisson", ...
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    standardize : bool, default=False
        Whether penalties and weights are of features scaled to unit variance. ``coef_`` stays on the original scale.
    penalty_factor : (p,), optional
        v: 0 is never penalised, inf is excluded.
    max_iter : int or None, default=1000
        Bound on the solver's work; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap, given the weights, that passes without a ConvergenceWarning.

    Attributes
    ----------
    coef_ : (p,)
        Coefficients.
    intercept_ : float
        Intercept.
    family_ : Family
        With a value for every parameter.
    n_iter_ : int
        Iterations.
    dual_gap_, relative_gap_ : float
        Certificate, given the weights.
    objective_ : str
        The objective solved, with its numbers.
    path_ : Path
        The fit; ``path_.factor`` holds v with the weights.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.

    References
    ----------
    Zou (2006), The adaptive lasso and its oracle properties, JASA 101.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        gamma: float = 1.0,
        initial: str = "ridge",
        groups: ArrayLike | None = None,
        l1_ratio: float = 1.0,
        family: Any = "gaussian",
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
    ) -> None:
        self.alpha = alpha
        self.gamma = gamma
        self.initial = initial
        self.groups = groups
        self.l1_ratio = l1_ratio
        self.family = family
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.max_iter = max_iter
        self.tol = tol

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_weights()


class AdaptiveLassoCV(_Adaptive, PenalisedModelCV):
    """:class:`AdaptiveLasso` with alpha, and l1_ratio if several are given, chosen by cross-validation.

    Each fold finds its weights from its own training rows: those held out have no part in them.

    Parameters
    ----------
    gamma : float, default=1.0
        Power of the weights, above 0.
    initial : {"ridge", "ols", "lasso"}, default="ridge"
        The first fit, see :class:`AdaptiveLasso`.
    groups : (p,), optional
        Labels: whole groups are weighed and penalised by their norms.
    l1_ratio : float or list of float, default=1.0
        Share of the L1 penalty (or of the groups' norms); the rest is ridge.
    family : str or Family, default="gaussian"
        The loss.
    alphas : int or list of float, default=100
        Number of values on an automatic grid, or the values.
    eps : float or None, default=None
        Smallest over largest alpha of the automatic grid; None is 1e-4 if n > p, else 1e-2.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance, by each fold's training rows.
    penalty_factor : (p,), optional
        v: 0 is never penalised, inf is excluded.
    rule : str, default="min"
        How to choose: "min", "1se", "within", "aic", "aicc", "bic", "ebic", "gcv".
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn.
    max_iter : int or None, default=1000
        Bound on the solver's work.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    n_jobs : int or None, default=None
        Threads.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        Those chosen.
    alphas_ : (L,) or (R, L)
        The grid.
    deviance_path_ : (L, J) or (R, L, J)
        Mean held-out deviance of each fold.
    coef_ : (p,)
        Coefficients.
    intercept_ : float
        Intercept.
    curve_ : Curve
        The validation curve.
    selection_ : Selection
        What the rule chose, and why.
    path_ : Path
        Of all rows; ``path_.factor`` holds v with the weights.
    relative_gap_, dual_gap_ : float
        Certificate of the fit, given the weights.
    objective_ : str
        The objective solved, with its numbers.
    """

    def __init__(
        self,
        *,
        gamma: float = 1.0,
        initial: str = "ridge",
        groups: ArrayLike | None = None,
        l1_ratio: Any = 1.0,
        family: Any = "gaussian",
        alphas: Any = 100,
        eps: float | None = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        rule: str = "min",
        cv: Any = None,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        n_jobs: int | None = None,
    ) -> None:
        self.gamma = gamma
        self.initial = initial
        self.groups = groups
        self.l1_ratio = l1_ratio
        self.family = family
        self.alphas = alphas
        self.eps = eps
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.rule = rule
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    def _check(self) -> None:
        super()._check()
        self._check_weights()
