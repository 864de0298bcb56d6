"""Gradients against differences, stationarity apart from the solver, and other optimisers that do no better."""

import numpy as np
import pytest
from scipy import optimize, sparse

from bridle import fit_dropout_path, fit_path
from bridle.linear_dropout import newton
from bridle.linear_dropout.columns import Columns
from bridle.linear_dropout.marginal import Objective
from bridle.losses import get_family

RATES = [0.9, 0.5, 0.1]


def slope(function, b0, b, sizes):
    """Gradient of an objective by central differences, (p + 1,), in units of the features' deviations."""
    theta, steps = np.concatenate([[b0], b]), np.concatenate([[1.0], 1.0 / sizes])
    h, result = 1e-5, np.empty(len(theta))
    for j, step in enumerate(steps):
        move = np.zeros(len(theta))
        move[j] = h * step
        up, down = theta + move, theta - move
        result[j] = (function(up[0], up[1:]) - function(down[0], down[1:])) / (2.0 * h)
    return result


@pytest.mark.parametrize("options", [{}, {"standardize": False}, {"fit_intercept": False}], ids=str)
def test_every_rate_is_stationary_by_differences(problem, options, make_data, referee):
    family, marginal = problem
    X, y, w, offset = make_data(family)
    path = fit_dropout_path(
        X, y, family=family, marginal=marginal, rates=RATES, sample_weight=w, offset=offset, **options
    )
    assert path.converged and np.all(path.stationarity <= 1e-8)
    sizes = X.std(axis=0) if path.fit_intercept else np.sqrt(np.mean(X**2, axis=0))
    free = slice(None) if path.fit_intercept else slice(1, None)
    for k, rate in enumerate(RATES):
        function = referee(X, y, rate, family, marginal, w, offset, **options)
        null = get_family(family).null_predictor(y, w, offset) if path.fit_intercept else 0.0
        start = slope(function, null, np.zeros(X.shape[1]), sizes)[free]
        here = slope(function, path.intercept[k], path.coef[k], sizes)[free]
        assert np.max(np.abs(here)) < 1e-6 * np.max(np.abs(start))  # what differences can see
        assert path.objective[k] == pytest.approx(function(path.intercept[k], path.coef[k]), rel=1e-9)


def test_stationarity_is_what_it_says(make_data):
    """The formula of the gradient, written out anew for the logistic loss."""
    X, y, *_ = make_data("binomial")
    path = fit_dropout_path(X, y, family="binomial", rates=[0.6], tol=1e-4)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    beta, ratio = path.coef[0] * X.std(axis=0), 1.5
    mu = 1.0 / (1.0 + np.exp(-(path.intercept[0] + X @ path.coef[0])))
    a, q = mu * (1.0 - mu), Z**2 @ beta**2
    u = (mu - y + 0.5 * ratio * a * (1.0 - 2.0 * mu) * q) / len(y)
    gradient = np.concatenate([[u.sum()], Z.T @ u + ratio * beta * (Z.T**2 @ a) / len(y)])
    null = Z.T @ (y.mean() - y) / len(y)
    assert path.stationarity[0] == pytest.approx(np.max(np.abs(gradient)) / np.max(np.abs(null)), rel=1e-4)
    assert 1e-14 < path.stationarity[0] <= 1e-4


@pytest.mark.parametrize("rate", [0.8, 0.3])
def test_another_optimiser_finds_nothing_lower(problem, rate, make_data, referee):
    family, marginal = problem
    X, y, w, offset = make_data(family, p=4)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    path = fit_dropout_path(X, y, family=family, marginal=marginal, rates=[rate], sample_weight=w, offset=offset)
    function = referee(X, y, rate, family, marginal, w, offset)
    rng = np.random.default_rng(0)
    with np.errstate(over="ignore"):  # its line search tries long steps
        found = [
            optimize.minimize(lambda v: function(v[0], v[1:]), start, method="BFGS", options={"gtol": 1e-7})
            for start in (np.zeros(5), 0.5 * rng.normal(size=5), 0.2 * rng.normal(size=5))
        ]
    best = min(found, key=lambda result: result.fun)
    assert path.objective[0] <= best.fun + 1e-11
    np.testing.assert_allclose(np.append(path.intercept[0], path.coef[0]), best.x, atol=2e-5)


def pieces(problem, n=40, p=5, origin=0.7, matrix=np.asarray):
    """An objective and a point far from its minimum."""
    family, marginal = problem
    rng = np.random.default_rng(12)
    X = np.where(rng.random((n, p)) < 0.6, rng.normal(size=(n, p)) + 1.0, 0.0)
    w = rng.uniform(0.5, 1.5, n)
    w /= w.sum()
    y = (rng.random(n) < 0.5).astype(float)
    columns = Columns(matrix(X), w @ X, np.full(p, origin), np.linspace(0.5, 2.0, p))
    offset = 0.1 * rng.normal(size=n)
    return Objective(columns, get_family(family), y, w, offset, True, marginal, 1.7), 0.6 * rng.normal(size=p + 1)


@pytest.mark.parametrize("matrix", [np.asarray, np.asfortranarray, sparse.csc_array])
def test_gradient_and_curvature_against_differences(problem, matrix):
    objective, theta = pieces(problem, matrix=matrix)
    point, h = objective.at(theta), 1e-5
    for direction in np.random.default_rng(1).normal(size=(4, len(theta))):
        up, down = objective.at(theta + h * direction), objective.at(theta - h * direction)
        assert point.gradient @ direction == pytest.approx((up.value - down.value) / (2.0 * h), rel=1e-7, abs=1e-9)
        curve = objective.curve(point, direction)
        np.testing.assert_allclose(curve, (up.gradient - down.gradient) / (2.0 * h), rtol=1e-6, atol=1e-8)


def test_normal_noise_makes_the_objective_convex():
    """Where no descent would go, all eigenvalues of its Hessian are above 0, and the expansion has one below."""
    lowest = {}
    for marginal in ("normal", "quadratic"):
        objective, theta = pieces(("binomial", marginal))
        point = objective.at(4.0 * theta)
        H = np.column_stack([objective.curve(point, e) for e in np.eye(len(theta))])
        np.testing.assert_allclose(H, H.T, atol=1e-12)
        lowest[marginal] = np.linalg.eigvalsh(H)[0]
    assert lowest["normal"] > 1e-4 and lowest["quadratic"] < -1e-4


@pytest.mark.parametrize("matrix", [np.asarray, sparse.csc_array])
@pytest.mark.parametrize("shape", [(40, 5), (9, 12)])
def test_columns_are_what_they_stand_for(matrix, shape, monkeypatch):
    monkeypatch.setattr("bridle.linear_dropout.columns._BLOCK", 30)  # several blocks
    rng = np.random.default_rng(3)
    X = np.where(rng.random(shape) < 0.5, rng.normal(size=shape), 0.0)
    c, o, s = rng.normal(size=(3, shape[1]))
    s = np.abs(s)
    s[2] = 0.0  # not used
    columns = Columns(matrix(X), c, o, s)
    inverse = np.divide(1.0, s, out=np.zeros_like(s), where=s > 0.0)
    Z, S = (X - c) * inverse, ((X - o) * inverse) ** 2
    beta, gamma = rng.normal(size=(2, shape[1]))
    u, v = rng.normal(size=(2, shape[0]))
    for got, expected in zip(columns.forward(beta, gamma), (Z @ beta, S @ gamma), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-12)
    for got, expected in zip(columns.backward(u, v), (Z.T @ u, S.T @ v), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-12)
    full = np.column_stack([np.ones(shape[0]), Z])
    np.testing.assert_allclose(columns.gram(u**2), full.T @ (u[:, None] ** 2 * full), atol=1e-12)
    np.testing.assert_allclose(columns.kernel(gamma**2), Z @ (gamma[:, None] ** 2 * Z.T), atol=1e-12)
    U = np.vstack([Z, S * beta])
    np.testing.assert_allclose(columns.kernel(gamma**2, beta), U @ (gamma[:, None] ** 2 * U.T), atol=1e-11)


def test_preconditioners_are_what_they_stand_for(monkeypatch):
    """By columns the curvature of the rows and of the penalty, by rows the Hessian itself, else the diagonal."""
    for shape in [(60, 8), (20, 50)]:
        objective, theta = pieces(("binomial", "normal"), *shape)
        point = objective.at(theta)
        if shape[0] > shape[1]:
            exact = objective.columns.gram(objective.w * point.terms.eta_eta)
            exact[1:, 1:] += np.diag(point.diagonal)
        else:
            exact = np.column_stack([objective.curve(point, e) for e in np.eye(len(theta))])
        inverse = newton.preconditioner(objective, point)
        applied = np.column_stack([inverse(e) for e in np.eye(len(theta))])
        np.testing.assert_allclose(applied, applied.T, atol=1e-9 * np.abs(applied).max())
        np.testing.assert_allclose((applied @ exact)[1:, 1:], np.eye(shape[1]), atol=5e-3)
    monkeypatch.setattr(newton, "_FACTOR", 0)
    objective, theta = pieces(("binomial", "normal"))
    point = objective.at(theta)
    plain = np.diag(objective.columns.gram(objective.w * point.terms.eta_eta))[1:] + point.diagonal
    np.testing.assert_allclose(1.0 / newton.preconditioner(objective, point)(np.ones(6))[1:], plain, rtol=0.8)


def test_the_answer_does_not_depend_on_the_preconditioner(problem, make_data, monkeypatch):
    family, marginal = problem
    X, y, *_ = make_data(family, 50, 70)
    if family == "binomial":
        marginal = "normal"
    options = {"family": family, "marginal": marginal, "rates": RATES, "tol": 1e-10}
    path = fit_dropout_path(X, y, **options)
    monkeypatch.setattr(newton, "_FACTOR", 0)
    other = fit_dropout_path(X, y, **options)
    assert path.converged and other.converged
    np.testing.assert_allclose(path.coef, other.coef, rtol=1e-5, atol=1e-7)


def test_a_single_rate_is_the_path_at_that_rate(problem, make_data):
    """Warm starts change the time, not the answer."""
    family, marginal = problem
    X, y, w, offset = make_data(family)
    options = {"family": family, "marginal": marginal, "sample_weight": w, "offset": offset, "tol": 1e-10}
    path = fit_dropout_path(X, y, **options)
    for rate in (0.9, 0.4, 0.1):
        alone = fit_dropout_path(X, y, rates=[rate], **options)
        np.testing.assert_allclose(alone.coef[0], path.coef[path.at(rate)], rtol=1e-6, atol=1e-9)


def test_rate_0_is_the_unpenalised_fit(problem, make_data):
    family, marginal = problem
    X, y, w, offset = make_data(family)
    path = fit_dropout_path(X, y, family=family, marginal=marginal, rates=[0.5, 0.0], sample_weight=w, offset=offset)
    plain = fit_path(X, y, family=family, lambdas=[0.0], sample_weight=w, offset=offset, tol=1e-14)
    np.testing.assert_allclose(path.coef[1], plain.coef[0], rtol=1e-6, atol=1e-9)
    assert path.converged and path.deviance[1] == pytest.approx(plain.deviance[0], rel=1e-10)


def test_small_rates_lead_to_the_unpenalised_fit(problem, make_data):
    family, marginal = problem
    X, y, *_ = make_data(family)
    path = fit_dropout_path(X, y, family=family, marginal=marginal, rates=[1e-3, 1e-5, 0.0])
    distance = np.linalg.norm((path.coef - path.coef[2]) * X.std(axis=0), axis=1)
    assert 80.0 < distance[0] / distance[1] < 120.0  # proportional to the rate


def test_shrinks_monotonically_to_the_null_model(problem, make_data):
    family, marginal = problem
    X, y, *_ = make_data(family)
    path = fit_dropout_path(X, y, family=family, marginal=marginal, rates=[1.0 - 1e-6, 0.99, 0.9, 0.5, 0.1, 0.0])
    assert np.all(np.diff(path.deviance) <= 0.0)
    assert np.max(np.abs(path.coef[0] * X.std(axis=0))) < 1e-4
    assert path.deviance[0] == pytest.approx(path.null_deviance, rel=1e-4)
