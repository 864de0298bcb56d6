"""Scores of survival predictions against scikit-survival's figures, and against their definitions."""

import json
from pathlib import Path

import numpy as np
import pytest

from bridle.survival import survival_target
from bridle.survival.scores import (
    brier_rows,
    concordance_error,
    inverse_censoring,
    kaplan_meier,
    survival_at,
    uno_concordance,
)

FIGURES = json.loads((Path(__file__).parents[1] / "oracle_data" / "survival" / "scores.json").read_text())


@pytest.fixture(scope="module")
def y():
    return survival_target(FIGURES["time"], FIGURES["event"])


def test_concordance_is_scikit_survivals(y):
    risk, w = np.array(FIGURES["risk"]), np.ones(len(y))
    assert concordance_error(y, risk, w)[0] == pytest.approx(FIGURES["harrell"], rel=1e-12)
    assert uno_concordance(y, risk, FIGURES["until"], w) == pytest.approx(FIGURES["uno"], rel=1e-12)


def test_brier_score_is_scikit_survivals(y):
    survival, times, w = np.array(FIGURES["survival"]), np.array(FIGURES["times"]), np.ones(len(y))
    assert brier_rows(y, survival, times, w).mean() == pytest.approx(FIGURES["integrated"], rel=1e-12)
    alone = [brier_rows(y, survival[:, [k]], times[[k]], w).mean() for k in range(len(times))]
    np.testing.assert_allclose(alone, FIGURES["brier"], rtol=1e-12)


def test_kaplan_meier_is_scikit_survivals(y):
    found = kaplan_meier(y)
    np.testing.assert_allclose(np.array([found.survival, found.lower, found.upper]), FIGURES["kaplan_meier"], rtol=1e-6)
    k = found.time.size // 2
    assert survival_at(found, float(found.time[k])) == (found.survival[k], found.lower[k], found.upper[k])
    assert survival_at(found, 0.0) == (1.0, 1.0, 1.0)


def test_kaplan_meier_takes_weights_as_repeated_rows_and_late_entry_as_the_risk_set():
    y = survival_target([2.0, 3.0, 3.0, 5.0, 6.0], [1, 1, 0, 1, 0], start=[0.0, 0.0, 1.0, 2.5, 0.0])
    w = np.array([1.0, 2.0, 1.0, 3.0, 1.0])
    twice = kaplan_meier(np.repeat(y, w.astype(int), axis=0))
    np.testing.assert_allclose(kaplan_meier(y, w).survival, twice.survival, rtol=1e-12)
    # at 2 the fourth row isn't there yet: 1 of 5 (weights 1 + 2 + 1 + 1); then 2 of 7, and 3 of 4
    np.testing.assert_allclose(twice.survival, np.cumprod([4 / 5, 5 / 7, 1 / 4]), rtol=1e-12)


def test_standard_error_of_the_concordance_is_its_spread_over_samples():
    rng = np.random.default_rng(0)

    def sample(n=150):
        x = rng.standard_normal(n)
        died, lost = rng.exponential(np.exp(-0.7 * x)), rng.exponential(2.0, n)
        return survival_target(np.minimum(died, lost), died <= lost), x

    found = np.array([concordance_error(*sample(), np.ones(150)) for _ in range(80)])
    assert np.median(found[:, 1]) == pytest.approx(found[:, 0].std(), rel=0.25)


def test_clusters_widen_the_standard_error():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(60)
    y = survival_target(rng.exponential(np.exp(-x)), np.ones(60))
    doubled, code = np.concatenate([y, y]), np.tile(np.arange(60), 2)
    apart = concordance_error(doubled, np.tile(x, 2), np.ones(120))
    together = concordance_error(doubled, np.tile(x, 2), np.ones(120), code)
    assert together[0] == pytest.approx(apart[0], rel=1e-12)
    assert together[1] == pytest.approx(concordance_error(y, x, np.ones(60))[1], rel=0.05)
    assert together[1] > 1.2 * apart[1]


def test_nothing_to_compare_has_no_score():
    y = survival_target([1.0, 2.0, 3.0], [0, 0, 1])
    assert np.isnan(concordance_error(y, np.arange(3.0), np.ones(3))[0])
    assert np.isnan(uno_concordance(y, np.arange(3.0), 9.0, np.ones(3)))


def test_censoring_at_the_time_of_an_event_comes_after_it():
    y = survival_target([1.0, 1.0, 2.0, 3.0], [1, 0, 1, 1])
    weight = inverse_censoring(y, np.ones(4))
    np.testing.assert_allclose(weight(np.array([1.0, 2.0])), [1.0, 3 / 2])  # 1 censored of the 3 that are left
