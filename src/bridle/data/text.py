"""Delimited text: encoding, separator and header found from the first block; then blocks of whole records.

All cells come out as text. Types are decided over all rows afterwards (``kinds.settle_types``) or by a fitted
encoder, never from the first rows alone.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np

from bridle.errors import FileFormatError, InputError

if TYPE_CHECKING:
    import polars as pl

BLOCK = 1 << 23  # bytes read at a time
MAX_RECORD = 1 << 26  # a single record longer than this is no table row
SEPARATORS = (",", ";", "\t", "|")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Layout:
    """How a text file is written."""

    separator: str  # " " means any run of blanks
    names: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TextOptions:
    """What the caller says about a text file instead of having it found out."""

    separator: str | None = None
    encoding: str | None = None


class TextReader:
    """Yields polars frames of text cells from a byte stream, in bounded memory."""

    def __init__(self, stream: IO[bytes], name: str, options: TextOptions) -> None:
        self._name = name
        self._decoded = _Decoded(stream, name, options.encoding)
        self._pending = self._decoded.read()
        while len(self._pending) < MAX_RECORD and not _last_record_end(self._pending):
            more = self._decoded.read()  # the header goes on
            self._pending += more
            if not more:
                break
        if not self._pending.strip():
            raise InputError(f"{name} is empty: expected a header line with column names, then rows")
        self._line = 1
        separator, notes = _sniff(self._pending, options.separator)
        header, consumed, lines = _header(self._pending, separator, name)
        self._pending = self._pending[consumed:]
        self._line += lines
        self.layout = Layout(separator, _column_names(header, name), notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be assumed; complete after the last block."""
        return (*self._decoded.notes, *self.layout.notes)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the rows block by block; every column is text, nothing is missing yet."""
        while True:
            more = self._decoded.read()
            block = self._pending + more
            if more:
                end = _last_record_end(block)
                if end == 0 and len(block) > MAX_RECORD:
                    raise FileFormatError(
                        f"{self._name}: the record at line {self._line} goes on for more than {MAX_RECORD >> 20} MiB; "
                        "is a quotation mark left open there, or is this not a table?"
                    )
                block, self._pending = block[:end], block[end:]
            if block.strip():
                yield self._parse(block)
                self._line += block.count(b"\n")
            if not more:
                return

    def _parse(self, block: bytes) -> pl.DataFrame:
        import polars as pl

        sep, names = self.layout.separator, self.layout.names
        rows = _squeeze_blanks(block) if sep == " " else block
        # a blank line is no row; polars would make it a row of empty cells
        rows = re.sub(rb"\n(?:[ \t]*\r?\n)+", b"\n", rows).lstrip(b"\r\n") if len(names) > 1 else rows
        schema = dict.fromkeys(names, pl.String)
        try:
            frame = pl.read_csv(rows, has_header=False, schema=schema, separator=sep, empty_string_is_null=False)
        except (pl.exceptions.PolarsError, OSError) as err:
            raise self._ragged(block, str(err)) from err
        if _separators_outside_quotes(rows, sep) != frame.height * (len(names) - 1):
            raise self._ragged(block, "the rows have different numbers of cells")
        return frame

    def _ragged(self, block: bytes, reason: str) -> InputError:
        sep, width = self.layout.separator, len(self.layout.names)
        lines = (_squeeze_blanks(block) if sep == " " else block).decode("utf-8", "replace").split("\n")
        reader = csv.reader((f"{line}\n" for line in lines), delimiter=sep, strict=True)
        try:
            for row in reader:
                if row and any(row) and len(row) != width:
                    at = self._line + reader.line_num - 1
                    return InputError(
                        f"{self._name}, line {at}: {len(row)} cells, expected {width} as in the header "
                        f"(separator {_shown(sep)}); correct that line, quote cells that hold the separator, "
                        "or name the right separator"
                    )
        except csv.Error as err:
            at = self._line + reader.line_num - 1
            return InputError(f"{self._name}, line {at}: {err}; is a quotation mark left open, or put inside a cell?")
        stray = re.search(rb'(?m)[^%b"\n]"[^%b"\r\n]' % (re.escape(sep.encode()), re.escape(sep.encode())), block)
        if stray:
            at = self._line + block.count(b"\n", 0, stray.end())
            return InputError(
                f"{self._name}, line {at}: a quotation mark inside a cell; put such cells in quotation marks, and "
                "double those inside, or remove them"
            )
        first = reason.splitlines()[0] if reason else "unknown"
        return InputError(f"{self._name}: the text after line {self._line} can't be read as a table ({first})")


class _Decoded:
    """UTF-8 bytes with newlines as line ends, from a stream in any usual encoding."""

    def __init__(self, stream: IO[bytes], name: str, encoding: str | None) -> None:
        self._stream, self._name = stream, name
        self._given = encoding is not None
        self._encoding = _known(encoding) if encoding else None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._tail = b""
        self._ascii = True
        self._started = False
        self._lone_cr = False
        self.notes: tuple[str, ...] = ()

    def read(self) -> bytes:
        """Return the next block as UTF-8; empty at the end."""
        while True:
            raw = self._read_full()
            if not self._started:
                raw = self._start(raw)
            data = self._to_utf8(raw, last=not raw)
            if data or not raw:
                return data.replace(b"\r", b"\n") if self._lone_cr else data

    def _read_full(self) -> bytes:
        pieces, size = [], 0
        while size < BLOCK:  # pipes give what they have
            piece = self._stream.read(BLOCK - size)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def _start(self, raw: bytes) -> bytes:
        self._started = True
        if self._encoding is None:
            for bom, encoding in _BOMS:
                if raw.startswith(bom):
                    self._encoding = encoding
                    break
            else:
                self._encoding = _guess_zeros(raw, self._name) or "utf-8"
        if self._encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(self._encoding)()
        elif raw.startswith(codecs.BOM_UTF8):
            raw = raw[len(codecs.BOM_UTF8) :]
        self._lone_cr = b"\r" in raw and b"\n" not in raw
        return raw

    def _to_utf8(self, raw: bytes, last: bool) -> bytes:
        if self._decoder is not None:
            try:
                return self._decoder.decode(raw, final=last).encode("utf-8")
            except UnicodeError as err:
                raise InputError(f"{self._name} is not {self._encoding} text ({err}); name its encoding") from err
        block = self._tail + raw
        self._tail = b""
        if block.isascii():
            return block
        try:
            block.decode("utf-8")
        except UnicodeDecodeError as err:
            if err.start >= len(block) - 3 and not last:  # a character cut in two by the block's end
                block, self._tail = block[: err.start], block[err.start :]
            elif self._ascii and block[: err.start].isascii() and not self._given:
                return self._fall_back(block, last)
            else:
                before = block[max(0, err.start - 20) : err.start].decode("utf-8", "replace")
                raise InputError(
                    f"{self._name} is UTF-8 in some places and not in others (byte {block[err.start]:#04x} after "
                    f"{before!r}); save it again as UTF-8, or name its encoding"
                ) from err
        self._ascii = self._ascii and block.isascii()
        return block

    def _fall_back(self, block: bytes, last: bool) -> bytes:
        try:
            block.decode("cp1252")
            self._encoding = "cp1252"
        except UnicodeDecodeError:
            self._encoding = "latin-1"
        self.notes = (
            f"The file is not UTF-8; it was read as {self._encoding} (Western European). "
            "Name its encoding if that is wrong.",
        )
        # latin-1 knows every byte, so a later block can't fail
        self._decoder = codecs.getincrementaldecoder(self._encoding)("replace")
        return self._decoder.decode(block, final=last).encode("utf-8")


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except LookupError as err:
        raise InputError(f"unknown encoding {encoding!r}; for instance utf-8, cp1252, latin-1, utf-16") from err
    return "utf-8" if name in ("utf-8", "utf-8-sig", "ascii") else name


def _guess_zeros(raw: bytes, name: str) -> str | None:
    """UTF-16 without a byte order mark has a zero in every other byte; any other zeros mean a binary file."""
    head = np.frombuffer(raw[: 1 << 16], dtype=np.uint8)
    if not (head == 0).any():
        control = ((head < 9) | ((head > 13) & (head < 32) & (head != 27))).mean() if head.size else 0.0
        if control > 0.02:
            raise FileFormatError(f"{name} is a binary file of an unknown kind, expected CSV, Parquet or Feather")
        return None
    even, odd = ((half == 0).mean() if half.size else 1.0 for half in (head[0::2], head[1::2]))
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    if even > 0.4 and odd < 0.05:
        return "utf-16-be"
    raise FileFormatError(f"{name} is a binary file of an unknown kind, expected CSV, Parquet or Feather")


def _sniff(head: bytes, given: str | None) -> tuple[str, tuple[str, ...]]:
    if given is not None:
        separator = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}.get(
            given, given
        )
        if len(separator) != 1 or not separator.isascii() or separator in '\r\n"':
            raise InputError(f"separator {given!r}: expected one character, such as ',' ';' '|' or 'tab'")
        return separator, ()
    sample = head[: 1 << 18]
    if len(sample) < len(head):
        sample = sample[: _last_record_end(sample) or len(sample)]
    text = sample.decode("utf-8", "replace")
    best = max(SEPARATORS, key=lambda s: _consistency(text, s))
    if _consistency(text, best)[0] > 0:
        return best, ()
    blanks = _squeeze_blanks(sample).decode("utf-8", "replace")
    if _consistency(blanks, " ")[0] > 0.9 and len(blanks.split("\n")) > 2:
        return " ", ("The columns were taken to be separated by blanks.",)
    return ",", ()


def _consistency(text: str, separator: str) -> tuple[float, int]:
    """Share of the first records that have as many cells as the header, and that number; (0, 0) if it is one."""
    widths: list[int] = []
    try:
        for row in csv.reader((f"{line}\n" for line in text.split("\n")), delimiter=separator):
            if row and any(row):
                widths.append(len(row))
            if len(widths) == 100:
                break
    except csv.Error:
        return 0.0, 0
    if not widths or widths[0] < 2:
        return 0.0, 0
    return sum(w == widths[0] for w in widths) / len(widths), widths[0]


def _header(block: bytes, separator: str, name: str) -> tuple[list[str], int, int]:
    """Return the header's cells, the bytes it took, and the lines it took."""
    text_lines = block[: 1 << 24].split(b"\n")
    shown = (_squeeze_blanks(line) if separator == " " else line for line in text_lines)
    reader = csv.reader((f"{line.decode('utf-8', 'replace')}\n" for line in shown), delimiter=separator)
    try:
        for row in reader:
            if row and any(cell.strip() for cell in row):
                used = reader.line_num
                return row, sum(len(line) + 1 for line in text_lines[:used]), used
    except csv.Error as err:
        raise InputError(f"{name}: the header line can't be read ({err})") from err
    raise InputError(f"{name} holds only blank cells: expected a header line with column names, then rows")


def _column_names(header: list[str], source: str) -> tuple[str, ...]:
    names = tuple(cell.strip() or f"Unnamed: {i}" for i, cell in enumerate(header))
    check_names(names, source)
    return names


def check_names(names: tuple[str, ...], source: str) -> None:
    """Refuse a table in which two columns have the same name."""
    seen: set[str] = set()
    double = sorted({n for n in names if n in seen or seen.add(n)})  # type: ignore[func-returns-value]
    if double:
        raise InputError(f"{source}: more than one column is called {', '.join(map(repr, double[:5]))}; rename them")


def _last_record_end(block: bytes) -> int:
    """Position after the last line end that lies outside quotation marks; 0 if there is none."""
    end = len(block)
    inside = block.count(b'"') % 2
    while True:
        newline = block.rfind(b"\n", 0, end)
        if newline < 0:
            return 0
        inside ^= block.count(b'"', newline, end) % 2
        if not inside:
            return newline + 1
        end = newline


def _separators_outside_quotes(block: bytes, separator: str) -> int:
    sep = separator.encode()
    if b'"' not in block:
        return block.count(sep)
    data = np.frombuffer(block, dtype=np.uint8)
    inside = np.logical_xor.accumulate(data == ord('"'))
    return int(((data == sep[0]) & ~inside).sum())


def _squeeze_blanks(block: bytes) -> bytes:
    return re.sub(rb"(?m)^ +| +(?=\r?$)", b"", re.sub(rb"[ \t]+", b" ", block))


def _shown(separator: str) -> str:
    return {"\t": "tab", " ": "blanks"}.get(separator, repr(separator))
