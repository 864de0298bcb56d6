"""The study as JSON inside the page: what the script draws from, and where every number can be checked."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from markupsafe import Markup

from bridle.frozen import to_json
from bridle.results import ModelResult, StudyResult

DIGITS = 6
TABLES = ("coefficients", "checks", "comparisons", "attributions")  # lists that repeat their keys in every row
PATH_DIGITS = 4  # of the largest coefficient on a path
EPOCHS = 500  # a longer history is drawn and tabled on the page, and whole in study.json
COLUMNS = 150  # more columns than this are summed up on the page; study.json beside the report has all
LEFT_OUT = (
    "path coefficients have 4; columns, words of checks and effects are on the page; bootstrap paths are in "
    "study.json; lists of coefficients, checks, comparisons and attributions are tables: one list a column; the "
    "lesson and histories of more than 500 epochs are in study.json"
)


def embedded(result: StudyResult) -> Markup:
    """Return the study as JSON that is safe inside a ``<script>`` element, numbers at six significant digits."""
    slim = dataclasses.replace(
        result,
        models=tuple(_slim(m) for m in result.models),
        data=dataclasses.replace(result.data, columns=()),
        lesson=None,
    )
    data = {"about": f"study.json at {DIGITS} digits; {LEFT_OUT}", **_tabled(_rounded(to_json(slim)))}
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # no character that could end the element is left


def _slim(model: ModelResult) -> ModelResult:
    """Leave out what the page says in words, and what only the charts need."""
    said = tuple(
        dataclasses.replace(c, effect="", column="" if c.column == c.feature else c.column) for c in model.coefficients
    )
    whole = tuple(dataclasses.replace(t, words="", columns=()) for t in model.terms)
    model = dataclasses.replace(model, coefficients=said, terms=whole)
    if model.verdict is not None:
        checks = tuple(dataclasses.replace(c, message="", advice="") for c in model.verdict.checks)
        model = dataclasses.replace(model, verdict=dataclasses.replace(model.verdict, checks=checks))
    if model.history is not None and len(model.history.train) > EPOCHS:
        model = dataclasses.replace(model, history=dataclasses.replace(model.history, train=(), validation=()))
    if model.path is None:
        return model
    path = model.path
    largest = max((abs(v) for row in path.coefficients for v in row if math.isfinite(v)), default=0.0)
    decimals = PATH_DIGITS - 1 - math.floor(math.log10(largest)) if largest > 0 else 0
    drawn = tuple(tuple(_kept(v, decimals) for v in row) for row in path.coefficients)
    return dataclasses.replace(
        model, path=dataclasses.replace(path, coefficients=drawn, bootstrap=(), bootstrap_values=())
    )


def _kept(value: float, decimals: int) -> float:
    """Round to ``decimals``, or to three digits if that is finer: never to zero, which says "out of the model"."""
    if not math.isfinite(value):
        return value
    return round(value, decimals) if abs(value) >= 10.0 ** (2 - decimals) else float(f"{value:.3g}")


def _tabled(value: Any) -> Any:
    """Turn the lists of records named in ``TABLES`` into one list a column, so that each key is written once."""
    if isinstance(value, list):
        return [_tabled(v) for v in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, v in value.items():
        rows = v if key in TABLES and isinstance(v, list) and v and isinstance(v[0], dict) else None
        out[key] = _tabled(v) if rows is None else {k: [row[k] for row in rows] for k in rows[0]}
    return out


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        short = float(f"{value:.{DIGITS}g}")
        return int(short) if short.is_integer() and abs(short) < 1e15 else short
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else value
