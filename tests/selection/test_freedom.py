from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import sparse

from bridle.losses import get_family
from bridle.path import fit_path
from bridle.selection import criterion, cross_validate, effective_df, make_folds


def problem(n, p, family="gaussian", correlated=True):
    rng = np.random.default_rng(n * 100 + p)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 3.0, p) + 2.0
    if correlated:
        X[:, 1:] += 0.7 * X[:, :-1]
    eta = (X - X.mean(axis=0))[:, :3] @ [0.5, -0.4, 0.3]
    y = {
        "gaussian": lambda: eta + rng.normal(size=n),
        "binomial": lambda: (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float),
        "poisson": lambda: rng.poisson(np.exp(0.5 * eta)).astype(float),
    }[family]()
    return X, y


def by_hand(path, X, y, weight=None, factor=None):
    """tr[Z (Z'WZ + lam (1 - a) V)^-1 Z'W] with the intercept profiled out, one pseudo-inverse per lambda."""
    n, p = X.shape
    w0 = np.full(n, 1 / n) if weight is None else weight / weight.sum()
    v = np.ones(p) if factor is None else factor
    Z = (X - path.mean) / path.scale
    df = []
    for i, lam in enumerate(path.lambdas):
        eta = path.intercept[i] + X @ path.coef[i]
        w = w0 * get_family(path.family).curvature(y, eta)
        A = np.flatnonzero(np.isfinite(v)) if path.l1_ratio == 0 else np.flatnonzero(path.coef[i])
        C = Z[:, A] - (w @ Z[:, A]) / w.sum()
        G = C.T @ (w[:, None] * C)
        df.append(np.trace(np.linalg.pinv(G + lam * (1 - path.l1_ratio) * np.diag(v[A]), hermitian=True) @ G))
    return np.array(df)


def test_ridge_is_the_sum_over_singular_values():
    X, y = problem(60, 8)
    path = fit_path(X, y, l1_ratio=0.0, lambdas=[10.0, 1.0, 0.1, 0.01])
    d2 = np.linalg.svd((X - X.mean(axis=0)) / X.std(axis=0), compute_uv=False) ** 2
    expected = [np.sum(d2 / (d2 + 60 * lam)) for lam in path.lambdas]
    np.testing.assert_allclose(effective_df(path, X, y), expected, rtol=1e-10)


def test_lasso_is_the_number_of_features():
    X, y = problem(60, 8)
    path = fit_path(X, y)
    np.testing.assert_array_equal(effective_df(path, X, y), path.n_nonzero)


def test_collinear_columns_add_no_rank():
    X, y = problem(60, 4)
    X = np.column_stack([X, X[:, 0], X[:, 1] + X[:, 2], np.ones(60)])
    path = fit_path(X[:, :4], y, lambdas=[0.2, 0.1])
    coef = np.array([[1.0, 0, 0, 0, 1.0, 0, 0], [1.0, 1, 1, 1, 1, 1, 0]])
    scale = np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
    twins = replace(path, coef_sparse=sparse.csr_array(coef), mean=X.mean(axis=0), scale=scale)
    np.testing.assert_array_equal(effective_df(twins, X, y), [1, 4])


def test_wide_lasso_stays_below_the_number_of_rows():
    X, y = problem(20, 60)
    path = fit_path(X, y, lambda_min_ratio=1e-3, tol=1e-9)
    df = effective_df(path, X, y)
    assert df.max() <= 19
    np.testing.assert_array_equal(
        df, [np.linalg.matrix_rank(X[:, b != 0] - X[:, b != 0].mean(axis=0)) for b in path.coef]
    )


@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", [(50, 6), (20, 45)], ids=["tall", "wide"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.3])
@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_trace_formula(family, l1_ratio, shape, storage):
    X, y = problem(*shape, family)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, shape[0])
    path = fit_path(X, y, family=family, l1_ratio=l1_ratio, n_lambdas=12, sample_weight=weight)
    df = effective_df(path, storage(X), y, weight=weight)
    np.testing.assert_allclose(df, by_hand(path, X, y, weight), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", [(50, 6), (20, 45)], ids=["tall", "wide"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_factors_unpenalised_and_excluded(family, l1_ratio, shape):
    X, y = problem(*shape, family, correlated=False)
    factor = np.random.default_rng(2).uniform(0.5, 2.0, shape[1])
    factor[[0, 3]], factor[5] = 0.0, np.inf
    path = fit_path(X, y, family=family, l1_ratio=l1_ratio, n_lambdas=10, lambda_min_ratio=0.05, penalty_factor=factor)
    df = effective_df(path, X, y, penalty_factor=factor)
    np.testing.assert_allclose(df, by_hand(path, X, y, factor=factor), rtol=1e-7)
    assert df[0] >= 2.0  # the unpenalised two count in full


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("lower", [-np.inf, 0.0], ids=["free", "non-negative"])
def test_stein_divergence(l1_ratio, lower):
    """df is the sum of d fitted_i / d y_i: by finite differences, where the active set is stable."""
    n, h = 30, 1e-5
    X, y = problem(n, 5)
    options = {"l1_ratio": l1_ratio, "lambdas": [0.12], "lower": lower, "tol": 1e-13}
    path = fit_path(X, y, **options)
    divergence = 0.0
    for i in range(n):
        e = h * np.eye(n)[i]
        up, down = (fit_path(X, y + s * e, **options) for s in (1.0, -1.0))
        divergence += (up.predict(X)[i, 0] - down.predict(X)[i, 0]) / (2 * h)
    df = effective_df(path, X, y, lower=lower)
    assert df[0] + 1.0 == pytest.approx(divergence, abs=1e-4)  # one more for the intercept


def test_a_coefficient_at_its_bound_is_not_free():
    X, y = problem(60, 5)
    path = fit_path(X, y, lambdas=[0.01], upper=0.1)
    at_bound = int((path.coef[0] == 0.1).sum())
    assert at_bound > 0
    assert effective_df(path, X, y, upper=0.1)[0] == path.n_nonzero[0] - at_bound


def test_weights_are_replication():
    X, y = problem(40, 5)
    counts = np.random.default_rng(3).integers(1, 4, 40)
    weighted = fit_path(X, y, l1_ratio=0.2, n_lambdas=8, sample_weight=counts)
    repeated = fit_path(np.repeat(X, counts, axis=0), np.repeat(y, counts), l1_ratio=0.2, lambdas=weighted.lambdas)
    a = effective_df(weighted, X, y, weight=counts.astype(float))
    b = effective_df(repeated, np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(a, b, rtol=1e-9)


def test_too_much_work_is_left_to_the_caller():
    X, y = problem(60, 8)
    path = fit_path(X, y, l1_ratio=0.5)
    assert np.isnan(effective_df(path, X, y, limit=10.0)).all()


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_criteria_agree_with_statsmodels_without_penalty(family):
    X, y = problem(80, 4, family)
    subsets = [X[:, :2], X]
    ours, theirs = [], []
    for part in subsets:
        folds = make_folds(y, family=family, n_splits=4)
        curve = cross_validate(part, y, folds=folds, family=family, lambdas=[0.0], tol=1e-10).curves[0]
        ours.append([criterion(curve, rule)[0] for rule in ("aic", "bic")])
        design = sm.add_constant(part)
        if family == "gaussian":
            fit = sm.OLS(y, design).fit()
            theirs.append([fit.aic, fit.bic])
        else:
            fit = sm.GLM(y, design, family=getattr(sm.families, family.capitalize())()).fit()
            theirs.append([fit.aic, fit.bic_llf])
    difference = np.array(ours) - np.array(theirs)  # constants that no choice depends on
    np.testing.assert_allclose(difference[0], difference[1], atol=1e-5)
    if family == "gaussian":  # variance counted, as R's AIC.lm does; n log(2 pi) + n left out
        np.testing.assert_allclose(difference[0, 0], 2.0 - 80 * (np.log(2 * np.pi) + 1), rtol=1e-7)
