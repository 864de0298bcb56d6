"""The validation curve: cross-validated and training error over complexity, with its band, its marks and a cursor."""

from __future__ import annotations

import math

from markupsafe import Markup

from bridle.report.look import RATE, parameter_phrase, parameter_value
from bridle.report.numbers import num
from bridle.report.svg import Plot, Scale, chart, el, finite, group, mark, padded, spread, text, x_axis, y_axis
from bridle.results import CurveSummary

HEIGHT = 250
ABOVE = 22  # room over the plane for the labels of the marks, below the title of the axis


def complexity_scale(curve: CurveSummary) -> Scale:
    """Return the horizontal scale, simplest model left; logarithmic where the values span it and are no shares."""
    first, last = curve.values[0], curve.values[-1]
    positive = all(v > 0 for v in curve.values)
    log = curve.parameter != RATE and positive and max(first, last) / min(first, last) > 20
    if first == last:
        return Scale(*padded(first, last))
    return Scale(first, last, log)


def loss_range(curve: CurveSummary) -> tuple[float, float]:
    """Return the vertical range: all of the curve, less an explosion at its end that would flatten the rest."""
    upper = [m + (s if math.isfinite(s) else 0.0) for m, s in zip(curve.mean, curve.standard_error, strict=True)]
    low = min(finite([*curve.mean, *curve.train]), default=0.0)
    marks = {0, curve.index_min, curve.index_1se, curve.index_chosen}
    calm = max(finite(upper[i] for i in marks), default=1.0)
    high = max(finite(upper), default=1.0)
    if high - low > 2.2 * (calm - low) > 0:
        high = low + 1.6 * (calm - low)
    return padded(low, high, 0.05)


def plane(curve: CurveSummary) -> Plot:
    """Return the plane that the validation curve is drawn on."""
    return Plot(complexity_scale(curve), Scale(*loss_range(curve)), HEIGHT)


def validation_curve(curve: CurveSummary, label: str, loss_name: str) -> Markup:
    """Draw one model's validation curve."""
    plot = plane(curve)
    x, mean, se = curve.values, curve.mean, curve.standard_error
    low, high = [m - s for m, s in zip(mean, se, strict=True)], [m + s for m, s in zip(mean, se, strict=True)]
    best = curve.index_min
    limit = mean[best] + se[best]
    lines = plot.layer(
        plot.band(x, low, high, class_="band"),
        plot.line(x, curve.train, class_="train"),
        plot.line(x, mean, class_="held"),
    )
    parts = [
        x_axis(plot, parameter_phrase(curve.parameter), ends=("simpler", "more flexible")),
        y_axis(plot, loss_name, above=ABOVE),
        lines,
    ]
    if math.isfinite(limit) and plot.y.start < limit < plot.y.stop:
        y = plot.down(limit)
        parts.insert(2, el("line", x1=0, x2="100%", y1=y, y2=y, class_="limit"))
    if curve.parameter == RATE:  # few and far apart: what lies between them was not tried
        parts += _tried(plot, curve)
    parts += [*_marks(plot, curve), _ends(plot, curve), _cursor(plot, curve)]
    return chart(
        plot,
        *parts,
        label=f"Validation curve of {label}: {spoken(curve, loss_name)}",
        margin="wide-right",
        above=ABOVE,
        data_chart="curve",
        data_x0=num_attr(plot.x.start),
        data_x1=num_attr(plot.x.stop),
        data_log="1" if plot.x.log else "0",
        data_y0=num_attr(plot.y.start),
        data_y1=num_attr(plot.y.stop),
        data_h=plot.height,
    )


def num_attr(value: float) -> str:
    """Write a number for the script to read."""
    return f"{value:.8g}"


def spoken(curve: CurveSummary, loss_name: str) -> str:
    """Say the curve in a sentence."""
    a, b, c = curve.index_min, curve.index_1se, curve.index_chosen
    phrase = parameter_phrase(curve.parameter)
    at = [parameter_value(curve.values[i], curve.parameter) for i in (a, b, c)]
    return (
        f"{loss_name} is lowest at {phrase} {at[0]} with {num(curve.mean[a])}; "
        f"the one-standard-error rule gives {at[1]}; chosen is {at[2]} "
        f"with validation error {num(curve.mean[c])} and training {num(curve.train[c])}."
    )


def _tried(plot: Plot, curve: CurveSummary) -> list[Markup]:
    series = ((curve.train, "train-dot"), (curve.mean, ""))
    return [
        mark("dot", plot.across(v), plot.down(loss), css=css)
        for losses, css in series
        for v, loss in zip(curve.values, losses, strict=True)
        if plot.y.start <= loss <= plot.y.stop
    ]


def _marks(plot: Plot, curve: CurveSummary) -> list[Markup]:
    named = [("lowest error", curve.index_min), ("1-SE rule", curve.index_1se), ("chosen", curve.index_chosen)]
    by_index: dict[int, list[str]] = {}
    for name, index in named:
        by_index.setdefault(index, []).append(name)
    parts: list[Markup] = []
    taken, raised = -1.0, True
    for index, names in sorted(by_index.items()):
        x = plot.x(curve.values[index])
        raised = not raised and x - taken < 0.5
        y, taken = (-19 if raised else -5), x
        side = "start" if x < 0.12 else "end" if x > 0.88 else "mid"
        at = plot.across(curve.values[index])
        chosen = index == curve.index_chosen
        parts.append(el("line", x1=at, x2=at, y1=0, y2=plot.height, class_="pin chosen" if chosen else "pin"))
        parts.append(text(at, y, " = ".join(names), class_=f"pin-label {side}{' strong' if chosen else ''}"))
        if math.isfinite(curve.mean[index]):
            parts.append(mark("circle", at, plot.down(curve.mean[index]), css="pin-dot"))
    return parts


def _ends(plot: Plot, curve: CurveSummary) -> Markup:
    limit = curve.mean[curve.index_min] + curve.standard_error[curve.index_min]
    named = [("validation", curve.mean[-1], "held-label"), ("training", curve.train[-1], "train-label")]
    named.append(("1-SE limit", limit, "limit-label"))
    there = [(n, min(max(plot.down(v), 4.0), plot.height - 2.0), css) for n, v, css in named if math.isfinite(v)]
    ys = spread([y for _, y, _ in there], 15, 6, plot.height)
    return group(
        *(
            text("100%", y + 4, name, dx=8, class_=f"end-label {css}")
            for (name, _, css), y in zip(there, ys, strict=True)
        ),
        aria_hidden="true",
    )


def _cursor(plot: Plot, curve: CurveSummary) -> Markup:
    i = curve.index_chosen
    at = plot.across(curve.values[i])

    def dot(value: float, css: str) -> Markup:
        return mark("circle", at, plot.down(value) if math.isfinite(value) else -99.0, css=css)

    return group(
        el("line", x1=at, x2=at, y1=0, y2=plot.height, class_="cursor"),
        dot(curve.train[i], "cursor-train"),
        dot(curve.mean[i], "cursor-held"),
        class_="cursor-group",
        aria_hidden="true",
    )
