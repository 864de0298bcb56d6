"""Talking to the person: results to standard output, everything else to standard error, bars only on a terminal."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

# Names and cells come from strangers' files: what would steer the terminal is shown as a question mark.
_HARMLESS = {c: "?" for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\n\t"}

VERDICT_STYLE = {
    "balanced": "green",
    "overfitting": "red",
    "underfitting": "yellow",
    "no signal": "magenta",
    "undetermined": "cyan",
}


def out() -> Console:
    """Give the console of standard output; plain text where it isn't a terminal or NO_COLOR is set."""
    return _console(stderr=False)


def err() -> Console:
    """Give the console of standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console
    from rich.segment import Segment

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704 (called while a BrokenPipeError is handled; rich would exit with 1)

        def render(self, *args: Any, **options: Any) -> Iterator[Segment]:
            for part in super().render(*args, **options):
                yield part if part.control else Segment(part.text.translate(_HARMLESS), part.style)

    return Plain(stderr=stderr, highlight=False, markup=False, emoji=False)


def say(message: str, *, style: str = "", label: str = "") -> None:
    """Write one message to standard error, wrapped by the terminal and not by us, so that it can be copied."""
    from rich.text import Text

    text = Text()
    if label:
        text.append(f"{label}: ", style=style or "bold")
    text.append(message)
    err().print(text, soft_wrap=True)


def tolerate_encodings() -> None:
    """Print a question mark for what the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@contextmanager
def neat_warnings(*, quiet: bool = False) -> Iterator[None]:
    """Show each of bridle's warnings once, as one line on standard error; others as Python would in one line."""
    from bridle.errors import BridleWarning

    seen: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        line = " ".join(str(message).split())
        if line in seen or (quiet and not issubclass(category, BridleWarning)):
            return
        seen.add(line)
        label = "warning" if issubclass(category, BridleWarning) else f"warning ({category.__name__})"
        say(line, style="yellow", label=label)

    with warnings.catch_warnings():
        warnings.simplefilter("always", BridleWarning)
        warnings.showwarning = show
        yield


class Bar:
    """A progress bar with the time left, on a terminal only; call it with (stage, done, total)."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""
        if not quiet and sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}", style="dim"),
                BarColumn(bar_width=32),
                MofNCompleteColumn(),
                TimeRemainingColumn(compact=True, elapsed_when_finished=True),
                console=err(),
                transient=True,
            )

    def __enter__(self) -> Bar:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` steps of ``stage`` are finished; total 0 means unknown."""
        if self._progress is None:
            return
        if self._task is None or stage != self._stage:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task, self._stage = self._progress.add_task(stage, total=total or None), stage
        self._progress.update(self._task, completed=done, total=total or None)
