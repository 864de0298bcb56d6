"""Relaxed fits in the classes for classes: gamma chosen with C, each fold refitted by its own rows."""

import numpy as np
import pytest
import sklearn.linear_model as peer
from scipy import sparse
from scipy.special import expit
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold

import bridle.estimators as ours
from bridle.errors import InputError
from bridle.selection import cross_validate

CS = [0.02, 0.05, 0.1, 0.3]


def table(classes, n=120, p=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    eta = X[:, :2] @ np.array([[1.5, 0.0, -1.0], [-1.0, 1.0, 0.5]])[:, :classes]
    if classes == 2:
        return X, np.array(["no", "yes"])[(rng.random(n) < expit(eta[:, 0])).astype(int)]
    return X, np.array(["a", "b", "c"])[np.argmax(eta + rng.gumbel(size=eta.shape), axis=1)]


def refit(X, y, on):
    """The oracle: scikit-learn without penalty on some columns."""
    model = peer.LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(X[:, on], y)
    coef = np.zeros((len(model.coef_), X.shape[1]))
    coef[:, on] = model.coef_
    return coef, model.intercept_


def by_hand(X, y, C, gamma):
    """A blend of scikit-learn's lasso with its refit of the active features."""
    lasso = peer.LogisticRegression(C=C, l1_ratio=1.0, solver="saga", tol=1e-9, max_iter=100_000).fit(X, y)
    on = np.flatnonzero(np.abs(lasso.coef_).max(axis=0) > 1e-5)
    coef, intercept = refit(X, y, on)
    lasso.coef_ = gamma * lasso.coef_ + (1.0 - gamma) * coef
    # saga leaves intercepts of classes where they come to lie: only differences count
    lasso.intercept_ = gamma * lasso.intercept_ + (1.0 - gamma) * intercept
    return lasso


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("scoring", [None, "neg_log_loss", "balanced_accuracy"])
def test_scores_of_folds_are_those_of_refits_by_scikit_learn(classes, scoring):
    X, y = table(classes)
    folds = list(StratifiedKFold(3).split(X, y))
    options = {"Cs": CS, "l1_ratios": [1.0], "cv": folds, "use_legacy_attributes": False, "scoring": scoring}
    one = {g: ours.LogisticRegressionCV(relax=[g], **options).fit(X, y) for g in (0.0, 0.4, 1.0)}
    both = ours.LogisticRegressionCV(relax=[0.0, 0.4, 1.0], **options).fit(X, y)
    means = {g: model.scores_.mean(axis=(0, 1)).max() for g, model in one.items()}
    assert both.gamma_ == max(sorted(means, reverse=True), key=means.get)
    np.testing.assert_array_equal(both.scores_, one[both.gamma_].scores_)
    np.testing.assert_allclose(both.coef_, one[both.gamma_].coef_, rtol=1e-12)
    np.testing.assert_array_equal(one[1.0].scores_, ours.LogisticRegressionCV(**options).fit(X, y).scores_)
    if scoring == "neg_log_loss":
        for gamma, model in one.items():
            for j, (train, test) in enumerate(folds[:2]):
                for k in (2, 3):
                    theirs = by_hand(X[train], y[train], CS[k], gamma)
                    loss = log_loss(y[test], theirs.predict_proba(X[test]))
                    np.testing.assert_allclose(-model.scores_[j, 0, k], loss, rtol=1e-4)


@pytest.mark.parametrize("classes", [2, 3])
def test_what_is_kept_is_the_refit_of_all_rows(classes):
    X, y = table(classes)
    model = ours.LogisticRegressionCV(Cs=CS, l1_ratios=[0.5, 1.0], relax=[0.0], use_legacy_attributes=False).fit(X, y)
    on = np.flatnonzero(model.coef_.any(axis=0))
    coef, intercept = refit(X, y, on)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-4)
    np.testing.assert_allclose(model.intercept_ - model.intercept_.mean(), intercept - intercept.mean(), atol=1e-4)
    assert model.gamma_ == model.path_.gamma == 0.0
    assert model.scores_.shape == (5, 2, 4)
    assert model.coefs_paths_.shape[:3] == (5, 2, 4)
    assert "over the active b" in model.objective_
    assert model.relative_gap_ < 1e-8
    at = int(np.argmin(np.abs(model.path_.lambdas - 1.0 / (model.C_ * len(y)))))
    kept = model.path_.coef[at] if classes == 2 else model.path_.coef[at].T
    np.testing.assert_allclose(np.atleast_2d(kept), model.coef_, atol=1e-4)


@pytest.mark.parametrize("classes", [2, 3])
def test_curves_of_blends(classes):
    X, y = table(classes, seed=1)
    model = ours.LogisticRegressionCV(Cs=CS, l1_ratios=[0.5, 1.0], relax=True, rule="1se").fit(X, y)
    assert model.selection_.gamma == model.gamma_ == model.curve_.gamma
    assert model.curve_.n_repeats == 1 and model.curve_.test_loss.shape == (5, 4)
    log_score = model.predict_log_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    at = model.selection_.index
    np.testing.assert_allclose(model.curve_.full_loss[at], -2.0 * log_score.mean(), rtol=1e-4)
    loose = ours.LogisticRegressionCV(Cs=CS, l1_ratios=[0.5, 1.0], relax=True, rule="1se").fit(sparse.csc_array(X), y)
    np.testing.assert_allclose(loose.coef_, model.coef_, atol=1e-5)
    averaged = ours.LogisticRegressionCV(Cs=CS, l1_ratios=[1.0], relax=True, refit=False).fit(X, y)
    assert 0.0 <= averaged.gamma_ <= 1.0
    assert averaged.coef_.shape == model.coef_.shape
    assert accuracy_score(y, averaged.predict(X)) > 0.6


def test_what_is_kept_is_what_was_judged():
    """A set without a refit of its own (separated; over n - 3 features) has that of a set before, on the path and kept.

    Folds that are tested on their training rows choose the smallest penalty.
    """
    X, y = table(2, n=24, p=30, seed=3)
    same = [(np.arange(24), np.arange(24))]
    model = ours.LogisticRegressionCV(
        Cs=[0.3, 0.5, 50.0], l1_ratios=[1.0], relax=[0.5], cv=same, scoring="neg_log_loss"
    ).fit(X, y)
    assert "separate the target" in model.path_.notes[0]
    assert model.C_[0] == 50.0
    np.testing.assert_allclose(model.coef_[0], model.path_.coef[-1], atol=1e-4)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(14, 40))
    y = X[:, :6] @ np.full(6, 2.0) + rng.normal(size=14)
    lasso = ours.LassoCV(alphas=[3.0, 2.0, 1e-6], relax=[0.0, 0.5], cv=[(np.arange(14), np.arange(14))]).fit(X, y)
    path = lasso.path_
    assert lasso.gamma_ == 0.5 and lasso.selection_.index == 2 and "more than n - 3" in path.notes[0]
    np.testing.assert_allclose(lasso.coef_, path.coef[2], atol=1e-6)


@pytest.mark.parametrize("relax", [True, [0.0, 0.5]])
def test_ordered_classes_relax_as_cross_validate_does(relax):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(150, 6))
    y = np.digitize(X[:, 0] * 2.0 - X[:, 1] + rng.logistic(size=150), [-1.0, 1.0])
    model = ours.OrdinalClassifierCV(Cs=[0.01, 0.03, 0.1], l1_ratio=1.0, relax=relax).fit(X, y)
    folds = list(StratifiedKFold(5).split(X, y))
    found = cross_validate(
        X, y, folds=folds, family="ordinal", lambdas=1.0 / (150 * np.array([0.01, 0.03, 0.1])), relax=relax,
        standardize=False, tol=1e-10,
    )  # fmt: skip
    means = [curve.test_loss.mean(axis=0) for curve in found.curves]
    best = int(np.argmin([mean.min() for mean in means]))
    at = int(np.argmin(means[best]))
    assert model.gamma_ == found.curves[best].gamma
    np.testing.assert_allclose(model.C_, [0.01, 0.03, 0.1][at])
    assert model.deviance_path_.shape == (3, 5)
    np.testing.assert_allclose(model.coef_, found.paths[best].coef[at], atol=1e-4)
    np.testing.assert_allclose(model.thresholds_, -found.paths[best].intercept[at], atol=1e-4)
    assert ours.OrdinalClassifierCV(Cs=2).fit(X, y).gamma_ == 1.0


def test_several_responses_relax():
    """Rows of coefficients that are zero are left out, the others are least squares."""
    rng = np.random.default_rng(6)
    X = rng.normal(size=(80, 10))
    Y = X[:, :2] @ rng.normal(size=(2, 3)) * 2.0 + rng.normal(size=(80, 3))
    for model in (
        ours.MultiTaskLassoCV(relax=[0.0], alphas=10),
        ours.MultiTaskElasticNetCV(relax=[0.0], alphas=10, l1_ratio=[0.5, 1.0]),
    ):
        model.fit(X, Y)
        on = np.flatnonzero(model.coef_.any(axis=0))
        assert model.gamma_ == 0.0 and 2 <= on.size < 10
        theirs = peer.LinearRegression().fit(X[:, on], Y)
        np.testing.assert_allclose(model.coef_[:, on], theirs.coef_, atol=1e-6)
        np.testing.assert_allclose(model.intercept_, theirs.intercept_, atol=1e-6)
    assert ours.MultiTaskLassoCV(relax=True, alphas=10).fit(X, Y).gamma_ < 1.0
    assert model.mse_path_.shape == (2, 10, 5)


@pytest.mark.parametrize("model", [ours.LogisticRegressionCV, ours.OrdinalClassifierCV, ours.MultiTaskLassoCV])
def test_wrong_gammas_are_told(model):
    rng = np.random.default_rng(7)
    X, y = rng.normal(size=(30, 3)), np.arange(30) % 2
    with pytest.raises(InputError, match="relax must be True"):
        model(relax=[2.0]).fit(X, np.column_stack([y, y]) if model is ours.MultiTaskLassoCV else y)
