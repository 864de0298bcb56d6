"""Every family through cross-validation and rules, and what must not change its answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bridle
from bridle.errors import InputError
from bridle.losses import get_family
from bridle.path import fit_path
from bridle.selection import select

SPECS = (
    "gamma",
    "tweedie(power=1.4)",
    "negative_binomial(theta=1.5)",
    "huber(delta=0.8)",
    "quantile(tau=0.7, bandwidth=0.2)",
    "squared_hinge",
)


def table(spec, n=70, p=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.linspace(0.5, 2.0, p)
    eta, family = 0.4 + 0.6 * X[:, 0] - 0.3 * X[:, -1], get_family(spec)
    if family.is_classifier:
        return X, (eta + rng.logistic(size=n) > 0.3).astype(float)
    if family.link_name == "log":
        y = rng.gamma(1.5, np.exp(eta) / 1.5)
        return X, y if family.positive_only else np.floor(2 * y)
    return X, eta + rng.standard_t(2, n)


def both(spec, *changes, **options):
    return [fit_path(X, y, family=spec, tol=1e-11, **(options | more)) for X, y, more in changes]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(spec=st.sampled_from(SPECS), l1_ratio=st.sampled_from([1.0, 0.5, 0.0]), seed=st.integers(0, 50))
def test_weights_are_copies_and_an_offset_moves_the_intercept(spec, l1_ratio, seed):
    X, y = table(spec, seed=seed)
    if np.ptp(y) == 0:
        return
    w = np.random.default_rng(seed).integers(1, 4, len(y))
    top = fit_path(X, y, family=spec, l1_ratio=l1_ratio, sample_weight=w, n_lambdas=1).lambda_max
    lambdas, copies = [0.3 * top, 0.03 * top], (np.repeat(X, w, axis=0), np.repeat(y, w), {})
    one, two, moved = both(
        spec, (X, y, {"sample_weight": w}), copies, (X, y, {"sample_weight": w, "offset": np.full(len(y), 0.6)}),
        lambdas=lambdas, l1_ratio=l1_ratio,
    )  # fmt: skip
    np.testing.assert_allclose(one.coef, two.coef, atol=1e-4)
    np.testing.assert_allclose(one.coef, moved.coef, atol=1e-4)
    np.testing.assert_allclose(one.intercept - moved.intercept, 0.6, atol=1e-4)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(spec=st.sampled_from(SPECS), l1_ratio=st.sampled_from([1.0, 0.5]), seed=st.integers(0, 50))
def test_units_of_features_and_orders_of_rows_and_columns_change_nothing(spec, l1_ratio, seed):
    X, y = table(spec, seed=seed)
    if np.ptp(y) == 0:
        return
    rng = np.random.default_rng(seed)
    rows, columns, unit = rng.permutation(len(y)), rng.permutation(5), np.array([1.0, 1e3, 1e-3, 7.0, 0.1])
    lambdas = fit_path(X, y, family=spec, l1_ratio=l1_ratio, n_lambdas=4).lambdas[1:]
    one, scaled, mixed = both(
        spec,
        (X, y, {}),
        (X * unit + 5.0, y, {}),
        (X[rows][:, columns], y[rows], {}),
        lambdas=lambdas,
        l1_ratio=l1_ratio,
    )
    np.testing.assert_allclose(one.coef, scaled.coef * unit, atol=1e-4)
    np.testing.assert_allclose(one.coef[:, columns], mixed.coef, atol=1e-4)


@pytest.mark.parametrize("spec", ["huber(delta={})", "quantile(tau=0.7, bandwidth={})"])
def test_the_unit_of_the_target_scales_the_answer(spec):
    X, y = table("huber(delta=1)")
    small = fit_path(X, y, family=spec.format(0.5), n_lambdas=6, tol=1e-11)
    large = fit_path(X, 100 * y, family=spec.format(50.0), n_lambdas=6, tol=1e-11)
    np.testing.assert_allclose(100 * small.coef, large.coef, atol=1e-3)
    np.testing.assert_allclose(large.lambdas / small.lambdas, 100.0 if "huber" in spec else 1.0, rtol=1e-9)


@pytest.mark.parametrize("spec", SPECS)
def test_curves_rules_and_held_out_deviances(spec):
    X, y = table(spec, n=120)
    found = bridle.cross_validate(
        X, y, folds=bridle.make_folds(y, family=spec, n_splits=4), family=spec, n_lambdas=12, effective_df=True
    )
    curve, family = found.curves[0], get_family(spec)
    train, test = found.folds.pairs[0]
    path = fit_path(X[train], y[train], family=spec, lambdas=curve.values)
    by_means = [np.mean(family.deviance(y[test], family.mean(eta))) for eta in path.linear_predictor(X[test]).T]
    np.testing.assert_allclose(curve.test_loss[0], by_means, rtol=1e-4)
    for rule in ("min", "1se"):
        assert 0 <= select(curve, rule).index < 12
    if family.information == "none":
        with pytest.raises(InputError, match="need a likelihood"):
            select(curve, "bic")
    else:
        assert select(curve, "bic").index <= select(curve, "aic").index


def test_what_is_open_is_estimated_once_for_all_folds():
    X, y = table("negative_binomial(theta=1.5)", n=150)
    found = bridle.cross_validate(
        X, y, folds=bridle.make_folds(y, n_splits=3), family="negative_binomial", n_lambdas=10
    )
    settled = bridle.settle_family(X, y, family="negative_binomial")
    assert found.curves[0].family == found.paths[0].family == settled.spec
    assert "theta" in settled.parameters and bridle.settle_family(X, y, family=settled) == settled
    with pytest.raises(InputError, match="needs a value for theta"):
        get_family("negative_binomial").deviance(y, y + 1.0)
    shares = bridle.cross_validate(
        X, np.column_stack([y, y + 1]), folds=bridle.make_folds(y, n_splits=3), family="binomial", n_lambdas=5
    )
    assert shares.curves[0].sum_weight == np.sum(2 * y + 1)


@pytest.mark.parametrize(("n", "p"), [(60, 60), (60, 600)])
@pytest.mark.parametrize("family", ["quantile(tau=0.5)", "huber"])
def test_as_many_features_as_rows_dont_eat_the_spread(family, n, p):
    rng = np.random.default_rng(12)
    X, noise = rng.standard_normal((n, p)), rng.standard_normal(n)
    found = bridle.settle_family(X, 0.5 * X[:, :5].sum(axis=1) + noise, family=family)
    known = get_family(family).settle(noise, np.zeros(n), np.full(n, 1.0 / n))
    [(name, value)] = [(k, v) for k, v in known.parameters.items() if k != "tau"]
    assert 0.4 * value < found.parameters[name] < 2.5 * value
