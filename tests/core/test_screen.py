"""Columns that aren't read change no answer: the core's certificate is the referee's, who reads all of them."""

import numpy as np
import pytest

from bridle.certificates import certify
from bridle.path import fit_path
from bridle.penalties import Penalty

FAMILIES = ["gaussian", "binomial", "poisson"]
P = 700


def certificates(path, X, y, penalty, **problem):
    """(gap, KKT violation) by the referee at each lambda, (L, 2)."""
    found = []
    for i, lam in enumerate(path.lambdas):
        c = certify(
            X, y, path.intercept[i], path.coef_row(i), lam, family=path.family, penalty=penalty,
            fit_intercept=path.fit_intercept, standardize=path.standardize, **problem,
        )  # fmt: skip
        found.append((c.relative_gap, c.kkt))
    return np.array(found)


def same(path, X, y, **problem):
    """Whether both know the same; kkt is compared on the scale of what lambda is."""
    names = {"factor": "penalty_factor", "lower": "lower", "upper": "upper"}
    penalty = Penalty(path.l1_ratio, *(problem.pop(k, d) for k, d in zip(names, (None, -np.inf, np.inf), strict=True)))
    referee = certificates(path, X, y, penalty, **problem)
    assert path.converged
    assert referee[:, 0].max() <= path.tol
    if penalty.factor is not None and (np.asarray(penalty.factor) == 0.0).any():
        return  # the referee refits these exactly; the core allows for what that may move, to first order
    np.testing.assert_allclose(path.relative_gap, referee[:, 0], rtol=1e-3, atol=1e-4 * path.tol)
    np.testing.assert_allclose(path.kkt, referee[:, 1], rtol=1e-3, atol=1e-7 * path.lambda_max)


def wide(kit, family, seed, n=60):
    X, y = kit.make_data(family, n, P, seed=seed)
    X[:, 300] = X[:, 0]  # the same column twice, and its mirror image
    X[:, 301] = -X[:, 1]
    return X, y


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.02])
@pytest.mark.parametrize("kind", ["F", "C", "csc", "float32"])
def test_certificates_of_wide_paths_are_the_referees(kit, family, l1_ratio, kind):
    X, y = wide(kit, family, seed=1)
    X = kit.storage(X, kind)
    path = fit_path(X, y, family=family, l1_ratio=l1_ratio, n_lambdas=25, lambda_min_ratio=0.02, tol=1e-5)
    same(path, X.astype(np.float64), y)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("free", [[], [5, 6]])
def test_weights_offsets_factors_and_bounds_in_bounds_of_slopes(kit, family, fit_intercept, standardize, free):
    X, y = wide(kit, family, seed=2)
    rng = np.random.default_rng(5)
    w = rng.uniform(0.2, 3.0, size=60)
    w[:7] = 0.0
    y[:7] = 1.0
    factor = rng.uniform(0.3, 3.0, size=P)
    factor[free] = 0.0
    factor[10:20] = np.inf
    lower, upper = np.full(P, -np.inf), np.full(P, np.inf)
    lower[::2] = 0.0
    upper[1::4] = 0.02
    problem = {"sample_weight": w, "offset": 0.3 * rng.normal(size=60)}
    path = fit_path(
        X, y, family=family, penalty_factor=factor, lower=lower, upper=upper, n_lambdas=25, lambda_min_ratio=0.03,
        fit_intercept=fit_intercept, standardize=standardize, tol=1e-5, **problem,
    )  # fmt: skip
    same(path, X, y, factor=factor, lower=lower, upper=upper, **problem)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("standardize", [True, False])
def test_huge_scales_and_shifts(kit, scale, standardize):
    X, y = wide(kit, "gaussian", seed=3)
    X, y = X * scale * np.geomspace(1e-3, 1e3, P) ** standardize, y * 1e5
    X[:, ::3] += 1e3 * X[:, ::3].std(axis=0)
    path = fit_path(X, y, standardize=standardize, n_lambdas=25, tol=1e-5)
    same(path, X, y)


def test_jumps_back_to_dense_solutions_and_long_paths(kit):
    """Few lambdas far apart leave old references of little use; hundreds replace them many times over."""
    X, y = wide(kit, "gaussian", seed=4)
    for lambdas in (5, 300):
        same(fit_path(X, y, n_lambdas=lambdas, lambda_min_ratio=1e-3, tol=1e-7), X, y)
