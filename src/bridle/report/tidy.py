"""Names as they may be shown: text from a stranger's table can't turn the page's own text around or break it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

# Control characters, lone surrogates (no UTF-8 form), and marks that override the direction of the text after them.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def tidied(value: T) -> T:
    """Return a result with every character that can't be shown replaced, in all its texts."""
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
    if isinstance(value, tuple) and value and not isinstance(value[0], int | float):
        return tuple(_walk(v) for v in value)
    return value
