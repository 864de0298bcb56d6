"""Blends of penalised and relaxed fits: a path for each gamma, with the deviance of the rows it was fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.losses import get_family
from bridle.path import Path
from bridle.selection.predictors import predictors

Float = NDArray[np.float64]


def blends(
    path: Path,
    gammas: Sequence[float],
    X: Any,
    y: Float,
    weight: Float | None,
    offset: Float | None,
    rows: NDArray[np.int64] | None = None,
    *,
    bounded: bool = True,
) -> list[Path]:
    r"""Blend a path with its relaxed fits.

    Where a refit is least squares of features among which are those of the penalised fit, its residuals are orthogonal
    to the difference of the two, so that the mean squared error is :math:`D_0 + \gamma^2 (D_1 - D_0)`, and no rows are
    read.

    Parameters
    ----------
    path : Path
        With relaxed fits, unless gamma 1 is all that is asked for.
    gammas : sequence of float
        Shares of the penalised fit.
    X : (n, p)
        What was fitted.
    y, weight, offset : (n,)
        As they were fitted; weight and offset may be None.
    rows : (m,) or None
        Those of training; None is all.
    bounded : bool
        Whether coefficients may be held by bounds.

    Returns
    -------
    list of Path
        One for each gamma.
    """
    mixed = [path.blend(gamma) for gamma in gammas]
    between = [k for k, gamma in enumerate(gammas) if 0.0 < gamma < 1.0]
    if not between or path.relaxed is None:
        return mixed
    if path.family == "gaussian" and not bounded and _covers(path.relaxed, path):
        least, gain = path.relaxed.deviance, path.deviance - path.relaxed.deviance
        return [
            replace(blend, deviance=least + blend.gamma**2 * gain) if k in between else blend
            for k, blend in enumerate(mixed)
        ]
    rows = np.arange(X.shape[0]) if rows is None else rows
    if weight is not None:
        rows = rows[weight[rows] > 0.0]  # an infinite loss of weight 0 is none
    w, o = (None if values is None else values[rows] for values in (weight, offset))
    family, target = get_family(path.family), y[rows]
    deviance = {k: np.empty(len(path.lambdas)) for k in between}
    pairs = zip(predictors(path, X, o, rows), predictors(path.relaxed, X, o, rows), strict=True)
    for (start, held), (_, free) in pairs:
        block = slice(start, start + held.shape[-1])
        for k in between:
            deviance[k][block] = family.mean_deviance(target, gammas[k] * held + (1.0 - gammas[k]) * free, w)
    for k in between:
        mixed[k] = replace(mixed[k], deviance=deviance[k])
    return mixed


def _covers(refits: Path, path: Path) -> bool:
    """Whether every feature of each fit is in its refit."""
    used, there = path.coef_sparse != 0.0, refits.coef_sparse != 0.0
    return int(used.multiply(there).sum()) == int(used.sum())
