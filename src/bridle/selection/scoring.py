"""Any scikit-learn scorer on held-out rows: each lambda of a fold's path posed as a fitted estimator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from bridle.errors import InputError
from bridle.losses import get_family
from bridle.path import Path

Float = NDArray[np.float64]
PathScorer = Callable[[Path, Any, Float, Float, Float | None], list[float]]


def named_scorers(scorers: Sequence[Any] | Mapping[str, Any]) -> dict[str, PathScorer]:
    """Give each scorer a name and make it score a block of a path.

    Parameters
    ----------
    scorers : sequence or mapping
        scikit-learn names, ``make_scorer`` objects or callables (estimator, X, y); a mapping gives the names.

    Returns
    -------
    dict
        Name -> function (path, X, y, eta (n, block), weights) -> block scores.

    Raises
    ------
    InputError
        scikit-learn has no scorer of that name, or two have the same.
    """
    if isinstance(scorers, str) or callable(scorers):
        scorers = [scorers]
    pairs: Iterable[tuple[str, Any]] = (
        scorers.items() if isinstance(scorers, Mapping) else [(_name(scorer), scorer) for scorer in scorers]
    )
    named: dict[str, PathScorer] = {}
    for name, scorer in pairs:
        if name in named:
            raise InputError(f"two scorers are called {name!r}; give a mapping from names to scorers")
        named[name] = _on_path(_resolve(scorer))
    return named


def _name(scorer: Any) -> str:
    if isinstance(scorer, str):
        return scorer
    metric = getattr(scorer, "_score_func", scorer)
    return str(getattr(metric, "__name__", type(metric).__name__))


def _resolve(scorer: Any) -> Any:
    if callable(scorer):
        return scorer
    try:
        return get_scorer(scorer)
    except (ValueError, TypeError) as error:
        raise InputError(f"scorer {scorer!r} isn't one of scikit-learn's and can't be called: {error}") from None


def _on_path(scorer: Any) -> PathScorer:
    weighs = "sample_weight" in inspect.signature(getattr(scorer, "_score_func", scorer)).parameters

    def score(path: Path, X: Any, y: Float, eta: Float, weight: Float | None) -> list[float]:
        family = get_family(path.family)
        kind: type[_Fit] = (
            _Regressor if not family.is_classifier else _Classifier if family.has_probabilities else _Scored
        )
        if family.has_classes:
            kind, codes = _Classes, family.classes(y)
            if codes is None:
                raise InputError("scorers need one class per row; y has shares of the classes: leave scorers out")
            y = codes.astype(np.int64)
        extra = {"sample_weight": weight} if weighs and weight is not None else {}
        return [float(scorer(kind(path, X, eta[..., k]), X, y, **extra)) for k in range(eta.shape[-1])]

    return score


class _Fit(BaseEstimator):  # type: ignore[misc]
    """One fit of a path, known by its linear predictor at the held-out rows."""

    def __init__(self, path: Path, X: Any, eta: Float) -> None:
        self.path = path
        self.X = X
        self.eta = eta

    def _link(self, X: Any) -> Float:
        if X is self.X:
            return self.eta
        raise InputError("a scorer asked for predictions of other rows than the held-out ones it was given")


class _Regressor(RegressorMixin, _Fit):  # type: ignore[misc]
    def predict(self, X: Any) -> Float:
        return get_family(self.path.family).mean(self._link(X))


class _Classes(ClassifierMixin, _Fit):  # type: ignore[misc]
    """Several classes, known by their numbers."""

    @property
    def classes_(self) -> NDArray[np.int64]:
        return np.arange(self.predict_proba(self.X).shape[1])

    def predict_proba(self, X: Any) -> Float:
        return get_family(self.path.family).mean(self._link(X))

    def predict(self, X: Any) -> NDArray[np.int64]:
        return np.asarray(np.argmax(self.predict_proba(X), axis=1))


class _Scored(ClassifierMixin, _Fit):  # type: ignore[misc]
    """A classifier without probabilities."""

    classes_ = np.array([0.0, 1.0])

    def decision_function(self, X: Any) -> Float:
        return self._link(X)

    def predict(self, X: Any) -> Float:
        return np.asarray(self.classes_[(self._link(X) > 0.0).astype(np.int64)])


class _Classifier(_Scored):
    def predict_proba(self, X: Any) -> Float:
        mean = get_family(self.path.family).mean
        eta = self._link(X)
        return np.column_stack([mean(-eta), mean(eta)])
