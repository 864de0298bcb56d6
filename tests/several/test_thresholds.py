"""The thresholds that fit best, against a general minimiser and by their own equations."""

import numpy as np
from scipy.optimize import minimize

from bridle.losses import get_family
from bridle.several.thresholds import Thresholds


def problem(seed=0, n=80, k=4):
    rng = np.random.default_rng(seed)
    codes = np.r_[np.arange(k), rng.integers(0, k, n - k)]
    target = np.eye(k)[codes]
    w = rng.uniform(0.2, 2.0, n)
    return target, w / w.sum(), codes[:, None] * [0.0, 0.5, 3.0] + rng.normal(size=(n, 3))


def test_thresholds_minimise_the_loss():
    target, w, eta = problem()
    family = get_family("ordinal")
    found = Thresholds.make(target, w).solve(eta)
    assert found.shape == (3, 3) and np.all(np.diff(found, axis=1) < 0)
    for b, x in zip(found, eta.T, strict=True):
        slope = w @ family.gradient(target, x[:, None] + b)
        np.testing.assert_allclose(slope, 0.0, atol=1e-12)

        def loss(free, x=x):
            b = np.r_[free[0], free[0] - np.cumsum(np.exp(free[1:]))]
            return w @ family.loss(target, x[:, None] + b)

        start = np.r_[b[0] + 0.3, np.log(-np.diff(b)) + 0.2]
        assert loss(np.r_[b[0], np.log(-np.diff(b))]) <= minimize(loss, start).fun + 1e-12


def test_all_at_once_is_each_by_itself():
    target, w, eta = problem(1)
    together = Thresholds.make(target, w).solve(eta)
    alone = [get_family("ordinal").intercepts(target, w, x) for x in eta.T]
    np.testing.assert_allclose(together, alone, rtol=1e-9)
    np.testing.assert_allclose(Thresholds.make(target, w).solve(eta + 5.0), together - 5.0, rtol=1e-9)


def test_a_level_without_rows_has_no_threshold():
    target, w, eta = problem(2)
    w = np.where(target[:, 1] > 0, 0.0, w)
    assert np.all(np.isneginf(Thresholds.make(target, w / w.sum()).solve(eta)))


def test_predictors_that_are_all_alike_leave_each_level_its_share():
    target, w, eta = problem(3)
    share = w @ target
    found = Thresholds.make(target, w).solve(np.full((80, 2), 1.5))
    above = 1.0 / (1.0 + np.exp(-(found + 1.5)))
    np.testing.assert_allclose(above, np.tile([share[1:].sum(), share[2:].sum(), share[3]], (2, 1)), rtol=1e-13)
    nearly = np.full(80, 1.5) + 1e-9 * eta[:, 0]
    np.testing.assert_allclose(Thresholds.make(target, w).solve(nearly[:, None])[0], found[0], rtol=1e-7)
