"""How a network's training went."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingHistory:
    """Loss by epoch of the network that is kept, both without dropout, so that they can be compared."""

    train: tuple[float, ...]  # (E,), mean unit deviance of the rows trained on
    validation: tuple[float, ...]  # (E,), of the rows set aside; empty without early stopping
    best_epoch: int  # counted from 1: the epoch whose weights are kept
    stopped: str  # "early stopping", "the limit of epochs", "an interrupt", "divergence"
    n_train: int
    n_validation: int
