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
from bridle.design.hierarchy import Latent, LatentDesign
from bridle.errors import BridleError, InputError
from bridle.job.options import L1_RATIOS, Options, Progress
from bridle.job.outcome import Outcome, outcome_of
from bridle.losses import Family
from bridle.path import Path, fit_path
from bridle.penalties import read_penalty
from bridle.selection import Curve, Folds, cross_validate, select

if TYPE_CHECKING:
    from bridle.nets.dropout import DropoutPath
    from bridle.nets.trained import Trained

Float = NDArray[np.float64]

COPIES_END, COPIES_VALUES = 0.01, 50  # a path's end over its start, and its length, where main effects have copies,
# which slow it down; both are glinternet's
PENALISED = ("lasso", "elastic net")  # the models that a penalty other than the elastic net is for
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
    y: Float  # (n,), or n rows as the family takes them
    family: Family
    weight: Float | None  # (n,)
    offset: Float | None  # (n,)
    groups: NDArray[Any] | None  # (n,)
    time: NDArray[Any] | None  # (n,)
    folds: Folds
    penalty: str = "elastic_net"  # of the models with an L1 penalty
    relax: bool = False  # whether these may be blended with refits of their active features
    latent: Latent | None = None  # copies of main effects, where interactions need theirs
    measured: Outcome | None = None  # what is asked of the target; that of the family by default

    @cached_property
    def outcome(self) -> Outcome:
        """What the steps of the job ask of such a target."""
        return outcome_of(self.family) if self.measured is None else self.measured

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.y)

    @cached_property
    def X(self) -> Any:
        """(n, p) matrix, missing values filled from all training rows."""
        return self.design.for_rows(None)

    def groups_features(self, name: str) -> bool:
        """Whether the model called ``name`` has another penalty than the elastic net."""
        return self.penalty != "elastic_net" and name in PENALISED

    @cached_property
    def _copies(self) -> LatentDesign | None:
        return None if self.latent is None else LatentDesign(self.design, self.latent)

    def design_for(self, name: str) -> Design | LatentDesign:
        """What the model called ``name`` is fitted on; with copies of main effects if it keeps a hierarchy."""
        return self._copies if self._copies is not None and self.groups_features(name) else self.design

    def penalty_for(self, name: str) -> dict[str, Any]:
        """The penalty of the model called ``name``, as options of the path functions; none for the elastic net."""
        if not self.groups_features(name):
            return {}
        if not read_penalty(self.penalty).grouped:
            return {"penalty": self.penalty}
        return {"penalty": self.penalty, "groups": self.design.groups if self.latent is None else self.latent.groups}

    def relaxes(self, name: str) -> bool:
        """Whether the model called ``name`` may be blended with refits of its active features."""
        return self.relax and name in PENALISED

    def end_for(self, name: str) -> float | None:
        """Where the path of the model called ``name`` ends, over its start; None for the usual end."""
        return COPIES_END if isinstance(self.design_for(name), LatentDesign) else None

    def on_features(self, path: Path, name: str) -> Path:
        """A path of the model called ``name`` as one on the features, copies summed up."""
        design = self.design_for(name)
        return design.collapse(path) if isinstance(design, LatentDesign) else path

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
        return np.ones(len(self.y)) if self.weight is None else self.weight


@dataclass(frozen=True)
class Fit:
    """One model with its tuned strength, fitted on all training rows."""

    name: str
    intercept: Any  # a number, or (K,) where a row has several predictors
    coef: Float  # (p,) or (p, K), original scale; zeros for a network
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
    penalty: str = ""  # its spec, unless it's the elastic net
    relaxed: bool = False  # whether a blend with refits was to choose from
    gamma: float = 1.0  # share of the penalised fit that was chosen
    called: str = ""  # the model's name for people, where it isn't the usual one

    @property
    def label(self) -> str:
        """The model's name for people."""
        return self.called or label(self.name, self.penalty, relaxed=self.relaxed)

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
        return int(np.count_nonzero(self.in_use if network is None else network.used))

    @property
    def in_use(self) -> NDArray[np.bool_]:
        """(p,) whether a feature has a coefficient other than 0."""
        return np.asarray(self.coef != 0.0 if self.coef.ndim == 1 else (self.coef != 0.0).any(axis=1))

    @property
    def sizes(self) -> Float:
        """(p,) size of each feature's effect per standard deviation; of several predictors the length of all of them.

        Only of fits with a path, which knows the standard deviations.
        """
        assert self.path is not None
        size = np.abs(self.coef) if self.coef.ndim == 1 else np.linalg.norm(self.coef, axis=1)
        return np.asarray(size * self.path.scale)

    def link(self, X: NDArray[np.float64], offset: Float | None) -> Float:
        """Link of the rows of ``X``, (n,) or (n, K): the linear predictor, or what a network gives in its place."""
        if self.trained is not None and self.trained.network is not None:
            return self.trained.network.link(X, offset)
        eta = np.asarray(X @ self.coef, dtype=np.float64)
        if np.ndim(self.intercept) == 0:
            eta = eta + self.intercept
            return np.asarray(eta if offset is None else eta + offset)
        eta = (eta[:, None] if eta.ndim == 1 else eta) + self.intercept
        return np.asarray(eta if offset is None else eta + offset[:, None])


def label(name: str, penalty: str = "", *, relaxed: bool = False) -> str:
    """The name of a model for people, "Group lasso" of ("lasso", "group_lasso")."""
    if name not in PENALISED:
        return LABELS[name]
    said = LABELS[name]
    if penalty:
        words = read_penalty(penalty).words
        said = words[0].upper() + words[1:] + ("" if name == "lasso" else " + L2")
    return f"Relaxed {said if said.isupper() else said[0].lower() + said[1:]}" if relaxed else said


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
            if name in problem.outcome.drops:
                raise InputError(problem.outcome.drops[name])
            if name == "dropout":
                from bridle.job.networks import fit_network

                fits.append(fit_network(problem, options, progress))
            else:
                fits.append(_fit(name, problem, options, start))
        except BridleError as error:
            none = np.zeros(problem.design.shape[1])
            penalty = problem.penalty if problem.groups_features(name) else ""
            seconds = time.perf_counter() - start
            relaxed = problem.relaxes(name)
            fits.append(
                Fit(name, float("nan"), none, failed=str(error), seconds=seconds, penalty=penalty, relaxed=relaxed)
            )
        progress("fitting models", k + 1, len(options.models))
    return tuple(fits)


def fit_null(problem: Problem) -> Fit:
    """Return the model that predicts the mean."""
    intercept, coef = problem.outcome.null(problem)
    measure = problem.outcome.measure
    reason = f"predicts {measure.null_words} of the training rows"
    return Fit("null", intercept, coef, reason=reason, called=measure.null_label)


def _fit(name: str, problem: Problem, options: Options, start: float) -> Fit:
    free = name == "unregularised"
    cv = cross_validate(
        problem.design_for(name),
        problem.y,
        folds=problem.folds,
        family=problem.family.spec,
        l1_ratio=(1.0,) if free else l1_ratios(name, problem),
        lambdas=[0.0] if free else None,
        lambda_min_ratio=problem.end_for(name),
        n_lambdas=100 if problem.end_for(name) is None else COPIES_VALUES,
        sample_weight=problem.weight,
        offset=problem.offset,
        tol=options.tol,
        n_jobs=options.n_jobs,
        relax=problem.relaxes(name),
        **problem.penalty_for(name),
    )
    curves = [problem.outcome.curve(problem, curve) for curve in cv.curves]
    chosen = select(curves, "min" if free else options.rule)
    path, curve = problem.on_features(cv.paths[chosen.curve], name), curves[chosen.curve]
    if curve.n_nonzero is not None:
        curve = replace(curve, n_nonzero=path.n_nonzero)
    return Fit(
        name=name,
        intercept=path.intercept[chosen.index],
        coef=path.coef_row(chosen.index),
        l1_ratio=float("nan") if free else chosen.l1_ratio,
        value=chosen.value,
        rule="" if free else chosen.rule,
        reason="no penalty: the least-squares or maximum-likelihood fit" if free else chosen.reason,
        index=chosen.index,
        path=path,
        curve=curve,
        seconds=time.perf_counter() - start,
        penalty=problem.penalty if problem.groups_features(name) else "",
        relaxed=problem.relaxes(name),
        gamma=chosen.gamma,
    )


def l1_ratios(name: str, problem: Problem) -> tuple[float, ...]:
    """The l1_ratios to choose from, such that the unit in which a gaussian target is measured doesn't matter."""
    return unitless_ratios(
        L1_RATIOS[name], problem.y, family=problem.family.spec, sample_weight=problem.weight, offset=problem.offset
    )


def refit(problem: Problem, fit: Fit, lambdas: Float, weight: Float, tol: float) -> Path:
    """Path of the same penalty on reweighted rows: a bootstrap sample is a vector of weights, no copy of the rows."""
    path = fit_path(
        problem.design_for(fit.name).for_rows(None), problem.y, family=problem.family.spec, l1_ratio=fit.l1_ratio,
        lambdas=lambdas, sample_weight=weight, offset=problem.offset, tol=tol, relax=fit.gamma < 1.0,
        **problem.penalty_for(fit.name),
    )  # fmt: skip
    return problem.on_features(path.blend(fit.gamma), fit.name)
