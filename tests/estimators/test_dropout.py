"""DropoutClassifier and DropoutRegressor: what they learn, and what doesn't change their answer."""

import pickle

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from scipy import sparse
from scipy.special import expit
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.metrics import d2_tweedie_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from bridle import DropoutClassifier, DropoutRegressor, diagnose
from bridle.diagnosis.neighbours import neighbours

torch = pytest.importorskip("torch")

QUICK = {"hidden": (16,), "dropout": 0.2, "learning_rate": 0.02, "max_epochs": 25, "random_state": 0}
FULL_BATCH = QUICK | {"dropout": 0.0, "early_stopping": False, "batch_size": 10**6}


def same(a, b, X):
    """Whether two fitted networks are the same function on X, to the last bit."""
    return np.array_equal(a.network_.link(X), b.network_.link(X))


def close(a, b, X):
    """Whether two fitted networks are the same function on X up to rounding, which Adam's first steps enlarge."""
    expected = b.network_.link(X)
    np.testing.assert_allclose(a.network_.link(X), expected, rtol=0.0, atol=0.01 * np.std(expected))


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


# Learning -------------------------------------------------------------------------------------------------------


def test_two_classes(cancer):
    X, y = cancer
    model = DropoutClassifier(**QUICK).fit(X[::2], y[::2])
    majority = max(y.mean(), 1.0 - y.mean())
    assert model.score(X[1::2], y[1::2]) > majority + 0.15
    p = model.predict_proba(X)
    assert p.shape == (len(y), 2)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    np.testing.assert_allclose(p[:, 1], expit(model.decision_function(X)))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p)
    assert np.array_equal(model.predict(X), model.classes_[np.argmax(p, axis=1)])


def test_more_classes_of_any_type(wine):
    X, y = wine
    names = np.array(["sauvignon", "merlot", "nero"])
    model = DropoutClassifier(**QUICK).fit(X[::2], names[y][::2])
    assert model.score(X[1::2], names[y][1::2]) > 0.9
    assert list(model.classes_) == sorted(names)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p)
    assert model.decision_function(X).shape == (len(y), 3)


def test_labels_are_names_only(cancer):
    X, y = cancer
    numbers = DropoutClassifier(**QUICK).fit(X, y)
    words = DropoutClassifier(**QUICK).fit(X, np.array(["benign", "malignant"])[y])
    assert same(numbers, words, X)


def test_numbers(diabetes):
    X, y = diabetes
    model = DropoutRegressor(**QUICK).fit(X[::2], y[::2])
    assert model.score(X[1::2], y[1::2]) > 0.35
    held_out = np.std(y[1::2] - model.predict(X[1::2]))
    assert model.noise_ == pytest.approx(held_out, rel=0.25)


def test_target_of_any_unit(diabetes):
    X, y = diabetes
    plain, moved = (DropoutRegressor(**QUICK).fit(X, v) for v in (y, 1e6 + 1e3 * y))
    np.testing.assert_allclose((moved.predict(X) - 1e6) / 1e3, plain.predict(X), rtol=1e-3)
    assert moved.noise_ == pytest.approx(1e3 * plain.noise_, rel=1e-3)


def test_counts(counts):
    X, y = counts
    model = DropoutRegressor(**QUICK, family="poisson").fit(X, y)
    mean = model.predict(X)
    assert np.all(mean > 0.0)
    assert d2_tweedie_score(y, mean, power=1) > 0.1
    assert not hasattr(model, "noise_")


def test_history(cancer):
    X, y = cancer
    model = DropoutClassifier(**QUICK | {"max_epochs": 60, "patience": 5}).fit(X, y)
    history = model.history_
    assert len(history.train) == len(history.validation) == model.n_epochs_
    assert model.best_epoch_ == history.best_epoch <= model.n_epochs_
    assert history.n_train + history.n_validation == len(y)
    assert history.n_validation == pytest.approx(0.15 * len(y), abs=2)
    if history.stopped == "early stopping":
        assert model.n_epochs_ == model.best_epoch_ + 5
    whole = DropoutClassifier(**QUICK | {"early_stopping": False}).fit(X, y)
    assert whole.n_epochs_ == whole.best_epoch_ == 25
    assert whole.history_.n_train == len(y) and whole.history_.validation == ()


@pytest.mark.parametrize("hidden", [(), 8, [8], (8, 4), np.array([8, 4])])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_shapes_of_networks(cancer, hidden, normalization):
    model = DropoutClassifier(hidden, normalization=normalization, max_epochs=2, random_state=0).fit(*cancer)
    sizes = [layer.bias.size for layer in model.network_.layers]
    assert sizes == [*np.atleast_1d(np.asarray(hidden, dtype=int)), 1]
    assert clone(model).get_params()["hidden"] is not None


def test_a_network_without_hidden_layers_is_a_linear_model(diabetes):
    X, y = diabetes
    settings = {"hidden": (), "l2": 0.0, "early_stopping": False, "batch_size": 10**6, "random_state": 0}
    model = DropoutRegressor(**settings, max_epochs=1500, learning_rate=0.02).fit(X, y)
    design = np.column_stack([np.ones(len(y)), X])
    exact = design @ np.linalg.lstsq(design, y)[0]
    np.testing.assert_allclose(model.predict(X), exact, atol=0.02 * y.std())


def test_group_penalty_leaves_features_out(cancer):
    X, y = cancer
    noise = np.random.default_rng(0).normal(size=(len(y), 12))
    wide = np.hstack([X, noise])
    model = DropoutClassifier(**QUICK | {"group_l1": 1.0, "dropout": 0.0, "max_epochs": 60}).fit(wide, y)
    kept = model.selected_features_
    assert kept[:12].sum() >= 3 and kept[12:].sum() <= 1
    other = np.where(kept, wide, 1e3)  # what was left out may change as it likes
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(wide))
    assert DropoutClassifier(**QUICK).fit(wide, y).selected_features_.all()


# What doesn't change the answer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("Model", [DropoutClassifier, DropoutRegressor])
def test_same_seed_same_answer(Model, cancer):
    X, y = cancer
    first = Model(**QUICK).fit(X, y)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert same(first, Model(**QUICK).fit(X, y), X)
    finally:
        torch.set_num_threads(before)
    assert same(first, clone(first).fit(X, y), X)
    assert same(first, pickle.loads(pickle.dumps(first)), X)
    assert not same(first, Model(**QUICK | {"random_state": 1}).fit(X, y), X)
    generators = [Model(**QUICK | {"random_state": np.random.default_rng(3)}).fit(X, y) for _ in range(2)]
    assert same(*generators, X)
    older = [Model(**QUICK | {"random_state": np.random.RandomState(3)}).fit(X, y) for _ in range(2)]
    assert same(*older, X)


def test_containers(cancer):
    X, y = cancer
    X = X.astype(np.float32).astype(np.float64)
    plain = DropoutClassifier(**QUICK).fit(X, y)
    frame = DropoutClassifier(**QUICK).fit(pd.DataFrame(X).add_prefix("f"), pd.Series(y))
    assert frame.feature_names_in_[0] == "f0"
    for other in (frame, DropoutClassifier(**QUICK).fit(np.asfortranarray(X), y)):
        close(other, plain, X)
    single = DropoutClassifier(**QUICK).fit(X.astype(np.float32), y)
    close(single, plain, X)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix, sparse.coo_array])
def test_sparse_is_dense(form):
    """Sparse features aren't centred; where their means are 0 nothing tells the two apart."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 5)) * (rng.uniform(size=(120, 5)) < 0.3)
    X = np.where(X < 0.0, X * (-X.clip(min=0.0).sum(axis=0) / X.clip(max=0.0).sum(axis=0)), X)
    y = X[:, 0] - X[:, 1] + 0.1 * rng.normal(size=120)
    settings = FULL_BATCH | {"max_epochs": 10}
    dense, thin = (DropoutRegressor(**settings).fit(v, y) for v in (X, form(X)))
    close(thin, dense, X)
    np.testing.assert_allclose(thin.predict(X), thin.predict(form(X)), rtol=1e-6)


@pytest.mark.parametrize("Model", [DropoutClassifier, DropoutRegressor])
def test_rows_of_weight_zero_are_absent(Model, cancer):
    X, y = cancer
    w = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    absent = w == 0.0
    odd = X.copy()
    odd[absent] = 1e6
    there = Model(**QUICK).fit(odd, y, sample_weight=w)
    gone = Model(**QUICK).fit(X[~absent], y[~absent], sample_weight=w[~absent])
    assert same(there, gone, X)
    thin = Model(**QUICK).fit(sparse.csc_array(odd), y, sample_weight=w)
    assert same(thin, Model(**QUICK).fit(sparse.csc_array(X[~absent]), y[~absent], sample_weight=w[~absent]), X)


@pytest.mark.parametrize("Model", [DropoutClassifier, DropoutRegressor])
def test_scale_of_weights_does_not_matter(Model, cancer):
    X, y = cancer
    w = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    first = Model(**QUICK).fit(X, y, sample_weight=w)
    assert same(first, Model(**QUICK).fit(X, y, sample_weight=1024.0 * w), X)
    close(Model(**QUICK).fit(X, y, sample_weight=3.7e-9 * w), first, X)
    assert same(Model(**QUICK).fit(X, y), Model(**QUICK).fit(X, y, sample_weight=np.ones(len(y))), X)


@pytest.mark.parametrize(
    "model",
    [DropoutClassifier(**FULL_BATCH), DropoutRegressor(**FULL_BATCH), DropoutRegressor(**FULL_BATCH, family="poisson")],
    ids=["binomial", "gaussian", "poisson"],
)
def test_weights_are_replication(model, cancer):
    """Where nothing is drawn at random, up to the rounding of single precision."""
    X, y = cancer
    w = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = clone(model).fit(X, y, sample_weight=w)
    repeated = clone(model).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    close(weighted, repeated, X)
    ignored = clone(model).fit(X, y)
    assert np.std(ignored.network_.link(X) - repeated.network_.link(X)) > 0.05 * np.std(repeated.network_.link(X))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_network(cancer):
    X, y = cancer
    settings = FULL_BATCH | {"max_epochs": 5}
    here, there = (DropoutClassifier(**settings, device=device).fit(X, y) for device in ("cpu", "cuda"))
    close(here, there, X)
    close(*(DropoutClassifier(**QUICK, device="cuda").fit(X, y) for _ in range(2)), X)


# Monte-Carlo dropout --------------------------------------------------------------------------------------------


def test_spread_of_probabilities(cancer, wine):
    X, y = cancer
    model = DropoutClassifier(**QUICK).fit(X, y)
    p, std = model.predict_proba(X, return_std=True, n_samples=40)
    np.testing.assert_array_equal(p, model.predict_proba(X))
    assert std.shape == p.shape and np.all(std[:, 0] == std[:, 1]) and np.all(std > 0.0)
    np.testing.assert_allclose(model.predict_proba(X[:5], return_std=True, n_samples=40)[1], std[:5], rtol=1e-5)
    sure = np.abs(p[:, 1] - 0.5) > 0.45
    assert std[sure, 1].mean() < std[~sure, 1].mean()
    several = DropoutClassifier(**QUICK).fit(*wine)
    assert several.predict_proba(wine[0], return_std=True, n_samples=10)[1].shape == (len(wine[1]), 3)


def test_spread_of_numbers(diabetes, counts):
    X, y = diabetes
    model = DropoutRegressor(**QUICK).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, model.predict(X))
    assert np.all(std > model.noise_) and std.std() > 0.0
    none = DropoutRegressor(**QUICK | {"dropout": 0.0}).fit(X, y)
    np.testing.assert_allclose(none.predict(X, return_std=True)[1], none.noise_)
    events = DropoutRegressor(**QUICK | {"dropout": 0.0}, family="poisson").fit(*counts)
    mean, std = events.predict(counts[0], return_std=True)
    np.testing.assert_allclose(std**2, mean)


def test_spread_is_that_of_sampled_networks(diabetes):
    X, y = diabetes
    model = DropoutRegressor(**QUICK).fit(X, y)
    a = model.predict(X, return_std=True, n_samples=400)[1]
    links = model.network_.sample_links(X, 400, seed=12345)  # other draws
    np.testing.assert_allclose(a, np.hypot(links.std(axis=0), model.noise_), rtol=0.05)


# scikit-learn's machinery ---------------------------------------------------------------------------------------


def test_grid_search_over_dropout(cancer):
    search = GridSearchCV(DropoutClassifier(**QUICK), {"dropout": [0.0, 0.3]}, cv=3, scoring="neg_log_loss")
    assert search.fit(*cancer).best_params_["dropout"] in (0.0, 0.3)
    assert len(set(search.cv_results_["mean_test_score"])) == 2


def test_pipeline_with_categories(cancer):
    X, y = cancer
    table = pd.DataFrame(X[:, :3], columns=["a", "b", "c"]).assign(kind=np.where(y == 1, "u", "v"))
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    pipe = make_pipeline(columns, DropoutClassifier(**QUICK)).fit(table, y)
    assert pipe.score(table, y) > 0.95
    assert pipe[-1].n_features_in_ == 5


def test_cross_validation_on_two_threads(cancer):
    """On processes too, but those take seconds to start."""
    model = DropoutClassifier(**QUICK | {"max_epochs": 5})
    with parallel_config(backend="threading"):
        side_by_side = cross_val_score(model, *cancer, cv=3, n_jobs=2, scoring="neg_log_loss")
    one = cross_val_score(model, *cancer, cv=3, scoring="neg_log_loss")
    np.testing.assert_array_equal(side_by_side, one)


def test_diagnosis_knows_the_neighbours(cancer):
    X, y = cancer
    model = DropoutClassifier(**QUICK | {"dropout": 0.4, "max_epochs": 8})
    assert neighbours(model) == {"dropout = 0.7": {"dropout": 0.7}, "dropout = 0": {"dropout": 0.0}}
    found = diagnose(model, X, y, folds=3, n_repeats=1, challengers=["ridge"], learning_curve=False)
    assert {"model: dropout = 0.7", "model: dropout = 0", "ridge"} <= set(found.evidence.names)
    assert found.verdict.label in ("undetermined", "balanced", "overfitting", "underfitting")
