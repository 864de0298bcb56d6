"""The main job for classes, ordered classes and several responses, from the table to the saved model and the report."""

import json

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.preprocessing import StandardScaler

import bridle
from bridle.errors import InputError
from bridle.frozen import to_json
from bridle.job.saving import load_result
from bridle.report import render
from bridle.several import certify_several

QUICK = {"repeats": 1, "bootstrap": 4, "folds": 4}
LEVELS = ["low", "mid", "high"]


def iris():
    data = load_iris(as_frame=True)
    return pl.from_pandas(data.data).with_columns(species=pl.Series(data.target_names[data.target]))


def ordered(n=200):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4))
    y = np.digitize(X @ [1.5, -1.0, 0.0, 0.0] + rng.logistic(size=n), [-1.0, 1.0])
    return pl.DataFrame({f"x{j}": X[:, j] for j in range(4)} | {"dose": np.array(LEVELS)[y]})


def numbers(n=150):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 5))
    B = np.zeros((5, 2))
    B[0], B[1] = [1.0, 80.0], [0.0, -50.0]
    Y = X @ B + rng.normal(size=(n, 2)) * [0.5, 40.0] + [3.0, 500.0]
    return pl.DataFrame({f"x{j}": X[:, j] for j in range(5)} | {"height": Y[:, 0], "cost": Y[:, 1]})


@pytest.fixture(scope="module")
def of_classes():
    return iris(), bridle.study(iris(), "species", **QUICK)


@pytest.fixture(scope="module")
def of_levels():
    table = ordered()
    return table, bridle.study(
        table, "dose", ordered={"dose": LEVELS}, challengers=False, learning_curve=False, **QUICK
    )


@pytest.fixture(scope="module")
def of_numbers():
    return numbers(), bridle.study(numbers(), ["height", "cost"], challengers=False, **QUICK)


def test_a_table_of_three_classes_simply_works(of_classes):
    _, study = of_classes
    result = study.result
    assert (result.data.family, result.data.classes) == ("multinomial", ("setosa", "versicolor", "virginica"))
    assert [m.name for m in result.models] == ["null", "unregularised", "ridge", "lasso", "elastic net"]
    assert all(m.verdict is not None for m in result.models[1:]) and not any(m.failed for m in result.models)
    assert any("dropout network was left out" in note for note in result.data.notes)
    assert study.verdict.explained.value > 0.8 and study.verdict.learning_curve is not None
    assert {c.alternative for c in study.verdict.comparisons} >= {"boosting", "splines", "pairs", "null"}
    assert result.folds.startswith("4-fold cross-validation, stratified by class")
    null = result.model("null")
    assert null.cv_loss.value == pytest.approx(2 * np.log(3), rel=1e-3)
    best = result.model(result.best)
    assert best.cv_loss.value < 0.2 * null.cv_loss.value and best.holdout_scores["accuracy"].value > 0.8


def test_held_out_scores_are_those_of_the_predictions_file(of_classes):
    _, study = of_classes
    frame, best = study.predictions, study.result.best
    classes = study.result.data.classes
    p = frame.select([f"probability of {c} ({best})" for c in classes]).to_numpy()
    scores = study.result.model(best).holdout_scores
    assert scores["log loss"].value == pytest.approx(log_loss(frame["species"], p, labels=list(classes)))
    assert scores["accuracy"].value == pytest.approx(accuracy_score(frame["species"], frame[f"prediction ({best})"]))
    null = study.result.model("null").holdout_loss.value
    held = study.result.model(best).holdout_loss.value
    assert scores["deviance explained"].value == pytest.approx(1 - held / null)
    assert np.sum(study.result.confusion) == frame.height
    assert np.trace(study.result.confusion) == pytest.approx(scores["accuracy"].value * frame.height)


def training(study, table):
    """Training rows of a study: those that aren't in its predictions."""
    return table.with_row_index().filter(~pl.col("index").is_in(study.predictions["row"].to_list())).drop("index")


def test_the_model_is_scikit_learns_at_its_lambda_and_certified(of_classes, tmp_path):
    table, study = of_classes
    train, model = training(study, table), study.models["ridge"]
    X, lam = train.drop("species").to_numpy(), study.result.model("ridge").value
    model.save(tmp_path / "model.bridle")
    kept = bridle.load(tmp_path / "model.bridle")
    proof = certify_several(
        X, train["species"].to_numpy(), kept.intercept, kept.coef, lam, family="multinomial",
        penalty=bridle.penalties.Penalty(0.0),
    )  # fmt: skip
    assert proof.relative_gap < 1e-6
    scaler = StandardScaler().fit(X)
    other = LogisticRegression(C=1.0 / (len(X) * lam), tol=1e-10, max_iter=10_000).fit(
        scaler.transform(X), train["species"]
    )
    expected = other.predict_proba(scaler.transform(table.drop("species").to_numpy()))
    np.testing.assert_allclose(kept.predict_proba(table), expected, atol=2e-3)
    np.testing.assert_array_equal(kept.predict_proba(table), model.predict_proba(table))
    path = bridle.fit_path(X, train["species"].to_numpy(), family="multinomial", l1_ratio=0.0, lambdas=[lam])
    np.testing.assert_allclose(path.predict(X, lam=lam), kept.predict_proba(train), atol=1e-3)


def test_names_in_the_same_order_and_equal_weights_change_nothing(of_classes):
    table, study = of_classes
    renamed = {"setosa": "a 1", "versicolor": "b", "virginica": "z"}
    other = table.with_columns(pl.col("species").replace(renamed), w=pl.lit(2.0))
    again = bridle.study(other, "species", weights="w", models=["ridge"], challengers=False, **QUICK)
    assert again.result.model("ridge").value == pytest.approx(study.result.model("ridge").value)
    assert again.best.classes == ("a 1", "b", "z")
    ours, theirs = again.best.predict_proba(table), study.models["ridge"].predict_proba(table)
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_a_feature_is_selected_if_any_of_its_effects_is(of_classes):
    _, study = of_classes
    lasso = study.result.model("lasso")
    model = study.models["lasso"]
    assert lasso.n_nonzero == np.count_nonzero((model.coef != 0).any(axis=1)) == len(lasso.coefficients)
    for c in lasso.coefficients:
        j = model.feature_names.index(c.feature)
        np.testing.assert_allclose([v.value for v in c.by_output], model.coef[j])
        assert c.value == pytest.approx(np.linalg.norm(model.coef[j]))
        assert 0 <= c.selection_frequency <= 1 and c.effect.startswith("odds of ")


def test_ordered_classes(of_levels, tmp_path):
    table, study = of_levels
    result, best = study.result, study.result.model(study.result.best)
    assert (result.data.family, result.data.classes) == ("ordinal", tuple(LEVELS))
    assert "3 levels, lowest first" in result.data.target_summary
    assert 0 < best.holdout_scores["mean absolute level error"].value < 1
    (first, *_) = best.coefficients
    assert first.feature == "x0" and first.effect.startswith("odds of a higher level ×") and not first.by_output
    study.best.save(tmp_path / "model.bridle")
    kept = bridle.load(tmp_path / "model.bridle")
    assert kept.coef.shape == (4,) and kept.intercept.shape == (2,)
    np.testing.assert_array_equal(kept.predict_proba(table), study.best.predict_proba(table))
    train = training(study, table)
    scaler = StandardScaler().fit(train.drop("dose").to_numpy())
    fitted = bridle.OrdinalClassifier(C=1.0 / (len(train) * best.value), l1_ratio=best.l1_ratio, tol=1e-8)
    fitted.fit(scaler.transform(train.drop("dose").to_numpy()), [LEVELS.index(v) for v in train["dose"]])
    expected = fitted.predict_proba(scaler.transform(table.drop("dose").to_numpy()))
    np.testing.assert_allclose(kept.predict_proba(table), expected, atol=1e-3)


def test_the_unit_of_a_response_doesnt_matter(of_numbers):
    table, study = of_numbers
    scaled = bridle.study(table.with_columns(pl.col("cost") * 1e-3), ["height", "cost"], challengers=False, **QUICK)
    for one, two in zip(study.result.models, scaled.result.models, strict=True):
        assert two.cv_loss.value == pytest.approx(one.cv_loss.value, rel=1e-6)
        assert two.n_nonzero == one.n_nonzero
    np.testing.assert_allclose(scaled.best.predict(table) * [1.0, 1e3], study.best.predict(table), rtol=1e-5)


def test_several_responses(of_numbers, tmp_path):
    table, study = of_numbers
    result, best = study.result, study.result.model(study.result.best)
    assert (result.data.family, result.data.responses) == ("multigaussian", ("height", "cost"))
    scores = best.holdout_scores
    assert {"R2 of height", "R2 of cost", "RMSE of height", "RMSE of cost"} <= set(scores)
    seen = study.predictions
    cost = seen["cost"].to_numpy()
    error = cost - seen[f"prediction of cost ({result.best})"].to_numpy()
    assert scores["RMSE of cost"].value == pytest.approx(np.sqrt(np.mean(error**2)))
    mean = training(study, table)["cost"].mean()
    assert scores["R2 of cost"].value == pytest.approx(1 - np.sum(error**2) / np.sum((cost - mean) ** 2))
    assert "cost" in best.coefficients[0].effect
    study.best.save(tmp_path / "model.bridle")
    kept = bridle.load(tmp_path / "model.bridle")
    np.testing.assert_array_equal(kept.predict(table), study.best.predict(table))
    assert kept.predict_frame(table).columns == ["prediction_height", "prediction_cost"]


def test_the_group_lasso_takes_features_for_all_classes():
    study = bridle.study(
        iris(), "species", models=["lasso"], penalty="group_lasso", rule="1se", challengers=False,
        learning_curve=False, **QUICK,
    )  # fmt: skip
    coef = study.models["lasso"].coef
    assert study.result.model("lasso").label == "Group lasso" and "‖b_g‖" in study.best.meta.objective
    assert np.all((coef != 0).all(axis=1) | (coef == 0).all(axis=1))
    np.testing.assert_allclose(coef.sum(axis=1), 0.0, atol=1e-9)


def test_relaxed_fits_of_classes():
    study = bridle.study(
        iris(), "species", models=["lasso"], relax=True, challengers=False, learning_curve=False, **QUICK
    )
    assert study.result.model("lasso").label == "Relaxed lasso (L1)"
    np.testing.assert_allclose(study.best.predict_proba(iris()).sum(axis=1), 1.0)


def test_reports_say_what_is_there(of_classes, of_levels, of_numbers, tmp_path):
    for (_, study), words in (
        (of_classes, ["What was taken for what", "virginica against all other classes", "Each column is a class"]),
        (of_levels, ["What was taken for what", "off by more than one level", "odds of a higher level"]),
        (of_numbers, ["Each column is a response", "response by response"]),
    ):
        study.report(tmp_path / "report.html")
        page = (tmp_path / "report.html").read_text()
        assert [w for w in words if w not in page] == []
        folder = tmp_path / study.result.data.family
        study.save(folder)
        again = load_result(folder)
        assert json.dumps(to_json(again)) == json.dumps(to_json(study.result))
        assert render(again) == page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "bic"}, "counts parameters"),
        ({"hierarchy": "strong"}, "there are no interactions"),
        ({"offset": np.ones(150)}, "changes no probability"),
        ({"models": ["dropout"]}, "none of the models could be fitted.*dropout network was left out"),
    ],
)
def test_what_classes_cannot_have(options, message):
    with pytest.raises(InputError, match=message):
        bridle.study(iris(), "species", **QUICK, **options)


def test_rare_classes_lessen_the_folds():
    rng = np.random.default_rng(3)
    y = ["a"] * 60 + ["b"] * 50 + ["c"] * 4
    table = pl.DataFrame({"x": rng.normal(size=114), "z": rng.normal(size=114), "y": y})
    with pytest.warns(UserWarning, match="rows of the rarer class: using 3 folds"):
        study = bridle.study(
            table, "y", models=["ridge"], challengers=False, learning_curve=False, bootstrap=0, repeats=1
        )
    assert study.result.folds.startswith("3-fold")
    assert "few rows: 'c' (4)" in study.result.data.warnings[0]


def test_gaps_in_features(of_classes):
    table, study = of_classes
    row = table[:2].with_columns(pl.Series("petal width (cm)", [None, 0.2]))
    p = study.best.predict_proba(row)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    (note,) = study.best.explain(row[:1]).notes
    assert "petal width (cm) is missing" in note


@pytest.mark.parametrize("role", ["groups", "time", "weights"])
@pytest.mark.parametrize("family", ["multinomial", "ordinal"])
def test_groups_time_and_weights(role, family, tmp_path):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(120, 2))
    table = pl.DataFrame({"x": x[:, 0], "z": x[:, 1], "y": np.digitize(x[:, 0] + 0.3 * x[:, 1], [-0.5, 0.6])})
    given = {"groups": np.arange(120) // 4, "time": np.arange(120), "weights": rng.integers(0, 3, 120)}[role]
    study = bridle.study(
        table, "y", family=family, models=["ridge"], challengers=False, learning_curve=False, **{**QUICK, role: given}
    )
    best = study.result.model("ridge")
    assert best.holdout_scores["accuracy"].value > 0.6 and study.result.data.classes == ("0", "1", "2")
    study.report(tmp_path / "report.html")


@pytest.mark.parametrize("family", ["multinomial", "ordinal"])
def test_two_classes_agree_with_binomial(family):
    table = iris().filter(pl.col("species") != "setosa").drop("petal length (cm)", "petal width (cm)")
    codes = table.with_columns((pl.col("species") == "virginica").cast(pl.Int64))
    options = {**QUICK, "models": ["unregularised"], "bootstrap": 0, "challengers": False, "learning_curve": False}
    two = bridle.study(codes, "species", **options)
    several = bridle.study(codes, "species", family=family, **options)
    np.testing.assert_allclose(several.best.predict_proba(codes), two.best.predict_proba(codes), atol=2e-3)
    ours, theirs = (s.result.model("unregularised") for s in (several, two))
    assert ours.cv_loss.value == pytest.approx(theirs.cv_loss.value, rel=1e-3)
    assert ours.verdict.explained.value == pytest.approx(theirs.verdict.explained.value, abs=2e-3)
    auc = ours.holdout_scores["ROC AUC (one against rest)"].value
    assert auc == pytest.approx(theirs.holdout_scores["ROC AUC"].value)


def test_many_classes_are_folded_away():
    rng = np.random.default_rng(6)
    y = rng.integers(0, 14, 420)
    X = rng.normal(size=(420, 9)) + 0.8 * rng.normal(size=(14, 9))[y]
    table = pl.DataFrame({f"x{j}": X[:, j] for j in range(9)} | {"y": np.array([f"k{c:02}" for c in y])})
    study = bridle.study(
        table, "y", models=["ridge"], challengers=False, learning_curve=False, **{**QUICK, "bootstrap": 0}
    )
    page = render(study.result)
    assert "2 more classes, with smaller effects, are in study.json" in page
    assert page.count("against all other classes: each point") == 14 and "14 classes: " in page
    assert page.count("<details><summary>k") == 10
