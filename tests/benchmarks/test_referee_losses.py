"""The benchmark's referee: what ordered classes, quantiles, SCAD and sparse groups have of their own."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog, minimize
from scipy.special import expit

LEVELS = np.array([0.0, 1.0, 2.0, 3.0, 1.0, 2.0])


def table(n: int = 60) -> tuple[Any, Any]:
    rng = np.random.default_rng(11)
    X = rng.standard_normal((n, 6)) * [1.0, 2.0, 0.5, 1.0, 1.5, 1.0]
    return X, X @ [0.8, -0.3, 0.0, 0.0, 0.2, 0.0] + rng.standard_t(2.0, n)


def judged(referee: ModuleType, task: Any, lam: float, b0: Any, B: Any) -> Any:
    return referee.judge(task, np.array([lam]), np.array([b0]), B[None])


def test_ordinal_is_the_difference_of_two_logistic_functions(referee: ModuleType) -> None:
    loss, eta = referee.FAMILIES["ordinal"], np.array([0.4, -0.1, 1.0, -2.0, 0.3, 0.8])[:, None] + [1.5, 0.2, -2.0]
    above = np.column_stack([np.ones(6), expit(eta), np.zeros(6)])
    chance = above[:, :-1] - above[:, 1:]
    expected = -np.mean(np.log(chance[np.arange(6), LEVELS.astype(int)]))
    assert loss.value(LEVELS, eta) == pytest.approx(expected, rel=1e-12)
    assert loss.value(LEVELS, eta[:, ::-1]) == np.inf
    far = np.array([-60.0, 60.0, 180.0, 300.0, 60.0, 180.0])[:, None] + [0.0, -120.0, -240.0]
    assert loss.deviance(LEVELS, far) == pytest.approx(0.0, abs=1e-12)


def test_two_levels_are_a_binomial(referee: ModuleType) -> None:
    X, y = table()
    y, b, lam = (y > 0.0).astype(float), np.array([0.5, 0.0, -0.2, 0.0, 0.1, 0.0]), 0.05
    one = judged(referee, referee.Task("binomial", X, y), lam, 0.3, b)
    two = judged(referee, referee.Task("ordinal", X, y), lam, np.array([0.3]), b)
    for field in ("objective", "relative_gap", "kkt"):
        np.testing.assert_allclose(getattr(two, field), getattr(one, field), rtol=1e-9)


@pytest.mark.parametrize("s", [1.0, 0.6, 0.0])
def test_ordinal_bound_is_the_least_over_few_ways_to_share_or_above_it(referee: ModuleType, s: float) -> None:
    """A row in the middle: f* of (a, b) by brute force over both predictors."""
    loss, y = referee.FAMILIES["ordinal"], np.array([1.0])
    eta = np.array([[1.2, -0.7]])
    u = s * loss.gradient(y, eta)
    upper, apart = np.meshgrid(np.linspace(-30.0, 60.0, 901), np.geomspace(1e-6, 90.0, 900))
    lower = upper - apart
    value = np.logaddexp(0.0, -upper) + np.logaddexp(0.0, lower) - np.log(-np.expm1(-apart))
    best = float(np.max(u[0, 0] * upper + u[0, 1] * lower - value))
    bound = loss.conjugate(y, eta, loss.gradient(y, eta), s)
    assert best - 1e-12 <= bound <= best + (0.05 if s == 0.6 else 1e-3)


def programme(X: Any, y: Any, lam: float, tau: float) -> tuple[float, Any, float]:
    """Intercept, coefficients and objective of the lasso of the pinball loss, by SciPy."""
    n, p = X.shape
    cost = np.concatenate([np.full(2 * p, lam), [0.0], np.full(n, tau / n), np.full(n, (1.0 - tau) / n)])
    A = np.hstack([X, -X, np.ones((n, 1)), np.eye(n), -np.eye(n)])
    bounds = [(0, None)] * (2 * p) + [(None, None)] + [(0, None)] * (2 * n)
    done = linprog(cost, A_eq=A, b_eq=y, bounds=bounds)
    return float(done.x[2 * p]), done.x[:p] - done.x[p : 2 * p], float(done.fun)


@pytest.mark.parametrize("share", [0.5, 0.05, 0.002])
def test_quantiles_have_no_gap_at_a_vertex(referee: ModuleType, share: float) -> None:
    X, y = table()
    task = referee.Task("quantile(tau=0.8)", X, y)
    lam = share * referee.lambda_max(task)
    b0, b, least = programme(X, y, lam, 0.8)
    best = judged(referee, task, lam, b0, b)
    assert best.objective[0] == pytest.approx(least, rel=1e-10)
    assert abs(best.relative_gap[0]) < 1e-9
    rng = np.random.default_rng(4)
    for size in (1e-3, 1e-2, 0.3):
        away = judged(referee, task, lam, b0, b + size * rng.standard_normal(6))
        assert away.gap[0] >= away.objective[0] - least > 0.0


def test_quantiles_smoothed_have_the_gap_that_smoothing_costs(referee: ModuleType) -> None:
    X, y = table()
    task, tau, h = referee.Task("quantile(tau=0.8)", X, y), 0.8, 0.01
    lam = 0.1 * referee.lambda_max(task)
    _, b, least = programme(X, y, lam, tau)
    used = X[:, b != 0.0]
    sign = np.sign(b[b != 0.0])

    def smoothed(v: Any) -> tuple[float, Any]:
        z = (v[0] + used @ v[1:] - y) / h
        f = np.mean(-tau * h * z + h * np.logaddexp(0.0, z)) + lam * sign @ v[1:]
        u = (expit(z) - tau) / len(y)
        return f, np.concatenate([[u.sum()], used.T @ u + lam * sign])

    v = minimize(
        smoothed, np.zeros(1 + sign.size), jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9}
    ).x
    b[b != 0.0] = v[1:]
    seen = judged(referee, task, lam, v[0], b)
    assert 0.0 < seen.objective[0] - least < h * np.log(2.0)
    assert seen.objective[0] - least <= seen.gap[0] + 1e-12 < 2.0 * h * np.log(2.0)


def sparse_groups(X: Any, y: Any, lam: float, t: float) -> Any:
    """By proximal gradient: soft threshold of cells, then of the groups of two."""
    step = len(y) / np.linalg.norm(X, 2) ** 2
    b = np.zeros(6)
    for _ in range(20000):
        v = b - step * X.T @ (X @ b - y) / len(y)
        v = (np.sign(v) * np.maximum(np.abs(v) - step * lam * t, 0.0)).reshape(3, 2)
        norms = np.linalg.norm(v, axis=1, keepdims=True)
        v = (v * np.maximum(1.0 - step * lam * (1.0 - t) * np.sqrt(2.0) / np.maximum(norms, 1e-300), 0.0)).ravel()
        if np.max(np.abs(v - b)) < 1e-15:
            break
        b = v
    return b


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_sparse_groups_have_no_gap_at_the_optimum(referee: ModuleType, t: float) -> None:
    X, y = table()
    X, y = X - X.mean(axis=0), y - y.mean()
    task = referee.Task("gaussian", X, y, penalty=f"sparse_group_lasso(l1_share={t})", groups=2)
    top = referee.lambda_max(task)
    for share in (0.6, 0.2):
        b = sparse_groups(X, y, share * top, t)
        best = judged(referee, task, share * top, 0.0, b)
        assert np.count_nonzero(b) > 0 and abs(best.relative_gap[0]) < 1e-10 and best.kkt[0] < 1e-9
        away = judged(referee, task, share * top, 0.0, b + 0.01)
        assert away.gap[0] >= away.objective[0] - best.objective[0] > 0.0
        assert away.kkt[0] > 1e-3
    assert not np.any(sparse_groups(X, y, 1.0001 * top, t)) and np.any(sparse_groups(X, y, 0.999 * top, t))
    if t in (0.0, 1.0):
        kind, size = ("group_lasso", 2) if t == 0.0 else ("elastic_net", 1)
        same = judged(referee, referee.Task("gaussian", X, y, penalty=kind, groups=size), 0.2 * top, 0.0, b)
        assert same.objective[0] == pytest.approx(best.objective[0], rel=1e-12)


def test_scad_is_stationary_where_its_threshold_puts_it(referee: ModuleType) -> None:
    rng = np.random.default_rng(8)
    q, _ = np.linalg.qr(np.column_stack([np.ones(40), rng.standard_normal((40, 4))]))
    X = q[:, 1:] * np.sqrt(40.0)
    z, lam, gamma = np.array([0.2, 0.7, -1.4, 4.0]), 0.5, 3.7
    soft = np.sign(z) * np.maximum(np.abs(z) - lam, 0.0)
    middle = ((gamma - 1.0) * z - np.sign(z) * gamma * lam) / (gamma - 2.0)
    best = np.where(np.abs(z) <= 2.0 * lam, soft, np.where(np.abs(z) <= gamma * lam, middle, z))
    task = referee.Task("gaussian", X, X @ z + 2.0, penalty="scad(gamma=3.7)")
    seen = judged(referee, task, lam, 2.0, best)
    assert seen.kkt[0] < 1e-12 and np.isnan(seen.gap[0])
    for step in np.random.default_rng(9).standard_normal((100, 4)) * 0.1:
        assert judged(referee, task, lam, 2.0, best + step).objective[0] > seen.objective[0]
    h = task.regulariser
    for b in (0.1, -0.4, 1.2, 2.0):
        B = np.array([b])
        slope = (h.value(lam, B + 1e-6) - h.value(lam, B - 1e-6)) / 2e-6
        assert h.violation(lam, B, np.array([-slope])) == pytest.approx(0.0, abs=1e-8)


def test_without_an_intercept(referee: ModuleType) -> None:
    X, y = table()
    y = (y > 0.3).astype(float)
    task = referee.Task("squared_hinge", X, y, 0.5, intercept=False)
    lam, side = 0.2 * referee.lambda_max(task), np.where(y == 1.0, 1.0, -1.0)

    def value(v: Any) -> tuple[float, Any]:
        b = v[:6] - v[6:]
        short = np.maximum(0.0, 1.0 - side * (X @ b))
        slope = -X.T @ (side * short) / len(y) + lam * 0.5 * b
        f = 0.5 * np.mean(short**2) + lam * (0.5 * v.sum() + 0.25 * b @ b)
        return float(f), np.concatenate([slope + lam * 0.5, -slope + lam * 0.5])

    tight = {"ftol": 1e-16, "gtol": 1e-12, "maxiter": 5000}
    v = minimize(value, np.zeros(12), jac=True, method="L-BFGS-B", bounds=[(0, None)] * 12, options=tight).x
    best = judged(referee, task, lam, 0.0, v[:6] - v[6:])
    assert abs(best.relative_gap[0]) < 1e-9 and best.kkt[0] < 1e-5
    assert best.objective[0] == pytest.approx(value(v)[0], rel=1e-9)
    assert judged(referee, task, lam, 0.1, v[:6] - v[6:]).worst_gap == np.inf
