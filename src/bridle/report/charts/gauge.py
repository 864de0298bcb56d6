"""The verdict as a balance: what a richer model would gain on the left, what a simpler one would gain on the right."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from bridle.diagnosis.verdict import Comparison, Interval, Verdict
from bridle.report.numbers import percent, percent_interval
from bridle.report.svg import Plot, Scale, el, finite, group, linear_ticks, text

HEIGHT = 84
WIDEST = 0.6  # beyond this excess risk the gauge points off the scale rather than shrink the rest


@dataclass(frozen=True)
class Balance:
    """Where a model stands: the strongest evidence on each side, and the point that the needle shows."""

    needle: float  # negative: a richer model is better; positive: a simpler one is better
    low: float
    high: float
    simpler: Comparison | None
    richer: Comparison | None


def balance(verdict: Verdict) -> Balance:
    """Place a verdict between underfitting (negative) and overfitting (positive).

    An alternative that is worse than the model proves nothing about its own side, so its excess risk counts as zero.
    """
    simpler = _strongest(verdict, "simpler")
    richer = _strongest(verdict, "richer")
    right, left = _gain(simpler), _gain(richer)
    effect = verdict.effect
    if verdict.label == "overfitting" and math.isfinite(effect.value):
        right = effect
    if verdict.label == "underfitting" and math.isfinite(effect.value):
        left = effect
    a, b = max(right.value, 0.0), max(left.value, 0.0)
    if verdict.label == "overfitting":
        return Balance(a, max(right.lower, 0.0), max(right.upper, 0.0), simpler, richer)
    if verdict.label == "underfitting":
        return Balance(-b, min(-left.upper, 0.0), min(-left.lower, 0.0), simpler, richer)
    ends = finite((-max(left.upper, 0.0), max(right.upper, 0.0), a - b))
    return Balance(a if a >= b else -b, min(ends, default=0.0), max(ends, default=0.0), simpler, richer)


def _strongest(verdict: Verdict, side: str) -> Comparison | None:
    there = [c for c in verdict.comparisons if c.side == side and math.isfinite(c.rho.value)]
    return max(there, key=lambda c: c.rho.value, default=None)


def _gain(comparison: Comparison | None) -> Interval:
    return comparison.rho if comparison else Interval(0.0, 0.0, 0.0)


def gauge(verdict: Verdict) -> Markup:
    """Draw the balance with its margin, interval and needle."""
    at = balance(verdict)
    margin = verdict.margin if math.isfinite(verdict.margin) and verdict.margin > 0 else 0.05
    reach = min(max([4 * margin, *(1.15 * abs(v) for v in finite((at.needle, at.low, at.high)))]), WIDEST)
    plot = Plot(Scale(-reach, reach), Scale(0, 1), HEIGHT)
    silent = verdict.label == "no signal"
    parts = [*_zones(plot, margin), *_ticks(plot)]
    if not silent:
        parts.append(_needle(plot, at, reach))
    return el(
        "svg",
        *parts,
        class_="gauge silent" if silent else "gauge",
        role="img",
        aria_label=_spoken(verdict, at),
        width="100%",
        height=HEIGHT + 26,
    )


def _zones(plot: Plot, margin: float) -> list[Markup]:
    left, right = plot.x(-margin), plot.x(margin)
    spans = [
        (0.0, left, "zone-under", "▼ Too simple"),
        (left, right, "zone-balanced", ""),
        (right, 1.0, "zone-over", "Too flexible ▲"),
    ]
    parts = [
        el("rect", x=f"{100 * a:.2f}%", width=f"{100 * (b - a):.2f}%", y=38, height=20, class_=css)
        for a, b, css, _ in spans
    ]
    parts.append(text("0", 30, spans[0][3], class_="zone-label"))
    parts.append(text("50%", 14, f"Balanced (within ±{percent(margin)})", class_="zone-label mid"))
    parts.append(text("100%", 30, spans[2][3], class_="zone-label end"))
    return parts


def _ticks(plot: Plot) -> list[Markup]:
    parts = []
    for t in linear_ticks(plot.x.start, plot.x.stop, 6):
        at = plot.across(t)
        parts.append(el("line", x1=at, x2=at, y1=58, y2=63, class_="axis"))
        parts.append(text(at, 77, percent(abs(t)), class_="tick mid"))
    parts.append(text("0", 98, "← a richer model is better", class_="tick"))
    parts.append(text("100%", 98, "a simpler model is better →", class_="tick end"))
    return parts


def _needle(plot: Plot, at: Balance, reach: float) -> Markup:
    def place(value: float) -> str:
        return plot.across(min(max(value, -reach), reach))

    low, high = (v if math.isfinite(v) else at.needle for v in (at.low, at.high))
    return group(
        el("line", x1=place(low), x2=place(high), y1=48, y2=48, class_="needle-range"),
        el("line", x1=place(low), x2=place(low), y1=43, y2=53, class_="needle-range"),
        el("line", x1=place(high), x2=place(high), y1=43, y2=53, class_="needle-range"),
        el("svg", el("path", d="M0,36l-7,-11h14z M0,37v22", class_="needle"), x=place(at.needle), y=0, class_="at"),
    )


def _spoken(verdict: Verdict, at: Balance) -> str:
    if verdict.label == "no signal":
        return "Balance gauge without a needle: no model beats guessing, so there is nothing to balance."
    side = "too flexible" if at.needle > 0 else "too simple" if at.needle < 0 else "neither side"
    said = [f"Balance gauge: needle at {percent(abs(at.needle))} towards {side}; balanced within {percent(verdict.margin)}."]
    for name, c in (("simpler", at.simpler), ("richer", at.richer)):
        if c:
            said.append(f"Against the best {name} alternative, {c.label}: {percent_interval(c.rho)}.")
    return " ".join(said)
