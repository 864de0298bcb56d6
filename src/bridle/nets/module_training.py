"""Training one module of somebody else's making: minibatches, early stopping, the best weights kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.errors import InputError
from bridle.nets.extra import require_torch
from bridle.nets.history import TrainingHistory
from bridle.nets.proximal import Proximal
from bridle.nets.settings import Training
from bridle.nets.stack import HOPELESS
from bridle.nets.stopping import Book
from bridle.nets.task_data import Part, Rows, Task, TaskData
from bridle.nets.torch_losses import unit_loss

Float = NDArray[np.float64]

LOOKED_AT = 4096  # rows at once when nothing is trained


@dataclass(frozen=True, eq=False)
class TrainedModule:
    """A trained module in eval mode: link = offset + center + spread * module((x - mean) / scale)."""

    module: Any
    mean: Float  # (p,)
    scale: Float  # (p,), inf for features that the training rows don't vary in
    center: Float  # (k,)
    spread: float
    family: str
    history: TrainingHistory
    status: str  # "stopped early", "epochs used up", "interrupted" or "diverged"

    def link(self, X: Any, offset: Float | None = None) -> Float:
        """(n,) links of the rows of X (n, p), dense or sparse; (n, k) for a multinomial target."""
        torch = require_torch()
        outputs = self.center.size
        device = next(self.module.parameters()).device
        parts = []
        with torch.no_grad():
            for start in range(0, X.shape[0], LOOKED_AT):
                block = X[start : start + LOOKED_AT]
                dense = block.toarray() if sparse.issparse(block) else np.asarray(block, dtype=np.float64)
                rows = torch.from_numpy(((dense - self.mean) / self.scale).astype(np.float32)).to(device)
                parts.append(module_links(self.module, rows, self.family, outputs).cpu().numpy().astype(np.float64))
        found = np.concatenate(parts) if parts else np.empty((0, outputs) if outputs > 1 else 0)
        links = (self.center if outputs > 1 else self.center[0]) + self.spread * found
        if offset is not None:
            links = links + (offset[:, None] if outputs > 1 else offset)
        return np.asarray(links)


@dataclass(frozen=True, eq=False)
class ModuleTrainer:
    """How modules are made and trained: everything but the rate and the rows."""

    make_module: Callable[[float], Any]
    family: str
    outputs: int
    training: Training
    optimizer: Callable[[Any], Any] | None  # from parameters to an optimiser; None: AdamW
    device: Any

    def fit(self, rate: float, data: TaskData) -> TrainedModule:
        """Train a module on a task's rows; the task's seed settles initial weights, minibatches and masks.

        An interrupt ends training with the best weights so far, or goes on to the caller before there are any.
        """
        torch = require_torch()
        initial, noise, order = (int(s) for s in np.random.SeedSequence(data.seed).generate_state(3))
        with _own_randomness(self.device) as seed:
            seed(initial)
            train = _Loaded(data.train, self)
            held = None if data.validation is None else _Loaded(data.validation, self)
            module = self._made(rate, train)
            optimizer = self._optimizer(module, data.n_features)
            book = Book([data], self.training)
            shuffle = torch.Generator().manual_seed(order)
            seed(noise)
            kept, interrupted = None, False
            try:
                for epoch in range(1, self.training.max_epochs + 1):
                    # 1. One pass over the rows, with dropout.
                    loss = self._epoch(module, optimizer, train, data.batch_size, shuffle)
                    # 2. Where does it stand, without dropout?
                    deciding = None if held is None else np.array([self._loss(module, held)])
                    seen = {0: self._loss(module, train)} if data.track else {}
                    # 3. Keep the best weights, and stop where they are long past.
                    if book.note([0], epoch, np.array([loss]), deciding, seen)[0]:
                        kept = copy.deepcopy(module.state_dict())
                    if book.done(0, epoch):
                        break
            except KeyboardInterrupt:
                if kept is None:
                    raise
                interrupted = True
            book.finish([0], interrupted=interrupted)
        if kept is not None:
            module.load_state_dict(kept)
        best = data.deviance(data.train if data.validation is None else data.validation, float(book.best[0]))
        diverged = bool(book.diverged[0]) or not best <= HOPELESS * max(data.null_loss, 1e-12)
        scale = np.where(data.varies, data.scale, np.inf)
        status = "diverged" if diverged else book.status[0]
        return TrainedModule(
            module.eval(), data.mean, scale, data.center, data.spread, self.family, book.history(0), status
        )

    def _made(self, rate: float, rows: _Loaded) -> Any:
        """A new module on the device, asked once for the links of a few rows: what is wrong shows here."""
        torch = require_torch()
        module = self.make_module(rate)
        if not isinstance(module, torch.nn.Module):
            raise InputError(
                f"make_module({rate:g}) returned a {type(module).__name__}; expected a torch.nn.Module that maps a "
                "float32 tensor (rows, features) to links"
            )
        module = module.to(self.device).eval()
        with torch.no_grad():
            module_links(module, rows.take(torch.arange(min(rows.n, 2)))[0], self.family, self.outputs)
        if not any(p.requires_grad for p in module.parameters()):
            raise InputError(f"the module of make_module({rate:g}) has no parameters to train")
        return module

    def _optimizer(self, module: Any, p: int) -> Any:
        torch, settings = require_torch(), self.training
        trained = [q for q in module.parameters() if q.requires_grad]
        if self.optimizer is None:
            weights, others = [q for q in trained if q.ndim >= 2], [q for q in trained if q.ndim < 2]
            groups = [{"params": weights, "weight_decay": settings.l2}, {"params": others, "weight_decay": 0.0}]
            found = torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.learning_rate, fused=True)
        else:
            found = self.optimizer(trained)
            if not isinstance(found, torch.optim.Optimizer):
                raise InputError(
                    f"optimizer returned a {type(found).__name__}; expected a torch.optim.Optimizer of the parameters "
                    "that it was given"
                )
        if settings.l1 == 0.0 and settings.group_l1 == 0.0:
            return found
        first = [q for q in trained if q.ndim == 2 and q.shape[1] == p][:1]
        if settings.group_l1 > 0.0 and not first:
            raise InputError(
                f"group_l1 needs a layer that reads the {p} features, with weights of shape (units, {p}); the module "
                "has none. Wrap your optimizer in bridle.nets.Proximal instead, with groups of your own"
            )
        return Proximal(found, l1=settings.l1, group_l1=settings.group_l1, groups=first)

    def _epoch(self, module: Any, optimizer: Any, rows: _Loaded, size: int, shuffle: Any) -> float:
        """Step through minibatches of nearly equal size; the mean loss as it went by, or the first not finite."""
        torch, dropped = require_torch(), self.training.input_dropout
        module.train()
        total = 0.0
        for batch in torch.randperm(rows.n, generator=shuffle).tensor_split(-(-rows.n // size)):
            X, y, w, base = rows.take(batch)
            X = X if dropped == 0.0 else torch.nn.functional.dropout(X, dropped)

            def closure(X: Any = X, y: Any = y, w: Any = w, base: Any = base) -> Any:
                optimizer.zero_grad()
                eta = module_links(module, X, self.family, self.outputs)
                loss = (w * unit_loss(self.family, y, eta + (base if self.outputs > 1 else base[:, 0]))).mean()
                if torch.isfinite(loss):  # else there is no gradient, and the step leaves the weights alone
                    loss.backward()
                return loss

            value = float(optimizer.step(closure).detach())
            if not math.isfinite(value):
                return value
            total += value * len(batch)
        return total / rows.n

    def _loss(self, module: Any, rows: _Loaded) -> float:
        """Weighted mean unit loss without dropout."""
        torch = require_torch()
        module.eval()
        total = 0.0
        with torch.no_grad():
            for batch in torch.arange(rows.n).split(LOOKED_AT):
                X, y, w, base = rows.take(batch)
                eta = module_links(module, X, self.family, self.outputs) + (base if self.outputs > 1 else base[:, 0])
                total += float((w * unit_loss(self.family, y, eta)).sum())
        return total / rows.n


def untouched(data: TaskData, rows: Rows, task: Task) -> TaskData:
    """The same task with features and target as they came; an offset is still added to the links."""
    n = len(rows.y)
    weight = np.ones(n) if rows.weight is None else rows.weight
    offset = np.zeros(n) if rows.offset is None else rows.offset
    X = rows.matrix(task.train)

    def raw(part: Part, chosen: NDArray[np.int64]) -> Part:
        used = chosen[weight[chosen] > 0.0]
        base = np.repeat(offset[used, None], data.center.size, axis=1).astype(np.float32)
        return replace(part, X=X[used].astype(np.float32), y=rows.y[used].astype(np.float32), base=base)

    return replace(
        data,
        train=raw(data.train, task.train),
        validation=None if data.validation is None else raw(data.validation, task.validation),
        mean=np.zeros_like(data.mean),
        scale=np.ones_like(data.scale),
        varies=np.ones_like(data.varies),
        center=np.zeros_like(data.center),
        spread=1.0,
    )


def module_links(module: Any, rows: Any, family: str, outputs: int) -> Any:
    """(B,) or (B, k) links of a module for a batch (B, p); two outputs for two classes are worth their difference.

    Raises
    ------
    InputError
        The module fails on the batch, or answers with something of another shape.
    """
    torch = require_torch()
    try:
        found = module(rows)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, NotImplementedError) as error:
        raise InputError(f"the module fails on a float32 tensor of shape {tuple(rows.shape)}: {error}") from error
    n = rows.shape[0]
    if not isinstance(found, torch.Tensor) or not found.is_floating_point():
        what = f"a tensor of {found.dtype}" if isinstance(found, torch.Tensor) else f"a {type(found).__name__}"
        raise InputError(f"the module returns {what}; expected a float tensor of links")
    shape = tuple(found.shape)
    if outputs > 1 and shape == (n, outputs):
        return found.float()
    if outputs == 1 and shape in ((n,), (n, 1)):
        return found.float().reshape(n)
    if family == "binomial" and shape == (n, 2):
        return (found[:, 1] - found[:, 0]).float()
    wanted = f"({n}, {outputs}), one link per class" if outputs > 1 else f"({n},) or ({n}, 1), one link per row"
    raise InputError(f"the module maps {tuple(rows.shape)} to {shape}; a {family} target needs {wanted}")


class _Loaded:
    """A part's rows as tensors on the device (a sparse X stays a matrix, and minibatches become dense)."""

    def __init__(self, part: Part, trainer: ModuleTrainer) -> None:
        torch, self._device = require_torch(), trainer.device
        self.n = part.n
        self._sparse = part.X if sparse.issparse(part.X) else None
        self._X: Any = None if self._sparse is not None else torch.from_numpy(part.X).to(self._device)
        self._y, self._w, self._base = (torch.from_numpy(v).to(self._device) for v in (part.y, part.weight, part.base))

    def take(self, rows: Any) -> tuple[Any, Any, Any, Any]:
        """X (B, p), y (B,), w (B,) and base (B, k) of some rows."""
        at = rows.to(self._device)
        if self._sparse is not None:
            X = require_torch().from_numpy(self._sparse[rows.numpy()].toarray()).to(self._device)
        else:
            X = self._X[at]
        return X, self._y[at], self._w[at], self._base[at]


@contextmanager
def _own_randomness(device: Any) -> Iterator[Callable[[int], None]]:
    """Lend PyTorch's global generators, which dropout layers draw from, and put them back as they were."""
    torch = require_torch()
    cuda = device.type == "cuda"

    def seed(number: int) -> None:
        torch.random.default_generator.manual_seed(number)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(number)

    with torch.random.fork_rng(devices=[device] if cuda else []):
        yield seed
