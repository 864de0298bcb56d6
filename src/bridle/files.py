"""Writing so that nothing is lost: aside first, then renamed into place."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path as FilePath

from bridle.errors import InputError

ASIDE = ".bridle-"  # what a folder's name begins with while files are written aside in it


@contextlib.contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[FilePath]:
    """Give a temporary path beside ``target``; rename it onto ``target`` on success, remove it on any failure.

    Raises
    ------
    OSError
        The folder can't be written, or the disk is full; ``target`` is then as it was.
    """
    path = FilePath(target)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        error.filename = os.fspath(path)  # the name that the user knows
        raise
    os.close(handle)
    aside = FilePath(name)
    try:
        yield aside
        with open(aside, "rb+") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(aside, 0o666 & ~umask)
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise


def write_text(target: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 ``text`` to ``target`` whole or not at all."""
    with replacing(target) as aside:
        aside.write_text(text, encoding="utf-8")


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Find out before any work whether files can be put into ``folder``, which need not exist yet.

    Raises
    ------
    InputError
        It's a file, or it (or the folder that it would be made in) can't be written.
    """
    path = FilePath(folder)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; the results need a folder (it is made if it doesn't exist)")
    home = path.absolute()
    while not home.exists():
        home = home.parent
    with _explained(home):
        os.rmdir(tempfile.mkdtemp(prefix=ASIDE, dir=home))


@contextlib.contextmanager
def filling(folder: str | os.PathLike[str]) -> Iterator[FilePath]:
    """Give an empty folder to write into; on success its files take their place in ``folder``, all or none.

    Files of other names in ``folder`` stay. An error or an interrupt, also while the files are moved, leaves ``folder``
    as it was.

    Raises
    ------
    InputError
        ``folder`` is a file, or can't be written.
    OSError
        The disk is full, or a file can't be replaced.
    """
    path = FilePath(folder)
    check_writable(path)
    home = path if path.is_dir() else path.absolute().parent
    with _explained(home):
        home.mkdir(parents=True, exist_ok=True)
        aside = FilePath(tempfile.mkdtemp(prefix=ASIDE, dir=home))
    try:
        (aside / "new").mkdir()
        yield aside / "new"
        with _uninterrupted():
            _move(aside / "new", path, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _move(new: FilePath, folder: FilePath, aside: FilePath) -> None:
    if not folder.exists():
        os.replace(new, folder)
        return
    kept: list[FilePath] = []
    moved: list[FilePath] = []
    try:
        for path in sorted(new.iterdir()):
            target = folder / path.name
            if target.exists():
                os.replace(target, aside / path.name)
                kept.append(target)
            os.replace(path, target)
            moved.append(target)
    except OSError:
        for target in moved:
            target.unlink()
        for target in kept:
            os.replace(aside / target.name, target)
        raise


@contextlib.contextmanager
def _explained(folder: FilePath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = "no permission" if isinstance(error, PermissionError) else error.strerror
        raise InputError(f"the folder {folder} can't be written ({reason}); choose another for the results") from error


@contextlib.contextmanager
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
            signal.raise_signal(received[0])
