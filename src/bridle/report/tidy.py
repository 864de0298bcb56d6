"""A result as it may be shown: no text that turns the page's own around, no infinity that study.json would lose."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

# Control characters, lone surrogates (no UTF-8 form), and marks that override the direction of the text after them.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def tidied(value: T) -> T:
    """Return a result with every character that can't be shown replaced, and infinities missing as in study.json."""
    result: T = _walk(value)
    return result


def _walk(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSHOWABLE.sub("\ufffd", value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: _walk(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **changed)
    if isinstance(value, Mapping):
        return {_walk(k): _walk(v) for k, v in value.items()}
    if isinstance(value, tuple):
        if all(isinstance(v, int | float) for v in value):
            return tuple(math.nan if math.isinf(v) else v for v in value) if any(map(math.isinf, value)) else value
        return tuple(_walk(v) for v in value)
    return math.nan if isinstance(value, float) and math.isinf(value) else value
