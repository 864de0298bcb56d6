"""How much a fitted model would change on other rows of the same kind: the nonparametric bootstrap (Efron 1979).

A bootstrap sample is a vector of counts used as weights, so no rows are copied. What is drawn is what is independent:
rows; whole groups where groups are given; and blocks of consecutive rows where time orders them, about n^(1/3) long
(Kuensch 1989), around a circle so that every row is as likely (Politis and Romano 1992). On each sample the whole path
is fitted; lambda is then chosen by the loss on the rows that the sample left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridle.job.fitting import Fit, Problem, refit
from bridle.path import Path

Float = NDArray[np.float64]

GRID = 40  # values of a bootstrap path; the drawn curves need no more
GAP = 1e-4  # relative duality gap of a bootstrap path: far below its sampling error
BLOCK = 16_384  # rows whose predictions are held at once


@dataclass(frozen=True)
class Stability:
    """Bootstrap distribution of one model; B samples."""

    lambdas: Float  # (Lb,)
    coef: Float  # (B, p), at the chosen lambda
    shown: NDArray[np.int64]  # (F,), the features whose paths are kept
    paths: Float  # (B, F, Lb), standardised coefficients of the shown features
    chosen_lambda: Float  # (B,) or fewer, minimises the loss on the rows left out; none where none was left out
    prediction_spread: float  # mean over rows of the bootstrap sd of the link, over the sd of the link


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
    rows = np.sort(np.random.default_rng(seed).permutation(problem.y.size)[:2000])

    draw = _drawer(problem)

    def one(child: np.random.SeedSequence) -> tuple[Float, Float, float]:
        counts = _fittable(problem, draw, np.random.default_rng(child))
        path = refit(problem, fit, lambdas, counts * problem.weights, GAP)
        at = int(np.argmin(np.abs(np.log(lambdas / fit.value)))) if fit.value > 0 else lambdas.size - 1
        drawn = path.coef_sparse[:, shown].toarray().T * scale[shown, None]
        out = np.flatnonzero((counts == 0.0) & (problem.weights > 0.0))
        best = lambdas[np.argmin(_loss_of(problem, path, out))] if out.size else np.nan
        return path.coef_row(at), drawn, float(best)

    found = []
    with ThreadPoolExecutor(max_workers=n_jobs) as pool:
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
    n = problem.y.size
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
    varies = np.ptp(problem.y[problem.weights > 0.0]) > 0.0
    while True:
        counts = draw(rng)
        y = problem.y[(counts * problem.weights) > 0.0]
        if y.size and (problem.family.link_name == "identity" or not varies or np.ptp(y) > 0.0):
            return counts


def blocks(n: int) -> Iterator[slice]:
    """Slices of at most ``BLOCK`` rows that cover 0..n."""
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))


def _loss_of(problem: Problem, path: Path, out: NDArray[np.int64]) -> Float:
    """(Lb,) sum of the loss over the rows ``out``, in blocks of rows."""
    X, total = problem.X, np.zeros(path.lambdas.size)
    for part in blocks(out.size):
        rows = out[part]
        offset = None if problem.offset is None else problem.offset[rows]
        eta = path.linear_predictor(X[rows], offset=offset)  # (rows, Lb)
        y = np.broadcast_to(problem.y[rows, None], eta.shape)
        total += problem.weights[rows] @ problem.family.loss(y, eta)
    return total


def _spread(problem: Problem, fit: Fit, coef: Float, rows: NDArray[np.int64]) -> float:
    X, w = problem.X[rows], problem.weights[rows]
    if coef.shape[0] < 2 or not w.sum() > 0.0:
        return float("nan")
    link = np.asarray(X @ fit.coef)
    spread = float(np.sqrt(np.average((link - np.average(link, weights=w)) ** 2, weights=w)))
    if spread == 0.0:
        return float("nan")
    links = np.asarray(X @ coef.T)  # (rows, B)
    centred = links - np.average(links, axis=0, weights=w)
    return float(np.average(np.std(centred, axis=1, ddof=1), weights=w) / spread)
