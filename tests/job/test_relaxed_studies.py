"""Relaxed lasso and elastic net through the main job: chosen on folds, judged with the choice redone, saved blended."""

import json

import numpy as np
import polars as pl
from typer.testing import CliRunner

import bridle
from bridle.cli import app
from bridle.path import fit_path

QUICK = {"challengers": False, "bootstrap": 10, "repeats": 1, "folds": 3, "learning_curve": False, "n_jobs": 1}


def table(n=200):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 15))
    X[:, 3] = X[:, 0] + 0.5 * X[:, 3]
    y = X[:, 0] * 2.0 - X[:, 1] * 2.0 + rng.standard_normal(n)
    return pl.DataFrame({f"x{j}": X[:, j] for j in range(15)} | {"y": y})


def test_a_study_chooses_gamma_and_keeps_the_blend():
    found = bridle.study(table(), "y", models=["lasso", "elastic net", "ridge"], relax=True, **QUICK)
    lasso, model = found.result.model("lasso"), found.models["lasso"]
    assert lasso.label == "Relaxed lasso (L1)" and found.result.model("ridge").label == "Ridge (L2)"
    assert "gamma 0" in lasso.reason and "gamma" not in found.result.model("ridge").reason
    assert lasso.certificate.objective.startswith("1 of the fit of its nonzero coefficients without penalty")
    assert lasso.certificate.worst_relative_gap <= lasso.certificate.tolerance
    assert lasso.n_nonzero == np.count_nonzero(model.coef) <= 4
    rows = np.setdiff1d(np.arange(200), found.predictions["row"].to_numpy())
    frame = table()[rows]
    X, y = frame.drop("y").to_numpy(), frame["y"].to_numpy()
    on = np.flatnonzero(model.coef)
    refit = fit_path(X[:, on], y, lambdas=[0.0])
    np.testing.assert_allclose(model.coef[on], refit.coef[0], atol=1e-6)  # gamma was 0
    assert lasso.verdict is not None and lasso.verdict.label in ("balanced", "undetermined")
    assert any(g.label == "Relaxed lasso (L1)" for g in found.result.techniques.gaps)
    plain = bridle.study(table(), "y", models=["lasso"], **QUICK).result.model("lasso")
    assert lasso.cv_loss.value < plain.cv_loss.value
    assert lasso.coefficients[0].lower < lasso.coefficients[0].value < lasso.coefficients[0].upper


def test_other_penalties_of_single_features_go_through_a_study():
    for spec, label in (("adaptive_lasso", "Adaptive lasso"), ("mcp", "MCP")):
        found = bridle.study(table(), "y", models=["lasso", "elastic net"], penalty=spec, **QUICK | {"bootstrap": 0})
        lasso = found.result.model("lasso")
        assert lasso.label == label and found.result.model("elastic net").label == f"{label} + L2"
        assert lasso.n_nonzero <= 5
        assert lasso.certificate.n_converged == lasso.certificate.n_values
        assert ("wⱼ = 1/|bⱼ| of a first fit (ridge)" in lasso.certificate.objective) == (spec == "adaptive_lasso")
        assert lasso.verdict.label in ("balanced", "undetermined")


def test_the_command_line_relaxes(tmp_path):
    table().write_csv(tmp_path / "t.csv")
    said = CliRunner().invoke(
        app,
        ["fit", str(tmp_path / "t.csv"), "--target", "y", "--relax", "--models", "lasso", "--no-challengers", "--json",
         "--no-learning-curve", "--bootstrap", "0", "--folds", "3", "--repeats", "1", "--out", str(tmp_path / "out")],
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    study = json.loads((tmp_path / "out" / "study.json").read_text())
    assert study["reproduce"]["options"]["relax"] == "True"
    assert study["models"][1]["label"] == "Relaxed lasso (L1)"
    kept = bridle.load(tmp_path / "out" / "model.bridle")
    assert np.count_nonzero(kept.coef) == study["models"][1]["n_nonzero"]
