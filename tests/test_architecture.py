"""Imports point one way along the spine, and docstrings name the parameters that signatures have."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bridle

SOURCE = Path(bridle.__file__).parent
LAYERS = [
    ["errors"],
    ["files", "frozen", "crew"],
    ["_core"],
    ["losses"],
    ["penalties"],
    ["survival"],
    ["convert", "grid"],
    ["data", "datasets"],
    ["matrix"],
    ["certificates", "moments"],
    ["problem"],
    ["several"],
    ["limits", "reduction", "settling"],
    ["adaptive", "blocks", "fitted", "relaxed"],
    ["path"],
    ["linear_dropout"],
    ["design"],
    ["selection"],
    ["diagnosis"],
    ["nets"],
    ["results"],
    ["displays", "estimators", "model_io", "report"],
    ["job"],
    ["cli"],
    ["__main__"],
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
FILES = sorted(p for p in SOURCE.rglob("*.py") if p != SOURCE / "__init__.py")


def own_module(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_modules(path):
    """Names of bridle's top-level modules that a file imports, for types only ones left out."""
    tree = ast.parse(path.read_text())
    guarded = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"bridle.{a.name}" for a in node.names] if node.module == "bridle" else [node.module or ""]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "bridle" and len(parts) > 1 and parts[1] in RANK:
                yield parts[1]


def test_every_module_has_a_layer():
    assert {own_module(p) for p in FILES} <= set(RANK)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_one_way(path):
    own = own_module(path)
    wrong = {m for m in imported_modules(path) if m != own and RANK[m] >= RANK[own]}
    assert not wrong, f"{own} imports {wrong}"


def test_the_documented_layers_are_these():
    text = (Path(__file__).parent.parent / "docs" / "architecture.md").read_text()
    table = text.split("| layer | what is there |")[1].split("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert [re.findall(r"`(\w+)`", row) for row in rows] == LAYERS


def public_callables():
    for name in bridle.__all__:
        if name.startswith("__"):
            continue
        thing = getattr(bridle, name)
        if callable(thing):
            yield name, thing


@pytest.mark.parametrize(("name", "thing"), list(public_callables()))
def test_docstring_names_the_parameters_of_the_signature(name, thing):
    doc = inspect.getdoc(thing)
    assert doc, f"{name} has no docstring"
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", doc, re.M | re.S)
    if section is None:
        pytest.skip("documented by its fields")
    documented = {
        part.strip().lstrip("*")
        for line in section[1].splitlines()
        if line and not line[0].isspace()
        for part in line.split(":")[0].split(",")
    }
    parameters = {p for p in inspect.signature(thing).parameters if p not in ("self", "args", "kwargs")}
    assert documented == parameters


def test_importing_bridle_imports_nothing_heavy():
    code = (
        "import sys, bridle; print(*[m for m in ('numpy', 'scipy', 'sklearn', 'polars', 'torch') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""


def test_public_names_resolve():
    for name in bridle.__all__:
        assert getattr(bridle, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lassso'"):
        bridle.lassso  # noqa: B018
    assert importlib.import_module("bridle").study is bridle.study
