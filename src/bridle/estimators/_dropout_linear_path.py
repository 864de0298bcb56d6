"""The dropout path of a linear model: the marginalised noise of each fold and rate, as a curve and as evidence."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.crew import Crew
from bridle.errors import BridleWarning
from bridle.estimators._base import check_training_data, one_column
from bridle.estimators._checks import check_weight
from bridle.estimators._dropout import Sample, weigh
from bridle.estimators._linear_dropout import LinearDropoutClassifier
from bridle.linear_dropout import LinearDropoutPath, fit_dropout_path
from bridle.losses import get_family
from bridle.nets.dropout import DropoutPath
from bridle.nets.evidence import curve_and_evidence
from bridle.selection import Folds

Float = NDArray[np.float64]


def linear_sample(model: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None) -> Sample:
    """Validate data as the model would, and return the rows that count, with the weights of their classes in."""
    if isinstance(model, LinearDropoutClassifier):
        X, target, labels = model._encode(X, y, [np.float64, np.float32])
        return weigh(X, target, model._total_weight(labels, check_weight(sample_weight, len(target))))
    X, target = check_training_data(model, X, y)
    target = one_column(target)
    get_family(model.family).check_target(target)
    return weigh(X, target, sample_weight)


def linear_path(
    model: Any, sample: Sample, folds: Folds, *, rates: ArrayLike | None, rule: str, n_jobs: int
) -> DropoutPath:
    """Cross-validate a linear model with dropout noise over a grid of rates; ``fits`` is empty.

    Parameters
    ----------
    model : LinearDropoutClassifier or LinearDropoutRegressor
        Supplies all settings but the rate.
    sample : Sample
        Rows.
    folds : Folds
        Of these rows.
    rates : (R,), optional
        Grid; by default that of ``bridle.linear_dropout``.
    rule : str
        How the rate is chosen.
    n_jobs : int
        Threads over folds.

    Returns
    -------
    DropoutPath
    """
    X = sample.X.tocsr() if hasattr(sample.X, "tocsr") else sample.X
    family = "binomial" if isinstance(model, LinearDropoutClassifier) else model.family

    def fit(rows: Any) -> LinearDropoutPath:
        return fit_dropout_path(
            X[rows],
            sample.y[rows],
            family=family,
            rates=rates,
            sample_weight=None if sample.weight is None else sample.weight[rows],
            fit_intercept=bool(model.fit_intercept),
            standardize=bool(model.standardize),
            marginal=model.marginal,
            tol=float(model.tol),
            max_iter=int(model.max_iter),
        )

    everything = np.arange(len(sample.y))
    with warnings.catch_warnings():  # a rate that has no minimum in some fold shows in the curve
        warnings.simplefilter("ignore", BridleWarning)
        *paths, whole = Crew(n_jobs, len(folds) + 1, None).map(fit, [*(train for train, _ in folds.pairs), everything])
    curve, evidence = curve_and_evidence(
        sample.y,
        [path.linear_predictor(X[test]).T for path, (_, test) in zip(paths, folds.pairs, strict=True)],
        [path.linear_predictor(X[train]).T for path, (train, _) in zip(paths, folds.pairs, strict=True)],
        rates=whole.rates,
        folds=folds,
        family=family,
        weight=sample.weight,
        full_loss=whole.deviance,
        label="Linear model with dropout",
        rule=rule,
        n_features=int(X.shape[1]),
    )
    return DropoutPath(curve, evidence, folds, (), rule)
