"""A small language for convex programmes, solved by Clarabel's conic interior-point method, and bridle's losses in it.

Nothing of bridle is used: the losses are written from docs/families.md, docs/survival.md and docs/several-predictors.md
as sums of linear terms, squares, and epigraphs of exp and of norms.
"""

from __future__ import annotations

from dataclasses import dataclass

import clarabel
import numpy as np
from scipy import sparse

WIDTH = 20_000  # columns that are kept free for variables


@dataclass(frozen=True)
class Affine:
    """Rows A x + c of the variables x."""

    A: sparse.csr_array  # (k, WIDTH)
    c: np.ndarray  # (k,)

    def __add__(self, other):
        """Add rows to rows, or numbers."""
        if isinstance(other, Affine):
            return Affine(self.A + other.A, self.c + other.c)
        return Affine(self.A, self.c + other)

    def __mul__(self, by):
        """Multiply each row by a number."""
        by = np.broadcast_to(np.asarray(by, dtype=float), self.c.shape)
        return Affine(sparse.csr_array(sparse.diags_array(by) @ self.A), by * self.c)

    def __neg__(self):
        """Change all signs."""
        return self * -1.0

    def __sub__(self, other):
        """Subtract rows, or numbers."""
        return self + (-other)

    def __getitem__(self, rows):
        """Pick rows."""
        rows = np.atleast_1d(np.arange(len(self.c))[rows])
        return Affine(self.A[rows], self.c[rows])

    def __len__(self):
        """Return the number of rows."""
        return len(self.c)

    def under(self, M):
        """Return M (r, k) times the rows."""
        return Affine(sparse.csr_array(sparse.csr_array(M) @ self.A), M @ self.c)


def stack(*parts):
    """Put rows one after another."""
    return Affine(
        sparse.csr_array(sparse.vstack([p.A for p in parts], format="csr")), np.concatenate([p.c for p in parts])
    )


class Programme:
    """Minimise a convex quadratic under cones."""

    def __init__(self):
        """Begin with no variables."""
        self.size, self.rows, self.cones = 0, [], []
        self.P = sparse.csr_array((WIDTH, WIDTH))
        self.q = np.zeros(WIDTH)

    def variables(self, k):
        """Return k new variables."""
        at = np.arange(self.size, self.size + k)
        self.size += k
        return Affine(sparse.csr_array((np.ones(k), (np.arange(k), at)), shape=(k, WIDTH)), np.zeros(k))

    def pay(self, rows, weight=1.0):
        """Add sum_i weight_i rows_i to the objective (constants don't count)."""
        self.q += rows.A.T @ np.broadcast_to(weight, len(rows))

    def pay_half_squares(self, rows, weight):
        """Add sum_i weight_i / 2 rows_i^2."""
        weight = np.broadcast_to(weight, len(rows))
        self.P = self.P + rows.A.T @ (sparse.diags_array(weight) @ rows.A)
        self.q += rows.A.T @ (weight * rows.c)

    def positive(self, rows):
        """Hold rows >= 0."""
        self.rows.append(rows)
        self.cones.append(clarabel.NonnegativeConeT(len(rows)))

    def exp(self, rows):
        """Return new variables >= exp(rows)."""
        k, above = len(rows), self.variables(len(rows))
        one = Affine(sparse.csr_array((k, WIDTH)), np.ones(k))
        self.rows.append(stack(rows, one, above)[np.arange(3 * k).reshape(3, k).T.ravel()])
        self.cones += [clarabel.ExponentialConeT()] * k
        return above

    def softplus(self, rows):
        """Return new variables t >= log(1 + exp(rows)): exp(-t) + exp(rows - t) <= 1."""
        t = self.variables(len(rows))
        self.positive(-(self.exp(-t) + self.exp(rows - t)) + 1.0)
        return t

    def log_sum_exp(self, rows):
        """Return one new variable t >= log sum_i exp(rows_i)."""
        t = self.variables(1)
        total = self.exp(rows - t.under(np.ones((len(rows), 1))))
        self.positive(-total.under(np.ones((1, len(rows)))) + 1.0)
        return t

    def zero(self, rows):
        """Hold rows = 0."""
        self.rows.append(rows)
        self.cones.append(clarabel.ZeroConeT(len(rows)))

    def size_of(self, rows):
        """Return new variables >= |rows|."""
        r = self.variables(len(rows))
        self.positive(stack(r - rows, r + rows))
        return r

    def norm(self, rows):
        """Return one new variable >= the Euclidean norm of the rows."""
        r = self.variables(1)
        self.rows.append(stack(r, rows))
        self.cones.append(clarabel.SecondOrderConeT(1 + len(rows)))
        return r

    def solve(self, extra=None):
        """Return the minimiser x, with ``extra`` (linear) in the objective."""
        m, together = self.size, stack(*self.rows)
        settings = clarabel.DefaultSettings()
        settings.verbose = settings.presolve_enable = False
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-12
        settings.tol_ktratio = 1e-10
        for settings.max_step_fraction in (0.8, 0.7, 0.6):  # nearer to the boundary it may stop short of 1e-12
            solver = clarabel.DefaultSolver(
                sparse.csc_matrix(sparse.triu(self.P[:m, :m])), (self.q if extra is None else self.q + extra)[:m],
                sparse.csc_matrix(-together.A[:, :m]), together.c, self.cones, settings,
            )  # fmt: skip
            found = solver.solve()
            if found.status == clarabel.SolverStatus.Solved:
                break
        return np.concatenate([found.x, np.zeros(WIDTH - m)])


def pay_loss(on, family, y, eta, w):
    """Add sum_i w_i loss(y_i, eta_i) of a family with one linear predictor; parameters are those of the tests."""
    name, values = family
    if name == "gaussian":
        on.pay_half_squares(eta - y, w)
    elif name == "binomial":  # y a class or a share of successes
        on.pay(on.softplus(eta) - eta * y, w)
    elif name == "poisson":
        on.pay(on.exp(eta) - eta * y, w)
    elif name == "gamma":
        on.pay(on.exp(-eta) * y + eta, w)
    elif name == "tweedie":
        a, b = values["power"] - 1.0, 2.0 - values["power"]
        on.pay(on.exp(eta * -a) * (y / a) + on.exp(eta * b) * (1.0 / b), w)
    elif name == "negative_binomial":
        theta = values["theta"]
        on.pay(on.softplus(eta - np.log(theta)) * (y + theta) - eta * y, w)
    elif name == "huber":  # r = small + rest: half the square of the one, delta times the size of the other
        rest = on.variables(len(y))
        on.pay_half_squares(eta - y - rest, w)
        on.pay(on.size_of(rest) * values["delta"], w)
    elif name == "quantile":
        h = values["bandwidth"]
        on.pay(on.softplus((eta - y) * (1.0 / h)) * h - eta * values["tau"], w)
    elif name == "squared_hinge":
        short = on.variables(len(y))
        on.positive(stack(short, short - 1.0 + eta * (2.0 * y - 1.0)))
        on.pay_half_squares(short, w)
    else:
        pay_cox(on, y, eta, w, efron=values["ties"] == "efron")


def pay_cox(on, y, eta, w, *, efron):
    """Add minus the log partial likelihood: y (n, 4) start, time, event, stratum; one term for each tied event."""
    start, time, event, stratum = y.T
    for at, s in sorted({(t, s) for t, s, e in zip(time, stratum, event, strict=True) if e}):
        risk = np.flatnonzero((start < at) & (time >= at) & (stratum == s))
        tied = (time[risk] == at) & (event[risk] == 1.0)
        d, m = w[risk][tied].sum(), int(tied.sum())
        for level in range(m):
            share = np.where(tied, 1.0 - level / m * efron, 1.0)
            on.pay(on.log_sum_exp(eta[risk] + np.log(w[risk] * share)), d / m)
        on.pay(-eta[risk[tied]], w[risk[tied]])


def pay_classes(on, family, y, etas, w):
    """Add the loss of a family with several predictors, ``etas`` one for each; y (n, K) of 0 and 1, or numbers."""
    if family == "multigaussian":
        for k, eta in enumerate(etas):
            on.pay_half_squares(eta - y[:, k], w)
    elif family == "multinomial":
        total = on.variables(len(w))
        parts = [on.exp(eta - total) for eta in etas]
        on.positive(-sum(parts[1:], parts[0]) + 1.0)
        on.pay(total, w)
        for k, eta in enumerate(etas):
            on.pay(-eta, w * y[:, k])
    else:  # ordinal: etas descend; P(y = k) = F(e_k) F(-e_k+1) (1 - exp(e_k+1 - e_k))
        for k, eta in enumerate(etas):
            above, below = y[:, k + 1] == 1.0, y[:, k] == 1.0
            on.pay(on.softplus(-eta[above]), w[above])
            on.pay(on.softplus(eta[below]), w[below])
            if k:
                narrow = on.variables(1)  # >= -log(1 - exp(-d)): exp(-narrow) + exp(-d) <= 1
                on.positive(-(on.exp(-narrow) + on.exp((eta - etas[k - 1])[[0]])) + 1.0)
                on.pay(narrow, w[y[:, k] == 1.0].sum())


def minimise(X, y, lam, *, family, penalty, l1_ratio, groups, factor, lower, upper, w, offset, start=None):
    """Minimise docs/penalties.md's objective; returns (b0, b), b (p,) or (p, K), on the original scale.

    ``family`` and ``penalty`` are (name, parameters). MCP and SCAD are the L1 slope less a convex function, which is
    replaced by its tangent again and again (Tao and An 1997), from ``start`` on.
    """
    w = w / w.sum()
    mean = w @ X
    scale = np.sqrt(w @ (X - mean) ** 2)
    kept = np.isfinite(factor)
    Z, v, number = ((X - mean) / scale)[:, kept], factor[kept], groups[kept]
    on, many = Programme(), family[0] in ("multinomial", "multigaussian")
    width = y.shape[1] if many else 1
    c = [on.variables(kept.sum()) for _ in range(width)]
    b0 = on.variables(y.shape[1] - 1 if family[0] == "ordinal" else 0 if family[0] == "cox" else width)
    spread = np.ones((len(w), 1))
    if many or family[0] == "ordinal":
        o = np.broadcast_to(offset.T, (len(b0), len(w)))
        etas = [c[k % width].under(Z) + b0[k].under(spread) + o[k] for k in range(len(b0))]
        pay_classes(on, family[0], y, etas, w)
        if family[0] == "multinomial":  # only differences between classes matter: what isn't penalised sums to 0
            on.zero(stack(b0.under(np.ones((1, width))), sum(c[1:], c[0])[v == 0.0]))
    else:
        eta = c[0].under(Z) + offset
        pay_loss(on, family, y, eta + b0.under(spread) if len(b0) else eta, w)
    for each in c:
        on.pay_half_squares(each, lam * (1.0 - l1_ratio) * v)
        for limit, sign in ((lower, -1.0), (upper, 1.0)):
            held = np.isfinite(limit[kept])
            if held.any():
                on.positive(each[held] * -sign + sign * (limit * scale)[kept][held])
    name, values = penalty
    blocks = [np.flatnonzero(number == g) for g in np.unique(number)] if "group" in name else list(np.arange(len(v)))
    joined = [stack(*(each[g] for each in c)) for g in blocks] if "group" in name else []
    share = values.get("l1_share", 0.0) if joined else 1.0
    if l1_ratio and share:
        for each in c:
            on.pay(on.size_of(each), lam * l1_ratio * share * v)
    slopes = [lam * l1_ratio * v[g][0] * np.sqrt(len(g)) * (1.0 - share) for g in blocks] if joined else []
    for rows, slope in zip(joined, slopes, strict=True):
        if slope:
            on.pay(on.norm(rows), slope)
    pieces = joined or [each[[j]] for each in c for j in range(len(v))]
    slopes = np.array(slopes if joined else np.tile(lam * l1_ratio * v, width))
    x = on.solve()
    if "gamma" in values and l1_ratio:
        x = on.solve(_tangent(pieces, slopes, penalty, start)) if start is not None else x
        for _ in range(300):
            before, x = x, on.solve(_tangent(pieces, slopes, penalty, x))
            if np.max(np.abs(x - before)[: width * len(v)]) <= 1e-9:
                break
    b = np.zeros((X.shape[1], width))
    b[kept] = np.column_stack([each.A @ x for each in c]) / scale[kept, None]
    intercept = b0.A @ x - (mean @ b if len(b0) else 0.0)
    if family[0] == "multinomial":
        intercept = intercept - intercept.mean()
    return intercept, b if many else b[:, 0], x


def _tangent(pieces, slopes, penalty, x):
    """Minus the slopes, at x, of what MCP and SCAD lie below the L1 slope; those of a norm go along it."""
    name, gamma = penalty[0], penalty[1]["gamma"]
    out = np.zeros(WIDTH)
    for rows, slope in zip(pieces, slopes, strict=True):
        at = rows.A @ x
        r = np.linalg.norm(at)
        lost = min(r / gamma, slope) if "mcp" in name else np.clip((r - slope) / (gamma - 1.0), 0.0, slope)
        if r > 0.0:
            out -= rows.A.T @ (lost * at / r)
    return out
