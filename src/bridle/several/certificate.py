"""Certificates with several linear predictors, in plain NumPy, apart from the solver (see ``bridle.certificates``)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.certificates import Certificate, Rows, constant_below, penalty_scale, relative
from bridle.losses import get_family
from bridle.penalties import Penalty
from bridle.several.base import SeveralFamily

Float = NDArray[np.float64]


def certify_several(
    X: Any,
    y: ArrayLike,
    intercept: ArrayLike,
    coef: ArrayLike,
    lam: float,
    *,
    family: str | SeveralFamily,
    penalty: Penalty | None = None,
    kind: str = "elastic_net",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = True,
) -> Certificate:
    """Certify one solution by the duality gap; the dual point is made from its residuals.

    Parameters
    ----------
    X : (n, p) array or sparse matrix
        The features as they were given to the solver.
    y : (n,) or (n, K)
        Target.
    intercept : (M,)
        On the original scale.
    coef : (p, M), or (p,) where all predictors share one
        On the original scale.
    lam : float
        Strength of the penalty.
    family, penalty, sample_weight, offset, fit_intercept, standardize
        The problem, as for :func:`bridle.fit_path`.
    kind : {"elastic_net", "group_lasso"}
        Whether the L1 part is on coefficients or on the norm of a feature's.

    Returns
    -------
    Certificate
        The gap bounds how far the objective is from its minimum, whatever the solver did.
    """
    fam = get_family(family)
    assert isinstance(fam, SeveralFamily)
    pen, joint, rows = penalty or Penalty(), kind != "elastic_net", Rows(X)
    target = fam.target(y, rows.n)
    w = np.full(rows.n, 1.0) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    w = w / np.sum(w)
    o = fam.read_offset(offset, target)
    b = np.asarray(coef, dtype=np.float64).reshape(rows.p, -1)
    mean, deviation = rows.moments(w)
    scale = penalty_scale(mean, deviation, fit_intercept=fit_intercept, standardize=standardize)
    factor = pen.factors(rows.p)
    if fit_intercept:
        factor = np.where(deviation > constant_below(mean), factor, np.inf)
    lower, upper = ((bound * scale)[:, None] for bound in pen.bounds(rows.p))
    beta, v = b * scale[:, None], factor[:, None]

    eta = o + np.asarray(intercept) + np.stack([rows.times(column) for column in b.T], axis=1)
    unpenalised = np.isfinite(v) if lam == 0.0 else v == 0.0
    free = unpenalised & (beta > lower) & (beta < upper)
    which: NDArray[np.bool_] = np.any(free, axis=1)
    Z = rows.columns(which, mean * fit_intercept, scale)
    fitted = _refit(fam, eta, target, w, Z, fit_intercept=fit_intercept)
    theta = -w[:, None] * fam.gradient(target, fitted)
    theta = theta.sum(axis=1, keepdims=True) if fam.shared else theta
    total = theta.sum(axis=0) if fit_intercept else np.zeros(theta.shape[1])
    z = (np.stack([rows.dots(t) for t in theta.T], axis=1) - np.outer(mean, total)) / scale[:, None]
    kkt = _violation(beta, z, lam, pen, (v, lower, upper), joint)
    z = np.where(free, 0.0, z)

    def gap_at(s: float) -> float:
        features = _conjugate(s * z, lam, pen, (v, lower, upper), joint) - s * np.sum(z * beta)
        return fam.fenchel_gap(target, eta, fitted, s, w) + features + lam * _value(beta, v, pen, joint)

    gap = min(gap_at(1.0), gap_at(_feasible_scale(z, lam, pen, (v, lower, upper), joint)))
    primal = float(w @ fam.loss(target, eta)) + lam * _value(beta, v, pen, joint)
    start = fam.null_predictors(target, w, o) if fit_intercept else np.zeros(eta.shape[1])
    reference = fam.excess(target, o + start, w)
    return Certificate(primal, primal - gap, gap, relative(gap, reference), kkt)


def _value(beta: Float, v: Float, pen: Penalty, joint: bool) -> float:
    if not joint:
        return pen.value(beta.ravel(), np.broadcast_to(v, beta.shape).ravel())
    norm = np.linalg.norm(beta, axis=1)
    return pen.value(norm, v[:, 0])


def _conjugate(z: Float, lam: float, pen: Penalty, features: tuple[Float, Float, Float], joint: bool) -> float:
    v, lower, upper = features
    if joint:
        norm, no = np.linalg.norm(z, axis=1), np.full(len(z), np.inf)
        return float(np.sum(pen.conjugate(norm, lam, v[:, 0], -no, no)))
    flat = [np.broadcast_to(each, z.shape).ravel() for each in (v, lower, upper)]
    return float(np.sum(pen.conjugate(z.ravel(), lam, flat[0], flat[1], flat[2])))


def _violation(
    beta: Float, z: Float, lam: float, pen: Penalty, features: tuple[Float, Float, Float], joint: bool
) -> float:
    """Distance of z (p, Q) from the subdifferential of the penalty at beta, the worst coefficient or feature."""
    v, lower, upper = features
    if not joint:
        flat = [np.broadcast_to(each, z.shape).ravel() for each in (v, lower, upper)]
        return pen.worst_violation(beta.ravel(), z.ravel(), lam, flat[0], flat[1], flat[2])
    on = np.isfinite(v[:, 0])
    strength = np.where(on, v[:, 0], 0.0)
    norm = np.linalg.norm(beta, axis=1)
    along = beta / np.where(norm > 0.0, norm, 1.0)[:, None]
    l1, ridge = lam * pen.l1_ratio * strength, lam * (1.0 - pen.l1_ratio) * strength
    rest = np.linalg.norm(z - ridge[:, None] * beta - l1[:, None] * along, axis=1)
    at_zero = np.maximum(np.linalg.norm(z, axis=1) - l1, 0.0)
    violation = np.where(norm > 0.0, rest, at_zero)
    return float(np.max(np.where(on, violation, np.where(norm == 0.0, 0.0, np.inf)), initial=0.0))


def _feasible_scale(z: Float, lam: float, pen: Penalty, features: tuple[Float, Float, Float], joint: bool) -> float:
    """Largest s <= 1 at which no slope is beyond what the L1 part alone holds."""
    v, lower, upper = features
    strength = np.where(np.isfinite(v), lam * pen.l1_ratio * np.where(np.isfinite(v), v, 0.0), np.inf)
    size = np.linalg.norm(z, axis=1, keepdims=True) if joint else np.abs(z)
    reach = np.full(size.shape, np.inf) if joint else np.where(z >= 0.0, upper, -lower)
    tight = np.isinf(reach) & (size > strength) & (strength > 0.0)
    ratio = np.broadcast_to(strength, size.shape)[tight] / size[tight]
    return float(np.min(ratio, initial=1.0)) * (1.0 - 1e-15 * bool(tight.any()))


def _refit(fam: SeveralFamily, eta: Float, y: Float, w: Float, Z: Float, *, fit_intercept: bool) -> Float:
    """Return predictors (n, M) nearby at which the loss's slopes on Z (n, q) and on the intercepts are 0."""
    n, m = eta.shape
    blocks = [np.repeat(Z[:, None, :], m, axis=1)] if fam.shared else []
    if not fam.shared:
        blocks = [np.einsum("nq,mk->nmqk", Z, np.eye(m)).reshape(n, m, -1)]
    if fit_intercept:
        blocks.append(np.broadcast_to(np.eye(m), (n, m, m)))
    A = np.concatenate(blocks, axis=2)  # what each parameter moves each predictor by
    if A.shape[2] == 0:
        return eta
    value = float(w @ fam.loss(y, eta))
    for _ in range(50):
        slope = np.einsum("nmc,nm->c", A, w[:, None] * fam.gradient(y, eta))
        curvature = np.einsum("nmc,nmk,nkd->cd", A, w[:, None, None] * fam.row_hessians(y, eta), A, optimize=True)
        step = np.linalg.lstsq(curvature, slope, rcond=1e-13)[0]
        share = 1.0
        while True:
            trial = eta - share * (A @ step)
            moved = float(w @ fam.loss(y, trial))
            if moved <= value + 1e-14 * abs(value) or share <= 1e-6:
                break
            share *= 0.5
        done = float(slope @ step) <= 1e-28 * max(abs(value), 1e-300)
        eta, value = trial, moved
        if done:
            break
    return eta
