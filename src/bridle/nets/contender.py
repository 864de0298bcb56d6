"""The dropout network as a contender of a verdict: its rate chosen again inside every training fold."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.contenders import NullContender, Target, sampled
from bridle.diagnosis.table import matrix_for
from bridle.errors import BridleWarning, InputError
from bridle.nets.dropout import check_rates, dropout_path
from bridle.nets.engine import Rows, Task, Trained, split_validation, train
from bridle.nets.evidence import rate_name
from bridle.nets.settings import Architecture, Training
from bridle.selection import make_folds

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
        used = sampled(train, self.most_rows, self.seed)
        matrix = matrix_for(self.X, used)
        grid = check_rates(self.rates)
        try:
            fits, chosen = self._trained(matrix, used, grid)
        except InputError:
            return NullContender(self.target).fit_predict(train, test)
        # Both ends in every fold, chosen or not: a variant that some fold lacks is no evidence.
        wanted = {"": chosen} | {rate_name(float(grid[k])): k for k in {0, grid.size - 1} if grid.size > 1}
        return {
            variant: (self._means(fits[k], matrix, train), self._means(fits[k], matrix, test))
            for variant, k in wanted.items()
        }

    def _trained(self, matrix: Any, used: Index, grid: Float) -> tuple[tuple[Trained, ...], int]:
        """Networks of all rates trained on the rows used, and which of them is chosen."""
        t = self.target
        fit, held = used, used[:0]
        if self.training.early_stopping:
            fit, held = split_validation(
                t.y, used, family=t.family, fraction=self.training.validation_fraction, seed=self.seed,
                groups=t.groups, time=t.time,
            )  # fmt: skip
        if grid.size == 1 or held.size >= TUNING_ROWS:
            rows = Rows(matrix, t.y, t.weight, t.offset)
            fits = train(
                rows, [Task(fit, held, self.seed)], grid, self.architecture, self.training, family=t.family
            )[0]  # fmt: skip
            losses = [f.validation_loss if f.network is not None else np.inf for f in fits]
            return fits, int(np.argmin(np.nan_to_num(losses, nan=np.inf)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BridleWarning)
            folds = make_folds(
                t.y[used], family=t.family, n_splits=INNER_FOLDS, groups=t.part("groups", used),
                time=t.part("time", used), seed=self.seed,
            )  # fmt: skip
        path = dropout_path(
            matrix[used], t.y[used], family=t.family, rates=grid, folds=folds, architecture=self.architecture,
            training=self.training, sample_weight=t.part("weight", used), offset=t.part("offset", used),
            groups=t.part("groups", used), time=t.part("time", used), rule=self.rule, seed=self.seed, n_jobs=1,
        )  # fmt: skip
        return path.fits, path.select().index

    def _means(self, fit: Trained, matrix: Any, rows: Index) -> Float:
        """(m,) means; NaN where training diverged, which takes the variant (or the contender) out."""
        if fit.network is None:
            return np.full(rows.size, np.nan)
        return fit.network.predict_mean(matrix[rows], self.target.part("offset", rows))
