"""DropoutPathCV: the rate that the curve says, the same folds as everybody's, networks and linear models alike."""

import contextlib
import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bridle.estimators._dropout_cv as module
from bridle import DropoutClassifier, DropoutPathCV, DropoutRegressor, ValidationCurveDisplay, select
from bridle.diagnosis.neighbours import neighbours
from bridle.errors import BridleWarning, InputError
from bridle.estimators import LinearDropoutClassifier, LinearDropoutRegressor

pytest.importorskip("torch")

SMALL = {"hidden": (8,), "learning_rate": 0.03, "max_epochs": 10, "random_state": 0}
RATES = (0.0, 0.3, 0.6)


def quick(Model=DropoutClassifier, **options):
    return DropoutPathCV(Model(**SMALL), **{"rates": RATES, "cv": 3} | options)


def same_curves(a, b):
    return np.array_equal(a.curve_.test_loss, b.curve_.test_loss)


# Networks -------------------------------------------------------------------------------------------------------


def test_the_rate_is_the_rules(cancer):
    X, y = cancer
    model = quick().fit(X, y)
    assert model.curve_.parameter == "dropout rate"
    assert list(model.curve_.values) == [0.6, 0.3, 0.0]  # simplest first
    assert model.curve_.test_loss.shape == (3, 3)
    assert model.dropout_ == select(model.curve_, "1se").value == model.selection_.value
    assert quick(rule="min").fit(X, y).dropout_ == select(model.curve_, "min").value
    best = model.best_estimator_
    assert best.dropout == best.network_.dropout == model.dropout_
    assert best.network_ is model.path_.fits[model.selection_.index].network
    assert np.array_equal(model.predict(X), best.predict(X))
    assert np.array_equal(model.predict_proba(X), best.predict_proba(X))
    assert np.array_equal(model.decision_function(X), best.decision_function(X))
    assert np.array_equal(model.predict_log_proba(X), best.predict_log_proba(X))
    assert model.score(X, y) == best.score(X, y) > 0.85
    assert model.predict_proba(X, return_std=True, n_samples=5)[1].shape == (len(y), 2)
    assert list(model.classes_) == [0, 1] and model.n_features_in_ == X.shape[1]


def test_more_classes():
    X, y = load_wine(return_X_y=True)
    names = np.array(["a", "b", "c"])[y]
    model = quick().fit(X, names)
    assert model.score(X, names) > 0.9
    assert model.curve_.family == "multinomial" and model.verdict_ is not None


def test_numbers_and_counts(diabetes, counts):
    model = quick(DropoutRegressor).fit(*diabetes)
    mean, std = model.predict(diabetes[0], return_std=True)
    assert np.array_equal(mean, model.predict(diabetes[0])) and np.all(std > 0.0)
    assert not hasattr(model, "predict_proba") and not hasattr(model, "classes_")
    # cross-validation has measured the noise on rows that trained nothing
    assert model.best_estimator_.noise_ == pytest.approx(np.sqrt(model.selection_.loss))
    events = DropoutPathCV(DropoutRegressor(**SMALL, family="poisson"), rates=RATES, cv=3).fit(*counts)
    assert events.curve_.family == "poisson" and np.all(events.predict(counts[0]) > 0.0)


@pytest.mark.parametrize(
    ("y", "Model"),
    [
        (np.repeat(["no", "yes"], 15), DropoutClassifier),
        (np.repeat([True, False], 15), DropoutClassifier),
        (np.repeat([0.0, 1.0, 2.0], 10), DropoutClassifier),
        (np.linspace(0.0, 1.0, 30), DropoutRegressor),
        (np.arange(30), DropoutRegressor),
    ],
    ids=["labels", "booleans", "few whole numbers", "numbers", "many whole numbers"],
)
def test_the_default_follows_the_target(y, Model, monkeypatch):
    X = np.random.default_rng(0).normal(size=(30, 2))
    for Made in (DropoutClassifier, DropoutRegressor):
        monkeypatch.setattr(module, Made.__name__, lambda Made=Made: Made(**SMALL | {"max_epochs": 1}))
    assert type(DropoutPathCV(rates=[0.5], cv=3).fit(X, y).best_estimator_) is Model


def test_verdicts(cancer):
    model = quick().fit(*cancer)
    assert model.verdict_ == model.verdict() == model.path_.verdict()
    assert model.verdict(0.3) == model.path_.verdict(0.3)
    assert {c.alternative for c in model.verdict(0.0).comparisons} >= {"null", "rate 0.3", "rate 0.6"}
    assert model.verdict(0.0, margin=100.0).margin == 100.0
    with pytest.raises(InputError, match=r"0.25 isn't on the curve; expected one of 0.6, 0.3, 0"):
        model.verdict(0.25)
    single = quick(cv=ShuffleSplit(1, test_size=0.3, random_state=0), rule="min").fit(*cancer)
    assert single.verdict_ is None
    with pytest.raises(InputError, match="at least 2 folds"):
        single.verdict()


def test_overfitting_is_seen_and_dropout_helps():
    """Noise features and a wide network: without dropout it learns the noise."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 100))
    y = X[:, 0] + 2.0 * X[:, 1] + 0.5 * rng.normal(size=200)
    network = DropoutRegressor((64,), early_stopping=False, max_epochs=60, l2=0.0, random_state=0)
    model = DropoutPathCV(network, rates=(0.0, 0.5)).fit(X, y)
    assert model.dropout_ == 0.5
    assert model.verdict(0.0).label == "overfitting" and model.verdict(0.0).effect.lower > 0.0
    assert model.verdict_.label != "overfitting"


def test_a_rate_of_its_own_is_a_single_point(cancer):
    """A path of one rate is that network's cross-validation, whatever other rates there are."""
    alone, among = quick(rates=[0.3]).fit(*cancer), quick().fit(*cancer)
    np.testing.assert_allclose(alone.curve_.test_loss[:, 0], among.curve_.test_loss[:, 1], rtol=1e-3)
    assert alone.dropout_ == 0.3


# Folds ----------------------------------------------------------------------------------------------------------


def test_folds_are_those_of_scikit_learn(cancer, diabetes):
    X, y = cancer
    default = quick(cv=None).fit(X, y)
    assert len(default.path_.folds) == 5
    assert same_curves(default, quick(cv=StratifiedKFold(5)).fit(X, y))
    assert same_curves(default, quick(cv=list(StratifiedKFold(5).split(X, y))).fit(X, y))
    masks = [tuple(np.isin(np.arange(len(y)), rows) for rows in pair) for pair in StratifiedKFold(5).split(X, y)]
    assert same_curves(default, quick(cv=masks).fit(X, y))
    plain = quick(DropoutRegressor).fit(*diabetes)
    assert same_curves(plain, quick(DropoutRegressor, cv=KFold(3)).fit(*diabetes))


def test_groups_are_routed(cancer):
    X, y = cancer
    groups = np.arange(len(y)) // 3 % 5
    pairs = quick(cv=list(GroupKFold(3).split(X, y, groups))).fit(X, y)
    plain = quick(cv=GroupKFold(3)).fit(X, y, groups=groups)
    with config_context(enable_metadata_routing=True):
        piped = make_pipeline(quick(cv=GroupKFold(3))).fit(X, y, groups=groups)
    assert same_curves(pairs, plain) and same_curves(pairs, piped[-1])
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        quick().fit(X, y, colour=groups)


@pytest.mark.parametrize(
    "estimator", [DropoutClassifier(**SMALL), LinearDropoutClassifier()], ids=["network", "linear"]
)
def test_rows_of_weight_zero_are_absent(cancer, estimator):
    X, y = cancer
    w = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    kept = np.flatnonzero(w > 0.0)
    odd = X.copy()
    odd[w == 0.0] = 1e6
    pairs = list(KFold(3).split(X))
    place = np.cumsum(w > 0.0) - 1
    fewer = [tuple(place[rows[w[rows] > 0.0]] for rows in pair) for pair in pairs]
    there = DropoutPathCV(estimator, rates=RATES, cv=pairs).fit(odd, y, sample_weight=w)
    gone = DropoutPathCV(estimator, rates=RATES, cv=fewer).fit(X[kept], y[kept], sample_weight=w[kept])
    np.testing.assert_allclose(there.curve_.test_loss, gone.curve_.test_loss, rtol=1e-9)
    np.testing.assert_allclose(there.predict_proba(X), gone.predict_proba(X), rtol=1e-6)


# What doesn't change the answer ---------------------------------------------------------------------------------


def test_same_seed_same_answer(cancer):
    X, y = cancer
    model = quick().fit(X, y)
    for other in (quick(n_jobs=2).fit(X, y), clone(model).fit(X, y), pickle.loads(pickle.dumps(model))):
        assert same_curves(model, other)
        assert np.array_equal(model.predict_proba(X), other.predict_proba(X))
    assert same_curves(quick(random_state=7).fit(X, y), quick(random_state=7).fit(X, y))
    assert not same_curves(model, quick(random_state=7).fit(X, y))
    thin = quick().fit(sparse.csr_array(X), y)
    assert thin.curve_.test_loss.shape == (3, 3)


def test_nested_in_other_machinery(cancer):
    X, y = cancer
    assert cross_val_score(make_pipeline(StandardScaler(), quick(rates=[0.0, 0.5])), X, y, cv=3).mean() > 0.8
    assert is_classifier(quick()) and is_regressor(quick(DropoutRegressor))
    assert neighbours(quick()) == {}  # it tunes itself


# Linear models --------------------------------------------------------------------------------------------------


def test_linear_curve_is_that_of_single_fits(diabetes):
    X, y = diabetes
    rates = [0.9, 0.5, 0.1, 0.0]
    model = DropoutPathCV(LinearDropoutRegressor(), rates=rates, cv=KFold(4), n_jobs=2).fit(X, y)
    for j, (train, test) in enumerate(KFold(4).split(X)):
        for k, rate in enumerate(rates):
            alone = LinearDropoutRegressor(dropout=rate).fit(X[train], y[train])
            loss = np.mean((y[test] - alone.predict(X[test])) ** 2)
            assert model.curve_.test_loss[j, k] == pytest.approx(loss, rel=1e-6)
    assert type(model.best_estimator_) is LinearDropoutRegressor
    again = LinearDropoutRegressor(dropout=model.dropout_).fit(X, y)
    np.testing.assert_allclose(model.predict(X), again.predict(X), rtol=1e-9)
    ridge = Ridge(alpha=len(y) * 0.5 / 0.5).fit(StandardScaler().fit_transform(X), y)  # what a rate of one half is
    middle = DropoutPathCV(LinearDropoutRegressor(), rates=[0.5], cv=4).fit(X, y)
    np.testing.assert_allclose(middle.predict(X), ridge.predict(StandardScaler().fit_transform(X)), rtol=1e-6)


def test_linear_classes_and_counts(cancer, counts):
    X, y = cancer
    words = np.array(["b", "m"])[y]
    model = DropoutPathCV(LinearDropoutClassifier(class_weight="balanced"), cv=3).fit(X, words)
    assert model.curve_.values.size == 10 and model.score(X, words) > 0.85
    assert model.verdict(0.5).label and list(model.classes_) == ["b", "m"]
    thin = DropoutPathCV(LinearDropoutClassifier(class_weight="balanced"), cv=3).fit(sparse.csc_array(X), words)
    np.testing.assert_allclose(thin.curve_.test_loss, model.curve_.test_loss, rtol=1e-6)
    events = DropoutPathCV(LinearDropoutRegressor(family="poisson"), cv=3).fit(*counts)
    assert events.curve_.family == "poisson" and events.score(*counts) > 0.1


# Curve, displays, misuse ----------------------------------------------------------------------------------------


def test_the_curve_can_be_drawn(cancer):
    plt = pytest.importorskip("matplotlib.pyplot")
    display = ValidationCurveDisplay.from_estimator(quick().fit(*cancer))
    assert "ropout rate" in display.ax_.get_xlabel()
    plt.close(display.figure_)


def test_without_refit(cancer):
    model = quick().fit(*cancer)
    model.set_params(refit=False).fit(*cancer)
    assert model.dropout_ in RATES and not hasattr(model, "best_estimator_")
    with pytest.raises(InputError, match="refit=False"):
        model.predict(cancer[0])
    with pytest.raises(NotFittedError):
        quick().predict(cancer[0])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"rates": [0.5, 1.0]}, "rates must be a share from 0"),
        ({"rates": []}, "rates is empty"),
        ({"rates": ["half"]}, "half"),
        ({"rule": "aic"}, "rule must be one of 'min', '1se', 'within'"),
        ({"cv": 1}, "k-fold"),
        ({"cv": []}, "no folds"),
        ({"n_jobs": 1.5}, "n_jobs must be a whole number"),
        ({"refit": "yes"}, "refit must be True or False"),
        ({"verbose": 2}, "verbose must be True or False"),
        ({"estimator": Ridge()}, "estimator must be a DropoutClassifier"),
        ({"estimator": DropoutClassifier}, "estimator must be a DropoutClassifier"),
        ({"estimator": DropoutClassifier(hidden=(0,))}, "hidden must be a tuple"),
        ({"random_state": "seed"}, "seed"),
    ],
    ids=str,
)
def test_bad_parameters(bad, message, cancer):
    with pytest.raises(ValueError, match=message):
        quick().set_params(**bad).fit(*cancer)


def test_bad_data(cancer):
    X, y = cancer
    with pytest.raises(ValueError, match="weight"):
        quick().fit(X, y, sample_weight=-np.ones(len(y)))
    with pytest.raises(ValueError, match="inconsistent"):
        quick().fit(X, y[:-1])
    with pytest.raises(InputError, match="nothing to learn"):
        quick(cv=KFold(2)).fit(X[np.argsort(y)], np.repeat([0, 1], len(y) // 2))
    with pytest.raises(InputError, match="learning rate"):
        DropoutPathCV(DropoutClassifier(**SMALL | {"learning_rate": 1e30}), rates=RATES, cv=3).fit(X, y)


def test_an_interrupt_keeps_the_best_so_far(cancer, monkeypatch):
    def interrupt(done, total, loss):
        if done > 0 and not sent:
            sent.append(done)
            raise KeyboardInterrupt

    sent = []
    monkeypatch.setattr(module, "progress_bar", lambda *_: contextlib.nullcontext(interrupt))
    model = quick(DropoutClassifier).set_params(estimator__max_epochs=10**6, estimator__early_stopping=False)
    with pytest.warns(BridleWarning, match="interrupted"):
        model.fit(*cancer)
    assert model.dropout_ in RATES and model.score(*cancer) > 0.5
