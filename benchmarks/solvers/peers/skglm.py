"""skglm: coordinate descent for quadratic losses, prox-Newton for others, as its estimators and examples combine them.

``AndersonCD.path`` (gaussian, Huber, MCP and SCAD, whose prox needs its fixed steps), ``MultiTaskBCD.path``, and,
warm-started here, ``GroupBCD``, ``GroupProxNewton`` (binomial groups) and ``ProxNewton`` (binomial lasso, Poisson,
gamma, Cox with Breslow's ties). Sparse groups have no distance to the subdifferential there, so working sets are by
fixed points, and their value fails with an intercept: none is fitted, columns are centred by the benchmark, the target
and a fold's columns here. Scale: all datafits are means, so ``alpha`` is lambda, for groups with weights the square
roots of their sizes; classes are -1 and 1. Compiled by numba at the first call.
"""

from functools import partial

import numpy as np
from skglm.datafits import (
    Cox,
    Gamma,
    Huber,
    Logistic,
    LogisticGroup,
    Poisson,
    Quadratic,
    QuadraticGroup,
    QuadraticMultiTask,
)
from skglm.penalties import L1, L2_1, SCAD, L1_plus_L2, MCPenalty, WeightedGroupL2, WeightedL1GroupL2
from skglm.solvers import AndersonCD, GroupBCD, GroupProxNewton, MultiTaskBCD, ProxNewton

DATAFITS = {
    "binomial": Logistic,
    "poisson": Poisson,
    "gamma": Gamma,
    "cox": Cox,
    "huber(delta=0.8)": partial(Huber, 0.8),
}
CONCAVE = {"mcp": MCPenalty, "scad": SCAD}


def refuses(job):
    if job["family"] == "multigaussian" and job["joint"] and job["l1_ratio"] == 1 and job["groups"] == 1:
        return None
    if job["family"] != "gaussian" and job["family"] not in DATAFITS:
        return f"no {job['family']} loss, or not with this penalty"
    if job["groups"] > 1 and (job["family"] not in ("gaussian", "binomial") or job["l1_ratio"] < 1):
        return "no such groups"
    if job["family"].startswith("huber") and job["l1_ratio"] == 0:
        return "not adapted"
    concave = job["penalty"].startswith(tuple(CONCAVE))
    return "not adapted" if concave and job["family"] not in ("gaussian", "binomial") else None


def prepare(X, y, job):
    y = 2.0 * y - 1.0 if job["family"] == "binomial" else y
    return X, np.asfortranarray(y.astype(X.dtype))


def path(data, lambdas, tol, job):
    X, y = data
    p, a = X.shape[1], job["l1_ratio"]
    if job["groups"] > 1:
        return grouped(X, y, lambdas, tol, job)
    if job["family"] == "multigaussian":
        solver = MultiTaskBCD(tol=tol, max_iter=1000, fit_intercept=True)
        _, coef, _ = solver.path(X, y, QuadraticMultiTask(), L2_1(lambdas[0]), lambdas)
        coef = coef.transpose(2, 1, 0)  # (L, p + 1, K)
        return coef[:, :p].reshape(len(lambdas), -1), coef[:, p]
    name, _, number = job["penalty"].rstrip(")").partition("(gamma=")
    if name in CONCAVE:
        penalty = CONCAVE[name](lambdas[0], float(number))
    else:
        penalty = L1(lambdas[0]) if a == 1 else L1_plus_L2(lambdas[0], a)
    if job["family"].startswith(("gaussian", "huber")) or name in CONCAVE:
        datafit = Quadratic() if job["family"] == "gaussian" else DATAFITS[job["family"]]()
        solver = AndersonCD(tol=tol, max_iter=1000, fit_intercept=True, ws_strategy="subdiff" if a > 0 else "fixpoint")
        _, coef, _ = solver.path(X, y, datafit, penalty, lambdas)
        return coef[:p].T, coef[p]
    intercept = job["family"] != "cox"
    solver = ProxNewton(tol=tol, max_iter=1000, fit_intercept=intercept)
    return warm(X, y, DATAFITS[job["family"]](), penalty, solver, lambdas, intercept)


def grouped(X, y, lambdas, tol, job):
    p, m = X.shape[1], job["groups"]
    pointers, indices = np.arange(0, p + 1, m, dtype=np.int32), np.arange(p, dtype=np.int32)
    share = float(job["penalty"].rstrip(")").partition("(l1_share=")[2] or 0.0)
    weights = (1.0 - share) * np.full(p // m, np.sqrt(m))
    if share:
        penalty = WeightedL1GroupL2(lambdas[0], weights, np.full(p, share), pointers, indices)
        centre, average = X.mean(axis=0) if job["fold"] else np.zeros(p), y.mean()
        centred = np.asfortranarray(X - centre) if job["fold"] else X
        solver = GroupBCD(tol=tol, max_iter=1000, fit_intercept=False, ws_strategy="fixpoint")
        datafit = QuadraticGroup(pointers, indices)
        coef, _ = warm(centred, y - average, datafit, penalty, solver, lambdas, False)
        return coef, average - coef @ centre
    penalty = WeightedGroupL2(lambdas[0], weights, pointers, indices)
    if job["family"] == "gaussian":
        datafit, solver = QuadraticGroup(pointers, indices), GroupBCD(tol=tol, max_iter=1000, fit_intercept=True)
    else:
        datafit, solver = LogisticGroup(pointers, indices), GroupProxNewton(tol=tol, max_iter=1000, fit_intercept=True)
    return warm(X, y, datafit, penalty, solver, lambdas, True)


def warm(X, y, datafit, penalty, solver, lambdas, intercept):
    """From each lambda's solution to the next."""
    n, p = X.shape
    w, fitted = np.zeros(p + intercept, dtype=X.dtype), np.zeros(n, dtype=X.dtype)
    coef = np.zeros((len(lambdas), p + 1))
    for k, lam in enumerate(lambdas):
        penalty.alpha = lam
        w, _, _ = solver.solve(X, y, datafit, penalty, w.copy(), fitted)
        fitted = (X @ w[:p] + (w[p] if intercept else 0.0)).astype(X.dtype)
        coef[k, : len(w)] = w
    return coef[:, :p], coef[:, p]
