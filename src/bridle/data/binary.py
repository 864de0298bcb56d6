"""Parquet and Arrow IPC (Feather): read by polars, after a look at what the file claims about its own size."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, BinaryIO

from bridle.errors import BridleError, FileFormatError, InputError

if TYPE_CHECKING:
    import polars as pl

BinarySource = FilePath | BinaryIO


@contextlib.contextmanager
def damage_as_error(name: str, kind: str) -> Iterator[None]:
    """Turn every way in which a damaged file can fail inside polars into one clear error."""
    import polars as pl

    advice = f"{name} is damaged or incomplete {kind} data"
    try:
        yield
    except BridleError:
        raise
    except (pl.exceptions.PolarsError, OSError, ValueError, MemoryError, OverflowError) as err:
        first = (str(err).splitlines() or [type(err).__name__])[0]
        raise FileFormatError(f"{advice} ({first[:200]}); copy or write it again") from err
    except BaseException as err:
        if type(err).__name__ != "PanicException":  # a panic of the Rust reader is no Exception
            raise
        raise FileFormatError(f"{advice} (the reader gave up); copy or write it again") from err


def scan_binary(source: BinarySource, kind: str) -> pl.LazyFrame:
    """Open a file lazily; nothing but its description is read."""
    import polars as pl

    if not isinstance(source, FilePath):
        source.seek(0)
    if kind == "parquet":
        return pl.scan_parquet(source, glob=False)
    if kind == "arrow":
        return pl.scan_ipc(source, glob=False)
    return pl.read_ipc_stream(source).lazy()


def read_binary(source: BinarySource, kind: str, columns: list[str] | None) -> pl.DataFrame:
    """Read the file, or some of its columns."""
    lazy = scan_binary(source, kind)
    return (lazy if columns is None else lazy.select(columns)).collect()


def check_binary(source: BinarySource, kind: str, name: str) -> None:
    """Refuse a file whose description doesn't fit its size, before any memory is set aside for what it claims.

    Raises
    ------
    FileFormatError
        The footer is not where it must be.
    InputError
        The table would not fit into the memory of this machine.
    """
    if kind == "arrow stream":
        return
    with _borrowed(source) as file:
        size = file.seek(0, os.SEEK_END)
        magic = b"PAR1" if kind == "parquet" else b"ARROW1"
        length = len(magic) + 4
        file.seek(max(0, size - length))
        tail = file.read(length)
        claimed = int.from_bytes(tail[:4], "little")
        if not tail.endswith(magic):
            raise FileFormatError(f"{name} is cut short: {kind} files end in {magic.decode()}; copy or write it again")
        if claimed + length > size:
            raise FileFormatError(
                f"{name} is damaged: its footer claims {claimed:,} bytes in a file of {size:,}; copy or write it again"
            )
        file.seek(0)
    import polars as pl

    lazy = scan_binary(source, kind)
    width = len(lazy.collect_schema())
    rows = int(lazy.select(pl.len()).collect().item())
    needed, there = rows * width * 8, _memory()
    if there and needed > there:
        raise InputError(
            f"{name} says it holds {rows:,} rows x {width:,} columns, which take {needed / 2**30:.0f} GiB as numbers; "
            f"this machine has {there / 2**30:.0f} GiB. Take a sample of the rows, or fewer columns"
        )


@contextlib.contextmanager
def _borrowed(source: BinarySource) -> Iterator[BinaryIO]:
    if isinstance(source, FilePath):
        with open(source, "rb") as file:
            yield file
    else:
        yield source


def _memory() -> int:
    """Bytes of physical memory, 0 where the system doesn't say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
