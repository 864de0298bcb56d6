"""Groups with more coefficients than there are rows, where Newton's steps are taken in the space of the rows."""

import numpy as np
import pytest
from scipy import sparse

from bridle.path import fit_path

SHAPES = [("group_lasso", 1.0), ("group_lasso", 0.7), ("sparse_group_lasso(l1_share=0.05)", 1.0)]
KINDS = {
    "F": np.asfortranarray,
    "C": np.ascontiguousarray,
    "csc": sparse.csc_matrix,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
}


@pytest.fixture(autouse=True)
def tables_by_rows_are_read_as_they_are(monkeypatch):
    monkeypatch.setattr("bridle.matrix.COPIED", 0)


def wide(kit, family, seed=2):
    """60 rows, 1200 columns in groups of 10, of which four times as many as rows are in at the end of the path."""
    X, y, groups = kit.data(family, 60, 1200, seed, size=10)
    return X.astype(np.float32).astype(float), y, groups


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "gamma"])
@pytest.mark.parametrize(("spec", "l1_ratio"), SHAPES)
def test_paths_are_certified(kit, family, spec, l1_ratio):
    X, y, groups = wide(kit, "poisson" if family == "gamma" else family)
    y = y + 0.5 if family == "gamma" else y
    factor = np.repeat(np.linspace(0.5, 2.0, 120), 10)
    factor[10:20] = 0.0
    w = np.random.default_rng(0).uniform(0.2, 2.0, 60)
    path = kit.fit(
        X, y, spec, groups, family=family, l1_ratio=l1_ratio, n_lambdas=8, lambda_min_ratio=0.003, tol=1e-8,
        penalty_factor=factor, sample_weight=w,
    )  # fmt: skip
    assert path.converged
    assert path.n_nonzero[-1] > 120  # twice as many as rows
    assert kit.referee(path, X, y, factor=factor, sample_weight=w, every=1) <= 1e-8 * (1.0 + 1e-6)


@pytest.mark.parametrize("tol", [1e-3, 1e-9])
@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_sizes_that_differ(kit, family, tol):
    """Single coefficients beside groups; at a loose tolerance groups come and go between two steps."""
    X, y, _ = wide(kit, family)
    groups = np.repeat(np.arange(200), np.tile([1, 1, 3, 10, 15], 40))
    path = kit.fit(X, y, "group_lasso", groups, family=family, n_lambdas=30, lambda_min_ratio=0.003, tol=tol)
    assert path.converged
    assert path.n_nonzero[-1] > 120  # twice as many as rows
    assert kit.referee(path, X, y, every=1) <= tol * (1.0 + 1e-6)


@pytest.mark.parametrize("spec", ["group_lasso", "sparse_group_lasso(l1_share=0.5)"])
def test_hardly_different_columns_take_few_steps(kit, spec):
    """A step that meets a kink goes on without what it met there: descent would bring it back, thousands of times."""
    X, y, groups = wide(kit, "poisson")
    X = X[:, :500] + 10.0 * X[:, -1:]
    path = kit.fit(X, y, spec, groups[:500], family="poisson", n_lambdas=8, lambda_min_ratio=0.001, max_iter=1000)
    assert path.converged
    assert kit.referee(path, X, y, every=1) <= 1e-6 * (1.0 + 1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_storage_makes_no_difference(kit, kind, fit_intercept):
    X, y, groups = wide(kit, "gaussian")
    X = np.where(np.abs(X) > 0.6, X, 0.0)
    options = {"penalty": "group_lasso", "groups": groups, "n_lambdas": 6, "lambda_min_ratio": 0.005, "tol": 1e-11}
    path = fit_path(KINDS[kind](X), y, fit_intercept=fit_intercept, **options)
    same = fit_path(X, y, fit_intercept=fit_intercept, **options)
    assert path.n_nonzero[-1] > 120  # twice as many as rows
    np.testing.assert_allclose(path.coef, same.coef, atol=1e-4 * np.abs(same.coef).max())


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_rows_may_be_many_for_the_others(kit, family):
    """Each row twenty times, with a twentieth of its weight: more rows than coefficients, and the same fit."""
    X, y, groups = wide(kit, family)
    options = {"family": family, "penalty": "group_lasso", "groups": groups, "tol": 1e-11}
    path = fit_path(X, y, n_lambdas=5, lambda_min_ratio=0.005, **options)
    same = fit_path(np.tile(X, (20, 1)), np.tile(y, 20), lambdas=path.lambdas, **options)
    assert path.n_nonzero[-1] > 120  # twice as many as rows
    np.testing.assert_allclose(path.coef, same.coef, atol=1e-4 * np.abs(same.coef).max())


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_columns_far_from_zero_and_dependent_columns(kit, shift):
    X, y, groups = wide(kit, "gaussian")
    X[:, 20:30] = X[:, 10:20]  # a group twice
    X = X + shift
    path = kit.fit(X, y, "group_lasso", groups, n_lambdas=6, lambda_min_ratio=0.005)
    assert path.converged
    assert kit.referee(path, X, y) <= 1e-6 * (1.0 + 1e-6)
