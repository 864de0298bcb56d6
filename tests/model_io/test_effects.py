"""Effects of terms as wholes: against predictions, the same for any coding, and shown in report and explanation."""

import numpy as np
import polars as pl
import pytest

import bridle
from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.model_io import Model

N = 200
RNG = np.random.default_rng(8)


def column(values, p=None, gaps=0.1, dtype=pl.String):
    cells = [None if RNG.random() < gaps else v for v in RNG.choice(values, N, p=p)]
    return pl.Series(cells, dtype=dtype)


FRAME = pl.DataFrame(
    {
        "age": [None if RNG.random() < 0.1 else float(v) for v in RNG.uniform(20, 80, N)],
        "sex": column(["f", "m"]),
        "site": column(["north", "east", "west"], [0.5, 0.3, 0.2]),
        "stage": column(["I", "II", "III", "IV"], dtype=pl.Enum(["I", "II", "III", "IV"])),
        "y": RNG.standard_normal(N),
    }
)


def model(formula=None, frame=FRAME, missing="indicator", zeros=()):
    data = make_dataset(frame, None if formula else "y", formula=formula)
    encoder = Encoder.fit(data, missing=missing)
    coef = np.random.default_rng(1).standard_normal(len(encoder.feature_names))
    coef[[encoder.feature_names.index(name) for name in zeros]] = 0.0
    X = encoder.transform(data).matrix
    return Model(encoder, "gaussian", "y", (), 0.5, coef, X.mean(axis=0))


@pytest.mark.parametrize("formula", [None, "y ~ age + sex + site + stage", "y ~ bs(age, 4) + sex + site + stage"])
def test_a_levels_effect_is_what_it_changes_against_the_mean(formula):
    fitted = model(formula)
    effects = {e.columns[0]: e for e in fitted.effects}
    assert {e.kind for e in effects.values()} == {
        "category",
        "ordered",
        "curve" if formula and "bs" in formula else "number",
    }
    base = fitted.linear_predictor(FRAME)
    for name in ("sex", "site", "stage"):
        levels = effects[name].levels
        assert [e.level for e in levels][-1] == "(missing)"
        for it in levels:
            value = None if it.level == "(missing)" else it.level
            changed = FRAME.with_columns(pl.lit(value).cast(FRAME.schema[name]).alias(name))
            assert fitted.linear_predictor(changed).mean() - base.mean() == pytest.approx(it.effect, abs=1e-9)
            assert it.share == pytest.approx((FRAME[name].fill_null("(missing)") if name != "stage" else
                FRAME[name].cast(pl.String).fill_null("(missing)")).eq(it.level).mean())  # fmt: skip
        assert sum(e.effect * e.share for e in levels) == pytest.approx(0.0, abs=1e-9)


def test_effects_are_the_contributions_of_explanations():
    fitted = model()
    row = FRAME[3]
    parts = {c.name: c.contribution for c in fitted.explain(row).columns}
    for effect in fitted.effects:
        for it in effect.levels:
            if it.level == row[effect.columns[0]][0]:
                assert parts[effect.columns[0]] == pytest.approx(it.effect)


def test_equal_neighbours_are_said_to_be_one():
    (stage,) = [e for e in model(zeros=("stage >= II", "stage >= IV")).effects if e.name == "stage"]
    assert stage.fused == (("I", "II"), ("III", "IV"))
    assert stage.words.endswith("; one and the same: I = II; III = IV")
    assert stage.levels[0].effect == stage.levels[1].effect
    (all_apart,) = [e for e in model().effects if e.name == "stage"]
    assert all_apart.fused == () and "one and the same" not in all_apart.words


def test_a_spline_is_told_at_its_knots():
    fitted = model("y ~ bs(age, 5)")
    (curve,) = fitted.effects
    assert curve.kind == "curve" and len(curve.levels) == 5
    known = FRAME["age"].drop_nulls()
    assert curve.levels[0].level == f"age = {float(f'{known.min():.3g}'):g}"
    at = [float(known.min()), *np.quantile(known, [1 / 3, 2 / 3]), float(known.max()), None]
    base = fitted.linear_predictor(FRAME).mean()
    told = [it.effect for it in curve.levels]
    assert fitted.linear_predictor({"age": at}) - base == pytest.approx(told)


def test_a_product_is_one_term():
    fitted = model("y ~ age*sex")
    product = fitted.effects[-1]
    assert (product.name, product.kind, product.n_features) == ("age:sex", "product", 2)
    explained = fitted.explain(FRAME.drop_nulls()[0])
    (part,) = [c for c in explained.columns if c.name == "age:sex"]
    x = fitted.encoder.transform(FRAME.drop_nulls()[0]).matrix[0]
    at = [j for j, g in enumerate(fitted.encoder.groups) if g == "age:sex"]
    assert part.contribution == pytest.approx(float((x - fitted.reference)[at] @ fitted.coef[at]))
    age, sex = FRAME.drop_nulls()[0]["age"][0], FRAME.drop_nulls()[0]["sex"][0]
    assert part.sentence.startswith(f"age = {age:,.6g} and sex = {sex} together ")
    assert sum(c.contribution for c in explained.columns) == pytest.approx(explained.link - explained.baseline_link)


def test_renaming_levels_renames_effects_and_nothing_else():
    shown = []
    for names in (["north", "east", "west"], ["c", "b", "a"]):
        site = FRAME["site"].replace_strict(dict(zip(["north", "east", "west"], names, strict=True)))
        frame = FRAME.with_columns(site=site, y=(FRAME["site"].fill_null("") == "east").cast(float) + FRAME["y"])
        data = make_dataset(frame.select("site", "y"), "y")
        encoder = Encoder.fit(data)
        X = encoder.transform(data).matrix
        path = bridle.fit_path(X, data.y, lambdas=[0.05], l1_ratio=0.0, tol=1e-12)
        fitted = Model(encoder, "gaussian", "y", (), path.intercept[0], path.coef_row(0), X.mean(axis=0))
        effects = {e.level: e.effect for e in fitted.effects[0].levels}
        shown.append([effects[n] for n in (*names, "(missing)")])
    assert shown[0] == pytest.approx(shown[1], abs=1e-7)


def test_report_and_study_tell_of_terms(tmp_path):
    found = bridle.study(
        FRAME.with_columns(y=pl.col("y") + 2.0 * pl.col("stage").to_physical().fill_null(0) / 3), "y",
        interactions="age:sex", models=["ridge"], challengers=False, bootstrap=0, repeats=1, folds=3,
        learning_curve=False, n_jobs=1,
    )  # fmt: skip
    terms = found.result.model("ridge").terms
    assert terms[0].name == "stage" and terms == tuple(sorted(terms, key=lambda t: -t.size))
    assert {t.name for t in terms} == {"age", "sex", "site", "stage", "age:sex"}
    by_name = {e.name: e for e in found.models["ridge"].effects}
    for t in terms:
        assert [e.level for e in t.levels] == [e.level for e in by_name[t.name].levels]
        assert [e.effect for e in t.levels] == pytest.approx([e.effect for e in by_name[t.name].levels])
    found.save(tmp_path / "out")
    assert bridle.job.Study.load(tmp_path / "out").model("ridge").terms == terms
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Categories, curves and products as wholes" in page
    assert "age and sex together: their effects depend on each other" in page
