"""The command line in this process, and as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner


@pytest.fixture
def cli():
    """Run one command in this process: ``cli("fit", "x.csv").exit_code``."""
    from bridle.cli import app

    def run(*args, stdin=None):
        return CliRunner().invoke(app, [str(a) for a in args], input=stdin, prog_name="bridle")

    return run


@pytest.fixture
def environment():
    """Variables for a subprocess that can import this very package, without colours of the caller's."""
    import bridle

    home = str(Path(bridle.__file__).parent.parent)
    kept = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"}}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, [home, kept.get("PYTHONPATH", "")]))}


@pytest.fixture
def process(environment, tmp_path):
    """Run one command as a process of its own, in an empty folder."""

    def run(*args, stdin=None, **variables):
        return subprocess.run(
            [sys.executable, "-m", "bridle", *map(str, args)],
            input=stdin, capture_output=True, text=True, cwd=tmp_path, env={**environment, **variables}, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def make_result():
    """Make a small StudyResult by hand, with the coefficients, verdict and data hash asked for."""
    from bridle.diagnosis.verdict import Comparison, Interval, Verdict
    from bridle.results import Coefficient, DataNotes, ModelResult, Reproduce, SampleSize, StudyResult

    nan = float("nan")

    def coefficient(name, value):
        return Coefficient(name, name, value, value, f"{value:+} per unit", nan, nan, 1.0, 1.0)

    def model(name, label, coefficients, verdict):
        return ModelResult(
            name=name, label=label, technique="L1", parameter="lambda", value=0.1, l1_ratio=1.0, rule="min",
            reason="lowest loss", n_nonzero=len(coefficients), n_features=5, cv_loss=Interval(0.51234, 0.45, 0.57),
            train_loss=0.4, holdout_loss=Interval(0.53, 0.4, 0.66), holdout_scores={"R2": Interval(0.48, 0.4, 0.56)},
            fit_seconds=0.1, verdict=verdict, coefficients=coefficients,
        )  # fmt: skip

    def build(coefficients=None, *, label="balanced", lean="", sha256="a" * 64, target="y", seed=0):
        values = {"age": 1.0, "dose": -2.0} if coefficients is None else coefficients
        comparison = Comparison("ridge", "Ridge (L2)", "richer", Interval(0.01, -0.02, 0.04), 0.4, 0.51, 0.4)
        verdict = Verdict(
            model="lasso", label=label, lean=lean, sentence=f"The lasso is {label}.", action="Use it.",
            effect=Interval(0.01, -0.02, 0.04), alternative="ridge", margin=0.05, level=0.95, comparisons=(comparison,),
            optimism=Interval(0.1, 0.05, 0.15), loss=Interval(0.51, 0.45, 0.57), train_loss=0.4, null_loss=1.0,
            explained=Interval(0.49, 0.43, 0.55), calibration_slope=Interval(1.0, 0.9, 1.1),
            rows_needed=None, checks=(),
        )  # fmt: skip
        models = (
            model("null", "Mean only", (), None),
            model("lasso", "Lasso (L1)", tuple(coefficient(k, v) for k, v in values.items()), verdict),
        )
        data = DataNotes(
            "t.csv", sha256, 100, 80, 20, 6, 5, target, "gaussian", (), "mean 0", (), ("a note",), ("a leak?",)
        )
        size = SampleSize(80, 80, 5, 16.0, 60, {}, "enough")
        reproduce = Reproduce("bridle fit t.csv", seed, {"bridle": "0.1.0"}, "2026-01-01T00:00:00+00:00", 1.0, 1, {})
        return StudyResult(
            1, "t.csv: y", data, "lasso", "lowest loss", f"The lasso is {label}.", models, None, size, (),
            "The penalty saved 9 %.", "mean squared error", reproduce, "10-fold cross-validation",
        )  # fmt: skip

    return build


@pytest.fixture
def saved(make_result, tmp_path):
    """Save such a result as a study's folder; returns the folder."""
    import json

    from bridle.frozen import to_json

    def save(name, **options):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "study.json").write_text(json.dumps(to_json(make_result(**options))))
        return folder

    return save
