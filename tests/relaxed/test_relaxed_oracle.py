"""Relaxed fits and their cross-validation against glmnet's (tests/oracle_data/relaxed, made by make.R there)."""

import json
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from bridle.path import fit_path
from bridle.selection import cross_validate
from bridle.survival import survival_target

FOLDER = Path(__file__).parents[1] / "oracle_data" / "relaxed"
FIGURES = json.loads((FOLDER / "figures.json").read_text())
DATA = {name: np.array(values) for name, values in json.loads((FOLDER / "inputs.json").read_text()).items()}
X, GRID = DATA["X"], DATA["grid"]
EXACT = {"tol": 1e-13, "max_iter": 1_000_000}
MOVED = {"sample_weight": DATA["weight"], "offset": DATA["offset"]}
CASES = {
    "gaussian": MOVED,
    "binomial": MOVED,
    "poisson": MOVED,
    "cox": {},
    "plain": {"standardize": False, "fit_intercept": False},
    "bounds": {"lower": -0.2, "upper": 0.25},
    "factor": {"penalty_factor": np.array([0.0] + 7 * [1.0]) * 8 / 7},  # as glmnet rescales them
}


def target(name):
    if name == "cox":
        return survival_target(DATA["time"], DATA["event"].astype(bool))
    return DATA[name if name in ("binomial", "poisson") else "gaussian"]


def family_of(name):
    return {"binomial": "binomial", "poisson": "poisson", "cox": "cox(ties='breslow')"}.get(name, "gaussian")


def beside(path, figures):
    """Coefficients as glmnet gives them: the intercept first, where the family has one."""
    theirs = np.array(figures)
    ours = path.coef if theirs.shape[1] == X.shape[1] else np.column_stack([path.intercept, path.coef])
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


@pytest.mark.parametrize("name", CASES)
def test_glmnets_relaxed_coefficients_and_blends(name):
    path = fit_path(X, target(name), family=family_of(name), lambdas=GRID, relax=True, **CASES[name], **EXACT)
    assert path.converged
    assert path.relaxed.converged
    beside(path.relaxed, FIGURES["paths"][name]["relaxed"])
    beside(path.blend(0.5), FIGURES["paths"][name]["half"])


def test_where_active_features_are_too_many_the_last_refit_stands_as_in_glmnet():
    figures, wide, y = FIGURES["paths"]["wide"], DATA["wide"][:18], DATA["narrow"][:18]
    count = len(figures["lambda"])
    path = fit_path(DATA["wide"], DATA["narrow"], lambdas=2.0 * GRID, relax=True, **EXACT)
    np.testing.assert_allclose(
        np.column_stack([path.relaxed.intercept, path.relaxed.coef])[:count], figures["relaxed"], atol=2e-6
    )
    path = fit_path(wide, y, lambdas=2.0 * GRID, relax=True, **EXACT)
    few = path.n_nonzero <= 15
    assert not few.all()
    assert "more than n - 3 active features" in path.relaxed.notes[0]
    last = int(np.flatnonzero(few)[-1])
    np.testing.assert_array_equal(path.relaxed.coef[~few], np.tile(path.relaxed.coef[last], (int((~few).sum()), 1)))


@pytest.mark.parametrize("name", ["gaussian", "binomial", "poisson", "cox"])
def test_cv_relaxeds_curves_and_choices(name):
    fold, figures = DATA["fold"], FIGURES["cv"][name]
    pairs = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(1, 6)]
    given = {"gaussian": {"sample_weight": DATA["weight"]}, "poisson": {"offset": DATA["offset"]}}.get(name, {})
    found = cross_validate(
        X, target(name), folds=pairs, family=family_of(name), lambdas=GRID, relax=True, effective_df=False,
        **given, **EXACT,
    )  # fmt: skip
    assert [curve.gamma for curve in found.curves] == figures["gamma"][::-1]
    for curve, mean, error in zip(found.curves[::-1], figures["cvm"], figures["cvsd"], strict=True):
        np.testing.assert_allclose(curve.mean, mean, rtol=2e-6)
        np.testing.assert_allclose(curve.standard_error, error, rtol=2e-5)
    for rule in ("min", "1se"):
        chosen = found.select(rule)
        assert chosen.gamma == figures[rule][1]
        if (name, rule) != ("cox", "min"):
            assert chosen.value == pytest.approx(figures[rule][0], rel=1e-12)
            continue
        curve = found.curves[chosen.curve]  # two lambdas with the same refits are a tie, which glmnet's rounding breaks
        there = int(np.argmin(np.abs(GRID - figures[rule][0])))
        np.testing.assert_allclose(curve.test_loss[:, there], curve.test_loss[:, chosen.index], rtol=1e-12)


@pytest.mark.parametrize(("family", "peer"), [("binomial", sm.families.Binomial()), ("poisson", sm.families.Poisson())])
def test_statsmodels_refits_of_the_active_features(family, peer):
    y = DATA[family]
    path = fit_path(X, y, family=family, lambdas=[0.1, 0.03], l1_ratio=0.7, relax=True, **MOVED, **EXACT)
    for k in range(2):
        on = np.flatnonzero(path.coef[k])
        theirs = sm.GLM(
            y, sm.add_constant(X[:, on]), family=peer, offset=DATA["offset"], freq_weights=DATA["weight"]
        ).fit(tol=1e-13, maxiter=100)  # fmt: skip
        np.testing.assert_allclose(np.r_[path.relaxed.intercept[k], path.relaxed.coef[k][on]], theirs.params, atol=1e-6)
        assert path.relaxed.deviance[k] * DATA["weight"].sum() == pytest.approx(theirs.deviance, rel=1e-9)
