"""gamma chosen in cross-validation together with lambda: fold by fold the same as fitting by hand."""

import numpy as np
import pytest
from scipy import sparse

from bridle.errors import InputError
from bridle.losses import get_family
from bridle.path import fit_path
from bridle.selection import cross_validate, make_folds


@pytest.mark.parametrize(
    ("family", "shape"),
    [("gaussian", (120, 8)), ("gaussian", (40, 90)), ("binomial", (120, 8)), ("poisson", (70, 150)), ("cox", (90, 6))],
)
def test_each_fold_is_relaxed_by_its_own_rows(kit, family, shape):
    """Folds by covariances, in lockstep and one by one."""
    X, y = kit.data(family, *shape, seed=1)
    rng = np.random.default_rng(1)
    weight = rng.uniform(0.5, 2.0, shape[0])
    folds = make_folds(y, family=family, n_splits=4)
    options = {"family": family, "n_lambdas": 7, "lambda_min_ratio": 0.35, "tol": 1e-11}
    gammas = (1.0, 0.4, 0.0)
    found = cross_validate(X, y, folds=folds, sample_weight=weight, relax=(0.0, 0.4, 1.0), **options)
    assert [curve.gamma for curve in found.curves] == list(gammas)
    loss = get_family(family)
    options["lambdas"] = found.curves[0].values
    whole = fit_path(X, y, sample_weight=weight, relax=True, **options)
    for gamma, curve, path in zip(gammas, found.curves, found.paths, strict=True):
        np.testing.assert_allclose(path.coef, whole.blend(gamma).coef, atol=1e-6)
        eta = whole.blend(gamma).linear_predictor(X)
        np.testing.assert_allclose(path.deviance, loss.mean_deviance(loss.target(y, len(y)), eta, weight), rtol=1e-6)
        assert curve.df is None or gamma == 1.0
        for j, (train, test) in enumerate(folds):
            fold = fit_path(X[train], y[train], sample_weight=weight[train], relax=True, **options).blend(gamma)
            both = np.sort(np.concatenate([train, test])) if family == "cox" else test
            held = np.isin(both, test)
            expected = loss.held_out_deviance(
                loss.target(y, len(y))[both], fold.linear_predictor(X[both]), held, weight[both]
            )
            np.testing.assert_allclose(curve.test_loss[j], expected, rtol=1e-5)


@pytest.mark.parametrize("case", ["plain", "bounds", "too many features"])
def test_training_errors_of_blends_with_and_without_their_short_cut(kit, case):
    X, y = kit.data("gaussian", *((20, 40) if case == "too many features" else (80, 8)), seed=7)
    bounds = {"lower": -0.05, "upper": 0.05} if case == "bounds" else {}
    found = cross_validate(X, y, folds=4, relax=[0.0, 0.3, 1.0], n_lambdas=20, tol=1e-11, **bounds)
    for curve, path in zip(found.curves, found.paths, strict=True):
        np.testing.assert_allclose(path.deviance, np.mean((y[:, None] - path.predict(X)) ** 2, axis=0), rtol=1e-6)
        assert np.all(curve.train_loss > 0.0)
    middle = found.curves[1]
    for j, (train, _) in enumerate(found.folds):
        fold = fit_path(X[train], y[train], lambdas=middle.values, relax=True, tol=1e-11, **bounds).blend(0.3)
        expected = np.mean((y[train, None] - fold.predict(X[train])) ** 2, axis=0)
        np.testing.assert_allclose(middle.train_loss[j], expected, rtol=1e-5)


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_storages_and_threads_agree(kit, family):
    X, y = kit.data(family, 80, 10, seed=2)
    X[X < 0.3] = 0.0
    options = {"family": family, "folds": 4, "n_lambdas": 8, "relax": True, "tol": 1e-11, "lambda_min_ratio": 0.05}
    dense = cross_validate(X, y, **options)
    loose = cross_validate(sparse.csc_array(X), y, **options)
    threads = cross_validate(X, y, n_jobs=2, **options)
    for one, two, three in zip(dense.curves, loose.curves, threads.curves, strict=True):
        np.testing.assert_allclose(two.test_loss, one.test_loss, rtol=1e-5)
        np.testing.assert_array_equal(three.test_loss, one.test_loss)


def test_rules_choose_gamma_beside_lambda(kit):
    X, y = kit.data("gaussian", 150, 12, seed=3)
    found = cross_validate(X, y, folds=5, l1_ratio=[0.5, 1.0], relax=True)
    assert [(c.l1_ratio, c.gamma) for c in found.curves[:6]] == [(0.5, g) for g in (1.0, 0.75, 0.5, 0.25, 0.0)] + [
        (1.0, 1.0)
    ]
    least = found.select("min")
    assert least.loss == min(float(c.mean.min()) for c in found.curves)
    assert least.gamma == found.curves[least.curve].gamma == found.paths[least.curve].gamma
    assert f"(l1_ratio {least.l1_ratio:g}, gamma {least.gamma:g})" in least.reason
    simple = found.select("1se")
    assert simple.l1_ratio == least.l1_ratio
    limit = least.loss + least.standard_error
    alike = [c for c in found.curves if c.l1_ratio == least.l1_ratio]
    assert simple.value == max(c.values[np.flatnonzero(c.mean <= limit)[0]] for c in alike)
    there = [c.gamma for c in alike if c.mean[simple.index] <= limit]
    assert simple.gamma == max(there)
    assert found.select("bic").gamma == 1.0  # a refit's degrees of freedom aren't known
    assert found.select("within").gamma in (0.0, 0.25, 0.5, 0.75, 1.0)


def test_refits_win_where_few_features_are_strong():
    """What relaxing is for (Hastie, Tibshirani and Tibshirani 2020): a sparse truth and little noise."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(100, 30))
    y = X[:, :3] @ [2.0, -2.0, 2.0] + rng.normal(size=100)
    found = cross_validate(X, y, folds=5, relax=True)
    chosen = found.select("min")
    assert chosen.gamma < 0.5
    lasso = cross_validate(X, y, folds=5).select("min")
    assert chosen.loss < lasso.loss
    assert np.count_nonzero(found.paths[chosen.curve].coef_row(chosen.index)) <= 6


@pytest.mark.parametrize("relax", [[], [0.5, 1.5], "yes", [np.nan]])
def test_wrong_gammas_are_told(kit, relax):
    X, y = kit.data("gaussian", 30, 4, seed=5)
    with pytest.raises(InputError, match="relax must be True"):
        cross_validate(X, y, folds=3, relax=relax)


def test_criteria_need_the_penalised_fit(kit):
    X, y = kit.data("gaussian", 60, 4, seed=6)
    with pytest.raises(InputError, match="isn't known for relaxed fits"):
        cross_validate(X, y, folds=3, relax=[0.0]).select("bic")
