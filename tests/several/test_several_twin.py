"""Paths with several linear predictors: certificates, the slow twin, and what must not change the answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import ortho_group

KINDS = [("multinomial", "elastic_net"), ("multinomial", "group_lasso"), ("multigaussian", "elastic_net"),
         ("multigaussian", "group_lasso"), ("ordinal", "elastic_net")]  # fmt: skip
CASES = [
    {},
    {"l1_ratio": 0.5},
    {"l1_ratio": 0.0},
    {"standardize": False, "l1_ratio": 0.7},
    {"fit_intercept": False},
    {"factor": np.array([0.0, 1.0, 2.0, np.inf, 0.5, 1.0])},
    {"lower": -0.1, "upper": 0.2},
]


def unique(family, penalty, l1_ratio, coef):
    """What of coefficients (..., p, K) has one answer: of a pure lasso over an even number of classes, differences."""
    split = family == "multinomial" and penalty == "elastic_net" and l1_ratio == 1.0
    return coef - coef.mean(axis=-1, keepdims=True) if split else coef


@pytest.mark.parametrize(("family", "penalty"), KINDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_path_equals_twin(kit, family, penalty, case):
    if "lower" in case and penalty == "group_lasso":
        pytest.skip("no bounds with groups")
    if "fit_intercept" in case and family == "ordinal":
        pytest.skip("thresholds are always fitted")
    X, y = kit.make_data(family, 60, 6, seed=3)
    rng = np.random.default_rng(5)
    w, offset = rng.integers(0, 4, size=60).astype(float), 0.2 * rng.normal(size=60)
    given_case = {k: v for k, v in case.items() if k != "factor"}
    path = kit.fit_path(X, y, family=family, penalty=penalty, n_lambdas=6, lambda_min_ratio=3e-2, tol=1e-10,
                        sample_weight=w, offset=offset, penalty_factor=case.get("factor"), **given_case)  # fmt: skip
    assert path.converged
    held = {k: v for k, v in case.items() if k in ("factor", "lower", "upper")}
    assert kit.worst(path, X, y, every=1, sample_weight=w, offset=offset, **held) <= 1.1e-10
    for i in (1, 5):
        intercept, coef = kit.slow_fit(X, y, path.lambdas[i], family=family, joint=penalty == "group_lasso", w=w,
                                       offset=offset, **case)  # fmt: skip
        mine = path.coef[i].reshape(coef.shape)
        if case.get("factor") is not None and family == "multinomial":  # what isn't penalised has the sum 0
            coef[0] -= coef[0].mean()
        mine, coef = (unique(family, penalty, path.l1_ratio, b) for b in (mine, coef))
        np.testing.assert_allclose(mine, coef, rtol=2e-4, atol=2e-4 * np.abs(coef).max())
        if family == "multinomial":
            intercept = intercept - intercept.mean()
        np.testing.assert_allclose(path.intercept[i], intercept, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize(("family", "penalty"), KINDS)
def test_first_lambda_is_the_smallest_that_leaves_nothing(kit, family, penalty):
    X, y = kit.make_data(family, 80, 7, seed=1)
    path = kit.fit_path(X, y, family=family, penalty=penalty, n_lambdas=30, tol=1e-9)
    assert path.n_nonzero[0] == 0
    assert path.deviance[0] == pytest.approx(path.null_deviance, rel=1e-12)
    lower = kit.fit_path(X, y, family=family, penalty=penalty, lambdas=[0.999 * path.lambda_max], tol=1e-10)
    assert lower.n_nonzero[0] > 0


@pytest.mark.parametrize(("family", "penalty"), KINDS)
@pytest.mark.parametrize("shape", [(150, 12), (50, 90)])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3, 0.0])
def test_whole_paths_are_certified(kit, family, penalty, shape, l1_ratio):
    X, y = kit.make_data(family, *shape, seed=4)
    path = kit.fit_path(
        X, y, family=family, penalty=penalty, l1_ratio=l1_ratio, n_lambdas=15, lambda_min_ratio=0.05, tol=1e-6
    )
    assert path.converged
    assert kit.worst(path, X, y, every=4) <= 1.05e-6
    assert np.all(np.diff(path.deviance) <= 1e-6)


@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array])
@pytest.mark.parametrize("family", ["multinomial", "multigaussian", "ordinal"])
def test_ridge_of_more_features_than_rows_is_solved_in_the_space_of_the_rows(kit, family, storage):
    X, y = kit.make_data(family, 50, 320, seed=7)
    X[:, 4] = 2.0
    rest = {"penalty_factor": np.r_[0.5, np.inf, 3.0, np.ones(317)], "sample_weight": np.r_[0.0, np.linspace(1, 2, 49)]}
    options = {"family": family, "l1_ratio": 0.0, "n_lambdas": 5, "tol": 1e-12} | rest
    path = kit.fit_path(storage(X), y, **options)
    assert path.converged
    held = {"factor": rest["penalty_factor"], "sample_weight": rest["sample_weight"]}
    assert kit.worst(path, X, y, every=1, **held) <= 1e-11
    columns = kit.fit_path(storage(X), y, mode="columns", **(options | {"lambdas": path.lambdas}))
    assert columns.converged
    np.testing.assert_allclose(path.coef, columns.coef, atol=1e-4 * np.abs(path.coef).max())
    np.testing.assert_allclose(path.intercept, columns.intercept, atol=1e-4)
    assert not path.coef[:, [1, 4]].any()


@pytest.mark.parametrize(("family", "penalty"), KINDS)
def test_deviance_is_that_of_the_predictions(kit, family, penalty):
    X, y = kit.make_data(family, 70, 5, seed=8)
    path = kit.fit_path(X, y, family=family, penalty=penalty, n_lambdas=8)
    mean = path.predict(X)
    if family == "multigaussian":
        expected = ((mean - y[:, :, None]) ** 2).sum(axis=1).mean(axis=0)
    else:
        assert mean.shape == (70, 4, 8)
        np.testing.assert_allclose(mean.sum(axis=1), 1.0)
        expected = -2.0 * np.log(mean[np.arange(70), y]).mean(axis=0)
    np.testing.assert_allclose(path.deviance, expected, rtol=1e-9)
    at = float(path.lambdas[3])
    np.testing.assert_allclose(path.predict(X, lam=at), mean[:, :, 3])
    np.testing.assert_allclose(path.predict(X, lam=at, kind="link"), path.predict(X, kind="link")[:, :, 3])


@pytest.mark.parametrize(("family", "penalty"), KINDS)
def test_storages_agree(kit, family, penalty):
    X, y = kit.make_data(family, 60, 8, seed=7)
    X = np.round(X, 1).astype(np.float32).astype(float) * (np.random.default_rng(2).random(X.shape) < 0.7)
    options = {"family": family, "penalty": penalty, "n_lambdas": 8, "lambda_min_ratio": 0.05, "tol": 1e-10}
    reference = kit.fit_path(X, y, **options)
    for other in (np.asfortranarray(X), sparse.csc_array(X), sparse.csr_array(X), X.astype(np.float32)):
        path = kit.fit_path(other, y, **options)
        mine, theirs = (unique(family, penalty, 1.0, fit.coef) for fit in (path, reference))
        np.testing.assert_allclose(mine, theirs, atol=2e-5 * np.abs(reference.coef).max())


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(KINDS), l1_ratio=st.sampled_from([1.0, 0.4]))
def test_weights_are_replication_and_order_does_not_matter(kit, seed, kind, l1_ratio):
    X, y = kit.make_data(kind[0], 40, 5, seed=seed, classes=3)
    rng = np.random.default_rng(seed)
    count = rng.integers(1, 4, size=40)
    options = {"family": kind[0], "penalty": kind[1], "l1_ratio": l1_ratio, "lambdas": [0.1, 0.02], "tol": 1e-10}
    weighted = kit.fit_path(X, y, sample_weight=count, **options)
    rows, columns = rng.permutation(np.repeat(np.arange(40), count)), rng.permutation(5)
    replicated = kit.fit_path(X[rows][:, columns], y[rows], **options)
    close = {"atol": 1e-4 * max(1.0, np.abs(weighted.coef).max())}
    np.testing.assert_allclose(replicated.coef, weighted.coef[:, columns], **close)
    np.testing.assert_allclose(replicated.intercept, weighted.intercept, **close)


@pytest.mark.parametrize(("family", "penalty"), KINDS)
def test_scales_of_columns_and_constant_offsets_do_not_matter(kit, family, penalty):
    X, y = kit.make_data(family, 60, 5, seed=6)
    options = {"family": family, "penalty": penalty, "n_lambdas": 5, "lambda_min_ratio": 0.05, "tol": 1e-11}
    plain = kit.fit_path(X, y, **options)
    size = np.array([1.0, 10.0, 0.1, 3.0, 1.0])
    scaled = kit.fit_path(X * size + 5.0, y, offset=np.full(60, 0.7), **options)
    coef = scaled.coef * (size if family == "ordinal" else size[:, None])
    mine, theirs = (unique(family, penalty, 1.0, b) for b in (coef, plain.coef))
    np.testing.assert_allclose(mine, theirs, atol=1e-4 * np.abs(plain.coef).max())
    np.testing.assert_allclose(scaled.predict(X * size + 5.0, offset=np.full(60, 0.7)), plain.predict(X), atol=2e-4)


@pytest.mark.parametrize("penalty", ["elastic_net", "group_lasso"])
def test_classes_may_be_called_and_ordered_otherwise(kit, penalty):
    X, y = kit.make_data("multinomial", 90, 6, seed=9)
    options = {"family": "multinomial", "penalty": penalty, "n_lambdas": 6, "lambda_min_ratio": 0.05, "tol": 1e-10}
    plain = kit.fit_path(X, y, **options)
    names = np.array(["pear", "apple", "fig", "plum"])  # sorted: apple, fig, pear, plum
    named = kit.fit_path(X, names[y], **options)
    assert named.responses == ("apple", "fig", "pear", "plum")
    order = [1, 2, 0, 3]
    mine, theirs = (unique("multinomial", penalty, 1.0, fit.coef) for fit in (named, plain))
    np.testing.assert_allclose(mine, theirs[:, :, order], atol=1e-4 * np.abs(plain.coef).max())
    np.testing.assert_allclose(named.intercept.sum(axis=1), 0.0, atol=1e-12)
    classes = named.predict(X, lam=named.lambdas[-1], kind="class")
    assert classes.dtype.kind == "U"
    assert np.mean(classes == names[y]) > 0.6
    assert kit.fit_path(X, np.eye(4)[y], **options).responses == (0, 1, 2, 3)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
def test_two_classes_are_the_binomial_model(kit, l1_ratio):
    """Ungrouped: b2 - b1 = b, |b1| + |b2| = |b|, and the ridge part b1 = -b2 = -b/2 halves; grouped: sqrt(2) less."""
    X, y = kit.make_data("multinomial", 80, 6, seed=2, classes=2)
    lambdas, a = np.array([0.08, 0.03, 0.01]), l1_ratio
    several = kit.fit_path(X, y, family="multinomial", l1_ratio=a, lambdas=lambdas, tol=1e-11)
    # lam [a |b| + (1 - a)/2 * 2 (b/2)^2] = lam' [a' |b| + (1 - a')/2 b^2] with lam' = lam (1 + a)/2, a' = 2a/(1 + a)
    one = kit.fit_path(X, y, family="binomial", l1_ratio=2 * a / (1 + a), lambdas=lambdas * (1 + a) / 2, tol=1e-12)
    np.testing.assert_allclose(several.coef[:, :, 1] - several.coef[:, :, 0], one.coef, atol=2e-5)
    np.testing.assert_allclose(several.intercept[:, 1] - several.intercept[:, 0], one.intercept, atol=2e-5)
    grouped = kit.fit_path(X, y, family="multinomial", penalty="group_lasso", lambdas=lambdas, tol=1e-11)
    one = kit.fit_path(X, y, family="binomial", lambdas=lambdas / np.sqrt(2.0), tol=1e-12)
    np.testing.assert_allclose(grouped.coef[:, :, 1] - grouped.coef[:, :, 0], one.coef, atol=2e-5)


def test_two_levels_are_the_binomial_model(kit):
    X, y = kit.make_data("ordinal", 80, 6, seed=2, classes=2)
    options = {"n_lambdas": 6, "lambda_min_ratio": 0.02, "tol": 1e-11}
    levels, classes = (kit.fit_path(X, y, family=family, **options) for family in ("ordinal", "binomial"))
    np.testing.assert_allclose(levels.lambdas, classes.lambdas, rtol=1e-9)
    np.testing.assert_allclose(levels.coef, classes.coef, atol=1e-5)
    np.testing.assert_allclose(levels.intercept[:, 0], classes.intercept, atol=1e-5)


def test_levels_in_reverse_change_signs(kit):
    X, y = kit.make_data("ordinal", 80, 6, seed=3)
    options = {"family": "ordinal", "n_lambdas": 6, "lambda_min_ratio": 0.02, "tol": 1e-11}
    up, down = kit.fit_path(X, y, **options), kit.fit_path(X, 3 - y, **options)
    np.testing.assert_allclose(up.coef, -down.coef, atol=1e-5)
    np.testing.assert_allclose(up.intercept, -down.intercept[:, ::-1], atol=1e-5)
    assert np.all(np.diff(up.intercept, axis=1) < 0.0)  # thresholds ascend


def test_responses_may_be_rotated_where_they_are_penalised_together(kit):
    X, Y = kit.make_data("multigaussian", 60, 6, seed=3)
    Q = ortho_group.rvs(4, random_state=1)
    options = {"family": "multigaussian", "penalty": "group_lasso", "lambdas": [1.0, 0.3, 0.05], "tol": 1e-12}
    plain, rotated = kit.fit_path(X, Y, **options), kit.fit_path(X, Y @ Q, **options)
    np.testing.assert_allclose(rotated.coef, plain.coef @ Q, atol=1e-6)


def test_responses_penalised_apart_are_fitted_apart(kit):
    X, Y = kit.make_data("multigaussian", 60, 6, seed=3)
    lambdas = [1.0, 0.3, 0.05]
    together = kit.fit_path(X, Y, family="multigaussian", lambdas=lambdas, tol=1e-13)
    for k in range(4):
        np.testing.assert_allclose(together.coef[:, :, k], kit.fit_path(X, Y[:, k], lambdas=lambdas, tol=1e-13).coef,
                                   atol=1e-7)  # fmt: skip


@pytest.mark.parametrize("family", ["multinomial", "ordinal"])
def test_shares_rows_twice_are_the_mean_of_both(kit, family):
    X, y = kit.make_data(family, 50, 4, seed=5, classes=3)
    if family == "ordinal":
        assert kit.fit_path(X, np.eye(3)[y], family=family, lambdas=[0.1]).coef == pytest.approx(
            kit.fit_path(X, y, family=family, lambdas=[0.1]).coef
        )
        return
    other = (y + np.random.default_rng(0).integers(0, 2, size=50)) % 3
    shares = 0.5 * (np.eye(3)[y] + np.eye(3)[other])
    twice = kit.fit_path(np.vstack([X, X]), np.r_[y, other], family=family, lambdas=[0.05], tol=1e-10)
    np.testing.assert_allclose(
        kit.fit_path(X, shares, family=family, lambdas=[0.05], tol=1e-10).coef, twice.coef, atol=1e-5
    )


def test_nothing_penalised_is_given_with_the_sum_zero_over_classes(kit):
    X, y = kit.make_data("multinomial", 300, 3, seed=5, classes=3)
    path = kit.fit_path(X, y, family="multinomial", lambdas=[0.0], tol=1e-10)
    np.testing.assert_allclose(path.coef.sum(axis=2), 0.0, atol=1e-10)
    assert kit.worst(path, X, y) <= 1e-9
    free = kit.fit_path(X, y, family="multinomial", lambdas=[0.05], penalty_factor=[0.0, 1.0, 1.0], tol=1e-10)
    np.testing.assert_allclose(free.coef[0, 0].sum(), 0.0, atol=1e-10)
