"""Whether classes, or ordered classes, are separated: then a likelihood without penalty has no maximum.

It has none if some direction of the parameters never raises the loss of a row and lowers that of one. In such a
direction a class that a row has falls behind none of the others, and if it has several (shares), these stay level; of
ordered classes the thresholds below the row's level don't rise above its predictor, nor those above it fall below.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.several.problem import SeveralProblem

Float = NDArray[np.float64]

_MOST_ENTRIES = 5_000_000  # rows x classes x features; of larger problems only complete separation is told
_MOST_PROGRAMMED = 150_000  # the same, of a linear programme: a second or two
_MOST_PARAMETERS = 2_000  # of a matrix of second derivatives whose eigenvalues are asked for
_LEVEL, _ROUNDING = 1e-3, 1e-7  # moves that may be meant to be 0, and those that are, over the largest
_SUSPICIOUS = 15.0  # size of a predictor that a fit reaches only where a probability is next to 0 or 1


def separates(problem: SeveralProblem, raw: Any, tol: float) -> bool:
    """Return whether a problem without penalty has no minimum, asked where the solver stopped.

    Parameters
    ----------
    problem : SeveralProblem
        Whose features that aren't excluded are all taken as free.
    raw : dict
        Intercepts (L, M) and coefficients from the core; the last fit counts.
    tol : float
        Relative gap at which the solver stopped.

    Returns
    -------
    bool
        False for responses.
    """
    if not problem.family.has_classes:
        return False
    eta = raw["intercept"][-1] + problem.times(raw, len(raw["starts"]) - 2)
    on = problem.w > 0.0
    size = np.abs(eta) if problem.family.shared else np.ptp(eta, axis=1)
    if not np.max(size[on]) > min(_SUSPICIOUS, -np.log(tol)) - 2.0:
        return False
    bounded = bool(np.isfinite(problem.lower).any() or np.isfinite(problem.upper).any())
    if not bounded and _splits(problem, eta):
        return True
    p = int(np.isfinite(problem.factor).sum()) + 1
    entries, free = int(on.sum()) * problem.y.shape[1] * p, p * (1 if problem.family.shared else eta.shape[1])
    if entries > _MOST_ENTRIES or free > _MOST_PARAMETERS:
        return False
    settled, direction = (False, None) if bounded else _newton(problem, eta)
    if settled:
        return False
    ahead, equal, bounds = _conditions(problem)
    if ahead is None:
        return False
    if direction is not None and _is_direction(direction, ahead, equal):
        return True
    return entries <= _MOST_PROGRAMMED and _has_direction(ahead, equal, bounds)


def _splits(problem: SeveralProblem, eta: Float) -> bool:
    """Whether the fit itself gives every row its own class, so that multiples of it are such a direction."""
    return bool(np.all((problem.y == 0.0) | (problem.y == 1.0))) and problem.gives_classes(eta)


def _columns(problem: SeveralProblem) -> Float:
    """Return the standardised features that aren't excluded, of rows with weight, (m, q)."""
    used, on = np.isfinite(problem.factor), problem.w > 0.0
    matrix = problem.matrix[on][:, used] if sparse.issparse(problem.matrix) else problem.matrix[np.ix_(on, used)]
    dense = np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float64)
    return (dense - problem.centre[used]) / problem.scale[used]


def _newton(problem: SeveralProblem, eta: Float) -> tuple[bool, Float]:
    r"""Return whether a minimum is provably next to the fit, and Newton's step, on the parameters of the conditions.

    As for two classes (:mod:`bridle.limits`): along a line that moves the differences of a row's predictors by at most
    d a unit of length, |F'''| <= d F'' for classes without an order. With H the Hessian here, s the step and k the
    largest such move of a row by a step of length 1 in the norm of H, a minimum is near if 3 k |s| <= 1. Where there is
    none, the step goes where losses fall for ever, by about 1 for each row that gains.
    """
    on = problem.w > 0.0
    w, y, at, Z = problem.w[on], problem.y[on], eta[on] + problem.offset[on], _columns(problem)
    if problem.family.shared:
        H, slope = _shared_hessian(problem, w, y, at, Z)
    else:
        Z = np.column_stack([np.ones(len(w)), Z]) if problem.fit_intercept else Z
        H, slope = _softmax_hessian(w, y, problem.family.mean(at), Z)
    values, V = np.linalg.eigh(H)
    kept = values > 1e-13 * values[-1]
    W = V[:, kept] / np.sqrt(values[kept])  # a row's length in the norm of the inverse is that of row W
    step = W.T @ slope
    direction = -W @ step
    if problem.family.shared:
        return False, direction
    reach, width, outside = 0.0, Z.shape[1], V[:, ~kept]
    for a in range(0, len(slope), width):  # the last class, the reference, doesn't move
        if outside.shape[1] and np.max(np.abs(Z @ outside[a : a + width])) > 1e-6 * np.max(np.abs(Z)):
            reach = np.inf
        reach = max(reach, float(np.max(np.sum((Z @ W[a : a + width]) ** 2, axis=1))))
    sure = values[kept][0] > 1e-12 * values[-1] and 6.0 * np.sqrt(reach * (step @ step)) <= 1.0  # k is twice that
    return bool(sure), np.concatenate([direction, np.zeros(width)])


def _softmax_hessian(w: Float, y: Float, mu: Float, Z: Float) -> tuple[Float, Float]:
    """Second and first derivatives in the coefficients of all classes but the last, class by class."""
    k, width = mu.shape[1] - 1, Z.shape[1]
    H = np.empty((k * width, k * width))
    for a in range(k):
        for b in range(a + 1):
            part = Z.T @ ((w * (mu[:, a] * (a == b) - mu[:, a] * mu[:, b]))[:, None] * Z)
            H[a * width : (a + 1) * width, b * width : (b + 1) * width] = part
            H[b * width : (b + 1) * width, a * width : (a + 1) * width] = part
    return H, np.ravel((Z.T @ (w[:, None] * (mu - y)[:, :k])).T)


def _shared_hessian(problem: SeveralProblem, w: Float, y: Float, at: Float, Z: Float) -> tuple[Float, Float]:
    """The same in coefficients and thresholds, whose predictors are x'b - t."""
    rows = w[:, None, None] * problem.family.row_hessians(y, at)  # (n, M, M)
    mixed = -Z.T @ rows.sum(axis=2)
    H = np.block([[Z.T @ (rows.sum(axis=(1, 2))[:, None] * Z), mixed], [mixed.T, rows.sum(axis=0)]])
    slope = w[:, None] * problem.family.gradient(y, at)
    return H, np.concatenate([Z.T @ slope.sum(axis=1), -slope.sum(axis=0)])


def _is_direction(d: Float, ahead: Any, equal: Any) -> bool:
    """Whether d (q,), put right by what rounding or an unfinished fit have left, meets all conditions, some with more.

    Conditions that it nearly meets with 0 are to be met so: d is projected, and looked at again.
    """
    moves = ahead @ d
    size = float(np.max(np.abs(moves), initial=0.0))
    level = np.abs(moves) <= _LEVEL * size
    if not size > 0.0 or np.any(moves < -_LEVEL * size):
        return False
    held = ahead[level] if equal is None else sparse.vstack([ahead[level], equal], format="csr")
    if held.shape[0]:
        values, V = np.linalg.eigh(np.asarray((held.T @ held).toarray()))
        free = V[:, values <= 1e-13 * max(float(values[-1]), 1e-300)]
        d = free @ (free.T @ d)
    moves = ahead @ d
    exact = np.abs(held @ d) <= _ROUNDING * size
    return bool(exact.all() and np.all(moves[~level] > _ROUNDING * size))


def _conditions(problem: SeveralProblem) -> tuple[Any, Any, list[tuple[float | None, float | None]]]:
    """Return what must be at least 0, what must be 0, and bounds, of a direction in which the loss never rises."""
    y, used = problem.y[problem.w > 0.0], np.isfinite(problem.factor)
    Z = sparse.csr_array(_columns(problem))
    own = [
        (-np.inf if low < 0.0 else 0.0, np.inf if high > 0.0 else 0.0)
        for low, high in zip(problem.lower[used], problem.upper[used], strict=True)
    ]
    k = y.shape[1]
    if problem.family.shared:
        level = np.argmax(y, axis=1)
        above, below = np.flatnonzero(level > 0), np.flatnonzero(level < k - 1)
        unit = sparse.eye_array(k - 1, format="csr")
        rising = sparse.hstack([Z[above], -unit[level[above] - 1]])
        falling = sparse.hstack([-Z[below], unit[level[below]]])
        return sparse.vstack([rising, falling], format="csr"), None, own + [(None, None)] * (k - 1)
    if problem.fit_intercept:
        Z = sparse.csr_array(sparse.hstack([np.ones((len(y), 1)), Z]))
        own = [(-np.inf, np.inf), *own]
    ahead: list[Any] = []
    even: list[Any] = []
    patterns, which = np.unique(y > 0.0, axis=0, return_inverse=True)
    for pattern, there in enumerate(patterns):
        rows, first = np.flatnonzero(which.ravel() == pattern), int(np.argmax(there))
        for other in np.flatnonzero(np.arange(k) != first):
            difference = np.zeros((1, k))
            difference[0, first], difference[0, other] = 1.0, -1.0
            (even if there[other] else ahead).append(sparse.kron(difference, Z[rows]))
    equal = sparse.vstack(even, format="csr") if even else None
    return sparse.vstack(ahead, format="csr") if ahead else None, equal, own * k


def _has_direction(ahead: Any, equal: Any, bounds: list[tuple[float | None, float | None]]) -> bool:
    """Whether a direction meets the conditions, some with more than 0: Konis's (2007) programme for two classes."""
    from scipy.optimize import linprog

    count = ahead.shape[0]
    margin = linprog(
        -np.asarray(ahead.sum(axis=0)).ravel(),
        A_ub=sparse.vstack([ahead, -ahead], format="csr"),
        b_ub=np.concatenate([np.ones(count), np.zeros(count)]),
        A_eq=equal,
        b_eq=None if equal is None else np.zeros(equal.shape[0]),
        bounds=bounds,
        method="highs",
    )
    return bool(margin.status == 3 or (margin.status == 0 and -margin.fun > 1e-6))
