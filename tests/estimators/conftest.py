"""Data that the drop-in tests share: small, of several shapes, and the same for everybody."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes


def _load(name):
    """Load a helper beside this file: test folders are no packages, so it is registered under a name of its own."""
    known = f"estimators_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])


_load("comparison")


@pytest.fixture(scope="session")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X * 20.0 + np.arange(10.0), y  # columns of size 1, away from 0, so that alpha = 1 isn't everything


@pytest.fixture(scope="session")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    X, y = X[::3, :12].copy(), y[::3].copy()
    y[::17] = 1 - y[::17]  # so that no hyperplane separates the classes and every C has its optimum
    return X, y


@pytest.fixture(scope="session")
def wide():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 90))
    return X, X[:, :4] @ [3.0, -2.0, 1.5, 1.0] + rng.normal(size=40)


@pytest.fixture(scope="session")
def counts():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(150, 6))
    mean = np.exp(0.4 * X[:, 0] - 0.3 * X[:, 1] + 0.5)
    return X, rng.poisson(mean).astype(float)


@pytest.fixture(scope="session")
def weights():
    """Weights for any number of rows, a few of them 0."""

    def make(n):
        w = np.random.default_rng(11).integers(0, 4, size=n).astype(float)
        w[:3] = 1.5
        return w

    return make


@pytest.fixture(params=["C", "F", "float32", "csr", "csc", "pandas"])
def container(request):
    """Ways in which the same matrix arrives."""
    import pandas as pd

    return request.param, {
        "C": np.ascontiguousarray,
        "F": np.asfortranarray,
        "float32": lambda X: np.asarray(X, dtype=np.float32),
        "csr": sparse.csr_array,
        "csc": sparse.csc_matrix,
        "pandas": lambda X: pd.DataFrame(X, columns=[f"f{j}" for j in range(X.shape[1])]),
    }[request.param]
