"""The dropout path: networks over a grid of dropout rates, cross-validated all at once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.diagnosis import Evidence, Verdict, judge
from bridle.diagnosis.contenders import sampled
from bridle.errors import BridleWarning, ConvergenceError, InputError
from bridle.nets.engine import Progress, Rows, Task, Trained, split_validation, train
from bridle.nets.evidence import CHOSEN, curve_and_evidence, rate_name
from bridle.nets.network import Network
from bridle.nets.settings import Architecture, Training, check_rate
from bridle.selection import Curve, Folds, Selection, make_folds, select
from bridle.selection.fits import FoldData, check_folds

Float = NDArray[np.float64]
Index = NDArray[np.int64]
Splitter = Callable[[Index, int], tuple[Index, Index]]  # rows, seed -> rows to train on, rows that decide

RATES = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)


@dataclass(frozen=True, eq=False)
class DropoutPath:
    """Networks at each dropout rate with their validation curve.

    Attributes
    ----------
    curve : Curve
        Held-out and training loss by rate, the largest (simplest) first.
    evidence : Evidence
        Of the chosen rate, of each rate, and of the null model, on the same folds.
    folds : Folds
        The folds.
    fits : tuple of Trained
        (R,) networks trained on all rows.
    rule : str
        How the rate is chosen.
    interrupted : bool
        Whether training was cut short (Ctrl-C): some networks then are what they were at that moment.
    """

    curve: Curve
    evidence: Evidence
    folds: Folds
    fits: tuple[Trained, ...]
    rule: str
    interrupted: bool = False

    def select(self, rule: str | None = None) -> Selection:
        """Choose a rate; see :func:`bridle.select`."""
        return select(self.curve, self.rule if rule is None else rule)

    @property
    def best(self) -> Network:
        """The network at the chosen rate, trained on all rows.

        Raises
        ------
        ConvergenceError
            Its training diverged.
        """
        network = self.fits[self.select().index].network
        if network is None:
            raise ConvergenceError("training on all rows diverged at the chosen rate; lower the learning rate")
        return network

    def verdict(self, rate: float | None = None, *, margin: float = 0.05, level: float = 0.95) -> Verdict:
        """Say whether the network over- or underfits among its own kind: every other rate is an alternative.

        Parameters
        ----------
        rate : float, optional
            A rate of the curve; by default the rate chosen by the rule, anew for each fold on the other folds.
        margin, level : float
            As in :func:`bridle.diagnose`.

        Returns
        -------
        Verdict

        Raises
        ------
        InputError
            The rate isn't on the curve, or training diverged there.
        """
        if rate is None:
            return judge(self.evidence, CHOSEN, margin=margin, level=level)
        near = np.flatnonzero(np.isclose(self.curve.values, rate))
        if near.size == 0:
            known = ", ".join(f"{v:g}" for v in self.curve.values)
            raise InputError(f"rate {rate!r} isn't on the curve; expected one of {known}")
        name = rate_name(float(self.curve.values[near[0]]))
        if name not in self.evidence.names:
            raise InputError(f"training diverged at rate {rate!r} in some fold, so it can't be judged; choose another")
        return judge(self.evidence, name, margin=margin, level=level)


def check_rates(rates: ArrayLike | None) -> Float:
    """Return the grid of rates, (R,), largest first.

    Raises
    ------
    InputError
        No rates, or some outside [0, 1).
    """
    values = RATES if rates is None else np.atleast_1d(np.asarray(rates)).ravel().tolist()
    if not values:
        raise InputError("rates is empty; give at least one dropout rate from 0 to below 1")
    return np.array(sorted({check_rate("rates", v) for v in values}, reverse=True))


def dropout_path(
    X: Any,
    y: ArrayLike,
    *,
    family: str,
    rates: ArrayLike | None = None,
    folds: Any = 5,
    architecture: Architecture | None = None,
    training: Training | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    time: ArrayLike | None = None,
    rule: str = "min",
    most_rows: int | None = None,
    device: str = "auto",
    seed: int = 0,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> DropoutPath:
    """Cross-validate networks over a grid of dropout rates: folds x rates models trained at once.

    In each fold some training rows are set aside to decide when training stops; held-out rows have no part in it.

    Parameters
    ----------
    X : (n, p) array, sparse matrix or FoldDesign
        Features; they are standardised inside, by each fold's training rows (sparse ones are scaled, not centred).
    y : (n,) array
        Target; multinomial: codes 0..k-1.
    family : {"gaussian", "binomial", "multinomial", "poisson"}
        Loss.
    rates : (R,) array, optional
        Dropout rates of hidden units, in [0, 1); by default 0.8, 0.7, ..., 0.
    folds : Folds, int, or what ``make_folds`` takes as ``splitter``
        The folds; an int is their number.
    architecture, training : Architecture, Training, optional
        Shape and training of the networks.
    sample_weight, offset : (n,) array, optional
        Row weights, and a known part of the link.
    groups, time : (n,) array, optional
        Kept together, or respected, when folds are made and rows set aside.
    rule : str
        How the rate is chosen: "min", "1se" or "within".
    most_rows : int, optional
        Train on at most so many rows of each fold, drawn at random; held-out rows all count.
    device : str
        "auto", "cpu", "cuda" or "cuda:1".
    seed : int
        Of folds, initial weights, minibatches and masks.
    n_jobs : int, optional
        Threads, all cores by default; the answer doesn't depend on it.
    progress : callable, optional
        Takes (epochs done, epochs at most, mean best validation loss so far).

    Returns
    -------
    DropoutPath

    Raises
    ------
    InputError
        Data, folds or settings can't be used.
    MissingExtraError
        PyTorch isn't installed.
    """
    architecture, training = architecture or Architecture(), training or Training()
    grid = check_rates(rates)
    data = FoldData.make(X, y, sample_weight, offset)
    groups, time = (None if v is None else np.asarray(v) for v in (groups, time))
    n_classes = _n_classes(data.y) if family == "multinomial" else 1
    folds = folds if isinstance(folds, Folds) else _folds(data.y, family, folds, groups, time, seed)
    check_folds(folds, data)
    folds = replace(folds, pairs=tuple((sampled(fit, most_rows, seed), held) for fit, held in folds.pairs))
    everything = sampled(np.arange(data.y.size), most_rows, seed)
    rows = Rows(data.design, data.y, data.weight, data.offset)

    def split(part: Index, number: int) -> tuple[Index, Index]:
        if not training.early_stopping:
            return np.sort(part), part[:0]
        return split_validation(
            data.y, part, family=family, fraction=training.validation_fraction, seed=number, groups=groups, time=time
        )

    trained = train(
        rows, make_tasks([fit for fit, _ in folds.pairs], everything, split, seed), grid, architecture, training,
        family=family, n_classes=n_classes, device=device, n_jobs=(os.cpu_count() or 1) if n_jobs is None else n_jobs,
        progress=progress,
    )  # fmt: skip
    links_train, links_test = [], []
    for (fit, held), models in zip(folds.pairs, trained, strict=False):
        matrix = rows.matrix(fit)
        links_train.append(links_of(models, matrix, data.offset, fit, n_classes))
        links_test.append(links_of(models, matrix, data.offset, held, n_classes))
    curve, evidence = curve_and_evidence(
        data.y, links_test, links_train, rates=grid, folds=folds, family=family, weight=data.weight,
        offset=data.offset, rule=rule, n_features=int(data.design.shape[1]),
    )  # fmt: skip
    fits = tuple(_with_noise(fit, float(m)) for fit, m in zip(trained[-1], curve.mean, strict=True))
    cut = sum(model.status == "interrupted" for models in trained for model in models)
    if cut:
        warnings.warn(
            f"interrupted while {cut} of {len(trained) * grid.size} networks were still training: their best weights "
            "so far are kept, and the curve is rougher than it would have been",
            BridleWarning,
            stacklevel=2,
        )
    return DropoutPath(curve, evidence, folds, fits, rule, interrupted=cut > 0)


def _folds(y: Float, family: str, folds: Any, groups: Any, time: Any, seed: int) -> Folds:
    if family != "multinomial" or groups is not None or time is not None:
        return make_folds(y, family=family, splitter=folds, groups=groups, time=time, seed=seed)
    found = make_folds(y, kind="stratified", splitter=folds, seed=seed)  # sorted codes, dealt out evenly
    return replace(found, description=found.description.replace("by quantile", "by class"))


def _n_classes(y: Float) -> int:
    codes = np.unique(y)
    if not np.array_equal(codes, np.arange(codes.size)):
        raise InputError(
            f"a multinomial y needs class codes 0, 1, 2, ..., all of them there; got {codes[:10].tolist()}; "
            "numpy.unique(y, return_inverse=True) makes them"
        )
    return int(codes.size)


def make_tasks(training_rows: Sequence[Index], everything: Index, split: Splitter, seed: int) -> list[Task]:
    """One task for each fold, and one for all rows, with its training losses kept."""
    tasks = []
    for j, part in enumerate([*training_rows, everything]):
        number = int(np.random.SeedSequence([seed, j]).generate_state(1)[0])
        fit, held = split(part, number)
        tasks.append(Task(fit, held, number, track=j == len(training_rows)))
    return tasks


def links_of(models: Sequence[Trained], matrix: Any, offset: Float | None, rows: Index, outputs: int) -> Float:
    """(R, m) or (R, m, k) links; NaN for a model that training didn't give."""
    part, of = matrix[rows], None if offset is None or outputs > 1 else offset[rows]  # for classes it's 0
    missing = np.full((rows.size, outputs) if outputs > 1 else rows.size, np.nan)
    return np.array([missing if m.network is None else m.network.link(part, of) for m in models])


def _with_noise(fit: Trained, loss: float) -> Trained:
    """The fit with the noise of a gaussian target as cross-validation measured it, on rows that trained nothing."""
    if fit.network is None or fit.network.family != "gaussian" or not np.isfinite(loss):
        return fit
    return replace(fit, network=replace(fit.network, noise=float(np.sqrt(loss))))
