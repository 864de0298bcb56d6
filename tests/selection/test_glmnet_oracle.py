"""glmnet's own figures (tests/oracle_data/glmnet, made by make.R there), reproduced on its folds and grids."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from bridle.convert import from_glmnet, glmnet_scale
from bridle.losses import get_family
from bridle.path import fit_path
from bridle.selection import Curve, cross_validate, select

FOLDER = Path(__file__).parents[1] / "oracle_data" / "glmnet"
FIGURES = json.loads((FOLDER / "figures.json").read_text())
INPUTS = json.loads((FOLDER / "inputs.json").read_text())
TIGHT = {"tol": 1e-12, "max_iter": 1_000_000}


def load(name):
    case = FIGURES["cases"][name]
    bundled = {"diabetes": load_diabetes, "cancer": load_breast_cancer}
    if case["data"] in bundled:
        X, y = bundled[case["data"]](return_X_y=True)
    else:
        X, y = np.array(INPUTS[case["data"]]["X"]), np.array(INPUTS[case["data"]]["y"])
    fold = np.array(INPUTS["folds"][case["data"]])
    weight = np.array(INPUTS["weights"][case["data"]]) if case["weighted"] else None
    pairs = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(1, fold.max() + 1)]
    return case, X, y.astype(float), pairs, weight


def glmnet_path(case, X, y, weight, **options):
    """bridle's path at glmnet's lambdas, after the conversion that glmnet's rescaling of y asks for."""
    scale = glmnet_scale(y, family=case["family"], sample_weight=weight)
    there = from_glmnet(np.array(case["lambda"]), case["alpha"], scale=scale)
    return fit_path(
        X, y, family=case["family"], l1_ratio=there.l1_ratio, lambdas=there.lam, sample_weight=weight,
        **(TIGHT | options),
    )  # fmt: skip


def glmnet_curve(case, X, y, pairs, weight):
    """The curve of cv.glmnet: each fold rescales y by its own deviation, and probabilities are clipped at 1e-5."""
    family, w = get_family(case["family"]), np.ones(y.size) if weight is None else weight
    losses = []
    for train, test in pairs:
        mu = glmnet_path(case, X[train], y[train], None if weight is None else w[train]).predict(X[test])
        if case["family"] == "binomial":
            mu = np.clip(mu, 1e-5, 1 - 1e-5)
        losses.append(np.average(family.deviance(y[test][:, None], mu), axis=0, weights=w[test]))
    shape = np.array(losses)
    return Curve(
        model="glmnet", family=case["family"], parameter="lambda", values=np.array(case["lambda"]), test_loss=shape,
        train_loss=np.zeros_like(shape), test_weight=np.array([w[test].sum() for _, test in pairs]),
        n_train=np.array([train.size for train, _ in pairs]), n_test=np.array([test.size for _, test in pairs]),
    )  # fmt: skip


def test_the_figures_say_what_made_them():
    assert FIGURES["R"].startswith("R version 4")
    assert FIGURES["glmnet"].startswith("4.1")
    assert len(FIGURES["cases"]) == 16


@pytest.mark.parametrize("name", FIGURES["cases"])
def test_coefficients_along_the_path(name):
    case, X, y, _, weight = load(name)
    path = glmnet_path(case, X, y, weight, tol=1e-14)
    ours, theirs = np.column_stack([path.intercept, path.coef]), np.array(case["coef"])
    size = np.abs(theirs).max(axis=1, keepdims=True)
    np.testing.assert_allclose(ours / size, theirs / size, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", FIGURES["cases"])
def test_cross_validation_curve_and_choices(name):
    case, X, y, pairs, weight = load(name)
    curve = glmnet_curve(case, X, y, pairs, weight)
    np.testing.assert_allclose(curve.mean, case["cvm"], rtol=1e-6)
    np.testing.assert_allclose(curve.standard_error, case["cvsd"], rtol=1e-5)
    assert select(curve, "min").value == pytest.approx(case["lambda.min"], rel=1e-12)
    assert select(curve, "1se").value == pytest.approx(case["lambda.1se"], rel=1e-12)


DIRECT = [name for name, case in FIGURES["cases"].items() if case["alpha"] == 1.0 or case["family"] != "gaussian"]


@pytest.mark.parametrize("name", DIRECT)
def test_cross_validate_makes_the_same_choices_in_one_call(name):
    case, X, y, pairs, weight = load(name)
    result = cross_validate(
        X, y, folds=pairs, family=case["family"], l1_ratio=case["alpha"], lambdas=case["lambda"],
        sample_weight=weight, effective_df=False, **TIGHT,
    )  # fmt: skip
    curve = result.curves[0]
    if case["family"] != "binomial":  # where glmnet clips nothing
        np.testing.assert_allclose(curve.mean, case["cvm"], rtol=1e-6)
        np.testing.assert_allclose(curve.standard_error, case["cvsd"], rtol=1e-5)
    assert result.select("min").value == pytest.approx(case["lambda.min"], rel=1e-12)
    assert result.select("1se").value == pytest.approx(case["lambda.1se"], rel=1e-12)
    assert replace(curve, n_repeats=1).n_train.tolist() == [train.size for train, _ in pairs]


def small(**options):
    data = INPUTS["small"]
    X, y = np.array(data["X"]), np.array(data["y"])
    weight, offset = (np.array(data[key]) if options.pop(key, False) else None for key in ("weight", "offset"))
    factor = np.array(data["factor"]) if options.pop("factor", False) else None
    scale = glmnet_scale(y, sample_weight=weight, offset=offset, fit_intercept=options.get("fit_intercept", True))
    there = from_glmnet(0.2, 0.4, scale=scale, penalty_factor=factor)
    path = fit_path(
        X, y, l1_ratio=there.l1_ratio, lambdas=[there.lam], sample_weight=weight, offset=offset,
        penalty_factor=factor, tol=1e-12, **options,
    )  # fmt: skip
    return np.append(path.intercept, path.coef)


@pytest.mark.parametrize(
    ("figure", "options"),
    [
        ("plain", {}),
        ("weights", {"weight": True}),
        ("offset", {"offset": True}),
        ("no intercept", {"fit_intercept": False, "standardize": False}),
        ("penalty factor", {"factor": True}),
    ],
)
def test_what_glmnet_does_to_weights_offsets_and_factors(figure, options):
    np.testing.assert_allclose(small(**options), FIGURES["small"][figure], rtol=1e-6, atol=1e-8)
