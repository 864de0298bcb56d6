"""Every check: passes where it should, speaks where it should, and knows when it doesn't apply."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bridle.diagnosis import CheckContext, judge, run_checks
from bridle.diagnosis.checks import RULES, StandIn
from bridle.diagnosis.sample_size import sample_size
from bridle.diagnosis.verdict import Interval, LearningCurve
from bridle.selection import Curve

DOCS = Path(__file__).parents[2] / "docs" / "checks"
CODES = [r.code for r in RULES]


@pytest.fixture
def verdict(make_evidence, noisy_losses):
    return judge(
        make_evidence(noisy_losses((1.0, 0.6, 0.61, 0.62)), (1.0, 0.55, 0.7, 0.5), ("null", "m", "a", "b")), "m"
    )


def check(code, **known):
    return next(c for c in run_checks(CheckContext(**known)) if c.code == code)


def curve_of(n_lambdas=5):
    loss = np.ones((4, n_lambdas))
    few = np.full(4, 10)
    return Curve("lasso", "gaussian", "lambda", np.geomspace(1, 0.01, n_lambdas), loss, loss, np.ones(4), few * 3, few)


def rates_of(rates=(0.8, 0.5, 0.2, 0.0)):
    loss = np.ones((4, len(rates)))
    few = np.full(4, 10)
    return Curve("dropout", "gaussian", "dropout rate", np.array(rates), loss, loss, np.ones(4), few * 3, few)


def curve_falling(by):
    ends = (Interval(1.0, 0.99, 1.01), Interval(1 - by, 0.99 - by, 1.01 - by))
    return LearningCurve((80, 100), ends, ends)


def around(value, half=0.05):
    return Interval(value, value - half, value + half)


def test_codes_are_stable_and_in_order():
    assert CODES == [
        "BR101", "BR102", "BR103", "BR201", "BR202", "BR203", "BR204", "BR301", "BR302", "BR401", "BR402", "BR501",
        "BR601", "BR602",
    ]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=CODES)
def test_every_check_has_a_page_with_its_threshold(rule):
    text = (DOCS / f"{rule.code}.md").read_text()
    assert rule.title in text
    assert f"{rule.threshold:g}" in text
    assert rule.reason in text


def test_what_is_not_known_does_not_apply(verdict):
    found = {c.code: c.status for c in run_checks(CheckContext(verdict=verdict))}
    assert list(found) == CODES
    silent = {code for code, status in found.items() if status == "not applicable"}
    assert silent == set(CODES) - {"BR101", "BR602"}


CASES = [
    ("BR101", lambda v: {"verdict": replace(v, optimism=around(0.05, 0.01))}, "pass"),
    ("BR101", lambda v: {"verdict": replace(v, optimism=around(0.5, 0.1))}, "warn"),
    ("BR102", lambda v: {"verdict": replace(v, calibration_slope=around(1.02))}, "pass"),
    ("BR102", lambda v: {"verdict": replace(v, calibration_slope=around(0.5))}, "warn"),
    ("BR102", lambda v: {"verdict": replace(v, calibration_slope=around(0.5, 2.0))}, "pass"),
    ("BR201", lambda v: {"verdict": v, "curve": curve_of(), "chosen": 2}, "pass"),
    ("BR201", lambda v: {"verdict": v, "curve": curve_of(), "chosen": 4}, "warn"),
    ("BR201", lambda v: {"verdict": v, "curve": curve_of(), "chosen": 0}, "warn"),
    ("BR201", lambda v: {"verdict": v, "curve": rates_of(), "chosen": 0}, "warn"),
    ("BR201", lambda v: {"verdict": v, "curve": rates_of(), "chosen": 1}, "pass"),
    ("BR201", lambda v: {"verdict": v, "curve": rates_of(), "chosen": 3}, "pass"),  # nothing is below a rate of 0
    ("BR201", lambda v: {"verdict": v, "curve": rates_of((0.8, 0.5, 0.2)), "chosen": 2}, "warn"),
    ("BR202", lambda v: {"verdict": v, "lambdas": tuple(np.linspace(1, 2, 20))}, "pass"),
    ("BR202", lambda v: {"verdict": v, "lambdas": tuple(np.geomspace(1e-4, 1, 20))}, "warn"),
    ("BR203", lambda v: {"verdict": v, "prediction_stability": 0.1}, "pass"),
    ("BR203", lambda v: {"verdict": v, "prediction_stability": 0.4}, "warn"),
    ("BR204", lambda v: {"verdict": v, "selection_frequency": {"a": 0.9, "b": 1.0}}, "pass"),
    ("BR204", lambda v: {"verdict": v, "selection_frequency": {"a": 0.9, "b": 0.2, "c": 0.4}}, "warn"),
    ("BR301", lambda v: {"verdict": v, "sample_size": sample_size("binomial", 500, 200, 10)}, "pass"),
    ("BR301", lambda v: {"verdict": v, "sample_size": sample_size("binomial", 500, 50, 10)}, "warn"),
    ("BR302", lambda v: {"verdict": v, "sample_size": sample_size("gaussian", 5000, 5000, 10, 0.5)}, "pass"),
    ("BR302", lambda v: {"verdict": v, "sample_size": sample_size("gaussian", 50, 50, 10, 0.2)}, "warn"),
    ("BR501", lambda v: {"verdict": replace(v, learning_curve=curve_falling(0.005))}, "pass"),
    ("BR501", lambda v: {"verdict": replace(v, learning_curve=curve_falling(0.1))}, "warn"),
    ("BR601", lambda v: {"verdict": v, "stand_ins": (StandIn("a", "b", 0.6, 0.0),)}, "pass"),
    ("BR601", lambda v: {"verdict": v, "stand_ins": (StandIn("a", "b", -0.95, 0.01),)}, "warn"),
    ("BR601", lambda v: {"verdict": v, "stand_ins": (StandIn("a", "b", 0.95, 0.3),)}, "pass"),
    ("BR602", lambda v: {"verdict": replace(v, explained=around(0.6))}, "pass"),
    ("BR602", lambda v: {"verdict": replace(v, explained=around(0.999, 1e-4))}, "warn"),
]


@pytest.mark.parametrize(("code", "known", "status"), CASES, ids=[f"{c}-{s}-{i}" for i, (c, _, s) in enumerate(CASES)])
def test_status(verdict, code, known, status):
    found = check(code, **known(verdict))
    assert found.status == status
    assert np.isfinite(found.value)
    assert found.message
    assert bool(found.advice) == (status != "pass")


def evidence_with(make_evidence, noisy_losses, y, mean, family):
    evidence = make_evidence(noisy_losses((1.0, 0.6)), (1.0, 0.5), ("null", "m"), n=len(y))
    return replace(evidence, y=y, family=family, predictions={"m": np.asarray(mean)[None]})


@pytest.mark.parametrize(("shift", "status"), [(0.0, "pass"), (0.5, "warn")])
def test_calibration_in_the_large(verdict, make_evidence, noisy_losses, shift, status):
    y = np.random.default_rng(0).standard_normal(200)
    evidence = evidence_with(make_evidence, noisy_losses, y, np.full(200, y.mean() + shift), "gaussian")
    assert check("BR103", verdict=verdict, evidence=evidence).status == status


@pytest.mark.parametrize(("share", "status"), [(0.4, "pass"), (0.03, "warn")])
def test_rare_class(verdict, make_evidence, noisy_losses, share, status):
    y = (np.arange(1000) < 1000 * share).astype(float)
    evidence = evidence_with(make_evidence, noisy_losses, y, np.full(1000, share), "binomial")
    found = check("BR401", verdict=verdict, evidence=evidence)
    assert found.status == status
    assert found.value == pytest.approx(100 * share)


@pytest.mark.parametrize(("outlier", "status"), [(1.0, "pass"), (60.0, "warn")])
def test_a_few_rows_dominate(verdict, make_evidence, noisy_losses, outlier, status):
    y = np.random.default_rng(1).standard_normal(300)
    y[7] *= outlier
    found = check(
        "BR402", verdict=verdict, evidence=evidence_with(make_evidence, noisy_losses, y, np.zeros(300), "gaussian")
    )
    assert found.status == status


def test_no_signal_silences_what_needs_signal(verdict):
    quiet = replace(verdict, label="no signal", explained=around(0.999), calibration_slope=around(0.1))
    assert check("BR102", verdict=quiet).status == "not applicable"
    assert check("BR602", verdict=quiet).status == "not applicable"


@pytest.mark.parametrize(
    ("chosen", "words"), [(0, "more dropout may do"), (1, "The chosen dropout rate lies"), (3, "A dropout rate of 0")]
)
def test_the_end_of_a_grid_of_rates_is_told_in_its_own_words(verdict, chosen, words):
    found = check("BR201", verdict=verdict, curve=rates_of(), chosen=chosen)
    assert words in found.message
    assert "penalt" not in found.message + found.advice
    linear = check("BR201", verdict=verdict, curve=curve_of(4), chosen=chosen)
    assert "dropout" not in linear.message + linear.advice


@pytest.mark.parametrize("code", ["BR202", "BR203", "BR204"])
def test_what_needs_resampling_says_that_networks_are_not_resampled(verdict, code):
    found = check(code, verdict=verdict, curve=rates_of(), chosen=1)
    assert found.status == "not applicable"
    assert "resampled rows" in found.message
    assert not found.advice
    assert check(code, verdict=verdict, curve=curve_of(), chosen=1).message.startswith("Needs ")


def test_a_network_has_more_parameters_than_candidate_features(verdict):
    size = sample_size("binomial", 500, 200, 10)
    assert "per candidate feature" in check("BR301", verdict=verdict, curve=rates_of(), sample_size=size).message
    assert "per candidate parameter" in check("BR301", verdict=verdict, curve=curve_of(), sample_size=size).message
