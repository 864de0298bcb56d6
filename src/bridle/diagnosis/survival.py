"""Times to an event where models are compared: a fit is measured by the survival that it predicts for held-out rows.

Decision record 0431 says why: the partial likelihood of held-out rows is no sum over rows, and its size grows with how
many are at risk, so that no share of it means anything.
"""

from __future__ import annotations

import warnings
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.diagnosis.measure import Means, Measure
from bridle.errors import BridleWarning
from bridle.survival import CoxFamily
from bridle.survival.target import STRATUM, read_target

Float = NDArray[np.float64]
IntArray = NDArray[np.int64]


class CoxMeasure(Measure):
    """Relative hazards, measured with the baseline hazard that a fit's own training rows give.

    Losses are per event: sums over rows of their unit deviances (:meth:`bridle.survival.TrainedHazard.deviance`),
    over the number of events among them.
    """

    family: CoxFamily
    null_words = "the baseline hazard alone"
    null_label = "Baseline only"

    def target(self, y: ArrayLike) -> Float:  # noqa: D102
        return read_target(y, len(np.asarray(y)))

    def strata(self, y: Float) -> IntArray | None:  # noqa: D102
        return self.family.classes(y)

    def width(self, y: Float) -> tuple[int, ...]:  # noqa: D102
        return ()

    def null(  # noqa: D102
        self, y: Float, weight: Float, offset: Float | None, train: IntArray, test: IntArray
    ) -> Means:
        o = np.zeros(len(y)) if offset is None else offset
        return self.family.mean(o[train]), self.family.mean(o[test])

    def losses(  # noqa: D102
        self, y: Float, weight: Float, means: Means, train: IntArray, test: IntArray
    ) -> tuple[float, float]:
        trained = (y[train], means[0], weight[train])
        found = [self.family.row_deviance(y[rows], m, trained) for rows, m in zip((train, test), means, strict=True)]
        at_train, at_test = (
            float(weight[rows] @ loss) / max(float(weight[rows] @ unit), 1e-300)
            for rows, (loss, unit) in zip((train, test), found, strict=True)
        )
        return at_train, at_test

    def losses_of_part(
        self, y: Float, weight: Float, means: Means, part: IntArray, test: IntArray, whole: IntArray
    ) -> tuple[float, float]:
        """Return losses of a fit to a part of the training rows: what the features bring, from the whole's null model.

        Hazards are measured against that of no features, which fewer rows know less well: that isn't the model's merit.

        Parameters
        ----------
        y, weight : (n, 4), (n,)
            All rows.
        means : tuple
            Relative hazards of ``part`` and ``test``.
        part, test, whole : row numbers
            Trained on, held out, and all training rows of the fold.
        """
        own = self.losses(y, weight, means, part, test)
        null, full = (self.losses(y, weight, self.null(y, weight, None, r, test), r, test) for r in (part, whole))
        return own[0] - null[0] + full[0], own[1] - null[1] + full[1]

    def slope(self, y: Float, mean: Float, weight: Float, offset: Float | None, folds: IntArray) -> tuple[float, float]:
        """Return the calibration slope of held-out predictors, and its standard error: Cox's model with them alone.

        Folds are strata, since a predictor has a zero of its own in each.

        Parameters
        ----------
        y : (n, 4)
            Target.
        mean, weight, offset : (n,)
            Held-out relative hazards, weights and offset (or None).
        folds : (n,)
            Fold in which each row was held out, -1 for never.

        References
        ----------
        van Houwelingen (2000), Validation, calibration, revision and combination of prognostic survival models,
        Statistics in Medicine 19.
        """
        from bridle.path import fit_path

        rows = (folds >= 0) & (weight > 0.0)
        own = y[rows].copy()
        own[:, STRATUM] += (1.0 + float(y[:, STRATUM].max())) * folds[rows]
        o = None if offset is None else offset[rows]
        f = self.family.link(mean[rows]) - (0.0 if o is None else o)
        f = np.clip(f, *(np.median(f) + np.array([-1.0, 1.0]) * np.log(len(f) + 2.0)))
        scale = float(np.std(f))
        if not scale > 1e-6:
            return np.nan, np.nan
        z, w = (f / scale)[:, None], weight[rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BridleWarning)
            path = fit_path(z, own, family=self.family.spec, lambdas=[0.0], sample_weight=w, offset=o)
        if path.status[0] != "converged":
            return np.nan, np.nan
        eta = path.linear_predictor(z, offset=o)[:, 0]
        information = float(self.family.hessian(own, eta, w, z)[0, 0])
        if not information > 0.0:
            return np.nan, np.nan
        return float(path.coef_row(0)[0]) / scale, float(1.0 / np.sqrt(information)) / scale

    def boosted(self, options: dict[str, Any]) -> Any:  # noqa: D102
        from bridle.diagnosis.boosted_hazard import BoostedHazard

        return BoostedHazard(ties=self.family.ties, options=options)


def cox_measure(family: Any) -> Measure:
    """Return how predictions of Cox's family are measured."""
    return CoxMeasure(cast(CoxFamily, family))
