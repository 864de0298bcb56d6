"""``bridle report``: draw the report of a saved study again."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated

import typer

EPILOG = """[bold]Examples[/bold]

bridle report bridle-patients

bridle report bridle-patients/study.json --out for-print.html
"""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("report", epilog=EPILOG)(report)


def report(
    *,
    study: Annotated[FilePath, typer.Argument(metavar="STUDY", help="Folder of a study, or its study.json.")],
    out: Annotated[
        FilePath | None, typer.Option("--out", "-o", help="HTML file to write.", show_default="report.html beside it")
    ] = None,
) -> None:
    """Draw the report of a saved study again, without its data."""
    from bridle.cli.console import out as console
    from bridle.job.saving import load_result, study_file
    from bridle.report import write_report

    result = load_result(study)
    path = out if out is not None else study_file(study).parent / "report.html"
    write_report(result, path)
    console().print(str(path), soft_wrap=True)
