"""Several linear predictors with groups of features, sparse groups, MCP and SCAD: certificates, an oracle, twins."""

import warnings

import clarabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import ortho_group
from sklearn.datasets import load_digits

from bridle.errors import BridleWarning, InputError
from bridle.path import fit_path
from bridle.selection import cross_validate
from bridle.several import Ordinal

OWN = ["multinomial", "multigaussian"]  # coefficients of each class or response
FAMILIES = [*OWN, "ordinal"]
CONVEX = ["group_lasso", "sparse_group_lasso(l1_share=0.5)"]
CONCAVE = ["mcp(gamma=12)", "scad(gamma=12)", "group_mcp(gamma=12)", "group_scad(gamma=12)"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("spec", [*CONVEX, *CONCAVE])
@pytest.mark.parametrize("shape", [(150, 12), (50, 60)])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
def test_every_penalty_is_certified(kit, family, spec, shape, l1_ratio):
    X, y = kit.make_data(family, *shape, seed=4)
    factor = np.ones(shape[1])
    factor[:3], factor[3:6] = 0.0, np.inf
    labels = [np.arange(shape[1]) // 3] if spec.startswith(("group", "sparse")) else []
    smallest = 0.5 if spec in CONCAVE and shape[1] > shape[0] else 0.1  # below, MCP lets a likelihood run away
    for groups in labels if family == "ordinal" and labels else [None, *labels]:
        path = fit_path(X, y, family=family, penalty=spec, groups=groups, l1_ratio=l1_ratio, penalty_factor=factor,
                        n_lambdas=6, lambda_min_ratio=smallest, tol=1e-7)  # fmt: skip
        assert path.converged
        assert kit.worst(path, X, y, factor=factor) <= 1e-7 * (1.0 + 1e-6)
        assert path.n_nonzero[0] == 3
        assert path.n_nonzero[-1] > 3
        assert not path.coef[:, 3:6].any()
        if groups is not None and spec.startswith("group"):
            on = (path.coef != 0.0).reshape(6, shape[1], -1).any(axis=2)[:, 6:].reshape(6, -1, 3)
            assert np.array_equal(on.any(axis=2), on.all(axis=2))


def conic_fit(X, y, lam, groups, *, family, l1_ratio, l1_share):
    """Minimise the objective of docs/several-predictors.md; B (p, K) on the original scale.

    Variables: b0 (K,), B (p, K) by rows, t (n,) above the log of the sums of e^eta, r (G,) above the norms, a (p, K)
    above |B|, u (n, K) above e^(eta - t), whose rows sum to 1 at most.
    """
    n, p = X.shape
    Z = (X - X.mean(0)) / X.std(0)
    K, labels = y.shape[1], np.unique(groups)
    at = np.cumsum([0, K, p * K, n, len(labels), p * K, n * K])
    rows, limits, cones = [], [], []

    def affine(entries, constant=0.0):
        """One row of s = constant + sum coefficient * variable; Clarabel wants A x + s = limit."""
        row = np.zeros(at[-1])
        for place, coefficient in entries:
            row[place] -= coefficient
        rows.append(row)
        limits.append(constant)

    for c in range(p * K):
        affine([(at[4] + c, 1.0), (at[1] + c, -1.0)])
        affine([(at[4] + c, 1.0), (at[1] + c, 1.0)])
    for i in range(n):
        affine([(at[5] + i * K + k, -1.0) for k in range(K)], 1.0)
    cones.append(clarabel.NonnegativeConeT(len(rows)))
    for g, label in enumerate(labels):
        members = [at[1] + j * K + k for j in np.flatnonzero(groups == label) for k in range(K)]
        affine([(at[3] + g, 1.0)])
        for place in members:
            affine([(place, 1.0)])
        cones.append(clarabel.SecondOrderConeT(1 + len(members)))
    P, q = np.zeros((at[-1], at[-1])), np.zeros(at[-1])
    A = np.column_stack([np.ones(n), Z])
    q[: at[2]] = -(A.T @ y / n).ravel()
    if family == "multigaussian":
        P[: at[2], : at[2]] = np.kron(A.T @ A / n, np.eye(K))
        P[at[2] : at[3], at[2] : at[3]] = np.eye(n)  # neither t nor u has a part in it
        P[at[5] :, at[5] :] = np.eye(n * K)
    else:
        q[at[2] : at[3]] = 1.0 / n
        for i in range(n):
            for k in range(K):
                affine([(k, 1.0), (at[2] + i, -1.0), *((at[1] + j * K + k, Z[i, j]) for j in range(p))])
                affine([], 1.0)
                affine([(at[5] + i * K + k, 1.0)])
                cones.append(clarabel.ExponentialConeT())
    P[at[1] : at[2], at[1] : at[2]] += lam * (1.0 - l1_ratio) * np.eye(p * K)
    q[at[3] : at[4]] = lam * l1_ratio * (1.0 - l1_share) * np.sqrt([np.sum(groups == label) for label in labels])
    q[at[4] : at[5]] = lam * l1_ratio * l1_share + 1e-12
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-11
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(np.triu(P)), q, sparse.csc_matrix(np.array(rows)), np.array(limits), cones, options
    )
    x = np.array(solver.solve().x)
    return x[at[1] : at[2]].reshape(p, K) / X.std(0)[:, None]


@pytest.mark.parametrize("family", OWN)
@pytest.mark.parametrize("spec", CONVEX)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
def test_groups_over_predictors_are_those_of_a_conic_programme(kit, family, spec, l1_ratio):
    X, y = kit.make_data(family, 40, 7, seed=2, classes=3)
    groups = np.array([0, 0, 1, 1, 1, 2, 3])
    top = fit_path(X, y, family=family, penalty=spec, groups=groups, l1_ratio=l1_ratio, n_lambdas=2).lambda_max
    path = fit_path(
        X, y, family=family, penalty=spec, groups=groups, l1_ratio=l1_ratio, tol=1e-10, lambdas=[0.3 * top, 0.05 * top]
    )
    target = np.eye(3)[y] if family == "multinomial" else y
    for k, lam in enumerate(path.lambdas):
        B = conic_fit(X, target, lam, groups, family=family, l1_ratio=l1_ratio, l1_share=0.5 * ("sparse" in spec))
        np.testing.assert_allclose(path.coef[k], B, atol=2e-4 * np.abs(B).max())


@pytest.mark.parametrize("family", FAMILIES)
def test_penalties_that_are_the_same_in_other_words(kit, family):
    X, y = kit.make_data(family, 90, 8, seed=3, classes=3)
    options = {"family": family, "n_lambdas": 8, "lambda_min_ratio": 0.05, "tol": 1e-10}
    alone = np.arange(8) if family == "ordinal" else None
    plain = fit_path(X, y, **options)
    whole = plain if family == "ordinal" else fit_path(X, y, penalty="group_lasso", **options)
    for spec, reference, groups in (
        ("sparse_group_lasso(l1_share=1)", plain, np.arange(8) // 4),
        ("mcp(gamma=1e9)", plain, None),
        ("sparse_group_lasso(l1_share=0)", whole, alone),
        ("group_lasso", whole, np.arange(8)),
        ("group_scad(gamma=1e9)", whole, alone),
    ):
        path = fit_path(X, y, penalty=spec, groups=groups, **options)
        np.testing.assert_allclose(path.lambdas, reference.lambdas, rtol=1e-12)
        np.testing.assert_allclose(path.coef, reference.coef, atol=1e-4 * np.abs(reference.coef).max())


def test_one_response_with_groups_is_the_one_predictor(kit):
    X, y = kit.make_data("multigaussian", 80, 9, seed=5)
    options = {"groups": np.arange(9) // 3, "n_lambdas": 8, "lambda_min_ratio": 0.02, "tol": 1e-10}
    for spec in (*CONVEX, "group_mcp"):
        one = fit_path(X, y[:, 0], penalty=spec, **options)
        path = fit_path(X, y[:, :1], family="multigaussian", penalty=spec, **options)
        np.testing.assert_allclose(path.lambdas, one.lambdas, rtol=1e-12)
        np.testing.assert_allclose(path.coef[:, :, 0], one.coef, atol=1e-5 * np.abs(one.coef).max())


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), spec=st.sampled_from(CONVEX), family=st.sampled_from(FAMILIES))
def test_weights_are_replication_order_does_not_matter_and_sparse_is_dense(kit, seed, spec, family):
    X, y = kit.make_data(family, 40, 6, seed=seed, classes=3)
    rng = np.random.default_rng(seed)
    count, groups = rng.integers(1, 4, size=40), np.array([0, 0, 0, 1, 1, 2])
    options = {"family": family, "penalty": spec, "lambdas": [0.1, 0.02], "tol": 1e-10}
    weighted = fit_path(X, y, sample_weight=count, groups=groups, **options)
    rows, columns = rng.permutation(np.repeat(np.arange(40), count)), rng.permutation(6)
    replicated = fit_path(sparse.csr_array(X[rows][:, columns]), y[rows], groups=groups[columns], **options)
    np.testing.assert_allclose(
        replicated.coef, weighted.coef[:, columns], atol=1e-4 * max(1.0, np.abs(weighted.coef).max())
    )


def test_rotated_responses_rotate_the_coefficients(kit):
    X, y = kit.make_data("multigaussian", 60, 8, seed=2)
    Q = ortho_group.rvs(4, random_state=1)
    options = {"family": "multigaussian", "penalty": "group_lasso", "groups": np.arange(8) // 2, "tol": 1e-12}
    first = fit_path(X, y, lambdas=[1.0, 0.3, 0.05], **options)
    second = fit_path(X, y @ Q, lambdas=[1.0, 0.3, 0.05], **options)
    np.testing.assert_allclose(second.coef, first.coef @ Q, atol=1e-5 * np.abs(first.coef).max())


def test_a_norm_is_0_or_has_a_direction(kit):
    for seed in range(5):
        X, y = kit.make_data("multinomial", 100, 10, seed=seed)
        path = fit_path(X, y, family="multinomial", penalty="group_lasso", lambda_min_ratio=1e-3, tol=1e-9)
        norms = np.linalg.norm(path.coef * path.scale[:, None], axis=2)
        assert np.min(norms[norms > 0.0]) > 1e-10
        assert path.kkt.max() <= 1e-4 * path.lambda_max


@pytest.mark.parametrize("spec", ["elastic_net", *CONVEX])
def test_without_the_matrix_of_all_coefficients(kit, spec):
    """So many that Newton's steps are products with the rows."""
    X, y = kit.make_data("multinomial", 1500, 70, seed=3, classes=7)
    X = X * (np.random.default_rng(2).random(X.shape) < 0.7)
    groups = None if spec == "elastic_net" else np.arange(70) // 3
    options = {"family": "multinomial", "penalty": spec, "groups": groups, "l1_ratio": 0.9, "lambda_min_ratio": 0.02}
    path = fit_path(X, y, n_lambdas=6, tol=1e-8, **options)
    assert path.converged
    assert kit.worst(path, X, y, every=2) <= 1e-8 * (1.0 + 1e-6)
    assert path.n_nonzero[-1] > 60
    thin = fit_path(sparse.csc_array(X), y, n_lambdas=6, tol=1e-8, **options)
    np.testing.assert_allclose(thin.coef, path.coef, atol=1e-4 * np.abs(path.coef).max())


@pytest.mark.parametrize("spec", ["elastic_net", "group_lasso"])
def test_storage_and_place_of_the_columns(kit, spec):
    """Columns are read where they lie, copied, or centred first, where they are far from 0."""
    X, y = kit.make_data("multinomial", 300, 150, seed=7, classes=6)
    X = X.astype(np.float32).astype(float)
    options = {
        "family": "multinomial",
        "penalty": spec,
        "l1_ratio": 0.9,
        "n_lambdas": 6,
        "lambda_min_ratio": 0.01,
        "tol": 1e-8,
    }
    path = fit_path(np.asfortranarray(X), y, **options)
    assert path.converged
    assert kit.worst(path, X, y, every=2) <= 1e-8 * (1.0 + 1e-6)
    for other in (X, X.astype(np.float32), X + 2.0**17, sparse.csc_array(X)):
        same = fit_path(other, y, **options)
        assert same.converged
        np.testing.assert_allclose(same.coef, path.coef, atol=2e-3 * np.abs(path.coef).max())


@pytest.mark.parametrize("spec", ["elastic_net", *CONVEX, *CONCAVE])
def test_many_coefficients_of_responses(kit, spec):
    """So many that Newton's steps go predictor by predictor; each response alone has the same lasso and ridge part."""
    X, y = kit.make_data("multigaussian", 400, 90, seed=5, classes=6)
    groups = np.arange(90) // 3 if "group" in spec else None
    options = {"penalty": spec, "groups": groups, "lambda_min_ratio": 0.005, "n_lambdas": 8, "tol": 1e-9}
    path = fit_path(X, y, family="multigaussian", l1_ratio=0.9, **options)
    assert path.converged and path.n_nonzero[-1] > 60
    assert kit.worst(path, X, y, every=2) <= 1e-9 * (1.0 + 1e-6)
    if spec == "elastic_net":
        for k in range(6):
            alone = fit_path(X, y[:, k], lambdas=path.lambdas, l1_ratio=0.9, tol=1e-12)
            np.testing.assert_allclose(path.coef[:, :, k], alone.coef, atol=1e-3 * np.abs(alone.coef).max())


@pytest.mark.parametrize("family", ["multinomial", "ordinal"])
def test_folds_and_the_end_of_a_path(kit, family):
    X, y = kit.make_data(family, 90, 9, seed=1, classes=3)
    groups = np.arange(9) // 3
    curve = cross_validate(X, y, family=family, penalty="group_lasso", groups=groups, n_lambdas=5, folds=3)
    assert curve.paths[0].groups == tuple(groups.tolist())
    for spec in (*CONVEX, *CONCAVE):
        labels = groups if spec.startswith(("group", "sparse")) else None
        path = fit_path(X, y, family=family, penalty=spec, groups=labels, lambdas=[0.05, 0.0], tol=1e-8)
        assert path.converged
        plain = fit_path(X, y, family=family, lambdas=[0.0], tol=1e-8)
        assert path.deviance[1] == pytest.approx(plain.deviance[0], rel=1e-6)


@pytest.mark.parametrize("family", ["multinomial", "ordinal"])
def test_a_likelihood_that_runs_away_is_called_separated(kit, family):
    X, y = kit.make_data(family, 40, 60, seed=4)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        path = fit_path(X, y, family=family, penalty="mcp(gamma=12)", n_lambdas=4, lambda_min_ratio=0.05)
    assert path.status[-1] == "separated"
    assert any(issubclass(w.category, BridleWarning) for w in seen)


@pytest.mark.parametrize("spec", [*CONVEX, *CONCAVE])
def test_two_levels_are_the_binomial_model(kit, spec):
    X, y = kit.make_data("ordinal", 90, 9, seed=5, classes=2)
    groups = np.arange(9) // 3 if "group" in spec else None
    options = {"penalty": spec, "groups": groups, "n_lambdas": 8, "lambda_min_ratio": 0.05, "tol": 1e-10}
    levels, classes = (fit_path(X, y, family=family, **options) for family in ("ordinal", "binomial"))
    np.testing.assert_allclose(levels.lambdas, classes.lambdas, rtol=1e-12)
    np.testing.assert_allclose(levels.coef, classes.coef, atol=1e-4 * np.abs(classes.coef).max())
    np.testing.assert_allclose(levels.intercept[:, 0], classes.intercept, atol=1e-4)
    assert levels.convex_min == classes.convex_min


def test_ordered_classes_say_where_local_convexity_ends(kit):
    X, y = kit.make_data("ordinal", 150, 8, seed=7)
    path = fit_path(X, y, family="ordinal", penalty="mcp(gamma=9)", n_lambdas=25, lambda_min_ratio=0.02)
    family, Z = Ordinal(), (X - X.mean(axis=0)) / X.std(axis=0)
    target, w = family.target(y, 150), np.full(150, 1.0 / 150)

    def slope(b, on):
        eta = Z[:, on] @ b
        return Z[:, on].T @ family.residual(target, eta[:, None], w)[:, 0]

    convex = []
    for k in range(25):
        on = np.flatnonzero(np.any(path.coef[k : k + 2] != 0.0, axis=0))
        b, step = (path.coef[k] * X.std(axis=0))[on], 1e-5 * np.eye(on.size)
        H = np.array([(slope(b - move, on) - slope(b + move, on)) / 2e-5 for move in step])
        convex.append(on.size == 0 or np.linalg.eigvalsh(0.5 * (H + H.T))[0] > 1.0 / 9.0)
    assert 0 < path.convex_min == convex.index(False)
    assert fit_path(X, y, family="ordinal", penalty="scad(gamma=1e9)", n_lambdas=5).convex_min is None


def test_bounds_and_groups_that_do_not_fit(kit):
    X, y = kit.make_data("multigaussian", 30, 4, seed=1)
    with pytest.raises(InputError, match="one label per feature"):
        fit_path(X, y, family="multigaussian", penalty="group_lasso", groups=[0, 1])
    with pytest.raises(InputError, match="bounds can't be combined"):
        fit_path(X, y, family="multigaussian", penalty="group_mcp", lower=0.0)
    path = fit_path(X, y, family="multigaussian", penalty="mcp", lower=0.0, lambdas=[0.3, 0.1], tol=1e-9)
    assert path.converged
    assert path.coef.min() >= 0.0
    assert kit.worst(path, X, y, every=1, lower=0.0) <= 1e-9 * (1.0 + 1e-6)


def test_nearly_separated_classes_converge(kit):
    """Digits down to where the classes are nearly separated: conjugate gradients alone stalled there."""
    X, y = load_digits(return_X_y=True)
    X, y = X[::2], y[::2].astype(str)
    for spec in ("elastic_net", "group_lasso"):
        path = fit_path(X, y, family="multinomial", penalty=spec, n_lambdas=30, lambda_min_ratio=1e-4)
        assert path.converged
        assert kit.worst(path, X, y, every=6) <= 1e-6 * (1.0 + 1e-6)


@pytest.mark.parametrize("spec", ["elastic_net", *CONVEX])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
def test_many_cells_with_bounds_and_sparse(kit, spec, l1_ratio):
    """Enough coefficients for every way of the solver: few cells at first, then all; sparse; uneven steps."""
    if l1_ratio == 0.0 and spec != "elastic_net":
        pytest.skip("ridge has no blocks")
    X, y = kit.make_data("multinomial", 400, 90, seed=5, classes=6)
    X[np.abs(X) < 1.0] = 0.0
    top = fit_path(X, y, family="multinomial", penalty=spec, l1_ratio=l1_ratio, n_lambdas=2).lambdas[0]
    grid = top * np.array([1.0, 0.9, 0.89, 0.3, 0.28, 0.05, 0.04, 0.001])
    bounds = {"lower": -0.05, "upper": 0.2} if spec == "elastic_net" else {}
    found = [
        fit_path(Z, y, family="multinomial", penalty=spec, l1_ratio=l1_ratio, lambdas=grid, **bounds)
        for Z in (X, sparse.csc_array(X))
    ]
    for path in found:
        assert path.converged
        assert kit.worst(path, X, y, every=1, **bounds) <= 1e-6 * (1.0 + 1e-6)
    assert all(np.all((p.coef >= -0.05) & (p.coef <= 0.2)) for p in found if bounds)


def test_start_on_the_line_changes_no_answer(kit):
    """The ridge part makes the solution unique: one lambda alone and the same along a path agree."""
    X, y = kit.make_data("multinomial", 300, 40, seed=6)
    path = fit_path(X, y, family="multinomial", l1_ratio=0.5, n_lambdas=20, lambda_min_ratio=0.01, tol=1e-10)
    for i in (5, 12, 19):
        alone = fit_path(X, y, family="multinomial", l1_ratio=0.5, lambdas=path.lambdas[i : i + 1], tol=1e-10)
        assert alone.converged
        assert np.allclose(path.coef[i], alone.coef[0], atol=2e-4)


@pytest.mark.parametrize("spec", ["group_lasso", "sparse_group_lasso(l1_share=0.2)"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
def test_groups_of_responses_with_more_features_than_rows(kit, spec, l1_ratio):
    """So many that there is no matrix, and Newton's steps are in the space of the rows of all responses."""
    X, y = kit.make_data("multigaussian", 60, 600, seed=2, classes=3)
    groups = np.arange(600) // 10
    options = {"family": "multigaussian", "penalty": spec, "groups": groups, "l1_ratio": l1_ratio}
    options |= {"n_lambdas": 8, "lambda_min_ratio": 0.003, "tol": 1e-8}
    w = np.random.default_rng(0).uniform(0.2, 2.0, 60)
    path = fit_path(X, y, sample_weight=w, **options)
    assert path.converged
    assert path.n_nonzero[-1] > 60
    assert kit.worst(path, X, y, sample_weight=w, every=2) <= 1e-8 * (1.0 + 1e-6)


@pytest.mark.parametrize("spec", ["mcp(gamma=12)", "group_mcp(gamma=12)", "scad"])
def test_concave_penalties_without_the_matrix_of_all_coefficients(kit, spec):
    X, y = kit.make_data("multinomial", 1500, 300, seed=3, classes=5)
    X = sparse.csc_array(X * (np.random.default_rng(2).random(X.shape) < 0.05))
    path = fit_path(X, y, family="multinomial", penalty=spec, n_lambdas=6, lambda_min_ratio=0.1, tol=1e-8)
    assert path.converged
    assert path.n_nonzero[-1] > 60
    assert kit.worst(path, X.toarray(), y, every=2) <= 1e-8 * (1.0 + 1e-6)
