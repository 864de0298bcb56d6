"""How predictions are measured where models are compared: one place that knows what kinds of targets differ in."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.losses import Family, get_family

Float = NDArray[np.float64]
IntArray = NDArray[np.int64]
Means = tuple[Float, Float]  # of the training rows, of the test rows


class Measure:
    """Targets of one number a row, whose loss is a sum over rows; other kinds of targets override what differs.

    A contender predicts *means*: what ``family.mean`` makes of its linear predictor, n rows of them.
    """

    null_words: ClassVar[str] = "the overall mean"  # what the model without features goes by
    null_label: ClassVar[str] = "Mean only"  # and what it is called

    def __init__(self, family: Family) -> None:
        self.family = family

    def target(self, y: ArrayLike) -> Float:
        """Return the target as the family's functions take it, checked."""
        values = np.asarray(y, dtype=np.float64)
        self.family.check_target(values)
        return values

    def strata(self, y: Float) -> IntArray | None:
        """Return the class of each row (n,) that a share of the rows should hold its part of; None where all do."""
        return (y > 0.5).astype(np.int64) if self.family.is_classifier else None

    def width(self, y: Float) -> tuple[int, ...]:
        """Return the shape of one row's mean."""
        return y.shape[1:]

    def null(self, y: Float, weight: Float, offset: Float | None, train: IntArray, test: IntArray) -> Means:
        """Return the means of the model without features, learned from the training rows.

        Parameters
        ----------
        y, weight, offset : n rows, (n,), (n,) or None
            All rows.
        train, test : (n_train,), (n_test,)
            Numbers of the rows.
        """
        o = np.zeros(len(y)) if offset is None else offset
        b0 = self.family.null_predictor(y[train], weight[train], o[train])
        return self.family.mean(b0 + o[train]), self.family.mean(b0 + o[test])

    def supported(self, mean: ArrayLike, y_train: Float) -> Float:
        """Keep means inside what the training rows can support; see :func:`bridle.diagnosis.supported_means`."""
        mu = np.asarray(mean, dtype=np.float64)
        share = 1.0 / (len(y_train) + 2)
        if self.family.has_probabilities:
            return np.clip(mu, share, 1.0 - share)
        if self.family.link_name == "log":
            return np.maximum(mu, share * max(float(y_train.mean()), share))
        return mu

    def losses(self, y: Float, weight: Float, means: Means, train: IntArray, test: IntArray) -> tuple[float, float]:
        """Return training and held-out loss of one fold: weighted mean unit deviances of supported means."""
        counted = y[train][weight[train] > 0.0]
        at_train, at_test = (self.supported(m, counted) for m in means)
        return self._loss(y[train], weight[train], at_train), self._loss(y[test], weight[test], at_test)

    def losses_of_part(
        self, y: Float, weight: Float, means: Means, part: IntArray, test: IntArray, whole: IntArray
    ) -> tuple[float, float]:
        """Return :meth:`losses` of a fit to a part of a fold's training rows, comparable with those of ``whole``."""
        return self.losses(y, weight, means, part, test)

    def _loss(self, y: Float, weight: Float, mean: Float) -> float:
        used = weight > 0.0  # an infinite loss of weight 0 is none
        return float(np.average(self.family.deviance(y, mean)[used], weights=weight[used]))

    @property
    def has_slope(self) -> bool:
        """Whether one slope tells if predictions are too extreme."""
        return True

    def slope(
        self, y: Float, mean: Float, weight: Float, offset: Float | None, folds: IntArray
    ) -> tuple[float, float] | None:
        """Return calibration slope and standard error of one repeat's held-out means; None for the usual way."""
        return None

    def boosted(self, options: dict[str, Any]) -> Any:
        """Return scikit-learn's gradient boosting for such a target, or why there is none."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        if self.family.is_classifier:
            return HistGradientBoostingClassifier(**options)
        extra: dict[str, Any] = {"loss": _BOOSTED.get(self.family.name, "squared_error")}
        if self.family.share_below is not None:
            extra = {"loss": "quantile", "quantile": self.family.share_below}
        return HistGradientBoostingRegressor(**extra, **options)


_BOOSTED = {
    "poisson": "poisson",
    "negative_binomial": "poisson",
    "tweedie": "poisson",
    "gamma": "gamma",
    "huber": "absolute_error",
}
"""The loss of scikit-learn's boosting that is nearest to each family's."""


def measure_of(family: str | Family) -> Measure:
    """Return how predictions of a family are measured."""
    kind = get_family(family)
    if kind.several:
        made: Measure = importlib.import_module("bridle.diagnosis.several").SeveralMeasure(kind)
        return made
    if kind.name == "cox":
        of_hazards: Measure = importlib.import_module("bridle.diagnosis.survival").cox_measure(kind)
        return of_hazards
    return Measure(kind)
