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
        The gap bounds how far the objective is from its minimum, whatever the solver did.
    """
    fam = get_family(family)
    pen = penalty or Penalty()
    rows = Rows(X)
    target = np.asarray(y, dtype=np.float64)
    w = np.full(rows.n, 1.0) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    w = w / np.sum(w)
    o = np.zeros(rows.n) if offset is None else np.asarray(offset, dtype=np.float64)
    b = np.asarray(coef, dtype=np.float64)
    mean, deviation = rows.moments(w)
    scale = penalty_scale(mean, deviation, fit_intercept=fit_intercept, standardize=standardize)
    factor = (
        np.where(deviation > constant_below(mean), pen.factors(rows.p), np.inf)
        if fit_intercept
        else pen.factors(rows.p)
    )
    lower, upper = (bound * scale for bound in pen.bounds(rows.p))

    eta = o + intercept + rows.times(b)
    unpenalised = np.isfinite(factor) if lam == 0.0 else factor == 0.0
    free = unpenalised & (b * scale > lower) & (b * scale < upper)
    fitted = _refit(eta, target, w, fam, rows.columns(free, mean, scale, fit_intercept=fit_intercept))
    theta = -w * fam.gradient(target, fitted)
    z = (rows.dots(theta) - (mean * np.sum(theta) if fit_intercept else 0.0)) / scale
    kkt = worst_violation(b * scale, z, lam, pen, (factor, lower, upper))
    z = np.where(free, 0.0, z)

    def gap_at(s: float) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            u = np.where(w > 0.0, -s * theta / w, 0.0)
        rows_part = fam.loss(target, eta) + fam.conjugate(target, u) - u * eta
        features = pen.conjugate(s * z, lam, factor, lower, upper) - s * z * b * scale
        return float(np.sum(w * np.where(w > 0.0, rows_part, 0.0)) + np.sum(features)) + lam * pen.value(
            b * scale, factor
        )

    gap = min(gap_at(1.0), gap_at(_feasible_scale(z, lam, pen, (factor, lower, upper))))
    primal = float(np.sum(w * fam.loss(target, eta))) + lam * pen.value(b * scale, factor)
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
    saturated = family.saturated(y)
    gap = float(np.sum(w * (family.loss(y, start + offset) - saturated)))
    rounding = 1e-14 * float(np.sum(w * np.abs(saturated))) + 1e-28 * float(np.sum(w * y**2))
    return gap if gap > rounding else 0.0


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
    value = float(np.sum(w * family.loss(y, eta)))
    for _ in range(50):
        slope = Z.T @ (w * family.gradient(y, eta))
        curvature = Z.T @ ((w * family.curvature(y, eta))[:, None] * Z)
        step, *_ = np.linalg.lstsq(curvature, slope, rcond=None)
        trial, share = eta - Z @ step, 1.0
        while (moved := float(np.sum(w * family.loss(y, trial)))) > value + 1e-14 * abs(value) and share > 1e-6:
            share *= 0.5
            trial = eta - share * (Z @ step)
        done = float(slope @ step) <= 1e-28 * max(abs(value), 1e-300)
        eta, value = trial, moved
        if done:
            break
    return eta


def _feasible_scale(z: Float, lam: float, pen: Penalty, features: tuple[Float, Float, Float]) -> float:
    factor, lower, upper = features
    reach = np.where(z >= 0.0, upper, -lower)
    bound = np.where(np.isfinite(factor), lam * pen.l1_ratio * np.where(np.isfinite(factor), factor, 0.0), np.inf)
    tight = np.isinf(reach) & (np.abs(z) > bound) & (bound > 0.0)
    return float(np.min(bound[tight] / np.abs(z[tight]), initial=1.0)) * (1.0 - 1e-15 * bool(tight.any()))


def worst_violation(b: Float, z: Float, lam: float, pen: Penalty, features: tuple[Float, Float, Float]) -> float:
    """Distance of z (p,) from the subdifferential of the penalty at b (p,), the worst feature."""
    factor, lower, upper = features
    on = np.isfinite(factor)
    v = np.where(on, factor, 0.0)
    l1, ridge = lam * pen.l1_ratio * v, lam * (1.0 - pen.l1_ratio) * v
    rest = z - ridge * b - np.sign(b) * l1
    at_zero = np.maximum(np.where(upper > 0.0, z - l1, 0.0), np.where(lower < 0.0, -z - l1, 0.0))
    near = 1e-12 * np.maximum(1.0, np.abs(b))
    held = ((b >= upper - near) & (rest > 0.0)) | ((b <= lower + near) & (rest < 0.0))
    violation = np.where(b == 0.0, np.maximum(at_zero, 0.0), np.where(held, 0.0, np.abs(rest)))
    return float(np.max(np.where(on, violation, np.where(b == 0.0, 0.0, np.inf)), initial=0.0))


class Rows:
    """A matrix read in blocks of rows (dense) or as it is (sparse), never copied whole."""

    def __init__(self, X: Any) -> None:
        self._sparse = hasattr(X, "tocsc")
        self._X: Any = X if self._sparse else np.asarray(X)
        self.n, self.p = self._X.shape

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

    def columns(self, which: NDArray[np.bool_], mean: Float, scale: Float, *, fit_intercept: bool) -> Float:
        """Return the chosen columns, standardised, and the intercept's, (n, chosen + 1)."""
        X = self._X.tocsc() if self._sparse else self._X
        picked = X[:, np.flatnonzero(which)]
        Z = np.asarray(picked.toarray() if self._sparse else picked, dtype=np.float64)
        if not fit_intercept:
            return Z / scale[which]
        return np.column_stack([(Z - mean[which]) / scale[which], np.ones(self.n)])

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
