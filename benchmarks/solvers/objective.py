r"""The referee: what a competitor's coefficients are worth on the one objective, in plain NumPy and SciPy, in float64.

.. math:: P(b_0, B) = F(b_0 + X B) + \lambda h(B)

F is the mean loss of ``families`` (one predictor: B (p,), b_0 a number; K of them: B (p, K), b_0 (K,)) and h one of
``penalties``. It imports no competitor. Its dual point is made from the coefficients alone: the intercept that is best
for them makes the gradients u_i = f'(eta_i) sum to zero, and s u with 0 <= s <= 1 is then feasible:

.. math:: D(u) = -F^*(u / n) - \lambda h^*(-X'u / (n \lambda)),
    \qquad h^*(Z) = \sum_g \frac{(|Z_g| - a \sqrt{m})_+^2}{2 (1 - a)},
    \text{ or } 0 \text{ where } |Z_g| \le a \sqrt{m} \text{ if } a = 1

F* being the convex conjugate of F. P - D >= P - min P, so a small gap proves the coefficients near the best, whoever
made them. A concave penalty has no such proof: its gaps are not a number, and only ``kkt`` speaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from families import FAMILIES, Family
from numpy.typing import NDArray
from robust import Pinball
from scipy import sparse

from penalties import Blocks, Mcp, Scad, get_penalty

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """The data and the penalty that a path is judged on."""

    family: str
    X: Any  # (n, p) dense or sparse
    y: Float  # (n,), or as the family has it
    l1_ratio: float = 1.0
    penalty: str = "elastic_net"
    groups: int = 1  # features a group
    joint: bool = False  # whether the predictors of a feature make one block
    intercept: bool = True

    @property
    def loss(self) -> Family:
        return FAMILIES[self.family]

    @property
    def regulariser(self) -> Blocks | Mcp | Scad:
        return get_penalty(self.penalty, self.l1_ratio, self.groups, self.joint)


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


def null_link(family: str, y: Float) -> Any:
    """The intercept that is best without features."""
    return FAMILIES[family].null(y)


def null_scale(family: str, y: Float) -> float:
    """Half the mean deviance of the model without features: what gaps are measured by."""
    return 0.5 * FAMILIES[family].deviance(y, FAMILIES[family].null_eta(y))


def lambda_max(task: Task) -> float:
    """The smallest lambda at which the lasso is empty; for less than 0.001 of lasso, as of 0.001."""
    null = task.loss.null_eta(task.y)
    u = task.loss.gradient(task.y, null if task.intercept else np.zeros_like(null))
    return task.regulariser.largest(_correlate(task.X, task.loss.by_column(u))) / max(task.l1_ratio, 1e-3)


def lambda_grid(task: Task, length: int = 100) -> Float:
    """Lambdas in equal ratios down to 1e-4 of the largest if there are more rows than features, else 1e-2.

    A concave penalty's go to 1e-3 and 5e-2, ncvreg's choice: below, many local optima fit equally well.
    """
    n, p = task.X.shape
    tall, wide = (1e-4, 1e-2) if task.regulariser.convex else (1e-3, 5e-2)
    return np.asarray(lambda_max(task) * np.geomspace(1.0, tall if n > p else wide, length))


def judge(task: Task, lambdas: Float, intercept: Float, coef: Any) -> Judgement:
    """Judge coefficients (L, p), or (L, p K) by feature, dense or sparse, with intercepts (L,) or (L, K)."""
    scale, largest = null_scale(task.family, task.y), lambda_max(task) * max(task.l1_ratio, 1e-3)
    columns = _columns(task.family, task.y)
    rows = [
        _judge_one(task, float(lam), _intercept(b0), _coefficients(coef, k, columns))
        for k, (lam, b0) in enumerate(zip(lambdas, intercept, strict=True))
    ]
    objective, gap, kkt = (np.asarray(column) for column in zip(*rows, strict=True))
    return Judgement(objective, gap, gap / scale, kkt / largest)


def held_out(family: str, X: Any, y: Float, intercept: Float, coef: Any) -> Float:
    """Mean unit deviance of other rows at each lambda, (L,)."""
    columns = _columns(family, y)
    values = [
        FAMILIES[family].deviance(y, _predict(X, _coefficients(coef, k, columns)) + _intercept(b0))
        for k, b0 in enumerate(intercept)
    ]
    return np.asarray(values)


def _judge_one(task: Task, lam: float, b0: Any, B: Float) -> tuple[float, float, float]:
    """Objective, gap and worst violation of the optimality conditions."""
    if not (np.all(np.isfinite(b0)) and np.all(np.isfinite(B))):
        return float("inf"), float("inf"), float("inf")
    loss, h, y = task.loss, task.regulariser, task.y
    if not task.intercept and np.any(b0 != 0.0):
        return float("inf"), float("inf"), float("inf")
    xb = _predict(task.X, B)
    primal = loss.value(y, xb + b0) + h.value(lam, B)
    here = loss.gradient(y, xb + b0)
    off = _largest(np.mean(here, axis=0)) if task.intercept else 0.0
    kkt = float("nan")  # with kinks slopes are open: nothing to say
    if not isinstance(loss, Pinball):
        kkt = max(h.violation(lam, B, _correlate(task.X, loss.by_column(here))), off)
    if not isinstance(h, Blocks):
        return primal, float("nan"), kkt

    def dual(best: Any, u: Float) -> float:
        z = _correlate(task.X, loss.by_column(u))
        return max(-loss.conjugate(y, xb + best, u, s) - h.conjugate(lam, s * z) for s in h.scalings(lam, z))

    if isinstance(loss, Pinball):
        used = np.flatnonzero(B)
        slope = -len(y) * lam * task.l1_ratio * np.sign(B[used])  # of the lasso
        points = loss.dual_points(y, xb, lambda u: dual(0.0, u), np.asarray(task.X[:, used]), slope)
        return primal, primal - max(dual(0.0, u) for u in points), kkt
    return primal, primal - dual(*loss.balanced(y, xb, b0) if task.intercept else (b0, here)), kkt


def _predict(X: Any, B: Float) -> Float:
    """X B in float64, reading the columns that count."""
    used = np.flatnonzero(B if B.ndim == 1 else np.any(B != 0.0, axis=1))
    if used.size == 0:
        return np.zeros((X.shape[0], *B.shape[1:]))
    few = used.size < X.shape[1] // 4 or sparse.issparse(X)
    part, B = (X[:, used], B[used]) if few else (X, B)
    return np.asarray(part @ B, dtype=np.float64) if X.dtype == np.float64 else _in_double(part, B)


def _correlate(X: Any, u: Float) -> Float:
    """X'u / n in float64."""
    n = X.shape[0]
    return (np.asarray(X.T @ u) if X.dtype == np.float64 else _in_double(X.T, u)) / n


def _in_double(A: Any, v: Float, rows: int = 4096) -> Float:
    """A v with A's rows made float64 a block at a time."""
    blocks = [np.asarray(A[k : k + rows].astype(np.float64) @ v) for k in range(0, A.shape[0], rows)]
    return np.concatenate(blocks)


def _columns(family: str, y: Float) -> int:
    """Coefficients a feature, 0 where B is (p,)."""
    return FAMILIES[family].columns(y) if FAMILIES[family].several else 0


def _coefficients(coef: Any, k: int, columns: int) -> Float:
    """The k-th lambda's, (p,), or (p, columns)."""
    row = np.asarray(coef[[k]].toarray()[0] if sparse.issparse(coef) else coef[k], dtype=np.float64)
    return row if columns == 0 else row.reshape(-1, columns)


def _intercept(b0: Any) -> Any:
    return float(b0) if np.ndim(b0) == 0 else np.asarray(b0, dtype=np.float64)


def _largest(v: Any) -> float:
    return float(np.max(np.abs(v)))
