"""The folder of one study: written aside, then moved file by file, so that old files stay whole until new ones are."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from bridle.errors import FileFormatError, InputError
from bridle.frozen import from_json, to_json
from bridle.results import FORMAT, StudyResult

if TYPE_CHECKING:
    import polars

    from bridle.model_io import Model

FILES = ("report.html", "model.bridle", "metrics.json", "verdict.json", "study.json", "predictions.csv")


def save_study(
    folder: str | os.PathLike[str], result: StudyResult, model: Model, predictions: polars.DataFrame
) -> tuple[FilePath, ...]:
    """Write the files of :data:`FILES` into ``folder`` and return their paths.

    Raises
    ------
    InputError
        ``folder`` is a file.
    OSError
        The folder can't be written or the disk is full; what was there before is untouched.
    """
    from bridle.report import write_report

    target = FilePath(folder)
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file; expected a folder for the results (existing or new)")
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = FilePath(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        write_report(result, aside / "report.html")
        model.save(aside / "model.bridle")
        _write_json(aside / "study.json", to_json(result))
        _write_json(aside / "metrics.json", metrics(result))
        _write_json(aside / "verdict.json", verdicts(result))
        predictions.write_csv(aside / "predictions.csv")
        target.mkdir(exist_ok=True)
        for name in FILES:
            os.replace(aside / name, target / name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return tuple(target / name for name in FILES)


def load_result(source: str | os.PathLike[str]) -> StudyResult:
    """Read the :class:`StudyResult` of a study's folder, or of its study.json.

    Raises
    ------
    InputError
        There is no such file.
    FileFormatError
        The file is damaged or of a newer format.
    """
    path = FilePath(source)
    path = path / "study.json" if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"no study at {path}; expected the folder that `bridle fit` wrote, or its study.json")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path} is not JSON ({error}); run `bridle fit` again to make it anew") from None
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT:
        raise FileFormatError(f"{path} has study format {found!r}; this version of bridle reads format {FORMAT}")
    return from_json(StudyResult, data)


def metrics(result: StudyResult) -> dict[str, Any]:
    """Scores of every model, for other programs."""
    models = {
        m.name: {
            "lambda": m.value,
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
