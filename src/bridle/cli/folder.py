"""A folder of results that changes as a whole: written aside, then moved into place.

A run that fails or is interrupted leaves what was there before untouched. Files of other names in the folder stay.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath

from bridle.errors import InputError

FILES = ("report.html", "model.bridle", "metrics.json", "verdict.json", "study.json", "predictions.csv")
OWN = "study.json"  # tells that bridle wrote the folder


@contextmanager
def staged(folder: FilePath, *, force: bool = False) -> Iterator[FilePath]:
    """Give an empty folder to write into; on success its files take their place in ``folder``.

    Raises
    ------
    InputError
        ``folder`` is a file, can't be written, or holds files of these names that bridle didn't write (and ``force`` is
        False); all of this is known before any work is done.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; --out needs a folder (it is made if it doesn't exist)")
    if not force and folder.is_dir() and not (folder / OWN).exists():
        foreign = [name for name in FILES if (folder / name).exists()]
        if foreign:
            raise InputError(
                f"{folder} holds {', '.join(foreign)} but no {OWN}, so another program wrote them; choose another "
                "--out, or add --force to replace them"
            )
    home = folder if folder.is_dir() else folder.absolute().parent
    try:
        home.mkdir(parents=True, exist_ok=True)
        aside = FilePath(tempfile.mkdtemp(prefix=".bridle-", dir=home))
    except OSError as error:
        reason = "no permission" if isinstance(error, PermissionError) else error.strerror
        raise InputError(f"the folder {home} can't be written ({reason}); choose another --out") from error
    try:
        yield aside
        _move(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _move(aside: FilePath, folder: FilePath) -> None:
    umask = os.umask(0)
    os.umask(umask)
    with _uninterrupted():
        if not folder.exists():
            os.chmod(aside, 0o777 & ~umask)
            os.replace(aside, folder)
            return
        for path in sorted(aside.iterdir()):
            os.replace(path, folder / path.name)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM for the few renames, so that the folder is all old or all new."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(s, lambda number, _frame: received.append(number)) for s in signals]
    try:
        yield
    finally:
        for s, handler in zip(signals, before, strict=True):
            signal.signal(s, handler)
        if received:
            with contextlib.suppress(ValueError):
                signal.raise_signal(received[0])
