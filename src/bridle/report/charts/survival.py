"""Times to an event: survival by predicted risk, and predicted against observed risk at a horizon."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from bridle.report.numbers import num, percent
from bridle.report.svg import Plot, Scale, chart, el, finite, mark, padded, spread, text, x_axis, y_axis
from bridle.results import RiskGroup, Survival

HEIGHT = 300
SHORT = {"lowest third of predicted risk": "low risk", "middle third": "middle", "highest third": "high risk"}


def curves(survival: Survival) -> Markup:
    """Draw Kaplan-Meier curves of held-out rows by predicted risk, with the mean predicted curves beside them."""
    groups = survival.groups
    last = max((t for g in groups for t in (*g.times, *g.predicted_times)), default=1.0)
    plot = Plot(Scale(0.0, last), Scale(0.0, 1.0), HEIGHT)
    names = ("risk-1", "risk-2", "risk-3") if len(groups) == 3 else ("risk-3",)
    layers = list[Markup]()
    for group, css in zip(groups, names, strict=True):
        times, low, high, seen = _stepped(group.times, group.lower, group.upper, group.observed)
        layers.append(plot.band(times, low, high, class_=f"band {css}"))
        layers.append(plot.line(times, seen, class_=f"held {css}"))
        at, predicted = _stepped(group.predicted_times, group.predicted)
        layers.append(plot.line(at, predicted, class_=f"promised {css}"))
    horizon = plot.across(survival.horizon)
    return chart(
        plot,
        x_axis(plot, survival.time, 6),
        y_axis(plot, "share without the event", 5, True),
        el("line", x1=horizon, x2=horizon, y1=0, y2=plot.height, class_="limit"),
        plot.layer(*layers),
        *_ends(plot, groups, names),
        label=f"Survival of held-out rows by predicted risk: {spoken(survival)}",
        margin="wide-right",
    )


def _stepped(times: Sequence[float], *series: Sequence[float]) -> tuple[list[float], ...]:
    """Corners of step functions from 1 at time 0."""
    x, ys = [0.0], [[1.0] for _ in series]
    for k, t in enumerate(times):
        x += [t, t]
        for y, values in zip(ys, series, strict=True):
            y += [y[-1], values[k]]
    return (x, *ys)


def _ends(plot: Plot, groups: Sequence[RiskGroup], names: Sequence[str]) -> list[Markup]:
    ends = [
        (g.observed[-1] if g.observed else 1.0, SHORT.get(g.label, ""), css)
        for g, css in zip(groups, names, strict=True)
    ]
    ys = spread([plot.down(v) for v, _, _ in ends], 15, 6, plot.height)
    return [
        text("100%", y + 4, label, dx=6, class_=f"end-label {css}") for (_, label, css), y in zip(ends, ys, strict=True)
    ]


def spoken(survival: Survival) -> str:
    """Say where the curves are at the horizon, in a sentence."""
    said = []
    for g in survival.groups:
        observed = value_at(g.times, g.observed, survival.horizon)
        said.append(f"{g.label}, {g.n} rows: {percent(observed)} at {survival.time} {num(survival.horizon)}")
    return "; ".join(said) + "."


def value_at(times: Sequence[float], values: Sequence[float], when: float) -> float:
    """Return the value of a step function that is 1 before its first time."""
    return next((v for t, v in reversed(list(zip(times, values, strict=True))) if t <= when), 1.0)


def calibration(survival: Survival) -> Markup:
    """Draw observed against predicted probabilities of an event up to the horizon, in groups, and the diagonal."""
    bins = survival.calibration
    most = max(finite(v for b in bins for v in (b.predicted, b.observed, b.upper)), default=1.0)
    end = min(1.0, padded(0.0, most)[1]) if most < 0.6 else 1.0
    plot = Plot(Scale(0.0, end), Scale(0.0, end), 250)
    parts = []
    for b in bins:
        at = plot.across(b.predicted)
        if math.isfinite(b.lower) and math.isfinite(b.upper):
            low, high = (min(max(plot.down(v), 0.0), float(plot.height)) for v in (b.lower, b.upper))
            parts.append(el("line", x1=at, x2=at, y1=high, y2=low, class_="whisker"))
        if math.isfinite(b.observed):
            said = f"{b.n} rows: predicted {percent(b.predicted)}, observed {percent(b.observed)}"
            parts.append(mark("circle", at, plot.down(b.observed), said))
    return chart(
        plot,
        x_axis(plot, "predicted probability of the event", 5, True),
        y_axis(plot, "observed share (Kaplan–Meier)", 5, True),
        plot.layer(plot.line([0.0, end], [0.0, end], class_="diagonal")),
        *parts,
        label=f"Calibration of held-out predictions at {survival.time} {num(survival.horizon)} in {len(bins)} groups.",
    )
