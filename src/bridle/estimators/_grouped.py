"""GroupLasso and SparseGroupLasso at one alpha, and with alpha chosen by cross-validation."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from bridle.estimators._checks import check_number
from bridle.estimators._general import PenalisedModel, PenalisedModelCV, labels_of


class GroupLasso(PenalisedModel):
    r"""A generalised linear model in which groups of features enter together, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i f(y_i, b_0 + x_i'b)
        + \alpha \left[ \rho \sum_g v_g \sqrt{m_g}\, |b_g|_2 + \frac{1 - \rho}{2} \sum_j v_j b_j^2 \right],
        \qquad \rho = \texttt{l1\_ratio}

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    groups : (p,), optional
        Labels: features with the same one form a group. None makes each feature a group, which is the lasso.
    l1_ratio : float, default=1.0
        Share of the groups' norms; the rest is a ridge penalty.
    family : str or Family, default="gaussian"
        The loss f: "gaussian", "binomial" (y is 0 or 1; predictions are probabilities), "poisson", ...
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance. ``coef_`` stays on the original
        scale.
    penalty_factor : (p,), optional
        v, alike within a group: 0 is never penalised, inf is excluded.
    max_iter : int or None, default=1000
        Bound on the solver's work; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning. The solver itself goes on.

    Attributes
    ----------
    coef_ : (p,)
        Coefficients.
    intercept_ : float
        Intercept.
    n_iter_ : int
        Iterations.
    relative_gap_ : float
        Duality gap over the null model's objective.
    objective_ : str
        The objective solved, with its numbers.
    path_ : Path
        The fit with its certificate.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
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
        self.groups = groups
        self.l1_ratio = l1_ratio
        self.family = family
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.max_iter = max_iter
        self.tol = tol

    def _penalty(self, p: int) -> dict[str, Any]:
        return {"penalty": "group_lasso", "groups": labels_of(self.groups, p)}


class SparseGroupLasso(PenalisedModel):
    r"""A generalised linear model with few groups, and few features within these, to a certificate.

    .. math:: \min_{b_0, b} \; \frac{1}{n} \sum_i f(y_i, b_0 + x_i'b) + \alpha \left[ \rho \left( t \sum_j v_j |b_j|
              + (1 - t) \sum_g v_g \sqrt{m_g}\, |b_g|_2 \right) + \frac{1 - \rho}{2} \sum_j v_j b_j^2 \right]

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    groups : (p,), optional
        Labels: features with the same one form a group. None makes each feature a group, which is the lasso.
    l1_share : float, default=0.95
        t, the share of single coefficients: 0 is the group lasso, 1 is the lasso.
    l1_ratio : float, default=1.0
        rho, the share of both together; the rest is a ridge penalty.
    family : str or Family, default="gaussian"
        The loss f: "gaussian", "binomial" (y is 0 or 1; predictions are probabilities), "poisson", ...
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance. ``coef_`` stays on the original
        scale.
    penalty_factor : (p,), optional
        v, alike within a group: 0 is never penalised, inf is excluded.
    max_iter : int or None, default=1000
        Bound on the solver's work; rarely met.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning. The solver itself goes on.

    Attributes
    ----------
    coef_ : (p,)
        Coefficients; the other attributes are those of :class:`GroupLasso`.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        groups: ArrayLike | None = None,
        l1_share: float = 0.95,
        l1_ratio: float = 1.0,
        family: Any = "gaussian",
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
    ) -> None:
        self.alpha = alpha
        self.groups = groups
        self.l1_share = l1_share
        self.l1_ratio = l1_ratio
        self.family = family
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.max_iter = max_iter
        self.tol = tol

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "l1_share", 0.0, 1.0)

    def _penalty(self, p: int) -> dict[str, Any]:
        return {
            "penalty": f"sparse_group_lasso(l1_share={float(self.l1_share)!r})",
            "groups": labels_of(self.groups, p),
        }


class GroupLassoCV(PenalisedModelCV):
    """:class:`GroupLasso` with alpha, and l1_ratio if several are given, chosen by cross-validation.

    Parameters
    ----------
    groups : (p,), optional
        Labels of the features' groups; None makes each feature one.
    l1_ratio : float or list of float, default=1.0
        Share of the groups' norms.
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
        v, alike within a group.
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
    relax : bool or list of float, default=False
        Whether to blend with refits of the active features without penalty; gamma, the share of the penalised fit, is
        chosen with alpha, of 0, 0.25, 0.5, 0.75 and 1, or of those given.

    Attributes
    ----------
    alpha_ : float
        The one chosen.
    l1_ratio_ : float
        The one chosen.
    alphas_ : (L,) or (R, L)
        The grid.
    deviance_path_ : (L, J) or (R, L, J)
        Mean held-out deviance of each fold.
    coef_ : (p,)
        Coefficients.
    intercept_ : float
        Intercept.
    gamma_ : float
        The share of the penalised fit that was chosen; 1 without ``relax``.
    curve_ : Curve
        The validation curve.
    selection_ : Selection
        What the rule chose, and why.
    path_ : Path
        Of all rows.
    relative_gap_, dual_gap_ : float
        Certificate of the fit.
    objective_ : str
        The objective solved, with its numbers.
    """

    def __init__(
        self,
        *,
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
        relax: Any = False,
    ) -> None:
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
        self.relax = relax

    def _penalty(self, p: int) -> dict[str, Any]:
        return {"penalty": "group_lasso", "groups": labels_of(self.groups, p)}


class SparseGroupLassoCV(PenalisedModelCV):
    """:class:`SparseGroupLasso` with alpha, and l1_ratio if several are given, chosen by cross-validation.

    Parameters
    ----------
    groups : (p,), optional
        Labels of the features' groups; None makes each feature one.
    l1_share : float, default=0.95
        Share of single coefficients.
    l1_ratio : float or list of float, default=1.0
        Share of single coefficients and groups together; the rest is ridge.
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
        v, alike within a group.
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
    relax : bool or list of float, default=False
        Whether to blend with refits of the active features without penalty; gamma, the share of the penalised fit, is
        chosen with alpha, of 0, 0.25, 0.5, 0.75 and 1, or of those given.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        Those chosen.
    gamma_ : float
        The share of the penalised fit that was chosen; 1 without ``relax``.
    coef_ : (p,)
        Coefficients; for the other attributes see :class:`GroupLassoCV`.
    """

    def __init__(
        self,
        *,
        groups: ArrayLike | None = None,
        l1_share: float = 0.95,
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
        relax: Any = False,
    ) -> None:
        self.groups = groups
        self.l1_share = l1_share
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
        self.relax = relax

    def _check(self) -> None:
        super()._check()
        check_number(self, "l1_share", 0.0, 1.0)

    def _penalty(self, p: int) -> dict[str, Any]:
        return {
            "penalty": f"sparse_group_lasso(l1_share={float(self.l1_share)!r})",
            "groups": labels_of(self.groups, p),
        }
