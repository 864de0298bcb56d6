"""Random small tables of every kind through `study` and `diagnose`: an answer or a helpful error, never a crash."""

import json

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import bridle
from bridle.diagnosis.verdict import LABELS
from bridle.errors import InputError
from bridle.frozen import from_json, to_json
from bridle.results import StudyResult

SEEDS = range(18)
LINEAR = ["unregularised", "ridge", "lasso", "elastic-net"]
CLASSIFIERS = (DecisionTreeClassifier(random_state=0), LogisticRegression(), LinearSVC())
REGRESSORS = (DecisionTreeRegressor(random_state=0), Ridge())


def column(rng, n):
    """Values of one kind, and what they add to the linear predictor."""
    x = rng.normal(size=n)
    kind = rng.choice(["number", "number", "far", "level", "one level", "flag", "gaps", "constant", "count"])
    if kind == "far":
        return x * 10.0 ** rng.integers(-8, 9) + 10.0 ** rng.integers(0, 6), x
    if kind == "level":
        code = rng.integers(0, rng.integers(2, 8), n)
        return [f"level {c}" for c in code], code / 4
    if kind == "one level":
        return ["a"] * n, np.zeros(n)
    if kind == "flag":
        return x > 0.3, x
    if kind == "gaps":
        missing = rng.random(n) < rng.choice([0.1, 0.5, 0.9])
        return [None if m else float(v) for m, v in zip(missing, x, strict=True)], x
    if kind == "constant":
        return np.full(n, 3.0), np.zeros(n)
    return (rng.poisson(2, n), x) if kind == "count" else (x, x)


def target(rng, eta, family):
    n = eta.size
    if family == "gaussian":
        y = (eta + rng.choice([0.0, 0.1, 5.0]) * rng.normal(size=n)) * 10.0 ** rng.integers(-4, 5)
        y[0] *= rng.choice([1.0, 1.0, 1e4])
        return y
    if family == "poisson":
        y = rng.poisson(np.exp(np.clip(eta + rng.choice([-1, 2]), -5, 8)))
        y[0] = rng.choice([y[0], 5000])
        return y
    y = eta + rng.choice([0, -2]) + rng.choice([0.0, 1.0, 3.0]) * rng.logistic(size=n) > 0
    return [y, y.astype(int), np.where(y, "sick", "well")][rng.integers(3)]


def case(seed):
    """A table and the settings to study it with."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.choice([10, 15, 30, 41, 60, 120])), int(rng.choice([1, 3, 8, 60]))
    family = str(rng.choice(["gaussian", "binomial", "poisson"]))
    columns, effects = zip(*[column(rng, n) for _ in range(p)], strict=True)
    table = {f"x{j}": values for j, values in enumerate(columns)}
    eta = sum(rng.choice([0.0, 0.3, 1.0]) * e for e in effects) / np.sqrt(p)
    options = {
        "family": family, "seed": seed, "bootstrap": int(rng.choice([0, 3, 12])), "folds": int(rng.choice([2, 5])),
        "repeats": 1, "rule": str(rng.choice(["min", "1se", "within", "aic", "bic"])),
        "learning_curve": bool(rng.random() < 0.3), "holdout": float(rng.choice([0.0, 0.2, 0.5])),
        "challengers": bool(rng.random() < 0.3), "n_jobs": int(rng.choice([1, 2])),
    }  # fmt: skip
    if rng.random() < 0.4:
        table["w"] = rng.exponential(size=n) * (rng.random(n) < rng.choice([0.7, 1.0])) * rng.choice([1.0, 1e9])
        options["weights"] = "w"
    if rng.random() < 0.3:
        table["o"], options["offset"] = 0.3 * rng.normal(size=n), "o"
    order = rng.choice(["", "", "g", "t"])
    if order == "g":
        table["g"], options["groups"] = rng.integers(0, max(2, n // 4), n), "g"
    if order == "t":
        table["t"], options["time"] = rng.integers(0, max(3, n // 3), n), "t"
    table["y"] = target(rng, eta, family)
    return pl.DataFrame(table, strict=False), options


@pytest.mark.filterwarnings("ignore::bridle.errors.BridleWarning")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_study_answers_or_says_why_not(seed, tmp_path):
    table, options = case(seed)
    models = LINEAR if seed % 3 else None  # networks take most of the time
    try:
        study = bridle.study(table, "y", models=models, **options)
    except InputError as error:
        assert len(str(error)) > 40  # what came, what was expected
        return
    result = study.result
    assert study.verdict.label in LABELS
    for m in (m for m in result.models if m.verdict is not None):
        assert len(m.verdict.checks) == 14
        said = [m.verdict.sentence, m.verdict.action, m.reason, *(c.message for c in m.verdict.checks)]
        assert not any("nan" in text.lower().split() for text in said), said
        for score in m.holdout_scores.values():
            assert not score.lower > score.value and not score.upper < score.value
    back = from_json(StudyResult, json.loads(json.dumps(to_json(result), allow_nan=False)))
    assert to_json(back) == to_json(result)
    study.save(tmp_path / "study")
    held_out = table[study.predictions["row"].to_numpy()]
    if held_out.height:
        mean = bridle.load(tmp_path / "study" / "model.bridle").predict_mean(held_out)
        np.testing.assert_allclose(mean, study.predictions[f"prediction ({result.best})"], rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", SEEDS[::2])
def test_a_diagnosis_answers_or_says_why_not(seed):
    table, options = case(seed)
    y = table["y"].to_numpy()
    models = CLASSIFIERS if options["family"] == "binomial" else REGRESSORS
    X = table.select([c for c in table.columns if c.startswith("x") and table[c].dtype != pl.String])
    X = np.nan_to_num(X.to_numpy().astype(float)) if X.width else np.arange(2.0 * y.size).reshape(-1, 2)
    named = {"sample_weight": "w", "groups": "g", "time": "t"}
    given = {key: table[name].to_numpy() for key, name in named.items() if name in table.columns}
    try:
        found = bridle.diagnose(
            models[seed % len(models)],
            X,
            y,
            family=options["family"],
            n_repeats=1,
            learning_curve=seed % 4 == 0,
            **given,
        )
    except InputError as error:
        assert len(str(error)) > 40
        return
    assert found.verdict.label in LABELS and str(found) and found._repr_html_()
    json.dumps(to_json(found.verdict), allow_nan=False)
