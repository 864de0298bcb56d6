r"""Squared errors of many rows: the same problem in p + K rows.

With weighted, centred :math:`[X, Y] = Q R` the loss of :math:`B` is :math:`\frac12 |R_Y - R_X B|^2`: an orthogonal
transform of the rows changes no distance, and keeps all digits. R is found block by block of rows (Demmel, Grigori,
Hoemmen and Langou 2012, SIAM Journal on Scientific Computing 34(1)), so that no copy of X is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

WORTH = 4  # rows for each column of [X, Y], from which on fewer rows pay for finding them
MOST_COLUMNS = 4000
_BLOCK = 2048  # rows, or twice the columns: R is worked over again for each block


def worth(matrix: Any, responses: int) -> bool:
    """Return whether p + K rows in place of n save time: a dense, tall matrix."""
    n, p = matrix.shape
    return isinstance(matrix, np.ndarray) and p <= MOST_COLUMNS and n >= WORTH * (p + responses)


def compress(matrix: Any, centre: Float, target: Float, w: Float) -> tuple[Float, Float]:
    """Find rows that have the same squared errors.

    Parameters
    ----------
    matrix : (n, p)
        Dense columns.
    centre : (p,)
        What is subtracted from them.
    target : (n, K)
        Centred already.
    w : (n,)
        Weights that sum to 1.

    Returns
    -------
    tuple of (m, p) and (m, K)
        The rows, of weight 1 / m each, m = p + K.
    """
    n, p = matrix.shape
    size = p + target.shape[1]
    R: Float = np.zeros((0, size))
    step = max(_BLOCK, 2 * size)
    for start in range(0, n, step):
        part = slice(start, min(start + step, n))
        block = np.hstack([matrix[part] - centre, target[part]]) * np.sqrt(w[part])[:, None]
        R = np.asarray(np.linalg.qr(np.vstack([R, block]), mode="r"))
    R *= np.sqrt(len(R))
    return np.asfortranarray(R[:, :p]), np.asfortranarray(R[:, p:])
