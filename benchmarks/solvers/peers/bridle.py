"""bridle: ``fit_path`` and ``cross_validate``.

Scale: the objective is the referee's; ``tol`` is a relative duality gap, or without one a violation of stationarity.
Folds share one call, as its documentation has it. Quantiles are smoothed with a bandwidth that falls with ``tol``: at
the optimum of the pinball loss as many rows as features lie on the fit, and cost in proportion to it.
"""

import numpy as np

from bridle import fit_path
from bridle.selection import cross_validate


def refuses(job):
    return None


def prepare(X, y, job):
    return X, y


def options(job, tol):
    chosen = {"family": job["family"], "l1_ratio": job["l1_ratio"], "standardize": False, "max_iter": 10**7}
    chosen["fit_intercept"] = job["intercept"]
    if job["family"] == "cox":
        chosen["family"] = "cox(ties='breslow')"
    if job["family"].startswith("quantile"):
        chosen["family"] = job["family"].replace(")", f", bandwidth={0.5 * tol:g})")
    if job["penalty"] != "elastic_net":
        chosen["penalty"] = job["penalty"]
    if job["groups"] > 1:
        chosen["groups"] = np.arange(job["p"]) // job["groups"]
    elif job["joint"]:
        chosen["penalty"] = "group_lasso"  # a feature's coefficients for all predictors
    return chosen


def path(data, lambdas, tol, job):
    X, y = data
    fit = fit_path(X, y, lambdas=lambdas, tol=tol, n_jobs=job["threads"], **options(job, tol))
    return fit.coef_sparse, fit.intercept


def cv(data, lambdas, folds, tol, job):
    X, y = data
    pairs = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(folds.max() + 1)]
    done = cross_validate(
        X, y, folds=pairs, lambdas=lambdas, tol=tol, effective_df=False, n_jobs=job["threads"], **options(job, tol)
    )
    return done.curves[0].test_loss.mean(axis=0)
