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

    Returns
    -------
    Certificate
        The gap bounds how far the objective is from its minimum, whatever the solver did. For MCP and SCAD there is
        none: see :func:`bridle.certificates.certify`.
    """
    fam = get_family(family)
    assert isinstance(fam, SeveralFamily)
    given, rows = penalty or Penalty(), Rows(X)
    target = fam.target(y, rows.n)
    w = np.full(rows.n, 1.0) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    w = w / np.sum(w)
    o = fam.read_offset(offset, target)
    b = np.asarray(coef, dtype=np.float64).reshape(rows.p, -1)
    mean, deviation = rows.moments(w)
    scale = penalty_scale(mean, deviation, fit_intercept=fit_intercept, standardize=standardize)
    factor = given.factors(rows.p)
    if fit_intercept:
        factor = np.where(deviation > constant_below(mean), factor, np.inf)
    pen, v = given.over(rows.p, b.shape[1]), np.repeat(factor, b.shape[1])
    lower, upper = (bound * scale for bound in given.bounds(rows.p))
    beta = b * scale[:, None]
    flat, box = beta.ravel(), (np.repeat(lower, b.shape[1]), np.repeat(upper, b.shape[1]))

    def slopes(residual: Float) -> Float:
        """X'residual for the standardised columns, (p Q,)."""
        total = residual.sum(axis=0) if fit_intercept else np.zeros(residual.shape[1])
        return np.asarray(
            ((np.stack([rows.dots(t) for t in residual.T], axis=1) - np.outer(mean, total)) / scale[:, None]).ravel()
        )

    eta = o + np.asarray(intercept) + np.stack([rows.times(column) for column in b.T], axis=1)
    unpenalised = (np.isfinite(factor) if lam == 0.0 else factor == 0.0)[:, None]
    free = unpenalised & (beta > lower[:, None]) & (beta < upper[:, None])
    which: NDArray[np.bool_] = np.any(free, axis=1)
    Z = rows.columns(which, mean * fit_intercept, scale)
    fitted = _refit(fam, eta, target, w, Z, fit_intercept=fit_intercept)
    theta = -w[:, None] * fam.gradient(target, fitted)
    z = slopes(theta.sum(axis=1, keepdims=True) if fam.shared else theta)
    kkt = pen.worst_violation(flat, z, lam, v, *box)
    primal = float(w @ fam.loss(target, eta)) + pen.cost(flat, lam, v)
    start = fam.null_predictors(target, w, o) if fit_intercept else np.zeros(eta.shape[1])
    if pen.concave:
        null = slopes(fam.residual(target, o + start, w))
        largest = float(np.max(np.abs(null[np.isfinite(v) & (v > 0.0)]), initial=0.0))
        return Certificate(primal, np.nan, np.nan, np.nan, kkt, relative(kkt, largest))
    z = np.where(free.ravel(), 0.0, z)

    def gap_at(s: float) -> float:
        features = float(np.sum(pen.conjugate(s * z, lam, v, *box))) - s * float(z @ flat)
        return fam.fenchel_gap(target, eta, fitted, s, w) + features + pen.cost(flat, lam, v)

    gap = min(gap_at(1.0), gap_at(pen.feasible_scale(z, lam, v, *box)))
    reference = fam.excess(target, o + start, w)
    return Certificate(primal, primal - gap, gap, relative(gap, reference), kkt)


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
