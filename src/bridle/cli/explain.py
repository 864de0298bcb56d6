"""``bridle explain``: why one row got its prediction."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars
    from rich.table import Table

    from bridle.model_io import Explanation, SeveralExplanation

EPILOG = """[bold]Examples[/bold]

bridle explain bridle-patients/model.bridle patients.csv --row 17

bridle explain model.bridle patients.csv --row 17 --reference patients.csv:3 --top 5

bridle explain model.bridle patients.csv --row 17 --json
"""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("explain", epilog=EPILOG)(explain)


def explain(
    *,
    model: Annotated[FilePath, typer.Argument(metavar="MODEL", help="Model file (model.bridle).")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="Table with the row; - for standard input.")],
    row: Annotated[int, typer.Option(help="Which row, from 0 as in predictions.csv; the header isn't counted.")],
    reference: Annotated[
        str, typer.Option(help="What to compare with: mean (the average training row), or FILE:ROW.")
    ] = "mean",
    top: Annotated[int, typer.Option(min=1, help="How many columns to show.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Explain one prediction: what each column adds to it, largest first, with reason codes."""
    from bridle.model_io import load

    fitted = load(model)
    against = "mean" if reference == "mean" else _reference(reference)
    found = fitted.explain(_row(file, row), against)
    if as_json:
        import json

        from bridle.frozen import to_json

        print(json.dumps({**to_json(found), "reasons": list(found.reasons)}, indent=2, ensure_ascii=False))
    else:
        _show(found, file, row, top)


def _reference(text: str) -> polars.DataFrame:
    file, colon, row = text.rpartition(":")
    if not colon or not row.isdigit():
        raise typer.BadParameter(
            f"{text!r} is neither 'mean' nor FILE:ROW, e.g. patients.csv:3", param_hint="--reference"
        )
    return _row(file, int(row))


def _row(file: str, row: int) -> polars.DataFrame:
    """Give one row of a table of any length, reading no further than to it."""
    from bridle.data import iter_batches

    passed = 0
    if row >= 0:
        for batch in iter_batches(file):
            if row < passed + batch.height:
                return batch[row - passed : row - passed + 1]
            passed += batch.height
    limit = f"{file} has {passed:,} rows, so 0 to {passed - 1:,}" if row >= 0 else "rows are counted from 0"
    raise typer.BadParameter(f"{limit}; got {row}", param_hint="--row")


def _show(found: Explanation | SeveralExplanation, file: str, row: int, top: int) -> None:
    from rich.text import Text

    from bridle.cli.console import out
    from bridle.model_io import SeveralExplanation

    console = out()
    console.print()
    console.print(Text(f"Row {row} of {file}: {found.headline}.", "bold"))
    console.print()
    more = len(found.columns) - top
    together = ""
    if isinstance(found, SeveralExplanation):
        console.print(_several_table(found, top))
    else:
        console.print(_table(found, top))
        together = f", together {sum(c.contribution for c in found.columns[top:]):+.3g}"
    if more > 0:
        console.print(Text(f"and {more} more{together} (--top {len(found.columns)} shows all)", "dim"))
    console.print()
    for sentence in found.reasons[: min(top, 4)]:
        console.print(Text(f"- {sentence}"))
    for note in found.notes:
        console.print(Text(f"note: {note}", "yellow"))


def _several_table(found: SeveralExplanation, top: int) -> Table:
    """What each column adds to each class or response; the largest of a row stands out."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    two_sided = any(c.reference for c in found.columns)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("Column", "Value", "Reference") if two_sided else ("Column", "Value"):
        table.add_column(heading, overflow="fold")
    for name in found.predictors:
        table.add_column(name, justify="right", overflow="fold")
    for c in found.columns[:top]:
        cells = [Text(cell) for cell in ([c.name, c.value, c.reference] if two_sided else [c.name, c.value])]
        most = max((abs(v) for v in c.contributions), default=0.0)
        for v in c.contributions:
            style = "" if abs(v) < most or v == 0.0 else "red" if v > 0 else "blue"
            cells.append(Text(f"{v:+.3g}", style))
        table.add_row(*cells)
    return table


def _table(found: Explanation, top: int) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    two_sided = any(c.reference for c in found.columns)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("Column", "Value", "Reference") if two_sided else ("Column", "Value"):
        table.add_column(heading, overflow="fold")
    table.add_column("Adds", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    widest = max((abs(c.contribution) for c in found.columns), default=0.0) or 1.0
    for c in found.columns[:top]:
        cells = [c.name, c.value, c.reference] if two_sided else [c.name, c.value]
        length = max(1, round(16 * abs(c.contribution) / widest))
        bar = Text("#" * length, "red" if c.contribution > 0 else "blue")
        table.add_row(*(Text(cell) for cell in cells), f"{c.contribution:+.3g}", bar)
    return table
