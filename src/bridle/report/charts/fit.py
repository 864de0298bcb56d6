"""How well the predictions hold: learning curve, calibration, residuals, ROC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from bridle.diagnosis.verdict import Interval, LearningCurve
from bridle.losses import get_family
from bridle.report.numbers import num, percent
from bridle.report.svg import Plot, Scale, chart, el, finite, mark, padded, pair, spread, text, x_axis, y_axis
from bridle.results import HoldoutPoints

HEIGHT = 250


def learning_curve(curve: LearningCurve, label: str, loss_name: str) -> Markup:
    """Draw training and held-out error against the number of training rows, with intervals."""
    sizes = [float(n) for n in curve.n_train]
    seen = finite(v for it in (*curve.test, *curve.train) for v in (it.value, it.lower, it.upper))
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    values = finite(it.value for it in (*curve.test, *curve.train))
    if values and high > max(values) * 2.5 > 0:
        high = max(values) * 1.6
    low = max(low, min(values, default=low) - (high - min(values, default=low)))
    plot = Plot(Scale(*padded(min(sizes, default=0), max(sizes, default=1))), Scale(*padded(low, high)), HEIGHT)
    layers: list[Markup] = []
    for series, css in ((curve.train, "train"), (curve.test, "held")):
        ys = [it.value for it in series]
        layers.append(
            plot.band(sizes, [it.lower for it in series], [it.upper for it in series], class_=f"band {css}-band")
        )
        layers.append(plot.line(sizes, ys, class_=css))
    dots = [
        mark(shape, plot.across(n), plot.down(it.value), css=f"{css}-dot")
        for series, css, shape in ((curve.train, "train", "square"), (curve.test, "held", "circle"))
        for n, it in zip(sizes, series, strict=True)
        if math.isfinite(it.value)
    ]
    return chart(
        plot,
        x_axis(plot, "rows to learn from"),
        y_axis(plot, loss_name),
        plot.layer(*layers),
        *dots,
        *_end_labels(plot, curve.test, curve.train),
        label=f"Learning curve of {label}: {spoken_learning(curve, loss_name)}",
        margin="wide-right",
    )


def _end_labels(plot: Plot, test: Sequence[Interval], train: Sequence[Interval]) -> list[Markup]:
    ends = [
        (name, s[-1].value, css)
        for name, s, css in (("validation", test, "held-label"), ("training", train, "train-label"))
        if s
    ]
    ends = [e for e in ends if math.isfinite(e[1])]
    ys = spread([plot.down(v) for _, v, _ in ends], 15, 6, plot.height)
    return [text("100%", y + 4, n, dx=4, class_=f"end-label {css}") for (n, _, css), y in zip(ends, ys, strict=True)]


def spoken_learning(curve: LearningCurve, loss_name: str) -> str:
    """Say a learning curve in a sentence."""
    if not curve.n_train:
        return "no points."
    return (
        f"validation {loss_name} goes from {num(curve.test[0].value)} with {curve.n_train[0]} rows "
        f"to {num(curve.test[-1].value)} with {curve.n_train[-1]}."
    )


def calibration(points: HoldoutPoints, family: str) -> Markup:
    """Draw observed against predicted means in groups, with intervals and the diagonal."""
    bins = points.calibration
    kind = get_family(family)
    if kind.has_probabilities:
        x = y = Scale(0.0, 1.0)
    else:
        seen = finite(v for b in bins for v in (b.predicted, b.observed, b.lower, b.upper))
        x = y = Scale(*padded(min(seen, default=0.0), max(seen, default=1.0)))
    plot = Plot(x, y, HEIGHT)
    as_percent = kind.has_probabilities
    diagonal = plot.layer(plot.line([x.start, x.stop], [x.start, x.stop], class_="diagonal"))
    parts = []
    if kind.has_unit:
        parts.append(plot.layer(_cloud(plot, points.predicted, points.observed)))
    for b in bins:
        at = plot.across(b.predicted)
        if math.isfinite(b.lower) and math.isfinite(b.upper):
            low, high = (min(max(plot.down(v), 0.0), float(plot.height)) for v in (b.lower, b.upper))
            parts.append(el("line", x1=at, x2=at, y1=high, y2=low, class_="whisker"))
        if math.isfinite(b.observed):
            said = f"{b.n} rows: predicted {num(b.predicted)}, observed {num(b.observed)}"
            parts.append(mark("circle", at, plot.down(b.observed), said))
    what = "probability" if as_percent else "mean"
    return chart(
        plot,
        x_axis(plot, f"predicted {what}", 5, as_percent),
        y_axis(plot, "observed share" if as_percent else "observed mean", 5, as_percent),
        diagonal,
        *parts,
        label=f"Calibration of held-out predictions in {len(bins)} groups; on the diagonal they are right on average.",
    )


def _cloud(plot: Plot, xs: Sequence[float], ys: Sequence[float]) -> Markup:
    """One path of zero-length strokes with round caps, in relative moves from left to right: a point costs 7 bytes."""
    inside = sorted((round(x), round(y)) for x, y in plot.points(xs, ys) if 0 <= y <= plot.height)
    d = "".join(f"m{pair(x - px, y - py)}h0" for (px, py), (x, y) in pairwise([(0, 0), *inside]))
    return el("path", d=d, class_="cloud")


def residuals(points: HoldoutPoints) -> Markup:
    """Draw deviance residuals against predictions."""
    pairs = [
        (p, r) for p, r in zip(points.predicted, points.residual, strict=True) if math.isfinite(p) and math.isfinite(r)
    ]
    xs, ys = [p for p, _ in pairs], [r for _, r in pairs]
    reach = max((abs(r) for r in ys), default=1.0) or 1.0
    plot = Plot(Scale(*padded(min(xs, default=0.0), max(xs, default=1.0))), Scale(-1.08 * reach, 1.08 * reach), HEIGHT)
    zero = plot.down(0.0)
    return chart(
        plot,
        x_axis(plot, "predicted", 5),
        y_axis(plot, "deviance residual"),
        el("line", x1=0, x2="100%", y1=zero, y2=zero, class_="zero"),
        plot.layer(_cloud(plot, xs, ys), clip=False),
        label=f"Deviance residuals of {len(pairs)} held-out rows against their predictions; no pattern is good.",
    )


def roc(points: HoldoutPoints, auc: float) -> Markup:
    """Draw the ROC curve."""
    plot = Plot(Scale(0.0, 1.0), Scale(0.0, 1.0), HEIGHT)
    xs, ys = [a for a, _ in points.roc], [b for _, b in points.roc]
    return chart(
        plot,
        x_axis(plot, "false alarms (share of the negative class)", 5, True),
        y_axis(plot, "found (share of the positive class)", 5, True),
        plot.layer(
            plot.band(xs, [0.0] * len(xs), ys, class_="band"),
            plot.line([0, 1], [0, 1], class_="diagonal"),
            plot.line(xs, ys, tolerance=0.1, class_="held"),
        ),
        text("96%", plot.height - 14, f"area under the curve {num(auc)}", class_="note end"),
        label=f"ROC curve on held-out rows; the area under the curve is {num(auc)}. {percent(0.5)} would be guessing.",
    )
