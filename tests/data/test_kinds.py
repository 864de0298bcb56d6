"""What columns are taken for, and that the rules don't fire on what they must not."""

import datetime

import numpy as np
import polars as pl
import pytest

from bridle.data.kinds import describe_columns, parse_dates, settle_types

N = 40
RNG = np.random.default_rng(1)
WORDS = ["the", "patient", "felt", "a", "sharp", "pain", "again", "today", "after", "lunch"]
TEXT = [" ".join(RNG.choice(WORDS, 8)) + f" {i}" for i in range(N)]

COLUMNS = {
    # name: (cells, kind)
    "age": (RNG.integers(20, 60, N), "numeric"),
    "weight": (RNG.standard_normal(N), "numeric"),
    "grade": (RNG.integers(1, 6, N), "numeric"),
    "flag01": (RNG.integers(0, 2, N), "numeric"),
    "unique whole, no sequence": (RNG.permutation(1000)[:N], "numeric"),
    "year": (np.arange(1980, 1980 + N), "numeric"),
    "width": (np.arange(N) / 3, "numeric"),
    "patient_id": (RNG.permutation(1000)[:N], "identifier"),
    "Unnamed: 0": (RNG.permutation(1000)[:N], "identifier"),
    "sequence": (np.arange(N), "identifier"),
    "shuffled rows": (RNG.permutation(N) + 1, "identifier"),
    "down": (np.arange(N)[::-1] + 70, "identifier"),
    "subject_id": (np.r_[np.arange(N - 10) + 1000, np.arange(10) + 1000], "identifier"),
    "uid": ([f"P{i:03}x" for i in range(N)], "identifier"),
    "truth": (RNG.integers(0, 2, N).astype(bool), "boolean"),
    "answer": (RNG.choice(["Yes", "No"], N), "boolean"),
    "t": (RNG.choice(["t", "f"], N), "boolean"),
    "sex": (RNG.choice(["male", "female"], N), "categorical"),
    "grade in words": (RNG.choice(["low", "mid", "high"], N), "categorical"),
    "post code": (RNG.choice(["01234", "98765", "04567"], N), "categorical"),
    "sign": (RNG.choice(["+", "-"], N), "categorical"),
    "own categories": (pl.Series([f"c{i % 4}" for i in range(N)], dtype=pl.Categorical), "categorical"),
    "same": (np.ones(N), "constant"),
    "same or missing": (["x"] * (N - 3) + [None] * 3, "constant"),
    "nothing": ([None] * N, "empty"),
    "NaN only": (np.full(N, np.nan), "empty"),
    "NA only": (["NA"] * N, "empty"),
    "day": ([datetime.date(2024, 1, 1) + datetime.timedelta(i) for i in range(N)], "date"),
    "iso": ([f"2024-01-{1 + i % 28:02}" for i in range(N)], "date"),
    "iso with time": ([f"2024-01-{1 + i % 28:02} 10:{i:02}:00" for i in range(N)], "date"),
    "german": ([f"{1 + i % 28}.1.2024" for i in range(N)], "date"),
    "american": ([f"1/{1 + i % 28}/2024" for i in range(N)], "date"),
    "saledate": (20240101 + RNG.permutation(28)[np.arange(N) % 28], "date"),
    "note": (TEXT, "text"),
    "typing error": ([f"{i + 0.5}" for i in range(N - 1)] + ["abc"], "text"),
    "thousands": ([f"{i + 1},{(7 * i) % 900 + 100}" for i in range(N)], "text"),
    "list": ([[1, 2]] * N, "text"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_kind(name):
    cells, kind = COLUMNS[name]
    frame, forms = settle_types(pl.DataFrame({name: cells}))
    (column,) = describe_columns(frame, forms)
    assert column.kind == kind, column
    assert column.used == (kind in ("numeric", "boolean", "categorical"))
    assert column.used or column.note.startswith("left out")
    assert column.n_missing == frame[name].null_count()


def test_kinds_do_not_depend_on_the_order_of_columns_or_on_others():
    frame, forms = settle_types(pl.DataFrame({k: v for k, (v, _) in COLUMNS.items()}))
    together = {c.name: c for c in describe_columns(frame, forms)}
    back = {c.name: c for c in describe_columns(frame[:, ::-1], forms)}
    assert together == back
    assert {k: c.kind for k, c in together.items()} == {k: kind for k, (_, kind) in COLUMNS.items()}


def test_keep_makes_a_feature_of_what_looks_like_an_identifier():
    frame = pl.DataFrame({"row": np.arange(N), "uid": [f"P{i}" for i in range(N)], "one": np.ones(N)})
    kinds = [(c.kind, c.used) for c in describe_columns(frame, keep=["row", "uid", "one"])]
    assert kinds == [("numeric", True), ("categorical", True), ("constant", False)]


def test_mixed_numbers_say_which_cell_is_wrong():
    frame, _ = settle_types(pl.DataFrame({"x": [f"{i}.5" for i in range(30)] + ["12..5"]}))
    (column,) = describe_columns(frame)
    assert "30 cells are numbers, but 1 are not" in column.note
    assert "'12..5'" in column.note


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2024-03-01", "2024-03-02"),
        ("2024-03-01 09:00", "2024-03-01 10:00"),
        ("2024-03-01T09:00:00.5", "2024-03-01T09:00:01"),
        ("2024-03-01T09:00:00+02:00", "2024-03-01T08:00:00Z"),
        ("3/13/2024", "4/1/2024"),
        ("13/3/2024", "1/4/2024"),
        ("13.3.2024", "1.4.2024"),
        ("13 Mar 2024", "01-Apr-2024"),
        ("Mar 13, 2024", "Apr 1, 2024"),
        ("20240313T000000", "20240401T000000"),
    ],
)
def test_dates_in_text_are_put_in_order(first, second):
    parsed = parse_dates(pl.Series([first, None, second]))
    assert parsed is not None
    assert parsed[0] < parsed[2]
    assert parsed[1] is None


def test_what_is_no_date():
    for cells in (["2024-13-45", "x"], ["1.5", "2.5"], ["12/2024"], [None, None]):
        assert parse_dates(pl.Series(cells, dtype=pl.String)) is None


def test_rare_levels_are_said_and_all_rare_ones_left_out():
    many = pl.DataFrame(
        {
            "job": [f"j{i}" for i in range(20)] * 4 + ["nurse"] * 60 + ["clerk"] * 60,
            "town": [f"t{i % 60}" for i in range(200)],
        }
    )
    job, town = describe_columns(many)
    assert (job.kind, job.note) == ("categorical", "20 rare levels share one feature")
    assert (town.kind, town.used) == ("text", False)
    assert "60 levels, none of them in 5 rows or more" in town.note
