"""Adaptive penalties: the lasso with weights from a first fit, found anew in each fold."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import bridle
from bridle.certificates import certify
from bridle.convert import from_glmnet
from bridle.errors import InputError
from bridle.losses import get_family
from bridle.path import fit_path
from bridle.penalties import Penalty, read_penalty
from bridle.selection import cross_validate, effective_df, make_folds

FOLDER = Path(__file__).parents[1] / "oracle_data" / "relaxed"
FIGURES = json.loads((FOLDER / "figures.json").read_text())["adaptive"]
DATA = {name: np.array(values) for name, values in json.loads((FOLDER / "inputs.json").read_text()).items()}
SHORT = {"n_lambdas": 8, "lambda_min_ratio": 0.05}


def weights_by_hand(b, scale, gamma):
    return 1.0 / np.abs(b * scale) ** gamma


@pytest.mark.parametrize(("family", "gamma"), [("gaussian", 1.0), ("binomial", 0.5), ("poisson", 2.0)])
def test_glmnets_lasso_with_zous_weights(family, gamma):
    """glmnet is given the weights, and rescales them; here they are part of the fit."""
    figures, X, y = FIGURES[family], DATA["X"], DATA[family]
    v = np.array(figures["weights"])
    there = from_glmnet(DATA["grid"], 1.0, penalty_factor=v)
    path = fit_path(
        X, y, family=family, penalty=f"adaptive_lasso(gamma={gamma}, initial='ols')", tol=1e-13,
        lambdas=there.lam, max_iter=1_000_000,
    )  # fmt: skip
    np.testing.assert_allclose(path.factor, v, rtol=1e-4 if family == "poisson" else 1e-5)
    np.testing.assert_allclose(np.column_stack([path.intercept, path.coef]), figures["coef"], atol=2e-5)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "gamma", "huber(delta=1)", "cox"])
@pytest.mark.parametrize("initial", ["ridge", "ols", "lasso"])
def test_every_family_is_certified_with_its_own_weights(kit, family, initial):
    X, y, _ = kit.data(family if family in ("binomial", "poisson") else "gaussian", 100, 8, seed=1)
    if family == "gamma":
        y = np.exp(0.5 * y)
    if family == "cox":
        y = bridle.survival_target(np.exp(-y), np.arange(100) % 4 > 0)
    factor = np.array([0.0, np.inf, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    spec = f"adaptive_lasso(gamma=1.5, initial={initial!r})"
    path = fit_path(X, y, family=family, penalty=spec, penalty_factor=factor, tol=1e-8, **SHORT)
    assert path.converged
    assert path.penalty == spec
    assert path.factor[0] == 0.0
    assert path.factor[1] == np.inf
    penalty = Penalty(1.0, path.factor)
    worst = max(
        certify(X, y, path.intercept[k], path.coef[k], float(path.lambdas[k]), family=family, penalty=penalty)
        .relative_gap for k in range(8)
    )  # fmt: skip
    assert worst <= 1e-8 * (1.0 + 1e-6)
    assert "divided by |s_j b_j|^1.5 of a first fit" in path.objective


def test_the_weights_are_those_of_the_first_fit(kit):
    X, y, _ = kit.data("gaussian", 90, 7, seed=2)
    ols = fit_path(X, y, lambdas=[0.0], tol=1e-12)
    path = fit_path(X, y, penalty="adaptive_lasso(gamma=0.5, initial='ols')", **SHORT)
    np.testing.assert_allclose(path.factor, weights_by_hand(ols.coef[0], ols.scale, 0.5), rtol=1e-6)
    assert path.factor.min() == path.factor[np.argmax(np.abs(ols.coef[0] * ols.scale))]
    with_v = fit_path(X, y, penalty_factor=path.factor, lambdas=path.lambdas)
    np.testing.assert_array_equal(path.coef, with_v.coef)


def test_ridges_lambda_is_the_best_of_five_folds(kit):
    X, y, _ = kit.data("gaussian", 90, 7, seed=3)
    path = fit_path(X, y, penalty="adaptive_lasso", **SHORT)
    order = np.argsort(y)
    folds = [(np.sort(np.delete(order, slice(k, None, 5))), np.sort(order[k::5])) for k in range(5)]
    found = cross_validate(X, y, folds=folds, l1_ratio=0.0, n_lambdas=50, tol=1e-10, effective_df=False)
    best = found.select("min").index
    expected = weights_by_hand(found.paths[0].coef_row(best), found.paths[0].scale, 1.0)
    np.testing.assert_allclose(path.factor, expected, rtol=1e-3)


def test_zeros_of_a_lasso_as_first_fit_stay_out(kit):
    X, y, _ = kit.data("gaussian", 60, 30, seed=4)
    path = fit_path(X, y, penalty="adaptive_lasso(initial='lasso')", **SHORT)
    out = np.isinf(path.factor)
    assert 0 < out.sum() < 30
    assert not path.coef[:, out].any()


def test_more_features_than_rows(kit):
    X, y, _ = kit.data("gaussian", 50, 120, seed=5)
    for initial in ("ridge", "ols", "lasso"):
        path = fit_path(X, y, penalty=f"adaptive_lasso(initial={initial!r})", **SHORT)
        assert path.converged
        assert path.n_nonzero[-1] > 0


def test_the_oracle_property_shows():
    """Weights of a consistent first fit keep what is there and leave out what isn't, where the lasso takes noise in."""
    rng = np.random.default_rng(6)
    X = rng.normal(size=(300, 10)) + 0.7 * rng.normal(size=(300, 1))
    y = X[:, :3] @ [3.0, 1.5, 2.0] + rng.normal(size=300)
    kept = {}
    for spec in ("elastic_net", "adaptive_lasso(gamma=2)"):
        found = cross_validate(X, y, folds=5, penalty=spec)
        chosen = found.select("min")
        kept[spec] = set(np.flatnonzero(found.paths[chosen.curve].coef_row(chosen.index)))
    assert {0, 1, 2} <= kept["adaptive_lasso(gamma=2)"] < kept["elastic_net"]


@pytest.mark.parametrize("spec", ["adaptive_lasso(gamma=1)", "adaptive_group_lasso(gamma=1)"])
@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_folds_find_their_own_weights(kit, family, spec):
    """No fold's weights know of the rows that it holds out."""
    X, y, groups = kit.data(family, 90, 9, seed=7)
    labels = groups if "group" in spec else None
    folds = make_folds(y, family=family, n_splits=3)
    options = {"family": family, "penalty": spec, "groups": labels, "tol": 1e-9}
    found = cross_validate(X, y, folds=folds, relax=[0.0, 1.0], **options, **SHORT)
    lambdas = found.curves[0].values
    for j, (train, test) in enumerate(folds):
        fold = fit_path(X[train], y[train], lambdas=lambdas, **options)
        expected = get_family(family).mean_deviance(y[test], fold.linear_predictor(X[test]))
        np.testing.assert_allclose(found.curves[0].test_loss[j], expected, rtol=1e-7)
        assert not np.allclose(fold.factor, found.paths[0].factor)
    assert found.curves[0].model == read_penalty(spec).words


def test_degrees_of_freedom_know_the_weights(kit):
    X, y, _ = kit.data("gaussian", 90, 7, seed=8)
    path = fit_path(X, y, penalty="adaptive_lasso", l1_ratio=0.7, **SHORT)
    same = fit_path(X, y, penalty_factor=path.factor, l1_ratio=0.7, lambdas=path.lambdas)
    np.testing.assert_allclose(
        effective_df(path, X, y), effective_df(same, X, y, penalty_factor=path.factor), rtol=1e-9
    )


def test_groups_are_weighed_as_wholes(kit):
    X, y, groups = kit.data("gaussian", 120, 12, seed=9)
    X[:, 4] = 1.0  # a constant column doesn't speak for its group
    path = fit_path(X, y, penalty="adaptive_group_lasso(initial='ols')", groups=groups, tol=1e-9, **SHORT)
    ols = fit_path(X, y, lambdas=[0.0], tol=1e-12)
    norms = np.sqrt(np.bincount(groups, (ols.coef[0] * ols.scale) ** 2))
    np.testing.assert_allclose(path.factor, 1.0 / norms[groups], rtol=1e-5)
    assert path.converged
    same = fit_path(X, y, penalty="group_lasso", groups=groups, penalty_factor=path.factor, lambdas=path.lambdas)
    np.testing.assert_allclose(path.coef, same.coef, atol=1e-5)
    assert kit.referee(path, X, y, factor=path.factor) <= 1e-9 * (1.0 + 1e-6)


@settings(max_examples=15, deadline=None)
@given(
    family=st.sampled_from(["gaussian", "binomial", "poisson"]),
    seed=st.integers(0, 10_000),
    gamma=st.sampled_from([0.5, 1.0, 2.0]),
    initial=st.sampled_from(["ols", "ridge"]),
)
def test_weights_are_replication_and_order_units_and_storage_do_not_matter(kit, family, seed, gamma, initial):
    X, y, _ = kit.data(family, 60, 6, seed=seed)
    rng = np.random.default_rng(seed)
    w = rng.integers(1, 3, 60)
    spec = f"adaptive_lasso(gamma={gamma}, initial={initial!r})"
    options = {"family": family, "penalty": spec, "tol": 1e-11, "lambda_min_ratio": 0.2, "n_lambdas": 4}
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        path = fit_path(X, y, sample_weight=w, **options)
    many, order, unit = np.repeat(np.arange(60), w), rng.permutation(6), np.linspace(0.2, 5.0, 6)
    close = {"atol": 1e-4 * max(np.abs(path.coef).max(), 1e-3)}
    again = fit_path(X[many], y[many], **options)
    np.testing.assert_allclose(again.coef, path.coef, **close)
    moved = fit_path(X[:, order] * unit, y, sample_weight=w, **options)
    np.testing.assert_allclose(moved.coef * unit, path.coef[:, order], **close)
    stored = fit_path(sparse.csc_array(X), y, sample_weight=w, **options)
    np.testing.assert_allclose(stored.coef, path.coef, **close)


def test_ridges_weights_do_not_depend_on_the_order_of_rows(kit):
    X, y, _ = kit.data("gaussian", 60, 6, seed=10)
    order = np.random.default_rng(0).permutation(60)
    path, moved = (fit_path(A, b, penalty="adaptive_lasso", **SHORT) for A, b in ((X, y), (X[order], y[order])))
    np.testing.assert_allclose(moved.factor, path.factor, rtol=1e-6)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("adaptive_lasso(gamma=0)", "gamma must be finite and above 0"),
        ("adaptive_lasso(initial='mcp')", "initial must be one of ridge, ols, lasso"),
        ("adaptive_lasso(power=2)", "has no parameter 'power'"),
        ("adaptive_group_lasso", "needs groups"),
    ],
)
def test_misuse_is_told(kit, spec, message):
    X, y, _ = kit.data("gaussian", 30, 6, seed=11)
    with pytest.raises(InputError, match=message):
        fit_path(X, y, penalty=spec)


def test_what_has_no_weights_is_told(kit):
    rng = np.random.default_rng(12)
    X = rng.normal(size=(40, 3))
    separated = (X[:, 0] > 0.0).astype(float)
    with pytest.raises(InputError, match="use initial='ridge'"):
        fit_path(X, separated, family="binomial", penalty="adaptive_lasso(initial='ols')")
    assert fit_path(X, separated, family="binomial", penalty="adaptive_lasso", **SHORT).converged
    few = np.zeros(40)
    few[0] = 1.0
    assert fit_path(X, few, family="binomial", penalty="adaptive_lasso", **SHORT).converged
