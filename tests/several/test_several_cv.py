"""Cross-validation with several linear predictors."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score

from bridle.selection import cross_validate, make_folds


@pytest.mark.parametrize("family", ["multinomial", "ordinal", "multigaussian"])
@pytest.mark.parametrize("shape", [(90, 6), (40, 100)])
def test_curve_is_the_loss_of_each_fold(kit, family, shape):
    X, y = kit.make_data(family, *shape, seed=1, classes=3)
    w = np.random.default_rng(0).uniform(0.5, 2.0, size=shape[0])
    scorers = ["r2"] if family == "multigaussian" else ["accuracy", "neg_log_loss"]
    options = {"family": family, "sample_weight": w, "tol": 1e-8}
    result = cross_validate(X, y, folds=4, n_lambdas=5, lambda_min_ratio=0.1, scorers=scorers, **options)
    curve, path = result.curves[0], result.paths[0]
    np.testing.assert_allclose(path.coef, kit.fit_path(X, y, lambdas=path.lambdas, **options).coef, atol=1e-10)
    train, test = result.folds.pairs[1]
    fold = kit.fit_path(X[train], y[train], lambdas=path.lambdas, **options | {"sample_weight": w[train]})
    mean = fold.predict(X[test])
    for i in range(5):
        if family == "multigaussian":
            loss = np.average(((mean[:, :, i] - y[test]) ** 2).sum(axis=1), weights=w[test])
            score = {"r2": r2_score(y[test], mean[:, :, i], sample_weight=w[test])}
        else:
            cost = log_loss(y[test], mean[:, :, i], sample_weight=w[test], labels=[0, 1, 2])
            hit = accuracy_score(y[test], mean[:, :, i].argmax(axis=1), sample_weight=w[test])
            loss, score = 2.0 * cost, {"accuracy": hit, "neg_log_loss": -cost}
        assert curve.test_loss[1, i] == pytest.approx(loss, rel=1e-6)
        for name, value in score.items():
            assert curve.scores[name][1, i] == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(curve.full_loss, path.deviance)
    assert curve.sum_weight == pytest.approx(w.sum())
    assert np.all(curve.n_nonzero <= shape[1])
    assert result.select("1se").value >= result.select("min").value


def test_classes_are_spread_over_folds_and_named_in_the_path(kit):
    X, y = kit.make_data("multinomial", 60, 4, seed=2, classes=3)
    names = np.array(["c", "a", "b"])[y]
    folds = make_folds(names, family="multinomial", n_splits=5)
    assert "stratified by class" in folds.description
    for _, test in folds:
        assert np.max(np.abs(np.bincount(y[test], minlength=3) - np.bincount(y) / 5)) <= 1.0
    result = cross_validate(X, names, folds=folds, family="multinomial", penalty="group_lasso", n_lambdas=4)
    assert result.paths[0].responses == ("a", "b", "c")
    assert result.paths[0].penalty == "group_lasso"
    active = (result.paths[0].coef != 0.0).any(axis=2)
    assert np.array_equal(active, (result.paths[0].coef != 0.0).all(axis=2))  # in or out for all classes


def test_groups_keep_together_and_any_number_of_threads(kit):
    X, y = kit.make_data("multinomial", 80, 4, seed=3, classes=4)
    groups = np.arange(80) // 2
    folds = make_folds(y, family="multinomial", n_splits=4, groups=groups)
    assert all(not set(groups[train]) & set(groups[test]) for train, test in folds)
    one, two = (
        cross_validate(X, y, folds=folds, family="multinomial", n_lambdas=5, n_jobs=jobs, offset=0.1 * np.eye(4)[y])
        for jobs in (1, 2)
    )
    assert np.array_equal(one.curves[0].test_loss, two.curves[0].test_loss)
