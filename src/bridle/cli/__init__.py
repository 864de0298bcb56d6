"""The command line: ``bridle fit``, ``predict``, ``report``, ``compare``, ``explain``, ``check``, ``info``.

Exit codes: 0 done, 1 internal error, 2 wrong usage or bad input, 10 the verdict is among --fail-on, 130 interrupted,
141 the reader of our output went away.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import Annotated, NoReturn

import typer

from bridle.cli import check, compare, explain, fit, info, predict, report
from bridle.cli.console import tolerate_encodings
from bridle.cli.guard import INTERNAL, INTERRUPTED, OK, Guarded

app = typer.Typer(
    name="bridle",
    cls=Guarded,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (fit, predict, explain, report, compare, check, info):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        import bridle

        print(f"bridle {bridle.__version__}")
        raise typer.Exit


@app.callback()
def bridle_(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error happened.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """[bold]Hold a model back just enough.[/bold] Fits regularised models, tells whether they over- or underfit.

    [bold]Start here:[/bold]  bridle fit patients.csv --target diagnosis
    """


def main() -> None:
    """Run the command line on ``sys.argv`` and end the process."""
    tolerate_encodings()
    # Polars' allocator (jemalloc) would keep the memory of a table that is gone: read before polars is imported.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
    try:
        app(prog_name="bridle")
        code: int | str | None = OK
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as end:
        code = end.code
    _leave(code if isinstance(code, int) else OK if code is None else INTERNAL)


def _leave(code: int) -> NoReturn:
    """End at once: taking numpy, scipy and polars apart in memory would hold the prompt back for half a second."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
