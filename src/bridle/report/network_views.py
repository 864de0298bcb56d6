"""What the templates show of techniques, networks and the lesson."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from bridle.diagnosis.verdict import Interval
from bridle.report.charts.lesson import leaves, lesson_chart
from bridle.report.charts.rows import amount_bar, dot_row, interval_scale, scale_row
from bridle.report.look import Look, Outcome, is_network, look
from bridle.report.numbers import percent_interval
from bridle.report.svg import Scale, finite
from bridle.report.views import best_first
from bridle.results import Attribution, Lesson, LessonFit, ModelResult, StudyResult, TechniqueGap, Techniques

_TECHNIQUES = {
    "L1": "L1 penalty",
    "L2": "L2 penalty",
    "L1 + L2": "L1 and L2 penalties",
    "dropout": "dropout",
    "none": "no regularisation",
}
_BEST = Outcome("✓", "lowest error", "v-balanced")
_WITHIN = Outcome("≈", "within noise", "v-none")
_BEYOND = Outcome("▸", "beyond noise", "v-over")
_UNKNOWN = Outcome("?", "not known", "v-open")


@dataclass(frozen=True)
class TechniqueRow:
    """One technique against the best one."""

    gap: TechniqueGap
    technique: str
    look: Look
    outcome: Outcome
    text: str
    chart: Markup


@dataclass(frozen=True)
class TechniqueRows:
    """All techniques on one scale."""

    found: Techniques
    rows: tuple[TechniqueRow, ...]
    axis: Markup
    level: float


def techniques(found: Techniques | None) -> TechniqueRows | None:
    """Lay out the techniques, best first; None where they were not compared."""
    if found is None or not found.gaps:
        return None
    excess = [g.excess for g in found.gaps]
    worse = [v for v in finite(i.value for i in excess) if v > 0]
    most = max(0.25, 4 * median(worse)) if worse else 0.25  # one hopeless technique must not flatten the close calls
    scale = interval_scale([i for i in excess if i.value <= most], [-0.03, 0.08], widest=most)
    scale = Scale(max(scale.start, -0.5), min(scale.stop, 1.5 * most))
    rows = tuple(_technique_row(g, found.best, scale) for g in found.gaps)
    return TechniqueRows(found, rows, scale_row(scale, as_percent=True), excess[-1].level)


def _technique_row(gap: TechniqueGap, best: str, scale: Scale) -> TechniqueRow:
    its = look(gap.model)
    if gap.model == best:
        word, said = _BEST, "the best one"
    elif not math.isfinite(gap.excess.value):
        word, said = _BEYOND if gap.beyond_noise else _UNKNOWN, "no finite error"
    else:
        unknown = not gap.beyond_noise and not math.isfinite(gap.excess.lower)
        word = _BEYOND if gap.beyond_noise else _UNKNOWN if unknown else _WITHIN
        said = percent_interval(gap.excess)
    excess = gap.excess
    if gap.model == best or not math.isfinite(excess.value):
        excess = Interval(0.0 if gap.model == best else math.inf if gap.beyond_noise else math.nan, math.nan, math.nan)
    chart = dot_row(
        excess,
        scale,
        shape=its.shape,
        reference=0.0,
        zone=(scale.start, 0.0),
        zone_css="zone-noise",
        hollow=word in (_WITHIN, _UNKNOWN),
    )
    return TechniqueRow(gap, _TECHNIQUES.get(gap.technique, gap.technique), its, word, said, chart)


@dataclass(frozen=True)
class LeanRow:
    """One feature's share of what a network's predictions are made of."""

    attribution: Attribution
    chart: Markup
    direction: Outcome


@dataclass(frozen=True)
class Leans:
    """What one network leans on."""

    model: ModelResult
    look: Look
    rows: tuple[LeanRow, ...]
    hidden: int
    hidden_share: float


_RAISES = Outcome("↑", "raises", "")
_LOWERS = Outcome("↓", "lowers", "")
_BOTH = Outcome("↕", "both ways", "")
_NO_DIRECTION = Outcome("–", "not known", "")


def direction(value: float) -> Outcome:
    """Say which way a feature pushes predictions as its value grows."""
    if not math.isfinite(value):
        return _NO_DIRECTION
    return _RAISES if value > 0.5 else _LOWERS if value < -0.5 else _BOTH


def leans(result: StudyResult, most_of_best: int = 25, most_of_others: int = 12) -> list[Leans]:
    """Return the attributions of every network that has them, the recommended model first."""
    made = []
    for m in best_first(result, result.models):
        if not m.attributions:
            continue
        shown = m.attributions[: most_of_best if m.name == result.best else most_of_others]
        most = max(finite(a.share for a in shown), default=1.0)
        rows = tuple(LeanRow(a, amount_bar(a.share, most), direction(a.direction)) for a in shown)
        rest = m.attributions[len(shown) :]
        made.append(Leans(m, look(m.name), rows, len(rest), sum(finite(a.share for a in rest))))
    return made


def histories(result: StudyResult) -> list[ModelResult]:
    """Return the models whose training was recorded, the recommended one first."""
    return [m for m in best_first(result, result.models) if m.history and (m.history.train or m.history.validation)]


def fitted_once(result: StudyResult) -> list[ModelResult]:
    """Return the networks that were not fitted again on resampled tables, of which stability says nothing."""
    return [m for m in result.models if is_network(m) and not m.failed and not m.lambda_bootstrap]


def shown_epochs(n: int, kept: int, about: int = 20) -> list[int]:
    """Return the epochs of a table: some evenly spaced ones, the kept one and the last, counted from 1."""
    step = math.ceil(n / about) or 1
    return sorted({*range(1, n + 1, step), *(e for e in (kept, n) if 1 <= e <= n)})


def calibrations(result: StudyResult) -> list[ModelResult]:
    """Return the models whose Monte-Carlo intervals were checked, the recommended one first."""
    return [m for m in best_first(result, result.models) if m.monte_carlo and m.monte_carlo.coverage]


@dataclass(frozen=True)
class LessonPanel:
    """One fit of the lesson."""

    fit: LessonFit
    look: Look
    chart: Markup
    leaves: tuple[float, float] | None
    closest: bool


def lesson_panels(lesson: Lesson | None) -> list[LessonPanel]:
    """Lay out the lesson's fits on one plane; the one nearest to the truth is told."""
    if lesson is None:
        return []
    errors = finite(f.true_error for f in lesson.fits)
    nearest = min(errors) if len(errors) > 1 else math.nan
    return [
        LessonPanel(f, look(f.name), lesson_chart(lesson, f), leaves(lesson, f), f.true_error == nearest)
        for f in lesson.fits
    ]


def lesson_grid(lesson: Lesson, about: int = 16) -> Sequence[int]:
    """Return the places on the grid that the lesson's table shows."""
    step = math.ceil(len(lesson.grid) / about) or 1
    return range(0, len(lesson.grid), step)
