"""OrdinalClassifierCV: ordered classes with C chosen by the cross-validated deviance."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter

from bridle.estimators._base import (
    count_folds_equally,
    fit_last,
    path_options,
    quiet_about_gaps,
    route,
    split_rows,
    splitter_router,
    warn_unless_converged,
)
from bridle.estimators._checks import (
    check_class_weight,
    check_count_or_grid,
    check_flags,
    check_number,
    check_offset,
    check_splitter,
    refuse,
)
from bridle.estimators._logistic import lambda_of
from bridle.estimators._ordinal import OrdinalClassifier
from bridle.estimators._path_cv import l1_ratio_list
from bridle.selection import cross_validate, select
from bridle.selection.rules import CROSS_VALIDATED


class OrdinalClassifierCV(OrdinalClassifier):
    """:class:`OrdinalClassifier` with C, and l1_ratio if several are given, chosen by the cross-validated deviance.

    A C means one strength of the penalty beside the *mean* loss, 1 / (C S) with S the weight of all rows, in the folds
    too.

    Parameters
    ----------
    levels : list or None, default=None
        All labels, lowest first. None takes the order of numbers, or of an ordered categorical.
    Cs : int or list of float, default=10
        Number of values from 1e-4 to 1e4, or the values.
    l1_ratio : float or list of float, default=0.0
        Share of the L1 penalty, from 0 (ridge) to 1 (lasso).
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn: None is 5 folds that balance the classes.
    rule : str, default="min"
        How to choose: "min", "1se" or "within".
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    max_iter : int, default=100
        Bound on the solver's work; rarely met.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; they multiply the sample weights.
    n_jobs : int or None, default=None
        Threads.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance, by each fold's training rows.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper.
    relax : bool or list of float, default=False
        Whether to blend with refits of the active features without penalty; gamma, the share of the penalised fit, is
        chosen with C, of 0, 0.25, 0.5, 0.75 and 1, or of those given.

    Attributes
    ----------
    C_, l1_ratio_ : float
        Those chosen.
    gamma_ : float
        The share of the penalised fit that was chosen; 1 without ``relax``.
    Cs_ : (L,)
        The grid, smallest first.
    deviance_path_ : (L, J) or (R, L, J)
        Mean held-out deviance of each fold.
    curve_ : Curve
        The validation curve.
    selection_ : Selection
        What the rule chose, and why.
    path_ : Path
        Of all rows.
    coef_ : (p,)
        Coefficients; for the other attributes see :class:`OrdinalClassifier`.
    """

    def __init__(
        self,
        levels: ArrayLike | None = None,
        *,
        Cs: Any = 10,
        l1_ratio: Any = 0.0,
        cv: Any = None,
        rule: str = "min",
        tol: float = 1e-4,
        max_iter: int = 100,
        class_weight: Any = None,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        relax: Any = False,
    ) -> None:
        self.levels = levels
        self.Cs = Cs
        self.l1_ratio = l1_ratio
        self.cv = cv
        self.rule = rule
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper
        self.relax = relax

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose C by cross-validation, and fit all rows with it.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Labels of two or more ordered classes.
        sample_weight : (n,), optional
            Weights of the rows, in the fits and in the error of the folds.
        offset : (n,), optional
            Added to the linear predictor.
        **params
            ``groups`` of rows for the splitter, and whatever metadata routing sends there.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used, or a fold's training rows lack a class.
        """
        self._check()
        metadata = {k: v for k, v in (("sample_weight", sample_weight), ("offset", offset)) if v is not None}
        routed = route(self, "fit", params, **metadata)
        X, target, w, labels = self._prepare(X, y, sample_weight)
        folds = split_rows(check_cv(self.cv, labels, classifier=True), X, labels, routed, params)
        for train, _ in folds:
            self._check_both_classes(labels[train], w[train])
        Cs = check_count_or_grid(self, "Cs", positive=True)
        self.Cs_ = np.logspace(-4, 4, Cs) if isinstance(Cs, int) else np.sort(Cs)
        lambdas = lambda_of(self.Cs_, float(w.sum()))
        fixed: dict[str, Any] = {"sample_weight": w, "offset": check_offset(offset, len(target))}
        with quiet_about_gaps():
            found = cross_validate(
                X, target, folds=folds, l1_ratio=l1_ratio_list(self), lambdas=lambdas, effective_df=False,
                n_jobs=effective_n_jobs(self.n_jobs), relax=self.relax, **path_options(self, "ordinal"), **fixed,
            )  # fmt: skip
        curves = [count_folds_equally(curve) for curve in found.curves]
        chosen = self.selection_ = select(curves, self.rule)
        self.curve_, whole = curves[chosen.curve], found.paths[chosen.curve]
        self.C_, self.l1_ratio_, self.gamma_ = float(self.Cs_[chosen.index]), whole.l1_ratio, chosen.gamma
        alike = [curve.test_loss.T for curve in curves if curve.gamma == chosen.gamma]
        self.deviance_path_ = np.squeeze(np.stack(alike))
        options = path_options(self, "ordinal", whole.l1_ratio) | fixed | {"relax": chosen.gamma < 1.0}
        self._store(fit_last(X, target, whole.lambdas[: chosen.index + 1], options).blend(chosen.gamma), X.dtype)
        self.path_ = whole
        warn_unless_converged(self, whole)
        return self

    def _check(self) -> None:
        check_splitter(self)
        check_number(self, "tol", 0.0)
        check_number(self, "max_iter", 0, integer=True)
        check_number(self, "n_jobs", integer=True, none=True)
        check_flags(self, "standardize")
        check_class_weight(self)
        if self.rule not in CROSS_VALIDATED:
            raise refuse(self, "rule", self.rule, f"one of {', '.join(map(repr, CROSS_VALIDATED))}")

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what fit asks for itself and what goes to the splitter (groups)."""
        return splitter_router(self, check_cv(self.cv, classifier=True))
