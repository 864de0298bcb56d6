"""Harrell's concordance index: how often the row with the earlier event had the higher risk."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle import _core
from bridle.errors import InputError
from bridle.losses import row_values
from bridle.survival.target import read_target

Float = NDArray[np.float64]


def concordance_index(y: Any, risk: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return Harrell's concordance index, in O(n log n).

    An event at time t is compared with every row of its stratum that is still at risk and has no event then: those
    with start < t < time, and those censored at t. Pairs count by the product of their weights; equal risks count
    half. Two events at the same time aren't compared.

    Parameters
    ----------
    y : survival target with n rows
        In any form that :func:`bridle.fit_path` takes with ``family="cox"``.
    risk : (n,)
        Higher is an earlier event: a linear predictor, or minus a predicted time.
    sample_weight : (n,) or None
        Weights of the rows.

    Returns
    -------
    float
        1 is perfect, 0.5 is chance.

    Raises
    ------
    InputError
        The target or the risks can't be used, or no two rows can be compared.

    References
    ----------
    Harrell, Lee and Mark (1996), Multivariable prognostic models, Statistics in Medicine 15.
    """
    score = np.asarray(risk, dtype=np.float64)
    if score.ndim != 1:
        raise InputError(f"risk has shape {score.shape}; expected one value for each row of y")
    rows, n = read_target(y, score.size), score.size
    score = row_values(score, n, "risk")
    w = np.ones(n) if sample_weight is None else row_values(sample_weight, n, "sample_weight")
    if (w < 0.0).any():
        raise InputError(f"sample weights must be >= 0; row {int(np.argmax(w < 0.0))} has {w[w < 0.0][0]:g}")
    levels, rank = np.unique(score, return_inverse=True)
    below, tied, comparable = _core.concordance(rows, rank.astype(np.int64), w, levels.size)
    if not comparable > 0.0:
        raise InputError("no two rows can be compared: no event happens while another row is at risk")
    return (below + 0.5 * tied) / comparable
