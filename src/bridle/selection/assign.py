"""Which fold a row belongs to: dealing rows by stratum, packing whole groups, cutting time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]


def deal(strata: Int, k: int, rng: np.random.Generator) -> Int:
    """Deal rows out to k folds like cards, stratum by stratum, shuffled within: every count differs by at most 1."""
    n = strata.shape[0]
    fold = np.empty(n, dtype=np.int64)
    fold[np.lexsort((rng.permutation(n), strata))] = np.arange(n) % k
    return fold


def draw(strata: Int, fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw ``fraction`` of each stratum; a stratum of 2 rows or more is in both parts."""
    held = np.zeros(strata.shape[0], dtype=bool)
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        count = int(np.clip(round(fraction * rows.size), 1, rows.size - 1)) if rows.size > 1 else 0
        held[rows[:count]] = True
    return held


def spread_groups(group: Int, classes: Int | None, capacity: NDArray[np.float64], rng: np.random.Generator) -> Int:
    """Put whole groups into bins, largest first, each where it adds least to sum_bc load_bc^2 / (total_c^2 capacity_b).

    load_bc counts the rows of class c in bin b, so one greedy pass balances sizes and classes at once; with equal
    capacities and one class it is the usual largest-first packing. Returns the (n,) bin of each row.
    """
    n_groups, n_classes = int(group.max()) + 1, 1 if classes is None else int(classes.max()) + 1
    counts = np.zeros((n_groups, n_classes))
    np.add.at(counts, (group, np.zeros_like(group) if classes is None else classes), 1.0)
    share = counts / counts.sum(axis=0)
    order = np.lexsort((rng.permutation(n_groups), -counts.max(axis=1)))
    tie = rng.permutation(capacity.size)
    load = np.zeros((capacity.size, n_classes))
    bin_of = np.empty(n_groups, dtype=np.int64)
    for g in order:
        cost = ((load + 0.5 * share[g]) @ share[g]) / capacity
        best = np.lexsort((tie, load.sum(axis=1), cost))[0]
        bin_of[g] = best
        load[best] += share[g]
    for empty in np.setdiff1d(np.arange(capacity.size), bin_of):
        bin_of[order[-1]] = empty  # two bins only: the smallest group goes to the one that got none
    return bin_of[group]


def cuts(rank: Int, shares: Sequence[float]) -> list[int]:
    """Cut sorted times so that ``shares`` of the rows lie before each cut; a time is never cut in two.

    ``rank`` (n,) is each row's place among the distinct times; a cut c leaves ranks below c before it. Cuts are
    distinct and leave at least one time on either side.
    """
    before = np.concatenate([[0], np.cumsum(np.bincount(rank))])  # (T + 1,), rows before each distinct time
    last, found = before.size - 1, list[int]()
    for i, share in enumerate(shares):
        nearest = int(np.argmin(np.abs(before - share * rank.size)))
        least = found[-1] + 1 if found else 1
        found.append(min(max(nearest, least), last - (len(shares) - i)))
    return found
