"""What a check may look at, and what a check is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from bridle.diagnosis.evidence import Evidence
from bridle.diagnosis.verdict import Check, SampleSize, Verdict
from bridle.selection.curve import Curve


@dataclass(frozen=True)
class StandIn:
    """A feature that could have been chosen instead of one that was."""

    chosen: str
    instead: str
    correlation: float
    cost: float  # upper end of the relative increase of the held-out loss after the swap


@dataclass(frozen=True)
class CheckContext:
    """All that's known about one model; what isn't known stays empty, and the checks that need it don't apply."""

    verdict: Verdict
    evidence: Evidence | None = None
    curve: Curve | None = None
    chosen: int | None = None  # index on the curve
    lambdas: tuple[float, ...] = ()  # chosen again on resampled rows
    prediction_stability: float = float("nan")  # sd of the linear predictor under the bootstrap, over its sd
    selection_frequency: Mapping[str, float] = field(default_factory=dict)  # selected feature -> share of resamples
    sample_size: SampleSize | None = None
    stand_ins: tuple[StandIn, ...] = ()


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    status: str  # "pass", "warn" or "fail"
    value: float
    message: str
    advice: str = ""


@dataclass(frozen=True)
class Rule:
    """One diagnostic: a stable code, a named threshold with its reason, and how to find out."""

    code: str
    title: str
    threshold: float
    unit: str
    reason: str  # why this threshold
    needs: str  # what must be known for it to apply
    find: Callable[[CheckContext, float], Finding | str | None]  # not applicable: why not, or None for ``needs``

    def run(self, context: CheckContext) -> Check:
        """Apply the rule."""
        found = self.find(context, self.threshold)
        if found is None or isinstance(found, str):
            why = found or f"Needs {self.needs}."
            return Check(self.code, self.title, "not applicable", np.nan, self.threshold, self.unit, why, "")
        advice = "" if found.status == "pass" else found.advice
        return Check(self.code, self.title, found.status, found.value, self.threshold, self.unit, found.message, advice)
