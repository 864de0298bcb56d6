"""The encoder: what it learns, what it refuses, and that codings and files don't change a prediction."""

import json

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from bridle.data import iter_batches, make_dataset
from bridle.design import Encoder
from bridle.errors import FileFormatError, InputError

RNG = np.random.default_rng(11)
N = 300


def table(n=N, rng=RNG):
    return pl.DataFrame(
        {
            "age (years)": rng.integers(20, 80, n),
            "dose": np.where(rng.random(n) < 0.1, np.nan, rng.standard_normal(n)),
            "sex": rng.choice(["female", "male"], n),
            "centre": rng.choice(["north", "south", "west", None], n, p=[0.4, 0.3, 0.2, 0.1]),
            "smoker": rng.choice([True, False, None], n, p=[0.4, 0.5, 0.1]).tolist(),
            "job": rng.choice([f"job{i:02}" for i in range(40)], n, p=np.r_[np.full(4, 0.22), np.full(36, 0.12 / 36)]),
            "y": rng.standard_normal(n),
        },
        strict=False,
    ).with_columns(pl.col("dose").fill_nan(None))


FRAME = table()
DATA = make_dataset(FRAME, "y")
ENCODER = Encoder.fit(DATA)


def test_features_and_their_meaning():
    names = ENCODER.feature_names
    assert names[:4] == ("age (years)", "dose", "dose (missing)", "sex = male")
    assert names[4:8] == ("centre = north", "centre = south", "centre = west", "centre (missing)")
    assert names[8:10] == ("smoker = true", "smoker (missing)")
    assert names[-1] == "job = (other)"
    meaning = dict(zip(names, zip(ENCODER.source_columns, ENCODER.units, ENCODER.indicator, strict=True), strict=True))
    assert meaning["age (years)"] == ("age (years)", "per years", False)
    assert meaning["centre = west"] == ("centre", "when west", True)
    assert meaning["dose (missing)"] == ("dose", "when missing", True)


def test_matrix_against_a_plain_loop():
    design = ENCODER.transform(FRAME)
    assert np.isfortran(design.matrix)
    column = {name: design.matrix[:, j] for j, name in enumerate(design.feature_names)}
    dose = FRAME["dose"].to_numpy()
    assert np.allclose(column["dose"], np.where(np.isnan(dose), np.nanmean(dose), dose))
    assert np.array_equal(column["dose (missing)"], np.isnan(dose))
    for i, row in enumerate(FRAME.iter_rows(named=True)):
        assert column["sex = male"][i] == (row["sex"] == "male")
        for level in ("north", "south", "west"):
            assert column[f"centre = {level}"][i] == (row["centre"] == level)
        assert column["centre (missing)"][i] == (row["centre"] is None)
        assert column["smoker (missing)"][i] == (row["smoker"] is None)
        if row["smoker"] is not None:
            assert column["smoker = true"][i] == row["smoker"]
        own = [name for name in column if name.startswith("job") and column[name][i] == 1]
        expected = f"job = {row['job']}" if f"job = {row['job']}" in column else "job = (other)"
        assert own == [expected]
    assert sum(name.startswith("job") for name in column) < 12
    assert np.allclose(ENCODER.mean, design.matrix.mean(axis=0))
    assert np.allclose(ENCODER.scale, design.matrix.std(axis=0))


def test_weights_count_as_repeated_rows():
    w = RNG.integers(0, 4, N).astype(float)
    weighted = Encoder.fit(make_dataset(FRAME, "y", weights=w))
    repeated = Encoder.fit(DATA.take(np.repeat(np.arange(N), w.astype(int))))
    for j, name in enumerate(weighted.feature_names):
        if name in repeated.feature_names and not name.startswith("job"):  # rare levels are counted in rows
            k = repeated.feature_names.index(name)
            assert weighted.mean[j] == pytest.approx(repeated.mean[k])
            assert weighted.scale[j] == pytest.approx(repeated.scale[k])


@pytest.mark.parametrize("policy", ["indicator", "mean", "median"])
def test_a_fold_is_imputed_from_its_training_rows(policy):
    design = Encoder.fit(DATA, missing=policy).transform(DATA)
    train = np.arange(0, N, 3)
    inside = Encoder.fit(DATA, missing=policy, rows=train).transform(DATA)
    shared = [name for name in design.feature_names if name in inside.feature_names]
    a, b = design.for_rows(train), inside.matrix
    for name in shared:
        if not name.startswith("job"):
            x, z = a[:, design.feature_names.index(name)], b[:, inside.feature_names.index(name)]
            assert np.allclose(x, z), name
    assert design.for_rows(None) is design.matrix
    assert design.filled().for_rows(train) is design.matrix
    assert not any("missing" in name for name in design.feature_names if name.startswith(("dose", "smoker"))) or (
        policy == "indicator"
    )


def test_no_copy_without_missing_cells():
    design = Encoder.fit(make_dataset(FRAME.select("age (years)", "sex", "y"), "y")).transform(FRAME)
    assert design.for_rows(np.arange(10)) is design.matrix
    X = RNG.standard_normal((40, 3))
    for matrix in (X, np.asfortranarray(X)):
        plain = Encoder.fit(make_dataset(matrix, X[:, 0] + 1))
        assert np.shares_memory(plain.transform(matrix).matrix, matrix)


def test_names_and_order_of_levels_do_not_matter():
    renamed = FRAME.with_columns(
        pl.col("centre").replace({"north": "z", "south": "a", "west": "m"}), pl.col("sex").replace({"female": "w"})
    )
    other = Encoder.fit(make_dataset(renamed, "y")).transform(renamed)
    design = ENCODER.transform(FRAME)

    def predictions(X, lam):
        """Ridge on standardised columns, in closed form."""
        z = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
        y = FRAME["y"].to_numpy()
        return z @ np.linalg.lstsq(z.T @ z / N + lam * np.eye(z.shape[1]), z.T @ (y - y.mean()) / N, rcond=1e-12)[0]

    for lam in (0.0, 0.1):  # lam = 0: the minimum-norm solution
        assert np.allclose(predictions(design.matrix, lam), predictions(other.matrix, lam), atol=1e-9)


def test_unseen_and_missing_cells_at_prediction():
    row = {"age (years)": [50], "dose": [None], "sex": ["other"], "centre": ["east"], "smoker": ["no"], "job": ["new"]}
    design = ENCODER.transform({**row, "smoker": [False]})
    x = dict(zip(design.feature_names, design.matrix[0], strict=True))
    assert x["sex = male"] == pytest.approx((FRAME["sex"] == "male").mean())
    assert [x[f"centre = {level}"] for level in ("north", "south", "west")] == [0, 0, 0]
    assert x["job = (other)"] == 1
    assert x["dose (missing)"] == 1
    assert design.unseen == {("sex", "other"): 1, ("centre", "east"): 1, ("job", "new"): 1}
    assert design.n_missing == {"dose": 1}
    assert "never occurred" in design.notes[0]
    assert set(ENCODER.unseen({**row, "smoker": [False]})) == {"sex", "centre", "job"}
    assert ENCODER.transform({**row, "smoker": ["True"]}).unseen == design.unseen  # text of a boolean


def test_streaming_a_file_is_transforming_it(tmp_path):
    FRAME.write_csv(tmp_path / "t.csv", null_value="NA")
    parts = [ENCODER.transform(batch).matrix for batch in iter_batches(tmp_path / "t.csv", batch_rows=37)]
    whole = ENCODER.transform(FRAME).matrix
    assert np.allclose(np.vstack(parts), whole)
    assert np.allclose(ENCODER.transform(tmp_path / "t.csv").matrix, whole)


def test_a_minus_is_a_level_where_it_was_one_in_training():
    frame = pl.DataFrame({"rh": ["+", "-", "0"] * 20, "y": RNG.standard_normal(60)})
    encoder = Encoder.fit(make_dataset(frame, "y"))
    assert encoder.transform({"rh": ["-"]}).matrix.tolist() == [[0, 1, 0]]


def test_number_formats_are_remembered(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x;r;y\n" + "".join(f"{i},5;{i % 7} %;{(i * 7) % 11}\n" for i in range(40)))
    data = make_dataset(path, "y")
    encoder = Encoder.from_dict(json.loads(json.dumps(Encoder.fit(data).to_dict())))
    assert encoder.units == ("per unit", "per percentage point")
    for batch in iter_batches(path, batch_rows=7):
        assert encoder.transform(batch).matrix[:, 0].tolist() == [float(v.replace(",", ".")) for v in batch["x"]]
    assert encoder.transform({"x": ["2,5", "2.5"], "r": ["3%", "3"]}).matrix.tolist() == [[2.5, 3], [2.5, 3]]


def test_json_and_back_changes_nothing():
    back = Encoder.from_dict(json.loads(json.dumps(ENCODER.to_dict(), allow_nan=False)))
    assert back == ENCODER
    assert np.array_equal(back.transform(FRAME).matrix, ENCODER.transform(FRAME).matrix)


def broken(change):
    data = json.loads(json.dumps(ENCODER.to_dict()))
    change(data)
    return data


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("codes"),
        lambda d: d.update(codes="x"),
        lambda d: d.update(codes=[1]),
        lambda d: d.update(missing="whatever"),
        lambda d: d.update(dtype="object"),
        lambda d: d.update(mean=[]),
        lambda d: d["mean"].__setitem__(0, None),
        lambda d: d["scale"].__setitem__(0, "1"),
        lambda d: d["codes"].append(d["codes"][0]),
        lambda d: d["codes"][0].update(kind="eval"),
        lambda d: d["codes"][0].update(fill=None),
        lambda d: d["codes"][0].update(rare=-1),
        lambda d: d["codes"][2].update(levels=["a"]),
        lambda d: d["codes"][3].update(levels=["a", "a", "b"]),
        lambda d: d["codes"][0]["form"].update(decimal="x"),
        lambda d: d.update(positions=[1, 2]),
    ],
)
def test_damaged_encoders_are_refused(change):
    with pytest.raises(FileFormatError):
        Encoder.from_dict(broken(change))


@pytest.mark.parametrize("data", [None, [], "x", {}, 3])
def test_what_is_no_encoder_is_refused(data):
    with pytest.raises(FileFormatError):
        Encoder.from_dict(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("dose", "sex"), "lacks 2 of 6 columns.*'dose', 'sex'"),
        (lambda f: f.rename({"dose": "Dose"}), "is 'dose' called 'Dose' here"),
        (lambda f: f.with_columns(dose=pl.lit("high")), "column 'dose' holds 'high' where numbers were in training"),
        (lambda f: f.with_columns(dose=pl.lit(np.inf)), "'dose' is infinite in row 1"),
        (lambda f: np.zeros((3, 6)), "named columns, got a plain array"),
        (lambda f: 5, "can't read a table from int"),
    ],
)
def test_tables_that_do_not_fit_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        ENCODER.transform(change(FRAME))


def test_policies_that_allow_nothing_missing():
    for policy in ("drop", "error"):
        with pytest.raises(InputError, match="missing in"):
            Encoder.fit(DATA, missing=policy)
        strict = Encoder.fit(DATA.complete_rows(), missing=policy)
        if policy == "error":
            with pytest.raises(InputError, match="'dose' is missing in"):
                strict.transform(FRAME)
        else:
            assert np.isfinite(strict.transform(FRAME).matrix).all()
    with pytest.raises(InputError, match="expected one of"):
        Encoder.fit(DATA, missing="guess")


def test_rare_missing_cells_get_no_feature():
    frame = table(200).with_columns(dose=pl.Series([None, None, *RNG.standard_normal(198)]))
    names = Encoder.fit(make_dataset(frame, "y")).feature_names
    assert "dose" in names
    assert "dose (missing)" not in names


def test_sparse_dense_and_frame_agree():
    X = sparse.random_array((N, 6), density=0.3, rng=RNG, format="csr")
    X.data[:20] = np.nan
    dense = X.toarray()
    frame = pl.DataFrame(dense, schema=[f"x{j}" for j in range(6)])
    y = DATA.y
    train = np.arange(0, N, 2)
    expected = Encoder.fit(make_dataset(dense, y)).transform(dense)
    assert len(expected.gaps) > 1
    for source in (X, X.tocsc(), X.tocoo(), frame):
        design = Encoder.fit(make_dataset(source, y)).transform(source)
        assert design.feature_names == expected.feature_names
        assert design.is_sparse == (source is not frame)
        for a, b in (
            (design.matrix, expected.matrix),
            (design.for_rows(train), expected.for_rows(train)),
            (design.take(train).for_rows(np.arange(9)), expected.take(train).for_rows(np.arange(9))),
        ):
            assert np.allclose(a.toarray() if sparse.issparse(a) else a, b)


def test_mostly_empty_tables_become_sparse(monkeypatch):
    frame = pl.DataFrame({"g": RNG.choice([f"g{i}" for i in range(30)], N), "h": RNG.choice(list("abcdefghijk"), N)})
    encoder = Encoder.fit(make_dataset(frame.with_columns(y=DATA.y), "y"))
    dense = encoder.transform(frame)
    monkeypatch.setattr("bridle.design.encoder.SPARSE_CELLS", 1000)
    thin = encoder.transform(frame)
    assert thin.is_sparse
    assert not dense.is_sparse
    assert np.array_equal(thin.matrix.toarray(), dense.matrix)


def test_float32():
    design = Encoder.fit(DATA, dtype="float32").transform(DATA)
    assert design.matrix.dtype == np.float32
    assert np.allclose(design.matrix, ENCODER.transform(DATA).matrix, rtol=1e-6)


def test_take_follows_repeated_rows():
    design = ENCODER.transform(DATA)
    rows = RNG.integers(0, N, 2 * N)
    taken = design.take(rows)
    assert np.isfortran(taken.matrix)
    assert np.array_equal(taken.matrix, design.matrix[rows])
    j = design.feature_names.index("dose")
    gone = FRAME["dose"].is_null().to_numpy()
    (gaps,) = [g for k, g in taken.gaps if k == j]
    assert np.array_equal(gaps, np.flatnonzero(gone[rows]))
    train = np.arange(N)
    known = ~gone[rows[train]]
    expected = design.matrix[rows[train], j][known].mean()
    assert taken.for_rows(train)[gaps[0], j] == pytest.approx(expected)


def test_rows_argument_is_take():
    rows = RNG.permutation(N)[:100]
    a = Encoder.fit(DATA, rows=rows)
    assert a == Encoder.fit(DATA.take(rows))
    assert np.array_equal(a.transform(DATA, rows=rows).matrix, a.transform(DATA.take(rows)).matrix)


def test_a_fold_without_a_known_cell_keeps_the_encoders_value():
    frame = pl.DataFrame({"x": [None] * 30 + list(RNG.standard_normal(30)), "y": RNG.standard_normal(60)})
    design = Encoder.fit(make_dataset(frame, "y")).transform(frame)
    assert design.for_rows(np.arange(20))[0, 0] == pytest.approx(frame["x"].mean())


def test_two_features_of_one_name_are_refused():
    frame = pl.DataFrame({"a": RNG.choice(["u", "v", "w"], N), "a = v": RNG.standard_normal(N), "y": DATA.y})
    with pytest.raises(InputError, match="two features would be called 'a = v'"):
        Encoder.fit(make_dataset(frame, "y"))
