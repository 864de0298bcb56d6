"""Slow twins of the compiled loops in plain NumPy, and problems to solve, shared by the tests of the core."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from bridle.certificates import certify
from bridle.losses import get_family
from bridle.path import fit_path
from bridle.penalties import Penalty


def slow_fit(X, y, lam, *, family="gaussian", l1_ratio=1.0, w=None, offset=None, factor=None, lower=-np.inf,
             upper=np.inf, fit_intercept=True, standardize=True, sweeps=20_000):  # fmt: skip
    """Coordinate descent on the dense, centred matrix, with a bound on the curvature (Boehning) where it isn't 1."""
    fam = get_family(family)
    n, p = X.shape
    w = np.full(n, 1.0 / n) if w is None else w / w.sum()
    o = np.zeros(n) if offset is None else offset
    v = np.ones(p) if factor is None else factor
    mean = w @ X
    sd = np.sqrt(w @ (X - mean) ** 2)
    s = np.where(sd > 1e-12, sd, 1.0) if standardize else np.ones(p)
    Z = (X - mean * fit_intercept) / s
    low, high = np.broadcast_to(lower, p) * s, np.broadcast_to(upper, p) * s
    b, b0 = np.zeros(p), 0.0
    for _ in range(sweeps):
        moved = 0.0
        eta = o + b0 + Z @ b
        if fit_intercept:
            step = (w @ fam.gradient(y, eta)) / (w @ fam.curvature(y, eta))
            b0 -= step
            eta -= step
            moved = abs(step)
        for j in range(p):
            if np.isinf(v[j]) or sd[j] <= 1e-12:
                continue
            h = max(w @ (fam.curvature(y, eta) * Z[:, j] ** 2), 1e-12)
            z = h * b[j] - w @ (fam.gradient(y, eta) * Z[:, j])
            soft = np.sign(z) * max(abs(z) - lam * v[j] * l1_ratio, 0.0)
            new = np.clip(soft / (h + lam * v[j] * (1.0 - l1_ratio)), low[j], high[j])
            eta += (new - b[j]) * Z[:, j]
            moved = max(moved, abs(new - b[j]))
            b[j] = new
        if moved < 1e-13:
            break
    return b0 - mean @ (b / s) * fit_intercept, b / s


def make_data(family, n, p, seed, *, correlation=0.3):
    """A problem with signal in the first features: X (n, p), y (n,)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.2, 5.0, size=p) + rng.normal(size=p)
    X += correlation * rng.normal(size=(n, 1))
    eta = (X - X.mean(0))[:, : min(4, p)] @ rng.normal(size=min(4, p))
    eta = eta / max(eta.std(), 1e-9)
    if family == "gaussian":
        return X, eta + 0.5 * rng.normal(size=n)
    if family == "binomial":
        y = (rng.random(n) < 1.0 / (1.0 + np.exp(-1.5 * eta))).astype(float)
        y[:2] = (0.0, 1.0)
        return X, y
    return X, rng.poisson(np.exp(0.7 * eta) + 0.5).astype(float)


def worst_certificate(path, X, y, every=7, **problem):
    """The largest relative gap that the referee finds along a path."""
    penalty = Penalty(
        path.l1_ratio, problem.pop("factor", None), problem.pop("lower", -np.inf), problem.pop("upper", np.inf)
    )
    return max(
        certify(X, y, path.intercept[i], path.coef[i], path.lambdas[i], family=path.family, penalty=penalty,
                fit_intercept=path.fit_intercept, standardize=path.standardize, **problem).relative_gap
        for i in [*range(0, len(path.lambdas), every), len(path.lambdas) - 1]
    )  # fmt: skip


def as_storage(X, kind):
    """X in one of the storages that the core reads."""
    return {
        "F": np.asfortranarray,
        "C": np.ascontiguousarray,
        "csc": sparse.csc_array,
        "csr": sparse.csr_array,
        "float32": lambda A: A.astype(np.float32),
        "strided": lambda A: np.repeat(A, 2, axis=0)[::2],
    }[kind](X)


@pytest.fixture(autouse=True)
def tables_by_rows_are_read_as_they_are(monkeypatch):
    """As beyond a size that tests don't reach: the core's loops over rows are to be tested too."""
    monkeypatch.setattr("bridle.matrix.COPIED", 0)


@pytest.fixture(scope="session")
def kit():
    """Helpers, as one fixture: test files don't import one another."""
    return SimpleNamespace(
        slow_fit=slow_fit, make_data=make_data, worst=worst_certificate, storage=as_storage, fit_path=fit_path
    )
