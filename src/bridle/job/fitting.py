"""The models of one study, fitted on the training rows and cross-validated on the same folds."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridle.convert import unitless_ratios
from bridle.design import Design
from bridle.errors import BridleError
from bridle.job.options import L1_RATIOS, Options, Progress
from bridle.losses import Family
from bridle.path import Path, fit_path
from bridle.selection import Curve, Folds, cross_validate, select

if TYPE_CHECKING:
    from bridle.nets.dropout import DropoutPath
    from bridle.nets.trained import Trained

Float = NDArray[np.float64]

LABELS = {
    "null": "Mean only",
    "unregularised": "Unregularised",
    "ridge": "Ridge (L2)",
    "lasso": "Lasso (L1)",
    "elastic net": "Elastic net (L1 + L2)",
    "dropout": "Dropout network",
}
TECHNIQUE = {
    "null": "none", "unregularised": "none", "ridge": "L2", "lasso": "L1", "elastic net": "L1 + L2",
    "dropout": "dropout",
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """The training rows as every step of the main job sees them."""

    design: Design  # (n, p)
    y: Float  # (n,)
    family: Family
    weight: Float | None  # (n,)
    offset: Float | None  # (n,)
    groups: NDArray[Any] | None  # (n,)
    time: NDArray[Any] | None  # (n,)
    folds: Folds

    @cached_property
    def X(self) -> Any:
        """(n, p) matrix, missing values filled from all training rows."""
        return self.design.for_rows(None)

    def take(self, rows: NDArray[np.int64]) -> Problem:
        """The same problem on some of its rows; the folds stay those of all rows."""

        def part(values: Any) -> Any:
            return None if values is None else values[rows]

        return replace(
            self, design=self.design.take(rows), y=self.y[rows], weight=part(self.weight), offset=part(self.offset),
            groups=part(self.groups), time=part(self.time),
        )  # fmt: skip

    @property
    def weights(self) -> Float:
        """(n,) weights, ones where none were given."""
        return np.ones_like(self.y) if self.weight is None else self.weight


@dataclass(frozen=True)
class Fit:
    """One model with its tuned strength, fitted on all training rows."""

    name: str
    intercept: float
    coef: Float  # (p,), original scale; zeros for a network
    l1_ratio: float = float("nan")
    value: float = float("nan")  # the chosen lambda or dropout rate
    rule: str = ""
    reason: str = ""
    index: int = 0  # of the chosen value on path and curve
    path: Path | None = None
    curve: Curve | None = None
    nets: DropoutPath | None = None  # a network's, at all rates
    seconds: float = 0.0
    failed: str = ""  # why there are no numbers

    @property
    def label(self) -> str:
        """The model's name for people."""
        return LABELS[self.name]

    @property
    def tuned(self) -> bool:
        """Whether a strength was chosen from a curve."""
        return self.curve is not None and self.curve.values.size > 1

    @property
    def parameter(self) -> str:
        """What was chosen: "lambda" or "dropout rate"; empty where nothing was."""
        return self.curve.parameter if self.tuned and self.curve is not None else ""

    @property
    def has_path(self) -> bool:
        """Whether there are coefficients for every strength: linear models only."""
        return self.path is not None and self.path.lambdas.size > 1

    @property
    def trained(self) -> Trained | None:
        """The network at the chosen rate, with its history; None for linear models."""
        return None if self.nets is None else self.nets.fits[self.index]

    @property
    def n_used(self) -> int:
        """Features that can change a prediction."""
        network = None if self.trained is None else self.trained.network
        return int(np.count_nonzero(self.coef if network is None else network.used))

    def link(self, X: NDArray[np.float64], offset: Float | None) -> Float:
        """Link of the rows of ``X``, (n,): the linear predictor, or what a network gives in its place."""
        if self.trained is not None and self.trained.network is not None:
            return self.trained.network.link(X, offset)
        eta = np.asarray(X @ self.coef, dtype=np.float64) + self.intercept
        return eta if offset is None else eta + offset


def fit_models(problem: Problem, options: Options, progress: Progress) -> tuple[Fit, ...]:
    """Fit the null model and each model asked for; a model that can't be fitted is kept, with the reason.

    Parameters
    ----------
    progress : callable
        Takes (stage, done, total).
    """
    fits = [fit_null(problem)]
    for k, name in enumerate(options.models):
        start = time.perf_counter()
        try:
            if name == "dropout":
                from bridle.job.networks import fit_network

                fits.append(fit_network(problem, options, progress))
            else:
                fits.append(_fit(name, problem, options, start))
        except BridleError as error:
            none = np.zeros(problem.design.shape[1])
            fits.append(Fit(name, float("nan"), none, failed=str(error), seconds=time.perf_counter() - start))
        progress("fitting models", k + 1, len(options.models))
    return tuple(fits)


def fit_null(problem: Problem) -> Fit:
    """Return the model that predicts the mean."""
    offset = 0.0 if problem.offset is None else problem.offset
    b0 = problem.family.null_predictor(problem.y, problem.weights, offset)
    return Fit("null", b0, np.zeros(problem.design.shape[1]), reason="predicts the mean of the training rows")


def _fit(name: str, problem: Problem, options: Options, start: float) -> Fit:
    free = name == "unregularised"
    cv = cross_validate(
        problem.design,
        problem.y,
        folds=problem.folds,
        family=problem.family.spec,
        l1_ratio=(1.0,) if free else l1_ratios(name, problem),
        lambdas=[0.0] if free else None,
        sample_weight=problem.weight,
        offset=problem.offset,
        tol=options.tol,
        n_jobs=options.n_jobs,
    )
    chosen = select(cv.curves, "min" if free else options.rule)
    path = cv.paths[chosen.curve]
    return Fit(
        name=name,
        intercept=float(path.intercept[chosen.index]),
        coef=path.coef_row(chosen.index),
        l1_ratio=float("nan") if free else chosen.l1_ratio,
        value=chosen.value,
        rule="" if free else chosen.rule,
        reason="no penalty: the least-squares or maximum-likelihood fit" if free else chosen.reason,
        index=chosen.index,
        path=path,
        curve=cv.curves[chosen.curve],
        seconds=time.perf_counter() - start,
    )


def l1_ratios(name: str, problem: Problem) -> tuple[float, ...]:
    """The l1_ratios to choose from, such that the unit in which a gaussian target is measured doesn't matter."""
    return unitless_ratios(
        L1_RATIOS[name], problem.y, family=problem.family.spec, sample_weight=problem.weight, offset=problem.offset
    )


def refit(problem: Problem, fit: Fit, lambdas: Float, weight: Float, tol: float) -> Path:
    """Path of the same penalty on reweighted rows: a bootstrap sample is a vector of weights, no copy of the rows."""
    return fit_path(
        problem.X, problem.y, family=problem.family.spec, l1_ratio=fit.l1_ratio,
        lambdas=lambdas, sample_weight=weight, offset=problem.offset, tol=tol,
    )  # fmt: skip
