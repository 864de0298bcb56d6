"""Tables in, from files, standard input and memory: one function for all of it, one more for streaming."""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from bridle.data.binary import check_binary, damage_as_error, read_binary, scan_binary
from bridle.data.frames import content_hash, frame_from, frame_of_objects, matrix_from
from bridle.data.kinds import settle_types
from bridle.data.streams import HashingReader, Inflating, open_file, recognise
from bridle.data.text import TextOptions, TextReader, check_names
from bridle.data.values import PLAIN, NumberFormat, guess_format, parse_numbers, without_missing
from bridle.errors import FileFormatError, InputError

if TYPE_CHECKING:
    import polars as pl
    from scipy import sparse

FORMATS = ("csv", "parquet", "feather")
BATCH_ROWS = 50_000


@dataclass(frozen=True)
class Table:
    """A table as it came in: exactly one of ``frame`` and ``matrix`` is there.

    In ``frame`` text that holds only numbers is numeric already and spellings of "missing" are nulls.
    """

    frame: pl.DataFrame | None
    matrix: np.ndarray[Any, Any] | sparse.csc_array | None  # (n, p), NaN where missing
    names: tuple[str, ...]
    source: str
    sha256: str
    forms: dict[str, NumberFormat] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.frame.height if self.frame is not None else int(cast(Any, self.matrix).shape[0])


def read_table(
    source: Any,
    *,
    format: str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    columns: Sequence[str] | None = None,
) -> Table:
    """Read a table from a file, standard input or memory.

    Parameters
    ----------
    source : path, "-", data frame, dict of columns, array or sparse matrix
        CSV with any usual separator, Parquet, Feather (Arrow IPC), text also as ``.gz`` or ``.zst``; ``"-"`` is
        standard input; pandas, polars and Arrow frames and every other frame that narwhals knows.
    format : {"csv", "parquet", "feather"}, optional
        What the file must be; found from its first bytes by default, never from its name.
    separator, decimal, encoding : str, optional
        For text; found out by default.
    columns : sequence of str, optional
        Read these columns only; for an array: the names of its columns.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        The file is missing, empty, damaged, hostile, of another kind, or its columns have no clear names.
    """
    if decimal not in (None, ".", ","):
        raise InputError(f"decimal {decimal!r}: expected '.' or ','")
    if format not in (None, *FORMATS):
        raise InputError(f"format {format!r}: expected one of {', '.join(FORMATS)}")
    if isinstance(source, Table):
        return source
    if isinstance(source, str | os.PathLike):
        options = TextOptions(separator, encoding)
        return _read_path(source, format, options, decimal, columns)
    frame = frame_from(source)
    if frame is None:
        found = matrix_from(source, columns)
        if found is None:
            raise InputError(
                f"can't read a table from {type(source).__name__}; give a file name, a pandas, polars or Arrow frame, "
                "a dict of columns, a 2-D array or a SciPy sparse matrix"
            )
        matrix, names = found
        if not isinstance(matrix, np.ndarray) or matrix.dtype.kind in "biuf":
            name = "array" if isinstance(matrix, np.ndarray) else "sparse matrix"
            return Table(None, matrix, names, name, content_hash(None, matrix))
        frame = frame_of_objects(matrix, names)
    elif columns is not None:
        frame = frame.select(_present(columns, frame.columns, "the table"))
    digest = content_hash(frame, None)
    frame, forms = settle_types(frame, decimal)
    return Table(frame, None, tuple(frame.columns), type(source).__name__, digest, forms, _index_notes(source))


def iter_batches(
    source: Any,
    columns: Sequence[str] | None = None,
    batch_rows: int = BATCH_ROWS,
    *,
    format: str | None = None,
    separator: str | None = None,
    encoding: str | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield a table in pieces of at most ``batch_rows`` rows, in bounded memory, whatever the length of the file.

    Cells of text files come as text and are left so: a fitted ``Encoder`` knows what they mean, a single piece doesn't.
    Parameters are those of :func:`read_table`.

    Yields
    ------
    polars.DataFrame
    """
    if not isinstance(source, str | os.PathLike):
        frame = frame_from(source)
        if frame is None:
            table = read_table(source)
            frame = table.frame if table.frame is not None else _frame_of_matrix(table)
        whole = frame if columns is None else frame.select(_present(columns, frame.columns, "the table"))
        yield from _slices(whole, batch_rows)
        return
    with _binary_file(source, reread=False) as (file, name):
        opened = _Opened(file, name, format)
        if opened.kind == "text":
            reader = TextReader(cast(Any, opened.stream), name, TextOptions(separator, encoding))
            wanted = _present(columns if columns is not None else reader.layout.names, reader.layout.names, name)
            for block in reader.frames():
                yield from _slices(block.select(wanted), batch_rows)
            return
        file.seek(0)
        origin = FilePath(source) if getattr(file, "name", None) == str(source) else file
        with damage_as_error(name, opened.kind):
            check_binary(origin, opened.kind, name)
            lazy = scan_binary(origin, opened.kind)
            there = list(lazy.collect_schema())
            check_names(tuple(there), name)
            lazy = lazy if columns is None else lazy.select(_present(columns, there, name))
            for block in lazy.collect_batches(chunk_size=batch_rows, maintain_order=True, engine="streaming"):
                yield from _slices(block, batch_rows)


def _slices(frame: pl.DataFrame, batch_rows: int) -> Iterator[pl.DataFrame]:
    yield from (frame.slice(start, batch_rows) for start in range(0, frame.height, batch_rows))


def _frame_of_matrix(table: Table) -> pl.DataFrame:
    import polars as pl

    matrix = table.matrix if isinstance(table.matrix, np.ndarray) else cast(Any, table.matrix).toarray()
    return pl.DataFrame(matrix, schema=list(table.names))


@contextlib.contextmanager
def _binary_file(source: str | os.PathLike[str], reread: bool) -> Iterator[tuple[BinaryIO, str]]:
    """Open a path or standard input; what can't be read twice, and must be, is copied aside first."""
    is_stdin = str(source) == "-"
    name = "standard input" if is_stdin else FilePath(source).name
    file = cast(BinaryIO, sys.stdin.buffer) if is_stdin else open_file(source)
    with contextlib.ExitStack() as stack:
        if not is_stdin:
            stack.callback(file.close)
        if is_stdin or not file.seekable():
            buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast(Any, file))
            if reread or buffered.peek(8)[:4] in (b"PAR1", b"ARRO", b"\xff\xff\xff\xff"):
                spooled = tempfile.SpooledTemporaryFile(max_size=1 << 26)  # noqa: SIM115 - the stack closes it
                stack.callback(spooled.close)
                shutil.copyfileobj(buffered, spooled)
                spooled.seek(0)
                file = cast(BinaryIO, spooled)
            else:
                file = cast(BinaryIO, buffered)
        yield file, name


class _Opened:
    """An open file, recognised: its kind, its (decompressed) bytes, and the hash of its raw bytes."""

    def __init__(self, file: BinaryIO, name: str, format: str | None) -> None:
        self.raw = HashingReader(file)
        self.stream = io.BufferedReader(self.raw, 1 << 16)
        head = self.stream.peek(1 << 12)[: 1 << 12]
        if not head:
            raise InputError(f"{name} is empty: expected a header line with column names, then rows")
        self.kind = recognise(head, name)
        if self.kind in ("gzip", "zstd"):
            packed = self.kind
            self.stream = io.BufferedReader(cast(Any, Inflating(self.stream, self.raw, packed, name)), 1 << 16)
            self.kind = recognise(self.stream.peek(1 << 12)[: 1 << 12], name)
            if self.kind != "text":
                raise FileFormatError(f"{name} holds {self.kind} data inside {packed}; decompress it first")
        wanted = {"csv": ("text",), "parquet": ("parquet",), "feather": ("arrow", "arrow stream")}
        if format is not None and self.kind not in wanted[format]:
            raise InputError(f"{name} holds {self.kind} data, expected {format}; leave the format out to have it found")


def _present(columns: Sequence[str], there: Sequence[str], name: str) -> list[str]:
    known = set(there)
    lacking = [c for c in columns if c not in known]
    if lacking:
        close = difflib.get_close_matches(lacking[0], list(there), n=3)
        hint = f" (is {lacking[0]!r} now called {' or '.join(map(repr, close))}?)" if close else ""
        shown = ", ".join(map(repr, lacking[:10])) + (" ..." if len(lacking) > 10 else "")
        raise InputError(f"{name} lacks {len(lacking)} of the columns asked for: {shown}{hint}; it has {_few(there)}")
    return list(columns)


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:12])) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _read_path(
    source: str | os.PathLike[str],
    format: str | None,
    options: TextOptions,
    decimal: str | None,
    columns: Sequence[str] | None,
) -> Table:
    with _binary_file(source, reread=True) as (file, name):
        opened = _Opened(file, name, format)
        if opened.kind != "text":
            digest = opened.raw.finish()
            file.seek(0)
            return _read_binary(
                FilePath(source) if getattr(file, "name", None) == str(source) else file,
                opened.kind,
                name,
                digest,
                columns,
            )
        as_text: frozenset[str] = frozenset()
        while True:
            reader = TextReader(cast(Any, opened.stream), name, options)
            wanted = _present(columns if columns is not None else reader.layout.names, reader.layout.names, name)
            frame, failed = _collect(reader, wanted, as_text)
            if not failed:
                break
            # a column that looked numeric at first isn't: read again with its text kept
            as_text |= failed
            del frame
            file.seek(0)
            opened = _Opened(file, name, format)
        digest = opened.raw.finish()
    if frame.height == 0:
        raise InputError(f"{name} has a header but no rows; expected at least one row below the column names")
    settled, forms = settle_types(frame, decimal or ("," if reader.layout.separator == ";" else None))
    notes = (*reader.notes, *_header_notes(reader.layout.names))
    return Table(settled, None, tuple(settled.columns), name, digest, forms, notes)


def _collect(reader: TextReader, wanted: list[str], as_text: frozenset[str]) -> tuple[pl.DataFrame, frozenset[str]]:
    """Read all blocks; columns that are plain numbers in the first become numbers at once, to save memory."""
    import polars as pl

    frames: list[pl.DataFrame] = []
    numeric: list[str] = []
    failed: set[str] = set()
    for block in reader.frames():
        if not frames:
            numeric = [c for c in wanted if c not in as_text and _is_plain(block[c])]
        numbers = []
        for name in numeric:
            parsed = parse_numbers(block[name])
            numbers.append(parsed.numbers)
            if parsed.n_bad:
                failed.add(name)
        frames.append(block.select(wanted).with_columns(numbers))
    if not frames:
        return pl.DataFrame(schema=dict.fromkeys(wanted, pl.String)), frozenset()
    return pl.concat(frames, rechunk=False), frozenset(failed)


def _is_plain(text: pl.Series) -> bool:
    return guess_format(without_missing(text)) == PLAIN


def _index_notes(source: Any) -> tuple[str, ...]:
    """Say so if a pandas frame has an index that says more than the row's number."""
    index = getattr(source, "index", None)
    if index is None or not hasattr(index, "names") or (index.name is None and type(index).__name__ == "RangeIndex"):
        return ()
    if index.name is None and index.dtype.kind == "i":  # rows of another frame, as a split leaves them
        return ()
    return ("The frame's index is no feature; reset_index() makes it a column.",)


def _header_notes(names: Sequence[str]) -> tuple[str, ...]:
    """Say so if the header looks like a row of data; names that count 0, 1, 2, ... or 1, 2, 3, ... are fine."""
    try:
        numbers = [float(n) for n in names]
    except ValueError:
        return ()
    start = numbers[0]
    if numbers == [start + i for i in range(len(numbers))]:
        return ()
    return ("The first line holds only numbers but was taken for the column names; add a header line if it is data.",)


def _read_binary(
    source: FilePath | BinaryIO, kind: str, name: str, digest: str, columns: Sequence[str] | None
) -> Table:
    with damage_as_error(name, kind):
        check_binary(source, kind, name)
        there = list(scan_binary(source, kind).collect_schema())
        check_names(tuple(there), name)
        wanted = None if columns is None else _present(columns, there, name)
        frame = read_binary(source, kind, wanted)
    if frame.height == 0:
        raise InputError(f"{name} has columns but no rows; expected at least one row")
    frame, forms = settle_types(frame)
    return Table(frame, None, tuple(frame.columns), name, digest, forms)
