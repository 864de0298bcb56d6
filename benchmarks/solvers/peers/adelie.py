"""adelie: ``grpnet`` with groups of one or more; for dense gaussian tables with n > 10 p its covariance method.

Scale: losses are means and penalty factors of groups the square roots of their sizes, so ``lmda`` is lambda. Losses of
K predictors are divided by K, so there penalty factors are too: sqrt(m) / K for m features, in place of its sqrt(m K).
It has no lasso of single cells there, and its groups' ridge part has the factor sqrt(m), which isn't the referee's.
Cox's ties are Breslow's. ``early_exit`` is off, as every lambda is asked for; the progress bar is off. The covariance
method has no intercept: dense columns are centred by the benchmark.
"""

import adelie as ad
import numpy as np
from scipy import sparse

FAMILIES = {
    "gaussian": ad.glm.gaussian,
    "binomial": ad.glm.binomial,
    "poisson": ad.glm.poisson,
    "multigaussian": ad.glm.multigaussian,
    "multinomial": ad.glm.multinomial,
}


def refuses(job):
    if job["family"] != "cox" and job["family"] not in FAMILIES:
        return f"no {job['family']} loss"
    if job["penalty"] not in ("elastic_net", "group_lasso"):
        return f"no {job['penalty']}"
    if job["predictors"] > 1 and not job["joint"]:
        return "groups the predictors of a feature always"
    if job["l1_ratio"] < 1 and (job["groups"] > 1 or job["joint"]):
        return "its ridge part of groups has another weight"
    return None


def prepare(X, y, job):
    threads = job["threads"]
    if sparse.issparse(X):
        return ad.matrix.sparse(sparse.csc_matrix(X), method="naive", n_threads=threads), y, X
    X = np.asfortranarray(X)
    return ad.matrix.dense(X, method="naive", n_threads=threads), y, X


def path(data, lambdas, tol, job):
    matrix, y, X = data
    n, p = X.shape
    common = {
        "alpha": job["l1_ratio"], "lmda_path": lambdas.astype(X.dtype), "tol": tol, "early_exit": False,
        "progress_bar": False, "n_threads": job["threads"], "max_iters": 10**7,
    }  # fmt: skip
    if job["groups"] > 1:
        common["groups"] = np.arange(0, p, job["groups"])
    if job["predictors"] > 1:
        common["penalty"] = np.full(p // job["groups"], np.sqrt(job["groups"]) / job["predictors"])
    if job["family"] == "gaussian" and not sparse.issparse(X) and n > 10 * p:
        average, centre = y.mean(), X.mean(axis=0)
        A = X.T @ X / n - np.outer(centre, centre)
        v = X.T @ (y - average) / n
        state = ad.solver.gaussian_cov(A=np.asfortranarray(A), v=v, **common)
        coef = sparse.csr_matrix(state.betas)
        return coef, average - coef @ centre
    glm = loss(y, job, X.dtype)
    irls = {} if job["family"] in ("gaussian", "multigaussian") else {"irls_tol": tol}
    intercept = job["family"] != "cox"
    state = ad.grpnet(X=matrix, glm=glm, intercept=intercept, adev_tol=1.0, ddev_tol=0.0, **irls, **common)
    return sparse.csr_matrix(state.betas), np.asarray(state.intercepts)


def loss(y, job, dtype):
    if job["family"] == "cox":
        time, event = y.T.astype(dtype)
        start = np.zeros_like(time)
        return ad.glm.cox(start=start, stop=time, status=event, tie_method="breslow", dtype=dtype.type)
    if job["family"] == "multinomial":
        y = np.eye(job["predictors"])[y.astype(int)]
    return FAMILIES[job["family"]](y=y.astype(dtype), dtype=dtype.type)
