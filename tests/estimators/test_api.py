"""What an estimator owes to scikit-learn's machinery: signatures, clones, pickles, pipelines, routing, notebooks."""

import inspect
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as peer
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags

import bridle.estimators as ours
from bridle.errors import InputError

LINEAR = [name for name in ours.__all__ if "Dropout" not in name and "Cox" not in name]  # tests of their own
PEERS = [name for name in ours.__all__ if hasattr(peer, name)]
OWN = {"standardize", "penalty_factor", "lower", "upper", "rule", "relax"}
PRESENT = {"l1_ratios": None, "scoring": None, "use_legacy_attributes": True}  # what scikit-learn's "warn" means today


def data_for(name, diabetes, cancer, counts):
    if name.startswith("Logistic"):
        return cancer
    if name.startswith("Ordinal"):
        return diabetes[0], np.digitize(diabetes[1], [100.0, 200.0])
    if name.startswith("MultiTask"):
        return diabetes[0], np.column_stack([diabetes[1], 100.0 * diabetes[0][:, 2] - 0.3 * diabetes[1]])
    return counts if name.startswith(("Poisson", "NegativeBinomial")) else diabetes


def quick(name, **options):
    grids = {"LassoCV": {"alphas": 8}, "ElasticNetCV": {"alphas": 8}, "PoissonRegressorCV": {"alphas": 5}}
    own = ("GeneralizedLinear", "AdaptiveLasso", "MCP", "SCAD", "Gamma", "NegativeBinomial", "Quantile", "Tweedie")
    grids |= {f"{start}{'' if start == 'AdaptiveLasso' else 'Regressor'}CV": {"alphas": 5} for start in own}
    grids |= {"LogisticRegressionCV": {"Cs": [0.01, 0.1, 1.0]}, "OrdinalClassifierCV": {"Cs": [0.01, 0.1]}}
    grids |= {"HuberRegressorCV": {"alphas": 3, "cv": 3}}  # a search for the scale in each fit
    return getattr(ours, name)(**(grids.get(name, {}) | options))


@pytest.mark.parametrize("name", PEERS)
def test_parameters_and_defaults_are_those_of_scikit_learn(name):
    theirs = inspect.signature(getattr(peer, name)).parameters
    mine = inspect.signature(getattr(ours, name)).parameters
    assert list(mine)[: len(theirs)] == list(theirs)
    for key, parameter in theirs.items():
        changing = isinstance(parameter.default, str) and parameter.default == "warn"
        assert mine[key].default == (PRESENT[key] if changing else parameter.default), key
        assert mine[key].kind == parameter.kind
    extra = set(mine) - set(theirs)
    more = {"QuantileRegressor": {"l1_ratio", "bandwidth", "max_iter", "tol"}}
    assert extra <= OWN | more.get(
        name, {"l1_ratio"} if name in ("PoissonRegressor", "GammaRegressor", "TweedieRegressor") else set()
    )
    assert all(mine[key].kind == inspect.Parameter.KEYWORD_ONLY for key in extra)


@pytest.mark.parametrize("name", PEERS)
def test_parameters_of_scikit_learn_can_be_handed_over(name, diabetes, cancer, counts):
    model = getattr(ours, name)(**getattr(peer, name)().get_params())
    assert model.fit(*data_for(name, diabetes, cancer, counts)).coef_.size


@pytest.mark.parametrize("name", LINEAR)
def test_clone_pickle_and_notebook(name, diabetes, cancer, counts):
    X, y = data_for(name, diabetes, cancer, counts)
    model = quick(name, standardize=True)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), model.predict(X))
    html = model._repr_html_()
    assert name in html and "standardize" in html
    assert repr(model).startswith(f"{name}(") and "standardize=True" in repr(model)
    assert model.n_features_in_ == X.shape[1]
    assert isinstance(model.objective_, str) and re.search(r"sum_[jg] .*v_[jg]", model.objective_)
    assert np.all(np.asarray(model.relative_gap_) <= 1e-8)


@pytest.mark.parametrize("name", LINEAR)
def test_tags(name):
    model = getattr(ours, name)()
    tags = get_tags(model)
    assert tags.input_tags.sparse
    assert is_classifier(model) == name.startswith(("Logistic", "Ordinal")) != is_regressor(model)
    if is_classifier(model):
        assert tags.classifier_tags.multi_class
    assert tags.target_tags.positive_only == name.startswith(("Poisson", "Gamma", "Negative"))
    assert tags.target_tags.multi_output == (name in {"Lasso", "ElasticNet", "Ridge", "RidgeCV"} or "Task" in name)


def test_pipelines_keep_names(diabetes):
    X = pd.DataFrame(diabetes[0], columns=list("abcdefghij"))
    columns = make_column_transformer((StandardScaler(), list("abc")), remainder="passthrough")
    pipe = make_pipeline(columns, ours.Lasso(1.0))
    pipe.set_output(transform="pandas").fit(X, diabetes[1])
    assert pipe[-1].feature_names_in_[0].endswith("__a")
    chosen = SelectFromModel(ours.Lasso(5.0)).set_output(transform="pandas").fit(X, diabetes[1])
    kept = X.columns[np.abs(ours.Lasso(5.0).fit(X, diabetes[1]).coef_) > 1e-5]
    assert list(chosen.get_feature_names_out()) == list(kept)
    with pytest.raises(ValueError, match="feature names"):
        pipe[-1].predict(X)


def test_grid_search(diabetes, cancer):
    found = GridSearchCV(ours.ElasticNet(), {"alpha": [0.1, 10.0, 1e5], "l1_ratio": [0.5, 1.0]}, cv=3).fit(*diabetes)
    reference = GridSearchCV(peer.ElasticNet(tol=1e-10, max_iter=10**5), found.param_grid, cv=3).fit(*diabetes)
    assert found.best_params_ == reference.best_params_
    mine, theirs = (search.cv_results_["mean_test_score"] for search in (found, reference))
    np.testing.assert_allclose(mine, theirs, rtol=1e-6)
    scores = cross_validate(ours.LogisticRegression(), *cancer, scoring=["roc_auc", "neg_log_loss"], cv=3)
    assert np.all(scores["test_roc_auc"] > 0.8)


def test_one_versus_rest_serves_more_classes_too():
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    assert OneVsRestClassifier(ours.LogisticRegression(C=100.0)).fit(X, y).score(X, y) > 0.9


# Metadata routing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LINEAR)
def test_weights_are_routed(name, diabetes, cancer, counts, weights):
    X, y = data_for(name, diabetes, cancer, counts)
    w = weights(len(y)) + 0.5
    direct = quick(name).fit(X, y, sample_weight=w)
    with config_context(enable_metadata_routing=True):
        model = quick(name).set_fit_request(sample_weight=True)
        pipe = make_pipeline(FunctionTransformer(), model).fit(X, y, sample_weight=w)
        np.testing.assert_allclose(pipe[-1].coef_, direct.coef_, rtol=1e-6, atol=1e-9)
        assert model.get_metadata_routing() is not None
        with pytest.raises(Exception, match="sample_weight"):
            make_pipeline(quick(name)).fit(X, y, sample_weight=w)


@pytest.mark.parametrize("name", ["LassoCV", "ElasticNetCV", "RidgeCV", "LogisticRegressionCV", "PoissonRegressorCV"])
def test_groups_are_routed(name, diabetes, cancer, counts):
    X, y = data_for(name, diabetes, cancer, counts)
    groups = np.arange(len(y)) // 3 % 5
    pairs = quick(name, cv=list(GroupKFold(5).split(X, y, groups))).fit(X, y)
    plain = quick(name, cv=GroupKFold(5)).fit(X, y, groups=groups)
    with config_context(enable_metadata_routing=True):
        routed = quick(name, cv=GroupKFold(5)).fit(X, y, groups=groups)
        piped = make_pipeline(quick(name, cv=GroupKFold(5))).fit(X, y, groups=groups)
    for model in (plain, routed, piped[-1]):
        np.testing.assert_array_equal(model.curve_.test_loss, pairs.curve_.test_loss)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        quick(name).fit(X, y, colour=groups)


def test_offsets_are_routed(counts):
    X, y = counts
    time = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    direct = ours.PoissonRegressor(alpha=0.1).fit(X, y, offset=np.log(time))
    with config_context(enable_metadata_routing=True):
        model = ours.PoissonRegressor(alpha=0.1).set_fit_request(offset=True).set_score_request(offset=True)
        pipe = make_pipeline(model).fit(X, y, offset=np.log(time))
        assert pipe.score(X, y, offset=np.log(time)) == pytest.approx(direct.score(X, y, offset=np.log(time)))
    assert np.array_equal(pipe[-1].coef_, direct.coef_)
    choice = ours.PoissonRegressorCV(alphas=[0.1]).fit(X, y, offset=np.log(time))
    np.testing.assert_allclose(choice.coef_, direct.coef_, rtol=1e-6)


def test_offset_of_log_odds(cancer):
    X, y = cancer
    shift = 0.7 * X[:, 0]
    plain = ours.LogisticRegression(C=np.inf).fit(X, y)
    moved = ours.LogisticRegression(C=np.inf).fit(X, y, offset=shift)
    np.testing.assert_allclose(moved.coef_[0, 0] + 0.7, plain.coef_[0, 0], rtol=1e-4)
    np.testing.assert_allclose(moved.predict_proba(X, offset=shift), plain.predict_proba(X), atol=1e-5)
    tuned = ours.LogisticRegressionCV(Cs=[np.inf]).fit(X, y, offset=shift)
    np.testing.assert_allclose(tuned.coef_, moved.coef_, rtol=1e-6)


# Misuse ---------------------------------------------------------------------------------------------------------

BAD = [  # values of scikit-learn's own parameters, one by one, are in test_compat_misuse.py
    ("Lasso", {"penalty_factor": [1.0, 2.0]}),
    ("Lasso", {"penalty_factor": np.full(10, -1.0)}),
    ("Lasso", {"lower": 1.0}),
    ("LassoCV", {"rule": "best"}),
    ("ElasticNetCV", {"l1_ratio": [0.5, 2.0]}),
    ("ElasticNetCV", {"l1_ratio": 0.0}),
    ("Ridge", {"alpha": [1.0, 2.0]}),
    ("Ridge", {"solver": "lbfgs"}),
    ("Ridge", {"solver": "svd", "positive": True}),
    ("RidgeCV", {"alphas": [0.0, 1.0]}),
    ("RidgeCV", {"cv": 3, "store_cv_results": True}),
    ("RidgeCV", {"cv": 3, "alpha_per_target": True}),
    ("LogisticRegression", {"penalty": "elasticnet", "l1_ratio": None}),
    ("LogisticRegression", {"dual": True}),
    ("LogisticRegression", {"class_weight": {7: 1.0}}),
    ("LogisticRegression", {"class_weight": {0: 0.0}}),
    ("LogisticRegressionCV", {"l1_ratios": [2.0]}),
    ("LogisticRegressionCV", {"penalty": "elasticnet"}),
    ("LogisticRegressionCV", {"penalty": None}),
    ("LogisticRegressionCV", {"rule": "1se", "refit": False}),
    ("PoissonRegressor", {"tol": 0.0}),
    ("PoissonRegressorCV", {"l1_ratio": -0.1}),
]


@pytest.mark.parametrize(("name", "bad"), BAD, ids=str)
def test_bad_parameters(name, bad, diabetes, cancer, counts):
    with pytest.raises(ValueError):
        getattr(ours, name)(**bad).fit(*data_for(name, diabetes, cancer, counts))


@pytest.mark.parametrize("name", LINEAR)
def test_bad_data(name, diabetes, cancer, counts):
    X, y = data_for(name, diabetes, cancer, counts)
    broken = X.copy()
    broken[0, 0] = np.nan
    for bad_X, bad_y in [(broken, y), (X, y[:-1]), (X[:0], y[:0]), (X[:, 0], y), (X.astype(complex) * 1j, y)]:
        with pytest.raises(ValueError):
            quick(name).fit(bad_X, bad_y)
    for weight in [-np.ones(len(y)), np.full(len(y), np.inf), np.zeros(len(y)), np.ones(3), np.ones((len(y), 2))]:
        with pytest.raises(ValueError, match="weight"):
            quick(name).fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="features"):
        quick(name).fit(X, y).predict(X[:, :-1])


def test_bad_targets(diabetes, counts):
    with pytest.raises(InputError, match="one target"):
        ours.LassoCV().fit(diabetes[0], np.column_stack([diabetes[1]] * 2))
    with pytest.raises(InputError, match="at least 0"):
        ours.PoissonRegressor().fit(counts[0], counts[1] - 1.0)
    with pytest.raises(InputError, match="only one class"):
        ours.LogisticRegression().fit(diabetes[0], np.ones(len(diabetes[1])))
    with pytest.raises(InputError, match="offset"):
        ours.PoissonRegressor().fit(*counts, offset=np.ones(3))


def test_what_did_not_converge_is_said(wide):
    X, y = wide
    with pytest.warns(ConvergenceWarning, match="relative duality gap"):
        model = ours.Lasso(1e-7, max_iter=1, tol=1e-10).fit(X @ X.T @ X, y)
    assert model.relative_gap_ > 1e-8
    separable = np.arange(10.0)[:, None]
    with pytest.warns(ConvergenceWarning, match="separate"):
        model = ours.LogisticRegression(C=np.inf).fit(separable, separable[:, 0] > 4)
    assert np.array_equal(model.predict(separable), separable[:, 0] > 4)
    ours.LogisticRegression(C=1e9).fit(separable, separable[:, 0] > 4)  # any penalty at all has an optimum


def test_folds_that_miss_their_finer_goal_say_nothing(wide):
    """The solver aims at less than ``tol``; its own warning about that aim isn't the user's business."""
    X, y = wide
    ours.LassoCV(alphas=[1e-4, 1e-5], max_iter=1, tol=0.5).fit(X @ X.T @ X, y)
    ours.ElasticNet(1e-6, max_iter=1, tol=0.5).fit(X @ X.T @ X, y)
