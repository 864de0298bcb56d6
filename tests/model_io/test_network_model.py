"""A network on a table: it predicts, says how sure it is, explains, and comes back from its file as it went in."""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import bridle
from bridle.errors import FileFormatError, InputError
from bridle.model_io import Model, NetworkModel, load
from bridle.model_io.container import read_container, write_container

STORED = Path(__file__).parent / "version-1-network.bridle"
FAMILIES = ("binomial", "gaussian", "poisson")
KEPT = ("family", "target", "classes", "offset", "reference_offset", "meta", "encoder")


def design(model, table):
    """All features of the table, needed or not."""
    return model.encoder.transform(table).matrix


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("offset", [False, True])
def test_predictions_are_the_networks_on_the_encoded_table(table, make_network_model, family, offset):
    model = make_network_model(family, offset=offset)
    o = table["exposure"].to_numpy() if offset else None
    mean = model.network.predict_mean(design(model, table), o)
    np.testing.assert_allclose(model.predict_mean(table), mean, rtol=1e-5)
    np.testing.assert_allclose(model.linear_predictor(table), model.network.link(design(model, table), o), rtol=1e-4)
    frame = model.predict_frame(table)
    if family == "binomial":
        assert frame.columns == ["prediction", "probability_Yes"]
        np.testing.assert_array_equal(frame["prediction"], np.where(frame["probability_Yes"] > 0.5, "Yes", "No"))
        np.testing.assert_allclose(model.predict_proba(table).sum(axis=1), 1.0)
    else:
        assert frame.columns == ["prediction"]


def test_only_columns_with_a_weight_are_needed(table, make_network_model):
    model = make_network_model()
    assert "noise" not in model.columns
    np.testing.assert_array_equal(model.predict_mean(table.select(model.columns)), model.predict_mean(table))
    first = dataclasses.replace(model.network.layers[0], weight=np.zeros_like(model.network.layers[0].weight))
    none = dataclasses.replace(
        model, network=dataclasses.replace(model.network, layers=(first, *model.network.layers[1:]))
    )
    assert none.columns == ()
    assert np.unique(none.predict_mean(table)).size == 1
    assert none.explain(table[3]).columns == ()


# How sure it is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_standard_deviations_are_those_over_thinned_networks(table, make_network_model, family):
    model = make_network_model(family, offset=True, noise=50.0 if family == "gaussian" else math.nan)
    found, _ = model.predict_batch(table, std=True)
    assert found.columns[-1] == "std"
    assert found.drop("std").equals(model.predict_frame(table))
    np.testing.assert_array_equal(model.predict_std(table), found["std"])
    network, offset = model.network.take(model.needed[1]), table["exposure"].to_numpy()
    X = model.needed[0].transform(table).matrix
    expected = network.predictive_std(X, 100, offset=offset)
    if family == "gaussian":
        expected = np.sqrt(expected**2 + 50.0**2)
    np.testing.assert_allclose(found["std"], expected, rtol=1e-6)
    part = model.predict_frame(table[20:25], std=True)["std"]
    np.testing.assert_allclose(part, found["std"][20:25], rtol=1e-4)


def test_what_a_standard_deviation_means_is_said(make_network_model):
    assert make_network_model().std_meaning == (
        "the standard deviation of the probability of Yes over 100 networks thinned by dropout"
    )
    assert make_network_model("gaussian", noise=50.0).std_meaning == (
        "the standard deviation of the predicted cost over 100 networks thinned by dropout, with the noise of cost "
        "around it (50)"
    )


def test_models_that_know_no_standard_deviation_say_what_to_do(table, make_model, make_network_model):
    with pytest.raises(InputError, match=r"linear model \(Lasso \(L1\)\); leave std out"):
        make_model().predict_frame(table, std=True)
    with pytest.raises(InputError, match="linear model"):
        make_model().predict_std(table)
    with pytest.raises(InputError, match=r"without dropout \(rate 0\)"):
        make_network_model(rate=0.0).predict_frame(table, std=True)
    with pytest.raises(InputError, match="without dropout"):
        make_network_model(hidden=()).predict_std(table)


def test_a_value_that_breaks_the_network_is_named(table, make_network_model):
    bad = table.with_columns(dose=pl.when(pl.int_range(pl.len()) == 7).then(1e300).otherwise(pl.col("dose")))
    for answer in (make_network_model().predict, lambda t: make_network_model().explain(t[7])):
        with pytest.raises(InputError, match="no finite prediction"):
            answer(bad)
    with pytest.raises(InputError, match="row 7 "):
        make_network_model().predict_frame(bad)


# Explanations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer_norm", [False, True])
def test_contributions_add_up(table, make_network_model, family, layer_norm):
    model = make_network_model(family, offset=True, layer_norm=layer_norm)
    for k in range(5):
        for reference in ("mean", table[k + 20]):
            found = model.explain(table[k], reference)
            gained = found.link - found.baseline_link
            assert math.fsum(c.contribution for c in found.columns) == pytest.approx(gained, rel=1e-9, abs=1e-9)
            offset = next(c.contribution for c in found.columns if c.column == "exposure")
            by_feature = math.fsum(c.contribution for c in found.features) + offset
            assert by_feature == pytest.approx(gained, rel=1e-9, abs=1e-9)
            assert found.link == pytest.approx(float(model.linear_predictor(table[k])[0]), rel=1e-6)
            assert found.prediction == pytest.approx(float(model.predict_mean(table[k])[0]), rel=1e-5)
            assert "noise" not in {c.column for c in found.features}
        assert found.baseline_link == pytest.approx(float(model.linear_predictor(table[k + 20])[0]), rel=1e-6)
    average = model.network.link(model.reference[None], np.array([model.reference_offset]))[0]
    assert model.explain(table[0]).baseline_link == pytest.approx(average, rel=1e-5)


def test_a_network_without_hidden_layers_explains_like_the_linear_model_that_it_is(table, make_network_model):
    model = make_network_model("poisson", hidden=(), offset=True)
    network = model.network
    coef = network.layers[0].weight[:, 0].astype(float) / network.scale
    linear = Model(
        model.encoder, "poisson", model.target, (), float(network.layers[0].bias[0]) - coef @ network.mean, coef,
        model.reference, model.meta, model.offset, model.reference_offset,
    )  # fmt: skip
    for k in range(5):
        ours, theirs = model.explain(table[k], table[k + 5]), linear.explain(table[k], table[k + 5])
        assert ours.headline == theirs.headline
        assert ours.reasons[:3] == theirs.reasons[:3]
        theirs_by_name = {c.name: c for c in theirs.features}
        for c in ours.features:
            assert c.contribution == pytest.approx(theirs_by_name[c.name].contribution, rel=1e-4, abs=1e-5)


def test_against_itself_nothing_contributes(table, make_network_model):
    found = make_network_model().explain(table[8], table[8])
    assert found.link == found.baseline_link
    assert found.reasons == ()


# Files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("hidden", [(), (8, 6)])
def test_a_file_gives_back_the_same_network(table, make_network_model, tmp_path, family, layer_norm, hidden):
    model = make_network_model(family, offset=True, layer_norm=layer_norm, hidden=hidden)
    model.save(tmp_path / "a.bridle")
    again = bridle.load(tmp_path / "a.bridle")
    assert isinstance(again, NetworkModel)
    np.testing.assert_array_equal(again.linear_predictor(table), model.linear_predictor(table))
    np.testing.assert_array_equal(again.reference, model.reference)
    for name in KEPT:
        assert repr(getattr(again, name)) == repr(getattr(model, name))
    again.save(tmp_path / "b.bridle")
    assert (tmp_path / "b.bridle").read_bytes() == (tmp_path / "a.bridle").read_bytes()
    assert again.explain(table[0]) == model.explain(table[0])


def test_a_file_predicts_where_there_is_no_torch(table, make_network_model, tmp_path):
    model = make_network_model("gaussian", noise=50.0)
    model.save(tmp_path / "m.bridle")
    table.write_parquet(tmp_path / "t.parquet")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import bridle, polars\n"
        "model, table = bridle.load('m.bridle'), polars.read_parquet('t.parquet')\n"
        "print(model.predict(table)[3], model.predict_std(table)[3], model.explain(table[3]).link)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    expected = model.predict(table)[3], model.predict_std(table)[3], model.explain(table[3]).link
    np.testing.assert_allclose([float(word) for word in run.stdout.split()], expected, rtol=1e-6)


def edited(path, edit):
    """The model file with its manifest changed, all checksums right."""
    manifest, arrays = read_container(path)
    edit(manifest, arrays)
    write_container(path, manifest, arrays)
    return path


def network(manifest):
    return manifest["model"]["network"]


def put(arrays, at, value):
    arrays["network"] = arrays["network"].copy()
    arrays["network"][at] = value


CONTRADICTIONS = {
    "a layer wider": lambda m, a: network(m).update(units=[9, 6, 1]),
    "layers swapped": lambda m, a: network(m).update(units=[6, 8, 1]),
    "a layer more": lambda m, a: network(m).update(units=[8, 6, 6, 1], normalised=[False] * 3),
    "two outputs": lambda m, a: network(m).update(units=[8, 6, 2]),
    "no layers": lambda m, a: network(m).update(units=[]),
    "a layer of nothing": lambda m, a: network(m).update(units=[8, 0, 1]),
    "a negative layer": lambda m, a: network(m).update(units=[8, -6, 1]),
    "units are text": lambda m, a: network(m).update(units=["8", "6", "1"]),
    "units are shares": lambda m, a: network(m).update(units=[8.5, 6, 1]),
    "8 EB claimed": lambda m, a: network(m).update(units=[10**9, 10**9, 1]),
    "more than an integer holds": lambda m, a: network(m).update(units=[10**400, 1, 1]),
    "fewer features": lambda m, a: network(m).update(features=3),
    "features of another encoder": lambda m, a: (m["encoder"]["codes"].pop(), None),
    "a normalisation claimed": lambda m, a: network(m).update(normalised=[True, False]),
    "normalised is one word": lambda m, a: network(m).update(normalised=True),
    "unknown activation": lambda m, a: network(m).update(activation="__import__"),
    "unknown family": lambda m, a: m["model"].update(family="cox"),
    "families differ": lambda m, a: network(m).update(family="poisson"),
    "several classes": lambda m, a: (m["model"].update(family="multinomial"), network(m).update(family="multinomial")),
    "a rate of 1": lambda m, a: network(m).update(dropout=1.0),
    "a rate that is none": lambda m, a: network(m).update(dropout=None),
    "a spread of 0": lambda m, a: network(m).update(spread=0.0),
    "no spread": lambda m, a: network(m).update(spread=None),
    "no outline": lambda m, a: m["model"].pop("network"),
    "no weights": lambda m, a: a.pop("network"),
    "a weight fewer": lambda m, a: a.update(network=a["network"][:-1]),
    "a weight more": lambda m, a: a.update(network=np.append(a["network"], 0.0)),
    "a weight beyond float32": lambda m, a: put(a, 3, 1e300),
    "a scale of 0": lambda m, a: put(a, -2, 0.0),
    "reference too short": lambda m, a: a.update(reference=a["reference"][1:]),
    "linear by its kind": lambda m, a: m.update(kind="linear"),
    "three classes": lambda m, a: m["model"].update(classes=["a", "b", "c"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_files_that_contradict_themselves_are_refused(make_network_model, tmp_path, name):
    make_network_model().save(tmp_path / "m.bridle")
    with pytest.raises(FileFormatError):
        load(edited(tmp_path / "m.bridle", CONTRADICTIONS[name]))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_refused(make_network_model, tmp_path, value):
    make_network_model().save(tmp_path / "m.bridle")
    with pytest.raises(FileFormatError, match="infinities or missing"):
        load(edited(tmp_path / "m.bridle", lambda m, a: put(a, 5, value)))


def test_several_classes_have_no_file_yet(make_network_model):
    model = make_network_model()
    with pytest.raises(InputError, match="gaussian, binomial, poisson targets; got a network for 'multinomial'"):
        dataclasses.replace(model, family="multinomial", classes=())


def test_a_network_for_other_features_is_refused(make_network_model):
    model = make_network_model()
    few = model.network.take(np.arange(3))
    with pytest.raises(InputError, match=r"binomial with 3 features; expected binomial with \d+"):
        dataclasses.replace(model, network=few)
    with pytest.raises(InputError, match="the network is binomial"):
        dataclasses.replace(model, family="poisson", classes=())


def test_a_network_prints_itself_short(make_network_model):
    model = make_network_model()
    p = len(model.feature_names)
    assert repr(model) == f"<dropout model of 'sick' (binomial), {p} -> 8 -> 6 -> 1, relu>"


def test_version_1_networks_stay_readable():
    """A file of version 1 as released must be read, and predict the same, for ever. Never write it anew."""
    model = load(STORED)
    expected = json.loads(STORED.with_suffix(".json").read_text(encoding="utf-8"))
    table = expected["table"]
    np.testing.assert_allclose(model.predict_mean(table), expected["mean"], rtol=1e-5)
    np.testing.assert_allclose(model.predict_std(table), expected["std"], rtol=1e-4)
    found = model.explain({k: v[0] for k, v in table.items()})
    assert {c.name: c.contribution for c in found.columns} == pytest.approx(expected["contributions"], rel=1e-3)
    assert found.reasons[0] == expected["reason"]
