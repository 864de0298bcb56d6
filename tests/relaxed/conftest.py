"""Problems whose active features are refitted, and a referee for refits."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bridle.certificates import certify
from bridle.penalties import Penalty
from bridle.survival import survival_target


def make_data(family, n, p, seed):
    """Correlated columns of unlike scale, signal in the first four: X (n, p) and a target."""
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, p)) + 0.4 * rng.normal(size=(n, 1))) * rng.uniform(0.3, 3.0, p) + rng.normal(size=p)
    eta = (X - X.mean(0))[:, :4] @ rng.normal(size=4)
    eta = 0.8 * eta / eta.std()
    if family in ("binomial", "squared_hinge"):
        y = (eta + rng.logistic(size=n) > 0.0).astype(float)
        y[:2] = (0.0, 1.0)
        return X, y
    if family.startswith("cox"):
        life, seen = rng.exponential(size=n) * np.exp(-eta), rng.exponential(2.0, size=n)
        event = life <= seen
        event[:2] = True
        return X, survival_target(np.minimum(life, seen), event)
    mean = np.exp(0.5 * eta)
    return X, {
        "poisson": lambda: rng.poisson(mean) + 0.0,
        "negative_binomial(theta=2)": lambda: rng.poisson(mean * rng.gamma(2.0, 0.5, n)) + 0.0,
        "gamma": lambda: rng.gamma(2.0, mean / 2.0),
        "tweedie(power=1.5)": lambda: rng.poisson(mean) * rng.gamma(2.0, 0.5, n),
    }.get(family, lambda: eta + 0.7 * rng.standard_t(5, n))()


def referee(path, X, y, *, factor=None, lower=-np.inf, upper=np.inf, **problem):
    """The worst relative gap of the refits, each as a problem without penalty in which the other features are out."""
    worst, p = 0.0, X.shape[1]
    for k, lam in enumerate(path.lambdas):
        on = (path.coef[k] != 0.0) | (np.zeros(p, bool) if factor is None else np.asarray(factor) == 0.0)
        if lam == 0.0 or not on.any():
            continue
        penalty = Penalty(1.0, np.where(on, 1.0, np.inf), lower, upper)
        refit = path.relaxed
        assert not refit.coef[k][~on].any()
        found = certify(
            X, y, refit.intercept[k], refit.coef[k], 0.0, family=path.family, penalty=penalty,
            fit_intercept=path.fit_intercept, standardize=path.standardize, **problem,
        )  # fmt: skip
        worst = max(worst, found.relative_gap)
    return worst


@pytest.fixture(scope="session")
def kit():
    """Helpers, as one fixture: test files don't import one another."""
    return SimpleNamespace(data=make_data, referee=referee)
