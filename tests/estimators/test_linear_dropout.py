"""LinearDropoutRegressor and LinearDropoutClassifier: scikit-learn's manner, and the path function's answers."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import d2_tweedie_score, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import bridle
from bridle.errors import InputError
from bridle.estimators import LinearDropoutClassifier, LinearDropoutRegressor, LogisticRegression, Ridge


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        LinearDropoutRegressor(),
        LinearDropoutRegressor(family="poisson"),
        LinearDropoutClassifier(),
        LinearDropoutClassifier(marginal="normal"),
    ]
)
def test_conforms(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks feed data that nobody would: what counts is what they assert
        check(estimator)


MODELS = [
    LinearDropoutRegressor(0.3),
    LinearDropoutRegressor(0.3, family="poisson"),
    LinearDropoutClassifier(0.3),
    LinearDropoutClassifier(0.3, marginal="normal"),
]


@pytest.fixture(params=MODELS, ids=str)
def model(request):
    return clone(request.param)


@pytest.fixture
def data(model, diabetes, cancer, counts):
    if isinstance(model, LinearDropoutClassifier):
        return cancer
    return counts if model.family == "poisson" else diabetes


def family_of(model):
    return getattr(model, "family", "binomial")


def test_is_the_path_at_one_rate(model, data, container, weights):
    X, y = data
    w, offset = weights(len(y)), 0.1 * np.sin(np.arange(len(y)))
    kind, wrap = container
    model.fit(wrap(X), y, sample_weight=w, offset=offset)
    path = bridle.fit_dropout_path(
        X, y, family=family_of(model), rates=[0.3], marginal=model.marginal, sample_weight=w, offset=offset
    )
    loose = 1e-3 if kind == "float32" else 1e-6
    np.testing.assert_allclose(np.ravel(model.coef_), path.coef[0], rtol=loose, atol=loose)
    np.testing.assert_allclose(np.ravel(model.intercept_), path.intercept, rtol=loose, atol=loose)
    assert model.coef_.dtype == (np.float32 if kind == "float32" else np.float64)
    assert model.stationarity_ <= 1e-8 and model.path_.converged
    assert (kind == "pandas") == hasattr(model, "feature_names_in_")
    fitted = path.predict(X, offset)[:, 0]
    got = model.predict_proba(wrap(X), offset)[:, 1] if is_classifier(model) else model.predict(wrap(X), offset)
    np.testing.assert_allclose(got, fitted, rtol=10 * loose, atol=10 * loose)


def test_clone_pickle_and_notebook(model, data):
    X, y = data
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        model.predict(X)
    again = pickle.loads(pickle.dumps(model.fit(X, y)))
    assert np.array_equal(again.predict(X), model.predict(X))
    assert "delta = 0.3" in model.objective_ and "b_j^2" in model.objective_
    assert "dropout" in model._repr_html_() and repr(model).startswith(type(model).__name__)
    assert np.ravel(model.n_iter_)[0] >= 1


def test_tags(model):
    tags = get_tags(model)
    assert tags.input_tags.sparse and is_classifier(model) != is_regressor(model)
    assert tags.target_tags.positive_only == (family_of(model) == "poisson")
    if is_classifier(model):
        assert not tags.classifier_tags.multi_class


def test_grid_search_in_a_pipeline(model, data):
    X, y = data
    pipe = make_pipeline(StandardScaler(), model)
    rates = [0.9, 0.5, 0.1]
    found = GridSearchCV(pipe, {f"{type(model).__name__.lower()}__dropout": rates}, cv=3).fit(X, y)
    assert next(iter(found.best_params_.values())) in rates
    means = found.cv_results_["mean_test_score"]
    assert np.isfinite(means).all() and len(set(means)) > 1
    assert found.best_estimator_[-1].dropout == rates[int(np.argmax(means))]


def test_gaussian_is_ridge(diabetes):
    X, y = diabetes
    for rate in (0.1, 0.6):
        model = LinearDropoutRegressor(rate).fit(X, y)
        ridge = Ridge(alpha=len(y) * rate / (1.0 - rate), standardize=True).fit(X, y)
        np.testing.assert_allclose(model.coef_, ridge.coef_, rtol=1e-9)
        np.testing.assert_allclose(model.intercept_, ridge.intercept_, rtol=1e-9)


def test_rate_0_is_the_unpenalised_model(cancer):
    model = LinearDropoutClassifier(0.0).fit(*cancer)
    plain = LogisticRegression(C=np.inf).fit(*cancer)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-5)
    np.testing.assert_allclose(model.predict_proba(cancer[0]), plain.predict_proba(cancer[0]), atol=1e-7)


def test_scores(diabetes, counts, weights):
    X, y = diabetes
    w = weights(len(y))
    model = LinearDropoutRegressor().fit(X, y)
    assert model.score(X, y, w) == pytest.approx(r2_score(y, model.predict(X), sample_weight=w))
    X, y = counts
    model, w = LinearDropoutRegressor(family="poisson").fit(X, y), weights(len(y))
    assert model.score(X, y, w) == pytest.approx(d2_tweedie_score(y, model.predict(X), power=1, sample_weight=w))
    offset = np.full(len(y), 0.7)
    assert model.score(X, y, offset=offset) < model.score(X, y)
    assert LinearDropoutRegressor().fit(X, np.ones(len(y))).score(X, np.ones(len(y))) == 1.0


def test_class_weights_are_weights(cancer):
    X, y = cancer
    labels = np.where(y == 1, "yes", "no")
    model = LinearDropoutClassifier(class_weight={"yes": 3.0}).fit(X, labels)
    other = LinearDropoutClassifier().fit(X, labels, sample_weight=np.where(y == 1, 3.0, 1.0))
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-7)
    assert model.classes_.tolist() == ["no", "yes"] and set(model.predict(X)) == {"no", "yes"}
    balanced = LinearDropoutClassifier(class_weight="balanced").fit(X, labels)
    share = balanced.predict_proba(X)[:, 1]
    assert abs(np.average(share, weights=np.where(y == 1, 1.0 / y.mean(), 1.0 / (1.0 - y.mean()))) - 0.5) < 0.05


def test_names_are_kept_and_checked(diabetes):
    X = pd.DataFrame(diabetes[0], columns=list("abcdefghij"))
    model = LinearDropoutRegressor().fit(X, diabetes[1])
    assert model.feature_names_in_.tolist() == list("abcdefghij")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[list("jihgfedcba")])


BAD = [{"dropout": value} for value in (1.0, -0.1, 1.5, np.nan, "half", None, True)]
BAD += [{"tol": 0.0}, {"max_iter": 0}, {"max_iter": 2.5}, {"standardize": "yes"}, {"marginal": "exact"}]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_bad_parameters(bad, model, data):
    with pytest.raises(InputError, match=next(iter(bad))):
        model.set_params(**bad).fit(*data)


def test_bad_data(model, data):
    X, y = data
    broken = X.copy()
    broken[0, 0] = np.nan
    for bad_X, bad_y in [(broken, y), (X, y[:-1]), (X[:0], y[:0]), (sparse.csr_array(broken), y)]:
        with pytest.raises(ValueError):
            model.fit(bad_X, bad_y)
    with pytest.raises(InputError, match="weight"):
        model.fit(X, y, sample_weight=np.zeros(len(y)))
    with pytest.raises(InputError, match="offset"):
        model.fit(X, y, offset=np.ones(3))
    with pytest.raises(ValueError, match="features"):
        model.fit(X, y).predict(X[:, :-1])


def test_bad_targets(cancer, counts):
    X, y = cancer
    with pytest.raises(InputError, match="Only binary classification"):
        LinearDropoutClassifier().fit(X, np.arange(len(y)) % 3)
    with pytest.raises(InputError, match="only one class"):
        LinearDropoutClassifier().fit(X, np.ones(len(y)))
    with pytest.raises(InputError, match="class_weight"):
        LinearDropoutClassifier(class_weight="fair").fit(X, y)
    with pytest.raises(InputError, match="at least 0"):
        LinearDropoutRegressor(family="poisson").fit(counts[0], counts[1] - 5.0)
    with pytest.raises(InputError, match="family"):
        LinearDropoutRegressor(family="binomial").fit(X, y)


def test_what_has_no_minimum_is_said():
    X = np.random.default_rng(0).normal(size=(40, 3))
    y = X[:, 0] > 0.1
    with pytest.warns(ConvergenceWarning, match=r"separated.*marginal='normal'"):
        model = LinearDropoutClassifier(0.1).fit(X, y)
    assert model.path_.status == ("separated",) and np.array_equal(model.predict(X), y)
    assert LinearDropoutClassifier(0.1, marginal="normal").fit(X, y).stationarity_ <= 1e-8
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        LinearDropoutRegressor(0.5, family="poisson", max_iter=1).fit(X, y.astype(float))
