"""A slow twin of the solvers for several linear predictors, and problems to solve."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bridle.losses import get_family
from bridle.path import fit_path
from bridle.penalties import Penalty
from bridle.several import certify_several

FAMILIES = ("multinomial", "multigaussian", "ordinal")


def make_data(family, n, p, seed, classes=4):
    """Features of different sizes, and a target that some of them drive."""
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, p)) + 0.4 * rng.normal(size=(n, 1))) * rng.uniform(0.5, 2.0, size=p) + rng.normal(size=p)
    B = rng.normal(size=(p, classes)) * (rng.random((p, classes)) < 0.4)
    eta = (X - X.mean(axis=0)) @ B
    if family == "multigaussian":
        return X, eta + rng.normal(size=(n, classes)) + 2.0
    if family == "ordinal":
        score = eta[:, 0] + rng.logistic(size=n)
        return X, np.searchsorted(np.quantile(score, np.arange(1, classes) / classes), score)
    return X, np.argmax(eta + rng.gumbel(size=(n, classes)), axis=1)


def prox(B, step, l1, ridge, joint):
    """Proximal operator of step (l1 |.| + ridge/2 |.|^2), by rows or by coefficients; l1, ridge (p, 1)."""
    size = np.linalg.norm(B, axis=1, keepdims=True) if joint else np.abs(B)
    shrunk = np.where(size > step * l1, 1.0 - step * l1 / np.where(size > 0.0, size, 1.0), 0.0)
    return B * shrunk / (1.0 + step * ridge)


def slow_fit(X, y, lam, *, family, l1_ratio=1.0, joint=False, w=None, offset=None, factor=None, fit_intercept=True,
             standardize=True, lower=-np.inf, upper=np.inf, steps=200_000):  # fmt: skip
    """Accelerated proximal gradient with restarts (O'Donoghue and Candes 2015) on the dense, centred matrix."""
    fam = get_family(family)
    n, p = X.shape
    target = fam.target(y, n)
    w = np.full(n, 1.0 / n) if w is None else w / w.sum()
    o = fam.read_offset(offset, target)
    mean = (w @ X) * fit_intercept
    s = np.sqrt(w @ (X - w @ X) ** 2) if standardize else np.ones(p)
    Z = (X - mean) / s
    v = (np.ones(p) if factor is None else factor)[:, None]
    out, v = np.isinf(v[:, 0]), np.where(np.isinf(v), 0.0, v)
    l1, ridge = lam * l1_ratio * v, lam * (1.0 - l1_ratio) * v
    width = 1 if fam.shared else fam.predictors(target)
    A = np.column_stack([Z, np.ones(n)]) if fit_intercept and not fam.shared else Z
    bound = {"multinomial": 0.5, "multigaussian": 1.0, "ordinal": 0.5}[family]
    step = 1.0 / (bound * np.linalg.eigvalsh(A.T @ (w[:, None] * A))[-1])
    B = np.zeros((A.shape[1], width))
    point, t = B.copy(), 1.0
    for _ in range(steps):
        move = point + step * A.T @ fam.residual(target, o + A @ point, w)
        new = move.copy()
        new[:p] = prox(move[:p], step, l1, ridge, joint)
        new[:p] = np.clip(new[:p], lower * s[:, None], upper * s[:, None])
        new[:p][out] = 0.0
        if np.sum((point - new) * (new - B)) > 0.0:
            t, point = 1.0, B.copy()
            continue
        t_next = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        point = new + (t - 1.0) / t_next * (new - B)
        small = np.max(np.abs(new - B)) <= 1e-13 * max(1.0, np.max(np.abs(new)))
        B, t = new, t_next
        if small:
            break
    coef = B[:p] / s[:, None]
    if fam.shared:
        b0 = fam.intercepts(target, w, o[:, 0] + X @ coef[:, 0])
    else:
        b0 = B[p] - mean @ coef if fit_intercept else np.zeros(width)
    return b0, coef


def worst_certificate(path, X, y, *, every=3, **problem):
    """Largest relative gap, or violation, that the referee finds on a path."""
    pen = Penalty(
        path.l1_ratio, problem.pop("factor", None), problem.pop("lower", -np.inf), problem.pop("upper", np.inf),
        path.penalty, path.groups,
    )  # fmt: skip
    found = [
        certify_several(X, y, path.intercept[i], path.coef[i], path.lambdas[i], family=path.family, penalty=pen,
                        fit_intercept=path.fit_intercept, standardize=path.standardize, **problem)
        for i in [*range(0, len(path.lambdas), every), len(path.lambdas) - 1]
    ]  # fmt: skip
    return max(c.stationarity if pen.concave else c.relative_gap for c in found)


@pytest.fixture(scope="session")
def kit():
    """Helpers, as one fixture: test files don't import one another."""
    return SimpleNamespace(
        slow_fit=slow_fit, make_data=make_data, worst=worst_certificate, fit_path=fit_path, families=FAMILIES
    )
