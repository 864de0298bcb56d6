"""bridle: ``fit_path`` and ``cross_validate``.

Scale: the objective is the referee's; ``tol`` is a relative duality gap. Folds share one call, as its documentation
has it.
"""

import numpy as np

from bridle import fit_path
from bridle.selection import cross_validate


def refuses(job):
    return None


def prepare(X, y, job):
    return X, y


def path(data, lambdas, tol, job):
    X, y = data
    fit = fit_path(
        X,
        y,
        family=job["family"],
        l1_ratio=job["l1_ratio"],
        lambdas=lambdas,
        standardize=False,
        tol=tol,
        max_iter=10**7,
    )
    return fit.coef_sparse, fit.intercept


def cv(data, lambdas, folds, tol, job):
    X, y = data
    pairs = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(folds.max() + 1)]
    done = cross_validate(
        X, y, folds=pairs, family=job["family"], l1_ratio=job["l1_ratio"], lambdas=lambdas, standardize=False,
        tol=tol, max_iter=10**7, effective_df=False, n_jobs=job["threads"],
    )  # fmt: skip
    return done.curves[0].test_loss.mean(axis=0)
