"""Problems with groups, and a referee for whole paths."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bridle.certificates import certify
from bridle.path import fit_path
from bridle.penalties import Penalty, read_penalty

FAMILIES = ["gaussian", "binomial", "poisson"]
PENALTIES = [
    "group_lasso", "sparse_group_lasso(l1_share=0.5)", "mcp", "scad", "group_mcp", "group_scad"
]  # fmt: skip


def make_data(family, n, p, seed, *, size=3):
    """Correlated columns of unlike scale in groups of ``size``; two groups have signal. X, y, labels."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.6 * rng.normal(size=(n, 1))
    X = X * rng.uniform(0.3, 3.0, p) + rng.normal(size=p)
    groups = np.arange(p) // size
    eta = (X - X.mean(0))[:, : 2 * size] @ rng.normal(size=2 * size)
    eta = 0.8 * eta / eta.std()
    if family == "gaussian":
        return X, eta + 0.7 * rng.normal(size=n), groups
    if family == "binomial":
        y = (rng.random(n) < 1.0 / (1.0 + np.exp(-1.3 * eta))).astype(float)
        y[:2] = (0.0, 1.0)
        return X, y, groups
    return X, rng.poisson(np.exp(0.6 * eta) + 0.3).astype(float), groups


def fit(X, y, spec, groups, **options):
    """A path with the groups, where the penalty has them."""
    return fit_path(X, y, penalty=spec, groups=groups if read_penalty(spec).grouped else None, **options)


def referee(path, X, y, *, factor=None, lower=-np.inf, upper=np.inf, every=3, **problem):
    """The worst relative gap, or violation, that the plain NumPy referee finds along a path."""
    penalty = Penalty(path.l1_ratio, factor, lower, upper, path.penalty, path.groups)
    found = [
        certify(X, y, path.intercept[k], path.coef_row(k), float(path.lambdas[k]), family=path.family, penalty=penalty,
                fit_intercept=path.fit_intercept, standardize=path.standardize, **problem)
        for k in range(0, len(path.lambdas), every)
    ]  # fmt: skip
    return max(c.stationarity if penalty.concave else c.relative_gap for c in found)


@pytest.fixture(scope="session")
def kit():
    """Helpers, as one fixture: test files don't import one another."""
    return SimpleNamespace(data=make_data, fit=fit, referee=referee)
