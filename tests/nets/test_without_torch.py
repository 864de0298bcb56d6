"""Without PyTorch everything but training works, and training says what to install."""

import subprocess
import sys

import pytest

HIDDEN = "import sys; sys.modules['torch'] = None\n"


def run(code):
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_asks_for_the_extra_and_nothing_else_does():
    run(
        HIDDEN
        + """
import numpy as np
import bridle, bridle.nets
from bridle.errors import MissingExtraError
from bridle.nets import Architecture, Network, Training, available, dropout_path
from bridle.nets.engine import Rows, Task, split_validation, train
from bridle.nets.network import Layer
import bridle.nets.stack, bridle.nets.evidence, bridle.nets.adam, bridle.nets.task_data

assert available() is False
X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20.0)
layer = Layer(np.ones((3, 1), np.float32), np.zeros(1, np.float32))
network = Network((layer,), "relu", 0.0, 0.0, "gaussian", np.zeros(3), np.ones(3), np.zeros(1), 1.0)
assert np.allclose(network.link(X), X.sum(axis=1), atol=1e-5)
assert split_validation(y, np.arange(20), family="gaussian", fraction=0.2, seed=0)[1].size == 4
task = Task(np.arange(20), np.arange(0), 0)
calls = (
    lambda: train(Rows(X, y), [task], [0.5], Architecture(), Training(), family="gaussian"),
    lambda: dropout_path(X, y, family="gaussian"),
)
for call in calls:
    try:
        call()
    except MissingExtraError as error:
        assert "pip install 'bridle[nn]'" in str(error) and "\\n" not in str(error), error
        assert isinstance(error, ImportError) and error.__cause__ is None
    else:
        raise AssertionError("nothing was missed")
assert sys.modules["torch"] is None
"""
    )


def test_importing_does_not_import_torch():
    pytest.importorskip("torch")
    run(
        """
import sys
import bridle, bridle.nets
from bridle.nets import available
import bridle.nets.engine, bridle.nets.stack, bridle.nets.dropout, bridle.nets.evidence, bridle.nets.network
assert available() and "torch" not in sys.modules
"""
    )


def test_training_does_not_import_the_optimisers():
    """They take PyTorch's compiler with them, a second at every first fit."""
    pytest.importorskip("torch")
    run(
        """
import sys
import numpy as np
from bridle.nets import Architecture, Training
from bridle.nets.engine import Rows, Task, train
X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20.0)
task = Task(np.arange(20), np.arange(0), 0)
train(Rows(X, y), [task], [0.5], Architecture((4,)), Training(max_epochs=1), family="gaussian")
assert "torch._dynamo" not in sys.modules
"""
    )


def test_names_are_not_taken_by_modules():
    """A module ``bridle.nets.x`` would stand where a function of the same name should, once it's imported."""
    run(
        """
import importlib, pkgutil
import bridle.nets
for module in pkgutil.iter_modules(bridle.nets.__path__):
    importlib.import_module(f"bridle.nets.{module.name}")
names = [name for name in bridle.nets.__all__ if not callable(getattr(bridle.nets, name))]
assert not names, names
"""
    )
