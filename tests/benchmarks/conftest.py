"""The benchmark's scripts as modules: they aren't a package, and import each other by their bare names."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "solvers"


def load(*names: str) -> Iterator[ModuleType]:
    """Import the last of ``names``, which the others are imported by; leave no trace in sys.modules."""
    before = {name: sys.modules.pop(name, None) for name in names}
    sys.path.insert(0, str(FOLDER))
    with warnings.catch_warnings():  # a worker turns warnings off for its process
        module = importlib.import_module(names[-1])
    sys.path.remove(str(FOLDER))
    yield module
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update({name: module for name, module in before.items() if module is not None})


@pytest.fixture(scope="session")
def referee() -> Iterator[ModuleType]:
    """benchmarks/solvers/objective.py."""
    yield from load("family", "ordinal", "robust", "families", "penalties", "objective")


@pytest.fixture(scope="session")
def worker() -> Iterator[ModuleType]:
    """benchmarks/solvers/worker.py."""
    yield from load("worker")


@pytest.fixture(scope="session")
def work() -> Iterator[ModuleType]:
    """benchmarks/solvers/data.py."""
    yield from load("data")
