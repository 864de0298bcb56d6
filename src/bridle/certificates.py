"""Proof of optimality, apart from the solver: the duality gap and the worst KKT violation in plain NumPy.

For the problem of ``docs/solver.md``, with F the loss and h_j one feature's penalty and box, Fenchel's duality gives
for every theta with sum_i theta_i = 0 (if there is an intercept) and x_j'theta = 0 (if feature j is unpenalised)

    P(b) - D(theta) = sum_i w_i [f_i(eta_i) + f_i*(u_i) - u_i eta_i]  +  sum_j [h_j(b_j) + h_j*(z_j) - z_j b_j],

u_i = -theta_i / w_i, z_j = x_j'theta. Every bracket is at least 0 (Fenchel and Young), so the gap is a sum of
non-negative terms and loses no digits where primal and dual agree. The candidate is theta = -s w f'(eta'), where eta'
is eta after a refit of intercept and unpenalised features alone; s = 1, and the largest s that makes
|z_j| <= lam v_j hold for features with a pure L1 penalty: the better one counts.

A relative gap is relative to the null model's objective less the saturated loss: half the mean null deviance, where
the null model has the intercept (if there is one) and the offset, and no feature.

References
----------
Bach, Jenatton, Mairal and Obozinski (2012), Optimization with sparsity-inducing penalties, section 1.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.losses import Family, get_family
from bridle.penalties import Penalty

Float = NDArray[np.float64]

_BLOCK_BYTES = 1 << 24  # rows are converted to float64 in blocks of this size, so that X is never copied whole


@dataclass(frozen=True)
class Certificate:
    """What was found at one value of lambda."""

    primal: float  # the objective
    dual: float  # a lower bound of the objective's minimum
    gap: float  # primal - dual, >= 0
    relative_gap: float  # gap / (null objective - saturated loss)
    kkt: float  # worst violation of the optimality conditions, on the penalised scale
    stationarity: float = float("nan")  # kkt / largest slope of the null model, for concave penalties: they have no gap


def certify(
    X: Any,
    y: ArrayLike,
    intercept: float,
    coef: ArrayLike,
    lam: float,
    *,
    family: str | Family = "gaussian",
    penalty: Penalty | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = True,
) -> Certificate:
    """Certify one solution: P(b) - D(theta) for a dual point made from its residuals.

    Parameters
    ----------
    X : (n, p) array or sparse matrix
        The features as they were given to the solver.
    y : (n,)
        Target.
    intercept : float
        On the original scale.
    coef : (p,)
        On the original scale.
    lam : float
        Strength of the penalty.
    family, penalty, sample_weight, offset, fit_intercept, standardize
        The problem, as for :func:`bridle.fit_path`.

    Returns
    -------
    Certificate
        The gap bounds how far the objective is from its minimum, whatever the solver did. For MCP and SCAD there is
        none: ``kkt`` and ``stationarity`` say how far the point is from being stationary.
    """
    fam = get_family(family).referee()
    centred = fit_intercept or not fam.has_intercept
    pen = penalty or Penalty()
    rows = Rows(X)
    target = fam.target(y, rows.n)
    w = np.full(rows.n, 1.0) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    w = w / np.sum(w)
    o = np.zeros(rows.n) if offset is None else np.asarray(offset, dtype=np.float64)
    b = np.asarray(coef, dtype=np.float64)
    mean, deviation = rows.moments(w)
    scale = penalty_scale(mean, deviation, fit_intercept=centred, standardize=standardize)
    factor = pen.factors(rows.p)
    if centred:
        factor = np.where((deviation > constant_below(mean)) & ~fam.unseen(target, w, rows.matrix), factor, np.inf)
    lower, upper = (bound * scale for bound in pen.bounds(rows.p))

    eta = o + intercept + rows.times(b)
    unpenalised = np.isfinite(factor) if lam == 0.0 else factor == 0.0
    free = unpenalised & (b * scale > lower) & (b * scale < upper)
    columns = rows.columns(free, mean if centred else np.zeros_like(mean), scale)
    if fit_intercept and fam.has_intercept:
        columns = np.column_stack([columns, np.ones(rows.n)])
    fitted = _refit(eta, target, w, fam, columns)
    theta = fam.residual(target, fitted, w)
    z = (rows.dots(theta) - (mean * np.sum(theta) if centred else 0.0)) / scale
    kkt = pen.worst_violation(b * scale, z, lam, factor, lower, upper)
    primal = fam.total_loss(target, eta, w) + pen.cost(b * scale, lam, factor)
    if pen.concave:
        start = fam.null_predictor(target, w, o) if fit_intercept and fam.has_intercept else 0.0
        null = fam.residual(target, o + start, w)
        slopes = (rows.dots(null) - (mean * np.sum(null) if centred else 0.0)) / scale
        on = np.isfinite(factor) & (factor > 0.0)
        return Certificate(
            primal, np.nan, np.nan, np.nan, kkt, relative(kkt, float(np.max(np.abs(slopes[on]), initial=0.0)))
        )
    z = np.where(free, 0.0, z)

    def gap_at(s: float) -> float:
        features = pen.conjugate(s * z, lam, factor, lower, upper) - s * z * b * scale
        cost = fam.fenchel_gap(target, eta, fitted, s, w)
        return cost + float(np.sum(features)) + pen.cost(b * scale, lam, factor)

    gap = min(gap_at(1.0), gap_at(pen.feasible_scale(z, lam, factor, lower, upper)))
    reference = null_gap(fam, target, w, o, fit_intercept=fit_intercept)
    return Certificate(primal, primal - gap, gap, relative(gap, reference), kkt)


def null_gap(family: Family, y: Float, w: Float, offset: Float, *, fit_intercept: bool) -> float:
    """Return what relative gaps are relative to: the null model's loss less the saturated loss.

    Parameters
    ----------
    family : Family
        The loss.
    y, w, offset : (n,)
        Target, weights that sum to 1, offset.
    fit_intercept : bool
        Whether the null model has an intercept.

    Returns
    -------
    float
        Half the mean null deviance; 0 if the null model fits every row but for rounding.
    """
    start = family.null_predictor(y, w, offset) if fit_intercept else 0.0
    return family.excess(y, start + offset, w)


def relative(gap: float, reference: float) -> float:
    """Return gap / reference; a problem whose null model is already perfect counts the gap itself."""
    return gap / reference if reference > 0.0 else gap


def constant_below(mean: Float) -> Float:
    """Return the standard deviation (p,) under which a column can't be told from a constant."""
    return 1e-13 * np.abs(mean)


def penalty_scale(mean: Float, deviation: Float, *, fit_intercept: bool, standardize: bool) -> Float:
    """Return s (p,), the factor from coefficients on the original scale to those that are penalised.

    Parameters
    ----------
    mean, deviation : (p,)
        Weighted mean and 1/n standard deviation of the columns.
    fit_intercept : bool
        A constant column has scale 1 either way.
    standardize : bool
        False gives ones.
    """
    if not standardize:
        return np.ones_like(mean)
    return np.where(deviation > constant_below(mean), deviation, 1.0)


def _refit(eta: Float, y: Float, w: Float, family: Family, Z: Float) -> Float:
    """Return the predictor (n,) nearby at which the loss's gradient is orthogonal to Z (n, q), by Newton's method."""
    if Z.shape[1] == 0:
        return eta
    value = family.total_loss(y, eta, w)
    for _ in range(50):
        slope = -Z.T @ family.residual(y, eta, w)
        step, *_ = np.linalg.lstsq(family.hessian(y, eta, w, Z), slope, rcond=None)
        trial, share = eta - Z @ step, 1.0
        while (moved := family.total_loss(y, trial, w)) > value + 1e-14 * abs(value) and share > 1e-6:
            share *= 0.5
            trial = eta - share * (Z @ step)
        done = float(slope @ step) <= 1e-28 * max(abs(value), 1e-300)
        eta, value = trial, moved
        if done:
            break
    return eta


class Rows:
    """A matrix read in blocks of rows (dense) or as it is (sparse), never copied whole."""

    def __init__(self, X: Any) -> None:
        self._sparse = hasattr(X, "tocsc")
        self._X: Any = X if self._sparse else np.asarray(X)
        self.n, self.p = self._X.shape

    @property
    def matrix(self) -> Any:
        """The matrix itself."""
        return self._X

    def _blocks(self) -> list[slice]:
        size = max(1, _BLOCK_BYTES // (8 * max(self.p, 1)))
        return [slice(i, min(i + size, self.n)) for i in range(0, self.n, size)]

    def _sum(self, part: Callable[[Float, slice], Float]) -> Float:
        total = np.zeros(self.p)
        for block in self._blocks():
            total += part(np.asarray(self._X[block], dtype=np.float64), block)
        return total

    def dots(self, v: Float) -> Float:
        """X'v (p,)."""
        if self._sparse:
            return np.asarray(self._X.T @ v, dtype=np.float64)
        return self._sum(lambda X, block: X.T @ v[block])

    def times(self, b: Float) -> Float:
        """X b (n,)."""
        if self._sparse:
            return np.asarray(self._X @ b, dtype=np.float64)
        return np.concatenate([np.asarray(self._X[s], dtype=np.float64) @ b for s in self._blocks()])

    def columns(self, which: NDArray[np.bool_], mean: Float, scale: Float) -> Float:
        """Return the chosen columns, standardised, (n, chosen)."""
        X = self._X.tocsc() if self._sparse else self._X
        picked = X[:, np.flatnonzero(which)]
        Z = np.asarray(picked.toarray() if self._sparse else picked, dtype=np.float64)
        return np.asarray((Z - mean[which]) / scale[which])

    def moments(self, w: Float) -> tuple[Float, Float]:
        """Weighted mean and standard deviation of the columns, (p,) each, in two passes."""
        mean = self.dots(w)
        if not self._sparse:
            return mean, np.sqrt(self._sum(lambda X, block: w[block] @ (X - mean) ** 2))
        X = self._X.tocsc()
        number = np.repeat(np.arange(self.p), np.diff(X.indptr))
        stored = np.bincount(number, weights=w[X.indices], minlength=self.p)
        squares = np.bincount(number, weights=w[X.indices] * (X.data - mean[number]) ** 2, minlength=self.p)
        absent = np.where(stored < 1.0 - 1e-14, 1.0 - stored, 0.0)  # weight of the zeros, or rounding of a full column
        return mean, np.sqrt(squares + absent * mean**2)
