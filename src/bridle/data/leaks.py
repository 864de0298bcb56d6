"""Columns that are suspiciously good: one that gives the target away, and pairs that say the same.

A leak is a column that orders the target (almost) perfectly *and* stands out from all others. The second half
matters: in gene expression many columns separate two tumours, and that is signal.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridle.data.values import as_text
from bridle.losses import get_family
from bridle.survival.target import EVENT, TIME

if TYPE_CHECKING:
    import polars as pl

Float = NDArray[np.float64]
PERFECT_RANKS = 0.01  # 1 - |rank correlation| at most this
PERFECT_AUC = 0.005  # 1 - AUC at most this: iris' petals reach 0.009 honestly
STANDS_OUT = 3.0  # the best other column has at least this many times the error
MIN_ROWS = 20
_SAMPLE = 20_000
_LEVELS = 20
_PAIR_ROWS = 5_000
_PAIR_COLUMNS = 1_500


@dataclass(frozen=True)
class Leak:
    """One suspected leak: ``strength`` is the rank correlation or the area under the ROC curve."""

    column: str
    strength: float
    sentence: str


def find_leaks(
    frame: pl.DataFrame | None,
    matrix: Any,
    names: Sequence[str],
    y: Float,
    family: str,
    responses: Sequence[str] = (),
) -> tuple[Leak, ...]:
    """Find the columns that predict the target suspiciously well on their own.

    The error of a column is 1 - |Spearman's rank correlation| against a numeric target and 1 - AUC against two classes;
    for a column of few levels and a numeric target it is the share of wrongly ordered pairs of rows from neighbouring
    levels. Categories stand for the mean target of the other rows in their level; whether a cell is missing counts too.
    Of times to an event both the time and whether there was an event are looked at.
    """
    if get_family(family).name == "cox":  # start, time, event, stratum: either of the two in the middle
        by_event = find_leaks(frame, matrix, names, y[:, EVENT], "binomial")
        by_time = find_leaks(frame, matrix, names, y[:, TIME], "gaussian")
        told = {leak.column for leak in by_event}
        return (*by_event, *(leak for leak in by_time if leak.column not in told))
    if y.ndim == 2:
        kind = get_family(family)
        if responses:
            return tuple(
                replace(leak, sentence=leak.sentence.replace("the target", f"the target {name!r}", 1))
                for k, name in enumerate(responses)
                for leak in find_leaks(frame, matrix, names, y[:, k], "gaussian")
            )
        codes = np.argmax(y, axis=1).astype(np.float64)
        return (
            find_leaks(frame, matrix, names, codes, "gaussian")
            if kind.name == "ordinal"
            else _of_classes(frame, matrix, names, codes, y.shape[1])
        )
    n = y.shape[0]
    if n < MIN_ROWS or np.ptp(y) == 0:
        return ()
    rows = np.arange(n) if n <= _SAMPLE else np.linspace(0, n - 1, _SAMPLE).astype(np.int64)
    target = y[rows]
    if np.ptp(target) == 0:
        return ()
    ranks = _ranks(target)
    binary = get_family(family).is_classifier and len(np.unique(target)) == 2
    errors = np.array([_error(frame, matrix, names, j, rows, target, ranks, binary) for j in range(len(names))])
    suspects = np.flatnonzero(errors <= (PERFECT_AUC if binary else PERFECT_RANKS))
    if not suspects.size or suspects.size > max(5, len(names) // 5):
        return ()
    smallest = min(np.sum(target == 0), np.sum(target == 1)) if binary else len(rows)
    return _standing_out(names, errors, suspects, int(smallest), binary)


def _standing_out(
    names: Sequence[str], errors: Float, suspects: NDArray[np.int64], smallest: int, binary: bool
) -> tuple[Leak, ...]:
    """Suspects that are far better than all other columns, best first."""
    floor = max(float(errors[suspects].max()), 1.0 / max(1, smallest))
    others = np.delete(errors, suspects)
    if others.size and others.min() < STANDS_OUT * floor:
        return ()
    return tuple(
        _leak(names[j], 1.0 - float(errors[j]), binary) for j in suspects[np.argsort(errors[suspects], kind="stable")]
    )


def _of_classes(
    frame: pl.DataFrame | None, matrix: Any, names: Sequence[str], codes: Float, k: int
) -> tuple[Leak, ...]:
    """Columns that tell each pair of several classes apart: the error is that of the worst pair."""
    n = codes.size
    if n < MIN_ROWS:
        return ()
    rows = np.arange(n) if n <= _SAMPLE else np.linspace(0, n - 1, _SAMPLE).astype(np.int64)
    errors, target = np.zeros(len(names)), codes[rows]
    smallest = int(np.bincount(target.astype(np.int64), minlength=k).min())
    limit = STANDS_OUT * max(PERFECT_AUC, 1.0 / max(1, smallest))  # from which on a column is none of interest
    for a, b in itertools.combinations(range(k), 2):
        pair = (target == a) | (target == b)
        y = (target[pair] == b).astype(np.float64)
        still = np.flatnonzero(errors <= limit)
        if y.size == 0 or np.ptp(y) == 0.0 or not still.size:
            continue
        ranks = _ranks(y)
        for j in still:
            errors[j] = max(errors[j], _error(frame, matrix, names, int(j), rows[pair], y, ranks, True))
    suspects = np.flatnonzero(errors <= PERFECT_AUC)
    if not suspects.size or suspects.size > max(5, len(names) // 5):
        return ()
    return _standing_out(names, errors, suspects, smallest, True)


def _leak(name: str, strength: float, binary: bool) -> Leak:
    how = f"area under the ROC curve {strength:.4f}" if binary else f"rank agreement {strength:.4f}"
    return Leak(
        name,
        strength,
        f"Column {name!r} gives the target away almost perfectly on its own ({how}). If it is made from the target, "
        f"or known only after it, every score here is too good: leave it out (--exclude {name!r}).",
    )


def _error(
    frame: pl.DataFrame | None,
    matrix: Any,
    names: Sequence[str],
    j: int,
    rows: NDArray[np.int64],
    y: Float,
    ranks: Float,
    binary: bool,
) -> float:
    """How badly column ``j`` predicts y (m,) on its own."""
    if frame is not None:
        series = frame[names[j]]
        if not series.dtype.is_numeric():
            labels = as_text(series[rows]).fill_null("").to_numpy().astype(str)
            return _error_labels(np.unique(labels, return_inverse=True)[1], y, binary)
        x = np.asarray(series.to_numpy()[rows], dtype=np.float64)
    else:
        column = matrix[:, [j]]
        x = np.asarray(column[rows] if isinstance(column, np.ndarray) else column[rows].toarray(), np.float64)[:, 0]
    known = ~np.isnan(x)
    m = int(known.sum())
    best = 1.0
    if m >= MIN_ROWS and m >= 0.2 * x.size:
        best = _error_known(x[known], y[known], ranks if m == x.size else _ranks(y[known]), binary)
    if binary and 0 < m < x.size:  # whether the cell is missing may tell the class
        best = min(best, 1.0 - _auc(ranks, known))
    return best


def _error_labels(codes: NDArray[np.int64], y: Float, binary: bool) -> float:
    k = int(codes.max()) + 1
    if not binary:
        return _level_error(codes, k, y) if 1 < k <= _LEVELS else 1.0
    # the mean of the other rows of the level: a level of one row must not know its own target
    sums, counts = np.bincount(codes, y), np.bincount(codes)
    with np.errstate(invalid="ignore", divide="ignore"):
        rest = (sums[codes] - y) / (counts[codes] - 1)
    return _error_known(np.where(counts[codes] > 1, rest, y.mean()), y, y, binary)


def _error_known(x: Float, y: Float, ranks: Float, binary: bool) -> float:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 1.0
    if binary:
        return 1.0 - _auc(_ranks(x), y == 1)
    levels, codes = np.unique(x, return_inverse=True)
    if levels.size <= _LEVELS and levels.size < np.unique(y).size:
        return _level_error(codes, levels.size, y)
    a, b = _ranks(x), ranks
    return 1.0 - abs(float(np.corrcoef(a, b)[0, 1]))


def _level_error(codes: NDArray[np.int64], k: int, y: Float) -> float:
    """Worst share of wrongly ordered pairs among neighbouring levels: 0 if the levels cut the target into slices."""
    order = np.argsort([np.median(y[codes == c]) for c in range(k)], kind="stable")
    worst = 0.0
    for low, high in itertools.pairwise(order):
        pair = (codes == low) | (codes == high)
        worst = max(worst, 1.0 - _auc(_ranks(y[pair]), codes[pair] == high))
    return worst


def _auc(ranks: Float, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve from ranks (m,), whichever direction is better."""
    n1 = int(positive.sum())
    n0 = positive.size - n1
    if n0 == 0 or n1 == 0:
        return 0.5
    area = (ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n0 * n1)
    return float(max(area, 1 - area))


def _ranks(x: Float) -> Float:
    """Ranks from 1 (m,), ties averaged."""
    _, codes, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[codes], dtype=np.float64)


def find_duplicates(frame: pl.DataFrame | None, matrix: Any, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Find pairs of numeric columns with a correlation above 0.999, in up to 1,500 columns and on up to 5,000 rows."""
    numeric = list(names) if frame is None else [c for c, t in frame.schema.items() if t.is_numeric()]
    if not 2 <= len(numeric) <= _PAIR_COLUMNS:
        return ()
    n = frame.height if frame is not None else matrix.shape[0]
    if n < 5:
        return ()
    rows = np.arange(n) if n <= _PAIR_ROWS else np.linspace(0, n - 1, _PAIR_ROWS).astype(np.int64)
    if frame is not None:
        import polars as pl

        sample = frame.select(pl.col(numeric).cast(pl.Float64))[rows].fill_null(strategy="mean").to_numpy()
    else:
        sample = matrix[rows] if isinstance(matrix, np.ndarray) else matrix[rows].toarray()
    z = np.array(sample, dtype=np.float64)
    with np.errstate(all="ignore"):
        z -= np.nanmean(z, axis=0) if np.isnan(z).any() else z.mean(axis=0)
    z = np.nan_to_num(z)
    norm = np.linalg.norm(z, axis=0)
    z /= np.where(norm > 0, norm, 1.0)
    close = np.argwhere(np.triu(np.abs(z.T @ z) > 0.999, k=1))
    return tuple((numeric[i], numeric[j]) for i, j in close)
