"""The box of a model file: the same bytes for the same content, and nothing but such a box comes back out."""

import hashlib
import io
import json
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from bridle.errors import FileFormatError, InputError
from bridle.model_io import container
from bridle.model_io.container import read_container, write_container

MANIFEST = {"format": "test", "word": "naïve – 字", "number": 0.1 + 0.2}
ARRAYS = {"coef": np.array([1.5, -0.0, 2.5e-308]), "reference": np.arange(3.0)}


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.bridle"
    write_container(path, MANIFEST, ARRAYS)
    return path


def box(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as out:
        for name, body in members:
            out.writestr(name, body)
    return path


def npy(values, version=(1, 0), **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, values, version=version, **options)
    return stream.getvalue()


def entry(body, length):
    return {"length": length, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def one_array(path, body, length=3):
    manifest = {**MANIFEST, "arrays": {"coef": entry(body, length)}}
    return box(path, [("manifest.json", json.dumps(manifest)), ("coef.npy", body)])


def header(shape, dtype="<f8"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (63 - (len(text) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def test_what_goes_in_comes_out_to_the_last_bit(good):
    manifest, arrays = read_container(good)
    assert manifest == MANIFEST
    assert {k: v.tobytes() for k, v in arrays.items()} == {k: v.tobytes() for k, v in ARRAYS.items()}
    assert not arrays["coef"].flags.writeable


def test_the_same_content_gives_the_same_bytes_whatever_the_order(good, tmp_path):
    again = tmp_path / "again.bridle"
    write_container(again, dict(reversed(MANIFEST.items())), dict(reversed(ARRAYS.items())))
    assert again.read_bytes() == good.read_bytes()


def test_any_zip_program_can_read_it_and_numpy_the_arrays(good):
    with zipfile.ZipFile(good) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["manifest.json", "coef.npy", "reference.npy"]
        np.testing.assert_array_equal(np.load(io.BytesIO(opened.read("coef.npy")), allow_pickle=False), ARRAYS["coef"])


def test_writing_replaces_whole_or_not_at_all(good, monkeypatch):
    before = good.read_bytes()
    monkeypatch.setattr(zipfile.ZipFile, "writestr", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        write_container(good, MANIFEST, ARRAYS)
    assert good.read_bytes() == before
    assert [p.name for p in good.parent.iterdir()] == ["good.bridle"]


def test_content_that_could_not_be_read_back_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "MAX_MANIFEST", 50)
    with pytest.raises(InputError, match="too wide"):
        write_container(tmp_path / "wide.bridle", MANIFEST, ARRAYS)
    assert not list(tmp_path.iterdir())


class Bomb:
    """Leaves a mark if it is ever unpickled."""

    def __reduce__(self):
        return (exec, ("import builtins; builtins.bridle_was_hacked = True",))


def patched(path, edit):
    """A copy of the good file with ``edit`` applied to its bytes."""
    body = bytearray(path.read_bytes())
    changed = edit(body)
    body = body if changed is None else changed
    out = path.with_name("bad.bridle")
    out.write_bytes(bytes(body))
    return out


def end_field(offset, fmt, value):
    def edit(body):
        struct.pack_into(fmt, body, len(body) - 22 + offset, value)

    return edit


def central_field(offset, fmt, value):
    """Change a field of the first central directory record, and the same in the first local header."""

    def edit(body):
        start = body.index(b"PK\x01\x02")
        struct.pack_into(fmt, body, start + offset, value)

    return edit


def _claim(body):
    struct.pack_into("<HH", body, len(body) - 22 + 8, 60000, 60000)


HOSTILE_BYTES = {
    "empty": (lambda body: bytearray(b""), "empty"),
    "text": (lambda body: bytearray(b"age,sex\n1,2\n"), "starts with"),
    "a pickle": (lambda body: bytearray(pickle.dumps(Bomb())), "pickle"),
    "cut in half": (lambda body: body[: len(body) // 2], "end is missing"),
    "cut by one byte": (lambda body: body[:-1], "end is missing"),
    "only a zip's start": (lambda body: bytearray(b"PK\x03\x04"), "starts with"),
    "bytes appended": (lambda body: body + b"extra", "end is missing"),
    "bytes before": (lambda body: b"PK\x03\x04" + body, "directory doesn't agree"),
    "many members claimed": (_claim, "60000 members"),
    "zip comment": (lambda body: body[:-2] + struct.pack("<H", 5) + b"hello", "end is missing"),
    "directory elsewhere": (end_field(16, "<L", 4), "directory doesn't agree"),
    "directory longer": (end_field(12, "<L", 2**31), "directory doesn't agree"),
    "several disks": (end_field(4, "<H", 1), "members"),
    "zip64": (lambda body: body[:-42] + b"PK\x06\x07" + body[-38:], "zip64"),
    "encrypted": (central_field(8, "<H", 1), "encrypted"),
    "compressed": (central_field(10, "<H", 8), "compressed"),
    "unknown compression": (central_field(10, "<H", 99), "compressed|damaged"),
    "two sizes": (central_field(24, "<L", 2**31), "two sizes"),
    "10 GB claimed": (
        lambda body: [central_field(at, "<L", 2**32 - 2)(body) for at in (20, 24)] and body,
        "more bytes than it has",
    ),
    "wrong name in the directory": (central_field(46, "<8s", b"manifesT"), "no manifest|damaged"),
    "path outside": (central_field(46, "<3s", b"../"), "no manifest|damaged"),
    "wrong CRC": (central_field(16, "<L", 12345), "damaged"),
}


@pytest.mark.parametrize("name", HOSTILE_BYTES)
def test_hostile_bytes_are_refused_cheaply(good, name):
    edit, message = HOSTILE_BYTES[name]
    bad = patched(good, edit)
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match=message):
            read_container(bad)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    assert not hasattr(__import__("builtins"), "bridle_was_hacked")


def test_every_single_changed_byte_is_noticed_or_harmless(good):
    """No flip of one byte may crash, or change a number in silence: the manifest has a CRC, arrays a SHA-256 too."""
    original = good.read_bytes()
    rng = np.random.default_rng(0)
    truth = read_container(good)
    for position in rng.choice(len(original), 400, replace=False):
        body = bytearray(original)
        body[position] ^= 1 << int(rng.integers(8))
        bad = good.with_name("flip.bridle")
        bad.write_bytes(bytes(body))
        try:
            manifest, arrays = read_container(bad)
        except FileFormatError:
            continue
        assert manifest == truth[0]
        assert {k: v.tobytes() for k, v in arrays.items()} == {k: v.tobytes() for k, v in truth[1].items()}


HOSTILE_CONTENT = {
    "not a model zip": ([("readme.txt", b"hi")], "no manifest"),
    "too many members": ([(f"m{i}.npy", b"") for i in range(17)], "claims 17 members"),
    "manifest is no JSON": ([("manifest.json", b"{]")], "JSON"),
    "manifest isn't UTF-8": ([("manifest.json", b"\xff\xfe{}")], "JSON"),
    "manifest is a list": ([("manifest.json", b"[]")], "not an object"),
    "manifest too deep": ([("manifest.json", b"[" * 200_000)], "JSON"),
    "manifest with NaN": ([("manifest.json", b'{"a": NaN, "arrays": {}}')], "NaN"),
    "a number of 5000 digits": ([("manifest.json", b'{"a": ' + b"9" * 5000 + b"}")], "JSON"),
    "no list of arrays": ([("manifest.json", b'{"format": "x"}')], "list of arrays"),
    "arrays is a list": ([("manifest.json", b'{"arrays": [1]}')], "list of arrays"),
    "array not there": ([("manifest.json", b'{"arrays": {"coef": {}}}')], "holds"),
    "path as array name": ([("manifest.json", b'{"arrays": {"../../x": {}}}'), ("../../evil.npy", b"")], "holds"),
    "unnamed member": ([("manifest.json", b'{"arrays": {}}'), ("run.py", b"print()")], "run.py"),
}


@pytest.mark.parametrize("name", HOSTILE_CONTENT)
def test_hostile_members_are_refused(tmp_path, name):
    members, message = HOSTILE_CONTENT[name]
    with pytest.raises(FileFormatError, match=message):
        read_container(box(tmp_path / "bad.bridle", members))
    assert [p.name for p in tmp_path.iterdir()] == ["bad.bridle"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(tmp_path):
    body = json.dumps({"arrays": {}})
    with pytest.raises(FileFormatError, match="twice"):
        read_container(box(tmp_path / "bad.bridle", [("manifest.json", body), ("manifest.json", body)]))


def test_a_compressed_bomb_is_not_expanded(tmp_path):
    bomb = b'{"a": "' + b"0" * 50_000_000 + b'"}'
    path = box(tmp_path / "bomb.bridle", [("manifest.json", bomb)], zipfile.ZIP_DEFLATED)
    del bomb
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="compressed"):
        read_container(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


HOSTILE_ARRAYS = {
    "pickled objects": npy(np.array([Bomb(), 1, 2], dtype=object), allow_pickle=True),
    "claims 8 TB": header("(1000000000000,)") + bytes(24),
    "negative length": header("(-3,)") + bytes(24),
    "two dimensions": npy(np.zeros((3, 1))),
    "another length": npy(np.zeros(4)),
    "whole numbers": npy(np.arange(3)),
    "big endian": npy(np.arange(3.0).astype(">f8")),
    "missing number": npy(np.array([1.0, np.nan, 2.0])),
    "infinity": npy(np.array([1.0, np.inf, 2.0])),
    "newer numpy format": npy(np.zeros(3), version=(2, 0)),
    "header isn't a dict": b"\x93NUMPY\x01\x00" + struct.pack("<H", 6) + b"print\n" + bytes(24),
    "header calls a function": header("__import__('os').system('touch hacked')") + bytes(24),
    "no npy at all": b"MZ" + bytes(100),
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE_ARRAYS)
def test_hostile_arrays_with_right_checksums_are_refused(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = one_array(tmp_path / "bad.bridle", HOSTILE_ARRAYS[name])
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError):
            read_container(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    assert not hasattr(__import__("builtins"), "bridle_was_hacked")
    assert [p.name for p in tmp_path.iterdir()] == ["bad.bridle"]


def test_a_swapped_array_is_noticed_by_its_checksum(tmp_path):
    body = npy(np.arange(3.0))
    manifest = {"arrays": {"coef": {**entry(npy(np.zeros(3)), 3), "bytes": len(body)}}}
    path = box(tmp_path / "bad.bridle", [("manifest.json", json.dumps(manifest)), ("coef.npy", body)])
    with pytest.raises(FileFormatError, match="checksum"):
        read_container(path)


def test_a_huge_sparse_file_is_refused_by_size(tmp_path):
    path = tmp_path / "huge.bridle"
    with open(path, "wb") as out:
        out.write(b"PK\x03\x04")
        out.truncate(container.MAX_FILE + 1)
    with pytest.raises(FileFormatError, match="more than"):
        read_container(path)


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path):
    with pytest.raises(FileFormatError, match="is a folder"):
        read_container(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_container(tmp_path / "nothing.bridle")
