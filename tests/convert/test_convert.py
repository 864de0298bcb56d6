import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)

from bridle.convert import (
    PEERS,
    explain,
    from_glmnet,
    from_sklearn,
    from_statsmodels,
    glmnet_scale,
    to_glmnet,
    to_sklearn,
    to_statsmodels,
)
from bridle.errors import InputError
from bridle.path import fit_path

N = 120
RNG = np.random.default_rng(5)
X = RNG.normal(size=(N, 5)) * [1.0, 2.0, 0.5, 1.0, 3.0]
ETA = 0.3 + X @ [0.5, -0.3, 0.4, 0.0, 0.1]
TARGETS = {
    "gaussian": 10.0 + 4.0 * ETA + RNG.normal(size=N),
    "binomial": (RNG.random(N) < 1 / (1 + np.exp(-ETA))).astype(float),
    "poisson": RNG.poisson(np.exp(ETA)).astype(float),
    "gamma": np.exp(ETA) * np.linspace(0.3, 1.7, len(ETA)),
    "tweedie(power=1.5)": np.exp(ETA) * np.maximum(np.linspace(-0.3, 1.7, len(ETA)), 0.0),
}
WEIGHTS = RNG.integers(1, 5, N).astype(float)
LAM = 0.07


def bridle_fit(family, l1_ratio, weight=None, lam=LAM):
    path = fit_path(
        X, TARGETS[family], family=family, l1_ratio=l1_ratio, lambdas=[lam], sample_weight=weight,
        standardize=False, tol=1e-13,
    )  # fmt: skip
    return np.append(path.intercept, path.coef)


def same(ours, theirs, tolerance=1e-6):
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * np.abs(ours).max())


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(
    ("estimator", "family", "l1_ratio"),
    [
        (Lasso(tol=1e-14, max_iter=100_000), "gaussian", 1.0),
        (ElasticNet(tol=1e-14, max_iter=100_000), "gaussian", 0.3),
        (Ridge(solver="cholesky"), "gaussian", 0.0),
        (LogisticRegression(tol=1e-12, solver="newton-cholesky", max_iter=1000), "binomial", 0.0),
        (LogisticRegression(tol=1e-12, solver="saga", max_iter=20_000), "binomial", 0.6),
        (PoissonRegressor(tol=1e-12, solver="newton-cholesky", max_iter=1000), "poisson", 0.0),
        (GammaRegressor(tol=1e-12, solver="newton-cholesky", max_iter=1000), "gamma", 0.0),
        (TweedieRegressor(power=1.5, tol=1e-12, solver="newton-cholesky", max_iter=1000), "tweedie(power=1.5)", 0.0),
    ],
    ids=lambda v: type(v).__name__ if hasattr(v, "fit") else str(v),
)
def test_scikit_learn_fits_the_same_model(estimator, family, l1_ratio, weight):
    total = N if weight is None else weight.sum()
    parameters = to_sklearn(estimator, LAM, l1_ratio, sum_weight=total)
    theirs = estimator.set_params(**parameters).fit(X, TARGETS[family], sample_weight=weight)
    same(bridle_fit(family, l1_ratio, weight), np.append(theirs.intercept_, theirs.coef_))
    back = from_sklearn(estimator, sum_weight=total)  # reads the parameters of the instance
    assert back.lam == pytest.approx(LAM, rel=1e-14)
    assert back.l1_ratio == l1_ratio


def with_constant(alpha):
    return np.concatenate([[0.0], np.full(X.shape[1], alpha)])


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4, 0.0])
@pytest.mark.parametrize(
    ("model", "family", "weighted"),
    [
        ("OLS", "gaussian", False),
        ("WLS", "gaussian", True),
        ("GLM", "gaussian", False),
        ("GLM", "binomial", False),
        ("GLM", "poisson", False),
        ("GLM", "poisson", True),
        ("GLM", "gamma", True),
    ],
)
def test_statsmodels_fits_the_same_model(model, family, weighted, l1_ratio):
    weight = WEIGHTS if weighted else None
    total = WEIGHTS.sum() if weighted else None
    arguments = to_statsmodels(model, LAM, l1_ratio, n_rows=N, sum_weight=total)
    y, design = TARGETS[family], sm.add_constant(X)
    if model == "GLM":
        families = {"gaussian": sm.families.Gaussian, "binomial": sm.families.Binomial, "poisson": sm.families.Poisson}
        families["gamma"] = lambda: sm.families.Gamma(sm.families.links.Log())
        fitted = sm.GLM(y, design, family=families[family](), freq_weights=weight)
    else:
        fitted = sm.OLS(y, design) if weight is None else sm.WLS(y, design, weights=weight)
    exact = l1_ratio == 0.0 and model != "GLM"  # a GLM's ridge goes through a loose BFGS; its descent is precise
    extra = {} if exact else {"maxiter": 2000, "cnvrg_tol": 1e-13}
    share = arguments["L1_wt"] if exact else max(arguments["L1_wt"], 1e-14)
    theirs = fitted.fit_regularized(alpha=with_constant(arguments["alpha"]), L1_wt=share, **extra)
    same(bridle_fit(family, l1_ratio, weight), theirs.params)
    back = from_statsmodels(model, arguments["alpha"], l1_ratio, n_rows=N, sum_weight=total)
    assert (back.lam, back.l1_ratio) == (pytest.approx(LAM, rel=1e-14), l1_ratio)


@pytest.mark.parametrize(("model", "family"), [("Logit", "binomial"), ("Poisson", "poisson")])
def test_discrete_models_sum_over_rows(model, family):
    alpha = to_statsmodels(model, LAM, n_rows=N)["alpha"]
    assert alpha == pytest.approx(LAM * N)
    fitted = getattr(sm, model)(TARGETS[family], sm.add_constant(X))
    theirs = fitted.fit_regularized(alpha=with_constant(alpha), acc=1e-14, maxiter=5000, trim_mode="off", disp=0)
    same(bridle_fit(family, 1.0), theirs.params, 1e-5)  # SLSQP's own accuracy


@pytest.mark.parametrize("l1_ratio", [1.0, 0.25, 0.0])
def test_glmnet_round_trip_on_a_grid(l1_ratio):
    grid, factor = np.geomspace(3.0, 0.01, 7), np.array([0.0, 1.0, 2.0, np.inf])
    there = to_glmnet(grid, l1_ratio, scale=4.5, penalty_factor=factor)
    back = from_glmnet(there["lambda"], there["alpha"], scale=4.5, penalty_factor=factor)
    np.testing.assert_allclose(back.lam, grid, rtol=1e-14)
    assert back.l1_ratio == pytest.approx(l1_ratio, rel=1e-14)


def test_glmnet_rescales_the_squared_part_only():
    assert to_glmnet(0.3, 1.0, scale=77.0) == {"lambda": 0.3, "alpha": 1.0}
    ridge = to_glmnet(0.3, 0.0, scale=77.0)
    assert ridge == {"lambda": pytest.approx(0.3 * 77.0), "alpha": 0.0}
    there = to_glmnet(0.3, 0.5, scale=77.0)  # lambda*alpha = lam*a and lambda*(1 - alpha)/s = lam*(1 - a)
    assert there["lambda"] * there["alpha"] == pytest.approx(0.15)
    assert there["lambda"] * (1 - there["alpha"]) / 77.0 == pytest.approx(0.15)


def test_glmnet_scale_is_the_deviation_that_is_fitted():
    y = TARGETS["gaussian"]
    assert glmnet_scale(y) == pytest.approx(y.std())
    assert glmnet_scale(y, fit_intercept=False) == pytest.approx(np.sqrt(np.mean(y**2)))
    assert glmnet_scale(np.repeat(y, 2), offset=np.repeat(ETA, 2)) == pytest.approx((y - ETA).std())
    repeated = np.repeat(y, WEIGHTS.astype(int))
    assert glmnet_scale(y, sample_weight=WEIGHTS) == pytest.approx(repeated.std())
    assert glmnet_scale(y, family="poisson") == 1.0


def test_grids_convert_as_a_whole():
    grid = np.array([1.0, 0.1, 0.0])
    np.testing.assert_allclose(to_sklearn("Ridge", grid, sum_weight=50)["alpha"], 50 * grid)
    np.testing.assert_allclose(to_sklearn("LogisticRegression", grid, sum_weight=50)["C"], [0.02, 0.2, np.inf])
    back = from_sklearn("LogisticRegression", C=np.array([0.02, 0.2, np.inf]), sum_weight=50)
    np.testing.assert_allclose(back.lam, grid)


def test_no_penalty_is_infinite_c():
    assert to_sklearn("LogisticRegression", 0.0, 0.0, sum_weight=10)["C"] == np.inf


def test_every_peer_is_explained_with_its_objective():
    for peer in PEERS:
        said = explain(peer, 0.1, sum_weight=50, n_rows=50, scale=4.0)
        assert said.startswith("lam=0.1, l1_ratio=")
        assert PEERS[peer] in said
    assert "alpha=5 in sklearn.Ridge" in explain("sklearn.Ridge", 0.1, sum_weight=50)
    assert "C=0.2" in explain("sklearn.LogisticRegression", 0.1, 1.0, sum_weight=50)
    assert "lambda=0.4, alpha=0 in glmnet.gaussian" in explain("glmnet.gaussian", 0.1, 0.0, scale=4.0)
    assert "lambda=0.1, alpha=0 in glmnet.poisson" in explain("glmnet.poisson", 0.1, 0.0, scale=4.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: to_sklearn("SVC", 0.1), "no conversion for sklearn.SVC; sklearn models with one are Lasso"),
        (lambda: to_sklearn("Lasso", 0.1, 0.5), "sklearn.Lasso has l1_ratio 1 only, got 0.5"),
        (lambda: to_sklearn("ElasticNet", 0.1, 1.5), "l1_ratio is 1.5"),
        (lambda: to_sklearn("Ridge", 0.1), "pass sum_weight"),
        (lambda: to_sklearn("Ridge", 0.1, sum_weight=0), "sum_weight is 0"),
        (lambda: to_sklearn("Lasso", -0.1), "lam is -0.1"),
        (lambda: to_sklearn("Lasso", np.nan), "lam is nan"),
        (lambda: from_sklearn("Lasso"), "pass alpha"),
        (lambda: from_sklearn(LogisticRegression, sum_weight=3), "pass C"),
        (lambda: to_statsmodels("Logit", 0.1), "number of rows"),
        (lambda: to_statsmodels("Logit", 0.1, 0.5, n_rows=3), "l1_ratio 1 only"),
        (lambda: to_statsmodels("RLM", 0.1), "no conversion for statsmodels.RLM"),
        (lambda: to_glmnet(0.1, scale=0.0), "scale is 0.0"),
        (lambda: to_glmnet(0.1, 2.0), "alpha is 2.0"),
        (lambda: to_glmnet(0.1, penalty_factor=[0.0, 0.0]), "all penalty factors are 0"),
        (lambda: glmnet_scale(np.ones(5)), "y is constant"),
        (lambda: explain("spss.GLM", 0.1), "no peer 'spss.GLM'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
