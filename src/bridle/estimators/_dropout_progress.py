"""A progress bar for ``verbose=True``: on standard error, and only where that is a terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int, float], None]  # epochs done, epochs at most, best loss so far (or NaN)


@contextmanager
def progress_bar(what: str, wanted: bool) -> Iterator[Progress | None]:
    """Give what training calls to show its epochs and loss; None where nobody would see it.

    Colours follow NO_COLOR, and the bar is gone when training is done.
    """
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TextColumn("epochs{task.fields[loss]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, loss="")

        def show(done: int, total: int, loss: float) -> None:
            bar.update(task, completed=done, total=total, loss="" if math.isnan(loss) else f", loss {loss:.4g}")

        yield show
