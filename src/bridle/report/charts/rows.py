"""Rows of charts that are tables: a dot with its interval, a bar; every row of a chart shares one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from bridle.diagnosis.verdict import Interval
from bridle.report.numbers import linear_ticks, tick_labels
from bridle.report.svg import STRIP, Plot, Scale, el, finite, mark, padded, strip, text

ROW = STRIP


def interval_scale(items: Sequence[Interval], anchors: Sequence[float] = (), widest: float = math.inf) -> Scale:
    """Return the common scale of some intervals; ends further out than ``widest`` are cut, values never."""
    values = [*finite(i.value for i in items), *anchors]
    ends = [v for i in items for v in finite((i.lower, i.upper))]
    if not values:
        return Scale(0.0, 1.0)
    every = [*ends, *values]
    low = min([*values, max(min(every), -widest)])
    high = max([*values, min(max(every), widest)])
    return Scale(*padded(low, high))


def _row(scale: Scale) -> Plot:
    return Plot(scale, Scale(0, 1), ROW)


def dot_row(
    it: Interval,
    scale: Scale,
    *,
    shape: str = "circle",
    reference: float | None = None,
    zone: tuple[float, float] | None = None,
    second: float | None = None,
    zone_css: str = "zone-balanced",
    hollow: bool = False,
) -> Markup:
    """Draw a value with its interval; ``second`` is an open mark (another estimate) on the same row."""
    plot, mid = _row(scale), ROW / 2
    parts: list[Markup] = []
    if zone is not None:
        low, high = (100 * min(max(scale(v), 0.0), 1.0) for v in zone)
        wide = f"{high - low:.2f}%"
        parts.append(el("rect", x=f"{low:.2f}%", width=wide, y=0, height=ROW, class_=zone_css))
    if reference is not None and 0 <= scale(reference) <= 1:
        at = plot.across(reference)
        parts.append(el("line", x1=at, x2=at, y1=0, y2=ROW, class_="zero"))
    parts += _whisker(plot, it)
    if second is not None and math.isfinite(second) and 0 <= scale(second) <= 1:
        parts.append(mark(shape, plot.across(second), mid, css="open"))
    if not math.isnan(it.value):
        parts.append(_value_mark(plot, it.value, shape, "open" if hollow else ""))
    return strip(*parts, height=ROW)


def _whisker(plot: Plot, it: Interval) -> list[Markup]:
    """Draw the part of an interval that is in sight, with an arrow head where it goes on."""
    start, stop = plot.x.start, plot.x.stop
    if math.isnan(it.lower) or math.isnan(it.upper) or it.upper < start or it.lower > stop:
        return []
    low, high = (plot.across(min(max(v, start), stop)) for v in (it.lower, it.upper))
    parts = [el("line", x1=low, x2=high, class_="whisker")] if low != high else []
    if it.lower < start:
        parts.append(mark("cut-left", low, ROW / 2))
    if it.upper > stop:
        parts.append(mark("cut-right", high, ROW / 2))
    return parts


def _value_mark(plot: Plot, value: float, shape: str, css: str) -> Markup:
    if plot.x.start <= value <= plot.x.stop:
        return mark(shape, plot.across(value), ROW / 2, css=css)
    right = value > plot.x.stop
    return mark("right" if right else "left", "100%" if right else "0%", ROW / 2)


def scale_row(scale: Scale, as_percent: bool = False, about: int = 4) -> Markup:
    """Draw the axis that closes a chart made of rows."""
    plot = _row(scale)
    ticks = linear_ticks(scale.start, scale.stop, about)
    parts = [el("line", x1=0, x2="100%", y1=1, y2=1, class_="axis")]
    for t, shown in zip(ticks, tick_labels(ticks, as_percent), strict=True):
        at = plot.across(t)
        side = "start" if scale(t) < 0.06 else "end" if scale(t) > 0.94 else "mid"
        parts += [el("line", x1=at, x2=at, y1=1, y2=6, class_="axis"), text(at, 19, shown, class_=f"tick {side}")]
    return strip(*parts, height=24)


def share_bar(share: float) -> Markup:
    """Draw a share of one as a bar on its track."""
    width = 100 * min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    return strip(el("rect", width=f"{width:.4g}%"), css="share")


def amount_bar(value: float, most: float, line: float | None = None, css: str = "bar") -> Markup:
    """Draw an amount as a bar from zero, with a line that it is to be held against."""
    top = most * 1.05 if most > 0 else 1.0
    width = 100 * min(max(value / top, 0.0), 1.0) if math.isfinite(value) else 0.0
    parts = [el("rect", x=0, y=7, width=f"{width:.2f}%", height=10, rx=2, class_=css)]
    if line is not None:
        at = f"{100 * line / top:.2f}%"
        parts.append(el("line", x1=at, x2=at, y1=0, y2=24, class_="pin chosen"))
    return strip(*parts, height=24)
