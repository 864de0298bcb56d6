"""The benchmark's referee: families and penalties beyond the elastic net of one predictor."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import approx_fprime, minimize
from scipy.special import expit

SINGLE = [
    "gaussian", "binomial", "poisson", "gamma", "tweedie(power=1.5)", "negative_binomial(theta=2)", "huber(delta=0.8)",
    "squared_hinge", "cox",
]  # fmt: skip
MULTIPLE = ["multigaussian", "multinomial"]
PENALTIES = {  # penalty, features a group, joint
    "lasso": ("elastic_net", 1, False),
    "groups": ("group_lasso", 2, False),
    "joint": ("elastic_net", 1, True),
    "joint groups": ("group_lasso", 3, True),
}


def table(family: str, n: int = 60, p: int = 6, K: int = 3) -> tuple[Any, Any]:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((n, p)) * [1.0, 2.0, 0.5, 1.0, 1.5, 1.0] + 0.2
    coef = np.array([0.8, -0.3, 0.0, 0.0, 0.2, 0.0])
    eta = 0.1 + X @ coef
    if family == "gaussian":
        return X, eta + rng.standard_normal(n)
    if family.startswith(("huber", "quantile")):
        return X, eta + rng.standard_t(2.0, n)
    if family == "negative_binomial(theta=2)":
        return X, rng.poisson(np.exp(0.5 * eta) * rng.gamma(2.0, 0.5, n)).astype(float)
    if family == "ordinal":
        return X, np.searchsorted([-2.0, 0.0, 1.5], 1.5 * eta + rng.logistic(size=n)).astype(float)
    if family in ("binomial", "squared_hinge"):
        return X, (rng.random(n) < expit(eta)).astype(float)
    if family == "poisson":
        return X, rng.poisson(np.exp(0.5 * eta)).astype(float)
    if family == "gamma":
        return X, rng.gamma(2.0, np.exp(0.5 * eta) / 2.0)
    if family == "tweedie(power=1.5)":  # a sum of exponential amounts; some rows have none
        mu = np.exp(0.5 * eta)
        return X, rng.gamma(np.maximum(rng.poisson(2.0 * np.sqrt(mu)), 1e-300), 0.5 * np.sqrt(mu))
    if family == "cox":
        time, censored = rng.exponential(np.exp(-eta)), rng.exponential(2.0, n)
        return X, np.column_stack([np.ceil(5.0 * np.minimum(time, censored)), time <= censored]).astype(float)
    several = X @ (coef[:, None] * rng.standard_normal((p, K)))
    if family == "multigaussian":
        return X, several + rng.standard_normal((n, K))
    return X, np.argmax(several + rng.gumbel(size=(n, K)), axis=1).astype(float)


def task_of(referee: ModuleType, family: str, kind: str, a: float = 1.0) -> Any:
    X, y = table(family)
    penalty, groups, joint = PENALTIES[kind]
    return referee.Task(family, X, y, a, penalty, groups, joint)


def norms(B: Any, kind: str) -> Any:
    """Square norm of each block and its weight, written apart from the referee's."""
    B = B.reshape(6, -1)
    if kind == "lasso":
        return (B**2).ravel(), 1.0
    if kind == "groups":
        return np.concatenate([(B[g : g + 2] ** 2).sum(axis=0) for g in (0, 2, 4)]), np.sqrt(2.0)
    if kind == "joint":
        return (B**2).sum(axis=1), 1.0
    return np.array([(B[:3] ** 2).sum(), (B[3:] ** 2).sum()]), np.sqrt(3.0)


def member(kind: str, K: int) -> Any:
    """Number of each cell's block, (6 K,), in the order of ``norms``."""
    feature, predictor = np.repeat(np.arange(6), K), np.tile(np.arange(K), 6)
    return {
        "lasso": feature * K + predictor, "groups": feature // 2 * K + predictor, "joint": feature,
        "joint groups": feature // 3,
    }[kind]  # fmt: skip


def optimum(task: Any, lam: float, kind: str) -> tuple[Any, Any]:
    """By SciPy: with rounded norms first, then exactly among the blocks that were left."""
    family, X, y, a = task.loss, task.X, task.y, task.l1_ratio
    K, columns = family.predictors(y), family.columns(y)
    block = member(kind, columns)

    def value(v: Any, free: Any, rounding: float) -> Any:
        B = np.zeros(6 * columns)
        B[free] = v[K:]
        eta = X @ B.reshape(6, columns) + v[:K]
        u = family.gradient(y, eta if K > 1 else eta[:, 0]).reshape(-1, K) / len(y)
        square, weight = norms(B, kind)
        length = np.sqrt(square + rounding**2)
        slope = (X.T @ family.by_column(u)).ravel() + lam * (1 - a) * B
        slope += lam * a * weight * B / np.where(length > 0.0, length, 1.0)[block]
        f = family.value(y, eta if K > 1 else eta[:, 0]) + lam * (a * weight * length.sum() + (1 - a) / 2 * B @ B)
        return f, np.concatenate([u.sum(axis=0), slope[free]])

    tight = {"ftol": 1e-16, "gtol": 1e-10, "maxiter": 20000, "maxfun": 50000}
    every = np.ones(6 * columns, dtype=bool)
    start = np.concatenate([np.ravel(family.null(y)), np.full(6 * columns, 1e-3)])
    for rounding in (1e-2, 1e-3, 1e-4, 1e-5):
        start = minimize(value, start, (every, rounding), jac=True, method="L-BFGS-B", options=tight).x
    free = np.sqrt(norms(start[K:], kind)[0])[block] > 2e-4
    start = np.concatenate([start[:K], start[K:][free]])
    v = minimize(value, start, (free, 0.0), jac=True, method="L-BFGS-B", options=tight).x
    B = np.zeros(6 * columns)
    B[free] = v[K:]
    return v[:K] if family.several else v[0], B


def judged(referee: ModuleType, task: Any, lam: float, b0: Any, B: Any) -> Any:
    return referee.judge(task, np.array([lam]), np.array([b0]), B[None])


SHARED = ["ordinal"]  # one coefficient a feature for all predictors
CASES = [(f, k) for f in SINGLE + SHARED for k in ("lasso", "groups")] + [(f, k) for f in MULTIPLE for k in PENALTIES]


@pytest.mark.parametrize(("family", "kind"), CASES)
@pytest.mark.parametrize("a", [1.0, 0.6])
def test_optimum_has_no_gap_and_others_have_what_they_lose(
    referee: ModuleType, family: str, kind: str, a: float
) -> None:
    task = task_of(referee, family, kind, a)
    lam = 0.3 * referee.lambda_max(task)
    b0, B = optimum(task, lam, kind)
    assert np.count_nonzero(B) > 0
    best = judged(referee, task, lam, b0, B)
    assert -1e-12 < best.relative_gap[0] < 1e-7
    assert best.kkt[0] < 1e-4
    rng = np.random.default_rng(4)
    for size in (1e-3, 1e-2, 0.3):
        away = judged(referee, task, lam, b0, B + size * rng.standard_normal(B.size))
        assert away.objective[0] > best.objective[0]
        assert away.gap[0] >= away.objective[0] - best.objective[0]
        assert away.kkt[0] > 1e-4


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_largest_lambda_is_where_all_goes(referee: ModuleType, family: str, kind: str) -> None:
    task = task_of(referee, family, kind)
    top, null = referee.lambda_max(task), referee.null_link(family, task.y)
    nothing = np.zeros(6 * task.loss.columns(task.y))
    assert abs(judged(referee, task, top, null, nothing).relative_gap[0]) < 1e-12
    assert judged(referee, task, 0.9 * top, null, nothing).relative_gap[0] > 1e-5
    assert judged(referee, task, 0.9 * top, null, nothing).kkt[0] == pytest.approx(0.1)


def predictors(family: str, shape: Any, seed: int) -> Any:
    """Random ones, those of ordered classes falling."""
    eta = np.random.default_rng(seed).standard_normal(shape)
    return -np.sort(-eta, axis=1) - np.arange(shape[1]) if family == "ordinal" else eta


@pytest.mark.parametrize("family", SINGLE + SHARED + MULTIPLE)
def test_gradient_is_that_of_the_value(referee: ModuleType, family: str) -> None:
    _, y = table(family)
    loss = referee.FAMILIES[family]
    shape = loss.null_eta(y).shape
    eta = predictors(family, shape, 1)
    slope = approx_fprime(eta.ravel(), lambda v: loss.value(y, v.reshape(shape)), 1e-6)
    np.testing.assert_allclose(loss.gradient(y, eta).ravel() / len(y), slope, atol=1e-6)


@pytest.mark.parametrize("family", SINGLE + SHARED + MULTIPLE)
def test_best_intercept_balances_the_gradients(referee: ModuleType, family: str) -> None:
    _, y = table(family)
    loss = referee.FAMILIES[family]
    null = loss.null(y)
    for size in (0.1, 1.0, 10.0):
        shape = (len(y), 1) if family in SHARED else loss.null_eta(y).shape
        xb = size * np.random.default_rng(2).standard_normal(shape)
        b0, u = loss.balanced(y, xb, null)
        np.testing.assert_allclose(np.mean(u, axis=0), 0.0, atol=1e-13 * max(1.0, np.max(np.abs(u))))
        np.testing.assert_allclose(u, loss.gradient(y, xb + b0))
    level = 0.0 * xb
    b0, _ = loss.balanced(y, level, null + (0.3 if family in SHARED else -null))
    np.testing.assert_allclose(loss.null_eta(y), level + b0, atol=1e-12)


@pytest.mark.parametrize("s", [1.0, 0.7, 0.2, 0.0])
@pytest.mark.parametrize("family", SINGLE + SHARED + MULTIPLE)
def test_conjugate_is_the_supremum_or_above_it(referee: ModuleType, family: str, s: float) -> None:
    _, y = table(family, n=12)
    loss = referee.FAMILIES[family]
    eta = predictors(family, loss.null_eta(y).shape, 5)
    u = loss.gradient(y, eta)

    def negative(v: Any) -> tuple[float, Any]:
        point = v.reshape(eta.shape)
        f = loss.value(y, point) - float(np.sum(s * u * point)) / len(y)
        return f, (loss.gradient(y, point) - s * u).ravel() / len(y)

    best = minimize(negative, eta.ravel(), jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10})
    bound = loss.conjugate(y, eta, u, s)
    if family in ("cox", "ordinal") and 0.0 < s < 1.0:  # the decomposition is one of many
        assert -best.fun - 1e-9 <= bound <= -best.fun + 0.1
    elif s > 0.0:
        assert bound == pytest.approx(-best.fun, abs=1e-8)
    else:  # the supremum may lie at infinity
        assert -best.fun - 1e-9 <= bound <= -best.fun + 1e-4


def test_cox_is_what_its_definition_says(referee: ModuleType) -> None:
    _, y = table("cox")
    assert np.unique(y[:, 0]).size < 40  # ties
    eta = np.random.default_rng(6).standard_normal(len(y))
    loss = referee.FAMILIES["cox"]
    total = 0.0
    for i in np.flatnonzero(y[:, 1]):
        total += np.log(np.exp(eta[y[:, 0] >= y[i, 0]]).sum()) - eta[i]
    assert loss.value(y, eta) == pytest.approx(total / len(y), rel=1e-12)
    assert loss.value(y, eta + 7.0) == pytest.approx(total / len(y), rel=1e-12)
    far = np.where(y[:, 1] == 1.0, -60.0 * y[:, 0], -1e4)  # whoever has the event is all of its risk set
    assert loss.deviance(y, far) == pytest.approx(0.0, abs=1e-12)
    assert loss.deviance(y, eta) > 0.0


def test_cox_bound_on_few_rows(referee: ModuleType) -> None:
    """F* over all decompositions, by minimising over them: two events, so that u_1 alone is free."""
    y = np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 0.0]])
    loss, eta = referee.FAMILIES["cox"], np.array([0.3, -0.4, 0.9])
    u, s = loss.gradient(y, eta), 0.5

    def entropies(share: float) -> float:
        """q_1 = (1 + s u_0, share, the rest) is the first event's, what it leaves of s u the second's."""
        first = np.array([1.0 + s * u[0], share, -s * u[0] - share])
        second = s * u[1:] + np.array([1.0, 0.0]) - first[1:]
        q = np.concatenate([first, second])
        return float(np.sum(q * np.log(q))) / 3 if np.all(q > 0.0) else np.inf

    least = min(entropies(share) for share in np.linspace(0.0, 1.0, 4001))
    assert least <= loss.conjugate(y, eta, u, s) < least + 0.05
    least_at_one = loss.conjugate(y, eta, u, 1.0)
    assert least_at_one == pytest.approx(float(u @ eta) / 3 - loss.value(y, eta))


def test_two_classes_are_a_binomial_with_half_its_coefficients_on_either_side(referee: ModuleType) -> None:
    X, y = table("binomial")
    b, lam = np.array([0.5, 0.0, -0.2, 0.0, 0.1, 0.0]), np.array([0.05])
    one = referee.judge(referee.Task("binomial", X, y), lam, np.array([0.3]), b[None])
    both = np.column_stack([-b / 2, b / 2]).ravel()[None]
    two = referee.judge(referee.Task("multinomial", X, y), lam, np.array([[-0.15, 0.15]]), both)
    for field in ("objective", "relative_gap", "kkt"):
        np.testing.assert_allclose(getattr(two, field), getattr(one, field), rtol=1e-10)


def test_one_response_is_a_gaussian(referee: ModuleType) -> None:
    X, y = table("gaussian")
    b, lam = np.array([[0.5, 0.0, -0.2, 0.0, 0.1, 0.0]]), np.array([0.05])
    one = referee.judge(referee.Task("gaussian", X, y, 0.5), lam, np.array([0.3]), b)
    for joint in (False, True):
        task = referee.Task("multigaussian", X, y[:, None], 0.5, joint=joint)
        several = referee.judge(task, lam, np.array([[0.3]]), b)
        assert several.gap[0] == pytest.approx(one.gap[0]) and several.kkt[0] == pytest.approx(one.kkt[0])


@pytest.mark.parametrize("family", MULTIPLE)
def test_sparse_coefficients_of_several_predictors(referee: ModuleType, family: str) -> None:
    task = task_of(referee, family, "joint")
    B, b0 = np.zeros((2, 18)), np.arange(6.0).reshape(2, 3) / 10
    B[1, [0, 4, 17]] = 0.3, -0.2, 0.1
    dense = referee.judge(task, np.array([0.1, 0.05]), b0, B)
    thin = referee.judge(task, np.array([0.1, 0.05]), b0, sparse.csr_array(B))
    np.testing.assert_array_equal(thin.gap, dense.gap)
    test = referee.held_out(family, task.X, task.y, b0, sparse.csr_array(B))
    eta = task.X @ B[1].reshape(6, 3) + b0[1]
    assert test[1] == pytest.approx(task.loss.deviance(task.y, eta))


def test_mcp_is_stationary_where_its_threshold_puts_it(referee: ModuleType) -> None:
    rng = np.random.default_rng(8)
    q, _ = np.linalg.qr(np.column_stack([np.ones(40), rng.standard_normal((40, 4))]))
    X = q[:, 1:] * np.sqrt(40.0)  # orthonormal in the mean, orthogonal to the intercept
    z, lam, gamma = np.array([0.2, 0.7, -1.4, 4.0]), 0.5, 3.0
    y = X @ z + 2.0
    firm = np.where(np.abs(z) > gamma * lam, z, np.sign(z) * np.maximum(np.abs(z) - lam, 0.0) / (1.0 - 1.0 / gamma))
    task = referee.Task("gaussian", X, y, penalty="mcp(gamma=3)")
    seen = judged(referee, task, lam, 2.0, firm)
    assert seen.kkt[0] < 1e-12 and np.isnan(seen.gap[0])
    best = np.inf
    for step in np.random.default_rng(9).standard_normal((200, 4)) * 0.1:
        best = min(best, judged(referee, task, lam, 2.0, firm + step).objective[0])
    assert best > seen.objective[0]
    assert judged(referee, task, lam, 2.0, z).kkt[0] > 0.01
    assert referee.lambda_max(task) == pytest.approx(4.0)


def test_mcp_slope_is_that_of_its_value(referee: ModuleType) -> None:
    h = referee.get_penalty("mcp(gamma=3)", 1.0, 1, False)
    for b in (0.1, -0.4, 1.2, 2.0):
        B = np.array([b])
        slope = (h.value(0.5, B + 1e-6) - h.value(0.5, B - 1e-6)) / 2e-6
        assert h.violation(0.5, B, np.array([-slope])) == pytest.approx(0.0, abs=1e-8)
        assert h.violation(0.5, B, np.array([0.3 - slope])) == pytest.approx(0.3)


def test_unknown_penalties_are_refused(referee: ModuleType) -> None:
    for name, ratio, size in (("mcp(gamma=3)", 0.5, 1), ("elastic_net", 1.0, 2), ("scad", 1.0, 1)):
        with pytest.raises(ValueError, match="no penalty"):
            referee.get_penalty(name, ratio, size, False)


@pytest.mark.parametrize(("family", "power"), [("gamma", 2.0), ("tweedie(power=1.5)", 1.5)])
def test_deviance_is_that_of_scikit_learn(referee: ModuleType, family: str, power: float) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    X, y = table(family)
    assert family == "gamma" or np.any(y == 0.0)
    coef = np.array([[0.1, 0.0, 0.0, 0.0, 0.05, 0.0]])
    seen = referee.held_out(family, X, y, np.array([0.2]), coef)
    expected = metrics.mean_tweedie_deviance(y, np.exp(0.2 + X @ coef[0]), power=power)
    assert seen[0] == pytest.approx(expected, rel=1e-9)
