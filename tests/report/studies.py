"""Studies to draw: fitted from real tables by a small proximal-gradient solver, so that the pictures look real."""

from __future__ import annotations

import dataclasses
import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes

from bridle.diagnosis.verdict import Check, Comparison, Interval, LearningCurve, Verdict
from bridle.results import (
    CalibrationBin,
    Certificate,
    Coefficient,
    ColumnNote,
    CurveSummary,
    DataNotes,
    HoldoutPoints,
    ModelResult,
    PathSummary,
    Reproduce,
    SampleSize,
    StudyResult,
    Swap,
)

Float = NDArray[np.float64]
NAN = math.nan
NOTHING = Interval(NAN, NAN, NAN)
LABELS = {"ridge": "Ridge (L2)", "lasso": "Lasso (L1)", "elastic net": "Elastic net (L1 + L2)"}
TECHNIQUE = {"ridge": "L2", "lasso": "L1", "elastic net": "L1 + L2"}
RATIO = {"ridge": 0.0, "lasso": 1.0, "elastic net": 0.5}


def mean_of(eta: Float, family: str) -> Float:
    if family == "gaussian":
        return eta
    return 1 / (1 + np.exp(-np.clip(eta, -30, 30))) if family == "binomial" else np.exp(np.clip(eta, -30, 4))


def deviance(y: Float, mu: Float, family: str) -> Float:
    """Unit deviances; y and mu broadcast."""
    if family == "gaussian":
        return (y - mu) ** 2
    mu = np.clip(mu, 1e-9, 1 - 1e-9) if family == "binomial" else np.maximum(mu, 1e-9)
    if family == "binomial":
        return -2 * (y * np.log(mu) + (1 - y) * np.log1p(-mu))
    return 2 * (np.where(y > 0, y * np.log(np.maximum(y, 1) / mu), 0) - (y - mu))


def fit_path(X: Float, y: Float, lams: Float, ratio: float, family: str, steps: int = 60) -> tuple[Float, Float]:
    """Coefficients (L, p) and intercepts (L,) by accelerated proximal gradient, each lambda from the one before."""
    n, p = X.shape
    curvature = {"gaussian": 1.0, "binomial": 0.25, "poisson": 2.0 * max(1.0, y.mean())}[family]
    step = 1 / (curvature * np.linalg.norm(X, 2) ** 2 / n + 1e-12)
    m = y.mean()
    b0 = float({"gaussian": lambda: m, "binomial": lambda: np.log(m / (1 - m)), "poisson": lambda: np.log(m)}[family]())
    b, coefs, intercepts = np.zeros(p), [], []
    for lam in lams:
        z, t = b.copy(), 1.0
        for _ in range(steps):
            r = mean_of(b0 + X @ z, family) - y
            b0 -= r.mean() / curvature
            v = z - step * (X.T @ r) / n
            new = np.sign(v) * np.maximum(np.abs(v) - step * lam * ratio, 0) / (1 + step * lam * (1 - ratio))
            t_new = (1 + math.sqrt(1 + 4 * t * t)) / 2
            z, b, t = new + (t - 1) / t_new * (new - b), new, t_new
        coefs.append(b.copy())
        intercepts.append(b0)
    return np.array(coefs), np.array(intercepts)


@dataclasses.dataclass(frozen=True)
class Source:
    title: str
    X: Float
    y: Float
    names: tuple[str, ...]
    family: str
    target: str
    classes: tuple[str, ...] = ()
    n_lambdas: int = 100
    n_folds: int = 5
    n_boot: int = 20
    n_drawn: int = 30
    label: str = "balanced"
    holdout: bool = True


def standardised(X: Float) -> tuple[Float, Float, Float]:
    mean, sd = X.mean(axis=0), X.std(axis=0)
    return (X - mean) / np.where(sd > 0, sd, 1), mean, np.where(sd > 0, sd, 1)


def build(source: Source, seed: int = 0) -> StudyResult:
    rng = np.random.default_rng(seed)
    n = len(source.y)
    order = rng.permutation(n)
    held = order[: n // 5] if source.holdout else order[:0]
    train = order[len(held) :]
    Z, mean, sd = standardised(source.X)
    y = source.y
    models = [null_model(source, train, held)]
    fits = {}
    for name, ratio in RATIO.items():
        model, eta = penalised(source, name, ratio, Z, mean, sd, train, held, rng)
        models.append(model)
        fits[name] = eta
    models.insert(1, free_model(source, models, train, held, Z))
    best = "lasso"
    models = [
        dataclasses.replace(m, verdict=verdict_of(m, models, source, "overfitting" if m.name == "unregularised" else source.label, len(train), rng))
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
        gain=f"On rows that no model had seen, the lasso's error is {100 * (1 - chosen.holdout_loss.value / max(models[1].holdout_loss.value, 1e-9)):.0f} % below that of the unregularised fit, with {chosen.n_nonzero} of {chosen.n_features} features.",
        loss_name={"gaussian": "mean squared error", "binomial": "binomial deviance per row", "poisson": "Poisson deviance per row"}[source.family],
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


def free_model(source: Source, models: list[ModelResult], train: NDArray[np.int64], held: NDArray[np.int64], Z: Float) -> ModelResult:
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
        scores = {"ROC AUC": Interval(area, area - 0.02, min(area + 0.01, 1.0)), "accuracy": Interval(float(((mu > 0.5) == y).mean()), NAN, NAN), **scores}
    elif family == "gaussian":
        scores = {"R2": scores["deviance explained"], "RMSE": Interval(float(np.sqrt(np.mean((y - mu) ** 2))), NAN, NAN)}
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
        fold_scores.append([auc(y[fold], mu[fold, k]) for k in range(len(lams))] if family == "binomial" else 1 - losses[fold].mean(axis=0) / y[fold].var())
    cv = np.array(held_losses)
    m, se = cv.mean(axis=0), cv.std(axis=0) / math.sqrt(len(folds) - 1)
    low = int(np.argmin(m))
    one = int(np.argmax(m <= m[low] + se[low]))
    coef, b0 = fit_path(Z[train], y[train], lams, ratio, family, 150)
    eta = b0[one] + Z @ coef[one]
    losses = deviance(y, mean_of(eta, family), family)
    drawn = np.argsort(-np.abs(coef[one]) - 1e-3 * np.abs(coef[-1]))[: source.n_drawn]
    boots, boot_lams, boot_values = [], lams[::2], []
    chosen_again = []
    for _ in range(source.n_boot):
        rows = rng.choice(train, n)
        bc, _ = fit_path(Z[rows], y[rows], boot_lams, ratio, family, 40)
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
    lower, upper = (float(v) for v in np.quantile(again / sd, [0.025, 0.975])) if np.isfinite(again).all() else (NAN, NAN)
    effect = f"{value:+.3g} per unit" if source.family == "gaussian" else f"odds × {math.exp(min(max(value, -20), 20)):.3g} per unit"
    return Coefficient(
        source.names[j], source.names[j].split(" = ")[0], value, float(b), effect, lower, upper,
        float((again != 0).mean()) if np.isfinite(again).all() else NAN,
        float((np.sign(there) == np.sign(b)).mean()) if there.size and np.isfinite(again).all() else NAN, "per unit", float(mean), float(sd),
    )  # fmt: skip


def verdict_of(m: ModelResult, models: list[ModelResult], source: Source, label: str, n: int, rng: np.random.Generator) -> Verdict:
    comparisons = []
    for other in models:
        if other.name == m.name or other.failed:
            continue
        rho = m.cv_loss.value / other.cv_loss.value - 1
        side = "null" if other.name == "null" else "simpler" if other.train_loss > m.train_loss else "richer"
        comparisons.append(Comparison(other.name, other.label, side, Interval(rho, rho - 0.05, rho + 0.05), float(min(1, math.exp(-40 * max(rho, 0)))), other.cv_loss.value, other.train_loss))
    effect = {"balanced": 0.01, "overfitting": 0.17, "underfitting": 0.12, "no signal": -0.01, "undetermined": 0.04}[label]
    for name, text, rho in (("splines", "Splines", -0.03), ("boosting", "Gradient boosting", effect if label == "underfitting" else -0.12)):
        comparisons.append(Comparison(name, text, "richer", Interval(rho, rho - 0.06, rho + 0.08), 0.4, m.cv_loss.value / (1 + rho), 0.5 * m.train_loss))
    decided = Interval(effect, effect - 0.09, effect + 0.1) if label in ("overfitting", "underfitting", "undetermined") else Interval(effect, effect - 0.03, effect + 0.03)
    if label in ("overfitting", "undetermined"):
        comparisons.append(Comparison("path", "Its own path, more regularised", "simpler", decided, 0.001, m.cv_loss.value / (1 + effect), 1.1 * m.train_loss))
    null = models[0].cv_loss.value
    sizes = tuple(int(v) for v in np.linspace(max(n // 8, 4), n, 6))
    end, start = m.cv_loss.value, m.train_loss
    test = tuple(Interval(end * (1 + 0.5 * n / s / 8), end * (0.9 + 0.4 * n / s / 8), end * (1.1 + 0.7 * n / s / 8)) for s in sizes)
    fit = tuple(Interval(start * (1 - 0.4 * n / s / 8), start * (0.9 - 0.5 * n / s / 8), start * (1.08 - 0.3 * n / s / 8)) for s in sizes)
    return Verdict(
        m.name, label, "overfitting" if label == "undetermined" else "",
        f"{label.capitalize()}: excess error {100 * effect:+.0f} % (95 % CI {100 * decided.lower:.0f} to {100 * decided.upper:.0f} %).",
        {"overfitting": "Use the more regularised model, lambda 0.12.", "undetermined": "Collect about 1 900 rows, then run this again."}.get(label, "Nothing needs to change; check again when the data do."),
        decided, "path" if label == "overfitting" else "boosting" if label == "underfitting" else "", 0.05, 0.95, tuple(comparisons),
        Interval(end - start, 0.5 * (end - start), 1.5 * (end - start)), m.cv_loss, m.train_loss, null,
        Interval(1 - end / null, 1 - m.cv_loss.upper / null, 1 - m.cv_loss.lower / null), Interval(1.06, 0.88, 1.24),
        1900 if label == "undetermined" else None, checks(), LearningCurve(sizes, fit, test), f"{source.n_folds}-fold cross-validation, 2 repeats, seed 0",
    )  # fmt: skip


def checks() -> tuple[Check, ...]:
    return (
        Check("BR101", "Rows per candidate feature", "pass", 15.2, 10, "rows", "15.2 rows of the rarer class for each candidate feature.", ""),
        Check("BR102", "Calibration slope", "warn", 1.24, 1.2, "", "Predictions are a little too timid: slope 1.24.", "Try a smaller lambda, or the relaxed fit."),
        Check("BR103", "Stability of lambda", "fail", 31.0, 10, "times", "Half of the resampled fits chose values 31 times apart.", "Use the one-standard-error rule and more folds."),
        Check("BR104", "Separation", "not applicable", NAN, NAN, "", "Only for two classes.", ""),
    )


def data_notes(source: Source, n_train: int, n_holdout: int) -> DataNotes:
    X, y = source.X, source.y
    columns = [
        ColumnNote(name, "numeric", True, 0, len(np.unique(X[:, j])), "", tuple(f"{v:.4g}" for v in X[:3, j]))
        for j, name in enumerate(source.names)
    ]
    columns += [
        ColumnNote("patient_id", "identifier", False, 0, len(y), "every value is different: identifies rows, predicts nothing"),
        ColumnNote("site", "constant", False, 3, 1, "has one value only", ("Wien",)),
        ColumnNote(source.target, "target", False, 0, len(np.unique(y)), ""),
    ]
    summary = {"gaussian": f"mean {y.mean():.3g}, sd {y.std():.3g}.", "poisson": f"counts, mean {y.mean():.3g}."}.get(source.family, f"{100 * y.mean():.0f} % of rows are '{source.classes[1] if source.classes else 1}'.")
    return DataNotes(
        f"{source.target}.csv", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", len(y), n_train, n_holdout,
        X.shape[1] + 3, X.shape[1], source.target, source.family, source.classes, summary, tuple(columns),
        ("2 columns were left out: patient_id (identifier) and site (constant).", "No value is missing in the columns used."),
        ("'worst perimeter' alone separates the classes almost perfectly. If it is measured after the diagnosis, leave it out with --exclude.",) if source.family == "binomial" else (),
    )  # fmt: skip


def sample_size(source: Source, n: int) -> SampleSize:
    events = int(min(source.y.sum(), n - source.y.sum())) if source.family == "binomial" else int(source.y.sum()) if source.family == "poisson" else n
    p = source.X.shape[1]
    criteria = {"Shrinkage of 10 % at most": 14.0 * p, "Optimism of explained variation below 0.05": 9.0 * p, "Average risk known to ±5 points": 385.0}
    return SampleSize(n, events, p, events / p, int(max(criteria.values())), criteria, f"{events / p:.1f} events for each of {p} candidate features; by Riley's criteria {int(max(criteria.values()))} rows are asked for.")


def swaps(source: Source, m: ModelResult) -> tuple[Swap, ...]:
    if len(m.coefficients) < 2 or source.X.shape[1] > 1000:
        return ()
    corr = np.corrcoef(source.X.T)
    found = []
    names = list(source.names)
    inside = {c.feature for c in m.coefficients}
    for c in m.coefficients[:6]:
        j = names.index(c.feature)
        others = [k for k in np.argsort(-np.abs(corr[j])) if names[k] not in inside][:1]
        cost = 0.004 + 0.03 * len(found)
        found += [Swap(c.feature, names[k], float(corr[j, k]), Interval(cost, cost - 0.04, cost + 0.05)) for k in others]
    return tuple(found)


def holdout_points(source: Source, eta: Float, held: NDArray[np.int64]) -> HoldoutPoints:
    y, mu = source.y[held], mean_of(eta[held], source.family)
    residual = np.sign(y - mu) * np.sqrt(np.maximum(deviance(y, mu, source.family), 0))
    groups = [g for g in np.array_split(np.argsort(mu), 8) if g.size]
    bins = []
    for g in groups:
        half = 1.96 * max(y[g].std(), 0.05) / math.sqrt(g.size)
        bins.append(CalibrationBin(float(mu[g].mean()), float(y[g].mean()), float(y[g].mean() - half), float(y[g].mean() + half), int(g.size)))
    roc: tuple[tuple[float, float], ...] = ()
    if source.family == "binomial":
        cuts = np.r_[np.inf, np.sort(mu)[::-1]]
        roc = tuple((float((mu[y == 0] >= c).mean()), float((mu[y == 1] >= c).mean())) for c in cuts)
    return HoldoutPoints(*(tuple(float(v) for v in a) for a in (mu, y, residual)), tuple(bins), roc)


@cache
def breast_cancer() -> StudyResult:
    data = load_breast_cancer()
    names = tuple(str(n) for n in data.feature_names)
    return build(Source("Breast cancer: benign or malignant", data.data, data.target.astype(float), names, "binomial", "diagnosis", ("malignant", "benign")))


@cache
def diabetes() -> StudyResult:
    data = load_diabetes(scaled=False)
    names = ("age", "sex", "body mass index", "blood pressure", "total cholesterol", "LDL", "HDL", "cholesterol / HDL", "log triglycerides", "glucose")
    return build(Source("Diabetes progression", data.data, data.target, names, "gaussian", "progression", label="undetermined"))


@cache
def counts() -> StudyResult:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(240, 9))
    y = rng.poisson(np.exp(0.5 + 0.4 * X[:, 0] - 0.3 * X[:, 1])).astype(float)
    return build(Source("Visits to the doctor", X, y, tuple(f"x{j + 1}" for j in range(9)), "poisson", "visits", n_lambdas=40, label="overfitting", n_boot=8))


@cache
def wide() -> StudyResult:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(72, 1500)) + rng.normal(size=(72, 1))
    y = (X[:, 0] + X[:, 1] + rng.normal(size=72) > 0).astype(float)
    return build(Source("Leukaemia, 1500 genes", X, y, tuple(f"gene_{j:05d}_at" for j in range(1500)), "binomial", "type", ("ALL", "AML"), n_lambdas=30, n_folds=3, n_boot=4, label="underfitting"))


@cache
def noise() -> StudyResult:
    rng = np.random.default_rng(7)
    study = build(Source("Pure noise", rng.normal(size=(60, 5)), rng.normal(size=60), tuple("abcde"), "gaussian", "y", n_lambdas=20, n_boot=0, label="no signal", holdout=False))
    models = [dataclasses.replace(m, coefficients=(), n_nonzero=0, lambda_bootstrap=()) for m in study.models]
    return dataclasses.replace(study, models=tuple(models), swaps=())


@cache
def one_feature() -> StudyResult:
    rng = np.random.default_rng(8)
    X = rng.normal(size=(40, 1))
    return build(Source("One feature", X, X[:, 0] + rng.normal(size=40), ("dose",), "gaussian", "response", n_lambdas=12, n_boot=3))


HOSTILE = "</script><img src=x onerror=alert(1)>"


@cache
def hostile() -> StudyResult:
    rng = np.random.default_rng(9)
    X = rng.normal(size=(90, 4))
    names = (HOSTILE, "Größe & <b>Gewicht</b> \u202eabc", "{{ 7 * 7 }} ' onload=\"x\"", "测量 = 値 \u2028 ]]> <!-- -->" + "x" * 200)
    study = build(Source(HOSTILE, X, X[:, 0] - X[:, 1] + rng.normal(size=90), names, "gaussian", HOSTILE, n_lambdas=15, n_boot=3))
    return dataclasses.replace(study, headline=HOSTILE, gain=HOSTILE, best_reason=HOSTILE)


@cache
def broken() -> StudyResult:
    """Everything that can be missing is missing: failed models, no curves, NaN everywhere."""
    study = one_feature()
    models = []
    for m in study.models:
        if m.name in ("ridge", "elastic net", "unregularised"):
            m = ModelResult(m.name, m.label, m.technique, m.parameter, NAN, m.l1_ratio, "", "", 0, 1, NOTHING, NAN, NOTHING, {}, NAN, None, failed="it did not converge")
        else:
            m = dataclasses.replace(m, holdout_loss=NOTHING, cv_loss=Interval(1.0, NAN, NAN), coefficients=(), path=None, lambda_bootstrap=())
        if m.verdict is not None:
            v = dataclasses.replace(m.verdict, comparisons=(), checks=(), learning_curve=None, effect=NOTHING, optimism=NOTHING, explained=NOTHING, calibration_slope=NOTHING, label="undetermined", lean="")
            m = dataclasses.replace(m, verdict=v)
        if m.curve is not None:
            m = dataclasses.replace(m, curve=dataclasses.replace(m.curve, standard_error=(NAN,) * len(m.curve.values), scores={}))
        models.append(m)
    size = SampleSize(0, 0, 0, NAN, 0, {}, "")
    return dataclasses.replace(study, models=tuple(models), holdout=None, swaps=(), sample_size=size)


@cache
def dropout() -> StudyResult:
    """A network's curve over its dropout rate, with no path and no coefficients: nothing may assume a lambda."""
    study = one_feature()
    lasso = study.model("lasso")
    assert lasso.curve is not None
    rates = tuple(float(v) for v in np.linspace(0.8, 0.0, len(lasso.curve.values)))
    net = dataclasses.replace(
        lasso, name="dropout", label="Network with dropout", technique="dropout", parameter="dropout rate", path=None, coefficients=(),
        curve=dataclasses.replace(lasso.curve, parameter="dropout rate", values=rates), lambda_bootstrap=rates[2:6],
    )  # fmt: skip
    return dataclasses.replace(study, models=(*study.models, net), best="dropout")


ALL = {f.__name__: f for f in (breast_cancer, diabetes, counts, wide, noise, one_feature, hostile, broken, dropout)}
