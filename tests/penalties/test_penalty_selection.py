"""Cross-validation and degrees of freedom with group penalties, MCP and SCAD."""

import numpy as np
import pytest

from bridle.losses import get_family
from bridle.penalties import read_penalty
from bridle.selection import cross_validate, make_folds
from bridle.survival import survival_target


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize("spec", ["group_lasso", "sparse_group_lasso(l1_share=0.5)", "mcp", "group_scad"])
def test_a_curve_is_the_folds_fitted_by_hand(kit, family, spec):
    X, y, groups = kit.data(family, 90, 12, seed=1)
    weight = np.random.default_rng(2).uniform(0.5, 2.0, 90)
    offset = np.linspace(-0.1, 0.1, 90)
    labels = groups if read_penalty(spec).grouped else None
    folds = make_folds(y, family=family, n_splits=3, seed=0)
    options = {"family": family, "tol": 1e-9}
    found = cross_validate(
        X, y, folds=folds, penalty=spec, groups=labels, n_lambdas=8, lambda_min_ratio=0.2, sample_weight=weight,
        offset=offset, l1_ratio=0.9, **options,
    )  # fmt: skip
    curve, fam = found.curves[0], get_family(family)
    assert curve.model == read_penalty(spec).words
    for j, (train, test) in enumerate(folds):
        path = kit.fit(
            X[train], y[train], spec, groups, lambdas=curve.values, sample_weight=weight[train], offset=offset[train],
            l1_ratio=0.9, **options,
        )  # fmt: skip
        eta = path.linear_predictor(X[test], offset[test])
        np.testing.assert_allclose(curve.test_loss[j], fam.mean_deviance(y[test], eta, weight[test]), rtol=1e-5)
    assert found.select("1se").index <= found.select("min").index
    assert found.select("bic").value in curve.values


@pytest.mark.parametrize("spec", ["group_lasso", "sparse_group_lasso(l1_share=0.5)"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
def test_degrees_of_freedom_are_the_divergence_of_the_fit(kit, spec, l1_ratio):
    X, y, groups = kit.data("gaussian", 40, 9, seed=3)
    lambdas, n = np.array([0.3, 0.1, 0.02]), 40
    found = cross_validate(
        X, y, folds=2, penalty=spec, groups=groups, l1_ratio=l1_ratio, lambdas=lambdas, effective_df=True
    )

    def fitted(target):
        path = kit.fit(X, target, spec, groups, l1_ratio=l1_ratio, lambdas=lambdas, tol=1e-13)
        return path.linear_predictor(X)

    step, divergence = 1e-5, np.zeros(3)
    for i in range(n):
        shift = np.zeros(n)
        shift[i] = step
        divergence += (fitted(y + shift) - fitted(y - shift))[i] / (2.0 * step)
    np.testing.assert_allclose(found.curves[0].df, divergence - 1.0, atol=2e-3)  # the intercept is one more


def test_degrees_of_freedom_of_concave_penalties_count_coefficients(kit):
    X, y, _ = kit.data("gaussian", 60, 12, seed=4)
    found = cross_validate(X, y, folds=3, penalty="mcp", n_lambdas=10, lambda_min_ratio=0.05, effective_df=True)
    np.testing.assert_array_equal(found.curves[0].df, found.paths[0].n_nonzero)


def test_degrees_of_freedom_of_cox_models_with_groups(kit):
    X, _, groups = kit.data("gaussian", 80, 9, seed=7)
    rng = np.random.default_rng(7)
    y = survival_target(np.ceil(5.0 * rng.exponential(size=80) * np.exp(-0.5 * X[:, 0])), rng.random(80) < 0.7)
    options = {"family": "cox", "folds": 3, "l1_ratio": 0.7, "n_lambdas": 6, "tol": 1e-10, "effective_df": True}
    single = cross_validate(X, y, penalty="group_lasso", groups=np.arange(9), **options)
    plain = cross_validate(X, y, **options)
    np.testing.assert_allclose(single.curves[0].df, plain.curves[0].df, atol=1e-5)
    whole = cross_validate(X, y, penalty="group_lasso", groups=groups, **options)
    assert np.all(whole.curves[0].df <= whole.paths[0].n_nonzero)
    assert np.all(np.diff(whole.curves[0].df) > 0.0)


def test_the_number_of_threads_does_not_matter(kit):
    X, y, groups = kit.data("poisson", 80, 12, seed=5)
    options = {"folds": 4, "family": "poisson", "penalty": "group_lasso", "groups": groups, "n_lambdas": 6}
    one, two = cross_validate(X, y, n_jobs=1, **options), cross_validate(X, y, n_jobs=2, **options)
    np.testing.assert_array_equal(one.curves[0].test_loss, two.curves[0].test_loss)


def test_ridge_is_ridge_under_any_name(kit):
    X, y, groups = kit.data("gaussian", 60, 9, seed=6)
    options = {"folds": 3, "l1_ratio": 0.0, "n_lambdas": 5, "tol": 1e-10}
    ridge = cross_validate(X, y, **options)
    same = cross_validate(X, y, penalty="group_lasso", groups=groups, **options)
    assert same.curves[0].model == "ridge"
    np.testing.assert_allclose(same.curves[0].test_loss, ridge.curves[0].test_loss, rtol=1e-6)
    np.testing.assert_allclose(same.curves[0].df, ridge.curves[0].df, rtol=1e-6)
