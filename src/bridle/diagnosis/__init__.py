"""Over- and underfitting, with evidence. Names are imported when first used, so that results load quickly."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Contender": "evidence",
    "Evidence": "evidence",
    "collect_evidence": "evidence",
    "excess_risk": "intervals",
    "judge": "judgement",
    "Verdict": "verdict",
    "Interval": "verdict",
    "Comparison": "verdict",
    "Check": "verdict",
    "LearningCurve": "verdict",
}

__all__ = [*sorted(_HOME)]  # noqa: PLE0604 (the keys are the names)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bridle.diagnosis' has no attribute {name!r}")
    return getattr(importlib.import_module(f"bridle.diagnosis.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
