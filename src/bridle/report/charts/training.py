"""A network's training, epoch by epoch, with the epoch that was kept; and whether its intervals keep their promise."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from bridle.report.numbers import count, num, percent, percent_interval, plural
from bridle.report.svg import (
    Plot,
    Scale,
    chart,
    el,
    finite,
    group,
    mark,
    padded,
    path_data,
    simplify,
    spread,
    text,
    x_axis,
    y_axis,
)
from bridle.results import Coverage, MonteCarlo, TrainingHistory

HEIGHT = 230
COLUMNS = 250  # a longer history is drawn by its lowest and highest loss in as many stretches
DOTTED = 12  # so few epochs are drawn as points too


def history_range(history: TrainingHistory) -> tuple[float, float]:
    """Return the vertical range: all losses, less an explosion in a few epochs that would flatten the rest."""
    seen = sorted(finite([*history.train, *history.validation]))
    if not seen:
        return 0.0, 1.0
    low, high = seen[0], seen[-1]
    at = history.best_epoch - 1
    kept = finite(series[at] for series in _series(history) if 0 <= at < len(series))
    calm = max([seen[int(0.9 * (len(seen) - 1))], *kept])
    if high - low > 6 * (calm - low) > 0:
        high = low + 2 * (calm - low)
    return padded(low, high, 0.05)


def _series(history: TrainingHistory) -> list[tuple[float, ...]]:
    return [s for s in (history.train, history.validation) if s]


def training_history(history: TrainingHistory, label: str, loss_name: str) -> Markup:
    """Draw training and validation loss by epoch, the kept epoch marked and what came after it shaded."""
    epochs = max(len(history.train), len(history.validation), 1)
    plot = Plot(Scale(1.0, float(epochs)), Scale(*history_range(history)), HEIGHT)
    kept = history.best_epoch if 1 <= history.best_epoch <= epochs else 0  # 0: training failed before it kept any
    at = plot.across(kept)
    parts: list[Markup] = []
    if 0 < kept < epochs:
        parts.append(el("rect", x=at, width=f"{100 * (1 - plot.x(kept)):.2f}%", y=0, height=HEIGHT, class_="after"))
    parts += [
        x_axis(plot, "epoch: one pass over the rows trained on", min(6, max(epochs - 1, 1))),
        y_axis(plot, loss_name, above=14),
        plot.layer(_line(plot, history.train, "train"), _line(plot, history.validation, "held")),
        *_dots(plot, history, kept, epochs),
        _ends(plot, history),
    ]
    if kept:
        said = f"kept: epoch {count(kept)}"
        parts.insert(-2, el("line", x1=at, x2=at, y1=0, y2=HEIGHT, class_="pin chosen"))
        parts.append(text(at, -5, said, class_=f"pin-label strong {_side(plot.x(kept))}"))
    return chart(plot, *parts, label=f"Training of {label}: {_spoken(history, kept)}", margin="wide-right", above=14)


def _side(x: float) -> str:
    return "start" if x < 0.15 else "end" if x > 0.85 else "mid"


def _line(plot: Plot, losses: Sequence[float], css: str) -> Markup:
    """Draw a line that breaks where the loss is no number."""
    runs: list[list[tuple[float, float]]] = [[]]
    for epoch, loss in enumerate(losses, 1):
        if math.isfinite(loss):
            runs[-1].append((float(epoch), loss))
        elif runs[-1]:
            runs.append([])
    d = "".join(
        path_data(simplify(plot.points(*zip(*_thinned(run, len(losses)), strict=True)), 0.3)) for run in runs if run
    )
    return el("path", d=d, class_=css)


def _thinned(run: list[tuple[float, float]], epochs: int) -> list[tuple[float, float]]:
    """Keep the lowest and the highest loss of each stretch of a long history, in their order."""
    width = math.ceil(epochs / COLUMNS)
    if width <= 2:
        return run
    kept = []
    for start in range(0, len(run), width):
        stretch = run[start : start + width]
        ends = {min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept


def _dots(plot: Plot, history: TrainingHistory, kept: int, epochs: int) -> list[Markup]:
    drawn = []
    for losses, css in ((history.train, "train-dot"), (history.validation, "")):
        for epoch, loss in enumerate(losses, 1):
            there = epoch == kept or epochs <= DOTTED
            if there and plot.y.start <= loss <= plot.y.stop:
                shape = "circle" if epoch == kept else "dot"
                drawn.append(mark(shape, plot.across(epoch), plot.down(loss), css=css))
    return drawn


def _ends(plot: Plot, history: TrainingHistory) -> Markup:
    named = (("set aside", history.validation, "held-label"), ("trained on", history.train, "train-label"))
    there = [(name, finite(losses)[-1], css) for name, losses, css in named if finite(losses)]
    wanted = [min(max(plot.down(v), 4.0), plot.height - 2.0) for _, v, _ in there]
    ys = spread(wanted, 15, 6, plot.height)
    return group(
        *(text("100%", y + 4, n, dx=8, class_=f"end-label {css}") for (n, _, css), y in zip(there, ys, strict=True)),
        aria_hidden="true",
    )


def _spoken(history: TrainingHistory, kept: int) -> str:
    if not history.validation:
        last = num(next(reversed(finite(history.train)), None))
        return f"the error on the rows trained on is {last} in the end; no rows were set aside."
    if not kept:
        return "no epoch was kept."
    best = history.validation[kept - 1] if kept <= len(history.validation) else math.nan
    return (
        f"epoch {count(kept)} of {count(len(history.validation))} was kept, with an error of {num(best)} on rows set "
        f"aside; training ended by {history.stopped}."
    )


def coverage(found: MonteCarlo, label: str) -> Markup:
    """Draw the share that intervals covered against the share that they promise, with the diagonal."""
    points = [c for c in found.coverage if math.isfinite(c.covered.value)]
    seen = finite(v for c in points for v in (c.level, c.covered.value, c.covered.lower))
    low = max(math.floor(10 * min(seen, default=0.5) - 0.2) / 10, 0.0)
    plot = Plot(Scale(low, 1.0), Scale(low, 1.0), HEIGHT)
    parts = [
        x_axis(plot, "share that the interval promises to hold", 5, True),
        y_axis(plot, "share that it held", 5, True),
        plot.layer(plot.line([low, 1.0], [low, 1.0], class_="diagonal")),
    ]
    for c in points:
        at, it = plot.across(c.level), c.covered
        if math.isfinite(it.lower) and math.isfinite(it.upper):
            parts.append(el("line", x1=at, x2=at, y1=plot.down(it.upper), y2=plot.down(it.lower), class_="whisker"))
        said = f"promised {percent(c.level)}, held {percent_interval(it, signed=False)}"
        parts.append(mark("circle", at, plot.down(it.value), said, css="open" if _kept(c) else ""))
    parts.append(text("3%", 16, "above: too wide", class_="note start"))
    parts.append(text("97%", HEIGHT - 10, "below: too narrow", class_="note end"))
    agree = sum(1 for c in points if _kept(c))
    return chart(
        plot,
        *parts,
        label=(
            f"Calibration of the intervals of {label}: at {agree} of {plural(len(points), 'level')} the share promised "
            f"is within the interval of the share held."
        ),
    )


def _kept(c: Coverage) -> bool:
    """Whether the share covered can't be told from the share promised."""
    return c.covered.lower <= c.level <= c.covered.upper


def promise(c: Coverage) -> str:
    """Say in a word or two whether intervals of one level kept their promise."""
    if not (math.isfinite(c.covered.lower) and math.isfinite(c.covered.upper)):
        return "not known"
    return "as promised" if _kept(c) else "too narrow" if c.covered.upper < c.level else "too wide"
