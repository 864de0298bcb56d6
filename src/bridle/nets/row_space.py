"""Tables with more features than rows: networks are trained on as many combinations of features as there are rows.

The first layer sees a row only through x'W. With fewer rows than features all rows to train on lie in a space of m
dimensions: X = Z V', V orthonormal, so x'W = z'(V'W) for each of them, and the loss never moves W outside of V. Normal
starting weights stay normal under the rotation. What is trained is thus V'W, (m, units) in place of (p, units); what W
starts with outside of V would only add noise to the predictions of new rows, and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.nets.settings import Training
from bridle.nets.task_data import Part, TaskData

Float = NDArray[np.float64]

MOST_ROWS = 4_000  # whose Gram matrix is still cheap to decompose
BLOCK = 4_096  # features whose products are summed at once, in double precision
FLAT = 1e-9  # of the largest eigenvalue: combinations below are rounding


@dataclass(frozen=True, eq=False)
class RowSpace:
    """V = X' L: the combinations of features that the rows to train on span."""

    X: Any  # (m, p) float32 array or csr_array, standardised
    lift: Float  # (m, m), L: eigenvectors of X X' over their singular values

    def features(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weights (p, units) on the features of weights (m, units) on their combinations."""
        return np.asarray(self.X.T @ (self.lift @ weight).astype(np.float32), dtype=np.float32)

    def combinations(self, X: Any) -> NDArray[np.float32]:
        """(rows, m) combinations of features of standardised rows."""
        return np.ascontiguousarray(_products(X, self.X) @ self.lift, dtype=np.float32)


def rotates(task: TaskData, training: Training) -> bool:
    """Whether a task is trained in its row space: not where single features are dropped or penalised."""
    plain = training.input_dropout == training.l1 == training.group_l1 == 0.0
    return plain and task.n_train < task.n_features and task.n_train <= MOST_ROWS


def in_row_space(task: TaskData) -> TaskData:
    """Return the same task on the combinations of features that its rows to train on span."""
    X = task.train.X
    values, vectors = np.linalg.eigh(_products(X, X))
    values, vectors = values[::-1], vectors[:, ::-1]  # largest first
    used = values > FLAT * max(float(values[0]), 1e-300)
    size = np.sqrt(np.where(used, values, 1.0))
    space = RowSpace(X, np.where(used, vectors / size, 0.0))

    def rotated(part: Part) -> Part:
        return replace(part, X=space.combinations(part.X))

    train = replace(task.train, X=np.ascontiguousarray(np.where(used, vectors * size, 0.0), dtype=np.float32))
    validation = None if task.validation is None else rotated(task.validation)
    return replace(task, train=train, validation=validation, space=space, varies=used)


def _products(A: Any, B: Any) -> Float:
    """(a, b) products of the rows of A and B, summed in double precision."""
    if sparse.issparse(A):
        return np.asarray((A.astype(np.float64) @ B.astype(np.float64).T).toarray())
    total = np.zeros((A.shape[0], B.shape[0]))
    for start in range(0, A.shape[1], BLOCK):
        columns = slice(start, start + BLOCK)
        total += A[:, columns].astype(np.float64) @ B[:, columns].astype(np.float64).T
    return total
