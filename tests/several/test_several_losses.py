"""Families with several predictors: the NumPy functions against differences, sums and optimisers."""

import numpy as np
import pytest
from scipy.optimize import minimize

from bridle import _core
from bridle.losses import get_family


def problem(name, seed=0, n=30, classes=4):
    rng = np.random.default_rng(seed)
    family = get_family(name)
    if name == "multigaussian":
        return family, rng.normal(size=(n, classes)), 2.0 * rng.normal(size=(n, classes)), rng
    y = np.r_[np.arange(classes), rng.integers(0, classes, size=n - classes)]
    if name == "multinomial":
        return family, family.target(y, n), 2.0 * rng.normal(size=(n, classes)), rng
    thresholds = np.sort(2.0 * rng.normal(size=classes - 1))
    return family, family.target(y, n), 2.0 * rng.normal(size=(n, 1)) - thresholds, rng


NAMES = ["multinomial", "multigaussian", "ordinal"]


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_are_those_of_the_loss(name):
    family, y, eta, rng = problem(name)
    move = 1e-6 * rng.normal(size=eta.shape)
    gain = family.loss(y, eta + move) - family.loss(y, eta - move)
    np.testing.assert_allclose(gain, 2.0 * (family.gradient(y, eta) * move).sum(axis=1), rtol=1e-5, atol=1e-12)
    bend = family.gradient(y, eta + move) - family.gradient(y, eta - move)
    np.testing.assert_allclose(
        bend, 2.0 * np.einsum("nkl,nl->nk", family.row_hessians(y, eta), move), rtol=1e-5, atol=1e-12
    )
    diagonal = np.einsum("nkk->nk", family.row_hessians(y, eta))
    np.testing.assert_allclose(family.curvature(y, eta), diagonal)


def test_second_derivatives_at_the_best_thresholds():
    """Those of the slopes for which thresholds were found again, as they are: differences."""
    family, y, _, rng = problem("ordinal")
    w, o, Z = rng.uniform(size=30), rng.normal(size=30), rng.normal(size=(30, 5))
    found = family.hessian(y, o[:, None] + family.intercepts(y, w, o), w, Z)
    for q in range(5):
        up, down = (family.residual(y, (o + s * Z[:, q])[:, None], w)[:, 0] for s in (1e-5, -1e-5))
        np.testing.assert_allclose(Z.T @ (down - up) / 2e-5, found[q], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_deviance_link_and_mean(name):
    family, y, eta, _ = problem(name)
    mean = family.mean(eta)
    np.testing.assert_allclose(family.deviance(y, mean), 2.0 * (family.loss(y, eta) - family.saturated(y)), atol=1e-12)
    np.testing.assert_allclose(family.mean(family.link(mean)), mean, rtol=1e-9)
    stacked = np.stack([eta, 0.5 * eta], axis=2)
    np.testing.assert_allclose(family.mean(stacked)[:, :, 1], family.mean(0.5 * eta))
    w = np.arange(1.0, 31.0)
    expected = [np.average(family.deviance(y, family.mean(e)), weights=w) for e in (eta, 0.5 * eta)]
    np.testing.assert_allclose(family.mean_deviance(y, stacked, w), expected)


@pytest.mark.parametrize("name", NAMES)
def test_fenchel_gap_is_nonnegative_and_zero_at_the_slope(name):
    family, y, eta, rng = problem(name)
    w = rng.uniform(size=30)
    assert family.fenchel_gap(y, eta, eta, 1.0, w) == pytest.approx(0.0, abs=1e-12)
    gaps = [family.fenchel_gap(y, eta, eta, s, w) for s in (0.0, 0.5, 0.9, 0.99)]
    assert np.all(np.diff(gaps) < 0.0)
    assert gaps[3] < 3e-2 * gaps[2]  # quadratic in 1 - s
    assert gaps[0] == pytest.approx(float(w @ (family.loss(y, eta) - (family.saturated(y)))), rel=1e-9)
    if name != "ordinal":  # there the dual has a variable for each factor
        u = 0.7 * family.gradient(y, eta)
        parts = family.loss(y, eta) + family.conjugate(y, u) - (u * eta).sum(axis=1)
        assert family.fenchel_gap(y, eta, eta, 0.7, w) == pytest.approx(w @ parts)


@pytest.mark.parametrize("name", NAMES)
def test_null_model_is_the_best_constant(name):
    family, y, eta, rng = problem(name)
    w, offset = rng.uniform(size=30), family.read_offset(rng.normal(size=30), y)
    if name != "ordinal":
        offset = rng.normal(size=eta.shape)
    b = family.null_predictors(y, w, offset)
    np.testing.assert_allclose(w @ family.gradient(y, b + offset), 0.0, atol=1e-9)
    best = minimize(lambda c: w @ family.loss(y, c + offset), b + 0.01 * np.arange(b.size, 0, -1), tol=1e-10)
    assert w @ family.loss(y, b + offset) <= best.fun + 1e-9


def test_thresholds_of_extreme_predictors_keep_their_order():
    family, y, _, rng = problem("ordinal")
    w = rng.uniform(size=30)
    codes = family.classes(y)
    for eta in (40.0 * codes, -40.0 * codes, 1e3 * rng.normal(size=30)):
        b = family.intercepts(y, w, eta)
        assert np.all(np.diff(b) < 0.0)
        assert np.all(np.isfinite(family.loss(y, eta[:, None] + b)))


def test_extreme_predictors_overflow_nothing():
    family = get_family("multinomial")
    eta = np.array([[800.0, -800.0, 0.0], [-1e4, 0.0, 1.0]])
    y = np.eye(3)[:2]
    assert np.all(np.isfinite(family.loss(y, eta)))
    assert family.loss(y, eta)[0] == 0.0
    assert np.all(np.isfinite(family.gradient(y, eta)))


def test_the_core_refuses_impossible_numbers_of_classes():
    for name, parameters in [("multinomial", [1.0]), ("multigaussian", [0.0]), ("multinomial", [])]:
        with pytest.raises(ValueError, match="no such family"):
            _core.loss(name, parameters)
    with pytest.raises(ValueError, match="not one of the classes"):
        _core.ordinal_loss(np.array([0.0, 3.0]), 3)
