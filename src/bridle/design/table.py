"""From a table to the matrix that the path functions take, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.data import make_dataset
from bridle.design.encoder import Encoder
from bridle.design.matrix import Design


def design_matrix(
    table: Any,
    target: Any = None,
    *,
    formula: str | None = None,
    interactions: str | Sequence[str | Sequence[str]] | None = None,
    ordered: Mapping[str, Sequence[str]] | None = None,
    missing: str = "indicator",
    rows: NDArray[np.int64] | None = None,
    family: str | None = None,
    exclude: Sequence[str] = (),
    keep: Sequence[str] = (),
) -> tuple[Design, NDArray[np.float64]]:
    """Turn a table into features and a target, as a study does, for :func:`bridle.fit_path` and others.

    Parameters
    ----------
    table
        Whatever :func:`bridle.data.read_table` reads.
    target : str, int, sequence or None
        Column to predict, or the values; a formula may name it instead.
    formula : str, optional
        Target and features: ``"y ~ bs(age, 5) + sex:dose"``.
    interactions : "all" or sequence, optional
        Pairs of columns whose products become features beside the columns.
    ordered : mapping of str to sequence of str, optional
        Ordered categories with all their levels, lowest first.
    missing : {"indicator", "mean", "median", "drop", "error"}
        What to do with missing cells.
    rows : (m,) int array, optional
        Training rows, from which levels, means and knots are learned; all by default.
    family, exclude, keep
        As in :func:`bridle.data.make_dataset`.

    Returns
    -------
    design : Design
        ``matrix`` (n, p), ``feature_names`` and ``groups`` (p,): the label of the category, spline or product that a
        feature belongs to. It can be cross-validated as it is.
    y : (n,)
        The target, 0 and 1 for two classes; rows without a target are dropped.

    Raises
    ------
    InputError
        The table, the target or an option can't be used; the message says what to do.

    Examples
    --------
    >>> import bridle
    >>> table = {"dose": [1.0, 2.0, 3.0, 4.0], "site": ["a", "b", "c", "a"], "y": [1.2, 0.7, 3.1, 2.5]}
    >>> design, y = bridle.design_matrix(table, "y")
    >>> design.groups
    ('dose', 'site', 'site', 'site')
    """
    data = make_dataset(
        table, target, family=family, exclude=exclude, keep=keep, ordered=ordered, formula=formula,
        interactions=interactions,
    )  # fmt: skip
    data = data.complete_rows() if missing == "drop" else data
    return Encoder.fit(data, missing=missing, rows=rows).transform(data), data.y
