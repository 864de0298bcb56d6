"""The main job: a table and a target in; fitted models, verdicts and a report out."""

from __future__ import annotations

from bridle.job.run import Study, study

__all__ = ["Study", "study"]
