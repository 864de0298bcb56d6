"""Sentences made from the numbers of a verdict.

Effects are told as "x % lower error" of the alternative, which is rho / (1 + rho): a model with 25 % excess error has
an alternative with 20 % lower error.
"""

from __future__ import annotations

import math

from bridle.diagnosis.verdict import Comparison, Interval, Verdict

OVERALL = "the overall mean"


def lower_error(rho: float) -> float:
    """Share by which the alternative's error lies below the model's: rho / (1 + rho)."""
    return 1.0 if math.isinf(rho) else rho / (1.0 + rho)


def percent(share: float) -> str:
    """Render a share as a percentage with as many digits as matter, without the sign: "17", "3.4", "0.6"."""
    value = 100.0 * share
    return f"{value:.0f}" if abs(value) >= 9.95 else f"{round(value, 1) + 0.0:g}"


def interval_words(interval: Interval) -> str:
    """Render the ends of an interval of shares: "95 % CI 8 to 27 %"."""
    return f"{100 * interval.level:g} % CI {percent(interval.lower)} to {percent(interval.upper)} %"


def gain(rho: Interval) -> str:
    """Render rho as the alternative's advantage: "17 % lower error (95 % CI 8 to 27 %)".

    Nothing is 100 % lower: "more than 99 %" is said instead.
    """
    value, lower, upper = (_advantage(lower_error(r)) for r in (rho.value, rho.lower, rho.upper))
    ends = lower if lower == upper else f"{lower} to {upper}"
    return f"{value} % lower error on new rows ({100 * rho.level:g} % CI {ends} %)"


def _advantage(share: float) -> str:
    return percent(share) if share < 0.995 else "more than 99"


def alternative(verdict: Verdict) -> Comparison | None:
    """Return the comparison named by the verdict."""
    return next((c for c in verdict.comparisons if c.alternative == verdict.alternative), None)


def sentence(verdict: Verdict, label: str, null: str = OVERALL) -> str:
    """One sentence for a manager, with the effect and its interval; ``null`` as for :func:`action`."""
    if verdict.label == "no signal":
        return _no_signal(verdict, null)
    excess = percent(max(0.0, *(c.rho.upper for c in verdict.comparisons)))
    margin = percent(verdict.margin)
    if verdict.label == "balanced":
        return (
            f"Balanced: no alternative is materially better; {label} has at most {excess} % more error on new rows "
            f"than any of the {len(verdict.comparisons)} compared (margin {margin} %)."
        )
    if verdict.lean == "balanced":
        return (
            f"Undetermined, leaning balanced: no alternative is known to be materially better, but {excess} % more "
            f"error than the best can't be ruled out (margin {margin} %)."
        )
    other = alternative(verdict)
    effect = f"{_described(other, verdict, null)} has {gain(verdict.effect)}" if other is not None else ""
    if verdict.label == "undetermined":
        return f"Undetermined, leaning {verdict.lean}: {effect}, which may be chance."
    return f"{'Overfits' if verdict.label == 'overfitting' else 'Underfits'}: {effect}."


def _no_signal(verdict: Verdict, null: str) -> str:
    explained = verdict.explained
    text = f"No signal found: nothing tried reliably predicts new rows better than {null}"
    if explained.upper < 0:
        worse = Interval(-explained.value, -explained.upper, -explained.lower, explained.level)
        return f"{text}; this model has {percent(worse.value)} % more error than that ({interval_words(worse)})."
    share = f"{percent(explained.value)} % of the deviance on new rows, {interval_words(explained)}"
    return f"{text} (this model explains {share})."


def _described(other: Comparison, verdict: Verdict, null: str) -> str:
    if other.alternative == "null":
        return f"{null}, with no features at all,"
    kind = "a richer alternative" if other.side == "richer" else "a more regularised alternative"
    if other.alternative.startswith(f"{verdict.model}: "):
        version = other.alternative.removeprefix(f"{verdict.model}: ")
        kind = "a richer version of it" if other.side == "richer" else "a more regularised version of it"
        return f"{kind} ({version})"
    return f"{kind} ({other.label})"


def _how(other: Comparison, verdict: Verdict) -> str:
    """Continue an action: another setting of the model, or another model."""
    own = f"{verdict.model}: "
    if other.alternative.startswith(own):
        return f" ({other.alternative.removeprefix(own)})"
    return f", or use {other.label}"


def _rough(rows: int) -> int:
    """Round an estimate up to two significant digits, which is more than it deserves."""
    step = int(10 ** max(len(str(rows)) - 2, 0))
    return -(-rows // step) * step


def action(verdict: Verdict, null: str = OVERALL) -> str:
    """One next action; ``null`` is what the model without features goes by."""
    other = alternative(verdict)
    if verdict.label == "no signal":
        return f"Predict {null} for now; look for features that carry the outcome, or more rows."
    if verdict.label == "overfitting" and other is not None:
        if other.alternative == "null":
            return f"Regularise much more: as it is, the model is worse than {null}."
        return f"Regularise more{_how(other, verdict)}."
    if verdict.label == "underfitting" and other is not None:
        return f"Let the model be richer{_how(other, verdict)}."
    if verdict.label == "balanced":
        return "Keep the model."
    rows = verdict.rows_needed
    more = f"about {_rough(rows):,} would decide" if rows else "how many would decide can't be told from these"
    hint = f"; until then {other.label} is the safer choice" if other is not None and verdict.lean != "balanced" else ""
    return f"Collect more rows ({more}){hint}."
