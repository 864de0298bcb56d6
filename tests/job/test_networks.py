"""Dropout in the main job: fitted on the study's folds, saved, explained, compared, and left out where it must be."""

import json
import sys
import warnings

import numpy as np
import polars as pl
import pytest

import bridle
from bridle.diagnosis.evidence import Evidence
from bridle.frozen import from_json, to_json
from bridle.job.choice import recommend
from bridle.job.fitting import Fit
from bridle.job.monte_carlo import monte_carlo
from bridle.job.options import check_options, default_techniques
from bridle.job.techniques import compare_techniques
from bridle.nets.network import Layer, Network
from bridle.results import StudyResult
from bridle.selection import Curve

QUICK = {"bootstrap": 0, "folds": 3, "repeats": 1, "challengers": False, "learning_curve": False, "seed": 1}


def curved(n=240, seed=0):
    """A table whose target bends: no linear model can follow it."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (n, 3))
    y = np.abs(x[:, 0]) * 3 + x[:, 1] + 0.3 * rng.standard_normal(n)
    return pl.DataFrame(
        {"bent": x[:, 0], "straight": x[:, 1], "idle": x[:, 2], "kind": rng.choice(["a", "b", "c"], n), "y": y}
    )


@pytest.fixture(scope="module")
def found():
    pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bridle.errors.BridleWarning)
        return bridle.study(curved(), "y", models=["ridge", "lasso", "dropout"], **QUICK)


def test_a_bent_signal_is_for_the_network_and_the_linear_models_underfit(found):
    result = found.result
    assert result.best == "dropout" and result.model("ridge").verdict.label == "underfitting"
    assert result.model("ridge").verdict.alternative == "dropout"
    told = result.techniques
    assert told.best == "dropout" and told.gaps[0].excess.value == 0.0
    assert all(g.beyond_noise and g.excess.lower > 1.0 for g in told.gaps[1:])
    assert told.sentence.startswith("Dropout network has the lowest mean squared error")


def test_everything_a_network_has_is_in_the_result(found):
    m = found.result.model("dropout")
    assert m.parameter == m.curve.parameter == "dropout rate" and m.value in m.curve.values
    assert list(m.curve.values) == sorted(m.curve.values, reverse=True) and m.curve.values[-1] == 0.0
    assert m.network.startswith("6 -> 64 -> 64 -> 1") and m.path is None and m.certificate is None
    history = m.history
    assert len(history.train) == len(history.validation) >= history.best_epoch >= 1
    assert history.n_train + history.n_validation == found.result.data.n_train
    assert min(history.validation) == history.validation[history.best_epoch - 1]
    shares = {a.feature: a for a in m.attributions}
    assert sum(a.share for a in m.attributions) == pytest.approx(1.0)
    assert shares["bent"].share > 3 * shares["idle"].share and abs(shares["bent"].direction) < 0.5  # up on both sides
    assert shares["straight"].direction > 0.9
    assert from_json(StudyResult, json.loads(json.dumps(to_json(found.result)))).techniques == found.result.techniques


def test_the_saved_network_predicts_what_the_study_said(found, tmp_path):
    found.save(tmp_path / "study")
    model = bridle.load(tmp_path / "study" / "model.bridle")
    assert model.kind == "network" and model.meta.parameter == "dropout rate"
    rows = found.predictions["row"].to_numpy()
    np.testing.assert_allclose(model.predict(curved()[rows]), found.predictions["prediction (dropout)"], rtol=1e-6)
    explained = model.explain(curved()[:1])
    assert explained.link - explained.baseline_link == pytest.approx(sum(c.contribution for c in explained.columns))
    metrics = json.loads((tmp_path / "study" / "metrics.json").read_text())["models"]
    assert metrics["dropout"]["parameter"] == "dropout rate" and metrics["ridge"]["parameter"] == "lambda"


def test_a_rule_that_counts_parameters_is_not_for_networks():
    pytest.importorskip("torch")
    quick = QUICK | {"holdout": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bridle.errors.BridleWarning)
        m = bridle.study(curved(60), "y", models=["dropout"], rule="bic", **quick).result.model("dropout")
    assert m.rule == "min" and "bic isn't defined for networks" in m.reason and m.monte_carlo is None


def test_without_torch_the_job_goes_on_and_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "dropout" not in default_techniques()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bridle.errors.BridleWarning)
        by_default = bridle.study(curved(60), "y", **QUICK).result
        asked = bridle.study(curved(60), "y", models=["ridge", "dropout"], **QUICK).result
    assert [m.name for m in by_default.models][-1] == "elastic net"
    assert any("PyTorch isn't installed: pip install 'bridle[nn]'" in note for note in by_default.data.notes)
    assert asked.best == "ridge" and "pip install 'bridle[nn]'" in asked.model("dropout").failed


def test_an_interrupt_while_networks_train_ends_the_study(monkeypatch):
    pytest.importorskip("torch")
    seen = []

    def progress(stage, done, total):
        if "network" in stage:
            seen.append(done)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bridle.study(curved(60), "y", models=["ridge", "dropout"], progress=progress, **QUICK)
    assert seen


def test_names_that_people_give_the_network():
    common = {
        "rule": "min", "folds": 5, "repeats": 1, "holdout": 0.2, "margin": 0.05, "level": 0.95, "missing": "mean",
        "bootstrap": 0, "challengers": False, "learning_curve": False, "seed": 0, "n_jobs": 1, "tol": 1e-6,
    }  # fmt: skip
    for name in ("dropout", "Dropout", "network", "dropout-network"):
        assert check_options(models=[name], **common).models == ("dropout",)


def test_a_linear_model_as_good_as_the_network_is_recommended():
    def fit(name, loss, nets=None):
        losses, folds = np.full((5, 1), loss), np.full(5, 10)
        curve = Curve(name, "gaussian", "lambda", np.array([1.0]), losses, losses, folds * 1.0, folds, folds)
        return Fit(name, 0.0, np.ones(3), value=1.0, curve=curve, nets=nets)

    class Nets:  # a network of the same three features
        fits = (type("Trained", (), {"network": type("Network", (), {"used": np.ones(3, bool)})}),)

    chosen, why = recommend((fit("ridge", 1.005), fit("dropout", 1.0, Nets)), 0.05)
    assert chosen.name == "ridge" and "simpler than Dropout network" in why
    assert recommend((fit("ridge", 1.2), fit("dropout", 1.0, Nets)), 0.05)[0].name == "dropout"


def evidence(losses, names):
    losses = np.asarray(losses, dtype=float)
    j = len(losses)
    folds = np.full(j, 20)
    return Evidence(
        names=tuple(names), labels=tuple(names), owners=("",) * len(names), family="gaussian", test_loss=losses,
        train_loss=losses, test_weight=folds * 1.0, n_train=4 * folds, n_test=folds, n_repeats=1, y=np.zeros(1),
        weight=np.ones(1), offset=None, predictions={}, fold_of=np.zeros((1, 1), int), scheme="5 folds",
    )  # fmt: skip


def test_techniques_are_ordered_and_told_from_noise():
    rng = np.random.default_rng(0)
    base = 1.0 + 0.1 * rng.standard_normal(10)
    columns = [
        2 * base,
        base * (1 + 0.01 * rng.standard_normal(10)),
        base,
        1.5 * base * (1 + 0.01 * rng.standard_normal(10)),
    ]
    told = compare_techniques(evidence(np.column_stack(columns), ["null", "ridge", "lasso", "dropout"]), 0.95, "error")
    assert {g.model for g in told.gaps[:2]} == {"lasso", "ridge"} and told.gaps[2].model == "dropout"
    assert not told.gaps[1].beyond_noise and told.gaps[2].beyond_noise
    assert told.gaps[2].excess.lower < told.gaps[2].excess.value < told.gaps[2].excess.upper
    assert "can't be told from it" in told.sentence and "Beyond noise: Dropout network has" in told.sentence
    assert compare_techniques(evidence(np.column_stack(columns[:2]), ["null", "ridge"]), 0.95, "error") is None


def test_intervals_of_techniques_cover_all_pairs_at_once():
    """Equal techniques: that any is called beyond noise happens in at most one study of twenty."""
    wrong = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        losses = 1.0 + 0.1 * rng.standard_normal((10, 4))
        told = compare_techniques(evidence(losses, ["ridge", "lasso", "elastic net", "dropout"]), 0.95, "error")
        wrong += any(g.beyond_noise for g in told.gaps)
    assert wrong <= 14  # 5 % of 200 and two standard errors


def linear(family, rate, noise=1.0):
    """A network of one hidden layer that doubles and halves: eta = x, with dropout in between."""
    one = np.ones((1, 40), dtype=np.float32)
    return Network(
        layers=(Layer(one, np.full(40, 50.0, np.float32)), Layer(one.T / 40, np.array([-50.0], np.float32))),
        activation="relu", dropout=rate, input_dropout=0.0, family=family, mean=np.zeros(1), scale=np.ones(1),
        center=np.zeros(1), spread=1.0, noise=noise,
    )  # fmt: skip


@pytest.mark.parametrize("family", ["gaussian", "poisson", "binomial"])
def test_coverage_of_a_known_distribution(family):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 4000)
    y = {
        "gaussian": lambda: x + rng.standard_normal(x.size),
        "poisson": lambda: rng.poisson(np.exp(x)).astype(float),
        "binomial": lambda: (rng.random(x.size) < 1 / (1 + np.exp(-x))).astype(float),
    }[family]()
    honest = monte_carlo(linear(family, 1e-6), x[:, None], y, None, level=0.95, seed=0)
    for c in honest.coverage:
        assert c.covered.lower <= c.level <= c.covered.upper
    assert honest.sentence.endswith("as promised.")
    assert honest.unit == ("groups of 10 rows" if family == "binomial" else "rows")
    assert monte_carlo(linear(family, 0.0), x[:, None], y, None, level=0.95, seed=0) is None  # nothing to sample
    shifted = monte_carlo(linear(family, 1e-6), x[:, None] - 2.0, y, None, level=0.95, seed=0)
    assert shifted.coverage[-1].covered.upper < 0.95 and "too narrow" in shifted.sentence


def test_noise_that_is_overstated_gives_intervals_that_are_too_wide():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, 1000)
    wide = monte_carlo(
        linear("gaussian", 1e-6, 3.0), x[:, None], x + rng.standard_normal(x.size), None, level=0.95, seed=0
    )
    assert "too wide" in wide.sentence
