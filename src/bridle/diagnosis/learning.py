"""Learning curve: the loss against the number of training rows, on the folds of the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.diagnosis.evidence import EXPECTED, Contender, FoldPairs, supported_means
from bridle.diagnosis.intervals import correction, mean_interval
from bridle.diagnosis.verdict import LearningCurve
from bridle.errors import InputError
from bridle.losses import get_family
from bridle.problem import one_blas_thread
from bridle.selection.crew import Crew

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
) -> LearningCurve:
    """Train on growing parts of each training fold; tuning is redone each time.

    The parts are nested, so that the curve shows the rows and not the luck of the draw. The first repeat of the folds
    is used. Intervals take the Nadeau-Bengio factor of the whole folds.

    Parameters
    ----------
    contender : Contender
        What to train.
    y : (n,)
        Target.
    family : str
        "gaussian", "binomial" or "poisson".
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
    target = np.asarray(y, dtype=np.float64)
    weight = np.ones(len(target)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    pairs = folds.pairs[: -(-len(folds.pairs) // folds.n_repeats)]
    if len(pairs) < 2:
        raise InputError(f"a learning curve needs at least 2 folds, got {len(pairs)}")
    rng = np.random.default_rng(seed)
    orders = [_spread(rng.permutation(train), target, family) for train, _ in pairs]
    n_test = np.array([len(test) for _, test in pairs], dtype=np.int64)
    factor = correction(np.array([len(o) for o in orders], dtype=np.int64), n_test)
    test_weight = np.array([weight[test].sum() for _, test in pairs])
    parts = [
        [np.sort(order[: max(LEAST_ROWS, round(share * len(order)))]) for order in orders] for share in sorted(shares)
    ]
    jobs = [(part, test) for of_share in parts for part, (_, test) in zip(of_share, pairs, strict=True)]
    with one_blas_thread:
        losses = Crew(n_jobs, len(jobs), None).map(
            lambda job: _losses(contender, *job, y=target, weight=weight, family=family), jobs
        )
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


def _spread(rows: IntArray, y: Float, family: str) -> IntArray:
    """Order rows so that every beginning holds both classes in their proportion."""
    if family != "binomial":
        return rows
    place = np.empty(len(rows))
    for positive in (True, False):
        mine = (y[rows] > 0.5) == positive
        place[mine] = (np.arange(mine.sum()) + 0.5) / max(int(mine.sum()), 1)
    return np.asarray(rows[np.argsort(place, kind="stable")])


def _losses(
    contender: Contender, train: IntArray, test: IntArray, *, y: Float, weight: Float, family: str
) -> tuple[float, float] | None:
    unit = get_family(family)
    try:
        at_train, at_test = contender.fit_predict(train, test)[""]
    except EXPECTED:
        return None
    counted = y[train][weight[train] > 0.0]
    losses = [
        float(np.average(unit.deviance(y[rows], supported_means(mean, counted, family)), weights=weight[rows]))
        for rows, mean in ((train, at_train), (test, at_test))
    ]
    return (losses[0], losses[1]) if np.isfinite(losses).all() else None


def last_fall(curve: LearningCurve) -> float:
    """Share by which the held-out loss fell over the last step of the curve."""
    return 1.0 - curve.test[-1].value / curve.test[-2].value
