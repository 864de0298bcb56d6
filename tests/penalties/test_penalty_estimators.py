"""The estimators of group penalties, MCP and SCAD: each is the path that it says it is."""

import numpy as np
import pytest

from bridle import GroupLasso, GroupLassoCV, Lasso, MCPRegressor, SCADRegressor, SparseGroupLasso, SparseGroupLassoCV
from bridle.errors import InputError
from bridle.selection import cross_validate


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_an_estimator_is_the_path_at_its_alpha(kit, family):
    X, y, groups = kit.data(family, 80, 12, seed=1)
    w, offset = np.random.default_rng(0).uniform(0.5, 2.0, 80), np.linspace(-0.2, 0.2, 80)
    options = {"family": family, "lambdas": [0.05], "standardize": False, "sample_weight": w, "offset": offset}
    for model, spec in [
        (GroupLasso(0.05, groups=groups, family=family), "group_lasso"),
        (SparseGroupLasso(0.05, groups=groups, family=family, l1_share=0.4), "sparse_group_lasso(l1_share=0.4)"),
    ]:
        path = kit.fit(X, y, spec, groups, tol=1e-10, **options)
        model.fit(X, y, sample_weight=w, offset=offset)
        np.testing.assert_allclose(model.coef_, path.coef[0], atol=1e-5)
        np.testing.assert_allclose(model.predict(X, offset), path.predict(X, offset)[:, 0], rtol=1e-4)
        assert 0.0 < model.score(X, y, sample_weight=w, offset=offset) < 1.0


def test_without_groups_it_is_the_lasso(kit):
    X, y, _ = kit.data("gaussian", 80, 12, seed=2)
    lasso = Lasso(0.1).fit(X, y)
    for model in (GroupLasso(0.1), SparseGroupLasso(0.1), MCPRegressor(0.1, gamma=1e9), SCADRegressor(0.1, gamma=1e9)):
        model.fit(X, y)
        np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-6)
        assert model.score(X, y) == pytest.approx(lasso.score(X, y), abs=1e-8)


@pytest.mark.parametrize(("model", "kind"), [(MCPRegressor, "mcp"), (SCADRegressor, "scad")])
def test_concave_models_follow_the_path_from_the_null_model(kit, model, kind):
    X, y, groups = kit.data("gaussian", 80, 12, seed=3)
    fitted = model(0.02, standardize=True).fit(X, y)
    assert fitted.path_.lambdas[-1] == pytest.approx(0.02)
    assert not fitted.path_.coef[0].any()
    path = kit.fit(X, y, kind, None, lambdas=fitted.path_.lambdas, tol=1e-10)
    np.testing.assert_allclose(fitted.coef_, path.coef[-1], atol=1e-8)
    grouped = model(0.05, groups=groups).fit(X, y)
    assert grouped.path_.penalty.startswith(f"group_{kind}")
    assert set(np.unique(groups[grouped.coef_ != 0.0], return_counts=True)[1]) == {3}
    assert not model(1e6).fit(X, y).coef_.any()


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_cross_validation_is_that_of_the_path(kit, family):
    X, y, groups = kit.data(family, 90, 12, seed=4)
    for model, spec in [
        (GroupLassoCV(groups=groups, family=family, alphas=12, cv=4, standardize=True), "group_lasso"),
        (
            SparseGroupLassoCV(groups=groups, family=family, l1_share=0.5, alphas=12, cv=4, standardize=True),
            "sparse_group_lasso(l1_share=0.5)",
        ),
    ]:
        model.fit(X, y)
        found = cross_validate(
            X, y, folds=4, family=family, penalty=spec, groups=groups, n_lambdas=12, effective_df=False, tol=1e-8
        )
        if family == "gaussian":
            np.testing.assert_allclose(model.alphas_, found.curves[0].values)
        assert model.curve_.model in ("group lasso", "sparse group lasso")
        assert model.alpha_ == model.alphas_[np.argmin(model.curve_.mean)]
        assert 0.0 < model.score(X, y) < 1.0


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (GroupLasso(groups=[0, 1]), "one label per feature"),
        (SparseGroupLasso(l1_share=2.0), "l1_share must be"),
        (MCPRegressor(gamma=1.0), "gamma must be"),
        (SCADRegressor(gamma=2.0), "gamma must be"),
        (GroupLasso(family="cauchy"), "unknown family"),
        (GroupLasso(alpha=-1.0), "alpha must be"),
        (GroupLassoCV(eps=2.0), "eps must be"),
    ],
)
def test_bad_parameters_are_named(kit, model, message):
    X, y, _ = kit.data("gaussian", 30, 6, seed=5)
    with pytest.raises(InputError, match=message):
        model.fit(X, y)
