"""Kernels against their NumPy twins."""

import numpy as np
import pytest
from scipy import sparse

from bridle import _core, fit_path
from bridle.matrix import as_design


@pytest.mark.parametrize("kind", ["F", "C", "csc", "csr", "float32", "strided"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (37, 5), (129, 33)])
def test_design_products(kit, kind, shape):
    rng = np.random.default_rng(1)
    X = rng.normal(size=shape).astype(np.float32).astype(float) * (rng.random(shape) < 0.6)
    design, _ = as_design(kit.storage(X, kind))
    v, b, w = rng.normal(size=shape[0]), rng.normal(size=shape[1]), rng.random(shape[0])
    shift = rng.normal(size=shape[1])
    assert design.shape == shape
    np.testing.assert_allclose(design.dots(v), X.T @ v, atol=1e-12)
    np.testing.assert_allclose(design.times(b), X @ b, atol=1e-12)
    np.testing.assert_allclose(design.squares(w, shift), w @ (X - shift) ** 2, rtol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        np.asfortranarray,
        np.ascontiguousarray,
        lambda X: np.asfortranarray(X, dtype=np.float32),
        lambda X: np.ascontiguousarray(X)[::2],
        lambda X: np.asfortranarray(X)[:, ::2],
    ],
)
def test_usable_dense_matrices_are_not_copied(make):
    X = make(np.random.default_rng(0).normal(size=(20, 6)))
    design, matrix = as_design(X)
    assert np.shares_memory(X, matrix)
    before = design.times(np.ones(X.shape[1]))
    X[...] += 1.0  # the design looks into the caller's memory
    np.testing.assert_allclose(design.times(np.ones(X.shape[1])), before + X.shape[1], rtol=1e-5, atol=1e-5)


def test_usable_sparse_matrices_are_not_copied():
    X = sparse.random(30, 8, density=0.3, format="csc", rng=np.random.default_rng(0))
    _, matrix = as_design(X)
    assert np.shares_memory(X.data, matrix.data)
    assert np.shares_memory(X.indices, matrix.indices)


def test_duplicate_entries_of_a_sparse_matrix_are_summed():
    X = sparse.csc_matrix((np.array([1.0, 2.0, 5.0]), np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2))
    design, _ = as_design(X)
    np.testing.assert_array_equal(design.squares(np.ones(2), np.zeros(2)), [9.0, 25.0])
    assert X.nnz == 3  # the caller's matrix is as it was


def test_wrong_lengths_are_refused_by_the_binding():
    design = _core.dense(np.ones((3, 2)))
    with pytest.raises(ValueError, match="one value per row"):
        design.dots(np.ones(2))
    with pytest.raises(ValueError, match="one value per column"):
        design.times(np.ones(3))


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_vectorised_exponentials_and_logarithms_keep_their_digits(family):
    """The loss of one row with nothing fitted is log(1 + e^eta), or e^eta, of the core's own polynomials."""
    exact = {"binomial": lambda eta: np.log1p(np.exp(eta)), "poisson": np.exp}[family]
    for eta in -np.geomspace(1e-3, 600.0, 150):
        moments = (np.zeros(1), np.ones(1), np.ones(1), np.zeros(1), np.zeros(1))
        penalty = (np.array([np.inf]), np.array([-np.inf]), np.array([np.inf]))
        (raw,) = _core.solve_paths(
            _core.dense(np.ones((1, 1))), _core.loss(family, []), np.zeros(1), np.array([eta]),
            [(np.ones(1), moments, penalty, 0.0, 1.0, None)], 1.0, False, np.ones(1), 1e-6, 10, 0, 1,
        )  # fmt: skip
        np.testing.assert_allclose(raw["loss"][0], exact(eta), rtol=1e-15)


@pytest.mark.parametrize("order", ["F", "C"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "p"), [(4, 1), (9, 2), (70, 7), (257, 33), (530, 201)])
def test_products_of_rows_give_the_solution_of_the_normal_equations(n, p, dtype, order):
    # blocks of 256 rows and 96 columns and groups of 4 or 8, whole and begun
    rng = np.random.default_rng(n)
    X = np.asarray(rng.normal(1.0, 1.0, (n, p)), dtype=dtype, order=order)
    y, w = rng.normal(size=n), rng.uniform(0.5, 2.0, n)
    w /= w.sum()
    path = fit_path(X, y, sample_weight=w, l1_ratio=0.0, lambdas=[0.1], standardize=False, tol=1e-13)
    Z = X - w @ X.astype(float)
    expected = np.linalg.solve(Z.T @ (w[:, None] * Z) + 0.1 * np.eye(p), Z.T @ (w * (y - w @ y)))
    np.testing.assert_allclose(path.coef[0], expected, atol=1e-9)


@pytest.mark.parametrize("order", ["F", "C"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("cells", [1, 3])
def test_products_of_rows_with_the_target_keep_to_their_cells(cells, dtype, order):
    rng = np.random.default_rng(cells)
    X = np.asarray(rng.normal(1.0, 1.0, (1500, 37)), dtype=dtype, order=order)
    y, w = rng.normal(size=1500), rng.uniform(0.5, 2.0, 1500)
    cell = rng.integers(0, cells, 1500).astype(np.int32)
    sums = _core.moments(_core.dense(X), y, w, np.full(37, 0.9), 0.0, cell if cells > 1 else None, cells, (0, 1500))
    for k in range(cells):
        summary, rows = sums.summary(np.array([k], dtype=np.int32)), cell == k
        share = w[rows] / w[rows].sum()
        Z = X[rows] - share @ X[rows].astype(float)
        np.testing.assert_allclose(summary.weight, w[rows].sum(), rtol=1e-13)
        np.testing.assert_allclose(summary.slope, Z.T @ (share * y[rows]), atol=1e-13)
