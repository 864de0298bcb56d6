"""Kinds of penalties by name and parameters: ``"sparse_group_lasso(l1_share=0.95)"``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from bridle.errors import InputError
from bridle.losses import parse_spec


@dataclass(frozen=True)
class Kind:
    """One kind of penalty, with its parameters."""

    name: str
    words: str  # as a curve and a report call it
    grouped: bool = False  # norms of groups take part
    concave: str = ""  # "mcp" or "scad"
    parameters: Mapping[str, float] = field(default_factory=dict)
    initial: str = ""  # of an adaptive penalty the first fit, one of INITIALS

    @property
    def spec(self) -> str:
        """Name with parameters, as :func:`read_penalty` reads it."""
        parameters = dict(self.parameters) | ({"initial": self.initial} if self.initial else {})
        given = ", ".join(f"{name}={repr(value).removesuffix('.0')}" for name, value in parameters.items())
        return f"{self.name}({given})" if given else self.name

    @property
    def separable(self) -> bool:
        """Whether it is a sum of convex terms, one per feature."""
        return not (self.grouped or self.concave)

    @property
    def core_name(self) -> str:
        """What the core calls it: adaptive weights are factors there."""
        return self.name.removeprefix("adaptive_")

    @property
    def l1_share(self) -> float:
        """Share t of the L1 part that single coefficients take, the rest being the groups'."""
        return self.parameters.get("l1_share", 0.0)

    @property
    def gamma(self) -> float:
        """Where a concave penalty becomes flat, in units of its slope at 0; of adaptive weights the power."""
        return self.parameters.get("gamma", 3.0)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("elastic_net", "elastic net"),
        Kind("group_lasso", "group lasso", grouped=True),
        Kind("sparse_group_lasso", "sparse group lasso", grouped=True, parameters={"l1_share": 0.95}),
        Kind("mcp", "MCP", concave="mcp", parameters={"gamma": 3.0}),
        Kind("scad", "SCAD", concave="scad", parameters={"gamma": 3.7}),
        Kind("group_mcp", "group MCP", grouped=True, concave="mcp", parameters={"gamma": 3.0}),
        Kind("group_scad", "group SCAD", grouped=True, concave="scad", parameters={"gamma": 3.7}),
        Kind("adaptive_lasso", "adaptive lasso", parameters={"gamma": 1.0}, initial="ridge"),
        Kind("adaptive_group_lasso", "adaptive group lasso", grouped=True, parameters={"gamma": 1.0}, initial="ridge"),
    )
}
_LEAST_GAMMA = {"mcp": 1.0, "scad": 2.0}
INITIALS = ("ridge", "ols", "lasso")


def read_penalty(spec: object) -> Kind:
    """Return the kind of penalty of this name or ``spec``.

    Parameters
    ----------
    spec : str
        ``"mcp"``, or with parameters ``"mcp(gamma=4)"``.

    Returns
    -------
    Kind
        With every parameter filled in.

    Raises
    ------
    InputError
        There is no such penalty, or not with these parameters.
    """
    return _read(spec) if isinstance(spec, str) else _read_new(spec)


def _read_new(spec: object) -> Kind:
    name, given = parse_spec(spec, "penalty", KINDS)
    usual = KINDS[name]
    initial = given.pop("initial", usual.initial) if usual.initial else ""
    if usual.initial and initial not in INITIALS:
        raise InputError(f"penalty {spec!r}: initial must be one of {', '.join(INITIALS)}; got {initial!r}")
    for parameter, value in given.items():
        if parameter not in usual.parameters:
            known = ", ".join(usual.parameters) or "none"
            raise InputError(f"penalty {spec!r}: {name} has no parameter {parameter!r}; it has {known}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"penalty {spec!r}: {parameter} must be a number; got {value!r}")
    parameters = dict(usual.parameters) | {parameter: float(value) for parameter, value in given.items()}
    kind = Kind(name, usual.words, usual.grouped, usual.concave, parameters, initial)
    if not 0.0 <= kind.l1_share <= 1.0:
        raise InputError(f"penalty {spec!r}: l1_share must lie in [0, 1]; got {kind.l1_share!r}")
    if kind.concave and not _LEAST_GAMMA[kind.concave] < kind.gamma < float("inf"):
        raise InputError(
            f"penalty {spec!r}: gamma must be finite and above {_LEAST_GAMMA[kind.concave]:g}; got {kind.gamma!r}"
        )
    if kind.initial and not 0.0 < kind.gamma < float("inf"):
        raise InputError(f"penalty {spec!r}: gamma must be finite and above 0; got {kind.gamma!r}")
    return kind


_read = lru_cache(maxsize=256)(_read_new)
