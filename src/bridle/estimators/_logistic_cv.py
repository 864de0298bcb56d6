"""LogisticRegressionCV: each fold's lam follows from C and the weight of its own training rows, as in scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.parallel import Parallel, delayed

from bridle.errors import InputError
from bridle.estimators._base import objective_at, path_options, route, split_rows, warn_unless_converged
from bridle.estimators._checks import (
    check_count_or_grid,
    check_flags,
    check_grid,
    check_offset,
    check_scoring_name,
    check_splitter,
    check_weight_of_sum,
    refuse,
)
from bridle.estimators._logistic import family_of, rows_of
from bridle.estimators._logistic_folds import FoldFits, Rows, Scoring, fit_Cs, fit_fold
from bridle.estimators._logistic_prediction import LogisticPrediction
from bridle.path import Path
from bridle.relaxed import gammas_of
from bridle.selection import select
from bridle.selection.blends import blends

Float = NDArray[np.float64]


class LogisticRegressionCV(LogisticPrediction):
    r"""Logistic regression of two or more classes with C (and l1_ratio) chosen by cross-validation.

    .. math:: \min_{b_0, b} \; C \sum_i s_i \left[ \log(1 + e^{\eta_i}) - y_i \eta_i \right]
              + \sum_j v_j \left[ \rho |b_j| + \frac{1 - \rho}{2} b_j^2 \right]

    Parameters, defaults (in their present meaning) and fitted attributes are scikit-learn's; those after
    ``use_legacy_attributes`` are bridle's own.

    Parameters
    ----------
    Cs : int or (L,), default=10
        Number of values of C between 1e-4 and 1e4, or the values.
    l1_ratios : list of float or None, default=None
        Shares of the L1 penalty to choose from; None is ridge alone, without an axis for it in the attributes.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    cv : int, splitter or iterable of (train, test), default=None
        Folds; None is 5 stratified folds.
    dual : bool, default=False
        Accepted for compatibility.
    penalty : {"l1", "l2", "elasticnet"}, optional
        Older spelling of ``l1_ratios``.
    scoring : str, callable or None, default=None
        Scorer; None is the accuracy.
    solver : str, default="lbfgs"
        Accepted for compatibility: one solver serves all penalties.
    tol : float, default=1e-4
        Largest relative duality gap that passes without a ConvergenceWarning.
    max_iter : int, default=100
        Bound on the solver's work for each C; rarely met.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; they multiply the sample weights.
    n_jobs : int or None, default=None
        Threads for the folds; the result doesn't depend on it.
    verbose : int, default=0
        Accepted for compatibility.
    refit : bool, default=True
        Whether all rows are fitted at the best mean score; else the best fits of the folds are averaged.
    intercept_scaling : float, default=1.0
        Accepted for compatibility: the intercept is never penalised.
    random_state : int, RandomState or None, default=None
        Accepted for compatibility: the solver is deterministic.
    use_legacy_attributes : bool, default=True
        Whether ``C_``, ``l1_ratio_``, ``scores_``, ``coefs_paths_`` and ``n_iter_`` have their older shapes.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance, in each fold by its own rows.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper.
    rule : str, default="min"
        "min" takes the best mean score, as scikit-learn; other rules of ``bridle.select`` read the curve of the
        deviance.
    relax : bool or list of float, default=False
        Whether to blend with refits of the active features without penalty; gamma, the share of the penalised fit, is
        chosen with C, of 0, 0.25, 0.5, 0.75 and 1, or of those given.

    Attributes
    ----------
    classes_ : (K,)
        Labels of the classes, sorted.
    coef_ : (1, p) or (K, p)
        Coefficients of the log odds of the second class, or of each of more classes.
    intercept_ : (1,) or (K,)
        Intercept; those of several classes sum to 0.
    Cs_ : (L,)
        The values of C.
    l1_ratios_ : (R,)
        The values of l1_ratio, or [None].
    C_, l1_ratio_ : (1,) or float
        The choice.
    gamma_ : float
        The share of the penalised fit that was chosen; 1 without ``relax``. What follows is of that gamma.
    scores_ : dict of (folds, L) or (folds, L, R); or (folds, R, L)
        Scores of the held-out rows, the same for every class.
    coefs_paths_ : dict of (folds, L, p + 1) or (folds, L, R, p + 1); or (folds, R, L, 1 or K, p + 1)
        Coefficients of the folds, the intercept last.
    n_iter_ : (1, folds, L) or (1, folds, L, R); or (folds, R, L)
        Iterations.
    curve_ : Curve
        The validation curve of the deviance at the chosen l1_ratio, fold by fold, smallest C first.
    selection_ : Selection or None
        What a rule other than "min" chose, and why.
    path_ : Path
        Coefficients of all rows at every C, with certificates.
    relative_gap_ : float
        Certificate of the fit of all rows.
    objective_ : str
        The objective solved.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    _multi_class: ClassVar[bool] = True

    def __init__(
        self,
        *,
        Cs: ArrayLike = 10,
        l1_ratios: ArrayLike | None = None,
        fit_intercept: bool = True,
        cv: Any = None,
        dual: bool = False,
        penalty: str = "deprecated",
        scoring: str | Callable[..., float] | None = None,
        solver: str = "lbfgs",
        tol: float = 1e-4,
        max_iter: int = 100,
        class_weight: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        refit: bool = True,
        intercept_scaling: float = 1.0,
        random_state: Any = None,
        use_legacy_attributes: bool | str = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        rule: str = "min",
        relax: Any = False,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper
        self.rule = rule
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
            Labels of two or more classes, of any type.
        sample_weight : (n,), optional
            Weights of the rows, in the fits and in the scores.
        offset : (n,), or (n, K) for K > 2 classes, optional
            Added to the linear predictor.
        **params
            ``groups`` for the splitter, and whatever metadata routing sends to splitter and scorer.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used, or y has one class.
        """
        Cs, ratios, axis = self._check()
        given = {"sample_weight": sample_weight, "offset": offset}
        routed = route(self, "fit", params, **{k: v for k, v in given.items() if v is not None})
        X, target, labels = self._encode(X, y, [np.float64, np.float32])
        sw = check_weight_of_sum(sample_weight, len(target))
        X = X.tocsr() if hasattr(X, "tocsr") else X
        data = Rows(
            X, target, labels, self._total_weight(labels, sw), check_offset(offset, len(target), len(self.classes_))
        )
        folds = split_rows(check_cv(self.cv, labels, classifier=True), X, labels, routed, params)
        for train, _ in folds.pairs:
            self._check_both_classes(labels[train], data.weight[train])
        score_params = {} if sw is None else {"sample_weight": sw}
        scoring = Scoring(self._scoring(), self.classes_, score_params if routed is None else routed.scorer.score)
        options = self._options(data)
        jobs = [
            delayed(fit_fold)(data, Cs, pair, options | {"l1_ratio": ratio}, scoring, self._gammas)
            for pair in folds.pairs
            for ratio in ratios
        ]
        done = Parallel(n_jobs=self.n_jobs, prefer="threads")(jobs)
        rows = [list(chain(*done[i : i + len(ratios)])) for i in range(0, len(done), len(ratios))]
        self.Cs_ = Cs
        self._choose(FoldFits(rows, folds, self.fit_intercept), ratios, data, axis)
        return self

    @property
    def _gammas(self) -> tuple[float, ...]:
        return gammas_of(self.relax)

    def _options(self, data: Rows, ratio: float | None = None) -> dict[str, Any]:
        return path_options(self, family_of(data.y), ratio) | {"relax": min(self._gammas) < 1.0}

    def _check(self) -> tuple[Float, list[float], bool]:
        """Return Cs, the l1_ratios, and whether the attributes have an axis for these."""
        self._check_controls()
        check_flags(self, "refit")
        check_splitter(self)
        check_scoring_name(self, "warn")
        gammas_of(self.relax)  # refuses what isn't one
        if self.rule != "min" and not self.refit:
            raise refuse(self, "rule", self.rule, "'min' where refit=False")
        if not isinstance(self.use_legacy_attributes, bool | np.bool_) and self.use_legacy_attributes != "warn":
            raise refuse(self, "use_legacy_attributes", self.use_legacy_attributes, "True or False")
        Cs = check_count_or_grid(self, "Cs", positive=True)
        Cs = np.logspace(-4, 4, Cs) if isinstance(Cs, int) else Cs
        given = None if isinstance(self.l1_ratios, str) and self.l1_ratios == "warn" else self.l1_ratios
        axis = given is not None and self.penalty in ("deprecated", "elasticnet")
        if given is not None and np.ndim(given) == 0:
            raise refuse(self, "l1_ratios", given, "a list of numbers from 0 to 1, or None")
        if not isinstance(self.penalty, str) or self.penalty not in {"deprecated", "l1", "l2", "elasticnet"}:
            raise refuse(self, "penalty", self.penalty, "'l1', 'l2' or 'elasticnet'; for none give Cs=[inf]")
        if self.penalty in {"l1", "l2"}:
            return Cs, [1.0 if self.penalty == "l1" else 0.0], axis
        if given is None:
            if self.penalty == "elasticnet":
                raise refuse(self, "l1_ratios", None, "a list of numbers from 0 to 1 where penalty='elasticnet'")
            return Cs, [0.0], axis
        ratios = check_grid(self, "l1_ratios", given)
        if np.any(ratios > 1.0):
            raise refuse(self, "l1_ratios", given, "a list of numbers from 0 to 1")
        return Cs, [float(r) for r in ratios], axis

    def _choose(self, folds: FoldFits, ratios: list[float], data: Rows, axis: bool) -> None:
        """Choose C, l1_ratio and gamma, fit all rows, and set the attributes."""
        options, gammas = self._options(data), self._gammas
        scores = folds.scores  # (folds, L, candidates)
        total = scores.sum(axis=0)
        at, r = (int(i) for i in np.unravel_index(int(np.argmax(total)), total.shape))
        self.selection_ = None
        if self.rule == "min":
            whole, _ = fit_Cs(data, self.Cs_, options | {"l1_ratio": ratios[r // len(gammas)]})
            self.path_ = self._blends(whole, data)[r % len(gammas)]
        else:
            full = [fit_Cs(data, self.Cs_, options | {"l1_ratio": ratio}) for ratio in ratios]
            paths = [blend for path, _ in full for blend in self._blends(path, data)]
            self.selection_ = select([folds.curve(k, path, data) for k, path in enumerate(paths)], self.rule)
            r = self.selection_.curve
            self.path_ = paths[r]
            at = int(np.argmax(full[0][1] == self.selection_.index))
        self.curve_ = folds.curve(r, self.path_, data)
        self.gamma_: float = gammas[r % len(gammas)]
        warn_unless_converged(self, *folds.paths, self.path_)
        self._fit_all_rows(float(self.Cs_[at]), ratios[r // len(gammas)], data)
        if not self.refit:
            self._average_folds(folds, ratios)
        self._shape_attributes(folds.every(r % len(gammas), len(gammas)), ratios, axis)

    def _blends(self, path: Path, data: Rows) -> list[Path]:
        """Blend a path of all rows with its relaxed fits, for each gamma."""
        return blends(path, self._gammas, data.X, data.y, data.weight, data.offset)

    def _fit_all_rows(self, C: float, ratio: float, data: Rows) -> None:
        relaxed = self.gamma_ < 1.0  # a set without a refit of its own takes that of a set before
        Cs = self.Cs_[self.Cs_ <= C] if relaxed else np.array([C])
        whole, _ = fit_Cs(data, Cs, self._options(data, ratio) | {"relax": relaxed})
        path = whole.blend(self.gamma_)
        coef, intercept = rows_of(path)
        self.coef_, self.intercept_ = coef[-1], intercept[-1]
        self.dual_gap_, self.relative_gap_ = path.gap[-1], path.relative_gap[-1]
        self.objective_ = objective_at(path, float(path.lambdas[-1]))
        self.C_: Any = np.array([C])
        self.l1_ratio_: Any = np.array([ratio])

    def _average_folds(self, folds: FoldFits, ratios: list[float]) -> None:
        """Average the folds' best fits, each by its own score."""
        scores, coefs, gammas = folds.scores, folds.coefficients, self._gammas
        best = np.stack(np.unravel_index(np.argmax(scores.reshape(len(scores), -1), axis=1), scores.shape[1:]))
        mean = np.mean([coefs[j, at, r] for j, (at, r) in enumerate(best.T)], axis=0)
        p = self.coef_.shape[1]
        self.coef_ = mean[:, :p]
        self.intercept_ = mean[:, p] if self.fit_intercept else np.zeros(len(mean))
        ratio, gamma = np.divmod(best[1], len(gammas))
        self.C_, self.l1_ratio_ = np.array([np.mean(self.Cs_[best[0]])]), np.array([np.mean(np.array(ratios)[ratio])])
        self.gamma_ = float(np.mean(np.array(gammas)[gamma]))

    def _shape_attributes(self, folds: FoldFits, ratios: list[float], axis: bool) -> None:
        """Give the attributes the shapes of scikit-learn, older or newer."""
        scores, coefs, n_iter = folds.scores, folds.coefficients, folds.n_iter
        self.l1_ratios_ = np.asarray(ratios if axis else [None])
        if not self.use_legacy_attributes:
            self.C_, self.l1_ratio_ = float(self.C_[0]), float(self.l1_ratio_[0])
            self.scores_: Any = np.moveaxis(scores, 1, 2)
            self.coefs_paths_: Any = np.moveaxis(coefs, 1, 2)
            self.n_iter_ = np.moveaxis(n_iter, 1, 2)
            return
        if self.refit and not axis:
            self.l1_ratio_ = np.array([None])
        labels = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        self.C_, self.l1_ratio_ = np.repeat(self.C_, len(labels)), np.repeat(self.l1_ratio_, len(labels))
        self.scores_ = {label: scores if axis else scores[:, :, 0] for label in labels}
        coefs = coefs if axis else coefs[:, :, 0]
        self.coefs_paths_ = {label: coefs[..., k, :] for k, label in enumerate(labels)}
        self.n_iter_ = (n_iter if axis else n_iter[:, :, 0])[None, ...]

    # scikit-learn's protocol ------------------------------------------------------------------------------------

    def score(self, X: Any, y: ArrayLike, *, sample_weight: ArrayLike | None = None, **score_params: Any) -> float:
        """Return the score of ``scoring`` on other data.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Labels.
        sample_weight : (n,), optional
            Weights of the rows.
        **score_params
            What metadata routing sends to the scorer.

        Returns
        -------
        float
        """
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        routed = route(self, "score", score_params, **weight)
        if routed is None and score_params:
            raise InputError(f"LogisticRegressionCV.score got {sorted(score_params)}; only sample_weight is taken")
        return float(self._scorer()(self, X, y, **(weight if routed is None else routed.scorer.score)))

    def _scorer(self) -> Any:
        """Return the scorer; the default one takes weights, so it asks for them where metadata are routed."""
        scorer = get_scorer(self._scoring())
        if self._scoring() is not self.scoring and get_config()["enable_metadata_routing"]:
            return scorer.set_score_request(sample_weight=True)
        return scorer

    def _scoring(self) -> Any:
        default = self.scoring is None or (isinstance(self.scoring, str) and self.scoring == "warn")
        return "accuracy" if default else self.scoring

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what fit asks for itself, and what goes to the splitter and the scorer."""
        scoring = MethodMapping().add(caller="score", callee="score").add(caller="fit", callee="score")
        splitting = MethodMapping().add(caller="fit", callee="split")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=check_cv(self.cv, classifier=True), method_mapping=splitting)
            .add(scorer=self._scorer(), method_mapping=scoring)
        )
