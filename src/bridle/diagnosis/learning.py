"""Learning curve: the loss against the number of training rows, on the folds of the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.crew import Crew
from bridle.diagnosis.evidence import EXPECTED, Contender, Evidence, FoldPairs
from bridle.diagnosis.intervals import correction, mean_interval
from bridle.diagnosis.measure import Measure, measure_of
from bridle.diagnosis.verdict import LearningCurve
from bridle.errors import InputError
from bridle.problem import one_blas_thread

Float = NDArray[np.float64]
IntArray = NDArray[np.int64]

SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)
LEAST_ROWS = 10


def learning_curve(
    contender: Contender,
    y: ArrayLike,
    *,
    family: str = "gaussian",
    folds: FoldPairs,
    shares: Sequence[float] = SHARES,
    sample_weight: ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
    n_jobs: int = 1,
    known: Evidence | None = None,
) -> LearningCurve:
    """Train on growing parts of each training fold; tuning is redone each time.

    The parts are nested, so that the curve shows the rows and not the luck of the draw. The first repeat of the folds
    is used. Intervals take the Nadeau-Bengio factor of the whole folds.

    Parameters
    ----------
    contender : Contender
        What to train.
    y : (n,), or n rows as the family takes them
        Target.
    family : str
        Its spec.
    folds : Folds
        As for the evidence.
    shares : sequence of float
        Shares of the training rows.
    sample_weight : (n,), optional
        Weights of rows.
    level : float
        Confidence level.
    seed : int
        Of the order in which rows are added.
    n_jobs : int
        Threads over sizes and folds. The answer doesn't depend on it.
    known : Evidence, optional
        Of the same contender on the same folds, which spares fitting whole training folds again.

    Returns
    -------
    LearningCurve
        Sizes at which the contender can't be trained on some fold (too few rows for its neighbours, say) are left out,
        and so are sizes that are the same as the one before.

    Raises
    ------
    InputError
        Fewer than two folds, or a share outside (0, 1].
    """
    if not all(0 < s <= 1 for s in shares):
        raise InputError(f"shares must lie in (0, 1], got {list(shares)}")
    measure = measure_of(family)
    target = measure.target(y)
    weight = np.ones(len(target)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    pairs = folds.pairs[: -(-len(folds.pairs) // folds.n_repeats)]
    if len(pairs) < 2:
        raise InputError(f"a learning curve needs at least 2 folds, got {len(pairs)}")
    rng = np.random.default_rng(seed)
    strata = measure.strata(target)
    orders = [_spread(rng.permutation(train), strata) for train, _ in pairs]
    n_test = np.array([len(test) for _, test in pairs], dtype=np.int64)
    factor = correction(np.array([len(o) for o in orders], dtype=np.int64), n_test)
    test_weight = np.array([measure.family.units(target, weight)[test].sum() for _, test in pairs])
    parts = [
        [np.sort(order[: max(LEAST_ROWS, round(share * len(order)))]) for order in orders] for share in sorted(shares)
    ]
    whole_losses = None if known is None else _of_whole_folds(known, contender.name, len(pairs))
    jobs = [
        (fold, part, test, whole)
        for of_share in parts
        for fold, (part, (whole, test)) in enumerate(zip(of_share, pairs, strict=True))
    ]

    def run(job: tuple[int, IntArray, IntArray, IntArray]) -> tuple[float, float] | None:
        fold, part, test, whole = job
        if whole_losses is not None and len(part) == len(whole):
            return whole_losses[fold]
        return _losses(contender, part, test, whole, y=target, weight=weight, measure=measure)

    with one_blas_thread:
        losses = Crew(n_jobs, len(jobs), None).map(run, jobs)
    sizes, trains, tests = list[int](), [], []
    for i, of_share in enumerate(parts):
        values = np.array(
            [loss for loss in losses[i * len(pairs) : (i + 1) * len(pairs)] if loss is not None]
        )  # (J, 2)
        size = round(float(np.mean([len(part) for part in of_share])))
        if len(values) < len(pairs) or size in sizes[-1:]:
            continue
        sizes.append(size)
        trains.append(mean_interval(values[:, 0], np.ones(len(values)), factor, level))
        tests.append(mean_interval(values[:, 1], test_weight, factor, level))
    return LearningCurve(tuple(sizes), tuple(trains), tuple(tests))


def _of_whole_folds(known: Evidence, name: str, count: int) -> list[tuple[float, float]]:
    """Training and held-out loss of the first folds, one pair each."""
    column = known.column(name)
    losses = np.stack([known.train_loss[:count, column], known.test_loss[:count, column]], axis=1)
    return [(float(a), float(b)) for a, b in losses]


def _spread(rows: IntArray, strata: IntArray | None) -> IntArray:
    """Order rows so that every beginning holds the classes in their proportion."""
    if strata is None:
        return rows
    place = np.empty(len(rows))
    for stratum in np.unique(strata[rows])[::-1]:
        mine = strata[rows] == stratum
        place[mine] = (np.arange(mine.sum()) + 0.5) / int(mine.sum())
    return np.asarray(rows[np.argsort(place, kind="stable")])


def _losses(
    contender: Contender, train: IntArray, test: IntArray, whole: IntArray, *, y: Float, weight: Float, measure: Measure
) -> tuple[float, float] | None:
    try:
        means = contender.fit_predict(train, test)[""]
    except EXPECTED:
        return None
    losses = measure.losses_of_part(y, weight, means, train, test, whole)
    return losses if np.isfinite(losses).all() else None


def last_fall(curve: LearningCurve) -> float:
    """Share by which the held-out loss fell over the last step of the curve."""
    return 1.0 - curve.test[-1].value / curve.test[-2].value
