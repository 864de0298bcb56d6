"""The main job on times to an event: a real table end to end, and what its saved model predicts."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import bridle
from bridle.cli import app
from bridle.errors import FileFormatError, InputError
from bridle.model_io import SurvivalModel
from bridle.selection import make_folds
from bridle.survival import BaselineHazard, survival_target
from bridle.survival.scores import concordance_error

VETERAN = Path(__file__).parents[1] / "oracle_data" / "survival" / "veteran.csv"  # Kalbfleisch and Prentice (1980)
QUICK = {"repeats": 1, "folds": 4, "bootstrap": 4, "challengers": False, "learning_curve": False}


@pytest.fixture(scope="module")
def veteran():
    return bridle.study(
        VETERAN,
        target="time",
        event="status",
        repeats=1,
        folds=5,
        bootstrap=4,
        models=["unregularised", "ridge", "lasso"],
    )


@pytest.fixture(scope="module")
def folder(veteran, tmp_path_factory):
    path = tmp_path_factory.mktemp("veteran")
    veteran.save(path)
    return path


def simulated(n=160, seed=0):
    rng = np.random.default_rng(seed)
    x, centre = rng.standard_normal((n, 2)), rng.choice(["a", "b"], n)
    died = rng.exponential(np.exp(-1.2 * x[:, 0] - (centre == "b")))
    lost = rng.exponential(2.0, n)
    return pl.DataFrame(
        {
            "years": np.minimum(died, lost), "died": died <= lost, "x": x[:, 0], "z": x[:, 1], "centre": centre,
            "entry": np.minimum(died, lost) * rng.uniform(0, 0.5, n),
        }
    )  # fmt: skip


def test_karnofsky_score_carries_the_veterans(veteran):
    result = veteran.result
    assert result.data.family == "cox(ties='efron')"
    assert veteran.verdict.label in ("balanced", "undetermined")
    found = {c.feature: c for c in result.model(result.best).coefficients}["karno"]
    assert found.value == pytest.approx(-0.03, abs=0.01)  # coxph of all rows: -0.0328
    assert re.fullmatch(r"hazard × 0\.9\d+ per unit", found.effect)
    assert veteran.metrics["loss"] == "deviance per event"
    assert "128 of 137 rows have the event" in result.data.target_summary


def test_all_losses_of_a_study_are_on_one_scale(veteran):
    models = {m.name: m for m in veteran.result.models}
    null, ridge = models["null"], models["ridge"]
    assert null.cv_loss.value == pytest.approx(ridge.verdict.null_loss, rel=0.1)
    assert ridge.cv_loss.value == pytest.approx(ridge.verdict.loss.value, rel=0.15)
    assert ridge.train_loss < ridge.cv_loss.value < null.cv_loss.value
    curve = models["lasso"].curve
    assert curve.mean[0] == pytest.approx(null.cv_loss.value, rel=1e-2)  # at lambda_max there are no features


def test_held_out_scores(veteran):
    scores = veteran.result.model("ridge").holdout_scores
    assert list(scores) == ["deviance explained", "concordance (Harrell)", "concordance (Uno)", "Brier score to 249"]
    c = scores["concordance (Harrell)"]
    assert 0.0 <= c.lower < c.value < c.upper <= 1.0
    held = veteran.predictions
    y = survival_target(held["time"].to_numpy(), held["status"].to_numpy())
    risk = held["relative hazard (ridge)"].to_numpy()
    assert c.value == pytest.approx(concordance_error(y, risk, np.ones(len(y)))[0])


def test_what_the_report_draws_of_held_out_rows():
    found = bridle.study(simulated(400), "years", event="died", exclude=("entry",), **QUICK).result.survival
    assert [g.label.split()[0] for g in found.groups] == ["lowest", "middle", "highest"]
    assert sum(g.n for g in found.groups) == 80
    at = [min(v for t, v in zip(g.times, g.observed, strict=True) if t <= found.horizon) for g in found.groups]
    assert at[0] > at[2]
    for g in found.groups:
        assert (np.diff(g.observed) <= 0).all() and (np.diff(g.predicted) <= 1e-12).all()
    assert all(0 <= b.lower <= b.observed <= b.upper <= 1 and 0 < b.predicted < 1 for b in found.calibration)


def test_saved_model_predicts_cox_regressor_cvs_survival_curves(tmp_path):
    table = pl.read_csv(VETERAN)
    y = survival_target(table["time"].to_numpy(), table["status"].to_numpy(), None, table["celltype"].to_numpy())
    options = {**QUICK, "bootstrap": 0, "holdout": 0.0}
    study = bridle.study(table, "time", event="status", strata="celltype", models=["lasso"], tol=1e-9, **options)
    study.save(tmp_path)
    model = bridle.load(tmp_path / "model.bridle")
    assert isinstance(model, SurvivalModel)
    X = study.best.encoder.transform(table).for_rows(None)
    cv = list(make_folds(y, family="cox", n_splits=4, seed=0))
    other = bridle.CoxRegressorCV(cv=cv, standardize=True, tol=1e-9).fit(X, y, strata=table["celltype"].to_numpy())
    assert model.meta.value == pytest.approx(other.alpha_, rel=1e-9)
    np.testing.assert_allclose(model.coef, other.coef_, rtol=1e-6, atol=1e-9)
    curves = other.predict_survival_function(X, strata=table["celltype"].to_numpy())
    times = [0.5, 10.0, 80.0, 250.0, 2000.0]
    wanted = [[float(curve(t)) for t in times] for curve in curves]
    np.testing.assert_allclose(model.predict_survival(table, times), wanted, rtol=1e-6)


def test_predictions_say_hazard_survival_and_median(veteran):
    table, model = pl.read_csv(VETERAN), veteran.models["ridge"]
    frame = model.predict_frame(table)
    assert frame.columns[:2] == ["relative_hazard", "linear_predictor"] and frame.columns[-1] == "median_time"
    assert [float(c.removeprefix("survival_")) for c in frame.columns[2:-1]] == list(model.times)
    assert model.predict_mean(table) == pytest.approx(np.exp(model.linear_predictor(table) - model.reference_link))
    survival = frame.select(pl.col("^survival_.*$")).to_numpy()
    assert (np.diff(survival, axis=1) <= 0).all()
    order = np.argsort(frame["relative_hazard"].to_numpy())
    assert (np.diff(survival[order], axis=0) <= 1e-12).all()
    at = model.predict_survival(table, list(frame["median_time"].drop_nulls()))
    finite = np.flatnonzero(np.isfinite(frame["median_time"].to_numpy()))
    assert (at[finite, finite] <= 0.5).all()
    assert model.at([1, 5, 3]).predict_frame(table).columns[2:5] == ["survival_1", "survival_3", "survival_5"]


def test_strata_have_hazards_of_their_own_and_new_ones_have_none():
    table = simulated()
    model = bridle.study(table, "years", event="died", strata="centre", exclude=("entry",), **QUICK).best
    assert model.strata == "centre" and "centre" in model.columns and "centre" not in model.feature_names
    row = {"x": 0.0, "z": 0.0}
    times = [0.5]
    a, b = (model.predict_survival({**row, "centre": c}, times)[0, 0] for c in "ab")
    assert a > b + 0.1  # b dies e times as fast
    assert np.isnan(model.predict_survival({**row, "centre": "c"}, times)[0, 0])
    new = model.predict_frame({**row, "centre": "c"})
    assert new["median_time"].null_count() == 1 and new["relative_hazard"].null_count() == 0
    with pytest.raises(InputError, match="strata 'centre'"):
        model.predict_frame(row)


def test_start_weights_groups_and_offset_go_through():
    table = simulated().with_columns(w=pl.Series([1.0, 2.0] * 80), g=pl.Series(np.arange(160) // 4), o=pl.lit(0.5))
    study = bridle.study(
        table, "years", event="died", start="entry", weights="w", groups="g", offset="o", models=["ridge"], **QUICK
    )
    assert "concordance (Uno)" not in study.result.model("ridge").holdout_scores  # not defined with late entry
    assert set(study.best.columns) == {"x", "z", "centre", "o"}
    moved = study.best.predict_mean(table.with_columns(o=pl.lit(1.5))) / study.best.predict_mean(table)
    assert moved == pytest.approx(np.e)
    assert study.predictions.columns[:4] == ["row", "years", "died", "entry"]


def test_explanations_speak_of_hazards(veteran):
    table = pl.read_csv(VETERAN)
    found = veteran.models["lasso"].explain(table[3:4])
    assert found.headline.startswith("the hazard is ") and found.headline.endswith("times that of the average row")
    assert found.prediction == pytest.approx(np.exp(sum(c.contribution for c in found.columns)))
    assert found.baseline == 1.0
    assert all(re.search(r"the log of the hazard by .* \(hazard x ", r) for r in found.reasons)


def test_the_report_has_words_for_hazards_and_none_for_means(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    seen = re.sub(r"<(script|style)[^>]*>.*?</\1>|<[^>]+>", " ", page, flags=re.S)
    for words in ("Survival by predicted risk", "hazard × ", "Kaplan–Meier", "Concordance (Harrell)", "Baseline only"):
        assert words in seen, words
    for words in ("odds", "guessing the average", "overall mean", "Mean only", "ROC AUC", "intercept 0", "nan"):
        assert words not in seen, words
    study = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    assert study["survival"]["event"] == "status"
    assert bridle.job.Study.load(folder).survival is not None


def test_command_line(tmp_path):
    table = simulated().with_columns(died=pl.when(pl.col("died")).then(pl.lit("dead")).otherwise(pl.lit("alive")))
    table.write_csv(tmp_path / "t.csv")

    def run(*args):
        return CliRunner().invoke(app, [str(a) for a in args], prog_name="bridle")

    found = run(
        "fit", tmp_path / "t.csv", "-t", "years", "--event", "died", "--start", "entry", "--strata", "centre",
        "--models", "ridge,lasso", "--folds", 4, "--repeats", 1, "--bootstrap", 0, "--no-challengers",
        "--no-learning-curve", "--out", tmp_path / "out",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    assert "deviance per event" in found.output
    model = tmp_path / "out" / "model.bridle"
    predicted = run("predict", model, tmp_path / "t.csv", "--times", "0.5,1")
    assert predicted.stdout.splitlines()[0] == "relative_hazard,linear_predictor,survival_0.5,survival_1,median_time"
    assert len(predicted.stdout.splitlines()) == 161
    refused = run("predict", model, tmp_path / "t.csv", "--times", "soon")
    assert refused.exit_code == 2 and "isn't a list of times" in " ".join(refused.output.split())
    assert "the hazard is" in " ".join(run("explain", model, tmp_path / "t.csv", "--row", 3).stdout.split())
    wrong = run("fit", tmp_path / "t.csv", "-t", "years", "--event", "centre", "--out", tmp_path / "no")
    assert wrong.exit_code == 2 and "it isn't clear which of them is the event" in " ".join(wrong.output.split())


def test_networks_are_left_out_and_said():
    study = bridle.study(simulated(), "years", event="died", exclude=("entry",), **QUICK)
    assert "dropout" not in study.models
    assert any("Networks with dropout have no loss for times to an event" in n for n in study.result.data.notes)
    asked = bridle.study(simulated(), "years", event="died", models=["ridge", "dropout"], **QUICK)
    assert "no loss for times to an event" in asked.result.model("dropout").failed


def test_a_damaged_hazard_is_refused(veteran, tmp_path):
    from bridle.model_io.container import read_container, write_container

    path = tmp_path / "model.bridle"
    veteran.models["lasso"].save(path)
    manifest, arrays = read_container(path)
    for change in (
        {"hazard_times": arrays["hazard_times"][::-1]},
        {"hazard_times": arrays["hazard_times"][1:]},
        {"hazard_log_jumps": arrays["hazard_log_jumps"][1:], "hazard_times": arrays["hazard_times"][1:]},
    ):
        write_container(path, manifest, {**arrays, **change})
        with pytest.raises(FileFormatError, match=r"doesn't fit together|isn't what its arrays hold"):
            bridle.load(path)


def test_a_model_whose_strata_and_hazards_disagree_is_refused(veteran):
    model = veteran.models["ridge"]
    with pytest.raises(InputError, match="expected both or neither"):
        replace(model, strata="centre")
    with pytest.raises(InputError, match="hazards are of strata"):
        replace(model, hazard=BaselineHazard(np.array([3.0]), (np.ones(1),), (np.zeros(1),), 0.0))
    with pytest.raises(InputError, match="expected finite times"):
        model.at([1.0, np.nan])


def test_info_and_compare_know_survival(veteran, folder, tmp_path):
    def run(*args):
        return " ".join(CliRunner().invoke(app, [str(a) for a in args], prog_name="bridle").output.split())

    said = run("info", folder / "model.bridle")
    assert "event status = 1" in said and "survival at" in said and "intercept" not in said
    assert "concordance" in run("compare", folder, folder)
