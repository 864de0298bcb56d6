"""What to see in each chart, in plain words made from its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bridle.diagnosis.verdict import LearningCurve, Verdict
from bridle.losses import get_family
from bridle.report.look import RATE, parameter_setting, parameter_symbol, parameter_value
from bridle.report.numbers import count, listing, num, percent, plural
from bridle.report.svg import finite
from bridle.results import (
    Coefficient,
    CurveSummary,
    HoldoutPoints,
    ModelResult,
    PathSummary,
    SampleSize,
    StudyResult,
    Swap,
)

_SAID = ("Undetermined, leaning ", "Balanced: ", "No signal found: ", "Overfits: ", "Underfits: ")


def headline(text: str) -> tuple[str, str]:
    """Split a headline into the part that the badge above it shows already, and the news."""
    prefix, colon, news = text.partition(": ")
    if colon and news and text.startswith(_SAID):
        return f"{prefix}: ", f"{news[:1].upper()}{news[1:]}"
    return "", text


def gauge_caption(verdict: Verdict, guess: str = "guessing the average") -> str:
    """Say what the needle shows, and tie it to the words of the verdict; ``guess`` is what the null model does."""
    if verdict.label == "no signal":
        return f"No needle: neither this model nor any alternative beats {guess}, so neither direction can be claimed."
    if not any(math.isfinite(c.rho.value) for c in verdict.comparisons if c.side != "null"):
        return "No needle: there was no alternative to weigh the model against."
    said = (
        f"The needle shows how much more error the model makes than the best alternative on either side; the bar is "
        f"what the data leave possible ({100 * verdict.level:g} % interval)."
    )
    rho = verdict.effect.value
    if verdict.label in ("overfitting", "underfitting") and math.isfinite(rho) and rho > 0:
        said += (
            f" An excess of {percent(rho)} is the same as {percent(rho / (1 + rho))} lower error for the alternative."
        )
    return said


def curve_caption(curve: CurveSummary) -> str:
    """Say how sharp the choice is, and where training and validation error part."""
    best = curve.index_min
    said = [_flatness(curve)]
    last = len(curve.values) - 1
    rise = curve.mean[last] / curve.mean[best] - 1 if curve.mean[best] > 0 else math.nan
    if curve.parameter == RATE and best in (0, last):
        said += [_end_of_rates(curve)] if last else []
    elif best == last:
        said.append("The error still falls at the flexible end: a wider range of values may do better.")
    elif best == 0:
        said.append("The simplest model has the lowest error: the features add nothing that carries over to new rows.")
    elif (
        math.isfinite(rise)
        and rise > 0.02
        and curve.train[last] < curve.train[best]
        and not curve.mean[last] <= curve.mean[best] + curve.standard_error[best]
    ):
        said.append(_overfitting(curve, rise))
    return " ".join(said)


def _overfitting(curve: CurveSummary, rise: float) -> str:
    if curve.parameter == RATE:  # networks start at random: their training error needn't fall at every step
        end = parameter_setting(curve.values[-1], RATE)
        less = 1 - curve.train[-1] / curve.train[curve.index_min]
        return (
            f"At {end} the training error is {percent(less)} lower than at the lowest point, and the validation error "
            f"{percent(rise)} higher: that is overfitting, made visible."
        )
    return (
        f"To the right of the lowest point the training error keeps falling while the validation error rises "
        f"by {percent(rise)}: that is overfitting, made visible."
    )


def _end_of_rates(curve: CurveSummary) -> str:
    best = curve.values[curve.index_min]
    if best == 0:
        return "The network without dropout has the lowest error: here it gains nothing from being held back this way."
    if curve.index_min == 0 and len(curve.values) > 1:
        return "The largest rate tried has the lowest error: an even larger one, or a smaller network, may do better."
    return "The smallest rate tried has the lowest error: less dropout may do better."


def _flatness(curve: CurveSummary) -> str:
    best = curve.index_min
    limit = curve.mean[best] + curve.standard_error[best]
    if not math.isfinite(limit):
        return "The curve has no standard errors, so how sharp its lowest point is can't be told."
    a = b = best
    while a > 0 and curve.mean[a - 1] <= limit:
        a -= 1
    while b < len(curve.values) - 1 and curve.mean[b + 1] <= limit:
        b += 1
    first, last = curve.values[a], curve.values[b]
    start, stop = parameter_setting(first, curve.parameter), parameter_value(last, curve.parameter)
    if len(curve.values) == 1:
        return f"Only {start} was tried."
    if a == b:
        return f"The lowest point is sharp: only {start} is within one standard error of the best."
    if curve.parameter == RATE and abs(first - last) >= 0.5 * abs(curve.values[0] - curve.values[-1]):
        return (
            f"The curve is flat: from {start} to {stop} the error stays within one standard error of the best, so the "
            f"exact rate hardly matters."
        )
    ratio = max(first, last) / min(first, last) if min(first, last) > 0 else math.inf
    if curve.parameter != RATE and ratio >= 10:
        return (
            f"The curve is flat: from {start} to {stop} the error stays within one standard error "
            f"of the best, so the exact choice hardly matters."
        )
    return f"From {start} to {stop} the error stays within one standard error of the best."


def path_caption(path: PathSummary, curve: CurveSummary) -> str:
    """Say which features enter first, what is left at the chosen value, and which are least settled."""
    if not path.features:
        return "There is no feature to draw."
    kept = [n for n, row in zip(path.features, path.coefficients, strict=True) if row[curve.index_chosen] != 0]
    said = ["Each line is one feature; left of its start it is out of the model."]
    starts = {
        n: next(i for i, v in enumerate(row) if v != 0)
        for n, row in zip(path.features, path.coefficients, strict=True)
        if any(row)
    }
    if starts and max(starts.values()) > min(starts.values()):
        first = [n for n, i in sorted(starts.items(), key=lambda s: s[1])][:3]
        said.append(f"First to come in: {listing(first)}.")
        said.append(f"At the chosen value {len(kept)} of the {len(path.features)} drawn are in.")
    else:
        said = ["Each line is one feature. This penalty shrinks all of them and leaves none out."]
    if path.bootstrap:
        said.append(
            f"The faint lines are the same fit on {plural(len(path.bootstrap), 'resampled table')}: "
            f"where a bundle is wide, the data do not pin the effect down."
        )
    return " ".join(said)


def forest_caption(verdict: Verdict) -> str:
    """Say how many alternatives are better, equal and worse within the margin."""
    known = [c for c in verdict.comparisons if math.isfinite(c.rho.value)]
    if not known:
        return "There was no alternative to compare with."
    better = [c.label for c in known if c.rho.lower > 0 and c.rho.value > verdict.margin]
    worse = [c.label for c in known if c.rho.upper < 0]
    close = [c for c in known if c.rho.upper < verdict.margin and c.label not in worse]
    said = [
        f"Right of zero, the alternative has the lower error. Within the shaded margin of ±{percent(verdict.margin)} "
        f"a difference does not matter in practice."
    ]
    if better:
        said.append(f"Clearly better than this model: {listing(better)}.")
    else:
        said.append("No alternative is clearly better than this model.")
    if worse:
        said.append(f"Clearly worse: {listing(worse)}.")
    if close:
        said.append(f"Shown not to be better by more than the margin: {listing([c.label for c in close])}.")
    return " ".join(said)


def lambda_caption(values: Sequence[float], model: ModelResult) -> str:
    """Say the range that the parameter was chosen from on resampled rows."""
    there = sorted(finite(values))
    if not there:
        return "not resampled"
    low, high = there[len(there) // 4], there[(3 * len(there)) // 4]
    if model.parameter == RATE:  # ratios mean nothing where 0 is a choice
        word = "stable" if high - low <= 0.1 else "fairly stable" if high - low <= 0.3 else "unstable"
        ends = f"a rate from {parameter_value(low, RATE)} to {parameter_value(high, RATE)}"
    else:
        spread = high / low if low > 0 else math.inf
        word = "stable" if spread <= 3 else "fairly stable" if spread <= 10 else "unstable"
        ends = f"{parameter_symbol(model.parameter)} from {num(low, 2)} to {num(high, 2)}"
    return f"{word}: half of {len(there)} resampled fits chose {ends}"


def stability_caption(coefficients: Sequence[Coefficient]) -> str:
    """Say which features would be picked again."""
    known = [c for c in coefficients if math.isfinite(c.selection_frequency)]
    if not known:
        return "The fit was not resampled, so how often each feature would be picked again is not known."
    always = [c.feature for c in known if c.selection_frequency >= 0.9]
    rarely = [c.feature for c in known if c.selection_frequency < 0.5]
    flips = [c.feature for c in known if math.isfinite(c.sign_consistency) and c.sign_consistency < 0.9]
    said = [f"{len(always)} of {plural(len(known), 'feature')} picked in at least 90 % of resampled tables."]
    if rarely:
        said.append(f"Picked in fewer than half, so another sample might well leave them out: {listing(rarely)}.")
    if flips:
        said.append(f"The direction of the effect is not settled for {listing(flips)}.")
    return " ".join(said)


def learning_caption(curve: LearningCurve) -> str:
    """Say whether more rows would help."""
    points = [(n, t.value, r.value) for n, t, r in zip(curve.n_train, curve.test, curve.train, strict=True)]
    points = [p for p in points if math.isfinite(p[1])]
    if len(points) < 2:
        return "There are too few points to tell whether more rows would help."
    (n0, before, _), (n1, after, train) = points[-2], points[-1]
    slope = (before - after) / after if after > 0 else math.nan
    said = []
    if math.isfinite(slope) and slope > 0.02:
        said.append(
            f"The validation error is still falling: {percent(slope)} from {count(n0)} to {count(n1)} rows. "
            f"More rows may well lower it further."
        )
    else:
        said.append(
            f"The validation error has levelled off by {count(n1)} rows: more rows like these would hardly lower "
            f"it, only pin it down more closely."
        )
    gap = after - train
    if math.isfinite(gap) and gap > 0:
        said.append(
            f"The distance between the lines at their right end, {percent(gap / after)} of the error, is how much the "
            f"training error flatters the model."
        )
    return " ".join(said)


def calibration_caption(points: HoldoutPoints, verdict: Verdict | None) -> str:
    """Say whether predictions are too extreme or too timid."""
    slope = verdict.calibration_slope if verdict else None
    inside = [b for b in points.calibration if b.lower <= b.predicted <= b.upper]
    if not points.calibration:
        return "A quantile isn't what is observed on average, so there is nothing to compare in groups."
    said = [
        f"On the diagonal, what is predicted is what happens. {len(inside)} of "
        f"{plural(len(points.calibration), 'group')} agree with it within the interval."
    ]
    if slope is not None and math.isfinite(slope.value):
        low, high = slope.lower, slope.upper
        if math.isfinite(high) and high < 1:
            said.append(f"The slope is {num(slope.value)}, below 1: the predictions are too extreme.")
        elif math.isfinite(low) and low > 1:
            said.append(f"The slope is {num(slope.value)}, above 1: the predictions are too timid.")
        else:
            said.append(f"The slope is {num(slope.value)}, and 1 is not ruled out: neither too extreme nor too timid.")
    return " ".join(said)


def residual_caption(points: HoldoutPoints, family: str) -> str:
    """Say how many residuals are far out."""
    there = finite(points.residual)
    if not there:
        return "There are no residuals to draw."
    spread = math.sqrt(sum(r * r for r in there) / len(there)) or 1.0
    far = sum(1 for r in there if abs(r) > 3 * spread)
    said = "A shapeless cloud around zero is good; a bend or a funnel is structure that the model missed."
    if get_family(family).is_classifier:
        said = (
            "With two classes there are two bands, one a class; rows far from zero are those the model got badly wrong."
        )
    tail = "none is" if far == 0 else "1 row is" if far == 1 else f"{far} rows are"
    return f"{said} Of {len(there)} rows drawn, {tail} more than three typical residuals from zero."


_SHORTFALL = "Regularisation makes up for part of the shortfall, not for all of it."


def sample_caption(size: SampleSize) -> str:
    """Say whether the rows reach what the criteria ask for, unless the study has said so."""
    short = size.riley_required > 0 and size.n < size.riley_required
    if size.sentence:
        return _SHORTFALL if short else ""
    if size.riley_required > 0 and size.n < size.riley_required:
        return (
            f"There are {plural(size.n, 'row')} to fit; the strictest criterion asks for {count(size.riley_required)}. "
            f"{_SHORTFALL}"
        )
    if size.riley_required > 0:
        return f"There are {plural(size.n, 'row')} to fit, and no criterion asks for more."
    return f"There are {plural(size.n, 'row')} to fit."


def swap_caption(swaps: Sequence[Swap]) -> str:
    """Say how many swaps are all but free."""
    free = [s for s in swaps if math.isfinite(s.cost.lower) and s.cost.lower <= 0]
    if not free:
        return "Each of these swaps would cost accuracy: the data prefer the features chosen."
    return (
        f"{len(free)} of {plural(len(swaps), 'swap')} can't be told from free: the data do not settle which of the two "
        f"belongs in the model, so do not read a cause into the choice."
    )


def _agreement(result: StudyResult) -> str:
    """Say whether the two estimates of the recommended model's error fit together, and what an infinite one means."""
    best = next((m for m in result.models if m.name == result.best), None)
    said = ""
    if best is not None and all(map(math.isfinite, (best.cv_loss.value, best.holdout_loss.lower))):
        cv, held = best.cv_loss.value, best.holdout_loss
        if held.lower <= cv <= held.upper:
            said += f" For {best.label} the two agree: the open mark lies within the interval of the filled one."
        else:
            higher = "higher" if held.value > cv else "lower"
            said += f" For {best.label} they disagree: the held-out error is {higher} than cross-validation promised."
    family = get_family(result.data.family)
    if (family.is_classifier or family.has_classes) and any(
        not m.failed and m.name != "null" and not math.isfinite(m.holdout_loss.value) for m in result.models
    ):
        said += " No finite error: the model was certain of some row, and wrong."
    return said


def gain_caption(result: StudyResult) -> str:
    """Say what the marks of the first comparison are."""
    held = any(math.isfinite(m.holdout_loss.value) for m in result.models)
    free = any(
        m.name == "unregularised" and math.isfinite(m.holdout_loss.value if held else m.cv_loss.value)
        for m in result.models
    )
    line = " The upright line is the unregularised model." if free else ""
    if held:
        return (
            f"Filled marks: error on {plural(result.data.n_holdout, 'row')} that no model saw while it was fitted, "
            f"with its interval. Open marks: error by {result.folds}. Further left is better.{line}{_agreement(result)}"
        )
    return f"No rows were held out: marks are the error by {result.folds}. Further left is better.{line}"
