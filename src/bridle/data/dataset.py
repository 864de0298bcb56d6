"""The table as a learning problem: features, target, weights, groups, and what was left out and why."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from bridle.data.frames import is_gone
from bridle.data.kinds import Column, describe_columns, parse_dates
from bridle.data.leaks import find_duplicates, find_leaks
from bridle.data.matrices import describe_matrix, missing_rows, refuse_infinite_matrix
from bridle.data.ordered import check_ordered
from bridle.data.reading import Table, read_table
from bridle.data.sentences import data_notes, data_warnings
from bridle.data.structure import Structure
from bridle.data.structured import formula_target, refuse_structure, several_names, structure_of
from bridle.data.survival import SurvivalColumns, survival_of
from bridle.data.target import Target, understand_responses, understand_target
from bridle.data.values import as_numbers, as_text
from bridle.errors import InputError

if TYPE_CHECKING:
    import polars as pl
    from scipy import sparse

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Dataset:
    """A learning problem of n rows; exactly one of ``frame`` and ``matrix`` is there."""

    frame: pl.DataFrame | None  # n rows, the columns used as features only
    matrix: np.ndarray[Any, Any] | sparse.csc_array | None  # (n, p), the same for arrays
    columns: tuple[Column, ...]  # every column of the table, in its order
    target_name: str
    y: Float  # (n,), 0 and 1 for two classes; or n rows as the family takes them
    family: str
    classes: tuple[str, ...]
    weights: Float | None  # (n,)
    offset: Float | None  # (n,)
    groups: NDArray[np.int64] | None  # (n,)
    time: Float | None  # (n,)
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    source: str
    sha256: str
    rows: NDArray[np.int64]  # (n,), numbers of these rows in the table as it came, from 0
    structure: Structure | None = None  # products of columns that become features; None for each column by itself
    survival: SurvivalColumns | None = None  # for times to an event: which columns say so
    responses: tuple[str, ...] = ()  # names of the target's columns, where it is several numbers

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.y.shape[0])

    @property
    def outputs(self) -> Any:
        """Names of what is predicted: classes or responses; none for one number; columns of a time to an event."""
        return self.survival or self.classes or self.responses

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns used as features."""
        return tuple(c for c in self.columns if c.used)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Dataset:
        """Return the problem of some rows (numbers or a mask); the notes stay those of the whole."""
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)

        def part(values: Any) -> Any:
            return None if values is None else values[index]

        return replace(
            self,
            frame=None if self.frame is None else self.frame[index],
            matrix=part(self.matrix),
            y=self.y[index],
            weights=part(self.weights),
            offset=part(self.offset),
            groups=part(self.groups),
            time=part(self.time),
            rows=self.rows[index],
        )

    def complete_rows(self) -> Dataset:
        """Return the rows without a missing cell: the policy ``missing="drop"``."""
        if self.frame is not None:
            import polars as pl

            gone = self.frame.select(pl.any_horizontal(pl.all().is_null())).to_series().to_numpy()
        else:
            gone = missing_rows(cast(Any, self.matrix))
        if not gone.any():
            return self
        if gone.all():
            raise InputError(
                "every row has a missing cell, so dropping such rows leaves none; impute them, or exclude columns"
            )
        kept = self.take(~gone)
        note = f"{int(gone.sum())} of {self.n_rows} rows with missing cells were dropped."
        return replace(kept, notes=(note, *kept.notes))


def make_dataset(
    source: Any,
    target: Any,
    *,
    family: str | None = None,
    weights: Any = None,
    offset: Any = None,
    groups: Any = None,
    time: Any = None,
    event: Any = None,
    start: Any = None,
    strata: Any = None,
    exclude: Sequence[str] = (),
    keep: Sequence[str] = (),
    ordered: Mapping[str, Sequence[str]] | None = None,
    formula: str | None = None,
    interactions: str | Sequence[str | Sequence[str]] | None = None,
    positive: Any = None,
    format: str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    columns: Sequence[str] | None = None,
) -> Dataset:
    """Read a table and understand it as a learning problem.

    Parameters
    ----------
    source
        Whatever :func:`bridle.data.read_table` reads.
    target : str, int, sequence or None
        Name of the target column (or its number in an array), or the target itself: one value for each row. A formula
        names it, too. Several names (a list, or one text with commas), or an array of several columns, are numbers
        that are predicted together.
    family : str, optional
        Found from the target by default.
    weights, offset, groups, time : str or sequence, optional
        Name of a column, or one value for each row. These columns are no features.
    event, start, strata : str or sequence, optional
        Columns (or values) that make the target a time to an event: whether the event ended it (else the row is
        censored), when the row was first at risk, and labels of rows that share a baseline hazard. No features either.
    exclude : sequence of str
        Columns to leave out.
    keep : sequence of str
        Columns to use although they look like an identifier, a date or free text.
    ordered : mapping of str to sequence of str, optional
        Columns of ordered categories, with all their levels, lowest first. A polars Enum and an ordered pandas
        Categorical bring their own order.
    formula : str, optional
        Target and features, such as ``"y ~ bs(age, 5) + sex:dose"``; needs the package formulaic.
    interactions : "all" or sequence, optional
        Pairs of columns whose products become features beside the columns: ``["age:dose", ("sex", "*")]``.
    positive : optional
        Which of two classes is the positive one; with ``event`` the label of the event.
    format, separator, decimal, encoding, columns : optional
        As in :func:`bridle.data.read_table`.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        The table or the target can't be used; the message says what to do.
    """
    table = read_table(source, format=format, separator=separator, decimal=decimal, encoding=encoding, columns=columns)
    if table.n_rows == 0:
        raise InputError(f"{table.source} has no rows; expected at least two")
    if formula is not None or interactions is not None:
        refuse_structure(table, formula, interactions)
    target = several_names(formula_target(formula, table.names, target), table.names)
    given = {"weights": weights, "offset": offset, "groups": groups, "time": time}
    given |= {"event": event, "start": start, "strata": strata}
    roles = {role: _series_of(table, value, role) for role, value in given.items() if value is not None}
    parts = target if isinstance(target, tuple) else (target,)
    aims = {f"target ({k})" if k else "target": _series_of(table, part, "target") for k, part in enumerate(parts)}
    several = isinstance(target, tuple)
    name = ", ".join(s.name for s in aims.values())
    in_table = aims if all(map(_is_name, parts)) else {}
    by_column = {r: s.name for r, s in in_table.items()} | {r: s.name for r, s in roles.items() if _is_name(given[r])}
    _refuse_double_roles(by_column)
    for option, named in (("exclude", exclude), ("keep", keep)):
        for column in named:
            if column not in table.names:
                raise InputError(f"{option}: {_unknown(column, table.names)}")
    if clash := set(exclude) & {*by_column.values()}:
        raise InputError(
            f"{sorted(clash)[0]!r} is excluded, but it is also the target or has another role; drop one of the two"
        )
    ordered = dict(ordered or {})
    if ordered and table.frame is None:
        raise InputError("ordered levels need a table with named columns, got an array of numbers; give a data frame")
    levels = None if several else check_ordered(ordered, table.names, {c: r for r, c in by_column.items()})
    label = None if positive is None else str(positive)
    survival = None
    if several and "event" in roles:
        raise InputError(f"an event ends one time, and {len(parts)} target columns are given; name the column of times")
    if several:
        understood = understand_responses(list(aims.values()), family, decimal)
    else:
        survival = survival_of(aims["target"], roles, family=family, positive=label, decimal=decimal)
        if survival is None:
            understood = understand_target(aims["target"], family, label, decimal, levels)
        else:
            understood = survival[0]
    made = _assemble(
        table, name, understood, roles, by_column, tuple(exclude), tuple(keep), ordered, (formula, interactions)
    )
    return made if survival is None else replace(made, survival=survival[1])


def _assemble(
    table: Table,
    name: str,
    aim: Target,
    roles: dict[str, pl.Series],
    by_column: dict[str, str],
    exclude: tuple[str, ...],
    keep: tuple[str, ...],
    ordered: Mapping[str, Sequence[str]],
    asked: tuple[str | None, Any],
) -> Dataset:
    rows = np.flatnonzero(~np.isnan(aim.y.reshape(table.n_rows, -1)).any(axis=1))
    dropped = table.n_rows - rows.size
    set_aside = {column: role.partition(" ")[0] for role, column in by_column.items()}
    frame, matrix = table.frame, table.matrix
    if frame is not None:
        frame = frame[rows] if dropped else frame
        described = describe_columns(frame, table.forms, keep, ordered)
    else:
        matrix = cast(Any, matrix)[rows] if dropped else matrix
        described = describe_matrix(cast(Any, matrix), table.names)
    described = tuple(_with_role(c, set_aside.get(c.name), c.name in exclude) for c in described)
    if not any(c.used for c in described):
        raise InputError(_no_features(described))
    structure, described = structure_of(*asked, described)
    used = [c.name for c in described if c.used]
    y = aim.y[rows]
    if frame is not None:
        frame = frame.select(used)
        _refuse_infinite_frame(frame, rows)
    else:
        position = {c: j for j, c in enumerate(table.names)}
        index = [position[c] for c in used]
        matrix = matrix if len(index) == len(table.names) else cast(Any, matrix)[:, index]
        refuse_infinite_matrix(cast(Any, matrix), used, rows)
    dataset = Dataset(
        frame=frame,
        matrix=matrix,
        columns=described,
        target_name=name,
        y=y,
        family=aim.family,
        classes=aim.classes,
        weights=_weights(roles["weights"], rows) if "weights" in roles else None,
        offset=_finite(roles["offset"], rows, "offset") if "offset" in roles else None,
        groups=_groups(roles["groups"], rows) if "groups" in roles else None,
        time=_time(roles["time"], rows) if "time" in roles else None,
        notes=(),
        warnings=(),
        source=table.source,
        sha256=table.sha256,
        rows=rows,
        structure=structure,
        responses=aim.responses,
    )
    leaks = find_leaks(frame, matrix, used, y, aim.family, aim.responses)
    duplicates = find_duplicates(frame, matrix, used)
    needed = f"{name} or {roles['event'].name}" if "event" in roles else name
    notes = data_notes(aim.sentence, dropped, table.n_rows, needed, described, duplicates, table.notes, rows.size)
    warnings = data_warnings(leaks, aim.warnings, described, rows.size)
    return replace(dataset, notes=notes, warnings=warnings)


def _is_name(value: Any) -> bool:
    return isinstance(value, str | int | np.integer)


def _name(value: Any, names: Sequence[str]) -> str:
    """Name of the column that ``value`` stands for: itself, or its number where no column is called so."""
    if not isinstance(value, str) and str(value) not in names and 0 <= value < len(names):
        return names[int(value)]
    return str(value)


def _series_of(table: Table, value: Any, role: str) -> pl.Series:
    """Return the column called ``value``, or ``value`` itself as a column."""
    import polars as pl

    if _is_name(value):
        column = _name(value, table.names)
        if column not in table.names:
            raise InputError(f"{role}: {_unknown(column, table.names)}")
        if table.frame is not None:
            return table.frame[column]
        part = cast(Any, table.matrix)[:, [table.names.index(column)]]
        dense = part if isinstance(part, np.ndarray) else part.toarray()
        return pl.Series(column, np.ascontiguousarray(dense[:, 0])).fill_nan(None)
    name = str(getattr(value, "name", None) or ("y" if role == "target" else role))
    values = value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.shape[0] != table.n_rows:
        raise InputError(
            f"{role}: expected the name of a column, or one value for each of {table.n_rows} rows; "
            f"got an array of shape {values.shape}"
        )
    if values.dtype.kind in "OUS":
        items = [None if is_gone(v) else v for v in values.tolist()]
        if all(isinstance(v, bool | int | float) or v is None for v in items):
            return pl.Series(name, items, strict=False)
        return pl.Series(name, [None if v is None else str(v) for v in items], dtype=pl.String)
    series = pl.Series(name, values)
    return series.fill_nan(None) if series.dtype.is_float() else series


def _unknown(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
    folded = [n for n in names if n.casefold() == name.casefold()]
    options = list(dict.fromkeys([*folded, *close]))
    shown = ", ".join(map(repr, list(names)[:15])) + (f" and {len(names) - 15} more" if len(names) > 15 else "")
    hint = f"; did you mean {' or '.join(map(repr, options))}?" if options else "."
    return f"there is no column {name!r}{hint} The table has {shown}"


def _refuse_double_roles(by_column: dict[str, str]) -> None:
    seen: dict[str, str] = {}
    for role, column in by_column.items():
        if column in seen:
            raise InputError(
                f"column {column!r} is named both as {seen[column]} and as {role}; name two different columns"
            )
        seen[column] = role


def _with_role(column: Column, role: str | None, excluded: bool) -> Column:
    if role is not None:
        return replace(column, kind=role, used=False, note="")
    if excluded:
        return replace(column, used=False, note="left out as asked (exclude)")
    return column


def _no_features(columns: Sequence[Column]) -> str:
    reasons = [f"{c.name!r} {c.note}" for c in columns if c.note][:8]
    why = ": " + "; ".join(reasons) if reasons else ""
    return f"no column is left to predict from{why}. Give a table with features, or name columns to keep (keep=...)"


def _refuse_infinite_frame(frame: pl.DataFrame, rows: NDArray[np.int64]) -> None:
    import polars as pl

    floats = [c for c, t in frame.schema.items() if t.is_float()]
    if not floats:
        return
    found = frame.select(pl.col(floats).is_infinite().any()).row(0)
    for name, infinite in zip(floats, found, strict=True):
        if infinite:
            row = int(rows[cast(int, frame[name].is_infinite().arg_max())])
            raise InputError(
                f"column {name!r} is infinite in row {row + 1}; correct such cells, leave them empty, "
                "or exclude the column"
            )


def _finite(column: pl.Series, rows: NDArray[np.int64], role: str) -> Float:
    import polars as pl

    parsed = as_numbers(column)
    if parsed.n_bad:
        raise InputError(f"{role} {column.name!r}: expected numbers, got {parsed.bad!r}")
    values = parsed.numbers.cast(pl.Float64).fill_null(float("nan")).to_numpy()[rows]
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        what = "missing" if np.isnan(values[bad[0]]) else "infinite"
        raise InputError(f"{role} {column.name!r} is {what} in row {int(rows[bad[0]]) + 1}; every row needs a number")
    return np.asarray(values, dtype=np.float64)


def _weights(column: pl.Series, rows: NDArray[np.int64]) -> Float:
    values = _finite(column, rows, "weights")
    if (values < 0).any():
        row = int(rows[np.flatnonzero(values < 0)[0]]) + 1
        raise InputError(f"weights {column.name!r} is {values.min():g} in row {row}; weights must not be negative")
    if not values.any():
        raise InputError(f"weights {column.name!r} is zero in every row; some weight must be positive")
    return values


def _groups(column: pl.Series, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    labels = as_text(column)[rows]
    if labels.null_count():
        row = int(rows[cast(int, labels.is_null().arg_max())]) + 1
        raise InputError(f"groups {column.name!r} is missing in row {row}; every row needs a group")
    codes = np.unique(labels.to_numpy().astype(str), return_inverse=True)[1].astype(np.int64)
    if codes.max() == 0:
        raise InputError(f"groups {column.name!r} is the same in every row; expected at least two groups")
    return codes


def _time(column: pl.Series, rows: NDArray[np.int64]) -> Float:
    import polars as pl

    if column.dtype == pl.String and (dates := parse_dates(column)) is not None:
        column = dates.rename(column.name)
    if column.dtype.is_temporal():
        column = column.cast(pl.Datetime("us")).cast(pl.Int64) if column.dtype != pl.Time else column.cast(pl.Int64)
    return _finite(column, rows, "time")
