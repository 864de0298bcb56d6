"""Targets of more than two classes, of ordered levels, and of several numbers."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from bridle.data import make_dataset
from bridle.data.target import understand_target
from bridle.errors import InputError

N = 60


def target(values, name="y", dtype=None, **options):
    return understand_target(pl.Series(name, values, strict=False, dtype=dtype), **options)


def table(**columns):
    x = np.random.default_rng(0).normal(size=N)
    return pl.DataFrame({"x": x, "z": x**2} | columns)


def test_three_labels_are_classes():
    found = target(["b", "a", None, "c"] * 20)
    assert (found.family, found.classes) == ("multinomial", ("a", "b", "c"))
    assert np.array_equal(found.y[:4], [[0, 1, 0], [1, 0, 0], [np.nan] * 3, [0, 0, 1]], equal_nan=True)
    assert "3 classes" in found.sentence and not found.warnings


def test_numbers_become_classes_only_when_told():
    numbers = [10, 9, 1] * 20
    assert target(numbers).family == "gaussian" and "multinomial" in target(numbers).sentence
    assert target(numbers, family="multinomial").classes == ("1", "9", "10")
    ordered = target(numbers, family="ordinal")
    assert (ordered.family, ordered.classes) == ("ordinal", ("1", "9", "10"))
    assert ordered.y[0].tolist() == [0, 0, 1]


def test_what_orders_levels():
    levels = ["low", "mid", "high"]
    values = ["mid", "low", "high"] * 20
    by_list = target(values, levels=levels)
    by_type = target(values, dtype=pl.Enum([*levels, "top"]))
    assert by_list.family == by_type.family == "ordinal"
    assert by_list.classes == by_type.classes == ("low", "mid", "high")
    assert "No row has 'top'" in by_type.sentence
    assert target(values, levels=levels, family="multinomial").classes == ("high", "low", "mid")
    with pytest.raises(InputError, match=r"labels without one.*--ordered y=low,mid,high"):
        target(values, family="ordinal")
    with pytest.raises(InputError, match="not among the levels"):
        target(values, levels=["low", "mid"])


def test_levels_of_the_target_come_from_tables():
    frame = table(y=pl.Series(["mid", "low", "high"] * 20))
    by_list = make_dataset(frame, "y", ordered={"y": ["low", "mid", "high"]})
    pandas = frame.to_pandas()
    pandas["y"] = pd.Categorical(pandas["y"], ["low", "mid", "high"], ordered=True)
    by_type = make_dataset(pandas, "y")
    assert by_list.family == by_type.family == "ordinal"
    assert by_list.classes == by_type.classes
    np.testing.assert_array_equal(by_list.y, by_type.y)
    with pytest.raises(InputError, match="is the weights, not a feature"):
        make_dataset(table(y=frame["y"], w=np.ones(N)), "y", weights="w", ordered={"w": ["1", "2"]})


def test_rows_without_a_label_go():
    frame = table(y=pl.Series(["a", "b", "c", None] * 15))
    data = make_dataset(frame, "y")
    assert data.n_rows == 45 and data.y.shape == (45, 3) and "15" in " ".join(data.notes)
    assert data.take(np.arange(5)).y.shape == (5, 3)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (["a", "b"] * 20 + ["c", "c"], {}, r"'c' \(2 rows\); each needs at least 3"),
        ([f"t{i}" for i in range(90)], {}, "90 different labels.*right column"),
        ([f"t{i % 60}" for i in range(600)], {"family": "multinomial"}, "60 classes, more than the 50"),
        ([0.5, 1.5, 2.5] * 20, {"family": "multinomial"}, "has fractions, e.g. 0.5"),
        (["a", "b", "c"] * 20, {"positive": "a"}, "asks for two classes"),
        (["a", "b", "c"] * 20, {"family": "multigaussian"}, "predicts several numbers"),
        (["a"] * 20, {"family": "multinomial"}, "always 'a'"),
    ],
)
def test_classes_that_cannot_be_used(values, options, message):
    with pytest.raises(InputError, match=message):
        target(values, **options)


def test_rare_classes_are_told_of():
    found = target(["a", "b"] * 30 + ["c"] * 4)
    assert "few rows: 'c' (4)" in found.warnings[0]


@pytest.mark.parametrize("given", [["a", "b"], "a,b", "b , a"])
def test_several_columns_are_responses(given):
    rng = np.random.default_rng(1)
    frame = table(a=rng.normal(size=N), b=rng.normal(size=N)).with_columns(
        pl.when(pl.int_range(N) == 4).then(None).otherwise(pl.col("a")).alias("a")
    )
    data = make_dataset(frame, given)
    names = [part.strip() for part in given.split(",")] if isinstance(given, str) else given
    assert (data.family, data.responses, data.target_name) == ("multigaussian", tuple(names), ", ".join(names))
    assert data.y.shape == (N - 1, 2) and [c.name for c in data.features] == ["x", "z"]
    assert {c.kind for c in data.columns if c.name in "ab"} == {"target"}
    np.testing.assert_array_equal(data.y[:, names.index("b")], np.delete(frame["b"].to_numpy(), 4))


def test_an_array_of_several_columns_is_a_target():
    rng = np.random.default_rng(2)
    data = make_dataset(rng.normal(size=(N, 3)), rng.normal(size=(N, 2)))
    assert data.responses == ("y0", "y1") and data.y.shape == (N, 2)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (["a", "t"], {}, "'t' holds String"),
        (["a", "c"], {}, "'c' is always 1"),
        (["a", "nope"], {}, "no column 'nope'"),
        (["a", "b"], {"family": "poisson"}, "for one target column"),
        (["a", "b"], {"exclude": ["b"]}, "is excluded"),
        (["a", "b"], {"weights": "b"}, "named both as"),
    ],
)
def test_responses_that_cannot_be_used(given, options, message):
    rng = np.random.default_rng(1)
    frame = table(a=rng.normal(size=N), b=rng.uniform(size=N), c=np.ones(N), t=pl.Series(["u", "v"] * (N // 2)))
    with pytest.raises(InputError, match=message):
        make_dataset(frame, given, **options)


def test_leaks_of_classes_and_responses():
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 3, 200)
    noise = {f"x{j}": rng.normal(size=200) for j in range(4)}
    frame = pl.DataFrame(noise | {"code": codes + 0.001 * rng.normal(size=200), "y": np.array(["a", "b", "c"])[codes]})
    assert "'code'" in make_dataset(frame, "y").warnings[0]
    honest = pl.DataFrame(noise | {"one": (codes == 1) + 0.01 * rng.normal(size=200), "y": frame["y"]})
    assert make_dataset(honest, "y").warnings == ()  # tells one class from the others, and no more
    a, b = rng.normal(size=(2, 200))
    numbers = pl.DataFrame(noise | {"twice": 2 * b, "a": a, "b": b})
    (found,) = make_dataset(numbers, ["a", "b"]).warnings
    assert "'twice'" in found and "the target 'b'" in found
