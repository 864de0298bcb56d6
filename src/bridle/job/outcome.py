"""What the main job asks of a kind of target beyond its loss: how to score, draw, name and keep predictions.

One object for each study, ``problem.outcome``. :class:`Outcome` is that of one linear predictor a row; a kind of
target that is more than one number a row has a subclass in a module of its own, which :func:`outcome_of` finds.
``y`` is always the target as the family takes it, ``eta`` what :meth:`bridle.job.fitting.Fit.link` gives.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.measure import measure_of
from bridle.diagnosis.verdict import Interval
from bridle.job import holdout, words
from bridle.losses import Family
from bridle.model_io import Model, TableModel
from bridle.results import HoldoutPoints

if TYPE_CHECKING:
    from bridle.job.fitting import Fit, Problem
    from bridle.job.options import Options
    from bridle.path import Path
    from bridle.selection import Curve

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Scored = tuple[Interval, dict[str, Interval]]  # loss, and scores by name

BLOCK = 16_384  # rows whose predictions are held at once


class Outcome:
    """A number, a count or one of two classes: one linear predictor and one mean a row.

    Parameters
    ----------
    family : Family
        With a value for every parameter.
    names : tuple of str
        Labels of the classes, lowest first, or names of the responses; empty for a number.
    """

    drops: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Techniques of the main job that such targets can't have, and why, in a sentence."""

    def __init__(self, family: Family, names: tuple[str, ...] = ()) -> None:
        self.family = family
        self.names = names
        self.measure = measure_of(family)

    @property
    def loss_name(self) -> str:
        """What the mean deviance is called in words."""
        return self.family.loss_name

    def check(self, options: Options) -> None:
        """Refuse options that such targets can't have, with an InputError."""

    def measured(self, y: Float, w: Float, offset: Float | None) -> Outcome:
        """Return the outcome to use once the training rows are known: their target, weights (n,) and offset (n,)."""
        return self

    def inside(self, y: Float) -> Float:
        """Return a target in the units that models are fitted in."""
        return y

    def outside(self, coef: Float) -> Float:
        """Return coefficients in the units of the target as it came."""
        return coef

    # Fitting ----------------------------------------------------------------------------------------------------

    def null(self, problem: Problem) -> tuple[Any, Float]:
        """Return intercept and coefficients of the model without features."""
        offset = 0.0 if problem.offset is None else problem.offset
        b0 = self.family.null_predictor(problem.y, problem.weights, offset)
        return b0, np.zeros(problem.design.shape[1])

    def varies(self, y: Float, of: Float) -> bool:
        """Whether a resampled target can be fitted: it isn't a single class or count, unless all rows (``of``) are."""
        return self.family.link_name == "identity" or bool(np.ptp(of) == 0.0 or np.ptp(y) > 0.0)

    def losses_along(self, problem: Problem, path: Path, rows: Int) -> Float:
        """Return the summed loss of some rows (m,) at each lambda of a path, (L,), in blocks of rows."""
        total = np.zeros(path.lambdas.size)
        for start in range(0, rows.size, BLOCK):
            part = rows[start : start + BLOCK]
            offset = None if problem.offset is None else problem.offset[part]
            eta = path.linear_predictor(problem.X[part], offset=offset)  # (rows, L)
            y = np.broadcast_to(problem.y[part, None], eta.shape)
            total += problem.weights[part] @ self.family.loss(y, eta)
        return total

    def drawn(self, path: Path, shown: Int) -> Float:
        """Return what the path chart draws of some features (F,), per standard deviation, (F, L)."""
        return np.asarray(path.coef_sparse[:, shown].toarray().T * path.scale[shown, None])

    def spread(self, X: Float, w: Float, coef: Float, samples: Float) -> float:
        """Return by how much resampling moves predictors, over their own spread; NaN where they have none.

        Parameters
        ----------
        X, w : (m, p), (m,)
            Rows, and their weights.
        coef : (p,)
            Of the fit.
        samples : (B, p)
            Of the resampled fits.
        """
        return _relative_spread(np.asarray(X @ coef), np.asarray(X @ samples.T), w)

    def curve(self, problem: Problem, curve: Curve) -> Curve:
        """Return a validation curve of the problem's folds on the scale of the verdict's losses."""
        return curve

    def of(self, problem: Problem, fit: Fit) -> Outcome:
        """Return the outcome as one that knows the training rows of a fit, which its predictions may need."""
        return self

    # Measuring --------------------------------------------------------------------------------------------------

    def train_loss(self, problem: Problem, eta: Float) -> float:
        """Return the mean unit deviance of the training rows."""
        used = problem.weights > 0.0  # an infinite loss of weight 0 is none
        loss = self.family.deviance(problem.y, self.family.mean(eta))[used]
        return float(np.average(loss, weights=problem.weights[used]))

    def null_losses(self, problem: Problem) -> tuple[Float, Float]:
        """Return the null model's held-out loss in each fold, (J,), and what each fold counts for, (J,)."""
        losses, sizes = [], []
        for train, test in problem.folds.pairs:
            _, mean = self.measure.null(problem.y, problem.weights, problem.offset, train, test)
            losses.append(np.average(self.family.deviance(problem.y[test], mean), weights=problem.weights[test]))
            sizes.append(problem.weights[test].sum())
        return np.array(losses), np.array(sizes)

    def score(
        self, y: Float, eta: Float, null_eta: Float, w: Float, level: float, cluster: holdout.Cluster = None
    ) -> Scored:
        """Return the loss of held-out rows and named scores, each with its interval."""
        mu, null_mu = self.family.mean(eta), self.family.mean(null_eta)
        loss = holdout.loss_interval(self.family.deviance(y, mu), w, level, cluster)
        return loss, holdout.scores(self.family, y, mu, null_mu, w, level, cluster)

    def scores_along(self, y: Float, w: Float, eta: Float) -> dict[str, float]:
        """Return scores of held-out rows for the slider of the report, where one strength gives ``eta``."""
        family = self.family
        if family.share_below is not None:
            return {f"{family.loss_name} (held-out rows)": float(family.mean_deviance(y, eta[:, None], w)[0])}
        if not family.is_classifier:
            with np.errstate(over="ignore"):
                return {"RMSE (held-out rows)": float(np.sqrt(np.average((y - family.mean(eta)) ** 2, weights=w)))}
        if not np.all((y == 0.0) | (y == 1.0)):
            return {}
        accuracy = float(np.average((eta >= 0.0) == (y == 1.0), weights=w))
        return {
            "ROC AUC (held-out rows)": holdout.auc(y == 1.0, eta, w),
            "accuracy (held-out rows)": accuracy,
        }

    def points(
        self, y: Float, eta: Float, w: Float, level: float, rng: np.random.Generator, cluster: holdout.Cluster = None
    ) -> dict[str, Any]:
        """Return what the report draws of held-out rows, as fields of :class:`bridle.results.StudyResult`."""
        drawn: HoldoutPoints = holdout.points(self.family, y, self.family.mean(eta), w, level, rng, cluster)
        return {"holdout": drawn}

    def undrawn(self) -> dict[str, Any]:
        """Return fields of :class:`bridle.results.StudyResult` where no rows were held out."""
        return {}

    def events(self, y: Float) -> int:
        """Return what the sample size is counted in: rows, events, or rows of the rarest class."""
        if self.family.is_classifier:
            return int(min(y.sum(), len(y) - y.sum()))
        return int(y.sum()) if self.family.counts else len(y)

    def n_candidates(self, p: int) -> int:
        """Return the number of parameters, intercepts left out, that p features may have."""
        return p

    # Saying and keeping -----------------------------------------------------------------------------------------

    def summary(self, y: Float) -> str:
        """Return one line on the target, as of all rows."""
        return words.target_summary(y, self.family, self.names)

    def observed(self, name: str, y: Float) -> dict[str, Any]:
        """Return the target's columns of predictions.csv, by name."""
        return {name: y}

    def predicted(self, model: str, eta: Float) -> dict[str, Any]:
        """Return a model's columns of predictions.csv, by name."""
        return {f"prediction ({model})": self.family.mean(eta)}

    def effect(self, value: Any, scale: float, feature: str, indicator: bool) -> str:
        """Say what a coefficient of a feature does, on the scale that people think in.

        Parameters
        ----------
        value : float
            In the units that models are fitted in; (K,) for several columns.
        scale : float
            Standard deviation of the feature.
        feature : str
            Its name.
        indicator : bool
            Whether it is 0 or 1.
        """
        return words.effect(self.family, value, scale, feature, indicator)

    def objective(self, fit: Fit) -> str:
        """Return what a fit minimised, with the chosen numbers in it."""
        return words.objective(self.family, fit)

    def model(self, fit: Fit, **common: Any) -> TableModel:
        """Return a linear fit as something that predicts tables; ``common`` is what models of all kinds are made of."""
        return Model(intercept=float(fit.intercept), coef=fit.coef, **common)


def _relative_spread(link: Float, links: Float, w: Float) -> float:
    """Mean over rows of the standard deviation over samples, links (m, B), over that of ``link`` (m,) over rows."""
    spread = float(np.sqrt(np.average((link - np.average(link, weights=w)) ** 2, weights=w)))
    if spread == 0.0:
        return float("nan")
    centred = links - np.average(links, axis=0, weights=w)
    return float(np.average(np.std(centred, axis=1, ddof=1), weights=w) / spread)


def outcome_of(family: Family, names: Any = ()) -> Outcome:
    """Return what the main job asks of targets of a family; ``names`` of their classes or responses, or columns."""
    if family.several:
        made: Outcome = importlib.import_module("bridle.job.several").outcome(family, names)
        return made
    if family.name == "cox":
        of_times: Outcome = importlib.import_module("bridle.job.survival").outcome(family, names)
        return of_times
    return Outcome(family, names)
