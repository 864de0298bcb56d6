"""Minimise a smooth function, convex or not: Newton's method in a trust region, by preconditioned conjugate gradients.

References
----------
Steihaug (1983), SIAM Journal on Numerical Analysis 20(3); Nocedal and Wright (2006), chapters 4 and 7.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from bridle.linear_dropout.marginal import Objective, Point

Float = NDArray[np.float64]
Operator = Callable[[Float], Float]

_FACTOR = 3000  # the largest matrix that is factored as a preconditioner; beyond it, the diagonal serves
_FRESH = 6  # steps that a preconditioner serves
_ROUNDING = 1e-11  # of the objective: smaller changes can't be measured, and the gradient decides
_NOTHING = 1e-16  # of the null model's gradient: what a fit leaves below that isn't worth a step


class Minimum(NamedTuple):
    """Where the solver stopped."""

    point: Point
    steps: int
    status: str  # "converged", "max_iter", "separated" or "stalled"


def minimise(objective: Objective, start: Float, tol: float, null_slope: float, max_iter: int) -> Minimum:
    """Descend from ``start`` until no component of the gradient exceeds ``tol`` of what loss and penalty balance.

    That is the penalty's part of the gradient, or ``null_slope`` if that is smaller: the former matters where the
    fit is so good that little of the null model's gradient is left to be balanced.

    Parameters
    ----------
    objective : Objective
        What is minimised.
    start : (p + 1,)
        Where to begin.
    tol : float
        Relative size of the largest component of the gradient that passes.
    null_slope : float
        Largest component of the gradient at the null model.
    max_iter : int
        Steps.

    Returns
    -------
    Minimum
        A stationary point that no step led up to, or where the solver gave up and why.
    """
    point = objective.at(start)
    solve, age = preconditioner(objective, point), 0
    first = _length(point, solve)
    radius = 2.0 * first  # the step would be ``first`` long if P were the Hessian
    for step in range(max_iter):
        balanced = max(point.pull, _NOTHING * null_slope) if objective.ratio > 0.0 else null_slope
        goal = tol * min(null_slope, balanced)
        if point.steepest <= goal:
            return Minimum(point, step, "converged")
        if objective.escapes(point):
            return Minimum(point, step, "separated")
        if age == _FRESH:
            solve, age = preconditioner(objective, point), 0
        # 1. The step: conjugate gradients inside the trust region, finer as the gradient falls.
        slope = _length(point, solve)
        share = min(0.1, np.sqrt(slope / first))
        move, promised, length = _steihaug(partial(objective.curve, point), point, solve, radius, share)
        trial = objective.at(point.theta + move)
        # 2. Is the function what its quadratic model said?
        measurable = promised > _ROUNDING * abs(point.value)
        if measurable:
            kept = (point.value - trial.value) / promised
        else:
            kept = float(trial.value < np.inf and _length(trial, solve) < 0.9 * slope)
        # 3. The next region, and the next point.
        if kept < 0.25:
            radius = 0.25 * length
        elif kept > 0.75 and length > 0.99 * radius:
            radius *= 2.0
        if kept > 1e-4:
            point, age = trial, age + 1
        elif not measurable:
            return Minimum(point, step + 1, "stalled")
    return Minimum(point, max_iter, "max_iter")


def _length(point: Point, solve: Operator) -> float:
    """Length of the gradient in the preconditioner's norm."""
    return float(np.sqrt(max(float(point.gradient @ solve(point.gradient)), 0.0)))


def _steihaug(
    curve: Operator, point: Point, solve: Operator, radius: float, share: float
) -> tuple[Float, float, float]:
    """Return (move, promised decrease, length): the quadratic model's minimum inside the region, to ``share``.

    Lengths are those of the preconditioner P; d'Pd is carried along, so that P itself is never needed.
    """
    move, residual = np.zeros_like(point.theta), point.gradient.copy()
    z = solve(residual)
    d, rz = -z, float(residual @ z)
    goal = share**2 * rz
    bent_move = np.zeros_like(move)  # the Hessian times move
    mm, md, dd = 0.0, 0.0, rz
    for _ in range(2 * len(move)):
        bent = curve(d)
        slope = float(d @ bent)
        alpha = rz / slope if slope > 0.0 else np.inf
        if alpha == np.inf or mm + 2.0 * alpha * md + alpha**2 * dd >= radius**2:
            alpha = (-md + np.sqrt(max(md**2 + dd * (radius**2 - mm), 0.0))) / dd  # to the rim
            move, bent_move, mm = move + alpha * d, bent_move + alpha * bent, radius**2
            break
        move, bent_move, residual = move + alpha * d, bent_move + alpha * bent, residual + alpha * bent
        mm += 2.0 * alpha * md + alpha**2 * dd
        z = solve(residual)
        before, rz = rz, float(residual @ z)
        if rz <= goal:
            break
        ratio = rz / before
        md, dd = ratio * (md + alpha * dd), rz + ratio**2 * dd
        d = ratio * d - z
    promised = -float(point.gradient @ move + 0.5 * (move @ bent_move))
    return move, promised, float(np.sqrt(mm))


def preconditioner(objective: Objective, point: Point) -> Operator:
    """Return v -> P^-1 v for a positive P near the Hessian: the curvature of rows and the penalty's diagonal.

    The smaller of its two forms is factored, by columns or by rows; if both are too large, P is diagonal.

    Parameters
    ----------
    objective : Objective
        At one dropout rate.
    point : Point
        Where P is taken.
    """
    columns = objective.columns
    n, p = columns.shape
    d = objective.w * np.maximum(point.terms.eta_eta, 0.5 * point.terms.t)  # the expansion may curve down
    whole = max(float(np.sum(d)), 1e-300)
    own = np.maximum(point.diagonal, 1e-10 * whole)  # so that dependent columns leave P positive
    if p <= min(2 * n, _FACTOR):
        P = columns.gram(d)
        P.flat[:: p + 2] += np.concatenate([[1e-10 * whole], own])
        if not objective.fit_intercept:
            P[0, 1:] = P[1:, 0] = 0.0
        factor = linalg.cho_factor(P, overwrite_a=True, check_finite=False)
        return lambda v: np.asarray(linalg.cho_solve(factor, v, check_finite=False))
    if 2 * n <= _FACTOR:
        ridge = np.concatenate([[1e-3 * whole], own])
        if objective.marginal == "normal":
            hessian = _by_rows(objective, point, _curvature(objective, point), ridge)
            if point.gradient @ hessian(point.gradient) > 0.0:  # it is convex, but rounding may say otherwise
                return hessian
        return _by_rows(objective, point, sparse.diags_array(d), ridge)
    through = objective.columns.backward(np.zeros(n), d)[1]
    diagonal = np.concatenate([[whole], through + own])
    return lambda v: v / diagonal


def _curvature(objective: Objective, point: Point) -> Any:
    """Return the second derivatives of all rows' w psi in (eta, t), (2n, 2n) and sparse."""
    terms = point.terms
    eta_eta, eta_t, t_t = (sparse.diags_array(objective.w * row) for row in (terms.eta_eta, terms.eta_t, terms.t_t))
    return sparse.block_array([[eta_eta, eta_t], [eta_t, t_t]], format="csr")


def _by_rows(objective: Objective, point: Point, M: Any, own: Float) -> Operator:
    """P^-1 for P = diag(own) + U'M U by Woodbury's identity.

    U holds the rows' d eta / d beta, and below it, if M is (2n, 2n), their d t / d beta.
    """
    columns, on, n, m = objective.columns, float(objective.fit_intercept), objective.columns.shape[0], M.shape[0]
    spread = 2.0 * objective.ratio * point.theta[1:]
    K = columns.kernel(1.0 / own[1:], spread if m > n else None)
    K[:n, :n] += on / own[0]
    factor = linalg.lu_factor(np.eye(m) + (M @ K).T, overwrite_a=True, check_finite=False)

    def solve(v: Float) -> Float:
        scaled = v / own
        d_eta, d_t = columns.forward(scaled[1:], spread * scaled[1:])
        rows = np.concatenate([d_eta + on * scaled[0], d_t])[:m]
        u = np.zeros(2 * n)
        u[:m] = M @ linalg.lu_solve(factor, rows, check_finite=False)
        through_eta, through_t = columns.backward(u[:n], u[n:])
        return scaled - np.concatenate([[on * np.sum(u[:n])], through_eta + spread * through_t]) / own

    return solve
