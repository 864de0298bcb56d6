"""Coefficient paths with the bootstrap paths faintly behind, and the bars of one point on them."""

from __future__ import annotations

import math

from markupsafe import Markup

from bridle.report.charts.curve import complexity_scale
from bridle.report.look import RATE, parameter_phrase, parameter_value
from bridle.report.numbers import fitted, num, percent
from bridle.report.svg import (
    Plot,
    Scale,
    chart,
    el,
    finite,
    group,
    path_data,
    simplify,
    spread,
    strip,
    text,
    x_axis,
    y_axis,
)
from bridle.results import CurveSummary, PathSummary

HEIGHT = 300
LABELLED = 12  # features named at the right edge
BARS = 15  # features in the bar chart


def coefficient_range(path: PathSummary, curve: CurveSummary) -> tuple[float, float]:
    """Return a vertical range that keeps the interesting part legible when the free end of the path explodes."""
    here = max(curve.index_chosen, curve.index_min)
    every = finite(v for row in path.coefficients for v in row) or [0.0]
    calm = finite(v for row in path.coefficients for v in row[: here + 1]) or [0.0]
    reach = 3.0 * max(abs(v) for v in calm) or max(abs(v) for v in every) or 1.0
    low, high = max(min(every), -reach), min(max(every), reach)
    room = 0.08 * (high - low) or 1.0
    return min(low, 0.0) - room, max(high, 0.0) + room


def coefficient_paths(path: PathSummary, curve: CurveSummary, label: str, sizes: bool = False) -> Markup:
    """Draw one model's coefficient paths on the standardised scale, or the sizes of several effects of a feature."""
    plot = Plot(complexity_scale(curve), Scale(*coefficient_range(path, curve)), HEIGHT)
    zero = plot.down(0.0)
    parts = [
        x_axis(plot, parameter_phrase(curve.parameter), ends=("simpler", "more flexible")),
        y_axis(plot, "size of effects of one standard deviation" if sizes else "effect of one standard deviation"),
        el("line", x1=0, x2="100%", y1=zero, y2=zero, class_="zero"),
        plot.layer(_bootstrap(plot, path), _lines(plot, path, curve)),
    ]
    at = plot.across(curve.values[curve.index_chosen])
    parts.append(el("line", x1=at, x2=at, y1=0, y2=plot.height, class_="cursor", aria_hidden="true"))
    parts.append(_names(plot, path, curve))
    kept = sum(1 for row in path.coefficients if row[curve.index_chosen] != 0)
    return chart(
        plot,
        *parts,
        label=(
            f"Coefficient paths of {label} for {len(path.features)} features; {kept} of them are in the model at the "
            f"chosen value. The table below holds the numbers."
        ),
        margin="names-right",
        data_chart="paths",
    )


def _bootstrap(plot: Plot, path: PathSummary) -> Markup:
    """One element a feature, holding all its resampled paths: small, and it lights up as one."""
    drawn = []
    n_features = max((len(sample) for sample in path.bootstrap), default=0)
    for f in range(n_features):
        d = "".join(
            path_data(simplify(plot.points(path.bootstrap_values, sample[f]), 3.0), decimals=0)
            for sample in path.bootstrap
            if f < len(sample) and any(sample[f])
        )
        drawn.append(el("path", d=d, class_="boot", data_f=f))
    return group(*drawn, class_="boots", aria_hidden="true")


def _lines(plot: Plot, path: PathSummary, curve: CurveSummary) -> Markup:
    drawn = []
    for f, (name, row) in enumerate(zip(path.features, path.coefficients, strict=True)):
        value = row[curve.index_chosen]
        said = (
            f"{name}: {num(value, signed=True)} at the chosen value"
            if value
            else f"{name}: left out at the chosen value"
        )
        d = path_data(simplify(plot.points(curve.values, row), 0.4))
        css = "path kept" if value else "path"
        drawn.append(group(el("title", said), el("path", d=d, class_=css), data_f=f))
    return group(*drawn, class_="paths")


def _names(plot: Plot, path: PathSummary, curve: CurveSummary) -> Markup:
    ends = [(f, row[-1]) for f, row in enumerate(path.coefficients) if math.isfinite(row[-1]) and row[-1] != 0]
    kept = {f for f, row in enumerate(path.coefficients) if row[curve.index_chosen] != 0}
    ends = sorted(sorted(ends, key=lambda e: (e[0] not in kept, e[0]))[:LABELLED])
    wanted = [min(max(plot.down(v), 6.0), plot.height - 4.0) for _, v in ends]
    ys = spread(wanted, 15, 6, plot.height)
    parts = []
    for (f, _), y, line in zip(ends, ys, wanted, strict=True):
        leader = el(
            "svg",
            el("path", d=f"M0,{line:g}L16,{y:g}", class_="leader"),
            x="100%",
            y=0,
            class_="at",
        )
        css = "path-name kept" if f in kept else "path-name"
        parts.append(group(leader, text("100%", y + 4, fitted(path.features[f], 8.8), dx=19, class_=css), data_f=f))
    return group(*parts, class_="names", aria_hidden="true")


def bar_share(value: float, reach: float) -> tuple[float, float]:
    """Return left end and width, in per cent, of a bar from the middle of its row."""
    half = 50 * min(abs(value) / reach, 1.0) if reach > 0 and math.isfinite(value) else 0.0
    return (50.0 if value >= 0 else 50.0 - half), half


def coefficient_reach(path: PathSummary, curve: CurveSummary) -> float:
    """Return the length of a full bar: the largest coefficient at the chosen or the best value, and some room."""
    at = (curve.index_chosen, curve.index_min)
    return 1.3 * max((abs(row[i]) for row in path.coefficients for i in at if math.isfinite(row[i])), default=0.0)


def coefficient_bar(value: float, reach: float) -> Markup:
    """Draw the bar of one coefficient."""
    left, width = bar_share(value, reach)
    return strip(
        el("rect", x=f"{left:.4g}%", width=f"{width:.4g}%"),
        css="from-middle",
    )


def lambda_histogram(values: tuple[float, ...], curve: CurveSummary, label: str, bins: int = 24) -> Markup:
    """Draw how often each range of the parameter was chosen on resampled rows, with the chosen value as a line."""
    scale = complexity_scale(curve)
    inside = [min(max(scale(v), 0.0), 1.0) for v in finite(values)]
    counts = [0] * bins
    for v in inside:
        counts[min(int(v * bins), bins - 1)] += 1
    tallest = max(counts, default=0) or 1
    parts = [el("line", x1=0, x2="100%", y1=44, y2=44, class_="axis")]
    for k, n in enumerate(counts):
        if n:
            h = 36.0 * n / tallest
            where = f"{100 * k / bins:.2f}%"
            said = el("title", f"{n} of {len(inside)} ({percent(n / len(inside))})")
            parts.append(el("rect", said, x=where, width=f"{90 / bins:.2f}%", y=44 - h, height=h, class_="bar"))
    at = f"{100 * scale(curve.values[curve.index_chosen]):.2f}%"
    parts.append(el("line", x1=at, x2=at, y1=0, y2=48, class_="pin chosen"))
    for x, v, css in (("0", scale.start, "tick"), ("100%", scale.stop, "tick end")):
        shown = num(v, 2) if curve.parameter != RATE else parameter_value(v, RATE)
        parts.append(text(x, 60, shown, class_=css))
    return el("svg", *parts, class_="strip", role="img", aria_label=label, height=64)
