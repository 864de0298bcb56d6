r"""Effective degrees of freedom of the fits on a path, the intercept left out.

With A the active columns (centred, on the penalised scale), :math:`W` the weights times the curvature of the loss at
the fit, and :math:`V` the penalty factors,

.. math:: df = \operatorname{tr}\!\left[X_A (X_A' W X_A + \lambda (1 - a) V_A)^{-1} X_A' W\right],

which is the rank of :math:`X_A` for the lasso (Zou, Hastie and Tibshirani 2007) and the sum of
:math:`d_k / (d_k + \lambda)` for ridge, d the eigenvalues of the Gram matrix. A coefficient held at a bound isn't free.
Other penalties: :mod:`bridle.selection.group_freedom`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse

from bridle.losses import get_family
from bridle.path import Path
from bridle.penalties import Penalty
from bridle.selection.group_freedom import curved_freedom

Float = NDArray[np.float64]
Int = NDArray[np.int64]

WORK_LIMIT = 5e10  # floating-point operations, a few seconds on one core: beyond that the caller has to ask
_BLOCK = 1 << 18  # entries of a block of X that is centred at a time (2 MB, so that it stays in the cache)
_COLLINEAR = 1e-10  # share of a column's variance left after the others, under which it adds no rank


def effective_df(
    path: Path,
    X: Any,
    y: Float,
    *,
    weight: Float | None = None,
    offset: Float | None = None,
    penalty_factor: ArrayLike | None = None,
    lower: ArrayLike = -np.inf,
    upper: ArrayLike = np.inf,
    limit: float = WORK_LIMIT,
) -> Float:
    """Give the effective degrees of freedom at each lambda of ``path``, fitted on these very rows.

    Parameters
    ----------
    path : Path
        The fits.
    X : (n, p) array or sparse matrix
        The design that was fitted.
    y, weight, offset : (n,) array
        As they were fitted.
    penalty_factor, lower, upper
        As they were fitted.
    limit : float
        Floating-point operations to spend at most.

    Returns
    -------
    (L,) array
        Degrees of freedom; NaN throughout if they would cost more than ``limit``.

    References
    ----------
    Zou, Hastie, Tibshirani (2007), On the "degrees of freedom" of the lasso, Annals of Statistics 35.
    Hastie, Tibshirani, Friedman (2009), The Elements of Statistical Learning, section 3.4.1.
    """
    n, p = X.shape
    w = np.full(n, 1.0 / n) if weight is None else weight / weight.sum()
    given = path.factor if path.factor is not None else penalty_factor  # adaptive weights are the path's own
    factor = np.ones(p) if given is None else np.asarray(given, dtype=np.float64)
    design = _Columns(X, path.mean, np.where(path.scale > 0, path.scale, 1.0), path.fit_intercept)
    active = _active_sets(path, factor, lower, upper)
    family = get_family(path.family)
    penalty = Penalty(path.l1_ratio, factor, spec=path.penalty, groups=path.groups)
    if penalty.concave:
        work = _cost(n, _union(active).size)
        return np.full(len(active), np.nan) if work > limit else np.array(_ranks(design, w, active))
    plan = _Plan.make(path, active, n, factor, row_wise=family.row_wise)
    if plan.work > limit:
        return np.full(len(active), np.nan)
    df = np.zeros(len(active))

    def curved(i: int) -> Float:
        """(n,) weights times the curvature at fit i."""
        if plan.quadratic:
            return w
        return np.asarray(w * family.curvature(y, path.linear_predictor(X, offset, lam=float(path.lambdas[i]))))

    def hessian(i: int) -> Float:
        """Second derivatives of the loss in the active coefficients of fit i."""
        if family.row_wise:
            return design.gram(curved(i), active[i])
        eta = path.linear_predictor(X, offset, lam=float(path.lambdas[i]))
        return family.hessian(y, eta, w, design.shifted(slice(None), active[i]) / design.scale[active[i]])

    if not penalty.separable:
        if sum(_cost(n, a.size) for a in active) > limit:
            return np.full(len(active), np.nan)
        return curved_freedom(path, penalty, factor, active, hessian)
    df[plan.flat] = _ranks(design, w, [active[i] for i in plan.flat])
    ridge = path.lambdas * (1.0 - path.l1_ratio)  # (L,)
    if plan.kind == "spectrum":
        df[plan.steep] = _ridge_spectrum(design, w, plan.union, factor, ridge[plan.steep])
    elif plan.kind == "kernel":
        kernel = design.kernel(np.ones(n), plan.union, factor, centre=False)
        for i in plan.steep:
            df[i] = _trace(_reweigh(kernel, curved(i), path.fit_intercept) / ridge[i])
    else:
        shared = design.gram(w, plan.union) if plan.kind == "gram" else None
        for i in plan.steep:
            G = None if shared is None else _within(shared, plan.union, active[i])
            G = G if family.row_wise else hessian(i)
            df[i] = _penalised(design, w if G is not None else curved(i), active[i], ridge[i] * factor, G)
    return df


@dataclass(frozen=True)
class _Plan:
    """How the degrees of freedom of a path are computed, and what that takes."""

    flat: Int  # fits without an L2 part: a rank
    steep: Int  # fits with one: a trace
    union: Int  # columns active in any of the latter
    quadratic: bool  # the curvature is constant
    kind: str  # of the traces: "spectrum" for all at once, "kernel" or "gram" shared by all, or "each"
    work: float  # floating-point operations, to a factor of 2

    @classmethod
    def make(cls, path: Path, active: list[Int], n: int, factor: Float, *, row_wise: bool = True) -> _Plan:
        ridge = path.lambdas * (1.0 - path.l1_ratio)
        some = np.array([a.size > 0 for a in active])
        flat, steep = np.flatnonzero((ridge == 0.0) & some), np.flatnonzero((ridge > 0.0) & some)
        union, quadratic = _union([active[i] for i in steep]), path.family == "gaussian"
        same = all(active[i].size == union.size for i in steep)
        work = _cost(n, _union([active[i] for i in flat]).size) + sum(
            _cost(n, active[i].size) for i in flat if active[i].size > n
        )
        if not steep.size:
            return cls(flat, steep, union, quadratic, "each", work)
        if same and quadratic:
            return cls(flat, steep, union, quadratic, "spectrum", work + _cost(n, union.size) * 5.0)
        if not row_wise:
            each = float(sum(2.0 * n * active[i].size ** 2 + active[i].size ** 3 for i in steep))
            return cls(flat, steep, union, quadratic, "each", work + each)
        if same and union.size > n and bool(np.all(factor[union] > 0.0)):
            return cls(
                flat, steep, union, quadratic, "kernel", work + _cost(n, union.size) + steep.size * float(n) ** 3
            )
        if quadratic and union.size <= n:
            traces = float(sum(float(active[i].size) ** 3 for i in steep))
            return cls(flat, steep, union, quadratic, "gram", work + _cost(n, union.size) + traces)
        each = float(sum(_cost(n, active[i].size) for i in steep))
        return cls(flat, steep, union, quadratic, "each", work + each)


def _cost(n: int, q: int) -> float:
    """Operations of a Gram matrix from the smaller side, and of its factorisation."""
    return 2.0 * n * q * min(n, q) + float(min(n, q)) ** 3


def _within(G: Float, union: Int, columns: Int) -> Float:
    at = np.searchsorted(union, columns)
    return G[np.ix_(at, at)]


@dataclass(frozen=True)
class _Columns:
    """A design's columns over their scales; dense ones are shifted by their means first, so that no digits cancel."""

    X: Any  # (n, p)
    mean: Float  # (p,)
    scale: Float  # (p,), > 0
    intercept: bool

    def shifted(self, rows: slice, columns: Int) -> Float:
        X = self.X
        block = X[:, columns][rows].toarray() if sparse.issparse(X) else X[rows][:, columns]
        return np.asarray(block - (self.mean[columns] if self.intercept else 0.0), dtype=np.float64)

    def gram(self, w: Float, columns: Int) -> Float:
        """Gram of ``columns``, (q, q): weighted, and centred if there is an intercept."""
        n, q = self.X.shape[0], columns.size
        if sparse.issparse(self.X):
            Z = self.X[:, columns]
            G = np.asarray((Z.T @ Z.multiply(w[:, None]).tocsc()).toarray(), dtype=np.float64)
            m = np.asarray(Z.T @ w)
        else:
            G, m, root = np.zeros((q, q)), np.zeros(q), np.sqrt(w)
            step = max(1, _BLOCK // max(q, 1))
            for start in range(0, n, step):
                part = slice(start, start + step)
                Z = self.shifted(part, columns)
                Z *= root[part, None]
                G += Z.T @ Z
                m += Z.T @ root[part]
        if self.intercept:
            G -= np.outer(m, m) / w.sum()
        return np.asarray(G / np.outer(self.scale[columns], self.scale[columns]))

    def kernel(self, w: Float, columns: Int, penalty: Float, *, centre: bool = True) -> Float:
        """(n, n) W^1/2 Z diag(1/penalty) Z' W^1/2 of ``columns``, the Gram seen from the rows."""
        n = self.X.shape[0]
        K = np.zeros((n, n))
        step = max(1, _BLOCK // n)
        for start in range(0, columns.size, step):
            part = columns[start : start + step]
            Z = self.shifted(slice(None), part) / self.scale[part]
            K += (Z / penalty[part]) @ Z.T
        return _reweigh(K, w, self.intercept and centre)


def _reweigh(K: Float, w: Float, centre: bool) -> Float:
    """Turn Z Z' into W^1/2 C Z Z' C' W^1/2, C removing weighted column means."""
    if centre:
        u = w / w.sum()
        row = K @ u
        K = K - row[:, None] - row[None, :] + u @ row
    root = np.sqrt(w)
    return np.asarray(root[:, None] * K * root[None, :])


def _active_sets(path: Path, factor: Float, lower: ArrayLike, upper: ArrayLike) -> list[Int]:
    """Columns whose coefficients are free at each lambda."""
    p = factor.size
    low, high = np.broadcast_to(np.asarray(lower), (p,)), np.broadcast_to(np.asarray(upper), (p,))
    coef, sets = path.coef_sparse, list[Int]()
    for i in range(len(path.lambdas)):
        columns = coef.indices[coef.indptr[i] : coef.indptr[i + 1]].astype(np.int64)
        b = coef.data[coef.indptr[i] : coef.indptr[i + 1]]
        if path.l1_ratio == 0.0:  # ridge keeps what happens to be 0, unless a bound holds it there
            dense = np.zeros(p)
            dense[columns] = b
            columns, b = np.flatnonzero(np.isfinite(factor)), dense[np.isfinite(factor)]
        free = (b != low[columns]) & (b != high[columns])
        if path.l1_ratio > 0.0:
            free &= b != 0.0
        sets.append(np.sort(columns[free]))
    return sets


def _union(active: list[Int]) -> Int:
    return np.unique(np.concatenate(active)) if active else np.empty(0, dtype=np.int64)


def _ranks(design: _Columns, w: Float, active: list[Int]) -> list[float]:
    """Rank of the active columns at each lambda: their number, unless some are collinear."""
    if not active:
        return []
    n, union = design.X.shape[0], _union(active)
    if union.size < n and _rank(design.gram(w, union)) == union.size:
        return [float(a.size) for a in active]
    ranks, independent = list[float](), np.empty(0, dtype=np.int64)
    for a in reversed(active):  # a set inside an independent one is independent
        if np.isin(a, independent, assume_unique=True).all():
            ranks.append(float(a.size))
            continue
        ones = np.ones(design.mean.size)
        rank = _rank(design.gram(w, a) if a.size <= n else design.kernel(w, a, ones))
        independent = a if rank == a.size else independent
        ranks.append(float(rank))
    return ranks[::-1]


def _rank(G: Float) -> int:
    """Rank of a Gram matrix by Cholesky with pivoting, after scaling its diagonal to 1."""
    d = np.sqrt(np.maximum(np.diag(G), 0.0))
    keep = d > d.max(initial=0.0) * 1e-14
    if not keep.any():
        return 0
    G = G[np.ix_(keep, keep)] / np.outer(d[keep], d[keep])
    _, _, rank, _ = linalg.lapack.dpstrf(G, tol=_COLLINEAR, lower=1)
    return int(rank)


def _ridge_spectrum(design: _Columns, w: Float, columns: Int, factor: Float, ridge: Float) -> Float:
    """(L,) degrees of freedom at every lambda from one eigendecomposition: neither columns nor weights change."""
    free, held = columns[factor[columns] == 0.0], columns[factor[columns] > 0.0]
    n = design.X.shape[0]
    if columns.size <= n or free.size:
        G, base = _eliminate(design.gram(w, columns), np.isin(columns, free))
        root = np.sqrt(factor[held])
        M = G / np.outer(root, root)
    else:
        M, base = design.kernel(w, held, factor), 0.0
    d = np.maximum(linalg.eigvalsh(M), 0.0) if held.size else np.zeros(0)
    return np.asarray(base + (d / (d + ridge[:, None])).sum(axis=1))


def _penalised(design: _Columns, w: Float, columns: Int, penalty: Float, gram: Float | None) -> float:
    """Degrees of freedom of one fit; ``gram`` is that of its columns, if it is at hand."""
    n = design.X.shape[0]
    free = penalty[columns] == 0.0
    if gram is None and columns.size > n and not free.any():
        return _trace(design.kernel(w, columns, penalty))
    G, base = _eliminate(design.gram(w, columns) if gram is None else gram, free)
    root = np.sqrt(penalty[columns[~free]])
    return base + _trace(G / np.outer(root, root))


def _eliminate(G: Float, free: NDArray[np.bool_]) -> tuple[Float, float]:
    """Project the unpenalised columns out of a Gram matrix; return what is left and their rank."""
    if not free.any():
        return G, 0.0
    inner, cross = G[np.ix_(free, free)], G[np.ix_(free, ~free)]
    rank = float(_rank(inner))
    return G[np.ix_(~free, ~free)] - cross.T @ linalg.pinvh(inner) @ cross, rank


def _trace(M: Float) -> float:
    """tr[M (M + I)^-1] for a positive semidefinite M, by Cholesky."""
    m = M.shape[0]
    if m == 0:
        return 0.0
    factor = linalg.cholesky(M + np.eye(m), lower=True)
    inverse, _ = linalg.lapack.dtrtri(factor, lower=1)
    return float(m - np.sum(np.tril(inverse) ** 2))
