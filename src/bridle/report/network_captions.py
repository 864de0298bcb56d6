"""Sentences about networks and dropout, made from their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bridle.report.charts.training import history_range
from bridle.report.look import RATE
from bridle.report.network_views import Leans, LessonPanel
from bridle.report.numbers import count, num, percent, plural
from bridle.report.svg import finite
from bridle.results import ModelResult, MonteCarlo, Techniques, TrainingHistory


@dataclass(frozen=True)
class Words:
    """What the section of validation curves is called, and how it begins."""

    title: str
    lead: str


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
        )
    title = "How strong a penalty, how much dropout" if penalty else "How much dropout"
    either = " of either" if penalty else ""
    return Words(
        title,
        f"{_PENALTY + ' ' if penalty else ''}{_DROPOUT} Too much{either}, and the model misses what is there; too "
        f"little, and it learns the noise. The curves show where the balance lies, by {folds}.",
    )


def chosen_again(parameters: Sequence[str]) -> str:
    """Name what was chosen again on resampled rows."""
    if RATE not in parameters:
        return "The strength of the penalty"
    return "The strength of the penalty, and the dropout rate" if len(set(parameters)) > 1 else "The dropout rate"


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


def techniques_caption(found: Techniques, level: float) -> str:
    """Say what the marks are, and what the shaded zone means."""
    scheme = f" by {found.scheme}" if found.scheme else ""
    return (
        f"How much more error the model of each technique makes than the best one, on the same rows{scheme}; the "
        f"intervals ({100 * level:g} %) hold for all techniques at once. An interval that reaches into the shaded "
        f"zone, left of zero, can't be told from the best: that difference is within noise, and its mark is open. A "
        f"filled mark right of zero is beyond noise."
    )


def history_caption(history: TrainingHistory) -> str:
    """Say which epoch was kept and why training ended, how many rows were set aside, and what is not in the chart."""
    said = [_ending(history)]
    if history.validation:
        said.append("Both errors are measured without dropout.")
    every = [*history.train, *history.validation]
    lost = sum(1 for v in every if not math.isfinite(v))
    if lost:
        said.append(f"The lines break where an error is no finite number: {plural(lost, 'time')}.")
    top, highest = history_range(history)[1], max(finite(every), default=0.0)
    if highest > top:
        said.append(f"Errors of up to {num(highest)} lie above the chart.")
    return " ".join(said)


def _ending(history: TrainingHistory) -> str:
    kept, epochs = history.best_epoch, max(len(history.train), len(history.validation))
    after, whole = plural(epochs - kept, "epoch"), plural(epochs, "epoch")
    if "diverge" in history.stopped:
        last = f"; the weights of epoch {count(kept)}, the best until then, are kept" if kept > 0 else ""
        return f"Training diverged within {whole}: its error grew beyond all numbers{last}."
    interrupted = "interrupt" in history.stopped
    if not history.validation:
        ended = "was interrupted" if interrupted else "ran to its limit"
        return f"No rows were set aside: training {ended}, and the weights of epoch {count(kept)} are kept."
    best = f"Kept are the weights of epoch {count(kept)}{_why_kept(history)}."
    if "early" in history.stopped:
        return f"{best} {after} more brought none that was clearly lower, so training stopped early."
    if interrupted:
        return f"{best} Training was interrupted after {whole}."
    if kept == epochs:
        return f"{best} That is the last of the {whole} allowed: more might lower it further."
    return f"{best} Training ended at the limit of {whole}, {after} later."


def _why_kept(history: TrainingHistory) -> str:
    rows = f"the {plural(history.n_validation, 'row')} set aside from {count(history.n_train + history.n_validation)}"
    if not 1 <= history.best_epoch <= len(history.validation):
        return ""
    at = history.validation[history.best_epoch - 1]
    if not math.isfinite(at):
        return ""
    lowest = at <= min(finite(history.validation))  # else the later ones are lower by less than counts
    return f", where the error on {rows} was {'lowest' if lowest else 'all but lowest'} ({num(at)})"


def leans_caption(table: Leans, classes: Sequence[str] = ()) -> str:
    """Say what integrated gradients are, what direction means, and what neither proves."""
    predicted = f"the chance of '{classes[1]}'" if len(classes) == 2 else "the prediction"
    said = [
        "Integrated gradients add up how a prediction changes on the way from the average row to each row, and split "
        "the change among the features; bars are each feature's share of all of it, over (up to 300) training rows.",
        f'"Raises" means that larger values push {predicted} up, "lowers" that they push it down, "both ways" that it '
        f"depends.",
        "This shows what the network uses, and is no proof of cause: another fit may share the credit among "
        "correlated features in another way.",
    ]
    if table.hidden:
        said.insert(
            1, f"The remaining {percent(table.hidden_share)} is spread over {plural(table.hidden, 'more feature')}."
        )
    return " ".join(said)


def intervals_caption(found: MonteCarlo) -> str:
    """Say what the intervals are made of, what for, and how to read the chart."""
    return (
        f"The network predicts {count(found.n_samples)} times with dropout left on; the spread of these answers, and "
        f"the noise that is left around them, make an interval. Marks: the share of {count(found.n_units)} "
        f"{found.unit}, held out from all training, for which intervals of each level held what was observed, with "
        f"Wilson's interval. On the diagonal a promise is kept; below it intervals are too narrow, above it too wide. "
        f"Marks are filled where the promise is broken beyond noise."
    )


def lesson_note(panel: LessonPanel) -> str:
    """Say where a line goes that leaves the picture, or that there is none."""
    if not finite(panel.fit.y):
        return "This fit has no finite line."
    if panel.leaves is None:
        return ""
    low, high = panel.leaves
    return f"The line leaves the picture: it runs from {num(low)} to {num(high)}."
