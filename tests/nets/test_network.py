"""A network in NumPy says what PyTorch says, its slopes are autograd's, and its explanations add up."""

import dataclasses
import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from bridle.errors import InputError
from bridle.nets import network as home
from bridle.nets.attributions import completed, path_slope
from bridle.nets.network import Layer, Network
from bridle.nets.packed import Outline, check, pack, unpack
from bridle.nets.passes import forward

ACTIVATIONS = ("relu", "tanh", "gelu")


def make(
    hidden=(16, 12), *, p=5, k=1, activation="relu", layer_norm=False, family="gaussian", seed=0, center=0.0,
    spread=1.0, dropout=0.5, input_dropout=0.0, noise=float("nan"),
):  # fmt: skip
    """A network with random weights, on features of all sizes."""
    rng = np.random.default_rng(seed)
    sizes, layers = (p, *hidden, k), []
    for number, (n, m) in enumerate(pairwise(sizes)):
        normed = layer_norm and number < len(hidden)
        layers.append(
            Layer(
                rng.normal(0, 1.4 / math.sqrt(n), (n, m)).astype(np.float32),
                rng.normal(0, 0.3, m).astype(np.float32),
                rng.uniform(0.5, 1.5, m).astype(np.float32) if normed else None,
                rng.normal(0, 0.3, m).astype(np.float32) if normed else None,
            )
        )
    scale = 10.0 ** rng.uniform(-3, 3, p)
    return Network(
        tuple(layers), activation, dropout, input_dropout, family, mean=rng.normal(size=p) * scale, scale=scale,
        center=np.full(k, center), spread=spread, noise=noise,
    )  # fmt: skip


def rows_for(network, n=40, seed=1):
    return network.mean + network.scale * np.random.default_rng(seed).normal(size=(n, network.n_features))


def in_torch(torch, network):
    """The same layers as a torch.nn.Sequential, in float64, on standardised features."""
    kinds = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "gelu": torch.nn.GELU}
    parts = []
    for layer in network.layers:
        linear = torch.nn.Linear(*layer.weight.shape)
        linear.weight.data = torch.from_numpy(layer.weight.T.copy())
        linear.bias.data = torch.from_numpy(layer.bias.copy())
        parts.append(linear)
        if layer.gain is not None:
            norm = torch.nn.LayerNorm(layer.bias.size)
            norm.weight.data, norm.bias.data = torch.from_numpy(layer.gain.copy()), torch.from_numpy(layer.shift.copy())
            parts.append(norm)
        if layer is not network.layers[-1]:
            parts += [kinds[network.activation](), torch.nn.Dropout(network.dropout)]
    return torch.nn.Sequential(*parts).double().eval()


def standardised(network, X):
    return (X - network.mean) / network.scale


# Predictions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_links_are_those_of_torch(activation, layer_norm, k):
    torch = pytest.importorskip("torch")
    family = "multinomial" if k > 1 else "gaussian"
    network = make(activation=activation, layer_norm=layer_norm, k=k, family=family)
    X = rows_for(network)
    expected = in_torch(torch, network)(torch.from_numpy(standardised(network, X))).detach().numpy()
    np.testing.assert_allclose(network.link(X), expected if k > 1 else expected[:, 0], rtol=1e-5, atol=1e-5)


def test_batch_normalisation_folds_into_the_linear_part():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    linear, norm, last = torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 1)
    norm.running_mean = torch.from_numpy(rng.normal(size=8).astype(np.float32))
    norm.running_var = torch.from_numpy(rng.uniform(0.5, 2, 8).astype(np.float32))
    net = torch.nn.Sequential(linear, norm, torch.nn.ReLU(), last).eval()
    factor = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach().numpy()
    weight = linear.weight.detach().numpy().T * factor
    bias = (linear.bias.detach().numpy() - norm.running_mean.numpy()) * factor + norm.bias.detach().numpy()
    layers = (Layer(weight, bias), Layer(last.weight.detach().numpy().T, last.bias.detach().numpy()))
    network = Network(layers, "relu", 0.0, 0.0, "gaussian", np.zeros(4), np.ones(4), np.zeros(1), 1.0)
    X = rng.normal(size=(20, 4)).astype(np.float32)
    expected = net(torch.from_numpy(X)).detach().numpy()[:, 0]
    np.testing.assert_allclose(network.link(X), expected, rtol=1e-5, atol=1e-5)


def test_a_network_without_hidden_layers_is_a_linear_model():
    network = make(hidden=(), center=3.0, spread=2.0)
    X = rows_for(network)
    b = 2.0 * network.layers[0].weight[:, 0].astype(float) / network.scale
    b0 = 3.0 + 2.0 * float(network.layers[0].bias[0]) - network.mean @ b
    np.testing.assert_allclose(network.link(X), b0 + X @ b, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(network.gradient(X), np.tile(b, (40, 1)), rtol=1e-6)
    r = X[0]
    np.testing.assert_allclose(network.integrated_gradients(X, r), (X - r) * b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(network.sample_links(X, 3), np.tile(network.link(X), (3, 1)), rtol=1e-6, atol=1e-6)
    assert not network.samples


def test_targets_far_from_zero_keep_their_digits():
    network, far = make(), make(center=1e8)
    X = rows_for(network)
    np.testing.assert_allclose(far.link(X) - 1e8, network.link(X), atol=1e-7)
    np.testing.assert_allclose(far.sample_links(X, 4) - 1e8, network.sample_links(X, 4), atol=1e-7)


def test_features_far_from_zero_keep_their_digits():
    network = make()
    far = dataclasses.replace(network, mean=network.mean + 1e7 * network.scale)
    X = rows_for(network)
    np.testing.assert_allclose(far.link(X + 1e7 * network.scale), network.link(X), atol=1e-5)


@pytest.mark.parametrize(("family", "k"), [("gaussian", 1), ("binomial", 1), ("poisson", 1), ("multinomial", 3)])
def test_means_are_the_inverse_link_of_links_with_their_offset(family, k):
    network = make(family=family, k=k)
    X = rows_for(network)
    o = np.random.default_rng(3).normal(size=network.link(X).shape)
    eta = network.link(X) + o
    np.testing.assert_array_equal(network.link(X, o), eta)
    exponent = np.exp(eta)
    by_hand = {
        "gaussian": eta, "binomial": exponent / (1 + exponent), "poisson": exponent,
        "multinomial": exponent / exponent.sum(axis=-1, keepdims=True),
    }  # fmt: skip
    np.testing.assert_allclose(network.predict_mean(X, o), by_hand[family], rtol=1e-12)
    np.testing.assert_array_equal(network.sample_links(X, 2, offset=o), network.sample_links(X, 2) + o)
    with pytest.raises(InputError, match="offset has shape"):
        network.link(X, o[:-1])
    with pytest.raises(InputError, match="offset has shape"):
        network.sample_links(X, 2, offset=o[None])


@pytest.mark.parametrize("mean", [0.0, 2.5])
@pytest.mark.parametrize("kind", [sparse.csc_array, sparse.csr_array, sparse.coo_matrix])
def test_sparse_rows_are_as_dense_ones(mean, kind):
    network = make(p=30, input_dropout=0.3, noise=1.0)
    network = dataclasses.replace(network, mean=np.full(30, mean))
    rng = np.random.default_rng(2)
    X = rng.normal(size=(50, 30)) * network.scale * (rng.random((50, 30)) < 0.2)
    S = kind(X)
    np.testing.assert_allclose(network.link(S), network.link(X), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(network.sample_links(S, 3), network.sample_links(X, 3), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(network.predictive_std(S, 5), network.predictive_std(X, 5), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(network.gradient(S) * network.scale, network.gradient(X) * network.scale, atol=1e-5)
    reference = X.mean(axis=0)
    np.testing.assert_allclose(
        network.integrated_gradients(S[:4] if kind is not sparse.coo_matrix else S.tocsr()[:4], reference),
        network.integrated_gradients(X[:4], reference),
        atol=1e-5,
    )


def test_however_rows_are_cut_into_blocks_the_answers_are_the_same(monkeypatch):
    network = make(layer_norm=True, input_dropout=0.2)
    X = rows_for(network, 103)
    whole = network.link(X), network.sample_links(X, 7), network.predictive_std(X, 7), network.gradient(X)
    monkeypatch.setattr(home, "BLOCK", 200)
    cut = network.link(X), network.sample_links(X, 7), network.predictive_std(X, 7), network.gradient(X)
    for a, b in zip(whole, cut, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_no_rows_and_huge_values_are_answered_without_a_warning():
    network = make()
    none = np.empty((0, 5))
    assert network.link(none).shape == (0,)
    assert network.sample_links(none, 3).shape == (3, 0)
    assert network.gradient(none).shape == network.integrated_gradients(none, network.mean).shape == (0, 5)
    assert not np.isfinite(network.link(np.full((1, 5), 1e300))).any()


@pytest.mark.parametrize("X", [np.zeros((3, 4)), np.zeros(5), sparse.csr_array((3, 6))])
def test_other_shapes_are_refused(X):
    network = make()
    for method in (network.link, network.sample_links, network.gradient, network.predictive_std):
        with pytest.raises(InputError, match=r"expected \(n, 5\)"):
            method(X)
    with pytest.raises(InputError, match=r"expected \(n, 5\)"):
        network.integrated_gradients(X, np.zeros(5))


# Monte-Carlo dropout ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activation", "layer_norm", "rates"), [("relu", False, (0.5, 0.0)), ("tanh", True, (0.3, 0.2))]
)
def test_samples_have_the_mean_and_spread_of_dropout_in_torch(activation, layer_norm, rates):
    torch = pytest.importorskip("torch")
    network = make(activation=activation, layer_norm=layer_norm, dropout=rates[0], input_dropout=rates[1])
    X = rows_for(network, 6)
    drawn = network.sample_links(X, 4000, seed=5)  # (S, n)
    net = torch.nn.Sequential(torch.nn.Dropout(rates[1]), in_torch(torch, network)).train()
    torch.manual_seed(0)
    repeated = torch.from_numpy(np.repeat(standardised(network, X)[None], 4000, axis=0))
    explicit = net(repeated).detach().numpy()[..., 0]  # a mask of its own for each row and sample
    error = np.sqrt((drawn.var(axis=0) + explicit.var(axis=0)) / 4000)
    assert (np.abs(drawn.mean(axis=0) - explicit.mean(axis=0)) < 4.5 * error).all()
    np.testing.assert_allclose(drawn.std(axis=0), explicit.std(axis=0), rtol=0.1)


def test_a_sample_is_one_thinned_network_for_all_rows():
    """Equal rows get equal samples, and a sample is the network with the dropped weights taken out by hand."""
    network = make(hidden=(6,), activation="tanh", dropout=0.5)
    X = np.tile(rows_for(network, 1), (3, 1))
    drawn = network.sample_links(X, 20, seed=1)
    assert (drawn == drawn[:, :1]).all()
    assert len(np.unique(drawn[:, 0])) > 5
    first, last = network.layers
    answers = []
    for code in range(2**6):
        kept = np.array([code >> u & 1 for u in range(6)], dtype=np.float32)
        thin = Layer(2 * last.weight * kept[:, None], last.bias)
        answers.append(dataclasses.replace(network, layers=(first, thin)).link(X[:1])[0])
    assert np.abs(np.subtract.outer(drawn[:, 0], answers)).min(axis=1).max() < 1e-5


def test_samples_are_the_same_for_a_seed_and_whatever_else_is_asked():
    network = make(input_dropout=0.1)
    X = rows_for(network)
    drawn = network.sample_links(X, 8, seed=3)
    np.testing.assert_array_equal(network.sample_links(X, 8, seed=3), drawn)
    np.testing.assert_allclose(network.sample_links(X, 5, seed=3), drawn[:5])
    np.testing.assert_allclose(network.sample_links(X[10:12], 8, seed=3), drawn[:, 10:12], rtol=1e-5, atol=1e-6)
    assert np.abs(network.sample_links(X, 8, seed=4) - drawn).max() > 0.01


def test_the_standard_deviation_is_that_of_the_sampled_means():
    for family, k in (("gaussian", 1), ("binomial", 1), ("poisson", 1), ("multinomial", 3)):
        network = make(family=family, k=k, noise=0.7)
        X = rows_for(network)
        expected = network.mean_of(network.sample_links(X, 30, seed=2)).std(axis=0, ddof=1)
        np.testing.assert_allclose(network.predictive_std(X, 30, seed=2), expected, rtol=1e-12)
    network = make(noise=0.7)
    spread = network.predictive_std(X)
    np.testing.assert_allclose(network.predictive_std(X, noise=True) ** 2, spread**2 + 0.49)
    np.testing.assert_array_equal(make(dropout=0.0).predictive_std(X), 0.0)


def test_samples_that_make_no_sense_are_refused():
    network, X = make(), rows_for(make())
    with pytest.raises(InputError, match="n_samples must be at least 1"):
        network.sample_links(X, 0)
    with pytest.raises(InputError, match="at least 2"):
        network.predictive_std(X, 1)
    with pytest.raises(InputError, match="noise=False"):
        network.predictive_std(X, noise=True)


# Slopes and explanations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("hidden", [(7,), (16, 12), (8, 8, 8)])
def test_gradients_are_those_of_autograd(activation, layer_norm, hidden):
    torch = pytest.importorskip("torch")
    network = make(hidden, activation=activation, layer_norm=layer_norm, k=3, family="multinomial", spread=2.0)
    X = rows_for(network)
    Z = torch.from_numpy(standardised(network, X)).requires_grad_()
    out = in_torch(torch, network)(Z)
    for output in range(3):
        (slope,) = torch.autograd.grad(out[:, output].sum(), Z, retain_graph=True)
        expected = 2.0 * slope.numpy()
        np.testing.assert_allclose(network.gradient(X, output) * network.scale, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layer_norm", [False, True])
def test_contributions_add_up_and_are_the_integral(activation, layer_norm):
    network = make(activation=activation, layer_norm=layer_norm, center=10.0, spread=3.0)
    X, reference = rows_for(network, 8), network.mean + 0.1 * network.scale
    found = network.integrated_gradients(X, reference)
    gained = network.link(X) - network.link(reference[None])
    np.testing.assert_allclose(found.sum(axis=1), gained, rtol=1e-12, atol=1e-12)
    t = (np.arange(20_000) + 0.5) / 20_000
    for x, parts in zip(X, found, strict=True):
        mean_slope = network.gradient(reference + t[:, None] * (x - reference)).mean(axis=0)
        np.testing.assert_allclose(parts, (x - reference) * mean_slope, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_integral_is_complete_before_anything_is_put_right(activation, layer_norm):
    for seed in range(5):
        network = make((40, 40), p=8, activation=activation, layer_norm=layer_norm, seed=seed)
        rng = np.random.default_rng(seed)
        start, end = rng.normal(0, 2, 40), rng.normal(0, 2, 40)
        mean = path_slope(network.layers, activation, start, end, 0)
        ends = forward(network.layers, activation, np.stack([start, end]))[:, 0]
        tolerance = 1e-10 if activation == "relu" and not layer_norm else 1e-4
        assert abs(mean @ (end - start) - (ends[1] - ends[0])) < tolerance * np.abs(mean * (end - start)).sum()


def test_contributions_of_each_class_add_up():
    network = make(k=3, family="multinomial", layer_norm=True)
    X = rows_for(network, 5)
    gained = network.link(X) - network.link(network.mean[None])
    for output in range(3):
        found = network.integrated_gradients(X, network.mean, output)
        np.testing.assert_allclose(found.sum(axis=1), gained[:, output], rtol=1e-12, atol=1e-12)


def test_a_feature_that_stands_at_the_reference_or_has_no_weight_contributes_nothing():
    network = make()
    weight = network.layers[0].weight.copy()
    weight[2] = 0.0
    network = dataclasses.replace(
        network, layers=(dataclasses.replace(network.layers[0], weight=weight), *network.layers[1:])
    )
    X = rows_for(network, 4)
    reference = X[0].copy()
    reference[3] += network.scale[3]
    found = network.integrated_gradients(X, reference)
    assert (found[:, 2] == 0.0).all()
    assert np.flatnonzero(found[0]).tolist() == [3]
    assert (network.integrated_gradients(X[:1], X[0]) == 0.0).all()
    assert network.used.tolist() == [True, True, False, True, True]
    kept = np.array([0, 1, 3, 4])
    np.testing.assert_allclose(network.take(kept).link(X[:, kept]), network.link(X), rtol=1e-5, atol=1e-6)


def test_what_is_lacking_goes_to_the_parts_by_their_size():
    np.testing.assert_allclose(completed(np.array([3.0, -1.0, 0.0]), 2.4), [3.3, -0.9, 0.0])
    np.testing.assert_array_equal(completed(np.zeros(3), 1.0), np.zeros(3))


def test_outputs_and_references_that_are_not_there_are_refused():
    network, X = make(), rows_for(make())
    for method in (network.gradient, lambda X, output: network.integrated_gradients(X, network.mean, output)):
        for output in (-1, 1):
            with pytest.raises(InputError, match="there is no output"):
                method(X, output)
    with pytest.raises(InputError, match="reference has shape"):
        network.integrated_gradients(X, np.zeros(4))


# Storing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("hidden", [(), (7,), (16, 12)])
def test_a_packed_network_comes_back_to_the_last_bit(hidden, layer_norm):
    network = make(hidden, k=3, family="multinomial", layer_norm=layer_norm, input_dropout=0.2, center=0.1 + 0.2)
    outline, values = pack(network)
    assert values.shape == (network.n_weights + 2 * 5 + 3,)
    again = unpack(outline, values)
    X = rows_for(network)
    np.testing.assert_array_equal(again.link(X), network.link(X))
    np.testing.assert_array_equal(again.sample_links(X, 3), network.sample_links(X, 3))
    repeated = pack(again)
    assert str(repeated[0]) == str(outline)
    np.testing.assert_array_equal(repeated[1], values)


GOOD = Outline(5, (16, 1), (False,), "relu", 0.5, 0.0, "gaussian", 1.0, 1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"features": 6}, {"features": -1}, {"features": 10**15}, {"units": (17, 1)}, {"units": ()}, {"units": (0, 1)},
        {"units": (-16, 1)}, {"units": (10**12, 10**12, 1)}, {"normalised": ()}, {"normalised": (True,)},
        {"activation": "sigmoid"}, {"dropout": 1.0}, {"dropout": math.nan}, {"input_dropout": -0.1}, {"family": "cox"},
        {"family": "multinomial"}, {"spread": 0.0}, {"spread": math.nan}, {"noise": -1.0}, {"noise": math.inf},
    ],
)  # fmt: skip
def test_a_description_that_does_not_fit_is_refused(change):
    values = pack(make((16,)))[1]
    assert unpack(GOOD, values).n_features == 5
    with pytest.raises(InputError):
        unpack(dataclasses.replace(GOOD, **change), values)


@pytest.mark.parametrize("place", [0, 90, 97, -7, -1])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_none_are_refused(place, value):
    values = pack(make((16,)))[1].copy()
    values[place] = value
    with pytest.raises(InputError):
        unpack(GOOD, values)


def test_numbers_that_float32_cannot_hold_and_scales_of_zero_are_refused():
    for place, value in ((0, 1e300), (-2, 0.0), (-2, -1.0)):
        values = pack(make((16,)))[1].copy()
        values[place] = value
        with pytest.raises(InputError):
            unpack(GOOD, values)


def test_a_network_whose_parts_contradict_is_refused():
    network = make()
    check(network)
    first, second, last = network.layers
    for layers in (
        (), (first, last), (first, second), (first, second, dataclasses.replace(last, bias=np.zeros(2, np.float32))),
        (dataclasses.replace(first, gain=np.ones(16, np.float32)), second, last),
        (dataclasses.replace(first, weight=first.weight.astype(float)), second, last),
        (first, second, Layer(last.weight, last.bias, np.ones(1, np.float32), np.ones(1, np.float32))),
    ):  # fmt: skip
        with pytest.raises(InputError):
            check(dataclasses.replace(network, layers=layers))


def test_the_outline_reads_as_the_layers():
    assert make((64, 64), p=30).outline == "30 -> 64 -> 64 -> 1, relu"
    assert make((), p=30).outline == "30 -> 1"
    assert make((8,), activation="gelu", layer_norm=True).outline == "5 -> 8 -> 1, gelu, layer normalisation"


def test_a_trained_network_needs_no_torch():
    modules = "bridle.nets.network, bridle.nets.packed, bridle.nets.attributions"
    subprocess.run([sys.executable, "-c", f"import sys; sys.modules['torch'] = None; import {modules}"], check=True)
