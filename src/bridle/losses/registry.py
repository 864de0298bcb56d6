"""Families by name, and by name with parameters."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from bridle.errors import InputError
from bridle.losses.base import Family
from bridle.losses.canonical import BINOMIAL, GAUSSIAN, POISSON, Binomial, Gaussian, Poisson
from bridle.losses.log_link import GAMMA, Gamma, negative_binomial, tweedie
from bridle.losses.robust import Huber, Quantile, SquaredHinge


def _elsewhere(module: str, name: str) -> Callable[..., Family]:
    """Return what makes a family of a layer above, which is imported when it is asked for."""

    def make(**parameters: Any) -> Family:
        made = getattr(importlib.import_module(module), name)(**parameters)
        assert isinstance(made, Family)
        return made

    return make


FAMILIES: dict[str, Callable[..., Family]] = {
    "gaussian": Gaussian,
    "binomial": Binomial,
    "poisson": Poisson,
    "gamma": Gamma,
    "tweedie": tweedie,
    "negative_binomial": negative_binomial,
    "huber": Huber,
    "quantile": Quantile,
    "squared_hinge": SquaredHinge,
    "cox": _elsewhere("bridle.survival", "CoxFamily"),
    "multinomial": _elsewhere("bridle.several", "Multinomial"),
    "multigaussian": _elsewhere("bridle.several", "MultiGaussian"),
    "ordinal": _elsewhere("bridle.several", "Ordinal"),
}
"""What makes a family of this name from its parameters."""

_known: dict[str, Family] = {f.spec: f for f in (GAUSSIAN, BINOMIAL, POISSON, GAMMA)}  # by spec


def register_family(kind: type[Family]) -> type[Family]:
    """Make a class of your own known by its name, so that options and saved models can name it; also a decorator.

    Parameters
    ----------
    kind : type
        A subclass of :class:`Family` with a ``name``.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    InputError
        The name is taken by another class.
    """
    known = FAMILIES.setdefault(kind.name, kind)
    if known is not kind and getattr(known, "__qualname__", None) != kind.__qualname__:
        raise InputError(f"there is a family named {kind.name!r} already: choose another name")
    FAMILIES[kind.name] = kind
    return kind


def get_family(spec: str | Family) -> Family:
    """Return the family of this name or ``spec``.

    Parameters
    ----------
    spec : str or Family
        ``"poisson"``, or with parameters ``"tweedie(power=1.5)"``. A family of your own is given as it is; from then
        on its ``spec`` names it in this process.

    Returns
    -------
    Family
        The same object for the same spec.

    Raises
    ------
    InputError
        There is no such family, or not with these parameters.
    """
    if isinstance(spec, Family):
        return _known.setdefault(spec.spec, spec)
    found = _known.get(spec) if isinstance(spec, str) else None
    if found is None:
        name, parameters = parse_spec(spec, "family", FAMILIES)
        try:
            made = FAMILIES[name](**parameters)
        except (TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"family {spec!r} can't be made: {_wrong(name, parameters) or error}") from None
        found = _known.setdefault(made.spec, made)
        _known[spec] = found
    return found


def _wrong(name: str, parameters: dict[str, Any]) -> str:
    """Say which parameter a family doesn't have or can't take, if that can be told; "" if not."""
    known = list(FAMILIES[name]().parameters)
    for parameter, value in parameters.items():
        if parameter not in known:
            return f"{name} has no parameter {parameter!r}; it has {', '.join(known) or 'none'}"
        if not isinstance(value, int | float):
            return f"{parameter} must be a number; got {value!r}"
    return ""


def parse_spec(spec: object, what: str, names: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """Read a name with parameters, ``"tweedie(power=1.5)"``.

    Parameters
    ----------
    spec : object
        What was given.
    what : str
        What it names, for the message.
    names : iterable of str
        Names that there are.

    Returns
    -------
    tuple
        Name, and the parameters by name: numbers and strings.

    Raises
    ------
    InputError
        It isn't a string, names nothing there is, or can't be read.
    """
    match = re.fullmatch(r"\s*(\w+)\s*(\(.*\))?\s*", spec) if isinstance(spec, str) else None
    if match is None or match[1] not in names:
        raise InputError(f"unknown {what} {spec!r}; expected one of {', '.join(names)}")
    try:
        call = ast.parse(f"f{match[2] or '()'}", mode="eval").body
        assert isinstance(call, ast.Call) and not call.args
        return match[1], {str(k.arg): _value(k.value) for k in call.keywords}
    except (AssertionError, SyntaxError, ValueError):
        raise InputError(f"{what} {spec!r} can't be read; expected {match[1]}(parameter=value, ...)") from None


def _value(node: ast.expr) -> Any:
    """Return a number, a string, or infinity."""
    return float("inf") if isinstance(node, ast.Name) and node.id == "inf" else ast.literal_eval(node)
