"""Ridge and RidgeCV against scikit-learn's, and leave-one-out against refits without the row."""

import numpy as np
import pytest
import sklearn.linear_model as peer
from scipy import sparse
from sklearn.model_selection import KFold, LeaveOneOut

import bridle.estimators as ours


def same_fit(mine, theirs, X, y, rtol=1e-7):
    assert np.shape(mine.coef_) == np.shape(theirs.coef_)
    assert np.shape(mine.intercept_) == np.shape(theirs.intercept_)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, rtol=rtol, atol=rtol * np.abs(theirs.coef_).max())
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=rtol, atol=rtol * np.abs(y).max())
    np.testing.assert_allclose(mine.intercept_, theirs.intercept_, rtol=rtol, atol=rtol * np.abs(y).max())


def cases(diabetes, wide):
    return {"tall": diabetes, "wide": wide}


@pytest.mark.parametrize("shape", ["tall", "wide"])
@pytest.mark.parametrize("alpha", [1e-6, 1.0, 1e3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_ridge(diabetes, wide, weights, shape, alpha, fit_intercept, weighted):
    X, y = cases(diabetes, wide)[shape]
    w = weights(len(y)) if weighted else None
    mine = ours.Ridge(alpha, fit_intercept=fit_intercept).fit(X, y, sample_weight=w)
    theirs = peer.Ridge(alpha, fit_intercept=fit_intercept, solver="svd").fit(X, y, sample_weight=w)
    same_fit(mine, theirs, X, y, rtol=1e-6 if alpha == 1e-6 else 1e-7)
    assert mine.score(X, y, w) == pytest.approx(theirs.score(X, y, w))


@pytest.mark.parametrize("shape", ["tall", "wide"])
def test_containers(diabetes, wide, container, shape):
    X, y = cases(diabetes, wide)[shape]
    kind, make = container
    mine = ours.Ridge(3.0).fit(make(X), y)
    theirs = peer.Ridge(3.0).fit(make(X) if kind == "pandas" else X, y)
    same_fit(mine, theirs, make(X) if kind == "pandas" else X, y, rtol=1e-3 if kind == "float32" else 1e-7)
    if kind == "float32":
        assert mine.coef_.dtype == np.float32
    cv = ours.RidgeCV([0.5, 5.0, 50.0]).fit(make(X), y)
    np.testing.assert_allclose(
        cv.predict(make(X)),
        peer.RidgeCV([0.5, 5.0, 50.0]).fit(X, y).predict(X),
        rtol=1e-3 if kind == "float32" else 1e-7,
    )


def test_sparse(weights):
    rng = np.random.default_rng(0)
    for shape in [(80, 20), (20, 80)]:
        X = sparse.random_array(shape, density=0.2, rng=rng, format="csr")
        y, w = rng.normal(size=shape[0]), weights(shape[0])
        theirs = peer.Ridge(0.3).fit(X.toarray(), y, sample_weight=w)
        same_fit(ours.Ridge(0.3).fit(X, y, sample_weight=w), theirs, X, y)
        mine, other = ours.RidgeCV(store_cv_results=True), peer.RidgeCV(store_cv_results=True)
        mine.fit(X, y, sample_weight=w)
        np.testing.assert_allclose(
            mine.cv_results_, other.fit(X.toarray(), y, sample_weight=w).cv_results_, rtol=1e-8, atol=1e-20
        )


@pytest.mark.parametrize("alpha", [2.0, [0.1, 3.0, 50.0], [0.0, 1.0, 1.0]], ids=str)
def test_several_targets_and_alphas(diabetes, alpha):
    X, y = diabetes
    Y = np.column_stack([y, y**2 / 100, X[:, 2] - y])
    mine, theirs = ours.Ridge(alpha).fit(X, Y), peer.Ridge(alpha, solver="svd").fit(X, Y)
    same_fit(mine, theirs, X, Y)
    assert mine.relative_gap_.shape == (3,) and np.all(mine.relative_gap_ < 1e-12)


def test_one_target_in_a_column(diabetes):
    X, y = diabetes
    same_fit(ours.Ridge().fit(X, y[:, None]), peer.Ridge().fit(X, y[:, None]), X, y)
    same_fit(ours.RidgeCV().fit(X, y[:, None]), peer.RidgeCV().fit(X, y[:, None]), X, y)


def test_positive(diabetes):
    X, y = diabetes
    mine, theirs = ours.Ridge(1.0, positive=True).fit(X, y), peer.Ridge(1.0, positive=True, tol=1e-12).fit(X, y)
    same_fit(mine, theirs, X, y, rtol=1e-6)
    assert mine.solver_ == "path" and mine.relative_gap_ < 1e-10


def test_alpha_0_with_singular_features_has_least_norm(wide):
    X, y = wide
    mine = ours.Ridge(0.0).fit(X, y)
    centred = X - X.mean(axis=0)
    np.testing.assert_allclose(mine.coef_, np.linalg.pinv(centred) @ (y - y.mean()), atol=1e-9)


def test_the_largest_problems_go_to_the_path_solver(diabetes, monkeypatch):
    from bridle.estimators import _ridge

    X, y = diabetes
    direct = ours.Ridge(2.0).fit(X, y)
    monkeypatch.setattr(_ridge, "LARGEST_GRAM", 3)
    iterated = ours.Ridge(2.0).fit(X, y)
    assert (direct.solver_, iterated.solver_) == ("cholesky", "path")
    np.testing.assert_allclose(iterated.coef_, direct.coef_, rtol=1e-5)


# RidgeCV --------------------------------------------------------------------------------------------------------

ALPHAS = [10.0, 0.1, 1.0, 300.0]


@pytest.mark.parametrize("shape", ["tall", "wide"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scoring", [None, "r2", "neg_mean_absolute_error"])
def test_leave_one_out(diabetes, wide, weights, shape, fit_intercept, weighted, scoring):
    X, y = cases(diabetes, wide)[shape]
    w = weights(len(y)) if weighted else None
    if w is not None and scoring is not None:
        w = w + 0.5  # scikit-learn divides by the root of a zero weight there
    options = {"alphas": ALPHAS, "fit_intercept": fit_intercept, "scoring": scoring, "store_cv_results": True}
    mine = ours.RidgeCV(**options).fit(X, y, sample_weight=w)
    theirs = peer.RidgeCV(**options).fit(X, y, sample_weight=w)
    assert mine.alpha_ == theirs.alpha_
    assert mine.best_score_ == pytest.approx(theirs.best_score_, rel=1e-7)
    assert mine.cv_results_.shape == theirs.cv_results_.shape
    np.testing.assert_allclose(mine.cv_results_, theirs.cv_results_, rtol=1e-5, atol=1e-7 * np.abs(y).max() ** 2)
    same_fit(mine, theirs, X, y)


@pytest.mark.parametrize("per_target", [False, True])
def test_leave_one_out_of_several_targets(diabetes, per_target):
    X, y = diabetes
    Y = np.column_stack([y, np.random.default_rng(0).normal(size=len(y))])
    options = {"alphas": ALPHAS, "alpha_per_target": per_target, "store_cv_results": True}
    mine, theirs = ours.RidgeCV(**options).fit(X, Y), peer.RidgeCV(**options).fit(X, Y)
    np.testing.assert_allclose(mine.alpha_, theirs.alpha_)
    np.testing.assert_allclose(mine.best_score_, theirs.best_score_, rtol=1e-8)
    np.testing.assert_allclose(mine.cv_results_, theirs.cv_results_, rtol=1e-6, atol=1e-9)
    same_fit(mine, theirs, X, Y)


@pytest.mark.parametrize("factor", [None, [0, 1, 2, np.inf, 1, 1]], ids=["plain", "factors"])
def test_leave_one_out_is_what_refits_say(diabetes, factor):
    X, y = diabetes[0][:25, :6], diabetes[1][:25]
    model = ours.RidgeCV([0.5, 20.0], penalty_factor=factor, store_cv_results=True).fit(X, y)
    curve = model.curve_  # largest alpha first
    for k, alpha in enumerate([20.0, 0.5]):
        for i in range(len(y)):
            keep = np.arange(len(y)) != i
            refit = ours.Ridge(alpha, penalty_factor=factor).fit(X[keep], y[keep])
            assert curve.test_loss[i, k] == pytest.approx((y[i] - refit.predict(X[[i]])[0]) ** 2, rel=1e-8)
            assert curve.train_loss[i, k] == pytest.approx(np.mean((y[keep] - refit.predict(X[keep])) ** 2), rel=1e-8)
        np.testing.assert_allclose(model.cv_results_[:, 1 - k], curve.test_loss[:, k], rtol=1e-12)


@pytest.mark.parametrize("cv", [4, KFold(3, shuffle=True, random_state=2)], ids=str)
@pytest.mark.parametrize("scoring", [None, "neg_mean_squared_error"])
@pytest.mark.parametrize("weighted", [False, True])
def test_folds(diabetes, weights, cv, scoring, weighted):
    X, y = diabetes
    w = weights(len(y)) if weighted else None
    mine = ours.RidgeCV(ALPHAS, cv=cv, scoring=scoring).fit(X, y, sample_weight=w)
    theirs = peer.RidgeCV(ALPHAS, cv=cv, scoring=scoring).fit(X, y, sample_weight=w)
    assert mine.alpha_ == theirs.alpha_
    assert mine.best_score_ == pytest.approx(theirs.best_score_, rel=1e-8)
    same_fit(mine, theirs, X, y)


def test_folds_of_one_row_are_leave_one_out(diabetes):
    X, y = diabetes[0][:40], diabetes[1][:40]
    closed = ours.RidgeCV(ALPHAS).fit(X, y)
    folded = ours.RidgeCV(ALPHAS, cv=LeaveOneOut(), scoring="neg_mean_squared_error").fit(X, y)
    np.testing.assert_allclose(closed.curve_.test_loss, folded.curve_.test_loss, rtol=1e-8)
    assert closed.best_score_ == pytest.approx(folded.best_score_)


def test_bounds_with_folds(diabetes):
    X, y = diabetes
    mine = ours.RidgeCV(ALPHAS, cv=3, lower=0.0).fit(X, y)
    assert mine.coef_.min() >= 0.0
    same_fit(mine, peer.Ridge(mine.alpha_, positive=True, tol=1e-12).fit(X, y), X, y, rtol=1e-6)
    with pytest.raises(ValueError, match="cv"):
        ours.RidgeCV(ALPHAS, lower=0.0).fit(X, y)


def test_other_rules_read_the_curve(diabetes):
    X, y = diabetes
    least = ours.RidgeCV(np.logspace(-2, 4, 20)).fit(X, y)
    simple = ours.RidgeCV(np.logspace(-2, 4, 20), rule="1se").fit(X, y)
    assert simple.alpha_ > least.alpha_
    assert simple.selection_.rule == "1se"
    assert simple.selection_.value * len(y) == pytest.approx(simple.alpha_)
