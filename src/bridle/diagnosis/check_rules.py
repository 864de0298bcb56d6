"""The diagnostics, in the order of their codes. Each has a page in docs/checks."""

from __future__ import annotations

import math

import numpy as np

from bridle.diagnosis.check_context import CheckContext, Finding, Rule
from bridle.diagnosis.evidence import supported_means
from bridle.diagnosis.learning import last_fall
from bridle.diagnosis.slope import calibration_in_the_large
from bridle.losses import get_family

LEAST_ROWS_FOR_TAILS = 100  # the worst 1 % of fewer rows is no whole row
SELECTED_OFTEN = 0.8
EVENTS_PER_FOLD = 10
_NOT_RESAMPLED = "Networks aren't refitted on resampled rows."


def _status(bad: bool) -> str:
    return "warn" if bad else "pass"


def _optimism(c: CheckContext, threshold: float) -> Finding | None:
    v = c.verdict
    if not v.null_loss > 0:
        return None
    value, lower, upper = (100 * x / v.null_loss for x in (v.optimism.value, v.optimism.lower, v.optimism.upper))
    return Finding(
        _status(lower > threshold),
        value,
        f"New rows cost {value:.1f} % of the null's loss more than training rows ({lower:.1f} to {upper:.1f} %).",
        "Don't quote the training error; the gap alone isn't overfitting, see the verdict.",
    )


def _several(c: CheckContext) -> bool:
    """Whether a row has several predictions, of classes or responses."""
    return c.evidence is not None and get_family(c.evidence.family).several


def _slope(c: CheckContext, threshold: float) -> Finding | str | None:
    if _several(c):
        return "There is one slope for one prediction a row, and here are several: the report draws each."
    s = c.verdict.calibration_slope
    if not math.isfinite(s.value) or c.verdict.label == "no signal":
        return None
    off = abs(s.value - 1) > threshold and not s.lower <= 1 <= s.upper
    how, less = ("too extreme", "more") if s.value < 1 else ("too timid", "less")
    return Finding(
        _status(off),
        s.value,
        f"The calibration slope is {s.value:.2f} ({s.lower:.2f} to {s.upper:.2f})"
        + (f": predictions are {how}." if off else "."),
        f"Predictions are {how}: regularise {less}, or recalibrate them on held-out rows.",
    )


def _large(c: CheckContext, threshold: float) -> Finding | str | None:
    if c.evidence is None:
        return None
    if not get_family(c.evidence.family).row_wise:
        return "Relative hazards have no mean to be compared with."
    if _several(c):
        return "A row has several predictions: the report draws each."
    found = calibration_in_the_large(c.evidence, c.verdict.model, c.verdict.level)
    if not math.isfinite(found.value):
        return None
    in_sd = get_family(c.evidence.family).link_name == "identity"
    right = 0.0 if in_sd else 1.0
    off = abs(found.value - right) > threshold and not found.lower <= right <= found.upper
    what = (
        "Held-out residuals have a mean of {:.3f} sd" if in_sd else "Observed over expected on held-out rows is {:.3f}"
    )
    return Finding(
        _status(off),
        found.value,
        what.format(found.value) + f" ({found.lower:.3f} to {found.upper:.3f}).",
        "Predictions are wrong on average: look for a change of the target over time or between groups.",
    )


def _network(c: CheckContext) -> bool:
    """Whether the model is a network, whose strength is its dropout rate."""
    return c.curve is not None and c.curve.parameter == "dropout rate"


def _grid_end(c: CheckContext, threshold: float) -> Finding | None:
    if c.curve is None or c.chosen is None or len(c.curve.values) < 3:
        return None
    place = 100 * c.chosen / (len(c.curve.values) - 1)
    if _network(c):
        what, first, last, beyond = "dropout rate", "largest", "smallest", "smaller rates"
        meaning = "more dropout may do as well, or better"
        advice = "Try larger rates, a smaller network or a linear model."
    else:
        what, first, last, beyond = "penalty", "strongest", "weakest", "weaker penalties"
        meaning, advice = "no feature helps", "Check that the features can carry the outcome."
    if c.chosen == 0:
        return Finding("warn", place, f"The {first} {what} of the grid was chosen: {meaning}.", advice)
    if c.curve.values[c.chosen] == 0.0:
        return Finding("pass", place, f"A {what} of 0 was chosen, and there is nothing below it.")
    if c.chosen == len(c.curve.values) - 1:
        return Finding(
            "warn",
            place,
            f"The {last} {what} of the grid was chosen.",
            f"Extend the grid to {beyond}, or fit without one.",
        )
    return Finding("pass", place, f"The chosen {what} lies {place:.0f} % down the grid.")


def _lambda_spread(c: CheckContext, threshold: float) -> Finding | str | None:
    if not c.lambdas and _network(c):
        return "A network has no lambda, and its dropout rate isn't chosen again on resampled rows."
    positive = np.array([v for v in c.lambdas if v > 0])
    if len(positive) < 10:
        return None
    low, high = np.quantile(positive, [0.25, 0.75])
    value = float(high / low)
    return Finding(
        _status(value > threshold),
        value,
        f"Half of the resamples choose lambda within a factor of {value:.3g} ({low:.3g} to {high:.3g}).",
        "The best penalty isn't pinned down: use more folds, repeats, or the one-standard-error rule.",
    )


def _prediction_spread(c: CheckContext, threshold: float) -> Finding | str | None:
    value = 100 * c.prediction_stability
    if not math.isfinite(value):
        return _NOT_RESAMPLED if _network(c) else None
    return Finding(
        _status(value > threshold),
        value,
        f"Under resampling a row's linear predictor moves by {value:.0f} % of its spread over the rows.",
        "Single predictions depend on which rows were seen: report them with intervals, or regularise more.",
    )


def _feature_stability(c: CheckContext, threshold: float) -> Finding | str | None:
    if not c.selection_frequency:
        return _NOT_RESAMPLED if _network(c) else None
    often = [f for f, share in c.selection_frequency.items() if share >= SELECTED_OFTEN]
    value = 100 * len(often) / len(c.selection_frequency)
    return Finding(
        _status(value < threshold),
        value,
        f"{len(often)} of {len(c.selection_frequency)} selected features return in at least "
        f"{100 * SELECTED_OFTEN:.0f} % of resamples.",
        "Don't read meaning into which features were chosen; ridge keeps all of them.",
    )


def _events(c: CheckContext, threshold: float) -> Finding | None:
    s = c.sample_size
    if s is None or s.n_candidates == 0:
        return None
    return Finding(
        _status(s.per_candidate < threshold),
        s.per_candidate,
        f"There are {s.per_candidate:.3g} events per candidate {'feature' if _network(c) else 'parameter'}.",
        "Reduce the candidates by knowledge of the field, not by their relation to the outcome; or collect more rows.",
    )


def _riley(c: CheckContext, threshold: float) -> Finding | str | None:
    s = c.sample_size
    if s is None or s.n_candidates == 0:
        return None
    if s.riley_required == 0:
        return (
            "The criteria are for one number or two classes."
            if _several(c)
            else "No criteria are published for this family."
        )
    value = s.n / s.riley_required
    worst = max(s.criteria, key=lambda k: s.criteria[k])
    return Finding(
        _status(value < threshold),
        value,
        f"There are {s.n:,} rows; Riley et al.'s criteria ask for {s.riley_required:,} ({worst}).",
        "Keep the regularisation, which stands in for rows that are missing; a model without it needs more rows.",
    )


def _rare(c: CheckContext, threshold: float) -> Finding | None:
    if c.evidence is None:
        return None
    family, y, w = get_family(c.evidence.family), c.evidence.y, c.evidence.weight
    if family.is_classifier:
        y = np.column_stack([1.0 - y, y])
    elif not family.has_classes:
        return None
    value, rows = 100 * float(np.average(y, axis=0, weights=w).min()), float(y.sum(axis=0).min())
    per_fold = rows * float(np.mean(c.evidence.n_test)) / len(y)
    rarer = "rarer" if y.shape[1] == 2 else "rarest"
    return Finding(
        _status(value < threshold or per_fold < EVENTS_PER_FOLD),
        value,
        f"The {rarer} class has {value:.1f} % of the rows, about {per_fold:.0f} in each held-out fold.",
        "Judge by deviance or ROC AUC, not accuracy; use fewer folds or more repeats.",
    )


def _tails(c: CheckContext, threshold: float) -> Finding | str | None:
    e = c.evidence
    if e is None or c.verdict.model not in e.predictions or e.n_rows < LEAST_ROWS_FOR_TAILS:
        return None
    if not get_family(e.family).row_wise:
        return "A row's loss depends on the training rows' baseline hazard, and isn't kept."
    family, mean = get_family(e.family), e.predictions[c.verdict.model]  # (R, n)
    tested = np.isfinite(mean).all(axis=(0, *range(2, mean.ndim)))
    y, weight = e.y[tested], e.weight[tested]
    losses = [weight * family.deviance(y, supported_means(m[tested], y, e.family)) for m in mean]
    loss = np.mean(losses, axis=0)
    worst = np.sort(loss)[-max(len(loss) // 100, 1) :]
    value = 100 * float(worst.sum() / loss.sum()) if loss.sum() > 0 else 0.0
    return Finding(
        _status(value > threshold),
        value,
        f"The worst 1 % of rows make up {value:.0f} % of the held-out loss.",
        "Look at these rows: errors of entry, a skew target (take its logarithm), or a group of their own.",
    )


def _falling(c: CheckContext, threshold: float) -> Finding | None:
    curve = c.verdict.learning_curve
    if curve is None or len(curve.n_train) < 2 or not curve.test[-2].value > 0:
        return None
    value = 100 * last_fall(curve)
    return Finding(
        _status(value > threshold),
        value,
        f"From {curve.n_train[-2]:,} to {curve.n_train[-1]:,} training rows the held-out loss fell by {value:.1f} %.",
        "The curve may still be falling: more rows will probably help more than another model.",
    )


def _stand_ins(c: CheckContext, threshold: float) -> Finding | None:
    if not c.stand_ins:
        return None
    free = [s for s in c.stand_ins if abs(s.correlation) >= threshold and s.cost < c.verdict.margin]
    most = max(c.stand_ins, key=lambda s: abs(s.correlation))
    if not free:
        return Finding(
            "pass",
            abs(most.correlation),
            f"The closest stand-in, {most.instead} for {most.chosen}, has r = {most.correlation:.2f}.",
        )
    one = max(free, key=lambda s: abs(s.correlation))
    return Finding(
        "warn",
        abs(one.correlation),
        f"{one.instead} could stand in for {one.chosen} (r = {one.correlation:.2f}) at no material cost.",
        "Don't claim that the chosen one is the cause; choose by what is cheaper or better understood.",
    )


def _too_good(c: CheckContext, threshold: float) -> Finding | None:
    value = 100 * c.verdict.explained.value
    if c.verdict.label == "no signal" or not math.isfinite(value):
        return None
    return Finding(
        _status(value > threshold),
        value,
        f"{value:.1f} % of the deviance is explained on new rows.",
        "Almost nothing is that predictable: look for a feature that is made from the target or known only after it.",
    )


RULES: tuple[Rule, ...] = (
    Rule(
        "BR101",
        "Optimism",
        10.0,
        "%",
        "the gap at which other tools cry overfitting; here only a note",
        "a null loss above 0",
        _optimism,
    ),
    Rule(
        "BR102",
        "Calibration slope",
        0.1,
        "",
        "a slope off by 0.1 is what Riley et al. plan a study to avoid",
        "signal, and predictions that vary",
        _slope,
    ),
    Rule(
        "BR103",
        "Calibration in the large",
        0.1,
        "",
        "a tenth of an sd, or of the expected number",
        "held-out predictions",
        _large,
    ),
    Rule(
        "BR201",
        "Penalty or dropout rate at the end of its grid",
        0.0,
        "%",
        "the best value must lie inside to be known as best",
        "a penalty or dropout rate chosen from at least 3",
        _grid_end,
    ),
    Rule(
        "BR202",
        "Stability of lambda",
        10.0,
        "",
        "a factor of ten is a fifth of the usual grid",
        "lambda chosen on at least 10 resamples",
        _lambda_spread,
    ),
    Rule(
        "BR203",
        "Stability of predictions",
        25.0,
        "%",
        "beyond a quarter of the spread, ranks of rows change often",
        "a bootstrap",
        _prediction_spread,
    ),
    Rule(
        "BR204",
        "Stability of selected features",
        50.0,
        "%",
        "below it, most of the selection is chance",
        "a model that selects, and a bootstrap",
        _feature_stability,
    ),
    Rule(
        "BR301",
        "Events per candidate parameter",
        10.0,
        "",
        "Peduzzi et al. (1996); a rule of thumb for models without penalty",
        "candidate features",
        _events,
    ),
    Rule(
        "BR302",
        "Sample size",
        1.0,
        "",
        "the largest of Riley et al.'s (2019, 2020) criteria",
        "candidate features",
        _riley,
    ),
    Rule(
        "BR401",
        "Rare class",
        5.0,
        "%",
        "below it accuracy hides everything; folds also need 10 events each",
        "classes",
        _rare,
    ),
    Rule(
        "BR402",
        "A few rows dominate",
        30.0,
        "%",
        "normal errors give 8 %; 30 % is what t with 3 degrees of freedom gives",
        "100 rows with predictions",
        _tails,
    ),
    Rule(
        "BR501",
        "Learning curve still falling",
        2.0,
        "%",
        "2 % a step is what a fifth more rows must bring to matter",
        "a learning curve",
        _falling,
    ),
    Rule(
        "BR601",
        "Stand-ins for chosen features",
        0.8,
        "",
        "from r = 0.8 on, which of two is chosen is mostly chance",
        "a swap of correlated features, which is tried in one linear model of a study",
        _stand_ins,
    ),
    Rule(
        "BR602",
        "Suspiciously perfect",
        99.0,
        "%",
        "tables from life rarely leave 1 % of the deviance",
        "signal",
        _too_good,
    ),
)
