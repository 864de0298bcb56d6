"""The main job on times to an event: what :class:`bridle.job.outcome.Outcome` asks, answered for hazards."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from bridle.data.survival import SurvivalColumns
from bridle.job import holdout, words
from bridle.job.outcome import Outcome, Scored
from bridle.job.survival_points import drawn_groups, horizon_bins
from bridle.losses import Family
from bridle.model_io import SurvivalModel, TableModel
from bridle.results import Survival
from bridle.selection import Curve
from bridle.survival import BaselineHazard, CoxFamily
from bridle.survival.scores import brier_rows, concordance_error, kaplan_meier, uno_concordance
from bridle.survival.target import EVENT, START, STRATUM, TIME

if TYPE_CHECKING:
    from bridle.diagnosis.verdict import Interval
    from bridle.job.fitting import Fit, Problem
    from bridle.path import Path

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Trained = tuple[Float, Float, Float]  # target, relative hazards and weights of training rows

BRIER_TIMES = 20  # between which the Brier score is averaged
NO_NETWORK = "Networks with dropout have no loss for times to an event here, so that no dropout model is fitted."


class SurvivalOutcome(Outcome):
    """Times to an event; one that is :meth:`of` a fit knows its training rows, and so its baseline hazard."""

    family: CoxFamily
    drops = MappingProxyType({"dropout": NO_NETWORK})

    def __init__(self, family: CoxFamily, columns: SurvivalColumns) -> None:
        super().__init__(family)
        self.survival = columns
        self.trained: Trained | None = None  # the fit's training rows
        self.plain: Trained | None = None  # the same of the model without features

    def of(self, problem: Problem, fit: Fit) -> SurvivalOutcome:  # noqa: D102
        found = SurvivalOutcome(self.family, self.survival)
        offset = np.zeros(problem.n_rows) if problem.offset is None else problem.offset
        found.trained = (problem.y, self.family.mean(fit.link(problem.X, problem.offset)), problem.weights)
        found.plain = (problem.y, self.family.mean(offset), problem.weights)
        return found

    @property
    def _training(self) -> Trained:
        assert self.trained is not None  # asked only of what is of a fit
        return self.trained

    # Fitting ----------------------------------------------------------------------------------------------------

    def null(self, problem: Problem) -> tuple[Any, Float]:  # noqa: D102
        return 0.0, np.zeros(problem.design.shape[1])

    def varies(self, y: Float, of: Float) -> bool:  # noqa: D102
        return bool((y[:, EVENT] == 1.0).any())

    def losses_along(self, problem: Problem, path: Path, rows: Int) -> Float:
        """Return the partial likelihood deviance among some rows alone, (L,)."""
        y, w = problem.y[rows], problem.weights[rows]
        if not np.any(w[y[:, EVENT] == 1.0] > 0.0):
            return np.zeros(path.lambdas.size)
        offset = None if problem.offset is None else problem.offset[rows]
        return self.family.mean_deviance(y, path.linear_predictor(problem.X[rows], offset=offset), w)

    def curve(self, problem: Problem, curve: Curve) -> Curve:
        """Return a validation curve on the verdict's scale.

        The curve's partial likelihood deviance per event grows with the number at risk, so that shares of it mean
        nothing. Less a constant it is the deviance of the verdict: exactly so on training rows, and on held-out ones
        such that the models without features agree.
        """
        w, offset = problem.weights, np.zeros(problem.n_rows) if problem.offset is None else problem.offset
        every = np.arange(problem.n_rows)
        shifts = np.array([self._shift(problem.y, w, offset, *pair) for pair in problem.folds.pairs])  # (J, 2)
        whole = self._shift(problem.y, w, offset, every, np.arange(0))[0]
        test = float(np.average(shifts[:, 1], weights=curve.test_weight))
        return replace(
            curve, test_loss=curve.test_loss + test, train_loss=curve.train_loss + float(shifts[:, 0].mean()),
            full_loss=None if curve.full_loss is None else curve.full_loss + whole,
            null_loss=curve.null_loss + whole,
        )  # fmt: skip

    def _shift(self, y: Float, w: Float, offset: Float, train: Int, test: Int) -> tuple[float, float]:
        """Deviance of the verdict less that of the curve, without features: of training and of held-out rows."""
        means = self.measure.null(y, w, offset, train, test)
        if not test.size:
            means = (means[0], means[0])
        measured = self.measure.losses(y, w, means, train, test if test.size else train)
        eta, units = offset[:, None], self.family.units(y, w)
        part = float(w[train].sum()) * self.family.mean_deviance(y[train], eta[train], w[train])[0]
        at_train = measured[0] - float(part) / float(units[train].sum())
        if not test.size:
            return at_train, np.nan
        rows = np.concatenate([train, test])
        held = np.arange(rows.size) >= train.size
        return at_train, measured[1] - float(self.family.held_out_deviance(y[rows], eta[rows], held, w[rows])[0])

    # Measuring --------------------------------------------------------------------------------------------------

    def train_loss(self, problem: Problem, eta: Float) -> float:  # noqa: D102
        mean, rows = self.family.mean(eta), np.arange(problem.n_rows)
        return self.measure.losses(problem.y, problem.weights, (mean, mean), rows, rows)[0]

    def null_losses(self, problem: Problem) -> tuple[Float, Float]:  # noqa: D102
        y, w, units = problem.y, problem.weights, self.family.units(problem.y, problem.weights)
        losses, sizes = [], []
        for train, test in problem.folds.pairs:
            means = self.measure.null(y, w, problem.offset, train, test)
            losses.append(self.measure.losses(y, w, means, train, test)[1])
            sizes.append(units[test].sum())
        return np.array(losses), np.array(sizes)

    def score(  # noqa: D102
        self, y: Float, eta: Float, null_eta: Float, w: Float, level: float, cluster: holdout.Cluster = None
    ) -> Scored:
        y_train = self._training[0]
        assert self.plain is not None
        loss, unit = self.family.row_deviance(y, self.family.mean(eta), self._training)
        null_loss, _ = self.family.row_deviance(y, self.family.mean(null_eta), self.plain)
        if not float(w @ unit) > 0.0:
            return holdout.loss_interval(np.full(len(y), np.nan), w, level), {}
        per_event = holdout.explained_interval(loss, unit, w, level, cluster)
        total = replace(
            per_event, value=1.0 - per_event.value, lower=1.0 - per_event.upper, upper=1.0 - per_event.lower
        )
        found = {"deviance explained": holdout.explained_interval(loss, null_loss, w, level, cluster)}
        found["concordance (Harrell)"] = self._concordance(y, eta, w, level, cluster)
        if np.isneginf(y[:, START]).all():
            until = float(y_train[y_train[:, EVENT] == 1.0, TIME].max())
            found["concordance (Uno)"] = replace(
                total, value=uno_concordance(y, eta, until, w), lower=np.nan, upper=np.nan
            )
            rows, times = self._brier(y, eta, w)
            if rows.size:
                found[f"Brier score to {times[-1]:.3g}"] = holdout.loss_interval(rows, w, level, cluster)
        return total, found

    def _concordance(self, y: Float, eta: Float, w: Float, level: float, cluster: holdout.Cluster) -> Interval:
        codes = None if cluster is None else np.unique(cluster, return_inverse=True)[1]
        value, error = concordance_error(y, eta, w, codes)
        half = holdout.normal_quantile(level) * error
        lower, upper = np.clip([value - half, value + half], 0.0, 1.0)
        return replace(holdout.mean_interval(np.zeros(2), np.ones(2), level), value=value, lower=lower, upper=upper)

    def _brier(self, y: Float, eta: Float, w: Float) -> tuple[Float, Float]:
        """Parts of rows in the integrated Brier score (n,), and its times; none where it can't be had."""
        event = self._training[0][self._training[0][:, EVENT] == 1.0, TIME]
        times = np.unique(np.quantile(event, np.linspace(0.05, 0.9, BRIER_TIMES)))
        times = times[times < y[:, TIME].max()]
        curves = self._hazard().survival_at(eta, y[:, STRATUM], times)
        if not times.size or np.isnan(curves).any():
            return np.zeros(0), times
        rows = brier_rows(y, curves, times, w)
        return (rows, times) if np.isfinite(rows).all() else (np.zeros(0), times)

    def scores_along(self, y: Float, w: Float, eta: Float) -> dict[str, float]:  # noqa: D102
        from bridle import _core

        rank = np.unique(eta, return_inverse=True)[1].astype(np.int64)
        below, tied, all_pairs = _core.concordance(np.ascontiguousarray(y), rank, w, int(rank.max(initial=0)) + 1)
        value = (below + 0.5 * tied) / all_pairs if all_pairs > 0.0 else float("nan")
        return {"concordance (held-out rows)": value}

    def points(  # noqa: D102
        self, y: Float, eta: Float, w: Float, level: float, rng: np.random.Generator, cluster: holdout.Cluster = None
    ) -> dict[str, Any]:
        hazard, used = self._hazard(), w > 0.0
        horizon = self._quartiles()[1]
        known = used & np.isin(y[:, STRATUM], hazard.strata)
        z = holdout.normal_quantile(level)
        at = (y[known], eta[known], w[known])
        groups = drawn_groups(*at, hazard, z) if known.any() else ()
        bins = horizon_bins(*at, hazard, horizon, z) if known.any() else ()
        return {"holdout": None, "survival": replace(self.described(horizon), groups=groups, calibration=bins)}

    def described(self, horizon: float) -> Survival:
        """Return the columns, as the report names them."""
        c = self.survival
        return Survival(c.time, c.event, c.label, c.start, c.strata, c.levels, horizon)

    def undrawn(self) -> dict[str, Any]:  # noqa: D102
        return {"survival": self.described(self._quartiles()[1])}

    def events(self, y: Float) -> int:  # noqa: D102
        return int((y[:, EVENT] == 1.0).sum())

    # Saying and keeping -----------------------------------------------------------------------------------------

    def summary(self, y: Float) -> str:  # noqa: D102
        events, curve = self.events(y), kaplan_meier(y)
        half = curve.time[curve.survival <= 0.5]
        median = f"median time to the event {words.number(float(half[0]))}" if half.size else "most never have it"
        strata = f", {len(self.survival.levels)} strata" if self.survival.levels else ""
        return f"{events:,} of {len(y):,} rows have the event ({words.percent(events / len(y))}), {median}{strata}"

    def observed(self, name: str, y: Float) -> dict[str, Any]:  # noqa: D102
        c = self.survival
        found: dict[str, Any] = {c.time: y[:, TIME], c.event: y[:, EVENT].astype(np.int64)}
        if c.start:
            found[c.start] = y[:, START]
        if c.strata:
            found[c.strata] = [c.levels[int(k)] for k in y[:, STRATUM]]
        return found

    def predicted(self, model: str, eta: Float) -> dict[str, Any]:  # noqa: D102
        _, mean, w = self._training
        centre = float(np.average(self.family.link(mean), weights=w))
        return {f"relative hazard ({model})": self.family.mean(eta - centre)}

    def model(self, fit: Fit, **common: Any) -> TableModel:  # noqa: D102
        c = self.survival
        return SurvivalModel(
            intercept=0.0, coef=fit.coef, hazard=self._hazard(), event=c.event, label=c.label, strata=c.strata,
            levels=c.levels, times=tuple(dict.fromkeys(self._quartiles())), **common,
        )  # fmt: skip

    def _hazard(self) -> BaselineHazard:
        y, mean, w = self._training
        used = w > 0.0
        return BaselineHazard.estimate(self.family, y[used], self.family.link(mean[used]), w[used])

    def _quartiles(self) -> tuple[float, float, float]:
        """Quartiles of the times of the training rows' events."""
        y = self._training[0]
        a, b, c = np.quantile(y[y[:, EVENT] == 1.0, TIME], [0.25, 0.5, 0.75], method="inverted_cdf")
        return float(a), float(b), float(c)


def outcome(family: Family, names: Any) -> Outcome:
    """Return what the main job asks of times to an event; ``names`` are its columns."""
    columns = names if isinstance(names, SurvivalColumns) else SurvivalColumns("time", "event", "1")
    return SurvivalOutcome(cast(CoxFamily, family), columns)
