"""Sentences about networks and dropout, made from their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridle.report.look import RATE
from bridle.report.numbers import percent
from bridle.results import ModelResult


@dataclass(frozen=True)
class Words:
    """What the section of validation curves is called, and how it begins."""

    title: str
    lead: str
    stability: str  # what was chosen again on resampled rows


_PENALTY = "A penalty holds coefficients back."
_DROPOUT = (
    "Dropout holds a network back: in every training step a share of its units, drawn at random, is switched off, so "
    "that it can't rely on any one of them."
)


def curves_words(parameters: Sequence[str], folds: str) -> Words:
    """Name the section of validation curves after what they are over: penalties, dropout rates or both."""
    penalty, dropout = any(p != RATE for p in parameters), RATE in parameters
    if not dropout:
        return Words(
            "How strong a penalty",
            f"{_PENALTY} Too strong, and the model misses what is there; too weak, and it learns the noise. These "
            f"curves show where the balance lies, by {folds}.",
            "The strength of the penalty",
        )
    title = "How strong a penalty, how much dropout" if penalty else "How much dropout"
    return Words(
        title,
        f"{_PENALTY + ' ' if penalty else ''}{_DROPOUT} Too much{' of either' if penalty else ''}, and the model misses "
        f"what is there; too little, and it learns the noise. The curves show where the balance lies, by {folds}.",
        "The strength of the penalty, and the dropout rate" if penalty else "The dropout rate",
    )


def network_line(model: ModelResult) -> str:
    """Say what the network looks like and what its dropout does."""
    said = f"Network: {model.network.replace('->', '→')}." if model.network else ""
    if model.parameter != RATE or not 0 <= model.value < 1:
        return said
    if model.value == 0:
        return f"{said} At a rate of 0 no unit is ever switched off.".strip()
    return (
        f"{said} At the chosen rate {percent(model.value)} of the units, drawn afresh, are switched off in every "
        f"training step; predictions use all of them."
    ).strip()
