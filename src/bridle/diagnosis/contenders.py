"""Contenders: models that can be trained again on any rows, tuning included, and predict others.

All of them take the whole table and two sets of row numbers, so that whatever is learned from data (imputation,
encoding, lambda, trees) is learned from the training rows only.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.convert import unitless_ratios
from bridle.diagnosis.measure import Means, measure_of
from bridle.diagnosis.several import fit_classes
from bridle.diagnosis.table import matrix_for, take_rows
from bridle.errors import BridleWarning, InputError
from bridle.losses import get_family

Float = NDArray[np.float64]
IntArray = NDArray[np.int64]

INNER_FOLDS = 5
TUNING_LAMBDAS = 25  # a coarser grid than a final fit's: between its values the loss hardly moves
CRITERIA = ("aic", "aicc", "bic", "ebic", "gcv")  # rules that need degrees of freedom
TUNING_TOLERANCE = 1e-4  # duality gap while tuning, far below the noise of a fold's loss


@dataclass(frozen=True, eq=False)
class Target:
    """What is to be predicted, shared by all contenders of one comparison."""

    y: Float  # (n,), or n rows as the family takes them
    family: str = "gaussian"
    weight: Float | None = None  # (n,)
    offset: Float | None = None  # (n,), on the link scale
    groups: NDArray[Any] | None = None  # (n,), kept together when tuning too
    time: NDArray[Any] | None = None  # (n,), respected when tuning too

    def part(self, name: str, rows: IntArray) -> Any:
        """Weights, offset, groups or time of some rows; None where there are none."""
        values = getattr(self, name)
        return None if values is None else values[rows]


@dataclass(frozen=True, eq=False)
class NullContender:
    """The mean of the training rows: what can be had without any feature."""

    target: Target
    name: str = "null"
    label: str = "overall mean"

    def fit_predict(self, train: IntArray, test: IntArray) -> Mapping[str, Means]:
        """Return the means under variant ""."""
        t = self.target
        weight = np.ones(len(t.y)) if t.weight is None else t.weight
        return {"": measure_of(t.family).null(t.y, weight, t.offset, train, test)}


@dataclass(frozen=True, eq=False)
class LinearContender:
    """A penalised linear model, its strength chosen again inside every training fold.

    Parameters
    ----------
    name, label : str
        Stable name, and name for people.
    X : (n, p) matrix or FoldDesign
        Features.
    target : Target
        What to predict.
    l1_ratio : tuple of float
        Values to choose from, for a gaussian target in standard deviations: (0.0,) is ridge, (1.0,) the lasso.
    rule : str
        Selection rule, see :func:`bridle.selection.select`.
    strengths : tuple of float
        Multiples of the chosen lambda that are tried as variants, e.g. (10.0, 0.1).
    inner_folds, n_lambdas, seed : int
        Of the tuning.
    lambda_min_ratio : float, optional
        End of the grid over its start; :func:`tuning_ratio` by default.
    most_rows : int, optional
        Train on at most this many of the training rows, drawn at random; losses are still those of all.
    penalty : mapping
        ``penalty`` and ``groups`` of :func:`bridle.fit_path`, where it isn't the elastic net.
    relax : bool
        Whether to choose a blend with refits of the active features too, see :func:`bridle.cross_validate`.
    """

    name: str
    label: str
    X: Any
    target: Target
    l1_ratio: tuple[float, ...] = (1.0,)
    rule: str = "min"
    strengths: tuple[float, ...] = ()
    inner_folds: int = INNER_FOLDS
    n_lambdas: int = TUNING_LAMBDAS
    seed: int = 0
    lambda_min_ratio: float | None = None
    most_rows: int | None = None
    penalty: Mapping[str, Any] = field(default_factory=dict)
    relax: bool = False

    def fit_predict(self, train: IntArray, test: IntArray) -> Mapping[str, Means]:
        """Tune on the training rows, then return means under "" and under each other strength.

        Training rows that can't be split again (one group, one row of the rarer class, counts of 0 only) give nothing
        to tune by: the answer is then the overall mean, as with the strongest penalty.
        """
        t, used = self.target, sampled(train, self.most_rows, self.seed)
        matrix = matrix_for(self.X, used)
        try:
            found = self._tuned(matrix, used)
        except InputError:
            return NullContender(t).fit_predict(train, test)
        chosen = _chosen(found, self.rule)
        path = found.paths[chosen.curve]
        lams = {"": chosen.value} | {_strength(s): chosen.value * s for s in self.strengths}
        inside = {v: lam for v, lam in lams.items() if not v or path.lambdas[-1] <= lam <= path.lambdas[0]}
        return {variant: _predicted(path, matrix, t, lam, train, test) for variant, lam in inside.items()}

    def _tuned(self, matrix: Any, used: IntArray) -> Any:
        """Cross-validated paths of the rows used."""
        from bridle.selection import cross_validate, make_folds

        t = self.target
        weight, offset = t.part("weight", used), t.part("offset", used)
        ratios = unitless_ratios(self.l1_ratio, t.y[used], family=t.family, sample_weight=weight, offset=offset)
        end = self.lambda_min_ratio or tuning_ratio(t.family, (len(used), matrix.shape[1]), ratios)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BridleWarning)
            folds = make_folds(
                t.y[used], family=t.family, n_splits=self.inner_folds, groups=t.part("groups", used),
                time=t.part("time", used), seed=self.seed,
            )  # fmt: skip
            return cross_validate(
                matrix[used], t.y[used], folds=folds, family=t.family, l1_ratio=ratios, n_lambdas=self.n_lambdas,
                lambda_min_ratio=end, sample_weight=weight, offset=offset, tol=TUNING_TOLERANCE,
                effective_df="auto" if self.rule in CRITERIA else False, relax=self.relax, **self.penalty,
            )  # fmt: skip


def _chosen(found: Any, rule: str) -> Any:
    """The rule's choice; where it has none (no finite criterion on these rows) the smallest held-out loss."""
    try:
        return found.select(rule)
    except InputError:
        return found.select("min")


def _predicted(path: Any, matrix: Any, t: Target, lam: float, train: IntArray, test: IntArray) -> Means:
    """Means of training and test rows at one lambda of a path."""
    a, b = (path.predict(matrix[rows], t.part("offset", rows), lam=lam) for rows in (train, test))
    return a, b


def sampled(train: IntArray, most: int | None, seed: int) -> IntArray:
    """At most ``most`` of the training rows, drawn at random and kept in order."""
    if most is None or len(train) <= most:
        return train
    return np.sort(np.random.default_rng(seed).choice(train, most, replace=False))


def tuning_ratio(family: str, shape: tuple[int, int], l1_ratio: tuple[float, ...]) -> float:
    """End of the tuning grid over its start.

    A grid for ridge starts a thousand times above the lasso's, so it must also go on a thousand times further (as the
    path's own does): else the best ridge model of a strong signal lies beyond its end. For other losses than the
    gaussian it ends earlier than the path's own, since the last tenth of a path costs most and wins nothing.
    """
    n, p = shape
    end = 1e-2 if n <= p else 1e-4 if family == "gaussian" else 1e-3
    return end * max(min(l1_ratio), 1e-3)


def _strength(multiple: float) -> str:
    return f"penalty x {multiple:g}"


@dataclass(frozen=True, eq=False)
class FixedContender:
    """A linear model at one given strength: lambda itself, or a share of lambda_max; 0 is unregularised.

    With lambda 0 and features that determine each other (collinear, or more than rows) the fit isn't unique; a
    gaussian one is then that of least norm on the standardised scale, the limit of ridge.
    """

    name: str
    label: str
    X: Any
    target: Target
    lam: float = 0.0
    relative: bool = False  # whether ``lam`` is a share of lambda_max
    l1_ratio: float = 1.0

    def fit_predict(self, train: IntArray, test: IntArray) -> Mapping[str, Means]:
        """Return the means under variant ""."""
        from bridle.path import fit_path

        t = self.target
        matrix = matrix_for(self.X, train)
        if self.lam == 0.0 and t.family == "gaussian" and isinstance(matrix, np.ndarray):
            return {"": _least_norm(matrix[train], matrix[test], t, train, test)}
        options: dict[str, Any] = {
            "family": t.family,
            "l1_ratio": self.l1_ratio,
            "sample_weight": t.part("weight", train),
            "offset": t.part("offset", train),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BridleWarning)
            top = fit_path(matrix[train], t.y[train], n_lambdas=1, **options).lambda_max if self.relative else 1.0
            path = fit_path(matrix[train], t.y[train], lambdas=[self.lam * top], **options)
        return {"": _predicted(path, matrix, t, float(path.lambdas[0]), train, test)}


def _least_norm(at_train: Float, at_test: Float, t: Target, train: IntArray, test: IntArray) -> Means:
    """Least squares of least norm on standardised features, through the singular values."""
    w = np.ones(len(train)) if t.weight is None else t.weight[train]
    w = w / w.sum()
    offset = np.zeros(len(t.y)) if t.offset is None else t.offset
    mean = w @ at_train
    Z = np.asarray(at_train - mean, dtype=np.float64)  # (m, p)
    scale = np.sqrt(w @ Z**2)
    scale[scale <= 1e-12 * np.maximum(np.abs(mean), 1e-300)] = np.inf  # constant columns carry nothing
    r = t.y[train] - offset[train]
    centre = float(w @ r)
    b = _solve(np.sqrt(w)[:, None] * (Z / scale), np.sqrt(w) * (r - centre)) / scale
    shift = centre - mean @ b
    return at_train @ b + shift + offset[train], at_test @ b + shift + offset[test]


def _solve(Z: Float, r: Float) -> Float:
    """Least squares of least norm: by the normal equations where they are safe, else through singular values."""
    if Z.shape[0] > Z.shape[1]:
        values, vectors = np.linalg.eigh(Z.T @ Z)
        if values[0] > 1e-6 * values[-1]:  # then the squared condition number costs no more than six digits
            return np.asarray(vectors @ ((vectors.T @ (Z.T @ r)) / values))
    return np.asarray(np.linalg.lstsq(Z, r, rcond=1e-10)[0])


@dataclass(frozen=True, eq=False)
class EstimatorContender:
    """Any scikit-learn estimator or pipeline, cloned for every fold.

    A classifier's probabilities come from ``predict_proba``; else ``decision_function`` through a sigmoid that is
    fitted by cross-validation inside the training rows (Platt); else each label is given the share of positives
    that out-of-fold training rows of that label had.

    Parameters
    ----------
    name, label : str
        Stable name, and name for people.
    estimator : scikit-learn estimator
        Fitted or not; it's never changed.
    X : (n, p) array, sparse matrix or data frame
        Given to the estimator as it is.
    target : Target
        What to predict, as numbers.
    labels : (n,), optional
        Class labels that a classifier is trained with; the numbers of ``target`` by default.
    positive : optional
        The label that ``target`` calls 1.
    given : n rows, optional
        The target as the estimator takes it, if it isn't a classifier; the numbers of ``target`` by default.
    link : bool
        Whether ``predict`` gives linear predictors, up to a constant: log relative hazards.
    variants : mapping
        Variant -> parameters to set: more and less regularised versions of the estimator.
    most_rows : int, optional
        Train on at most this many of the training rows, drawn at random; losses are still those of all.
    seed : int
        Of that draw.
    one_thread : bool
        Keep OpenMP to one thread, which is quicker for small models.
    """

    name: str
    label: str
    estimator: Any
    X: Any
    target: Target
    labels: NDArray[Any] | None = None
    positive: Any = 1
    given: Any = None
    link: bool = False
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    most_rows: int | None = None
    seed: int = 0
    one_thread: bool = False

    def fit_predict(self, train: IntArray, test: IntArray) -> Mapping[str, Means]:
        """Return the means under "" and under each variant."""
        from sklearn.base import clone
        from threadpoolctl import threadpool_limits

        used = sampled(train, self.most_rows, self.seed)
        X = matrix_for(self.X, used)
        found = {}
        with threadpool_limits(1 if self.one_thread else None, user_api="openmp"):
            found[""] = self._means(clone(self.estimator), X, used, train, test)
            for variant, parameters in self.variants.items():
                with suppress(ValueError, ArithmeticError):  # more neighbours than rows, say: no such variant here
                    found[variant] = self._means(clone(self.estimator).set_params(**parameters), X, used, train, test)
        return found

    def _means(self, estimator: Any, X: Any, used: IntArray, train: IntArray, test: IntArray) -> Means:
        from sklearn.base import is_classifier

        t, family = self.target, get_family(self.target.family)
        measure = measure_of(family)
        if t.family == "binomial" and is_classifier(estimator):
            labels = t.y if self.labels is None else self.labels
            positive = 1.0 if self.labels is None else self.positive
            function = _fit_classifier(
                estimator, take_rows(X, used), labels[used], positive, t.part("weight", used), t.part("groups", used)
            )
        elif family.has_classes and is_classifier(estimator):
            codes = np.asarray(measure.strata(t.y) if self.labels is None else self.labels)
            function = fit_classes(
                estimator, take_rows(X, used), codes[used], np.unique(codes), weight=t.part("weight", used),
                folds=lambda: _inner(t, used), fit=_fit,
            )  # fmt: skip
        else:
            own = take_rows(t.y if self.given is None else self.given, used)
            function = _fit(estimator, take_rows(X, used), own, t.part("weight", used)).predict
        means = (np.asarray(function(take_rows(X, rows)), dtype=np.float64) for rows in (train, test))
        width = measure.width(t.y)
        at_train, at_test = (m[:, 0] if not width and m.ndim == 2 and m.shape[1] == 1 else m for m in means)
        expected = (len(train), *width)
        if at_train.shape != expected:
            raise InputError(f"{self.label} predicts an array of shape {at_train.shape}, expected {expected}")
        if not self.link:
            return at_train, at_test
        if not (np.isfinite(at_train).all() and np.isfinite(at_test).all()):
            raise InputError(f"{self.label} predicts values that aren't finite")
        centre = float(np.mean(at_train))
        return family.mean(at_train - centre), family.mean(at_test - centre)


def _inner(t: Target, used: IntArray) -> Any:
    """Pairs of the training rows of a fold, stratified by class, for what has to be calibrated."""
    from bridle.selection import make_folds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BridleWarning)
        return make_folds(t.y[used], family=t.family, n_splits=INNER_FOLDS, groups=t.part("groups", used)).pairs


def _fit(estimator: Any, X: Any, y: Any, weight: Float | None) -> Any:
    """Fit with weights where the estimator (or a pipeline's last step) takes them."""
    if weight is None:
        return estimator.fit(X, y)
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import has_fit_parameter

    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        key, takes = f"{name}__sample_weight", has_fit_parameter(last, "sample_weight")
    else:
        key, takes = "sample_weight", has_fit_parameter(estimator, "sample_weight")
    return estimator.fit(X, y, **{key: weight}) if takes else estimator.fit(X, y)


def _fit_classifier(
    estimator: Any, X: Any, labels: NDArray[Any], positive: Any, weight: Float | None, groups: NDArray[Any] | None
) -> Any:
    """Fit, and return a function from rows to probabilities of the positive class."""
    if hasattr(estimator, "predict_proba"):
        fitted = _fit(estimator, X, labels, weight)
        return lambda rows: fitted.predict_proba(rows)[:, _column(fitted.classes_, positive)]
    from sklearn.model_selection import cross_val_predict

    from bridle.selection import make_folds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BridleWarning)
        inner = make_folds(labels == positive, family="binomial", n_splits=INNER_FOLDS, groups=groups).pairs
    if hasattr(estimator, "decision_function"):
        from sklearn.calibration import CalibratedClassifierCV

        platt = CalibratedClassifierCV(estimator, method="sigmoid", cv=inner, ensemble=False)
        fitted = _fit(platt, X, labels, weight)
        return lambda rows: fitted.predict_proba(rows)[:, _column(fitted.classes_, positive)]
    guess = cross_val_predict(estimator, X, labels, cv=inner)
    share = {label: _laplace(labels[guess == label] == positive) for label in np.unique(labels)}
    fitted = _fit(estimator, X, labels, weight)
    return lambda rows: np.array([share[label] for label in fitted.predict(rows)])


def _laplace(positive: NDArray[np.bool_]) -> float:
    return (float(positive.sum()) + 1.0) / (len(positive) + 2.0)


def _column(classes: NDArray[Any], positive: Any) -> int:
    """Column of the positive class; an error where the training rows had none of it."""
    found = np.flatnonzero(classes == positive)
    if len(classes) != 2 or len(found) != 1:
        raise InputError(
            f"training rows of a fold hold the classes {list(classes)}; expected two, {positive!r} among them"
        )
    return int(found[0])
