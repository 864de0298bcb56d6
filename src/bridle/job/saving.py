"""The folder of one study: its files, written all or none, and read again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from bridle.errors import FileFormatError, InputError
from bridle.files import check_writable, filling
from bridle.frozen import from_json, to_json
from bridle.results import FORMAT, StudyResult

if TYPE_CHECKING:
    import polars

    from bridle.model_io import TableModel

FILES = ("report.html", "model.bridle", "metrics.json", "verdict.json", "study.json", "predictions.csv")
OWN = "study.json"  # tells that bridle wrote the folder
MAX_BYTES = 512 * 2**20


def check_folder(folder: str | os.PathLike[str], *, force: bool = False) -> None:
    """Find out before any work whether a study can be saved into ``folder``.

    Raises
    ------
    InputError
        ``folder`` is a file, can't be written, or holds files of these names that bridle didn't write (and ``force`` is
        False).
    """
    path = FilePath(folder)
    check_writable(path)
    inside = [name for name in FILES if (path / name).is_dir()]
    if inside:
        raise InputError(f"{path / inside[0]} is a folder, where a file is to be written; choose another folder")
    foreign = [name for name in FILES if (path / name).exists()]
    if foreign and OWN not in foreign and not force:
        raise InputError(
            f"{path} holds {', '.join(foreign)} but no {OWN}, so another program wrote them; choose another folder, or "
            "replace them with --force (in Python force=True)"
        )


def save_study(
    folder: str | os.PathLike[str],
    result: StudyResult,
    model: TableModel,
    predictions: polars.DataFrame,
    *,
    force: bool = False,
) -> tuple[FilePath, ...]:
    """Write the files of :data:`FILES` into ``folder``, all or none, and return their paths.

    Raises
    ------
    InputError
        As in :func:`check_folder`.
    OSError
        The disk is full; what was there before is untouched.
    """
    from bridle.report import write_report

    target = FilePath(folder)
    check_folder(target, force=force)
    with filling(target) as aside:
        write_report(result, aside / "report.html")
        model.save(aside / "model.bridle")
        _write_json(aside / OWN, to_json(result))
        _write_json(aside / "metrics.json", metrics(result))
        _write_json(aside / "verdict.json", verdicts(result))
        predictions.write_csv(aside / "predictions.csv")
    return tuple(target / name for name in FILES)


def study_file(source: str | os.PathLike[str]) -> FilePath:
    """Give the study.json that ``source`` (a study's folder or the file itself) means.

    Raises
    ------
    InputError
        There is none.
    """
    path = FilePath(source)
    path = path / OWN if path.is_dir() else path
    if not path.exists():
        raise InputError(f"no study at {path}; expected a folder that 'bridle fit' wrote, or its {OWN}")
    return path


def load_result(source: str | os.PathLike[str]) -> StudyResult:
    """Read the :class:`StudyResult` of a study's folder, or of its study.json.

    Raises
    ------
    InputError
        There is no study.
    FileFormatError
        The file is damaged, something else, or of a newer version.
    """
    path = study_file(source)
    if path.stat().st_size > MAX_BYTES:
        raise FileFormatError(f"{path} has {path.stat().st_size:,} bytes; a study has at most {MAX_BYTES:,}")
    try:
        data = json.loads(path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path} isn't a study: it isn't readable JSON ({error!s:.200})") from None
    found = data.get("format") if isinstance(data, dict) else None
    if not isinstance(found, int) or found < 1:
        raise FileFormatError(f"{path} isn't a study that bridle wrote (its format is {found!r})")
    if found > FORMAT:
        raise FileFormatError(
            f"{path} has format {found}; this bridle reads up to {FORMAT}. Upgrade with: pip install --upgrade bridle"
        )
    return from_json(StudyResult, data)


def metrics(result: StudyResult) -> dict[str, Any]:
    """Scores of every model, for other programs."""
    models = {
        m.name: {
            "parameter": m.parameter,
            "value": m.value,
            "l1_ratio": m.l1_ratio,
            "n_nonzero": m.n_nonzero,
            "cv_loss": m.cv_loss,
            "train_loss": m.train_loss,
            "holdout_loss": m.holdout_loss,
            "holdout_scores": m.holdout_scores,
            "verdict": "" if m.verdict is None else m.verdict.label,
            "failed": m.failed,
        }
        for m in result.models
    }
    found: Mapping[str, Any] = {
        "best": result.best, "loss": result.loss_name, "n_train": result.data.n_train,
        "n_holdout": result.data.n_holdout, "folds": result.folds, "seed": result.reproduce.seed, "models": models,
    }  # fmt: skip
    plain: dict[str, Any] = to_json(found)
    return plain


def verdicts(result: StudyResult) -> dict[str, Any]:
    """The recommended model's verdict, and those of all models by name."""
    by_name = {m.name: m.verdict for m in result.models if m.verdict is not None}
    plain: dict[str, Any] = to_json({"best": result.best, "verdict": by_name.get(result.best), "models": by_name})
    return plain


def _write_json(path: FilePath, data: Any) -> None:
    path.write_text(json.dumps(data, allow_nan=False, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
