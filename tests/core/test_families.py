"""Paths of every family: certificates by the referee, optimality against SciPy, and hard cases."""

import numpy as np
import pytest
from scipy.optimize import minimize

from bridle.certificates import certify
from bridle.losses import get_family
from bridle.path import fit_path
from bridle.penalties import Penalty

SPECS = (
    "gamma",
    "tweedie(power=1.5)",
    "tweedie(power=1.05)",
    "negative_binomial(theta=2.0)",
    "huber(delta=0.7)",
    "quantile(tau=0.3, bandwidth=0.3)",
    "squared_hinge",
)
ROUGH = (  # little smoothing, heavy tails, the ends of the distribution
    "huber(delta=0.05)",
    "quantile(tau=0.5, bandwidth=0.01)",
    "quantile(tau=0.01, bandwidth=0.05)",
    "quantile(tau=0.99, bandwidth=0.05)",
)


def table(spec, n, p, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    X[:, 1] = 0.9 * X[:, 0] + 0.3 * X[:, 1]
    eta = 0.5 + X[:, 0] - 0.5 * X[:, 2]
    mu, family = np.exp(eta), get_family(spec)
    if family.is_classifier:
        return X, (rng.uniform(size=n) < 1 / (1 + np.exp(-eta))).astype(float)
    if family.name == "gamma":
        return X, rng.gamma(2.0, mu / 2)
    if family.name == "tweedie":
        return X, np.array([rng.gamma(2.0, m, size=k).sum() for m, k in zip(mu, rng.poisson(1, n), strict=True)])
    if family.name == "negative_binomial":
        return X, rng.negative_binomial(2, 2 / (2 + mu)).astype(float)
    return X, eta + rng.standard_t(1.5, n)


@pytest.mark.parametrize("spec", SPECS + ROUGH)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("shape", [(200, 8), (50, 90)])
def test_every_lambda_is_certified(spec, l1_ratio, shape):
    X, y = table(spec, *shape)
    path = fit_path(X, y, family=spec, l1_ratio=l1_ratio, tol=1e-8, n_lambdas=15, strict=True)
    for k in range(0, 15, 2):
        found = certify(
            X, y, path.intercept[k], path.coef_row(k), path.lambdas[k], family=spec, penalty=Penalty(l1_ratio)
        )
        assert found.relative_gap <= 1.05e-8


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_a_minimiser_of_scipys_finds_nothing_better(spec, l1_ratio):
    X, y = table(spec, 120, 5, seed=3)
    rng, family = np.random.default_rng(5), get_family(spec)
    w = rng.uniform(0.2, 2.0, 120)
    offset = 0.3 * rng.normal(size=120)
    lam = 0.3 * fit_path(X, y, family=spec, sample_weight=w, offset=offset, n_lambdas=2).lambda_max
    path = fit_path(
        X,
        y,
        family=spec,
        l1_ratio=l1_ratio,
        lambdas=[lam],
        sample_weight=w,
        offset=offset,
        standardize=False,
        tol=1e-10,
    )

    def objective(v):  # b = up - down, both at least 0, makes |b| smooth
        b = v[1:6] - v[6:]
        eta = offset + v[0] + X @ b
        slope = w / w.sum() * family.gradient(y, eta)
        back = X.T @ slope + lam * (1 - l1_ratio) * b
        value = w @ family.loss(y, eta) / w.sum() + lam * (l1_ratio * v[1:].sum() + (1 - l1_ratio) / 2 * b @ b)
        return value, np.concatenate([[slope.sum()], back + lam * l1_ratio, -back + lam * l1_ratio])

    found = minimize(
        objective, np.zeros(11), jac=True, method="L-BFGS-B", bounds=[(None, None)] + [(0, None)] * 10,
        options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-10, "maxls": 100},
    )  # fmt: skip
    b = path.coef_row(0)
    mine = objective(np.concatenate([path.intercept, np.maximum(b, 0), np.maximum(-b, 0)]))[0]
    assert mine <= found.fun + 1e-10
    np.testing.assert_allclose(b, found.x[1:6] - found.x[6:], atol=2e-4)


@pytest.mark.parametrize("spec", SPECS)
def test_unpenalised_features_bounds_and_sparse_columns(spec):
    from scipy import sparse

    X, y = table(spec, 150, 6, seed=7)
    X[np.abs(X) < 0.4] = 0.0
    options = {"family": spec, "penalty_factor": [0, 1, 1, 2, 1, np.inf], "upper": 0.4, "tol": 1e-9, "n_lambdas": 8}
    dense, csc = fit_path(X, y, strict=True, **options), fit_path(sparse.csc_array(X), y, strict=True, **options)
    np.testing.assert_allclose(dense.coef, csc.coef, atol=1e-5)
    penalty = Penalty(1.0, np.array([0, 1, 1, 2, 1, np.inf]), upper=0.4)
    found = certify(X, y, dense.intercept[5], dense.coef_row(5), dense.lambdas[5], family=spec, penalty=penalty)
    assert found.relative_gap <= 1.05e-9


def test_an_outlier_pulls_no_further_than_delta():
    X, y = table("huber(delta=0.7)", 200, 5)
    y[3] = 50.0
    near = fit_path(X, y, family="huber(delta=0.7)", lambdas=[0.01], tol=1e-10)
    y[3] = 5e6
    far = fit_path(X, y, family="huber(delta=0.7)", lambdas=[0.01], tol=1e-13)  # of a null deviance the outlier makes
    np.testing.assert_allclose(near.coef, far.coef, atol=1e-4)


def test_separable_classes_have_a_hinge_solution_even_without_penalty():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(float)
    path = fit_path(X, y, family="squared_hinge", lambdas=[0.1, 1e-3, 0.0], strict=True)
    assert path.deviance[-1] < 1e-6
    assert path.status == ("converged",) * 3
    twin = fit_path(X, 2 * y - 1, family="squared_hinge", lambdas=[0.1, 1e-3, 0.0])
    np.testing.assert_array_equal(path.coef, twin.coef)


def test_a_quantile_has_its_share_of_rows_below():
    X, y = table("huber(delta=1.0)", 1000, 4)
    for tau in (0.05, 0.5, 0.9):
        path = fit_path(X, y, family=f"quantile(tau={tau}, bandwidth=0.05)", lambdas=[1e-4])
        assert np.mean(y < path.predict(X)[:, 0]) == pytest.approx(tau, abs=0.01)


def test_successes_and_failures_weigh_as_many_rows():
    rng = np.random.default_rng(2)
    X, trials = rng.normal(size=(40, 3)), rng.integers(1, 6, 40)
    hits = rng.binomial(trials, 1 / (1 + np.exp(-X[:, 0])))
    short = fit_path(X, np.column_stack([hits, trials - hits]), family="binomial", lambdas=[0.05, 0.01], tol=1e-10)
    rows = np.repeat(np.arange(40), trials)
    y = np.concatenate([np.r_[np.ones(h), np.zeros(t - h)] for h, t in zip(hits, trials, strict=True)])
    long = fit_path(X[rows], y, family="binomial", lambdas=[0.05, 0.01], tol=1e-10)
    np.testing.assert_allclose(short.coef, long.coef, atol=1e-6)
    np.testing.assert_allclose(short.intercept, long.intercept, atol=1e-6)


@pytest.mark.parametrize("spec", ["binomial", "negative_binomial(theta=2.0)", "gamma"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.0])
@pytest.mark.parametrize("kind", ["F", "C", "float32"])
def test_one_far_lambda_starts_from_a_share_of_the_rows(kit, spec, l1_ratio, kind):
    X, y = table(spec, 4000, 12)
    X[:, 11] = X[:, 10] + 0.1 * X[:, 11]
    order = np.argsort(y, kind="stable")  # classes one after the other
    X, y = kit.storage(X[order], kind), y[order]
    path = fit_path(X, y, family=spec, l1_ratio=l1_ratio, lambdas=[1e-5], tol=1e-10, strict=True)
    found = certify(
        X.astype(np.float64), y, path.intercept[0], path.coef_row(0), 1e-5, family=spec, penalty=Penalty(l1_ratio)
    )
    assert found.relative_gap <= 1.05e-10
