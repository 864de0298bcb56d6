"""The closed form of ridge against its definition with dense matrices, and edge cases of every class."""

import warnings

import numpy as np
import pytest
from scipy import sparse

import bridle.estimators as ours
from bridle.certificates import certify
from bridle.estimators._ridge import centred_design
from bridle.estimators._ridge_algebra import CentredDesign, Spectrum, ridge_gap, solve_ridge
from bridle.penalties import Penalty


def explicit(X, w, fit_intercept, q):
    """Z of the module's docstring, written out."""
    n = len(X)
    mean = np.average(X, axis=0, weights=w) if fit_intercept else np.zeros(X.shape[1])
    rows = np.sqrt(w)[:, None] * (X - mean)
    base = [np.sqrt(w)[:, None]] if fit_intercept else []
    base = np.hstack([*base, rows[:, q == 0.0]]) if base or (q == 0.0).any() else np.zeros((n, 0))
    left = np.eye(n) - base @ np.linalg.pinv(base) if base.size else np.eye(n)
    with np.errstate(divide="ignore"):
        return left @ rows * np.where(q > 0.0, 1.0 / np.sqrt(q), 0.0), left


@pytest.mark.parametrize("shape", [(30, 7), (9, 20)], ids=str)
@pytest.mark.parametrize("make", [np.ascontiguousarray, np.asfortranarray, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", ["plain", "factors"])
def test_products_are_those_of_the_matrix_that_is_never_formed(shape, make, fit_intercept, kind):
    rng = np.random.default_rng(5)
    X = rng.normal(size=shape) * (rng.uniform(size=shape) < 0.5) + 3.0 * (make is np.ascontiguousarray)
    n, p = shape
    w = rng.uniform(0.0, 2.0, size=n)
    q = np.ones(p)
    if kind == "factors":
        q[:4] = [0.0, np.inf, 4.0, 0.0]
    design = CentredDesign.make(make(X), w, fit_intercept, q)
    Z, left = explicit(X, w, fit_intercept, q)
    m, v = rng.normal(size=(p, 2)), rng.normal(size=(n, 2))
    np.testing.assert_allclose(design.times(m), Z @ m, atol=1e-11)
    np.testing.assert_allclose(design.transposed_times(v), Z.T @ v, atol=1e-11)
    np.testing.assert_allclose(design.gram(), Z.T @ Z, atol=1e-10)
    np.testing.assert_allclose(design.kernel(), Z @ Z.T, atol=1e-10)
    np.testing.assert_allclose(design.project(v), left @ v, atol=1e-11)


@pytest.mark.parametrize("shape", [(30, 7), (9, 20)], ids=str)
def test_both_roads_lead_to_one_answer(shape):
    rng = np.random.default_rng(6)
    X, Y = rng.normal(size=shape), rng.normal(size=(shape[0], 3))
    q = np.ones(shape[1])
    q[2] = 0.0
    design = CentredDesign.make(X, None, True, q)
    direct = solve_ridge(design, Y, np.full(3, 0.7), True)
    spectral = Spectrum.make(design, Y, True).solve(0.7)
    for a, b in zip(direct, spectral, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_mean_far_from_0_costs_no_digits():
    rng = np.random.default_rng(7)
    X, y = rng.normal(size=(60, 5)), rng.normal(size=60)
    near, far = ours.Ridge(0.5).fit(X, y), ours.Ridge(0.5).fit(X + 1e7, y)
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-7)


def test_degrees_of_freedom_are_the_trace():
    rng = np.random.default_rng(8)
    X, y = rng.normal(size=(30, 6)), rng.normal(size=30)
    q = np.array([1.0, 0.0, 2.0, 1.0, 1.0, np.inf])
    spectrum = Spectrum.make(CentredDesign.make(X, None, True, q), y[:, None], True)
    hat = np.empty((30, 30))
    for i in range(30):
        unit = Spectrum.make(spectrum.design, np.eye(30)[:, [i]], True)
        coef, intercept = unit.solve(3.0)
        hat[:, i] = X @ coef[0] + intercept[0]
    assert spectrum.degrees_of_freedom(np.array([3.0])) == pytest.approx(np.trace(hat) - 1.0)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("shape", ["tall", "wide"])
def test_the_closed_form_is_the_path(diabetes, wide, weights, standardize, shape):
    """Two solvers that share nothing: eigenvalues and coordinate descent."""
    import bridle

    X, y = diabetes if shape == "tall" else wide
    w = weights(len(y))
    factor = np.ones(X.shape[1])
    factor[:3] = [0.0, 3.0, np.inf]
    mine = ours.Ridge(2.0, standardize=standardize, penalty_factor=factor).fit(X, y, sample_weight=w)
    path = bridle.fit_path(
        X, y, l1_ratio=0.0, lambdas=[2.0 / w.sum()], sample_weight=w, penalty_factor=factor, standardize=standardize,
        tol=1e-14,
    )  # fmt: skip
    np.testing.assert_allclose(mine.coef_, path.coef[0], rtol=1e-5, atol=1e-7 * np.abs(mine.coef_).max())
    assert mine.relative_gap_ < 1e-12


def test_standardised_choice_of_ridge(diabetes):
    X, y = diabetes
    X = X * np.logspace(-2, 2, 10)
    scaled = X / X.std(axis=0)
    for cv in (None, 4):
        inside = ours.RidgeCV([1.0, 30.0, 1e3], standardize=True, cv=cv).fit(X, y)
        outside = ours.RidgeCV([1.0, 30.0, 1e3], cv=cv).fit(scaled, y)
        assert inside.alpha_ == outside.alpha_
        rtol = 1e-8 if cv is None else 0.05  # folds scale by their own rows
        np.testing.assert_allclose(inside.curve_.test_loss, outside.curve_.test_loss, rtol=rtol)
        np.testing.assert_allclose(inside.coef_, outside.coef_ / X.std(axis=0), rtol=1e-7)


@pytest.mark.parametrize("shape", [(40, 7), (12, 20)], ids=str)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_the_gap_is_the_referees_for_any_coefficients(shape, fit_intercept, standardize):
    """At the optimum both are rounding: coefficients that are wrong tell more."""
    rng = np.random.default_rng(11)
    X, Y = rng.normal(size=shape) + 1.0, rng.normal(size=(shape[0], 2))
    w, factor = rng.uniform(0.0, 2.0, size=shape[0]), np.ones(shape[1])
    factor[:3] = [0.0, 3.0, np.inf]
    alphas = np.array([0.7, 20.0])
    model = ours.Ridge(alphas, fit_intercept=fit_intercept, standardize=standardize, penalty_factor=factor)
    model.fit(X, Y, sample_weight=w)
    assert np.all(model.relative_gap_ < 1e-14)
    design, _ = centred_design(X, w, model)
    wrong = model.coef_ + 0.1 * rng.normal(size=model.coef_.shape) * np.isfinite(factor)
    moved = model.intercept_ + 0.1
    gap = ridge_gap(design, Y, (wrong, np.broadcast_to(moved, 2)), alphas)
    for k in range(2):
        found = certify(
            X,
            Y[:, k],
            float(np.broadcast_to(moved, 2)[k]),
            wrong[k],
            alphas[k] / w.sum(),
            penalty=Penalty(0.0, factor),
            sample_weight=w,
            fit_intercept=fit_intercept,
            standardize=standardize,
        )
        assert gap[k] > 1e-4 and gap[k] == pytest.approx(found.gap, rel=1e-9)


@pytest.mark.parametrize("shape", [(40, 7), (12, 20)], ids=str)
@pytest.mark.parametrize("weighted", [True, False])
def test_training_losses_from_the_spectrum_are_those_of_refits(shape, weighted):
    rng = np.random.default_rng(13)
    X, Y = rng.normal(size=shape), rng.normal(size=(shape[0], 2))
    w = rng.uniform(0.5, 2.0, size=shape[0]) if weighted else np.ones(shape[0])
    folds = [(np.arange(shape[0]) % 3 != k, np.arange(shape[0]) % 3 == k) for k in range(3)]
    cv = [(np.flatnonzero(a), np.flatnonzero(b)) for a, b in folds]
    model = ours.RidgeCV([5.0, 0.2, 1e-3], cv=cv).fit(X, Y, sample_weight=w if weighted else None)
    for j, (a, b) in enumerate(cv):
        for k, alpha in enumerate([5.0, 0.2, 1e-3]):
            refit = ours.Ridge(alpha).fit(X[a], Y[a], sample_weight=w[a])
            for rows, losses in ((a, model.curve_.train_loss), (b, model.curve_.test_loss)):
                square = ((Y[rows] - refit.predict(X[rows])) ** 2).mean(axis=1)
                assert losses[j, k] == pytest.approx(np.average(square, weights=w[rows]), rel=1e-8)


# Edges ----------------------------------------------------------------------------------------------------------


def quick(name):
    grids = {"LassoCV": {"alphas": 5}, "ElasticNetCV": {"alphas": 5}, "PoissonRegressorCV": {"alphas": 5}}
    return getattr(ours, name)(**(grids | {"LogisticRegressionCV": {"Cs": 3}}).get(name, {}))


def target_for(name, y):
    """Two values that the family takes."""
    if name.startswith("MultiTask"):
        return np.column_stack([y, 1.0 - 2.0 * y])
    return y + 0.5 if name.startswith("Gamma") else y


PENALISED = [name for name in ours.__all__ if not ("Dropout" in name or "Cox" in name)]
LINEAR = [*PENALISED, "LinearDropoutRegressor", "LinearDropoutClassifier"]


@pytest.mark.parametrize("name", PENALISED)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("standardize", [False, True])
def test_constant_columns_get_0_and_change_nothing(name, make, standardize):
    rng = np.random.default_rng(9)
    X = rng.normal(size=(60, 4))
    y = target_for(name, (X[:, 0] + rng.normal(size=60) > 0).astype(float))
    plain = quick(name).set_params(standardize=standardize).fit(make(X), y)
    padded = np.column_stack([np.full(60, 0.1), X, np.zeros(60)])
    model = quick(name).set_params(standardize=standardize).fit(make(padded), y)
    coef, known = np.atleast_2d(model.coef_), np.atleast_2d(plain.coef_)
    assert not coef[:, [0, -1]].any()
    np.testing.assert_allclose(coef[:, 1:-1], known, rtol=1e-5, atol=1e-9)
    assert np.all(np.asarray(model.relative_gap_) < 1e-8)


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "Ridge", "LassoCV", "ElasticNetCV", "RidgeCV"])
def test_a_constant_target(name):
    X = np.random.default_rng(10).normal(size=(30, 3))
    model = quick(name).fit(X, np.full(30, 7.0))
    np.testing.assert_allclose(model.coef_, 0.0, atol=1e-12)
    np.testing.assert_allclose(model.predict(X), 7.0)


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "Ridge", "PoissonRegressor"])
def test_a_single_row(name):
    model = getattr(ours, name)().fit([[1.0, 2.0]], [3.0])
    np.testing.assert_allclose(model.predict([[1.0, 2.0]]), 3.0)
    assert not model.coef_.any()


@pytest.mark.parametrize("name", LINEAR)
def test_weights_are_replication(name):
    rng = np.random.default_rng(12)
    X = rng.normal(size=(45, 6))
    y = target_for(name, (X[:, 0] + rng.normal(size=45) > 0).astype(float))
    w = rng.integers(0, 4, size=45)
    times = np.repeat(np.arange(45), w)
    options = {}
    if name.endswith("CV"):
        folds = np.arange(45) % 3
        options = {"cv": [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(3)]}
    weighted = quick(name).set_params(**options).fit(X, y, sample_weight=w)
    if options:
        options = {"cv": [(np.flatnonzero(folds[times] != k), np.flatnonzero(folds[times] == k)) for k in range(3)]}
    repeated = quick(name).set_params(**options).fit(X[times], y[times])
    np.testing.assert_allclose(np.ravel(weighted.coef_), np.ravel(repeated.coef_), rtol=1e-5, atol=1e-8)
    if name.endswith("CV"):
        np.testing.assert_allclose(weighted.curve_.test_loss, repeated.curve_.test_loss, rtol=1e-5)
        assert np.ravel(getattr(weighted, "alpha_", 0)) == pytest.approx(np.ravel(getattr(repeated, "alpha_", 0)))


def test_read_only_and_unchanged_input(diabetes):
    X, y = (np.array(part) for part in diabetes)
    for part in (X, y):
        part.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("Lasso", "LassoCV", "Ridge", "RidgeCV", "ElasticNetCV"):
            quick(name).fit(X, y)
