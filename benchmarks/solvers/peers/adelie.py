"""adelie: ``grpnet`` with groups of one; for dense gaussian tables with n > 10 p its covariance method.

Scale: losses are means and penalty factors of single features 1, so ``lmda`` is lambda. ``early_exit`` is off, as
every lambda is asked for; the progress bar is off. The covariance method has no intercept: dense columns are centred
by the benchmark.
"""

import adelie as ad
import numpy as np
from scipy import sparse

FAMILIES = {"gaussian": ad.glm.gaussian, "binomial": ad.glm.binomial, "poisson": ad.glm.poisson}


def refuses(job):
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
    if job["family"] == "gaussian" and not sparse.issparse(X) and n > 10 * p:
        average, centre = y.mean(), X.mean(axis=0)
        A = X.T @ X / n - np.outer(centre, centre)
        v = X.T @ (y - average) / n
        state = ad.solver.gaussian_cov(A=np.asfortranarray(A), v=v, **common)
        coef = sparse.csr_matrix(state.betas)
        return coef, average - coef @ centre
    glm = FAMILIES[job["family"]](y=y.astype(X.dtype), dtype=X.dtype.type)
    irls = {} if job["family"] == "gaussian" else {"irls_tol": tol}
    state = ad.grpnet(X=matrix, glm=glm, intercept=True, adev_tol=1.0, ddev_tol=0.0, **irls, **common)
    return sparse.csr_matrix(state.betas), np.asarray(state.intercepts)
