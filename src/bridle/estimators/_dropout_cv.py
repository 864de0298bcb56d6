"""DropoutPathCV: the dropout rate chosen on a validation curve, as alpha is for the lasso."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import ClassifierTags, RegressorTags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from bridle.diagnosis import Verdict
from bridle.errors import InputError
from bridle.estimators._base import route, split_rows, splitter_router
from bridle.estimators._checks import check_choice, check_flags, check_number, refuse
from bridle.estimators._dropout import DropoutNetwork, Sample, seed_of
from bridle.estimators._dropout_classifier import DropoutClassifier
from bridle.estimators._dropout_linear_path import linear_path, linear_sample
from bridle.estimators._dropout_progress import progress_bar
from bridle.estimators._dropout_regressor import DropoutRegressor
from bridle.estimators._linear_dropout import LinearDropoutClassifier, LinearDropoutRegressor
from bridle.nets.dropout import DropoutPath, check_rates, dropout_path
from bridle.selection import Curve, Folds, Selection
from bridle.selection.rules import CROSS_VALIDATED

MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are taken for quantities, where no estimator says otherwise."""


def _offers(name: str) -> Any:
    """Return a check that the estimator, fitted or to be fitted, has the method ``name``."""

    def check(self: DropoutPathCV) -> bool:
        return hasattr(getattr(self, "best_estimator_", self.estimator), name)

    return check


class DropoutPathCV(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    r"""Choose the dropout rate by cross-validation, with the folds and rules of a lasso path.

    .. math:: \hat r = \text{rule}\left( \frac{1}{K} \sum_k \mathrm{deviance}_k(r) \right)_{r \in \text{rates}}

    The networks of all folds and rates are trained at once, with early stopping inside each training fold; held-out
    rows have no part in it.

    Parameters
    ----------
    estimator : DropoutClassifier, DropoutRegressor, LinearDropoutClassifier or LinearDropoutRegressor, optional
        Supplies all settings but the rate. By default a DropoutClassifier for labels, booleans and up to 20 whole
        numbers, and a DropoutRegressor for other numbers; give one where scikit-learn must know before fitting which
        it is (to stratify outer folds, say).
    rates : (R,), optional
        Rates to choose from, each from 0 to below 1; by default 0, 0.1, ..., 0.8, and for linear models 0.9 too.
    cv : int, splitter or iterable of (train, test), default=None
        Folds as in scikit-learn; None is 5 folds, stratified for classes.
    rule : {"1se", "min", "within"}, default="1se"
        How the rate is chosen on the curve, see ``bridle.select``: "1se" takes the largest rate within one standard
        error of the smallest loss.
    n_jobs : int or None, default=None
        Threads; the result doesn't depend on it.
    refit : bool, default=True
        Whether to keep a model of all rows at the chosen rate, which predicts.
    verbose : bool, default=False
        Whether to show a progress bar on a terminal's standard error.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the networks; None is that of the estimator.

    Attributes
    ----------
    dropout_ : float
        The chosen rate.
    curve_ : Curve
        The validation curve, fold by fold, largest rate first.
    selection_ : Selection
        What the rule chose, and why.
    best_estimator_ : estimator
        Fitted on all rows at the chosen rate; with ``refit=True``.
    verdict_ : Verdict or None
        Whether the network with a rate chosen in this way over- or underfits; None with a single fold.
    path_ : bridle.nets.DropoutPath
        Curve, evidence, folds, and the networks of all rows at every rate.
    classes_ : (k,)
        Labels of the classes, sorted; of classifiers.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.
    """

    dropout_: float
    curve_: Curve
    selection_: Selection
    best_estimator_: Any
    verdict_: Verdict | None
    path_: DropoutPath

    def __init__(
        self,
        estimator: Any = None,
        *,
        rates: ArrayLike | None = None,
        cv: Any = None,
        rule: str = "1se",
        n_jobs: int | None = None,
        refit: bool = True,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.rates = rates
        self.cv = cv
        self.rule = rule
        self.n_jobs = n_jobs
        self.refit = refit
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, **params: Any) -> Self:
        """Choose the rate by cross-validation, and keep a model of all rows with it.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Labels or numbers.
        sample_weight : (n,), optional
            Weights of the rows, in training and in the losses; rows of weight 0 are as good as absent.
        **params
            ``groups`` for the splitter, and whatever metadata routing sends there.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the folds or the weights can't be used.
        ConvergenceError
            Training diverged at the chosen rate.
        MissingExtraError
            PyTorch isn't installed, and the estimator is a network.
        """
        check_flags(self, "refit", "verbose")
        check_number(self, "n_jobs", integer=True, none=True)
        check_choice(self, "rule", CROSS_VALIDATED)
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        routed = route(self, "fit", params, **given)
        model = self._model(y)
        linear = not isinstance(model, DropoutNetwork)
        sample = linear_sample(model, X, y, sample_weight) if linear else model._sample(X, y, sample_weight)
        rows = X if hasattr(X, "shape") else np.asarray(X)
        splitter = check_cv(self.cv, np.asarray(y), classifier=is_classifier(model))
        folds = _of_kept(split_rows(splitter, rows, y, routed, params), sample.kept, rows.shape[0])
        if linear:
            n_jobs = effective_n_jobs(self.n_jobs)
            self.path_ = linear_path(model, sample, folds, rates=self.rates, rule=self.rule, n_jobs=n_jobs)
        else:
            seed = seed_of(model.random_state if self.random_state is None else self.random_state)
            model.set_params(random_state=seed)
            self.path_ = self._network_path(model, sample, folds, seed)
        self.curve_, self.selection_ = self.path_.curve, self.path_.select()
        self.dropout_ = float(self.selection_.value)
        self.verdict_ = self.path_.verdict() if len(folds) > 1 else None
        self._take_over(model)
        if self.refit:
            model.set_params(dropout=self.dropout_)
            if linear:
                model.fit(X, y, sample_weight)
            else:
                model._keep(self.path_.fits[self.selection_.index], seed)
            self.best_estimator_ = model
        return self

    def _model(self, y: ArrayLike) -> Any:
        """Return a fresh estimator whose settings are used."""
        if self.estimator is None:
            return DropoutClassifier() if _looks_like_classes(y) else DropoutRegressor()
        if not isinstance(self.estimator, DropoutNetwork | LinearDropoutClassifier | LinearDropoutRegressor):
            raise refuse(
                self,
                "estimator",
                self.estimator,
                "a DropoutClassifier, DropoutRegressor, LinearDropoutClassifier or LinearDropoutRegressor (in a "
                "pipeline, DropoutPathCV itself is the last step)",
            )
        return clone(self.estimator)

    def _network_path(self, model: DropoutNetwork, sample: Sample, folds: Folds, seed: int) -> DropoutPath:
        settings = model._settings()
        with progress_bar("dropout path", bool(self.verbose)) as progress:
            return dropout_path(
                sample.X,
                sample.y,
                family=model._family,
                rates=check_rates(self.rates),
                folds=folds,
                architecture=settings.architecture,
                training=settings.training,
                sample_weight=sample.weight,
                rule=self.rule,
                device=model.device,
                seed=seed,
                n_jobs=effective_n_jobs(self.n_jobs),
                progress=progress,
            )

    def _take_over(self, model: Any) -> None:
        """Set what is known of the data, and forget an earlier fit."""
        for name in ("best_estimator_", "classes_", "feature_names_in_"):
            self.__dict__.pop(name, None)
        for name in ("classes_", "n_features_in_", "feature_names_in_"):
            if hasattr(model, name):
                setattr(self, name, getattr(model, name))

    def verdict(self, rate: float | None = None, *, margin: float = 0.05, level: float = 0.95) -> Verdict:
        """Say whether the network over- or underfits at a rate of the path: every other rate is an alternative.

        Parameters
        ----------
        rate : float, optional
            A rate of the path, for example 0.0; by default the one that the rule chooses, anew for each fold.
        margin : float
            Excess error that matters, 0.05 is 5 %.
        level : float
            Confidence level.

        Returns
        -------
        Verdict

        Raises
        ------
        InputError
            The rate isn't on the path, or there is a single fold.
        """
        check_is_fitted(self, "path_")
        if len(self.path_.folds) < 2:
            raise InputError("a verdict needs at least 2 folds to know its uncertainty; fit again with more")
        return self.path_.verdict(rate, margin=margin, level=level)

    # What the best estimator does -------------------------------------------------------------------------------

    def _best(self) -> Any:
        check_is_fitted(self, "path_")
        if not hasattr(self, "best_estimator_"):
            raise InputError(f"{type(self).__name__} was fitted with refit=False, and has no model to predict with")
        return self.best_estimator_

    def predict(self, X: Any, **options: Any) -> Any:
        """Return what the best estimator predicts.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        **options
            Of the best estimator's ``predict``, such as ``return_std`` of a DropoutRegressor.

        Returns
        -------
        (n,), or what the options ask for
        """
        return self._best().predict(X, **options)

    @available_if(_offers("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any, **options: Any) -> Any:
        """Return the best estimator's probabilities of the classes.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        **options
            Of the best estimator's ``predict_proba``, such as ``return_std``.

        Returns
        -------
        (n, k), or what the options ask for
        """
        return self._best().predict_proba(X, **options)

    @available_if(_offers("predict_log_proba"))  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithms of the probabilities.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.

        Returns
        -------
        (n, k)
        """
        return np.asarray(self._best().predict_log_proba(X))

    @available_if(_offers("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the best estimator's scores of the classes.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.

        Returns
        -------
        (n,) or (n, k)
        """
        return np.asarray(self._best().decision_function(X))

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the best estimator's score: accuracy of a classifier, R2 of a regressor.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Labels or numbers.
        sample_weight : (n,), optional
            Weights of the rows.

        Returns
        -------
        float
        """
        return float(self._best().score(X, y, sample_weight=sample_weight))

    def get_metadata_routing(self) -> Any:
        """Return what fit asks for itself and what goes to the splitter (groups)."""
        return splitter_router(self, check_cv(self.cv))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags, tags.regressor_tags = ClassifierTags(), RegressorTags()  # by default it may become either
        if hasattr(self.estimator, "__sklearn_tags__"):
            known = get_tags(self.estimator)
            tags.estimator_type, tags.target_tags = known.estimator_type, deepcopy(known.target_tags)
            tags.classifier_tags, tags.regressor_tags = known.classifier_tags, known.regressor_tags
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        return tags


def _looks_like_classes(y: ArrayLike) -> bool:
    """Whether a target is labels rather than quantities."""
    values = np.asarray(y)
    if values.dtype.kind not in "iuf":
        return True
    return bool(np.all(values == np.round(values))) and len(np.unique(values)) <= MOST_CLASSES


def _of_kept(folds: Folds, kept: NDArray[np.intp] | None, n: int) -> Folds:
    """Return folds of the rows that count, numbered among themselves."""
    if kept is None:
        return folds
    place = np.full(n, -1)
    place[kept] = np.arange(len(kept))
    pairs = tuple((place[a][place[a] >= 0], place[b][place[b] >= 0]) for a, b in folds.pairs)
    return Folds(pairs, folds.description, folds.n_repeats, folds.seed)
