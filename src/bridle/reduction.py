r"""Ridge, or no penalty, with more features than rows: the same problem in at most n features.

With :math:`\hat X = (X - 1 m') \mathrm{diag}(s \sqrt v)^{-1}` and :math:`\hat X \hat X' = Q \Lambda Q'`, the features
:math:`Z = Q \Lambda^{1/2}` have the same objective: a minimiser has its coefficients in the row space of
:math:`\hat X`, so :math:`\gamma = \hat X' Q \Lambda^{-1/2} \zeta` loses nothing (Hastie and Tibshirani 2004,
Biostatistics 5(3)). Unpenalised columns stay beside Z as they are. For ridge of squared errors that pays from p > n / 2
on: columns of Z are uncorrelated, and each lambda costs next to nothing. For other losses any Z with
:math:`Z Z' = \hat X \hat X'` does, and Cholesky's factor is had at a tenth of the price of eigenvectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from bridle.losses import GAUSSIAN
from bridle.problem import Problem, Settings, one_blas_thread
from bridle.several import SeveralProblem

Float = NDArray[np.float64]

MOST_ROWS = 5000  # above this the n x n kernel and its eigenvectors cost more than descent by columns,
MOST_PER_ENTRY = 20  # and where there are more entries of the kernel than this for each one of a sparse matrix
_BLOCK_BYTES = 1 << 25


def applies(problem: Problem | SeveralProblem, lambdas: Float, settings: Settings) -> bool:
    """Whether n features do, or principal components help: many columns, and neither an L1 part nor bounds."""
    n, p = problem.shape
    free = bool(np.isinf(problem.lower).all() and np.isinf(problem.upper).all())
    smooth = problem.l1_ratio == 0.0 or not np.any(lambdas)
    few = n <= MOST_ROWS and not (sparse.issparse(problem.matrix) and n * n > MOST_PER_ENTRY * problem.matrix.nnz)
    # Products of rows lose digits of small components: without a penalty only where columns are too many.
    most = n // 2 if problem.family is GAUSSIAN and problem.l1_ratio == 0.0 and np.min(lambdas) > 0.0 else n
    return settings.mode == 0 and smooth and free and p > max(most, 64) and few


def solve_reduced(problem: Problem | SeveralProblem, lambdas: Float, settings: Settings) -> Any:
    """Solve a ridge path in the space of the rows, and give coefficients of the features.

    Parameters
    ----------
    problem : Problem
        One to which :func:`applies` says yes.
    lambdas : (L,)
        Descending.
    settings : Settings
        Tolerance and limits.

    Returns
    -------
    PathResult
        As from the problem's own ``solve``, with dense coefficients.
    """
    ridge = (problem.factor > 0.0) & np.isfinite(problem.factor)
    kept = np.flatnonzero(problem.factor == 0.0)
    divisor = np.where(ridge, problem.scale * np.sqrt(np.where(ridge, problem.factor, 1.0)), 1.0)
    columns = _Standardised(problem, np.flatnonzero(ridge), divisor)
    with one_blas_thread:
        return _solve(problem, columns, ridge, kept, lambdas, settings)


def _solve(
    problem: Problem | SeveralProblem,
    columns: _Standardised,
    ridge: NDArray[np.bool_],
    kept: NDArray[np.int64],
    lambdas: Float,
    settings: Settings,
) -> Any:
    quadratic = problem.family is GAUSSIAN or getattr(problem.family, "quadratic", False)
    space = _components if quadratic or kept.size or not np.all(lambdas > 0.0) else _triangle
    features, weights_of = space(columns.kernel())
    Z = np.asfortranarray(np.hstack([features, columns.plain(kept)]))  # (n, r + unpenalised)
    raw = problem.in_space(Z, unpenalised=len(kept)).solve(lambdas, settings)

    r, count, p, width = features.shape[1], len(lambdas), problem.shape[1], problem.width
    shape = (count, Z.shape[1] * width)
    found = sparse.csr_array((raw["values"], raw["columns"], raw["starts"]), shape=shape).toarray()
    zeta = found.reshape(count, Z.shape[1], width).transpose(0, 2, 1).reshape(count * width, -1)  # one row a predictor
    coef = np.zeros((count * width, p))
    columns.back(weights_of(zeta[:, :r].T), coef)
    coef[:, kept] = zeta[:, r:]
    shift = coef[:, ridge] @ problem.centre[ridge]
    raw["intercept"] = raw["intercept"] - (shift if raw["intercept"].ndim == 1 else shift.reshape(count, width))
    result = sparse.csr_array(coef.reshape(count, width, p).transpose(0, 2, 1).reshape(count, -1))
    raw["values"], raw["columns"], raw["starts"] = result.data, result.indices, result.indptr
    return raw


def _components(K: Float) -> tuple[Float, Callable[[Float], Float]]:
    """Features Z (n, r) with Z Z' = K, its principal components, and a function from c to rows' weights A, Z'A = c.

    Under squared errors each of them is fitted apart from the others; without a penalty they give the smallest norm.
    """
    values, Q = linalg.eigh(K, driver="evd", overwrite_a=True, check_finite=False)
    on = values > values[-1] * 1e-15 * len(values)
    on[-1] = True  # columns that are all 0 leave one feature of 0
    root = np.sqrt(np.maximum(values[on], np.finfo(float).tiny))
    return Q[:, on] * root, lambda c: (Q[:, on] / root) @ c


def _triangle(K: Float) -> tuple[Float, Callable[[Float], Float]]:
    """The same from Cholesky's factor with pivots, which takes a tenth of the time."""
    n = len(K)
    tolerance = max(1e-15 * n * float(K.diagonal().max()), np.finfo(float).tiny)
    factor, pivots, rank, _ = linalg.lapack.dpstrf(K, lower=1, tol=tolerance, overwrite_a=1)
    rows = pivots - 1
    Z = np.zeros((n, max(int(rank), 1)))
    Z[rows, : int(rank)] = np.tril(factor)[:, : int(rank)]

    def weights_of(c: Float) -> Float:
        A = np.zeros((n, c.shape[1]))
        if rank:
            A[rows[:rank]] = linalg.solve_triangular(factor[:rank, :rank], c, lower=True, trans="T")
        return A

    return Z, weights_of


class _Standardised:
    """Chosen columns of a design, centred and divided, in blocks of columns that are small beside the matrix."""

    def __init__(self, problem: Problem | SeveralProblem, chosen: NDArray[np.int64], divisor: Float) -> None:
        self._X: Any = problem.matrix
        self._chosen = chosen
        self._centre, self._divisor = problem.centre, divisor
        self._n = problem.shape[0]

    def plain(self, which: NDArray[np.int64]) -> Float:
        """Return columns as they are, (n, len(which))."""
        block = self._X[:, which]
        return np.asarray(block.toarray() if sparse.issparse(block) else block, dtype=np.float64)

    def _blocks(self) -> Iterator[tuple[NDArray[np.int64], Float]]:
        size = max(1, _BLOCK_BYTES // (8 * self._n))
        for start in range(0, len(self._chosen), size):
            which = self._chosen[start : start + size]
            yield which, (self.plain(which) - self._centre[which]) / self._divisor[which]

    def kernel(self) -> Float:
        """Return the inner products of the rows, (n, n)."""
        K = np.zeros((self._n, self._n))
        for _, block in self._blocks():
            K += block @ block.T
        return K

    def back(self, A: Float, coef: Float) -> None:
        """Fill coef (L, p) on the original scale from A (n, L)."""
        for which, block in self._blocks():
            coef[:, which] = (block.T @ A).T / self._divisor[which]
