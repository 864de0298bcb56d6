"""Group penalties and hierarchy through the main job: what belongs together enters together."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bridle
from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.design.hierarchy import LatentDesign, latent_groups
from bridle.errors import InputError
from bridle.path import fit_path

N = 260
QUICK = {"challengers": False, "bootstrap": 0, "repeats": 1, "folds": 3, "learning_curve": False, "n_jobs": 1}


def table(seed=0, n=N):
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "age": rng.uniform(20, 80, n),
            "dose": [None if rng.random() < 0.15 else float(v) for v in rng.standard_normal(n)],
            "site": rng.choice(["north", "east", "west", "south"], n),
            "sex": rng.choice(["f", "m"], n),
            "noise": rng.choice(["u", "v", "w"], n),
            "z": rng.standard_normal(n),
        }
    )
    dose, male = frame["dose"].fill_null(0.0).to_numpy(), (frame["sex"] == "m").to_numpy()
    east = (frame["site"] == "east").to_numpy()
    effect = np.sin(frame["age"].to_numpy() / 10) + 0.8 * east + 1.5 * dose * male + dose
    return frame.with_columns(y=effect + 0.4 * rng.standard_normal(n))


FRAME = table()


def in_or_out(model):
    """Share of each group's features in the model; those that are constant in training count for nothing."""
    varies = np.asarray(model.encoder.scale) > 0.0
    found = {}
    for group, b, there in zip(model.encoder.groups, model.coef, varies, strict=True):
        if there:
            found.setdefault(group, []).append(b != 0.0)
    return {group: float(np.mean(flags)) for group, flags in found.items()}


def test_categories_and_flags_enter_as_wholes():
    found = bridle.study(FRAME, "y", models=["lasso", "ridge"], penalty="group_lasso", rule="1se", **QUICK)
    lasso = found.result.model("lasso")
    assert lasso.label == "Group lasso" and found.result.model("ridge").label == "Ridge (L2)"
    shares = in_or_out(found.models["lasso"])
    assert set(shares.values()) == {0.0, 1.0}
    assert shares["site"] == shares["dose"] == 1.0 and shares["noise"] == 0.0
    assert lasso.certificate.worst_relative_gap <= lasso.certificate.tolerance
    assert "‖" in lasso.certificate.objective and "‖" in found.models["lasso"].meta.objective
    assert found.result.reproduce.options["penalty"] == "group_lasso"


def test_a_sparse_group_lasso_may_leave_levels_out():
    found = bridle.study(FRAME, "y", models=["lasso"], penalty="sparse_group_lasso(l1_share=0.9)", rule="1se", **QUICK)
    assert found.result.model("lasso").label == "Sparse group lasso"
    shares = in_or_out(found.models["lasso"])
    assert any(0.0 < share < 1.0 for share in shares.values())


@pytest.mark.parametrize("kind", ["strong", "weak"])
def test_products_enter_with_their_main_effects(kind):
    pairs = ["dose:sex", "age:z", "site:noise", "z:noise"]
    found = bridle.study(
        FRAME, "y", models=["lasso"], interactions=pairs, hierarchy=kind, rule="1se", **{**QUICK, "bootstrap": 3}
    )
    model = found.models["lasso"]
    shares = in_or_out(model)
    assert shares["dose:sex"] == 1.0
    products = [g for g, share in shares.items() if ":" in g and share > 0.0]
    assert 0 < len(products) < 4
    for product in products:
        mains = [shares[main] for main in product.split(":")]
        assert max(mains) == 1.0
        assert min(mains) == 1.0 or kind == "weak"
    result = found.result.model("lasso")
    assert result.n_features == len(model.encoder.feature_names)
    assert result.n_nonzero == np.count_nonzero(model.coef) == result.curve.n_nonzero[result.curve.index_chosen]


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
@pytest.mark.parametrize("kind", ["strong", "weak"])
def test_the_summed_fit_is_optimal_for_overlapping_groups(kind, family):
    data = make_dataset(table(seed=3), "y", interactions=["dose:sex", "age:site", "age:z"])
    encoder = Encoder.fit(data)
    design = encoder.transform(data)
    latent = latent_groups(encoder, kind)
    copied = LatentDesign(design, latent)
    y = data.y if family == "gaussian" else (data.y > 0.5).astype(float)
    path = fit_path(
        copied.for_rows(None), y, family=family, penalty="group_lasso", groups=latent.groups, n_lambdas=20,
        lambda_min_ratio=0.02, tol=1e-10,
    )  # fmt: skip
    summed = copied.collapse(path)
    X = design.matrix
    assert np.allclose(summed.linear_predictor(X), path.linear_predictor(copied.for_rows(None)))
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    labels = np.array(latent.groups)
    for k in (5, 12, 19):
        eta, lam = summed.linear_predictor(X)[:, k], summed.lambdas[k]
        mu = eta if family == "gaussian" else 1.0 / (1.0 + np.exp(-eta))
        slope = Z.T @ (y - mu) / y.size  # (p,)
        parts = path.coef_row(k) * X.std(axis=0)[latent.index]
        total, worst = 0.0, 0.0
        for label in dict.fromkeys(labels):
            at = np.flatnonzero(labels == label)
            root = np.sqrt(at.size)
            worst = max(worst, np.linalg.norm(slope[latent.index[at]]) / root)
            total += root * np.linalg.norm(parts[at])
        assert worst <= lam * (1 + 1e-5)
        assert slope @ (summed.coef_row(k) * X.std(axis=0)) == pytest.approx(lam * total, rel=1e-4)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 200), st.permutations(["a", "b", "c", "d"]), st.booleans())
def test_a_group_lasso_knows_no_names_of_levels(seed, letters, swap):
    frame = table(seed=seed, n=80)
    other = frame.with_columns(
        pl.col("site").replace_strict(dict(zip(["north", "east", "west", "south"], letters, strict=True))),
        pl.col("sex").replace_strict({"f": "x", "m": "w"} if swap else {"f": "v", "m": "w"}),
    )
    for structure in ({}, {"interactions": "sex:site"}):
        fits = []
        for version in (frame, other):
            design, y = bridle.design_matrix(version, "y", **structure)
            path = fit_path(
                design.matrix, y, penalty="group_lasso", groups=design.groups, lambdas=[0.15, 0.05], tol=1e-11
            )
            fits.append(path.linear_predictor(design.matrix))
        assert np.allclose(*fits, atol=1e-5)


REFUSED = [
    ({"hierarchy": "strong", "penalty": "sparse_group_lasso", "interactions": "all"}, "hierarchy needs a penalty on"),
    ({"hierarchy": "firm", "interactions": "all"}, "unknown hierarchy 'firm'"),
    ({"hierarchy": "strong"}, "there are no interactions"),
    ({"penalty": "lars"}, "penalty 'lars'"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_penalties_that_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        bridle.study(FRAME, "y", models=["lasso"], **options, **QUICK)
