"""The report: one HTML file made from a :class:`~bridle.results.StudyResult` and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bridle.files import write_text

if TYPE_CHECKING:
    from bridle.results import StudyResult

__all__ = ["render", "write_report"]


def render(result: StudyResult) -> str:
    """Return the report of ``result`` as one HTML document.

    It needs no network and no scripts; a small script of its own makes it interactive. The same result gives the
    same text, byte for byte.

    Parameters
    ----------
    result
        What the main job found.

    Returns
    -------
    str
        A complete HTML document.
    """
    from bridle.report.page import page

    return page(result)


def write_report(result: StudyResult, path: str | os.PathLike[str]) -> None:
    """Write the report of ``result`` to ``path``, whole or not at all.

    Parameters
    ----------
    result
        What the main job found.
    path
        The HTML file to write; one that is there is replaced.

    Raises
    ------
    OSError
        The folder can't be written or the disk is full; a file already at ``path`` is left as it was.
    """
    write_text(path, render(result))
