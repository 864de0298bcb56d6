"""What training gives."""

from __future__ import annotations

from dataclasses import dataclass

from bridle.nets.history import TrainingHistory
from bridle.nets.network import Network


@dataclass(frozen=True, eq=False)
class Trained:
    """One trained network; None where training diverged before it gave one that is of use.

    A network whose status is "diverged" is the best one before its training diverged.
    """

    network: Network | None
    history: TrainingHistory
    status: str  # "stopped early", "epochs used up", "interrupted" or "diverged"
    validation_loss: float  # unit deviance of the validation rows with the weights kept; NaN without such rows
