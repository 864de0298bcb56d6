"""The examples run as they are, without a warning, and say what they promise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name, *arguments):
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *map(str, arguments)],
        capture_output=True, text=True, check=False, env=os.environ | {"MPLBACKEND": "Agg"}, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_every_example_is_tested():
    tested = {"study_a_table", "drop_in_estimators", "overfitting_made_visible", "diagnose_models", "own_network"}
    tested |= {"own_family"}
    assert {p.stem for p in EXAMPLES.glob("*.py")} == tested


def test_study_a_table(tmp_path):
    said = run("study_a_table", tmp_path / "found")
    assert (tmp_path / "found" / "report.html").stat().st_size > 10_000
    assert "Next:" in said and "features" in said


def test_drop_in_estimators():
    said = run("drop_in_estimators").splitlines()
    assert said[0].split("alpha ")[1].split(",")[0] == said[0].split()[-1]  # the same alpha from both
    assert float(said[1].split(": ")[1]) < 1e-2


def test_overfitting_made_visible(tmp_path):
    pytest.importorskip("matplotlib")
    said = run("overfitting_made_visible", tmp_path / "curve.png")
    for line in (line for line in said.splitlines() if "without a penalty" in line):
        words = line.replace(",", " ").split()
        assert float(words[-1]) < float(words[5])  # the penalty lowers the error that only a simulation knows
    assert said.count("<- chosen") == 3 and (tmp_path / "curve.png").stat().st_size > 1000


def test_diagnose_models():
    said = run("diagnose_models", "diabetes: tree").splitlines()
    assert len(said) == 4
    assert "overfitting" in next(line for line in said if "unpruned" in line)


def test_own_network():
    pytest.importorskip("torch")
    said = run("own_network")
    assert said.count("<- chosen") == 1
    bars = [line for line in said.splitlines() if "+-" in line]
    assert len(bars) == 4 and all("#" in line for line in bars)
    losses = [float(line.split()[2]) for line in bars]
    assert max(losses) < 0.75 * float(said.split("none at all")[1].split()[0])  # features help at every rate
    kept = said.strip().splitlines()[-1].split(", ")
    assert {"bmi", "s5"} <= {name.strip() for name in kept} and len(kept) < 10
    assert "Verdict:" in said


def test_own_family():
    said = run("own_family").splitlines()
    assert "tau r^2 if r > 0" in said[0] and float(said[1].split(": ")[1]) <= 1e-6 and "8 features" in said[2]
