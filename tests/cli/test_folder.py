"""A folder of results changes as a whole or not at all."""

import os
import signal

import pytest

from bridle.cli.folder import FILES, staged
from bridle.errors import InputError


def fill(folder, text, names=FILES):
    for name in names:
        (folder / name).write_text(text)


def contents(folder):
    return {p.name: p.read_text() for p in folder.iterdir()}


def test_a_new_folder_appears_whole(tmp_path):
    out = tmp_path / "deep" / "er" / "study"
    with staged(out) as aside:
        fill(aside, "new")
        assert not out.exists()
    assert contents(out) == dict.fromkeys(FILES, "new")
    assert os.listdir(out.parent) == ["study"]


def test_an_old_study_is_replaced_and_other_files_stay(tmp_path):
    fill(tmp_path, "old")
    (tmp_path / "notes.txt").write_text("mine")
    with staged(tmp_path) as aside:
        fill(aside, "new")
        assert (tmp_path / "study.json").read_text() == "old"
    assert contents(tmp_path) == {**dict.fromkeys(FILES, "new"), "notes.txt": "mine"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("existing", [True, False])
def test_a_failure_changes_nothing(tmp_path, error, existing):
    out = tmp_path / "study"
    if existing:
        out.mkdir()
        fill(out, "old")
    with pytest.raises(error), staged(out) as aside:
        fill(aside, "new", FILES[:3])
        raise error
    assert os.listdir(tmp_path) == (["study"] if existing else [])
    if existing:
        assert contents(out) == dict.fromkeys(FILES, "old")


def test_an_interrupt_while_files_are_moved_waits_until_all_are(tmp_path, monkeypatch):
    fill(tmp_path, "old")
    replace = os.replace
    calls = []

    def interrupted(source, target):
        calls.append(target)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), staged(tmp_path) as aside:
        fill(aside, "new")
    assert contents(tmp_path) == dict.fromkeys(FILES, "new")


def test_files_of_another_program_are_not_replaced_unasked(tmp_path):
    (tmp_path / "report.html").write_text("the annual report")
    with pytest.raises(InputError, match=r"report\.html.*--force"), staged(tmp_path):
        pytest.fail("no work may start")
    with staged(tmp_path, force=True) as aside:
        fill(aside, "new")
    assert (tmp_path / "report.html").read_text() == "new"


def test_a_file_in_the_way_is_told_before_any_work(tmp_path):
    (tmp_path / "study").write_text("")
    with pytest.raises(InputError, match="is a file"), staged(tmp_path / "study"):
        pytest.fail("no work may start")
    with pytest.raises(InputError, match="can't be written"), staged(tmp_path / "study" / "below" / "it"):
        pytest.fail("no work may start")
