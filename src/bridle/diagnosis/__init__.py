"""Over- and underfitting, with evidence. Names are imported when first used, so that results load quickly."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Check": "verdict",
    "CheckContext": "checks",
    "Comparison": "verdict",
    "Contender": "evidence",
    "Diagnosis": "facade",
    "EstimatorContender": "contenders",
    "Evidence": "evidence",
    "FixedContender": "contenders",
    "FrameDesign": "table",
    "Interval": "verdict",
    "LearningCurve": "verdict",
    "LinearContender": "contenders",
    "NullContender": "contenders",
    "SampleSize": "verdict",
    "StandIn": "checks",
    "Target": "contenders",
    "Verdict": "verdict",
    "calibration_slope": "slope",
    "collect_evidence": "evidence",
    "diagnose": "facade",
    "excess_risk": "intervals",
    "judge": "judgement",
    "learning_curve": "learning",
    "make_challengers": "challengers",
    "run_checks": "checks",
}

__all__ = [*sorted(_HOME)]  # noqa: PLE0604 (the keys are the names)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bridle.diagnosis' has no attribute {name!r}")
    return getattr(importlib.import_module(f"bridle.diagnosis.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
