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
