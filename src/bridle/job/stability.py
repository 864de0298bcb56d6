"""How much a fitted model would change on other rows of the same kind: the nonparametric bootstrap (Efron 1979).

A bootstrap sample is a vector of counts used as weights, so no rows are copied. What is drawn is what is independent:
rows; whole groups where groups are given; and blocks of consecutive rows where time orders them, about n^(1/3) long
(Kuensch 1989), around a circle so that every row is as likely (Politis and Romano 1992). On each sample the whole path
is fitted; lambda is then chosen by the loss on the rows that the sample left out.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bridle.job.fitting import Fit, Problem, refit
from bridle.problem import one_blas_thread

Float = NDArray[np.float64]

GRID = 40  # values of a bootstrap path; the drawn curves need no more
GAP = 1e-4  # relative duality gap of a bootstrap path: far below its sampling error


@dataclass(frozen=True)
class Stability:
    """Bootstrap distribution of one model; B samples."""

    lambdas: Float  # (Lb,)
    coef: Float  # (B, p) or (B, p, K), at the chosen lambda
    shown: NDArray[np.int64]  # (F,), the features whose paths are kept
    paths: Float  # (B, F, Lb), standardised coefficients of the shown features
    chosen_lambda: Float  # (B,) or fewer, minimises the loss on the rows left out; none where none was left out
    prediction_spread: float  # mean over rows of the bootstrap sd of the link, over the sd of the link

    @property
    def selected(self) -> Float:
        """(p,) share of the samples in which a feature has a coefficient other than 0."""
        there = self.coef != 0.0
        return np.asarray(np.mean(there if there.ndim == 2 else there.any(axis=2), axis=0))


def samples_for(n: int, p: int, asked: int) -> int:
    """Bootstrap samples that keep the job short: as asked up to 2 million cells, then fewer, never under 10."""
    return asked if asked <= 10 else int(np.clip(asked * 2e6 / max(n * p, 1), 10, asked))


def bootstrap(
    problem: Problem, fit: Fit, shown: NDArray[np.int64], n_samples: int, seed: int, n_jobs: int,
    step: Callable[[], None],
) -> Stability:  # fmt: skip
    """Refit ``fit`` on ``n_samples`` bootstrap samples; the same answer on any number of threads.

    Parameters
    ----------
    shown : (F,)
        Features whose whole paths are kept for drawing.
    step : callable
        Called after each sample.
    """
    assert fit.path is not None
    lambdas, scale = _thin(fit.path.lambdas, fit.index), fit.path.scale
    seeds = np.random.SeedSequence(seed).spawn(n_samples)
    rows = np.sort(np.random.default_rng(seed).permutation(problem.n_rows)[:2000])

    draw = _drawer(problem)

    def one(child: np.random.SeedSequence) -> tuple[Float, Float, float]:
        counts = _fittable(problem, draw, np.random.default_rng(child))
        path = refit(problem, fit, lambdas, counts * problem.weights, GAP)
        at = int(np.argmin(np.abs(np.log(lambdas / fit.value)))) if fit.value > 0 else lambdas.size - 1
        drawn = problem.outcome.drawn(replace(path, scale=scale), shown)
        out = np.flatnonzero((counts == 0.0) & (problem.weights > 0.0))
        best = lambdas[np.argmin(problem.outcome.losses_along(problem, path, out))] if out.size else np.nan
        return path.coef_row(at), drawn, float(best)

    found = []
    with one_blas_thread, ThreadPoolExecutor(max_workers=n_jobs) as pool:
        for result in pool.map(one, seeds):
            found.append(result)
            step()
    coef, chosen = np.array([c for c, _, _ in found]), np.array([lam for _, _, lam in found])
    return Stability(
        lambdas=lambdas,
        coef=coef,
        shown=shown,
        paths=np.array([d for _, d, _ in found]),
        chosen_lambda=chosen[np.isfinite(chosen)],
        prediction_spread=_spread(problem, fit, coef, rows),
    )


def _thin(lambdas: Float, chosen: int) -> Float:
    keep = np.unique(np.r_[np.linspace(0, lambdas.size - 1, min(GRID, lambdas.size)).round().astype(int), chosen])
    return np.asarray(lambdas[keep])


Drawer = Callable[[np.random.Generator], Float]


def _drawer(problem: Problem) -> Drawer:
    """Return a function from a Generator to the (n,) counts of one sample."""
    n = problem.n_rows
    if problem.groups is not None:
        groups, of = np.unique(problem.groups, return_inverse=True)
        return lambda rng: _counts(rng.integers(0, groups.size, groups.size), groups.size)[of]
    if problem.time is None:
        return lambda rng: _counts(rng.integers(0, n, n), n)
    order, length = np.argsort(problem.time, kind="stable"), int(np.ceil(n ** (1 / 3)))

    def of_blocks(rng: np.random.Generator) -> Float:
        starts = rng.integers(0, n, -(-n // length))
        counts = np.empty(n)
        counts[order] = _counts(((starts[:, None] + np.arange(length)) % n).ravel()[:n], n)
        return counts

    return of_blocks


def _counts(drawn: NDArray[np.int64], n: int) -> Float:
    return np.bincount(drawn, minlength=n).astype(np.float64)


def _fittable(problem: Problem, draw: Drawer, rng: np.random.Generator) -> Float:
    """(n,) counts of the first sample that varies as the training rows do: a single class or count can't be fitted."""
    of = problem.y[problem.weights > 0.0]
    while True:
        counts = draw(rng)
        y = problem.y[(counts * problem.weights) > 0.0]
        if len(y) and problem.outcome.varies(y, of):
            return counts


def _spread(problem: Problem, fit: Fit, coef: Float, rows: NDArray[np.int64]) -> float:
    X, w = problem.X[rows], problem.weights[rows]
    if coef.shape[0] < 2 or not w.sum() > 0.0:
        return float("nan")
    return problem.outcome.spread(X, w, fit.coef, coef)
