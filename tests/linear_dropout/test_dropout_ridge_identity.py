"""For a gaussian target marginalised dropout is ridge with factors: the features' second moments."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge

from bridle import fit_dropout_path, fit_path

RATES = np.array([0.95, 0.7, 0.5, 0.2, 0.0])
RATIOS = RATES / (1.0 - RATES)


def closed_form(X, y, ratio, w, offset, *, fit_intercept, standardize):
    """Solve the normal equations of sum_i w_i (y_i - o_i - b0 - x_i'b)^2 + ratio sum_j moment_j b_j^2."""
    w = w / np.sum(w)
    mean = w @ X
    origin = mean if standardize and fit_intercept else 0.0
    moment = w @ (X - origin) ** 2
    Z, r = (X - mean, y - offset - w @ (y - offset)) if fit_intercept else (X, y - offset)
    b = np.linalg.solve(Z.T @ (w[:, None] * Z) + ratio * np.diag(moment), Z.T @ (w * r))
    return (w @ (y - offset) - mean @ b if fit_intercept else 0.0), b


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_equals_the_normal_equations(make_data, fit_intercept, standardize):
    X, y, w, offset = make_data("gaussian")
    options = {"fit_intercept": fit_intercept, "standardize": standardize}
    path = fit_dropout_path(X, y, rates=RATES, sample_weight=w, offset=offset, **options)
    for k, ratio in enumerate(RATIOS):
        b0, b = closed_form(X, y, ratio, w, offset, **options)
        np.testing.assert_allclose(path.coef[k], b, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(path.intercept[k], b0, rtol=1e-9, atol=1e-12)
    assert path.converged and np.all(path.stationarity < 1e-12)


@pytest.mark.parametrize("shape", [(120, 6), (40, 90)])
def test_standardised_it_is_plain_ridge(make_data, shape):
    X, y, *_ = make_data("gaussian", *shape)
    path = fit_dropout_path(X, y, rates=RATES)
    ridge = fit_path(X, y, l1_ratio=0.0, lambdas=RATIOS, tol=1e-14)
    np.testing.assert_allclose(path.coef, ridge.coef, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(path.intercept, ridge.intercept, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("shape", [(120, 6), (40, 90)])
def test_raw_it_is_ridge_with_second_moments_as_factors(make_data, shape):
    X, y, w, offset = make_data("gaussian", *shape)
    moment = (w / w.sum()) @ X**2
    path = fit_dropout_path(X, y, rates=RATES[:4], standardize=False, sample_weight=w, offset=offset)
    ridge = fit_path(
        X,
        y,
        l1_ratio=0.0,
        lambdas=RATIOS[:4],
        penalty_factor=moment,
        standardize=False,
        tol=1e-14,
        sample_weight=w,
        offset=offset,
    )
    np.testing.assert_allclose(path.coef, ridge.coef, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(path.intercept, ridge.intercept, rtol=1e-8, atol=1e-10)


def test_another_package_says_the_same(make_data):
    X, y, *_ = make_data("gaussian")
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    for rate, b in zip(RATES, fit_dropout_path(X, y, rates=RATES).coef, strict=True):
        other = Ridge(alpha=len(y) * rate / (1.0 - rate)).fit(Z, y)
        np.testing.assert_allclose(b * X.std(axis=0), other.coef_, rtol=1e-9, atol=1e-12)


def test_rate_0_with_more_columns_than_rows_is_the_smallest_interpolant(make_data):
    X, y, *_ = make_data("gaussian", 30, 50)
    path = fit_dropout_path(X, y, rates=[0.0])
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(path.coef[0] * X.std(axis=0), np.linalg.pinv(Z) @ (y - y.mean()), atol=1e-9)
    assert path.converged


def test_sparse_columns_far_from_dense(make_data):
    """Mostly zeros, and one full column whose mean is many times its spread."""
    rng = np.random.default_rng(5)
    X = np.where(rng.random((150, 8)) < 0.15, rng.normal(size=(150, 8)) + 2.0, 0.0)
    X[:, 3] = 300.0 + rng.normal(size=150)
    y = X[:, 0] - X[:, 1] + rng.normal(size=150)
    w = rng.uniform(0.5, 2.0, 150)
    for standardize in (True, False):
        options = {"fit_intercept": True, "standardize": standardize}
        path = fit_dropout_path(sparse.csr_array(X), y, rates=RATES, sample_weight=w, **options)
        for k, ratio in enumerate(RATIOS):
            np.testing.assert_allclose(
                path.coef[k], closed_form(X, y, ratio, w, 0.0, **options)[1], rtol=1e-7, atol=1e-9
            )
