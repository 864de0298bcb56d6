"""Sentences of the report that are about times to an event, made from the numbers they are about."""

from __future__ import annotations

import math

from bridle.diagnosis.verdict import Verdict
from bridle.report.charts.survival import SHORT, value_at
from bridle.report.numbers import num, percent, plural
from bridle.results import StudyResult, Survival


def guess(result: StudyResult) -> str:
    """Say what the model without features does."""
    if result.survival is None:
        return "guessing the average"
    return "one survival curve for all" + (" of a stratum" if result.survival.strata else "")


def curves_caption(survival: Survival) -> str:
    """Say how far apart the groups are at the horizon, and whether the prediction lies within what was seen."""
    groups = survival.groups
    said = [
        "Solid: the share of held-out rows still without the event (Kaplan–Meier), with its interval. Dashed: what the "
        f"model predicts for the same rows on average. The upright line is the median time of an event, "
        f"{survival.time} = {num(survival.horizon)}."
    ]
    if len(groups) == 3:
        low, high = (value_at(g.times, g.observed, survival.horizon) for g in (groups[0], groups[-1]))
        said.append(
            f"At that time {percent(low)} of the third with the lowest predicted risk are without it, and "
            f"{percent(high)} of the third with the highest."
        )
    inside = [
        g for g in groups
        if value_at(g.times, g.lower, survival.horizon)
        <= value_at(g.predicted_times, g.predicted, survival.horizon)
        <= value_at(g.times, g.upper, survival.horizon)
    ]  # fmt: skip
    if len(inside) == len(groups):
        said.append("Each prediction lies then within the interval of what was seen.")
    else:
        outside = [SHORT.get(g.label, g.label) for g in groups if g not in inside]
        said.append(f"The prediction then leaves the interval of what was seen for: {', '.join(outside)}.")
    if survival.strata:
        said.append("Strata are pooled in what was seen, and each row is predicted by its own stratum's hazard.")
    return " ".join(said)


def calibration_caption(survival: Survival, verdict: Verdict | None) -> str:
    """Say whether predicted risks at the horizon are right, and whether they are too extreme or too timid."""
    bins = survival.calibration
    inside = [b for b in bins if b.lower <= b.predicted <= b.upper]
    said = [
        f"The probability of an event up to {survival.time} = {num(survival.horizon)}. On the diagonal, what is "
        f"predicted is what happens. {len(inside)} of {plural(len(bins), 'group')} agree with it within the interval."
    ]
    slope = verdict.calibration_slope if verdict else None
    if slope is not None and math.isfinite(slope.value):
        if slope.upper < 1:
            said.append(f"The slope of the log hazard is {num(slope.value)}, below 1: hazards are too far apart.")
        elif slope.lower > 1:
            said.append(f"The slope of the log hazard is {num(slope.value)}, above 1: hazards are too close together.")
        else:
            said.append(f"The slope of the log hazard is {num(slope.value)}, and 1 is not ruled out.")
    return " ".join(said)
