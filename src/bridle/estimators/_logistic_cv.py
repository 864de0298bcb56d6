"""LogisticRegressionCV: each fold's lam follows from C and the weight of its own training rows, as in scikit-learn."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_expit
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from bridle.errors import InputError
from bridle.estimators._base import (
    FINE,
    check_flags,
    check_grid,
    check_number,
    check_offset,
    fit_at,
    objective_at,
    path_options,
    refuse,
    route,
    split_rows,
    warn_unless_converged,
)
from bridle.estimators._logistic import (
    LogisticPrediction,
    LogisticRegression,
    lambda_of,
    separation_advice,
    weight_of_sum,
)
from bridle.losses import BINOMIAL
from bridle.path import Path
from bridle.selection import Curve, Folds, select

Float = NDArray[np.float64]


@dataclass(frozen=True)
class _Data:
    """Checked training data."""

    X: Any  # (n, p), CSR where sparse: rows are taken
    y: Float  # (n,) 0 or 1
    labels: NDArray[Any]  # (n,)
    weight: Float  # (n,) sample weight times class weight
    sample_weight: Float | None
    offset: Float | None

    def rows(self, at: Any) -> _Data:
        """Take rows."""
        sw = None if self.sample_weight is None else self.sample_weight[at]
        o = None if self.offset is None else self.offset[at]
        return _Data(self.X[at], self.y[at], self.labels[at], self.weight[at], sw, o)

    def loss(self, eta: Float) -> Float:
        """(L,) mean unit deviance for eta, (n, L)."""
        return 2.0 * np.average(BINOMIAL.loss(self.y[:, None], eta), axis=0, weights=self.weight)


@dataclass(frozen=True)
class _FoldFit:
    """One fold and one l1_ratio; L values of C in the order given."""

    path: Path  # in the order of the path: smallest C first
    scores: Float  # (L,)
    test: Float  # (L,) mean unit deviance of the held-out rows
    train: Float  # (L,)


class LogisticRegressionCV(LogisticPrediction):
    r"""Logistic regression of two classes with C (and l1_ratio) chosen by cross-validation.

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

    Attributes
    ----------
    classes_ : (2,)
        Labels of the classes, sorted.
    coef_ : (1, p)
        Coefficients of the log odds of the second class.
    intercept_ : (1,)
        Intercept.
    Cs_ : (L,)
        The values of C.
    l1_ratios_ : (R,)
        The values of l1_ratio, or [None].
    C_, l1_ratio_ : (1,) or float
        The choice.
    scores_ : dict of (folds, L) or (folds, L, R); or (folds, R, L)
        Scores of the held-out rows.
    coefs_paths_ : dict of (folds, L, p + 1) or (folds, L, R, p + 1); or (folds, R, L, 1, p + 1)
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
            Labels of two classes, of any type.
        sample_weight : (n,), optional
            Weights of the rows, in the fits and in the scores.
        offset : (n,), optional
            Added to the linear predictor.
        **params
            ``groups`` for the splitter, and whatever metadata routing sends to splitter and scorer.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used, or y doesn't have two classes.
        """
        Cs, ratios = self._check()
        given = {"sample_weight": sample_weight, "offset": offset}
        routed = route(self, "fit", params, **{k: v for k, v in given.items() if v is not None})
        X, target, labels = self._encode(X, y, [np.float64, np.float32])
        n = len(target)
        sw = weight_of_sum(sample_weight, n)
        X = X.tocsr() if hasattr(X, "tocsr") else X
        data = _Data(X, target, labels, self._total_weight(labels, sw), sw, check_offset(offset, n))
        folds = split_rows(check_cv(self.cv, labels, classifier=True), X, labels, routed, params)
        score_params = {} if sw is None else {"sample_weight": sw}
        if routed is not None:
            score_params = dict(routed.scorer.score)
        fits = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._fit_fold)(data, Cs, ratio, pair, score_params) for pair in folds.pairs for ratio in ratios
        )
        grid = [fits[j * len(ratios) : (j + 1) * len(ratios)] for j in range(len(folds.pairs))]  # folds x ratios
        self._store_folds(grid, Cs, data.X.shape[1])
        self._choose(grid, Cs, ratios, data, folds)
        self._shape_attributes(ratios)
        return self

    def _check(self) -> tuple[Float, list[float]]:
        self._check_controls()
        check_flags(self, "refit")
        if not isinstance(self.use_legacy_attributes, bool | np.bool_) and self.use_legacy_attributes != "warn":
            raise refuse(self, "use_legacy_attributes", self.use_legacy_attributes, "True or False")
        if isinstance(self.Cs, numbers.Integral):
            check_number(self, "Cs", 1, integer=True)
            Cs = np.logspace(-4, 4, int(self.Cs))
        else:
            Cs = check_grid(self, "Cs", self.Cs, positive=True)
        given = None if isinstance(self.l1_ratios, str) and self.l1_ratios == "warn" else self.l1_ratios
        self._has_ratio_axis = given is not None and self.penalty in {"deprecated", "elasticnet"}
        if self.penalty not in {"deprecated", "l1", "l2", "elasticnet"}:
            raise refuse(self, "penalty", self.penalty, "'l1', 'l2' or 'elasticnet'; for none give Cs=[inf]")
        if self.penalty in {"l1", "l2"}:
            return Cs, [1.0 if self.penalty == "l1" else 0.0]
        if given is None:
            if self.penalty == "elasticnet":
                raise refuse(self, "l1_ratios", None, "a list of numbers from 0 to 1 where penalty='elasticnet'")
            return Cs, [0.0]
        ratios = check_grid(self, "l1_ratios", given)
        if np.any(ratios > 1.0):
            raise refuse(self, "l1_ratios", given, "a list of numbers from 0 to 1")
        return Cs, [float(r) for r in ratios]

    # One fold ---------------------------------------------------------------------------------------------------

    def _fit_path(self, data: _Data, Cs: Float, ratio: float) -> tuple[Path, NDArray[np.intp]]:
        """Return the path at the lambdas of ``Cs``, and the place of each C on it."""
        options = path_options(self, "binomial", FINE) | {
            "l1_ratio": ratio,
            "sample_weight": data.weight,
            "offset": data.offset,
        }
        lambdas, place = np.unique(-lambda_of(Cs, float(data.weight.sum())), return_inverse=True)
        return fit_at(data.X, data.y, -lambdas, options), place.reshape(-1)

    def _fit_fold(
        self, data: _Data, Cs: Float, ratio: float, pair: tuple[Any, Any], score_params: dict[str, Any]
    ) -> tuple[_FoldFit, NDArray[np.intp]]:
        train, test = data.rows(pair[0]), data.rows(pair[1])
        self._check_both_classes(train.labels, train.weight)
        path, place = self._fit_path(train, Cs, ratio)
        etas = [_with_offset(part, path.linear_predictor(part.X)) for part in (train, test)]
        taken = {k: _take(v, pair[1], len(data.y)) for k, v in score_params.items()}
        scores = self._score_fold(test, path, etas[1], taken)
        return _FoldFit(path, scores[place], test.loss(etas[1]), train.loss(etas[0])), place

    def _score_fold(self, test: _Data, path: Path, eta: Float, params: dict[str, Any]) -> Float:
        """Return the score at each lambda of the path, (L,); the two common scorers need no estimator."""
        scoring = "accuracy" if self.scoring in {None, "warn"} else self.scoring
        weight = params.get("sample_weight")
        if scoring == "accuracy" and set(params) <= {"sample_weight"}:
            right = (eta > 0.0) == (test.y[:, None] > 0.5)
            return np.asarray(np.average(right, axis=0, weights=weight))
        if scoring == "neg_log_loss" and set(params) <= {"sample_weight"}:
            sign = np.where(test.y > 0.5, 1.0, -1.0)[:, None]
            return np.asarray(np.average(log_expit(sign * eta), axis=0, weights=weight))
        scorer = get_scorer(scoring)
        model = LogisticRegression(fit_intercept=self.fit_intercept)
        model.classes_, model.n_features_in_ = self.classes_, test.X.shape[1]
        scores = np.empty(len(path.lambdas))
        for k in range(len(scores)):
            model.coef_, model.intercept_ = path.coef[[k]], path.intercept[[k]]
            scores[k] = scorer(model, test.X, test.labels, **params)
        return scores

    # All folds --------------------------------------------------------------------------------------------------

    def _store_folds(self, grid: list[list[tuple[_FoldFit, Any]]], Cs: Float, p: int) -> None:
        """Keep scores (folds, L, R), coefficients (folds, L, R, dof) and iterations of all folds."""
        self.Cs_ = Cs
        self._scores = np.stack([np.stack([fit.scores for fit, _ in row], axis=-1) for row in grid])
        coefs = []
        for row in grid:
            parts = []
            for fit, place in row:
                columns = [fit.path.coef, fit.path.intercept[:, None]] if self.fit_intercept else [fit.path.coef]
                parts.append(np.hstack(columns)[place])
            coefs.append(np.stack(parts, axis=1))
        self._coefs = np.stack(coefs)
        iterations = [np.stack([np.maximum(f.path.n_iter, 1)[at] for f, at in row], axis=-1) for row in grid]
        self._iterations = np.stack(iterations).astype(np.int32)

    def _choose(
        self, grid: list[list[tuple[_FoldFit, Any]]], Cs: Float, ratios: list[float], data: _Data, folds: Folds
    ) -> None:
        total = self._scores.sum(axis=0)  # (L, R)
        at, r = np.unravel_index(int(np.argmax(total)), total.shape)
        fulls = {}
        self.selection_ = None
        if self.rule != "min":
            if not self.refit:
                raise refuse(self, "rule", self.rule, "'min' where refit=False")
            fulls = {k: self._fit_path(data, Cs, ratio) for k, ratio in enumerate(ratios)}
            curves = [self._curve(grid, k, fulls[k][0], data, folds) for k in range(len(ratios))]
            self.selection_ = select(curves, self.rule)
            r = self.selection_.curve
            at = int(np.argmax(fulls[r][1] == self.selection_.index))
        path, _ = fulls[r] if r in fulls else self._fit_path(data, Cs, ratios[r])
        self.path_, self.curve_ = path, self._curve(grid, r, path, data, folds)
        gaps = [fit.path.relative_gap for row in grid for fit, _ in row] + [path.relative_gap]
        statuses = tuple(s for row in grid for fit, _ in row for s in fit.path.status) + path.status
        warn_unless_converged(self, np.concatenate(gaps), separation_advice(statuses))
        self._refit(int(at), int(r), ratios, data)

    def _refit(self, at: int, r: int, ratios: list[float], data: _Data) -> None:
        lam = float(lambda_of(self.Cs_[at], float(data.weight.sum())))
        options = path_options(self, "binomial") | {"sample_weight": data.weight, "offset": data.offset}
        path = fit_at(data.X, data.y, [lam], options | {"l1_ratio": ratios[r]})
        self.dual_gap_, self.relative_gap_ = path.gap[0], path.relative_gap[0]
        self.objective_ = objective_at(path, lam)
        C, ratio = float(self.Cs_[at]), ratios[r]
        coef, intercept = path.coef[0], path.intercept[0]
        if not self.refit:
            flat = self._scores.reshape(len(self._scores), -1)
            best = np.stack(np.unravel_index(np.argmax(flat, axis=1), self._scores.shape[1:]))  # (2, folds)
            mean = np.mean([self._coefs[j, a, b] for j, (a, b) in enumerate(best.T)], axis=0)
            coef, intercept = (mean[:-1], mean[-1]) if self.fit_intercept else (mean, 0.0)
            C, ratio = float(np.mean(self.Cs_[best[0]])), float(np.mean(np.array(ratios)[best[1]]))
        self.coef_, self.intercept_ = np.array(coef)[None, :], np.array([intercept], dtype=np.float64)
        self.C_, self.l1_ratio_ = np.array([C]), np.array([ratio])

    def _curve(
        self, grid: list[list[tuple[_FoldFit, Any]]], r: int, full: Path, data: _Data, folds: Folds
    ) -> Curve:
        return Curve(
            model={0.0: "ridge", 1.0: "lasso"}.get(full.l1_ratio, "elastic net"),
            family="binomial",
            parameter="lambda",
            values=full.lambdas,
            test_loss=np.stack([row[r][0].test for row in grid]),
            train_loss=np.stack([row[r][0].train for row in grid]),
            test_weight=np.ones(len(grid)),
            n_train=np.array([len(a) for a, _ in folds.pairs], dtype=np.int64),
            n_test=np.array([len(b) for _, b in folds.pairs], dtype=np.int64),
            l1_ratio=full.l1_ratio,
            full_loss=full.deviance,
            null_loss=full.null_deviance,
            n_nonzero=full.n_nonzero,
            n_features=data.X.shape[1],
            sum_weight=float(data.weight.sum()),
        )

    def _shape_attributes(self, ratios: list[float]) -> None:
        """Give the attributes the shapes of scikit-learn, older or newer."""
        scores, coefs, n_iter = self._scores, self._coefs, self._iterations
        del self._scores, self._coefs, self._iterations
        axis = self._has_ratio_axis
        del self._has_ratio_axis
        self.l1_ratios_ = np.asarray(ratios if axis else [None])
        if not self.use_legacy_attributes:
            self.C_, self.l1_ratio_ = float(self.C_[0]), float(self.l1_ratio_[0])
            self.scores_: Any = np.moveaxis(scores, 1, 2)
            self.coefs_paths_: Any = np.moveaxis(coefs, 1, 2)[:, :, :, None, :]
            self.n_iter_ = np.moveaxis(n_iter, 1, 2)
            return
        label = self.classes_[1]
        self.scores_ = {label: scores if axis else scores[:, :, 0]}
        self.coefs_paths_ = {label: coefs if axis else coefs[:, :, 0]}
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
        given = score_params | ({} if sample_weight is None else {"sample_weight": sample_weight})
        routed = route(self, "score", score_params, **({} if sample_weight is None else {"sample_weight": sample_weight}))
        if routed is None and score_params:
            raise InputError(f"LogisticRegressionCV.score got {sorted(score_params)}; only sample_weight is taken")
        return float(self._get_scorer()(self, X, y, **(given if routed is None else routed.scorer.score)))

    def _get_scorer(self) -> Any:
        return get_scorer("accuracy" if self.scoring in {None, "warn"} else self.scoring)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what fit asks for itself, and what goes to the splitter and the scorer."""
        scoring = MethodMapping().add(caller="score", callee="score").add(caller="fit", callee="score")
        splitting = MethodMapping().add(caller="fit", callee="split")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=check_cv(self.cv, classifier=True), method_mapping=splitting)
            .add(scorer=self._get_scorer(), method_mapping=scoring)
        )


def _with_offset(part: _Data, eta: Float) -> Float:
    return eta if part.offset is None else eta + part.offset[:, None]


def _take(value: Any, rows: Any, n: int) -> Any:
    """Take the rows of what is given row by row."""
    return np.asarray(value)[rows] if np.ndim(value) == 1 and len(value) == n else value
