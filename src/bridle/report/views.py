"""What the templates show: rows and charts made from a study, ready to be laid out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from bridle.diagnosis.verdict import Comparison, Interval, Verdict
from bridle.report.charts.paths import BARS, coefficient_bar, coefficient_reach, lambda_histogram
from bridle.report.charts.rows import amount_bar, dot_row, interval_scale, scale_row, share_bar
from bridle.report.look import RATE, Look, Outcome, is_network, look, outcome
from bridle.report.numbers import interval, percent_interval
from bridle.report.svg import Scale, finite
from bridle.results import Coefficient, CurveSummary, ModelResult, SampleSize, StudyResult, Swap


@dataclass(frozen=True)
class ModelRow:
    """One model in the first comparison."""

    model: ModelResult
    look: Look
    outcome: Outcome
    loss: Interval
    chart: Markup
    is_best: bool
    against_free: float  # loss relative to the unregularised model, less one


@dataclass(frozen=True)
class Gain:
    """What regularisation bought."""

    rows: tuple[ModelRow, ...]
    axis: Markup
    held_out: bool


def best_model(result: StudyResult) -> ModelResult:
    """Return the recommended model, or the first there is."""
    return next((m for m in result.models if m.name == result.best), result.models[0])


def best_first(result: StudyResult, models: Sequence[ModelResult]) -> list[ModelResult]:
    """Return models with the recommended one first."""
    return sorted(models, key=lambda m: m.name != result.best)


def gain(result: StudyResult) -> Gain:
    """Compare all models on held-out rows, or by cross-validation where none were held out."""
    held = any(math.isfinite(m.holdout_loss.value) for m in result.models)
    losses = {m.name: m.holdout_loss if held else m.cv_loss for m in result.models}
    values = finite(i.value for i in losses.values())
    cap = 3 * median(values) if values else math.inf
    near = [i for i in losses.values() if i.value <= cap]
    ends = [v for i in near for v in finite((i.lower, i.upper))]
    scale = interval_scale(near, [v for v in ends if v <= cap])
    free = losses["unregularised"].value if "unregularised" in losses else math.nan
    rows = []
    for m in result.models:
        loss, its = losses[m.name], look(m.name)
        chart = dot_row(
            loss,
            scale,
            shape=its.shape,
            reference=free if math.isfinite(free) else None,
            second=m.cv_loss.value if held else None,
        )
        rows.append(
            ModelRow(
                m,
                its,
                outcome(m.verdict),
                loss,
                chart,
                m.name == result.best,
                loss.value / free - 1 if free else math.nan,
            )
        )
    return Gain(tuple(rows), scale_row(scale), held)


def optimism(verdict: Verdict) -> Interval:
    """Return the optimism as a share of the null model's error, which no unit of the target can blow up."""
    it, whole = verdict.optimism, verdict.null_loss
    if not whole > 0:
        return Interval(math.nan, math.nan, math.nan, it.level)
    return Interval(it.value / whole, it.lower / whole, it.upper / whole, it.level)


@dataclass(frozen=True)
class Bar:
    """One coefficient at the chosen point of a path."""

    feature: str
    value: float
    chart: Markup


@dataclass(frozen=True)
class Panel:
    """One model's validation curve, slider, scores, coefficients and paths."""

    index: int  # in StudyResult.models, where the script finds the numbers
    model: ModelResult
    look: Look
    is_best: bool
    bars: tuple[Bar, ...]
    reach: float
    counted: bool  # whether the number of features changes along the curve, so that it's worth showing


def panels(result: StudyResult) -> list[Panel]:
    """Return a panel for each model that has a validation curve, in the study's order."""
    made = []
    for index, m in enumerate(result.models):
        if m.curve is None or not m.curve.values:
            continue
        bars: tuple[Bar, ...] = ()
        reach = 0.0
        if m.path is not None and m.path.features:
            reach = coefficient_reach(m.path, m.curve)
            at = m.curve.index_chosen
            bars = tuple(
                Bar(name, row[at], coefficient_bar(row[at], reach))
                for name, row in list(zip(m.path.features, m.path.coefficients, strict=True))[:BARS]
            )
        made.append(Panel(index, m, look(m.name), m.name == result.best, bars, reach, _counted(m.curve)))
    return made


def _counted(curve: CurveSummary) -> bool:
    """Whether the curve's numbers of features tell something: a network uses all of them at every rate."""
    return len(curve.n_nonzero) == len(curve.values) and (curve.parameter != RATE or len(set(curve.n_nonzero)) > 1)


def used(model: ModelResult) -> int:
    """Return how many features a model uses; a network that doesn't say uses all of them."""
    return model.n_nonzero or (model.n_features if is_network(model) and not model.failed else 0)


@dataclass(frozen=True)
class ForestRow:
    """One alternative."""

    comparison: Comparison
    side: str
    text: str
    chart: Markup


@dataclass(frozen=True)
class Forest:
    """Excess risk of one model against each alternative."""

    model: ModelResult
    verdict: Verdict
    rows: tuple[ForestRow, ...]
    axis: Markup


_SIDES = {"simpler": "simpler", "richer": "richer", "null": "no features"}


def forest(model: ModelResult, verdict: Verdict) -> Forest:
    """Lay out the comparisons of one verdict, the most telling first."""
    ordered = sorted(verdict.comparisons, key=lambda c: -c.rho.value if math.isfinite(c.rho.value) else math.inf)
    margin = verdict.margin
    # The null model is usually far worse: an arrow says so, and the close calls keep the room.
    scale = interval_scale([c.rho for c in ordered if c.side != "null"], [-3 * margin, 3 * margin], widest=0.8)
    scale = Scale(max(scale.start, -0.6), min(scale.stop, 1.0))
    rows = tuple(
        ForestRow(
            c,
            _SIDES.get(c.side, c.side),
            percent_interval(c.rho),
            dot_row(
                c.rho,
                scale,
                shape={"simpler": "square", "richer": "circle"}.get(c.side, "cross"),
                reference=0.0,
                zone=(-margin, margin),
            ),
        )
        for c in ordered
    )
    return Forest(model, verdict, rows, scale_row(scale, as_percent=True))


def forests(result: StudyResult) -> list[Forest]:
    """Return the forest plot of every model with a verdict, the recommended model first."""
    return [forest(m, m.verdict) for m in best_first(result, result.models) if m.verdict is not None]


@dataclass(frozen=True)
class Need:
    """One criterion of sample size."""

    name: str
    rows: float
    met: bool
    chart: Markup


def needs(size: SampleSize) -> list[Need]:
    """Lay out what each criterion asks for against the rows there are."""
    asked = finite(size.criteria.values())
    # A criterion may ask for a hundred times the rows there are: the bar then ends at the edge, the number tells.
    most = min(max([*asked, float(size.n)]), 5.0 * max(size.n, 1))
    made = []
    for name, asks in size.criteria.items():
        rows = float(math.ceil(asks - 1e-9)) if math.isfinite(asks) else math.nan
        met = rows <= size.n
        bar = amount_bar(rows, most, line=float(size.n), css="bar" if met else "bar short")
        made.append(Need(name, rows, met, bar))
    return made


@dataclass(frozen=True)
class LambdaRow:
    """How far the chosen parameter wanders over resampled rows."""

    model: ModelResult
    look: Look
    chart: Markup


def lambda_rows(result: StudyResult) -> list[LambdaRow]:
    """Return a histogram for each model whose parameter was chosen again on resampled rows."""
    return [
        LambdaRow(
            m,
            look(m.name),
            lambda_histogram(
                m.lambda_bootstrap, m.curve, f"{m.label}: values chosen on resampled rows; line: the value chosen"
            ),
        )
        for m in result.models
        if m.curve is not None and m.curve.values and finite(m.lambda_bootstrap)
    ]


@dataclass(frozen=True)
class FeatureRow:
    """One selected feature with its effect and how settled it is."""

    coefficient: Coefficient
    chart: Markup
    frequency: Markup
    text: str


@dataclass(frozen=True)
class Features:
    """The selected features of one model."""

    model: ModelResult
    look: Look
    rows: tuple[FeatureRow, ...]
    hidden: int
    axis: Markup


def features(result: StudyResult, most_of_best: int = 100, most_of_others: int = 15) -> list[Features]:
    """Return the feature table of every model that has one, the recommended model first."""
    made = []
    for m in best_first(result, result.models):
        if m.coefficients:
            limit = most_of_best if m.name == result.best else most_of_others
            made.append(_feature_table(m, m.coefficients[:limit], len(m.coefficients) - limit))
    return made


def _feature_table(model: ModelResult, shown: Sequence[Coefficient], hidden: int) -> Features:
    # The chart is per standard deviation, so that features can be compared; the numbers keep the original scale.
    per_sd = [_standardised(c) for c in shown]
    largest = max((abs(i.value) for i in per_sd if math.isfinite(i.value)), default=1.0)
    scale = interval_scale(per_sd, [0.0], widest=2 * largest)
    rows = tuple(
        FeatureRow(
            c,
            dot_row(i, scale, shape=look(model.name).shape, reference=0.0),
            share_bar(c.selection_frequency),
            interval(Interval(c.value, c.lower, c.upper)),
        )
        for c, i in zip(shown, per_sd, strict=True)
    )
    return Features(model, look(model.name), rows, max(hidden, 0), scale_row(scale))


def _standardised(c: Coefficient) -> Interval:
    ratio = c.standardised / c.value if c.value else math.nan
    return Interval(c.standardised, c.lower * ratio, c.upper * ratio)


@dataclass(frozen=True)
class SwapRow:
    """One swap and its cost."""

    swap: Swap
    chart: Markup
    text: str


@dataclass(frozen=True)
class Swaps:
    """All swaps on one scale."""

    rows: tuple[SwapRow, ...]
    axis: Markup


def swaps(found: Sequence[Swap]) -> Swaps:
    """Lay out what each swap would cost."""
    scale = interval_scale([s.cost for s in found], [0.0], widest=1.0)
    rows = tuple(
        SwapRow(
            s,
            dot_row(s.cost, scale, reference=0.0),
            percent_interval(s.cost),
        )
        for s in found
    )
    return Swaps(rows, scale_row(scale, as_percent=True))
