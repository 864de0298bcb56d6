"""Training: all networks of a dropout path at once, as one batched computation.

The models of a path share their shape, so their weights are stacked: one batched matrix product serves dozens of small
networks, and one Adam step moves them all. Models of one task (the rows of one fold, say) also share their initial
weights, their minibatches and the uniform draws behind their masks, which differ by the rate alone: differences between
rates are then paired, and less noisy than those of separate runs.

Steps: split the models into stacks; on each stack repeat epochs of (draw rows and masks, take an Adam step, apply the
proximal step), look at the validation rows, keep the best weights, and drop the models that have stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import InputError
from bridle.nets.extra import find_device, require_torch
from bridle.nets.row_space import in_row_space, rotates
from bridle.nets.settings import FAMILIES, Architecture, Training, check_rate
from bridle.nets.stack import Stack
from bridle.nets.task_data import Rows, Task, TaskData
from bridle.nets.trained import Trained
from bridle.selection.assign import draw
from bridle.selection.folds import holdout_split

Float = NDArray[np.float64]
Index = NDArray[np.int64]
__all__ = ["Rows", "Task", "Trained", "split_validation", "train"]

Progress = Callable[[int, int, float], None]  # epochs done, epochs at most, mean best validation loss so far (or NaN)

MODELS = 48  # of a stack: enough to keep a core busy, few enough for its caches
STACK_BYTES = 1 << 29  # of a stack's weights with all that training keeps beside them
COPIES = 6  # weights, gradients, two moments, best weights, working space
POLL = 0.1  # seconds between reports of progress


def train(
    rows: Rows,
    tasks: Sequence[Task],
    rates: ArrayLike,
    architecture: Architecture,
    training: Training,
    *,
    family: str,
    n_classes: int = 1,
    device: str = "auto",
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[tuple[Trained, ...], ...]:
    """Train a network for every task at every dropout rate, all at once.

    On the CPU the answer depends on neither ``n_jobs`` nor on which models are trained together, up to rounding of the
    last digits between stacks of different sizes. An interrupt (Ctrl-C) ends training after the current step: what was
    best so far is returned, with status "interrupted".

    Parameters
    ----------
    rows : Rows
        Table.
    tasks : sequence of Task
        T sets of rows.
    rates : (R,) array
        Dropout rates of hidden units.
    architecture, training : Architecture, Training
        What is trained, and how.
    family : str
        "gaussian", "binomial", "multinomial" or "poisson".
    n_classes : int
        Classes of a multinomial target.
    device : str
        "auto", "cpu", "cuda" or "cuda:1".
    n_jobs : int
        Threads over stacks of models.
    progress : callable, optional
        Called from this thread with epochs done, epochs at most, and the mean best validation loss so far.

    Returns
    -------
    tuple of tuple of Trained
        By task, then by rate.

    Raises
    ------
    InputError
        A rate outside [0, 1), an unknown device or family, a constant target, too few rows, values that aren't finite,
        batch normalisation of minibatches of one row.
    MissingExtraError
        PyTorch isn't installed.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014), Dropout: a simple way to prevent neural networks
    from overfitting, Journal of Machine Learning Research 15.
    """
    require_torch()
    if family not in FAMILIES:
        raise InputError(f"unknown family {family!r}; expected one of {', '.join(FAMILIES)}")
    shares = [check_rate("rates", r) for r in np.atleast_1d(np.asarray(rates)).tolist()]
    if not shares:
        raise InputError("rates is empty; give at least one dropout rate from 0 to below 1")
    where = find_device(device)
    outputs = n_classes if family == "multinomial" else 1
    data = [TaskData.make(rows, task, family, outputs, training) for task in tasks]
    data = [in_row_space(task) if rotates(task, training) else task for task in data]
    if architecture.normalization == "batch" and architecture.hidden and min(t.batch_size for t in data) < 2:
        raise InputError(
            "batch normalisation needs a batch_size of at least 2, since one row has no spread; got 1. Raise it, or "
            "use normalization='layer'"
        )
    stacks = _stacks(data, shares, architecture, outputs, where.type == "cpu")
    run = _Run(len(tasks) * len(shares), training.max_epochs)
    found: dict[tuple[int, int], Trained] = {}
    with _one_thread():
        jobs = [
            lambda k=k, members=members: Stack(
                [data[t] for t, _ in members], [shares[r] for _, r in members], architecture, training, where
            ).run(run.stop, partial(run.tick, k))
            for k, members in enumerate(stacks)
        ]
        results = run.all(jobs, n_jobs if where.type == "cpu" else 1, progress)
    for members, trained in zip(stacks, results, strict=True):
        found.update(zip(members, trained, strict=True))
    return tuple(tuple(found[t, r] for r in range(len(shares))) for t in range(len(tasks)))


def split_validation(
    y: Float,
    rows: Index,
    *,
    family: str,
    fraction: float,
    seed: int,
    groups: NDArray[Any] | None = None,
    time: NDArray[Any] | None = None,
) -> tuple[Index, Index]:
    """Set some of the ``rows`` aside to decide when training stops.

    Classes are kept in proportion, groups whole, and where time orders the rows the last ones are taken. Rows that
    can't be split that way (a single group, or one that holds all of a class) are all trained on, and none decides.

    Parameters
    ----------
    y : (n,)
        Target.
    rows : (m,)
        Rows to split.
    family : str
        The target's.
    fraction : float
        Share to set aside.
    seed : int
        Of the draw.
    groups, time : (n,), optional
        As in :func:`bridle.make_folds`.

    Returns
    -------
    train, validation : (m - v,), (v,)
        Sorted row numbers.
    """
    part = [None if v is None else v[rows] for v in (groups, time)]
    if family == "multinomial" and groups is None and time is None:
        held = draw(np.unique(y[rows], return_inverse=True)[1].astype(np.int64), fraction, np.random.default_rng(seed))
        return np.sort(rows[~held]), np.sort(rows[held])
    try:
        first, second = holdout_split(
            y[rows], family=family, fraction=fraction, groups=part[0], time=part[1], seed=seed
        )
    except InputError:
        return np.sort(rows), rows[:0]
    if np.ptp(y[rows[first]]) == 0.0:  # what is left would teach nothing
        return np.sort(rows), rows[:0]
    return np.sort(rows[first]), np.sort(rows[second])


def _stacks(
    data: Sequence[TaskData], rates: Sequence[float], architecture: Architecture, outputs: int, small: bool
) -> list[list[tuple[int, int]]]:
    """Split the (task, rate) pairs into stacks of models with equally many rows, whatever the number of threads.

    Those with most rows come first: threads then end together, and an interrupt finds the fit on all rows under way.
    """
    p = data[0].n_inputs if data else 0
    widths = (p, *architecture.hidden, outputs)
    size = COPIES * 4 * sum((a + 1) * b for a, b in pairwise(widths))
    most = max(1, STACK_BYTES // max(size, 1))
    most = min(most, MODELS) if small else most
    found: list[list[tuple[int, int]]] = []
    by_size: dict[tuple[int, int], list[int]] = {}
    for t, task in enumerate(data):
        by_size.setdefault((task.n_train, task.n_validation), []).append(t)
    for _, group in sorted(by_size.items(), reverse=True):
        members = [(t, r) for t in group for r in range(len(rates))]
        n = -(-len(members) // most)
        bounds = [round(k * len(members) / n) for k in range(n + 1)]
        found += [members[a:b] for a, b in pairwise(bounds)]
    return found


class _Run:
    """Stacks at work on threads: progress told from the thread that asked, and a way to stop them all."""

    def __init__(self, n_models: int, max_epochs: int) -> None:
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._done, self._total = 0, n_models * max_epochs
        self._best: dict[int, tuple[float, int]] = {}  # stack -> sum of best losses, models with one

    def tick(self, stack: int, epochs: int, loss: float, models: int) -> None:
        """Count epochs done or given up by a stack's models, and note its best losses."""
        with self._lock:
            self._done += epochs
            self._best[stack] = (loss, models)

    def _tell(self, progress: Progress | None) -> None:
        if progress is not None:
            with self._lock:
                models = sum(n for _, n in self._best.values())
                loss = sum(s for s, _ in self._best.values()) / models if models else float("nan")
                done = self._done
            progress(done, self._total, loss)

    def all(self, jobs: Sequence[Callable[[], Any]], n_jobs: int, progress: Progress | None) -> list[Any]:
        """Run the jobs on threads of their own, since PyTorch counts threads by thread; results in order.

        After an interrupt the jobs that are left end by themselves, soon; so they do when anything fails.
        """
        with ThreadPoolExecutor(max(1, min(n_jobs, len(jobs)))) as pool:
            try:
                futures = [pool.submit(job) for job in jobs]
                pending = set(futures)
                while pending:
                    try:
                        finished, pending = wait(pending, timeout=POLL, return_when="FIRST_EXCEPTION")
                        self._tell(progress)
                        if any(f.exception() for f in finished):
                            self.stop.set()
                    except KeyboardInterrupt:
                        self.stop.set()
            except BaseException:
                self.stop.set()
                raise
        return [f.result() for f in futures]


_threads_lock = threading.Lock()
_users, _before = 0, 1


@contextmanager
def _one_thread() -> Iterator[None]:
    """Hold PyTorch's operations to one thread each while anything is trained: stacks are what runs side by side."""
    global _users, _before  # noqa: PLW0603 (PyTorch's setting is one for the process)
    torch = require_torch()

    def set_threads(number: int) -> None:
        worker = threading.Thread(target=torch.set_num_threads, args=(number,))  # never the caller's own thread
        worker.start()
        worker.join()

    with _threads_lock:
        if _users == 0:
            _before = torch.get_num_threads()
            set_threads(1)
        _users += 1
    try:
        yield
    finally:
        with _threads_lock:
            _users -= 1
            if _users == 0:
                set_threads(_before)
