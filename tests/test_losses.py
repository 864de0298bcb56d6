"""Families and penalties against finite differences, brute force and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_poisson_deviance

from bridle.errors import InputError
from bridle.losses import BINOMIAL, GAUSSIAN, POISSON, get_family
from bridle.penalties import Penalty

TARGETS = {
    "gaussian": [-3.0, 0.0, 2.5],
    "binomial": [0.0, 0.3, 1.0],
    "poisson": [0.0, 1.0, 7.0],
    "gamma": [0.2, 1.0, 7.0],
    "tweedie(power=1.5)": [0.0, 0.3, 7.0],
    "tweedie(power=1.01)": [0.0, 1.0, 7.0],
    "tweedie(power=1.99)": [0.0, 0.3, 7.0],
    "negative_binomial(theta=2.0)": [0.0, 1.0, 7.0],
    "huber(delta=1.3)": [-3.0, 0.0, 2.5],
    "quantile(tau=0.3, bandwidth=0.5)": [-3.0, 0.0, 2.5],
    "squared_hinge": [0.0, 1.0],
}
ETA = np.linspace(-4.0, 3.0, 41)


@pytest.mark.parametrize("name", TARGETS)
def test_derivatives_agree_with_finite_differences(name):
    f, h = get_family(name), 1e-5
    for target in TARGETS[name]:
        y = np.full_like(ETA, target)
        slope = (f.loss(y, ETA + h) - f.loss(y, ETA - h)) / (2 * h)
        np.testing.assert_allclose(f.gradient(y, ETA), slope, atol=1e-8)
        bend = (f.gradient(y, ETA + h) - f.gradient(y, ETA - h)) / (2 * h)
        np.testing.assert_allclose(f.curvature(y, ETA), bend, atol=1e-8)


@pytest.mark.parametrize("name", TARGETS)
def test_conjugate_is_attained_at_the_gradient_and_never_exceeded(name):
    f = get_family(name)
    for target in TARGETS[name]:
        y = np.full_like(ETA, target)
        u = f.gradient(y, ETA)
        np.testing.assert_allclose(f.conjugate(y, u), u * ETA - f.loss(y, ETA), rtol=1e-12, atol=1e-12)
        grid = np.linspace(-8, 8, 2001)
        for ui, value in zip(u[::10], f.conjugate(y, u)[::10], strict=True):
            assert np.all(ui * grid - f.loss(np.full_like(grid, target), grid) <= value + 1e-12 * (1 + abs(value)))


def test_conjugates_are_infinite_outside_their_domain():
    assert np.isposinf(BINOMIAL.conjugate(np.array([1.0]), np.array([0.1])))
    assert np.isposinf(POISSON.conjugate(np.array([1.0]), np.array([-1.1])))


@pytest.mark.parametrize("name", TARGETS)
def test_deviance_is_twice_the_loss_above_saturation(name):
    f = get_family(name)
    for target in TARGETS[name]:
        y = np.full_like(ETA, target)
        wanted = 2 * (f.loss(y, ETA) - f.saturated(y))
        np.testing.assert_allclose(f.deviance(y, f.mean(ETA)), wanted, rtol=1e-12, atol=1e-11)
        assert np.all(wanted >= -1e-12)


def test_deviances_equal_scikit_learns():
    rng = np.random.default_rng(0)
    counts, mu = rng.poisson(3, 50).astype(float), rng.uniform(0.5, 6, 50)
    assert POISSON.deviance(counts, mu).mean() == pytest.approx(mean_poisson_deviance(counts, mu), rel=1e-12)
    label, p = rng.integers(0, 2, 50).astype(float), rng.uniform(0.05, 0.95, 50)
    assert BINOMIAL.deviance(label, p).mean() == pytest.approx(2 * log_loss(label, p), rel=1e-12)


def test_links_invert_means_and_stay_finite_far_out():
    for f in map(get_family, TARGETS):
        np.testing.assert_allclose(f.link(f.mean(ETA)), ETA, atol=1e-12)
    assert BINOMIAL.loss(np.array([1.0, 0.0]), np.array([800.0, -800.0])).tolist() == [0.0, 0.0]


def some_target(name, rng, n):
    f = get_family(name)
    if f.is_classifier:
        return rng.integers(0, 2, n).astype(float)
    if f.link_name == "log":
        return rng.gamma(1.0, 2.0, n) if f.positive_only else rng.poisson(3, n).astype(float)
    return rng.normal(5, 2, n)


@pytest.mark.parametrize("name", TARGETS)
def test_null_predictor_zeroes_the_gradient_with_offset_and_weights(name):
    f, rng = get_family(name), np.random.default_rng(1)
    y, w, o = some_target(name, rng, 60), rng.uniform(0, 2, 60), rng.normal(0, 1.5, 60)
    for offset in (np.zeros(60), o):
        b = f.null_predictor(y, w, offset)
        assert abs(np.sum(w * f.gradient(y, b + offset))) < 1e-10


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("far", [1.0, 30.0])
def test_the_core_says_what_numpy_does(name, far):
    f, rng = get_family(name), np.random.default_rng(4)
    y, w = some_target(name, rng, 700), rng.uniform(0, 1, 700)
    w[:50] = 0.0
    w /= w.sum()
    eta = rng.normal(0, far, 700)
    for s in (0.0, 0.3, 0.9, 1 - 1e-6, 1.0):
        value, residual, curvature, saturated, gap, cost, together = f.core(y).probe(y, w, eta, s)
        u = s * f.gradient(y, eta)
        wanted = w @ (f.loss(y, eta) + f.conjugate(y, u) - u * eta)
        assert value == pytest.approx(w @ f.loss(y, eta), rel=1e-11)
        np.testing.assert_allclose(residual, -w * f.gradient(y, eta), rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(curvature, w * f.curvature(y, eta), rtol=1e-11, atol=1e-14)
        assert saturated == pytest.approx(w @ f.saturated(y), rel=1e-12)
        assert gap == pytest.approx(wanted, rel=1e-9, abs=1e-11 * (1 + abs(value)))
        assert gap * (1 - 1e-9) <= cost + 1e-11 * (1 + abs(value))
        assert together[0] == pytest.approx(value, rel=1e-12)
        np.testing.assert_array_equal(together[1], residual)
        np.testing.assert_array_equal(together[2], curvature)


@pytest.mark.parametrize("name", TARGETS)
def test_the_solver_bounds_the_gap_of_scaling_from_above_and_closely(name):
    f, rng = get_family(name), np.random.default_rng(5)
    eta = rng.normal(0, 0.5, 700)
    y, w = some_target(name, rng, 700), np.full(700, 1 / 700)
    y = np.minimum(y, 3.0) if name not in ("binomial", "squared_hinge") else y
    for s in (0.95, 0.999, 1 - 1e-6):
        found = f.core(y).probe(y, w, eta, s)
        assert found[4] * (1 - 1e-9) <= found[5] + 1e-18
        assert found[5] <= 1.1 * found[4] + 1e-15


@pytest.mark.parametrize("name", ["binomial", "quantile(tau=0.3, bandwidth=0.002)"])
def test_the_gap_is_right_where_probabilities_underflow(name):
    f, eta = get_family(name), np.array([-900.0, -3.0, 2.0, 700.0, 5000.0])
    y, w = np.array([1.0, 0.0, 1.0, 0.0, 1.0]), np.full(5, 0.2)
    for s in (0.2, 0.999):
        u = s * f.gradient(y, eta)
        wanted = w @ (f.loss(y, eta) + f.conjugate(y, u) - u * eta)
        assert f.core(y).probe(y, w, eta, s)[4] == pytest.approx(wanted, rel=1e-9)


def test_limits_of_families_are_the_families_of_the_limits():
    eta, y = ETA, np.full_like(ETA, 3.0)
    near = {
        "tweedie(power=1.000001)": "poisson",
        "tweedie(power=1.999999)": "gamma",
        "negative_binomial(theta=1e7)": "poisson",
    }
    for close, limit in near.items():
        f, g = get_family(close), get_family(limit)
        np.testing.assert_allclose(f.gradient(y, eta), g.gradient(y, eta), rtol=2e-5, atol=1e-5)
        np.testing.assert_allclose(f.deviance(y, np.exp(eta)), g.deviance(y, np.exp(eta)), rtol=1e-4)
    assert get_family("tweedie(power=1)") is POISSON is get_family("negative_binomial(theta=inf)")
    assert get_family("tweedie(power=2)") is get_family("gamma")


def test_smoothing_raises_the_pinball_loss_by_less_than_its_bandwidth_says():
    y, h = np.zeros_like(ETA), 0.2
    pinball = np.where(-ETA >= 0, 0.3 * -ETA, 0.7 * ETA)
    excess = get_family("quantile(tau=0.3, bandwidth=0.2)").loss(y, ETA) - pinball
    assert np.all((excess >= -1e-15) & (excess <= h * np.minimum(np.log(2), np.exp(-np.abs(ETA) / h)) + 1e-15))


def test_impossible_targets_are_named():
    with pytest.raises(InputError, match="row 2 has"):
        BINOMIAL.check_target(np.array([0.0, 1.0, 2.0]))
    with pytest.raises(InputError, match="poisson family needs"):
        POISSON.check_target(np.array([-1.0]))
    with pytest.raises(InputError, match="finite"):
        GAUSSIAN.check_target(np.array([np.nan]))
    with pytest.raises(InputError, match="expected one of gaussian"):
        get_family("cauchy")
    with pytest.raises(InputError, match="numbers above 0; row 1"):
        get_family("gamma").target([1.0, 0.0], 2)
    with pytest.raises(InputError, match="at least 0"):
        get_family("negative_binomial(theta=1)").target([1.0, -2.0], 2)
    with pytest.raises(InputError, match="0 and 1, or -1 and 1"):
        get_family("squared_hinge").target([1.0, 2.0], 2)
    assert get_family("squared_hinge").target([1, -1, -1], 3).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tweedie(power=2.5)", "isn't convex"),
        ("tweedie(power=0)", "use gaussian"),
        ("tweedie(power=0.5)", "from 1"),
        ("negative_binomial(theta=0)", "above 0"),
        ("huber(delta=-1)", "above 0"),
        ("quantile(tau=1)", "between 0 and 1"),
        ("quantile(bandwidth=0)", "above 0"),
        ("gamma(shape=2)", "gamma"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(spec, message):
    with pytest.raises(InputError, match=message):
        get_family(spec)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_penalty_conjugate_equals_a_search_over_the_box(l1_ratio):
    rng, lam, p = np.random.default_rng(2), 0.7, 40
    z, v = rng.normal(0, 2, p), rng.choice([0.0, 0.5, 1.0, 3.0], p)
    lower, upper = -rng.choice([0.0, 0.5, 2.0], p), rng.choice([0.0, 0.5, 2.0], p)
    got = Penalty(l1_ratio).conjugate(z, lam, v, lower, upper)
    for j in range(p):
        b = np.linspace(lower[j], upper[j], 200_001)
        brute = np.max(z[j] * b - lam * v[j] * (l1_ratio * abs(b) + (1 - l1_ratio) / 2 * b**2))
        assert got[j] == pytest.approx(max(brute, 0.0), abs=1e-9)


def test_penalty_conjugate_without_bounds():
    free = (np.array([-np.inf]), np.array([np.inf]))
    lasso, ridge, one = Penalty(1.0), Penalty(0.0), np.array([1.0])
    assert lasso.conjugate(np.array([0.9]), 1.0, one, *free) == 0.0
    assert np.isposinf(lasso.conjugate(np.array([1.1]), 1.0, one, *free))
    assert ridge.conjugate(np.array([3.0]), 2.0, one, *free) == pytest.approx(9 / 4)
    assert np.isposinf(ridge.conjugate(np.array([1e-9]), 2.0, np.array([0.0]), *free))
    assert ridge.conjugate(np.array([5.0]), 2.0, np.array([np.inf]), *free) == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l1_ratio": 1.5}, "l1_ratio must lie in"),
        ({"l1_ratio": float("nan")}, "l1_ratio must lie in"),
        ({"factor": np.array([1.0, -1.0])}, "number 1 is"),
        ({"lower": 0.5}, "bounds must hold 0"),
        ({"upper": np.array([1.0, -0.1])}, "bounds must hold 0"),
    ],
)
def test_penalties_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Penalty(**options)


def test_a_family_is_named_by_its_spec():
    assert get_family("poisson") is POISSON is get_family(POISSON)
    assert [f.spec for f in (GAUSSIAN, BINOMIAL, POISSON)] == ["gaussian", "binomial", "poisson"]


@pytest.mark.parametrize("spec", ["poison", "poisson(", "poisson(power=2)", "poisson(2)", "poisson(a=b)", "", None, 3])
def test_what_names_no_family_is_refused(spec):
    with pytest.raises(InputError, match="famil"):
        get_family(spec)
