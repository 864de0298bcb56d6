"""A model predicts, explains, and comes back from its file as it went in."""

import dataclasses
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bridle
from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.errors import FileFormatError, InputError
from bridle.model_io import Meta, Model, load
from bridle.model_io.container import read_container, write_container
from bridle.model_io.explain import number

FAMILIES = ("binomial", "gaussian", "poisson")
STORED = Path(__file__).parent / "version-1.bridle"


def by_hand(model, frame):
    """The linear predictor, cell by cell, from the meaning of the features' names."""
    total = np.full(frame.height, model.intercept)
    for feature, column, b in zip(model.feature_names, model.encoder.source_columns, model.coef, strict=True):
        cells = frame[column].to_list()
        if feature == column:
            known = [c for c in cells if c is not None]
            fill = model.encoder.codes[list(model.encoder.columns).index(column)].fill
            assert known
            total += b * np.array([fill if c is None else float(c) for c in cells])
        elif feature.endswith("(missing)"):
            total += b * np.array([c is None for c in cells])
        else:
            total += b * np.array([c == feature.removeprefix(f"{column} = ") for c in cells])
    return total


@pytest.mark.parametrize("family", FAMILIES)
def test_predictions_are_those_computed_by_hand(table, make_model, family):
    model = make_model(family)
    eta = by_hand(model, table)
    np.testing.assert_allclose(model.linear_predictor(table), eta, rtol=1e-12)
    mean = {"binomial": 1 / (1 + np.exp(-eta)), "gaussian": eta, "poisson": np.exp(eta)}[family]
    np.testing.assert_allclose(model.predict_mean(table), mean, rtol=1e-12)


def test_a_binomial_model_gives_labels_and_probabilities(table, make_model):
    model = make_model("binomial")
    probability = model.predict_proba(table)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.predict(table), np.where(probability[:, 1] > 0.5, "Yes", "No"))
    assert set(model.predict(table)) == {"No", "Yes"}
    frame = model.predict_frame(table)
    assert frame.columns == ["prediction", "probability_Yes"]
    np.testing.assert_array_equal(frame["probability_Yes"], probability[:, 1])


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_other_families_predict_the_mean(table, make_model, family):
    model = make_model(family)
    np.testing.assert_array_equal(model.predict(table), model.predict_mean(table))
    assert model.predict_frame(table).columns == ["prediction"]
    with pytest.raises(InputError, match="no class probabilities"):
        model.predict_proba(table)


def test_every_kind_of_table_gives_the_same(table, make_model, tmp_path):
    model = make_model()
    expected = model.predict_mean(table)
    table.write_csv(tmp_path / "t.csv")
    table.write_parquet(tmp_path / "t.parquet")
    kinds = [
        table.to_pandas(), table.to_arrow(), table.to_dict(as_series=False), tmp_path / "t.csv",
        str(tmp_path / "t.parquet"), table.select(reversed(table.columns)),
    ]  # fmt: skip
    for kind in kinds:
        np.testing.assert_allclose(model.predict_mean(kind), expected, rtol=1e-12)
    single = table.row(11, named=True)
    assert model.predict_mean(single) == pytest.approx([expected[11]])


def test_arrays_are_taken_where_arrays_were_given():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    data = make_dataset(X, X[:, 0])
    encoder = Encoder.fit(data)
    model = Model(encoder, "gaussian", "y", (), 1.0, np.array([1.0, 0.0, -2.0, 0.0]), X.mean(axis=0))
    np.testing.assert_allclose(model.predict(X), 1.0 + X[:, 0] - 2.0 * X[:, 2])
    assert len(model.columns) == 2
    found = model.explain(X[5])
    assert found.link == pytest.approx(1.0 + X[5, 0] - 2.0 * X[5, 2])
    with pytest.raises(InputError, match="3 values, expected 4"):
        model.explain(X[5, :3])


def test_only_columns_with_an_effect_are_needed(table, make_model):
    model = make_model()
    assert "noise" not in model.columns
    np.testing.assert_array_equal(model.predict_mean(table.select(model.columns)), model.predict_mean(table))
    with pytest.raises(InputError, match="dose"):
        model.predict_mean(table.drop("dose"))


def test_a_model_without_effects_needs_no_column(table, make_model):
    model = make_model(zero=True)
    assert model.columns == ()
    np.testing.assert_allclose(model.predict_mean(table), 1 / (1 + math.exp(-0.3)))
    assert model.explain(table[3]).columns == ()


def test_an_offset_is_added_and_asked_for(table, make_model):
    model = make_model("poisson", offset=True)
    np.testing.assert_allclose(model.linear_predictor(table), by_hand(model, table) + table["exposure"].to_numpy())
    with pytest.raises(InputError, match="offset 'exposure'"):
        model.predict(table.drop("exposure"))
    gap = table.with_columns(pl.when(pl.col("dose") == 3).then(None).otherwise(pl.col("exposure")).alias("exposure"))
    with pytest.raises(InputError, match="finite number"):
        model.predict(gap)
    assert {c.column for c in model.explain(table[4]).columns} >= {"exposure", "dose"}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("offset", [False, True])
def test_a_file_gives_back_the_same_model(table, make_model, tmp_path, family, offset):
    model = make_model(family, offset=offset)
    model.save(tmp_path / "a.bridle")
    again = bridle.load(tmp_path / "a.bridle")
    np.testing.assert_array_equal(again.linear_predictor(table), model.linear_predictor(table))
    assert again.encoder == model.encoder
    assert again.meta == model.meta
    for f in ("family", "target", "classes", "intercept", "offset", "reference_offset"):
        assert getattr(again, f) == getattr(model, f)
    again.save(tmp_path / "b.bridle")
    assert (tmp_path / "b.bridle").read_bytes() == (tmp_path / "a.bridle").read_bytes()
    assert again.explain(table[0]) == model.explain(table[0])


def test_a_model_is_frozen(make_model):
    model = make_model()
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.intercept = 0.0
    with pytest.raises(ValueError, match="read-only"):
        model.coef[0] = 1.0


@pytest.mark.parametrize(
    "change",
    [
        {"coef": np.zeros(2)}, {"coef": np.full(9, np.nan)}, {"reference": np.zeros((9, 1))}, {"intercept": math.nan},
        {"classes": ("a", "b", "c")}, {"family": "cauchy"}, {"reference_offset": math.inf},
    ],
)  # fmt: skip
def test_a_contradicting_model_cannot_be_made(make_model, change):
    with pytest.raises(InputError):
        dataclasses.replace(make_model(), **change)


# Explanations -----------------------------------------------------------------------------------------------

CELLS = st.fixed_dictionaries(
    {
        "age": st.none() | st.floats(-200, 200),
        "dose": st.none() | st.integers(-5, 50),
        "sex": st.sampled_from(["female", "male", "other", None]),
        "thal": st.sampled_from(["fixed", "normal", "reversible", "never seen", None]),
        "exposure": st.floats(-3, 3),
    }
)


@settings(max_examples=60, deadline=None)
@given(row=CELLS, other=CELLS, family=st.sampled_from(FAMILIES), seed=st.integers(0, 3))
def test_contributions_add_up_exactly(make_model, row, other, family, seed):
    model = make_model(family, offset=True, seed=seed)
    schema = {"age": pl.Float64, "dose": pl.Int64, "sex": pl.String, "thal": pl.String, "exposure": pl.Float64}
    row, other = pl.DataFrame([row], schema=schema), pl.DataFrame([other], schema=schema)
    for reference in ("mean", other):
        found = model.explain(row, reference)
        assert math.fsum(c.contribution for c in found.columns) + found.baseline_link == pytest.approx(
            found.link, abs=1e-9
        )
        offset = next(c.contribution for c in found.columns if c.column == "exposure")
        by_feature = math.fsum(c.contribution for c in found.features) + offset
        assert by_feature == pytest.approx(found.link - found.baseline_link, abs=1e-9)
        assert found.link == pytest.approx(float(model.linear_predictor(row)[0]), abs=1e-9)
        assert found.prediction == pytest.approx(float(model.predict_mean(row)[0]), rel=1e-6)
        sizes = [abs(c.contribution) for c in found.columns]
        assert sizes == sorted(sizes, reverse=True)
    if isinstance(reference, pl.DataFrame):
        assert found.baseline_link == pytest.approx(float(model.linear_predictor(other)[0]), abs=1e-9)


def test_against_itself_nothing_contributes(table, make_model):
    found = make_model().explain(table[8], table[8])
    assert found.link == found.baseline_link
    assert found.reasons == ()
    assert all(c.contribution == 0.0 for c in found.columns)


def test_the_average_of_all_explanations_is_zero(table, make_model):
    """The reference is the average row, so over the training rows each column's contributions cancel."""
    model = make_model("gaussian")
    sums = {}
    for k in range(table.height):
        for c in model.explain(table[k]).columns:
            sums[c.column] = sums.get(c.column, 0.0) + c.contribution
    assert sums == pytest.approx(dict.fromkeys(sums, 0.0), abs=1e-8)


def test_reason_codes_are_sentences(table, make_model):
    model = make_model()
    one_effect = dataclasses.replace(
        model, coef=np.where(np.array(model.feature_names) == "dose", 0.5, 0.0), reference=np.full(model.coef.size, 2.0)
    )
    row = table[0].with_columns(dose=pl.lit(4))
    assert one_effect.explain(row).reasons == (
        "dose = 4 raises the log-odds of Yes by 1 (odds x 2.72) against the average row",
    )
    row = row.with_columns(dose=pl.lit(None, dtype=pl.Int64))
    (sentence,) = one_effect.explain(row).reasons
    assert sentence.startswith("dose is missing, which raises the log-odds of Yes by ")
    gaussian = dataclasses.replace(one_effect, family="gaussian", classes=(), target="cost")
    row = row.with_columns(dose=pl.lit(0))
    assert gaussian.explain(row).reasons == ("dose = 0 lowers the predicted cost by 1 against the average row",)
    poisson = dataclasses.replace(gaussian, family="poisson", target="visits")
    assert poisson.explain(row, table[0].with_columns(dose=pl.lit(2))).reasons == (
        "dose = 0 lowers the log of the expected visits by 1 (expected visits x 0.368) against the reference row",
    )


def test_new_levels_and_gaps_are_said(table, make_model):
    row = {"age": None, "dose": 3, "sex": "unknown", "thal": "melted"}
    found = make_model().explain(row)
    notes = " | ".join(found.notes)
    assert "sex has the level 'unknown', which never occurred in training" in notes
    assert "thal has the level 'melted'" in notes
    assert "age is missing: " in notes
    assert "as in training, stands for it, and being missing counts by itself" in notes
    assert {c.column: c.value for c in found.columns}["age"] == "missing"
    assert any("thal = melted (never seen in training)" in r for r in found.reasons)
    assert make_model().explain(table[1]).notes == ()


def test_models_and_explanations_print_themselves_short(table, make_model):
    model = make_model()
    assert (
        repr(model)
        == f"<lasso model of 'sick' (binomial), {np.count_nonzero(model.coef)} of {model.coef.size} features>"
    )
    found = model.explain(table[5])
    text = str(found).splitlines()
    assert (
        text[0]
        == f"the probability of Yes is {number(found.prediction)}; for the average row it is {number(found.baseline)}"
    )
    assert text[1] == f"- {found.reasons[0]}"


def test_rows_come_in_many_forms(table, make_model):
    model = make_model()
    expected = model.explain(table[5])
    assert model.explain(table.row(5, named=True)) == expected
    pandas = table.to_pandas()
    assert model.explain(pandas.iloc[[5]]).link == pytest.approx(expected.link)
    assert model.explain(pandas.loc[5]).link == pytest.approx(expected.link)
    assert isinstance(pandas.loc[5], pd.Series)
    with pytest.raises(InputError, match="200 rows; expected one"):
        model.explain(table)
    with pytest.raises(InputError, match="reference to explain is a table of 2 rows"):
        model.explain(table[5], table[:2])


@pytest.mark.parametrize(
    ("x", "text"), [(0.8412, "0.841"), (12345.0, "12,300"), (0.0, "0"), (1.0, "1"), (1e-7, "1e-07"), (math.inf, "inf")]
)
def test_numbers_as_people_write_them(x, text):
    assert number(x) == text


# Files ------------------------------------------------------------------------------------------------------


def edited(path, edit):
    """The model file with its manifest changed, all checksums right."""
    manifest, arrays = read_container(path)
    edit(manifest, arrays)
    write_container(path, manifest, arrays)
    return path


CONTRADICTIONS = {
    "another format": lambda m, a: m.update(format="cookbook"),
    "no format": lambda m, a: m.pop("format"),
    "no version": lambda m, a: m.pop("version"),
    "version 0": lambda m, a: m.update(version=0),
    "version as text": lambda m, a: m.update(version="1"),
    "version true": lambda m, a: m.update(version=True),
    "unknown kind": lambda m, a: m.update(kind="oracle"),
    "kind is a list": lambda m, a: m.update(kind=["linear"]),
    "no model": lambda m, a: m.pop("model"),
    "model is text": lambda m, a: m.update(model="lasso"),
    "intercept is text": lambda m, a: m["model"].update(intercept="1"),
    "intercept missing": lambda m, a: m["model"].pop("intercept"),
    "intercept null": lambda m, a: m["model"].update(intercept=None),
    "unknown family": lambda m, a: m["model"].update(family="__import__"),
    "three classes": lambda m, a: m["model"].update(classes=["a", "b", "c"]),
    "classes are numbers": lambda m, a: m["model"].update(classes=[1, 2]),
    "no encoder": lambda m, a: m.pop("encoder"),
    "encoder is empty": lambda m, a: m.update(encoder={}),
    "encoder of other columns": lambda m, a: m["encoder"]["codes"].pop(),
    "encoder without means": lambda m, a: m["encoder"].update(mean=[]),
    "meta is a list": lambda m, a: m.update(meta=[]),
    "coef too long": lambda m, a: a.update(coef=np.zeros(99)),
    "coef missing": lambda m, a: a.pop("coef"),
    "one more array": lambda m, a: a.update(extra=np.zeros(1)),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_files_that_contradict_themselves_are_refused(make_model, tmp_path, name):
    make_model().save(tmp_path / "m.bridle")
    with pytest.raises(FileFormatError):
        load(edited(tmp_path / "m.bridle", CONTRADICTIONS[name]))


def test_a_newer_version_is_refused_with_the_way_out(make_model, tmp_path):
    make_model().save(tmp_path / "m.bridle")
    path = edited(tmp_path / "m.bridle", lambda m, a: m.update(version=2, bridle="9.0"))
    with pytest.raises(FileFormatError, match=r"version 2, written by bridle 9\.0.*pip install --upgrade bridle"):
        load(path)


def test_unknown_facts_in_meta_do_no_harm(make_model, table, tmp_path):
    model = make_model()
    model.save(tmp_path / "m.bridle")
    path = edited(tmp_path / "m.bridle", lambda m, a: m["meta"].update(mood="good"))
    np.testing.assert_array_equal(load(path).predict_mean(table), model.predict_mean(table))


def test_saving_keeps_the_old_file_when_it_fails(make_model, tmp_path, monkeypatch):
    path = tmp_path / "m.bridle"
    make_model().save(path)
    before = path.read_bytes()
    monkeypatch.setattr(zipfile.ZipFile, "writestr", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        make_model(seed=5).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.bridle"]


def test_version_1_stays_readable():
    """A file of version 1 as released; it must be read, and predict the same, for ever. Never write it anew."""
    model = load(STORED)
    expected = json.loads(STORED.with_suffix(".json").read_text(encoding="utf-8"))
    np.testing.assert_allclose(model.predict_mean(expected["table"]), expected["mean"], rtol=1e-12)
    assert model.predict(expected["table"]).tolist() == expected["labels"]
    assert model.meta == Meta(**expected["meta"])
    assert model.explain({k: v[0] for k, v in expected["table"].items()}).reasons[0] == expected["reason"]
