"""skglm: coordinate descent for quadratic losses, prox-Newton for others, as its estimators and examples combine them.

``AndersonCD.path`` (gaussian, binomial lasso, MCP), ``MultiTaskBCD.path``, and, warm-started here, ``GroupBCD``,
``GroupProxNewton`` (binomial groups) and ``ProxNewton`` (Poisson, gamma, Cox with Breslow's ties). Scale: all datafits
are means, so ``alpha`` is lambda, for groups with weights the square roots of their sizes; classes are -1 and 1.
Compiled by numba at the first call.
"""

import numpy as np
from skglm.datafits import (
    Cox,
    Gamma,
    Logistic,
    LogisticGroup,
    Poisson,
    Quadratic,
    QuadraticGroup,
    QuadraticMultiTask,
)
from skglm.penalties import L1, L2_1, L1_plus_L2, MCPenalty, WeightedGroupL2
from skglm.solvers import AndersonCD, GroupBCD, GroupProxNewton, MultiTaskBCD, ProxNewton

DATAFITS = {"binomial": Logistic, "poisson": Poisson, "gamma": Gamma, "cox": Cox}


def refuses(job):
    if job["family"] == "multigaussian" and job["joint"] and job["l1_ratio"] == 1 and job["groups"] == 1:
        return None
    if job["family"] != "gaussian" and job["family"] not in DATAFITS:
        return f"no {job['family']} loss, or not with this penalty"
    if job["groups"] > 1 and (job["family"] not in ("gaussian", "binomial") or job["l1_ratio"] < 1):
        return "no such groups"
    return "MCP of quadratic losses only" if job["penalty"].startswith("mcp") and job["family"] != "gaussian" else None


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
    if job["penalty"].startswith("mcp"):
        penalty = MCPenalty(lambdas[0], float(job["penalty"].removeprefix("mcp(gamma=").rstrip(")")))
    else:
        penalty = L1(lambdas[0]) if a == 1 else L1_plus_L2(lambdas[0], a)
    if job["family"] == "gaussian":
        solver = AndersonCD(tol=tol, max_iter=1000, fit_intercept=True, ws_strategy="subdiff" if a > 0 else "fixpoint")
        _, coef, _ = solver.path(X, y, Quadratic(), penalty, lambdas)
        return coef[:p].T, coef[p]
    intercept = job["family"] != "cox"
    solver = ProxNewton(tol=tol, max_iter=1000, fit_intercept=intercept)
    return warm(X, y, DATAFITS[job["family"]](), penalty, solver, lambdas, intercept)


def grouped(X, y, lambdas, tol, job):
    p, m = X.shape[1], job["groups"]
    pointers, indices = np.arange(0, p + 1, m, dtype=np.int32), np.arange(p, dtype=np.int32)
    penalty = WeightedGroupL2(lambdas[0], np.full(p // m, np.sqrt(m)), pointers, indices)
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
