"""skglm: ``AndersonCD.path`` (gaussian, binomial lasso), ``ProxNewton`` warm-started (Poisson), as its examples do.

Scale: all datafits are means, so ``alpha`` is lambda; classes are -1 and 1. Compiled by numba at the first call.
"""

import numpy as np
from skglm.datafits import Logistic, Poisson, Quadratic
from skglm.penalties import L1, L1_plus_L2
from skglm.solvers import AndersonCD, ProxNewton


def refuses(job):
    return None


def prepare(X, y, job):
    y = 2.0 * y - 1.0 if job["family"] == "binomial" else y
    return X, y.astype(X.dtype)


def path(data, lambdas, tol, job):
    X, y = data
    n, p = X.shape
    a = job["l1_ratio"]
    penalty = L1(lambdas[0]) if a == 1 else L1_plus_L2(lambdas[0], a)
    if job["family"] == "gaussian":
        solver = AndersonCD(tol=tol, max_iter=1000, fit_intercept=True, ws_strategy="subdiff" if a > 0 else "fixpoint")
        _, coef, _ = solver.path(X, y, Quadratic(), penalty, lambdas)
        return coef[:p].T, coef[p]
    datafit = Logistic() if job["family"] == "binomial" else Poisson()
    solver = ProxNewton(tol=tol, max_iter=1000, fit_intercept=True)
    w, fitted = np.zeros(p + 1, dtype=X.dtype), np.zeros(n, dtype=X.dtype)
    coef = np.zeros((len(lambdas), p + 1))
    for k, lam in enumerate(lambdas):
        penalty.alpha = lam
        w, _, _ = solver.solve(X, y, datafit, penalty, w.copy(), fitted)
        fitted = (X @ w[:p] + w[p]).astype(X.dtype)
        coef[k] = w
    return coef[:, :p], coef[:, p]
