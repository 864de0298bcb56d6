"""Monotone partial likelihoods: where some coefficient can grow for ever, and the likelihood with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from bridle.survival.likelihood import residual
from bridle.survival.target import EVENT, START, STRATUM, TIME

Float = NDArray[np.float64]


def is_monotone(rows: Float, w: Float, X: Float, lower: Float, upper: Float) -> bool:
    """Whether a direction d raises no row above one that has its event, whoever is at risk, and lowers some.

    That is a linear programme: x_i'd >= u_k for the events i at time k, and u_k >= x_j'd for all j at risk. The largest
    is found along a tree of times, so that it has about n log n conditions.

    Parameters
    ----------
    rows : (n, 4)
        Start, time, event, stratum.
    w : (n,)
        Weights; rows without don't count.
    X : (n, p)
        Features.
    lower, upper : (p,)
        Bounds of the coefficients: a side that is bounded isn't open for ever.

    Returns
    -------
    bool

    References
    ----------
    Bryson and Johnson (1981), The incidence of monotone likelihood in the Cox model, Technometrics 23.
    """
    nodes = 0
    at, sign = list[int](), list[tuple[int, float]]()  # row of X and node of each condition x_at'd <= (or >=) u_node
    chain = list[tuple[int, int]]()  # u of the first >= u of the second
    counted = (w > 0.0).astype(np.float64)
    gain = X.T @ residual(rows, counted, np.zeros(len(w)), "breslow")  # events less the mean of those at risk
    for stratum in np.unique(rows[:, STRATUM]):
        on = np.flatnonzero((rows[:, STRATUM] == stratum) & (w > 0.0))
        event = rows[on, EVENT] == 1.0
        times = np.unique(rows[on][event, TIME])
        if not times.size:
            continue
        first = np.searchsorted(times, rows[on, START], side="right")
        last = np.searchsorted(times, rows[on, TIME], side="right")  # past the last time at which it is at risk
        for i, a, b, died in zip(on, first, last, event, strict=True):
            at_risk = _cover(int(a), int(b), times.size)
            at += [int(i)] * (len(at_risk) + int(died))
            sign += [(nodes + node, 1.0) for node in at_risk] + [(nodes + times.size + int(b) - 1, -1.0)] * int(died)
        chain += [(nodes + node, nodes + node // 2) for node in range(2, 2 * times.size)]
        nodes += 2 * times.size
    # Minimise -gain'd over -1 <= d <= 1: positive only if some comparison is strict.
    count = len(sign)
    sides = np.array([s for _, s in sign])
    places = np.array([node for node, _ in sign])
    rows_part = sparse.csr_array((-sides, (np.arange(count), places)), shape=(count, nodes))
    pairs = np.array(chain, dtype=np.int64).reshape(-1, 2)
    links = sparse.csr_array(
        (np.tile([-1.0, 1.0], len(pairs)), (np.repeat(np.arange(len(pairs)), 2), pairs.ravel())), (len(pairs), nodes)
    )
    features = sparse.csr_array(sides[:, None] * X[at])
    none = sparse.csr_array((len(pairs), X.shape[1]))
    conditions = sparse.vstack([sparse.hstack([features, rows_part]), sparse.hstack([none, links])])
    low, high = np.where(lower < 0.0, -1.0, 0.0), np.where(upper > 0.0, 1.0, 0.0)
    found = linprog(
        np.concatenate([-gain, np.zeros(nodes)]),
        A_ub=conditions.tocsc(),
        b_ub=np.zeros(conditions.shape[0]),
        bounds=[*zip(low, high, strict=True), *[(None, None)] * nodes],
        method="highs",
    )
    return bool(found.status == 0 and -found.fun > 1e-6)


def _cover(first: int, end: int, count: int) -> list[int]:
    """Return the nodes of a tree with ``count`` leaves, ``count`` to 2 ``count`` - 1, that make up first..end - 1."""
    found, left, right = list[int](), first + count, end + count
    while left < right:
        if left % 2:
            found.append(left)
            left += 1
        if right % 2:
            right -= 1
            found.append(right)
        left, right = left // 2, right // 2
    return found
