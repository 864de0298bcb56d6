"""Frozen results to JSON and back: one generic pair of functions, so no result class writes its own.

Infinities and NaN have no JSON form; they become None and come back as NaN, so a reader can't take a missing
number for a real one.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from bridle.errors import FileFormatError

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Turn a (nested) frozen dataclass into what ``json.dumps(..., allow_nan=False)`` takes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    return value


def from_json(cls: type[T], data: Any) -> T:
    """Rebuild dataclass ``cls`` from :func:`to_json`'s output.

    Raises
    ------
    FileFormatError
        A field is missing or has the wrong type.
    """
    result: T = _build(cls, data, cls.__name__)
    return result


def _build(hint: Any, data: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return data
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in args:
            return None
        return _build(next(a for a in args if a is not type(None)), data, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(data, Mapping):
            raise FileFormatError(f"{where}: expected an object, got {type(data).__name__}")
        hints = typing.get_type_hints(hint)
        values = {}
        for field in dataclasses.fields(hint):
            if field.name in data:
                values[field.name] = _build(hints[field.name], data[field.name], f"{where}.{field.name}")
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise FileFormatError(f"{where}.{field.name} is missing")
        return hint(**values)
    if origin is tuple:
        if not isinstance(data, list | tuple):
            raise FileFormatError(f"{where}: expected a list, got {type(data).__name__}")
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_build(args[0], v, f"{where}[{i}]") for i, v in enumerate(data))
        if len(args) != len(data):
            raise FileFormatError(f"{where}: expected {len(args)} values, got {len(data)}")
        return tuple(_build(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(args, data, strict=True)))
    if origin in (dict, Mapping):
        if not isinstance(data, Mapping):
            raise FileFormatError(f"{where}: expected an object, got {type(data).__name__}")
        return {k: _build(args[1], v, f"{where}[{k!r}]") for k, v in data.items()}
    return _scalar(hint, data, where)


def _scalar(hint: Any, data: Any, where: str) -> Any:
    if hint is float:
        if data is None:
            return math.nan
        if isinstance(data, int | float) and not isinstance(data, bool):
            return float(data)
    elif isinstance(hint, type) and isinstance(data, hint) and not (hint is int and isinstance(data, bool)):
        return data
    raise FileFormatError(f"{where}: expected {getattr(hint, '__name__', hint)}, got {type(data).__name__}")
