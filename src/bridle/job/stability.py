"""How much a fitted model would change on other rows of the same kind: the nonparametric bootstrap (Efron 1979).

A bootstrap sample is a vector of counts used as weights, so no rows are copied. On each sample the whole path is
fitted; lambda is then chosen by the loss on the rows that the sample left out.
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
    chosen_lambda: Float  # (B,), minimises the loss on the rows left out
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

    def one(child: np.random.SeedSequence) -> tuple[Float, Float, float]:
        path, counts = _sample_path(problem, fit, lambdas, np.random.default_rng(child))
        at = int(np.argmin(np.abs(np.log(lambdas / fit.value)))) if fit.value > 0 else lambdas.size - 1
        drawn = path.coef_sparse[:, shown].toarray().T * scale[shown, None]
        best = int(np.argmin(_left_out_loss(problem, path, counts)))
        return path.coef_row(at), drawn, float(lambdas[best])

    found = []
    with ThreadPoolExecutor(max_workers=n_jobs) as pool:
        for result in pool.map(one, seeds):
            found.append(result)
            step()
    coef = np.array([c for c, _, _ in found])
    return Stability(
        lambdas=lambdas,
        coef=coef,
        shown=shown,
        paths=np.array([d for _, d, _ in found]),
        chosen_lambda=np.array([lam for _, _, lam in found]),
        prediction_spread=_spread(problem, fit, coef, rows),
    )


def _thin(lambdas: Float, chosen: int) -> Float:
    keep = np.unique(np.r_[np.linspace(0, lambdas.size - 1, min(GRID, lambdas.size)).round().astype(int), chosen])
    return np.asarray(lambdas[keep])


def _sample_path(problem: Problem, fit: Fit, lambdas: Float, rng: np.random.Generator) -> tuple[Path, Float]:
    """Draw until the sample can be fitted: a sample with one class only has no logistic fit."""
    n = problem.y.size
    while True:
        counts = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        drawn = problem.y[(counts * problem.weights) > 0]
        if problem.family.name == "gaussian" or (drawn.size and drawn.min() < drawn.max()):
            return refit(problem, fit, lambdas, counts * problem.weights, GAP), counts


def blocks(n: int) -> Iterator[slice]:
    """Slices of at most ``BLOCK`` rows that cover 0..n."""
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))


def _left_out_loss(problem: Problem, path: Path, counts: Float) -> Float:
    """(Lb,) sum of the loss over the rows that the sample left out, in blocks of rows."""
    X, total = problem.X, np.zeros(path.lambdas.size)
    out = np.flatnonzero(counts == 0.0)
    for part in blocks(out.size):
        rows = out[part]
        offset = None if problem.offset is None else problem.offset[rows]
        eta = path.linear_predictor(X[rows], offset=offset)  # (rows, Lb)
        y = np.broadcast_to(problem.y[rows, None], eta.shape)
        total += problem.weights[rows] @ problem.family.loss(y, eta)
    return total


def _spread(problem: Problem, fit: Fit, coef: Float, rows: NDArray[np.int64]) -> float:
    X = problem.X[rows]
    spread = float(np.std(np.asarray(X @ fit.coef)))
    if spread == 0.0 or coef.shape[0] < 2:
        return float("nan")
    links = np.asarray(X @ coef.T)  # (rows, B)
    return float(np.mean(np.std(links - links.mean(axis=0), axis=1, ddof=1)) / spread)
