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
    centred_design,
    is_bounded,
    refuse_bounds,
    ridge_objective,
)
from bridle.estimators._ridge_algebra import Spectrum
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
            scores, spectrum = self._leave_one_out(X, y, grid, order, weight, score_params)
        else:
            spectrum = None
            folds = split_rows(check_cv(self.cv), X, y, routed, params)
            scores = self._folds(X, y, grid, order, weight, folds, score_params)
        self._choose(grid, order, scores, columns=y.ndim == 2)
        self._refit(X, y, weight, spectrum)
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
    ) -> tuple[Float, Spectrum]:
        """Return the scores, (L,) or (L, t), and what they come from; keep ``cv_results_`` and ``curve_``."""
        columns = y.reshape(len(y), -1)
        design, _ = centred_design(X, weight, self)
        spectrum = Spectrum.make(design, columns, self.fit_intercept)
        root, w = design.root[:, None], design.root**2
        scorer = None if self.scoring is None else check_scoring(self, scoring=self.scoring)
        parts = [spectrum.leave_one_out(grid[part]) for part in chunks(len(grid), columns.size)]
        errors = np.concatenate([e for e, _ in parts])  # (L, n, t), scaled by the square root of the weight
        train = np.concatenate([loss.mean(axis=2) for _, loss in parts])  # (L, n)
        per_unit = np.divide(errors, root, out=np.zeros_like(errors), where=root > 0.0)
        if scorer is None:
            results = errors**2
            scores = np.asarray(-results.mean(axis=1 if self.alpha_per_target else (1, 2)))
        else:
            results = columns - per_unit
            scores = self._score_predictions(scorer, results, columns, y.ndim, score_params)
        if self.store_cv_results:
            stored = np.moveaxis(results, 0, 2)  # (n, t, L)
            self.cv_results_ = (stored[:, 0] if y.ndim == 1 else stored).astype(X.dtype, copy=False)
        live = w > 0.0  # a row without weight is no fold
        count = int(live.sum())
        self.curve_ = self._curve(
            X,
            grid[order],
            w,
            test_loss=(per_unit[order] ** 2).mean(axis=2).T[live],
            train_loss=train[order].T[live],
            test_weight=w[live],
            n_train=np.full(count, len(y) - 1, dtype=np.int64),
            n_test=np.ones(count, dtype=np.int64),
            df=spectrum.degrees_of_freedom(grid[order]),
        )
        return np.asarray(scores), spectrum

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
        t = columns.shape[1]
        w = np.ones(len(y)) if weight is None else weight
        scorer = None if self.scoring is None else check_scoring(self, scoring=self.scoring)
        X = X.tocsr() if hasattr(X, "tocsr") else X
        scores, test, train = (np.empty((len(folds.pairs), len(grid))) for _ in range(3))
        for j, (a, b) in enumerate(folds.pairs):
            coef, intercept, train[j] = self._fold_fits(X[a], columns[a], grid, None if weight is None else w[a])
            held, truth = X[b], columns[b]
            params = _rows(score_params, b, len(y))
            for part in chunks(len(grid), truth.size):
                columns_of_part = slice(part.start * t, part.stop * t)
                predicted = held @ coef[columns_of_part].T + intercept[columns_of_part]
                predicted = np.asarray(predicted).reshape(len(b), -1, t)  # (n_test, alphas, t)
                test[j, part] = np.average(((truth[:, None] - predicted) ** 2).mean(axis=2), axis=0, weights=w[b])
                scores[j, part] = score_all(scorer, truth if y.ndim == 2 else truth[:, 0], predicted, params)
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

    def _fold_fits(self, X: Any, Y: Float, grid: Float, weight: Float | None) -> tuple[Float, Float, Float]:
        """Return coefficients (L t, p), intercepts (L t,) and mean training losses (L,) of the training rows."""
        if is_bounded(self):
            models = [self._ridge(float(a)).fit(X, Y, sample_weight=weight) for a in grid]
            losses = [((Y - m.predict(X).reshape(Y.shape)) ** 2).mean(axis=1) for m in models]
            coef, intercept = ([np.atleast_1d(getattr(m, part)) for m in models] for part in ("coef_", "intercept_"))
            t = Y.shape[1]
            fits = np.vstack(coef), np.concatenate([np.broadcast_to(b, t) for b in intercept])
            return *fits, np.average(losses, axis=1, weights=weight)
        spectrum = Spectrum.make(centred_design(X, weight, self)[0], Y, self.fit_intercept)
        return *spectrum.solve(grid), spectrum.training_loss(grid).mean(axis=1)

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

    def _choose(self, grid: Float, order: Any, scores: Float, *, columns: bool) -> None:
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
            if columns and self.alpha_per_target:  # one target of two dimensions keeps them
                self.best_score_ = np.array([self.best_score_])

    def _ridge(self, alpha: Any) -> Ridge:
        names = ("fit_intercept", "standardize", "penalty_factor", "lower", "upper")
        return Ridge(alpha, **{name: getattr(self, name) for name in names})

    def _refit(self, X: Any, y: Float, weight: Float | None, spectrum: Spectrum | None) -> None:
        """Fit all rows at ``alpha_``, from the decomposition where leave-one-out has made one."""
        model = self._ridge(self.alpha_)
        if spectrum is None:
            model.fit(X, y, sample_weight=weight)
            coef, self.intercept_ = np.atleast_2d(model.coef_), model.intercept_
        else:
            columns = y.reshape(len(y), -1)
            alphas = np.broadcast_to(np.asarray(self.alpha_, dtype=np.float64), columns.shape[1])
            if np.all(alphas == alphas[0]):
                coef, intercept = spectrum.solve(alphas[:1])
            else:
                parts = [spectrum.solve(float(a), k) for k, a in enumerate(alphas)]
                coef, intercept = np.vstack([c for c, _ in parts]), np.concatenate([b for _, b in parts])
            model.certify(spectrum.design, columns, (coef, intercept), alphas, weight)
            coef, intercept = (part.astype(X.dtype, copy=False) for part in (coef, intercept))
            self.intercept_ = 0.0 if not self.fit_intercept else intercept if y.ndim == 2 else intercept[0]
        self.coef_ = drop_axis(coef)
        self.relative_gap_ = model.relative_gap_
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


def score_all(scorer: Any, truth: Float, predicted: Float, params: dict[str, Any]) -> Float:
    """Return the score at each alpha, (L,), of predictions (n, L, t); no scorer is R2, and needs no loop.

    Parameters
    ----------
    scorer : scorer or None
    truth : (n,) or (n, t)
    predicted : (n, L, t)
    params : dict
        What the scorer gets beside the data.
    """
    columns = truth.reshape(len(truth), -1)
    if scorer is None and len(truth) > 1:
        w = np.asarray(params.get("sample_weight", np.ones(len(truth))), dtype=np.float64)
        around = columns - np.average(columns, axis=0, weights=w)
        total = w @ around**2  # (t,)
        if np.all(total > 0.0):
            lost = np.tensordot(w, (columns[:, None] - predicted) ** 2, axes=1)  # (L, t)
            return np.asarray((1.0 - lost / total).mean(axis=1))
    judge = (lambda _, p, y, **more: r2_score(y, p, **more)) if scorer is None else scorer
    rows = (predicted[:, k] if truth.ndim == 2 else predicted[:, k, 0] for k in range(predicted.shape[1]))
    return np.array([judge(_Echo(), row, truth, **params) for row in rows])


def chunks(count: int, size: int) -> list[slice]:
    """Cut ``count`` alphas so that arrays of ``size`` numbers for each stay within some 100 MB."""
    step = max(1, 4_000_000 // max(size, 1))
    return [slice(i, min(i + step, count)) for i in range(0, count, step)]


def _rows(params: dict[str, Any], rows: Any, n: int) -> dict[str, Any]:
    """Take the rows of what is given row by row."""
    return {k: np.asarray(v)[rows] if np.ndim(v) == 1 and len(v) == n else v for k, v in params.items()}
