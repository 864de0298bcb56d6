"""Everything that was found, put into the plain frozen values of :mod:`bridle.results`."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import bridle
from bridle.data import Dataset
from bridle.diagnosis.verdict import Interval
from bridle.job import networks, summaries, words
from bridle.job.fitting import TECHNIQUE, Fit, Problem
from bridle.job.judging import Judged
from bridle.job.monte_carlo import monte_carlo
from bridle.job.options import Options
from bridle.job.stability import Stability
from bridle.job.techniques import compare_techniques
from bridle.model_io import Meta, NetworkModel, TableModel
from bridle.results import (
    FORMAT,
    ColumnNote,
    DataNotes,
    ModelResult,
    Reproduce,
    SampleSize,
    StudyResult,
    Swap,
)

if TYPE_CHECKING:
    from bridle.job.run import Split

Float = NDArray[np.float64]


def assemble(
    data: Dataset,
    split: Split,
    fits: tuple[Fit, ...],
    judged: Judged,
    stability: Mapping[str, Stability],
    swaps: tuple[Swap, ...],
    *,
    size: SampleSize,
    options: Options,
    best: Fit,
    why: str,
    started: float,
    command: str,
    created: str,
) -> StudyResult:
    """Return the study's result; every number in it comes from the arguments."""
    loss_name = split.problem.outcome.loss_name
    null = fits[0]
    models = tuple(_model_result(f, split, judged, stability.get(f.name), null, options) for f in fits)
    drawn: dict[str, Any] = {"holdout": None, **split.problem.outcome.of(split.problem, best).undrawn()}
    if split.w_test.sum() > 0.0:
        eta, rng = best.link(split.X_test, split.offset_test), np.random.default_rng(options.seed)
        at = (split.y_test, eta, split.w_test, options.level, rng, split.cluster_test)
        drawn |= split.problem.outcome.of(split.problem, best).points(*at)
    return StudyResult(
        format=FORMAT,
        title=f"{data.target_name} from {data.source}",
        data=_data_notes(data, split, judged, networks.notes(split.problem, options, fits)),
        best=best.name,
        best_reason=why,
        headline=judged.verdicts[best.name].sentence,
        models=models,
        sample_size=size,
        swaps=swaps,
        gain=words.gain(models, loss_name, split.problem.outcome.measure.null_words),
        loss_name=loss_name,
        reproduce=_reproduce(
            options, command, created, time.perf_counter() - started, networks_fitted=any(f.nets for f in fits)
        ),
        folds=split.problem.folds.description,
        techniques=compare_techniques(
            judged.evidence,
            options.level,
            loss_name,
            max((f.penalty for f in fits), default=""),
            relaxed=split.problem.relax,
        ),
        **drawn,
    )


def _model_result(
    fit: Fit, split: Split, judged: Judged, stability: Stability | None, null: Fit, options: Options
) -> ModelResult:
    problem, level = split.problem, options.level
    missing = Interval(float("nan"), float("nan"), float("nan"), level)
    common: dict[str, Any] = {
        "name": fit.name, "label": fit.label, "technique": TECHNIQUE[fit.name], "parameter": fit.parameter,
        "value": fit.value, "l1_ratio": fit.l1_ratio, "rule": fit.rule, "reason": fit.reason,
        "n_features": len(fit.coef), "fit_seconds": fit.seconds,
    }  # fmt: skip
    if fit.failed:
        return ModelResult(
            **common, n_nonzero=0, cv_loss=missing, train_loss=float("nan"), holdout_loss=missing, holdout_scores={},
            verdict=None, failed=fit.failed,
        )  # fmt: skip
    loss, scores = _held_out(fit, split, null, level)
    bare = fit.path is None
    return ModelResult(
        **common,
        n_nonzero=fit.n_used,
        cv_loss=_cv_loss(fit, problem, level),
        train_loss=problem.outcome.train_loss(problem, fit.link(problem.X, problem.offset)),
        holdout_loss=loss,
        holdout_scores=scores,
        verdict=judged.verdicts.get(fit.name),
        curve=_curve(fit, split) if fit.tuned else None,
        path=summaries.path_summary(fit, problem, summaries.shown_features(fit), stability) if fit.has_path else None,
        intercept=float(fit.intercept) if np.ndim(fit.intercept) == 0 else float("nan"),
        terms=() if bare else summaries.terms(fit, problem, split.encoder),
        coefficients=() if bare else summaries.coefficients(fit, problem, stability, level),
        certificate=summaries.certificate(fit, problem),
        lambda_bootstrap=() if stability is None else tuple(stability.chosen_lambda.tolist()),
        prediction_stability=float("nan") if stability is None else stability.prediction_spread,
        **_network(fit, split, options),
    )


def _network(fit: Fit, split: Split, options: Options) -> dict[str, Any]:
    """What there is to tell of a network only."""
    if fit.trained is None or fit.trained.network is None:
        return {}
    network = fit.trained.network
    return {
        "network": network.outline,
        "history": fit.trained.history,
        "monte_carlo": monte_carlo(
            network, split.X_test, split.y_test, split.offset_test, level=options.level, seed=options.seed
        ),
        "attributions": networks.attributions(network, split.problem, options.seed),
    }


def _curve(fit: Fit, split: Split) -> Any:
    scores = summaries.path_scores(fit, split.problem, split.X_test, split.y_test, split.w_test, split.offset_test)
    return summaries.curve_summary(fit, scores)


def _cv_loss(fit: Fit, problem: Problem, level: float) -> Interval:
    """Held-out loss across the folds; for the null model that of the mean of each fold's training rows."""
    if fit.curve is not None:
        return summaries.loss_interval(fit.curve.mean[fit.index], fit.curve.standard_error[fit.index], problem, level)
    losses, sizes = problem.outcome.null_losses(problem)
    mean = float(np.average(losses, weights=sizes))
    spread = np.average((losses - mean) ** 2, weights=sizes)
    error = float(np.sqrt(spread / (len(losses) - 1))) if len(losses) > 1 else float("nan")
    return summaries.loss_interval(mean, error, problem, level)


def _held_out(fit: Fit, split: Split, null: Fit, level: float) -> tuple[Interval, dict[str, Interval]]:
    used = split.w_test > 0.0
    if not used.any():
        return Interval(float("nan"), float("nan"), float("nan"), level), {}
    cluster = None if split.cluster_test is None else split.cluster_test[used]
    eta, null_eta = (f.link(split.X_test, split.offset_test)[used] for f in (fit, null))
    outcome = split.problem.outcome.of(split.problem, fit)
    return outcome.score(split.y_test[used], eta, null_eta, split.w_test[used], level, cluster)


def _data_notes(data: Dataset, split: Split, judged: Judged, notes: tuple[str, ...]) -> DataNotes:
    return DataNotes(
        source=data.source,
        sha256=data.sha256,
        n_rows=data.n_rows,
        n_train=split.problem.n_rows,
        n_holdout=int(split.test.size),
        n_columns=len(data.columns),
        n_features=split.problem.design.shape[1],
        target=data.target_name,
        family=split.problem.family.spec,
        classes=data.classes,
        target_summary=split.problem.outcome.summary(data.y),
        columns=tuple(
            ColumnNote(c.name, c.kind, c.used, c.n_missing, c.n_distinct, c.note, c.examples) for c in data.columns
        ),
        notes=(*data.notes, *judged.notes, *notes),
        warnings=data.warnings,
        responses=data.responses,
    )


def _reproduce(options: Options, command: str, created: str, seconds: float, *, networks_fitted: bool) -> Reproduce:
    import scipy
    import sklearn

    versions = {
        "bridle": bridle.__version__, "python": platform.python_version(), "numpy": np.__version__,
        "scipy": scipy.__version__, "scikit-learn": sklearn.__version__, "polars": pl.__version__,
    }  # fmt: skip
    if networks_fitted:
        import torch

        versions["torch"] = torch.__version__
    settings = {f: getattr(options, f) for f in options.__dataclass_fields__ if f not in ("seed", "n_jobs")}
    plain = {k: ", ".join(v) if isinstance(v, tuple) else str(v) for k, v in settings.items()}
    return Reproduce(command, options.seed, versions, created, seconds, options.n_jobs, plain)


def predictions(fits: tuple[Fit, ...], split: Split, data: Dataset) -> pl.DataFrame:
    """Row number in the table, target, and each model's means, for the held-out rows."""
    outcome = split.problem.outcome
    columns: dict[str, Any] = {"row": data.rows[split.test], **outcome.observed(data.target_name, split.y_test)}
    for fit in fits:
        if not fit.failed:
            columns |= outcome.of(split.problem, fit).predicted(fit.name, fit.link(split.X_test, split.offset_test))
    return pl.DataFrame(columns)


def model(fit: Fit, split: Split, data: Dataset, result: StudyResult) -> TableModel:
    """The fit as something that predicts from a table and can be saved."""
    problem, found = split.problem, result.model(fit.name)
    share = problem.weights / problem.weights.sum()
    verdict = found.verdict
    common: dict[str, Any] = {
        "encoder": split.encoder,
        "family": problem.family.spec,
        "target": data.target_name,
        "classes": data.classes,
        "reference": np.asarray(problem.X.T @ share, dtype=np.float64),
        "offset": split.offset_name,
        "reference_offset": 0.0 if problem.offset is None else float(share @ problem.offset),
        "meta": Meta(
            name=fit.name,
            label=found.label,
            objective=problem.outcome.objective(fit),
            parameter=found.parameter,
            value=fit.value,
            l1_ratio=fit.l1_ratio,
            rule=fit.rule,
            verdict="" if verdict is None else verdict.label,
            sentence="" if verdict is None else verdict.sentence,
            source=data.source,
            sha256=data.sha256,
            n_rows=problem.n_rows,
            created=result.reproduce.created,
            versions=result.reproduce.versions,
        ),
    }
    if fit.trained is not None and fit.trained.network is not None:
        return NetworkModel(network=fit.trained.network, **common)
    return problem.outcome.of(problem, fit).model(fit, **common)
