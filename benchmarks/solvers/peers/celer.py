"""celer: ``celer_path``; its cross-validation is a path per fold, as in its ``LassoCV``.

Scale: the lasso's ``alpha`` is lambda. Its logistic regression has no intercept, so it isn't in those rows. Sparse
columns are centred by ``X_offset``, as its ``Lasso`` does; dense ones are by the benchmark.
"""

import numpy as np
from celer import celer_path
from scipy import sparse


def refuses(job):
    if job["family"] != "gaussian":
        return "no Poisson loss, and its logistic regression has no intercept"
    return "no ridge" if job["l1_ratio"] == 0 else None


def prepare(X, y, job):
    return X if sparse.issparse(X) else np.asfortranarray(X), y


def path(data, lambdas, tol, job):
    X, y = data
    average, centre, options = y.mean(), np.zeros(X.shape[1]), {}
    if sparse.issparse(X):
        centre = np.asarray(X.mean(axis=0)).ravel()
        options = {"X_offset": centre, "X_scale": np.ones(X.shape[1])}
    elif job["fold"]:
        centre = X.mean(axis=0)
        X = X - centre
    _, coef, _ = celer_path(
        X, y - average, "lasso", alphas=lambdas, l1_ratio=job["l1_ratio"], tol=tol, max_iter=1000, prune=True, **options
    )
    return coef.T, average - coef.T @ centre
