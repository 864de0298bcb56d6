"""Bad input of every kind, in one table: each row ends in a clear error or in a documented answer.

A row says what is given to the command line, how the command ends, and words that its message must hold. After an error
no result may lie about, and nobody is ever shown a traceback.
"""

from __future__ import annotations

import errno
import gzip
import importlib
import io
import json
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.model_io import Model

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

RNG = np.random.default_rng(0)
N = 60
GOOD = pl.DataFrame(
    {
        "age": RNG.integers(20, 80, N),
        "dose": RNG.standard_normal(N).round(3),
        "sex": RNG.choice(["female", "male"], N),
        "centre": RNG.choice(["north", "south", "west"], N),
        "y": RNG.standard_normal(N).round(3),
    }
)
FAST = ["--models", "ridge", "--no-challengers", "--no-learning-curve", "--bootstrap", 0, "--repeats", 1, "--folds", 3]


class Place:
    """An empty folder with what the rows of the table need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"

    def file(self, data: bytes | str | pl.DataFrame, name: str = "t.csv") -> Path:
        path = self.folder / name
        data = data.write_csv() if isinstance(data, pl.DataFrame) else data
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def model(self) -> Path:
        path = self.folder / "good.bridle"
        data = make_dataset(GOOD, "y")
        encoder = Encoder.fit(data)
        coef = np.arange(1.0, len(encoder.feature_names) + 1)
        Model(
            encoder=encoder, family="gaussian", target="y", classes=(), intercept=0.5, coef=coef,
            reference=np.array(encoder.mean),
        ).save(path)  # fmt: skip
        return path


@dataclass(frozen=True)
class Case:
    name: str
    args: Callable[[Place], list[Any]]
    words: tuple[str, ...]
    code: int = 2
    stdin: bytes | None = None
    patch: dict[str, Any] = field(default_factory=dict)  # dotted name -> value


def fit(name: str, data: Any, *words: str, options: tuple[Any, ...] = (), file: str = "t.csv", **rest: Any) -> Case:
    """Fit to a file of these bytes, text or frame."""

    def args(place: Place) -> list[Any]:
        content = data() if callable(data) else data
        return ["fit", place.file(content, file), "--target", "y", "--out", place.out, *FAST, *options]

    return Case(name, args, words, **rest)


def good(name: str, *words: str, options: tuple[Any, ...] = (), change: Any = None, **rest: Any) -> Case:
    """Fit to the good table, changed, with these options."""
    return fit(name, lambda: GOOD if change is None else GOOD.with_columns(**change), *words, options=options, **rest)


def predict(name: str, change: Callable[[pl.DataFrame], pl.DataFrame], *words: str, **rest: Any) -> Case:
    """Predict a changed table with a good model."""
    return Case(name, lambda p: ["predict", p.model(), p.file(change(GOOD))], words, **rest)


def hostile(name: str, spoil: Callable[[bytes], bytes], *words: str) -> Case:
    """Predict with a model file that is not what it should be."""

    def args(place: Place) -> list[Any]:
        path = place.model()
        path.write_bytes(spoil(path.read_bytes()))
        return ["predict", path, place.file(GOOD)]

    return Case(f"model file: {name}", args, words)


def parquet(rows: int = 300, **options: Any) -> bytes:
    stream = io.BytesIO()
    pl.DataFrame({"x": np.arange(rows) % 7, "y": np.arange(rows) / 3}).write_parquet(stream, **options)
    return stream.getvalue()


def arrow(stream_format: bool = False) -> bytes:
    stream = io.BytesIO()
    (GOOD.write_ipc_stream if stream_format else GOOD.write_ipc)(stream)
    return stream.getvalue()


def parquet_without_footer() -> bytes:
    raw = parquet()
    (length,) = struct.unpack("<I", raw[-8:-4])
    return raw[: -8 - length] + bytes(length) + raw[-8:]


def huge_parquet() -> bytes:
    """A footer that claims 10^12 rows, 16 TB, where there are 300."""

    def varint(n: int) -> bytes:
        out = bytearray()
        n *= 2  # zigzag
        while n > 127:
            out.append(n & 127 | 128)
            n >>= 7
        return bytes([*out, n])

    raw = parquet()
    (length,) = struct.unpack("<I", raw[-8:-4])
    footer = raw[-8 - length : -8]
    assert varint(300) in footer
    claimed = footer.replace(varint(300), varint(10**12))
    return raw[: -8 - length] + claimed + struct.pack("<I", len(claimed)) + b"PAR1"


def repack(
    change: Callable[[dict[str, bytes]], None], compression: int = zipfile.ZIP_STORED
) -> Callable[[bytes], bytes]:
    """Open the box of a model file, change its members, close it."""

    def spoil(raw: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(raw)) as box:
            members = {name: box.read(name) for name in box.namelist()}
        change(members)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", compression) as box:
            for name, body in members.items():
                box.writestr(name, body)
        return stream.getvalue()

    return spoil


def manifest(**changes: Any) -> Callable[[bytes], bytes]:
    def change(members: dict[str, bytes]) -> None:
        content = json.loads(members["manifest.json"])
        members["manifest.json"] = json.dumps({**content, **changes}).encode()

    return repack(change)


def pickled_array(members: dict[str, bytes]) -> None:
    stream = io.BytesIO()
    np.save(stream, np.array([Bomb()], dtype=object), allow_pickle=True)
    members["coef.npy"] = stream.getvalue()


class Bomb:
    """What would run if somebody unpickled it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("exit 3",))


def interrupted(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def denied(*_: Any, **__: Any) -> None:
    raise PermissionError(errno.EACCES, "Permission denied", "out")


def full_disk(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def zeros(n: int) -> bytes:
    return b"a,y\n" + b"0,0\n" * n


SMALL_LIMIT = {"bridle.data.streams.MAX_INFLATED": 1 << 20}
TEXT = [f"the {w} patient came back on day {i} and felt well" for i, w in enumerate(["old", "young"] * 30)]

CASES = [
    # -- files that are no table ----------------------------------------
    Case(
        "no such file",
        lambda p: ["fit", p.file(GOOD).with_suffix(".cvs"), "-t", "y"],
        ("t.cvs", "did you mean", "t.csv"),
    ),
    Case("no such folder", lambda p: ["fit", p.folder / "no" / "t.csv", "-t", "y"], ("there is no folder", "no/t.csv")),
    Case("a folder", lambda p: ["fit", p.folder, "-t", "y"], ("folder", "expected a file")),
    Case("a name beyond all limits", lambda p: ["fit", "a" * 300, "-t", "y"], ("name too long",)),
    fit("empty file", "", "empty"),
    fit("blank lines only", "\n  \n\n", "empty"),
    fit("header only", "x,y\n", "no rows"),
    fit("header without line end", "x,y", "no rows"),
    fit("two columns of one name", "x,x,y\n1,2,3\n", "'x'", "rename"),
    fit("a row too short", "x,z,y\n1,2,3\n4,5\n6,7,8\n", "line 3", "2 cells, expected 3"),
    fit("a row too long", "x,z,y\n1,2,3\n4,5,6\n6,7,8,9\n", "line 4", "4 cells, expected 3"),
    fit("an open quotation mark", 'x,y\n"1,2\n3,4\n', "quotation mark"),
    fit("a quotation mark inside a cell", 'x,y\n5" pipe,1\n6,2\n', "line 2", "quotation mark"),
    fit("random bytes", lambda: np.random.default_rng(1).bytes(5000), "binary file"),
    fit("a picture", b"\x89PNG\r\n\x1a\n" + bytes(50), "picture"),
    fit("an Excel workbook", b"PK\x03\x04" + bytes(50), "Excel", "save the sheet as CSV"),
    fit("an old Excel workbook", b"\xd0\xcf\x11\xe0" + bytes(50), "old Excel workbook"),
    fit("JSON", '[{"x": 1, "y": 2}]', "JSON"),
    fit("a web page", "<!DOCTYPE html><html></html>", "web page"),
    fit("a pickle", pickle.dumps(Bomb()), "pickle"),
    fit("a NumPy file", b"\x93NUMPY\x01\x00", "NumPy"),
    fit("a database", b"SQLite format 3\x00", "SQLite"),
    fit("a PDF", b"%PDF-1.7", "PDF"),
    fit("two encodings in one file", "x,y\né,1\n".encode() + b"\xe9,2\n", "UTF-8 in some places"),
    # -- compressed ----------------------------------------
    fit("gzip cut short", gzip.compress(zeros(900))[:-8], "gzip", "cut short", file="t.csv.gz"),
    fit("gzip with a wrong checksum", gzip.compress(zeros(900))[:-8] + bytes(8), "damaged", file="t.csv.gz"),
    fit("zstd cut short", zstd.compress(zeros(900))[:-5], "zstd", "cut short", file="t.csv.zst"),
    fit("gzip in gzip", gzip.compress(gzip.compress(zeros(9))), "gzip data inside gzip"),
    fit("a gzip bomb", lambda: gzip.compress(zeros(1 << 20)), "decompression bomb", patch=SMALL_LIMIT),
    fit("a zstd bomb", lambda: zstd.compress(zeros(1 << 20)), "decompression bomb", patch=SMALL_LIMIT),
    fit("Parquet in gzip", gzip.compress(parquet()), "parquet data inside gzip"),
    # -- Parquet and Arrow --------------------------------------------------------------------------------------------
    fit("Parquet cut short", parquet()[:-20], "cut short", file="t.parquet"),
    fit("Parquet: footer claims 4 GB", parquet()[:-8] + b"\xff\xff\xff\xffPAR1", "footer claims 4,294,967,295 bytes"),
    fit("Parquet: footer claims 16 TB of rows", huge_parquet, "t.csv"),
    fit("Parquet: footer overwritten", parquet_without_footer, "damaged", file="t.parquet"),
    fit("Parquet: pages overwritten", parquet()[:8] + b"\xff" * 200 + parquet()[208:], "damaged", file="t.parquet"),
    fit("Parquet: four bytes", b"PAR1", "damaged", file="t.parquet"),
    fit("Parquet without rows", lambda: parquet(0), "no rows"),
    fit("Arrow cut short", arrow()[:-20], "cut short", file="t.feather"),
    fit("Arrow stream cut short", arrow(stream_format=True)[:-90], "damaged"),
    # -- target ----------------------------------------
    good("target misspelt", "no column 'Y'", "did you mean 'y'", options=("--target", "Y")),
    good("target without a like", "no column 'zzz'", "The table has", options=("--target", "zzz")),
    good("target always the same", "always '3'", change={"y": pl.lit(3)}),
    good("one class", "always 'yes'", change={"y": pl.lit("yes")}),
    good("target all missing", "missing", change={"y": pl.lit(None)}),
    good("a class of one row", "'c' (1 row)", "at least 3", change={"y": pl.Series(["a", "b"] * 29 + ["a", "c"])}),
    good(
        "two of three classes",
        "3 different labels",
        "20 rows",
        options=("--family", "binomial"),
        change={"y": pl.Series(["a", "b", "c"] * 20)},
    ),
    good("free text as target", "different labels", change={"y": pl.Series(TEXT)}),
    good("dates as target", "dates", change={"y": pl.Series([f"2024-01-{1 + i % 28:02}" for i in range(N)])}),
    good("infinite target", "infinite", "row 4", change={"y": pl.Series([1.0, 2, 3, np.inf] * 15)}),
    good("no such class", "not a class", options=("--positive", "maybe"), change={"y": pl.Series(["a", "b"] * 30)}),
    good("unknown family", "unknown family", "gaussian", options=("--family", "gauss")),
    good("negative counts", "counts", options=("--family", "poisson")),
    good("numbers as classes", "between 0 and 1", options=("--family", "binomial")),
    # -- features and roles ----------------------------------------
    fit("only the target", "y\n1\n2\n3\n", "no column is left"),
    fit("nothing but constants", "x,z,y\n1,a,3\n1,a,4\n1,a,5\n", "no column is left", "always '1'"),
    good("infinite cell", "'dose'", "infinite in row 3", change={"dose": pl.Series([1.0, 2.0, np.inf] * 20)}),
    good("no such weights", "weights", "did you mean 'dose'", options=("--weights", "dosis")),
    good("negative weights", "must not be negative", options=("--weights", "dose")),
    good("zero weights", "zero in every row", options=("--weights", "w"), change={"w": pl.lit(0)}),
    good("weights in words", "expected numbers", options=("--weights", "sex")),
    good("offset with gaps", "missing in row 2", options=("--offset", "o"), change={"o": pl.Series([1.0, None] * 30)}),
    good("one group", "same in every row", options=("--groups", "g"), change={"g": pl.lit("a")}),
    good("target as groups", "both as target and as groups", options=("--groups", "y")),
    good("time in words", "expected numbers", options=("--time", "centre")),
    good("excluded column unknown", "exclude", "did you mean 'dose'", options=("--exclude", "dosse")),
    good("target excluded", "also the target", options=("--exclude", "y")),
    good(
        "missing cells not allowed",
        "'age'",
        "missing",
        options=("--missing", "error"),
        change={"age": pl.Series([1, None, 3] * 20)},
    ),
    good(
        "no complete row",
        "every row",
        options=("--missing", "drop"),
        change={
            "age": pl.Series([i if i % 2 else None for i in range(N)]),
            "dose": pl.Series([None if i % 2 else 0.5 * i for i in range(N)]),
        },
    ),
    # -- options ----------------------------------------
    good("kept column unknown", "keep", "did you mean 'dose'", options=("--keep", "dosse")),
    good("separator that isn't in the file", "no column 'y'", options=("--separator", ";")),
    good("decimal mark unknown", "decimal 'x'", "expected '.' or ','", options=("--decimal", "x")),
    good("encoding unknown", "unknown encoding 'klingon'", "utf-8", options=("--encoding", "klingon")),
    good("one fold", "folds", options=("--folds", 1)),
    good("more than everything held out", "holdout", options=("--holdout", 1.5)),
    good("unknown rule", "rule", options=("--rule", "best")),
    good("unknown model", "forest", options=("--models", "forest")),
    good("unknown policy", "missing", options=("--missing", "guess")),
    good("seed in words", "--seed", options=("--seed", "one")),
    good("unknown verdict", "--fail-on", options=("--fail-on", "bad")),
    good("no such configuration", "nowhere.toml", options=("--config", "nowhere.toml")),
    Case("no target", lambda p: ["fit", p.file(GOOD)], ("--target",)),
    # -- output ----------------------------------------
    Case("output is a file", lambda p: ["fit", p.file(GOOD), "-t", "y", "--out", p.file("", "o")], ("o is a file",)),
    Case(
        "output below a file",
        lambda p: ["fit", p.file(GOOD), "-t", "y", "--out", p.file("", "o") / "out"],
        ("/o can't be written", "choose another"),
    ),
    Case(
        "output holds another program's report",
        lambda p: ["fit", p.file(GOOD), "-t", "y", "--out", p.file("", "report.html").parent],
        ("report.html but no study.json", "--force"),
    ),
    good("full disk", "disk is full", patch={"os.fsync": full_disk}),
    good("folder that can't be written", "no permission", patch={"tempfile.mkdtemp": denied}),
    good("interrupted", "interrupted", code=130, patch={"bridle.job.run.fit_models": interrupted}),
    good("interrupted while writing", "interrupted", code=130, patch={"os.fsync": interrupted}),
    Case("nothing on standard input", lambda p: ["fit", "-", "-t", "y", "--out", p.out], ("empty",), stdin=b""),
    # -- prediction ----------------------------------------
    predict("columns missing at prediction", lambda f: f.drop("dose", "sex"), "lacks 2 of", "'dose'", "'sex'"),
    predict("column renamed at prediction", lambda f: f.rename({"dose": "Dose"}), "'Dose'"),
    predict("words where numbers were", lambda f: f.with_columns(dose=pl.lit("high")), "'high'", "numbers"),
    predict("infinite at prediction", lambda f: f.with_columns(dose=pl.lit(np.inf)), "infinite"),
    predict("no rows at prediction", lambda f: f.head(0), "no rows"),
    Case("no such model", lambda p: ["predict", p.folder / "m.bridle", p.file(GOOD)], ("m.bridle",)),
    Case("a table as model", lambda p: ["predict", p.file(GOOD), p.file(GOOD)], ("model file",)),
    Case(
        "output of unknown kind", lambda p: ["predict", p.model(), p.file(GOOD), "--out", p.folder / "p.xls"], (".csv",)
    ),
    # -- model files from strangers ----------------------------------------
    hostile("empty", lambda raw: b"", "empty"),
    hostile("cut short", lambda raw: raw[:-30], "end is missing"),
    hostile("something appended", lambda raw: raw + b"more", "appended"),
    hostile("a pickle", lambda raw: pickle.dumps(Bomb()), "pickle"),
    hostile("a pickle inside", repack(pickled_array), "coef.npy"),
    hostile(
        "compressed bomb", repack(lambda m: m.update({"coef.npy": bytes(1 << 22)}), zipfile.ZIP_DEFLATED), "compressed"
    ),
    hostile("path out of the box", repack(lambda m: m.update({"../../evil.npy": b"x"})), "evil"),
    hostile("no manifest", repack(lambda m: m.pop("manifest.json")), "manifest.json"),
    hostile("no array", repack(lambda m: m.pop("coef.npy")), "coef.npy"),
    hostile("manifest is no JSON", repack(lambda m: m.update({"manifest.json": b"{"})), "JSON"),
    hostile("manifest nested beyond reason", repack(lambda m: m.update({"manifest.json": b"[" * 99999})), "JSON"),
    hostile("format of another program", manifest(format="elsewhere"), "'elsewhere'"),
    hostile("version of the future", manifest(version=999), "999", "Upgrade"),
    hostile("version in words", manifest(version="one"), "'one'"),
    hostile("encoder of a wrong type", manifest(encoder=[1, 2]), "doesn't fit together"),
    hostile("kind unknown", manifest(kind="os.system"), "'os.system'"),
    # -- documented answers: the command goes on, and says what it did ----------------------------------------
    good("numbers written as text", "decimal comma", code=0, change={"dose": pl.Series([f"{i},5" for i in range(N)])}),
    good(
        "rows without a target",
        "were dropped",
        code=0,
        change={"y": pl.Series([*RNG.standard_normal(N - 5), *[None] * 5])},
    ),
    good(
        "a column that leaks the target",
        "gives the target away",
        "--exclude 'copy'",
        code=0,
        change={"copy": pl.col("y") * 3},
    ),
    predict("levels never seen", lambda f: f.with_columns(centre=pl.lit("east")), "never occurred", "east", code=0),
    predict("cells missing at prediction", lambda f: f.with_columns(dose=pl.lit(None)), "missing", "dose", code=0),
]


def run(case: Case, place: Place, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    from bridle.cli import app

    args = [str(a) for a in case.args(place)]
    for name, value in case.patch.items():
        module, attribute = name.rsplit(".", 1)
        monkeypatch.setattr(importlib.import_module(module), attribute, value)
    done = CliRunner().invoke(app, args, input=case.stdin, prog_name="bridle")
    monkeypatch.undo()
    return done.exit_code, " ".join((done.stderr + done.stdout).split())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input(case, tmp_path, monkeypatch):
    place = Place(tmp_path)
    code, said = run(case, place, monkeypatch)
    assert code == case.code, said
    assert "Traceback" not in said
    for word in case.words:
        assert word in said, said
    if case.code:
        assert not place.out.exists() or not any(place.out.iterdir())
        assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_there_are_at_least_sixty_kinds():
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("stop", ["bridle.job.run.fit_models", "os.fsync"])
def test_an_interrupted_run_leaves_the_old_results_whole(stop, tmp_path, monkeypatch):
    place = Place(tmp_path)
    assert run(good("first run", code=0), place, monkeypatch)[0] == 0
    before = {path.name: path.read_bytes() for path in place.out.iterdir()}
    assert "model.bridle" in before
    again = good("second run", options=("--seed", 1, "--force"), patch={stop: interrupted})
    assert run(again, place, monkeypatch)[0] == 130
    assert {path.name: path.read_bytes() for path in place.out.iterdir()} == before
