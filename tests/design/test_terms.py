"""Terms of formulas and interactions: against formulaic, without leaks, and the same whatever names and units are."""

import json
import re

import numpy as np
import polars as pl
import pytest
from formulaic import model_matrix
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import bridle
from bridle.data import make_dataset
from bridle.data.structure import parse_expression
from bridle.design import Encoder, terms
from bridle.design.expressions import evaluate, learn_expression
from bridle.errors import FileFormatError, InputError
from bridle.path import fit_path

N = 240


def table(seed=0, n=N, missing=0.0):
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "age": rng.uniform(20, 80, n),
            "dose": rng.gamma(2.0, size=n),
            "sex": rng.choice(["f", "m"], n),
            "site": rng.choice(["north", "east", "west"], n),
            "stage": pl.Series(rng.choice(["I", "II", "III"], n), dtype=pl.Enum(["I", "II", "III"])),
        }
    )
    effect = np.sin(frame["age"] / 12) + frame["dose"] * (frame["sex"] == "m") + 0.3 * (frame["site"] == "east")
    frame = frame.with_columns(y=effect + 0.3 * rng.standard_normal(n))
    gone = pl.Series(rng.random(n) < missing)
    return frame.with_columns(pl.when(~gone).then(pl.col("dose")).alias("dose"))


FRAME = table()


def encoded(frame=FRAME, rows=None, **structure):
    data = make_dataset(frame, None if "formula" in structure else "y", **structure)
    encoder = Encoder.fit(data, rows=rows)
    return encoder, encoder.transform(data)


@pytest.mark.parametrize(
    "right",
    [
        "bs(age, 5) + poly(dose, 3) + site",
        "scale(age) + center(dose) + np.log(dose) + {dose**2}",
        "sex:dose + site:sex + age:dose + bs(np.sqrt(age), df=4, degree=2)",
        "site:bs(age, knots=[30, 50.5]) + np.sqrt(np.abs(dose - 1))",
        "bs(dose, 3):sex + stage + np.exp(dose)",
    ],
)
def test_features_are_those_of_formulaic(right):
    frame = FRAME.with_columns(pl.col("stage").cast(pl.String))  # which formulaic doesn't take as ordered either
    encoder, design = encoded(frame, formula=f"y ~ {right}")
    plain = model_matrix(right, frame.to_pandas(), ensure_full_rank=False)
    theirs = {" : ".join(re.sub(r"\[T?\.?([a-zI]+)\]", r" = \1", p) for p in c.split(":")): plain[c] for c in plain}
    del theirs["Intercept"]
    ours = dict(zip(design.feature_names, design.matrix.T, strict=True))
    assert set(ours) == set(theirs)
    for name, x in ours.items():
        assert np.allclose(x, theirs[name], rtol=1e-10, atol=1e-12), name
    assert np.allclose(encoder.mean, design.matrix.mean(axis=0))
    assert np.allclose(encoder.scale, design.matrix.std(axis=0))


def test_terms_are_groups_and_know_their_columns():
    encoder, design = encoded(table(missing=0.1), formula="y ~ bs(age, 4) + dose*sex + site")
    found = list(zip(design.feature_names, design.groups, design.source, design.indicator, strict=True))
    assert found[3] == ("bs(age, 4)[4]", "bs(age, 4)", "age", False)
    assert found[4:6] == [("dose", "dose", "dose", False), ("dose (missing)", "dose", "dose", True)]
    assert found[6] == ("sex = m", "sex", "sex", True)
    assert found[-2:] == [
        ("dose : sex = f", "dose:sex", "dose:sex", False), ("dose : sex = m", "dose:sex", "dose:sex", False),
    ]  # fmt: skip
    assert encoder.groups == design.groups and encoder.columns == ("age", "dose", "sex", "site")
    assert encoder.units[3] == "per year" and encoder.units[6] == "when m"


def test_a_table_becomes_a_matrix_in_one_call():
    formula = "y ~ bs(age, 4) + sex:dose + site"
    design, y = bridle.design_matrix(table(missing=0.1), formula=formula, rows=np.arange(100))
    encoder, expected = encoded(table(missing=0.1), rows=np.arange(100), formula=formula)
    assert np.array_equal(design.matrix, expected.matrix) and design.groups == encoder.groups
    assert np.array_equal(y, FRAME["y"].to_numpy())
    dropped, fewer = bridle.design_matrix(table(missing=0.1), "y", missing="drop")
    assert dropped.shape[0] == fewer.size < N


def test_interactions_multiply_what_is_centred_in_training():
    train = np.arange(0, N, 2)
    _, design = encoded(rows=train, interactions=["age:dose", "sex:*", "stage:site"])
    x = {name: design.matrix[:, j] for j, name in enumerate(design.feature_names)}
    age, dose, male, west = x["age"], x["dose"], x["sex = m"], x["site = west"]
    centred = {k: v - v[train].mean() for k, v in (("age", age), ("dose", dose), ("sex", male))}
    assert np.allclose(x["age : dose"], centred["age"] * centred["dose"])
    assert np.allclose(x["dose : sex = m"], centred["dose"] * centred["sex"])
    assert np.allclose(x["sex = m : site = west"], centred["sex"] * west)
    step = x["stage >= III"]
    assert np.allclose(x["site = west : stage >= III"], west * (step - step[train].mean()))
    assert len(x) == 2 + 1 + 3 + 2 + 1 + (1 + 1 + 3 + 2) + 6


def test_nothing_is_learned_from_other_rows():
    train, rest = np.arange(150), np.arange(150, N)
    rng = np.random.default_rng(1)
    noise = {c: np.where(np.isin(np.arange(N), rest), 1e3 * rng.random(N), 0.0) for c in ("age", "dose")}
    other = FRAME.with_columns((pl.col(c) + pl.Series(noise[c])).alias(c) for c in noise)
    for asked in ({"formula": "y ~ bs(age, 6) + poly(dose, 2):sex + scale(age)"}, {"interactions": "all"}):
        assert encoded(rows=train, **asked)[0] == encoded(other, rows=train, **asked)[0]


def test_a_studys_model_does_not_depend_on_its_held_out_rows():
    options = {
        "formula": "y ~ bs(age, 5) + sex:dose", "models": ["ridge"], "challengers": False, "bootstrap": 0, "repeats": 1,
        "folds": 3, "learning_curve": False, "n_jobs": 1,
    }  # fmt: skip
    first = bridle.study(FRAME, **options)
    rows = first.predictions["row"].to_numpy()
    age = FRAME["age"].to_numpy().copy()
    age[rows] = 1000.0 + age[rows]
    second = bridle.study(FRAME.with_columns(age=age), **options)
    assert np.array_equal(second.predictions["row"].to_numpy(), rows)
    assert second.best.encoder == first.best.encoder
    assert np.array_equal(second.best.coef, first.best.coef)


def test_imputed_cells_are_multiplied_anew_in_every_fold():
    frame = table(seed=2, missing=0.2)
    gone, train = frame["dose"].is_null().to_numpy(), np.arange(80)
    for structure in ({"formula": "y ~ bs(dose, 4) + sex:dose + age"}, {"interactions": "dose:*"}):
        encoder, design = encoded(frame, **structure)
        mean = frame["dose"].to_numpy()[train][~gone[train]].mean()
        by_hand = encoder.transform(frame.with_columns(pl.col("dose").fill_null(mean))).matrix.copy()
        flags = [j for j, name in enumerate(design.feature_names) if name.endswith("(missing)")]
        assert len(flags) == 1
        by_hand[:, flags] = gone[:, None]
        assert np.allclose(design.for_rows(train), by_hand)
        assert not np.allclose(design.for_rows(train), design.matrix)
        some = np.arange(40, N)
        assert np.allclose(design.take(some).for_rows(np.arange(40)), design.for_rows(np.arange(40, 80))[some])
        assert design.filled().for_rows(train) is design.matrix


def test_knots_come_from_known_cells_only():
    frame = table(seed=2, missing=0.3)
    encoder, _ = encoded(frame, formula="y ~ bs(dose, 6)")
    known = frame["dose"].drop_nulls().to_numpy()
    assert encoder.terms[0].factors[0].node.state[4:-4] == pytest.approx(np.quantile(known, [0.25, 0.5, 0.75]))


def test_beyond_the_boundary_knots():
    x = np.array([-1.0, 0.0, 0.3, 1.0, 2.0])
    held = {}
    for outside in ("clip", "extend", "zero"):
        text = f"bs(x, 4, lower_bound=0, upper_bound=1, extrapolation='{outside}')"
        column = np.linspace(0, 1, 11)
        node = learn_expression(text, parse_expression(text), lambda _, c=column: c, np.ones(11))
        held[outside] = evaluate(node, lambda _: x)
    assert np.array_equal(held["clip"][[0, 4]], held["clip"][[1, 3]])
    assert np.array_equal(held["zero"][[0, 4]], np.zeros((2, 4)))
    assert all(np.array_equal(v[1:4], held["clip"][1:4]) for v in held.values())
    same = "bs(x, knots=[0.5], lower_bound=0, upper_bound=1, extrapolation='extend')"  # the median of the column
    assert np.allclose(held["extend"], np.asarray(model_matrix(same, pl.DataFrame({"x": x}).to_pandas()))[:, 1:])


def test_raw_powers():
    design = encoded(formula="y ~ poly(dose, 3, raw=True)")[1]
    assert np.allclose(design.matrix, FRAME["dose"].to_numpy()[:, None] ** [1, 2, 3])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 500), st.permutations(["a", "b", "c"]), st.booleans(), st.sampled_from([0.0, 0.5, 1.0]))
def test_names_and_order_of_levels_and_units_change_no_prediction(seed, letters, swap, l1_ratio):
    frame = table(seed=seed, n=60)
    other = frame.with_columns(
        pl.col("site").replace_strict(dict(zip(["north", "east", "west"], letters, strict=True))),
        pl.col("sex").replace_strict({"f": "x", "m": "w"} if swap else {"f": "v", "m": "w"}),
        pl.col("age") * 12 + 5,
    )
    for structure in ({"interactions": "all"}, {"formula": "y ~ bs(age, 4) + site:sex + sex:dose + stage"}):
        fits = []
        for version in (frame, other):
            X = encoded(version, **structure)[1].matrix
            path = fit_path(X, version["y"].to_numpy(), lambdas=[0.1, 0.03], l1_ratio=l1_ratio, tol=1e-11)
            fits.append(path.linear_predictor(X))
        assert np.allclose(*fits, atol=1e-5)


def test_weights_count_as_repeated_rows():
    w = np.random.default_rng(3).integers(0, 4, N)
    formula = "y ~ poly(dose, 3) + scale(age):sex + center(age)"
    weighted = Encoder.fit(make_dataset(FRAME, None, formula=formula, weights=w.astype(float)))
    repeated = Encoder.fit(make_dataset(FRAME[np.repeat(np.arange(N), w)], None, formula=formula))
    a, b = (e.transform(FRAME).matrix for e in (weighted, repeated))
    ratio = a.std(axis=0) / b.std(axis=0)  # poly and scale have a unit of their own, which no fit knows
    assert np.allclose(a - a.mean(axis=0), (b - b.mean(axis=0)) * ratio)
    pairs = [
        Encoder.fit(make_dataset(frame, "y", interactions="all", **given))
        for frame, given in ((FRAME, {"weights": w.astype(float)}), (FRAME[np.repeat(np.arange(N), w)], {}))
    ]
    assert pairs[0].mean == pytest.approx(pairs[1].mean)
    assert np.allclose(*(e.transform(FRAME).matrix for e in pairs))


def test_sparse_and_dense_features_agree(monkeypatch):
    rng = np.random.default_rng(0)
    wide = table(n=400).with_columns(pl.Series("code", rng.choice([f"c{k}" for k in range(12)], 400)), age=None)
    wide = wide.select("code", "site", "sex", "y").with_columns(pl.Series("zip", rng.choice(list("uvwxyz"), 400)))
    asked = {"formula": "y ~ code:zip + code:site + code"}
    encoder, dense = encoded(wide, **asked)
    monkeypatch.setattr(terms, "SPARSE_CELLS", 1)
    thin = encoder.transform(wide)
    assert sparse.issparse(thin.matrix) and isinstance(dense.matrix, np.ndarray)
    assert np.array_equal(thin.matrix.toarray(), dense.matrix)
    assert np.allclose(encoder.mean, dense.matrix.mean(axis=0))


def test_empty_cells_of_a_table_are_no_features():
    frame = FRAME.filter(~((pl.col("site") == "west") & (pl.col("sex") == "m")))
    encoder, _ = encoded(frame, formula="y ~ site:sex")
    assert "site = west : sex = m" not in encoder.feature_names and len(encoder.feature_names) == 5
    assert encoder.transform({"site": ["west"], "sex": ["m"]}).matrix.tolist() == [[0.0] * 5]


@pytest.mark.parametrize("structure", [{"formula": "y ~ bs(age, 5) + sex:dose + site"}, {"interactions": "all"}])
def test_a_model_file_needs_neither_pickle_nor_formulaic(structure, tmp_path, monkeypatch):
    frame = table(seed=4, missing=0.1)
    found = bridle.study(
        frame, **structure, target=None if "formula" in structure else "y", models=["lasso"], challengers=False,
        bootstrap=0, repeats=1, folds=3, learning_curve=False, n_jobs=1, missing="mean",
    )  # fmt: skip
    found.best.save(tmp_path / "m.bridle")
    monkeypatch.setitem(__import__("sys").modules, "formulaic", None)
    again = bridle.load(tmp_path / "m.bridle")
    new = table(seed=9, missing=0.1)
    assert again.encoder == found.best.encoder
    assert np.array_equal(again.predict(new), found.best.predict(new))
    used = again.encoder.transform(new).matrix @ again.coef + again.intercept
    assert np.allclose(again.predict(new), used)


def test_only_the_columns_of_terms_that_count_are_asked_for():
    encoder, _ = encoded(formula="y ~ bs(age, 4) + sex:dose + site")
    used = np.array([group == "sex:dose" for group in encoder.groups])
    part, kept = encoder.subset(used)
    assert part.columns == ("dose", "sex") and np.array_equal(kept, np.flatnonzero(used))
    assert np.array_equal(part.transform(FRAME).matrix, encoder.transform(FRAME).matrix[:, kept])


def test_too_many_products_are_refused_before_they_are_made():
    rng = np.random.default_rng(0)
    frame = {f"g{i}": rng.choice([f"level{k}" for k in range(60)], 2000) for i in range(4)}
    with pytest.raises(InputError, match=r"would make 21,8\d\d features, more than the 10,000 allowed; the widest"):
        Encoder.fit(make_dataset({**frame, "y": rng.standard_normal(2000)}, "y", interactions="all"))


EXPRESSIONS = {
    "eval(age)": "the function 'eval' isn't known; known are",
    "os.system(age)": "the function 'os.system' isn't known",
    "I(age.__class__)": "isn't understood",
    "I(age > 50)": "isn't understood",
    "np.log(age, 2)": "log() takes 1 values at most",
    "bs(age, df=2)": "df must be a whole number from 3 to",
    "bs(age, wiggles=3)": "has no option 'wiggles'",
    "bs(age, 5, knots=[30])": "both df and knots are given",
    "bs(age, knots=[900])": "the knot 900 lies outside",
    "bs(age, df=dose)": "df=dose must be a plain value",
    "bs(age, 4, extrapolation='raise')": "expected one of clip, extend, zero",
    "bs(sex, 4)": "calculates with 'sex', which holds categories",
    "poly(age, 0)": "degree must be a whole number from 1",
    "np.log(age - 1000)": "is no finite number in 240 of 240 rows",
    "bs(np.log(age - 50), 4)": "is infinite or undefined",
    "I(poly(age, 2) * dose)": "has 2 columns; multiply terms by ':' instead",
    "scale(dose, False)": "scale() takes 1 values at most",
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_that_are_refused(expression):
    with pytest.raises(InputError, match=re.escape(EXPRESSIONS[expression])):
        encoded(formula=f"y ~ {expression}")


def test_a_new_row_on_which_an_expression_is_not_defined():
    encoder, _ = encoded(formula="y ~ np.log(dose)")
    with pytest.raises(
        InputError, match=r"np.log\(dose\) of the formula is no finite number in 1 of 2 rows, first in row 2"
    ):
        encoder.transform({"dose": [1.0, -1.0]})


def damage(data, how):
    spline, product = data["terms"][0], data["terms"][1]
    node = spline["factors"][0]["node"]
    changes = {
        "operation": lambda: node.update(op="eval"),
        "argument": lambda: node["args"][0].update(name="sex"),
        "knots": node["state"].reverse,
        "degree": lambda: node.update(degree=25),
        "column": lambda: product["factors"][0].update(label="income"),
        "both": lambda: product["factors"][1].update(both=True),
        "kept": lambda: product.update(kept=[0, 5000]),
        "centres": lambda: product["factors"][0].update(centers=[1.0, 2.0, 3.0]),
        "flags": lambda: product.update(flags=["age"]),
        "factors": lambda: product.update(factors=product["factors"] * 20),
        "deep": lambda: node["args"][0].update(op="neg", name="", args=[json.loads(json.dumps(node))]),
    }
    changes[how]()


@pytest.mark.parametrize(
    "how",
    ["operation", "argument", "knots", "degree", "column", "both", "kept", "centres", "flags", "factors", "deep"],
)
def test_damaged_terms_in_a_file_are_refused(how):
    encoder, _ = encoded(formula="y ~ bs(age, 5) + sex:dose")
    data = json.loads(json.dumps(encoder.to_dict()))
    assert Encoder.from_dict(data) == encoder
    damage(data, how)
    with pytest.raises(FileFormatError):
        Encoder.from_dict(data)
