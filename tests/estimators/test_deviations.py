"""Every row of the table of deviations in docs/estimators.md, shown on both sides where that is possible."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as peer
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GroupKFold
from sklearn.utils._param_validation import InvalidParameterError

import bridle
import bridle.estimators as ours
from bridle.errors import InputError

TIGHT = {"tol": 1e-13, "max_iter": 200_000}


def test_d1_tol_bounds_the_warning_and_the_fit_is_finer(diabetes):
    X, y = diabetes
    mine, rough, exact = ours.Lasso(0.1), peer.Lasso(0.1), peer.Lasso(0.1, **TIGHT)
    errors = [np.abs(model.fit(X, y).coef_ - exact.fit(X, y).coef_).max() for model in (mine, rough)]
    assert errors[0] < 1e-5 < errors[1]


OPTIONS = [{"warm_start": True}, {"selection": "random"}, {"precompute": True}, {"random_state": 3}]


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_d2_options_of_other_solvers_change_nothing(diabetes, option):
    X, y = diabetes
    plain, changed = ours.ElasticNet(0.3).fit(X, y), ours.ElasticNet(0.3, **option)
    changed.fit(X, -y)
    assert np.array_equal(changed.fit(X, y).coef_, plain.coef_)


def test_d3_alpha_0_is_solved_without_complaint(diabetes):
    X, y = diabetes
    with pytest.warns(UserWarning, match="alpha=0"):
        peer.Lasso(0.0, **TIGHT).fit(X, y)
    np.testing.assert_allclose(ours.Lasso(0.0).fit(X, y).coef_, peer.LinearRegression().fit(X, y).coef_, rtol=1e-6)


def test_d4_the_intercept_is_never_penalised(counts):
    X, y = counts[0], counts[1] > 3
    free = peer.LogisticRegression(C=0.01, solver="newton-cholesky", tol=1e-12).fit(X, y)
    held = peer.LogisticRegression(C=0.01, solver="liblinear", tol=1e-12).fit(X, y)
    mine = ours.LogisticRegression(C=0.01, solver="liblinear").fit(X, y)
    assert mine.intercept_ == pytest.approx(free.intercept_, rel=1e-6)
    assert abs(held.intercept_[0] - free.intercept_[0]) > 0.1


@pytest.mark.parametrize("solver", ["lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"])
def test_d5_any_solver_takes_any_penalty(cancer, solver):
    X, y = cancer
    if solver != "saga":
        with pytest.raises(ValueError):
            peer.LogisticRegression(solver=solver, l1_ratio=0.5).fit(X, y)
    reference = ours.LogisticRegression(l1_ratio=0.5).fit(X, y)
    assert np.array_equal(ours.LogisticRegression(solver=solver, l1_ratio=0.5).fit(X, y).coef_, reference.coef_)


def test_d6_two_targets_of_which_each_has_bounds(diabetes):
    X, y = diabetes
    Y = np.column_stack([y, -y])
    assert peer.lasso_path(X, Y, alphas=[1.0], max_iter=100_000)[1].shape == (2, 10, 1)
    with pytest.raises(InputError, match="positive=True can't be combined with several targets"):
        bridle.lasso_path(X, Y, alphas=[1.0], positive=True)


def test_d7_meanings_of_today_without_future_warnings(cancer):
    X, y = cancer
    with pytest.warns(FutureWarning):
        grid = peer.lasso_path(X, y, n_alphas=3, max_iter=10_000)[0]
    np.testing.assert_allclose(bridle.lasso_path(X, y, n_alphas=3)[0], grid)
    np.testing.assert_allclose(bridle.lasso_path(X, y, n_alphas=3, alphas=None)[0], grid)
    ours.LogisticRegression(n_jobs=2, l1_ratio=None).fit(X, y)
    with pytest.warns(FutureWarning):
        peer.LogisticRegression("l2").fit(X, y)
    with pytest.warns(FutureWarning):
        theirs = peer.LogisticRegressionCV(Cs=[0.1, 1.0], max_iter=1000).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours.LogisticRegression("l2").fit(X, y)
        mine = ours.LogisticRegressionCV(Cs=[0.1, 1.0]).fit(X, y)
        handed_over = ours.LogisticRegressionCV(Cs=[0.1, 1.0], l1_ratios="warn", scoring="warn")
        handed_over.set_params(use_legacy_attributes="warn").fit(X, y)
    for model in (mine, handed_over):
        np.testing.assert_allclose(model.scores_[1], theirs.scores_[1])
        assert model.C_ == theirs.C_


def test_d8_contradictory_penalties_are_said(cancer):
    with pytest.warns(UserWarning, match="penalty counts"):
        model = ours.LogisticRegression("l1", l1_ratio=0.5).fit(*cancer)
    assert np.array_equal(model.coef_, ours.LogisticRegression(l1_ratio=1.0).fit(*cancer).coef_)


def test_d9_wrong_data_are_refused_without_checks_too(diabetes):
    X, y = np.asfortranarray(diabetes[0]), diabetes[1]
    theirs, mine = (cls().fit(X, y, check_input=False) for cls in (peer.Lasso, ours.Lasso))
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-3 * np.abs(theirs.coef_).max())
    np.testing.assert_allclose(mine.predict(X), ours.Lasso().fit(*diabetes).predict(diabetes[0]))
    whole = np.round(X).astype(np.int64)
    rounded = ours.Lasso().fit(whole.astype(float), y)
    np.testing.assert_allclose(ours.Lasso().fit(whole, y, check_input=False).coef_, rounded.coef_)
    X[2, 3] = np.nan
    with pytest.raises(InputError, match="column 3"):
        ours.Lasso().fit(X, y, check_input=False)
    with pytest.raises(InputError, match="one value per row"):
        ours.Lasso().fit(diabetes[0], y[:-1], check_input=False)


def test_d10_groups_need_no_routing(diabetes):
    X, y = diabetes
    groups = np.arange(len(y)) % 5
    with pytest.raises(ValueError, match="groups"):
        peer.LassoCV(cv=GroupKFold()).fit(X, y, groups=groups)
    assert ours.LassoCV(cv=GroupKFold()).fit(X, y, groups=groups).mse_path_.shape == (100, 5)


def test_d11_the_default_score_takes_routed_weights(cancer):
    X, y = cancer
    w = np.ones(len(y))
    with config_context(enable_metadata_routing=True):
        with pytest.raises(UnsetMetadataPassedError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer.LogisticRegressionCV(Cs=[1.0]).fit(X, y, sample_weight=w)
        assert ours.LogisticRegressionCV(Cs=[1.0]).fit(X, y, sample_weight=w).coef_.shape == (1, 12)


def test_d12_iterations_and_solver_of_ridge(diabetes):
    theirs, mine = peer.Ridge().fit(*diabetes), ours.Ridge().fit(*diabetes)
    assert theirs.n_iter_ is None and list(mine.n_iter_) == [1]
    assert theirs.solver_ == mine.solver_ == "cholesky"
    assert ours.Ridge(solver="svd").fit(*diabetes).solver_ == "cholesky"
    bounded = ours.Ridge(positive=True).fit(*diabetes)
    assert bounded.solver_ == "path" and list(bounded.n_iter_) >= [1]


def test_d13_dense_solvers_of_ridge_take_sparse_data(diabetes):
    X, y = sparse.csr_array(diabetes[0]), diabetes[1]
    with pytest.raises(ValueError, match="svd"):
        peer.Ridge(solver="svd").fit(X, y)
    np.testing.assert_allclose(ours.Ridge(solver="svd").fit(X, y).coef_, peer.Ridge().fit(*diabetes).coef_, rtol=1e-7)


def test_d14_negative_weights_are_refused(cancer):
    X, y = cancer
    w = np.ones(len(y))
    w[0] = -1.0
    peer.LogisticRegression(max_iter=1000).fit(X, y, sample_weight=w)
    with pytest.raises(InputError, match="sample_weight"):
        ours.LogisticRegression().fit(X, y, sample_weight=w)


def test_d15_log_probabilities_stay_finite():
    X = np.array([[-1.0], [-0.9], [0.9], [1.0]])
    y = [0, 0, 1, 1]
    far = np.array([[-1e4]])
    theirs, mine = peer.LogisticRegression().fit(X, y), ours.LogisticRegression().fit(X, y)
    with np.errstate(divide="ignore"):
        assert np.isneginf(theirs.predict_log_proba(far)[0, 1])
    assert mine.predict_log_proba(far)[0, 1] == pytest.approx(mine.decision_function(far)[0])


def test_d16_the_intercept_of_a_model_without_features(cancer):
    X, y = cancer
    options = {"C": 1e-4, "l1_ratio": 1.0}
    theirs = peer.LogisticRegression(solver="saga", tol=1e-14, max_iter=10_000, **options).fit(X, y)
    mine = ours.LogisticRegression(**options).fit(X, y)
    assert not theirs.coef_.any() and not mine.coef_.any()
    odds = np.log(y.mean() / (1.0 - y.mean()))
    assert mine.intercept_[0] == pytest.approx(odds, rel=1e-9)
    assert abs(theirs.intercept_[0] - odds) > 1e-4


def test_d17_errors_are_input_errors(diabetes):
    with pytest.raises(InputError, match=r"Lasso: alpha must be a number >= 0; got -1\. Change it") as caught:
        ours.Lasso(alpha=-1).fit(*diabetes)
    assert isinstance(caught.value, InvalidParameterError) and isinstance(caught.value, TypeError)
    with pytest.raises(InputError, match="Cs"):
        ours.LogisticRegressionCV(Cs=[-1.0, 1.0]).fit(diabetes[0], diabetes[1] > 100)


def test_d18_what_is_not_there(diabetes, cancer):
    X, y = diabetes
    Y = np.column_stack([y, -y])
    with pytest.raises(InputError, match="one target"):
        ours.LassoCV().fit(X, Y)
    assert hasattr(peer.LogisticRegression(), "set_callbacks")
    assert not hasattr(ours.LogisticRegression(), "set_callbacks")


def test_d19_what_is_taken_in_addition(diabetes):
    X, y = diabetes
    with pytest.raises(TypeError):
        peer.Lasso(max_iter=None).fit(X, y)
    assert np.array_equal(ours.Lasso(max_iter=None).fit(X, y).coef_, ours.Lasso().fit(X, y).coef_)
    with pytest.raises(IndexError):
        peer.RidgeCV(np.array(2.0)).fit(X, y)
    assert ours.RidgeCV(np.array(2.0)).fit(X, y).alpha_ == 2.0
    long = sparse.csr_array(X)
    long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
    with pytest.raises(ValueError, match="int64"):
        peer.Lasso().fit(long, y)
    np.testing.assert_allclose(ours.Lasso().fit(long, y).coef_, ours.Lasso().fit(X, y).coef_, rtol=1e-8)


def test_d20_one_rule_for_the_dtype(diabetes):
    X, y = diabetes
    for given, theirs, mine in (
        (X.astype(np.float16), "float16", "float64"),
        (X.astype(">f8"), ">f8", "float64"),
        (pd.DataFrame(X.astype(np.float32)), "float64", "float32"),
    ):
        assert peer.RidgeCV().fit(given, y).coef_.dtype == theirs
        assert ours.RidgeCV().fit(given, y).coef_.dtype == mine


def huber_objective(model, X, y, alpha):
    z = np.abs(y - model.predict(X)) / model.scale_
    inside = np.where(z < model.epsilon, z**2, 2 * model.epsilon * z - model.epsilon**2)
    return np.sum(model.scale_ * (1 + inside)) + alpha * model.coef_ @ model.coef_


@pytest.mark.parametrize("alpha", [1e-4, 10.0])
def test_d21_hubers_objective_is_the_same_and_no_higher(diabetes, alpha):
    X, y = diabetes
    w = 1.0 + np.arange(len(y)) % 3
    mine = ours.HuberRegressor(alpha=alpha).fit(X, y)
    theirs = peer.HuberRegressor(alpha=alpha, tol=1e-8, max_iter=20_000).fit(X, y)
    assert huber_objective(mine, X, y, alpha) <= huber_objective(theirs, X, y, alpha) + 1e-8
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=2e-3)
    assert mine.scale_ == pytest.approx(theirs.scale_, rel=1e-3)
    assert np.mean(mine.outliers_ == theirs.outliers_) > 0.99
    assert mine.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-4)
    twice = ours.HuberRegressor(alpha=alpha).fit(np.repeat(X, w.astype(int), axis=0), np.repeat(y, w.astype(int)))
    weighted = ours.HuberRegressor(alpha=alpha).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(weighted.coef_, twice.coef_, rtol=1e-5)
    assert ours.HuberRegressor().fit(X, X @ np.arange(10.0)).scale_ > 0.0


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.9])
def test_d22_a_smoothed_quantile_is_nearly_that_of_the_linear_programme(diabetes, tau):
    X, y = diabetes[0] * 20.0, diabetes[1]
    options = {"quantile": tau, "alpha": 0.5}
    mine, theirs = (module.QuantileRegressor(**options).fit(X, y) for module in (ours, peer))

    def objective(model):
        r = y - model.predict(X)
        return np.mean(np.maximum(tau * r, (tau - 1) * r)) + 0.5 * np.abs(model.coef_).sum()

    excess = objective(mine) - objective(theirs)
    assert -1e-9 <= excess <= mine.family_.bandwidth * np.log(2) + 1e-6 * objective(theirs)
    assert np.mean(y <= mine.predict(X)) == pytest.approx(tau, abs=0.03)


def test_d23_tweedies_powers_with_a_convex_loss():
    X, y = np.random.default_rng(0).normal(size=(50, 2)), np.linspace(1.0, 3.0, 50)
    for options in ({"power": 3.0}, {"power": -1.0}, {"power": 1.5, "link": "identity"}, {"link": "log"}):
        peer.TweedieRegressor(**options, alpha=0.1, solver="newton-cholesky").fit(X, y)
        with pytest.raises(InputError, match=r"convex"):
            ours.TweedieRegressor(**options).fit(X, y)


# bridle's own parameters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "Ridge", "LogisticRegression", "PoissonRegressor"])
def test_standardize_is_a_scaler_with_coefficients_scaled_back(diabetes, cancer, counts, name):
    X, y = {"L": cancer, "P": counts}.get(name[0] if name != "Lasso" else "", diabetes)
    X = X * np.logspace(-1, 1, X.shape[1])
    scale = X.std(axis=0)
    options = {"C": 0.1} if name.startswith("Log") else {"alpha": 0.5}
    inside = getattr(ours, name)(**options, standardize=True).fit(X, y)
    outside = getattr(ours, name)(**options).fit(X / scale, y)
    np.testing.assert_allclose(inside.coef_, outside.coef_ / scale, rtol=1e-5, atol=1e-8)
    again = getattr(ours, name)(**options, standardize=True).fit(sparse.csc_array(X), y)
    np.testing.assert_allclose(again.coef_, inside.coef_, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "Ridge", "LogisticRegression", "PoissonRegressor"])
def test_penalty_factors_and_bounds(diabetes, cancer, counts, name):
    X, y = {"L": cancer, "P": counts}.get(name[0] if name != "Lasso" else "", diabetes)
    X = X[:, :5]
    options = {"C": 0.01} if name.startswith("Log") else {"alpha": 5.0}
    cls = getattr(ours, name)
    factor = np.array([1.0, 0.0, np.inf, 2.0, 1.0])
    model = cls(**options, penalty_factor=factor).fit(X, y)
    assert np.ravel(model.coef_)[2] == 0.0
    halved = X.copy()
    halved[:, 3] /= 2.0  # a factor v on |b| or b^2 is a column divided by v or by its root
    twin_factor = factor.copy()
    twin_factor[3] = 1.0 if name == "Lasso" else 0.5
    if name != "ElasticNet":  # its two parts would need two factors
        twin = cls(**options, penalty_factor=twin_factor).fit(halved, y)
        np.testing.assert_allclose(np.ravel(twin.coef_)[3] / 2.0, np.ravel(model.coef_)[3], rtol=1e-5, atol=1e-8)
    assert np.all(np.asarray(model.relative_gap_) < 1e-8)
    bounded = cls(**options, lower=-0.01, upper=[0.02] * 5).fit(X, y)
    assert bounded.coef_.min() >= -0.01 and bounded.coef_.max() <= 0.02
    assert np.all(np.asarray(bounded.relative_gap_) < 1e-8)


def test_rules(diabetes):
    X, y = diabetes
    models = {rule: ours.LassoCV(rule=rule).fit(X, y) for rule in ("min", "1se", "within", "bic", "gcv")}
    assert models["1se"].alpha_ > models["min"].alpha_
    assert np.count_nonzero(models["1se"].coef_) < np.count_nonzero(models["min"].coef_)
    for rule, model in models.items():
        assert model.selection_.rule == rule and model.selection_.reason
        assert model.alpha_ == model.alphas_[model.selection_.index]
        np.testing.assert_allclose(model.coef_, ours.Lasso(model.alpha_).fit(X, y).coef_, rtol=1e-8)


def test_certificates_are_checked_by_the_referee(diabetes, cancer, counts):
    """The gap is computed again from the coefficients alone, on the scale of the mean loss."""
    from bridle.certificates import certify
    from bridle.penalties import Penalty

    X, y = diabetes
    found = certify(X, y, *_parts(ours.Lasso(0.3).fit(X, y)), 0.3, penalty=Penalty(1.0), standardize=False)
    assert found.relative_gap < 1e-10 and found.kkt < 1e-5
    found = certify(X, y, *_parts(ours.Ridge(7.0).fit(X, y)), 7.0 / len(y), penalty=Penalty(0.0), standardize=False)
    assert found.relative_gap < 1e-14
    X, y = cancer
    fit = ours.LogisticRegression(C=2.0, l1_ratio=0.5).fit(X, y)
    found = certify(X, y, *_parts(fit), 1 / (2 * len(y)), family="binomial", penalty=Penalty(0.5), standardize=False)
    assert found.relative_gap < 1e-10
    X, y = counts
    fit = ours.PoissonRegressor(alpha=0.2).fit(X, y)
    found = certify(X, y, *_parts(fit), 0.2, family="poisson", penalty=Penalty(0.0), standardize=False)
    assert found.relative_gap < 1e-10


def _parts(model):
    return float(np.ravel(model.intercept_)[0]), np.ravel(model.coef_)


def test_d24_several_targets_take_part_in_routing():
    for name in ("MultiTaskLasso", "MultiTaskElasticNet"):
        with config_context(enable_metadata_routing=True):
            with pytest.raises(ValueError, match="check_input"):
                getattr(peer, name)().set_fit_request(sample_weight=True)
            routed = getattr(ours, name)().set_fit_request(sample_weight=True).get_metadata_routing()
        assert routed.consumes("fit", ["sample_weight"]) == {"sample_weight"}
