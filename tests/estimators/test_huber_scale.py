"""Huber's coefficients and scale by Newton's method together: against conditions of optimality and the search."""

import numpy as np
import pytest
import sklearn.linear_model as peer
from scipy import sparse

import bridle.estimators as ours
from bridle.estimators import _robust
from bridle.estimators._huber_scale import fit_together


def table(n=150, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, 3.0 + X @ np.linspace(-1.0, 2.0, p) + rng.standard_t(3, n)


def worst_slope(model, X, y, w=None, offset=0.0):
    """Largest slope of the joint objective per row: in the coefficients, the intercept and the scale."""
    X = X.toarray() if sparse.issparse(X) else X
    w = np.ones(len(y)) if w is None else w
    z = (y - offset - X @ model.coef_ - model.intercept_) / model.scale_
    cut = np.clip(z, -model.epsilon, model.epsilon)
    in_b = (X.T @ (w * cut) - model.alpha * model.coef_) / np.maximum(np.linalg.norm(X, axis=0), 1e-300)
    in_sigma = 1.0 - np.average(cut**2, weights=w)
    in_b0 = np.average(cut, weights=w) if model.fit_intercept else 0.0
    return max(np.abs(in_b).max() / np.sqrt(w.sum()), abs(in_b0), abs(in_sigma))


def outliers(X, y):
    return X, np.where(np.arange(len(y)) % 10 == 0, 1e6, y), {}, {}


CASES = {
    "plain": lambda X, y: (X, y, {}, {}),
    "outliers": outliers,
    "leverage": lambda X, y: (np.where(np.arange(len(y))[:, None] < 3, 1e3 * X, X), y, {}, {}),
    "far from zero": lambda X, y: (X + 1e4, y, {}, {}),
    "no intercept": lambda X, y: (X, y + 100.0, {"fit_intercept": False}, {}),
    "weights": lambda X, y: (X, y, {}, {"sample_weight": np.arange(len(y)) % 4.0}),
    "offset": lambda X, y: (X, y, {}, {"offset": np.linspace(-9.0, 9.0, len(y))}),
    "collinear": lambda X, y: (np.hstack([X, X]), y, {"alpha": 1e-3}, {}),
    "sparse": lambda X, y: (sparse.csr_array(np.where(X > 0.5, X, 0.0)), y, {}, {}),
    "more columns than rows": lambda X, y: (np.tile(X[:20], 5), y[:20], {"alpha": 200.0}, {}),
    "epsilon": lambda X, y: (X, y, {"epsilon": 1.05, "alpha": 5.0}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_newton_finds_what_the_search_over_scales_does(case, monkeypatch):
    X, y, parameters, rows = CASES[case](*table())
    used = []

    def watched(*given):
        used.append(fit_together(*given))
        return used[-1]

    monkeypatch.setattr(_robust, "fit_together", watched)
    fast = ours.HuberRegressor(**parameters).fit(X, y, **rows)
    assert used[0][1] is not None
    assert 0.0 <= fast.relative_gap_ <= 1e-13
    weight, offset = rows.get("sample_weight"), rows.get("offset", 0.0)
    assert worst_slope(fast, X, y, weight, offset) < 1e-8
    monkeypatch.setattr(_robust, "fit_together", lambda *given: (None, None))
    slow = ours.HuberRegressor(**parameters).fit(X, y, **rows)
    assert worst_slope(slow, X, y, weight, offset) < 1e-6
    assert fast.scale_ == pytest.approx(slow.scale_, rel=1e-6)
    np.testing.assert_allclose(fast.coef_, slow.coef_, rtol=1e-5, atol=1e-6 * np.abs(slow.coef_).max())
    assert fast.path_.lambda_max == pytest.approx(slow.path_.lambda_max, rel=1e-5)


def test_columns_that_do_not_count_are_left_out_and_free_ones_are_not_shrunk():
    X, y = table()
    X = np.column_stack([X, np.full(len(y), 7.0)])
    model = ours.HuberRegressor(alpha=1e6, penalty_factor=[0, np.inf, 1, 1, 1, 1, 1]).fit(X, y)
    alone = ours.HuberRegressor(alpha=0.0).fit(X[:, :1], y)
    assert model.coef_[1] == model.coef_[6] == 0.0
    assert np.abs(model.coef_[2:6]).max() < 1e-3
    assert model.coef_[0] == pytest.approx(alone.coef_[0], rel=1e-2)


def test_bounds_and_singular_problems_are_left_to_the_search():
    X, y = table()
    bounded = ours.HuberRegressor(lower=0.0).fit(X, y)
    assert bounded.coef_.min() == 0.0
    assert bounded.relative_gap_ < 1e-12
    twice = ours.HuberRegressor(alpha=0.0).fit(np.hstack([X, X]), y)
    once = ours.HuberRegressor(alpha=0.0).fit(X, y)
    assert twice.scale_ == pytest.approx(once.scale_, rel=1e-6)
    np.testing.assert_allclose(twice.coef_[:6] + twice.coef_[6:], once.coef_, rtol=1e-5)


@pytest.mark.parametrize("fast", [True, False])
def test_without_an_intercept_the_scale_may_exceed_the_targets_spread(fast, monkeypatch):
    X, y = table()
    if not fast:
        monkeypatch.setattr(_robust, "fit_together", lambda *given: (None, None))
    mine = ours.HuberRegressor(fit_intercept=False).fit(X, y + 100.0)
    theirs = peer.HuberRegressor(fit_intercept=False, tol=1e-8, max_iter=10_000).fit(X, y + 100.0)
    assert mine.scale_ == pytest.approx(theirs.scale_, rel=1e-4)
    assert mine.scale_ > 5.0 * np.std(y)


def test_with_more_columns_than_rows_a_fit_may_be_perfect():
    X, y = table(20, 40)
    model = ours.HuberRegressor().fit(X, y)
    assert 0.0 < model.scale_ < 1e-4
    np.testing.assert_allclose(model.predict(X), y, atol=1e-3)
