"""A dropout path of anybody's own PyTorch modules: the same folds, curve, rules and verdict as every other path."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from bridle.diagnosis import Evidence, Verdict, judge
from bridle.errors import BridleWarning, ConvergenceError, InputError
from bridle.losses import get_family
from bridle.nets.dropout import check_rates, make_tasks
from bridle.nets.engine import split_validation
from bridle.nets.evidence import CHOSEN, curve_and_evidence, rate_name
from bridle.nets.extra import find_device, require_torch
from bridle.nets.history import TrainingHistory
from bridle.nets.module_data import Target, read_matrix, read_row_numbers, read_target
from bridle.nets.module_training import ModuleTrainer, TrainedModule, untouched
from bridle.nets.settings import Training
from bridle.nets.task_data import Rows, Task, TaskData
from bridle.selection import Curve, Folds, Selection, make_folds, select
from bridle.selection.fits import FoldData, check_folds
from bridle.selection.rules import CROSS_VALIDATED

Float = NDArray[np.float64]
Index = NDArray[np.int64]
Progress = Callable[[int, int], None]  # (modules trained, modules in all)


@dataclass(frozen=True, eq=False, repr=False)
class ModulePath:
    """Modules at each dropout rate, their validation curve, and the chosen one.

    Attributes
    ----------
    curve : Curve
        Held-out and training loss by rate, the largest (simplest) first.
    evidence : Evidence
        Of the chosen rate, of each rate, and of the null model, on the same folds.
    folds : Folds
        The folds.
    fitted : TrainedModule
        The module of the chosen rate with the moments that stand between it and the table.
    family : str
        Loss.
    classes : (k,) array or None
        Labels of the classes, in the order of the links; of two classes the second is the one predicted.
    rule : str
        How the rate was chosen.
    margin, level : float
        Of the verdicts.
    notes : tuple of str
        What went otherwise than asked: rates at which training diverged, an interrupt.
    """

    curve: Curve
    evidence: Evidence
    folds: Folds
    fitted: TrainedModule
    family: str
    classes: NDArray[Any] | None
    rule: str
    margin: float
    level: float
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        chosen = self.select()
        rates = ", ".join(f"{v:g}" for v in self.curve.values)
        return (
            f"<ModulePath of {type(self.module).__name__}: dropout rate {chosen.value:g} of {rates}; "
            f"held-out loss {chosen.loss:.4g}, without features {self.curve.null_loss:.4g}>"
        )

    @property
    def rate(self) -> float:
        """The chosen rate."""
        return self.select().value

    @property
    def module(self) -> Any:
        """The module of the chosen rate, trained on all rows, in eval mode.

        It sees standardised features, and its output is in the unit of training: ``fitted`` has the moments, and
        :meth:`link` and :meth:`predict` use them.
        """
        return self.fitted.module

    @property
    def history(self) -> TrainingHistory:
        """Loss by epoch of :attr:`module`."""
        return self.fitted.history

    @property
    def verdict(self) -> Verdict:
        """Whether the module with the chosen dropout over- or underfits; the rate is chosen anew for each fold."""
        return judge(self.evidence, CHOSEN, margin=self.margin, level=self.level)

    def verdict_at(self, rate: float) -> Verdict:
        """Whether the module with this dropout rate over- or underfits.

        Raises
        ------
        InputError
            The rate isn't on the curve, or training diverged at it.
        """
        near = np.flatnonzero(np.isclose(self.curve.values, rate, rtol=1e-9, atol=1e-12))
        if near.size == 0:
            known = ", ".join(f"{v:g}" for v in self.curve.values)
            raise InputError(f"rate {rate!r} isn't on the curve; expected one of {known}")
        return judge(self.evidence, rate_name(float(self.curve.values[near[0]])), margin=self.margin, level=self.level)

    def select(self, rule: str | None = None) -> Selection:
        """Choose a rate by a rule of :func:`bridle.select`; by default the one that chose :attr:`module`."""
        return select(self.curve, self.rule if rule is None else rule)

    def link(self, X: Any, offset: ArrayLike | None = None) -> Float:
        """(n,) links of the rows of X (n, p), or (n, k), without dropout."""
        matrix = read_matrix(X)
        p = self.fitted.mean.size
        if matrix.shape[1] != p:
            raise InputError(f"X has {matrix.shape[1]} columns; the module was trained on {p}")
        known = None if offset is None else np.asarray(offset, dtype=np.float64)
        if known is not None and known.shape != (matrix.shape[0],):
            raise InputError(f"offset has shape {known.shape}; expected one value per row, ({matrix.shape[0]},)")
        return self.fitted.link(matrix, known)

    def predict(self, X: Any, offset: ArrayLike | None = None) -> Float:
        """(n,) means of the rows of X (n, p): of two classes the probability of the second; of more, (n, k)."""
        links = self.link(X, offset)
        if self.family == "multinomial":
            return np.asarray(softmax(links, axis=1))
        return get_family(self.family).mean(links)


def path(
    make_module: Callable[[float], Any],
    rates: ArrayLike,
    X: Any,
    y: ArrayLike,
    *,
    family: str | None = None,
    folds: Any = 5,
    n_repeats: int = 1,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    time: ArrayLike | None = None,
    training: Training | None = None,
    optimizer: Callable[[Any], Any] | None = None,
    standardize: bool = True,
    rule: str = "1se",
    device: str = "auto",
    seed: int = 0,
    margin: float = 0.05,
    level: float = 0.95,
    progress: Progress | None = None,
) -> ModulePath:
    """Cross-validate your own PyTorch module over a grid of dropout rates, and judge it.

    At each rate a module is made and trained on each fold; all rates see the same folds, validation rows, minibatches
    and seeds. The chosen rate's module is then trained on all rows.

    Parameters
    ----------
    make_module : callable
        Takes a rate and returns a new ``torch.nn.Module`` that maps a float32 tensor (B, p) to links: (B,) or (B, 1),
        for several classes (B, k). Two outputs for two classes are taken as their difference.
    rates : (R,) array
        Dropout rates in [0, 1).
    X : (n, p) array, sparse matrix or data frame of numbers
        Features. Sparse rows become dense by the minibatch.
    y : (n,) array
        Target: numbers or labels.
    family : {"gaussian", "binomial", "multinomial", "poisson"}, optional
        Loss. By default two distinct values are classes, as are labels and whole numbers 0 to k - 1 of integer type;
        whole numbers that behave like counts are "poisson"; other numbers "gaussian".
    folds : int, Folds, scikit-learn splitter, or pairs of rows
        The folds; an int is their number.
    n_repeats : int
        Repeats with new shuffles.
    sample_weight, offset : (n,) array, optional
        Row weights, and a known part of the link.
    groups, time : (n,) array, optional
        Kept together, or respected, when folds are made and validation rows set aside.
    training : Training, optional
        Batch size, epochs, early stopping, penalties.
    optimizer : callable, optional
        Takes the list of parameters and returns an optimiser of PyTorch. By default AdamW with ``training``'s learning
        rate and ``l2``; either is wrapped in :class:`bridle.nets.Proximal` where ``l1`` or ``group_l1`` is set.
    standardize : bool
        Whether features are standardised by each fold's training rows (a sparse X only scaled), and the module's output
        is added to the null model's link, for a gaussian target in its standard deviations. If false the module sees X
        as it is, codes for an embedding say, and its outputs are the links.
    rule : str
        How the rate is chosen: "1se", "min" or "within".
    device : str
        "auto", "cpu", "cuda" or "cuda:1".
    seed : int
        Of folds, initial weights, minibatches and masks. PyTorch's global generators are left as they were.
    margin, level : float
        Excess error that matters to the verdict, and its confidence level.
    progress : callable, optional
        Called as ``progress(done, total)`` after each module.

    Returns
    -------
    ModulePath
        ``.curve``, ``.verdict``, ``.verdict_at(rate)``, ``.select(rule)``, ``.module``, ``.history``, ``.predict(X)``.
        After an interrupt (Ctrl-C) with two folds done, those folds and the best module so far, with a warning.

    Raises
    ------
    InputError
        Data, rates or settings can't be used, or the module doesn't do what is asked of it.
    ConvergenceError
        Training diverged at all rates, or on all rows at the chosen one.
    MissingExtraError
        PyTorch isn't installed.
    """
    require_torch()
    if not callable(make_module):
        raise InputError(f"make_module is a {type(make_module).__name__}; expected a function from a rate to a module")
    if rule not in CROSS_VALIDATED:
        raise InputError(f"no rule {rule!r} for a dropout path; there are {', '.join(CROSS_VALIDATED)}")
    settings, grid = training or Training(), check_rates(rates)
    target, matrix = read_target(y, family), read_matrix(X)
    weight = read_row_numbers("sample_weight", sample_weight, least=0.0)
    data = FoldData.make(matrix, target.y, weight, read_row_numbers("offset", offset))
    known = [None if v is None else np.asarray(v) for v in (groups, time)]
    for name, of in zip(("groups", "time"), known, strict=True):
        if of is not None and of.shape != data.y.shape:
            raise InputError(f"{name} has shape {of.shape}; expected one value per row of X, {data.y.shape}")
    how = _folds(target, folds, n_repeats, known, seed)
    check_folds(how, data)
    if len(how) < 2:
        raise InputError("one fold has no spread to judge a module by; give at least 2")

    def split(part: Index, number: int) -> tuple[Index, Index]:
        if not settings.early_stopping:
            return np.sort(part), part[:0]
        return split_validation(
            data.y, part, family=target.family, fraction=settings.validation_fraction, seed=number, groups=known[0],
            time=known[1],
        )  # fmt: skip

    run = _Run(
        ModuleTrainer(make_module, target.family, target.n_outputs, settings, optimizer, find_device(device)),
        Rows(matrix, data.y, data.weight, data.offset), grid, standardize, _Count(progress, len(how) * grid.size + 1),
    )  # fmt: skip
    tasks = make_tasks([fit for fit, _ in how.pairs], np.arange(data.y.size), split, seed)
    found = run.folds(how, tasks)
    how = _first(how, len(found.test))
    curve, evidence = curve_and_evidence(
        data.y, found.test[: len(how)], found.train[: len(how)], rates=grid, folds=how, family=target.family,
        weight=data.weight, offset=data.offset, label=type(found.last[0].module).__name__, rule=rule,
        n_features=int(matrix.shape[1]),
    )  # fmt: skip
    fitted, notes = run.whole(tasks[-1], select(curve, rule), found)
    for note in notes:
        warnings.warn(note, BridleWarning, stacklevel=2)
    return ModulePath(curve, evidence, how, fitted, target.family, target.classes, rule, margin, level, notes)


def _folds(target: Target, folds: Any, n_repeats: int, known: Sequence[Any], seed: int) -> Folds:
    """Folds of the target, every class in proportion."""
    if isinstance(folds, Folds):
        return folds
    options: dict[str, Any] = {"splitter": folds, "n_repeats": n_repeats, "seed": seed}
    if target.family != "multinomial" or known[0] is not None or known[1] is not None:
        return make_folds(target.y, family=target.family, groups=known[0], time=known[1], **options)
    found = make_folds(target.y, kind="stratified", **options)  # sorted codes, dealt out evenly
    return replace(found, description=found.description.replace("by quantile", "by class"))


def _first(folds: Folds, done: int) -> Folds:
    """The folds that were done before an interrupt: whole repeats, or a part of the first."""
    if done == len(folds):
        return folds
    size = len(folds) // folds.n_repeats
    repeats = max(1, done // size)
    pairs = folds.pairs[: min(done, repeats * size)]
    return replace(folds, pairs=pairs, n_repeats=repeats, description=f"the first {len(pairs)} of {folds.description}")


class _Count:
    """Progress in modules."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._done, self._total = progress, 0, total

    def tick(self) -> None:
        """One more is done."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


@dataclass(frozen=True, eq=False)
class _Found:
    """What training on the folds gave, fold by fold."""

    train: list[Float]  # J of (R, n_train[, k]) links, NaN where training diverged
    test: list[Float]
    last: list[TrainedModule]  # (R,) of the last fold
    notes: tuple[str, ...]
    interrupted: bool


@dataclass(frozen=True, eq=False)
class _Run:
    """Modules trained one after the other."""

    trainer: ModuleTrainer
    rows: Rows
    rates: Float  # (R,)
    standardize: bool
    count: _Count

    def folds(self, folds: Folds, tasks: Sequence[Task]) -> _Found:
        """Train at every rate on every fold, until done or interrupted."""
        train: list[Float] = []
        test: list[Float] = []
        last: list[TrainedModule] = []
        diverged = np.zeros(self.rates.size, dtype=np.int64)
        interrupted = False
        for (fit, held), task in zip(folds.pairs, tasks, strict=False):
            try:
                models = self._fold(task)
            except KeyboardInterrupt:
                if len(test) < 2:  # no spread, so no curve
                    raise
                interrupted = True
                break
            diverged += [m.status == "diverged" for m in models]
            train.append(np.array([self._links(m, fit) for m in models]))
            test.append(np.array([self._links(m, held) for m in models]))
            last = models
        if diverged.all():
            raise ConvergenceError(
                "training diverged at every rate; lower the learning rate, standardise the features, or look at how "
                "the module starts"
            )
        notes = tuple(
            f"at rate {rate:g} training diverged on {k} of {len(test)} folds: its loss counts as infinite"
            for rate, k in zip(self.rates, diverged, strict=True)
            if k
        )
        if interrupted:
            notes += (f"interrupted after {len(test)} of {len(folds)} folds: the module is that of fold {len(test)}",)
        return _Found(train, test, last, notes, interrupted)

    def whole(self, task: Task, chosen: Selection, found: _Found) -> tuple[TrainedModule, tuple[str, ...]]:
        """Train at the chosen rate on all rows; after an interrupt take the last fold's module."""
        if found.interrupted:
            return found.last[chosen.index], found.notes
        try:
            fitted = self.trainer.fit(chosen.value, self._data(task))
        except KeyboardInterrupt:
            note = f"interrupted before training on all rows: the module is that of fold {len(found.test)}"
            return found.last[chosen.index], (*found.notes, note)
        self.count.tick()
        if fitted.status == "diverged":
            raise ConvergenceError(f"training on all rows diverged at rate {chosen.value:g}; lower the learning rate")
        if fitted.status == "interrupted":
            return fitted, (*found.notes, "interrupted while training on all rows: the module is the best so far")
        return fitted, found.notes

    def _fold(self, task: Task) -> list[TrainedModule]:
        data, models = self._data(task), []
        for rate in self.rates:
            models.append(self.trainer.fit(float(rate), data))
            if models[-1].status == "interrupted":
                raise KeyboardInterrupt
            self.count.tick()
        return models

    def _data(self, task: Task) -> TaskData:
        data = TaskData.make(self.rows, task, self.trainer.family, self.trainer.outputs, self.trainer.training)
        return data if self.standardize else untouched(data, self.rows, task)

    def _links(self, fitted: TrainedModule, rows: Index) -> Float:
        offset = None if self.rows.offset is None else self.rows.offset[rows]
        links = fitted.link(self.rows.X[rows], offset)
        return np.full_like(links, np.nan) if fitted.status == "diverged" else links
