"""The main job for every family: a verdict, words and numbers that fit it, and a model that can be kept."""

import re

import numpy as np
import polars as pl
import pytest

import bridle
from bridle.data import make_dataset
from bridle.errors import InputError

QUICK = {"models": ["unregularised", "lasso"], "repeats": 1, "bootstrap": 0, "folds": 4}


def table(kind, n=160, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    mu = np.exp(0.5 + 0.7 * X[:, 0] - 0.5 * X[:, 1])
    y = {
        "gamma": lambda: rng.gamma(2, mu / 2),
        "tweedie": lambda: rng.gamma(2.0, mu) * (rng.uniform(size=n) > 0.3),
        "negative_binomial": lambda: rng.negative_binomial(2, 2 / (2 + mu)),
        "huber": lambda: np.log(mu) + 0.3 * rng.standard_t(2, n),
    }[kind]()
    return pl.DataFrame({f"x{j}": X[:, j] for j in range(3)} | {"cost": y})


@pytest.mark.parametrize(
    ("family", "kind", "spec", "effect", "score"),
    [
        ("gamma", "gamma", r"gamma", r"mean × [\d.]+ per unit", "RMSE"),
        ("tweedie(power=1.5)", "tweedie", r"tweedie\(power=1\.5\)", r"mean × [\d.]+ per unit", "RMSE"),
        ("negative_binomial",) * 2 + (r"negative_binomial\(theta=[\d.]+\)", r"count × [\d.]+ per unit", "RMSE"),
        ("huber", "huber", r"huber\(delta=[\d.]+\)", r"[+−][\d.]+ per unit", "RMSE"),
        (
            "quantile(tau=0.8)",
            "huber",
            r"quantile\(tau=0\.8, b.*=[\d.]+\)",
            r"[+−][\d.]+ per unit",
            "share of rows below",
        ),
    ],
)
def test_a_study_of_each_family(tmp_path, family, kind, spec, effect, score):
    data = table(kind)
    study = bridle.study(data, "cost", family=family, **QUICK)
    result = study.result
    assert re.fullmatch(spec, result.data.family)
    assert "no criteria are published" in result.sample_size.sentence and result.sample_size.riley_required == 0
    lasso = result.model("lasso")
    assert lasso.cv_loss.value < result.model("null").cv_loss.value
    assert re.fullmatch(effect, lasso.coefficients[0].effect)
    assert score in lasso.holdout_scores and "deviance explained" in lasso.holdout_scores
    study.report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert result.loss_name in page and "η" in page
    study.best.save(tmp_path / "model.bridle")
    kept = bridle.load(tmp_path / "model.bridle")
    np.testing.assert_array_equal(kept.predict(data), study.best.predict(data))
    assert kept.family == result.data.family and "cost" in str(kept.explain(data[:1]))


def test_what_a_study_refuses():
    data = table("gamma").with_columns(pl.col("cost") > 1)
    with pytest.raises(InputError, match="compares probabilities"):
        bridle.study(data, "cost", family="squared_hinge", **QUICK)
    with pytest.raises(InputError, match="use gaussian"):
        bridle.study(table("huber"), "cost", family="gamma", **QUICK)
    with pytest.raises(InputError, match="tweedie, which allows zeros"):
        make_dataset(table("tweedie"), "cost", family="gamma")
    with pytest.raises(InputError, match="needs two classes"):
        make_dataset(table("gamma"), "cost", family="squared_hinge")


def test_skewed_targets_get_a_hint():
    assert "--family gamma" in " ".join(make_dataset(table("gamma").with_columns(pl.col("cost") ** 2), "cost").notes)
