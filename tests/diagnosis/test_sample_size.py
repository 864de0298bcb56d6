"""Riley et al.'s criteria against figures published with the pmsampsize package."""

import pytest

from bridle.diagnosis.sample_size import _shrunk, sample_size
from bridle.errors import InputError


def test_binary_example_of_riley_et_al():
    """24 parameters, Cox-Snell R2 0.288, prevalence 0.174: 623, 662 and 221 rows."""
    import math

    risk, r2 = 0.174, 0.288
    null = -2 * (risk * math.log(risk) + (1 - risk) * math.log(1 - risk))
    explained = -math.log(1 - r2) / null
    found = sample_size("binomial", 1000, 174, 24, explained)
    assert [round(v) for v in found.criteria.values()] == pytest.approx([623, 662, 221], abs=1)
    assert found.riley_required == pytest.approx(662, abs=1)
    assert found.per_candidate == pytest.approx(174 / 24)


def test_continuous_example_of_riley_et_al():
    """25 parameters, adjusted R2 0.2: 918, 401 and 259 rows."""
    found = sample_size("gaussian", 500, 500, 25, 0.2)
    assert [round(v) for v in found.criteria.values()] == pytest.approx([918, 401, 259], abs=1)
    assert "too few" in found.sentence


def test_shrinkage_formula_by_hand():
    import math

    assert _shrunk(10, 0.2, 0.9) == pytest.approx(10 / (-0.1 * math.log(1 - 0.2 / 0.9)))


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_more_candidates_and_less_signal_ask_for_more_rows(family):
    few, many = (sample_size(family, 500, 150, k, 0.3).riley_required for k in (5, 50))
    assert many > few
    assert sample_size(family, 500, 150, 50, 0.1).riley_required > many


def test_families_without_published_criteria_say_so():
    found = sample_size("gamma", 50, 50, 4)
    assert (found.riley_required, found.criteria, found.per_candidate) == (0, {}, 12.5)
    assert "no criteria are published for the gamma family" in found.sentence


def test_no_candidates_is_an_answer():
    assert sample_size("gaussian", 50, 50, 0).riley_required > 0


@pytest.mark.parametrize("arguments", [("cauchy", 1, 1, 1), ("gaussian", 0, 1, 1), ("binomial", 5, -1, 1)])
def test_bad_input_is_refused(arguments):
    with pytest.raises(InputError):
        sample_size(*arguments)
