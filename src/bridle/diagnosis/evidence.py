"""Evidence: the losses of a model and its alternatives on the same folds, each tuned again inside every fold.

The loss is the unit deviance of the family, since its ratios don't change with the scale of the target. A fitted
mean that rules an observation out has an infinite deviance, so means are first kept inside what the training rows
can support: see :func:`supported_means`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.crew import Crew
from bridle.diagnosis.measure import Measure, measure_of
from bridle.errors import InputError
from bridle.problem import one_blas_thread

Float = NDArray[np.float64]
IntArray = NDArray[np.int64]
Progress = Callable[[int, int], None]  # (done, total)

EXPECTED = (ValueError, ArithmeticError, np.linalg.LinAlgError)  # what takes a contender out, and not the study


class Contender(Protocol):
    """Anything that can be trained on some rows and predict others.

    One that gains from training on all folds at once also has ``fit_predict_all(pairs, n_jobs)``, which returns what
    ``fit_predict`` would for each (train, test).
    """

    @property
    def name(self) -> str:
        """Stable name: "ridge", "boosting", ..."""

    @property
    def label(self) -> str:
        """Name for people: "Tuned ridge (L2)"."""

    def fit_predict(self, train: IntArray, test: IntArray) -> Mapping[str, tuple[Float, Float]]:
        """Train on ``train`` and return variant -> (means of the training rows, means of the test rows).

        The variant "" is the contender itself; others lie on its own path: more or less regularised versions, which
        serve as alternatives to this contender only.
        """


class FoldPairs(Protocol):
    """What is needed of ``bridle.selection.Folds``."""

    @property
    def pairs(self) -> tuple[tuple[IntArray, IntArray], ...]:
        """(train rows, test rows) of each fold."""

    @property
    def n_repeats(self) -> int:
        """How often the rows were partitioned anew."""

    @property
    def description(self) -> str:
        """In words."""


@dataclass(frozen=True)
class Evidence:
    """Paired losses of all contenders on the same J folds."""

    names: tuple[str, ...]  # (M,), unique; a variant is "owner: variant"
    labels: tuple[str, ...]  # (M,)
    owners: tuple[str, ...]  # (M,), "" = an alternative to every model, else on the own path of the model named
    family: str
    test_loss: Float  # (J, M), mean unit deviance of the fold's held-out rows
    train_loss: Float  # (J, M), the same on the fold's training rows
    test_weight: Float  # (J,), sum of the weights of the held-out rows, or of what counts among them: events
    n_train: IntArray  # (J,)
    n_test: IntArray  # (J,)
    n_repeats: int
    y: Float  # (n,), or n rows as the family takes them
    weight: Float  # (n,)
    offset: Float | None  # (n,)
    predictions: Mapping[
        str, Float
    ]  # contender -> held-out means as they came, n_repeats of n rows, NaN where never held out
    fold_of: IntArray  # (n_repeats, n) fold in which a row was held out, -1 for never
    scheme: str  # the folds in words
    failed: Mapping[str, str] = field(default_factory=dict)  # contender -> why it has no numbers
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)  # contender -> cost
    null: str = "null"

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return len(self.y)

    def column(self, name: str) -> int:
        """Return the column of ``name``; InputError names those there are."""
        try:
            return self.names.index(name)
        except ValueError:
            why = f" ({self.failed[name]})" if name in self.failed else ""
            raise InputError(f"there is no evidence on {name!r}{why}; there is on {', '.join(self.names)}") from None

    def alternatives(self, model: str) -> tuple[int, ...]:
        """Columns that ``model`` is compared with: all common contenders and its own path."""
        return tuple(
            k
            for k, (n, owner) in enumerate(zip(self.names, self.owners, strict=True))
            if n != model and owner in ("", model)
        )


def supported_means(mean: ArrayLike, y_train: Float, family: str) -> Float:
    """Keep fitted means inside what the training rows can support.

    A model that saw m rows can't justify a probability beyond 1/(m + 2) (Laplace's rule of succession), nor a
    Poisson mean below the overall mean over m + 2. Without it one prediction of 0 or 1, as a forest's leaves give
    all the time, has an infinite deviance and decides everything. All contenders are treated alike.

    Parameters
    ----------
    mean : (n,), or n rows of them
        Fitted means: probabilities, numbers above 0 where the link is a logarithm, any others (left as they are).
    y_train : (m,), or m rows as the family takes them
        Target of the training rows.
    family : str
        Its spec.
    """
    return measure_of(family).supported(mean, y_train)


@dataclass(frozen=True)
class _Rows:
    """The target with all that a loss needs."""

    y: Float  # n rows
    weight: Float  # (n,)
    measure: Measure


@dataclass(frozen=True)
class _Fold:
    """What one contender did on one fold."""

    test: dict[str, float]  # variant -> loss
    train: dict[str, float]
    held_out: Float  # means of the held-out rows, by the contender itself
    error: str
    seconds: float


def _run(train: IntArray, test: IntArray, rows: _Rows, fit: Callable[[], Mapping[str, tuple[Float, Float]]]) -> _Fold:
    start = time.perf_counter()
    try:
        means = fit()
        error = "" if _finite(means[""]) else "its predictions aren't finite"
    except EXPECTED as caught:
        error = f"{type(caught).__name__}: {caught}"
    if error:
        return _Fold({}, {}, np.empty(0), error, time.perf_counter() - start)
    with np.errstate(over="ignore"):
        losses = {v: rows.measure.losses(rows.y, rows.weight, m, train, test) for v, m in means.items() if _finite(m)}
    if not np.isfinite(losses[""]).all():
        return _Fold({}, {}, np.empty(0), "its loss isn't finite", time.perf_counter() - start)
    losses = {v: pair for v, pair in losses.items() if np.isfinite(pair).all()}
    return _Fold(
        test={v: pair[1] for v, pair in losses.items()},
        train={v: pair[0] for v, pair in losses.items()},
        held_out=np.asarray(means[""][1], dtype=np.float64),
        error="",
        seconds=time.perf_counter() - start,
    )


def _finite(means: tuple[Float, Float]) -> bool:
    return bool(np.isfinite(means[0]).all() and np.isfinite(means[1]).all())


def _check(weight: Float, folds: FoldPairs, contenders: Sequence[Contender]) -> None:
    names = [c.name for c in contenders]
    if len(set(names)) < len(names):
        raise InputError(f"contenders need distinct names, got {', '.join(names)}")
    if len(folds.pairs) < 2:
        raise InputError(f"evidence needs at least 2 folds to know its uncertainty, got {len(folds.pairs)}")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise InputError("sample weights must be finite and at least 0")
    for j, (train, test) in enumerate(folds.pairs):
        if weight[train].sum() <= 0 or weight[test].sum() <= 0:
            raise InputError(f"fold {j} has no rows of positive weight on one side; use fewer folds")


def collect_evidence(
    contenders: Sequence[Contender],
    y: ArrayLike,
    *,
    family: str = "gaussian",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    folds: FoldPairs,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> Evidence:
    """Train every contender on the training rows of every fold and keep its losses.

    Parameters
    ----------
    contenders : sequence of Contender
        The first ones needn't be the models to judge: :func:`bridle.diagnosis.judge` takes any by name.
    y : (n,), or n rows as the family takes them
        Target, as numbers.
    family : str
        Its spec.
    sample_weight : (n,), optional
        Weights of rows.
    offset : (n,), optional
        Known part of the linear predictor; the contenders were made with it, here it serves the calibration slope.
    folds : Folds
        The same for all, so that differences are paired.
    n_jobs : int
        Threads over folds and contenders. The answer doesn't depend on it.
    progress : callable, optional
        Called with (done, total).

    Returns
    -------
    Evidence
        A contender that failed on some fold isn't in it; ``failed`` says why.

    Raises
    ------
    InputError
        The target doesn't fit the family, names repeat, fewer than two folds, or a fold without weight.
    """
    measure = measure_of(family)
    target = measure.target(y)
    weight = np.ones(len(target)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    _check(weight, folds, contenders)
    counted = measure.family.units(target, weight)
    jobs = [(c, train, test) for c in contenders for train, test in folds.pairs]
    results = _all_folds(jobs, _Rows(target, weight, measure), n_jobs, progress)
    n_folds = len(folds.pairs)
    names, labels, owners, tests, trains = [], [], [], [], []
    predictions, failed, seconds = {}, {}, {}
    for i, contender in enumerate(contenders):
        mine = results[i * n_folds : (i + 1) * n_folds]
        seconds[contender.name] = sum(r.seconds for r in mine)
        if error := next((r.error for r in mine if r.error), ""):
            failed[contender.name] = error
            continue
        for variant in mine[0].test:
            if all(variant in r.test for r in mine):
                names.append(f"{contender.name}: {variant}" if variant else contender.name)
                labels.append(f"{contender.label}, {variant}" if variant else contender.label)
                owners.append(contender.name if variant else "")
                tests.append([r.test[variant] for r in mine])
                trains.append([r.train[variant] for r in mine])
        predictions[contender.name] = _held_out([r.held_out for r in mine], folds, len(target))
    return Evidence(
        names=tuple(names),
        labels=tuple(labels),
        owners=tuple(owners),
        family=family,
        test_loss=np.array(tests, dtype=np.float64).reshape(-1, n_folds).T,
        train_loss=np.array(trains, dtype=np.float64).reshape(-1, n_folds).T,
        test_weight=np.array([counted[test].sum() for _, test in folds.pairs]),
        n_train=np.array([len(train) for train, _ in folds.pairs], dtype=np.int64),
        n_test=np.array([len(test) for _, test in folds.pairs], dtype=np.int64),
        n_repeats=folds.n_repeats,
        y=target,
        weight=weight,
        offset=None if offset is None else np.asarray(offset, dtype=np.float64),
        predictions=predictions,
        fold_of=_fold_of(folds, len(target)),
        scheme=folds.description,
        failed=failed,
        seconds=seconds,
    )


def _all_folds(
    jobs: list[tuple[Contender, IntArray, IntArray]],
    rows: _Rows,
    n_jobs: int,
    progress: Progress | None,
) -> list[_Fold]:
    crew = Crew(n_jobs, len(jobs), progress)
    together: dict[str, Iterator[Mapping[str, tuple[Float, Float]]]] = {}

    def run(job: tuple[Contender, IntArray, IntArray]) -> _Fold:
        contender, train, test = job
        if contender.name in together:
            means = next(together[contender.name])
            return _run(train, test, rows, lambda: means)
        return _run(train, test, rows, lambda: contender.fit_predict(train, test))

    at_once = list(dict.fromkeys(job[0] for job in jobs if hasattr(job[0], "fit_predict_all")))
    with one_blas_thread:  # sums have one order, whoever else is at work
        found = iter(crew.map(run, [job for job in jobs if job[0] not in at_once]))
        for contender in at_once:
            pairs = [(train, test) for c, train, test in jobs if c is contender]
            with suppress(*EXPECTED):  # if it fails, each fold tells by itself what is wrong
                together[contender.name] = iter(contender.fit_predict_all(pairs, n_jobs))
        if progress is not None and at_once:
            progress(len(jobs), len(jobs))
        return [run(job) if job[0] in at_once else next(found) for job in jobs]


def _held_out(parts: list[Float], folds: FoldPairs, n: int) -> Float:
    """(n_repeats, n, ...) held-out means; a row held out twice in one repeat keeps the later one."""
    out = np.full((folds.n_repeats, n, *parts[0].shape[1:]), np.nan)
    for (repeat, _, test), mean in zip(_numbered(folds), parts, strict=True):
        out[repeat, test] = mean
    return out


def _fold_of(folds: FoldPairs, n: int) -> IntArray:
    out = np.full((folds.n_repeats, n), -1, dtype=np.int64)
    for repeat, j, test in _numbered(folds):
        out[repeat, test] = j
    return out


def _numbered(folds: FoldPairs) -> list[tuple[int, int, IntArray]]:
    """(repeat, fold, test rows) of each fold, in order."""
    per_repeat = -(-len(folds.pairs) // folds.n_repeats)
    return [(j // per_repeat, j, test) for j, (_, test) in enumerate(folds.pairs)]
