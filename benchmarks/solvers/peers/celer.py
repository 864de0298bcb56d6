"""celer: ``celer_path`` and ``mtl_path``; its cross-validation is a path per fold, as in its ``LassoCV``.

Scale: ``alpha`` is lambda, for groups with ``weights`` the square roots of their sizes, for joint responses too. Its
logistic regression has no intercept, so it isn't in those rows. Sparse columns are centred by ``X_offset``, as its
``Lasso`` does; dense ones are by the benchmark.
"""

import numpy as np
from celer import celer_path
from celer.homotopy import mtl_path
from scipy import sparse


def refuses(job):
    if job["penalty"] not in ("elastic_net", "group_lasso"):
        return f"no {job['penalty']}"
    if job["family"] == "multigaussian":
        return None if job["joint"] and job["l1_ratio"] == 1 and job["groups"] == 1 else "has the joint lasso only"
    if job["family"] != "gaussian":
        return "gaussian only, and its logistic regression has no intercept"
    if job["groups"] > 1 and job["l1_ratio"] < 1:
        return "no ridge part for groups"
    return "no ridge" if job["l1_ratio"] == 0 else None


def prepare(X, y, job):
    return X if sparse.issparse(X) else np.asfortranarray(X), y


def path(data, lambdas, tol, job):
    X, y = data
    average, centre, options = y.mean(axis=0), np.zeros(X.shape[1]), {}
    if sparse.issparse(X):
        centre = np.asarray(X.mean(axis=0)).ravel()
        options = {"X_offset": centre, "X_scale": np.ones(X.shape[1])}
    elif job["fold"]:
        centre = X.mean(axis=0)
        X = X - centre
    limits = {"alphas": lambdas, "tol": tol, "max_iter": 1000, "prune": True}
    if job["family"] == "multigaussian":
        _, coef, _ = mtl_path(X, y - average, **limits)
        coef = coef.transpose(2, 1, 0)  # (L, p, K)
        return coef.reshape(len(lambdas), -1), average - np.einsum("ljk,j->lk", coef, centre)
    if job["groups"] > 1:
        weights = np.full(X.shape[1] // job["groups"], np.sqrt(job["groups"]))
        _, coef, _ = celer_path(
            X, y - average, "grouplasso", groups=job["groups"], weights=weights, **limits, **options
        )
    else:
        _, coef, _ = celer_path(X, y - average, "lasso", l1_ratio=job["l1_ratio"], **limits, **options)
    return coef.T, average - coef.T @ centre
