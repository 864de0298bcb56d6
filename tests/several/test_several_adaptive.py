"""Adaptive weights with several linear predictors: from the length of a feature's coefficients in a first fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LinearRegression, LogisticRegression

import bridle
from bridle.errors import InputError
from bridle.path import fit_path
from bridle.selection import cross_validate, make_folds

SHORT = {"n_lambdas": 6, "lambda_min_ratio": 0.05}
FAMILIES = ["multinomial", "multigaussian", "ordinal"]
GROUPS = np.arange(6) // 2


def data(family, n=100, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.array([1.0, 3.0, 0.2, 1.0, 1.0, 1.0])
    B = np.zeros((p, 3))
    B[0], B[1] = [1.5, -1.0, -0.5], [0.0, 0.5, -0.5]
    if family == "multigaussian":
        return X, X @ B + rng.normal(size=(n, 3))
    if family == "multinomial":
        return X, np.argmax(X @ B + rng.gumbel(size=(n, 3)), axis=1)
    return X, np.digitize(X[:, 0] * 2.0 + X[:, 1] + rng.logistic(size=n), [-1.0, 1.0])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("initial", ["ridge", "ols", "lasso"])
@pytest.mark.parametrize("name", ["adaptive_lasso", "adaptive_group_lasso"])
def test_every_fit_is_certified_and_is_that_of_the_weights_it_says(kit, family, initial, name):
    X, y = data(family)
    v = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0])
    grouped = {"groups": GROUPS} if "group" in name else {}
    spec = f"{name}(gamma=1.5, initial={initial!r})"
    path = fit_path(X, y, family=family, penalty=spec, penalty_factor=v, tol=1e-9, l1_ratio=0.9, **grouped, **SHORT)
    assert path.converged and path.penalty.startswith(name)
    assert np.all(path.factor[:2] == 0.0) and np.all(path.factor[2:] > 0.0)
    target = np.eye(3)[y] if family != "multigaussian" else y
    assert kit.worst(path, X, target, factor=path.factor) < 1e-8
    plain = fit_path(
        X, y, family=family, penalty="group_lasso" if grouped else "elastic_net", penalty_factor=path.factor, tol=1e-9,
        l1_ratio=0.9, lambdas=path.lambdas, **grouped,
    )  # fmt: skip
    np.testing.assert_allclose(path.coef, plain.coef, atol=1e-6)
    if grouped:
        assert path.factor[2] == path.factor[3] and path.factor[4] == path.factor[5]


@pytest.mark.parametrize("family", ["multinomial", "multigaussian"])
def test_weights_are_those_of_scikit_learns_fit_without_penalty(family):
    X, y = data(family, 150)
    path = fit_path(X, y, family=family, penalty="adaptive_lasso(gamma=2, initial='ols')", **SHORT)
    first = (
        LogisticRegression(C=np.inf, tol=1e-9, max_iter=10_000) if family == "multinomial" else LinearRegression()
    ).fit(X, y)
    b = first.coef_ - first.coef_.mean(axis=0) if family == "multinomial" else first.coef_  # (K, p)
    size = np.linalg.norm(b, axis=0) * X.std(axis=0)
    np.testing.assert_allclose(path.factor, size**-2.0, rtol=1e-4)


def test_ridge_weights_are_found_by_the_folds_smallest_deviance():
    """The first fit is one of the ridge path; its weights are those of one lambda of that path."""
    X, y = data("multinomial")
    path = fit_path(X, y, family="multinomial", penalty="adaptive_lasso", **SHORT)
    ridge = fit_path(X, y, family="multinomial", l1_ratio=0.0, n_lambdas=50, tol=1e-9)
    sizes = np.linalg.norm(ridge.coef, axis=2) * ridge.scale  # (50, p); ridge sums to 0 over classes
    off = np.abs(1.0 / sizes / path.factor - 1.0).max(axis=1)
    assert off.min() < 1e-4
    cv = cross_validate(X, y, family="multinomial", l1_ratio=0.0, lambdas=ridge.lambdas, folds=5)
    chosen = cv.select("min")
    mean = cv.curves[0].mean
    assert mean[np.argmin(off)] < mean[chosen.index] * 1.02  # other folds, nearly the same loss


def test_two_classes_are_the_binomial_model_and_one_response_the_gaussian():
    X, y = data("multinomial")
    two = (y > 0).astype(int)
    spec = "adaptive_lasso(gamma=1.5, initial='ols')"
    one = fit_path(X, two, family="binomial", penalty=spec, tol=1e-10, **SHORT)
    both = fit_path(X, two, family="multinomial", penalty=spec, tol=1e-10, lambdas=one.lambdas / 2.0**0.75)
    np.testing.assert_allclose(both.factor, one.factor * 2.0**0.75, rtol=1e-4)  # b and -b, each half of it
    np.testing.assert_allclose(both.coef[:, :, 1] - both.coef[:, :, 0], one.coef, atol=1e-4)
    X, Y = data("multigaussian")
    for name in ("adaptive_lasso", "adaptive_lasso(gamma=2, initial='lasso')"):
        single = fit_path(X, Y[:, 0], penalty=name, tol=1e-10, **SHORT)
        wide = fit_path(X, Y[:, :1], family="multigaussian", penalty=name, tol=1e-10, **SHORT)
        np.testing.assert_allclose(wide.factor, single.factor, rtol=1e-3)
        np.testing.assert_allclose(wide.coef[:, :, 0], single.coef, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_folds_find_their_own_weights(family):
    X, y = data(family)
    target = y
    folds = make_folds(y, family=family, n_splits=3, seed=1)
    options = {"family": family, "penalty": "adaptive_lasso(gamma=1)", "tol": 1e-9}
    found = cross_validate(X, target, folds=folds, n_lambdas=5, **options)
    train, test = folds.pairs[0]
    alone = fit_path(X[train], y[train], lambdas=found.curves[0].values, **options)
    whole = fit_path(X, y, lambdas=found.curves[0].values, **options)
    assert np.abs(alone.factor / whole.factor - 1.0).max() > 0.02
    fam = bridle.losses.get_family(found.paths[0].family)
    loss = fam.mean_deviance(fam.target(y, len(y))[test], alone.linear_predictor(X[test]))
    np.testing.assert_allclose(found.curves[0].test_loss[0], loss, rtol=1e-5)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 5), family=st.sampled_from(FAMILIES), initial=st.sampled_from(["ridge", "lasso", "ols"]),
)  # fmt: skip
def test_weights_replicate_storages_agree_and_columns_permute(seed, family, initial):
    X, y = data(family, 80, seed=seed)
    rng = np.random.default_rng(seed)
    count = rng.integers(1, 3, 80)
    options = {"family": family, "penalty": f"adaptive_lasso(gamma=1, initial={initial!r})", "tol": 1e-11}
    weighted = fit_path(X, y, sample_weight=count, lambdas=[0.3, 0.1], **options)
    rows, columns = np.repeat(np.arange(80), count), rng.permutation(6)
    again = fit_path(sparse.csc_array(X[rows][:, columns]), y[rows], lambdas=[0.3, 0.1], **options)
    np.testing.assert_allclose(again.factor, weighted.factor[columns], rtol=1e-4)
    np.testing.assert_allclose(again.coef, weighted.coef[:, columns], atol=1e-5)
    scaled = fit_path(X * 7.0, y, sample_weight=count, lambdas=[0.3, 0.1], **options)
    np.testing.assert_allclose(scaled.factor, weighted.factor, rtol=1e-4)


def test_what_isnt_possible_is_told():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 60))
    y = rng.integers(0, 3, 30)
    for family in ("multinomial", "ordinal"):
        with pytest.raises(InputError, match="separate the target"):
            fit_path(X, y, family=family, penalty="adaptive_lasso(initial='ols')")
    with pytest.raises(InputError, match="needs groups"):
        fit_path(X, y, family="ordinal", penalty="adaptive_group_lasso")
    with pytest.raises(InputError, match=r"too few rows.*n_samples = 3"):
        fit_path(X[:3, :2], np.arange(3), family="multinomial", penalty="adaptive_lasso")
    path = fit_path(X, y, family="multinomial", penalty="adaptive_lasso", **SHORT)  # more features than rows
    assert path.converged
