"""``bridle predict``: apply a model file to a table of any length, in bounded memory."""

from __future__ import annotations

import sys
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bridle.model_io import TableModel

EPILOG = """[bold]Examples[/bold]

bridle predict bridle-patients/model.bridle new.csv

bridle predict model.bridle new.parquet --out predictions.parquet --keep patient_id

bridle predict survival.bridle new.csv --times 1,3,5

bridle predict dropout.bridle new.csv --std

zcat new.csv.gz | bridle predict model.bridle - > predictions.csv
"""


def _at(model: TableModel, text: str) -> TableModel:
    """Set the times of a survival model."""
    from bridle.model_io import SurvivalModel

    if not isinstance(model, SurvivalModel):
        raise typer.BadParameter(
            f"times are for models of times to an event, and this is a {model.family} model", param_hint="--times"
        )
    try:
        wanted = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} isn't a list of times; expected numbers with commas, e.g. 1,3,5", param_hint="--times"
        ) from None
    return model.at(wanted)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("predict", epilog=EPILOG)(predict)


def predict(
    *,
    model: Annotated[FilePath, typer.Argument(metavar="MODEL", help="Model file (model.bridle).")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="Table to predict, of any length; - for standard input.")],
    out: Annotated[
        FilePath | None,
        typer.Option("--out", "-o", help=".csv, .tsv, .parquet or .feather.", show_default="CSV to standard output"),
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", "-k", help="Column to copy beside the predictions; repeatable.")
    ] = None,
    std: Annotated[
        bool,
        typer.Option("--std", help="Add the standard deviation of each prediction; networks with dropout know it."),
    ] = False,
    times: Annotated[
        str | None,
        typer.Option(
            help="Times at which survival is wanted, with commas; models of times to an event.",
            show_default="quartiles of the times of events",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes about missing values and new levels.")] = False,
) -> None:
    """Predict a table with a saved model: one row out for each row in, in the same order."""
    from bridle.cli.console import say
    from bridle.cli.streaming import Predictions, sink_for
    from bridle.model_io import load

    fitted = load(model)
    if times is not None:
        fitted = _at(fitted, times)
    sink = sink_for(out)
    predictions = Predictions(fitted, file, tuple(keep or ()), std=std, quiet=quiet)
    sink(predictions)
    if not quiet:
        for line in predictions.notes():
            say(line, style="yellow", label="note")
        if out is not None:
            say(f"{predictions.n_rows:,} rows predicted to {out}")
    sys.stdout.flush()
