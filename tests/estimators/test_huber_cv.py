"""HuberRegressorCV: every fit has its own scale; against a grid search of scikit-learn's HuberRegressor."""

import numpy as np
import pytest
import sklearn.linear_model as peer
from scipy import sparse
from sklearn.model_selection import GridSearchCV, KFold

import bridle.estimators as ours
from bridle.errors import InputError

ALPHAS = [0.1, 3.0, 30.0]


def table(n=90, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    y = 2.0 + X @ [2.0, -1.0, 0.5, 0.0, 0.0, 0.0] + rng.standard_t(2, n)
    y[:4] += 40.0
    return X, y


def loss(model, X, y, sample_weight=None):
    """The loss of HuberRegressor's objective, per row, in the model's own scale."""
    z = np.abs(y - model.predict(X)) / model.scale_
    inside = np.where(z < model.epsilon, z**2, 2 * model.epsilon * z - model.epsilon**2)
    return float(np.average(model.scale_ * (1.0 + inside), weights=sample_weight))


def test_it_is_a_grid_search_of_scikit_learns_regressor():
    X, y = table()
    options = {"alphas": ALPHAS, "cv": KFold(4)}
    model = ours.HuberRegressorCV(**options).fit(X, y)
    search = GridSearchCV(
        peer.HuberRegressor(max_iter=10_000, tol=1e-9), {"alpha": ALPHAS[::-1]}, cv=KFold(4),
        scoring=lambda m, X, y: -loss(m, X, y),
    ).fit(X, y)  # fmt: skip
    theirs = np.stack([search.cv_results_[f"split{j}_test_score"] for j in range(4)], axis=1)
    np.testing.assert_allclose(model.loss_path_, -theirs, rtol=1e-4)
    assert model.alpha_ == search.best_params_["alpha"]
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-3, atol=1e-4)
    assert model.scale_ == pytest.approx(search.best_estimator_.scale_, rel=1e-3)
    assert np.all(model.outliers_[:4]) and model.outliers_.sum() < 40
    train, test = next(iter(KFold(4).split(X)))
    one = ours.HuberRegressor(alpha=30.0).fit(X[train], y[train])
    assert model.scale_path_[0, 0] == pytest.approx(one.scale_, rel=1e-5)
    assert model.loss_path_[0, 0] == pytest.approx(loss(one, X[test], y[test]), rel=1e-6)
    assert model.curve_.train_loss[0, 0] == pytest.approx(loss(one, X[train], y[train]), rel=1e-6)
    assert model.score(X, y) == pytest.approx(search.best_estimator_.score(X, y), abs=1e-4)


def test_what_is_kept_is_the_regressor_at_the_alpha_chosen():
    X, y = table(seed=1)
    w = np.random.default_rng(1).integers(1, 4, len(y)).astype(float)
    offset = X[:, 1] * 0.5
    options = {"standardize": True, "penalty_factor": [0.0, 1, 1, 1, 1, 1], "lower": -0.5, "fit_intercept": True}
    model = ours.HuberRegressorCV(alphas=5, rule="1se", **options).fit(X, y, sample_weight=w, offset=offset)
    alone = ours.HuberRegressor(alpha=model.alpha_, **options).fit(X, y, sample_weight=w, offset=offset)
    np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-8)
    assert model.scale_ == pytest.approx(alone.scale_)
    assert model.selection_.rule == "1se" and model.coef_.min() >= -0.5
    assert model.alphas_[-1] == pytest.approx(1e-6 * model.alphas_[0])
    assert np.all(np.diff(model.alphas_) < 0.0)


def test_weights_are_rows_and_units_scale():
    X, y = table(60, seed=2)
    w = np.arange(60) % 3 + 1
    folds = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    model = ours.HuberRegressorCV(alphas=ALPHAS, cv=folds).fit(X, y, sample_weight=w)
    rows = np.repeat(np.arange(60), w)
    twice = [(np.flatnonzero(np.isin(rows, a)), np.flatnonzero(np.isin(rows, b))) for a, b in folds]
    repeated = ours.HuberRegressorCV(alphas=ALPHAS, cv=twice).fit(X[rows], y[rows])
    np.testing.assert_allclose(repeated.loss_path_, model.loss_path_, rtol=1e-5)
    np.testing.assert_allclose(repeated.coef_, model.coef_, rtol=1e-5, atol=1e-6)
    loose = ours.HuberRegressorCV(alphas=ALPHAS, cv=folds).fit(sparse.csc_array(X), y, sample_weight=w)
    np.testing.assert_allclose(loose.loss_path_, model.loss_path_, rtol=1e-5)
    thousand = ours.HuberRegressorCV(alphas=np.array(ALPHAS) / 1e3, cv=folds).fit(X, 1e3 * y, sample_weight=w)
    np.testing.assert_allclose(thousand.loss_path_, 1e3 * model.loss_path_, rtol=1e-5)


def test_wide_and_constant_data_have_an_answer():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(25, 60))
    y = X[:, 0] + rng.standard_t(2, 25)
    model = ours.HuberRegressorCV(alphas=6).fit(X, y)
    assert np.isfinite(model.loss_path_).all() and model.scale_ > 0.0
    flat = ours.HuberRegressorCV(alphas=3).fit(np.ones((25, 2)), y)
    np.testing.assert_allclose(flat.coef_, 0.0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rule": "bic"}, "rule must be one of 'min', '1se', 'within'"),
        ({"epsilon": 0.5}, "epsilon must be a number >= 1"),
        ({"eps": 2.0}, "eps must be"),
        ({"alphas": 0}, "alphas"),
        ({"cv": 1}, "cv"),
    ],
)
def test_wrong_parameters_are_told(options, said):
    with pytest.raises((InputError, ValueError), match=said):
        ours.HuberRegressorCV(**options).fit(*table())
