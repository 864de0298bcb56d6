"""More than two classes, ordered classes, and several targets, against scikit-learn and statsmodels."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as peer
import statsmodels.api as sm
from estimators_comparison import assert_same
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from statsmodels.miscmodels.ordinal_model import OrderedModel

import bridle.estimators as ours
from bridle.errors import DataWarning, InputError

TIGHT = {"lbfgs": {"tol": 1e-11, "max_iter": 50_000}, "saga": {"tol": 1e-11, "max_iter": 50_000, "random_state": 0}}


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    rng = np.random.default_rng(0)
    return (
        (X - X.mean(axis=0)) / X.std(axis=0),
        np.array(["red", "white", "rose"])[y],
        rng.uniform(0.5, 2.0, size=len(y)),
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"C": 30.0},
        {"fit_intercept": False},
        {"class_weight": "balanced"},
        {"class_weight": {"red": 2.0, "rose": 0.5}},
        {"C": 0.1, "l1_ratio": 1.0, "solver": "saga"},
        {"C": 0.3, "l1_ratio": 0.5, "solver": "saga"},
        {"penalty": "l1", "C": 0.05, "l1_ratio": 1.0, "solver": "saga"},
    ],
    ids=str,
)
def test_logistic_regression_of_three_classes(wine, options):
    X, y, w = wine
    mine = ours.LogisticRegression(**options).fit(X, y, w)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        theirs = peer.LogisticRegression(**TIGHT[options.get("solver", "lbfgs")] | options).fit(X, y, w)
    assert mine.relative_gap_ <= 1e-9
    for name in ("coef_", "intercept_", "classes_"):
        assert_same(getattr(mine, name), getattr(theirs, name), name, 2e-5)
    for method in ("decision_function", "predict", "predict_proba", "predict_log_proba"):
        assert_same(getattr(mine, method)(X), getattr(theirs, method)(X), method, 2e-5)
    assert mine.sparsify().predict(X).tolist() == theirs.predict(X).tolist()


@pytest.mark.parametrize(
    "options",
    [
        {"use_legacy_attributes": False, "l1_ratios": (0.0,), "scoring": "neg_log_loss"},
        {"use_legacy_attributes": True, "l1_ratios": None, "scoring": "accuracy"},
        {"use_legacy_attributes": True, "l1_ratios": (0.0,), "scoring": "balanced_accuracy", "refit": False},
        {"use_legacy_attributes": False, "l1_ratios": (0.0,), "scoring": "roc_auc_ovr", "fit_intercept": False},
    ],
    ids=str,
)
def test_logistic_regression_cv_of_three_classes(wine, options):
    X, y, w = wine
    options = options | {"Cs": [0.01, 1.0], "cv": StratifiedKFold(3)}
    mine = ours.LogisticRegressionCV(**options, tol=1e-13).fit(X, y, w)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        theirs = peer.LogisticRegressionCV(**options, tol=1e-10, max_iter=5000).fit(X, y, w)
    for name in ("C_", "l1_ratio_", "l1_ratios_", "Cs_", "classes_", "coef_", "intercept_", "scores_", "coefs_paths_"):
        assert_same(getattr(mine, name), getattr(theirs, name), name, 3e-5)
    assert np.shape(mine.n_iter_) == np.shape(theirs.n_iter_)
    assert mine.score(X, y) == pytest.approx(theirs.score(X, y))
    assert mine.curve_.family == "multinomial"
    assert mine.curve_.test_loss.shape == (3, 2)


def test_offset_of_several_classes(wine):
    X, y, _ = wine
    offset = np.log([0.5, 0.3, 0.2]) * np.ones((len(y), 1))
    model = ours.LogisticRegression().fit(X, y, offset=offset)
    plain = ours.LogisticRegression().fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X, offset=offset), plain.predict_proba(X), atol=1e-6)
    with pytest.raises(InputError, match=r"one finite number per row and class, shape \(178, 3\)"):
        ours.LogisticRegression().fit(X, y, offset=np.zeros(len(y)))


def test_grid_search_and_rules(wine):
    X, y, _ = wine
    search = GridSearchCV(ours.LogisticRegression(), {"C": [0.01, 1.0]}, cv=3, scoring="neg_log_loss").fit(X, y)
    assert search.best_score_ > -0.2
    chosen = ours.LogisticRegressionCV(Cs=5, cv=3, rule="1se", l1_ratios=[1.0], use_legacy_attributes=False).fit(X, y)
    assert chosen.selection_.rule == "1se"
    assert (chosen.coef_ == 0.0).any()


def ordinal_data(seed=0, n=200):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.searchsorted([-1.0, 0.5, 1.5], X @ [1.0, -0.5, 0.0, 0.3] + rng.logistic(size=n))


def test_ordinal_classifier_equals_statsmodels():
    X, y = ordinal_data()
    mine = ours.OrdinalClassifier(C=np.inf).fit(X, y)
    theirs = OrderedModel(y, X, distr="logit").fit(method="bfgs", disp=False, gtol=1e-8, maxiter=1000)
    np.testing.assert_allclose(mine.coef_, theirs.params[:4], rtol=1e-4)
    thresholds = theirs.model.transform_threshold_params(theirs.params)[1:-1]
    np.testing.assert_allclose(mine.thresholds_, thresholds, rtol=1e-4)
    np.testing.assert_allclose(mine.predict_proba(X), theirs.predict(), atol=1e-4)


def test_multinomial_without_penalty_equals_statsmodels():
    X, y = ordinal_data(n=300)
    mine = ours.LogisticRegression(C=np.inf).fit(X, y)
    theirs = sm.MNLogit(y, sm.add_constant(X)).fit(method="newton", disp=False, tol=1e-12, maxiter=100)
    np.testing.assert_allclose(mine.coef_[1:] - mine.coef_[0], theirs.params[1:].T, atol=1e-5)
    np.testing.assert_allclose(mine.intercept_[1:] - mine.intercept_[0], theirs.params[0], atol=1e-5)
    np.testing.assert_allclose(mine.coef_.sum(axis=0), 0.0, atol=1e-9)


def test_order_of_levels_and_of_classes():
    X, y = ordinal_data()
    names = np.array(["poor", "fair", "good", "best"])  # not in alphabetical order
    plain = ours.OrdinalClassifier().fit(X, y)
    given = ours.OrdinalClassifier(levels=list(names)).fit(X, names[y])
    ordered = ours.OrdinalClassifier().fit(X, pd.Categorical(names[y], names, ordered=True))
    for model in (given, ordered):
        np.testing.assert_allclose(model.coef_, plain.coef_)
        assert model.levels_.tolist() == names.tolist()
        assert model.classes_.tolist() == sorted(names)
        assert model.predict(X).tolist() == names[plain.predict(X)].tolist()
        np.testing.assert_allclose(model.predict_proba(X)[:, np.argsort(np.argsort(names))], plain.predict_proba(X))
    score = cross_val_score(clone(given), X, names[y], cv=3, scoring="neg_log_loss")
    np.testing.assert_allclose(score, cross_val_score(clone(plain), X, y, cv=3, scoring="neg_log_loss"), rtol=1e-6)
    with pytest.warns(DataWarning, match="the order of the levels isn't known: taken is best, fair, good, poor"):
        ours.OrdinalClassifier().fit(X, names[y])
    with pytest.raises(InputError, match="all labels once, lowest first"):
        ours.OrdinalClassifier(levels=["poor", "fair"]).fit(X, names[y])


def test_two_levels_are_logistic_regression():
    X, y = ordinal_data()
    options = {"C": 0.3, "l1_ratio": 0.5, "class_weight": "balanced"}
    levels, classes = ours.OrdinalClassifier(**options), ours.LogisticRegression(**options)
    offset, weight = 0.1 * X[:, 0], 1.0 + (np.arange(200) % 2)
    for model in (levels, classes):
        model.fit(X, y > 1, weight, offset)
    np.testing.assert_allclose(levels.coef_, classes.coef_[0], atol=1e-6)
    np.testing.assert_allclose(-levels.thresholds_, classes.intercept_, atol=1e-6)
    np.testing.assert_allclose(levels.predict_proba(X, offset), classes.predict_proba(X, offset), atol=1e-6)


@pytest.mark.parametrize("change", [{"C": 0.0}, {"l1_ratio": 2.0}, {"tol": -1.0}, {"class_weight": "even"}])
def test_parameters_of_the_ordinal_classifier(change):
    with pytest.raises(InputError, match=next(iter(change))):
        ours.OrdinalClassifier(**change).fit(*ordinal_data())


def test_several_targets_are_asked_for():
    X, y = ordinal_data()
    with pytest.raises(InputError, match="for mono-task outputs use Lasso"):
        ours.MultiTaskLasso().fit(X, y)
    with pytest.raises(InputError, match="for mono-task outputs use ElasticNetCV"):
        ours.MultiTaskElasticNetCV().fit(X, y)
    one = ours.MultiTaskLasso(alpha=0.05).fit(X, y[:, None] * 1.0)
    np.testing.assert_allclose(one.coef_[0], ours.Lasso(alpha=0.05).fit(X, y * 1.0).coef_, atol=1e-6)


def test_features_of_several_targets_are_in_or_out_together():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 10))
    Y = X[:, :3] @ rng.normal(size=(3, 4)) + rng.normal(size=(80, 4))
    model = ours.MultiTaskLassoCV(cv=4, rule="1se", penalty_factor=np.r_[0.0, np.ones(9)]).fit(X, Y)
    active = model.coef_ != 0.0
    assert np.array_equal(active.any(axis=0), active.all(axis=0))
    assert active[:, 0].all()
    assert model.selection_.rule == "1se"
    assert model.relative_gap_ <= 1e-9
