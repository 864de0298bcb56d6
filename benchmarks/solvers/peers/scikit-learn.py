"""scikit-learn: ``enet_path``, ``LassoCV``, ``ElasticNetCV``, ``Ridge``, ``LogisticRegression``, ``PoissonRegressor``,
``LinearSVC`` and ``QuantileRegressor``.

Scale: ``alpha`` is lambda for the lasso, the elastic net and ``PoissonRegressor``; ``Ridge``'s is n lambda; C = 1 /
(n lambda), multinomial too, where its penalty is symmetric. ``enet_path`` of several responses is that of
``MultiTaskLasso``, joint. It has no intercept: dense columns are centred by the benchmark, the target here; sparse
ones go through ``ElasticNet``. Solvers as its user guide advises: saga with an L1 part; newton-cholesky where n > p,
else lbfgs, without one.

``LinearSVC`` with an L1 penalty is liblinear's coordinate descent on |b|_1 + C sum max(0, 1 - m)^2: C = 1 / (2 n
lambda). It has no warm starts, and penalises its intercept, so none is asked for. ``QuantileRegressor`` minimises the
pinball loss itself, by HiGHS's linear programmes, with alpha = lambda; its tolerance is that of their conditions, 1e-10
at the least.
"""

import numpy as np
from scipy import sparse
from sklearn.linear_model import (
    ElasticNet,
    ElasticNetCV,
    LassoCV,
    LogisticRegression,
    MultiTaskLassoCV,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    enet_path,
)
from sklearn.svm import LinearSVC

STEPS = 10**6
OTHERS = ("cox", "huber(delta=0.8)", "negative_binomial(theta=2)", "ordinal")


def refuses(job):
    family, amounts = job["family"], ("poisson", "gamma", "tweedie(power=1.5)")
    if family in OTHERS or job["penalty"] != "elastic_net":
        return f"no {family} loss with {job['penalty']}"
    if family in amounts and job["l1_ratio"] > 0:
        return f"its regressor for {family} has no L1 penalty"
    if family in amounts[1:] or (job["predictors"] > 1 and job["joint"] != (family == "multigaussian")):
        return "not adapted"
    return "not adapted" if family == "multigaussian" and job["l1_ratio"] < 1 else None


def prepare(X, y, job):
    return X, y


def path(data, lambdas, tol, job):
    X, y = data
    if job["family"].endswith("gaussian") and job["l1_ratio"] > 0 and not sparse.issparse(X):
        average = y.mean(
            axis=0
        )  # columns have mean zero on the rows of the whole table; on a fold's they are centred here
        centre = X.mean(axis=0) if job["fold"] else np.zeros(X.shape[1])
        centred = X - centre if job["fold"] else X
        _, coef, _ = enet_path(centred, y - average, l1_ratio=job["l1_ratio"], alphas=lambdas, tol=tol, max_iter=STEPS)
        if job["predictors"] > 1:
            coef = coef.transpose(2, 1, 0)  # (L, p, K)
            return coef.reshape(len(lambdas), -1), average - np.einsum("ljk,j->lk", coef, centre)
        return coef.T, average - coef.T @ centre
    if job["family"] == "squared_hinge":
        return hinges(X, y, lambdas, tol)
    if job["family"].startswith("quantile"):
        return quantiles(X, y, lambdas, tol)
    return one_by_one(X, y, lambdas, tol, job)


def one_by_one(X, y, lambdas, tol, job):
    """Warm starts where the estimator has them."""
    n, p = X.shape
    a, K = job["l1_ratio"], job["predictors"]
    coef, intercept = np.zeros((len(lambdas), p * K)), np.zeros((len(lambdas), K))
    if job["family"] == "poisson":
        model = PoissonRegressor(
            tol=tol, max_iter=STEPS, warm_start=True, solver="newton-cholesky" if n > p else "lbfgs"
        )
    elif job["family"] == "gaussian":
        model = Ridge(tol=tol) if a == 0 else ElasticNet(l1_ratio=a, tol=tol, max_iter=STEPS, warm_start=True)
    else:
        solver = "saga" if a > 0 else "newton-cholesky" if n > p else "lbfgs"
        model = LogisticRegression(
            solver=solver, l1_ratio=a, tol=tol, max_iter=STEPS // 100, warm_start=True, random_state=0
        )
    for k, lam in enumerate(lambdas):
        if job["family"] in ("binomial", "multinomial"):
            model.set_params(C=1.0 / (n * lam))
        else:
            model.set_params(alpha=n * lam if isinstance(model, Ridge) else lam)
        model.fit(X, y)
        coef[k], intercept[k] = np.ravel(np.atleast_2d(model.coef_).T), model.intercept_
    return coef, intercept if K > 1 else intercept[:, 0]


def hinges(X, y, lambdas, tol):
    coef = np.zeros((len(lambdas), X.shape[1]))
    model = LinearSVC(penalty="l1", dual=False, fit_intercept=False, tol=tol, max_iter=STEPS, random_state=0)
    for k, lam in enumerate(lambdas):
        coef[k] = model.set_params(C=0.5 / (len(y) * lam)).fit(X, y).coef_[0]
    return coef, np.zeros(len(lambdas))


def quantiles(X, y, lambdas, tol):
    coef, intercept = np.zeros((len(lambdas), X.shape[1])), np.zeros(len(lambdas))
    least = max(tol, 1e-10)
    limits = {"primal_feasibility_tolerance": least, "dual_feasibility_tolerance": least}
    model = QuantileRegressor(quantile=0.8, solver="highs", solver_options=limits)
    for k, lam in enumerate(lambdas):
        model.set_params(alpha=lam).fit(X, y)
        coef[k], intercept[k] = model.coef_, model.intercept_
    return coef, intercept


def cv(data, lambdas, folds, tol, job):
    if not job["family"].endswith("gaussian") or job["l1_ratio"] == 0:
        return None  # one path per fold, by the worker
    X, y = data
    pairs = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(folds.max() + 1)]
    options = {"alphas": lambdas, "tol": tol, "cv": pairs, "max_iter": STEPS, "n_jobs": job["threads"]}
    lasso = job["l1_ratio"] == 1
    if job["predictors"] > 1:  # its errors are means over responses, deviance is their sum
        return job["predictors"] * MultiTaskLassoCV(**options).fit(X, y).mse_path_.mean(axis=-1)
    model = LassoCV(**options) if lasso else ElasticNetCV(l1_ratio=job["l1_ratio"], **options)
    return model.fit(X, y).mse_path_.mean(axis=-1)
