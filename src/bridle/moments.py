"""Products of rows, summed in one pass: all that a gaussian problem with more rows than columns needs of its matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle import _core

Float = NDArray[np.float64]
Cells = NDArray[np.int32]

MOST_COLUMNS = 4000  # above this p^2 numbers are much, and a path rarely needs them all
WORST_CANCELLATION = 1e4  # of a mean square about the centre to the variance: 4 of 16 digits
_PIECES = 8  # that threads may share; few, since each has sums of its own
_SMALL = 1 << 21  # entries of X below which one piece is enough

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


def applies(X: Any, mode: int, rows: int | None = None) -> bool:
    """Whether a gaussian problem is solved in the space of X'X, for which one pass over X is enough.

    Parameters
    ----------
    X : (n, p)
        Of any kind; sparse matrices never are.
    mode : int
        0 (auto), 1 (gram) or 2 (columns).
    rows : int or None
        The number of them that count; None: all.
    """
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if sparse.issparse(X) or len(shape) != 2:
        return False
    n, p = shape[0] if rows is None else rows, shape[1]
    return mode == 1 or bool(mode == 0 and n >= 2 * p and p <= MOST_COLUMNS)


@dataclass(frozen=True)
class Moments:
    """Sums over the rows of each cell; any union of cells is a sum of them."""

    sums: _core.Moments
    cells: int

    @classmethod
    def make(
        cls,
        design: _core.Design,
        y: Float,
        w: Float,
        *,
        cell: Cells | None = None,
        cells: int = 1,
        each: Map | None = None,
        centre: Float | None = None,
    ) -> Moments:
        """Read the matrix once.

        Parameters
        ----------
        design : Design
            Dense, (n, p).
        y, w : (n,)
            Target less offset, and weights.
        cell : (n,) or None
            The number of each row's cell, from 0.
        cells : int
            How many there are.
        each : callable or None
            Maps a function over pieces of the rows, on threads perhaps. Pieces are the same whoever does it.
        centre : (p,) or None
            Near the means, so that centring cancels little; None takes the mean of some rows.

        Returns
        -------
        Moments
            The sums.
        """
        start = float(y[0] + np.mean(y[:: max(1, len(y) // 512)] - y[0]))
        centre = _core.provisional_centre(design) if centre is None else centre
        bounds = _pieces(*design.shape, cells)
        target = y - start

        def piece(k: int) -> _core.Moments:
            return _core.moments(design, target, w, centre, start, cell, cells, (bounds[k], bounds[k + 1]))

        parts = iter((each or map)(piece, range(len(bounds) - 1)))
        total = next(parts)
        for part in parts:
            total.add(part)
        return cls(total, cells)

    def summary(self, which: Cells | None = None) -> _core.Summary:
        """Means, deviations and covariances of the rows of some cells (None: of all)."""
        return self.sums.summary(np.arange(self.cells, dtype=np.int32) if which is None else which)


def _pieces(n: int, p: int, cells: int) -> list[int]:
    """Where pieces of the rows begin and end: few enough that their sums take a tenth of the matrix at most."""
    count = 1 if n * p < _SMALL else int(np.clip(n * p // (10 * cells * (p + 2) ** 2), 1, _PIECES))
    return [n * k // count for k in range(count + 1)]
