"""Targets with several columns that can't be used: what came, what was expected, what to do."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from bridle.errors import InputError
from bridle.path import fit_path
from bridle.selection import cross_validate, make_folds

X = np.random.default_rng(0).normal(size=(12, 3))
LABELS = np.array(list("abcabcabcabc"))
LEVELS = np.tile([1, 2, 3], 4)
NAN = np.where(np.arange(12) == 4, np.nan, 1.0 * LEVELS)
COUNTS = np.tile([[2.0, 1.0, 0.0]], (12, 1))


@pytest.mark.parametrize(
    ("family", "y", "message"),
    [
        ("multinomial", np.repeat("a", 12), "at least 2 classes; y has 1"),
        ("multinomial", np.where(LABELS == "a", None, LABELS), "missing labels, the first in row 0"),
        ("multinomial", NAN, "missing labels, the first in row 4"),
        ("multinomial", LABELS[:5], r"expected one label per row of X, \(12,\)"),
        ("multinomial", np.linspace(0, 1, 12), "numbers with fractions"),
        ("multinomial", COUNTS, "Divide counts by their sum"),
        ("multinomial", COUNTS * [0.5, 0.5, -1.0], "sum of 1 in each row"),
        ("multinomial", np.array(["a", 1, 2.5] * 4, dtype=object), "mixes types"),
        ("multinomial", np.column_stack([np.ones(12), np.zeros(12)]), "class number 1"),
        ("ordinal", LABELS, "levels with an order, and y has labels of type <U1"),
        ("ordinal", pd.Series(LABELS).astype("category"), "levels with an order"),
        ("ordinal", np.repeat(2, 12), "at least 2 classes"),
        ("ordinal", NAN, "missing labels, the first in row 4"),
        ("ordinal", COUNTS / 3.0, "0 and 1 only, not shares"),
        ("ordinal", pd.Categorical(LABELS, ["a", "b", "c", "d"], ordered=True), "class number 3"),
        ("multigaussian", LABELS, "can't be read as numbers"),
        ("multigaussian", np.ones((5, 2)), r"expected a row of numbers for each row of X, \(12, T\)"),
        ("multigaussian", np.column_stack([NAN, NAN]), "row 4, column 0 has"),
    ],
)
def test_targets_that_cannot_be(family, y, message):
    with pytest.raises(InputError, match=message):
        fit_path(X, y, family=family)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": "group_lasso", "lower": 0.0}, "bounds can't be combined"),
        ({"penalty": "lassoo"}, "expected one of elastic_net"),
        ({"offset": np.ones((12, 2))}, r"expected one value per row and predictor, \(12, 3\)"),
        ({"offset": np.full(12, np.nan)}, "offset must be finite; row 0"),
        ({"sample_weight": (LABELS != "b") * 1.0}, "class number 1"),
        ({"mode": "gram"}, "needs the gaussian family"),
    ],
)
def test_arguments_that_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        fit_path(X, LABELS, family="multinomial", **options)


def test_arguments_of_ordered_levels():
    with pytest.raises(InputError, match="always fitted"):
        fit_path(X, LEVELS, family="ordinal", fit_intercept=False)
    for penalty in ("group_lasso", "sparse_group_lasso", "group_mcp", "adaptive_group_lasso"):
        with pytest.raises(InputError, match=r"needs groups=..., one label per feature"):
            fit_path(X, LEVELS, family="ordinal", penalty=penalty)
    with pytest.raises(InputError, match=r"groups has shape \(2,\); expected one label per feature, \(3,\)"):
        fit_path(X, LEVELS, family="ordinal", penalty="group_lasso", groups=[0, 1])
    with pytest.raises(InputError, match="bounds don't go with groups of several features; feature 0"):
        fit_path(X, LEVELS, family="ordinal", penalty="group_scad", groups=[0, 0, 1], lower=0.0)
    with pytest.raises(InputError, match="'mcp' has no groups"):
        fit_path(X, LEVELS, family="ordinal", penalty="mcp", groups=[0, 0, 1])
    with pytest.raises(InputError, match="one offset per row"):
        fit_path(X, LEVELS, family="ordinal", offset=np.tile([0.0, 1.0], (12, 1)))
    with pytest.raises(InputError, match="needs groups"):
        fit_path(X, LEVELS, penalty="group_lasso")


def test_every_training_part_needs_all_classes():
    held = np.flatnonzero(LABELS == "b")
    pairs = [(np.setdiff1d(np.arange(12), held), held), (held, np.setdiff1d(np.arange(12), held))]
    with pytest.raises(InputError, match="fold 0 hold 2 of 3 classes only"):
        cross_validate(X, LABELS, family="multinomial", folds=pairs)
    with pytest.raises(InputError, match="rarer class has 1 row"):
        make_folds(np.append(LABELS[:-1], "z"), family="multinomial")
    with pytest.raises(InputError, match="no effective degrees of freedom"):
        cross_validate(X, LABELS, family="multinomial", folds=2, effective_df=True)


def test_kind_of_prediction():
    path = fit_path(X, LABELS, family="multinomial", n_lambdas=3, lambda_min_ratio=0.2)
    with pytest.raises(InputError, match="'response', 'link', 'class'"):
        path.predict(X, kind="classes")
    with pytest.raises(InputError, match="'response', 'link'"):
        fit_path(X, X[:, :2], family="multigaussian", n_lambdas=3).predict(X, kind="class")
    with pytest.raises(InputError, match="with 3 columns"):
        path.predict(X[:, :2])


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(pd.Categorical(np.array(["low", "mid", "high"])[LEVELS - 1], ["low", "mid", "high"], ordered=True)),
        pl.Series(np.array(["low", "mid", "high"])[LEVELS - 1], dtype=pl.Enum(["low", "mid", "high"])),
    ],
    ids=["pandas", "polars"],
)
def test_ordered_categoricals_keep_their_order(y):
    path = fit_path(X, y, family="ordinal", lambdas=[0.05])
    assert path.responses == ("low", "mid", "high")
    np.testing.assert_allclose(path.coef, fit_path(X, LEVELS, family="ordinal", lambdas=[0.05]).coef)
    assert set(path.predict(X, lam=0.05, kind="class")) <= {"low", "mid", "high"}
    assert fit_path(X, y, family="multinomial", lambdas=[0.05]).responses == ("low", "mid", "high")


def test_names_of_columns_are_kept():
    frame = pd.DataFrame(X[:, :2], columns=["left", "right"])
    assert fit_path(X, frame, family="multigaussian", lambdas=[0.1]).responses == ("left", "right")


def test_perfect_null_model():
    path = fit_path(X, np.tile([3.0, -1.0], (12, 1)), family="multigaussian")
    assert path.lambda_max == 0.0
    assert not path.coef.any()
    np.testing.assert_allclose(path.intercept, [[3.0, -1.0]])


def test_constant_columns_have_no_part():
    Z = np.column_stack([X, np.full(12, 7.0)])
    path = fit_path(Z, LABELS, family="multinomial", n_lambdas=5, l1_ratio=0.5)
    assert not path.coef[:, 3].any()
    assert "constant" in path.notes[0]
