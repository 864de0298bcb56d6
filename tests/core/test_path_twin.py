"""Whole fits against the slow twin, in every storage and mode."""

import numpy as np
import pytest

CASES = [
    {},
    {"l1_ratio": 0.5},
    {"l1_ratio": 0.0},
    {"fit_intercept": False},
    {"standardize": False, "l1_ratio": 0.7},
    {"lower": -0.05, "upper": 0.2},
    {"lower": 0.0, "l1_ratio": 0.5},
    {"factor": np.array([0.0, 1.0, 2.0, np.inf, 0.5, 1.0])},
]


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_path_equals_twin(kit, family, case):
    X, y = kit.make_data(family, 40, 6, seed=3)
    rng = np.random.default_rng(5)
    w, offset = rng.integers(0, 4, size=40).astype(float), 0.2 * rng.normal(size=40)
    path = kit.fit_path(X, y, family=family, n_lambdas=6, lambda_min_ratio=1e-2, tol=1e-12, sample_weight=w,
                        offset=offset, penalty_factor=case.get("factor"),
                        **{k: v for k, v in case.items() if k != "factor"})  # fmt: skip
    assert kit.worst(path, X, y, every=1, sample_weight=w, offset=offset,
                     **{k: v for k, v in case.items() if k in ("factor", "lower", "upper")}) <= 2e-12  # fmt: skip
    for i in (1, 5):
        intercept, coef = kit.slow_fit(X, y, path.lambdas[i], family=family, w=w, offset=offset, **case)
        np.testing.assert_allclose(path.coef[i], coef, rtol=2e-5, atol=2e-6)
        np.testing.assert_allclose(path.intercept[i], intercept, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize("shape", [(60, 8), (30, 80)])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_storages_agree(kit, family, shape, l1_ratio):
    X, y = kit.make_data(family, *shape, seed=7)
    X = np.round(X, 1).astype(np.float32).astype(float) * (np.random.default_rng(2).random(shape) < 0.7)
    options = {"family": family, "l1_ratio": l1_ratio, "n_lambdas": 12, "lambda_min_ratio": 1e-2, "tol": 1e-12}
    reference = kit.fit_path(X, y, **options)
    size = np.abs(reference.coef).max()
    for kind in ("F", "C", "csc", "csr", "float32", "strided"):
        other = kit.fit_path(kit.storage(X, kind), y, **options)
        np.testing.assert_allclose(other.coef, reference.coef, rtol=1e-4, atol=1e-5 * size, err_msg=kind)
        assert other.converged


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_modes_agree(kit, l1_ratio):
    X, y = kit.make_data("gaussian", 90, 12, seed=11)
    options = {"l1_ratio": l1_ratio, "n_lambdas": 25, "tol": 1e-11}
    gram, columns = (kit.fit_path(X, y, mode=mode, **options) for mode in ("gram", "columns"))
    np.testing.assert_allclose(gram.coef, columns.coef, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(gram.deviance, columns.deviance, rtol=1e-9)
    np.testing.assert_allclose(gram.intercept, columns.intercept, rtol=1e-8)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_tight_tolerance_on_correlated_features(kit, family, l1_ratio):
    X, y = kit.make_data(family, 120, 30, seed=4, correlation=8.0)
    path = kit.fit_path(X, y, family=family, l1_ratio=l1_ratio, n_lambdas=30, tol=1e-10)
    assert path.converged
    assert path.n_iter.max() < 200  # plain coordinate descent takes tens of thousands
    assert kit.worst(path, X, y) <= 1.1e-10
    assert (path.relative_gap <= 1e-10).all()


def test_deviance_and_gap_are_those_of_the_data(kit):
    X, y = kit.make_data("poisson", 50, 5, seed=8)
    path = kit.fit_path(X, y, family="poisson", n_lambdas=10)
    mu = path.predict(X)
    unit = 2.0 * (np.where(y > 0, y, 1.0)[:, None] * 0 + mu - y[:, None] + np.where(y > 0, y, 0.0)[:, None]
                  * (np.log(np.where(y > 0, y, 1.0))[:, None] - np.log(mu)))  # fmt: skip
    np.testing.assert_allclose(path.deviance, unit.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(path.deviance[0], path.null_deviance, rtol=1e-12)
