r"""The referee: what a competitor's coefficients are worth on the one objective, in plain NumPy and SciPy, in float64.

.. math:: P(b_0, b) = \frac1n \sum_i f(y_i, b_0 + x_i'b) + \lambda \sum_j [a |b_j| + \frac{1-a}{2} b_j^2]

It imports no competitor. Its dual point is made from the coefficients alone: the intercept that is best for them makes
the gradients u_i = f'(eta_i) sum to zero, and s u with 0 <= s <= 1 is then feasible:

.. math:: D(u) = -\frac1n \sum_i f^*(u_i) - \lambda \sum_j h^*(-X_j'u / (n \lambda)),
    \qquad h^*(z) = \frac{(|z| - a)_+^2}{2 (1 - a)}, \text{ or } 0 \text{ where } |z| \le a \text{ if } a = 1

f* being the convex conjugate of the loss. P - D >= P - min P, so a small gap proves the coefficients near the best,
whoever made them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit, xlogy

Float = NDArray[np.float64]
FAMILIES = ("gaussian", "binomial", "poisson")


@dataclass(frozen=True)
class Task:
    """The data and the penalty's mixture that a path is judged on."""

    family: str
    X: Any  # (n, p) dense or sparse
    y: Float  # (n,)
    l1_ratio: float = 1.0


@dataclass(frozen=True)
class Judgement:
    """What each lambda's coefficients are worth; the scale of the gap is half the mean null deviance."""

    objective: Float  # (L,)
    gap: Float  # (L,)
    relative_gap: Float  # (L,)
    kkt: Float  # (L,) worst violation of the optimality conditions, intercept included, over lambda_max of the lasso

    @property
    def worst_gap(self) -> float:
        """The largest relative gap of the path; infinite if anything isn't finite."""
        worst = float(np.max(self.relative_gap))
        return worst if np.isfinite(worst) else float("inf")


def loss(family: str, y: Float, eta: Float) -> Float:
    """Unit negative log-likelihood f(y, eta) without the terms of y alone, element by element."""
    if family == "gaussian":
        return 0.5 * (y - eta) ** 2
    if family == "binomial":
        return np.logaddexp(0.0, eta) - y * eta
    return np.exp(eta) - y * eta


def mean(family: str, eta: Float) -> Float:
    """The mean that belongs to a linear predictor."""
    if family == "gaussian":
        return eta
    return np.asarray(expit(eta)) if family == "binomial" else np.exp(eta)


def conjugate(family: str, y: Float, u: Float) -> Float:
    """f*(u) = sup over eta of u eta - f(y, eta); u lies between -y and 0 plus what the family allows."""
    if family == "gaussian":
        return 0.5 * u**2 + u * y
    mu = y + u
    if family == "binomial":
        mu = np.clip(mu, 0.0, 1.0)  # u = mu - y exactly; rounding may put it past the edge
        return np.asarray(xlogy(mu, mu) + xlogy(1.0 - mu, 1.0 - mu))
    mu = np.maximum(mu, 0.0)
    return np.asarray(xlogy(mu, mu) - mu)


def deviance(family: str, y: Float, eta: Float) -> Float:
    """Unit deviance 2 (f(y, eta) - min f(y, .)), element by element."""
    if family == "gaussian":
        best = np.zeros_like(y)
    elif family == "binomial":
        best = -(xlogy(y, y) + xlogy(1.0 - y, 1.0 - y))
    else:
        best = y - xlogy(y, y)
    return 2.0 * (loss(family, y, eta) - (best if eta.ndim == 1 else best[:, None]))


def null_link(family: str, y: Float) -> float:
    """The intercept that is best without features."""
    average = float(np.mean(y))
    if family == "gaussian":
        return average
    return float(np.log(average / (1.0 - average))) if family == "binomial" else float(np.log(average))


def null_scale(family: str, y: Float) -> float:
    """Half the mean deviance of the model without features: what gaps are measured by."""
    return 0.5 * float(np.mean(deviance(family, y, np.full(y.shape, null_link(family, y)))))


def lambda_max(task: Task) -> float:
    """The smallest lambda at which the lasso is empty; for less than 0.001 of lasso, as of 0.001."""
    u = mean(task.family, np.full(task.y.shape, null_link(task.family, task.y))) - task.y
    return _largest(_correlate(task.X, u)) / max(task.l1_ratio, 1e-3)


def lambda_grid(task: Task, length: int = 100) -> Float:
    """Lambdas in equal ratios down to 1e-4 of the largest if there are more rows than features, else 1e-2."""
    n, p = task.X.shape
    return np.asarray(lambda_max(task) * np.geomspace(1.0, 1e-4 if n > p else 1e-2, length))


def judge(task: Task, lambdas: Float, intercept: Float, coef: Any) -> Judgement:
    """Judge coefficients (L, p), dense or sparse, with intercepts (L,), at their lambdas (L,)."""
    scale, largest = null_scale(task.family, task.y), lambda_max(task) * max(task.l1_ratio, 1e-3)
    rows = [
        _judge_one(task, float(lam), float(b0), _row(coef, k))
        for k, (lam, b0) in enumerate(zip(lambdas, intercept, strict=True))
    ]
    objective, gap, kkt = (np.asarray(column) for column in zip(*rows, strict=True))
    return Judgement(objective, gap, gap / scale, kkt / largest)


def held_out(family: str, X: Any, y: Float, intercept: Float, coef: Any) -> Float:
    """Mean unit deviance of other rows at each lambda, (L,)."""
    values = [
        float(np.mean(deviance(family, y, _predict(X, _row(coef, k)) + float(intercept[k]))))
        for k in range(len(intercept))
    ]
    return np.asarray(values)


def _judge_one(task: Task, lam: float, b0: float, b: Float) -> tuple[float, float, float]:
    """Objective, gap and worst violation of the optimality conditions."""
    if not (np.isfinite(b0) and np.all(np.isfinite(b))):
        return float("inf"), float("inf"), float("inf")
    family, y, a = task.family, task.y, task.l1_ratio
    xb = _predict(task.X, b)
    primal = float(np.mean(loss(family, y, xb + b0))) + lam * float(np.sum(a * np.abs(b) + 0.5 * (1.0 - a) * b**2))
    best_intercept, u = _balanced(family, y, xb, b0)
    z = _correlate(task.X, u)
    duals = [_dual(task, s * u, s * z, lam) for s in _scalings(a, lam, z)]
    here = mean(family, xb + b0) - y
    z = z if best_intercept == b0 else _correlate(task.X, here)
    return primal, primal - max(duals), max(_violation(a, lam, b, z), abs(float(np.mean(here))))


def _dual(task: Task, u: Float, z: Float, lam: float) -> float:
    """D at a feasible u, z = X'u / n."""
    value = -float(np.mean(conjugate(task.family, task.y, u)))
    if task.l1_ratio < 1.0:
        over = np.maximum(np.abs(z) / lam - task.l1_ratio, 0.0)
        value -= lam * float(np.sum(over**2)) / (2.0 * (1.0 - task.l1_ratio))
    return value


def _scalings(a: float, lam: float, z: Float) -> list[float]:
    """Factors s to try: that which keeps every |z_j| within lam; mixtures may also take the point as it is."""
    within = min(1.0, a * lam / max(_largest(z), np.finfo(float).tiny))
    return [within] if a == 1.0 else [within, 1.0]


def _violation(a: float, lam: float, b: Float, z: Float) -> float:
    """Distance of 0 from the subdifferential, the largest over features."""
    smooth = z + lam * (1.0 - a) * b
    return _largest(np.where(b == 0.0, np.maximum(np.abs(smooth) - lam * a, 0.0), smooth + lam * a * np.sign(b)))


def _balanced(family: str, y: Float, xb: Float, b0: float) -> tuple[float, Float]:
    """The best intercept for these coefficients, and the gradients at it, which sum to zero."""
    if family == "gaussian":
        b0 = float(np.mean(y - xb))
    elif family == "poisson":
        top = float(np.max(xb))
        b0 = float(np.log(np.sum(y)) - np.log(np.sum(np.exp(xb - top)))) - top
    else:
        b0 = _balanced_binomial(y, xb, b0)
    return b0, mean(family, xb + b0) - y


def _balanced_binomial(y: Float, xb: Float, b0: float) -> float:
    """Newton's steps within a bracket that always holds the answer."""
    target = float(np.mean(y))
    odds = float(np.log(target / (1.0 - target)))
    low, high = odds - float(np.max(xb)), odds - float(np.min(xb))
    for _ in range(200):
        mu = np.asarray(expit(xb + b0))
        excess = float(np.mean(mu)) - target
        if abs(excess) < 1e-16:
            break
        low, high = (low, b0) if excess > 0.0 else (b0, high)
        curvature = float(np.mean(mu * (1.0 - mu)))
        step = b0 - excess / curvature if curvature > 0.0 else low
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - b0) <= 1e-15 * max(1.0, abs(b0)):
            break
        b0 = following
    return b0


def _predict(X: Any, b: Float) -> Float:
    """X b in float64, reading the columns that count."""
    used = np.flatnonzero(b)
    if used.size == 0:
        return np.zeros(X.shape[0])
    few = used.size < X.shape[1] // 4 or sparse.issparse(X)
    part, b = (X[:, used], b[used]) if few else (X, b)
    return np.asarray(part @ b, dtype=np.float64) if X.dtype == np.float64 else _in_double(part, b)


def _correlate(X: Any, u: Float) -> Float:
    """X'u / n in float64."""
    n = X.shape[0]
    return (np.asarray(X.T @ u) if X.dtype == np.float64 else _in_double(X.T, u)) / n


def _in_double(A: Any, v: Float, rows: int = 4096) -> Float:
    """A v with A's rows made float64 a block at a time."""
    blocks = [np.asarray(A[k : k + rows].astype(np.float64) @ v) for k in range(0, A.shape[0], rows)]
    return np.concatenate(blocks)


def _row(coef: Any, k: int) -> Float:
    return np.asarray(coef[[k]].toarray()[0] if sparse.issparse(coef) else coef[k], dtype=np.float64)


def _largest(v: Float) -> float:
    return float(np.max(np.abs(v))) if v.size else 0.0
