# ruff: noqa: E501  (rows of results read better whole)
"""Studies to draw: fitted from real tables by a small proximal-gradient solver, so that the pictures look real."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray
from report_evidence import data_notes, holdout_points, sample_size, swaps, verdict_of  # registered by conftest.py
from report_tables import NAN, NOTHING, Float, Source, deviance, fit_path, mean_of, standardised

from bridle.diagnosis.verdict import Interval
from bridle.results import (
    Certificate,
    Coefficient,
    CurveSummary,
    ModelResult,
    PathSummary,
    Reproduce,
    StudyResult,
)

LABELS = {"ridge": "Ridge (L2)", "lasso": "Lasso (L1)", "elastic net": "Elastic net (L1 + L2)"}
TECHNIQUE = {"ridge": "L2", "lasso": "L1", "elastic net": "L1 + L2"}
RATIO = {"ridge": 0.0, "lasso": 1.0, "elastic net": 0.5}


def build(source: Source, seed: int = 0) -> StudyResult:
    rng = np.random.default_rng(seed)
    n = len(source.y)
    order = rng.permutation(n)
    held = order[: n // 5] if source.holdout else order[:0]
    train = order[len(held) :]
    Z, mean, sd = standardised(source.X)
    models = [null_model(source, train, held)]
    fits = {}
    for name, ratio in RATIO.items():
        model, eta = penalised(source, name, ratio, Z, mean, sd, train, held, rng)
        models.append(model)
        fits[name] = eta
    models.insert(1, free_model(source, models, train, held, Z))
    best = "lasso"
    models = [
        dataclasses.replace(
            m,
            verdict=verdict_of(
                m, models, source, "overfitting" if m.name == "unregularised" else source.label, len(train), rng
            ),
        )
        if m.name != "null" and not m.failed
        else m
        for m in models
    ]
    chosen = next(m for m in models if m.name == best)
    assert chosen.verdict is not None
    return StudyResult(
        format=1,
        title=source.title,
        data=data_notes(source, len(train), len(held)),
        best=best,
        best_reason="Lasso is the simplest of the models whose held-out error can't be told from the lowest.",
        headline=headline(source.label),
        models=tuple(models),
        holdout=holdout_points(source, fits[best], held) if len(held) else None,
        sample_size=sample_size(source, n),
        swaps=swaps(source, chosen),
        gain=gain(models[1], chosen),
        loss_name={
            "gaussian": "mean squared error",
            "binomial": "binomial deviance per row",
            "poisson": "Poisson deviance per row",
        }[source.family],
        reproduce=Reproduce(
            command=f"bridle fit {source.target}.csv --target '{source.target}' --seed 0 --models ridge,lasso,elastic-net",
            seed=0,
            versions={"bridle": "0.1.0", "python": "3.11.9", "numpy": "2.4.6", "scipy": "1.17.0", "polars": "2.1.0"},
            created="2026-01-02T03:04:05Z",
            seconds=2.9,
            n_jobs=2,
            options={"rule": "1se", "folds": "10", "margin": "0.05"},
        ),
        folds=f"{source.n_folds}-fold cross-validation{', stratified' if source.family == 'binomial' else ''}",
    )


def gain(free: ModelResult, chosen: ModelResult) -> str:
    kept = f"with {chosen.n_nonzero} of {chosen.n_features} features"
    ratio = chosen.holdout_loss.value / free.holdout_loss.value
    if not math.isfinite(ratio):
        return f"The unregularised fit can't be compared on held-out rows; the lasso does {kept}."
    return (
        f"On rows that no model had seen, the lasso's error is {100 * ratio:.0f} % of the unregularised fit's, {kept}."
    )


def headline(label: str) -> str:
    return {
        "balanced": "The lasso is in balance: no simpler or richer model we tried predicts new rows better by more than 5 %.",
        "overfitting": "The model overfits: a more regularised one makes 17 % smaller errors on new rows.",
        "underfitting": "The model underfits: a richer one makes 12 % smaller errors on new rows.",
        "no signal": "There is no signal here: no model we tried predicts new rows better than guessing the average.",
        "undetermined": "It can't be told yet whether the model is in balance; it leans towards overfitting.",
    }[label]


def bootstrap_mean(losses: Float, rng: np.random.Generator) -> Interval:
    if losses.size == 0:
        return NOTHING
    draws = rng.choice(losses, (400, losses.size)).mean(axis=1)
    return Interval(float(losses.mean()), *(float(q) for q in np.quantile(draws, [0.025, 0.975])))


def null_model(source: Source, train: NDArray[np.int64], held: NDArray[np.int64]) -> ModelResult:
    rng = np.random.default_rng(1)
    mu = np.full(len(source.y), source.y[train].mean())
    losses = deviance(source.y, mu, source.family)
    return ModelResult(
        "null", "Guessing the average", "none", "", NAN, NAN, "", "", 0, source.X.shape[1],
        bootstrap_mean(losses[train], rng), float(losses[train].mean()), bootstrap_mean(losses[held], rng),
        scores_of(source.y[held], mu[held], source.family), 0.0004, None,
    )  # fmt: skip


def free_model(
    source: Source, models: list[ModelResult], train: NDArray[np.int64], held: NDArray[np.int64], Z: Float
) -> ModelResult:
    p = source.X.shape[1]
    if p >= len(train):
        return ModelResult(
            "unregularised", "Unregularised", "none", "", NAN, NAN, "", "", 0, p, NOTHING, NAN, NOTHING, {}, NAN, None,
            failed=f"{p} features need more than {len(train)} rows",
        )  # fmt: skip
    rng = np.random.default_rng(2)
    coef, b0 = fit_path(Z[train], source.y[train], np.geomspace(0.1, 1e-9, 12), 0.0, source.family, 400)
    mu = mean_of(b0[-1] + Z @ coef[-1], source.family)
    losses = deviance(source.y, mu, source.family)
    ridge = models[1]
    return ModelResult(
        "unregularised", "Unregularised", "none", "", NAN, NAN, "", "Nothing is held back.", p, p,
        Interval(ridge.cv_loss.value * 1.4, ridge.cv_loss.lower * 1.3, ridge.cv_loss.upper * 1.6),
        float(losses[train].mean()), bootstrap_mean(losses[held], rng), scores_of(source.y[held], mu[held], source.family), 0.02, None,
        certificate=Certificate("minimise over b0, b:  1/n sum_i loss(y_i, b0 + x_i'b)", 1, 3e-9, 2e-9, 1e-6, 1),
    )  # fmt: skip


def scores_of(y: Float, mu: Float, family: str) -> dict[str, Interval]:
    if y.size < 3:
        return {}
    null = deviance(y, np.full(y.size, y.mean()), family).mean()
    explained = 1 - float(deviance(y, mu, family).mean()) / float(null) if null > 0 else NAN
    scores = {"deviance explained": Interval(explained, explained - 0.07, min(explained + 0.06, 1))}
    if family == "binomial":
        area = auc(y, mu)
        scores = {
            "ROC AUC": Interval(area, area - 0.02, min(area + 0.01, 1.0)),
            "accuracy": Interval(float(((mu > 0.5) == y).mean()), NAN, NAN),
            **scores,
        }
    elif family == "gaussian":
        scores = {
            "R2": scores["deviance explained"],
            "RMSE": Interval(float(np.sqrt(np.mean((y - mu) ** 2))), NAN, NAN),
        }
    return scores


def auc(y: Float, mu: Float) -> float:
    a, b = mu[y == 1], mu[y == 0]
    if not (a.size and b.size):
        return NAN
    return float((a[:, None] > b).mean() + 0.5 * (a[:, None] == b).mean())


def penalised(
    source: Source, name: str, ratio: float, Z: Float, mean: Float, sd: Float,
    train: NDArray[np.int64], held: NDArray[np.int64], rng: np.random.Generator,
) -> tuple[ModelResult, Float]:  # fmt: skip
    y, family, p = source.y, source.family, Z.shape[1]
    n = len(train)
    gradient = np.abs(Z[train].T @ (y[train] - y[train].mean())).max() / n
    lam_max = float(gradient / max(ratio, 1e-3))
    lams = np.geomspace(lam_max, lam_max * (1e-4 if n > p else 1e-2), source.n_lambdas)
    folds = np.array_split(rng.permutation(train), source.n_folds)
    held_losses, train_losses, fold_scores = [], [], []
    for fold in folds:
        rest = np.setdiff1d(train, fold)
        coef, b0 = fit_path(Z[rest], y[rest], lams, ratio, family)
        mu = mean_of(b0 + Z @ coef.T, family)
        losses = deviance(y[:, None], mu, family)
        held_losses.append(losses[fold].mean(axis=0))
        train_losses.append(losses[rest].mean(axis=0))
        fold_scores.append(
            [auc(y[fold], mu[fold, k]) for k in range(len(lams))]
            if family == "binomial"
            else 1 - losses[fold].mean(axis=0) / y[fold].var()
        )
    cv = np.array(held_losses)
    m, se = cv.mean(axis=0), cv.std(axis=0) / math.sqrt(len(folds) - 1)
    low = int(np.argmin(m))
    one = int(np.argmax(m <= m[low] + se[low]))
    coef, b0 = fit_path(Z[train], y[train], lams, ratio, family, 40)
    eta = b0[one] + Z @ coef[one]
    losses = deviance(y, mean_of(eta, family), family)
    drawn = np.argsort(-np.abs(coef[one]) - 1e-3 * np.abs(coef[-1]))[: source.n_drawn]
    boots, boot_lams, boot_values = [], lams[::2], []
    chosen_again = []
    for _ in range(source.n_boot):
        rows = rng.choice(train, n)
        bc, _ = fit_path(Z[rows], y[rows], boot_lams, ratio, family, 10)
        boots.append(bc)
        boot_values.append(float(lams[np.clip(one + rng.integers(-9, 10), 0, len(lams) - 1)]))
        chosen_again.append(bc[one // 2])
    again = np.array(chosen_again) if chosen_again else np.full((1, p), np.nan)
    nonzero = [int(j) for j in np.argsort(-np.abs(coef[one])) if coef[one, j] != 0][:200]
    curve = CurveSummary(
        "lambda", *(tuple(float(v) for v in a) for a in (lams, m, se, np.mean(train_losses, axis=0))),
        tuple(int(v) for v in (coef != 0).sum(axis=1)),
        {("ROC AUC" if family == "binomial" else "R2"): tuple(float(v) for v in np.mean(fold_scores, axis=0))},
        low, one, one, {"min": low, "1se": one, "aic": min(low + 2, len(lams) - 1), "bic": max(one - 3, 0)},
    )  # fmt: skip
    result = ModelResult(
        name, LABELS[name], TECHNIQUE[name], "lambda", float(lams[one]), ratio, "1se",
        f"1se: the largest lambda whose cross-validated error is within one standard error of the lowest (lambda {lams[low]:.3g}).",
        int((coef[one] != 0).sum()), p, Interval(float(m[one]), float(m[one] - 2 * se[one]), float(m[one] + 2 * se[one])),
        float(losses[train].mean()), bootstrap_mean(losses[held], rng), scores_of(y[held], mean_of(eta[held], family), family), 0.08, None, curve,
        PathSummary(
            tuple(source.names[j] for j in drawn),
            tuple(tuple(float(v) for v in coef[:, j]) for j in drawn),
            tuple(tuple(tuple(float(v) for v in bc[:, j]) for j in drawn[:12]) for bc in boots),
            tuple(float(v) for v in boot_lams),
        ),
        float(b0[one] - (coef[one] * mean / sd).sum()),
        tuple(coefficient(source, j, coef[one, j], again[:, j], mean[j], sd[j]) for j in nonzero),
        Certificate(
            f"minimise over b0, b:  1/{n} sum_i loss(y_i, b0 + x_i'b) + {lams[one]:.4g} sum_j [ {ratio:g} |b_j| + {(1 - ratio) / 2:g} b_j^2 ]",
            len(lams), 7.3e-7, 4.1e-8, 1e-6, len(lams),
        ),
        tuple(boot_values), 0.083,
    )  # fmt: skip
    return result, eta


def coefficient(source: Source, j: int, b: float, again: Float, mean: float, sd: float) -> Coefficient:
    there = again[again != 0] / sd
    value = float(b / sd)
    lower, upper = (
        (float(v) for v in np.quantile(again / sd, [0.025, 0.975])) if np.isfinite(again).all() else (NAN, NAN)
    )
    effect = (
        f"{value:+.3g} per unit"
        if source.family == "gaussian"
        else f"odds × {math.exp(min(max(value, -20), 20)):.3g} per unit"
    )
    return Coefficient(
        source.names[j], source.names[j].split(" = ")[0], value, float(b), effect, lower, upper,
        float((again != 0).mean()) if np.isfinite(again).all() else NAN,
        float((np.sign(there) == np.sign(b)).mean()) if there.size and np.isfinite(again).all() else NAN, "per unit", float(mean), float(sd),
    )  # fmt: skip
