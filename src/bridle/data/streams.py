"""Bytes in: opened, hashed as they pass, decompressed within limits, and recognised by their first bytes."""

from __future__ import annotations

import difflib
import gzip
import hashlib
import io
import os
import sys
import zlib
from pathlib import Path as FilePath
from typing import IO, Any, BinaryIO, cast

from bridle.errors import FileFormatError, InputError, MissingExtraError

MAX_INFLATED = 1 << 26  # bytes; a compressed file may always grow to this size
MAX_RATIO = 200  # beyond MAX_INFLATED it may grow by this factor; tables compress by 3 to 50

_FOREIGN = (
    (
        b"PK\x03\x04",
        "a zip archive or an Excel workbook",
        "save the sheet as CSV, or unpack the archive, and give that file",
    ),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV or Parquet"),
    (b"\x80\x04\x95", "a Python pickle, which can run code when opened", "write the table as CSV or Parquet"),
    (b"\x80\x05\x95", "a Python pickle, which can run code when opened", "write the table as CSV or Parquet"),
    (b"\x93NUMPY", "a NumPy array file", "load it in Python and pass the array to bridle.study"),
    (b"\x89HDF", "an HDF5 file", "load it in Python and pass the frame to bridle.study"),
    (b"%PDF", "a PDF document", "export the table as CSV"),
    (b"\x89PNG", "a picture", "give a CSV, Parquet or Feather file"),
    (b"\xff\xd8\xff", "a picture", "give a CSV, Parquet or Feather file"),
    (b"GIF8", "a picture", "give a CSV, Parquet or Feather file"),
    (b"\x7fELF", "a program", "give a CSV, Parquet or Feather file"),
    (b"BZh", "a bzip2 archive", "decompress it, or compress it with gzip or zstd instead"),
    (b"\xfd7zXZ\x00", "an xz archive", "decompress it, or compress it with gzip or zstd instead"),
    (b"FEA1", "a Feather file of version 1", "write it again with a current library (Feather 2 is Arrow IPC)"),
    (b"{\\rtf", "a rich text document", "save it as plain text (CSV)"),
)


def recognise(head: bytes, name: str) -> str:
    """Tell "parquet", "arrow", "arrow stream", "gzip", "zstd" or "text" from a file's first bytes.

    Raises
    ------
    FileFormatError
        The bytes are of a kind that holds no table, or one that bridle does not read.
    """
    for magic, kind in (
        (b"PAR1", "parquet"),
        (b"ARROW1", "arrow"),
        (b"\xff\xff\xff\xff", "arrow stream"),
        (b"\x1f\x8b", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
    ):
        if head.startswith(magic):
            return kind
    for magic, what, advice in _FOREIGN:
        if head.startswith(magic):
            raise FileFormatError(f"{name} is {what}, expected CSV, Parquet or Feather: {advice}")
    start = head[:200].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise FileFormatError(f"{name} is a web page or XML, expected CSV, Parquet or Feather: export the table itself")
    if start.startswith((b"{", b"[{", b"[[")):
        raise FileFormatError(
            f"{name} looks like JSON, expected CSV, Parquet or Feather: load it with pandas or polars first"
        )
    return "text"


class _Reader(io.RawIOBase):
    """A raw stream that is read-only and defined by ``read`` alone."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = cast(bytes, self.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)


class HashingReader(_Reader):
    """A stream that keeps the SHA-256 and the number of all bytes that went through it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        """Read and hash."""
        data = self._stream.read(size)
        self._hash.update(data)
        self.count += len(data)
        return data

    def finish(self) -> str:
        """Read what is left and return the hash of the whole."""
        while self.read(1 << 20):
            pass
        return self._hash.hexdigest()


class Inflating(_Reader):
    """The decompressed bytes of a gzip or zstd stream; damage and bombs become :class:`FileFormatError`."""

    def __init__(self, stream: IO[bytes], raw: HashingReader, kind: str, name: str) -> None:
        self._raw, self._name, self._kind = raw, name, kind
        self._stream = _decompressor(stream, kind)
        self._count = 0

    def read(self, size: int = -1) -> bytes:
        """Decompress the next ``size`` bytes."""
        try:
            data = self._stream.read(size)
        except (OSError, EOFError, zlib.error, _zstd_error()) as err:
            raise FileFormatError(
                f"{self._name}: the {self._kind} data are damaged or cut short ({err}); compress or copy the file again"
            ) from err
        self._count += len(data)
        if self._count > MAX_INFLATED and self._count > MAX_RATIO * self._raw.count:
            raise FileFormatError(
                f"{self._name} grows more than {MAX_RATIO} times when decompressed (past {self._count >> 20} MiB): "
                "this looks like a decompression bomb, not a table; if it is a table, decompress it yourself first"
            )
        return data


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _zstd_error() -> type[Exception]:
    try:
        return cast("type[Exception]", _zstd().ZstdError)
    except ImportError:
        return EOFError


def _decompressor(stream: IO[bytes], kind: str) -> IO[bytes]:
    if kind == "gzip":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream, mode="rb"))
    try:
        return cast("IO[bytes]", _zstd().ZstdFile(stream, "rb"))
    except ImportError as err:
        raise MissingExtraError("reading zstd files needs one more package: pip install backports.zstd") from err


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading; every way in which that can fail is said with what to do."""
    file = FilePath(path)
    shown = str(path) if len(str(path)) <= 300 else f"{str(path)[:300]}..."
    try:
        return open(file, "rb")
    except IsADirectoryError as err:
        raise InputError(f"{shown} is a folder, expected a file: name one of the files in it") from err
    except FileNotFoundError as err:
        raise InputError(f"no file {shown!r}{_near(file)}") from err
    except PermissionError as err:
        if file.is_dir():  # Windows says no to opening a folder
            raise InputError(f"{shown} is a folder, expected a file: name one of the files in it") from err
        raise InputError(f"{shown} may not be read by this user: change its permissions, or copy it") from err
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or err
        raise InputError(
            f"{shown!r} can't be opened: {reason}; give the path of a CSV, Parquet or Feather file"
        ) from err


def _near(file: FilePath) -> str:
    parent = file.parent
    if not parent.is_dir():
        return f" (there is no folder {str(parent)!r} either); check the path"
    names = [p.name for p in parent.iterdir() if p.is_file()]
    close = difflib.get_close_matches(file.name, names, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(str(parent / c)) for c in close)}?" if close else "; check the path"


def sha256_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    with open_file(path) as stream:
        return hashlib.file_digest(cast(Any, stream), "sha256").hexdigest()
