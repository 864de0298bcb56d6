"""snapml: ``LogisticRegression`` and ``LinearRegression``, one fit per lambda: it has no path and no warm starts.

Scale: losses are sums, so ``regularizer`` is n lambda. Its intercept is one more, penalised, feature: where the
intercept is zero (dense gaussian tables are centred) none is fitted; else ``intercept_scaling=100`` makes its penalty
small, which costs it accuracy. The dual is solved where n > p and the penalty is L2, as its documentation recommends;
an L1 penalty has the primal only.
"""

import numpy as np
from scipy import sparse
from snapml import LinearRegression, LogisticRegression


def refuses(job):
    if job["family"] not in ("gaussian", "binomial") or job["penalty"] != "elastic_net":
        return f"no {job['family']} loss with {job['penalty']}"
    if 0 < job["l1_ratio"] < 1:
        return "no elastic net"
    return "penalises the intercept" if job["family"] == "gaussian" and job["sparse"] else None


def prepare(X, y, job):
    X = sparse.csr_matrix(X) if sparse.issparse(X) else np.ascontiguousarray(X)
    return X.astype(np.float32), y


def path(data, lambdas, tol, job):
    X, y = data
    n, p = X.shape
    kind = LogisticRegression if job["family"] == "binomial" else LinearRegression
    penalty = "l1" if job["l1_ratio"] == 1 else "l2"
    centre = X.mean(axis=0) if job["family"] == "gaussian" else np.zeros(p)
    average = y.mean() if job["family"] == "gaussian" else 0.0
    X = X - centre if job["family"] == "gaussian" and job["fold"] else X
    coef, intercept = np.zeros((len(lambdas), p)), np.zeros(len(lambdas))
    for k, lam in enumerate(lambdas):
        model = kind(
            regularizer=float(n * lam), penalty=penalty, dual=penalty == "l2" and n > p, tol=tol, max_iter=10_000,
            n_jobs=job["threads"], fit_intercept=job["family"] == "binomial", intercept_scaling=100.0, random_state=0,
        ).fit(X, y - average)  # fmt: skip
        coef[k] = np.ravel(model.coef_)
        intercept[k] = np.ravel(model.intercept_)[0] if job["family"] == "binomial" else average - coef[k] @ centre
    return coef, intercept
