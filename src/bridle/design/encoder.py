"""The encoder: what was learned from training rows, frozen, and applied to any table of the same columns."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.data.dataset import Dataset
from bridle.data.frames import frame_from
from bridle.data.reading import Table, read_table
from bridle.design.arrays import dense_matrix, learn_columns, missing_cells, places, sparse_matrix
from bridle.design.cells import DenseCells, SparseCells
from bridle.design.columns import COUNTED_KINDS, ColumnCode, encode, learn, moments, unit
from bridle.design.matrix import Design
from bridle.errors import FileFormatError, InputError
from bridle.frozen import from_json, to_json

if TYPE_CHECKING:
    import polars as pl

Float = NDArray[np.float64]
Index = NDArray[np.int64]
POLICIES = ("indicator", "mean", "median", "drop", "error")
DTYPES = ("float64", "float32")
SPARSE_CELLS = 1 << 22  # smaller matrices stay dense: 32 MiB
SPARSE_DENSITY = 0.1


@dataclass(frozen=True)
class Encoder:
    """Turns table columns into features; learned from training rows by :meth:`fit`.

    A row of the table gives, for every column,

    - a number: itself; missing: the training mean (or median), and 1 in ``name (missing)``
    - one of two levels: 0 or 1; missing or unseen: the training share of the second (its median under ``median``)
    - one of several ordered levels: for each but the lowest 1 in ``name >= level`` if the row's level is that or
      higher; missing or unknown: the training means of these
    - one of several levels: 1 in ``name = level`` and 0 in the others; levels rarer than 5 rows (5 % in small tables;
      0.5 % in large ones) share ``name = (other)``, and unseen levels join them; without rare levels an unseen level is
      0 in all of them. Missing is a level of its own.

    ``(missing)`` features are made where at least 5 training rows (5 % in small tables) are missing.
    """

    codes: tuple[ColumnCode, ...]
    missing: str  # one of POLICIES
    dtype: str  # one of DTYPES
    mean: tuple[float, ...]  # (p,), weighted means over the training rows
    scale: tuple[float, ...]  # (p,), weighted 1/n standard deviations
    positions: tuple[int, ...] | None = None  # for arrays: which columns are used
    width: int = 0  # for arrays: how many columns they must have

    @classmethod
    def fit(
        cls, dataset: Dataset, missing: str = "indicator", rows: Index | None = None, dtype: str = "float64"
    ) -> Encoder:
        """Learn from the training rows of ``dataset``.

        Parameters
        ----------
        dataset : Dataset
        missing : {"indicator", "mean", "median", "drop", "error"}
            ``indicator`` fills numbers with the mean and adds a feature for being missing; ``mean`` and ``median`` only
            fill; ``drop`` needs a dataset without missing cells (``dataset.complete_rows()``) and fills with the mean
            when it predicts; ``error`` refuses missing cells at any time.
        rows : (m,) int array, optional
            The training rows; all by default. Cheaper than ``dataset.take(rows)``, which copies them.
        dtype : {"float64", "float32"}
            Of the matrices that :meth:`transform` makes.

        Raises
        ------
        InputError
            Unknown options, or missing cells where the policy allows none.
        """
        for option, value, allowed in (("missing", missing, POLICIES), ("dtype", dtype, DTYPES)):
            if value not in allowed:
                raise InputError(f"{option} {value!r}: expected one of {', '.join(allowed)}")
        weights = dataset.weights if rows is None or dataset.weights is None else dataset.weights[rows]
        if weights is not None and not weights.any():
            weights = None
        if dataset.frame is None:
            return cls._fit_matrix(dataset, missing, rows, dtype, weights)
        frame = dataset.frame
        codes, means, scales = [], [], []
        for column in dataset.features:
            series = _part(frame[column.name], rows)
            if missing in ("drop", "error") and series.null_count():
                _refuse_missing(column.name, series.null_count(), series.len(), missing)
            code = learn(column, series, weights, missing)
            if code.kind == "levels" and len(code.features) < 2:
                continue  # one level in the training rows says nothing
            mean, scale = moments(code, encode(code, series), weights)
            codes.append(code)
            means += mean
            scales += scale
        names = [name for code in codes for name in code.features]
        if len(set(names)) < len(names):
            double = next(name for name in names if names.count(name) > 1)
            raise InputError(f"two features would be called {double!r}; rename the column {double.split(' = ')[0]!r}")
        return cls(tuple(codes), missing, dtype, tuple(means), tuple(scales))

    @classmethod
    def _fit_matrix(
        cls, dataset: Dataset, missing: str, rows: Index | None, dtype: str, weights: Float | None
    ) -> Encoder:
        matrix = cast(Any, dataset.matrix) if rows is None else cast(Any, dataset.matrix)[rows]
        names = [c.name for c in dataset.features]
        gone = missing_cells(matrix)
        if gone and missing in ("drop", "error"):
            j = min(gone)
            _refuse_missing(names[j], gone[j].size, matrix.shape[0], missing)
        position = {c.name: j for j, c in enumerate(dataset.columns)}
        codes, means, scales = learn_columns(matrix, names, gone, missing, weights)
        return cls(codes, missing, dtype, means, scales, tuple(position[c] for c in names), len(dataset.columns))

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """(p,) names of the features."""
        return tuple(name for code in self.codes for name in code.features)

    @cached_property
    def source_columns(self) -> tuple[str, ...]:
        """(p,) the table column of each feature."""
        return tuple(code.name for code in self.codes for _ in code.features)

    @cached_property
    def indicator(self) -> tuple[bool, ...]:
        """(p,) whether the feature is 0 or 1 for a level or for being missing."""
        return tuple(flag for code in self.codes for flag in code.indicator)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """(p,) the label of the group that each feature enters a model with: its column.

        All levels of a category, all steps of an ordered one, and a number with its ``(missing)`` feature are a group.
        """
        return self.source_columns

    @cached_property
    def units(self) -> tuple[str, ...]:
        """(p,) the unit of each coefficient in words: "per unit", "per mm", "when fixed"."""
        return tuple(
            unit(name, code.name, flag, code.form)
            for code in self.codes
            for name, flag in zip(code.features, code.indicator, strict=True)
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The table columns that are needed."""
        return tuple(code.name for code in self.codes)

    def transform(self, source: Any, rows: Index | None = None) -> Design:
        """Turn a table (or the ``rows`` of it) into numbers.

        Parameters
        ----------
        source : Dataset, polars.DataFrame, or anything that ``bridle.data.read_table`` reads
        rows : (m,) int array, optional

        Returns
        -------
        Design
            Dense and Fortran ordered, or CSC where that takes less than a tenth of at least 4 million cells. An array
            without missing cells, of the right type and with all its columns used, is taken as it is, without a copy.

        Raises
        ------
        InputError
            A column is missing or holds something else than in training.
        """
        weights = source.weights if isinstance(source, Dataset) else None
        weights = weights if rows is None or weights is None else weights[rows]
        matrix = source.matrix if isinstance(source, Dataset) else None
        frame = source.frame if isinstance(source, Dataset) else frame_from(source) if not _plain(source) else None
        if frame is None and matrix is None:
            table = read_table(source)
            frame, matrix = table.frame, table.matrix
            if matrix is not None and self.positions is not None:
                matrix = self._right_columns(matrix)
        if frame is not None:
            return self._transform_frame(frame, rows, weights)
        if self.positions is None:
            raise InputError(
                "the encoder was fitted on a table with named columns, got a plain array; give a data frame or a dict "
                f"with the columns {', '.join(map(repr, self.columns[:8]))}"
            )
        return self._transform_matrix(matrix if rows is None else cast(Any, matrix)[rows], weights)

    def unseen(self, source: Any) -> dict[str, tuple[str, str]]:
        """Give, for each column of one row whose level never occurred in training, that level and what it counts as."""
        words = {code.name: code.stands_for_unseen for code in self.codes}
        return {column: (level, words[column]) for column, level in self.transform(source).unseen}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return cast(dict[str, Any], to_json(self))

    @classmethod
    def from_dict(cls, data: Any) -> Encoder:
        """Rebuild from :meth:`to_dict`'s output.

        Raises
        ------
        FileFormatError
            A value is missing, of the wrong type, or contradicts another.
        """
        encoder = from_json(cls, data)
        encoder._check()
        return encoder

    def _check(self) -> None:
        def refuse(what: str) -> FileFormatError:
            return FileFormatError(f"the encoder in the file is damaged: {what}; save the model again")

        for code in self.codes:  # before anything is derived from them
            if code.kind not in COUNTED_KINDS or code.rare < 0 or not np.isfinite(code.fill):
                raise refuse(f"column {code.name!r} has no valid code")
            if len(set(code.levels)) != len(code.levels) or (code.kind == "pair" and len(code.levels) != 2):
                raise refuse(f"column {code.name!r} has contradicting levels")
            if code.kind == "ordered" and not _is_ladder(code):
                raise refuse(f"column {code.name!r} has contradicting levels")
            if code.form.decimal not in (".", ","):
                raise refuse(f"column {code.name!r} has the decimal mark {code.form.decimal!r}")
        p = len(self.feature_names)
        if self.missing not in POLICIES or self.dtype not in DTYPES:
            raise refuse(f"unknown option {self.missing!r} or {self.dtype!r}")
        if len(self.mean) != p or len(self.scale) != p or not np.isfinite([*self.mean, *self.scale]).all():
            raise refuse(f"{p} features need as many finite means and scales")
        if len(set(self.columns)) != len(self.codes) or len(set(self.feature_names)) != p:
            raise refuse("two columns or features have the same name")
        if self.positions is not None and (
            len(self.positions) != len(self.codes) or not all(0 <= j < self.width for j in self.positions)
        ):
            raise refuse("the columns' positions don't fit")

    def _transform_frame(self, frame: pl.DataFrame, rows: Index | None, weights: Float | None) -> Design:
        _need(self.columns, frame.columns)
        n, p = frame.height if rows is None else rows.size, len(self.feature_names)
        cells = n * sum(1 if code.kind == "levels" else len(code.features) for code in self.codes)
        builder = (
            SparseCells(n, p)
            if n * p >= SPARSE_CELLS and cells < SPARSE_DENSITY * n * p
            else DenseCells(n, p, self.dtype)
        )
        gaps: list[tuple[int, Index]] = []
        n_missing: dict[str, int] = {}
        unseen: dict[tuple[str, str], int] = {}
        j = 0
        for code in self.codes:
            part = encode(code, _part(frame[code.name], rows))
            if part.missing.size:
                if self.missing == "error":
                    _refuse_missing(code.name, part.missing.size, n, "error")
                n_missing[code.name] = int(part.missing.size)
            unseen |= {(code.name, level): k for level, k in part.unseen.items()}
            if part.gaps.size:
                gaps += [(j + k, part.gaps) for k in range(code.filled)]
            builder.add(j, code, part)
            j += len(code.features)
        return Design(
            builder.finish(self.dtype),
            self.feature_names,
            self.source_columns,
            self.indicator,
            tuple(gaps),
            self._how,
            weights,
            n_missing,
            unseen,
        )

    @property
    def _how(self) -> str:
        return "median" if self.missing == "median" else "mean"

    def _right_columns(self, matrix: Any) -> Any:
        assert self.positions is not None
        if matrix.shape[1] != self.width:
            raise InputError(f"the array has {matrix.shape[1]} columns, expected {self.width} as in training")
        return matrix if len(self.positions) == self.width else matrix[:, list(self.positions)]

    def _transform_matrix(self, matrix: Any, weights: Float | None) -> Design:
        gone = missing_cells(matrix)
        if gone and self.missing == "error":
            j = min(gone)
            _refuse_missing(self.codes[j].name, gone[j].size, matrix.shape[0], "error")
        place = places(self.codes)
        make = dense_matrix if isinstance(matrix, np.ndarray) else sparse_matrix
        return Design(
            make(matrix, gone, self.codes, self.dtype),
            self.feature_names,
            self.source_columns,
            self.indicator,
            tuple((int(place[j]), rows) for j, rows in sorted(gone.items())),
            self._how,
            weights,
            {self.codes[j].name: int(rows.size) for j, rows in gone.items()},
        )


def _is_ladder(code: ColumnCode) -> bool:
    """Whether the levels of an ordered column fit its declared ones and its fill-in values."""
    known = [level for level in code.declared if level in code.levels]
    steps = len(code.levels) - 1
    return (
        tuple(known) == code.levels and steps >= 1 and len(code.fills) == steps and bool(np.isfinite(code.fills).all())
    )


def _part(series: pl.Series, rows: Index | None) -> pl.Series:
    """Take rows of one column at a time, so that the table is never copied whole."""
    return series if rows is None else series[rows]


def _plain(source: Any) -> bool:
    """Whether ``source`` is a file, an array or a matrix rather than a frame."""
    return isinstance(source, str | Table | np.ndarray) or hasattr(source, "__fspath__") or sparse.issparse(source)


def _need(columns: Sequence[str], there: Sequence[str]) -> None:
    known = set(there)
    lacking = [c for c in columns if c not in known]
    if not lacking:
        return
    close = difflib.get_close_matches(lacking[0], list(there), n=2)
    hint = f" (is {lacking[0]!r} called {close[0]!r} here?)" if close else ""
    shown = ", ".join(map(repr, lacking[:8])) + (f" and {len(lacking) - 8} more" if len(lacking) > 8 else "")
    raise InputError(
        f"the table lacks {len(lacking)} of {len(columns)} columns that the model needs: {shown}{hint}; add them"
    )


def _refuse_missing(name: str, count: int, n: int, policy: str) -> None:
    how = "drop such rows first (Dataset.complete_rows)" if policy == "drop" else "fill them, or choose another policy"
    raise InputError(f"column {name!r} is missing in {count} of {n} rows, and the policy is missing={policy!r}: {how}")
