"""Ordered categories: steps, whose lasso is the fused lasso on the effects, and what is refused."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.errors import FileFormatError, InputError
from bridle.path import fit_path

LEVELS = ("none", "low", "mid", "high", "top")
EFFECT = {"none": 0.0, "low": 0.1, "mid": 1.0, "high": 1.05, "top": 2.0}


def table(seed=0, n=160, levels=LEVELS, missing=0.0):
    rng = np.random.default_rng(seed)
    dose = rng.choice(levels, n)
    y = np.array([EFFECT[d] for d in dose]) + 0.5 * rng.standard_normal(n)
    cells = [None if rng.random() < missing else d for d in dose]
    return pl.DataFrame({"dose": pl.Series(cells, dtype=pl.Enum(LEVELS)), "x": rng.standard_normal(n), "y": y})


def test_features_are_steps_between_neighbours():
    frame = table()
    data = make_dataset(frame, "y")
    (dose,) = [c for c in data.columns if c.name == "dose"]
    assert dose.kind == "ordered" and dose.levels == LEVELS
    assert dose.note == "ordered: none < low < mid < high < top"
    encoder = Encoder.fit(data)
    assert encoder.feature_names == ("dose >= low", "dose >= mid", "dose >= high", "dose >= top", "x")
    assert encoder.groups == ("dose",) * 4 + ("x",)
    design = encoder.transform(data)
    rank = frame["dose"].to_physical().to_numpy().astype(int)
    assert np.array_equal(design.matrix[:, :4], rank[:, None] >= np.arange(1, 5))
    assert np.allclose(encoder.mean, design.matrix.mean(axis=0))
    assert np.allclose(encoder.scale, design.matrix.std(axis=0))
    assert Encoder.from_dict(encoder.to_dict()) == encoder


@pytest.mark.parametrize("lam", [0.02, 0.1, 0.3])
def test_lasso_on_the_steps_is_the_fused_lasso_on_the_effects(lam):
    frame = table(seed=3, n=80).select("dose", "y")
    encoder = Encoder.fit(make_dataset(frame, "y"))
    X, y = encoder.transform(frame).matrix, frame["y"].to_numpy()
    path = fit_path(X, y, lambdas=[lam], standardize=False, tol=1e-12)
    effect = path.intercept[0] + np.r_[0.0, np.cumsum(path.coef_row(0))]  # (5,)
    rank, k = frame["dose"].to_physical().to_numpy().astype(int), len(LEVELS)

    def objective(z):  # effects (5,), and bounds of their differences (4,)
        return 0.5 * np.mean((y - z[rank]) ** 2) + lam * z[k:].sum()

    over = [{"type": "ineq", "fun": lambda z, s=s: z[k:] - s * np.diff(z[:k])} for s in (1.0, -1.0)]
    start = np.r_[np.full(k, y.mean()), np.ones(k - 1)]
    fused = minimize(objective, start, constraints=over, method="SLSQP", options={"maxiter": 500, "ftol": 1e-14})
    assert fused.success
    assert np.allclose(effect, fused.x[:k], atol=2e-5)
    together = np.abs(np.diff(fused.x[:k])) < 1e-5
    assert np.array_equal(path.coef_row(0) == 0.0, together)  # fused exactly
    assert 0 < together.sum() < k if lam == 0.1 else True


@pytest.mark.parametrize("kind", ["text", "enum", "pandas", "listed numbers"])
def test_the_same_order_however_it_is_given(kind):
    names = ("low", "mid", "high")
    frame = table(levels=names)
    expected = Encoder.fit(make_dataset(frame, "y")).transform(frame).matrix
    text = frame["dose"].cast(pl.String)
    if kind == "text":
        other, ordered = frame.with_columns(text), {"dose": LEVELS[1:4]}
    elif kind == "enum":
        other, ordered = frame.with_columns(text.cast(pl.Enum(names))), None
    elif kind == "pandas":
        other, ordered = frame.with_columns(text).to_pandas(), None
        other["dose"] = pd.Categorical(other["dose"], names, ordered=True)
    else:
        number = text.replace_strict(dict(zip(names, (0.5, 1.0, 30.0), strict=True)), return_dtype=pl.Float64)
        other, ordered = frame.with_columns(number), {"dose": ["0.50", "1", "30"]}
    encoder = Encoder.fit(make_dataset(other, "y", ordered=ordered))
    assert np.array_equal(encoder.transform(other).matrix, expected)
    assert encoder.transform(other).shape == (160, 3)


def test_missing_cells_are_filled_from_each_folds_training_rows():
    frame = table(seed=1, missing=0.2)
    data = make_dataset(frame, "y")
    encoder = Encoder.fit(data)
    assert encoder.feature_names[4] == "dose (missing)"
    design, gone = encoder.transform(data), frame["dose"].is_null().to_numpy()
    assert np.array_equal(design.matrix[:, 4], gone)
    train = np.arange(0, 100)
    filled = design.for_rows(train)
    known = train[~gone[train]]
    assert np.allclose(filled[gone, :4], design.matrix[known, :4].mean(axis=0))
    assert np.array_equal(filled[~gone], design.matrix[~gone])
    taken = design.take(np.arange(50, 160)).for_rows(np.arange(50))
    assert np.allclose(taken[gone[50:], :4], design.matrix[50:100][~gone[50:100], :4].mean(axis=0))


def test_levels_that_training_lacks():
    frame = table(levels=("none", "mid", "high"))
    encoder = Encoder.fit(make_dataset(frame, "y"))
    assert encoder.feature_names == ("dose >= mid", "dose >= high", "x")
    new = {"dose": ["none", "low", "top", "huge", None], "x": [0.0] * 5}
    design = encoder.transform(new)
    mean = encoder.mean[:2]
    assert np.allclose(design.matrix[:, :2], [[0, 0], [0.5, 0], [1, 1], mean, mean])
    assert dict(design.unseen) == {("dose", "low"): 1, ("dose", "top"): 1, ("dose", "huge"): 1}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_renaming_and_reversing_levels_changes_no_prediction(seed, backwards):
    frame = table(seed=seed, n=60)
    new = {v: f"{'zyxwv'[i]}{v}" for i, v in enumerate(LEVELS)}
    order = [new[v] for v in (LEVELS[::-1] if backwards else LEVELS)]
    other = frame.with_columns(frame["dose"].cast(pl.String).replace_strict(new))
    fits = []
    for data in (make_dataset(frame, "y"), make_dataset(other, "y", ordered={"dose": order})):
        X = Encoder.fit(data).transform(data).matrix
        path = fit_path(X, data.y, lambdas=[0.1, 0.02], tol=1e-12)
        fits.append(path.linear_predictor(X))
    assert np.allclose(*fits, atol=1e-6)


def test_weights_count_as_repeated_rows():
    frame, w = table(seed=2, missing=0.1), np.random.default_rng(0).integers(0, 4, 160)
    weighted = Encoder.fit(make_dataset(frame, "y", weights=w.astype(float)), missing="mean")
    repeated = Encoder.fit(make_dataset(frame[np.repeat(np.arange(160), w)], "y"), missing="mean")
    assert weighted.codes[0].fills == pytest.approx(repeated.codes[0].fills)
    assert weighted.mean == pytest.approx(repeated.mean)


WRONG = {
    "unknown column": ({"dosage": ["low", "high"]}, "there is no column 'dosage'"),
    "target": ({"y": ["1", "2"]}, r"column 'y' holds '-0\.00.*, not among the levels 1, 2; list every level"),
    "one level": ({"dose": ["low"]}, "needs at least two levels"),
    "text": ({"dose": "low,high"}, "needs at least two levels"),
    "twice": ({"dose": ["low", "low"]}, "has the level 'low' twice"),
    "unlisted": ({"dose": ["low", "mid"]}, r"holds 'high', 'none', 'top', not among the levels low, mid; list every"),
    "numbers": ({"x": ["1", "many"]}, "its level 'many' is none"),
}


@pytest.mark.parametrize("case", WRONG)
def test_lists_of_levels_that_are_refused(case):
    ordered, words = WRONG[case]
    with pytest.raises(InputError, match=words):
        make_dataset(table(), "y", ordered=ordered)


def test_a_level_spelled_like_missing_is_refused_in_text():
    frame = {"pain": ["none", "mild", "", "severe"] * 10, "y": np.arange(40.0)}
    with pytest.raises(InputError, match="'none' of column 'pain' can't be told from a missing cell"):
        make_dataset(frame, "y", ordered={"pain": ["none", "mild", "severe"]})


def test_arrays_have_no_ordered_levels():
    with pytest.raises(InputError, match="give a data frame"):
        make_dataset(np.ones((5, 2)), [1, 2, 3, 4, 5], ordered={"x0": ["1", "2"]})


@pytest.mark.parametrize("change", ["levels", "fills", "declared"])
def test_damaged_steps_in_a_file_are_refused(change):
    data = Encoder.fit(make_dataset(table(), "y")).to_dict()
    data["codes"][0][change] = data["codes"][0][change][1:][::-1]
    with pytest.raises(FileFormatError, match=r"contradicting levels|features need as many"):
        Encoder.from_dict(data)
