"""The main job: a table and a target in; fitted models, verdicts and a report out.

Names are imported when first used, so that a saved study is read without the packages that fit one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridle.job.run import Study, study

__all__ = ["Study", "study"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'bridle.job' has no attribute {name!r}")
    from bridle.job import run

    return getattr(run, name)
