"""Draws lesson.svg, the picture in docs/what-regularisation-does.md: one set of points, fitted four times.

python docs/images/lesson.py [FILE.svg or .png]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot

from bridle.job.lesson import make_lesson
from bridle.job.words import number
from bridle.results import Lesson, LessonFit

COLOURS = {"unregularised": "#5a6472", "ridge": "#b4550b", "lasso": "#1f65ad", "dropout": "#a33a86"}  # as in the report
INK, SOFT, LINE = "#1d2430", "#5a6472", "#c9c5bb"
STYLE = {"font.size": 11, "svg.hashsalt": "lesson", "text.color": INK, "axes.edgecolor": LINE, "xtick.color": SOFT}
STYLE |= {"ytick.color": SOFT, "axes.spines.top": False, "axes.spines.right": False}


def errors(fit: LessonFit) -> str:
    """What stands under a panel's title."""
    kept = f"; {fit.n_nonzero} bumps" if fit.name == "lasso" else ""
    return f"training error {number(fit.train_error, 2)}, true error {number(fit.true_error, 2)}{kept}"


def panel(ax: Any, lesson: Lesson, fit: LessonFit) -> None:
    """One fit, over the points and the truth."""
    ax.plot(lesson.grid, lesson.truth, color=INK, linewidth=1.3, linestyle=(0, (4, 3)), label="the truth")
    ax.plot(lesson.grid, fit.y, color=COLOURS[fit.name], linewidth=2.2, label="the fit")
    ax.plot(lesson.x, lesson.y, "o", color="white", markeredgecolor=INK, markersize=5, label="the points")
    ax.set_title(f"{fit.label}, {fit.setting}", loc="left", fontweight="bold", color=COLOURS[fit.name], pad=20)
    ax.text(0.0, 1.03, errors(fit), transform=ax.transAxes, color=SOFT)


def main(target: Path) -> None:
    """Draw all fits of the lesson on one scale."""
    lesson = make_lesson()
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(2, 2, figsize=(9.6, 7.0), sharex=True, sharey=True, layout="constrained")
        for ax, fit in zip(axes.flat, lesson.fits, strict=True):
            panel(ax, lesson, fit)
        axes[0, 0].legend(loc="lower left", frameon=False, labelcolor=INK)
        figure.get_layout_engine().set(w_pad=0.15, h_pad=0.12)
        said = "; ".join(f"{fit.label}, {fit.setting}: {errors(fit)}" for fit in lesson.fits)  # for a test, and readers
        metadata = {"Date": None, "Creator": None, "Description": said} if target.suffix == ".svg" else None
        figure.savefig(target, dpi=120, metadata=metadata)
    print(f"wrote {target} ({target.stat().st_size} bytes)")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "lesson.svg")
