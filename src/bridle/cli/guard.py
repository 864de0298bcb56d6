"""How a command ends: every failure becomes a message that helps and a fixed exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

OK = 0
INTERNAL = 1
BAD_INPUT = 2
GATE = 10  # --fail-on found its verdict
INTERRUPTED = 130
BROKEN_PIPE = 141


class Guarded(TyperGroup):
    """The group of all commands, with the one place where errors become exit codes."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; usage errors go on to typer, everything else ends here."""
        from bridle.cli.console import neat_warnings

        received: list[int] = []
        try:
            with _signals(received), neat_warnings():
                result = super().invoke(ctx)
                sys.stdout.flush()
            return result
        except KeyboardInterrupt:
            code = _interrupted()
        except BrokenPipeError:
            _drop_output()  # the reader has gone (head, less): stop without a word, as other tools do
            code = BROKEN_PIPE
        except (typer.Exit, typer.Abort, SystemExit):
            raise
        except Exception as error:
            if received:  # an extension that was just being imported turns an interrupt into an error of its own
                code = _interrupted()
            elif _is_usage(error):
                raise
            else:
                code = _explain(error, bool(ctx.params.get("debug")))
        raise typer.Exit(code)


def _is_usage(error: Exception) -> bool:
    """Whether typer shows the error itself (typer.BadParameter and its kin, wherever typer keeps them)."""
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def _interrupted() -> int:
    from bridle.cli.console import say

    say("interrupted; files that were there before are as they were", label="bridle", style="bold")
    return INTERRUPTED


def _explain(error: Exception, debug: bool) -> int:
    from bridle.cli.console import say
    from bridle.errors import BridleError

    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, BridleError):
        say(str(error), label="error", style="bold red")
        return BAD_INPUT
    if isinstance(error, OSError):
        say(_os_message(error), label="error", style="bold red")
        return BAD_INPUT
    if isinstance(error, MemoryError):
        say(
            "the memory of this machine doesn't suffice; use fewer columns (--exclude) or rows",
            label="error",
            style="red",
        )
        return BAD_INPUT
    say(
        f"{type(error).__name__}: {error}\nThis is a fault of bridle, not of your data. Please report it with the "
        "command, what 'bridle --debug ...' shows for it, and the output of 'bridle info'.",
        label="internal error",
        style="bold red",
    )
    return INTERNAL


def _os_message(error: OSError) -> str:
    name = f"{error.filename!s}" if error.filename is not None else ""
    if error.errno == errno.ENOSPC:
        return f"the disk is full{f' while writing {name}' if name else ''}; free some space, or choose another --out"
    if isinstance(error, FileNotFoundError):
        return f"no such file: {name}; check the path (the working folder is {os.getcwd()})"
    if isinstance(error, PermissionError):
        return f"no permission for {name}; check its rights, or choose another --out"
    if isinstance(error, IsADirectoryError):
        return f"{name} is a folder, expected a file"
    if isinstance(error, NotADirectoryError):
        return f"{name}: part of this path is a file, expected a folder"
    if error.errno == errno.EROFS:
        return f"{name} is on a read-only disk; choose another --out"
    return f"{error.strerror or error}{f': {name}' if name else ''}"


def _drop_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter doesn't complain at exit either."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())


@contextmanager
def _signals(received: list[int]) -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, so that half-written files are cleared away; note which one came."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
