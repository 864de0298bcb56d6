"""SVG primitives: elements, scales, axes and marks as small pure functions.

A chart is an ``<svg>`` without a viewBox whose padding (set in the style sheet) is the margin. Horizontal positions
are per cent of the plot, vertical ones are pixels. So text keeps its size on a phone and on paper, and the chart
needs no script to fit its place. Lines live in an inner ``<svg>`` of 1000 units across that stretches with it
(strokes do not: ``vector-effect`` in the style sheet).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from bridle.report.numbers import linear_ticks, log_ticks, num, tick_labels

TOP, BOTTOM = 34, 50  # the vertical margins, equal to the padding in style.css
STRIP = 26  # the usual height of a row, also in style.css
ACROSS = 1000.0  # units of the inner line layer


_ORIGIN = {"x", "y", "x1", "y1", "x2", "y2"}  # zero unless told otherwise


def el(name: str, *children: str, **attributes: object) -> Markup:
    """Return one element; ``class_`` means class, other underscores mean hyphens, None leaves an attribute out."""
    parts = [name]
    for key, value in attributes.items():
        if value is None or (key in _ORIGIN and value == 0):
            continue
        text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{escape(text)}"')
    if not children:
        return Markup("<{}/>").format(Markup(" ".join(parts)))
    inner = Markup("").join(escape(c) for c in children)
    return Markup("<{}>{}</{}>").format(Markup(" ".join(parts)), inner, Markup(name))


def group(*children: str, **attributes: object) -> Markup:
    """Return a ``<g>``."""
    return el("g", *children, **attributes)


@dataclass(frozen=True)
class Scale:
    """Map data to the unit interval, linearly or in the logarithm; ``start`` goes to 0, ``stop`` to 1."""

    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of ``value``: 0 at ``start``, 1 at ``stop``."""
        a, b, v = self.start, self.stop, value
        if self.log:
            if v <= 0:
                return 1.0 if b < a else 0.0
            a, b, v = math.log(a), math.log(b), math.log(v)
        return 0.5 if a == b else (v - a) / (b - a)

    def ticks(self, about: int = 5) -> list[float]:
        """Return round values in sight."""
        low, high = sorted((self.start, self.stop))
        return log_ticks(low, high, about) if self.log else linear_ticks(low, high, about)


def padded(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    """Widen a range a little; a range of no width becomes one around its value."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return 0.0, 1.0
    room = (high - low) * share or abs(low) * 0.1 or 1.0
    return low - room, high + room


def finite(values: Iterable[float]) -> list[float]:
    """Return the values that are numbers."""
    return [v for v in values if math.isfinite(v)]


@dataclass(frozen=True)
class Plot:
    """The plane of one chart: two scales and a height in pixels."""

    x: Scale
    y: Scale  # start is at the bottom
    height: int

    def across(self, value: float) -> str:
        """Return the horizontal position of ``value`` in per cent."""
        return f"{round(100 * self.x(value), 2):g}%"

    def down(self, value: float) -> float:
        """Return the vertical position of ``value`` in pixels from the top."""
        return round(self.height * (1 - self.y(value)), 1)

    def points(self, xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
        """Return positions in the line layer, leaving out missing values.

        What lies far outside of the plane is moved nearer: browsers draw nothing of a line that ends a million away.
        """
        far = 40.0 * self.height
        return [
            (ACROSS * self.x(a), min(max(self.height * (1 - self.y(b)), -far), far))
            for a, b in zip(xs, ys, strict=True)
            if math.isfinite(a) and math.isfinite(b)
        ]

    def line(self, xs: Sequence[float], ys: Sequence[float], tolerance: float = 0.25, **attributes: object) -> Markup:
        """Return a polyline through the values."""
        return el("path", d=path_data(simplify(self.points(xs, ys), tolerance)), **attributes)

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], **attributes: object) -> Markup:
        """Return the area between two curves."""
        keep = [i for i in range(len(xs)) if all(math.isfinite(v) for v in (xs[i], low[i], high[i]))]
        upper = self.points([xs[i] for i in keep], [high[i] for i in keep])
        lower = self.points([xs[i] for i in reversed(keep)], [low[i] for i in reversed(keep)])
        d = path_data(simplify(upper, 0.25) + simplify(lower, 0.25))
        return el("path", d=f"{d}Z" if d else "", **attributes)

    def layer(self, *children: str, clip: bool = True) -> Markup:
        """Return the stretched layer that lines and bands live in."""
        return el(
            "svg",
            *children,
            class_="lines" if clip else "lines free",
            viewBox=f"0 0 {ACROSS:g} {self.height}",
            preserveAspectRatio="none",
            width="100%",
            height=self.height,
        )


def path_data(points: Sequence[tuple[float, float]], decimals: int = 1) -> str:
    """Return path data in relative moves (shorter), at a tenth of a pixel unless told otherwise."""
    if not points:
        return ""
    (px, py), *rest = ((round(x, decimals) + 0.0, round(y, decimals) + 0.0) for x, y in points)
    out = [f"M{pair(px, py)}"]
    for k, (x, y) in enumerate(rest):
        step = pair(round(x - px, decimals), round(y - py, decimals))
        out.append(f"{'l' if k == 0 else '' if step.startswith('-') else ' '}{step}")
        px, py = x, y
    return "".join(out)


def pair(x: float, y: float) -> str:
    """Write two numbers with a comma only where no sign parts them."""
    return f"{x:g}{y:g}" if y < 0 else f"{x:g},{y:g}"


def simplify(points: Sequence[tuple[float, float]], tolerance: float) -> list[tuple[float, float]]:
    """Drop points whose absence moves the line by less than ``tolerance`` pixels.

    References
    ----------
    Douglas and Peucker (1973), Cartographica 10, 112-122; here with vertical distances, as the lines are functions.
    """
    if len(points) < 3:
        return list(points)
    keep = {0, len(points) - 1}
    todo = [(0, len(points) - 1)]
    while todo:
        a, b = todo.pop()
        (xa, ya), (xb, yb) = points[a], points[b]
        slope = (yb - ya) / (xb - xa) if xb != xa else 0.0
        worst, at = tolerance, -1
        for i in range(a + 1, b):
            x, y = points[i]
            if abs(y - ya - slope * (x - xa)) > worst:
                worst, at = abs(y - ya - slope * (x - xa)), i
        if at >= 0:
            keep.add(at)
            todo += [(a, at), (at, b)]
    return [points[i] for i in sorted(keep)]


def text(x: str | float, y: float, content: str, **attributes: object) -> Markup:
    """Return a text at a position."""
    return el("text", content, x=x, y=y, **attributes)


_SHAPES = {
    "circle": "M-4.5,0a4.5,4.5 0 1 0 9,0a4.5,4.5 0 1 0 -9,0z",
    "square": "M-4,-4h8v8h-8z",
    "diamond": "M0,-5.5l5.5,5.5l-5.5,5.5l-5.5,-5.5z",
    "triangle": "M0,-5.2l5,9h-10z",
    "dot": "M-2.5,0a2.5,2.5 0 1 0 5,0a2.5,2.5 0 1 0 -5,0z",
    "hourglass": "M-5,-4.8h10l-10,9.6h10z",
    "cross": "M-4,-4L4,4M-4,4L4,-4",
    "left": "M9,-6L0,0L9,6z",
    "right": "M-9,-6L0,0L-9,6z",
    "cut-left": "M6,-4L0,0L6,4",
    "cut-right": "M-6,-4L0,0L-6,4",
}


_LINES = {"cross", "cut-left", "cut-right"}  # drawn without a filling


def shapes() -> Markup:
    """Return the marks' shapes, defined once in the page; :func:`mark` refers to them."""
    return el(
        "svg", *(el("path", d=d, id=f"s-{name}") for name, d in _SHAPES.items()), class_="defs", aria_hidden="true"
    )


def mark(shape: str, x: str | float, y: float, title: str = "", css: str = "") -> Markup:
    """Return a mark of fixed size at a position in per cent."""
    told = [el("title", title)] if title else []
    css = " ".join(filter(None, ("mark", shape if shape in _LINES else "", css)))
    return el("use", *told, href=f"#s-{shape}", x=x, y=y, class_=css)


def x_axis(
    plot: Plot, label: str, about: int = 6, as_percent: bool = False, ends: tuple[str, str] | None = None
) -> Markup:
    """Return ticks, grid and title of the horizontal axis; ``ends`` says what its two directions mean."""
    ticks = plot.x.ticks(about)
    labels = [num(t, 2) for t in ticks] if plot.x.log else tick_labels(ticks, as_percent)
    if plot.x.log:
        labels = [_log_label(t) for t in ticks]
    parts = []
    for t, shown in zip(ticks, labels, strict=True):
        at = plot.across(t)
        parts.append(el("line", x1=at, x2=at, y1=0, y2=plot.height))
        parts.append(text(at, plot.height + 18, shown))
    parts.append(el("line", x1=0, x2="100%", y1=plot.height, y2=plot.height, class_="axis"))
    parts.append(text("50%", plot.height + 40, label, class_="axis-title mid"))
    if ends:
        parts.append(text(0, plot.height + 40, f"← {ends[0]}", class_="tick start side"))
        parts.append(text("100%", plot.height + 40, f"{ends[1]} →", class_="tick end side"))
    return group(*parts, class_="x-axis", aria_hidden="true")


def _log_label(value: float) -> str:
    exponent = math.floor(math.log10(value) + 1e-9)
    return f"{value:.{max(0, -exponent)}f}" if -3 <= exponent <= 3 else num(value, 1)


def y_axis(plot: Plot, label: str, about: int = 6, as_percent: bool = False, above: int = 0) -> Markup:
    """Return ticks, grid and title (above the axis, level, so that nobody tilts the head) of the vertical axis.

    ``above`` is the room that the chart keeps over its plane for labels.
    """
    ticks = plot.y.ticks(about)
    parts = []
    for t, shown in zip(ticks, tick_labels(ticks, as_percent), strict=True):
        y = plot.down(t)
        parts.append(el("line", x1=0, x2="100%", y1=y, y2=y))
        parts.append(text(-8, y + 4, shown))
    parts.append(text(-44, -18 - above, label, class_="axis-title start"))
    return group(*parts, class_="y-axis", aria_hidden="true")


def chart(plot: Plot, *children: str, label: str, margin: str = "", above: int = 0, **attributes: object) -> Markup:
    """Return the ``<svg>`` of a chart; ``label`` is what a screen reader says of it."""
    inner = el("svg", *children, y=above, class_="at", height=plot.height) if above else Markup("").join(children)
    return el(
        "svg",
        inner,
        class_=f"chart {margin}".strip(),
        role="img",
        aria_label=label,
        width="100%",
        height=plot.height + TOP + BOTTOM + above,
        **attributes,
    )


def strip(*children: str, height: int = STRIP, css: str = "") -> Markup:
    """Return the ``<svg>`` of one row of a chart that is a table, whose cells say its numbers to a screen reader.

    ``css`` names a kind of row whose heights and background the style sheet knows.
    """
    shown = None if height == STRIP else height
    return el("svg", *children, class_=f"strip {css}".strip(), aria_hidden="true", height=shown)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move label positions apart to at least ``gap``, as little as possible, within [low, high]; order is kept."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    blocks: list[tuple[float, int]] = []  # (sum of the first positions that its labels wish for, how many labels)

    def start(total: float, size: int) -> float:
        return max(min(total / size, high - gap * (size - 1)), low)

    for i in order:
        total, size = wanted[i], 1
        while blocks and start(*blocks[-1]) + gap * blocks[-1][1] > start(total, size):
            before, n = blocks.pop()
            total, size = before + total - size * n * gap, size + n
        blocks.append((total, size))
    out, at = [0.0] * len(wanted), iter(order)
    for total, size in blocks:
        for step in range(size):
            out[next(at)] = round(start(total, size) + gap * step, 1)
    return out
