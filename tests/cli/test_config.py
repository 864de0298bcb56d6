"""--config and --fail-on: what they take, what wins, and what they say to a mistake."""

import inspect
from types import SimpleNamespace

import pytest
import typer

from bridle.cli.gate import parse_labels


@pytest.fixture
def asked(cli, monkeypatch, tmp_path):
    """Run ``bridle fit`` with a job that only notes what it was asked for."""
    notes = {}

    def study(data, target, **options):
        notes.update(options, data=data, target=target)

        def save(folder, force):
            folder.mkdir()
            (folder / "study.json").write_text("")

        return SimpleNamespace(result=None, verdict=SimpleNamespace(label="undetermined"), save=save)

    monkeypatch.setattr("bridle.job.study", study)
    monkeypatch.setattr("bridle.cli.verdict.print_study", lambda *_, **__: None)
    monkeypatch.chdir(tmp_path)

    def run(*args):
        notes.clear()
        return cli("fit", *args), notes

    return run


def config(tmp_path, text):
    path = tmp_path / "bridle.toml"
    path.write_text(text)
    return path


def test_options_come_from_the_file_and_the_command_line_wins(asked, tmp_path):
    path = config(tmp_path, 'target = "y"\nfolds = 5\nn-jobs = 1\nexclude = ["a", "b c"]\nquiet = true\nholdout = 0.3')
    done, notes = asked("x.csv", "--config", path, "--folds", "7")
    assert done.exit_code == 0, done.stderr
    assert (notes["target"], notes["folds"], notes["n_jobs"], notes["holdout"]) == ("y", 7, 1, 0.3)
    assert notes["exclude"] == ("a", "b c")


def test_the_file_may_name_the_table_too(asked, tmp_path):
    done, notes = asked("--config", config(tmp_path, 'file = "x.csv"\ntarget = "y"'))
    assert done.exit_code == 0, done.stderr
    assert notes["data"] == "x.csv"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fold = 5", ["'fold'", "did you mean folds"]),
        ("zzzzzz = 5", ["'zzzzzz'", "known are"]),
        ("folds = ", ["isn't TOML"]),
        ('folds = "many"', ["--folds"]),
        ("[fit]\nfolds = 3", ["'fit'"]),
        ("[folds]\nn = 3", ["is a table"]),
        ("config = 'other.toml'", ["'config'"]),
    ],
)
def test_mistakes_in_the_file_are_named(asked, tmp_path, text, words):
    done, notes = asked("x.csv", "--target", "y", "--config", config(tmp_path, text))
    assert done.exit_code == 2
    assert not notes
    said = " ".join(done.stderr.replace("│", " ").split())
    assert all(word in said for word in words), said


def test_a_config_that_is_not_there(asked):
    done, _ = asked("x.csv", "--target", "y", "--config", "no.toml")
    assert done.exit_code == 2
    assert "no.toml" in done.stderr


def test_defaults_are_those_of_the_python_function(asked):
    from bridle.job.run import study

    _, notes = asked("x.csv", "--target", "y")
    defaults = {name: p.default for name, p in inspect.signature(study).parameters.items() if name in notes}
    given = {name: notes[name] for name in defaults}
    for name in ("data", "target", "command", "progress"):
        del defaults[name], given[name]
    assert given == defaults


def test_lists_are_split_at_commas(asked):
    _, notes = asked("x.csv", "-t", "y", "--models", "ridge, elastic-net", "--exclude", "a,,b")
    assert notes["models"] == ["ridge", "elastic-net"]
    assert notes["exclude"] == ("a", "b")


@pytest.mark.parametrize(("given", "code"), [("undetermined", 10), ("no-signal, Undetermined", 10), ("overfitting", 0)])
def test_fail_on_exits_with_10_when_the_verdict_is_named(asked, tmp_path, given, code):
    done, _ = asked("x.csv", "-t", "y", "--fail-on", given)
    assert done.exit_code == code
    assert (tmp_path / "bridle-x" / "study.json").exists()  # the results are there either way


def test_fail_on_knows_every_verdict_in_any_usual_spelling():
    gate = parse_labels("no_signal,OVERFITTING, balanced")
    assert gate.labels == ("no signal", "overfitting", "balanced")
    with pytest.raises(typer.BadParameter, match="did you mean 'underfitting'"):
        parse_labels("underfit")
