"""Times to an event: the target, Cox's partial likelihood, baseline hazards and survival curves, concordance."""

from __future__ import annotations

from bridle.survival.concordance import concordance_index
from bridle.survival.curves import BaselineHazard, StepFunction
from bridle.survival.family import CoxFamily
from bridle.survival.held_out import TrainedHazard
from bridle.survival.target import survival_target

__all__ = ["BaselineHazard", "CoxFamily", "StepFunction", "TrainedHazard", "concordance_index", "survival_target"]
