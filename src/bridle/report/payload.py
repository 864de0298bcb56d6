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
PATH_DIGITS = 4  # of the largest coefficient on a path
COLUMNS = 150  # more columns than this are summed up; study.json beside the report has all
BOOTSTRAP_NOTE = "path coefficients have 4; bootstrap paths are drawn in the chart and stored in study.json"


def embedded(result: StudyResult) -> Markup:
    """Return the study as JSON that is safe inside a ``<script>`` element, numbers at six significant digits."""
    slim = dataclasses.replace(
        result,
        models=tuple(_slim(m) for m in result.models),
        data=dataclasses.replace(result.data, columns=result.data.columns[:COLUMNS]),
    )
    data = {"about": f"study.json at {DIGITS} digits; {BOOTSTRAP_NOTE}", **_rounded(to_json(slim))}
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # no character that could end the element is left


def _slim(model: ModelResult) -> ModelResult:
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


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        short = float(f"{value:.{DIGITS}g}")
        return int(short) if short.is_integer() and abs(short) < 1e15 else short
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else value
