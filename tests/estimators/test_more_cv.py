"""Cross-validated classes that scikit-learn doesn't have, and relaxed fits in those that it has."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, StratifiedKFold

import bridle.estimators as ours
from bridle.errors import InputError
from bridle.path import fit_path
from bridle.selection import cross_validate
from bridle.survival import survival_target

FINE = {"tol": 1e-10, "effective_df": False}


def pairs(y, k=5):
    return list(KFold(k).split(y))


@pytest.mark.parametrize("relax", [True, [0.0, 0.3, 1.0]])
def test_lasso_cv_relaxes_as_cross_validate_does(diabetes, relax):
    X, y = diabetes
    model = ours.LassoCV(relax=relax, alphas=20).fit(X, y)
    found = cross_validate(
        X, y, folds=pairs(y), lambdas=model.alphas_, relax=relax, standardize=False, **FINE
    )  # fmt: skip
    mean = [curve.test_loss.mean(axis=0) for curve in found.curves]  # folds count equally in scikit-learn
    best = int(np.argmin([m.min() for m in mean]))
    assert model.gamma_ == found.curves[best].gamma == model.path_.gamma == model.selection_.gamma
    assert model.alpha_ == pytest.approx(found.curves[best].values[np.argmin(mean[best])])
    assert model.mse_path_.shape == (20, 5)
    np.testing.assert_allclose(model.mse_path_.mean(axis=1), mean[best], rtol=1e-6)
    np.testing.assert_allclose(model.coef_, found.paths[best].coef[np.argmin(mean[best])], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.predict(X), X @ model.coef_ + model.intercept_)
    assert ours.LassoCV(alphas=20).fit(X, y).gamma_ == 1.0


@pytest.mark.parametrize("tol", [1e-4, 1e-13])
def test_the_fit_that_is_kept_is_certified_and_that_of_the_whole_path(diabetes, tol):
    X, y = diabetes
    model = ours.LassoCV(cv=4, tol=tol).fit(X, y)
    k = model.selection_.index
    one = model.path_.only(k)
    assert one.lambdas.tolist() == [model.alpha_] and one.status == (model.path_.status[k],)
    np.testing.assert_array_equal(one.coef[0], model.path_.coef[k])
    np.testing.assert_allclose(one.predict(X)[:, 0], model.path_.predict(X, lam=model.alpha_), rtol=1e-12)
    alone = ours.Lasso(alpha=model.alpha_, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_, alone.coef_, rtol=1e-7, atol=1e-7 * np.abs(alone.coef_).max())
    assert 0.0 <= model.relative_gap_ <= max(tol, 1e-12)


def test_relaxing_takes_shrinkage_back(counts):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 20))
    y = X[:, :2] @ [3.0, -3.0] + rng.normal(size=120)
    for model in (
        ours.LassoCV(relax=True), ours.ElasticNetCV(relax=True, l1_ratio=[0.5, 0.9]),
        ours.GroupLassoCV(groups=np.arange(20) // 2, relax=True),
    ):  # fmt: skip
        model.fit(X, y)
        assert model.gamma_ < 1.0
        np.testing.assert_allclose(model.coef_[:2], [3.0, -3.0], atol=0.3)
        assert np.count_nonzero(model.coef_) <= 8
    model = ours.PoissonRegressorCV(l1_ratio=1.0, relax=[0.0]).fit(*counts)
    on = np.flatnonzero(model.coef_)
    refit = fit_path(counts[0][:, on], counts[1], family="poisson", lambdas=[0.0], tol=1e-12)
    np.testing.assert_allclose(model.coef_[on], refit.coef[0], atol=1e-6)


def test_cox_relaxes_too():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 8))
    y = survival_target(rng.exponential(size=120) * np.exp(-1.5 * X[:, 0]), rng.random(120) < 0.8)
    model = ours.CoxRegressorCV(relax=[0.0], alphas=8, l1_ratio=1.0).fit(X, y)
    on = np.flatnonzero(model.coef_)
    refit = fit_path(X[:, on], y, family="cox", lambdas=[0.0], tol=1e-12)
    np.testing.assert_allclose(model.coef_[on], refit.coef[0], atol=1e-6)
    assert model.gamma_ == 0.0
    assert model.score(X, y) > 0.7


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
@pytest.mark.parametrize("grouped", [False, True])
def test_adaptive_lasso_is_its_path(diabetes, counts, family, grouped):
    X, y = diabetes if family == "gaussian" else counts
    groups = np.arange(X.shape[1]) // 2 if grouped else None
    spec = "adaptive_group_lasso" if grouped else "adaptive_lasso"
    options = {"family": family, "penalty": f"{spec}(gamma=0.5, initial='ols')", "groups": groups, "standardize": False}
    path = fit_path(X, y, n_lambdas=10, tol=1e-10, **options)
    one = ours.AdaptiveLasso(path.lambdas[5], gamma=0.5, initial="ols", groups=groups, family=family).fit(X, y)
    np.testing.assert_allclose(one.coef_, path.coef[5], rtol=1e-4, atol=1e-4 * np.abs(path.coef).max())
    np.testing.assert_allclose(one.path_.factor, path.factor, rtol=1e-6)
    model = ours.AdaptiveLassoCV(gamma=0.5, initial="ols", groups=groups, family=family, alphas=path.lambdas)
    model.fit(X, y)
    found = cross_validate(X, y, folds=pairs(y), lambdas=path.lambdas, **options, **FINE)
    np.testing.assert_allclose(model.curve_.test_loss, found.curves[0].test_loss, rtol=1e-5)
    assert model.curve_.model == spec.replace("_", " ")


@pytest.mark.parametrize(("model", "kind"), [(ours.MCPRegressorCV, "mcp"), (ours.SCADRegressorCV, "scad")])
def test_concave_models_follow_one_grid(diabetes, model, kind):
    X, y = diabetes
    fitted = model(alphas=12, standardize=True).fit(X, y)
    found = cross_validate(X, y, folds=pairs(y), penalty=kind, lambdas=fitted.alphas_, **FINE)
    np.testing.assert_allclose(fitted.curve_.test_loss, found.curves[0].test_loss, rtol=1e-5)
    index = int(np.argmin(found.curves[0].test_loss.mean(axis=0)))
    assert fitted.alpha_ == fitted.alphas_[index]
    np.testing.assert_allclose(fitted.coef_, found.paths[0].coef[index], rtol=1e-5, atol=1e-6)
    grouped = model(alphas=6, standardize=True, groups=np.arange(10) // 2).fit(X, y)
    assert grouped.path_.penalty.startswith(f"group_{kind}")


@pytest.mark.parametrize(
    ("model", "family"),
    [
        (ours.GammaRegressorCV(alphas=6), "gamma"),
        (ours.TweedieRegressorCV(power=1.5, alphas=6), "tweedie(power=1.5)"),
        (ours.TweedieRegressorCV(alphas=6), "gaussian"),
        (ours.NegativeBinomialRegressorCV(theta=2.0, alphas=6), "negative_binomial(theta=2)"),
        (ours.QuantileRegressorCV(quantile=0.8, bandwidth=0.5, alphas=6), "quantile(tau=0.8, bandwidth=0.5)"),
    ],
)
def test_named_families_are_the_general_class(counts, model, family):
    X, y = counts
    y = y + 1.0
    offset, w = np.linspace(-0.1, 0.1, len(y)), np.linspace(0.5, 2.0, len(y))
    model.set_params(l1_ratio=[0.5, 1.0]).fit(X, y, sample_weight=w, offset=offset)
    general = ours.GeneralizedLinearRegressorCV(family, l1_ratio=[0.5, 1.0], alphas=6).fit(
        X, y, sample_weight=w, offset=offset
    )
    assert (model.alpha_, model.l1_ratio_) == (general.alpha_, general.l1_ratio_)
    np.testing.assert_allclose(model.coef_, general.coef_, rtol=1e-6, atol=1e-9)
    assert model.family_.spec == general.family_.spec
    np.testing.assert_allclose(model.predict(X, offset), general.predict(X, offset), rtol=1e-6)


def test_what_a_family_leaves_open_is_found_once(counts):
    X, y = counts
    model = ours.NegativeBinomialRegressorCV(alphas=5).fit(X, y)
    assert model.theta_ > 0.0
    assert model.family_.is_settled
    sharp = ours.QuantileRegressorCV(alphas=5).fit(X, X @ np.arange(6.0) + y)
    assert 0.0 < sharp.family_.parameters["bandwidth"] < 0.1


def test_ordinal_cv_chooses_on_the_deviance(diabetes):
    X, y = diabetes[0], np.digitize(diabetes[1], [100.0, 200.0])
    w = np.linspace(0.5, 1.5, len(y))
    Cs = [0.001, 0.01, 0.1, 1.0]
    model = ours.OrdinalClassifierCV(Cs=Cs[::-1], l1_ratio=[0.5, 1.0], cv=4).fit(X, y, sample_weight=w)
    found = cross_validate(
        X, y, folds=list(StratifiedKFold(4).split(X, y)), family="ordinal", l1_ratio=[0.5, 1.0],
        lambdas=1.0 / (np.array(Cs) * w.sum()), sample_weight=w, standardize=False, **FINE,
    )  # fmt: skip
    losses = np.array([curve.test_loss.mean(axis=0) for curve in found.curves])
    r, at = np.unravel_index(np.argmin(losses), losses.shape)
    assert (model.C_, model.l1_ratio_) == (Cs[at], [0.5, 1.0][r])
    np.testing.assert_allclose(model.Cs_, Cs)
    np.testing.assert_allclose(model.deviance_path_.mean(axis=2), losses, rtol=1e-5)
    plain = ours.OrdinalClassifier(C=model.C_, l1_ratio=model.l1_ratio_).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-8)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-8)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ours.LassoCV(relax="yes"), "relax must be True"),
        (ours.AdaptiveLasso(gamma=0.0), "gamma must be"),
        (ours.AdaptiveLassoCV(initial="mcp"), "initial must be"),
        (ours.MCPRegressorCV(gamma=1.0), "gamma must be"),
        (ours.SCADRegressorCV(gamma=2.0), "gamma must be"),
        (ours.TweedieRegressorCV(power=1.5, link="identity"), "TweedieRegressorCV"),
        (ours.NegativeBinomialRegressorCV(theta=-1.0), "theta must be"),
        (ours.QuantileRegressorCV(quantile=0.0), "quantile must be"),
    ],
)
def test_bad_parameters_are_named(counts, model, message):
    with pytest.raises(InputError, match=message):
        model.fit(*counts)


def test_bad_parameters_of_the_ordinal_class(diabetes):
    X, y = diabetes[0], np.digitize(diabetes[1], [100.0, 200.0])
    for options, message in (({"Cs": [-1.0]}, "Cs must be"), ({"rule": "bic"}, "rule must be")):
        with pytest.raises(InputError, match=message):
            ours.OrdinalClassifierCV(**options).fit(X, y)
    rare = np.zeros(len(y), dtype=int)
    rare[:5], rare[5:200] = 2, 1
    with pytest.raises(InputError, match="all classes"):
        ours.OrdinalClassifierCV(cv=KFold(3)).fit(X, rare)
