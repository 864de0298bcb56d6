"""The benchmark's referee against solvers that are neither bridle nor itself."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize


def table(family: str, n: int = 80, p: int = 6) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, p)) * [1.0, 2.0, 0.5, 1.0, 3.0, 1.0] + 0.3
    eta = 0.4 + X @ np.array([0.8, -0.3, 0.0, 0.0, 0.2, 0.0])
    if family == "gaussian":
        return X, eta + rng.standard_normal(n)
    if family == "binomial":
        return X, (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    return X, rng.poisson(np.exp(0.5 * eta)).astype(float)


def optimum(family: str, X: Any, y: Any, lam: float, a: float) -> tuple[float, Any]:
    """Intercept and coefficients by L-BFGS-B with b = b+ - b-; the objective is written apart from the referee's."""
    n, p = X.shape

    def value(v: Any) -> tuple[float, Any]:
        b = v[1 : p + 1] - v[p + 1 :]
        eta = v[0] + X @ b
        if family == "gaussian":
            f, mu = np.mean((y - eta) ** 2) / 2, eta
        elif family == "binomial":
            f, mu = np.mean(np.log1p(np.exp(eta)) - y * eta), 1 / (1 + np.exp(-eta))
        else:
            f, mu = np.mean(np.exp(eta) - y * eta), np.exp(eta)
        slope = X.T @ (mu - y) / n + lam * (1 - a) * b
        f += lam * (a * v[1:].sum() + (1 - a) / 2 * b @ b)
        return f, np.concatenate([[np.mean(mu - y)], slope + lam * a, -slope + lam * a])

    bounds = [(None, None)] + [(0, None)] * (2 * p)
    tight = {"ftol": 1e-16, "gtol": 1e-11, "maxiter": 5000, "maxfun": 50000}
    v = minimize(value, np.zeros(2 * p + 1), jac=True, method="L-BFGS-B", bounds=bounds, options=tight).x
    return float(v[0]), v[1 : p + 1] - v[p + 1 :]


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize("a", [1.0, 0.5, 0.0])
def test_optimum_has_no_gap(referee: ModuleType, family: str, a: float) -> None:
    X, y = table(family)
    b0, b = optimum(family, X, y, 0.07, a)
    seen = referee.judge(referee.Task(family, X, y, a), np.array([0.07]), np.array([b0]), b[None])
    assert -1e-12 < seen.relative_gap[0] < 1e-8
    assert seen.kkt[0] < 1e-4


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize("a", [1.0, 0.5, 0.0])
def test_gap_bounds_what_is_lost(referee: ModuleType, family: str, a: float) -> None:
    X, y = table(family)
    task, lam = referee.Task(family, X, y, a), np.array([0.07])
    b0, b = optimum(family, X, y, 0.07, a)
    best = referee.judge(task, lam, np.array([b0]), b[None]).objective[0]
    rng = np.random.default_rng(4)
    for size in (1e-3, 1e-2, 0.3):
        away = referee.judge(task, lam, np.array([b0 + size]), b[None] + size * rng.standard_normal(b.size))
        assert away.objective[0] > best
        assert away.gap[0] >= away.objective[0] - best
        assert away.kkt[0] > 1e-4
        assert np.all(away.relative_gap == away.gap / referee.null_scale(family, y))


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_largest_lambda_empties_the_lasso(referee: ModuleType, family: str) -> None:
    X, y = table(family)
    task = referee.Task(family, X, y)
    top, null = referee.lambda_max(task), np.array([referee.null_link(family, y)])
    nothing = np.zeros((1, X.shape[1]))
    assert abs(referee.judge(task, np.array([top]), null, nothing).relative_gap[0]) < 1e-12
    assert referee.judge(task, np.array([0.9 * top]), null, nothing).relative_gap[0] > 1e-5


def test_storage_and_precision_leave_the_judgement(referee: ModuleType) -> None:
    X, y = table("binomial")
    X = np.where(np.abs(X) > 0.7, X, 0.0).astype(np.float32)
    lam, b0 = np.array([0.1, 0.05]), np.array([0.1, 0.2])
    b = np.vstack([np.zeros(6), np.linspace(-0.2, 0.2, 6)])
    expected = referee.judge(referee.Task("binomial", X.astype(float), y, 0.5), lam, b0, b)
    for other in (X, sparse.csc_array(X)):
        for coef in (b, sparse.csr_array(b)):
            seen = referee.judge(referee.Task("binomial", other, y, 0.5), lam, b0, coef)
            np.testing.assert_allclose(seen.gap, expected.gap, rtol=1e-10)
            np.testing.assert_allclose(seen.kkt, expected.kkt, rtol=1e-10)


def test_gaussian_gap_scales_with_the_target(referee: ModuleType) -> None:
    X, y = table("gaussian")
    b, one = np.linspace(-0.2, 0.2, 6)[None], np.array([0.3])
    at = referee.judge(referee.Task("gaussian", X, y), np.array([0.05]), one, b)
    ten = referee.judge(referee.Task("gaussian", X, 10 * y), np.array([0.5]), 10 * one, 10 * b)
    np.testing.assert_allclose(ten.gap, 100 * at.gap)
    np.testing.assert_allclose(ten.relative_gap, at.relative_gap)


def test_what_is_not_finite_reaches_nothing(referee: ModuleType) -> None:
    X, y = table("gaussian")
    b = np.full((1, 6), np.nan)
    assert referee.judge(referee.Task("gaussian", X, y), np.array([0.05]), np.array([0.0]), b).worst_gap == np.inf


def test_held_out_deviance_is_that_of_scikit_learn(referee: ModuleType) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    X, y = table("poisson")
    coef = np.array([[0.1, 0.0, 0.0, 0.0, 0.05, 0.0]])
    seen = referee.held_out("poisson", X, y, np.array([0.2]), coef)
    assert seen[0] == pytest.approx(metrics.mean_poisson_deviance(y, np.exp(0.2 + X @ coef[0])))
