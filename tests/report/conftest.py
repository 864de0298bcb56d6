"""Studies for the report's tests, each built once in a session."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bridle.report import render


def _load(name: str) -> ModuleType:
    """Load a helper beside this file: test folders are no packages, so it is registered under a name of its own."""
    known = f"report_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module
        spec.loader.exec_module(module)
    return sys.modules[known]


for _name in ("tables", "evidence", "studies", "networks"):
    _load(_name)
CASES = _load("cases").ALL
_pages: dict[str, str] = {}


@pytest.fixture(scope="session", params=list(CASES))
def case(request):
    """Name and study of each case in turn."""
    return request.param, CASES[request.param]()


@pytest.fixture(scope="session")
def study():
    """Build a study by name."""
    return lambda name: CASES[name]()


@pytest.fixture(scope="session")
def page():
    """Render a study by name, once."""

    def rendered(name: str) -> str:
        if name not in _pages:
            _pages[name] = render(CASES[name]())
        return _pages[name]

    return rendered
