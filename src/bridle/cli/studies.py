"""Saved studies and their folders."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from bridle.errors import FileFormatError, InputError

if TYPE_CHECKING:
    from bridle.results import StudyResult

MAX_BYTES = 512 * 2**20


def study_file(path: FilePath) -> FilePath:
    """Give the study.json that ``path`` (a folder or the file itself) means.

    Raises
    ------
    InputError
        There is none.
    """
    found = path / "study.json" if path.is_dir() else path
    if not found.exists():
        raise InputError(f"{found} doesn't exist; expected a folder that 'bridle fit' wrote, or its study.json")
    return found


def read_result(path: FilePath) -> StudyResult:
    """Read a saved study.

    Raises
    ------
    InputError
        There is no study.
    FileFormatError
        The file is damaged, something else, or of a newer version.
    """
    from bridle.frozen import from_json
    from bridle.results import FORMAT, StudyResult

    file = study_file(path)
    if file.stat().st_size > MAX_BYTES:
        raise FileFormatError(f"{file} has {file.stat().st_size:,} bytes; a study has at most {MAX_BYTES:,}")
    try:
        record = json.loads(file.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{file} isn't a study: it isn't readable JSON ({error!s:.200})") from None
    version = record.get("format") if isinstance(record, dict) else None
    if not isinstance(version, int) or version < 1:
        raise FileFormatError(f"{file} isn't a study that bridle wrote (its format is {version!r})")
    if version > FORMAT:
        raise FileFormatError(
            f"{file} has format {version}; this bridle reads up to {FORMAT}. Upgrade with: pip install --upgrade bridle"
        )
    return from_json(StudyResult, record)
