"""What the templates show of several classes or responses: effects by column, confusion, each by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bridle.diagnosis.verdict import Interval
from bridle.losses import get_family
from bridle.report.charts.paths import coefficient_bar
from bridle.report.look import Look, look
from bridle.report.numbers import count, interval, num, percent, plural
from bridle.report.svg import finite
from bridle.report.views import best_first, best_model
from bridle.results import Coefficient, ModelResult, Output, StudyResult

MOST_COLUMNS = 12  # classes or responses with a column of their own
CELLS_OF_BEST, CELLS_OF_OTHERS = 300, 90  # of the table of effects, of the recommended model and of the others
OPEN = 4  # classes or responses whose charts aren't folded away
SHADES = 9  # of the confusion table, style.css


@dataclass(frozen=True)
class Cell:
    """The effect of one standard deviation of a feature on one class or response."""

    value: float
    chart: Markup
    shown: str
    said: str  # coefficient per unit, with its interval


@dataclass(frozen=True)
class Row:
    """One feature."""

    coefficient: Coefficient
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Effects:
    """The effects of one model, a column for each class or response."""

    model: ModelResult
    look: Look
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    hidden: int  # features
    left_out: int  # classes or responses


def what(result: StudyResult) -> str:
    """Return what the columns are called: "class" or "response"."""
    return "class" if result.data.classes else "response"


def effects(result: StudyResult) -> list[Effects]:
    """Return the effects of every model that has some for each class or response, the recommended model first."""
    names = result.data.classes or result.data.responses
    made = []
    for m in best_first(result, result.models):
        if m.coefficients and m.coefficients[0].by_output:
            cells = CELLS_OF_BEST if m.name == result.best else CELLS_OF_OTHERS
            most = min(max(cells // min(len(names), MOST_COLUMNS), 8), 60)
            made.append(_effects(m, names, m.coefficients[:most], bool(result.data.classes)))
    return made


def _effects(model: ModelResult, names: tuple[str, ...], shown: Sequence[Coefficient], classes: bool) -> Effects:
    sizes = [[c.by_output[k].value * c.scale for c in shown] for k in range(len(names))]
    largest = [max((abs(v) for v in finite(of)), default=0.0) for of in sizes]
    columns = sorted(sorted(range(len(names)), key=lambda k: -largest[k])[:MOST_COLUMNS])
    common = 1.15 * max(largest, default=0.0)
    reach = [common if classes else 1.15 * most for most in largest]
    rows = tuple(Row(c, tuple(_cell(c, k, reach[k], classes) for k in columns)) for c in shown)
    hidden = len(model.coefficients) - len(shown)
    return Effects(model, look(model.name), tuple(names[k] for k in columns), rows, hidden, len(names) - len(columns))


def _cell(c: Coefficient, k: int, reach: float, classes: bool) -> Cell:
    it = c.by_output[k]
    value = it.value * c.scale
    if it.value == 0.0:
        shown = "–"
    elif classes:
        shown = f"× {num(math.exp(min(value, 700.0)))}"
    else:
        shown = num(value, 3, True)
    return Cell(value, coefficient_bar(value, reach), shown, interval(Interval(it.value, it.lower, it.upper, it.level)))


def effects_lead(result: StudyResult) -> str:
    """Say how to read the table of effects."""
    if result.data.classes:
        return (
            "Each column is a class. A bar to the right makes the class likelier where the feature is larger; the "
            "number is the factor on its odds, for one standard deviation, against a class without an effect (–)."
        )
    return (
        "Each column is a response. The number is what one standard deviation more of the feature adds to it, in its "
        "own unit; bars have a scale of their own in each column."
    )


def effects_note(result: StudyResult) -> str:
    """Say what the numbers don't mean."""
    if result.data.classes:
        return (
            "Only differences between classes are real: the odds of one class against another change by the ratio of "
            "their two factors, and raising all classes alike would change nothing."
        )
    return "All responses share one penalty strength, each measured in its own standard deviations."


def weight(rows: float) -> str:
    """Write a number of rows, or their weight."""
    return count(int(rows)) if float(rows).is_integer() else num(rows)


@dataclass(frozen=True)
class Tally:
    """One cell of the confusion table."""

    count: float
    share: float  # of the rows of the class
    css: str


@dataclass(frozen=True)
class Confusion:
    """Held-out rows by what they are and what was predicted."""

    names: tuple[str, ...]
    rows: tuple[tuple[Tally, ...], ...]
    caption: str


def confusion(result: StudyResult) -> Confusion | None:
    """Lay out the confusion table, shaded by the share of each class's rows."""
    if not result.confusion:
        return None
    rows = []
    for k, row in enumerate(result.confusion):
        total = sum(row)
        shares = [v / total if total > 0 else 0.0 for v in row]
        rows.append(
            tuple(
                Tally(v, s, f"{'hit' if j == k else 'miss'} shade-{round(SHADES * s)}")
                for j, (v, s) in enumerate(zip(row, shares, strict=True))
            )
        )
    return Confusion(result.data.classes, tuple(rows), _confusion_caption(result))


def _confusion_caption(result: StudyResult) -> str:
    names, table = result.data.classes, result.confusion
    wrong = [(table[i][j], names[i], names[j]) for i in range(len(names)) for j in range(len(names)) if i != j]
    most = max(wrong, default=(0.0, "", ""))
    total, right = sum(map(sum, table)), sum(table[k][k] for k in range(len(names)))
    if not total > 0:
        return ""
    said = f"Rows are what is, columns what was predicted: {percent(right / total)} lie on the diagonal."
    if most[0] > 0:
        said += f" The most frequent mistake is {most[2]} for {most[1]} ({weight(most[0])} row{'s' * (most[0] != 1)})."
    if get_family(result.data.family).name == "ordinal":
        far = sum(table[i][j] for i in range(len(names)) for j in range(len(names)) if abs(i - j) > 1)
        said += f" {percent(far / total)} are off by more than one level."
    return said


@dataclass(frozen=True)
class One:
    """One class or response on held-out rows."""

    output: Output
    caption: str


def ones(result: StudyResult) -> list[One]:
    """Return each class or response by itself."""
    return [One(o, _one_caption(o, bool(result.data.classes))) for o in result.outputs]


def _one_caption(output: Output, classes: bool) -> str:
    bins = output.points.calibration
    inside = sum(b.lower <= b.predicted <= b.upper for b in bins)
    said = f"{inside} of {plural(len(bins), 'group')} agree with what was predicted, within the interval."
    if not classes:
        return said
    found, right = output.scores.get("found"), output.scores.get("right")
    if found is not None:
        said += f" Of its rows {percent(found.value)} are predicted to be {output.name}"
        said += (
            f"; of the rows predicted to be it, {percent(right.value)} are."
            if right is not None
            else "; no others are."
        )
    return said


def paths_note(result: StudyResult) -> str:
    """Say what the lines of the path chart are, where features have several effects."""
    if not any(c.by_output for c in best_model(result).coefficients):
        return ""
    many = "classes" if result.data.classes else "responses"
    return f" A line is the size of a feature's effects on all {many} together (the root of their sum of squares)."
