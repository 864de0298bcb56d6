"""Sparse columns: Gram matrices from rows, conjugate gradients on columns, several residuals at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from bridle import cross_validate, fit_path


def _words(n, p, seed, *, density=0.02):
    """Text-like (n, p): few entries, heavy columns first."""
    rng = np.random.default_rng(seed)
    share = np.clip(density * p / np.arange(1, p + 1) / np.log(p), 0.002, 0.6)
    X = (rng.random((n, p)) < share) * rng.uniform(0.2, 2.0, size=(n, p))
    return sparse.csc_array(X)


def _target(X, family, seed):
    rng = np.random.default_rng(seed)
    eta = X[:, : min(40, X.shape[1])] @ rng.normal(size=min(40, X.shape[1]))
    eta = (eta - eta.mean()) / eta.std()
    if family == "binomial":
        return (rng.random(X.shape[0]) < 1.0 / (1.0 + np.exp(-2.0 * eta))).astype(float)
    if family == "poisson":
        return rng.poisson(np.exp(eta)).astype(float)
    return eta + 0.3 * rng.normal(size=X.shape[0])


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_many_short_columns_are_solved_without_a_gram_matrix(kit, family, l1_ratio):
    X = _words(600, 2500, 1, density=0.004)  # entries < k^2 / 4 once some hundred features are in
    y = _target(X, family, 2)
    path = fit_path(X, y, family=family, l1_ratio=l1_ratio, n_lambdas=25, lambda_min_ratio=0.01, strict=True)
    assert np.count_nonzero(path.coef[-1]) > 250
    assert kit.worst(path, X, y, every=4) <= 1e-6


def test_bounds_hold_coefficients_in_conjugate_steps(kit):
    X = _words(600, 2500, 3, density=0.004)
    y = _target(X, "gaussian", 4)
    path = fit_path(X, y, lower=-0.05, upper=0.08, standardize=False, n_lambdas=20, lambda_min_ratio=0.005, strict=True)
    assert path.coef.min() == -0.05 and path.coef.max() == 0.08
    assert kit.worst(path, X, y, every=4, lower=-0.05, upper=0.08) <= 1e-6


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
@pytest.mark.parametrize("intercept", [True, False])
def test_columns_with_means_far_from_0_beside_short_ones(kit, family, intercept):
    X = _words(300, 40, 5, density=0.3).toarray()
    rng = np.random.default_rng(6)
    X[:, 3] = 1e7 + rng.normal(size=300)  # full, and 1e7 deviations away from 0: raw products would keep 2 digits
    X[:, 17] = 3e6 + rng.normal(size=300)
    y = _target(X - X.mean(0), family, 7)
    path = fit_path(
        sparse.csc_array(X), y, family=family, fit_intercept=intercept, n_lambdas=30, lambda_min_ratio=1e-3, strict=True
    )
    assert kit.worst(path, X, y) <= 1e-6


def test_weights_of_0_leave_their_rows_out_of_the_products():
    X = _words(300, 60, 8, density=0.2)
    y = _target(X, "binomial", 9)
    keep = np.arange(300) % 4 != 0
    whole = fit_path(X, y, family="binomial", sample_weight=keep.astype(float), n_lambdas=15, tol=1e-10)
    part = fit_path(sparse.csc_array(X.tocsr()[keep]), y[keep], family="binomial", lambdas=whole.lambdas, tol=1e-10)
    np.testing.assert_allclose(whole.coef, part.coef, atol=2e-5)


@pytest.mark.parametrize("folds", [3, 6])
def test_folds_read_together_are_the_folds_one_by_one(folds):
    X = _words(240, 900, 10, density=0.01)
    y = _target(X, "gaussian", 11)
    pairs = [(np.flatnonzero(np.arange(240) % folds != k), np.flatnonzero(np.arange(240) % folds == k))
             for k in range(folds)]  # fmt: skip
    together = cross_validate(X, y, folds=pairs, n_lambdas=12, l1_ratio=0.9, tol=1e-12, effective_df=False)
    lambdas = together.curves[0].values
    for k, (train, test) in enumerate(pairs):
        alone = fit_path(X.tocsr()[train], y[train], lambdas=lambdas, l1_ratio=0.9, tol=1e-12)
        error = np.square(y[test] - alone.intercept[:, None] - alone.coef @ X.tocsr()[test].T)
        np.testing.assert_allclose(together.curves[0].test_loss[k], error.mean(1), rtol=1e-5)
