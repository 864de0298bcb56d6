"""The whole way through real files: fit, then everything that works on what it wrote."""

import json
import math
import os
import pty
import re
import signal
import subprocess
import sys
import tracemalloc

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import bridle
from bridle.diagnosis.verdict import LABELS
from bridle.job.saving import FILES

QUICK = [
    "--folds",
    "3",
    "--repeats",
    "1",
    "--bootstrap",
    "0",
    "--no-challengers",
    "--no-learning-curve",
    "--n-jobs",
    "1",
]


def write_table(path, n=120, seed=1):
    rng = np.random.default_rng(seed)
    age, dose, kind = rng.normal(50, 9, n).round(1), rng.integers(0, 5, n), rng.choice(["a", "b", "c"], n)
    eta = 0.15 * (age - 50) + 1.2 * (dose - 2) + 1.5 * (kind == "b")
    pl.DataFrame(
        {
            "patient": [f"p{k:04d}" for k in range(n)],
            "age": [None if k % 10 == 3 else a for k, a in enumerate(age.tolist())],
            "dose": dose, "kind": kind,
            "sick": np.where(rng.random(n) < 1 / (1 + np.exp(-eta)), "yes", "no"),
        }
    ).write_csv(path)  # fmt: skip
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a table and the study that ``bridle fit`` made of it."""
    from bridle.cli import app

    folder = tmp_path_factory.mktemp("whole")
    table = write_table(folder / "patients.csv")
    args = ["fit", str(table), "--target", "sick", "--out", str(folder / "study"), *QUICK]
    done = CliRunner().invoke(app, args, prog_name="bridle")
    assert done.exit_code == 0, done.output
    (folder / "printed.txt").write_text(done.stdout)
    return folder


def test_fit_writes_the_whole_folder_and_says_where(home):
    assert sorted(p.name for p in (home / "study").iterdir()) == sorted(FILES)
    printed = (home / "printed.txt").read_text()
    assert all(str(home / "study" / name) in printed for name in FILES)
    assert "> " in printed
    assert "\x1b" not in printed
    verdict = json.loads((home / "study" / "verdict.json").read_text())
    assert verdict["verdict"]["label"] in LABELS


def test_predictions_of_the_file_are_those_of_the_study(home, cli):
    """The model file predicts the held-out rows as the study did when it scored them."""
    held = pl.read_csv(home / "study" / "predictions.csv")
    best = json.loads((home / "study" / "metrics.json").read_text())["best"]
    done = cli("predict", home / "study" / "model.bridle", home / "patients.csv")
    assert done.exit_code == 0
    everyone = pl.read_csv(done.stdout.encode())
    (column,) = [c for c in held.columns if best in c and "prediction" in c]
    np.testing.assert_allclose(everyone["probability_yes"].to_numpy()[held["row"].to_numpy()], held[column].to_numpy())
    assert "missing" in done.stderr
    assert "age (12)" in done.stderr


def test_fit_takes_standard_input_and_gives_the_same(home, process):
    text = (home / "patients.csv").read_text()
    done = process("fit", "-", "--target", "sick", "--json", "--models", "ridge,lasso", *QUICK, stdin=text)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert [f.rpartition("/")[2] for f in record["files"]] == list(FILES)
    assert record["files"][0].startswith("bridle-stdin")
    first = json.loads((home / "study" / "metrics.json").read_text())["models"]
    assert {"ridge", "lasso"} <= {model["name"] for model in record["models"]}
    for model in record["models"]:
        assert model["cv_loss"] == first[model["name"]]["cv_loss"]


def test_predict_writes_every_format_alike(home, cli, tmp_path):
    model, table = home / "study" / "model.bridle", home / "patients.csv"
    readers = {"p.csv": pl.read_csv, "p.parquet": pl.read_parquet, "p.feather": pl.read_ipc}
    readers["p.tsv"] = lambda path: pl.read_csv(path, separator="\t")
    frames = []
    for name, read in readers.items():
        done = cli("predict", model, table, "--out", tmp_path / name, "--keep", "patient", "-k", "kind", "--quiet")
        assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
        frames.append(read(tmp_path / name))
        assert frames[-1].columns == ["patient", "kind", "prediction", "probability_yes"]
    assert all(f.equals(frames[0]) for f in frames)
    assert frames[0]["patient"].to_list() == pl.read_csv(table)["patient"].to_list()


def test_predict_reads_standard_input(home, process):
    done = process("predict", home / "study" / "model.bridle", "-", stdin="age,dose,kind\n50,2,a\n,3,zebra\n")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    assert "kind = zebra (1)" in done.stderr


@pytest.mark.parametrize(
    ("text", "args", "words"),
    [
        ("age,dose\n1,2\n", [], "kind"),
        ("age,dose,kind\n", [], "no rows"),
        ("age,dose,kind\nold,2,a\n", [], "'old'"),
        ("age,dose,kind\n1,2,a\n", ["--keep", "id"], "no such column"),
        ("age,dose,kind,prediction\n1,2,a,9\n", ["--keep", "prediction"], "rename"),
        ("age,dose,kind\n1,2,a\n", ["--out", "p.xlsx"], ".xlsx"),
        ("age,dose,kind\n1,2,a\n", ["--out", "no/such/p.csv"], "no folder"),
        ("age,dose,kind\n1,2,a\n", ["--out", "."], "is a folder"),
    ],
)
@pytest.mark.parametrize("out", [[], ["--out", "out.csv"], ["--out", "out.parquet"]])
def test_predict_refuses_what_it_cannot_do_and_leaves_nothing(home, cli, tmp_path, monkeypatch, text, args, words, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.csv").write_text(text)
    done = cli("predict", home / "study" / "model.bridle", "new.csv", *out, *args)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())
    assert os.listdir(tmp_path) == ["new.csv"]


def test_predict_streams_in_bounded_memory(home, tmp_path, monkeypatch):
    """Four times the rows take no more memory, by a tracer of what Python and NumPy hold (small blocks, for speed)."""
    from bridle.cli.streaming import Predictions, sink_for
    from bridle.model_io import load

    model = load(home / "study" / "model.bridle")
    monkeypatch.setattr("bridle.data.text.BLOCK", 1 << 18)
    filler = "x" * 250
    peaks = {}
    for rows in (6_000, 24_000):
        path = tmp_path / f"{rows}.csv"
        with open(path, "w") as out:
            out.write("age,dose,kind,note\n")
            for _ in range(rows // 200):
                out.write(f"51.5,2,a,{filler}\n,3,b,{filler}\n" * 100)
        for ending in (".csv", ".parquet"):
            predictions = Predictions(model, str(path), ("kind",), quiet=True)
            tracemalloc.start()
            sink_for(tmp_path / f"p{ending}")(predictions)
            peaks[rows, ending] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert predictions.n_rows == rows
        path.unlink()
    for ending in (".csv", ".parquet"):
        assert peaks[24_000, ending] < 1.2 * peaks[6_000, ending], peaks


def test_explain_shows_what_python_says(home, cli):
    model, table = home / "study" / "model.bridle", home / "patients.csv"
    done = cli("explain", model, table, "--row", 7, "--json")
    assert done.exit_code == 0, done.stderr
    record = json.loads(done.stdout)
    total = math.fsum(c["contribution"] for c in record["columns"])
    assert total == pytest.approx(record["link"] - record["baseline_link"])
    assert record["reasons"] == list(bridle.load(model).explain(pl.read_csv(table)[7]).reasons)
    text = " ".join(cli("explain", model, table, "--row", 7).stdout.split())
    assert f"Row 7 of {table}" in text
    assert record["reasons"][0] in text


def test_explain_against_another_row(home, cli):
    model, table = home / "study" / "model.bridle", home / "patients.csv"
    same = json.loads(cli("explain", model, table, "--row", 7, "--reference", f"{table}:7", "--json").stdout)
    assert same["link"] == same["baseline_link"]
    text = cli("explain", model, table, "--row", 7, "--reference", f"{table}:8", "--top", 1).stdout
    assert "Reference" in text
    assert "more, together" in text


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--row", "120"], "120 rows, so 0 to 119; got 120"),
        (["--row", "-1"], "counted from 0"),
        (["--row", "1", "--reference", "median"], "FILE:ROW"),
        (["--row", "1", "--reference", "gone.csv:3"], "gone.csv"),
        (["--row", "1", "--top", "0"], "--top"),
    ],
)
def test_explain_refuses_rows_that_are_not_there(home, cli, args, words):
    done = cli("explain", home / "study" / "model.bridle", home / "patients.csv", *args)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_info_tells_what_a_model_holds(home, cli):
    model = home / "study" / "model.bridle"
    record = json.loads(cli("info", model, "--json").stdout)
    assert record["target"] == "sick"
    assert record["classes"] == ["no", "yes"]
    assert record["coefficients"]
    assert set(record["columns needed"]) <= {"age", "dose", "kind"}
    assert "sick" in cli("info", model).stdout


def test_the_report_is_drawn_again_from_the_study(home, cli, tmp_path):
    done = cli("report", home / "study", "--out", tmp_path / "again.html")
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "again.html").read_text() == (home / "study" / "report.html").read_text()


@pytest.mark.parametrize("command", ["predict", "explain", "info"])
def test_hostile_model_files_are_bad_input(home, cli, tmp_path, command):
    import pickle

    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemExit('hacked')",))

    path = tmp_path / "model.bridle"
    path.write_bytes(pickle.dumps(Bomb()))
    extra = {"predict": [home / "patients.csv"], "explain": [home / "patients.csv", "--row", "0"], "info": []}
    done = cli(command, path, *extra[command])
    assert done.exit_code == 2
    assert "pickle" in done.stderr


# interruption and terminals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_fit_leaves_the_old_study_whole(environment, tmp_path, number):
    table = write_table(tmp_path / "t.csv", n=400)
    out = tmp_path / "study"
    out.mkdir()
    for name in FILES:
        (out / name).write_text(f"old {name}")
    control, terminal = pty.openpty()  # progress is shown on a terminal only
    running = subprocess.Popen(
        [sys.executable, "-m", "bridle", "fit", table, "--target", "sick", "--out", out, "--repeats", "50"],
        stdout=subprocess.PIPE, stderr=terminal, text=True, env={**environment, "TERM": "xterm"}, cwd=tmp_path,
    )  # fmt: skip
    os.close(terminal)
    shown = os.read(control, 65536)
    while b"fitting models" not in shown:  # the run has begun
        shown += os.read(control, 65536)
    running.send_signal(number)
    while True:
        try:
            shown += os.read(control, 65536)
        except OSError:
            break
    assert running.communicate(timeout=60)[0] == ""
    assert running.returncode == 130, shown
    assert b"interrupted" in shown
    assert b"Traceback" not in shown
    assert {p.name: p.read_text() for p in out.iterdir()} == {name: f"old {name}" for name in FILES}


def on_a_terminal(args, environment, folder, **variables):
    """What a terminal shows: everything that a command writes to a pseudo-terminal of 100 columns."""
    control, terminal = pty.openpty()
    env = {**environment, "TERM": "xterm-256color", "COLUMNS": "100", **variables}
    running = subprocess.Popen(
        [sys.executable, "-m", "bridle", *map(str, args)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=env,
        cwd=folder,
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(control, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(control)
    assert running.wait(timeout=60) == 0, shown
    return shown.decode()


HIDE_CURSOR = "\x1b[?25l"  # what a live bar begins with
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38;[0-9;]+)m")


def test_a_terminal_has_colours_unless_no_color_is_set(home, environment, tmp_path):
    args = ["compare", home / "study", home / "study" / "study.json"]
    shown = on_a_terminal(args, environment, tmp_path)
    assert COLOUR.search(shown)
    plain = on_a_terminal(args, environment, tmp_path, NO_COLOR="1")
    assert not COLOUR.search(plain)
    assert [line.rstrip() for line in ESCAPE.sub("", shown).splitlines()] == [
        line.rstrip() for line in ESCAPE.sub("", plain).splitlines()
    ]


def test_a_terminal_has_bars_unless_quiet(home, environment, tmp_path, process):
    args = ["predict", home / "study" / "model.bridle", home / "patients.csv", "--out", tmp_path / "p.csv"]
    assert HIDE_CURSOR in on_a_terminal(args, environment, tmp_path)
    assert HIDE_CURSOR not in on_a_terminal([*args, "--quiet"], environment, tmp_path)
    assert HIDE_CURSOR not in process(*args).stderr
