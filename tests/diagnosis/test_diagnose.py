"""Known cases, from end to end: estimators whose trouble is known before."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LassoCV, LinearRegression, LogisticRegression, PoissonRegressor, RidgeClassifier
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import bridle
from bridle.errors import InputError

QUICK = {"n_repeats": 2, "learning_curve": False, "challengers": ("ridge", "lasso")}


def linear_data(n=200, p=6, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X[:, 0] - X[:, 1] + noise * rng.standard_normal(n)


def two_classes(n=300, seed=0):
    X, f = linear_data(n, seed=seed)
    return X, np.where(f > 0, "ill", "well")


def test_nearest_neighbour_on_noisy_signal_overfits():
    found = bridle.diagnose(KNeighborsRegressor(1), *linear_data(), **QUICK)
    assert found.verdict.label == "overfitting"
    assert found.verdict.train_loss == 0.0
    assert found.verdict.sentence.startswith("Overfits: ")


def test_linear_model_of_a_sine_underfits():
    rng = np.random.default_rng(1)
    X = rng.uniform(-3, 3, (250, 2))
    y = np.sin(2 * X[:, 0]) + 0.3 * X[:, 1] + 0.2 * rng.standard_normal(250)
    found = bridle.diagnose(LinearRegression(), X, y, n_repeats=2, learning_curve=False)
    assert found.verdict.label == "underfitting"
    assert found.verdict.alternative in ("splines", "boosting")


def test_tuned_lasso_of_a_sparse_truth_is_balanced():
    found = bridle.diagnose(LassoCV(cv=5), *linear_data(400), n_repeats=2, learning_curve=False)
    assert found.verdict.label == "balanced"


@pytest.mark.parametrize(
    "estimator", [LinearRegression(), KNeighborsRegressor(1), DecisionTreeRegressor(random_state=0)]
)
def test_noise_has_no_signal(estimator):
    X, _ = linear_data(120)
    y = np.random.default_rng(2).standard_normal(120)
    assert bridle.diagnose(estimator, X, y, **QUICK).verdict.label == "no signal"


def test_unpruned_tree_overfits_though_it_knows_all_training_rows():
    X, y = two_classes()
    found = bridle.diagnose(DecisionTreeClassifier(random_state=0), X, y, **QUICK)
    assert found.verdict.label == "overfitting"
    assert DecisionTreeClassifier(random_state=0).fit(X, y).score(X, y) == 1.0
    assert any(c.alternative.startswith("model: max_depth") for c in found.verdict.comparisons)


def test_too_stiff_a_classifier_underfits():
    X, y = two_classes()
    assert bridle.diagnose(LogisticRegression(C=1e-3), X, y, **QUICK).verdict.label == "underfitting"


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_rescaled_target_has_the_same_verdict(factor):
    X, y = linear_data(noise=2.0)
    plain = bridle.diagnose(LinearRegression(), X, y, n_repeats=1, learning_curve=False).verdict
    scaled = bridle.diagnose(LinearRegression(), X, factor * y, n_repeats=1, learning_curve=False).verdict
    assert (plain.label, plain.lean, plain.alternative) == (scaled.label, scaled.lean, scaled.alternative)
    assert plain.effect.value == pytest.approx(scaled.effect.value, rel=1e-3)


def test_same_seed_same_answer_whatever_the_threads():
    X, y = linear_data(100)
    one = bridle.diagnose(KNeighborsRegressor(3), X, y, seed=5, **QUICK)
    two = bridle.diagnose(KNeighborsRegressor(3), X, y, seed=5, n_jobs=2, **QUICK)
    assert np.array_equal(one.evidence.test_loss, two.evidence.test_loss)
    assert one.verdict == two.verdict


@pytest.mark.parametrize("as_table", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_a_pipeline_takes_a_frame_with_text_and_gaps(as_table):
    rng = np.random.default_rng(3)
    n = 150
    town = rng.choice(["Bath", "York", "Hull"], n)
    age = rng.normal(50, 10, n)
    y = (town == "York") * 2.0 + age / 10 + rng.standard_normal(n)
    frame = as_table({"town": town, "age": age, "id": [f"p{i}" for i in range(n)]})
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["town"]), ("passthrough", ["age"]))
    found = bridle.diagnose(make_pipeline(encode, LinearRegression()), frame, y, **QUICK)
    assert found.verdict.label in ("balanced", "undetermined")
    assert any("id" in note for note in found.notes)


@pytest.mark.parametrize(
    "estimator", [make_pipeline(StandardScaler(), LinearSVC()), RidgeClassifier()], ids=["decision function", "ridge"]
)
def test_classifiers_without_probabilities_are_calibrated_inside(estimator):
    X, y = two_classes()
    found = bridle.diagnose(estimator, X, y, **QUICK)
    assert found.verdict.label in ("balanced", "undetermined")
    assert found.verdict.explained.value > 0.2


def test_labels_alone_are_turned_into_shares():
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Sign(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return self.classes_[(X[:, 0] - X[:, 1] < 0).astype(int)]

    X, y = two_classes()
    found = bridle.diagnose(Sign(), X, y, **QUICK)
    assert 0.1 < found.verdict.explained.value < 0.9


def test_counts_are_judged_by_poisson_deviance():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((200, 4))
    y = rng.poisson(np.exp(0.5 + 0.5 * X[:, 0]))
    found = bridle.diagnose(PoissonRegressor(alpha=1e-4), X, y, family="poisson", **QUICK)
    assert found.evidence.family == "poisson"
    assert found.verdict.label in ("balanced", "undetermined")


def test_the_estimator_given_is_not_touched():
    forest = RandomForestClassifier(5, random_state=0)
    X, y = two_classes(120)
    bridle.diagnose(forest, X, y, **QUICK)
    assert not hasattr(forest, "classes_")


def test_text_and_html_hold_the_sentence_and_every_alternative():
    found = bridle.diagnose(KNeighborsRegressor(1), *linear_data(100), n_repeats=1, challengers=("ridge",))
    for text in (str(found), found._repr_html_()):
        assert "tuned ridge" in text
        assert "overall mean" in text
    assert str(found).startswith(found.verdict.sentence)
    assert found.curve is not None
    assert list(found.curve.n_train) == sorted(found.curve.n_train)


def test_groups_are_kept_together():
    X, y = linear_data(90)
    groups = np.repeat(np.arange(30), 3)
    found = bridle.diagnose(LinearRegression(), X, y, groups=groups, n_repeats=1, learning_curve=False)
    for fold in np.unique(found.evidence.fold_of[0]):
        mine = groups[found.evidence.fold_of[0] == fold]
        assert all((groups == g).sum() == (mine == g).sum() for g in mine)


def test_a_constant_target_has_no_signal():
    X, _ = linear_data(40)
    found = bridle.diagnose(LinearRegression(), X, np.full(40, 3.0), n_repeats=1, challengers=("ridge",))
    assert found.verdict.label == "no signal"
    assert np.isfinite([found.verdict.effect.lower, found.verdict.effect.upper]).all()


def test_few_rows_have_an_answer():
    X, y = linear_data(12, p=2)
    found = bridle.diagnose(KNeighborsRegressor(1), X, y, n_repeats=1)
    assert found.verdict.label in ("no signal", "undetermined")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.array(["a", "b", "c"] * 20), "family": "binomial"}, "3 classes"),
        ({"y": np.array(["a", "b"] * 29)}, "60 rows and y has 58"),
        ({"estimator": LinearRegression(), "y": np.array(["a", "b"] * 30)}, "must be numbers"),
        ({"challengers": ("forest",)}, "unknown challengers 'forest'"),
        ({"challengers": "all"}, "'auto' or a list"),
        ({"sample_weight": np.ones(3)}, "one value per row"),
        ({"estimator": KNeighborsRegressor(500), "y": np.arange(60.0)}, "can't be trained on the folds"),
    ],
)
def test_bad_input_is_refused(change, message):
    X, _ = linear_data(60)
    arguments = {"estimator": LogisticRegression(), "y": np.array(["a", "b"] * 30), **change}
    with pytest.raises(InputError, match=message):
        bridle.diagnose(arguments.pop("estimator"), X, arguments.pop("y"), **arguments)
