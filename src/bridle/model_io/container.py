"""The box that a model file is: a zip of one JSON manifest and plain NumPy arrays, safe to open from a stranger.

Members are stored, never compressed: what is on disk is what goes to memory, so there is nothing to expand, and
the same content gives the same bytes on every machine. Nothing is extracted to disk and nothing is unpickled. Every
size is checked against the size of the file before anything is read. The format is described in docs/model-format.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from bridle.errors import FileFormatError, InputError
from bridle.files import replacing

Float = NDArray[np.float64]

MANIFEST = "manifest.json"
MAX_FILE = 512 * 2**20  # bytes: coefficients of some 20 million features, far beyond any honest model
MAX_MANIFEST = 64 * 2**20  # bytes: parsed JSON takes up to twenty times as much memory
MAX_MEMBERS = 16
_DTYPE = np.dtype("<f8")
_END = struct.Struct("<4s4H2LH")  # the zip's end-of-central-directory record
_ZIP64_LOCATOR_SIZE = 20
_ENCRYPTED = 0x1


def write_container(target: str | os.PathLike[str], manifest: Mapping[str, Any], arrays: Mapping[str, Float]) -> None:
    """Write ``manifest`` and 1-d float arrays to one file, whole or not at all, the same bytes for the same content.

    Raises
    ------
    InputError
        The content is larger than :func:`read_container` would take back.
    OSError
        The folder can't be written, or the disk is full.
    """
    members: dict[str, bytes] = {}
    entries: dict[str, dict[str, Any]] = {}
    for name, values in sorted(arrays.items()):
        body = _npy_bytes(values)
        members[f"{name}.npy"] = body
        entries[name] = {"length": len(values), "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    text = json.dumps(
        {**manifest, "arrays": entries}, separators=(",", ":"), sort_keys=True, allow_nan=False, ensure_ascii=False
    )
    head = text.encode("utf-8")
    if len(head) > MAX_MANIFEST or len(head) + sum(map(len, members.values())) > MAX_FILE - 2**16:
        raise InputError(
            f"the model is too wide for a model file: its description takes {len(head):,} bytes and at most "
            f"{MAX_MANIFEST:,} can be stored; drop columns that aren't needed, e.g. with exclude="
        )
    with replacing(target) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as box:
        for name, body in [(MANIFEST, head), *members.items()]:
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o644 << 16
            box.writestr(info, body)


def read_container(source: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Float]]:
    """Read a file of :func:`write_container`; anything that isn't exactly such a file is refused.

    Returns
    -------
    manifest, arrays
        The JSON object without its list of arrays, and the arrays by name, read-only.

    Raises
    ------
    FileFormatError
        The file is damaged, hostile, or something else.
    OSError
        The file can't be read.
    """
    path = FilePath(source)
    if path.is_dir():
        raise FileFormatError(f"{path} is a folder, expected a model file; did you mean {path / 'model.bridle'}?")
    with open(path, "rb") as stream:
        _check_outline(stream, path)
        try:
            with zipfile.ZipFile(stream) as box:
                members = _members(box, path)
                manifest = _manifest(box.read(MANIFEST), path)
                entries = manifest.pop("arrays", None)
                arrays = _arrays(box, members, entries, path)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, struct.error) as error:
            if isinstance(error, FileFormatError):
                raise
            _refuse(path, f"it is damaged ({error})")
    return manifest, arrays


def _npy_bytes(values: Float) -> bytes:
    stream = io.BytesIO()
    array = np.ascontiguousarray(values, dtype=_DTYPE)
    np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _refuse(path: FilePath, why: str) -> NoReturn:
    raise FileFormatError(f"{path} isn't a usable model file: {why}; expected a file written by bridle (model.bridle)")


def _check_outline(stream: IO[bytes], path: FilePath) -> None:
    """Refuse by size and by the zip's last record, before the zip reader is let near the file."""
    size = os.fstat(stream.fileno()).st_size
    start = stream.read(8)
    if size == 0:
        _refuse(path, "it is empty")
    if size > MAX_FILE:
        _refuse(path, f"it has {size:,} bytes, more than the {MAX_FILE:,} a model file may have")
    if start[:1] == b"\x80":
        _refuse(path, "it looks like a Python pickle, which can run code when opened and is never loaded")
    if start[:4] != b"PK\x03\x04" or size < _END.size:
        _refuse(path, f"it starts with {start!r}")
    stream.seek(max(0, size - _END.size - _ZIP64_LOCATOR_SIZE))
    if stream.read(4) == b"PK\x06\x07":
        _refuse(path, "it is a zip64 archive")
    stream.seek(size - _END.size)
    mark, disk, cd_disk, here, total, cd_size, cd_start, comment = _END.unpack(stream.read(_END.size))
    if mark != b"PK\x05\x06" or comment:
        _refuse(path, "its end is missing or something was appended to it")
    if disk or cd_disk or here != total or not 1 <= total <= MAX_MEMBERS:
        _refuse(path, f"it claims {total} members, at most {MAX_MEMBERS} are allowed")
    if cd_start + cd_size + _END.size != size or cd_size > MAX_MEMBERS * 512:
        _refuse(path, "its directory doesn't agree with its size")


def _members(box: zipfile.ZipFile, path: FilePath) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in box.infolist():
        if info.filename in members:
            _refuse(path, f"it holds {info.filename!r} twice")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED:
            _refuse(path, f"{info.filename!r} is compressed or encrypted")
        if info.compress_size != info.file_size:
            _refuse(path, f"{info.filename!r} claims two sizes, {info.compress_size} and {info.file_size}")
        members[info.filename] = info
    if sum(info.file_size for info in members.values()) > os.fstat(box.fp.fileno()).st_size:  # type: ignore[union-attr]
        _refuse(path, "its members claim more bytes than it has")
    if MANIFEST not in members:
        _refuse(path, f"it holds no {MANIFEST}, but {sorted(members)}")
    if members[MANIFEST].file_size > MAX_MANIFEST:
        _refuse(path, f"its {MANIFEST} has {members[MANIFEST].file_size:,} bytes, more than {MAX_MANIFEST:,}")
    return members


def _manifest(raw: bytes, path: FilePath) -> dict[str, Any]:
    def no_constant(word: str) -> NoReturn:
        _refuse(path, f"its {MANIFEST} holds {word}, which isn't a JSON number")

    try:
        manifest = json.loads(raw.decode("utf-8"), parse_constant=no_constant)
    except FileFormatError:
        raise
    except (ValueError, RecursionError) as error:
        _refuse(path, f"its {MANIFEST} isn't readable JSON ({error})")
    if not isinstance(manifest, dict):
        _refuse(path, f"its {MANIFEST} is {type(manifest).__name__}, not an object")
    return manifest


def _arrays(
    box: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], entries: Any, path: FilePath
) -> dict[str, Float]:
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        _refuse(path, f"its {MANIFEST} has no list of arrays")
    expected = {MANIFEST, *(f"{name}.npy" for name in entries)}
    if set(members) != expected:
        _refuse(path, f"it holds {sorted(members)} where its {MANIFEST} names {sorted(expected)}")
    arrays = {}
    for name, entry in entries.items():
        body = box.read(f"{name}.npy")
        if entry.get("bytes") != len(body) or entry.get("sha256") != hashlib.sha256(body).hexdigest():
            _refuse(path, f"{name}.npy isn't the array that was written (size or checksum differs)")
        arrays[name] = _array(name, body, entry.get("length"), path)
    return arrays


def _array(name: str, body: bytes, length: Any, path: FilePath) -> Float:
    """Decode one .npy by its declared length; its own header may only agree."""
    stream = io.BytesIO(body)
    if np.lib.format.read_magic(stream) != (1, 0):
        _refuse(path, f"{name}.npy is of an unknown version")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    rest = len(body) - stream.tell()
    if dtype != _DTYPE or len(shape) != 1 or shape[0] != length or rest != shape[0] * _DTYPE.itemsize:
        _refuse(path, f"{name}.npy has dtype {dtype} and shape {shape}; expected {length} numbers of type float64")
    values = np.frombuffer(body, dtype=_DTYPE, offset=stream.tell()).astype(np.float64, copy=False)
    if not np.isfinite(values).all():
        _refuse(path, f"{name}.npy holds infinities or missing numbers")
    return values
