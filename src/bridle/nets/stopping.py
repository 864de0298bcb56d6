"""Early stopping: which weights of each model are the best so far, and which models are done."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bridle.nets.history import TrainingHistory
from bridle.nets.settings import Training
from bridle.nets.task_data import TaskData

Float = NDArray[np.float64]


class Book:
    """What is known of every model so far: its best loss, when that was, and how it ended."""

    def __init__(self, tasks: Sequence[TaskData], training: Training) -> None:
        n = len(tasks)
        self.tasks, self.training = tasks, training
        self.best, self.best_epoch = np.full(n, np.inf), np.zeros(n, dtype=np.int64)
        self.status, self.diverged = ["stopped early"] * n, np.zeros(n, dtype=bool)
        self.held: list[list[float]] = [[] for _ in range(n)]
        self.seen: list[list[float]] = [[] for _ in range(n)]

    def note(
        self, alive: Sequence[int], epoch: int, losses: Float, held: Float | None, seen: dict[int, float]
    ) -> NDArray[np.bool_]:
        """Write down an epoch, and say which models have never been better, (M,)."""
        better = np.zeros(len(alive), dtype=bool)
        for k, i in enumerate(alive):
            task, deciding = self.tasks[i], losses[k] if held is None else held[k]
            if i in seen:
                self.seen[i].append(task.deviance(task.train, seen[i]))
            if held is not None and task.validation is not None:
                self.held[i].append(task.deviance(task.validation, float(held[k])))
            if not (np.isfinite(losses[k]) and np.isfinite(deciding)):
                self.diverged[i] = True
            elif held is None or not np.isfinite(self.best[i]) or self._gains(i, deciding):
                # Where nothing decides, the last weights are the ones to keep.
                better[k], self.best[i], self.best_epoch[i] = True, deciding, epoch
        return better

    def _gains(self, i: int, loss: float) -> bool:
        """Whether a validation loss is better by ``tol``: relative to the deviance, whose zero means something."""
        part = self.tasks[i].validation
        if part is None:
            return True
        best, now = (self.tasks[i].deviance(part, float(v)) for v in (self.best[i], loss))
        return now < best - self.training.tol * abs(best)

    def done(self, i: int, epoch: int) -> bool:
        """Whether a model has stopped after ``epoch``."""
        waited = self.training.early_stopping and epoch - self.best_epoch[i] >= self.training.patience
        return bool(self.diverged[i] or (waited and self.held[i]))

    def finish(self, alive: Sequence[int], *, interrupted: bool) -> None:
        """Say how the models that are left ended."""
        for i in alive:
            if interrupted:
                self.status[i] = "interrupted"
            elif not self.done(i, self.training.max_epochs):
                self.status[i] = "epochs used up"

    def best_sum(self) -> tuple[float, int]:
        """Sum of the models' best losses, and how many models have one."""
        finite = self.best[np.isfinite(self.best)]
        return float(finite.sum()), int(finite.size)

    def history(self, i: int) -> TrainingHistory:
        """Losses by epoch of one model."""
        how = {
            "stopped early": "early stopping",
            "epochs used up": "the limit of epochs",
            "interrupted": "an interrupt",
        }
        task = self.tasks[i]
        return TrainingHistory(
            train=tuple(self.seen[i]),
            validation=tuple(self.held[i]),
            best_epoch=int(self.best_epoch[i]),
            stopped="divergence" if self.diverged[i] else how[self.status[i]],
            n_train=task.n_train,
            n_validation=task.n_validation,
        )
