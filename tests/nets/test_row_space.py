"""More features than rows: trained on combinations of features, and nothing about the answer shows it."""

import dataclasses

import numpy as np
import pytest
from scipy import sparse

from bridle.nets import engine
from bridle.nets.engine import Rows, Task, train
from bridle.nets.settings import Architecture, Training

pytest.importorskip("torch")

NET = Architecture(hidden=(8,))
SHORT = Training(max_epochs=25, learning_rate=0.01)


def table(n=60, p=150, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.1, 10.0, p) + rng.normal(size=p)
    return X, X[:, :3] @ (1.0 / X[:, :3].std(axis=0)) + 0.3 * rng.normal(size=n)


def fit(X, y, training=SHORT, family="gaussian", rate=0.3, architecture=NET):
    n = y.size
    task = Task(np.arange(n - 12), np.arange(n - 12, n), 3)
    return train(Rows(X, y), [task], [rate], architecture, training, family=family)[0][0]


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_the_network_on_features_is_the_one_that_was_trained(normalization):
    X, y = table()
    trained = fit(X, y, architecture=Architecture(hidden=(8, 4), normalization=normalization))
    network, held = trained.network, slice(48, 60)
    assert network.layers[0].weight.shape == (150, 8)
    loss = np.mean((network.link(X[held]) - y[held]) ** 2)
    assert loss == pytest.approx(trained.validation_loss, rel=1e-4)
    assert trained.validation_loss == pytest.approx(min(trained.history.validation), rel=1e-4)


def test_weights_lie_in_the_space_of_the_rows_that_train():
    X, y = table()
    network = fit(X, y).network
    Z = (X[:48] - network.mean) / network.scale
    weight = network.layers[0].weight.astype(float)
    outside = weight - np.linalg.pinv(Z) @ (Z @ weight)
    assert np.linalg.norm(outside) < 1e-5 * np.linalg.norm(weight)


def test_either_way_more_features_than_rows_are_memorised(monkeypatch):
    X, y = table(n=40, p=80)
    one = dataclasses.replace(SHORT, early_stopping=False, max_epochs=60, batch_size=64, learning_rate=3e-3, l2=0.0)
    rotated = fit(X, y, one, rate=0.0)
    monkeypatch.setattr(engine, "rotates", lambda *_: False)
    plain = fit(X, y, one, rate=0.0)
    seen = np.arange(28)
    for trained in (rotated, plain):  # both memorise more features than rows
        assert np.mean((trained.network.link(X[seen]) - y[seen]) ** 2) < 0.2 * y[seen].var()
    assert plain.network.layers[0].weight.shape == rotated.network.layers[0].weight.shape


def test_sparse_rows_and_their_dense_twin_without_centring():
    rng = np.random.default_rng(1)
    X = sparse.random_array((60, 200), density=0.1, rng=rng, format="csr") * 3.0
    y = np.asarray(X[:, :5].sum(axis=1)).ravel() + 0.1 * rng.normal(size=60)
    trained = fit(X, y)
    assert not trained.network.mean.any()
    np.testing.assert_allclose(trained.network.link(X), trained.network.link(X.toarray()), rtol=1e-6)
    loss = np.mean((trained.network.link(X[48:]) - y[48:]) ** 2)
    assert loss == pytest.approx(trained.validation_loss, rel=1e-4)


def test_features_are_dropped_and_penalised_one_by_one_where_that_is_asked_for():
    X, y = table()
    for setting in ({"input_dropout": 0.2}, {"l1": 0.01}, {"group_l1": 0.5}):
        training = dataclasses.replace(SHORT, **setting)
        assert fit(X, y, training).network.layers[0].weight.shape == (150, 8)
    thinned = fit(X, y, dataclasses.replace(SHORT, group_l1=3.0)).network
    assert (~thinned.used).sum() > 20  # whole features at exactly 0


def test_duplicate_rows_and_constant_features():
    X, y = table()
    X[10:20], X[:, 7] = X[:10], 4.0
    network = fit(X, y).network
    assert np.isfinite(network.link(X)).all() and not network.layers[0].weight[7].any()


def test_rescaled_features_change_nothing():
    X, y = table()
    by = np.random.default_rng(2).uniform(0.01, 100.0, X.shape[1])
    np.testing.assert_allclose(fit(X * by, y).network.link(X * by), fit(X, y).network.link(X), rtol=1e-3, atol=1e-3)
