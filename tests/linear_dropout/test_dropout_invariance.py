"""What must not matter: how rows, columns, units, zeros and weights are written down."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from bridle import fit_dropout_path

OPTIONS = {"rates": [0.8, 0.4, 0.0], "tol": 1e-10}


def fit(problem, X, y, **more):
    family, marginal = problem
    path = fit_dropout_path(X, y, family=family, marginal=marginal, **OPTIONS, **more)
    assert path.converged
    return path


def same(a, b, coef=None, rtol=1e-7):
    np.testing.assert_allclose(a.coef if coef is None else coef, b.coef, rtol=rtol, atol=1e-9)
    np.testing.assert_allclose(a.objective, b.objective, rtol=1e-9)


@pytest.mark.parametrize("container", [np.asfortranarray, sparse.csr_array, sparse.csc_matrix, pd.DataFrame])
@pytest.mark.parametrize("standardize", [True, False])
def test_storage(problem, container, standardize, make_data):
    X, y, w, offset = make_data(problem[0])
    X = np.where(np.abs(X) < np.median(np.abs(X), axis=0), 0.0, X)
    options = {"sample_weight": w, "offset": offset, "standardize": standardize}
    same(fit(problem, X, y, **options), fit(problem, container(X), y, **options))


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_a_sparse_matrix_stays_sparse(family):
    """The dense matrix alone would be more memory than is ever asked for."""
    rng = np.random.default_rng(4)
    X = sparse.random_array((100, 12000), density=0.005, rng=rng, format="csc")
    X = sparse.hstack([X, sparse.csc_array((np.arange(100) % 5 == 0).astype(float)[:, None])], format="csc")
    y = (np.arange(100) % 2 if family == "binomial" else rng.poisson(2.0, 100)).astype(float)
    options = {"family": family, "marginal": "normal", "rates": [0.9, 0.7]}
    fit_dropout_path(X, y, **options)  # what is imported and compiled once is not counted
    tracemalloc.start()
    path = fit_dropout_path(X, y, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    dense = fit_dropout_path(X.toarray(), y, **options)
    np.testing.assert_allclose(path.coef, dense.coef, rtol=1e-4, atol=1e-6)
    assert path.converged and peak < 0.8 * 8 * X.shape[0] * X.shape[1]


def test_float32_columns_are_read_as_they_are(problem, make_data):
    X, y, *_ = make_data(problem[0])
    X = X.astype(np.float32)
    same(fit(problem, X, y), fit(problem, X.astype(np.float64), y), rtol=1e-6)


def test_weights_are_repetitions(problem, make_data):
    X, y, w, offset = make_data(problem[0])
    w[5] = 0.0
    times = w.astype(int)
    repeated = fit(problem, np.repeat(X, times, axis=0), np.repeat(y, times), offset=np.repeat(offset, times))
    same(fit(problem, X, y, sample_weight=w, offset=offset), repeated)
    same(fit(problem, X, y, sample_weight=1e6 * w, offset=offset), repeated)


@pytest.mark.parametrize("standardize", [True, False])
def test_units_of_the_features(problem, standardize, make_data):
    """The penalty takes x_j b_j: it has no unit, standardised or not."""
    X, y, *_ = make_data(problem[0])
    units = np.array([1e-6, 1e3, 1.0, -7.0, 1e-2, 1e5])
    scaled = fit(problem, X * units, y, standardize=standardize)
    same(scaled, fit(problem, X, y, standardize=standardize), coef=scaled.coef * units)


def test_origin_of_the_features(problem, make_data):
    """Standardised, a shift is the intercept's affair; raw, it changes what a dropped feature is replaced by."""
    X, y, *_ = make_data(problem[0])
    shift = np.linspace(-3.0, 5.0, X.shape[1])
    centred, moved = fit(problem, X, y), fit(problem, X + shift, y)
    same(moved, centred)
    np.testing.assert_allclose(moved.intercept, centred.intercept - moved.coef @ shift, rtol=1e-7, atol=1e-8)
    raw, moved = (fit(problem, Z, y, standardize=False) for Z in (X, X + shift))
    assert np.max(np.abs(raw.coef[1] - moved.coef[1])) > 1e-3 * np.max(np.abs(raw.coef[1]))


def test_order_of_rows_and_columns(problem, make_data):
    X, y, w, offset = make_data(problem[0])
    rng = np.random.default_rng(2)
    rows, columns = rng.permutation(len(y)), rng.permutation(X.shape[1])
    plain = fit(problem, X, y, sample_weight=w, offset=offset)
    mixed = fit(problem, X[rows][:, columns], y[rows], sample_weight=w[rows], offset=offset[rows])
    same(mixed, plain, coef=mixed.coef[:, np.argsort(columns)])


def test_a_constant_offset_is_the_intercept(problem, make_data):
    X, y, *_ = make_data(problem[0])
    plain, shifted = fit(problem, X, y), fit(problem, X, y, offset=np.full(len(y), 1.3))
    np.testing.assert_allclose(shifted.coef, plain.coef, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(shifted.intercept, plain.intercept - 1.3, rtol=1e-7)


def test_swapped_classes_turn_the_signs(make_data):
    X, y, *_ = make_data("binomial")
    for marginal in ("quadratic", "normal"):
        one, other = fit(("binomial", marginal), X, y), fit(("binomial", marginal), X, 1.0 - y)
        np.testing.assert_allclose(one.coef, -other.coef, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(one.intercept, -other.intercept, rtol=1e-7, atol=1e-9)


def test_columns_without_meaning_change_nothing(problem, make_data):
    X, y, *_ = make_data(problem[0])
    padded = np.column_stack([X, np.full(len(y), 4.0)])
    path, plain = fit(problem, padded, y), fit(problem, X, y)
    assert np.all(path.coef[:, -1] == 0.0) and "constant" in path.notes[0]
    same(path, plain, coef=path.coef[:, :-1])
    empty = np.column_stack([X, np.zeros(len(y))])
    same(
        fit(problem, empty, y, fit_intercept=False),
        fit(problem, X, y, fit_intercept=False),
        coef=fit(problem, empty, y, fit_intercept=False).coef[:, :-1],
    )


def test_predictions_are_those_of_the_coefficients(problem, make_data):
    X, y, _, offset = make_data(problem[0])
    path = fit(problem, X, y, offset=offset)
    eta = path.intercept + X @ path.coef.T
    np.testing.assert_allclose(path.linear_predictor(X), eta)
    np.testing.assert_allclose(path.linear_predictor(sparse.csr_array(X), offset), eta + offset[:, None])
    np.testing.assert_allclose(path.predict(X, offset, rate=0.4, kind="link"), eta[:, 1] + offset)
    mean = {"gaussian": lambda e: e, "binomial": lambda e: 1.0 / (1.0 + np.exp(-e)), "poisson": np.exp}[path.family]
    np.testing.assert_allclose(path.predict(X, rate=0.8), mean(eta[:, 0]))
    assert path.predict(X).shape == (len(y), 3)
