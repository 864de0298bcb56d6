"""The benchmark's scripts as modules: they aren't a package, and import each other by their bare names."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "solvers"


@pytest.fixture(scope="session")
def referee() -> Iterator[ModuleType]:
    """benchmarks/solvers/objective.py."""
    names = ("families", "penalties", "objective")
    before = {name: sys.modules.pop(name, None) for name in names}
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("objective")
    sys.path.remove(str(FOLDER))
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update({name: module for name, module in before.items() if module is not None})
