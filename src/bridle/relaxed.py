r"""Relaxed fits: at each lambda a fit without penalty of the features that are active there.

.. math:: \tilde b(\lambda) = \operatorname{argmin}_{b:\, b_j = 0 \text{ where } \hat b_j(\lambda) = 0} \text{loss}(b),
    \qquad b(\lambda, \gamma) = \gamma \hat b(\lambda) + (1 - \gamma) \tilde b(\lambda),

as glmnet's ``relax``. Bounds hold for the refits too. Lambdas with the same active set share one refit, and a refit
starts from the one before where that set is a part of this one, else from the penalised fit.

References
----------
Meinshausen (2007), Relaxed Lasso, Computational Statistics and Data Analysis 52(1).
Hastie, Tibshirani and Tibshirani (2020), Best subset, forward stepwise or lasso?, Statistical Science 35(4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle import _core
from bridle.errors import InputError
from bridle.limits import runs_away
from bridle.matrix import as_design
from bridle.penalties import Penalty
from bridle.problem import Problem, Settings
from bridle.several import SeveralProblem
from bridle.several.separation import separates

Float = NDArray[np.float64]
Int = NDArray[np.int64]

GAMMAS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the penalised fit to choose from, glmnet's."""

SPARE = 3  # rows that a refit leaves: one with more features than n - 3 isn't made, as in glmnet


@dataclass(frozen=True)
class Refit:
    """A fit without penalty of some features."""

    raw: Any  # the result of one lambda, its columns numbered as in the whole problem
    open: bool  # whether the likelihood has no maximum there

    def cells(self, size: int) -> Float:
        """Coefficients of the whole problem, (size,)."""
        b = np.zeros(size)
        b[self.raw["columns"]] = self.raw["values"]
        return b


Refitting = Callable[[Int, Any, int, Refit | None], Refit]
"""From the active features (q,), the penalised fits, the number of the one to relax, and a refit of fewer features."""


def gammas_of(relax: bool | ArrayLike) -> tuple[float, ...]:
    """Return the shares of the penalised fit that ``relax`` asks for, largest first.

    Parameters
    ----------
    relax : bool or sequence of float
        True is glmnet's 0, 0.25, 0.5, 0.75 and 1; False is 1 alone, the penalised fit.

    Returns
    -------
    tuple of float

    Raises
    ------
    InputError
        They aren't numbers from 0 to 1.
    """
    if isinstance(relax, bool | np.bool_):
        return tuple(sorted(GAMMAS, reverse=True)) if relax else (1.0,)
    try:
        gammas = np.unique(np.asarray(relax, dtype=np.float64))
    except (TypeError, ValueError):
        gammas = np.array([np.nan])
    if gammas.size == 0 or not np.all((gammas >= 0.0) & (gammas <= 1.0)):
        raise InputError(f"relax must be True, False, or values of gamma from 0 (relaxed) to 1; got {relax!r}")
    return tuple(float(gamma) for gamma in gammas[::-1])


def relax(
    problem: Problem | SeveralProblem, raw: _core.PathResult, lambdas: Float, settings: Settings
) -> tuple[_core.PathResult, tuple[str, ...]]:
    """Refit each lambda's active features without penalty.

    Parameters
    ----------
    problem : Problem or SeveralProblem
        What was solved.
    raw : PathResult
        Its fits.
    lambdas : (L,)
        Descending.
    settings : Settings
        Tolerance and limits.

    Returns
    -------
    tuple
        The refits in the form of the fits, and sentences for ``Path.notes``.
    """
    if isinstance(problem, SeveralProblem):
        several = problem

        def refit(active: Int, fits: Any, k: int, before: Refit | None) -> Refit:
            return _refit_several(several, active, settings)
    else:
        single = problem

        def refit(active: Int, fits: Any, k: int, before: Refit | None) -> Refit:
            return _refit(single, active, fits, k, before, settings)

    rows = int(np.count_nonzero(problem.w))
    return refit_path(raw, lambdas, problem.factor, problem.l1_ratio, problem.width, rows, refit)


def refit_path(
    raw: _core.PathResult, lambdas: Float, factor: Float, l1_ratio: float, width: int, rows: int, refit: Refitting
) -> tuple[_core.PathResult, tuple[str, ...]]:
    """Walk down the lambdas, and refit each active set that wasn't met before.

    Parameters
    ----------
    raw, lambdas
        The penalised fits.
    factor : (p,)
        v, infinite for what is excluded.
    l1_ratio : float
        Of the penalty; ridge keeps every feature.
    width : int
        Coefficients of each feature.
    rows : int
        Number of rows that count.
    refit : callable
        Makes one refit.

    Returns
    -------
    tuple
        As :func:`relax`.
    """
    known: dict[bytes, Refit] = {}
    runaway: list[Int] = []
    chosen: list[Any] = []
    wide, open_ones = 0, 0
    last: Refit | None = None
    for k, lam in enumerate(lambdas):
        active = _active(raw, k, factor, l1_ratio, width)
        own = _row(raw, k)
        if active.size == 0 or lam == 0.0:
            chosen.append(own)
            continue
        found = known.get(active.tobytes())
        large = active.size > rows - SPARE
        if found is None and not large and not any(np.isin(some, active).all() for some in runaway):
            before = last if last is not None and np.isin(last.raw["columns"] // width, active).all() else None
            found = refit(active, raw, k, before)
            if found.open:
                runaway.append(active)
                found = None
            else:
                known[active.tobytes()] = found
        last = last if found is None else found
        wide += int(found is None and large)
        open_ones += int(found is None and not large)
        chosen.append(own if last is None else last.raw)
    notes = []
    stand = "the refit of the last set before stands for theirs (the penalised fit where there is none)"
    if wide:
        notes.append(f"{wide} lambdas have more than n - {SPARE} active features: {stand}")
    if open_ones:
        notes.append(f"at {open_ones} lambdas the active features separate the target, a refit has no limit: {stand}")
    return _joined(chosen), tuple(notes)


def _active(raw: _core.PathResult, k: int, factor: Float, l1_ratio: float, width: int) -> Int:
    """Return the features that a refit has, (q,): those that aren't 0 and those that are never penalised."""
    free = factor == 0.0 if l1_ratio > 0.0 else np.isfinite(factor)
    part = slice(int(raw["starts"][k]), int(raw["starts"][k + 1]))
    there = raw["columns"][part][raw["values"][part] != 0.0] // width
    if not there.size and not free.any():
        return np.zeros(0, dtype=np.int64)
    on = free.copy()
    on[there] = True
    return np.flatnonzero(on)


def _row(raw: _core.PathResult, k: int) -> dict[str, Any]:
    """The k-th fit alone."""
    part = slice(int(raw["starts"][k]), int(raw["starts"][k + 1]))
    one: dict[str, Any] = {key: raw[key][k : k + 1] for key in _PER_LAMBDA}  # type: ignore[literal-required]
    return one | {"columns": raw["columns"][part], "values": raw["values"][part]}


_PER_LAMBDA = ("intercept", "gap", "kkt", "loss", "status", "n_iter")


def _joined(rows: list[Any]) -> _core.PathResult:
    joined: dict[str, Any] = {key: np.concatenate([row[key] for row in rows]) for key in _PER_LAMBDA}
    joined["starts"] = np.concatenate([[0], np.cumsum([len(row["columns"]) for row in rows])]).astype(np.int64)
    joined["columns"] = np.concatenate([row["columns"] for row in rows])
    joined["values"] = np.concatenate([row["values"] for row in rows])
    return joined  # type: ignore[return-value]


def _refit(problem: Problem, active: Int, fits: Any, k: int, before: Refit | None, settings: Settings) -> Refit:
    """Refit on the covariances where there are any, else on the active columns alone, from a start by offset."""
    p, lam = problem.shape[1], np.ones(1)
    if problem.summary is not None:
        factor = np.full(p, np.inf)
        factor[active] = 0.0
        found: Any = replace(problem, factor=factor, penalty=Penalty(1.0), l1_ratio=1.0).solve(lam, settings)
        return Refit(_row(found, 0), open=False)
    start: Any = before.raw if before is not None else _row(fits, k)
    b = Refit(start, open=False).cells(p)[active]
    b0 = float(start["intercept"][0])
    matrix = problem.matrix[:, active]
    design, matrix = as_design(matrix)
    offset = problem.offset + design.times(b)
    residual = problem.family.residual(problem.y, offset + b0, problem.w)
    part = replace(
        problem,
        design=design,
        matrix=matrix,
        offset=offset,
        mean=problem.mean[active],
        deviation=problem.deviation[active],
        products=design.dots(residual),
        scale=problem.scale[active],
        factor=np.zeros(active.size),
        lower=np.minimum(problem.lower[active] - b, 0.0),
        upper=np.maximum(problem.upper[active] - b, 0.0),
        l1_ratio=1.0,
        start=b0,
        penalty=Penalty(1.0),
    )
    found = part.solve(lam, settings)
    row = _row(found, 0)
    moved = np.zeros(active.size)
    moved[row["columns"]] = row["values"]
    total = b + moved
    bounded = replace(part, offset=problem.offset, lower=problem.lower[active], upper=problem.upper[active])
    eta = offset + design.times(moved) + float(row["intercept"][0])
    total = np.clip(total, bounded.lower, bounded.upper)
    for limit in (bounded.lower, bounded.upper):  # sums miss by rounding what they are held at
        near = 4.0 * np.finfo(float).eps * (np.abs(limit) + np.abs(b))
        reached = np.isfinite(limit) & (np.abs(total - limit) <= near)
        total = np.where(reached, limit, total)
    whole = row | {"columns": active[total != 0.0], "values": total[total != 0.0]}
    return Refit(whole, open=runs_away(bounded, eta))


def _refit_several(problem: SeveralProblem, active: Int, settings: Settings) -> Refit:
    """Refit on the active columns alone."""
    design, matrix = as_design(problem.matrix[:, active])
    part = replace(
        problem,
        design=design,
        matrix=matrix,
        mean=problem.mean[active],
        deviation=problem.deviation[active],
        scale=problem.scale[active],
        factor=np.ones(active.size),
        lower=problem.lower[active],
        upper=problem.upper[active],
        l1_ratio=1.0,
        penalty=Penalty(1.0),
    )
    found = part.solve(np.zeros(1), settings)
    row = _row(found, 0)
    cell, width = row["columns"], problem.width
    whole = row | {"columns": active[cell // width] * width + cell % width}
    return Refit(whole, open=separates(part, found, settings.tol))
