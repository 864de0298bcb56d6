"""Whole paths against solvers that share nothing with bridle: scikit-learn, SciPy, statsmodels; NIST's values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, sparse
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from bridle import enet_path, lasso_path
from bridle.path import fit_path

RELATIVE = 1e-6


def agree(got, expected):
    """Equal to 1e-6 of the largest coefficient at each lambda."""
    size = np.maximum(np.abs(expected).max(axis=-1, keepdims=True), 1e-12)
    np.testing.assert_array_less(np.abs(got - expected) / size, RELATIVE)


def standardised(X):
    return (X - X.mean(0)) / X.std(0)


def random_problem(n, p, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    return X, X[:, :5] @ rng.normal(size=5) + rng.normal(size=n)


@pytest.mark.parametrize("data", ["diabetes", "n > p", "p > n"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_gaussian_paths_equal_scikit_learn(data, l1_ratio):
    X, y = {
        "diabetes": lambda: load_diabetes(return_X_y=True),
        "n > p": lambda: random_problem(150, 20, 0),
        "p > n": lambda: random_problem(40, 100, 1),
    }[data]()
    path = fit_path(X, y, l1_ratio=l1_ratio, n_lambdas=30, tol=1e-13)
    Z, centred = standardised(X), y - y.mean()
    for i in range(1, 30):
        model = linear_model.ElasticNet(
            alpha=path.lambdas[i], l1_ratio=l1_ratio, fit_intercept=False, tol=1e-15, max_iter=10**6
        )
        agree(path.coef[i] * path.scale, model.fit(Z, centred).coef_)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_lasso_path_equals_scikit_learns_function(kind):
    X, y = random_problem(60, 30, 3)
    if kind == "sparse":
        X = sparse.csc_array(X * (np.abs(X) > 0.8))
    alphas = np.geomspace(1.0, 1e-3, 15)
    _, expected, _ = linear_model.lasso_path(X, y, alphas=alphas, tol=1e-15, max_iter=10**6)
    got_alphas, got, gaps = lasso_path(X, y, alphas=alphas, tol=1e-13)
    np.testing.assert_allclose(got_alphas, alphas)
    agree(got.T, expected.T)
    assert (gaps < 1e-10).all()
    _, expected, _ = linear_model.enet_path(X, y, l1_ratio=0.3, alphas=alphas, positive=True, tol=1e-15, max_iter=10**6)
    agree(enet_path(X, y, l1_ratio=0.3, alphas=alphas, positive=True, tol=1e-13)[1].T, expected.T)


@pytest.mark.parametrize("shape", [(100, 12), (30, 90)])
def test_ridge_equals_the_normal_equations(shape):
    X, y = random_problem(*shape, 4)
    path = fit_path(X, y, l1_ratio=0.0, n_lambdas=20, tol=1e-13)
    Z, n = standardised(X), shape[0]
    for i, lam in enumerate(path.lambdas):
        expected = np.linalg.solve(Z.T @ Z / n + lam * np.eye(shape[1]), Z.T @ (y - y.mean()) / n)
        agree(path.coef[i] * path.scale, expected)


def logistic_by_newton(Z, y, lam):
    """Ridge-penalised logistic regression with an intercept, by Newton's method."""
    A = np.column_stack([np.ones(len(y)), Z])
    ridge = lam * np.diag(np.r_[0.0, np.ones(Z.shape[1])])
    b = np.zeros(A.shape[1])
    for _ in range(100):
        mu = 1.0 / (1.0 + np.exp(-A @ b))
        slope = A.T @ (mu - y) / len(y) + ridge @ b
        step = np.linalg.solve(A.T @ (A * (mu * (1 - mu))[:, None]) / len(y) + ridge, slope)
        b -= step
        if np.abs(step).max() < 1e-14:
            break
    return b


def binary_digits():
    X, y = load_digits(return_X_y=True)
    keep = X.std(0) > 0
    return X[:, keep], (y == 8).astype(float)


@pytest.mark.parametrize("load", [lambda: load_breast_cancer(return_X_y=True), binary_digits])
def test_logistic_ridge_equals_newton(load):
    X, y = load()
    path = fit_path(X, y.astype(float), family="binomial", l1_ratio=0.0, n_lambdas=8, tol=1e-16)
    for i in range(8):
        agree(path.coef[i] * path.scale, logistic_by_newton(standardised(X), y, path.lambdas[i])[1:])


@pytest.mark.parametrize("load", [lambda: load_breast_cancer(return_X_y=True), binary_digits])
def test_logistic_lasso_equals_a_smooth_solver_on_split_variables(load):
    X, y = load()
    y = y.astype(float)
    Z, n = standardised(X), len(y)
    path = fit_path(X, y, family="binomial", n_lambdas=12, lambda_min_ratio=1e-2, tol=1e-12)
    for i in (4, 8, 11):
        b, lam = path.coef[i] * path.scale, path.lambdas[i]
        on = b != 0.0
        signs = np.sign(b[on])

        def stationary(free, on=on, lam=lam, signs=signs):
            mu = 1.0 / (1.0 + np.exp(-(free[0] + Z[:, on] @ free[1:])))
            return np.r_[np.mean(mu - y), Z[:, on].T @ (mu - y) / n + lam * signs]

        start = np.r_[path.intercept[i] + path.mean @ path.coef[i], b[on]]
        exact = optimize.root(stationary, start * 1.01, tol=1e-15).x  # the optimality conditions, solved from nearby
        agree(b[on], exact[1:])
        mu = 1.0 / (1.0 + np.exp(-(exact[0] + Z[:, on] @ exact[1:])))
        assert np.abs(Z[:, ~on].T @ (mu - y) / n).max() <= lam * (1 + 1e-9)  # and nothing outside wants in


def test_logistic_elastic_net_equals_scikit_learn():
    X, y = load_breast_cancer(return_X_y=True)
    Z, n, lam, a = standardised(X), len(y), 0.02, 0.5
    path = fit_path(X, y.astype(float), family="binomial", l1_ratio=a, lambdas=[lam], tol=1e-13)
    model = linear_model.LogisticRegression(
        C=1.0 / (n * lam), l1_ratio=a, solver="saga", tol=1e-12, max_iter=20_000, random_state=0
    )
    agree(path.coef[0] * path.scale, model.fit(Z, y).coef_[0])


@pytest.mark.parametrize("shape", [(200, 8), (40, 60)])
def test_poisson_ridge_equals_scikit_learn(shape):
    rng = np.random.default_rng(5)
    X = rng.normal(size=shape)
    y = rng.poisson(np.exp(0.4 * X[:, 0] - 0.3 * X[:, 1] + 0.2)).astype(float)
    w = rng.uniform(0.5, 2.0, size=shape[0])
    lambdas = [1.0, 0.1, 0.01]
    path = fit_path(
        X, y, family="poisson", l1_ratio=0.0, lambdas=lambdas, sample_weight=w, standardize=False, tol=1e-13
    )
    for i, lam in enumerate(path.lambdas):
        model = linear_model.PoissonRegressor(alpha=lam, solver="newton-cholesky", tol=1e-12, max_iter=1000)
        agree(path.coef[i], model.fit(X, y, sample_weight=w).coef_)


def test_unpenalised_glms_equal_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(6)
    X = rng.normal(size=(300, 4)) * [1.0, 10.0, 0.1, 3.0]
    offset = 0.3 * rng.normal(size=300)
    eta = X @ [0.5, -0.05, 2.0, 0.1]
    for family, y, theirs in [
        ("poisson", rng.poisson(np.exp(0.5 * eta + offset)).astype(float), sm.families.Poisson()),
        ("binomial", (rng.random(300) < 1 / (1 + np.exp(-eta))).astype(float), sm.families.Binomial()),
        ("gaussian", eta + rng.normal(size=300), sm.families.Gaussian()),
    ]:
        path = fit_path(X, y, family=family, lambdas=[0.0], offset=offset, tol=1e-13)
        expected = sm.GLM(y, sm.add_constant(X), family=theirs, offset=offset).fit(tol=1e-14, maxiter=200).params
        np.testing.assert_allclose(np.r_[path.intercept[0], path.coef[0]], expected, rtol=1e-7, atol=1e-9)


def test_bounds_equal_scipys_bounded_least_squares():
    X, y = random_problem(50, 8, 7)
    path = fit_path(X, y, lambdas=[0.0], lower=-0.2, upper=0.4, fit_intercept=False, standardize=False, tol=1e-13)
    expected = optimize.lsq_linear(X, y, bounds=(-0.2, 0.4), method="bvls", tol=1e-14).x
    np.testing.assert_allclose(path.coef[0], expected, rtol=1e-8, atol=1e-10)


# NIST Statistical Reference Datasets, linear regression: https://www.itl.nist.gov/div898/strd/lls/lls.shtml
LONGLEY = np.array([
    [60323, 83.0, 234289, 2356, 1590, 107608, 1947], [61122, 88.5, 259426, 2325, 1456, 108632, 1948],
    [60171, 88.2, 258054, 3682, 1616, 109773, 1949], [61187, 89.5, 284599, 3351, 1650, 110929, 1950],
    [63221, 96.2, 328975, 2099, 3099, 112075, 1951], [63639, 98.1, 346999, 1932, 3594, 113270, 1952],
    [64989, 99.0, 365385, 1870, 3547, 115094, 1953], [63761, 100.0, 363112, 3578, 3350, 116219, 1954],
    [66019, 101.2, 397469, 2904, 3048, 117388, 1955], [67857, 104.6, 419180, 2822, 2857, 118734, 1956],
    [68169, 108.4, 442769, 2936, 2798, 120445, 1957], [66513, 110.8, 444546, 4681, 2637, 121950, 1958],
    [68655, 112.6, 482704, 3813, 2552, 123366, 1959], [69564, 114.2, 502601, 3931, 2514, 125368, 1960],
    [69331, 115.7, 518173, 4806, 2572, 127852, 1961], [70551, 116.9, 554894, 4007, 2827, 130081, 1962],
])  # fmt: skip
LONGLEY_CERTIFIED = [-3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683,
                     -1.03322686717359, -0.511041056535807e-01, 1829.15146461355]  # fmt: skip


def test_longley():
    path = fit_path(LONGLEY[:, 1:], LONGLEY[:, 0], lambdas=[0.0], tol=1e-12)
    np.testing.assert_allclose(np.r_[path.intercept[0], path.coef[0]], LONGLEY_CERTIFIED, rtol=1e-8)


@pytest.mark.parametrize(("name", "truth"), [("Wampler1", 1.0), ("Wampler2", 0.1)])
def test_wampler(name, truth):
    x = np.arange(21.0)
    X = x[:, None] ** np.arange(1, 6)
    certified = truth ** np.arange(6)  # 1 for Wampler1; 1, 0.1, ..., 1e-5 for Wampler2
    y = certified[0] + X @ certified[1:]
    path = fit_path(X, y, lambdas=[0.0], tol=1e-14)
    np.testing.assert_allclose(np.r_[path.intercept[0], path.coef[0]], certified, rtol=1e-5)
