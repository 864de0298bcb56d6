"""Newton's method for Huber's coefficients and scale together, and a certificate of what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from bridle.certificates import certify
from bridle.losses import Huber
from bridle.losses.dispersion import robust_deviation
from bridle.path import Path, as_path
from bridle.penalties import Penalty
from bridle.problem import Problem, Settings, one_blas_thread

Float = NDArray[np.float64]

MOST_COLUMNS = 2000  # of the matrix that each step factorises
MOST_STEPS = 40
MOST_BYTES = 1 << 28  # of a copy of X, where one is needed: to centre it, or of float32
BLOCK_BYTES = 1 << 21  # of rows read at a time
OFF_CENTRE = 10.0  # means in standard deviations above which products of columns would lose digits
DECREMENT = 1e-20  # relative to the objective; the step that follows squares what is left
SLOPE = 1e-9  # largest slope in log sigma, per row, of a scale that passes


def fit_together(
    X: Any, y: Float, alpha: float, epsilon: float, start: tuple[float, float, float], options: Mapping[str, Any]
) -> tuple[float | None, Path | None]:
    """Fit coefficients and scale together, if the problem is one for Newton's method: no bounds, columns not too many.

    Parameters
    ----------
    X : (n, p) array or sparse matrix
    y : (n,)
    alpha : float
        Strength of the penalty, on the sum over the rows.
    epsilon : float
        Where the loss turns, in units of the scale.
    start : tuple of float
        Median and robust standard deviation of the target less the offset, and the smallest scale.
    options : mapping
        Arguments of :func:`bridle.fit_path`, but family and lambdas.

    Returns
    -------
    tuple
        The scale, or None if it wasn't found, and a path of one lambda whose certificate is within the tolerance, or
        None if there is none.
    """
    penalty = Penalty(0.0, options["penalty_factor"], options["lower"], options["upper"])
    weight, offset = options["sample_weight"], options["offset"]
    intercept, standardize = options["fit_intercept"], options["standardize"]
    given = {"sample_weight": weight, "offset": offset, "fit_intercept": intercept, "standardize": standardize}
    problem = Problem.make(X, y, family=Huber(epsilon * start[1]), penalty=penalty, **given)
    if np.isfinite(problem.lower).any() or np.isfinite(problem.upper).any() or problem.reference == 0.0:
        return None, None
    a, on = alpha / float(len(y) if weight is None else np.sum(weight)), np.isfinite(problem.factor)
    with one_blas_thread, np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = _minimise(problem, on, a, epsilon, start)
    if found is None or found.coef is None:
        return (None if found is None else found.sigma), None
    problem, lam = problem.with_family(Huber(epsilon * found.sigma)), a * found.sigma
    coef = np.zeros(len(on))
    coef[on] = found.coef
    proof = certify(X, y, found.intercept, coef, lam, family=problem.family, penalty=penalty, **given)
    eta = problem.offset + found.intercept + problem.design.times(coef)
    slope = 1.0 - problem.w @ np.minimum(np.abs(y - eta) / found.sigma, epsilon) ** 2
    settings = Settings.make(options["tol"], options["max_iter"], "auto", problem.family)
    if not (proof.relative_gap <= settings.tol and abs(slope) <= SLOPE):
        return found.sigma, None
    raw: Any = {
        "intercept": np.array([found.intercept]),
        "starts": np.array([0, np.count_nonzero(on)], dtype=np.int64),
        "columns": np.flatnonzero(on).astype(np.int64),
        "values": found.coef,
        "gap": np.array([max(proof.gap, 0.0)]),
        "kkt": np.array([proof.kkt]),
        "loss": np.array([problem.family.total_loss(y, eta, problem.w)]),
        "status": np.zeros(1, dtype=np.int32),
        "n_iter": np.array([found.steps], dtype=np.int64),
    }
    top, notes = problem.lambda_max(settings), list(problem.notes)
    return found.sigma, as_path(problem, np.array([lam]), raw, settings, lambda_max=top, notes=notes)


@dataclass(frozen=True)
class _Found:
    """Where Newton's method ended: coefficients of the columns that count, None where only the scale is known."""

    sigma: float
    intercept: float
    coef: Float | None
    steps: int


def _minimise(
    problem: Problem, on: NDArray[np.bool_], a: float, epsilon: float, start: tuple[float, float, float]
) -> _Found | None:
    """Minimise in the space of the columns, or of the rows if these are fewer and every column is penalised."""
    n, p = problem.shape[0], int(on.sum())
    X: Any = problem.matrix if on.all() else problem.matrix[:, np.flatnonzero(on)]
    centre, ridge = problem.centre[on], a * problem.factor[on] * problem.scale[on] ** 2
    rest = problem.y - problem.offset
    if not np.isfinite(ridge).all() or min(n, p) > MOST_COLUMNS or p == 0:
        return None
    off = bool(np.any(np.abs(centre) > OFF_CENTRE * problem.deviation[on]))
    if sparse.issparse(X):
        if p > n or off:
            return None
        X = X.astype(np.float64)
        centre = np.zeros(p)
    else:
        if (off or X.dtype != np.float64) and 8 * n * p > MOST_BYTES:
            return None
        X = np.asarray(X, dtype=np.float64)
        if off or p > n:
            X = X - centre
        else:
            centre = np.zeros(p)
    basis, root = None, np.ones(p)
    if p > n:
        if not ridge.all():
            return None
        basis, upper = linalg.qr((X / np.sqrt(ridge)).T, mode="economic", check_finite=False)
        X, root, ridge = np.ascontiguousarray(upper.T), np.sqrt(ridge), np.ones(n)
    found = _Newton(X, rest, problem.w, ridge, epsilon, start[2], intercept=problem.fit_intercept).solve(*start[:2])
    if found is None or found.coef is None:
        return found
    coef = found.coef if basis is None else (basis @ found.coef) / root
    return replace(found, coef=coef, intercept=found.intercept - float(centre @ coef))


class _Newton:
    """The joint objective sigma + sum_i w_i sigma H(r_i / sigma) + sum_j ridge_j b_j^2, w of sum 1.

    It is convex in (b, sigma) and, while no row crosses epsilon sigma, has a second derivative. A step is damped by
    halving, and in sigma alone where it would leave [sigma / 10, 10 sigma].
    """

    def __init__(
        self, X: Any, y: Float, w: Float, ridge: Float, epsilon: float, least: float, *, intercept: bool
    ) -> None:
        self._X, self._y, self._w, self._ridge = X, y, w, np.append(ridge, 0.0)[: len(ridge) + intercept]
        self._epsilon, self._least, self._intercept = epsilon, least, intercept
        self._inside = np.zeros(len(y), dtype=bool)
        self._gram = np.zeros((len(self._ridge), len(self._ridge)))

    def solve(self, middle: float, spread: float) -> _Found | None:
        """Return the minimum, None if the steps don't get there, from the median and spread of the target."""
        b = np.zeros(len(self._ridge))
        if self._intercept:
            b[-1] = middle
        r = self._y - b[-1] if self._intercept else self._y
        sigma = max(spread if self._intercept else robust_deviation(r, self._w), self._least)
        value = self._value(b, r, sigma)
        for step in range(1, MOST_STEPS + 1):
            ahead = self._direction(b, r, sigma)
            if ahead is None:
                return None
            move, change, slope = ahead
            if sigma <= self._least and change <= 0.0:
                return _Found(self._least, 0.0, None, step)
            shift, share = self._times(move), 1.0
            while True:
                trial = b + share * move, r - share * shift, sigma + share * change
                moved = self._value(*trial)
                if moved <= value + 1e-4 * share * slope + 1e-13 * abs(value):
                    break
                share *= 0.5
                if share < 1e-6 or not np.isfinite(slope):
                    return None
            (b, _, sigma), value = trial, moved
            r = self._y - self._times(b)
            if -slope <= DECREMENT * value and share == 1.0:
                p = len(b) - self._intercept
                return _Found(sigma, float(b[-1]) if self._intercept else 0.0, b[:p], step)
        return None

    def _times(self, b: Float) -> Float:
        return np.asarray(self._X @ b[:-1] + b[-1] if self._intercept else self._X @ b)

    def _dots(self, v: Float) -> Float:
        z = np.asarray(self._X.T @ v)
        return np.append(z, np.sum(v)) if self._intercept else z

    def _value(self, b: Float, r: Float, sigma: float) -> float:
        size = np.abs(r)
        inside = np.minimum(size, self._epsilon * sigma)
        return float(sigma + self._w @ (inside * (2.0 * size - inside)) / sigma + self._ridge @ b**2)

    def _direction(self, b: Float, r: Float, sigma: float) -> tuple[Float, float, float] | None:
        """Return the step in b, in sigma, and the objective's slope along it."""
        w, z = self._w, np.clip(r / sigma, -self._epsilon, self._epsilon)
        inside = np.abs(r) <= self._epsilon * sigma
        self._weigh(inside)
        g = 2.0 * (self._ridge * b - self._dots(w * z))
        in_sigma = 1.0 - float(w @ z**2)
        inner = w * np.where(inside, z, 0.0)
        mixed = self._dots(inner) * (2.0 / sigma)
        hessian = (2.0 / sigma) * self._gram
        hessian.flat[:: len(b) + 1] += 2.0 * self._ridge
        solved = _solve(hessian, np.column_stack([-g, mixed]))
        if solved is None:
            return None
        alone, follow = solved.T
        bend = float(inner @ z) * (2.0 / sigma) - float(mixed @ follow)
        pull = in_sigma + float(mixed @ alone)  # slope in sigma after the step in b
        low, high = max(self._least, 0.1 * sigma) - sigma, 9.0 * sigma
        change = -pull / bend if bend > 1e-12 / sigma else (low if pull > 0.0 else high)
        change = min(max(change, low), high)
        move = alone - follow * change
        return move, change, float(g @ move) + in_sigma * change

    def _weigh(self, inside: NDArray[np.bool_]) -> None:
        """Bring the products of the columns (and ones) up to the rows now inside: only those that crossed count."""
        crossed = np.flatnonzero(inside != self._inside)
        if sparse.issparse(self._X) or 2 * len(crossed) > len(inside):
            self._gram = self._products(np.flatnonzero(inside), np.ones(int(inside.sum())))
        elif len(crossed):
            self._gram += self._products(crossed, np.where(inside[crossed], 1.0, -1.0))
        self._inside = inside

    def _products(self, rows: NDArray[np.int64], sign: Float) -> Float:
        """Return sum_i sign_i w_i x_i x_i' of some rows, x_i with a last 1 for the intercept; dense ones in blocks."""
        v, X = sign * self._w[rows], self._X
        if sparse.issparse(X):
            weight = np.zeros(len(self._y))
            weight[rows] = v
            G, edge = (X.T @ (sparse.diags_array(weight) @ X)).toarray(), np.asarray(X.T @ weight)
        else:
            G, edge = np.zeros((X.shape[1], X.shape[1])), np.zeros(X.shape[1])
            size = max(1, BLOCK_BYTES // (8 * X.shape[1]))
            for block in (slice(i, i + size) for i in range(0, len(rows), size)):
                some = X[rows[block]]
                weighted = some * v[block, None]
                G += some.T @ weighted
                edge += weighted.sum(axis=0)
        return np.block([[G, edge[:, None]], [edge[None], np.array([[np.sum(v)]])]]) if self._intercept else G


def _solve(hessian: Float, sides: Float) -> Float | None:
    """Solve by Cholesky's factors of the matrix scaled to a unit diagonal; None if it is singular."""
    scale = np.sqrt(np.diag(hessian))
    if not (scale > 0.0).all() or not np.isfinite(scale).all():
        return None
    try:
        factor = linalg.cho_factor(hessian / scale[:, None] / scale, lower=True, overwrite_a=True, check_finite=False)
    except linalg.LinAlgError:
        return None
    return np.asarray(linalg.cho_solve(factor, sides / scale[:, None], check_finite=False) / scale[:, None])
