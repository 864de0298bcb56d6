"""Relaxed fits: certified without penalty on the active set for every family, and what doesn't change them."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LinearRegression

from bridle.errors import BridleWarning, ConvergenceError, InputError
from bridle.path import fit_path
from bridle.survival import survival_target

FAMILIES = [
    "gaussian", "binomial", "poisson", "gamma", "tweedie(power=1.5)", "negative_binomial(theta=2)", "huber(delta=1)",
    "quantile(tau=0.6, bandwidth=0.3)", "squared_hinge", "cox",
]  # fmt: skip
SHORT = {"n_lambdas": 8, "lambda_min_ratio": 0.03, "relax": True}


@pytest.mark.parametrize("family", FAMILIES)
def test_refits_of_every_family_are_certified(kit, family):
    X, y = kit.data(family, 90, 9, seed=1)
    rng = np.random.default_rng(1)
    given = {"sample_weight": rng.uniform(0.2, 2.0, 90), "offset": 0.2 * rng.normal(size=90)}
    factor = np.array([0.0, np.inf, *np.linspace(0.5, 2.0, 7)])
    for l1_ratio in (1.0, 0.6):
        path = fit_path(X, y, family=family, l1_ratio=l1_ratio, penalty_factor=factor, tol=1e-9, **given, **SHORT)
        assert path.converged
        assert path.relaxed.converged
        assert path.relaxed.relative_gap.max() <= 1e-9
        assert kit.referee(path, X, y, factor=factor, **given) <= 1e-9 * (1.0 + 1e-6)
        assert np.all(path.relaxed.deviance <= path.deviance * (1.0 + 1e-9))
        assert path.relaxed.coef[:, 0].all()  # never penalised: in every refit
        assert len(np.unique(path.n_nonzero)) > 3


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "cox"])
def test_bounds_hold_for_refits_too(kit, family):
    X, y = kit.data(family, 90, 8, seed=2)
    bounds = {"lower": -0.1, "upper": 0.15}
    path = fit_path(X, y, family=family, tol=1e-9, **bounds, **SHORT)
    assert path.relaxed.coef.max() == pytest.approx(0.15)
    assert path.relaxed.coef.min() >= -0.1
    assert path.relaxed.converged
    assert kit.referee(path, X, y, **bounds) <= 1e-9 * (1.0 + 1e-6)


@pytest.mark.parametrize(
    "spec", ["group_lasso", "sparse_group_lasso(l1_share=0.5)", "mcp", "group_scad", "elastic_net"]
)
@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_every_penalty_can_be_relaxed(kit, family, spec):
    X, y = kit.data(family, 150, 12, seed=3)
    groups = np.arange(12) // 3 if "group" in spec else None
    path = fit_path(
        X, y, family=family, penalty=spec, groups=groups, n_lambdas=6, lambda_min_ratio=0.2, tol=1e-8, relax=True
    )
    assert path.relaxed.converged
    assert path.relaxed.certificate == "duality gap"
    assert kit.referee(path, X, y) <= 1e-8 * (1.0 + 1e-6)
    if spec in ("group_lasso", "group_scad"):
        on = path.relaxed.coef.reshape(6, 4, 3) != 0.0
        assert np.array_equal(on.any(axis=2), on.all(axis=2))  # whole groups


@pytest.mark.parametrize("family", ["multinomial", "ordinal", "multigaussian"])
def test_several_predictors_are_refitted_on_the_features_of_any(family):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(150, 6)) * np.linspace(0.5, 2.0, 6)
    score = X[:, :2] @ rng.normal(size=(2, 3))
    if family == "multigaussian":
        y = score + rng.normal(size=(150, 3))
    elif family == "multinomial":
        y = np.argmax(score + rng.gumbel(size=(150, 3)), axis=1)
    else:
        y = np.digitize(score[:, 0] + rng.logistic(size=150), [-0.7, 0.7])
    path = fit_path(X, y, family=family, n_lambdas=6, lambda_min_ratio=0.05, tol=1e-11, relax=True)
    assert path.relaxed.converged
    assert path.relaxed.responses == path.responses
    active = path.coef != 0.0 if family == "ordinal" else (path.coef != 0.0).any(axis=2)
    for k in range(1, 6):
        on = np.flatnonzero(active[k])
        alone = fit_path(X[:, on], y, family=family, lambdas=[0.0], tol=1e-11)
        np.testing.assert_allclose(
            path.relaxed.predict(X, lam=float(path.lambdas[k])), alone.predict(X[:, on])[..., 0], atol=1e-5
        )


def test_least_squares_of_the_active_features(kit):
    for n, p in ((80, 10), (60, 90)):
        X, y = kit.data("gaussian", n, p, seed=5)
        path = fit_path(X, y, n_lambdas=12, lambda_min_ratio=0.1, tol=1e-12, relax=True)
        for k in range(1, 12):
            on = np.flatnonzero(path.coef[k])
            theirs = LinearRegression().fit(X[:, on], y)
            np.testing.assert_allclose(path.relaxed.coef[k][on], theirs.coef_, atol=1e-7)
            assert path.relaxed.intercept[k] == pytest.approx(theirs.intercept_, abs=1e-7)


def test_lambdas_with_the_same_active_set_share_one_refit(kit):
    X, y = kit.data("poisson", 80, 6, seed=6)
    path = fit_path(X, y, family="poisson", n_lambdas=60, relax=True)
    sets = [tuple(np.flatnonzero(b)) for b in path.coef]
    for one in set(sets):
        rows = path.relaxed.coef[[k for k, other in enumerate(sets) if other == one]]
        np.testing.assert_array_equal(rows, np.tile(rows[0], (len(rows), 1)))
    assert len(set(sets)) < 60


def test_without_penalty_there_is_nothing_to_relax(kit):
    X, y = kit.data("binomial", 120, 6, seed=7)
    path = fit_path(X, y, family="binomial", lambdas=[10.0, 0.02, 0.0], tol=1e-10, relax=True)
    np.testing.assert_array_equal(path.relaxed.coef[[0, 2]], path.coef[[0, 2]])
    ridge = fit_path(X, y, family="binomial", l1_ratio=0.0, lambdas=[1.0, 0.1], tol=1e-10, relax=True)
    np.testing.assert_allclose(ridge.relaxed.coef, np.tile(path.coef[2], (2, 1)), atol=1e-5)


def test_a_refit_that_separates_is_not_made():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(60, 5))
    y = (X[:, 0] + 0.5 * X[:, 1] > 0.0).astype(float)
    path = fit_path(X, y, family="binomial", n_lambdas=20, relax=True)
    assert 5.0 < np.abs(path.relaxed.coef).max() < 200.0  # of the last set that does not separate
    assert any("separate the target" in note for note in path.relaxed.notes)
    assert path.relaxed.converged
    np.testing.assert_array_equal(path.relaxed.coef[-1], path.relaxed.coef[-2])
    assert path.relaxed.n_nonzero[-1] < path.n_nonzero[-1]
    time = np.sort(rng.random(30))
    X = np.column_stack([-time, rng.normal(size=30)])
    late = fit_path(X, survival_target(time, np.ones(30, bool)), family="cox", n_lambdas=10, relax=True)
    assert any("separate the target" in note for note in late.relaxed.notes)
    assert np.isfinite(late.relaxed.coef).all()


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "cox"])
def test_storages_agree(kit, family):
    X, y = kit.data(family, 80, 10, seed=9)
    X[X < 0.3] = 0.0
    dense = fit_path(X, y, family=family, tol=1e-12, **SHORT)
    for other in (np.asfortranarray(X), sparse.csc_array(X), sparse.csr_array(X)):
        path = fit_path(other, y, family=family, tol=1e-12, **SHORT)
        np.testing.assert_allclose(path.relaxed.coef, dense.relaxed.coef, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    family=st.sampled_from(["gaussian", "binomial", "poisson", "cox(ties='breslow')"]),
    seed=st.integers(0, 10_000),
    standardize=st.booleans(),
    l1_ratio=st.sampled_from([1.0, 0.5]),
)
def test_weights_are_replication_and_order_and_units_do_not_matter(kit, family, seed, standardize, l1_ratio):
    X, y = kit.data(family, 60, 6, seed=seed)
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 3, 60)
    weights[:2] = 1
    options = {"family": family, "standardize": standardize, "l1_ratio": l1_ratio, "tol": 1e-12, "relax": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BridleWarning)  # a likelihood that is all but flat may stall at 1e-12
        top = fit_path(X, y, sample_weight=weights, n_lambdas=1, **options).lambda_max
        lambdas = np.array([0.7, 0.4, 0.15]) * top
        path = fit_path(X, y, sample_weight=weights, lambdas=lambdas, **options)
        many = np.repeat(np.arange(60), weights)
        again = fit_path(X[many], y[many], lambdas=lambdas, **options)
        order = rng.permutation(6)
        moved = fit_path(X[:, order], y, sample_weight=weights, lambdas=lambdas, **options)
        unit = np.linspace(0.5, 3.0, 6)
        scaled = fit_path(X * unit, y, sample_weight=weights, lambdas=lambdas, **options)
    size = 1e-3 * max(np.abs(path.relaxed.coef).max(), 1e-2)
    same = (again.coef != 0.0) == (path.coef != 0.0)
    rows = same.all(axis=1)  # a coefficient that is all but 0 may fall on either side of it
    np.testing.assert_allclose(again.relaxed.coef[rows], path.relaxed.coef[rows], atol=size)
    rows = ((moved.coef != 0.0) == (path.coef[:, order] != 0.0)).all(axis=1)
    np.testing.assert_allclose(moved.relaxed.coef[rows], path.relaxed.coef[rows][:, order], atol=size)
    if standardize:
        rows = ((scaled.coef != 0.0) == (path.coef != 0.0)).all(axis=1)
        np.testing.assert_allclose((scaled.relaxed.coef * unit)[rows], path.relaxed.coef[rows], atol=size)


def test_an_offset_moves_the_intercept(kit):
    X, y = kit.data("poisson", 80, 6, seed=10)
    path = fit_path(X, y, family="poisson", tol=1e-12, **SHORT)
    moved = fit_path(X, y, family="poisson", lambdas=path.lambdas, offset=np.full(80, 0.7), tol=1e-12, relax=True)
    np.testing.assert_allclose(moved.relaxed.coef, path.relaxed.coef, atol=1e-6)
    np.testing.assert_allclose(moved.relaxed.intercept, path.relaxed.intercept - 0.7, atol=1e-6)


def test_blends_are_between(kit):
    X, y = kit.data("gaussian", 80, 6, seed=11)
    names = [f"x{j}" for j in range(6)]
    path = fit_path(X, y, feature_names=names, **SHORT)
    blend = path.blend(0.25)
    np.testing.assert_allclose(blend.coef, 0.25 * path.coef + 0.75 * path.relaxed.coef)
    lam = float(np.mean(path.lambdas[3:5]))
    mixed = 0.25 * path.linear_predictor(X, lam=lam) + 0.75 * path.relaxed.linear_predictor(X, lam=lam)
    np.testing.assert_allclose(blend.linear_predictor(X, lam=lam), mixed)
    assert (path.gamma, path.relaxed.gamma, blend.gamma) == (1.0, 0.0, 0.25)
    assert blend.feature_names == path.relaxed.feature_names == tuple(names)
    assert path.blend(0.0) is path.relaxed
    np.testing.assert_array_equal(path.blend(1.0).coef, path.coef)
    assert np.isnan(blend.deviance).all()
    assert path.relaxed.objective == "minimise mean[1/2 (y - eta)^2] over the active b,  eta = b0 + x'b"
    assert blend.objective.startswith("0.25 [minimise")


def test_misuse_is_told(kit):
    X, y = kit.data("gaussian", 30, 4, seed=12)
    with pytest.raises(InputError, match="pass relax=True"):
        fit_path(X, y, n_lambdas=3).blend(0.5)
    with pytest.raises(InputError, match="gamma must lie between 0"):
        fit_path(X, y, n_lambdas=3, relax=True).blend(1.5)


def test_a_refit_without_certificate_is_told():
    rng = np.random.default_rng(13)
    X = rng.normal(size=(60, 8))
    y = rng.poisson(np.exp(1.5 * X[:, 0])) + 0.0
    options = {"family": "poisson", "lambdas": [0.8 * fit_path(X, y, family="poisson", n_lambdas=1).lambda_max]}
    with pytest.warns(BridleWarning, match="1 of 1 relaxed fits did not converge"):
        path = fit_path(X, y, max_iter=4, relax=True, **options)
    assert path.converged
    assert path.relaxed.status == path.blend(0.5).status == ("max_iter",)
    assert path.blend(0.5).relative_gap[0] == path.relaxed.relative_gap[0] > path.tol
    with pytest.raises(ConvergenceError, match="relaxed fits"):
        fit_path(X, y, max_iter=4, relax=True, strict=True, **options)
