"""Times to an event read from tables: which label is the event, what is refused, and what is never a feature."""

import numpy as np
import polars as pl
import pytest

from bridle.data import make_dataset
from bridle.errors import InputError
from bridle.survival.target import EVENT, START, STRATUM, TIME


def table(n=40, **more):
    rng = np.random.default_rng(0)
    columns = {
        "months": rng.exponential(10, n).round(2) + 0.01,
        "died": (rng.random(n) < 0.6).astype(int),
        "age": rng.normal(60, 10, n).round(1),
        "dose": rng.normal(size=n).round(2),
        "centre": rng.choice(["b", "a", "10", "9"], n),
    }
    return pl.DataFrame({**columns, **more})


def recode(frame, values, name="died"):
    return frame.with_columns(pl.col("died").replace_strict({0: values[0], 1: values[1]}).alias(name))


@pytest.mark.parametrize(
    ("values", "positive", "label"),
    [
        ((0, 1), None, "1"),
        ((False, True), None, "true"),
        ((0.0, 1.0), None, "1"),
        (("0", "1"), None, "1"),
        (("alive", "dead"), None, "dead"),
        (("Censored", "Relapse"), None, "Relapse"),
        (("no", "yes"), None, "yes"),
        ((1, 2), "2", "2"),
        ((1, 2), 2, "2"),
        (("relapse", "death"), "death", "death"),
    ],
)
def test_which_label_is_the_event(values, positive, label):
    frame = recode(table(), values)
    found = make_dataset(frame, "months", event="died", positive=positive)
    np.testing.assert_array_equal(found.y[:, EVENT], table()["died"].to_numpy())
    assert found.survival.label == label
    assert found.family.startswith("cox")


def test_with_a_label_given_all_others_are_censored():
    frame = table().with_columns(cause=pl.Series(np.arange(40) % 3))
    found = make_dataset(frame.drop("died"), "months", event="cause", positive=2)
    np.testing.assert_array_equal(found.y[:, EVENT], np.arange(40) % 3 == 2)
    assert "hazards are of this cause only" in found.notes[0]


def test_the_columns_of_the_target_are_no_features():
    frame = table().with_columns(entry=pl.col("months") / 2)
    found = make_dataset(frame, "months", event="died", start="entry", strata="centre")
    assert [c.name for c in found.features] == ["age", "dose"]
    assert {c.name: c.kind for c in found.columns if not c.used} == {
        "months": "target", "died": "event", "entry": "start", "centre": "strata",
    }  # fmt: skip
    np.testing.assert_allclose(found.y[:, TIME], frame["months"].to_numpy())
    np.testing.assert_allclose(found.y[:, START], frame["entry"].to_numpy())
    assert found.survival.levels == ("9", "10", "a", "b")  # numbers as numbers, before words
    assert [found.survival.levels[int(k)] for k in found.y[:, STRATUM]] == frame["centre"].to_list()


def test_values_serve_as_well_as_names():
    frame = table()
    X = frame.select("age", "dose").to_numpy()
    found = make_dataset(X, frame["months"].to_numpy(), event=frame["died"].to_numpy() == 1)
    np.testing.assert_array_equal(found.y[:, EVENT], frame["died"].to_numpy())
    assert np.isneginf(found.y[:, START]).all()


def test_rows_without_a_time_or_an_event_are_dropped():
    frame = table().with_columns(
        months=pl.Series([None, *table()["months"][1:]]), died=pl.Series([1, None, *table()["died"][2:]])
    )
    found = make_dataset(frame, "months", event="died")
    np.testing.assert_array_equal(found.rows, np.arange(2, 40))
    assert any("2 of 40 rows were dropped because the target 'months or died' is missing" in n for n in found.notes)


def test_a_stratum_without_events_is_said():
    frame = table().with_columns(died=pl.when(pl.col("centre") == "a").then(0).otherwise(pl.col("died")))
    found = make_dataset(frame, "months", event="died", strata="centre")
    assert any("No event in stratum 'a'" in w for w in found.warnings)


def test_few_events_are_said():
    found = make_dataset(table().with_columns(died=pl.Series([1] * 5 + [0] * 35)), "months", event="died")
    assert any("Only 5 rows have an event" in w for w in found.warnings)


def test_what_is_known_only_after_the_event_is_a_suspect():
    frame = table(120).with_columns(cause=pl.when(pl.col("died") == 1).then(pl.lit("x")).otherwise(None))
    later = frame.with_columns(visit=pl.col("months") * 2 + 1)
    warnings = " ".join(make_dataset(later, "months", event="died").warnings)
    assert "'visit'" in warnings
    told = frame.with_columns(was=pl.col("died").cast(pl.Float64) + 3).drop("cause")
    assert any("'was'" in w for w in make_dataset(told, "months", event="died").warnings)


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"months": pl.lit(-1.0)}, {}, "'months' is -1 in row 1; a time to an event is at least 0"),
        ({"months": pl.lit(float("inf"))}, {}, "infinite in row 1"),
        ({"months": pl.lit("2020-01-01")}, {}, "holds dates"),
        ({"months": pl.lit("long")}, {}, "such as 'long'"),
        ({"months": pl.lit(None, dtype=pl.Float64)}, {}, "no row has both"),
        ({"died": pl.lit(0)}, {}, "no row has an event"),
        ({"died": pl.lit(None, dtype=pl.Int64)}, {}, "every cell of the event 'died' is missing"),
        ({"died": pl.lit(2)}, {}, "is '2' in every row"),
        ({"died": pl.col("died") + 1}, {}, "--positive 2"),
        ({"died": pl.col("age")}, {}, "check that it is the right column"),
        ({"died": pl.int_range(40) % 3}, {}, "name the one that is the event"),
        ({}, {"positive": "x"}, "positive='x' isn't in the event"),
        ({"entry": pl.col("months")}, {"start": "entry"}, "start must be less"),
        ({"entry": pl.lit(None, dtype=pl.Float64)}, {"start": "entry"}, "start 'entry' is missing in row 1"),
        ({"centre": pl.lit(None, dtype=pl.String)}, {"strata": "centre"}, "strata 'centre' is missing in row 1"),
        ({}, {"family": "poisson"}, "leave one of them out"),
        ({}, {"event": None, "family": "cox"}, "name the column that says so with --event"),
        ({}, {"event": None, "strata": "centre"}, "strata is for times to an event"),
        ({}, {"event": "months"}, "named both"),
        ({}, {"event": "deid"}, "did you mean 'died'"),
        ({}, {"exclude": ("died",)}, "is excluded, but it is also the target or has another role"),
    ],
)
def test_what_cannot_be_is_refused_with_the_row_and_the_way_out(change, options, said):
    frame = table().with_columns(**change)
    with pytest.raises(InputError, match=said.replace("(", r"\(").replace("?", r"\?")):
        make_dataset(frame, "months", **{"event": "died", **options})


def test_time_zero_is_allowed_and_said():
    frame = table().with_columns(
        months=pl.Series([0.0, *table()["months"][1:]]), died=pl.Series([0, *table()["died"][1:]])
    )
    found = make_dataset(frame, "months", event="died")
    assert found.n_rows == 40
    assert "1 row is censored at time 0, which tells nothing" in found.notes[0]


def test_starts_without_groups_are_said_to_need_them():
    frame = table().with_columns(entry=pl.col("months") / 2, who=pl.Series(np.arange(40) // 2))
    assert "--groups" in make_dataset(frame, "months", event="died", start="entry").notes[0]
    assert "--groups" not in make_dataset(frame, "months", event="died", start="entry", groups="who").notes[0]
