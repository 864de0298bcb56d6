"""Sentences are true at the ends of their scales too."""

import pytest

from bridle.diagnosis.verdict import Interval
from bridle.diagnosis.words import gain
from bridle.job import words
from bridle.losses import BINOMIAL, GAUSSIAN


@pytest.mark.parametrize(
    ("family", "value", "scale", "said"),
    [
        (BINOMIAL, 51.0883, 0.003, "odds × 1.17 per standard deviation"),  # exp(51) per unit would be told otherwise
        (BINOMIAL, 0.5, 2.0, "odds × 1.65 per unit"),
        (BINOMIAL, 0.5, 0.0, "odds × 1.65 per unit"),
        (GAUSSIAN, -4000.0, 0.01, "−40 per standard deviation"),
        (GAUSSIAN, 3.0, 0.1, "+3 per unit"),
    ],
)
def test_an_effect_is_told_for_a_step_that_rows_make(family, value, scale, said):
    assert words.effect(family, value, scale, "x", False) == said
    assert said.endswith(words.unit(scale, False))


def test_an_indicator_is_yes_against_no_however_rare():
    assert words.effect(GAUSSIAN, 2.0, 0.01, "sex = male", True) == "+2 if sex = male"
    assert words.unit(0.01, True) == "yes against no"


@pytest.mark.parametrize(
    ("rho", "said"),
    [
        ((0.25, 0.1, 0.4), "20 % lower error on new rows (95 % CI 9.1 to 29 %)"),
        ((1e6, 1e5, float("inf")), "more than 99 % lower error on new rows (95 % CI more than 99 %)"),
        ((1e6, 1.0, float("inf")), "more than 99 % lower error on new rows (95 % CI 50 to more than 99 %)"),
    ],
)
def test_no_error_is_a_hundred_per_cent_lower(rho, said):
    assert gain(Interval(*rho, 0.95)) == said
