"""Dropout networks: bad input, interrupts, divergence, a missing PyTorch, and what a terminal sees."""

import contextlib
import io
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import bridle.estimators._dropout as shared
from bridle import DropoutClassifier, DropoutRegressor
from bridle.errors import BridleWarning, ConvergenceError, InputError
from bridle.estimators._dropout_progress import progress_bar

torch = pytest.importorskip("torch")

QUICK = {"hidden": (8,), "max_epochs": 5, "random_state": 0}

BAD = [
    ({"dropout": 1.0}, "dropout must be a share from 0"),
    ({"dropout": -0.1}, "dropout must be a share from 0"),
    ({"dropout": "half"}, "dropout must be a share from 0"),
    ({"dropout": np.nan}, "dropout must be a share from 0"),
    ({"input_dropout": 1.0}, "input_dropout must be a share from 0"),
    ({"hidden": (64, 0)}, "hidden must be a tuple"),
    ({"hidden": 8.5}, "hidden must be a tuple"),
    ({"hidden": True}, "hidden must be a tuple"),
    ({"hidden": None}, "hidden must be a tuple"),
    ({"hidden": "64"}, "hidden must be a tuple"),
    ({"activation": "sigmoid"}, "activation"),
    ({"normalization": "instance"}, "normalization"),
    ({"learning_rate": 0.0}, "learning_rate must be a number above 0"),
    ({"learning_rate": np.inf}, "learning_rate must be a number above 0"),
    ({"batch_size": 0}, "batch_size must be a whole number"),
    ({"batch_size": "all"}, "batch_size must be a whole number"),
    ({"batch_size": 1, "normalization": "batch"}, "batch_size must be at least 2"),
    ({"max_epochs": 0}, "max_epochs must be a whole number"),
    ({"patience": 1.5}, "patience must be a whole number"),
    ({"tol": -1.0}, "tol must be a number from 0"),
    ({"l1": -1.0}, "l1 must be a number from 0"),
    ({"l2": "much"}, "l2 must be a number from 0"),
    ({"group_l1": np.nan}, "group_l1 must be a number from 0"),
    ({"validation_fraction": 0.0}, "validation_fraction must be a number above 0"),
    ({"validation_fraction": 1.0}, "validation_fraction must be a number above 0"),
    ({"early_stopping": "yes"}, "early_stopping must be True or False"),
    ({"verbose": "loud"}, "verbose must be True or False"),
    ({"device": "tpu"}, "expected 'auto' or one of cpu"),
    ({"device": "cuda:99"}, "isn't on this machine"),
    ({"random_state": "seed"}, "seed"),
]


@pytest.mark.parametrize("Model", [DropoutClassifier, DropoutRegressor])
@pytest.mark.parametrize(("bad", "message"), BAD, ids=str)
def test_bad_parameters(Model, bad, message, cancer):
    with pytest.raises(ValueError, match=message):
        Model(**QUICK | bad).fit(*cancer)


@pytest.mark.parametrize("Model", [DropoutClassifier, DropoutRegressor])
def test_bad_data(Model, cancer):
    X, y = cancer
    broken = X.copy()
    broken[0, 0] = np.nan
    for bad_X, bad_y in [(broken, y), (X, y[:-1]), (X[:0], y[:0]), (X[:, 0], y), (X.astype(complex) * 1j, y)]:
        with pytest.raises(ValueError):
            Model(**QUICK).fit(bad_X, bad_y)
    for weight in [-np.ones(len(y)), np.full(len(y), np.inf), np.zeros(len(y)), np.ones(3), np.ones((len(y), 2))]:
        with pytest.raises(ValueError, match="weight"):
            Model(**QUICK).fit(X, y, sample_weight=weight)
    with pytest.raises(NotFittedError):
        Model(**QUICK).predict(X)
    model = Model(**QUICK).fit(X, y)
    with pytest.raises(ValueError, match="features"):
        model.predict(X[:, :-1])
    predict = model.predict_proba if Model is DropoutClassifier else model.predict
    for n_samples in (1, 0, 2.5, True, "many"):
        with pytest.raises(InputError, match="n_samples must be a whole number >= 2"):
            predict(X, return_std=True, n_samples=n_samples)


def test_bad_targets(cancer, counts):
    X, y = cancer
    with pytest.raises(InputError, match="only one class"):
        DropoutClassifier(**QUICK).fit(X, np.ones(len(y)))
    with pytest.raises(InputError, match=r"only one class.*weight above 0, '1'"):
        DropoutClassifier(**QUICK).fit(X, y, sample_weight=y)
    with pytest.raises(ValueError, match="Unknown label type"):
        DropoutClassifier(**QUICK).fit(X, y + 0.5 * X[:, 0])
    with pytest.raises(InputError, match="y is always 3 "):
        DropoutRegressor(**QUICK).fit(X, np.full(len(y), 3.0))
    with pytest.raises(InputError, match="y is always 0 "):
        DropoutRegressor(**QUICK, family="poisson").fit(X, np.zeros(len(y)))
    with pytest.raises(InputError, match="at least 0"):
        DropoutRegressor(**QUICK, family="poisson").fit(counts[0], counts[1] - 1.0)
    with pytest.raises(InputError, match="family must be one of 'gaussian', 'poisson'"):
        DropoutRegressor(**QUICK, family="binomial").fit(*counts)
    with pytest.raises(ValueError, match="1d array"):
        DropoutRegressor(**QUICK).fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize("Model", [DropoutClassifier, DropoutRegressor])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_few_rows(Model, early_stopping):
    X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 1, 0, 1])
    model = Model(**QUICK | {"early_stopping": early_stopping})
    with pytest.raises(InputError, match="n_samples=1"):
        model.fit(X[:1], y[:1])
    assert np.isfinite(model.fit(X, y).network_.link(X)).all()


def test_constant_features(cancer):
    X, y = cancer
    flat = np.hstack([X, np.full((len(y), 1), 7.0)])
    model = DropoutClassifier(**QUICK).fit(flat, y)
    assert np.isfinite(model.predict_proba(flat)).all()


# Training that doesn't end well ---------------------------------------------------------------------------------


@pytest.mark.parametrize("Model", [DropoutClassifier, DropoutRegressor])
def test_divergence_is_an_error(Model, cancer):
    with pytest.raises(ConvergenceError, match=r"diverged.*Lower learning_rate \(now 1e\+30\)"):
        Model(**QUICK | {"learning_rate": 1e30}).fit(*cancer)


def test_an_interrupt_keeps_the_best_so_far(cancer, monkeypatch):
    """Ctrl-C arrives while the engine waits, here from the call that reports progress."""
    X, y = cancer

    def interrupt(done, total, loss):
        if done > 0 and not sent:
            sent.append(done)
            raise KeyboardInterrupt

    sent = []
    monkeypatch.setattr(shared, "progress_bar", lambda *_: contextlib.nullcontext(interrupt))
    model = DropoutClassifier(**QUICK | {"max_epochs": 10**6, "early_stopping": False})
    with pytest.warns(BridleWarning, match="interrupted after .* the best network so far"):
        model.fit(X, y)
    assert model.history_.stopped == "an interrupt" and model.n_epochs_ < 10**6
    assert np.isfinite(model.predict_proba(X)).all()


# What a terminal sees -------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_on_a_terminal_only(cancer, monkeypatch, capfd):
    DropoutClassifier(**QUICK | {"verbose": True}).fit(*cancer)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", Terminal())
    DropoutClassifier(**QUICK | {"verbose": True}).fit(*cancer)
    assert "training" in sys.stderr.getvalue() and "epochs" in sys.stderr.getvalue()
    monkeypatch.setattr(sys, "stderr", Terminal())
    DropoutClassifier(**QUICK).fit(*cancer)
    assert sys.stderr.getvalue() == ""


@pytest.mark.parametrize("plain", [False, True])
def test_progress_shows_the_loss_and_respects_no_color(monkeypatch, plain):
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    if plain:
        monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_bar("training", True) as show:
        show(3, 20, float("nan"))
        show(7, 20, 0.4321)
    seen = sys.stderr.getvalue()
    assert "7/20" in seen and "loss 0.4321" in seen
    assert ("\x1b[38" in seen or "\x1b[3" in seen) != plain


# Without PyTorch ------------------------------------------------------------------------------------------------


BLOCKED = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'")

sys.meta_path.insert(0, NoTorch())
"""


def run_without_torch(code, *files):
    script = BLOCKED + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", script, *map(str, files)], capture_output=True, text=True, check=False)


def test_predicting_and_unpickling_need_no_torch(cancer, tmp_path):
    X, y = cancer
    model = DropoutClassifier(**QUICK).fit(X, y)
    (tmp_path / "model").write_bytes(pickle.dumps((model, X)))
    done = run_without_torch(
        """
        import pickle, numpy as np
        model, X = pickle.load(open(sys.argv[1], "rb"))
        np.save(sys.argv[2], np.hstack(model.predict_proba(X, return_std=True)))
        """,
        tmp_path / "model",
        tmp_path / "out.npy",
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), np.hstack(model.predict_proba(X, return_std=True)))


def test_a_missing_torch_is_said_when_fitting():
    done = run_without_torch(
        """
        import numpy as np
        from bridle import DropoutClassifier, DropoutPathCV, DropoutRegressor
        from bridle.errors import MissingExtraError
        for model in (DropoutClassifier(), DropoutRegressor(), DropoutPathCV()):
            try:
                model.fit(np.arange(20.0)[:, None], np.arange(20) % 2)
            except MissingExtraError as error:
                print(error)
        """
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all("pip install 'bridle[nn]'" in line for line in lines)
