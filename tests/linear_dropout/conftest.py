"""Small data for every family, and the marginalised objective written down plainly, with nothing of the solver's."""

import numpy as np
import pytest
from scipy.special import roots_hermitenorm

PROBLEMS = [("gaussian", "quadratic"), ("binomial", "quadratic"), ("poisson", "quadratic")]
PROBLEMS += [("binomial", "normal"), ("poisson", "normal")]


@pytest.fixture(params=PROBLEMS, ids="-".join)
def problem(request):
    """Family and marginal."""
    return request.param


@pytest.fixture(scope="session")
def make_data():
    """Features far from 0 and of many sizes, a target of the family that no plane separates, weights, an offset."""

    def make(family, n=120, p=6, seed=0):
        rng = np.random.default_rng(seed)
        raw = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
        X = raw * rng.uniform(0.1, 20.0, p) + rng.normal(size=p) * 3.0
        eta = raw[:, :3] @ [0.8, -0.6, 0.4]
        offset = 0.3 * rng.normal(size=n)
        y = {
            "gaussian": eta + offset + rng.normal(size=n),
            "binomial": (rng.random(n) < 1.0 / (1.0 + np.exp(-eta - offset))).astype(float),
            "poisson": rng.poisson(np.exp(eta + offset)).astype(float),
        }[family]
        return X, y, rng.integers(1, 4, size=n).astype(float), offset

    return make


def unit_loss(family, y, eta):
    """The loss of one row, without noise."""
    if family == "gaussian":
        return 0.5 * (y - eta) ** 2
    return (np.logaddexp(0.0, eta) if family == "binomial" else np.exp(eta)) - y * eta


@pytest.fixture(scope="session")
def plain_loss():
    return unit_loss


@pytest.fixture(scope="session")
def referee():
    """Return the objective as a function of (b0, b) on the original scale."""
    nodes, shares = roots_hermitenorm(150)
    shares = shares / np.sum(shares)

    def make(X, y, rate, family, marginal="quadratic", w=None, offset=0.0, standardize=True, fit_intercept=True):
        w = np.full(len(y), 1.0 / len(y)) if w is None else w / np.sum(w)
        origin = w @ X if standardize and fit_intercept else np.zeros(X.shape[1])
        squares = (X - origin) ** 2

        def objective(b0, b):
            eta, t = offset + b0 + X @ b, rate / (1.0 - rate) * (squares @ b**2)
            if marginal == "normal":
                drawn = eta[:, None] + np.sqrt(t)[:, None] * nodes
                return float(w @ (unit_loss(family, y[:, None], drawn) @ shares))
            mu = {"gaussian": lambda e: e, "binomial": lambda e: 1.0 / (1.0 + np.exp(-e)), "poisson": np.exp}[family](
                eta
            )
            curvature = {"gaussian": np.ones_like(mu), "binomial": mu * (1.0 - mu), "poisson": mu}[family]
            return float(w @ (unit_loss(family, y, eta) + 0.5 * curvature * t))

        return objective

    return make
