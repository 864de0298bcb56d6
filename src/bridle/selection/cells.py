"""Rows that the same folds train on and the same folds hold out: what sums over folds are put together from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridle.selection.folds import Folds

Cells = NDArray[np.int32]

_NEITHER, _TRAIN, _TEST = 0, 1, 2


@dataclass(frozen=True)
class FoldCells:
    """Each row's cell, and the cells that make up the two sides of each fold."""

    cell: Cells  # (n,)
    count: int
    train: tuple[Cells, ...]  # one array of cell numbers per fold
    test: tuple[Cells, ...]

    @classmethod
    def make(cls, folds: Folds, n: int, most: int) -> FoldCells | None:
        """Find the cells of ``n`` rows; None if there are more than ``most``.

        Folds that hold out every row once (K-fold) have K cells, repeats of them up to K^R; blocks of time have one
        each.
        """
        partition = _partition(folds, n)
        if partition is not None:
            count = len(folds)
            if count > most:
                return None
            every = np.arange(count, dtype=np.int32)
            others = np.tile(every, (count, 1))[every[:, None] != every].reshape(count, count - 1)
            return cls(partition, count, tuple(others), tuple(every[:, None]))
        label = np.zeros(n, dtype=np.int64)
        for train, test_rows in folds:
            part = np.zeros(n, dtype=np.int64)
            part[train], part[test_rows] = _TRAIN, _TEST
            label = 3 * label + part
            there = np.zeros(3 * (int(label.max()) // 3 + 1), dtype=bool)
            there[label] = True
            if int(there.sum()) > most:
                return None
            label = (np.cumsum(there) - 1)[label]
        count = int(label.max()) + 1
        first = np.zeros(count, dtype=np.int64)
        first[label[::-1]] = np.arange(n)[::-1]  # one row of each cell stands for all
        sides = []
        for pair in folds:
            part = np.zeros(n, dtype=np.int8)
            part[pair[0]], part[pair[1]] = _TRAIN, _TEST
            sides.append(part[first])
        return cls(
            label.astype(np.int32),
            count,
            tuple(np.flatnonzero(side == _TRAIN).astype(np.int32) for side in sides),
            tuple(np.flatnonzero(side == _TEST).astype(np.int32) for side in sides),
        )


def _partition(folds: Folds, n: int) -> Cells | None:
    """Return the fold (n,) that holds each row out, if each is held out once and trained on by all other folds."""
    if any(train.size + test.size != n for train, test in folds) or sum(test.size for _, test in folds) != n:
        return None
    cell = np.full(n, -1, dtype=np.int32)
    for k, (_, test) in enumerate(folds):
        cell[test] = k
    return cell if cell.min() >= 0 else None
