"""Groups, MCP and SCAD, and hierarchy through the main job with classes, levels and responses."""

import numpy as np
import polars as pl
import pytest

import bridle
from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.design.hierarchy import LatentDesign, latent_groups
from bridle.losses import get_family
from bridle.path import fit_path

QUICK = {"challengers": False, "bootstrap": 0, "repeats": 1, "folds": 3, "learning_curve": False, "n_jobs": 1}
TARGETS = {
    "multinomial": ("kind", ["y1", "y2", "level"]), "multigaussian": (["y1", "y2"], ["kind", "level"]),
    "ordinal": ("level", ["kind", "y1", "y2"]),
}  # fmt: skip


def table(seed=0, n=260):
    """A category, a number with gaps, a product, and noise; classes, two numbers and levels that depend on them."""
    rng = np.random.default_rng(seed)
    dose, z = rng.standard_normal(n), rng.standard_normal(n)
    site, sex = rng.choice(["north", "east", "west"], n), rng.choice(["f", "m"], n)
    effect = 1.2 * (site == "east") + dose * np.where(sex == "m", 2.0, 0.5)
    score = np.column_stack([1.5 * effect, 2.0 * z, np.zeros(n)]) + rng.gumbel(size=(n, 3))
    gone = rng.random(n) < 0.1
    return pl.DataFrame(
        {
            "dose": [None if lost else float(v) for v, lost in zip(dose, gone, strict=True)],
            "site": site, "sex": sex, "noise": rng.choice(["u", "v", "w"], n), "z": z,
            "kind": np.array(["a", "b", "c"])[np.argmax(score, axis=1)],
            "y1": effect + rng.standard_normal(n), "y2": 100.0 * (z + 0.5 * effect) + 50.0 * rng.standard_normal(n),
            "level": np.digitize(1.5 * effect + 2.0 * z + rng.logistic(size=n), [-1.0, 1.5]),
        }
    )  # fmt: skip


FRAME = table()


def shares(model):
    """Share of each group's coefficients that aren't 0; constant columns count for nothing."""
    varies = np.asarray(model.encoder.scale) > 0.0
    found = {}
    for group, b, there in zip(model.encoder.groups, model.coef, varies, strict=True):
        if there:
            found.setdefault(group, []).extend((np.atleast_1d(b) != 0.0).tolist())
    return {group: float(np.mean(flags)) for group, flags in found.items()}


def study(family, **options):
    target, other = TARGETS[family]
    given = QUICK | {"rule": "1se"} | options
    return bridle.study(FRAME, target, family=family, exclude=other, models=["lasso"], **given)


@pytest.mark.parametrize("family", TARGETS)
@pytest.mark.parametrize("penalty", ["group_lasso", "group_mcp(gamma=12)"])
def test_categories_and_flags_enter_as_wholes_for_all_columns(family, penalty, tmp_path):
    found = study(family, penalty=penalty)
    model, result = found.models["lasso"], found.result.model("lasso")
    parts = shares(model)
    assert set(parts.values()) == {0.0, 1.0}
    assert parts["dose"] == parts["z"] == 1.0 and parts["noise"] == 0.0
    assert "‖b_g‖" in model.meta.objective and "Σ_g" in model.meta.objective
    assert result.certificate.worst_relative_gap <= result.certificate.tolerance
    model.save(tmp_path / "model.bridle")
    np.testing.assert_array_equal(bridle.load(tmp_path / "model.bridle").predict(FRAME), model.predict(FRAME))
    found.report(tmp_path / "report.html")
    assert found.result.model("lasso").label in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("family", TARGETS)
def test_single_coefficients_may_leave_a_group(family):
    parts = shares(study(family, penalty="sparse_group_lasso(l1_share=0.9)").models["lasso"])
    assert any(0.0 < share < 1.0 for share in parts.values())
    parts = shares(study(family, penalty="mcp(gamma=12)", bootstrap=2).models["lasso"])
    assert any(0.0 < share < 1.0 for share in parts.values())


@pytest.mark.parametrize("family", TARGETS)
def test_adaptive_weights(family):
    found = study(family, penalty="adaptive_lasso", bootstrap=2)
    result, model = found.result.model("lasso"), found.models["lasso"]
    assert result.label == "Adaptive lasso" and "of a first fit (ridge)" in model.meta.objective
    assert result.certificate.worst_relative_gap <= result.certificate.tolerance
    assert 0 < result.n_nonzero < result.n_features
    whole = study(family, penalty="adaptive_group_lasso(gamma=2)").models["lasso"]
    assert set(shares(whole).values()) == {0.0, 1.0}


def test_a_study_fits_what_fit_path_fits():
    """The chosen fit, on the study's own encoding, with the groups of its columns."""
    found = study("multinomial", penalty="group_lasso", holdout=0.0)
    model, chosen = found.models["lasso"], found.result.model("lasso").value
    data = make_dataset(FRAME, "kind", exclude=TARGETS["multinomial"][1])
    design = Encoder.fit(data).transform(data)
    path = fit_path(
        design.for_rows(None), data.y, family="multinomial", penalty="group_lasso", groups=design.groups,
        lambdas=[chosen], tol=1e-10,
    )  # fmt: skip
    np.testing.assert_allclose(model.coef, path.coef[0], atol=1e-4)


@pytest.mark.parametrize("family", TARGETS)
@pytest.mark.parametrize("kind", ["strong", "weak"])
def test_products_enter_with_their_main_effects(family, kind):
    pairs = ["dose:sex", "site:noise", "z:noise"]
    parts = shares(study(family, interactions=pairs, hierarchy=kind, rule="min", folds=2).models["lasso"])
    assert parts["dose:sex"] == 1.0
    for product in (group for group, share in parts.items() if ":" in group and share > 0.0):
        mains = [parts[main] for main in product.split(":")]
        assert max(mains) == 1.0 and (min(mains) == 1.0 or kind == "weak")


@pytest.mark.parametrize("family", TARGETS)
def test_the_summed_fit_is_optimal_for_overlapping_groups(family):
    """The referee of test_groups.py with K columns: slopes within each group's ball, and their products add up."""
    target, other = TARGETS[family]
    data = make_dataset(table(3, 120), target, family=family, exclude=other, interactions=["dose:sex", "site:z"])
    encoder = Encoder.fit(data)
    design = encoder.transform(data)
    latent = latent_groups(encoder, "strong")
    copied = LatentDesign(design, latent)
    y = data.y / data.y.std(axis=0) if family == "multigaussian" else data.y
    path = fit_path(
        copied.for_rows(None), y, family=family, penalty="group_lasso", groups=latent.groups, n_lambdas=12,
        lambda_min_ratio=0.05, tol=1e-10,
    )  # fmt: skip
    summed, X = copied.collapse(path), design.for_rows(None)
    width = 1 if family == "ordinal" else y.shape[1]
    assert summed.coef.reshape(12, -1).shape[1] == design.shape[1] * width
    np.testing.assert_allclose(summed.linear_predictor(X), path.linear_predictor(copied.for_rows(None)), atol=1e-9)
    sd = np.where(X.std(axis=0) > 0.0, X.std(axis=0), 1.0)
    Z, labels = (X - X.mean(axis=0)) / sd, np.array(latent.groups)
    for k in (4, 11):
        lam = summed.lambdas[k]
        slope = -Z.T @ get_family(family).gradient(y, summed.linear_predictor(X)[:, :, k]) / len(y)  # (p, K)
        slope = slope.sum(axis=1, keepdims=True) if family == "ordinal" else slope
        parts = path.coef_row(k).reshape(-1, width) * sd[latent.index, None]
        total, worst = 0.0, 0.0
        for label in dict.fromkeys(labels):
            at = np.flatnonzero(labels == label)
            root = np.sqrt(at.size)
            worst = max(worst, np.linalg.norm(slope[latent.index[at]]) / root)
            total += root * np.linalg.norm(parts[at])
        assert worst <= lam * (1 + 1e-5)
        assert np.sum(slope * summed.coef_row(k).reshape(-1, width) * sd[:, None]) == pytest.approx(
            lam * total, rel=1e-4
        )
