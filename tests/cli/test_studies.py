"""compare, report and info on saved studies, and the verdict as it is printed."""

import json

import pytest

from bridle.cli.verdict import interval, print_study, short
from bridle.diagnosis.verdict import Interval


def test_compare_says_what_is_shared_and_what_is_not(cli, saved):
    first = saved("january", coefficients={"age": 1.0, "dose": -2.0, "sex": 0.5})
    second = saved(
        "february", coefficients={"age": 0.8, "dose": 2.0, "weight": 0.1}, label="overfitting", sha256="b" * 64
    )
    shown = cli("compare", first, second, "--json")
    assert shown.exit_code == 0, shown.stderr
    record = json.loads(shown.stdout)
    (pair,) = record["pairs"]
    assert (pair["first"], pair["second"], pair["same_data"]) == ("january", "february", False)
    assert pair["common"] == ["age", "dose"]
    assert pair["only_first"] == ["sex"]
    assert pair["only_second"] == ["weight"]
    assert pair["sign_disagreements"] == ["dose"]
    assert [s["best"]["verdict"] for s in record["studies"]] == ["balanced", "overfitting"]
    text = cli("compare", first, second).stdout
    assert "different data" in text
    assert "opposite signs (1): dose" in text
    assert "overfitting" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "the same data and the same split"),
        ({"seed": 1}, "split differently"),
        ({"sha256": "c" * 64}, "different data"),
        ({"target": "z", "sha256": "c" * 64}, "can't be compared"),
    ],
)
def test_compare_says_whether_losses_can_be_compared(cli, saved, options, words):
    text = cli("compare", saved("a"), saved("b", **options)).stdout
    assert words in " ".join(text.split())


def test_compare_tells_studies_of_the_same_folder_name_apart(cli, saved, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    record = json.loads(cli("compare", saved("x/out"), saved("y/out"), saved("z"), "--json").stdout)
    assert len({s["name"] for s in record["studies"]}) == 3
    assert len(record["pairs"]) == 3


def test_info_reads_folder_and_file_alike(cli, saved):
    folder = saved("study")
    assert cli("info", folder).stdout == cli("info", folder / "study.json").stdout
    assert json.loads(cli("info", folder, "--json").stdout)["best"] == "lasso"


def test_info_of_the_installation(cli):
    record = json.loads(cli("info", "--json").stdout)
    assert record["versions"]["numpy"]
    assert record["threads"]
    assert "numpy" in cli("info").stdout


@pytest.mark.parametrize("there", [True, False])
def test_info_of_the_installation_names_pytorch_where_it_is(cli, monkeypatch, there):
    pytest.importorskip("torch")
    monkeypatch.setattr("bridle.nets.extra.available", lambda: there)
    assert ("torch" in json.loads(cli("info", "--json").stdout)["versions"]) is there


DAMAGED = {
    "no JSON": b"not json",
    "cut short": b'{"format": 1, "title": "x"',
    "other JSON": b"[1, 2]",
    "no format": b"{}",
    "format is text": b'{"format": "1"}',
    "fields missing": b'{"format": 1}',
    "newer": b'{"format": 99}',
    "too deep": b"[" * 100_000,
    "not UTF-8": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("command", ["report", "info", "compare"])
@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_studies_are_refused(cli, tmp_path, command, name):
    path = tmp_path / "study.json"
    path.write_bytes(DAMAGED[name])
    done = cli(command, *([path, path] if command == "compare" else [path]))
    assert done.exit_code == 2
    assert "error:" in done.stderr
    assert not (tmp_path / "report.html").exists()
    if name == "newer":
        assert "pip install --upgrade bridle" in done.stderr


@pytest.mark.parametrize("command", ["report", "info"])
def test_a_study_that_is_not_there(cli, tmp_path, command):
    done = cli(command, tmp_path)
    assert done.exit_code == 2
    assert "no study at" in done.stderr


def test_report_is_drawn_again_beside_the_study_or_where_asked(cli, saved, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "bridle.report.write_report", lambda result, path: path.write_text(result.headline), raising=False
    )
    folder = saved("study")
    assert cli("report", folder).stdout == f"{folder / 'report.html'}\n"
    assert (folder / "report.html").read_text() == "The lasso is balanced."
    assert cli("report", folder / "study.json", "--out", tmp_path / "x.html").exit_code == 0
    assert (tmp_path / "x.html").exists()


def test_the_printed_verdict_leads_with_the_answer(make_result, capsys, tmp_path):
    from bridle.cli.verdict import print_study

    (tmp_path / "report.html").touch()
    print_study(make_result(label="undetermined", lean="overfitting"), tmp_path)
    shown, said = capsys.readouterr()
    lines = [line for line in shown.splitlines() if line]
    assert lines[0].startswith("The lasso is undetermined.")
    assert [line for line in lines if line.startswith("> Lasso (L1)") and "overfitting?" in line]
    assert "?  undetermined, leaning this way" in lines
    assert "0.480 [0.400, 0.560]" in shown
    assert max(map(len, lines[:-1])) <= 80
    assert "…" not in shown
    assert "Next: Use it." in shown
    assert lines[-1].strip() == str(tmp_path / "report.html")
    assert said == "warning: a leak?\n"
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.5, "0.500"),
        (12.345, "12.3"),
        (1520.4, "1,520"),
        (0.0, "0"),
        (4.2e10, "4.20e+10"),
        (-0.01234, "-0.0123"),
        (1e-9, "1.00e-09"),
    ],
)
def test_numbers_are_short(number, text):
    assert short(number) == text


def test_unknown_bounds_are_left_out():
    nan = float("nan")
    assert interval(Interval(0.5, nan, nan)) == "0.500"
    assert interval(Interval(nan, nan, nan)) == "-"


def test_a_strangers_names_cannot_steer_the_terminal(cli, saved):
    folder = saved("study", coefficients={"\x1b]0;owned\x07\x1b[2Jage": 1.0}, label="balanced", target="y\x9b31m")
    for args in (["compare", folder, folder], ["info", folder]):
        done = cli(*args)
        assert done.exit_code == 0
        assert not set(done.stdout) & {"\x1b", "\x07", "\x9b"}
    assert "age" in cli("compare", folder, folder).stdout


@pytest.mark.parametrize(("width", "interval_shown"), [(50, False), (60, False), (100, True)])
def test_every_column_is_whole_on_any_terminal(make_result, monkeypatch, capsys, width, interval_shown):
    """A narrow terminal drops the held-out intervals, and never the verdict."""
    monkeypatch.setenv("COLUMNS", str(width))
    print_study(make_result(), None, quiet=True)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    row = next(line for line in shown.splitlines() if line.startswith("> Lasso"))
    assert row.split()[-1] == "balanced"
    assert "0.48" in row
    assert ("[0.400, 0.560]" in row) is interval_shown
    assert "…" not in shown
