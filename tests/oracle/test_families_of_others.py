"""Families against R's MASS and glmnet (tests/oracle_data/families, made by make.R there) and against statsmodels."""

import json
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from bridle.losses import get_family
from bridle.path import fit_path
from bridle.settling import settle_family

FOLDER = Path(__file__).parents[1] / "oracle_data" / "families"
FIGURES = json.loads((FOLDER / "figures.json").read_text())
DATA = {name: np.array(values) for name, values in json.loads((FOLDER / "inputs.json").read_text()).items()}
X, W, OFFSET = DATA["X"], DATA["weight"], DATA["offset"]
WEIGHED = {"sample_weight": W, "offset": OFFSET}
EXACT = {"tol": 1e-13, "max_iter": 1_000_000}


@pytest.mark.parametrize(
    ("figure", "family", "target"),
    [("poisson", "poisson", "even"), ("gamma", "gamma", "gamma"), ("nb", "negative_binomial(theta=1.5)", "counts")],
)
@pytest.mark.parametrize(("kind", "alpha"), [("lasso", 1.0), ("mixed", 0.4)])
def test_glmnets_coefficients(figure, family, target, kind, alpha):
    path = fit_path(X, DATA[target], family=family, l1_ratio=alpha, lambdas=FIGURES["lambda"], **WEIGHED, **EXACT)
    theirs = np.array(FIGURES[f"{figure}_{kind}"])
    np.testing.assert_allclose(np.column_stack([path.intercept, path.coef]), theirs, atol=2e-6)


def test_theta_and_coefficients_of_glm_nb():
    for k, options in enumerate(({}, WEIGHED)):
        family = settle_family(X, DATA["counts"], family="negative_binomial", lam=0.0, **options)
        assert family.parameters["theta"] == pytest.approx(FIGURES["nb_theta"][k], rel=1e-5)
        path = fit_path(X, DATA["counts"], family="negative_binomial", lambdas=[0.0], **options, **EXACT)
        assert path.family == family.spec and "was estimated at this lambda" in path.notes[0]
        np.testing.assert_allclose(np.r_[path.intercept, path.coef[0]], FIGURES["nb_coef"][k], atol=1e-5)


def test_gamma_without_penalty():
    path = fit_path(X, DATA["gamma"], family="gamma", lambdas=[0.0], **WEIGHED, **EXACT)
    np.testing.assert_allclose(np.r_[path.intercept, path.coef[0]], FIGURES["gamma_coef"], atol=1e-7)
    assert path.deviance[0] * W.sum() == pytest.approx(FIGURES["gamma_deviance"][0], rel=1e-9)


@pytest.mark.parametrize(
    ("spec", "peer", "target"),
    [
        ("tweedie(power=1.5)", sm.families.Tweedie(var_power=1.5), "even"),
        ("gamma", sm.families.Gamma(sm.families.links.Log()), "gamma"),
        ("negative_binomial(theta=0.8)", sm.families.NegativeBinomial(alpha=1 / 0.8), "counts"),
    ],
)
def test_statsmodels_glm_without_penalty(spec, peer, target):
    y = DATA[target].astype(float)
    theirs = sm.GLM(y, sm.add_constant(X), family=peer, offset=OFFSET, freq_weights=W).fit(tol=1e-13, maxiter=200)
    path = fit_path(X, y, family=spec, lambdas=[0.0], **WEIGHED, **EXACT)
    np.testing.assert_allclose(np.r_[path.intercept, path.coef[0]], theirs.params, atol=1e-6)
    assert path.deviance[0] * W.sum() == pytest.approx(theirs.deviance, rel=1e-8)


def test_statsmodels_robust_regression_with_the_same_scale():
    y = np.log(DATA["gamma"])
    y[:5] += 8.0
    theirs = sm.RLM(y, sm.add_constant(X), M=sm.robust.norms.HuberT(t=1.345)).fit(tol=1e-12, maxiter=500)
    path = fit_path(X, y, family=f"huber(delta={float(1.345 * theirs.scale)!r})", lambdas=[0.0], **EXACT)
    np.testing.assert_allclose(np.r_[path.intercept, path.coef[0]], theirs.params, atol=1e-5)
    delta = get_family(path.family).parameters["delta"]
    own = settle_family(X, y, family="huber", lam=0.0).parameters["delta"]
    assert own == pytest.approx(delta, rel=1e-4)  # both alternate with 1.345 median sizes of residuals / 0.6745


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.9])
def test_statsmodels_quantile_regression_within_the_smoothing(tau):
    y = np.log(DATA["gamma"])
    theirs = sm.QuantReg(y, sm.add_constant(X)).fit(q=tau, p_tol=1e-10, max_iter=5000)
    h = 0.002
    path = fit_path(X, y, family=f"quantile(tau={tau}, bandwidth={h})", lambdas=[0.0], tol=1e-8)

    def pinball(predicted):
        r = y - predicted
        return np.mean(np.maximum(tau * r, (tau - 1) * r))

    excess = pinball(path.predict(X)[:, 0]) - pinball(theirs.fittedvalues)
    assert -1e-7 <= excess <= h * np.log(2)
    np.testing.assert_allclose(np.r_[path.intercept, path.coef[0]], theirs.params, atol=0.03)


def test_power_of_tweedie_is_found_again():
    rng = np.random.default_rng(8)
    Z = rng.normal(size=(800, 3))
    mu, phi, power = np.exp(0.3 + 0.5 * Z[:, 0]), 0.8, 1.6
    number = rng.poisson(mu ** (2 - power) / (phi * (2 - power)))
    amount = rng.gamma(np.maximum(number, 1) * (2 - power) / (power - 1), phi * (power - 1) * mu ** (power - 1))
    y = np.where(number > 0, amount, 0.0)
    found = settle_family(Z, y, family="tweedie", lam=0.0)
    assert found.parameters["power"] == pytest.approx(power, abs=0.05)
