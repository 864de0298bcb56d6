"""RidgeCV: leave-one-out from one decomposition, or K folds with one decomposition each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import check_scoring, get_scorer, r2_score
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from bridle.estimators._base import LinearPrediction, check_training_data, drop_axis, route, split_rows
from bridle.estimators._checks import (
    check_choice,
    check_flags,
    check_grid,
    check_scoring_name,
    check_splitter,
    check_weight_of_sum,
    refuse,
)
from bridle.estimators._ridge import (
    Ridge,
    is_bounded,
    refuse_bounds,
    ridge_objective,
    ridge_penalty,
)
from bridle.estimators._ridge_algebra import CentredDesign, Spectrum
from bridle.selection import Curve, select

Float = NDArray[np.float64]


class RidgeCV(MultiOutputMixin, RegressorMixin, LinearPrediction):  # type: ignore[misc]
    r"""Ridge with alpha chosen by leave-one-out (exact, in closed form) or by K folds.

    .. math:: \min_{b_0, b} \; \|y - b_0 - Xb\|^2 + \alpha \sum_j v_j b_j^2, \qquad
              e_i = \frac{y_i - \hat y_i}{1 - h_{ii}}

    Parameters, defaults and fitted attributes are scikit-learn's; those after ``alpha_per_target`` are bridle's own.

    Parameters
    ----------
    alphas : (L,), default=(0.1, 1.0, 10.0)
        Values to choose from: above 0 for leave-one-out, at least 0 otherwise.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    scoring : str, callable or None, default=None
        Scorer. None is the squared error for leave-one-out and R2 otherwise.
    cv : int, splitter, iterable of (train, test) or None, default=None
        Folds; None is leave-one-out.
    gcv_mode : {"auto", "svd", "eigen"} or None, default=None
        Accepted for compatibility: bridle decomposes the smaller Gram matrix.
    store_cv_results : bool, default=False
        Whether to keep ``cv_results_``; for leave-one-out only.
    alpha_per_target : bool, default=False
        Whether each target has its own alpha; for leave-one-out only.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance: over all rows for leave-one-out,
        in each fold by its own rows otherwise.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper; they need ``cv``.
    rule : str, default="min"
        "min" takes the best mean score, as scikit-learn; other rules of ``bridle.select`` read the curve of the
        squared error.

    Attributes
    ----------
    alpha_ : float or (t,)
        The alpha chosen.
    best_score_ : float or (t,)
        Mean score at ``alpha_``.
    coef_ : (p,) or (t, p)
        Coefficients.
    intercept_ : float or (t,)
        Intercept.
    cv_results_ : (n, L) or (n, t, L)
        Squared errors (or predictions, where ``scoring`` is given) of the rows left out.
    curve_ : Curve
        The validation curve of the squared error; a fold is a row for leave-one-out.
    selection_ : Selection or None
        What a rule other than "min" chose, and why.
    relative_gap_ : float or (t,)
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
        alphas: ArrayLike = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: str | Callable[..., float] | None = None,
        cv: Any = None,
        gcv_mode: str | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        rule: str = "min",
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper
        self.rule = rule

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, **params: Any) -> Self:
        """Choose alpha, and fit all rows with it.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,) or (n, t)
            Target or targets.
        sample_weight : float or (n,), optional
            Weights of the rows, in the fits and in the scores.
        **params
            ``groups`` for the splitter, and whatever metadata routing sends to splitter and scorer.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data or the weights can't be used.
        """
        grid = self._check()
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        routed = route(self, "fit", params, **metadata)
        X, y = check_training_data(self, X, y, multi_output=True)
        n = X.shape[0]
        weight = check_weight_of_sum(sample_weight, n)
        if routed is not None:
            score_params = dict(routed.scorer.score)
        else:
            score_params = {} if weight is None else {"sample_weight": weight}
        order = np.argsort(-grid, kind="stable")
        if self.cv is None:
            scores = self._leave_one_out(X, y, grid, order, weight, score_params)
        else:
            folds = split_rows(check_cv(self.cv), X, y, routed, params)
            scores = self._folds(X, y, grid, order, weight, folds, score_params)
        self._choose(grid, order, scores)
        self._refit(X, y, weight)
        return self

    def predict(self, X: Any) -> Any:
        """Predict the target: X coef_' + intercept_.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.

        Returns
        -------
        (n,) or (n, t)
        """
        return self._linear_predictor(X)

    def _check(self) -> Float:
        check_flags(self, "fit_intercept", "store_cv_results", "alpha_per_target", "standardize")
        check_choice(self, "gcv_mode", ("auto", "svd", "eigen", None))
        check_splitter(self)
        check_scoring_name(self)
        if self.cv is None and is_bounded(self):
            raise refuse_bounds(self)
        if self.cv is not None and (self.store_cv_results or self.alpha_per_target):
            name = "store_cv_results" if self.store_cv_results else "alpha_per_target"
            raise refuse(self, name, True, "False where cv is given: it belongs to leave-one-out (cv=None)")
        return check_grid(self, "alphas", self.alphas, positive=self.cv is None)

    def _leave_one_out(
        self, X: Any, y: Float, grid: Float, order: Any, weight: Float | None, score_params: dict[str, Any]
    ) -> Float:
        """Return the scores, (L,) or (L, t), and keep ``cv_results_`` and ``curve_``."""
        n, columns = len(y), y.reshape(len(y), -1)
        q = ridge_penalty(X, weight, self)
        spectrum = Spectrum.make(CentredDesign.make(X, weight, self.fit_intercept, q), columns, self.fit_intercept)
        root = spectrum.design.root
        scorer = None if self.scoring is None else check_scoring(self, scoring=self.scoring)
        errors = np.empty((len(grid), *columns.shape))  # (L, n, t), scaled by the square root of the weight
        train = np.empty((len(grid), n))
        for k, alpha in enumerate(grid):
            errors[k], loss = spectrum.leave_one_out(float(alpha))
            train[k] = loss.mean(axis=1)
        per_unit = np.divide(errors, root[:, None], out=np.zeros_like(errors), where=root[:, None] > 0.0)
        if scorer is None:
            results = errors**2
            scores = np.asarray(-results.mean(axis=1 if self.alpha_per_target else (1, 2)))
        else:
            results = columns - per_unit
            scores = self._score_predictions(scorer, results, columns, y.ndim, score_params)
        if self.store_cv_results:
            stored = np.moveaxis(results, 0, 2)  # (n, t, L)
            self.cv_results_ = (stored[:, 0] if y.ndim == 1 else stored).astype(_float_type(X), copy=False)
        test = (per_unit[order] ** 2).mean(axis=2).T  # (n, L)
        df = np.array([spectrum.degrees_of_freedom(float(a)) for a in grid[order]])
        w = root**2
        live = w > 0.0  # a row without weight is no fold
        self.curve_ = self._curve(
            X,
            grid[order],
            w,
            test_loss=test[live],
            train_loss=train[order].T[live],
            test_weight=w[live],
            n_train=np.full(int(live.sum()), n - 1, dtype=np.int64),
            n_test=np.ones(int(live.sum()), dtype=np.int64),
            df=df,
        )
        return np.asarray(scores)

    def _score_predictions(
        self, scorer: Any, predictions: Float, columns: Float, ndim: int, score_params: dict[str, Any]
    ) -> Float:
        echo = _Echo()
        if self.alpha_per_target:
            targets = range(columns.shape[1])
            rows = [[scorer(echo, p[:, j], columns[:, j], **score_params) for j in targets] for p in predictions]
            return np.asarray(rows, dtype=np.float64)
        flat = columns[:, 0] if ndim == 1 else columns
        return np.array([scorer(echo, p[:, 0] if ndim == 1 else p, flat, **score_params) for p in predictions])

    def _folds(
        self, X: Any, y: Float, grid: Float, order: Any, weight: Float | None, folds: Any, score_params: dict[str, Any]
    ) -> Float:
        """Return the mean score of each alpha, (L,), and keep ``curve_``."""
        columns = y.reshape(len(y), -1)
        w = np.ones(len(y)) if weight is None else weight
        scorer = None if self.scoring is None else check_scoring(self, scoring=self.scoring)
        X = X.tocsr() if hasattr(X, "tocsr") else X
        scores, test, train = (np.empty((len(folds.pairs), len(grid))) for _ in range(3))
        for j, (a, b) in enumerate(folds.pairs):
            for k, (coef, intercept) in enumerate(self._fold_fits(X[a], columns[a], grid, weight, a)):
                predicted = X[b] @ coef.T + intercept
                test[j, k] = np.average(((columns[b] - predicted) ** 2).mean(axis=1), weights=w[b])
                residual = columns[a] - X[a] @ coef.T - intercept
                train[j, k] = np.average((residual**2).mean(axis=1), weights=w[a])
                if scorer is None:
                    scores[j, k] = r2_score(columns[b], predicted, **_rows(score_params, b, len(y)))
                else:
                    flat = predicted[:, 0] if y.ndim == 1 else predicted
                    scores[j, k] = scorer(_Echo(), flat, y[b], **_rows(score_params, b, len(y)))
        self.curve_ = self._curve(
            X,
            grid[order],
            w,
            test_loss=test[:, order],
            train_loss=train[:, order],
            test_weight=np.ones(len(folds)),
            n_train=np.array([len(a) for a, _ in folds.pairs], dtype=np.int64),
            n_test=np.array([len(b) for _, b in folds.pairs], dtype=np.int64),
        )
        return np.asarray(scores.mean(axis=0))

    def _fold_fits(self, X: Any, Y: Float, grid: Float, weight: Float | None, rows: Any) -> list[tuple[Float, Float]]:
        """Return (coef (t, p), intercept (t,)) of the training rows at each alpha."""
        w = None if weight is None else weight[rows]
        if is_bounded(self):
            models = [self._ridge(float(a)).fit(X, Y, sample_weight=w) for a in grid]
            return [(np.atleast_2d(m.coef_), np.atleast_1d(m.intercept_)) for m in models]
        q = ridge_penalty(X, w, self)
        spectrum = Spectrum.make(CentredDesign.make(X, w, self.fit_intercept, q), Y, self.fit_intercept)
        return [spectrum.solve(float(a)) for a in grid]

    def _curve(self, X: Any, grid: Float, w: Float, **folds: Any) -> Curve:
        """Return the curve of the squared error, largest alpha first, from what the folds gave."""
        p = int(X.shape[1])
        return Curve(
            model="ridge",
            family="gaussian",
            parameter="lambda",
            values=grid / w.sum(),
            l1_ratio=0.0,
            n_nonzero=np.full(len(grid), p, dtype=np.int64),
            n_features=p,
            sum_weight=float(w.sum()),
            fit_intercept=bool(self.fit_intercept),
            **folds,
        )

    def _choose(self, grid: Float, order: Any, scores: Float) -> None:
        self.selection_ = None
        if self.rule != "min":
            if self.alpha_per_target:
                raise refuse(self, "rule", self.rule, "'min' where alpha_per_target=True")
            self.selection_ = select(self.curve_, self.rule)
            best = int(order[self.selection_.index])
            self.alpha_, self.best_score_ = float(grid[best]), scores[best]
        elif scores.ndim == 2 and scores.shape[1] > 1:
            at = np.argmax(scores, axis=0)
            self.alpha_, self.best_score_ = grid[at], scores[at, np.arange(scores.shape[1])]
        else:
            flat = scores.reshape(len(grid))
            best = int(np.argmax(flat))
            self.alpha_, self.best_score_ = float(grid[best]), flat[best]

    def _ridge(self, alpha: Any) -> Ridge:
        names = ("fit_intercept", "standardize", "penalty_factor", "lower", "upper")
        return Ridge(alpha, **{name: getattr(self, name) for name in names})

    def _refit(self, X: Any, y: Float, weight: Float | None) -> None:
        model = self._ridge(self.alpha_)
        model.fit(X, y, sample_weight=weight)
        self.coef_ = drop_axis(np.atleast_2d(model.coef_))
        self.intercept_, self.relative_gap_ = model.intercept_, model.relative_gap_
        self.objective_ = ridge_objective(np.atleast_1d(self.alpha_), self.standardize)

    def _get_scorer(self) -> Any:
        """Return the scorer for routing: R2, asking for weights, where none is given."""
        if get_config()["enable_metadata_routing"] and self.scoring is None:
            return get_scorer("r2").set_score_request(sample_weight=True)
        return get_scorer("r2") if self.scoring is None else check_scoring(self, scoring=self.scoring)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what fit asks for itself, and what goes to the scorer and the splitter."""
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(scorer=self._get_scorer(), method_mapping=MethodMapping().add(caller="fit", callee="score"))
        splitter = None if self.cv is None else check_cv(self.cv)
        return router.add(splitter=splitter, method_mapping=MethodMapping().add(caller="fit", callee="split"))


class _Echo(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts what it is given, so that a scorer can judge predictions made elsewhere."""

    def fit(self, X: Any, y: Any = None) -> Self:
        return self

    def predict(self, X: Any) -> Any:
        return X

    def __sklearn_is_fitted__(self) -> bool:
        return True


def _rows(params: dict[str, Any], rows: Any, n: int) -> dict[str, Any]:
    """Take the rows of what is given row by row."""
    return {k: np.asarray(v)[rows] if np.ndim(v) == 1 and len(v) == n else v for k, v in params.items()}


def _float_type(X: Any) -> Any:
    return X.dtype if X.dtype.kind == "f" else np.float64
