"""scikit-survival: ``CoxnetSurvivalAnalysis``, a path; cross-validation is a path per fold.

Scale: its loss is a mean and its ``alpha`` the referee's lambda; ties are Breslow's. It has no intercept, and centres
columns for itself. It ends a path where the deviance hardly changes, which can't be turned off, nor can a fit be given
a start: here the lambdas that are left are asked for anew, which costs it one cold start for each such end.
"""

import numpy as np
from sksurv.linear_model import CoxnetSurvivalAnalysis


def refuses(job):
    if job["family"] != "cox":
        return "survival only"
    if job["penalty"] != "elastic_net":
        return f"no {job['penalty']}"
    return "no ridge" if job["l1_ratio"] == 0 else None


def prepare(X, y, job):
    target = np.zeros(len(y), dtype=[("event", bool), ("time", float)])
    target["event"], target["time"] = y[:, 1] == 1.0, y[:, 0]
    return X, target


def path(data, lambdas, tol, job):
    X, y = data
    parts, left = [], lambdas
    while len(left):
        model = CoxnetSurvivalAnalysis(alphas=left, l1_ratio=job["l1_ratio"], tol=tol, max_iter=10**8).fit(X, y)
        parts.append(model.coef_.T)
        left = left[len(parts[-1]) :]
    return np.vstack(parts), np.zeros(len(lambdas))
