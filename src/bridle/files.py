"""Writing so that nothing is lost: aside first, then renamed into place."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path as FilePath


@contextlib.contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[FilePath]:
    """Give a temporary path beside ``target``; rename it onto ``target`` on success, remove it on any failure.

    Raises
    ------
    OSError
        The folder can't be written, or the disk is full; ``target`` is then as it was.
    """
    path = FilePath(target)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
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
