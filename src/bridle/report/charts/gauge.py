"""The verdict as a balance: excess error over richer alternatives to the left, over simpler ones to the right."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from bridle.diagnosis.verdict import Comparison, Verdict
from bridle.report.numbers import linear_ticks, percent, percent_interval
from bridle.report.svg import Plot, Scale, el, finite, group, text

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

    An alternative that is worse than the model proves nothing about its own side, so its excess error counts as zero.
    """
    decided = next((c for c in verdict.comparisons if c.alternative == verdict.alternative), None)
    simpler, richer = _strongest(verdict, "simpler"), _strongest(verdict, "richer")
    if decided is not None:
        simpler, richer = (simpler, decided) if decided.side == "richer" else (decided, richer)
    right, left = (max(c.rho.value, 0.0) if c else 0.0 for c in (simpler, richer))
    if verdict.label in ("overfitting", "underfitting") and math.isfinite(verdict.effect.value):
        e, sign = verdict.effect, 1.0 if verdict.label == "overfitting" else -1.0
        low, high = sorted((sign * max(e.lower, 0.0), sign * max(e.upper, 0.0)))
        return Balance(sign * max(e.value, 0.0), low, high, simpler, richer)
    if simpler is None and richer is None:
        return Balance(math.nan, math.nan, math.nan, None, None)
    towards_simple = richer is not None and (left > right or decided is richer)
    return Balance(
        -left if towards_simple else right, -_reach(verdict, "richer"), _reach(verdict, "simpler"), simpler, richer
    )


def _strongest(verdict: Verdict, side: str) -> Comparison | None:
    there = [c for c in verdict.comparisons if c.side == side and math.isfinite(c.rho.value)]
    return max(there, key=lambda c: c.rho.value, default=None)


def _reach(verdict: Verdict, side: str) -> float:
    """Return the excess error over any alternative on one side that can't be ruled out."""
    return max([0.0, *finite(c.rho.upper for c in verdict.comparisons if c.side == side)])


def gauge(verdict: Verdict) -> Markup:
    """Draw the balance with its margin, interval and needle."""
    at = balance(verdict)
    margin = verdict.margin if math.isfinite(verdict.margin) and verdict.margin > 0 else 0.05
    reach = min(max([4 * margin, *(1.15 * abs(v) for v in finite((at.needle, at.low, at.high)))]), WIDEST)
    plot = Plot(Scale(-reach, reach), Scale(0, 1), HEIGHT)
    silent = verdict.label == "no signal" or not math.isfinite(at.needle)
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
    parts.append(text("0", 14, spans[0][3], class_="zone-label"))
    parts.append(text("50%", 14, f"Balanced ±{percent(margin)}", class_="zone-label mid"))
    parts.append(text("100%", 14, spans[2][3], class_="zone-label end"))
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
    if not math.isfinite(at.needle):
        return "Balance gauge without a needle: there was no alternative to weigh the model against."
    side = "too flexible" if at.needle > 0 else "too simple" if at.needle < 0 else "neither side"
    said = [
        f"Balance gauge: needle at {percent(abs(at.needle))} towards {side}; balanced within {percent(verdict.margin)}."
    ]
    for name, c in (("simpler", at.simpler), ("richer", at.richer)):
        if c:
            said.append(f"Against the best {name} alternative, {c.label}: {percent_interval(c.rho)}.")
    return " ".join(said)
