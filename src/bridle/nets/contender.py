"""The dropout network as a contender of a verdict: its rate chosen again inside every training fold."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.contenders import NullContender, Target, sampled
from bridle.diagnosis.table import matrix_for
from bridle.errors import BridleWarning, InputError
from bridle.nets.dropout import check_rates, links_of
from bridle.nets.engine import Rows, Task, Trained, split_validation
from bridle.nets.engine import train as train_all
from bridle.nets.evidence import curve_and_evidence, rate_name
from bridle.nets.settings import Architecture, Training
from bridle.selection import Folds, make_folds, select

Float = NDArray[np.float64]
Index = NDArray[np.int64]
Means = tuple[Float, Float]  # of the training rows, of the test rows

TUNING_RATES = (0.7, 0.5, 0.3, 0.1, 0.0)
TUNING_ROWS = 400  # validation rows from which they can choose the rate as well as inner folds would
INNER_FOLDS = 3


@dataclass(frozen=True, eq=False)
class NetworkContender:
    """A network with dropout, trained anew on the training rows of every fold.

    The rate is chosen by inner folds; with ``TUNING_ROWS`` rows set aside for early stopping, by those. A single rate
    is taken as given.

    Parameters
    ----------
    name, label : str
        Stable name, and name for people.
    X : (n, p) matrix or FoldDesign
        Features.
    target : Target
        What to predict: gaussian, binomial or Poisson.
    rates : tuple of float
        Rates to choose from; the smallest and the largest also serve as variants, held back less and more.
    rule : str
        Selection rule.
    architecture, training : Architecture, Training
        The network.
    most_rows : int, optional
        Train on at most this many of the training rows, drawn at random; losses are still those of all.
    seed : int
        Of everything random.
    """

    name: str
    label: str
    X: Any
    target: Target
    rates: tuple[float, ...] = TUNING_RATES
    rule: str = "min"
    architecture: Architecture = field(default_factory=Architecture)
    training: Training = field(default_factory=Training)
    most_rows: int | None = None
    seed: int = 0

    def fit_predict(self, train: Index, test: Index) -> Mapping[str, Means]:
        """Tune on the training rows, then return means under "" and under the smallest and largest rate.

        Training rows that can't be split again give nothing to tune by: the answer is then the overall mean.
        """
        try:
            return self._together([(train, test)], 1)[0]
        except InputError:
            return NullContender(self.target).fit_predict(train, test)

    def fit_predict_all(self, pairs: Sequence[tuple[Index, Index]], n_jobs: int) -> list[Mapping[str, Means]]:
        """Do :meth:`fit_predict` for many folds at once, which is one batched computation; the answers are the same."""
        try:
            return self._together(pairs, n_jobs)
        except InputError:  # of one fold, which must not be the others'
            return [self.fit_predict(train, test) for train, test in pairs]

    def _together(self, pairs: Sequence[tuple[Index, Index]], n_jobs: int) -> list[Mapping[str, Means]]:
        """Plan the networks of all folds, train them, and let each fold choose its rate."""
        t, grid = self.target, check_rates(self.rates)
        plans = [self._plan(sampled(train, self.most_rows, self.seed), grid.size) for train, _ in pairs]
        tasks = [task for plan in plans for task in plan.tasks]
        fits = iter(
            train_all(
                Rows(self.X, t.y, t.weight, t.offset), tasks, grid, self.architecture, self.training, family=t.family,
                n_jobs=n_jobs,
            )
        )  # fmt: skip
        return [
            self._chosen(plan, [next(fits) for _ in plan.tasks], grid, *pair)
            for plan, pair in zip(plans, pairs, strict=True)
        ]

    def _plan(self, used: Index, n_rates: int) -> _Plan:
        """The tasks of one fold: the inner folds that tune, where there are any, and last the rows used."""
        t = self.target
        last = self._task(used)
        if n_rates == 1 or last.validation.size >= TUNING_ROWS:
            return _Plan(used, None, [last])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BridleWarning)
            inner = make_folds(
                t.y[used], family=t.family, n_splits=INNER_FOLDS, groups=t.part("groups", used),
                time=t.part("time", used), seed=self.seed,
            )  # fmt: skip
        return _Plan(used, inner, [*(self._task(used[fit]) for fit, _ in inner.pairs), last])

    def _task(self, rows: Index) -> Task:
        t, fit, held = self.target, rows, rows[:0]
        if self.training.early_stopping:
            fit, held = split_validation(
                t.y, rows, family=t.family, fraction=self.training.validation_fraction, seed=self.seed,
                groups=t.groups, time=t.time,
            )  # fmt: skip
        return Task(fit, held, self.seed)

    def _chosen(
        self, plan: _Plan, fits: list[tuple[Trained, ...]], grid: Float, train: Index, test: Index
    ) -> Mapping[str, Means]:
        """Choose the rate, and predict with the networks of the rows used."""
        final = fits[-1]
        if plan.inner is not None:
            chosen = self._tuned(plan.used, plan.inner, fits[:-1], grid)
        else:
            losses = [f.validation_loss if f.network is not None else np.inf for f in final]
            chosen = int(np.argmin(np.nan_to_num(losses, nan=np.inf)))
        matrix = matrix_for(self.X, plan.used)
        # Both ends in every fold, chosen or not: a variant that some fold lacks is no evidence.
        ends = {rate_name(float(grid[k])): k for k in {0, grid.size - 1} if grid.size > 1}
        return {
            variant: (self._means(final[k], matrix, train), self._means(final[k], matrix, test))
            for variant, k in ({"": chosen} | ends).items()
        }

    def _tuned(self, used: Index, inner: Folds, fits: list[tuple[Trained, ...]], grid: Float) -> int:
        """The rate that the rule chooses on the inner folds."""
        t = self.target
        train, test = [], []
        for (fit, held), models in zip(inner.pairs, fits, strict=True):
            matrix = matrix_for(self.X, used[fit])
            train.append(links_of(models, matrix, t.offset, used[fit], 1))
            test.append(links_of(models, matrix, t.offset, used[held], 1))
        curve, _ = curve_and_evidence(
            t.y[used], test, train, rates=grid, folds=inner, family=t.family, weight=t.part("weight", used),
            offset=t.part("offset", used), rule=self.rule,
        )  # fmt: skip
        return select(curve, self.rule).index

    def _means(self, fit: Trained, matrix: Any, rows: Index) -> Float:
        """(m,) means; NaN where training diverged, which takes the variant (or the contender) out."""
        if fit.network is None:
            return np.full(rows.size, np.nan)
        return fit.network.predict_mean(matrix[rows], self.target.part("offset", rows))


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is to be trained for one fold."""

    used: Index  # training rows
    inner: Folds | None  # of the rows used
    tasks: list[Task]  # of the inner folds, and of the rows used
