"""Saved models of several classes, ordered classes and responses: predictions, explanations, and hostile files."""

import dataclasses

import numpy as np
import pytest
from scipy.special import expit, softmax

import bridle
from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.errors import FileFormatError, InputError
from bridle.model_io import Meta, SeveralModel
from bridle.model_io.container import read_container, write_container

SHAPES = {"multinomial": (3, 3), "ordinal": (2, 1), "multigaussian": (3, 3)}


@pytest.fixture
def make(table):
    """Give a model of a family with random coefficients; the column ``noise`` has none."""

    def made(family="multinomial", *, offset=False):
        rng = np.random.default_rng(1)
        data = make_dataset(
            table, "cost", family="gaussian", exclude=["sick", "visits"] + ([] if offset else ["exposure"]),
            offset="exposure" if offset else None,
        )  # fmt: skip
        encoder = Encoder.fit(data, missing="indicator")
        p, (m, width) = len(encoder.feature_names), SHAPES[family]
        coef = rng.normal(size=(p, width)) / np.array(encoder.scale)[:, None]
        coef[list(encoder.source_columns).index("noise")] = 0.0
        return SeveralModel(
            encoder=encoder, family=family, target="y", outputs=("a", "b", "c"),
            intercept=np.sort(rng.normal(size=m))[::-1], coef=coef if width > 1 else coef[:, 0],
            reference=np.array(encoder.mean), offset="exposure" if offset else "", meta=Meta(name="lasso"),
        )  # fmt: skip

    return made


@pytest.mark.parametrize("family", SHAPES)
def test_predictions_are_the_formula_and_survive_the_file(make, table, tmp_path, family):
    model = make(family)
    X = model.encoder.transform(table).matrix
    eta = np.asarray(X @ model.coef).reshape(len(table), -1) + model.intercept
    if family == "ordinal":
        over = expit(eta)
        expected = np.column_stack([1 - over[:, 0], over[:, 0] - over[:, 1], over[:, 1]])
    else:
        expected = softmax(eta, axis=1) if family == "multinomial" else eta
    np.testing.assert_allclose(model.predict_mean(table), expected, atol=1e-12)
    model.save(tmp_path / "m.bridle")
    kept = bridle.load(tmp_path / "m.bridle")
    np.testing.assert_array_equal(kept.predict_mean(table), model.predict_mean(table))
    kept.save(tmp_path / "again.bridle")
    assert (tmp_path / "again.bridle").read_bytes() == (tmp_path / "m.bridle").read_bytes()
    frame = kept.predict_frame(table)
    if family == "multigaussian":
        assert frame.columns == ["prediction_a", "prediction_b", "prediction_c"]
        with pytest.raises(InputError, match="no class probabilities"):
            kept.predict_proba(table)
    else:
        assert frame.columns == ["prediction", "probability_a", "probability_b", "probability_c"]
        assert frame["prediction"].to_list() == kept.predict(table).tolist()
        np.testing.assert_allclose(frame.drop("prediction").to_numpy(), kept.predict_proba(table))
    assert "noise" not in kept.columns
    with pytest.raises(InputError, match="Monte-Carlo dropout"):
        kept.predict_frame(table, std=True)


@pytest.mark.parametrize(
    ("family", "offset"),
    [("multinomial", False), ("ordinal", False), ("ordinal", True), ("multigaussian", False), ("multigaussian", True)],
)
@pytest.mark.parametrize("reference", ["mean", 3])
def test_contributions_add_up_to_the_prediction(make, table, family, reference, offset):
    model = make(family, offset=offset)
    other = "mean" if reference == "mean" else table[reference : reference + 1]
    found = model.explain(table[7:8], other)
    total = np.sum([c.contributions for c in found.columns], axis=0)
    np.testing.assert_allclose(np.array(found.baseline_link) + total, found.link, atol=1e-9)
    np.testing.assert_allclose(found.prediction, model.predict_mean(table[7:8])[0], atol=1e-12)
    if reference != "mean":
        np.testing.assert_allclose(found.baseline, model.predict_mean(other)[0], atol=1e-12)
    if family == "multinomial":
        np.testing.assert_allclose(total.sum(), 0.0, atol=1e-9)
        np.testing.assert_allclose(softmax(found.link), found.prediction, atol=1e-12)
    if family == "ordinal":
        assert found.predictors == ("a higher level",)
        assert expit(found.link[0]) == pytest.approx(1 - found.prediction[0])
    said = str(found)
    assert ("expected a is" if family == "multigaussian" else "y is most likely") in said
    assert len(found.reasons) >= 3 and found.reasons[0] in said


def test_adding_the_same_to_all_classes_explains_nothing(make, table):
    model = make()
    other = dataclasses.replace(model, coef=model.coef + 3.0, intercept=model.intercept - 1.0)
    one, two = (m.explain(table[5:6]) for m in (model, other))
    by_name = {c.name: c.contributions for c in two.columns}
    for c in one.columns:
        np.testing.assert_allclose(by_name[c.name], c.contributions, atol=1e-9)


CHANGES = {
    "two classes of three": lambda m, a: m["model"].update(outputs=["a", "b"]),
    "a class twice": lambda m, a: m["model"].update(outputs=["a", "b", "a"]),
    "a family of one predictor": lambda m, a: m["model"].update(family="binomial"),
    "too few coefficients": lambda m, a: a.update(coef=a["coef"][:-3]),
    "too many intercepts": lambda m, a: a.update(intercept=np.zeros(7)),
    "no intercepts": lambda m, a: a.pop("intercept"),
    "another array": lambda m, a: a.update(more=np.zeros(2)),
    "kind of one predictor": lambda m, a: m.update(kind="linear"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_files_that_contradict_themselves_are_refused(make, tmp_path, change):
    make().save(tmp_path / "m.bridle")
    manifest, arrays = read_container(tmp_path / "m.bridle")
    arrays = dict(arrays)
    CHANGES[change](manifest, arrays)
    manifest.pop("arrays", None)
    write_container(tmp_path / "bad.bridle", manifest, arrays)
    with pytest.raises(FileFormatError, match="doesn't fit together"):
        bridle.load(tmp_path / "bad.bridle")


def test_thresholds_out_of_order_are_refused(make):
    with pytest.raises(InputError, match="out of order"):
        dataclasses.replace(make("ordinal"), intercept=np.array([0.0, 1.0]))


def test_models_are_frozen(make, table):
    model = make()
    with pytest.raises(InputError, match="offset changes nothing"):
        make("multinomial", offset=True)
    with pytest.raises(ValueError, match="read-only"):
        model.coef[0, 0] = 1.0
    assert "features for 3 classes" in repr(model)
    assert model.predict(table.select(model.columns)[:2]).shape == (2,)
