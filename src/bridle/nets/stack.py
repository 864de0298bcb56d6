"""One stack of networks of the same shape, trained together: weights have a leading dimension of models.

Letters: M models, T tasks, B rows of a minibatch, m rows of a task. All sums over models keep them apart, so each
model's gradient is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.nets.adam import Adam
from bridle.nets.extra import require_torch
from bridle.nets.network import Layer, Network
from bridle.nets.proximal import group_threshold, soft_threshold
from bridle.nets.settings import Architecture, Training
from bridle.nets.shape import Shape
from bridle.nets.stopping import Book
from bridle.nets.task_data import Part, TaskData
from bridle.nets.torch_losses import unit_loss
from bridle.nets.trained import Trained

Float = NDArray[np.float64]
Tick = Callable[[int, float, int], None]  # epochs done or given up, sum of best losses, models that have one

EVALUATED = 1 << 22  # activations held at once when losses are looked at
MOMENTUM = 0.1  # of batch normalisation's running moments
EPSILON = 1e-5  # of both normalisations
HOPELESS = 10.0  # times the null model's loss: training that has never been better has diverged


@dataclass
class _State:
    """What is trained, by model; dropping a model drops its row everywhere."""

    weights: Any  # (M, number of weights), requires grad
    others: Any  # (M, biases, gains and shifts), requires grad
    moments: Any  # (M, 2 x normalised units), running mean and variance of batch normalisation
    adam: Adam | None = None

    def copy(self) -> tuple[Any, Any, Any]:
        """The values, apart from training."""
        return tuple(v.detach().clone() for v in (self.weights, self.others, self.moments))


class Stack:
    """Models of equal shape and number of rows.

    Parameters
    ----------
    tasks : sequence of TaskData
        Of each model, (M,); models of one task share the object.
    rates : sequence of float
        Dropout rate of each model, (M,).
    architecture, training : Architecture, Training
        What is trained, and how.
    device : torch.device
        Where.
    """

    def __init__(
        self,
        tasks: Sequence[TaskData],
        rates: Sequence[float],
        architecture: Architecture,
        training: Training,
        device: Any,
    ) -> None:
        self.torch = require_torch()
        self.device, self.training = device, training
        self.of_model, self.rates = list(tasks), list(rates)
        self.tasks: list[TaskData] = list(dict.fromkeys(tasks))
        self.task_of = [self.tasks.index(t) for t in tasks]
        first = tasks[0]
        self.family, self.outputs = first.family, int(first.center.size)
        self.shape = Shape(first.n_inputs, architecture, self.outputs, features=first.n_features)
        self.batch, self.rows = first.batch_size, first.n_train
        self.validates = first.validation is not None
        self.train_rows = [_Loaded(t.train, self) for t in self.tasks]
        self.held_rows = [_Loaded(t.validation, self) for t in self.tasks if t.validation is not None]
        # Features have draws of their own: units aren't drawn for where no model of the stack drops any.
        seeds = [[int(s) for s in np.random.SeedSequence(t.seed).generate_state(4)] for t in self.tasks]
        self.first_weights = [self.shape.first_weights(s[0], t.varies) for s, t in zip(seeds, self.tasks, strict=True)]
        self.order = [self.torch.Generator().manual_seed(s[1]) for s in seeds]
        self.of_units = [self.torch.Generator(device).manual_seed(s[2]) for s in seeds]
        self.of_features = [self.torch.Generator(device).manual_seed(s[3]) for s in seeds]
        self.noisy = max(self.rates) > 0.0

    # The outer loop ---------------------------------------------------------------------------------------------

    def run(self, stop: Any, tick: Tick) -> list[Trained]:
        """Train until every model has stopped; ``stop`` is an Event that ends training early."""
        n, limit = len(self.of_model), self.training.max_epochs
        book = Book(self.of_model, self.training)
        alive = list(range(n))  # models still in the stack
        state = self._start()
        kept = state.copy()  # (n, ...) best weights of all models
        for epoch in range(1, limit + 1):
            # 1. One pass over the rows.
            losses = self._epoch(state, alive, stop)
            # 2. Where does it stand? Losses of rows that don't train, and of those that do where they are tracked.
            held = self._losses(state, alive, self.held_rows) if self.validates else None
            seen = self._tracked(state, alive)
            # 3. Keep the best weights, and see who is done.
            better = book.note(alive, epoch, losses, held, seen)
            self._keep(kept, state, alive, better)
            done = {i for i in alive if book.done(i, epoch)}
            tick(len(alive) + len(done) * (limit - epoch), *book.best_sum())
            if stop.is_set() or len(done) == len(alive) or epoch == limit:
                book.finish(alive, interrupted=stop.is_set())
                break
            # 4. Models that have stopped leave, so that they cost nothing.
            if done:
                stay = [k for k, i in enumerate(alive) if i not in done]
                state, alive = self._without(state, stay), [alive[k] for k in stay]
        return self._results(kept, book)

    def _epoch(self, state: _State, alive: Sequence[int], stop: Any) -> Float:
        """Take one Adam step for each minibatch; the (M,) mean losses as they went by, with dropout."""
        torch = self.torch
        used, place = self._places(alive)
        parts = [self.train_rows[t] for t in used]
        # The last minibatch is filled up with the first rows of the order: all have the same number of rows.
        steps, orders = -(-self.rows // self.batch), [torch.randperm(self.rows, generator=self.order[t]) for t in used]
        batches = [torch.cat([o, o[: steps * self.batch - self.rows]]).split(self.batch) for o in orders]
        keep = 1.0 - self._numbers([self.rates[i] for i in alive])[:, None, None]
        total = torch.zeros(len(alive), dtype=torch.float32, device=self.device)
        for step in range(steps):
            if stop.is_set():
                return np.asarray(total.cpu().numpy() / max(step, 1), dtype=np.float64)
            X, y, w, base = self._gather(parts, [b[step] for b in batches], place)
            eta = self._forward(state, X, base, self._masks(used, place, keep))
            loss = (w * unit_loss(self.family, y, eta)).mean(dim=1)  # (M,)
            gradients = torch.autograd.grad(loss.sum(), (state.weights, state.others))
            assert state.adam is not None
            state.adam.step((state.weights, state.others), gradients)
            self._shrink(state)
            total += loss.detach()
        return np.asarray(total.cpu().numpy() / steps, dtype=np.float64)

    def _places(self, alive: Sequence[int]) -> tuple[list[int], Any]:
        """Tasks in use, and which of these each model has, (M,)."""
        at = [self.task_of[i] for i in alive]
        used = sorted(set(at))
        return used, self.torch.tensor([used.index(t) for t in at], device=self.device)

    def _numbers(self, values: Sequence[float]) -> Any:
        return self.torch.tensor(values, dtype=self.torch.float32, device=self.device)

    def _gather(self, parts: Sequence[_Loaded], rows: Sequence[Any], place: Any) -> tuple[Any, ...]:
        """Rows of each task in use, handed to its models: X (M, B, p), y and w (M, B), base (M, B, k)."""
        taken = [part.take(r) for part, r in zip(parts, rows, strict=True)]
        if len(taken) == 1:
            return tuple(v[None].expand(len(place), *v.shape) for v in taken[0])
        return tuple(self.torch.stack(column).index_select(0, place) for column in zip(*taken, strict=True))

    def _masks(self, used: Sequence[int], place: Any, keep: Any) -> list[Any]:
        """Masks of features and of each hidden layer, scaled by 1 / (1 - rate); None where nothing is dropped."""
        torch, at_input = self.torch, self.training.input_dropout

        def drawn(units: int, generators: Sequence[Any], kept: Any) -> Any:
            size, kind = (self.batch, units), {"dtype": torch.float32, "device": self.device}
            u = torch.stack([torch.rand(size, generator=generators[t], **kind) for t in used])
            return (u.index_select(0, place) < kept) / kept

        masks = [drawn(self.shape.inputs, self.of_features, 1.0 - at_input) if at_input > 0.0 else None]
        return masks + [drawn(h, self.of_units, keep) if self.noisy else None for h in self.shape.hidden]

    def _forward(self, state: _State, X: Any, base: Any, masks: Sequence[Any] | None) -> Any:
        """Links, (M, B) or (M, B, k); ``masks`` None is prediction: no dropout, running moments."""
        shape, torch = self.shape, self.torch
        weights, others = shape.split(state.weights, state.others)
        z = X if masks is None or masks[0] is None else X * masks[0]
        for k in range(len(shape.hidden)):
            # Batch normalisation takes a bias out again: its gradient is rounding error, which Adam makes steps of.
            biased = shape.normalization != "batch"
            z = torch.baddbmm(others[k].bias, z, weights[k]) if biased else torch.bmm(z, weights[k])
            z = self._normalised(z, others[k], state.moments, k, training=masks is not None)
            z = shape.activate(torch, z)
            if masks is not None and masks[k + 1] is not None:
                z = z * masks[k + 1]
        eta = torch.baddbmm(others[-1].bias, z, weights[-1]) + base
        return eta[..., 0] if self.outputs == 1 else eta

    def _normalised(self, z: Any, other: Any, moments: Any, k: int, *, training: bool) -> Any:
        kind, of = self.shape.normalization, self.torch.nn.functional
        if kind is None:
            return z
        if kind == "layer":
            return of.layer_norm(z, z.shape[-1:], eps=EPSILON) * other.gain + other.shift
        models, rows, units = z.shape
        at = self.shape.moments_at(k)
        mean, variance = (moments[:, a].flatten().clone() for a in at)
        columns = z.transpose(0, 1).reshape(rows, models * units)  # each unit of each model is one of its own
        columns = of.batch_norm(
            columns, mean, variance, other.gain.reshape(-1), other.shift.reshape(-1), training, MOMENTUM, EPSILON
        )
        if training:
            moments[:, at[0]], moments[:, at[1]] = mean.view(models, units), variance.view(models, units)
        return columns.view(rows, models, units).transpose(0, 1)

    def _shrink(self, state: _State) -> None:
        """Take the proximal step of the L1 penalties (the L2 one is the optimiser's decoupled decay)."""
        settings = self.training
        if settings.l1 == 0.0 and settings.group_l1 == 0.0:
            return
        with self.torch.no_grad():
            if settings.l1 > 0.0:
                state.weights.copy_(soft_threshold(state.weights, settings.learning_rate * settings.l1))
            if settings.group_l1 > 0.0:
                p, h = self.shape.widths[0], self.shape.widths[1]
                first = state.weights[:, : p * h].view(-1, p, h)
                first.copy_(group_threshold(first, settings.learning_rate * settings.group_l1 * h**0.5, -1))

    # Losses -----------------------------------------------------------------------------------------------------

    def _losses(self, state: _State, alive: Sequence[int], parts: Sequence[_Loaded]) -> Float:
        """(M,) weighted mean unit losses of the rows of each model's task, without dropout."""
        torch, (used, place) = self.torch, self._places(alive)
        n = parts[used[0]].n
        step = max(1, EVALUATED // (len(alive) * max(self.shape.widths)))
        total = torch.zeros(len(alive), dtype=torch.float64, device=self.device)
        with torch.no_grad():
            for start in range(0, n, step):
                rows = torch.arange(start, min(start + step, n))
                X, y, w, base = self._gather([parts[t] for t in used], [rows] * len(used), place)
                eta = self._forward(state, X, base, None).double()  # a Poisson loss is a difference of large numbers
                total += (w * unit_loss(self.family, y, eta)).sum(dim=1)
        return np.asarray(total.cpu().numpy() / n)

    def _tracked(self, state: _State, alive: Sequence[int]) -> dict[int, float]:
        """Training loss of the models whose task asks for it."""
        wanted = [k for k, i in enumerate(alive) if self.of_model[i].track]
        if not wanted:
            return {}
        part = self._part_of(state, wanted)
        losses = self._losses(part, [alive[k] for k in wanted], self.train_rows)
        return {alive[k]: float(v) for k, v in zip(wanted, losses, strict=True)}

    # States -----------------------------------------------------------------------------------------------------

    def _start(self) -> _State:
        torch, shape, n = self.torch, self.shape, len(self.of_model)
        weights = torch.stack([torch.from_numpy(self.first_weights[t]) for t in self.task_of]).to(self.device)
        others = torch.from_numpy(shape.first_others()).repeat(n, 1).to(self.device)
        moments = torch.from_numpy(shape.first_moments()).repeat(n, 1).to(self.device)
        adam = Adam.start((weights, others), self.training.learning_rate, (self.training.l2, 0.0))
        return _State(weights.requires_grad_(True), others.requires_grad_(True), moments, adam)

    def _without(self, state: _State, stay: Sequence[int]) -> _State:
        """The state of the models that stay, Adam's moments with them."""
        assert state.adam is not None
        at = self.torch.tensor(stay, device=self.device)
        weights, others = (v.detach()[at].requires_grad_(True) for v in (state.weights, state.others))
        return _State(weights, others, state.moments[at], state.adam.of(at))

    def _part_of(self, state: _State, chosen: Sequence[int]) -> _State:
        at = self.torch.tensor(chosen, device=self.device)
        return _State(state.weights.detach()[at], state.others.detach()[at], state.moments[at])

    def _keep(self, kept: tuple[Any, ...], state: _State, alive: Sequence[int], better: NDArray[np.bool_]) -> None:
        if not better.any():
            return
        here = self.torch.from_numpy(np.flatnonzero(better)).to(self.device)
        there = self.torch.tensor(alive, device=self.device)[here]
        for best, now in zip(kept, (state.weights, state.others, state.moments), strict=True):
            best[there] = now.detach()[here]

    # Results ----------------------------------------------------------------------------------------------------

    def _results(self, kept: tuple[Any, ...], book: Book) -> list[Trained]:
        everyone = list(range(len(self.of_model)))
        parts = self.held_rows if self.validates else self.train_rows
        losses = self._losses(_State(*kept), everyone, parts)
        arrays = [v.cpu().numpy() for v in kept]
        return [self._trained(i, [a[i] for a in arrays], float(losses[i]), book) for i in everyone]

    def _trained(self, i: int, arrays: list[Any], loss: float, book: Book) -> Trained:
        task = self.of_model[i]
        decided = task.validation if task.validation is not None else task.train
        deviance = task.deviance(decided, loss)
        finite = bool(book.best_epoch[i]) and all(np.isfinite(a).all() for a in arrays)
        useful = finite and deviance <= HOPELESS * max(task.null_loss, 1e-12)
        network = None
        if useful:
            layers = [Layer(*parts) for parts in self.shape.layers(*arrays, epsilon=EPSILON)]
            if task.space is not None:
                layers[0] = replace(layers[0], weight=task.space.features(layers[0].weight))
            network = Network(
                layers=tuple(layers),
                activation=self.shape.activation,
                dropout=self.rates[i],
                input_dropout=self.training.input_dropout,
                family=self.family,
                mean=task.mean,
                scale=task.scale,
                center=task.center,
                spread=task.spread,
                noise=float(np.sqrt(max(deviance, 0.0))) if self.family == "gaussian" else float("nan"),
            )
        status = book.status[i] if useful and not book.diverged[i] else "diverged"
        return Trained(network, book.history(i), status, deviance if self.validates else float("nan"))


class _Loaded:
    """A part's rows as tensors (a sparse X stays a matrix, and minibatches become dense)."""

    def __init__(self, part: Part, stack: Stack) -> None:
        torch, device = stack.torch, stack.device
        self.n, self._torch, self._device = part.n, torch, device
        self._sparse: Any = part.X if sparse.issparse(part.X) else None
        self._X: Any = None if self._sparse is not None else torch.from_numpy(part.X).to(device)
        y = torch.from_numpy(part.y)
        self._y = (y.long() if stack.family == "multinomial" else y).to(device)
        self._w, self._base = torch.from_numpy(part.weight).to(device), torch.from_numpy(part.base).to(device)

    def take(self, rows: Any) -> tuple[Any, Any, Any, Any]:
        """X (B, p), y (B,), w (B,) and base (B, k) of some rows."""
        at = rows.to(self._device)
        if self._sparse is not None:
            X = self._torch.from_numpy(self._sparse[rows.numpy()].toarray()).to(self._device)
        else:
            X = self._X.index_select(0, at)
        return X, *(v.index_select(0, at) for v in (self._y, self._w, self._base))
