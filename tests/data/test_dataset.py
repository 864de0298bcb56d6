"""The table as a learning problem: roles, dropped rows, what is said aloud."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from bridle.data import make_dataset
from bridle.datasets import DEMO_TARGET, demo_path
from bridle.errors import InputError

RNG = np.random.default_rng(7)
N = 120
FRAME = pl.DataFrame(
    {
        "id": np.arange(N) + 1,
        "age": RNG.integers(20, 80, N),
        "dose": RNG.standard_normal(N),
        "centre": RNG.choice(["north", "south", "west"], N),
        "exposure": RNG.uniform(0.5, 2, N),
        "wave": RNG.integers(0, 3, N),
        "when": [f"2024-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(N)],
        "y": RNG.standard_normal(N),
    }
)


def test_roles_are_columns_and_no_features():
    data = make_dataset(FRAME, "y", weights="exposure", offset="dose", groups="centre", time="when")
    assert [c.name for c in data.features] == ["age", "wave"]
    assert {c.name: c.kind for c in data.columns} == {
        "id": "identifier", "age": "numeric", "dose": "offset", "centre": "groups", "exposure": "weights",
        "wave": "numeric", "when": "time", "y": "target",
    }  # fmt: skip
    assert np.array_equal(data.weights, FRAME["exposure"])
    assert np.array_equal(data.offset, FRAME["dose"])
    assert (np.diff(data.time) > 0).all()
    assert len(np.unique(data.groups)) == 3
    assert all((FRAME["centre"].to_numpy()[data.groups == g] == FRAME["centre"][int(i)]).all()
               for g, i in zip(*np.unique(data.groups, return_index=True), strict=True))  # fmt: skip


def test_roles_as_arrays_are_the_same_as_columns():
    named = make_dataset(FRAME, "y", weights="exposure", groups="centre")
    rest = FRAME.drop("y", "exposure", "centre")
    given = make_dataset(rest, FRAME["y"], weights=FRAME["exposure"].to_numpy(), groups=FRAME["centre"].to_list())
    for field in ("y", "weights", "groups", "family", "target_name"):
        assert np.array_equal(getattr(named, field), getattr(given, field))
    assert named.frame.equals(given.frame)


def test_rows_without_target_are_dropped_and_said():
    y = FRAME["y"].to_numpy().copy()
    y[[3, 50]] = np.nan
    data = make_dataset(FRAME.with_columns(y=y), "y", weights="exposure")
    assert data.n_rows == N - 2
    assert any(note.startswith("2 of 120 rows were dropped") for note in data.notes)
    assert np.array_equal(data.rows, np.delete(np.arange(N), [3, 50]))
    assert np.array_equal(data.weights, np.delete(FRAME["exposure"].to_numpy(), [3, 50]))
    assert np.array_equal(data.frame["age"], np.delete(FRAME["age"].to_numpy(), [3, 50]))


def test_take_takes_from_everything():
    data = make_dataset(FRAME, "y", weights="exposure", offset="dose", groups="centre", time="when")
    rows = np.array([5, 2, 110])
    part = data.take(rows)
    for field in ("y", "weights", "offset", "groups", "time", "rows"):
        assert np.array_equal(getattr(part, field), getattr(data, field)[rows])
    assert part.frame.equals(data.frame[rows])
    mask = np.zeros(N, dtype=bool)
    mask[[2, 5, 110]] = True
    assert np.array_equal(data.take(mask).y, data.y[[2, 5, 110]])


def test_what_is_left_out_is_said():
    data = make_dataset(FRAME.with_columns(one=pl.lit(1), gap=pl.lit(None)), "y", exclude=["wave"])
    text = " ".join(data.notes)
    for words in ("identifiers", "'id'", "dates or times", "'when'", "constant: 'one'", "'gap'", "as asked: 'wave'"):
        assert words in text
    assert data.notes[0].startswith("The target 'y'")
    assert [c.name for c in data.features] == ["age", "dose", "centre", "exposure"]


def test_keep_and_exclude():
    assert "id" in [c.name for c in make_dataset(FRAME, "y", keep=["id"]).features]
    with pytest.raises(InputError, match="did you mean 'dose'"):
        make_dataset(FRAME, "y", exclude=["dosis"])
    with pytest.raises(InputError, match="also the target"):
        make_dataset(FRAME, "y", exclude=["y"])


def test_complete_rows():
    frame = FRAME.with_columns(dose=pl.when(pl.col("wave") == 1).then(None).otherwise(pl.col("dose")))
    data = make_dataset(frame, "y").complete_rows()
    assert data.n_rows == (FRAME["wave"] != 1).sum()
    assert data.frame.null_count().sum_horizontal().item() == 0
    assert "were dropped" in data.notes[0]
    matrix = np.array([[1.0, 2], [np.nan, 3], [4, 5], [6, 8]])
    for X in (matrix, sparse.csr_array(matrix)):
        assert make_dataset(X, [1.5, 2.0, 3.0, 4.0]).complete_rows().n_rows == 3


def test_arrays_keep_their_columns_unless_constant():
    X = np.c_[np.arange(50.0), np.ones(50), RNG.standard_normal(50)]
    for source in (X, sparse.csc_array(X), X.tolist()):
        data = make_dataset(source, RNG.standard_normal(50))
        assert [c.name for c in data.features] == ["x0", "x2"]
    assert np.array_equal(make_dataset(X, 2).y, X[:, 2])
    named = make_dataset(X, "y", columns=["a", "b", "y"])
    assert np.array_equal(named.y, X[:, 2])
    assert [c.name for c in named.features] == ["a"]


def test_dense_arrays_are_not_copied():
    X = RNG.standard_normal((50, 4))
    assert np.shares_memory(make_dataset(X, X[:, 0] + 1).matrix, X)


def test_file_frame_and_array_agree(tmp_path):
    FRAME.write_csv(tmp_path / "t.csv")
    FRAME.write_parquet(tmp_path / "t.parquet")
    options = {"weights": "exposure", "groups": "centre", "time": "when"}
    data = [make_dataset(source, "y", **options) for source in (FRAME, tmp_path / "t.csv", tmp_path / "t.parquet")]
    for other in data[1:]:
        assert other.columns == data[0].columns
        assert other.notes == data[0].notes
        for field in ("y", "weights", "groups", "time"):
            assert np.array_equal(getattr(other, field), getattr(data[0], field))


def test_the_demo_data():
    data = make_dataset(demo_path(), DEMO_TARGET)
    assert (data.n_rows, len(data.features), data.classes) == (569, 30, ("benign", "malignant"))
    assert data.warnings == ()
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    assert np.array_equal(data.frame.to_numpy(), X)
    assert np.array_equal(data.y, 1 - y)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("weights", "dos", "weights: there is no column 'dos'; did you mean 'dose'"),
        ("weights", "dose", "must not be negative"),
        ("weights", "centre", "expected numbers, got"),
        ("weights", [1.0, 2.0], "one value for each of 120 rows"),
        ("weights", np.zeros(N), "zero in every row"),
        ("weights", np.full(N, np.nan), "missing in row 1"),
        ("offset", np.full(N, np.inf), "infinite in row 1"),
        ("groups", ["a"] * N, "same in every row"),
        ("groups", ["a"] * (N - 1) + [None], "missing in row 120"),
        ("groups", "y", "both as target and as groups"),
        ("time", "centre", "expected numbers, got"),
    ],
)
def test_roles_that_cannot_be_used(option, value, message):
    with pytest.raises(InputError, match=message):
        make_dataset(FRAME, "y", **{option: value})


def test_a_pandas_index_is_no_feature_and_that_is_said():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": RNG.standard_normal(30), "y": RNG.standard_normal(30)})
    assert not any("index" in note for note in make_dataset(frame, "y").notes)
    assert not any("index" in note for note in make_dataset(frame.iloc[::-1], "y").notes)
    named = frame.set_index(pandas.Index([f"p{i}" for i in range(30)], name="patient"))
    assert any("reset_index" in note for note in make_dataset(named, "y").notes)
