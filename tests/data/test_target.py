"""Which family a target asks for, and which of two classes is the positive one."""

import datetime

import numpy as np
import polars as pl
import pytest

from bridle.data.target import understand_target
from bridle.errors import InputError

RNG = np.random.default_rng(3)


def target(values, name="y", **options):
    return understand_target(pl.Series(name, values, strict=False), **options)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["no", "yes"], ("no", "yes")),
        (["Yes", "No"], ("No", "Yes")),
        ([True, False], ("false", "true")),
        ([0, 1], ("0", "1")),
        ([1.0, 2.0], ("1", "2")),
        ([-1, 1], ("-1", "1")),
        ([10, 9], ("9", "10")),
        (["malignant", "benign"], ("benign", "malignant")),
        (["case", "control"], ("control", "case")),
        (["disease", "healthy"], ("healthy", "disease")),
        (["positive", "negative"], ("negative", "positive")),
        (["a", "b"], ("a", "b")),
        (["ALL", "AML"], ("ALL", "AML")),
    ],
)
def test_two_classes_of_any_type(labels, classes):
    values = [labels[0]] * 30 + [labels[1]] * 30
    found = target(values)
    assert (found.family, found.classes) == ("binomial", classes)
    back = target(values[::-1])
    assert back.classes == classes
    assert np.array_equal(back.y, found.y[::-1])
    other = target(values, positive=classes[0])
    assert other.classes == classes[::-1]
    assert np.array_equal(other.y, 1.0 - found.y)


def test_missing_labels_are_nan():
    found = target(["yes", "NA", "no", None, " yes "])
    assert np.array_equal(found.y, [1, np.nan, 0, np.nan, 1], equal_nan=True)


def test_two_other_numbers_are_no_classes():
    assert target([0.5, 1.5] * 20).family == "gaussian"
    assert target([0.5, 1.5] * 20, family="binomial").classes == ("0.5", "1.5")
    assert target([0, 1] * 20, family="gaussian").family == "gaussian"


@pytest.mark.parametrize(
    ("values", "family"),
    [
        (RNG.poisson(1.5, 500), "poisson"),
        (RNG.poisson(0.3, 500), "poisson"),
        (RNG.negative_binomial(1, 0.3, 500), "poisson"),
        (RNG.integers(18, 90, 500), "gaussian"),  # ages
        (RNG.integers(1, 6, 500), "gaussian"),  # ratings
        (10 - RNG.poisson(1.5, 500).clip(0, 9), "gaussian"),  # ratings out of ten
        (RNG.integers(0, 11, 500), "gaussian"),
        (RNG.poisson(200, 500), "gaussian"),
        (RNG.lognormal(10, 1, 500).round(), "gaussian"),  # prices
        (RNG.standard_normal(500), "gaussian"),
        (RNG.poisson(1.5, 500) + 0.5, "gaussian"),
        (-RNG.poisson(1.5, 500), "gaussian"),
    ],
)
def test_counts_are_told_from_other_numbers(values, family):
    assert target(values).family == family
    if family == "poisson":
        assert "--family gaussian" in target(values).sentence
        assert target(values, family="gaussian").family == "gaussian"


def test_a_name_that_says_count_helps():
    visits = RNG.poisson(6, 300) + 1
    assert target(visits, "score").family == "gaussian"
    assert target(visits, "n_visits").family == "poisson"


def test_numbers_in_text():
    assert np.array_equal(target(["1,5", "2,25", "NA"]).y, [1.5, 2.25, np.nan], equal_nan=True)
    assert target(["$3", "$4.50", "$5"]).y.tolist() == [3.0, 4.5, 5.0]


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (["a"] * 9, {}, "always 'a'"),
        ([3.5] * 9, {}, "always '3.5'"),
        ([None] * 9, {}, "missing"),
        (["NA"] * 9, {}, "missing"),
        (
            ["a", "b", "c"] * 9,
            {"family": "binomial"},
            r"3 different labels: 'a' \(9 rows\).*use --family multinomial",
        ),
        ([f"t{i}" for i in range(90)], {}, "90 different labels.*right column"),
        (["a", "b"] * 9, {"positive": "c"}, "positive='c' is not a class"),
        ([1.0, 2.0, 3.5] * 9, {"positive": "3.5"}, "asks for two classes"),
        ([1.0, np.inf, 3.5] * 9, {}, "infinite in 9 rows, first in row 2"),
        ([1.0, -2.0, 3.5] * 9, {"family": "poisson"}, "down to -2"),
        ([1.0, 2.0, 3.5] * 9, {"family": "binomial"}, "between 0 and 1"),
        ([1.0, 2.0, 3.5] * 9, {"family": "weibull"}, "unknown family 'weibull'"),
        (["a", "b", "c"] * 9, {"family": "gaussian"}, "needs numbers"),
        ([datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)], {}, "Date"),
        (["2024-01-01", "2024-01-02", "2024-01-03"], {}, "dates"),
        ([[1], [2]], {}, "List"),
    ],
)
def test_targets_that_cannot_be_used(values, options, message):
    with pytest.raises(InputError, match=message):
        target(values, **options)


def test_shares_are_taken_as_binomial_when_told():
    found = target([0.0, 0.25, 1.0] * 5, family="binomial")
    assert found.y.max() == 1.0
    assert found.family == "binomial"
