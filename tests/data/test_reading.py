"""Reading: the same table comes out whatever it was written as, and cells are those that Python's csv module sees."""

import csv
import gzip
import io
import os
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridle.data import iter_batches, read_table, text
from bridle.errors import InputError

zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

FRAME = pl.DataFrame(
    {
        "id": [1.0, 2.0, 3.0, 4.0],
        "dose": [0.5, None, -1.25, 1e6],
        "café, «type»": ["a", 'say "b"', None, "c\nd"],
        "ok": ["yes", "no", "yes", None],
    }
)


def as_csv(separator=",", null="", newline="\n"):
    data = FRAME.write_csv(separator=separator, null_value=null, line_terminator=newline)
    return data


def check(table):
    assert table.frame.equals(FRAME), table.frame


def written(tmp_path, data, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("null", ["", "NA", "N/A", "NaN", "null", "None", "?", "-", ".", "nan", "#N/A"])
def test_separators_and_spellings_of_missing(tmp_path, separator, null):
    check(read_table(written(tmp_path, as_csv(separator, null))))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-32"])
def test_encodings_are_found(tmp_path, encoding):
    table = read_table(written(tmp_path, as_csv().encode(encoding)))
    check(table)
    assert any("cp1252" in note for note in table.notes) == (encoding == "cp1252")


def test_encoding_can_be_named(tmp_path):
    path = written(tmp_path, as_csv().replace("«type»", "тип").replace("café", "кафе").encode("koi8-r"))
    assert read_table(path, encoding="koi8-r").names[2] == "кафе, тип"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_and_blank_lines(tmp_path, newline):
    check(read_table(written(tmp_path, newline + as_csv(newline=newline) + newline * 3)))


def test_lone_carriage_returns(tmp_path):
    assert read_table(written(tmp_path, "a,b\r1,x\r2,y\r")).frame.rows() == [(1.0, "x"), (2.0, "y")]


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_compressed_text_whatever_its_name(tmp_path, pack):
    path = written(tmp_path, pack(as_csv().encode()), "table.csv")
    table = read_table(path)
    check(table)
    import hashlib

    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("write", ["write_parquet", "write_ipc", "write_ipc_stream"])
def test_binary_files_are_known_by_their_bytes(tmp_path, write):
    path = tmp_path / "table.csv"
    getattr(FRAME, write)(path)
    check(read_table(path))
    assert read_table(path, columns=["ok", "id"]).names == ("ok", "id")


def test_frames_of_all_kinds_give_the_same_table():
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    plain = {c: FRAME[c].to_list() for c in FRAME.columns}
    check(read_table(FRAME))
    check(read_table(FRAME.lazy()))
    check(read_table(plain))
    check(read_table(pandas.DataFrame(plain)))
    check(read_table(pandas.DataFrame(plain).convert_dtypes()))
    check(read_table(pyarrow.table(plain)))


def test_pandas_categories_stay_categories():
    pandas = pytest.importorskip("pandas")
    frame = read_table(pandas.DataFrame({"size": pandas.Categorical([1, 2, None, 1])})).frame
    assert frame["size"].cast(pl.String).to_list() == ["1", "2", None, "1"]
    assert frame.schema["size"] == pl.Categorical


@pytest.mark.parametrize("source", ["file", "gzip", "parquet", "feather"])
def test_standard_input(tmp_path, monkeypatch, source):
    path = tmp_path / "table"
    {
        "file": lambda: path.write_text(as_csv()),
        "gzip": lambda: path.write_bytes(gzip.compress(as_csv().encode())),
        "parquet": lambda: FRAME.write_parquet(path),
        "feather": lambda: FRAME.write_ipc(path),
    }[source]()
    with open(path, "rb") as stream:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Unseekable(stream.read())))
        check(read_table("-"))
    with open(path, "rb") as stream:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Unseekable(stream.read())))
        assert sum(batch.height for batch in iter_batches("-")) == 4


def Unseekable(data):
    class Pipe(io.RawIOBase):
        rest = data

        def readable(self):
            return True

        def readinto(self, buffer):
            piece, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
            buffer[: len(piece)] = piece
            return len(piece)

    return io.BufferedReader(Pipe())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe(tmp_path):
    import threading

    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(as_csv()))
    writer.start()
    check(read_table(pipe))
    writer.join()


def test_types_are_decided_over_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "BLOCK", 256)
    path = written(tmp_path, "a,b,c\n" + "1,2,3\n" * 400 + "x,2,4.5\n" + ",NA,?\n" * 5)
    frame = read_table(path).frame
    assert frame.height == 406
    assert frame["a"][0] == "1"
    assert frame["a"][400] == "x"
    assert frame["b"].sum() == 802.0
    assert frame["c"].null_count() == 5


def test_numbers_in_text(tmp_path):
    table = read_table(
        written(tmp_path, "price;share;rent;code;group\n1,5;12 %;$3.50;007;1.234.567\n2,25;7%;$4;012;2.345.678\n")
    )
    assert table.frame["price"].to_list() == [1.5, 2.25]
    assert table.frame["share"].to_list() == [12.0, 7.0]
    assert table.frame["rent"].to_list() == [3.5, 4.0]
    assert table.frame["code"].to_list() == ["007", "012"]  # a code, not a number
    assert table.frame["group"].dtype == pl.String  # thousands are not guessed
    assert {c: (f.decimal, f.affix) for c, f in table.forms.items()} == {
        "price": (",", ""),
        "share": (".", "%"),
        "rent": (".", "$"),
    }


def test_a_comma_before_three_digits_is_no_decimal_mark_unless_told(tmp_path):
    path = written(tmp_path, "a\tb\n1,500\t1\n2,250\t2\n")
    assert read_table(path).frame["a"].dtype == pl.String
    assert read_table(path, decimal=",").frame["a"].to_list() == [1.5, 2.25]


def test_columns_separated_by_blanks(tmp_path):
    table = read_table(written(tmp_path, "  x    y  g\n1.5   2  a\n 2    3  b \n"))
    assert table.frame.rows() == [(1.5, 2.0, "a"), (2.0, 3.0, "b")]
    assert "blanks" in table.notes[0]


def test_a_header_of_numbers_is_said(tmp_path):
    assert "column names" in read_table(written(tmp_path, "5.1,3.5\n1,2\n")).notes[0]
    assert read_table(written(tmp_path, "0,1,2\n1,2,3\n")).notes == ()


cells = st.text(st.sampled_from('ab ,;"\n|é1'), max_size=6).map(str.strip).filter(lambda s: s not in ("", "\r"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=40), st.sampled_from(",;|\t"), st.booleans())
def test_cells_are_those_of_the_csv_module_at_any_block_border(tmp_path_factory, rows, separator, small):
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([("h1", "h2", "h3"), *rows])
    stream = io.BytesIO(buffer.getvalue().encode())
    block, text.BLOCK = text.BLOCK, 48 if small else text.BLOCK
    try:
        reader = text.TextReader(stream, "t", text.TextOptions(separator))
        frame = pl.concat(list(reader.frames()))
    finally:
        text.BLOCK = block
    # runs of line ends inside a cell are the one thing that may shrink: blank lines are no rows
    expected = [tuple(squeezed(c) for c in row) for row in rows]
    assert [tuple(squeezed(c) for c in row) for row in frame.rows()] == expected


def squeezed(cell):
    lines = [line.strip(" ") for line in cell.split("\n")]
    return "\n".join([lines[0], *(line for line in lines[1:] if line)]).rstrip("\n")


@pytest.mark.parametrize("kind", ["csv", "gz", "zst", "parquet", "feather", "frame", "array"])
def test_batches_put_together_are_the_table(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(text, "BLOCK", 4096)
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": np.arange(5000), "b": rng.standard_normal(5000), "g": rng.choice(["u", "v"], 5000)})
    path = tmp_path / f"t.{kind}"
    data = frame.write_csv().encode()
    if kind == "csv":
        path.write_bytes(data)
    elif kind == "gz":
        path.write_bytes(gzip.compress(data))
    elif kind == "zst":
        path.write_bytes(zstd.compress(data))
    elif kind == "parquet":
        frame.write_parquet(path, row_group_size=700)
    elif kind == "feather":
        frame.write_ipc(path, compression="zstd")
    if kind == "array":
        parts = list(iter_batches(frame.select("a", "b").to_numpy(), batch_rows=900))
        assert np.array_equal(pl.concat(parts).to_numpy(), frame.select("a", "b").to_numpy())
        return
    source = frame if kind == "frame" else path
    parts = list(iter_batches(source, ["g", "b"], batch_rows=900))
    assert max(part.height for part in parts) <= 900
    assert len(parts) >= 6
    whole = pl.concat(parts).with_columns(pl.col("b").cast(pl.Float64))
    assert whole.equals(frame.select("g", "b"))


def test_ragged_rows_name_the_line_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "BLOCK", 256)
    good = '1,"two\nlines",3\n\n'
    for bad in ("1,2\n", "1,2,3,4\n", '1,"2,3\n'):
        path = written(tmp_path, "a,b,c\n" + good * 50 + bad + good)
        with pytest.raises(InputError, match=r"line (152|15[3-9]|\d+)") as caught:
            read_table(path)
        if not bad.startswith('1,"'):
            assert "line 152:" in str(caught.value)


def test_one_hash_for_one_content():
    frame = pl.DataFrame({"a": [1.0, None], "b": ["x", "yz"]})
    same = pl.DataFrame({"a": [1.0, None], "b": ["x", "yz"]})
    moved = pl.DataFrame({"a": [1.0, None], "b": ["xy", "z"]})
    assert read_table(frame).sha256 == read_table(same).sha256 != read_table(moved).sha256
    X = np.arange(6.0).reshape(3, 2)
    assert read_table(X).sha256 == read_table(np.asfortranarray(X)).sha256 != read_table(X + 1).sha256


def test_columns_of_python_objects():
    objects = pl.DataFrame({"b": np.array([True, None], dtype=object)})
    assert objects.schema["b"] == pl.Object
    assert read_table(objects).frame["b"].to_list() == [True, None]
    columns = {"b": np.array([True, None], dtype=object), "m": np.array(["a", 2], dtype=object)}
    assert read_table(columns).frame.rows() == [(True, "a"), (None, "2")]
    assert read_table(np.array([[1.5, "u"], [None, "v"]], dtype=object)).frame.rows() == [(1.5, "u"), (None, "v")]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | st.text(st.sampled_from('ab1,;\n\r"é\t. '), max_size=80).map(str.encode))
@example(b"\x00")
def test_any_bytes_are_a_table_or_a_clear_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "t"
    path.write_bytes(data)
    try:
        table = read_table(path)
    except InputError as error:
        assert len(str(error)) > 20
    else:
        assert table.n_rows >= 1


@pytest.mark.parametrize("kind", ["parquet", "feather", "stream", "gzip", "zstd"])
def test_damaged_bytes_are_a_table_or_a_clear_error(tmp_path, kind, capfd):
    rng = np.random.default_rng(2)
    frame = pl.DataFrame({"a": np.arange(300), "g": ["u", "v", None] * 100})
    path = tmp_path / "t"
    if kind in ("gzip", "zstd"):
        path.write_bytes((gzip if kind == "gzip" else zstd).compress(frame.write_csv().encode()))
    else:
        {"parquet": frame.write_parquet, "feather": frame.write_ipc, "stream": frame.write_ipc_stream}[kind](path)
    whole = bytearray(path.read_bytes())
    for _ in range(60):
        broken = bytearray(whole)
        for at in rng.integers(0, len(broken), rng.integers(1, 6)):
            broken[at] = rng.integers(0, 256)
        path.write_bytes(broken[: len(broken) if rng.random() < 0.7 else rng.integers(1, len(broken))])
        try:
            table = read_table(path)
        except InputError as error:
            assert len(str(error)) > 20
        else:
            assert table.n_rows >= 1
