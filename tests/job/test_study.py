"""The main job on real tables, small enough to be quick: what must hold whatever the numbers are."""

import dataclasses
import json
import math
import warnings

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_diabetes

import bridle
from bridle import nets
from bridle.diagnosis.verdict import LABELS
from bridle.errors import FileFormatError, InputError
from bridle.frozen import from_json, to_json
from bridle.job.saving import FILES
from bridle.losses import get_family
from bridle.results import StudyResult

QUICK = {"bootstrap": 10, "folds": 5, "repeats": 1, "seed": 3}


@pytest.fixture(scope="module")
def diabetes():
    data = load_diabetes(as_frame=True, scaled=False)
    return pl.from_pandas(data.frame).sample(220, seed=0)


@pytest.fixture(scope="module")
def found(diabetes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bridle.errors.BridleWarning)
        return bridle.study(diabetes, "target", **QUICK)


def test_every_model_has_losses_scores_and_a_verdict(found):
    names = [m.name for m in found.result.models]
    assert names == ["null", "unregularised", "ridge", "lasso", "elastic net", *["dropout"] * nets.available()]
    for m in found.result.models[1:]:
        assert m.verdict.label in LABELS and m.verdict.sentence and m.verdict.action
        assert 0 < m.cv_loss.lower < m.cv_loss.value < m.cv_loss.upper
        assert m.holdout_scores["RMSE"].value == pytest.approx(math.sqrt(m.holdout_loss.value))
        if not m.network:
            assert m.certificate.n_converged == m.certificate.n_values
            assert m.certificate.worst_relative_gap <= 1e-6
        assert m.train_loss < found.result.model("null").train_loss
    assert found.result.best in names[1:] and found.verdict.learning_curve is not None
    assert {c.code for c in found.verdict.checks} >= {"BR101", "BR301"}


def test_numbers_of_a_model_follow_from_its_coefficients(found, diabetes):
    result = found.result
    rows = found.predictions["row"].to_numpy()
    assert rows.size == result.data.n_holdout == 44 and result.data.n_train == 176
    held_out, y = diabetes[rows], found.predictions["target"].to_numpy()
    np.testing.assert_array_equal(y, held_out["target"].to_numpy())
    for m in result.models[1:]:
        mean = found.models[m.name].predict(held_out)
        np.testing.assert_allclose(mean, found.predictions[f"prediction ({m.name})"], rtol=1e-12)
        assert m.holdout_loss.value == pytest.approx(np.mean((y - mean) ** 2), rel=1e-12)
        if m.network:
            continue
        by_hand = m.intercept + sum(c.value * held_out[c.column].to_numpy() for c in m.coefficients)
        np.testing.assert_allclose(mean, by_hand, rtol=1e-10)


def test_the_unregularised_model_is_least_squares(found, diabetes):
    rows = np.setdiff1d(np.arange(diabetes.height), found.predictions["row"].to_numpy())
    X, y = diabetes.drop("target").to_numpy()[rows].astype(float), diabetes["target"].to_numpy()[rows]
    b = np.linalg.lstsq(np.column_stack([np.ones(rows.size), X]), y, rcond=None)[0]
    m = found.result.model("unregularised")
    assert m.intercept == pytest.approx(b[0], rel=1e-6)
    for c in m.coefficients:
        assert c.value == pytest.approx(b[1 + diabetes.columns.index(c.feature)], rel=1e-6)


def test_curves_hold_the_choice_they_report(found):
    for m in found.result.models:
        if m.curve is None:
            continue
        curve = m.curve
        assert curve.values[curve.index_chosen] == m.value and m.rule == "min"
        assert curve.index_min == int(np.argmin(curve.mean)) == curve.index_chosen
        assert curve.mean[curve.index_chosen] == pytest.approx(m.cv_loss.value)
        assert curve.index_1se <= curve.index_min
        assert all(len(s) == len(curve.values) for s in curve.scores.values())
        if not m.network:
            assert len(m.path.bootstrap) == 10 and len(m.lambda_bootstrap) == 10


def test_the_answer_does_not_depend_on_threads(found, diabetes):
    alone = bridle.study(diabetes, "target", n_jobs=1, **QUICK)

    def plain(study):
        result = dataclasses.replace(study.result, reproduce=None)
        models = tuple(dataclasses.replace(m, fit_seconds=0.0) for m in result.models)
        return to_json(dataclasses.replace(result, models=models))

    assert plain(alone) == plain(found)
    assert alone.predictions.equals(found.predictions)


def test_rescaling_the_target_changes_no_verdict_and_no_choice(diabetes):
    quick = QUICK | {"bootstrap": 0, "challengers": False, "learning_curve": False}
    one = bridle.study(diabetes, "target", **quick).result
    thousand = bridle.study(diabetes.with_columns(pl.col("target") * 1000.0), "target", **quick).result
    assert one.best == thousand.best
    for a, b in zip(one.models[1:], thousand.models[1:], strict=True):
        assert (a.n_nonzero, a.verdict.label) == (b.n_nonzero, b.verdict.label)
        assert b.cv_loss.value == pytest.approx(1e6 * a.cv_loss.value, rel=1e-4)


def test_results_survive_json(found):
    text = json.dumps(to_json(found.result), allow_nan=False)
    back = from_json(StudyResult, json.loads(text))
    assert to_json(back) == to_json(found.result)


def test_a_saved_study_is_whole_and_comes_back(found, tmp_path):
    paths = found.save(tmp_path / "new" / "study")
    assert sorted(p.name for p in paths) == sorted(FILES)
    assert to_json(bridle.Study.load(tmp_path / "new" / "study")) == to_json(found.result)
    metrics = json.loads((tmp_path / "new" / "study" / "metrics.json").read_text())
    assert metrics["best"] == found.result.best and metrics["models"]["null"]["n_nonzero"] == 0
    verdict = json.loads((tmp_path / "new" / "study" / "verdict.json").read_text())
    assert verdict["verdict"]["label"] == found.verdict.label
    assert bridle.load(tmp_path / "new" / "study" / "model.bridle").meta.name == found.result.best


def test_a_failed_save_leaves_the_old_study(found, tmp_path, monkeypatch):
    found.save(tmp_path / "study")
    before = {p.name: p.read_bytes() for p in (tmp_path / "study").iterdir()}
    monkeypatch.setattr(pl.DataFrame, "write_csv", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "disk full")))
    with pytest.raises(OSError, match="disk full"):
        found.save(tmp_path / "study")
    assert {p.name: p.read_bytes() for p in (tmp_path / "study").iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["study"]


def test_damaged_studies_are_refused(found, tmp_path):
    with pytest.raises(InputError, match="no study at"):
        bridle.Study.load(tmp_path)
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(FileFormatError, match="readable JSON"):
        bridle.Study.load(tmp_path)
    (tmp_path / "study.json").write_text('{"format": 99}')
    with pytest.raises(FileFormatError, match="format 99"):
        bridle.Study.load(tmp_path)
    data = to_json(found.result)
    data["models"][1]["n_nonzero"] = "many"
    (tmp_path / "study.json").write_text(json.dumps(data))
    with pytest.raises(FileFormatError, match=r"models\[1\].n_nonzero: expected int, got str"):
        bridle.Study.load(tmp_path)


def test_correlated_features_are_offered_as_swaps():
    rng = np.random.default_rng(0)
    x = rng.normal(size=160)
    table = pl.DataFrame({"a": x, "twin": x + 0.05 * rng.normal(size=160), "other": rng.normal(size=160)})
    table = table.with_columns(y=pl.Series(x + 0.5 * rng.normal(size=160)))
    result = bridle.study(table, "y", models=["lasso"], learning_curve=False, challengers=False, **QUICK).result
    pairs = {frozenset((s.chosen, s.instead)) for s in result.swaps}
    assert frozenset(("a", "twin")) in pairs
    swap = next(s for s in result.swaps if {s.chosen, s.instead} == {"a", "twin"})
    assert swap.correlation > 0.99 and swap.cost.lower < swap.cost.value < swap.cost.upper < 0.2


def test_counts_offsets_weights_and_missing_values_go_through():
    rng = np.random.default_rng(1)
    n = 150
    x, size, days = rng.normal(size=n), rng.normal(size=n), rng.uniform(1, 5, n)
    table = pl.DataFrame({"x": x, "size": size, "log_days": np.log(days), "w": rng.uniform(0.5, 2, n),
                          "visits": rng.poisson(days * np.exp(0.3 * x))})  # fmt: skip
    table = table.with_columns(pl.when(pl.col("size") > 1).then(None).otherwise(pl.col("size")).alias("size"))
    options = QUICK | {"models": ["lasso", "ridge"], "learning_curve": False}
    study = bridle.study(table, "visits", family="poisson", offset="log_days", weights="w", **options)
    lasso = study.result.model("lasso")
    assert study.result.data.family == "poisson" and study.best.offset == "log_days"
    assert next(c.value for c in lasso.coefficients if c.feature == "x") == pytest.approx(0.3, abs=0.15)
    family, rows = get_family("poisson"), study.predictions["row"].to_numpy()
    mean = study.models["lasso"].predict(table[rows])
    loss = np.average(family.deviance(table["visits"].to_numpy()[rows].astype(float), mean), weights=table["w"][rows])
    assert lasso.holdout_loss.value == pytest.approx(loss, rel=1e-12)


def test_few_rows_are_not_held_out_and_that_is_visible():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(30, 2))
    table = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": x[:, 0] + rng.normal(size=30)})
    result = bridle.study(table, "y", models=["ridge"], learning_curve=False, challengers=False, **QUICK).result
    assert result.data.n_holdout == 0 and result.holdout is None
    assert math.isnan(result.model("ridge").holdout_loss.value)


def test_a_model_that_cannot_be_fitted_is_kept_with_its_reason(diabetes, monkeypatch):
    from bridle.job import fitting

    real = fitting.cross_validate

    def fails_for_ridge(*args, **kwargs):
        if tuple(kwargs["l1_ratio"]) == (0.0,):
            raise InputError("ridge is out today")
        return real(*args, **kwargs)

    monkeypatch.setattr(fitting, "cross_validate", fails_for_ridge)
    options = QUICK | {"bootstrap": 0, "challengers": False, "learning_curve": False}
    study = bridle.study(diabetes, "target", models=["ridge", "lasso"], **options)
    assert study.result.model("ridge").failed == "ridge is out today" and study.result.best == "lasso"
    assert list(study.models) == ["null", "lasso"]
    with pytest.raises(InputError, match=r"none of the models could be fitted\. Ridge"):
        bridle.study(diabetes, "target", models=["ridge"], **options)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"rule": "best"}, "unknown rule 'best'; expected one of min"),
        ({"models": ["lassso"]}, "unknown model 'lassso'"),
        ({"models": []}, "no model is asked for"),
        ({"folds": 1}, "folds must lie between 2"),
        ({"holdout": 1.0}, "holdout must lie between"),
        ({"level": 95}, "level must lie between 0.5"),
        ({"missing": "guess"}, "unknown missing 'guess'"),
        ({"n_jobs": 0}, "n_jobs must lie between 1"),
        ({"tol": 0.5}, "tol must lie between"),
    ],
)
def test_settings_out_of_range_are_refused(diabetes, option, message):
    with pytest.raises(InputError, match=message):
        bridle.study(diabetes, "target", **option)
