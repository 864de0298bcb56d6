"""Why one row got its prediction: what each column adds against a stated reference.

The parts add up to what the prediction differs by on the link scale: eta - eta_r = (o - o_r) + sum_j c_j. For a linear
model c_j = b_j (x_j - r_j), exact and unique: the Shapley values of the linear predictor for independent features
(Strumbelj & Kononenko 2014). For a network they are integrated gradients (Sundararajan, Taly & Yan 2017).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridle.losses import get_family
from bridle.model_io.tables import offset_of, one_row

if TYPE_CHECKING:
    import polars

    from bridle.design.columns import ColumnCode
    from bridle.model_io.base import TableModel

Float = NDArray[np.float64]

AVERAGE = "the average row"
OTHER = "the reference row"
MISSING = "missing"


@dataclass(frozen=True)
class Contribution:
    """What one table column, or one design feature, adds to the prediction on the link scale."""

    name: str
    column: str  # the table column, or the label of a product of several; the same as ``name`` for a column
    value: str  # as it stands in the row: "2.3", "fixed", "missing"
    reference: str  # the same in the reference; empty where an average has no plain value
    contribution: float  # link scale; positive raises the prediction
    sentence: str = ""  # the reason code; for columns only


@dataclass(frozen=True)
class Explanation:
    """One prediction, split. ``baseline_link + sum of contributions == link``, over columns and over features."""

    target: str
    family: str
    positive: str  # the class whose probability is predicted; empty unless binomial
    against: str  # "the average row"
    baseline_link: float  # prediction for the reference
    baseline: float  # the same on the response scale
    link: float  # prediction for the row
    prediction: float  # the same on the response scale
    columns: tuple[Contribution, ...]  # per table column, largest first
    features: tuple[Contribution, ...]  # per design feature that can change a prediction, largest first
    notes: tuple[str, ...]  # missing values and levels never seen in training, and what they count as

    @property
    def _kind(self) -> str:
        return "expected" if get_family(self.family).predicts_mean else "predicted"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reason codes: a sentence for each column that changes the prediction, largest first."""
        return tuple(c.sentence for c in self.columns if c.sentence)

    @property
    def headline(self) -> str:
        """Both predictions in a sentence."""
        if get_family(self.family).name == "cox":
            return f"the hazard is {number(self.prediction)} times that of {self.against}"
        what = f"the probability of {self.positive}" if self.positive else f"the {self._kind} {self.target}"
        return f"{what} is {number(self.prediction)}; for {self.against} it is {number(self.baseline)}"

    def __str__(self) -> str:
        return "\n".join([self.headline, *(f"- {reason}" for reason in self.reasons), *self.notes])


def explain(model: TableModel, row: Any, reference: Any = "mean") -> Explanation:
    """Split the prediction of ``row``; see :meth:`bridle.Model.explain`."""
    encoder, kept = model.needed
    names = model.encoder.columns
    frame = one_row(row, names)
    x, offset = values_of(model, frame)
    if isinstance(reference, str) and reference == "mean":
        other, r, offset_r, against = None, model.reference[kept], model.reference_offset, AVERAGE
    else:
        other, against = one_row(reference, names, "reference"), OTHER
        r, offset_r = values_of(model, other)
    baseline_link, parts = model.split(x, r)  # parts (q,)
    columns = _columns(model, parts_by_column(encoder.source_columns, parts), frame, other, against)
    if model.offset:
        columns = _ranked([*columns, _offset_part(model, offset, offset_r, against)])
    baseline_link += offset_r
    link = baseline_link + math.fsum(c.contribution for c in columns)
    means = model.loss.mean(np.array([baseline_link, link]))
    return Explanation(
        target=model.target,
        family=model.family,
        positive=model.classes[1] if model.classes else "",
        against=against,
        baseline_link=baseline_link,
        baseline=float(means[0]),
        link=link,
        prediction=float(means[1]),
        columns=columns,
        features=_features(model, x, r, parts),
        notes=notes_of(model, frame),
    )


def _features(model: TableModel, x: Float, r: Float, parts: Float) -> tuple[Contribution, ...]:
    encoder, kept = model.needed
    used = model.used[kept]
    return _ranked(
        Contribution(name, column, number(x[k]), number(r[k]), float(parts[k]))
        for k, (name, column) in enumerate(zip(encoder.feature_names, encoder.source_columns, strict=True))
        if used[k]
    )


def parts_by_column(source: tuple[str, ...], parts: Float) -> dict[str, float]:
    """Add the features' parts up, table column by table column."""
    found: dict[str, list[float]] = {}
    for column, part in zip(source, parts, strict=True):
        found.setdefault(column, []).append(float(part))
    return {column: math.fsum(values) for column, values in found.items()}


def _columns(
    model: TableModel,
    parts: dict[str, float],
    frame: polars.DataFrame,
    other: polars.DataFrame | None,
    against: str,
) -> tuple[Contribution, ...]:
    found = []
    for column, subject, shown, before, plural in shown_columns(model, parts, frame, other):
        part = parts[column]
        sentence = f"{subject} {_effect(model, part, plural)} against {against}" if part != 0.0 else ""
        found.append(Contribution(column, column, shown, before, part, sentence))
    return _ranked(found)


def shown_columns(
    model: TableModel, columns: Iterable[str], frame: polars.DataFrame, other: polars.DataFrame | None
) -> Iterator[tuple[str, str, str, str, bool]]:
    """Give each column with the subject of its sentence, its value, that of the reference, and if it is several."""
    encoder = model.needed[0]
    unseen = encoder.unseen(frame)
    for column in columns:
        reads = encoder.reads[column]
        shown = " : ".join(_shown(frame, c) for c in reads)
        before = "" if other is None else " : ".join(_shown(other, c) for c in reads)
        alone = len(reads) == 1
        subject = " and ".join(_subject(frame, c, unseen) for c in reads)
        which = ", which" if alone and shown == MISSING else " together" if not alone else ""
        yield column, f"{subject}{which}", shown, before, not alone


def _subject(frame: polars.DataFrame, column: str, unseen: Collection[str]) -> str:
    shown = _shown(frame, column)
    subject = f"{column} is missing" if shown == MISSING else f"{column} = {shown}"
    return f"{subject} (never seen in training)" if column in unseen else subject


def _offset_part(model: TableModel, offset: float, offset_r: float, against: str) -> Contribution:
    part = offset - offset_r
    sentence = f"{model.offset} = {number(offset)} {_effect(model, part)} against {against}" if part != 0.0 else ""
    return Contribution(model.offset, model.offset, number(offset), number(offset_r), part, sentence)


def _effect(model: TableModel, part: float, plural: bool = False) -> str:
    verb, size = ("raise" if part > 0 else "lower") + "s" * (not plural), number(abs(part))
    if model.loss.link_name == "identity":
        return f"{verb} the predicted {model.target} by {size}"
    if model.loss.link_name == "logit":
        of = f" of {model.classes[1]}" if model.classes else ""
        return f"{verb} the log-odds{of} by {size} (odds x {number(_exp(part))})"
    mean = model.quantity
    return f"{verb} the log of {mean} by {size} ({mean.removeprefix('the ')} x {number(_exp(part))})"


def notes_of(model: TableModel, frame: polars.DataFrame) -> tuple[str, ...]:
    """Say of a row what is missing or was never seen in training, and what it counts as."""
    encoder = model.needed[0]
    notes = [
        f"{column} has the level {level!r}, which never occurred in training: {what}"
        for column, (level, what) in encoder.unseen(frame).items()
    ]
    missing = encoder.transform(frame).n_missing
    return (*notes, *(f"{c.name} is missing: {_instead(c)}" for c in encoder.codes if c.name in missing))


def _instead(code: ColumnCode) -> str:
    """Say what a model does about a missing cell of a column."""
    if code.kind == "number":
        also = ", and being missing counts by itself" if code.missing else ""
        return f"{number(code.fill)}, as in training, stands for it{also}"
    return "it counts as a level of its own" if code.missing else code.stands_for_unseen


def number(x: float) -> str:
    """Three significant digits, as people write them: 0.84, 12,300, 1.2e-07."""
    if not math.isfinite(x):
        return str(x)
    if x == 0.0 or 1e-4 <= abs(x) < 1e7:
        return f"{float(f'{x:.3g}'):,.10g}"
    return f"{x:.3g}"


def _ranked(contributions: Iterable[Contribution]) -> tuple[Contribution, ...]:
    return tuple(sorted(contributions, key=lambda c: (-abs(c.contribution), c.name)))


def _exp(x: float) -> float:
    return math.exp(min(x, 700.0))


def _shown(frame: polars.DataFrame, column: str) -> str:
    from bridle.data.values import as_text

    cell = frame[column]
    if cell.dtype.is_float() and cell[0] is not None and math.isfinite(cell[0]):
        return f"{cell[0]:,.6g}"
    text = as_text(cell)[0]
    return MISSING if text is None else str(text)


def values_of(model: TableModel, frame: polars.DataFrame) -> tuple[Float, float]:
    """Give the needed features of one row, (q,), and its offset."""
    matrix: Any = model.needed[0].transform(frame).matrix
    x = np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=np.float64).ravel()
    return x, float(offset_of(frame, model.offset)[0]) if model.offset else 0.0
