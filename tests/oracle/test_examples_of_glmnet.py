"""The example sets of glmnet's documentation, simulated anew (tests/oracle_data/glmnet_examples, with make.R)."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from bridle.convert import from_glmnet, glmnet_scale
from bridle.path import fit_path

FOLDER = Path(__file__).parents[1] / "oracle_data" / "glmnet_examples"
FIGURES = json.loads((FOLDER / "figures.json").read_text())
DATA = (made := runpy.run_path(str(FOLDER / "simulate.py")))["simulate"]()
CASES = {  # figure: family here and there, penalty, alpha
    "gaussian": ("gaussian", "gaussian", "elastic_net", 1.0),
    "binomial": ("binomial", "binomial", "elastic_net", 1.0),
    "poisson": ("poisson", "poisson", "elastic_net", 1.0),
    "cox": ("cox(ties='breslow')", "cox", "elastic_net", 1.0),
    "multinomial": ("multinomial", "multinomial", "elastic_net", 1.0),
    "multinomial_mixed": ("multinomial", "multinomial", "elastic_net", 0.5),
    "multinomial_grouped": ("multinomial", "multinomial", "group_lasso", 1.0),
    "multinomial_grouped_mixed": ("multinomial", "multinomial", "group_lasso", 0.5),
    "mgaussian": ("multigaussian", "mgaussian", "group_lasso", 1.0),
    "mgaussian_mixed": ("multigaussian", "mgaussian", "group_lasso", 0.3),
}


def test_the_data_are_those_of_the_figures():
    assert made["checksum"](DATA) == pytest.approx(FIGURES["checksum"], abs=1e-8)
    assert FIGURES["versions"][1:] == ["glmnet 4.1.6", "MASS 7.3.58.2"]
    assert set(CASES) == {name for name, figure in FIGURES.items() if "coef" in str(figure)}


@pytest.mark.parametrize("name", CASES)
def test_glmnets_coefficients(name):
    family, theirs, penalty, alpha = CASES[name]
    X, y, figure = DATA[f"x_{theirs}"], DATA[f"y_{theirs}"], FIGURES[name]
    there = from_glmnet(np.array(figure["lambda"]), alpha, scale=glmnet_scale(y, family=theirs))
    path = fit_path(
        X, y, family=family, penalty=penalty, lambdas=there.lam, l1_ratio=there.l1_ratio, tol=1e-14, max_iter=1_000_000
    )
    assert path.converged, path.notes
    coef = path.coef if path.coef.ndim == 3 else path.coef[:, :, None]
    intercept = path.intercept.reshape(len(coef), 1, -1)
    ours = (coef if theirs == "cox" else np.concatenate([intercept, coef], axis=1)).swapaxes(1, 2)
    expected = np.array(figure["coef"]).reshape(ours.shape)
    size = np.abs(expected).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(ours / size, expected / size, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(path.deviance_ratio, figure["deviance_ratio"], rtol=1e-6)
    assert path.lambda_max == pytest.approx(from_glmnet(figure["lambda_max"], alpha, scale=1.0).lam, rel=1e-10)


@pytest.mark.parametrize("kind", ["plain", "weighted"])
def test_proportional_odds_of_polr(kind):
    """At lambda = 0: coefficients, thresholds and deviance, also with weights and an offset."""
    given = {} if kind == "plain" else {"sample_weight": DATA["w_ordinal"], "offset": DATA["o_ordinal"]}
    path = fit_path(DATA["x_ordinal"], DATA["y_ordinal"], family="ordinal", lambdas=[0.0], tol=1e-13, **given)
    *expected, deviance = FIGURES["polr"][kind]
    np.testing.assert_allclose(np.r_[path.coef[0], -path.intercept[0]], expected, rtol=0.0, atol=1e-6)
    total = given.get("sample_weight", np.ones(400)).sum()
    assert path.deviance[0] * total == pytest.approx(deviance, rel=1e-10)
