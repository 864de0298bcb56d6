"""Ridge regression in closed form: one factorisation serves every target, every alpha and leave-one-out.

Rows are scaled by the square root of their weight and columns by 1 / sqrt(q_j), q_j the penalty weight of feature j.
The intercept and the features that aren't penalised are projected out, so that what is left is Z, (n, r), and

    minimise |y - Z c|^2 + alpha |c|^2,    c = (Z'Z + alpha I)^-1 Z'y = Z' (ZZ' + alpha I)^-1 y

is solved in the smaller of the two Gram spaces. Z is never formed: a sparse X stays sparse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from bridle.problem import as_design

Float = NDArray[np.float64]
_BLOCK = 4096  # rows centred at a time: the copy stays small, and no digits are lost to an uncentred Gram matrix


@dataclass(frozen=True)
class CentredDesign:
    """Z as products only; see the module's docstring."""

    X: Any  # (n, p) dense or sparse
    root: Float  # (n,) square root of the weights
    mean: Float  # (p,) weighted column means, 0 without intercept
    shrink: Float  # (p,) 1 / sqrt(q_j); 0 for features that are excluded or not penalised
    basis: Float  # (n, k) orthonormal basis of the intercept and the unpenalised features
    extra: NDArray[np.int64]  # unpenalised features

    @classmethod
    def make(cls, X: Any, weight: Float | None, fit_intercept: bool, penalty: Float) -> CentredDesign:
        """Prepare Z.

        Parameters
        ----------
        X : (n, p)
            Dense or sparse design.
        weight : (n,) or None
            Row weights on their own scale; None is 1 for all.
        fit_intercept : bool
            Whether an intercept is projected out.
        penalty : (p,)
            q_j: 0 is never penalised, inf is excluded.
        """
        n, p = X.shape
        w = np.ones(n) if weight is None else weight
        root = np.sqrt(w)
        mean = as_design(X)[0].dots(w) / w.sum() if fit_intercept else np.zeros(p)
        with np.errstate(divide="ignore"):
            shrink = np.where(penalty > 0.0, 1.0 / np.sqrt(penalty), 0.0)
        extra = np.flatnonzero(penalty == 0.0)
        columns = [root[:, None]] if fit_intercept else []
        if extra.size:
            taken = X[:, extra].toarray() if sparse.issparse(X) else np.asarray(X[:, extra], dtype=np.float64)
            columns.append(root[:, None] * (taken - mean[extra]))
        basis = _orthonormal(np.hstack(columns)) if columns else np.zeros((n, 0))
        return cls(X, root, mean, shrink, basis, extra)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of Z."""
        return int(self.X.shape[0]), int(self.X.shape[1])

    def project(self, m: Float) -> Float:
        """Take out what intercept and unpenalised features explain of the columns of ``m``, (n, ...)."""
        return m - self.basis @ (self.basis.T @ m)

    def times(self, m: Float) -> Float:
        """Z @ m, (n, ...)."""
        scaled = (self.shrink * m.T).T
        product = np.asarray(self.X @ scaled, dtype=np.float64) - self.mean @ scaled
        return self.project((self.root * product.T).T)

    def transposed_times(self, m: Float) -> Float:
        """Z' @ m, (p, ...)."""
        rows = (self.root * self.project(m).T).T
        product = np.asarray(self.X.T @ rows, dtype=np.float64) - np.multiply.outer(self.mean, rows.sum(axis=0))
        return np.asarray((self.shrink * product.T).T)

    def gram(self) -> Float:
        """Z'Z, (p, p)."""
        n, p = self.shape
        if sparse.issparse(self.X):
            Xw = sparse.diags_array(self.root) @ self.X
            total = np.asarray((Xw.T @ Xw).toarray(), dtype=np.float64)
            total -= float(self.root @ self.root) * np.outer(self.mean, self.mean)
        else:
            total = np.zeros((p, p))
            for rows in _blocks(n):
                block = (np.asarray(self.X[rows], dtype=np.float64) - self.mean) * self.root[rows, None]
                total += block.T @ block
        total *= self.shrink[:, None] * self.shrink
        if self.extra.size:
            raw = np.asarray((self.X.T @ (self.root[:, None] * self.basis)).T, dtype=np.float64)
            lost = (
                raw - np.outer(self.basis.T @ self.root, self.mean)
            ) * self.shrink  # (k, p) = basis' Z before projection
            total -= lost.T @ lost
        return total

    def kernel(self) -> Float:
        """ZZ', (n, n)."""
        n, p = self.shape
        if sparse.issparse(self.X):
            Xs = self.X @ sparse.diags_array(self.shrink)
            inner = np.asarray((Xs @ Xs.T).toarray(), dtype=np.float64)
        else:
            inner = np.zeros((n, n))
            for cols in _blocks(p):
                block = (np.asarray(self.X[:, cols], dtype=np.float64) - self.mean[cols]) * self.shrink[cols]
                inner += block @ block.T
        inner *= self.root[:, None] * self.root  # a sparse mean drops out in the projection: it spans the intercept
        inner = self.project(inner)
        return self.project(inner.T)


def finish(design: CentredDesign, y: Float, c: Float, fit_intercept: bool) -> tuple[Float, Float]:
    """Return (coef (t, p), intercept (t,)) on the original scale from c, (p, t), and y, (n, t)."""
    coef = (design.shrink * c.T).copy()  # (t, p)
    w = design.root**2
    if design.extra.size:
        X0 = design.X[:, design.extra]
        X0 = X0.toarray() if sparse.issparse(X0) else np.asarray(X0, dtype=np.float64)
        left = y - np.asarray(design.X @ coef.T, dtype=np.float64) + design.mean @ coef.T
        ones = [design.root[:, None]] if fit_intercept else []
        A = np.hstack([*ones, design.root[:, None] * (X0 - design.mean[design.extra])])
        free = linalg.lstsq(A, design.root[:, None] * left)[0][len(ones) :]
        coef[:, design.extra] = free.T
    if not fit_intercept:
        return coef, np.zeros(y.shape[1])
    return coef, np.average(y, axis=0, weights=w) - coef @ design.mean


@dataclass(frozen=True)
class Spectrum:
    """Eigen-decomposition of the smaller Gram matrix: everything about every alpha."""

    design: CentredDesign
    y: Float  # (n, t) target as given
    fit_intercept: bool
    values: Float  # (r,) eigenvalues
    scores: Float  # (n, r) Z V; its Gram matrix is diag(values)
    axes: Float | None  # (p, r) V, or None in kernel space
    residual: Float  # (n, t) weighted target less the projection

    @classmethod
    def make(cls, design: CentredDesign, y: Float, fit_intercept: bool) -> Spectrum:
        """Decompose once; the cost is that of eigh on min(n, p)."""
        n, p = design.shape
        target = design.project(design.root[:, None] * y)
        if p <= n:
            values, axes = linalg.eigh(design.gram())
            return cls(design, y, fit_intercept, np.maximum(values, 0.0), design.times(axes), axes, target)
        values, left = linalg.eigh(design.kernel())
        values = np.maximum(values, 0.0)
        return cls(design, y, fit_intercept, values, left * np.sqrt(values), None, target)

    def _inverse(self, alpha: float) -> Float:
        """1 / (value + alpha), 0 where both vanish: the answer of least norm."""
        total = self.values + alpha
        floor = self.values.max(initial=0.0) * max(self.design.shape) * np.finfo(float).eps
        live = (total > floor) if alpha == 0.0 else (total > 0.0)
        return np.divide(1.0, total, out=np.zeros_like(total), where=live)

    def solve(self, alpha: float, target: int | slice = slice(None)) -> tuple[Float, Float]:
        """Return (coef (t, p), intercept (t,)) at ``alpha``."""
        y = self.y[:, target].reshape(len(self.y), -1)
        inner = self._inverse(alpha)[:, None] * (self.scores.T @ self.residual[:, target].reshape(len(self.y), -1))
        if self.axes is not None:
            c = self.axes @ inner
        else:  # c = Z' U diag(1 / (value + alpha)) U'y, and scores = U sqrt(value)
            root = np.sqrt(self.values)
            left = np.divide(self.scores, root, out=np.zeros_like(self.scores), where=root > 0.0)
            scaled = np.divide(inner, root[:, None], out=np.zeros_like(inner), where=root[:, None] > 0.0)
            c = self.design.transposed_times(left @ scaled)
        return finish(self.design, y, c, self.fit_intercept)

    def leave_one_out(self, alpha: float) -> tuple[Float, Float]:
        """Residual of each row under the fit without it, and the training loss of that fit.

        e_i = r_i / (1 - h_ii);  training sum of squares = |r|^2 + 2 e_i (H r)_i + e_i^2 (H^2)_ii - e_i^2.

        Returns
        -------
        e : (n, t)
            Left-out residuals of the rows scaled by the square root of their weight.
        train : (n, t)
            Weighted mean squared error of the other rows under the same fit.

        References
        ----------
        Golub, Heath and Wahba (1979), Generalized cross-validation as a method for choosing a good ridge parameter.
        """
        inv = self._inverse(alpha)
        fitted = self.scores @ (inv[:, None] * (self.scores.T @ self.residual))
        r = self.residual - fitted
        square = self.scores**2
        free = np.sum(self.design.basis**2, axis=1)
        h = free + square @ inv  # (n,) diagonal of H
        h2 = free + square @ (inv**2 * self.values)  # (n,) diagonal of H^2
        room = np.maximum(1.0 - h, np.finfo(float).tiny)[:, None]
        e = r / room
        hr = self.scores @ (inv[:, None] * (self.scores.T @ r))  # the basis is orthogonal to r
        w = self.design.root**2
        rest = np.maximum(w.sum() - w, np.finfo(float).tiny)[:, None]
        train = np.sum(r**2, axis=0) + 2.0 * e * hr + e**2 * h2[:, None] - e**2
        return e, np.maximum(train, 0.0) / rest

    def degrees_of_freedom(self, alpha: float) -> float:
        """Trace of the hat matrix, the intercept left out."""
        return float(self.values @ self._inverse(alpha) + self.design.basis.shape[1] - int(self.fit_intercept))


def solve_ridge(design: CentredDesign, y: Float, alphas: Float, fit_intercept: bool) -> tuple[Float, Float]:
    """Return (coef (t, p), intercept (t,)) with penalty ``alphas[k]`` for target k.

    One Cholesky factor serves all targets with the same alpha; singular systems get the answer of least norm.

    Parameters
    ----------
    design : CentredDesign
    y : (n, t)
    alphas : (t,)
    fit_intercept : bool
    """
    n, p = design.shape
    if np.unique(alphas).size == 1 and alphas[0] > 0.0:
        matrix = design.gram() if p <= n else design.kernel()
        matrix[np.diag_indices_from(matrix)] += alphas[0]
        factor = _cholesky(matrix)
        if factor is not None:
            target = design.project(design.root[:, None] * y)
            if p <= n:
                c = linalg.cho_solve(factor, design.transposed_times(target), check_finite=False)
            else:
                c = design.transposed_times(linalg.cho_solve(factor, target, check_finite=False))
            return finish(design, y, c, fit_intercept)
    spectrum = Spectrum.make(design, y, fit_intercept)
    parts = [spectrum.solve(float(a), k) for k, a in enumerate(alphas)]
    return np.vstack([c for c, _ in parts]), np.concatenate([b for _, b in parts])


def _cholesky(matrix: Float) -> tuple[Float, bool] | None:
    """Cholesky factor, or None if the matrix is singular to working precision."""
    try:
        factor, lower = linalg.cho_factor(matrix, lower=True, overwrite_a=False, check_finite=False)
    except linalg.LinAlgError:
        return None
    diagonal = np.diag(factor)
    return (factor, lower) if diagonal.min() > 1e-7 * diagonal.max() else None


def _orthonormal(columns: Float) -> Float:
    """Orthonormal basis of the span of ``columns``, (n, k), tolerant of collinear ones."""
    if columns.shape[1] == 1:
        return np.asarray(columns / np.linalg.norm(columns))
    return np.asarray(linalg.orth(columns))


def _blocks(n: int) -> list[slice]:
    return [slice(i, min(i + _BLOCK, n)) for i in range(0, n, _BLOCK)]
