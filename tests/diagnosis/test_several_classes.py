"""Verdicts on models of several classes and responses."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import bridle
from bridle.diagnosis.contenders import EstimatorContender, FixedContender, NullContender, Target
from bridle.diagnosis.evidence import collect_evidence, supported_means
from bridle.errors import InputError
from bridle.losses import get_family
from bridle.selection import make_folds

NAMES = np.array(["b", "a", "c"])
QUICK = {"n_repeats": 1, "learning_curve": False, "challengers": ["ridge"]}


def classes(n=150, seed=0):
    X, y = make_classification(
        n, 6, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1, class_sep=1.0, random_state=seed
    )
    return X, NAMES[y]


def test_a_deep_tree_overfits_three_classes():
    X, y = classes(300, 1)
    found = bridle.diagnose(DecisionTreeClassifier(random_state=0), X, y, n_repeats=2, challengers=["ridge"])
    assert found.verdict.label == "overfitting"
    assert found.evidence.family == "multinomial" and found.curve is not None
    rare = next(c for c in found.verdict.checks if c.code == "BR401")
    assert rare.status != "not applicable" and "rarest class" in rare.message
    assert not np.isfinite(found.verdict.calibration_slope.value)


def test_losses_are_those_of_the_probabilities():
    X, y = classes()
    target = get_family("multinomial").target(y, len(y))
    folds = make_folds(target, family="multinomial", n_splits=4)
    model = LogisticRegression()
    contenders = (
        NullContender(Target(target, "multinomial")),
        EstimatorContender("model", "model", model, X, Target(target, "multinomial"), labels=y),
        FixedContender("ridge", "ridge", X, Target(target, "multinomial"), lam=0.05, l1_ratio=0.0),
    )
    evidence = collect_evidence(contenders, target, family="multinomial", folds=folds)
    train, test = folds.pairs[0]
    p = model.fit(X[train], y[train]).predict_proba(X[test])
    np.testing.assert_allclose(evidence.predictions["model"][0][test], p)
    loss = 2 * np.mean(-np.log(p[np.arange(len(test)), np.argmax(target[test], axis=1)]))
    assert evidence.test_loss[0, 1] == pytest.approx(loss, rel=0.02)  # supported means are a little off
    share = target[train].mean(axis=0)
    np.testing.assert_allclose(evidence.predictions["null"][0][test], np.tile(share, (len(test), 1)))


def test_supported_probabilities_sum_to_one():
    y = np.eye(3)[[0, 0, 1, 2, 2]]
    p = supported_means([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]], y, "multinomial")
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    np.testing.assert_allclose(p[0], np.array([1.0, 0.125, 0.125]) / 1.25)
    np.testing.assert_allclose(p[1], [0.2, 0.3, 0.5])


@pytest.mark.parametrize("estimator", [RidgeClassifier(), NearestCentroid()], ids=lambda e: type(e).__name__)
def test_classifiers_without_probabilities_get_some(estimator):
    if isinstance(estimator, NearestCentroid):  # neither probabilities nor a decision function, in this test

        class Labels(NearestCentroid):
            predict_proba = property()  # type: ignore[assignment]
            decision_function = property()

        estimator = Labels()
    X, y = classes()
    found = bridle.diagnose(estimator, X, y, **QUICK)
    p = found.evidence.predictions["model"][0]
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert found.verdict.explained.value > 0.1


def test_ordered_classes_and_several_responses():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    level = np.digitize(X[:, 0] + 0.5 * rng.logistic(size=120), [-0.5, 0.5])
    ordinal = bridle.diagnose(LogisticRegression(), X, level, family="ordinal", **QUICK)
    assert ordinal.evidence.family == "ordinal" and ordinal.verdict.explained.value > 0.2
    Y = X[:, :2] + 0.3 * rng.normal(size=(120, 2))
    tree = bridle.diagnose(DecisionTreeRegressor(random_state=0), X, Y, **QUICK)
    assert tree.evidence.family == "multigaussian" and tree.verdict.label == "overfitting"
    with pytest.raises(InputError, match="use family='multinomial'"):
        bridle.diagnose(LogisticRegression(), X, level, family="binomial", **QUICK)
