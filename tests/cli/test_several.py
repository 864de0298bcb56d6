"""Targets of several classes, levels and numbers on the command line."""

import csv
import json

import joblib
import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

QUICK = ("--folds", 4, "--repeats", 1, "--bootstrap", 0, "--no-challengers", "--no-learning-curve", "--models", "ridge")


@pytest.fixture
def plants(tmp_path):
    """90 rows: two numbers, three kinds that they tell apart, their order, and two yields."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 90))
    kind = np.digitize(x + 0.4 * rng.normal(size=90), [-0.5, 0.5])
    pl.DataFrame(
        {
            "x": x, "z": z, "kind": np.array(["moss", "fern", "tree"])[kind],
            "spring": x + 0.2 * rng.normal(size=90), "summer": 30 * z + rng.normal(size=90),
        }
    ).write_csv(tmp_path / "plants.csv")  # fmt: skip
    return tmp_path / "plants.csv"


def test_three_classes_from_the_file_to_an_explanation(cli, plants, tmp_path):
    out = tmp_path / "out"
    ran = cli("fit", plants, "-t", "kind", "--exclude", "spring,summer", "--out", out, *QUICK)
    assert ran.exit_code == 0, ran.output
    assert "Held-out accuracy" in ran.stdout and "has 3 classes" in ran.stdout
    rows = list(csv.reader(cli("predict", out / "model.bridle", plants, "-q").stdout.splitlines()))
    assert rows[0] == ["prediction", "probability_fern", "probability_moss", "probability_tree"]
    assert sum(map(float, rows[1][1:])) == pytest.approx(1.0)
    found = json.loads(cli("explain", out / "model.bridle", plants, "--row", 3, "--json").stdout)
    assert found["predictors"] == ["fern", "moss", "tree"] and len(found["columns"][0]["contributions"]) == 3
    shown = cli("explain", out / "model.bridle", plants, "--row", 3).stdout
    assert "kind is most likely" in " ".join(shown.split()) and "fern" in shown.split("Value")[1].splitlines()[0]
    info = cli("info", out / "model.bridle", "--json").stdout
    assert set(json.loads(info)["coefficients"]["x"]) == {"fern", "moss", "tree"}


def test_ordered_levels_of_the_target(cli, plants, tmp_path):
    out = tmp_path / "out"
    options = ("--ordered", "kind=moss,fern,tree", "--exclude", "spring,summer", "--out", out)
    ran = cli("fit", plants, "-t", "kind", *options, *QUICK, "--json")
    assert ran.exit_code == 0, ran.output
    study = json.loads((out / "study.json").read_text())
    assert study["data"]["family"] == "ordinal" and study["data"]["classes"] == ["moss", "fern", "tree"]
    shown = cli("explain", out / "model.bridle", plants, "--row", 3).stdout
    assert "a higher level" in shown


@pytest.mark.parametrize(
    ("options", "label"),
    [
        (("--penalty", "sparse_group_lasso(l1_share=0.5)"), "Sparse group lasso"),
        (("--penalty", "group_scad(gamma=12)"), "Group SCAD"),
        (("--interactions", "x:z", "--hierarchy", "strong"), "Group lasso"),
    ],
)
def test_ordered_levels_with_other_penalties(cli, plants, tmp_path, options, label):
    out = tmp_path / "out"
    shared = ("--ordered", "kind=moss,fern,tree", "--exclude", "spring,summer", "--out", out)
    ran = cli("fit", plants, "-t", "kind", *shared, *QUICK[:-1], "lasso", *options)
    assert ran.exit_code == 0, ran.output
    (lasso,) = (m for m in json.loads((out / "study.json").read_text())["models"] if m["name"] == "lasso")
    assert lasso["label"] == label and lasso["n_nonzero"] > 0
    assert lasso["certificate"]["worst_relative_gap"] <= lasso["certificate"]["tolerance"]
    assert label in (out / "report.html").read_text()
    rows = list(csv.reader(cli("predict", out / "model.bridle", plants, "-q").stdout.splitlines()))
    assert rows[0] == ["prediction", "probability_moss", "probability_fern", "probability_tree"]


def test_several_targets(cli, plants, tmp_path):
    out = tmp_path / "out"
    ran = cli("fit", plants, "-t", "spring,summer", "--exclude", "kind", "--out", out, *QUICK)
    assert ran.exit_code == 0, ran.output
    rows = list(csv.reader(cli("predict", out / "model.bridle", plants, "-q").stdout.splitlines()))
    assert rows[0] == ["prediction_spring", "prediction_summer"]
    assert "expected spring is" in cli("explain", out / "model.bridle", plants, "--row", 0).stdout
    same = cli("compare", out, out)
    assert same.exit_code == 0 and "the same data and the same split" in same.stdout


def test_what_is_wrong_is_said(cli, plants):
    ran = cli("fit", plants, "-t", "kind", "--family", "ordinal", *QUICK)
    assert ran.exit_code == 2 and "--ordered kind=low,mid,high" in " ".join(ran.output.split())


def test_check_takes_models_of_three_classes_and_of_two_numbers(cli, plants, tmp_path):
    frame = pl.read_csv(plants)
    X = frame.select("x", "z").to_pandas()
    for target, model, y in (
        ("kind", LogisticRegression(), frame["kind"].to_numpy()),
        ("spring,summer", LinearRegression(), frame.select("spring", "summer").to_numpy()),
    ):
        path = tmp_path / "model.joblib"
        joblib.dump(model.fit(X, y), path)
        done = cli("check", path, plants, "-t", target, "--trust", "--json", "--n-jobs", 1)
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["explained"]["value"] > 0.2
