"""Predictions batch by batch, and the files they go to: memory doesn't grow with the table."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from bridle.errors import InputError
from bridle.files import replacing

if TYPE_CHECKING:
    import polars

    from bridle.model_io import TableModel

SEPARATORS = {".csv": ",", ".txt": ",", ".tsv": "\t"}


class Predictions:
    """The predictions for ``file``, one frame per batch, with counts of what was unusual on the way."""

    def __init__(
        self, model: TableModel, file: str, keep: tuple[str, ...], *, std: bool = False, quiet: bool = False
    ) -> None:
        self.model, self.file, self.keep, self.std, self.quiet = model, file, keep, std, quiet
        self.n_rows = 0
        self.missing: Counter[str] = Counter()  # column -> rows
        self.unseen: Counter[tuple[str, str]] = Counter()  # (column, level) -> rows

    def __iter__(self) -> Iterator[polars.DataFrame]:
        from bridle.cli.console import Bar
        from bridle.data import iter_batches

        with Bar(quiet=self.quiet) as bar:
            for batch in iter_batches(self.file):
                yield self._predict(batch)
                bar("rows predicted", self.n_rows, 0)
        if self.n_rows == 0:
            raise InputError(f"{self.file} has no rows; expected a header line and at least one row")

    def _predict(self, batch: polars.DataFrame) -> polars.DataFrame:
        lacking = [name for name in self.keep if name not in batch.columns]
        if lacking:
            raise InputError(
                f"--keep {lacking[0]}: {self.file} has no such column; it has {', '.join(batch.columns[:20])}"
            )
        found, design = self.model.predict_batch(batch, self.std)
        clash = [name for name in self.keep if name in found.columns]
        if clash:
            raise InputError(f"--keep {clash[0]}: the predictions have a column of this name; rename it in {self.file}")
        self.n_rows += batch.height
        self.missing.update(design.n_missing)
        self.unseen.update(design.unseen)
        return batch.select(self.keep).hstack(found) if self.keep else found

    def notes(self) -> list[str]:
        """Say what ``std`` is, what was missing, and which levels never occurred in training, most frequent first."""
        lines = [f"std is {self.model.std_meaning}"] if self.std else []
        if self.missing:
            shown = ", ".join(f"{c} ({n:,})" for c, n in self.missing.most_common(8))
            lines.append(f"rows with missing values, filled in as in training: {shown}{_more(self.missing)}")
        if self.unseen:
            shown = ", ".join(f"{c} = {level} ({n:,})" for (c, level), n in self.unseen.most_common(8))
            lines.append(f"rows with levels that never occurred in training: {shown}{_more(self.unseen)}")
        return lines


def _more(counter: Counter[str] | Counter[tuple[str, str]], most: int = 8) -> str:
    return f" and {len(counter) - most} more" if len(counter) > most else ""


def sink_for(out: FilePath | None) -> Callable[[Predictions], None]:
    """Give the writer for ``out`` by its ending.

    Raises
    ------
    InputError
        The ending isn't one that can be written, or the folder isn't there.
    """
    if out is None:
        return _to_stdout
    ending = out.suffix.lower()
    if out.is_dir():
        raise InputError(f"--out {out} is a folder; expected a file, e.g. {out / 'predictions.csv'}")
    if not out.absolute().parent.is_dir():
        raise InputError(f"--out {out}: there is no folder {out.parent}; make it first")
    if ending in SEPARATORS:
        return partial(_to_text, path=out, separator=SEPARATORS[ending])
    if ending in {".parquet", ".pq"}:
        return partial(_to_columns, path=out, method="sink_parquet")
    if ending in {".feather", ".arrow", ".ipc"}:
        return partial(_to_columns, path=out, method="sink_ipc")
    raise InputError(f"--out {out} ends in {ending or 'nothing'!r}; expected .csv, .tsv, .parquet or .feather")


def _to_stdout(predictions: Predictions) -> None:
    for number, frame in enumerate(predictions):
        sys.stdout.write(frame.write_csv(include_header=number == 0))


def _to_text(predictions: Predictions, path: FilePath, separator: str) -> None:
    with replacing(path) as aside, open(aside, "wb") as stream:
        for number, frame in enumerate(predictions):
            frame.write_csv(stream, include_header=number == 0, separator=separator)


def _to_columns(predictions: Predictions, path: FilePath, method: str) -> None:
    """Write through polars' streaming engine, which asks for one batch after the other."""
    from polars.io.plugins import register_io_source

    frames = iter(predictions)
    first = next(frames)
    failure: list[BaseException] = []

    def source(
        with_columns: list[str] | None, predicate: polars.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[polars.DataFrame]:
        try:
            yield first
            yield from frames
        except BaseException as error:  # polars would wrap it beyond recognition
            failure.append(error)
            raise

    with replacing(path) as aside:
        lazy = register_io_source(source, schema=first.schema, is_pure=False)
        try:
            getattr(lazy, method)(aside)
        except BaseException as error:
            raise (failure[0] if failure else error) from None
