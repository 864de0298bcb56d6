"""The marginalised objective is what explicit dropout draws average to."""

import itertools

import numpy as np
import pytest

from bridle.linear_dropout.expected import normal, quadratic
from bridle.losses import BINOMIAL, GAUSSIAN, POISSON, get_family

B = np.array([0.5, -0.4, 0.3, 0.2])


def features(n=30, p=4, seed=1):
    X = np.random.default_rng(seed).normal(size=(n, p))
    return X - X.mean(axis=0)


def drawn_losses(rng, X, y, b, rate, loss, draws):
    """Mean loss of each of ``draws`` data sets whose features were dropped and rescaled at random, (draws,)."""
    kept = (rng.random((draws, *X.shape)) >= rate) / (1.0 - rate)
    return loss(y, (kept * X) @ b).mean(axis=1)


def masks(p, rate):
    """Every mask of p features, (2^p, p) as 0 and 1/(1 - rate), and its probability."""
    kept = np.array(list(itertools.product([0.0, 1.0], repeat=p)))
    share = np.prod(np.where(kept == 1.0, 1.0 - rate, rate), axis=1)
    return kept / (1.0 - rate), share


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_gaussian_draws_average_to_the_objective(rate, plain_loss, referee):
    X = features()
    y = X @ B + np.random.default_rng(2).normal(size=len(X))
    losses = drawn_losses(np.random.default_rng(3), X, y, B, rate, lambda a, e: plain_loss("gaussian", a, e), 20_000)
    marginalised = referee(X, y, rate, "gaussian")(0.0, B)
    assert abs(losses.mean() - marginalised) < 4.0 * losses.std() / np.sqrt(len(losses))
    assert abs(plain_loss("gaussian", y, X @ B).mean() - marginalised) > 40.0 * losses.std() / np.sqrt(len(losses))


def test_the_error_of_the_average_shrinks_as_one_over_the_root_of_the_draws(plain_loss, referee):
    X = features()
    y = X @ B + np.random.default_rng(2).normal(size=len(X))
    losses = drawn_losses(np.random.default_rng(4), X, y, B, 0.5, lambda a, e: plain_loss("gaussian", a, e), 64_000)
    error = losses - referee(X, y, 0.5, "gaussian")(0.0, B)
    few, many = (np.sqrt(np.mean(error.reshape(-1, draws).mean(axis=1) ** 2)) for draws in (10, 160))
    assert 3.3 < few / many < 4.8  # 4 in expectation


@pytest.mark.parametrize("rate", [0.3, 0.6])
def test_poisson_draws_average_to_the_closed_form(rate, plain_loss):
    """E exp(sum_j a_j xi_j) = prod_j [delta + (1 - delta) exp(a_j / (1 - delta))]."""
    X = features()
    y = np.random.default_rng(2).poisson(1.0, size=len(X)).astype(float)
    losses = drawn_losses(np.random.default_rng(3), X, y, B, rate, lambda a, e: plain_loss("poisson", a, e), 20_000)
    a = X * B
    closed = np.prod(rate + (1.0 - rate) * np.exp(a / (1.0 - rate)), axis=1) - y * (X @ B)
    assert abs(losses.mean() - closed.mean()) < 4.0 * losses.std() / np.sqrt(len(losses))
    kept, share = masks(4, rate)
    exact = sum(s * plain_loss("poisson", y, X @ (k * B)) for k, s in zip(kept, share, strict=True))
    np.testing.assert_allclose(exact, closed, rtol=1e-12)


def exact_less(marginal, family, size, rate, plain_loss):
    """Exact expectation less the marginalised one, (n,), for noise of a given size around the same predictors."""
    rng = np.random.default_rng(6)
    a, eta = size * rng.uniform(0.5, 1.0, size=(20, 5)), rng.normal(size=20) + 0.3
    y = (eta > 0.0).astype(float)
    kept, share = masks(5, rate)
    exact = sum(s * plain_loss(family, y, eta + a @ (k - 1.0)) for k, s in zip(kept, share, strict=True))
    t = rate / (1.0 - rate) * np.sum(a**2, axis=1)
    return exact - marginal(get_family(family), y, eta, t).value


@pytest.mark.parametrize("marginal", [quadratic, normal])
@pytest.mark.parametrize("family", ["binomial", "poisson"])
@pytest.mark.parametrize(("rate", "order"), [(0.3, 3), (0.5, 4)])  # at 1/2 the noise is symmetric
def test_the_gap_to_the_exact_expectation_is_of_higher_order(marginal, family, rate, order, plain_loss):
    gaps = [np.linalg.norm(exact_less(marginal, family, size, rate, plain_loss)) for size in (0.04, 0.02)]
    assert 0.9 * 2**order < gaps[0] / gaps[1] < 1.15 * 2**order


def test_a_gaussian_target_has_no_gap(plain_loss):
    for marginal in (quadratic, normal):
        np.testing.assert_allclose(exact_less(marginal, "gaussian", 2.0, 0.7, plain_loss), 0.0, atol=1e-12)


def test_for_large_noise_the_normal_expectation_is_the_closer_one(plain_loss):
    """Ten features, each dropped half of the time, whose noise moves the log odds by 2."""
    rng = np.random.default_rng(8)
    eta = np.array([-1.0, 0.0, 2.0, 4.0])
    a = rng.uniform(0.5, 0.8, size=(4, 10))
    kept, share = masks(10, 0.5)
    y = np.ones(4)
    exact = np.sum(share * plain_loss("binomial", 1.0, eta[:, None] + a @ (kept - 1.0).T), axis=1)
    t = np.sum(a**2, axis=1)
    far = np.abs(quadratic(BINOMIAL, y, eta, t).value - exact)
    near = np.abs(normal(BINOMIAL, y, eta, t).value - exact)
    assert np.all(near < 0.1 * far)


@pytest.mark.parametrize("family", [BINOMIAL, POISSON])
def test_normal_noise_draws_average_to_the_normal_expectation(family, plain_loss):
    rng = np.random.default_rng(9)
    for eta, t in [(0.5, 0.3), (-2.0, 1.5), (1.0, 9.0 if family is BINOMIAL else 2.0)]:
        losses = plain_loss(family.name, 1.0, eta + np.sqrt(t) * rng.normal(size=100_000))
        value = normal(family, np.ones(1), np.array([eta]), np.array([t])).value[0]
        assert abs(losses.mean() - value) < 4.0 * losses.std() / np.sqrt(len(losses))


def test_the_logistic_sum_is_exact_without_noise_and_linear_with_much():
    eta = np.linspace(-35.0, 35.0, 141)
    still = normal(BINOMIAL, np.zeros(141), eta, np.zeros(141))
    np.testing.assert_allclose(still.value, np.logaddexp(0.0, eta), atol=1e-13)
    np.testing.assert_allclose(still.eta, BINOMIAL.mean(eta), atol=1e-13)
    np.testing.assert_allclose(still.eta_eta, BINOMIAL.curvature(eta, eta), atol=1e-13)
    loud = normal(BINOMIAL, np.zeros(1), np.zeros(1), np.array([1e10])).value[0]
    assert loud == pytest.approx(1e5 / np.sqrt(2.0 * np.pi), rel=1e-8)


@pytest.mark.parametrize("marginal", [quadratic, normal])
@pytest.mark.parametrize("family", [GAUSSIAN, BINOMIAL, POISSON], ids=lambda f: f.name)
def test_derivatives_of_one_row(marginal, family):
    eta, t = (grid.ravel() for grid in np.meshgrid([-3.0, -0.4, 0.0, 1.7], [0.05, 0.8, 6.0]))
    y, h = np.full(len(eta), 0.3), 1e-5
    at = marginal(family, y, eta, t)
    right, left = marginal(family, y, eta + h, t), marginal(family, y, eta - h, t)
    more, less = marginal(family, y, eta, t + h), marginal(family, y, eta, t - h)
    for slope, above, below in [
        (at.eta, right.value, left.value),
        (at.t, more.value, less.value),
        (at.eta_eta, right.eta, left.eta),
        (at.eta_t, right.t, left.t),
        (at.t_t, more.t, less.t),
    ]:
        np.testing.assert_allclose(slope, (above - below) / (2.0 * h), rtol=2e-6, atol=2e-8)
