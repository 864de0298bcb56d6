"""How commands end: exit codes, messages, and nothing imported or printed that wasn't asked for."""

import errno
import os
import signal
import subprocess
import sys

import pytest

import bridle
from bridle.errors import FileFormatError, InputError

COMMANDS = ("fit", "predict", "explain", "report", "compare", "check", "info")
HEAVY = ("numpy", "scipy", "sklearn", "polars", "pandas", "narwhals", "jinja2", "matplotlib", "joblib", "bridle._core")


@pytest.mark.parametrize("args", [["--help"], ["fit", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(args, environment):
    code = (
        "import atexit, sys; sys.argv = ['bridle', *sys.argv[1:]]\n"
        f"atexit.register(lambda: print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules]))\n"
        "from bridle.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.rstrip().endswith("HEAVY []"), done.stdout[-200:]
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(cli, command):
    shown = cli(command, "--help")
    assert shown.exit_code == 0
    assert "Examples" in shown.stdout
    assert f"bridle {command}" in shown.stdout


def test_main_help_names_every_command(cli):
    shown = cli("--help").stdout
    assert all(f" {command} " in shown for command in COMMANDS)


def test_version(cli):
    assert cli("--version").stdout == f"bridle {bridle.__version__}\n"


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ([], "Usage"),
        (["fitt"], "fit"),
        (["fit", "x.csv", "--tarlget", "y"], "--target"),
        (["fit", "x.csv"], "--target"),
        (["fit"], "FILE"),
        (["fit", "x.csv", "--demo"], "--demo"),
        (["fit", "x.csv", "--target", "y", "--folds", "many"], "--folds"),
        (["fit", "x.csv", "--target", "y", "--fail-on", "overfiting"], "overfitting"),
        (["fit", "x.csv", "--target", "y", "--fail-on", ""], "verdict"),
        (["explain", "m.bridle", "x.csv"], "--row"),
        (["compare", "one"], "two or more"),
        (["check", "m.skops"], "FILE"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(cli, args, word):
    done = cli(*args)
    assert done.exit_code == 2
    assert word in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("the age is -3; expected years"), 2, ["error: the age is -3"]),
        (FileFormatError("not a study"), 2, ["error: not a study"]),
        (FileNotFoundError(errno.ENOENT, "No such file", "gone.csv"), 2, ["no such file: gone.csv"]),
        (PermissionError(errno.EACCES, "denied", "locked"), 2, ["no permission for locked"]),
        (OSError(errno.ENOSPC, "No space left on device", "x.html"), 2, ["disk is full", "x.html"]),
        (OSError(errno.EROFS, "Read-only", "x.html"), 2, ["read-only"]),
        (IsADirectoryError(errno.EISDIR, "dir", "d"), 2, ["d is a folder"]),
        (NotADirectoryError(errno.ENOTDIR, "no dir", "f/x"), 2, ["f/x"]),
        (OSError("strange"), 2, ["strange"]),
        (MemoryError(), 2, ["memory"]),
        (ZeroDivisionError("division by zero"), 1, ["internal error: ZeroDivisionError", "bridle info"]),
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, []),
    ],
)
def test_every_failure_has_its_code_and_message(cli, monkeypatch, error, code, words):
    def fail(*_):
        raise error

    monkeypatch.setattr("bridle.job.saving.load_result", fail)
    monkeypatch.setattr("bridle.cli.guard._drop_output", lambda: None)
    done = cli("info", "somewhere.json")
    assert done.exit_code == code
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    if not words:
        assert done.stderr == ""
    for word in words:
        assert word in " ".join(done.stderr.split())


def test_debug_shows_where(cli, monkeypatch):
    monkeypatch.setattr("bridle.job.saving.load_result", lambda _: 1 / 0)
    done = cli("--debug", "info", "somewhere.json")
    assert done.exit_code == 1
    assert "Traceback" in done.stderr
    assert "1 / 0" in done.stderr


def test_warnings_are_single_lines_said_once(cli, monkeypatch):
    import warnings

    from bridle.errors import DataWarning

    def noisy(_):
        for _k in range(3):
            warnings.warn("column 'x' is\nconstant", DataWarning, stacklevel=1)
        raise InputError("enough")

    monkeypatch.setattr("bridle.job.saving.load_result", noisy)
    assert cli("info", "x.json").stderr.splitlines() == ["warning: column 'x' is constant", "error: enough"]


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_closed_pipe_is_left_without_a_word(environment, option):
    command = [sys.executable, "-m", "bridle", "info", *option]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, check=False)
    finally:
        os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 141


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_with_130(environment, number):
    code = (
        "import sys, time\n"
        "import bridle.job.saving as s\n"
        "def wait(_):\n    print('ready', flush=True); time.sleep(60)\n"
        "s.load_result = wait\n"
        "sys.argv = ['bridle', 'info', 'x.json']\n"
        "from bridle.cli import main; main()"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert running.stdout.readline() == "ready\n"
    running.send_signal(number)
    _, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr


def test_an_interrupt_that_an_extension_turned_into_an_error_is_still_one(cli, monkeypatch):
    def importing(_):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise ImportError("Encountered an error while initializing the extension.") from None

    monkeypatch.setattr("bridle.job.saving.load_result", importing)
    done = cli("info", "x.json")
    assert done.exit_code == 130
    assert "interrupted" in done.stderr


def test_what_is_registered_for_the_end_is_done_before_it(environment, tmp_path):
    code = (
        "import atexit, sys, tempfile\n"
        "folder = tempfile.TemporaryDirectory(dir=sys.argv[1])\n"
        "atexit.register(lambda: print('the end'))\n"
        "sys.argv = ['bridle', '--version']\n"
        "from bridle.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "the end"
    assert list(tmp_path.iterdir()) == []
