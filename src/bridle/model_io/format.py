"""model.bridle: which of a model's values go into the box, and how they are checked on the way out.

Format 1 (docs/model-format.md). A reader takes every version up to its own; ``kind`` says which class of model the
rest describes, so that other kinds can join without a new format.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.errors import BridleError, FileFormatError
from bridle.frozen import from_json, to_json
from bridle.losses import get_family
from bridle.model_io.base import Meta, TableModel
from bridle.model_io.container import read_container, write_container
from bridle.model_io.model import Model
from bridle.model_io.network import NetworkModel
from bridle.model_io.several import SeveralModel
from bridle.model_io.survival import SurvivalModel
from bridle.nets.packed import Outline, pack, unpack
from bridle.several import SeveralFamily
from bridle.survival import BaselineHazard

Float = NDArray[np.float64]

FORMAT_NAME = "bridle-model"
FORMAT = 1


@dataclass(frozen=True)
class _Linear:
    """What the manifest says of a linear model, apart from its encoder."""

    family: str
    target: str
    classes: tuple[str, ...]
    intercept: float
    offset: str
    reference_offset: float


@dataclass(frozen=True)
class _Network:
    """The same of a network; its numbers are one array, whose shapes follow from the outline."""

    family: str
    target: str
    classes: tuple[str, ...]
    network: Outline
    offset: str
    reference_offset: float


@dataclass(frozen=True)
class _Several:
    """The same of a model with several predictors."""

    family: str
    target: str
    outputs: tuple[str, ...]
    offset: str
    reference_offset: float


@dataclass(frozen=True)
class _Survival:
    """The same of times to an event; times and log jumps of all strata follow one another in two arrays."""

    family: str
    target: str
    classes: tuple[str, ...]
    intercept: float
    offset: str
    reference_offset: float
    event: str
    label: str
    strata: str
    levels: tuple[str, ...]
    times: tuple[float, ...]
    numbers: tuple[float, ...]  # of the strata that have a hazard
    lengths: tuple[int, ...]  # how many jumps each of them has
    centre: float


def save(model: TableModel, path: str | os.PathLike[str]) -> None:
    """Write ``model`` to ``path``, whole or not at all, the same bytes for the same model.

    Raises
    ------
    OSError
        The folder can't be written, or the disk is full; a file already there is then as it was.
    """
    import bridle

    record, arrays = _WRITERS[model.kind](model)
    manifest = {
        "format": FORMAT_NAME,
        "version": FORMAT,
        "bridle": bridle.__version__,
        "kind": model.kind,
        "model": to_json(record),
        "encoder": model.encoder.to_dict(),
        "meta": to_json(model.meta),
    }
    write_container(path, manifest, {**arrays, "reference": model.reference})


def load(path: str | os.PathLike[str]) -> TableModel:
    """Read a model file; safe for files from strangers: nothing is unpickled, extracted or executed.

    Parameters
    ----------
    path
        A file that bridle wrote, of any version up to its own.

    Raises
    ------
    FileFormatError
        The file is damaged, hostile, something else, or of a version that this bridle doesn't know.
    OSError
        The file can't be read.
    """
    manifest, arrays = read_container(path)
    where = f"{os.fspath(path)!s} isn't a usable model file"
    if manifest.get("format") != FORMAT_NAME:
        raise FileFormatError(f"{where}: its format is {manifest.get('format')!r}, expected {FORMAT_NAME!r}")
    version, kind = manifest.get("version"), manifest.get("kind")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise FileFormatError(f"{where}: its version is {version!r}, expected a whole number from 1 to {FORMAT}")
    if version > FORMAT:
        raise FileFormatError(
            f"{os.fspath(path)!s} has format version {version}, written by bridle {manifest.get('bridle')!s:.40}; this "
            f"bridle reads versions up to {FORMAT}. Upgrade with: pip install --upgrade bridle"
        )
    if not isinstance(kind, str) or kind not in _READERS:
        raise FileFormatError(
            f"{where}: it holds a model of kind {kind!r}, expected one of {sorted(_READERS)}; "
            "a newer bridle may know it"
        )
    try:
        return _READERS[kind](manifest, arrays)
    except (BridleError, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise FileFormatError(f"{where}: its content doesn't fit together ({error!s:.300})") from error


def _write_linear(model: Any) -> tuple[_Linear, dict[str, Float]]:
    common = (model.family, model.target, model.classes)
    return _Linear(*common, model.intercept, model.offset, model.reference_offset), {"coef": model.coef}


def _write_network(model: Any) -> tuple[_Network, dict[str, Float]]:
    outline, values = pack(model.network)
    common = (model.family, model.target, model.classes)
    return _Network(*common, outline, model.offset, model.reference_offset), {"network": values}


def _write_several(model: Any) -> tuple[_Several, dict[str, Float]]:
    record = _Several(model.family, model.target, model.outputs, model.offset, model.reference_offset)
    return record, {"coef": model.coef.ravel(), "intercept": model.intercept}


def _read_several(manifest: Mapping[str, Any], arrays: Mapping[str, Float]) -> SeveralModel:
    _expect(arrays, "coef", "intercept")
    record = from_json(_Several, manifest["model"])
    coef, family = arrays["coef"], get_family(record.family)
    if isinstance(family, SeveralFamily) and not family.shared:
        coef = coef.reshape(-1, len(record.outputs))
    common = _common(manifest, arrays, record)
    return SeveralModel(**common, outputs=record.outputs, intercept=arrays["intercept"], coef=coef)


def _read_linear(manifest: Mapping[str, Any], arrays: Mapping[str, Float]) -> Model:
    _expect(arrays, "coef")
    record = from_json(_Linear, manifest["model"])
    return Model(**_common(manifest, arrays, record), intercept=record.intercept, coef=arrays["coef"])


def _read_network(manifest: Mapping[str, Any], arrays: Mapping[str, Float]) -> NetworkModel:
    _expect(arrays, "network")
    record = from_json(_Network, manifest["model"])
    return NetworkModel(**_common(manifest, arrays, record), network=unpack(record.network, arrays["network"]))


def _write_survival(model: Any) -> tuple[_Survival, dict[str, Float]]:
    hazard = model.hazard
    record = _Survival(
        model.family, model.target, model.classes, model.intercept, model.offset, model.reference_offset, model.event,
        model.label, model.strata, model.levels, model.times, tuple(hazard.strata.tolist()),
        tuple(t.size for t in hazard.times), hazard.centre,
    )  # fmt: skip
    none = np.zeros(0)
    series = {"hazard_times": hazard.times, "hazard_log_jumps": hazard.log_jumps}
    return record, {"coef": model.coef, **{name: np.concatenate([none, *parts]) for name, parts in series.items()}}


def _read_survival(manifest: Mapping[str, Any], arrays: Mapping[str, Float]) -> SurvivalModel:
    _expect(arrays, "coef", "hazard_times", "hazard_log_jumps")
    record = from_json(_Survival, manifest["model"])
    ends = np.cumsum(record.lengths, dtype=np.int64)
    total = int(ends[-1]) if ends.size else 0
    if min(record.lengths, default=0) < 0 or {arrays[f"hazard_{n}"].size for n in ("times", "log_jumps")} != {total}:
        raise FileFormatError(f"its strata have {record.lengths} jumps, which isn't what its arrays hold")
    times, jumps = (tuple(np.split(arrays[f"hazard_{name}"], ends[:-1])) for name in ("times", "log_jumps"))
    return SurvivalModel(
        **_common(manifest, arrays, record), intercept=record.intercept, coef=arrays["coef"],
        hazard=BaselineHazard(np.array(record.numbers, dtype=np.float64), times, jumps, record.centre),
        event=record.event, label=record.label, strata=record.strata, levels=record.levels, times=record.times,
    )  # fmt: skip


def _expect(arrays: Mapping[str, Float], *names: str) -> None:
    if set(arrays) != {*names, "reference"}:
        raise FileFormatError(f"it holds the arrays {sorted(arrays)}, expected {' and '.join((*names, 'reference'))}")


def _common(
    manifest: Mapping[str, Any], arrays: Mapping[str, Float], record: _Linear | _Network | _Several | _Survival
) -> dict[str, Any]:
    """What models of all kinds are made of."""
    from bridle.design import Encoder

    return {
        "encoder": Encoder.from_dict(manifest["encoder"]),
        "family": record.family,
        "target": record.target,
        **({} if isinstance(record, _Several) else {"classes": record.classes}),
        "reference": arrays["reference"],
        "meta": from_json(Meta, manifest["meta"]),
        "offset": record.offset,
        "reference_offset": record.reference_offset,
    }


_READERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Float]], TableModel]] = {
    Model.kind: _read_linear,
    NetworkModel.kind: _read_network,
    SeveralModel.kind: _read_several,
    SurvivalModel.kind: _read_survival,
}
_WRITERS: dict[str, Callable[[Any], tuple[_Linear | _Network | _Several | _Survival, dict[str, Float]]]] = {
    Model.kind: _write_linear,
    NetworkModel.kind: _write_network,
    SeveralModel.kind: _write_several,
    SurvivalModel.kind: _write_survival,
}
