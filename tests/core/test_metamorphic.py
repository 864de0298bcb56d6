"""Relations between problems whose answers must agree."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridle.path import fit_path

FAMILIES = ["gaussian", "binomial", "poisson"]
TIGHT = {"n_lambdas": 8, "lambda_min_ratio": 1e-2, "tol": 1e-11}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_weights_are_replication(kit, family, l1_ratio):
    X, y = kit.make_data(family, 40, 5, seed=1)
    times = np.random.default_rng(3).integers(0, 4, size=40)
    weighted = fit_path(X, y, family=family, l1_ratio=l1_ratio, sample_weight=7.0 * times, **TIGHT)
    repeated = fit_path(np.repeat(X, times, axis=0), np.repeat(y, times), family=family, l1_ratio=l1_ratio, **TIGHT)
    np.testing.assert_allclose(weighted.coef, repeated.coef, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(weighted.lambdas, repeated.lambdas, rtol=1e-10)
    np.testing.assert_allclose(weighted.deviance, repeated.deviance, rtol=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
def test_order_of_rows_and_columns(kit, family):
    X, y = kit.make_data(family, 40, 30, seed=2)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(40), rng.permutation(30)
    path = fit_path(X, y, family=family, **TIGHT)
    other = fit_path(X[rows][:, columns], y[rows], family=family, **TIGHT)
    np.testing.assert_allclose(other.coef, path.coef[:, columns], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_units_of_features_do_not_matter_when_standardised(kit, family, l1_ratio):
    X, y = kit.make_data(family, 60, 6, seed=3)
    unit, shift = np.array([1.0, 1e3, 1e-3, -2.0, 0.5, 10.0]), np.array([0.0, 1e4, 1.0, -5.0, 0.0, 100.0])
    path = fit_path(X, y, family=family, l1_ratio=l1_ratio, **TIGHT)
    other = fit_path(X * unit + shift, y, family=family, l1_ratio=l1_ratio, **TIGHT)
    np.testing.assert_allclose(other.coef * unit, path.coef, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(other.predict(X * unit + shift), path.predict(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", ["binomial", "poisson", "gaussian"])
def test_shifted_offset_shifts_the_intercept(kit, family):
    X, y = kit.make_data(family, 50, 5, seed=4)
    offset = np.random.default_rng(1).normal(size=50)
    path = fit_path(X, y, family=family, offset=offset, **TIGHT)
    other = fit_path(X, y, family=family, offset=offset + 1.5, **TIGHT)
    np.testing.assert_allclose(other.coef, path.coef, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(other.intercept, path.intercept - 1.5, rtol=1e-6, atol=1e-8)


def test_penalty_factor_is_a_change_of_units(kit):
    X, y = kit.make_data("gaussian", 50, 4, seed=5)
    v = np.array([0.5, 1.0, 2.0, 4.0])
    path = fit_path(X, y, penalty_factor=v, standardize=False, **TIGHT)
    other = fit_path(X / v, y, standardize=False, **TIGHT)
    np.testing.assert_allclose(other.coef / v, path.coef, rtol=1e-5, atol=1e-8)


def test_symmetric_classes(kit):
    X, y = kit.make_data("binomial", 60, 5, seed=6)
    path, flipped = (fit_path(X, t, family="binomial", **TIGHT) for t in (y, 1.0 - y))
    np.testing.assert_allclose(flipped.coef, -path.coef, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
def test_ridge_in_the_space_of_rows_equals_ridge_by_columns(kit, family):
    X, y = kit.make_data(family, 30, 120, seed=7)
    factor = np.ones(120)
    factor[:3] = (0.0, 2.0, np.inf)
    options = {"family": family, "l1_ratio": 0.0, "penalty_factor": factor, **TIGHT}
    reduced, plain = fit_path(X, y, **options), fit_path(X, y, mode="columns", **options)
    np.testing.assert_allclose(reduced.coef, plain.coef, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(reduced.intercept, plain.intercept, rtol=1e-4, atol=1e-5)
    assert kit.worst(reduced, X, y, factor=factor) <= 1e-10


def test_threads_of_python_change_no_digit(kit):
    X, y = kit.make_data("binomial", 200, 20, seed=8)
    alone = fit_path(X, y, family="binomial")
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(fit_path(X, y, family="binomial").coef)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for coef in results:
        np.testing.assert_array_equal(coef, alone.coef)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_any_problem_is_certified(kit, seed):
    rng = np.random.default_rng(seed)
    n, p = int(rng.choice([2, 5, 20, 60])), int(rng.choice([1, 2, 8, 40]))
    family = str(rng.choice(FAMILIES))
    X, y = kit.make_data(family, n, p, seed, correlation=float(rng.choice([0.0, 5.0])))
    X = kit.storage(np.round(X, int(rng.integers(0, 3))), str(rng.choice(["F", "C", "csc", "float32"])))
    options = {"l1_ratio": float(rng.choice([0.0, 0.01, 0.5, 1.0])), "fit_intercept": bool(rng.random() < 0.7)}
    problem = {}
    if rng.random() < 0.4:
        problem["sample_weight"] = rng.choice([0.5, 1.0, 3.0], size=n)
    if rng.random() < 0.4:
        problem["offset"] = rng.normal(size=n)
    bounds = (
        {"lower": float(rng.choice([0.0, -0.2])), "upper": float(rng.choice([0.1, np.inf]))} if seed % 3 == 0 else {}
    )
    if not y.any():
        y[0] = 1.0
    path = fit_path(
        X, y, family=family, n_lambdas=12, standardize=bool(rng.random() < 0.7), **options, **problem, **bounds
    )
    assert set(path.status) == {"converged"}
    assert kit.worst(path, X, y, every=3, **problem, **bounds) <= 1.05e-6
    if bounds:
        assert path.coef.min() >= bounds["lower"] - 1e-15
        assert path.coef.max() <= bounds["upper"] + 1e-15
