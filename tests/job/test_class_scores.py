"""Scores of several classes against scikit-learn, and their intervals against resampling."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, log_loss, roc_auc_score

from bridle.job.class_scores import class_scores, confusion, level_error, macro_auc, response_scores


def draw(n=240, k=3, seed=0):
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(n, k))
    y = np.argmax(score + rng.gumbel(size=(n, k)), axis=1)
    mu = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    return np.eye(k)[y], mu, rng.uniform(0.5, 2.0, n)


def test_values_are_scikit_learns():
    Y, mu, w = draw()
    y, label = np.argmax(Y, axis=1), np.argmax(mu, axis=1)
    found = {name: it.value for name, it in class_scores(Y, mu, w, 0.95).items()}
    areas = [roc_auc_score(Y[:, k], mu[:, k], sample_weight=w) for k in range(3)]
    expected = {
        "accuracy": accuracy_score(y, label, sample_weight=w),
        "balanced accuracy": balanced_accuracy_score(y, label, sample_weight=w),
        "ROC AUC (one against rest)": np.mean(areas),
        "log loss": log_loss(y, mu, sample_weight=w),
        "Brier score": np.average(((Y - mu) ** 2).sum(axis=1), weights=w),
    }
    assert found == pytest.approx(expected)
    np.testing.assert_allclose(confusion(Y, mu, w), confusion_matrix(y, label, sample_weight=w))
    off = np.average(np.abs(y - label), weights=w)
    assert level_error(Y, mu, w, 0.95).value == pytest.approx(off)


@pytest.mark.parametrize("score", ["balanced accuracy", "ROC AUC (one against rest)"])
def test_intervals_are_as_wide_as_resampling_says(score):
    Y, mu, _ = draw(400, seed=1)
    w, rng = np.ones(400), np.random.default_rng(2)
    it = class_scores(Y, mu, w, 0.95)[score]
    again = []
    for _ in range(300):
        rows = rng.integers(0, 400, 400)
        again.append(class_scores(Y[rows], mu[rows], w, 0.95)[score].value)
    assert (it.upper - it.lower) / (2 * 1.96) == pytest.approx(np.std(again), rel=0.15)


def test_twice_a_row_is_weight_two_and_classes_have_no_order():
    Y, mu, w = draw(60, seed=3)
    copies = np.repeat(np.arange(60), 1 + (np.arange(60) % 2))
    weight = 1.0 + (np.arange(60) % 2)
    one, two = (class_scores(Y[r], mu[r], v, 0.95) for r, v in ((copies, np.ones(90)), (np.arange(60), weight)))
    assert {k: v.value for k, v in one.items()} == pytest.approx({k: v.value for k, v in two.items()})
    order = [2, 0, 1]
    turned = class_scores(Y[:, order], mu[:, order], w, 0.95)
    for name, it in class_scores(Y, mu, w, 0.95).items():
        np.testing.assert_allclose([turned[name].lower, turned[name].upper], [it.lower, it.upper])


def test_perfect_and_absent_classes():
    Y = np.eye(4)[[0, 0, 0, 1, 1, 1, 2, 2, 2]]  # no row of the last
    perfect = class_scores(Y, 0.97 * Y + 0.01, np.ones(9), 0.95)
    for name in ("accuracy", "balanced accuracy", "ROC AUC (one against rest)"):
        it = perfect[name]
        assert it.value == pytest.approx(1.0) and it.upper == 1.0 and 0.3 < it.lower < 1.0
    one = np.eye(3)[[0, 0, 0]]
    assert np.isnan(macro_auc(one, np.full((3, 3), 1 / 3), np.ones(3), 0.95).value)


def test_certain_and_wrong_is_an_infinite_log_loss():
    Y, mu = np.eye(3), np.eye(3)[[0, 1, 1]]
    assert class_scores(Y, mu, np.ones(3), 0.95)["log loss"].value == np.inf


def test_scores_of_a_response():
    rng = np.random.default_rng(0)
    y = rng.normal(size=80)
    mu = y + 0.5 * rng.normal(size=80)
    found = response_scores(y, mu, np.full(80, y.mean()), np.ones(80), 0.95)
    assert found["R2"].value == pytest.approx(1 - np.mean((y - mu) ** 2) / y.var())
    assert found["RMSE"].lower < found["RMSE"].value == pytest.approx(np.sqrt(np.mean((y - mu) ** 2)))
