"""Survival data to try, shared by the tests of this folder."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bridle.survival import survival_target


def make_rows(rng, n, *, tied=False, late=False, strata=1):
    """A target (n, 4) with ties, late entries and strata where asked for, and at least one event."""
    time = rng.integers(1, 8, n).astype(float) if tied else rng.random(n) * 10.0 + 0.1
    start = np.full(n, -np.inf)
    if late:
        some = np.where(rng.random(n) < 0.6, time * rng.random(n), -np.inf)
        start = np.where(np.isfinite(some), np.floor(some) if tied else some, -np.inf)
        start = np.where(start >= time, time - 1.0, start)
    event = rng.random(n) < 0.6
    event[0] = True
    return survival_target(time, event, start, rng.integers(0, strata, n))


def make_problem(n, p, seed=0, **kinds):
    """Features (n, p) whose first few matter, and a target (n, 4)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.3, 3.0, p) + rng.normal(size=p)
    k = min(4, p)
    eta = (X[:, :k] - X[:, :k].mean(0)) @ rng.normal(size=k)
    life = rng.exponential(size=n) * np.exp(-eta / max(eta.std(), 1e-9))
    seen = rng.exponential(2.0, size=n)
    time = np.minimum(life, seen)
    if kinds.get("tied"):
        time = np.ceil(8.0 * time)
    start = np.where(rng.random(n) < 0.5, time * rng.random(n), -np.inf) if kinds.get("late") else None
    if start is not None and kinds.get("tied"):
        start = np.where(np.isfinite(start), np.floor(start), start)
        start = np.where(start >= time, time - 1.0, start)
    event = life <= seen
    event[0] = True
    return X, survival_target(time, event, start, rng.integers(0, kinds.get("strata", 1), n))


@pytest.fixture(scope="session")
def kit():
    """Helpers, as one fixture: test files don't import one another."""
    return SimpleNamespace(rows=make_rows, problem=make_problem)
