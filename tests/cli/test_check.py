"""check: verdicts on saved scikit-learn models, and what may be opened."""

import json
import os

import joblib
import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from bridle.cli.check import open_estimator
from bridle.diagnosis.verdict import LABELS
from bridle.errors import FileFormatError, InputError


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of two numbers and a target of two classes."""
    rng = np.random.default_rng(3)
    age, dose = rng.normal(50, 9, 100), rng.integers(0, 5, 100)
    sick = np.where(rng.random(100) < 1 / (1 + np.exp(-(dose - 2.0))), "yes", "no")
    path = tmp_path_factory.mktemp("check") / "numbers.csv"
    pl.DataFrame({"age": age, "dose": dose, "sick": sick}).write_csv(path)
    return path


@pytest.fixture(scope="module")
def estimator(table):
    frame = pl.read_csv(table)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return model.fit(frame.select("age", "dose").to_pandas(), frame["sick"].to_numpy())


def test_check_refuses_a_pickle_until_it_is_trusted(table, cli, estimator, tmp_path):
    path = tmp_path / "model.joblib"
    joblib.dump(estimator, path)
    done = cli("check", path, table, "--target", "sick")
    assert done.exit_code == 2
    assert "can run any code" in done.stderr
    assert "--trust" in done.stderr
    every = ",".join(LABELS)
    args = ["--target", "sick", "--trust", "--json", "--n-jobs", 1, "--fail-on", every]
    done = cli("check", path, table, *args)
    assert done.exit_code == 10, done.stderr
    assert json.loads(done.stdout)["label"] in LABELS


def test_check_reads_skops_without_trust(estimator, tmp_path):
    skops = pytest.importorskip("skops.io")
    skops.dump(estimator, tmp_path / "model.skops")
    opened = open_estimator(tmp_path / "model.skops", trust=False)
    assert repr(opened) == repr(estimator)
    (tmp_path / "broken.skops").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(FileFormatError, match="readable"):
        open_estimator(tmp_path / "broken.skops", trust=False)


def test_check_takes_a_forest_from_skops_but_no_strange_types(estimator, tmp_path):
    """Trees are let in: skops fears their use in predict, and only an unfitted clone is ever used."""
    skops = pytest.importorskip("skops.io")
    forest = RandomForestClassifier(n_estimators=2).fit([[0.0], [1.0]], [0, 1])
    skops.dump(forest, tmp_path / "forest.skops")
    assert isinstance(open_estimator(tmp_path / "forest.skops", trust=False), RandomForestClassifier)
    strange = make_pipeline(FunctionTransformer(os.path.join), LogisticRegression())
    skops.dump(strange, tmp_path / "strange.skops")
    with pytest.raises(InputError, match=r"doesn't know to be safe.*join"):
        open_estimator(tmp_path / "strange.skops", trust=False)
    assert open_estimator(tmp_path / "strange.skops", trust=True).steps[0][1].func is os.path.join


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.joblib", {"not": "an estimator"}, "expected a scikit-learn estimator"),
        ("m.pkl", b"\x80damaged", "can't be opened"),
        ("m.bridle", b"", "bridle's own model"),
        ("m.onnx", b"", ".onnx"),
        ("gone.pkl", None, "no such file"),
    ],
)
def test_check_says_what_it_cannot_open(table, cli, tmp_path, name, content, words):
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif content is not None:
        joblib.dump(content, tmp_path / name)
    done = cli("check", tmp_path / name, table, "--target", "sick", "--trust")
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())


def test_check_asks_for_the_columns_that_the_model_knows(table, cli, estimator, tmp_path):
    joblib.dump(estimator, tmp_path / "m.joblib")
    pl.read_csv(table).rename({"dose": "amount"}).write_csv(tmp_path / "t.csv")
    done = cli("check", tmp_path / "m.joblib", tmp_path / "t.csv", "--target", "sick", "--trust")
    assert done.exit_code == 2
    assert "lacks: dose" in done.stderr


def test_check_gives_the_roles_to_the_verdict(table, cli, estimator, tmp_path, monkeypatch):
    """Weights, groups and time reach the folds and losses, and none of them is a feature."""
    joblib.dump(
        LogisticRegression().fit(pl.read_csv(table).select("age", "dose").to_numpy(), [0, 1] * 50), tmp_path / "m.pkl"
    )
    frame = pl.read_csv(table).with_row_index("when").with_columns(w=pl.col("dose") + 1, site=pl.col("when") // 10)
    frame.sample(fraction=1.0, shuffle=True, seed=1).write_csv(tmp_path / "t.csv")
    given = {}

    def recorded(_estimator, X, y, **options):
        given.update(options, X=X, y=y)
        raise InputError("enough")

    monkeypatch.setattr("bridle.diagnosis.facade.diagnose", recorded)
    roles = ["--weights", "w", "--groups", "site", "--time", "when", "--family", "binomial"]
    done = cli("check", tmp_path / "m.pkl", tmp_path / "t.csv", "-t", "sick", "--trust", *roles)
    assert "enough" in done.stderr
    shuffled = pl.read_csv(tmp_path / "t.csv")
    assert given["X"].tolist() == shuffled.select("age", "dose").to_numpy().tolist()
    assert given["sample_weight"].tolist() == shuffled["w"].to_list()
    assert len(set(zip(given["groups"].tolist(), shuffled["site"].to_list(), strict=True))) == 10
    assert np.argsort(given["time"]).tolist() == shuffled["when"].arg_sort().to_list()
    assert given["family"] == "binomial"


def test_check_judges_a_survival_model(cli, tmp_path):
    import bridle

    rng = np.random.default_rng(5)
    age, dose = rng.normal(size=(2, 90))
    months = rng.exponential(np.exp(-age))
    frame = pl.DataFrame({"age": age, "dose": dose, "months": months, "died": rng.integers(0, 2, 90)})
    frame.write_csv(tmp_path / "table.csv")
    y = bridle.survival_target(months, frame["died"].to_numpy())
    model = bridle.CoxRegressor(alpha=0.01).fit(frame.select("age", "dose").to_numpy(), y)
    joblib.dump(model, tmp_path / "cox.joblib")
    args = ["--target", "months", "--event", "died", "--trust", "--json", "--n-jobs", 1]
    done = cli("check", tmp_path / "cox.joblib", tmp_path / "table.csv", *args)
    assert done.exit_code == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["label"] in LABELS
    assert "baseline hazard alone" in {c["label"] for c in verdict["comparisons"]}
