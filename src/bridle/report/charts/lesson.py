"""The lesson's small multiples: the same points, the same truth, and what each technique makes of them."""

from __future__ import annotations

from itertools import pairwise

from markupsafe import Markup

from bridle.report.numbers import num, tick_labels
from bridle.report.svg import Plot, Scale, el, finite, group, padded, pair, text
from bridle.results import Lesson, LessonFit

HEIGHT = 190
MARGIN = (10, 26)  # above and below, equal to the padding in style.css


def plane(lesson: Lesson) -> Plot:
    """Return the plane that all fits share: made for the points and the truth, so that a wild fit leaves it."""
    xs, ys = finite([*lesson.grid, *lesson.x]), finite([*lesson.truth, *lesson.y])
    across = Scale(min(xs, default=0.0), max(xs, default=1.0))
    return Plot(across, Scale(*padded(min(ys, default=0.0), max(ys, default=1.0), 0.15)), HEIGHT)


def lesson_chart(lesson: Lesson, fit: LessonFit) -> Markup:
    """Draw one fit among the points and the truth; the area between the two lines is how wrong it is."""
    plot = plane(lesson)
    low = [min(a, b) for a, b in zip(fit.y, lesson.truth, strict=True)]
    high = [max(a, b) for a, b in zip(fit.y, lesson.truth, strict=True)]
    return el(
        "svg",
        _axes(plot),
        plot.layer(
            plot.band(lesson.grid, low, high, class_="band") if finite(fit.y) else "",
            plot.line(lesson.grid, lesson.truth, class_="truth"),
            plot.line(lesson.grid, fit.y, class_="held"),
        ),
        plot.layer(_points(plot, lesson), clip=False),
        class_="chart lesson-chart",
        role="img",
        aria_label=(
            f"{fit.label}{', ' if fit.setting else ''}{fit.setting}: fitted line, truth and {len(lesson.x)} points. "
            f"Training error {num(fit.train_error)}, true error {num(fit.true_error)}."
        ),
        width="100%",
        height=HEIGHT + sum(MARGIN),
    )


def leaves(lesson: Lesson, fit: LessonFit) -> tuple[float, float] | None:
    """Return the lowest and highest point of a fit that leaves the plane, else None."""
    there, shown = finite(fit.y), plane(lesson).y
    if not there or (min(there) >= shown.start and max(there) <= shown.stop):
        return None
    return min(there), max(there)


def _axes(plot: Plot) -> Markup:
    parts = []
    xs, ys = plot.x.ticks(4), plot.y.ticks(4)
    for t, shown in zip(xs, tick_labels(xs), strict=True):
        at = plot.across(t)
        side = "end" if plot.x(t) > 0.95 else "mid"
        parts += [el("line", x1=at, x2=at, y1=0, y2=HEIGHT), text(at, HEIGHT + 17, shown, class_=side)]
    for t, shown in zip(ys, tick_labels(ys), strict=True):
        y = plot.down(t)
        parts += [el("line", x1=0, x2="100%", y1=y, y2=y), text(-7, y + 4, shown, class_="end")]
    parts.append(el("rect", x=0, y=0, width="100%", height=HEIGHT, class_="frame"))
    return group(*parts, class_="lesson-axes", aria_hidden="true")


def _points(plot: Plot, lesson: Lesson) -> Markup:
    """One path of zero-length strokes with round caps, as in the cloud of the residuals."""
    at = sorted((round(x), round(y)) for x, y in plot.points(lesson.x, lesson.y))
    d = "".join(f"m{pair(x - px, y - py)}h0" for (px, py), (x, y) in pairwise([(0, 0), *at]))
    return el("path", d=d, class_="lesson-points")
