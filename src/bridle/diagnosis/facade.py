"""`diagnose`: the verdict on somebody else's estimator."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.diagnosis.challengers import AUTO, make_challengers
from bridle.diagnosis.checks import CheckContext, run_checks
from bridle.diagnosis.contenders import EstimatorContender, Target
from bridle.diagnosis.evidence import Evidence, collect_evidence
from bridle.diagnosis.hazards import predicts_hazards, survival_rows
from bridle.diagnosis.judgement import judge
from bridle.diagnosis.learning import learning_curve as make_learning_curve
from bridle.diagnosis.neighbours import neighbours
from bridle.diagnosis.table import challenger_features, n_rows_of
from bridle.diagnosis.verdict import LearningCurve, Verdict
from bridle.diagnosis.words import interval_words, percent
from bridle.errors import InputError
from bridle.losses import Family, get_family

Float = NDArray[np.float64]
StageProgress = Callable[[str, int, int], None]  # (stage, done, total)

MODEL = "model"
N_SPLITS = 5  # more splits leave fewer held-out rows each: the Nadeau-Bengio error then grows, see docs/diagnosis.md


def default_repeats(n: int) -> int:
    """Repeats of 5-fold cross-validation: small tables need the precision, large ones don't."""
    return 4 if n <= 500 else 2 if n <= 10_000 else 1


@dataclass(frozen=True)
class Diagnosis:
    """Verdict and evidence on one estimator."""

    verdict: Verdict
    evidence: Evidence
    notes: tuple[str, ...] = ()  # what was left out or cut down, and why

    @property
    def curve(self) -> LearningCurve | None:
        """The learning curve, if it was asked for."""
        return self.verdict.learning_curve

    def __str__(self) -> str:
        """Sentence, action, comparisons and checks that aren't passed, as plain text."""
        v = self.verdict
        lines = [v.sentence, f"Next: {v.action}", "", f"{'compared with':<44} {'side':<8} excess error of the model"]
        lines += [f"{label:<44} {side:<8} {effect}" for label, side, effect in _rows(v)]
        lines += [f"{c.code} {c.title}: {c.message}" for c in v.checks if c.status in ("warn", "fail")]
        return "\n".join([*lines, *(f"Note: {n}" for n in self.notes), f"({v.scheme})"])

    def _repr_html_(self) -> str:
        v = self.verdict
        cells = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in _rows(v))
        head = "<tr><th>Compared with</th><th>Side</th><th>Excess error of the model</th></tr>"
        return (
            f"<p><strong>{html.escape(v.sentence)}</strong></p><p>{html.escape(v.action)}</p>"
            f"<table><thead>{head}</thead><tbody>{cells}</tbody></table>"
        )


def _rows(verdict: Verdict) -> list[tuple[str, str, str]]:
    """Label, side and excess error of each comparison, worst for the model first."""
    ranked = sorted(verdict.comparisons, key=lambda c: -c.rho.value)
    return [(c.label, c.side, f"{percent(c.rho.value)} % ({interval_words(c.rho)})") for c in ranked]


def diagnose(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    family: str | None = None,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    time: ArrayLike | None = None,
    folds: Any = N_SPLITS,
    n_repeats: int | None = None,
    margin: float = 0.05,
    level: float = 0.95,
    challengers: str | Sequence[str] = "auto",
    learning_curve: bool = True,
    seed: int = 0,
    n_jobs: int = 1,
    progress: StageProgress | None = None,
) -> Diagnosis:
    """Tell whether an estimator over- or underfits.

    The estimator, alternatives and its own neighbours (deeper and shallower trees, stronger and weaker penalties)
    are trained on the same folds; see docs/diagnosis.md for the rule.

    Parameters
    ----------
    estimator : scikit-learn estimator
        A regressor, classifier or pipeline, fitted or not. It's cloned, never changed. With times to an event its
        ``predict`` gives log relative hazards.
    X : (n, p) array, sparse matrix or data frame
        Given to the estimator as it is; the alternatives use an encoding of their own.
    y : (n,) or (n, K)
        Target: numbers, class labels, several numbers a row, or times to an event as :class:`bridle.CoxRegressor` takes
        them.
    family : str, optional
        Loss: "binomial" or "multinomial" for classifiers, "gaussian" or "multigaussian" for others by default;
        "poisson" for counts, "ordinal" for ordered classes, "cox" for times to an event (the default of estimators
        that predict hazards, and of structured y). Errors of several numbers are summed: scale them first.
    sample_weight : (n,), optional
        Weights of rows, given to the estimators that take them and used in all losses.
    groups, time : (n,), optional
        Rows of a group stay together; held-out rows are later than training rows.
    folds : int, scikit-learn splitter, or pairs of rows
        Folds; an int is the number of splits.
    n_repeats : int, optional
        Repeats with new shuffles; by default 4 up to 500 rows, 2 up to 10,000, else 1.
    margin : float
        Excess error that matters, 0.05 is 5 %.
    level : float
        Confidence level.
    challengers : "auto" or sequence of str
        Alternatives: some of "ridge", "lasso", "elastic net", "unregularised", "splines", "pairs", "boosting".
    learning_curve : bool
        Whether to train on smaller parts as well.
    seed : int
        Of folds and challengers.
    n_jobs : int
        Threads.
    progress : callable, optional
        Called with (stage, done, total).

    Returns
    -------
    Diagnosis
        ``.verdict.label`` is "no signal", "overfitting", "underfitting", "balanced" or "undetermined".

    Raises
    ------
    InputError
        Data or estimator can't be used: lengths that differ, an estimator that fails.
    """
    from bridle.selection import make_folds

    if n_rows_of(X) != len(y):  # type: ignore[arg-type]
        raise InputError(f"X has {n_rows_of(X)} rows and y has {len(y)}; they must be the same rows")  # type: ignore[arg-type]
    timed = get_family(family).name == "cox" if family else _is_timed(estimator, y)
    read = _survival_target if timed else _target
    target, trained = read(estimator, y, family, sample_weight, groups, time)
    X = np.asarray(X) if isinstance(X, list | tuple) else X
    single = time is not None or not isinstance(folds, int)
    repeats = n_repeats or (1 if single else default_repeats(len(target.y)))
    how = make_folds(
        target.y,
        family=target.family,
        splitter=folds,
        n_repeats=repeats,
        groups=target.groups,
        time=target.time,
        seed=seed,
    )
    features, notes = challenger_features(X)
    names = AUTO if isinstance(challengers, str) else tuple(challengers)
    if isinstance(challengers, str) and challengers != "auto":
        raise InputError(f"challengers must be 'auto' or a list of names, got {challengers!r}")
    common, left_out = make_challengers(features, target, names, seed=seed)
    label = _label(estimator)
    model = EstimatorContender(MODEL, label, estimator, X, target, variants=neighbours(estimator), seed=seed, **trained)
    evidence = collect_evidence(
        (model, *common),
        target.y,
        family=target.family,
        sample_weight=sample_weight,
        folds=how,
        n_jobs=n_jobs,
        progress=None if progress is None else lambda done, total: progress("folds", done, total),
    )
    if MODEL in evidence.failed:
        raise InputError(f"{label} can't be trained on the folds: {evidence.failed[MODEL]}")
    verdict = judge(evidence, MODEL, margin=margin, level=level)
    if learning_curve:
        curve = make_learning_curve(
            model if not model.variants else replace(model, variants={}),
            target.y, family=target.family, folds=how, sample_weight=sample_weight, level=level, seed=seed,
            n_jobs=n_jobs, known=evidence,
        )  # fmt: skip
        verdict = replace(verdict, learning_curve=curve)
    verdict = replace(verdict, checks=run_checks(CheckContext(verdict=verdict, evidence=evidence)))
    failed = tuple(f"{name} left out: {why}" for name, why in evidence.failed.items())
    return Diagnosis(verdict, evidence, (*notes, *left_out, *failed))


def _label(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    return type(steps[-1][1] if steps else estimator).__name__


def _settled(family: Family, y: Float, weight: NDArray[Any] | None) -> Family:
    """A family with a value for every parameter, from the target alone: no model is to be favoured."""
    target = family.target(y, len(y))
    w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    return family.opening(target, w / w.sum())


def _family_of(values: NDArray[Any], *, classifier: bool) -> str:
    """The family of a target that comes without one."""
    if values.ndim == 2:
        return "multinomial" if classifier else "multigaussian"
    if not classifier:
        return "gaussian"
    return "multinomial" if len(np.unique(values)) > 2 else "binomial"


def _is_timed(estimator: Any, y: Any) -> bool:
    """Whether a target that comes without a family is times to an event."""
    return getattr(getattr(y, "dtype", None), "names", None) is not None or predicts_hazards(estimator)


def _survival_target(
    estimator: Any, y: Any, family: str | None, weight: Any, groups: Any, time: Any
) -> tuple[Target, dict[str, Any]]:
    """Times to an event as numbers, and how the estimator is trained with them."""
    numbers, given = survival_rows(estimator, y, len(y), family)
    parts = _parts(len(numbers), weight, groups, time)
    target = Target(numbers, get_family(family or "cox").spec, parts[0], None, parts[1], parts[2])
    return target, {"given": given, "link": True}


def _parts(n: int, *values: Any) -> list[Any]:
    """Weights, groups and time as arrays."""
    parts = [None if v is None else np.asarray(v) for v in values]
    for name, part in zip(("sample_weight", "groups", "time"), parts, strict=True):
        if part is not None and part.shape != (n,):
            raise InputError(f"{name} has shape {part.shape}, y has {n} rows; give one value per row")
    return parts


def _target(
    estimator: Any, y: ArrayLike, family: str | None, weight: Any, groups: Any, time: Any
) -> tuple[Target, dict[str, Any]]:
    """Target as numbers, and for a classifier its labels and the positive one."""
    from sklearn.base import is_classifier

    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if len(values) == 0 or values.ndim > 2:
        raise InputError(f"y has shape {values.shape}; expected one value per row")
    chosen = family or _family_of(values, classifier=is_classifier(estimator))
    parts = _parts(len(values), weight, groups, time)
    kind, labels, positive = get_family(chosen), None, 1.0
    if kind.several:
        numbers = kind.target(y, len(values))
        labels = values if kind.has_classes and values.ndim == 1 else None
        return Target(numbers, kind.spec, parts[0], None, parts[1], parts[2]), {"labels": labels}
    if values.ndim != 1:
        raise InputError(f"y has shape {values.shape}; expected one value per row for the {kind.name} family")
    if chosen == "binomial" and is_classifier(estimator):
        classes = np.unique(values)
        if len(classes) != 2:
            raise InputError(
                f"y has {len(classes)} classes and the binomial family is for two: use family='multinomial'"
            )
        labels, positive = values, classes[1]
        values = values == positive
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"y holds {values.dtype} values; a {chosen} target must be numbers") from None
    if kind.is_classifier and not kind.has_probabilities:
        raise InputError(f"a verdict compares probabilities, and the {kind.name} family has none: use binomial")
    chosen = _settled(kind, numbers, parts[0]).spec
    target = Target(numbers, chosen, parts[0], None, parts[1], parts[2])
    return target, {"labels": labels, "positive": positive}
