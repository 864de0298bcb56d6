"""Leaks are caught, strong honest features are not, and neither depends on scale or direction."""

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from bridle.data import make_dataset
from bridle.data.leaks import find_duplicates, find_leaks

RNG = np.random.default_rng(5)
N = 400
X = RNG.standard_normal((N, 6))
Y = X[:, 0] * 2 + X[:, 1] + RNG.standard_normal(N)
FLAG = (Y + RNG.standard_normal(N) > 0).astype(float)


def suspects(y, family, **extra):
    frame = pl.DataFrame({**{f"x{j}": X[:, j] for j in range(6)}, **extra})
    return [leak.column for leak in find_leaks(frame, None, frame.columns, y, family)]


@pytest.mark.parametrize(
    "leak",
    [
        np.exp(Y / 3),
        -5 * Y + 100,
        Y + 0.01 * RNG.standard_normal(N),
        (np.median(Y) < Y).astype(int),
        (np.median(Y) >= Y).astype(int),
        np.digitize(Y, [-2, 0, 2]),
        np.array(["low", "mid", "high"])[np.digitize(Y, [-1, 1])],
        np.where(np.arange(N) % 10 == 0, np.nan, Y),
    ],
    ids=["monotone", "linear", "noisy", "flag", "flag upside down", "bands", "named bands", "with gaps"],
)
def test_leaks_of_a_number(leak):
    assert suspects(Y, "gaussian", leak=pl.Series(leak).fill_nan(None) if leak.dtype == float else leak) == ["leak"]


@pytest.mark.parametrize(
    "leak",
    [
        FLAG,
        1 - FLAG,
        FLAG + 0.1 * RNG.standard_normal(N),
        np.where(FLAG == 1, "treated", "none"),
        np.where(FLAG == 1, RNG.choice(["a", "b"], N), RNG.choice(["c", "d"], N)),
        np.where(FLAG == 1, np.arange(N) * 1.0, np.nan),
        np.where(np.arange(N) == 7, 1 - FLAG, FLAG),
    ],
    ids=["same", "upside down", "noisy", "named", "several names", "known for one class only", "nearly"],
)
def test_leaks_of_two_classes(leak):
    assert suspects(FLAG, "binomial", leak=pl.Series(leak).fill_nan(None) if leak.dtype == float else leak) == ["leak"]


def test_several_leaks_are_all_named_the_best_first():
    assert suspects(Y, "gaussian", a=Y + 0.02 * RNG.standard_normal(N), b=Y**3) == ["b", "a"]


def test_honest_features_are_not_suspected():
    assert suspects(Y, "gaussian", strong=Y + 0.5 * RNG.standard_normal(N)) == []
    assert suspects(FLAG, "binomial", strong=FLAG + 0.45 * RNG.standard_normal(N)) == []
    assert suspects(Y, "gaussian", codes=[f"c{i}" for i in range(N)]) == []  # one row per level says nothing
    assert suspects(FLAG, "binomial", codes=[f"c{i // 2}" for i in range(N)]) == []


@pytest.mark.parametrize("load", [load_breast_cancer, load_diabetes, load_wine, load_iris, load_digits])
@pytest.mark.parametrize("against", range(3))
def test_real_data_without_leaks(load, against):
    """One class against the rest, so every set is binomial; iris' setosa is separated by both petal measures alike."""
    data, y = load(return_X_y=True)
    y = y if load is load_diabetes else (y == against).astype(float)
    if np.ptp(y) > 0:
        assert make_dataset(data, y).warnings == () or min(y.sum(), (1 - y).sum()) < 20


def test_separable_classes_are_signal_where_many_columns_separate_them():
    y = np.repeat([0.0, 1.0], [47, 25])
    genes = RNG.standard_normal((72, 3000))
    genes[:, :40] += 4 * y[:, None]
    assert make_dataset(genes, y).warnings == ()
    data = make_dataset(np.c_[genes[:, 40:], y * 5], y)
    assert "x2960" in data.warnings[0]


def test_sparse_and_dense_agree():
    from scipy import sparse

    dense = np.c_[X, FLAG]
    names = [f"x{j}" for j in range(7)]
    a = find_leaks(None, dense, names, FLAG, "binomial")
    b = find_leaks(None, sparse.csc_array(dense), names, FLAG, "binomial")
    assert [leak.column for leak in a] == ["x6"]
    assert a == b
    assert find_duplicates(None, np.c_[X, X[:, 2] * 3 + 1], names) == (("x2", "x6"),)


def test_known_leaks_in_real_files(real_data):
    wage = make_dataset(real_data / "wage.csv", "wage")
    assert "'logwage'" in wage.warnings[0]
    assert len(wage.warnings) == 1
    houses = make_dataset(real_data / "king_county_housing.parquet", "price")
    assert "'above_median_price'" in houses.warnings[0]
    assert len(houses.warnings) == 1
    back = make_dataset(real_data / "king_county_housing.parquet", "above_median_price")
    assert "'price'" in back.warnings[0]
    assert make_dataset(real_data / "heart.csv", "AHD").warnings == ()
    assert make_dataset(real_data / "golub.parquet", "class").warnings == ()
