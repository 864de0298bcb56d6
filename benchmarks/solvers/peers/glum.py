"""glum: ``GeneralizedLinearRegressor(alpha_search=True)``, its own path with warm starts.

Scale: half the mean unit deviance and its elastic-net penalty are the referee's objective, so ``alpha`` is lambda.
Predictors are not scaled. It has no float32 path of its own and takes any float. Amounts and counts have the link log.
Its negative binomial has variance mu + theta mu^2: its theta is one over the referee's.
"""

import numpy as np
from glum import GeneralizedLinearRegressor, NegativeBinomialDistribution

FAMILIES = {
    "gaussian": "normal",
    "binomial": "binomial",
    "poisson": "poisson",
    "gamma": "gamma",
    "tweedie(power=1.5)": "tweedie (1.5)",
    "negative_binomial(theta=2)": NegativeBinomialDistribution(0.5),
}


def refuses(job):
    p = job["p"]
    if job["family"] not in FAMILIES or job["penalty"] != "elastic_net":
        return f"no {job['family']} loss with {job['penalty']}"
    return f"forms the {p} x {p} Hessian: too large" if p > 20_000 else None


def prepare(X, y, job):
    return X, y.astype(X.dtype)


def path(data, lambdas, tol, job):
    X, y = data
    if job["l1_ratio"] == 0:  # alpha_search is for penalties with an L1 part
        return ridge(X, y, lambdas, tol, job)
    model = GeneralizedLinearRegressor(
        family=FAMILIES[job["family"]], link=link(job), l1_ratio=job["l1_ratio"], alpha_search=True,
        alpha=list(lambdas), gradient_tol=tol, max_iter=1000, scale_predictors=False, copy_X=False,
    ).fit(X, y)  # fmt: skip
    return np.asarray(model.coef_path_), np.asarray(model.intercept_path_)


def link(job):
    return "log" if job["family"].startswith(("gamma", "tweedie", "negative_binomial")) else "auto"


def ridge(X, y, lambdas, tol, job):
    coef, intercept = np.zeros((len(lambdas), X.shape[1])), np.zeros(len(lambdas))
    model = GeneralizedLinearRegressor(
        family=FAMILIES[job["family"]], l1_ratio=0.0, gradient_tol=tol, max_iter=1000, warm_start=True, copy_X=False
    )
    for k, lam in enumerate(lambdas):
        model.set_params(alpha=float(lam)).fit(X, y)
        coef[k], intercept[k] = model.coef_, model.intercept_
    return coef, intercept
