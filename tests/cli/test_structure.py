"""--formula, --interactions and --ordered on a real file, and what is said to a mistake."""

import json
from pathlib import Path

import polars as pl
import pytest

import bridle
from bridle.datasets import demo_path

QUICK = ("--no-challengers", "--no-learning-curve", "--bootstrap", 0, "--repeats", 1, "--folds", 3, "--n-jobs", 1, "-q")


@pytest.fixture
def fit(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *options, models="lasso": cli("fit", *options, "--models", models, *QUICK, "--out", "out")


def test_a_formula_from_file_to_explanation(fit, cli):
    done = fit(demo_path(), "--formula", "diagnosis ~ bs(mean_radius, 4) + mean_texture*mean_symmetry")
    assert done.exit_code == 0, done.stderr
    model = bridle.load("out/model.bridle")
    assert model.encoder.columns == ("mean_radius", "mean_texture", "mean_symmetry")
    assert model.encoder.groups[:4] == ("bs(mean_radius, 4)",) * 4
    record = json.loads(cli("explain", "out/model.bridle", demo_path(), "--row", 3, "--json").stdout)
    assert "mean_radius" in {c["name"] for c in record["columns"]}
    predicted = cli("predict", "out/model.bridle", demo_path())
    assert predicted.exit_code == 0 and len(predicted.stdout.splitlines()) == 570


def test_interactions_and_ordered_levels(fit):
    frame = pl.read_csv(demo_path())["mean_radius", "mean_texture", "mean_symmetry", "diagnosis"]
    radius, text = pl.col("mean_radius"), pl.lit
    size = pl.when(radius < 12).then(text("small")).when(radius < 15).then(text("middling")).otherwise(text("large"))
    frame.with_columns(size=size).drop("mean_radius").write_csv(path := "x.csv")
    done = fit(
        path, "-t", "diagnosis", "--ordered", "size=small,middling,large", "--interactions", "size:*", models="ridge"
    )
    assert done.exit_code == 0, done.stderr
    names = bridle.load("out/model.bridle").feature_names
    assert names[2:4] == ("size >= middling", "size >= large")
    assert names[4:6] == ("mean_texture : size >= middling", "mean_texture : size >= large")
    record = json.loads(Path("out/study.json").read_text(encoding="utf-8"))
    notes = {c["name"]: c["note"] for c in record["data"]["columns"]}
    assert notes["size"] == "ordered: small < middling < large"


def test_hierarchy_and_group_penalty(fit):
    formula = "diagnosis ~ bs(mean_radius, 4)*mean_texture + mean_symmetry"
    done = fit(demo_path(), "--formula", formula, "--hierarchy", "strong", "--rule", "1se")
    assert done.exit_code == 0, done.stderr
    assert "Group lasso" in done.stdout
    model = bridle.load("out/model.bridle")
    there = {g for g, b in zip(model.encoder.groups, model.coef, strict=True) if b}
    assert "bs(mean_radius, 4)" in there
    assert "mean_texture" in there or "bs(mean_radius, 4):mean_texture" not in there


MISTAKES = [
    (("-t", "diagnosis", "--penalty", "lars"), "penalty 'lars'"),
    (("-t", "diagnosis", "--hierarchy", "strong"), "there are no interactions"),
    (
        ("-t", "diagnosis", "--interactions", "all", "--hierarchy", "weak", "--penalty", "scad"),
        "a penalty on whole groups",
    ),
    (("--formula", "diagnosis ~ bs(mean_radius"), "can't be read"),
    (("-t", "mean_area", "--formula", "diagnosis ~ mean_radius"), "give one of them"),
    (("--formula", "mean_radius + mean_area"), "names none; name the column to predict"),
    (("-t", "diagnosis", "--interactions", "mean_radius:size"), "'size' is not among the features"),
    (("-t", "diagnosis", "--ordered", "size"), "not of the form COLUMN=LEVELS"),
    (("-t", "diagnosis", "--ordered", "size=small,large"), "there is no column 'size'"),
    (("-t", "diagnosis", "--ordered", "a=1,2", "--ordered", "a=1,2"), "is given twice"),
]


@pytest.mark.parametrize(("options", "words"), MISTAKES)
def test_mistakes_are_told(fit, options, words):
    done = fit(demo_path(), *options)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_ordered_levels_in_a_config_file(fit, tmp_path):
    (tmp_path / "study.toml").write_text('target = "diagnosis"\nordered = ["size=small,large", "shape=round,odd"]\n')
    done = fit(demo_path(), "--config", "study.toml")
    assert done.exit_code == 2
    assert "there is no column 'size'" in " ".join(done.stderr.replace("│", " ").split())
