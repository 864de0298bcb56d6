"""The encoder: what was learned from training rows, frozen, and applied to any table of the same columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.data.dataset import Dataset
from bridle.data.frames import frame_from
from bridle.data.reading import Table, read_table
from bridle.data.values import PLAIN
from bridle.design.arrays import dense_matrix, learn_columns, missing_cells, places, sparse_matrix
from bridle.design.cells import DenseCells, SparseCells
from bridle.design.checks import check_encoder, need_columns, refuse_missing
from bridle.design.columns import ColumnCode, encode, learn, moments, unit
from bridle.design.matrix import Design
from bridle.design.terms import SPARSE_CELLS, SPARSE_DENSITY, Recipe, Term, learn_terms
from bridle.errors import InputError
from bridle.frozen import from_json, to_json

if TYPE_CHECKING:
    import polars as pl

Float = NDArray[np.float64]
Index = NDArray[np.int64]
POLICIES = ("indicator", "mean", "median", "drop", "error")
DTYPES = ("float64", "float32")


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

    Where the dataset has a structure (a formula, or interactions), the features are the products that it asks for.
    """

    codes: tuple[ColumnCode, ...]
    missing: str  # one of POLICIES
    dtype: str  # one of DTYPES
    mean: tuple[float, ...]  # (p,), weighted means over the training rows
    scale: tuple[float, ...]  # (p,), weighted 1/n standard deviations
    positions: tuple[int, ...] | None = None  # for arrays: which columns are used
    width: int = 0  # for arrays: how many columns they must have
    terms: tuple[Term, ...] = ()  # products of columns; none where every column is features of its own

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
                refuse_missing(column.name, series.null_count(), series.len(), missing)
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
        encoder = cls(tuple(codes), missing, dtype, tuple(means), tuple(scales))
        return encoder if dataset.structure is None else encoder._with_terms(dataset, rows, weights)

    def _with_terms(self, dataset: Dataset, rows: Index | None, weights: Float | None) -> Encoder:
        assert dataset.structure is not None
        base = self.transform(dataset, rows)
        recipe, mean, scale = learn_terms(dataset.structure, self.codes, base, self.mean, weights)
        names = recipe.feature_names
        if len(set(names)) < len(names):
            double = next(name for name in names if names.count(name) > 1)
            raise InputError(f"two features would be called {double!r}; write each term of the formula once")
        return replace(self, mean=mean, scale=scale, terms=recipe.terms)

    @classmethod
    def _fit_matrix(
        cls, dataset: Dataset, missing: str, rows: Index | None, dtype: str, weights: Float | None
    ) -> Encoder:
        matrix = cast(Any, dataset.matrix) if rows is None else cast(Any, dataset.matrix)[rows]
        names = [c.name for c in dataset.features]
        gone = missing_cells(matrix)
        if gone and missing in ("drop", "error"):
            j = min(gone)
            refuse_missing(names[j], gone[j].size, matrix.shape[0], missing)
        position = {c.name: j for j, c in enumerate(dataset.columns)}
        codes, means, scales = learn_columns(matrix, names, gone, missing, weights)
        return cls(codes, missing, dtype, means, scales, tuple(position[c] for c in names), len(dataset.columns))

    @cached_property
    def recipe(self) -> Recipe | None:
        """How the features come from the encoded columns; None where they are these."""
        return Recipe(self.codes, self.terms) if self.terms else None

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """(p,) names of the features."""
        return self._encoded_names if self.recipe is None else self.recipe.feature_names

    @cached_property
    def _encoded_names(self) -> tuple[str, ...]:
        return tuple(name for code in self.codes for name in code.features)

    @cached_property
    def source_columns(self) -> tuple[str, ...]:
        """(p,) the table column of each feature, or a product's label: "sex:dose"."""
        if self.recipe is not None:
            return self.recipe.source
        return tuple(code.name for code in self.codes for _ in code.features)

    @cached_property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """The table columns behind each of :attr:`source_columns`."""
        if self.recipe is None:
            return {code.name: (code.name,) for code in self.codes}
        found: dict[str, tuple[str, ...]] = {}
        for source, term in zip(self.recipe.source, self.recipe.owner, strict=True):
            found[source] = tuple(dict.fromkeys((*found.get(source, ()), *term.columns)))
        return found

    @cached_property
    def indicator(self) -> tuple[bool, ...]:
        """(p,) whether the feature is 0 or 1 for a level or for being missing."""
        if self.recipe is not None:
            return self.recipe.indicator
        return tuple(flag for code in self.codes for flag in code.indicator)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """(p,) the label of the group that each feature enters a model with: its column, or its term.

        All levels of a category, all steps of an ordered one, a number with its ``(missing)`` feature, and all columns
        of a spline or a product are a group.
        """
        return self.source_columns if self.recipe is None else self.recipe.groups

    @cached_property
    def units(self) -> tuple[str, ...]:
        """(p,) the unit of each coefficient in words: "per unit", "per mm", "when fixed"."""
        forms = {code.name: code.form for code in self.codes}
        return tuple(
            unit(name, column, flag, forms.get(column, PLAIN))
            for name, column, flag in zip(self.feature_names, self.source_columns, self.indicator, strict=True)
        )

    def subset(self, used: NDArray[np.bool_]) -> tuple[Encoder, Index]:
        """Give the encoder of the columns or terms with a feature that is ``used`` (p,), and where its features are."""
        if self.recipe is None:
            source = np.asarray(self.source_columns, dtype=object)
            there = set(source[used])
            kept = np.flatnonzero([column in there for column in source])
            terms, needed = self.terms, there
        else:
            wanted = {id(term) for term, use in zip(self.recipe.owner, used, strict=True) if use}
            kept = np.flatnonzero([id(term) in wanted for term in self.recipe.owner])
            terms = tuple(term for term in self.terms if id(term) in wanted)
            needed = {c for term in terms for c in term.columns}
        chosen = [k for k, code in enumerate(self.codes) if code.name in needed]
        return replace(
            self,
            codes=tuple(self.codes[k] for k in chosen),
            mean=tuple(self.mean[j] for j in kept),
            scale=tuple(self.scale[j] for j in kept),
            positions=None if self.positions is None else tuple(self.positions[k] for k in chosen),
            terms=terms,
        ), kept

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
        check_encoder(encoder, POLICIES, DTYPES)
        return encoder

    def _transform_frame(self, frame: pl.DataFrame, rows: Index | None, weights: Float | None) -> Design:
        need_columns(self.columns, frame.columns)
        n, p = frame.height if rows is None else rows.size, len(self._encoded_names)
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
                    refuse_missing(code.name, part.missing.size, n, "error")
                n_missing[code.name] = int(part.missing.size)
            unseen |= {(code.name, level): k for level, k in part.unseen.items()}
            if part.gaps.size:
                gaps += [(j + k, part.gaps) for k in range(code.filled)]
            builder.add(j, code, part)
            j += len(code.features)
        indicator = tuple(flag for code in self.codes for flag in code.indicator)
        source = tuple(code.name for code in self.codes for _ in code.features)
        encoded = Design(
            builder.finish(self.dtype), self._encoded_names, source, indicator, tuple(gaps), self._how, weights,
            n_missing, unseen,
        )  # fmt: skip
        return encoded if self.recipe is None else self._expand(encoded, self.recipe)

    def _expand(self, encoded: Design, recipe: Recipe) -> Design:
        return replace(
            encoded,
            matrix=recipe.build(encoded.matrix, self.dtype),
            feature_names=self.feature_names,
            source=self.source_columns,
            indicator=self.indicator,
            gaps=(),
            groups=self.groups,
            base=encoded if encoded.gaps else None,
            recipe=recipe if encoded.gaps else None,
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
            refuse_missing(self.codes[j].name, gone[j].size, matrix.shape[0], "error")
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


def _part(series: pl.Series, rows: Index | None) -> pl.Series:
    """Take rows of one column at a time, so that the table is never copied whole."""
    return series if rows is None else series[rows]


def _plain(source: Any) -> bool:
    """Whether ``source`` is a file, an array or a matrix rather than a frame."""
    return isinstance(source, str | Table | np.ndarray) or hasattr(source, "__fspath__") or sparse.issparse(source)
