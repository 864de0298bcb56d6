"""Why one row got its prediction: what each column adds against a stated reference.

For a linear model the split is exact and unique: with link prediction eta = o + b0 + x'b and reference row r,
eta - eta_r = (o - o_r) + sum_j b_j (x_j - r_j), which are the Shapley values of the linear predictor for
independent features (Strumbelj & Kononenko 2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridle.model_io.tables import offset_of, one_row, unseen_levels

if TYPE_CHECKING:
    import polars

    from bridle.model_io.model import Model

Float = NDArray[np.float64]

_AVERAGE = "the average row"
_OTHER = "the reference row"
MISSING = "missing"


@dataclass(frozen=True)
class Contribution:
    """What one table column, or one design feature, adds to the prediction on the link scale."""

    name: str
    column: str  # the table column; the same as ``name`` for a column
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
    features: tuple[Contribution, ...]  # per design feature with a nonzero coefficient, largest first
    notes: tuple[str, ...]  # missing values and levels never seen in training, and what they count as

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reason codes: a sentence for each column that changes the prediction, largest first."""
        return tuple(c.sentence for c in self.columns if c.sentence)


def explain(model: Model, row: Any, reference: Any = "mean") -> Explanation:
    """Split the prediction of ``row``; see :meth:`bridle.Model.explain`."""
    frame = one_row(row, model.encoder)
    design = model.encoder.transform(frame)
    x = _dense_row(design.matrix)
    offset = _offset(model, frame)
    average = isinstance(reference, str) and reference == "mean"
    if average:
        other, r, offset_r, against = None, model.reference, model.reference_offset, _AVERAGE
    else:
        other = one_row(reference, model.encoder, "reference")
        r, offset_r, against = _dense_row(model.encoder.transform(other).matrix), _offset(model, other), _OTHER
    parts = model.coef * (x - r)  # (p,)
    features = _features(model, tuple(design.source), x, r, parts)
    columns = _columns(model, _by_column(model, tuple(design.source), parts, offset - offset_r), frame, other, against)
    baseline_link = float(offset_r + model.intercept + r @ model.coef)
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
        features=features,
        notes=_notes(model, frame),
    )


def _features(model: Model, source: tuple[str, ...], x: Float, r: Float, parts: Float) -> tuple[Contribution, ...]:
    found = [
        Contribution(model.feature_names[j], source[j], number(x[j]), number(r[j]), float(parts[j]))
        for j in np.flatnonzero(model.coef)
    ]
    return tuple(sorted(found, key=_rank))


def _by_column(model: Model, source: tuple[str, ...], parts: Float, offset_part: float) -> dict[str, float]:
    """Add the features' parts up, table column by table column."""
    found: dict[str, list[float]] = {}
    for j in np.flatnonzero(model.coef):
        found.setdefault(source[j], []).append(float(parts[j]))
    if model.offset:
        found.setdefault(model.offset, []).append(offset_part)
    return {column: math.fsum(values) for column, values in found.items()}


def _columns(
    model: Model,
    parts: dict[str, float],
    frame: polars.DataFrame,
    other: polars.DataFrame | None,
    against: str,
) -> tuple[Contribution, ...]:
    unseen = unseen_levels(model.encoder, frame)
    found = []
    for column, part in parts.items():
        shown, before = _shown(frame, column), "" if other is None else _shown(other, column)
        subject = f"{column} is missing, which" if shown == MISSING else f"{column} = {shown}"
        if column in unseen:
            subject += " (never seen in training)"
        sentence = f"{subject} {_effect(model, part)} against {against}" if part != 0.0 else ""
        found.append(Contribution(column, column, shown, before, part, sentence))
    return tuple(sorted(found, key=_rank))


def _effect(model: Model, part: float) -> str:
    verb, size = "raises" if part > 0 else "lowers", number(abs(part))
    if model.family == "gaussian":
        return f"{verb} the predicted {model.target} by {size}"
    if model.family == "binomial":
        of = f" of {model.classes[1]}" if model.classes else ""
        return f"{verb} the log-odds{of} by {size} (odds x {number(_exp(part))})"
    mean = f"the expected {model.target}"
    return f"{verb} the log of {mean} by {size} ({mean.removeprefix('the ')} x {number(_exp(part))})"


def _notes(model: Model, frame: polars.DataFrame) -> tuple[str, ...]:
    used = set(model.columns)
    notes = [
        f"{column} has the level {level!r}, which never occurred in training: {what}"
        for column, (level, what) in unseen_levels(model.encoder, frame).items()
        if column in used
    ]
    missing = [c for c in frame.columns if c in used and _shown(frame, c) == MISSING]
    if missing:
        notes.append(f"missing in this row and filled in as in training: {', '.join(missing)}")
    return tuple(notes)


def number(x: float) -> str:
    """Three significant digits, as people write them: 0.84, 12,300, 1.2e-07."""
    if not math.isfinite(x):
        return str(x)
    if x == 0.0 or 1e-4 <= abs(x) < 1e7:
        return f"{float(f'{x:.3g}'):,.10g}"
    return f"{x:.3g}"


def _rank(contribution: Contribution) -> tuple[float, str]:
    return (-abs(contribution.contribution), contribution.name)


def _exp(x: float) -> float:
    return math.exp(min(x, 700.0))


def _shown(frame: polars.DataFrame, column: str) -> str:
    value = frame[column][0]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def _offset(model: Model, frame: polars.DataFrame) -> float:
    return float(offset_of(frame, model.offset)[0]) if model.offset else 0.0


def _dense_row(matrix: Any) -> Float:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=np.float64).ravel()
