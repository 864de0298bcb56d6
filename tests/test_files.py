"""A folder of results changes as a whole or not at all."""

import os
import signal

import pytest

from bridle.errors import InputError
from bridle.files import check_writable, filling
from bridle.job.saving import FILES, check_folder


def fill(folder, text, names=FILES):
    for name in names:
        (folder / name).write_text(text)


def contents(folder):
    return {p.name: p.read_text() for p in folder.iterdir()}


def test_a_new_folder_appears_whole(tmp_path):
    out = tmp_path / "deep" / "er" / "study"
    with filling(out) as aside:
        fill(aside, "new")
        assert not out.exists()
    assert contents(out) == dict.fromkeys(FILES, "new")
    assert os.listdir(out.parent) == ["study"]


def test_old_files_are_replaced_and_others_stay(tmp_path):
    fill(tmp_path, "old")
    (tmp_path / "notes.txt").write_text("mine")
    with filling(tmp_path) as aside:
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
    with pytest.raises(error), filling(out) as aside:
        fill(aside, "new", FILES[:3])
        raise error
    assert os.listdir(tmp_path) == (["study"] if existing else [])
    if existing:
        assert contents(out) == dict.fromkeys(FILES, "old")


@pytest.fixture
def at_move(monkeypatch):
    """Do something just before the k-th rename."""
    replace, calls = os.replace, []

    def install(k, action):
        def counted(source, target):
            calls.append(target)
            if len(calls) == k:
                action()
            replace(source, target)

        monkeypatch.setattr(os, "replace", counted)

    return install


def test_an_interrupt_while_files_are_moved_waits_until_all_are(tmp_path, at_move):
    fill(tmp_path, "old")
    at_move(2, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt), filling(tmp_path) as aside:
        fill(aside, "new")
    assert contents(tmp_path) == dict.fromkeys(FILES, "new")


@pytest.mark.parametrize("k", range(1, 2 * len(FILES) - 1))
def test_a_file_that_cannot_be_moved_brings_all_old_ones_back(tmp_path, at_move, k):
    fill(tmp_path, "old", FILES[1:])  # the first is new: it must go again

    def locked():
        raise PermissionError(13, "in use by another program")

    at_move(k, locked)
    with pytest.raises(PermissionError), filling(tmp_path) as aside:
        fill(aside, "new")
    assert contents(tmp_path) == dict.fromkeys(FILES[1:], "old")


def test_files_of_another_program_are_not_replaced_unasked(tmp_path):
    (tmp_path / "report.html").write_text("the annual report")
    with pytest.raises(InputError, match=r"report\.html.*--force"):
        check_folder(tmp_path)
    check_folder(tmp_path, force=True)
    (tmp_path / "study.json").write_text("")
    check_folder(tmp_path)


def test_what_is_in_the_way_is_told_before_any_work(tmp_path):
    (tmp_path / "study").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_writable(tmp_path / "study")
    with pytest.raises(InputError, match="can't be written"):
        check_writable(tmp_path / "study" / "below" / "it")
    (tmp_path / "model.bridle").mkdir()
    with pytest.raises(InputError, match=r"model\.bridle is a folder"):
        check_folder(tmp_path, force=True)


def test_looking_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "a" / "b")
    check_writable(tmp_path)
    assert os.listdir(tmp_path) == []
