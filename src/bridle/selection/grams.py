r"""All folds of a gaussian problem from one pass over its rows.

Training rows of a fold are a union of cells, so its means, deviations and covariances are a sum of theirs: no sum is
ever subtracted from another, which would cancel digits (Engstrom and Jensen 2024 subtract, arXiv 2401.13185). The path
is solved on the covariances, and the squared error of held-out rows is

.. math:: \sum_i w_i (y_i - b_0 - x_i'b)^2 = t'Wt - 2 b'X'Wt + b'X'WXb, \qquad t = y - b_0,

about a provisional mean. Where that may cost digits, the fold is fitted from its rows instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle import _core
from bridle.certificates import constant_below, penalty_scale
from bridle.crew import Crew
from bridle.matrix import as_design
from bridle.moments import WORST_CANCELLATION, Moments, applies
from bridle.path import STATUSES, Path, coefficients, relaxed_path
from bridle.penalties import Penalty
from bridle.problem import Settings, bound, optional_array
from bridle.relaxed import Refit, refit_path
from bridle.selection.cells import FoldCells
from bridle.selection.folds import Folds

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_MOST_BYTES = 1 << 28  # of the sums of all cells, unless a tenth of X is more
_WORST_ROUNDING = 1e-9  # share of a held-out error that may be rounding


@dataclass(frozen=True)
class GramFit:
    """One fold's path, as the core left it."""

    whole: Path  # on all rows
    raw: _core.FoldResult
    summary: _core.Summary  # of the training rows
    scale: Float  # (p,)
    refits: tuple[_core.PathResult, tuple[str, ...]] | None = None  # without penalty, and what there is to say

    @property
    def test_loss(self) -> Float:
        """Mean squared error of the rows held out, (L,)."""
        return self.raw["test_loss"]

    @property
    def train_loss(self) -> Float:
        """Mean squared error of the training rows, (L,)."""
        return 2.0 * self.raw["loss"]

    @property
    def status(self) -> tuple[str, ...]:
        """What became of each lambda."""
        status = self.raw["status"]
        return tuple(STATUSES[s] for s in status.tolist()) if status.any() else (STATUSES[0],) * len(status)

    def path(self) -> Path:
        """Give the path as :func:`bridle.fit_path` would."""
        raw, variance = self.raw, self.summary.y_variance
        null = variance + (0.0 if self.whole.fit_intercept else self.summary.y_mean**2)
        path = replace(
            self.whole,
            intercept=raw["intercept"],
            coef_sparse=coefficients(raw, len(self.scale)),
            mean=self.summary.mean,
            scale=self.scale,
            relative_gap=raw["gap"] / (0.5 * null),
            gap=raw["gap"],
            kkt=raw["kkt"],
            n_iter=raw["n_iter"],
            status=self.status,
            deviance=self.train_loss,
            null_deviance=null,
            feature_names=None,
            notes=(),
            relaxed=None,
        )
        if self.refits is None:
            return path
        return replace(path, relaxed=relaxed_path(path, self.refits[0], 0.5 * null, 0.0, self.refits[1]))


@dataclass(frozen=True)
class FoldMoments:
    """Sums over cells of rows, and which cells are whose."""

    moments: Moments
    cells: FoldCells
    factor: Float  # (p,)
    lower: Float
    upper: Float
    rows: tuple[int, ...]  # of training in each fold, those without weight left out

    @classmethod
    def make(
        cls,
        matrix: Any,
        target: Float,
        weight: Float | None,
        folds: Folds,
        options: Mapping[str, Any],
        crew: Crew,
    ) -> FoldMoments | None:
        """Read the rows once; None where the folds have to be fitted one by one.

        Parameters
        ----------
        matrix : (n, p) array
            The rows that all folds share.
        target : (n,)
            y less the offset.
        weight : (n,) or None
            As given.
        folds : Folds
            Any: cells are found from them.
        options : mapping
            Of :func:`bridle.fit_path`: family, mode, tolerances.
        crew : Crew
            Threads that share the pass.

        Returns
        -------
        FoldMoments or None
            None for too many columns or cells, or for folds that train on too few rows.
        """
        settings = Settings.make(options["tol"], options["max_iter"], options["mode"], options["family"])
        n, p = matrix.shape
        fewest = min(train.size for train, _ in folds)
        if not applies(matrix, settings.mode, fewest) or not np.isfinite(target).all():
            return None
        most = max(_MOST_BYTES, matrix.nbytes // 10) // (8 * (p + 2) ** 2)
        cells = FoldCells.make(folds, n, min(most, max(64, n // 4)))
        if cells is None:
            return None
        design, _ = as_design(matrix)
        w = np.full(n, 1.0 / n) if weight is None else weight / np.sum(weight)
        sums = Moments.make(design, target, w, cell=cells.cell, cells=cells.count, each=crew.each)
        penalty = Penalty(
            1.0, optional_array(options["penalty_factor"]), bound(options["lower"]), bound(options["upper"])
        )
        factor, lower, upper = (np.ascontiguousarray(v) for v in (penalty.factors(p), *penalty.bounds(p)))
        rows = tuple(train.size if weight is None else int(np.count_nonzero(w[train])) for train, _ in folds)
        return cls(sums, cells, factor, lower, upper, rows)

    def fit(self, fold: int, paths: Sequence[Path], options: Mapping[str, Any]) -> list[GramFit] | None:
        """Fit one fold on the lambdas of each of ``paths``; None where rounding calls for its rows.

        Parameters
        ----------
        fold : int
            Which.
        paths : sequence of Path
            On all rows.
        options : mapping
            Of :func:`bridle.fit_path`.

        Returns
        -------
        list of GramFit or None
            One for each of ``paths``.
        """
        summary = self.moments.summary(self.cells.train[fold])
        if not summary.cancellation <= WORST_CANCELLATION:
            return None
        mean, deviation = summary.mean, summary.deviation
        intercept, standardize = options["fit_intercept"], options["standardize"]
        scale = penalty_scale(mean, deviation, fit_intercept=intercept, standardize=standardize)
        constant = deviation <= constant_below(mean)
        factor = np.where(constant, np.inf, self.factor) if intercept and constant.any() else self.factor

        def solve(factor: Float, l1_ratio: float, lambdas: Float) -> _core.FoldResult:
            result = _core.fold_path(
                summary, self.moments.sums, self.cells.test[fold], scale, (factor, self.lower, self.upper), l1_ratio,
                intercept, lambdas, options["tol"], options["max_iter"],
            )  # fmt: skip
            if result is None or not result["test_rounding"] <= _WORST_ROUNDING:
                raise _ImpreciseError
            return result

        def refit(active: Int, fits: Any, k: int, before: Refit | None) -> Refit:
            free = np.full(len(factor), np.inf)
            free[active] = 0.0
            return Refit(solve(free, 1.0, np.ones(1)), open=False)

        results = []
        try:
            for path in paths:
                raw = solve(factor, path.l1_ratio, path.lambdas)
                refits = None
                if options["relax"]:
                    refits = refit_path(raw, path.lambdas, factor, path.l1_ratio, 1, self.rows[fold], refit)
                results.append(GramFit(path, raw, summary, scale, refits))
        except _ImpreciseError:
            return None
        return results


class _ImpreciseError(Exception):
    """Rounding calls for the rows of the fold."""
