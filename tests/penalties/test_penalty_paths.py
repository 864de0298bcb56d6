"""Paths with groups, MCP and SCAD: certificates for every family, agreement with what is known, invariance."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse

from bridle.errors import BridleWarning, InputError
from bridle.path import fit_path

FAMILIES = ["gaussian", "binomial", "poisson"]
CONVEX = ["group_lasso", "sparse_group_lasso(l1_share=0.5)"]
CONCAVE = ["mcp", "scad", "group_mcp", "group_scad"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("spec", [*CONVEX, *CONCAVE])
@pytest.mark.parametrize("shape", [(120, 24), (90, 150)])
def test_every_family_with_every_penalty_is_certified(kit, family, spec, shape):
    X, y, groups = kit.data(family, *shape, seed=1)
    factor = np.ones(shape[1])
    factor[3:6], factor[6:9] = 0.0, np.inf
    smallest = 0.4 if spec in CONCAVE and shape[1] > shape[0] else 0.1  # below, MCP would let a likelihood run away
    for l1_ratio in (1.0, 0.7):
        options = {"family": family, "l1_ratio": l1_ratio, "n_lambdas": 8, "lambda_min_ratio": smallest}
        path = kit.fit(X, y, spec, groups, tol=1e-8, penalty_factor=factor, **options)
        assert path.converged
        assert path.relative_gap.max() <= 1e-8
        assert kit.referee(path, X, y, factor=factor) <= 1e-8 * (1.0 + 1e-6)
        assert not np.any(path.coef[:, 6:9])
        assert path.n_nonzero[0] <= 3
        assert path.n_nonzero[-1] > 3


FURTHER = ["gamma", "tweedie(power=1.5)", "negative_binomial(theta=2)", "huber", "quantile", "squared_hinge"]


@pytest.mark.parametrize("family", FURTHER)
@pytest.mark.parametrize("spec", [*CONVEX, "mcp(gamma=12)", "group_scad(gamma=12)"])
def test_families_that_know_nothing_of_these_penalties_are_certified_too(kit, family, spec):
    X, _, groups = kit.data("gaussian", 120, 12, seed=1)
    rng, eta = np.random.default_rng(0), 0.5 * (X[:, 0] - X[:, 0].mean()) / X[:, 0].std()
    y = {
        "gamma": rng.gamma(2.0, 0.5 * np.exp(eta)),
        "tweedie(power=1.5)": rng.poisson(np.exp(eta)) * rng.gamma(2.0, 0.5, 120),
        "negative_binomial(theta=2)": rng.poisson(np.exp(eta) * rng.gamma(2.0, 0.5, 120)).astype(float),
        "squared_hinge": (eta + rng.normal(size=120) > 0.0).astype(float),
    }.get(family, eta + rng.standard_t(3, 120))
    path = kit.fit(X, y, spec, groups, family=family, n_lambdas=6, lambda_min_ratio=0.1, tol=1e-7)
    assert path.converged
    assert kit.referee(path, X, y) <= 1e-7 * (1.0 + 1e-6)
    assert path.n_nonzero[-1] > 0


@pytest.mark.parametrize("family", ["huber(delta=0.5)", "quantile(tau=0.8)", "squared_hinge"])
@pytest.mark.parametrize("spec", CONVEX)
def test_losses_with_flat_pieces_are_certified_on_more_rows(kit, family, spec):
    X, y, groups = kit.data("gaussian", 3000, 40, seed=5, size=4)
    y = y + np.random.default_rng(1).standard_t(2, 3000)
    y = (y > 0.0).astype(float) if family == "squared_hinge" else y
    path = kit.fit(X, y, spec, groups, family=family, n_lambdas=12, lambda_min_ratio=0.01)
    assert path.converged
    assert kit.referee(path, X, y, every=4) <= 1e-6 * (1.0 + 1e-6)


@pytest.mark.parametrize("spec", [*CONVEX, "mcp", "group_scad"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_space_of_the_covariance_matrix_gives_what_the_rows_give(kit, spec, fit_intercept):
    X, y, groups = kit.data("gaussian", 200, 18, seed=6)
    factor = np.ones(18)
    factor[3:6], factor[6:9] = 0.0, np.inf
    w, offset = np.random.default_rng(1).uniform(0.2, 2.0, 200), X[:, 0] / 9.0
    options = {"penalty_factor": factor, "sample_weight": w, "offset": offset, "fit_intercept": fit_intercept,
               "lambdas": np.append(np.geomspace(0.5, 0.003, 8), 0.0), "tol": 1e-9}  # fmt: skip
    gram, rows = (kit.fit(X, y, spec, groups, mode=mode, **options) for mode in ("gram", "columns"))
    assert gram.converged
    assert kit.referee(gram, X, y, factor=factor, sample_weight=w, offset=offset) <= 1e-9 * (1.0 + 1e-6)
    np.testing.assert_allclose(gram.coef, rows.coef, atol=1e-4 * np.abs(rows.coef).max())
    np.testing.assert_allclose(gram.intercept, rows.intercept, atol=1e-4)
    np.testing.assert_allclose(gram.deviance, rows.deviance, rtol=1e-6)


@pytest.mark.parametrize("spec", ["group_lasso", "group_mcp"])
def test_what_the_covariance_matrix_has_lost_is_found_on_the_rows(kit, spec):
    X, y, groups = kit.data("gaussian", 120, 12, seed=7)
    X[:, 1] = X[:, 0] + 1e-6 * X[:, 1]  # large coefficients of opposite sign where the penalty is small
    y = y + 3e5 * (X[:, 1] - X[:, 0])
    path = kit.fit(X, y, spec, groups, lambdas=np.geomspace(1.0, 1e-7, 8), tol=1e-6)
    assert kit.referee(path, X, y, every=1) <= 1e-6 * (1.0 + 1e-6)
    assert path.converged


@pytest.mark.parametrize("family", FAMILIES)
def test_groups_of_one_are_the_lasso(kit, family):
    X, y, _ = kit.data(family, 80, 20, seed=2)
    options = {"family": family, "n_lambdas": 15, "lambda_min_ratio": 0.02, "tol": 1e-11, "l1_ratio": 0.9}
    lasso = fit_path(X, y, **options)
    for spec in ("group_lasso", "sparse_group_lasso(l1_share=0.3)"):
        path = kit.fit(X, y, spec, np.arange(20), **options)
        np.testing.assert_allclose(path.lambdas, lasso.lambdas, rtol=1e-12)
        np.testing.assert_allclose(path.coef, lasso.coef, atol=2e-5 * np.abs(lasso.coef).max())
    whole = kit.fit(X, y, "sparse_group_lasso(l1_share=1)", np.arange(20) // 4, **options)
    np.testing.assert_allclose(whole.coef, lasso.coef, atol=2e-5 * np.abs(lasso.coef).max())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("spec", ["mcp(gamma=1e9)", "scad(gamma=1e9)"])
def test_a_concave_penalty_that_never_bends_is_the_lasso(kit, family, spec):
    X, y, _ = kit.data(family, 80, 20, seed=2)
    options = {"family": family, "n_lambdas": 15, "lambda_min_ratio": 0.02, "tol": 1e-9}
    lasso, path = fit_path(X, y, **options), kit.fit(X, y, spec, None, **options)
    np.testing.assert_allclose(path.coef, lasso.coef, atol=1e-4 * np.abs(lasso.coef).max())
    assert path.convex_min is None


def orthogonal(n, p, seed):
    """Columns with mean 0, variance 1 and no correlation, and a target."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, p))]))
    X = Q[:, 1:] * np.sqrt(n)
    return X, X @ rng.normal(size=p) + rng.normal(size=n)


@pytest.mark.parametrize(("spec", "gamma"), [("mcp(gamma=3)", 3.0), ("mcp(gamma=1.5)", 1.5), ("scad(gamma=3.7)", 3.7)])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.8])
def test_orthogonal_columns_give_the_closed_forms_of_ncvreg(kit, spec, gamma, l1_ratio):
    """Breheny and Huang (2011), equations 2.5 and 2.8, with ncvreg's elastic-net extension."""
    X, y = orthogonal(60, 8, seed=5)
    path = kit.fit(X, y, spec, None, l1_ratio=l1_ratio, n_lambdas=30, lambda_min_ratio=0.01, tol=1e-10)
    z = X.T @ (y - y.mean()) / 60
    for k, lam in enumerate(path.lambdas):
        l1, l2 = lam * l1_ratio, lam * (1.0 - l1_ratio)

        def soft(t):
            return np.sign(z) * np.maximum(np.abs(z) - t, 0.0)

        if spec.startswith("mcp"):
            bend = soft(l1) / (1.0 - 1.0 / gamma + l2)
            expected = np.where(np.abs(z) <= gamma * l1 * (1.0 + l2), bend, z / (1.0 + l2))
        else:
            bend = soft(gamma * l1 / (gamma - 1.0)) / (1.0 - 1.0 / (gamma - 1.0) + l2)
            expected = np.where(np.abs(z) <= l1 * (1.0 + l2) + l1, soft(l1) / (1.0 + l2), bend)
            expected = np.where(np.abs(z) > gamma * l1 * (1.0 + l2), z / (1.0 + l2), expected)
        np.testing.assert_allclose(path.coef[k], expected, atol=1e-9)


def test_orthogonal_groups_shrink_by_their_norms(kit):
    X, y = orthogonal(60, 9, seed=6)
    groups = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    path = kit.fit(X, y, "group_lasso", groups, n_lambdas=20, lambda_min_ratio=0.01, tol=1e-12)
    z = X.T @ (y - y.mean()) / 60
    for k, lam in enumerate(path.lambdas):
        for g, size in enumerate([4, 3, 2]):
            zg = z[groups == g]
            share = max(0.0, 1.0 - lam * np.sqrt(size) / np.linalg.norm(zg))
            np.testing.assert_allclose(path.coef[k][groups == g], share * zg, atol=1e-6)


def test_local_convexity_ends_where_the_smallest_eigenvalue_says(kit):
    X, y, _ = kit.data("gaussian", 100, 12, seed=7)
    path = kit.fit(X, y, "mcp(gamma=1.6)", None, n_lambdas=40, lambda_min_ratio=0.005)
    Z = (X - X.mean(0)) / X.std(0)
    convex = []
    for k in range(40):
        on = np.any(path.coef[k : k + 2] != 0.0, axis=0)
        convex.append(not on.any() or np.linalg.eigvalsh(Z[:, on].T @ Z[:, on] / 100)[0] > 1.0 / 1.6)
    assert path.convex_min == convex.index(False)
    assert kit.fit(*orthogonal(60, 8, seed=5), "mcp(gamma=3)", None).convex_min is None
    assert path.certificate == "stationarity"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("spec", [*CONVEX, "group_mcp", "scad"])
def test_storages_agree(kit, family, spec):
    X, y, groups = kit.data(family, 60, 12, seed=8)
    X[X < 0.4] = 0.0
    options = {"family": family, "n_lambdas": 8, "lambda_min_ratio": 0.1, "tol": 1e-11}
    dense = kit.fit(X, y, spec, groups, **options)
    for other in (np.asfortranarray(X), sparse.csc_array(X), sparse.csr_array(X)):
        path = kit.fit(other, y, spec, groups, **options)
        np.testing.assert_allclose(path.coef, dense.coef, atol=1e-5 * np.abs(dense.coef).max())


@settings(max_examples=25, deadline=None)
@given(
    family=st.sampled_from(FAMILIES),
    spec=st.sampled_from([*CONVEX, "mcp", "group_scad"]),
    seed=st.integers(0, 10_000),
    standardize=st.booleans(),
    fit_intercept=st.booleans(),
    l1_ratio=st.sampled_from([1.0, 0.6]),
)
def test_weights_are_replication_and_order_does_not_matter(
    kit, family, spec, seed, standardize, fit_intercept, l1_ratio
):
    X, y, groups = kit.data(family, 50, 12, seed=seed)
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 3, 50)
    weights[:2] = 1
    options = {
        "family": family, "standardize": standardize, "fit_intercept": fit_intercept, "l1_ratio": l1_ratio,
        "tol": 1e-11,
    }  # fmt: skip
    lambdas = (
        np.array([0.5, 0.25]) * kit.fit(X, y, spec, groups, sample_weight=weights, n_lambdas=1, **options).lambda_max
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BridleWarning)
        path = kit.fit(X, y, spec, groups, sample_weight=weights, lambdas=lambdas, **options)
    assume("separated" not in path.status)  # a bounded penalty can't hold the coefficients then
    assert path.converged
    many = np.repeat(np.arange(50), weights)
    again = kit.fit(X[many], y[many], spec, groups, lambdas=lambdas, **options)
    size = max(np.abs(path.coef).max(), 1e-3)
    np.testing.assert_allclose(again.coef, path.coef, atol=2e-4 * size)
    order = rng.permutation(12)
    names = np.array([f"group {g}" for g in groups[order]])
    moved = kit.fit(X[:, order], y, spec, names, sample_weight=weights, lambdas=lambdas, **options)
    np.testing.assert_allclose(moved.coef, path.coef[:, order], atol=2e-4 * size)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("spec", ["group_lasso", "sparse_group_lasso(l1_share=0.5)", "mcp", "group_scad"])
def test_an_offset_moves_the_intercept_and_units_move_the_coefficients(kit, family, spec):
    X, y, groups = kit.data(family, 60, 12, seed=9)
    options = {"family": family, "n_lambdas": 6, "lambda_min_ratio": 0.1, "tol": 1e-11}
    path = kit.fit(X, y, spec, groups, **options)
    shifted = kit.fit(X, y, spec, groups, offset=np.full(60, 0.7), lambdas=path.lambdas, **options)
    np.testing.assert_allclose(shifted.coef, path.coef, atol=1e-6)
    np.testing.assert_allclose(shifted.intercept, path.intercept - 0.7, atol=1e-6)
    unit = np.linspace(0.1, 10.0, 12)
    scaled = kit.fit(X * unit, y, spec, groups, lambdas=path.lambdas, **options)
    np.testing.assert_allclose(scaled.coef * unit, path.coef, atol=1e-6)


def test_groups_of_excluded_and_constant_columns(kit):
    X, y, groups = kit.data("gaussian", 60, 12, seed=10)
    options = {"n_lambdas": 6, "lambda_min_ratio": 0.05, "tol": 1e-10}
    factor = np.ones(12)
    factor[4] = np.inf
    keep = np.isfinite(factor)
    path = kit.fit(X, y, "group_lasso", groups, penalty_factor=factor, **options)
    without = kit.fit(X[:, keep], y, "group_lasso", groups[keep], **options)
    np.testing.assert_allclose(path.coef[:, keep], without.coef, atol=1e-7)
    X[:, 4] = 3.0  # a constant column keeps its place in the group's size: folds then mean the same lambda
    constant = kit.fit(X, y, "group_lasso", groups, **options)
    assert kit.referee(constant, X, y) <= 1e-10
    assert constant.lambdas[0] <= path.lambdas[0]


@pytest.mark.parametrize("spec", ["group_lasso", "mcp"])
def test_bounds_of_single_coefficients(kit, spec):
    X, y, _ = kit.data("gaussian", 60, 12, seed=11)
    options = {"n_lambdas": 10, "lambda_min_ratio": 0.05, "tol": 1e-9, "lower": -0.2, "upper": 0.2}
    path = kit.fit(X, y, spec, np.arange(12), **options)
    assert np.abs(path.coef).max() == pytest.approx(0.2)
    assert kit.referee(path, X, y, lower=-0.2, upper=0.2) <= 1e-9


def test_no_penalty_is_no_penalty_whatever_its_name(kit):
    X, y, groups = kit.data("binomial", 80, 9, seed=12)
    plain = fit_path(X, y, family="binomial", lambdas=[0.1, 0.0])
    for spec in ("group_lasso", "scad"):
        path = kit.fit(X, y, spec, groups, family="binomial", lambdas=[0.1, 0.0])
        np.testing.assert_allclose(path.coef[1], plain.coef[1], atol=1e-4)
        assert path.converged
    ridge = fit_path(X, y, family="binomial", l1_ratio=0.0, lambdas=[0.1])
    same = kit.fit(X, y, "group_mcp", groups, family="binomial", l1_ratio=0.0, lambdas=[0.1])
    np.testing.assert_array_equal(same.coef, ridge.coef)


def test_a_null_model_that_is_perfect_and_targets_without_signal(kit):
    X, _, groups = kit.data("gaussian", 30, 6, seed=13)
    for spec in ("group_lasso", "mcp"):
        path = kit.fit(X, np.ones(30), spec, groups)
        assert path.lambda_max == 0.0
        assert not path.coef.any()
        assert path.penalty.startswith(spec)


def test_dependent_columns_within_and_between_groups(kit):
    X, y, groups = kit.data("gaussian", 60, 12, seed=14)
    X[:, 1], X[:, 6] = X[:, 0], X[:, 9]
    for spec in ("group_lasso", "sparse_group_lasso(l1_share=0.5)", "group_mcp", "mcp"):
        path = kit.fit(X, y, spec, groups, n_lambdas=15, lambda_min_ratio=0.01, tol=1e-8)
        assert path.converged
        assert kit.referee(path, X, y) <= 1e-8 * (1.0 + 1e-6)


def test_a_bounded_penalty_cannot_hold_separated_classes(kit):
    X, y, _ = kit.data("binomial", 40, 90, seed=1)
    with pytest.warns(BridleWarning, match="separated"):
        path = kit.fit(X, y, "mcp", None, family="binomial", n_lambdas=12, lambda_min_ratio=0.05)
    assert path.status[0] == "converged"
    assert path.status[-1] == "separated"
    assert kit.fit(X, y, "mcp", None, family="binomial", n_lambdas=12, lambda_min_ratio=0.05, l1_ratio=0.5).converged


def test_the_objective_is_printed_as_it_was_solved(kit):
    X, y, groups = kit.data("gaussian", 30, 6, seed=15)
    assert "lam * sum_g v_g sqrt(m_g) |(s_j b_j)_g|_2," in kit.fit(X, y, "group_lasso", groups, n_lambdas=2).objective
    assert (
        "sum_j MCP(|b_j|; 0.5 lam v_j, 3) + lam"
        in kit.fit(X, y, "mcp", None, n_lambdas=2, l1_ratio=0.5, standardize=False).objective
    )
    assert (
        "[0.5 sum_j v_j |s_j b_j| + 0.5 sum_g"
        in kit.fit(X, y, "sparse_group_lasso(l1_share=0.5)", groups, n_lambdas=2).objective
    )


def test_a_limit_of_iterations_is_told(kit):
    X, y, groups = kit.data("binomial", 60, 12, seed=16)
    with pytest.warns(BridleWarning, match="relative gap"):
        path = kit.fit(X, y, "group_lasso", groups, family="binomial", max_iter=1, lambdas=[0.01])
    assert path.status == ("max_iter",)
    with pytest.warns(BridleWarning, match="relative violation"):
        kit.fit(X, y, "mcp", None, family="binomial", max_iter=1, lambdas=[0.01])


def test_wrong_groups_reach_the_user(kit):
    X, y, groups = kit.data("gaussian", 30, 6, seed=17)
    with pytest.raises(InputError, match="one label per feature"):
        fit_path(X, y, penalty="group_lasso", groups=groups[:3])
    with pytest.raises(InputError, match="needs groups"):
        fit_path(X, y, penalty="group_lasso")
    with pytest.raises(InputError, match="unknown penalty"):
        fit_path(X, y, penalty="bridge")
