"""Ridge regression in closed form: one factorisation serves every target, every alpha and leave-one-out.

Rows are scaled by the square root of their weight and columns by 1 / sqrt(q_j), q_j the penalty weight of feature j.
The intercept and the features that aren't penalised are projected out, so that what is left is Z, (n, r), and

    minimise |y - Z c|^2 + alpha |c|^2,    c = (Z'Z + alpha I)^-1 Z'y = Z' (ZZ' + alpha I)^-1 y

is solved in the smaller of the two Gram spaces. Z is never formed: a sparse X stays sparse.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from bridle.matrix import as_design

Float = NDArray[np.float64]
_BLOCK = 4096  # rows centred at a time: the copy stays small, and no digits are lost to an uncentred Gram matrix
_NEAR = 3.0  # means of up to so many standard deviations cost a Gram matrix one digit if centred afterwards


@dataclass(frozen=True)
class CentredDesign:
    """Z as products only; see the module's docstring."""

    X: Any  # (n, p) dense or sparse
    root: Float  # (n,) square root of the weights
    mean: Float  # (p,) weighted column means, 0 without intercept
    shrink: Float  # (p,) 1 / sqrt(q_j); 0 for features that are excluded or not penalised
    basis: Float  # (n, k) orthonormal basis of the intercept and the unpenalised features
    extra: NDArray[np.int64]  # unpenalised features
    raw: bool  # whether X can be multiplied as it is, and centred afterwards

    @classmethod
    def make(
        cls,
        X: Any,
        weight: Float | None,
        fit_intercept: bool,
        penalty: Float,
        moments: tuple[Float, Float] | None = None,
    ) -> CentredDesign:
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
        moments : ((p,), (p,)) or None
            Weighted means and standard deviations of the columns, where they are known.
        """
        n, p = X.shape
        root = np.ones(n) if weight is None else np.sqrt(weight)
        mean, deviation = moments or moments_of(X, weight)
        plain = weight is None and not sparse.issparse(X) and X.dtype == np.float64
        raw = plain and not (fit_intercept and np.any(np.abs(mean) > _NEAR * deviation))
        mean = mean if fit_intercept else np.zeros(p)
        with np.errstate(divide="ignore"):
            shrink = np.where(penalty > 0.0, 1.0 / np.sqrt(penalty), 0.0)
        extra = np.flatnonzero(penalty == 0.0)
        columns = [root[:, None]] if fit_intercept else []
        if extra.size:
            taken = X[:, extra].toarray() if sparse.issparse(X) else np.asarray(X[:, extra], dtype=np.float64)
            columns.append(root[:, None] * (taken - mean[extra]))
        basis = _orthonormal(np.hstack(columns)) if columns else np.zeros((n, 0))
        return cls(X, root, mean, shrink, basis, extra, bool(raw))

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
        rows = product if self.raw else (self.root * product.T).T
        return self.project(rows) if self.extra.size else rows  # what is centred has no part in the intercept

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
        elif self.raw:
            total = self.X.T @ self.X - n * np.outer(self.mean, self.mean)
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


def moments_of(X: Any, weight: Float | None) -> tuple[Float, Float]:
    """Weighted means and standard deviations of the columns, (p,) each."""
    view, _ = as_design(X)
    n = X.shape[0]
    w = np.full(n, 1.0 / n) if weight is None else weight / weight.sum()
    mean = view.dots(w)
    return mean, np.sqrt(view.squares(w, mean))


def finish(design: CentredDesign, y: Float, c: Float, fit_intercept: bool) -> tuple[Float, Float]:
    """Return (coef (k t, p), intercept (k t,)) on the original scale from c, (p, k t), and y, (n, t)."""
    coef = design.shrink * c.T  # (k t, p)
    w = design.root**2
    repeats = len(coef) // y.shape[1]
    if design.extra.size:
        y = np.tile(y, repeats)
        repeats = 1
        X0 = design.X[:, design.extra]
        X0 = X0.toarray() if sparse.issparse(X0) else np.asarray(X0, dtype=np.float64)
        left = y - np.asarray(design.X @ coef.T, dtype=np.float64) + design.mean @ coef.T
        ones = [design.root[:, None]] if fit_intercept else []
        A = np.hstack([*ones, design.root[:, None] * (X0 - design.mean[design.extra])])
        free = linalg.lstsq(A, design.root[:, None] * left)[0][len(ones) :]
        coef[:, design.extra] = free.T
    if not fit_intercept:
        return coef, np.zeros(len(coef))
    return coef, np.tile((w @ y) / w.sum(), repeats) - coef @ design.mean


def ridge_gap(design: CentredDesign, y: Float, fit: tuple[Float, Float], alphas: Float) -> Float:
    """Duality gap of coefficients on the original scale, (t,), on the scale of the mean loss.

    With e the weighted residuals, d their part orthogonal to intercept and unpenalised features (the dual point), S
    the sum of weights and c the coefficients of Z: gap = (|alpha c - Z'd|^2 / alpha + |e - d|^2) / (2 S). It is what
    :func:`bridle.certificates.certify` finds, in two products.

    Parameters
    ----------
    design : CentredDesign
    y : (n, t)
    fit : ((t, p), (t,))
        Coefficients and intercepts.
    alphas : (t,)
        Above 0.
    """
    coef, intercept = fit
    e = design.root[:, None] * (y - np.asarray(design.X @ coef.T, dtype=np.float64) - intercept)
    d = design.project(e)
    c = np.divide(coef.T, design.shrink[:, None], out=np.zeros_like(coef.T), where=design.shrink[:, None] > 0.0)
    rest = alphas * c - design.transposed_times(d)
    gap = np.sum(rest**2, axis=0) / alphas + np.sum((e - d) ** 2, axis=0)
    return np.asarray(gap / (2.0 * float(design.root @ design.root)))


@dataclass(frozen=True)
class Spectrum:
    """Eigen-decomposition of the smaller Gram matrix: everything about every alpha."""

    design: CentredDesign
    y: Float  # (n, t) target as given
    fit_intercept: bool
    values: Float  # (r,) eigenvalues of Z'Z or ZZ'
    axes: Float  # (p, r) V, or in kernel space (n, r) U
    kernel: bool
    residual: Float  # (n, t) weighted target less the projection
    slope: Float  # (r, t) (Z V)' residual

    @classmethod
    def make(cls, design: CentredDesign, y: Float, fit_intercept: bool) -> Spectrum:
        """Decompose once; the cost is that of eigh on min(n, p)."""
        n, p = design.shape
        kernel = p > n
        target = design.project(design.root[:, None] * y)
        values, axes = linalg.eigh(design.kernel() if kernel else design.gram(), check_finite=False)
        values = np.maximum(values, 0.0)
        slope = np.sqrt(values)[:, None] * (axes.T @ target) if kernel else axes.T @ design.transposed_times(target)
        return cls(design, y, fit_intercept, values, axes, kernel, target, slope)

    @cached_property
    def scores(self) -> Float:
        """Z V, (n, r); its Gram matrix is diag(values)."""
        return self.axes * np.sqrt(self.values) if self.kernel else self.design.times(self.axes)

    @cached_property
    def square(self) -> Float:
        """Squares of the scores, (n, r)."""
        return np.asarray(self.scores**2)

    def _inverse(self, alphas: Float) -> Float:
        """1 / (value + alpha), (r, L), 0 where both vanish: the answer of least norm."""
        total = self.values[:, None] + alphas
        floor = self.values.max(initial=0.0) * max(self.design.shape) * np.finfo(float).eps
        live = total > np.where(alphas == 0.0, floor, 0.0)
        return np.divide(1.0, total, out=np.zeros_like(total), where=live)

    def solve(self, alphas: Float | float, target: int | slice = slice(None)) -> tuple[Float, Float]:
        """Return (coef (L t, p), intercept (L t,)) at each of ``alphas``, (L,), for all targets or one."""
        y, slope = (m[:, target].reshape(len(m), -1) for m in (self.y, self.slope))
        inverse = self._inverse(np.atleast_1d(np.asarray(alphas, dtype=np.float64)))
        if self.kernel:  # c = Z' U diag(1 / (value + alpha)) U'y, and the slope is sqrt(value) U'y
            root = np.sqrt(self.values)[:, None]
            inverse = np.divide(inverse, root, out=np.zeros_like(inverse), where=root > 0.0)
        inner = (inverse[:, :, None] * slope[:, None, :]).reshape(len(slope), -1)  # (r, L t)
        c = self.design.transposed_times(self.axes @ inner) if self.kernel else self.axes @ inner
        return finish(self.design, y, c, self.fit_intercept)

    def training_loss(self, alphas: Float) -> Float:
        """Weighted mean squared error of the rows, (L, t), from the spectrum alone."""
        floor = self.values.max(initial=0.0) * max(self.design.shape) * np.finfo(float).eps
        live = (self.values > floor)[:, None]
        part = np.divide(self.slope**2, self.values[:, None], out=np.zeros_like(self.slope), where=live)  # (r, t)
        beyond = np.maximum(np.sum(self.residual**2, axis=0) - part.sum(axis=0), 0.0)
        left = 1.0 - self.values[:, None] * self._inverse(alphas)  # (r, L)
        return np.asarray((left**2).T @ part + beyond) / float(self.design.root @ self.design.root)

    def leave_one_out(self, alphas: Float) -> tuple[Float, Float]:
        """Residual of each row under the fit without it, and the training loss of that fit, at each of ``alphas``.

        e_i = r_i / (1 - h_ii);  training sum of squares = |r|^2 + 2 e_i (H r)_i + e_i^2 (H^2)_ii - e_i^2.

        Returns
        -------
        e : (L, n, t)
            Left-out residuals of the rows scaled by the square root of their weight.
        train : (L, n, t)
            Weighted mean squared error of the other rows under the same fit.

        References
        ----------
        Golub, Heath and Wahba (1979), Generalized cross-validation as a method for choosing a good ridge parameter.
        """
        inv = self._inverse(alphas)  # (r, L)
        kept = self.values[:, None] * inv
        both = (
            np.stack([inv, inv * (1.0 - kept)])[..., None] * self.slope[:, None, :]
        )  # H y and H (y - H y): (2, r, L, t)
        n, t = self.residual.shape
        fitted, hr = (np.moveaxis((self.scores @ m.reshape(len(m), -1)).reshape(n, -1, t), 1, 0) for m in both)
        free = np.sum(self.design.basis**2, axis=1)[:, None]
        h, h2 = ((free + self.square @ m).T[:, :, None] for m in (inv, inv * kept))  # diagonals of H and H^2: (L, n, 1)
        r = self.residual - fitted
        e = r / np.maximum(1.0 - h, np.finfo(float).tiny)
        w = self.design.root**2
        rest = np.maximum(w.sum() - w, np.finfo(float).tiny)[:, None]
        train = np.sum(r**2, axis=1, keepdims=True) + 2.0 * e * hr + e**2 * h2 - e**2
        return e, np.maximum(train, 0.0) / rest

    def degrees_of_freedom(self, alphas: Float) -> Float:
        """Trace of the hat matrix, the intercept left out, at each of ``alphas``, (L,)."""
        free = self.design.basis.shape[1] - int(self.fit_intercept)
        return np.asarray(self.values @ self._inverse(alphas) + free)


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
    if alphas[0] > 0.0 and np.all(alphas == alphas[0]):
        matrix = design.gram() if p <= n else design.kernel()
        matrix.flat[:: len(matrix) + 1] += alphas[0]  # the diagonal
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
