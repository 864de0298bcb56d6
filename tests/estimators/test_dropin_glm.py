"""Logistic and Poisson regression against scikit-learn's at tight tolerance."""

import warnings

import numpy as np
import pytest
import sklearn.linear_model as peer
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import bridle.estimators as ours

NEWTON = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 1000}
SAGA = {"solver": "saga", "tol": 1e-10, "max_iter": 200_000, "random_state": 0}


def same_fit(mine, theirs, X, y, rtol=1e-6):
    assert np.shape(mine.coef_) == np.shape(theirs.coef_)
    assert np.shape(mine.intercept_) == np.shape(theirs.intercept_)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, rtol=rtol, atol=rtol * np.abs(theirs.coef_).max())
    np.testing.assert_allclose(mine.intercept_, theirs.intercept_, rtol=rtol, atol=rtol)
    assert mine.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-5)


@pytest.mark.parametrize("C", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic(cancer, weights, C, fit_intercept, class_weight, weighted):
    X, y = cancer
    w = weights(len(y)) if weighted else None
    options = {"C": C, "fit_intercept": fit_intercept, "class_weight": class_weight}
    mine = ours.LogisticRegression(**options).fit(X, y, sample_weight=w)
    theirs = peer.LogisticRegression(**options, **NEWTON).fit(X, y, sample_weight=w)
    same_fit(mine, theirs, X, y)
    for method in ("decision_function", "predict_proba", "predict_log_proba"):
        np.testing.assert_allclose(getattr(mine, method)(X), getattr(theirs, method)(X), rtol=1e-5, atol=1e-7)
    assert np.array_equal(mine.predict(X), theirs.predict(X))
    assert mine.n_iter_.shape == theirs.n_iter_.shape and mine.n_iter_.dtype == theirs.n_iter_.dtype


@pytest.mark.parametrize("ratio", [0.4, 1.0])
@pytest.mark.parametrize("C", [0.05, 1.0])
def test_logistic_with_l1(cancer, ratio, C):
    X, y = cancer
    mine = ours.LogisticRegression(C=C, l1_ratio=ratio).fit(X, y)
    same_fit(mine, peer.LogisticRegression(C=C, l1_ratio=ratio, **SAGA).fit(X, y), X, y, rtol=1e-5)


def test_logistic_without_penalty(counts):
    X, y = counts[0], counts[1] > 1
    mine = ours.LogisticRegression(C=np.inf).fit(X, y)
    same_fit(mine, peer.LogisticRegression(C=np.inf, **NEWTON).fit(X, y), X, y)
    assert np.array_equal(mine.coef_, ours.LogisticRegression(penalty=None).fit(X, y).coef_)


@pytest.mark.parametrize(("penalty", "ratio"), [("l1", 1.0), ("l2", 0.0)])
def test_older_spelling_of_the_penalty(cancer, penalty, ratio):
    X, y = cancer
    old, new = ours.LogisticRegression(penalty).fit(X, y), ours.LogisticRegression(l1_ratio=ratio).fit(X, y)
    assert np.array_equal(old.coef_, new.coef_)
    mixed = ours.LogisticRegression("elasticnet", l1_ratio=0.3).fit(X, y)
    assert np.array_equal(mixed.coef_, ours.LogisticRegression(l1_ratio=0.3).fit(X, y).coef_)


def test_containers_logistic(cancer, container):
    X, y = cancer
    kind, make = container
    labels = np.array(["benign", "malign"])[y]
    mine = ours.LogisticRegression().fit(make(X), labels)
    seen = make(X) if kind == "pandas" else X
    theirs = peer.LogisticRegression(**NEWTON).fit(seen, labels)
    assert np.array_equal(mine.classes_, theirs.classes_)
    same_fit(mine, theirs, seen, labels, rtol=1e-3 if kind == "float32" else 1e-6)
    assert np.array_equal(mine.predict(make(X)), theirs.predict(seen))


def test_sparsify_and_back(cancer):
    X, y = cancer
    model = ours.LogisticRegression(C=0.05, l1_ratio=1.0).fit(X, y)
    dense, eta = model.coef_.copy(), model.decision_function(X)
    np.testing.assert_allclose(model.sparsify().decision_function(X), eta, rtol=1e-12)
    assert model.coef_.nnz == np.count_nonzero(dense) < dense.size
    assert np.array_equal(model.densify().coef_, dense)


# LogisticRegressionCV -------------------------------------------------------------------------------------------


def fitted_pair(X, y, weight=None, fit_params=None, **options):
    peer_solver = SAGA if np.any(options.get("l1_ratios")) else NEWTON
    mine = ours.LogisticRegressionCV(**options, tol=1e-12, max_iter=5000).fit(X, y, sample_weight=weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        theirs = peer.LogisticRegressionCV(**options, **peer_solver).fit(X, y, sample_weight=weight)
    return mine, theirs


def same_cv(mine, theirs, X, y, legacy=True, rtol=1e-4):
    np.testing.assert_allclose(mine.Cs_, theirs.Cs_)
    assert np.array_equal(mine.l1_ratios_, theirs.l1_ratios_)
    np.testing.assert_allclose(mine.C_, theirs.C_)
    assert np.array_equal(mine.l1_ratio_, theirs.l1_ratio_)
    assert type(mine.C_) is type(theirs.C_) and np.shape(mine.C_) == np.shape(theirs.C_)
    assert np.shape(mine.n_iter_) == np.shape(theirs.n_iter_)
    pairs = [(mine.scores_, theirs.scores_, 1e-6), (mine.coefs_paths_, theirs.coefs_paths_, rtol)]
    for found, expected, tol in pairs:
        a, b = found, expected
        if legacy:
            assert list(found) == list(expected)
            a, b = found[mine.classes_[1]], expected[mine.classes_[1]]
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol * np.abs(b).max())
    same_fit(mine, theirs, X, y, rtol=rtol)


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("ratios", [None, (0.0,), (0.0, 0.6)], ids=str)
def test_logistic_cv_shapes(cancer, legacy, ratios):
    X, y = cancer
    options = {"Cs": [0.1, 3.0, 0.5], "l1_ratios": ratios, "use_legacy_attributes": legacy, "scoring": "neg_log_loss"}
    mine, theirs = fitted_pair(X, y, **options)
    same_cv(mine, theirs, X, y, legacy)


@pytest.mark.parametrize("scoring", [None, "accuracy", "neg_log_loss", "roc_auc", "neg_brier_score"])
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_cv_scores(cancer, weights, scoring, weighted):
    X, y = cancer
    w = weights(len(y)) if weighted else None
    mine, theirs = fitted_pair(X, y, w, Cs=4, cv=3, scoring=scoring, l1_ratios=(0.0,), use_legacy_attributes=False)
    same_cv(mine, theirs, X, y, legacy=False)


@pytest.mark.parametrize("extra", [{"refit": False}, {"class_weight": "balanced"}, {"fit_intercept": False}], ids=str)
def test_logistic_cv_options(cancer, extra):
    X, y = cancer
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    options = {
        "Cs": np.logspace(-3, 1, 5),
        "l1_ratios": (0.0,),
        "scoring": "neg_log_loss",
        "use_legacy_attributes": True,
    }
    mine, theirs = fitted_pair(X, y, cv=cv, **options, **extra)
    same_cv(mine, theirs, X, y)


def test_logistic_cv_curve_is_the_deviance(cancer):
    X, y = cancer
    model = ours.LogisticRegressionCV(Cs=[0.1, 1.0], scoring="neg_log_loss", use_legacy_attributes=False).fit(X, y)
    np.testing.assert_allclose(model.curve_.test_loss, -2 * model.scores_[:, 0, :], rtol=1e-9)
    np.testing.assert_allclose(model.curve_.values, 1 / (len(y) * np.array([0.1, 1.0])))
    simple = ours.LogisticRegressionCV(Cs=10, rule="1se").fit(X, y)
    assert simple.C_[0] <= ours.LogisticRegressionCV(Cs=10, scoring="neg_log_loss").fit(X, y).C_[0]
    assert 1 / (simple.selection_.value * len(y)) == pytest.approx(simple.C_[0])


# Poisson --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.01, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_poisson(counts, weights, alpha, fit_intercept, weighted):
    X, y = counts
    w = weights(len(y)) if weighted else None
    mine = ours.PoissonRegressor(alpha=alpha, fit_intercept=fit_intercept).fit(X, y, sample_weight=w)
    theirs = peer.PoissonRegressor(alpha=alpha, fit_intercept=fit_intercept, **NEWTON).fit(X, y, sample_weight=w)
    same_fit(mine, theirs, X, y)
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-6)
    assert mine.score(X, y, w) == pytest.approx(theirs.score(X, y, w), rel=1e-6)


def test_containers_poisson(counts, container):
    X, y = counts
    kind, make = container
    mine = ours.PoissonRegressor(alpha=0.1).fit(make(X), y)
    seen = make(X) if kind == "pandas" else X
    theirs = peer.PoissonRegressor(alpha=0.1, **NEWTON).fit(seen, y)
    same_fit(mine, theirs, seen, y, rtol=1e-3 if kind == "float32" else 1e-6)


def test_poisson_offset_is_log_exposure(counts):
    """Counts over unequal times are rates weighted by the time: two spellings of one likelihood."""
    X, y = counts
    time = np.random.default_rng(1).uniform(0.5, 2.0, size=len(y))
    by_offset = ours.PoissonRegressor(alpha=0.0).fit(X, y, offset=np.log(time))
    by_rate = ours.PoissonRegressor(alpha=0.0).fit(X, y / time, sample_weight=time)
    np.testing.assert_allclose(by_offset.coef_, by_rate.coef_, rtol=1e-6)
    np.testing.assert_allclose(by_offset.predict(X, offset=np.log(time)), time * by_rate.predict(X), rtol=1e-6)


@pytest.mark.parametrize("ratio", [0.0, 1.0, [0.3, 1.0]], ids=str)
def test_poisson_cv(counts, ratio):
    X, y = counts
    model = ours.PoissonRegressorCV(l1_ratio=ratio, alphas=12, cv=3).fit(X, y)
    single = ours.PoissonRegressor(alpha=model.alpha_, l1_ratio=model.l1_ratio_).fit(X, y)
    np.testing.assert_allclose(model.coef_, single.coef_, rtol=1e-7, atol=1e-10)
    rows = model.deviance_path_.reshape(-1, 12, 3)
    assert rows.shape[0] == np.size(ratio)
    from sklearn.metrics import mean_poisson_deviance

    predicted = cross_val_predict(single, X, y, cv=3)
    thirds = np.array_split(np.arange(len(y)), 3)
    direct = [mean_poisson_deviance(y[t], predicted[t]) for t in thirds]
    at = model.selection_.index
    np.testing.assert_allclose(rows[model.selection_.curve, at], direct, rtol=1e-5)
    assert rows.mean(axis=2).min() == pytest.approx(np.mean(direct), rel=1e-5)
