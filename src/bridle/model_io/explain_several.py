"""Why one row got its probabilities, or its several predictions: what each column adds to each of them.

For classes contributions are to the log odds of a class against the geometric mean of all, so that they sum to 0
over the classes: adding the same to all changes no probability. For ordered classes there is one, to the log odds of
a higher level; for responses they are in the units of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridle.model_io.explain import AVERAGE, OTHER, notes_of, number, parts_by_column, shown_columns, values_of
from bridle.model_io.tables import one_row

if TYPE_CHECKING:
    from bridle.model_io.several import SeveralModel

Float = NDArray[np.float64]

HIGHER = "a higher level"


@dataclass(frozen=True)
class Contributions:
    """What one table column adds to each predictor, on the link scale."""

    name: str  # the table column, or the label of a product of several
    value: str  # as it stands in the row
    reference: str  # the same in the reference; empty where an average has no plain value
    contributions: tuple[float, ...]  # in the order of :attr:`SeveralExplanation.predictors`
    sentence: str = ""  # the reason code


@dataclass(frozen=True)
class SeveralExplanation:
    """One prediction, split: for each predictor ``baseline_link`` plus the contributions of all columns is ``link``."""

    target: str
    family: str
    outputs: tuple[str, ...]  # (K,) classes or responses
    predictors: tuple[str, ...]  # what contributions are to: the outputs, or "a higher level" of ordered classes
    against: str  # "the average row"
    baseline_link: tuple[float, ...]  # of the reference; for ordered classes the log odds of exceeding the lowest
    baseline: tuple[float, ...]  # (K,) probabilities or means of the reference
    link: tuple[float, ...]
    prediction: tuple[float, ...]  # (K,) of the row
    columns: tuple[Contributions, ...]  # those that move it most first
    notes: tuple[str, ...]  # missing values and levels never seen in training, and what they count as

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reason codes: a sentence for each column that changes the prediction, largest first."""
        return tuple(c.sentence for c in self.columns if c.sentence)

    @property
    def headline(self) -> str:
        """What is predicted, in a sentence."""
        if self.family == "multigaussian":
            told = [
                f"{name} is {number(p)} ({number(b)} for {self.against})"
                for name, p, b in zip(self.outputs, self.prediction, self.baseline, strict=True)
            ]
            return f"the expected {', the expected '.join(told)}"
        order = sorted(range(len(self.outputs)), key=lambda k: -self.prediction[k])[:3]
        first, rest = order[0], order[1:]
        others = ", ".join(f"{self.outputs[k]} {number(self.prediction[k])}" for k in rest)
        return (
            f"{self.target} is most likely {self.outputs[first]}, with probability {number(self.prediction[first])} "
            f"({number(self.baseline[first])} for {self.against}); then {others}"
        )

    def __str__(self) -> str:
        return "\n".join([self.headline, *(f"- {reason}" for reason in self.reasons), *self.notes])


def explain(model: SeveralModel, row: Any, reference: Any = "mean") -> SeveralExplanation:
    """Split the prediction of ``row``; see :meth:`bridle.model_io.SeveralModel.explain`."""
    encoder, kept = model.needed
    frame = one_row(row, model.encoder.columns)
    x, offset = values_of(model, frame)
    if isinstance(reference, str) and reference == "mean":
        other, r, offset_r, against = None, model.reference[kept], model.reference_offset, AVERAGE
    else:
        other, against = one_row(reference, model.encoder.columns, "reference"), OTHER
        r, offset_r = values_of(model, other)
    base, parts = model.split(x, r)
    shared = parts.ndim == 1
    parts = parts[:, None] if shared else parts  # (q, K)
    links = np.vstack([base + offset_r, base + parts.sum(axis=0) + offset])  # (2, M)
    means = model.loss.mean(links)
    if model.family == "multinomial":
        parts = parts - parts.mean(axis=1, keepdims=True)
        links = links - links.mean(axis=1, keepdims=True)
    links = links[:, :1] if shared else links
    predictors = (HIGHER,) if shared else model.outputs
    by_column = [parts_by_column(encoder.source_columns, each) for each in parts.T]
    found = []
    for column, subject, shown, before, plural in shown_columns(model, by_column[0], frame, other):
        each = tuple(of[column] for of in by_column)
        sentence = f"{subject} {_effect(model, predictors, each, plural)} against {against}" if any(each) else ""
        found.append(Contributions(column, shown, before, each, sentence))
    if model.offset:
        each = (offset - offset_r,) * len(predictors)
        sentence = f"{model.offset} = {number(offset)} {_effect(model, predictors, each)}" if any(each) else ""
        found.append(Contributions(model.offset, number(offset), number(offset_r), each, sentence))
    return SeveralExplanation(
        target=model.target,
        family=model.family,
        outputs=model.outputs,
        predictors=predictors,
        against=against,
        baseline_link=tuple(links[0].tolist()),
        baseline=tuple(means[0].tolist()),
        link=tuple(links[1].tolist()),
        prediction=tuple(means[1].tolist()),
        columns=tuple(sorted(found, key=lambda c: (-math.hypot(*c.contributions), c.name))),
        notes=notes_of(model, frame),
    )


def _effect(model: SeveralModel, predictors: tuple[str, ...], each: tuple[float, ...], plural: bool = False) -> str:
    """Say what moves most: up to two predictors."""
    s = "" if plural else "s"
    order = [k for k in sorted(range(len(each)), key=lambda k: -abs(each[k])) if each[k] != 0.0][:2]
    told = []
    for k in order:
        verb, size = f"raise{s}" if each[k] > 0 else f"lower{s}", number(abs(each[k]))
        if model.family == "multigaussian":
            told.append(f"{verb} the expected {predictors[k]} by {size}")
        else:
            times = number(math.exp(min(each[k], 700.0)))
            told.append(f"{verb} the log-odds of {predictors[k]} by {size} (odds x {times})")
    return " and ".join(told)
