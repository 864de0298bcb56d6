"""Adam on stacked models: moments that can lose a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bridle.nets.extra import require_torch

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True, eq=False)
class Adam:
    """Moments of several parameters, each (M, ...), with their decoupled weight decay.

    The arithmetic is PyTorch's fused kernel. It's called without PyTorch's optimiser object, which can't drop models
    and takes a second to import.

    References
    ----------
    Kingma, Ba (2015), Adam: a method for stochastic optimization, ICLR.
    Loshchilov, Hutter (2019), Decoupled weight decay regularization, ICLR.
    """

    rate: float  # learning rate
    decay: tuple[float, ...]  # of each parameter
    first: tuple[Any, ...]  # running means of the gradients
    second: tuple[Any, ...]  # and of their squares
    steps: tuple[Any, ...]  # steps taken

    @classmethod
    def start(cls, parameters: Sequence[Any], rate: float, decay: Sequence[float]) -> Adam:
        """Moments of 0."""
        torch = require_torch()
        zeros = [tuple(torch.zeros_like(q) for q in parameters) for _ in range(2)]
        steps = tuple(torch.zeros((), dtype=torch.float32, device=q.device) for q in parameters)
        return cls(rate, tuple(decay), zeros[0], zeros[1], steps)

    def step(self, parameters: Sequence[Any], gradients: Sequence[Any]) -> None:
        """Move the parameters, in place."""
        torch = require_torch()
        from torch.optim.adamw import adamw

        with torch.no_grad():
            for k, (q, g) in enumerate(zip(parameters, gradients, strict=True)):
                adamw(
                    [q], [g], [self.first[k]], [self.second[k]], [], [self.steps[k]], fused=True, amsgrad=False,
                    beta1=BETA1, beta2=BETA2, lr=self.rate, weight_decay=self.decay[k], eps=EPSILON, maximize=False,
                )  # fmt: skip

    def of(self, models: Any) -> Adam:
        """The moments of some of the models, (M',) positions."""
        return replace(self, first=tuple(v[models] for v in self.first), second=tuple(v[models] for v in self.second))
