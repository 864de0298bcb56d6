"""Group and sparse group lasso against Clarabel, a solver of conic programmes; MCP and SCAD against skglm's figures."""

import json
from pathlib import Path

import clarabel
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes


def conic_fit(X, y, lam, groups, *, family, l1_ratio, l1_share):
    """Minimise the objective of docs/penalties.md on standardised columns; returns (b0, b on the original scale).

    Variables: b0, b (p,), t (n,) above the loss of each row, r (G,) above the norms, a (p,) above |b|; for the binomial
    loss also u, v (n,) with u + v <= 1, u above exp(-t), v above exp(eta - t).
    """
    n, p = X.shape
    mean, scale = X.mean(0), X.std(0)
    Z = (X - mean) / scale
    labels, number = np.unique(groups, return_inverse=True)
    G = len(labels)
    at = np.cumsum([0, 1, p, n, G, p, n, n])  # b0, b, t, r, a, u, v
    m = at[-1]
    ridge, rows, limits, cones = lam * (1 - l1_ratio), [], [], []

    def affine(entries, constant=0.0):
        """One row of s = constant + sum coefficient * variable; Clarabel wants A x + s = limit."""
        row = np.zeros(m)
        for place, coefficient in entries:
            row[place] -= coefficient
        rows.append(row)
        limits.append(constant)

    def eta(i, sign=1.0):
        return [(0, sign)] + [(1 + j, sign * Z[i, j]) for j in range(p)]

    for j in range(p):  # a_j >= |b_j|
        affine([(at[4] + j, 1.0), (1 + j, -1.0)])
        affine([(at[4] + j, 1.0), (1 + j, 1.0)])
    if family == "binomial":
        for i in range(n):
            affine([(at[5] + i, -1.0), (at[6] + i, -1.0)], 1.0)
    cones.append(clarabel.NonnegativeConeT(len(rows)))
    for g in range(G):
        members = np.flatnonzero(number == g)
        affine([(at[3] + g, 1.0)])
        for j in members:
            affine([(1 + j, 1.0)])
        cones.append(clarabel.SecondOrderConeT(1 + len(members)))
    for i in range(n):  # exponential cone: (x, y, z) with y exp(x / y) <= z
        if family == "poisson":
            affine(eta(i))
            affine([], 1.0)
            affine([(at[2] + i, 1.0)])
            cones.append(clarabel.ExponentialConeT())
        elif family == "binomial":
            for shift, place in (([], at[5] + i), (eta(i), at[6] + i)):
                affine([*shift, (at[2] + i, -1.0)])
                affine([], 1.0)
                affine([(place, 1.0)])
                cones.append(clarabel.ExponentialConeT())
    P, q = np.zeros((m, m)), np.zeros(m)
    columns = np.column_stack([np.ones(n), Z])
    if family == "gaussian":
        P[: p + 1, : p + 1] = columns.T @ columns / n
        q[: p + 1] = -columns.T @ y / n
        for i in range(n):  # t has no part in it
            P[at[2] + i, at[2] + i] = 1.0
    else:
        q[: p + 1] = -columns.T @ y / n
        q[at[2] : at[3]] = 1.0 / n
    P[1 : p + 1, 1 : p + 1] += ridge * np.eye(p)
    q[at[3] : at[4]] = lam * l1_ratio * (1 - l1_share) * np.sqrt(np.bincount(number))
    q[at[4] : at[5]] = lam * l1_ratio * l1_share + 1e-12
    if family != "binomial":
        P[at[5] :, at[5] :] = np.eye(2 * n)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(np.triu(P)), q, sparse.csc_matrix(np.array(rows)), np.array(limits), cones, settings
    )
    x = np.array(solver.solve().x)
    b = x[1 : p + 1] / scale
    return x[0] - mean @ b, b


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize(("l1_ratio", "l1_share"), [(1.0, 0.0), (1.0, 0.5), (0.6, 0.3)])
def test_paths_agree_with_clarabel(kit, family, l1_ratio, l1_share):
    X, y, _ = kit.data(family, 60, 10, seed=21)
    groups = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3])
    spec = f"sparse_group_lasso(l1_share={l1_share})" if l1_share else "group_lasso"
    path = kit.fit(X, y, spec, groups, family=family, l1_ratio=l1_ratio, n_lambdas=4, lambda_min_ratio=0.05, tol=1e-12)
    for k in (1, 2, 3):
        b0, b = conic_fit(X, y, path.lambdas[k], groups, family=family, l1_ratio=l1_ratio, l1_share=l1_share)
        np.testing.assert_allclose(path.coef[k], b, atol=2e-6 * max(1.0, np.abs(b).max()))
        assert path.intercept[k] == pytest.approx(b0, abs=1e-5)


@pytest.mark.parametrize("spec", ["mcp(gamma=3)", "scad(gamma=3.7)"])
def test_concave_paths_are_those_of_skglm(kit, spec):
    """Figures of skglm 0.5 (tests/oracle_data/skglm), which warm-starts along the same lambdas."""
    stored = json.loads((Path(__file__).parents[1] / "oracle_data" / "skglm" / "concave.json").read_text())
    X, y = load_diabetes(return_X_y=True)
    path = kit.fit(X, (y - y.mean()) / y.std(), spec, None, lambdas=stored["lambdas"], tol=1e-10)
    np.testing.assert_allclose(path.coef * X.std(0), stored[spec.split("(")[0]], atol=1e-8)
