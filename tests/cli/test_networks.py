"""predict, explain, info and compare with a dropout network in the file, where there is no PyTorch."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest

from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.frozen import to_json
from bridle.model_io import Meta, Model, NetworkModel
from bridle.nets.network import Layer, Network
from bridle.results import Attribution


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """network.bridle, regression.bridle, plain.bridle (rate 0) and linear.bridle beside the table t.csv."""
    rng = np.random.default_rng(3)
    n = 60
    table = pl.DataFrame(
        {
            "age": rng.normal(50, 10, n).round(1),
            "dose": rng.integers(0, 5, n),
            "kind": rng.choice(["a", "b", "c"], n),
            "sick": rng.choice(["no", "yes"], n),
            "cost": rng.normal(1000, 300, n).round(),
        }
    )
    monkeypatch.chdir(tmp_path)
    table.write_csv("t.csv")
    for name, target, other, family, rate in (
        ("network", "sick", "cost", "binomial", 0.5),
        ("regression", "cost", "sick", "gaussian", 0.2),
        ("plain", "sick", "cost", "binomial", 0.0),
    ):
        data = make_dataset(table, target, family=family, exclude=[other])
        encoder = Encoder.fit(data)
        p = len(encoder.feature_names)
        layers = tuple(
            Layer(rng.normal(0, 0.5, (a, b)).astype(np.float32), rng.normal(0, 0.2, b).astype(np.float32))
            for a, b in ((p, 8), (8, 4), (4, 1))
        )
        gaussian = family == "gaussian"
        network = Network(
            layers, "relu", rate, 0.1 if gaussian else 0.0, family, np.array(encoder.mean), np.array(encoder.scale),
            np.array([1000.0 if gaussian else 0.0]), 300.0 if gaussian else 1.0, 250.0 if gaussian else float("nan"),
        )  # fmt: skip
        meta = Meta(name="dropout", label="Dropout network", parameter="dropout rate", value=rate, rule="min")
        model = NetworkModel(encoder, family, target, data.classes, network, np.array(encoder.mean), meta)
        model.save(f"{name}.bridle")
    linear = Model(encoder, "binomial", "sick", data.classes, 0.1, np.ones(p), np.array(encoder.mean))
    linear.save("linear.bridle")
    return tmp_path


def test_predict_adds_standard_deviations_and_says_what_they_are(cli, folder):
    import bridle

    done = cli("predict", "network.bridle", "t.csv", "--std", "--keep", "kind")
    assert done.exit_code == 0, done.stderr
    shown = pl.read_csv(done.stdout.encode())
    assert shown.columns == ["kind", "prediction", "probability_yes", "std"]
    model = bridle.load("network.bridle")
    np.testing.assert_allclose(shown["std"], model.predict_std("t.csv"), rtol=1e-5)
    np.testing.assert_allclose(shown["probability_yes"], model.predict_mean("t.csv"), rtol=1e-5)
    said = " ".join(done.stderr.split())
    assert "std is the standard deviation of the probability of yes over 100 networks thinned by dropout" in said
    said = " ".join(cli("predict", "regression.bridle", "t.csv", "--std").stderr.split())
    assert "with the noise of cost around it (250)" in said
    done = cli("predict", "network.bridle", "t.csv", "--std", "--quiet")
    assert done.exit_code == 0
    assert done.stderr == ""
    assert pl.read_csv(cli("predict", "network.bridle", "t.csv").stdout.encode()).columns == [
        "prediction",
        "probability_yes",
    ]


def test_standard_deviations_do_not_depend_on_batches(cli, folder, monkeypatch):
    import bridle.cli.streaming
    import bridle.data

    whole = pl.read_csv(cli("predict", "network.bridle", "t.csv", "--std", "-q").stdout.encode())
    batches = bridle.data.iter_batches

    def small(file):
        for batch in batches(file):
            yield from batch.iter_slices(7)

    monkeypatch.setattr(bridle.data, "iter_batches", small)
    cut = pl.read_csv(cli("predict", "network.bridle", "t.csv", "--std", "-q").stdout.encode())
    np.testing.assert_allclose(cut["std"], whole["std"], rtol=1e-4)


@pytest.mark.parametrize(("model", "words"), [("linear", "linear model"), ("plain", "without dropout (rate 0)")])
@pytest.mark.parametrize("out", [[], ["--out", "p.csv"], ["--out", "p.parquet"]])
def test_predict_refuses_standard_deviations_that_nobody_knows(cli, folder, model, words, out):
    done = cli("predict", f"{model}.bridle", "t.csv", "--std", *out)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())
    assert "leave std out" in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert not list(folder.glob("p.*"))


def test_explain_splits_a_networks_prediction(cli, folder):
    for against in ([], ["--reference", "t.csv:9"]):
        done = cli("explain", "regression.bridle", "t.csv", "--row", 4, *against, "--json")
        assert done.exit_code == 0, done.stderr
        record = json.loads(done.stdout)
        gained = record["link"] - record["baseline_link"]
        assert sum(c["contribution"] for c in record["columns"]) == pytest.approx(gained, rel=1e-9)
        assert {c["name"] for c in record["columns"]} == {"age", "dose", "kind"}
    prediction = pl.read_csv(cli("predict", "regression.bridle", "t.csv").stdout.encode())["prediction"]
    assert record["prediction"] == pytest.approx(prediction[4], rel=1e-6)
    assert record["baseline"] == pytest.approx(prediction[9], rel=1e-6)
    text = " ".join(cli("explain", "regression.bridle", "t.csv", "--row", 4).stdout.split())
    assert "the expected cost is" in text
    assert "the predicted cost by" in text


def test_info_shows_the_layers(cli, folder):
    record = json.loads(cli("info", "network.bridle", "--json").stdout)
    assert record["model"] == "Dropout network (network, binomial)"
    assert record["network"].endswith(" -> 8 -> 4 -> 1, relu, dropout rate 0.5")
    assert record["chosen"] == "dropout rate = 0.5, rule min"
    assert record["std"].startswith("the standard deviation of the probability of yes")
    assert "coefficients" not in record
    assert json.loads(cli("info", "regression.bridle", "--json").stdout)["network"].endswith(
        "relu, dropout rate 0.2, rate of features 0.1"
    )
    text = cli("info", "plain.bridle").stdout
    assert "dropout rate 0" in " ".join(text.split())
    assert "std" not in text.split()
    assert "network" not in json.loads(cli("info", "linear.bridle", "--json").stdout)


@pytest.fixture
def saved_network(make_result, tmp_path):
    """Save a study whose best model is a network that leans on three features."""

    def save(name, directions):
        result = make_result({"age": 1.0})
        attributions = tuple(Attribution(f, f, 0.3, d) for f, d in directions.items())
        best = dataclasses.replace(
            result.models[1], name="dropout", label="Dropout network", technique="dropout", parameter="dropout rate",
            value=0.3, coefficients=(), network="5 -> 64 -> 64 -> 1, relu", attributions=attributions,
        )  # fmt: skip
        result = dataclasses.replace(result, best="dropout", models=(result.models[0], best))
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.json").write_text(json.dumps(to_json(result)))
        return tmp_path / name

    return save


def test_compare_takes_what_a_network_leans_on_as_its_features(cli, saved, saved_network):
    linear = saved("linear", coefficients={"age": 1.0, "dose": -2.0, "sex": 0.5})
    network = saved_network("network", {"age": -0.9, "dose": 0.1, "weight": 0.8})
    record = json.loads(cli("compare", linear, network, "--json").stdout)
    (pair,) = record["pairs"]
    assert pair["common"] == ["age", "dose"]
    assert pair["only_second"] == ["weight"]
    assert pair["sign_disagreements"] == ["age"]  # dose goes neither way in the network
    best = record["studies"][1]["best"]
    assert (best["parameter"], best["value"], best["network"]) == ("dropout rate", 0.3, "5 -> 64 -> 64 -> 1, relu")
    text = " ".join(cli("compare", linear, network).stdout.split())
    assert "lambda = 0.100" in text
    assert "dropout rate = 0.300" in text
    assert "5 -> 64 -> 64 -> 1, relu" in text
    assert "Network" not in cli("compare", linear, linear).stdout
