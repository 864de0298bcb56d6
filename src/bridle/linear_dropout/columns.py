"""A design's columns and their squares as operators, in float64: dense in blocks of rows, sparse as it is.

Z = (X - 1 c')/s are the features that the solver works with, S = ((X - 1 o')/s)^2 what the noise multiplies: c is the
mean where there is an intercept, and o, what a dropped feature is replaced by, is c or 0. Neither is ever formed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Float = NDArray[np.float64]

_BLOCK = 1 << 18  # numbers: a block of rows and its square stay in the cache between the products


class Columns:
    """Products of Z and S with vectors, and the two Gram matrices of Z."""

    def __init__(self, matrix: Any, centre: Float, origin: Float, scale: Float) -> None:
        self.shape: tuple[int, int] = matrix.shape
        self._sparse = sparse.issparse(matrix)
        self._X: Any = matrix.astype(np.float64, copy=False) if self._sparse else matrix
        self._base = np.zeros_like(centre) if self._sparse else centre  # taken off X itself, the rest by algebra
        self._to_centre, self._to_origin = self._base - centre, self._base - origin
        if self._sparse:  # S is this and the same row to_origin^2 everywhere
            self._squared: Any = self._X.power(2) + self._X @ sparse.diags_array(2.0 * self._to_origin)
        self._inverse = np.where(scale > 0.0, 1.0 / np.where(scale > 0.0, scale, 1.0), 0.0)

    def _blocks(self, least: int = 1) -> Iterator[tuple[slice, Float]]:
        """Yield rows and X - base there, (rows, p), which may be overwritten."""
        n, p = self.shape
        size = max(least, _BLOCK // p)
        room = np.empty((min(size, n), p), order="F" if self._X.flags.f_contiguous else "C")  # one for all blocks
        for start in range(0, n, size):
            rows = slice(start, min(start + size, n))
            yield rows, np.subtract(self._X[rows], self._base, out=room[: rows.stop - start])

    def forward(self, beta: Float, gamma: Float) -> tuple[Float, Float]:
        """Return Z beta and S gamma, (n,) each."""
        b, g = beta * self._inverse, gamma * self._inverse**2
        if self._sparse:
            eta, q = self._X @ b, self._squared @ g
        else:
            eta, q = np.empty(self.shape[0]), np.empty(self.shape[0])
            cross = 2.0 * self._to_origin * g
            crossed = bool(np.any(cross))
            for rows, block in self._blocks():
                eta[rows] = block @ b
                q[rows] = block @ cross if crossed else 0.0
                q[rows] += np.square(block, out=block) @ g
        return eta + self._to_centre @ b, q + self._to_origin**2 @ g

    def backward(self, u: Float, v: Float) -> tuple[Float, Float]:
        """Return Z'u and S'v, (p,) each."""
        if self._sparse:
            zu, sv = self._X.T @ u, self._squared.T @ v
        else:
            zu, xv, sv = np.zeros((3, self.shape[1]))
            crossed = bool(np.any(self._to_origin))
            for rows, block in self._blocks():
                zu += u[rows] @ block
                if crossed:
                    xv += v[rows] @ block
                sv += v[rows] @ np.square(block, out=block)
            sv += 2.0 * self._to_origin * xv
        zu = zu + self._to_centre * np.sum(u)
        sv = sv + self._to_origin**2 * np.sum(v)
        return zu * self._inverse, sv * self._inverse**2

    def gram(self, d: Float) -> Float:
        """Return (1 Z)' diag(d) (1 Z), (p + 1, p + 1), for d >= 0."""
        p = self.shape[1]
        G = np.empty((p + 1, p + 1))
        if self._sparse:
            inner, sums = (self._X.T @ self._X.multiply(d[:, None]).tocsc()).toarray(), self._X.T @ d
        else:
            inner, sums, root = np.zeros((p, p)), np.zeros(p), np.sqrt(d)
            for rows, block in self._blocks(least=p):  # with fewer rows, adding up products would be the larger part
                sums += d[rows] @ block
                weighted = np.multiply(block, root[rows, None], out=block)
                inner += weighted.T @ weighted
        total, shift = float(np.sum(d)), self._to_centre
        inner += np.outer(shift, sums) + np.outer(sums, shift) + total * np.outer(shift, shift)
        G[1:, 1:] = inner * np.outer(self._inverse, self._inverse)
        G[0, 0] = total
        G[0, 1:] = G[1:, 0] = (sums + total * shift) * self._inverse
        return G

    def kernel(self, d: Float, gamma: Float | None = None) -> Float:
        """Return U diag(d) U' for d >= 0: U is Z, (n, n), or with ``gamma`` [Z; S diag(gamma)], (2n, 2n)."""
        n, p = self.shape
        by_z, by_s = self._inverse, None if gamma is None else self._inverse**2 * gamma
        if self._sparse:
            parts, same = [self._X @ sparse.diags_array(by_z)], [self._to_centre * by_z]
            if by_s is not None:
                parts, same = [*parts, self._squared @ sparse.diags_array(by_s)], [*same, self._to_origin**2 * by_s]
            U, common = sparse.vstack(parts, format="csr"), np.stack(same)  # common is added to all rows of a part
            side = np.repeat(np.eye(len(same)), n, axis=0)
            cross = (U @ (d * common).T) @ side.T
            everywhere = side @ ((d * common) @ common.T) @ side.T
            return np.asarray((U @ sparse.diags_array(d) @ U.T).toarray() + cross + cross.T + everywhere)
        K = np.zeros((n, n) if by_s is None else (2 * n, 2 * n))
        size = max(1, (1 << 20) // n)
        for start in range(0, p, size):
            part = slice(start, start + size)
            block = np.subtract(self._X[:, part], self._base[part], dtype=np.float64)
            rows = block * by_z[part]
            if by_s is not None:
                shift = self._to_origin[part]
                rows = np.vstack([rows, (block + shift) ** 2 * by_s[part]])
            rows *= np.sqrt(d[part])
            K += rows @ rows.T
        return K
