"""The simulation grid: its arithmetic, its published results, and that rescaling a target changes no verdict."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

ROOT = Path(__file__).parents[2]
HERE = ROOT / "benchmarks" / "calibration"


@pytest.fixture(scope="module")
def bench():
    """Modules of the calibration, imported from the root of the repository."""
    sys.path.insert(0, str(ROOT))
    try:
        from benchmarks.calibration import grid, simulate, summary

        yield type("Bench", (), {"grid": grid, "simulate": simulate, "summary": summary})
    finally:
        sys.path.remove(str(ROOT))


def test_published_false_alarms_are_at_most_the_stated_level():
    found = json.loads((HERE / "results.json").read_text())
    alarms = found["all"]["false_alarms"]
    assert alarms["verdicts"] > 2000
    assert alarms["upper"] <= 0.05, "the interval's upper end, not only the rate"
    assert max(v["false_alarms"]["rate"] for v in found["by_n"].values()) <= 0.05
    assert max(v["false_alarms"]["rate"] for v in found["by_case"].values()) <= 0.05
    assert found["all"]["gap_false_alarms"]["lower"] > 0.05, "a fixed gap doesn't hold the level"


def test_published_tables_agree_with_the_stored_numbers(bench):
    found = json.loads((HERE / "results.json").read_text())
    assert bench.summary.markdown(found) == (HERE / "results.md").read_text()


def test_the_documented_table_is_the_published_one():
    line = re.compile(r"^\| (no signal|overfitting|underfitting|balanced) \|((?: [\d,]+ \|){5}) ")
    documented = {m[1]: m[2] for m in map(line.match, (ROOT / "docs" / "diagnosis.md").read_text().splitlines()) if m}
    published = {m[1]: m[2] for m in map(line.match, (HERE / "results.md").read_text().splitlines()) if m}
    assert documented == published and len(documented) == 4


def test_seeds_for_tuning_and_validation_are_apart(bench):
    assert not set(bench.grid.TUNING_SEEDS) & set(bench.grid.VALIDATION_SEEDS)
    names = [s.name for s in bench.grid.GRID]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("index", [0, 4, 8, 42, 45])
def test_tables_have_the_signal_they_claim(bench, index):
    s = bench.grid.GRID[index]
    X, y = bench.grid.draw(s, 1)
    assert X.shape == (s.n + bench.grid.TEST_ROWS, s.p)
    again = bench.grid.draw(s, 1)
    assert np.array_equal(y, again[1])
    if s.family == "gaussian" and s.noise == "normal":
        assert y[s.n :].var() == pytest.approx(1.0, abs=0.1)
        if s.shape == "linear" and s.active:
            Z = np.column_stack([np.ones(len(X)), X])[s.n :]
            residual = y[s.n :] - Z @ np.linalg.lstsq(Z, y[s.n :], rcond=None)[0]
            assert 1 - residual.var() / y[s.n :].var() == pytest.approx(s.signal, abs=0.05)


def test_a_rescaled_target_has_the_same_verdicts(bench):
    """By a power of two, so that trees break their ties alike; for 1000 see test_diagnose."""
    s = next(s for s in bench.grid.GRID if s.case == "curved" and s.n == 30)
    plain, scaled = (bench.simulate.simulate(s, 1, scale=k)["verdicts"] for k in (1.0, 1024.0))
    assert set(plain) == set(bench.simulate.MODELS)
    for model, verdict in plain.items():
        assert scaled[model]["label"] == verdict["label"], model
        assert scaled[model]["effect"] == pytest.approx(verdict["effect"], rel=1e-3, abs=1e-6), model


def record(label, risks, *, scenario="s", seed=0, scores=(0.9, 0.5)):
    """One table with a model, a simpler and a richer alternative: name -> (training loss, risk)."""
    truth = {name: [train, risk, *scores] for name, (train, risk) in risks.items()}
    verdict = {"label": label, "lean": "", "alternative": "", "effect": [0, 0, 0]}
    compared = [n for n in risks if n != "m"]
    return {
        "scenario": scenario,
        "case": "c",
        "n": 10,
        "seed": seed,
        "verdicts": {"m": verdict | {"compared": compared}},
        "truth": truth,
    }


@pytest.mark.parametrize(
    ("risks", "truth"),
    [
        ({"null": (1, 1.0), "m": (0.2, 0.8), "simple": (0.4, 0.6), "rich": (0.1, 0.9)}, "overfitting"),
        ({"null": (1, 1.0), "m": (0.5, 0.8), "simple": (0.6, 0.9), "rich": (0.1, 0.6)}, "underfitting"),
        ({"null": (1, 1.0), "m": (0.5, 0.6), "simple": (0.6, 0.59), "rich": (0.1, 0.7)}, "balanced"),
        ({"null": (1, 1.0), "m": (0.1, 2.0), "simple": (0.9, 0.995), "rich": (0.0, 3.0)}, "no signal"),
    ],
)
def test_true_label(bench, risks, truth):
    (case,) = bench.summary.cases([record("balanced", risks)])
    assert case.truth == truth
    assert case.gap


def test_false_alarms_are_counted_by_side(bench):
    risks = {"null": (1, 1.0), "m": (0.5, 0.8), "simple": (0.6, 0.9), "rich": (0.1, 0.6)}
    wrong, right = (bench.summary.cases([record(said, risks)])[0] for said in ("overfitting", "underfitting"))
    assert wrong.false_alarm
    assert wrong.strict_alarm
    assert not right.false_alarm
    assert wrong.gap_alarm


def test_truth_is_the_mean_over_seeds(bench):
    low = {"null": (1, 1.0), "m": (0.5, 0.6), "simple": (0.6, 0.5)}
    high = {"null": (1, 1.0), "m": (0.5, 0.6), "simple": (0.6, 0.9)}
    found = bench.summary.cases([record("balanced", low), record("balanced", high, seed=1)])
    assert [c.truth for c in found] == ["balanced", "balanced"]
    assert found[0].over == pytest.approx(0.6 / 0.7 - 1)


@pytest.mark.parametrize(("k", "n"), [(0, 50), (3, 50), (50, 50)])
def test_binomial_interval_is_clopper_and_pearsons(bench, k, n):
    oracle = stats.binomtest(k, n).proportion_ci(method="exact")
    assert bench.summary.binomial_interval(k, n) == pytest.approx((oracle.low, oracle.high))
