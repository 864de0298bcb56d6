"""Regressors of any family: choices, scores, estimated parameters, offsets."""

import numpy as np
import pytest
from sklearn.metrics import d2_tweedie_score

import bridle
import bridle.estimators as ours
from bridle.errors import InputError


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 4))
    mu = np.exp(0.5 + 0.6 * X[:, 0] - 0.4 * X[:, 1])
    return X, {
        "gamma": rng.gamma(2.0, mu / 2),
        "tweedie": np.array([rng.gamma(2.0, m, size=k).sum() for m, k in zip(mu, rng.poisson(1, 300), strict=True)]),
        "negative_binomial": rng.negative_binomial(2, 2 / (2 + mu)).astype(float),
        "huber": np.log(mu) + rng.standard_t(2, 300),
    }


@pytest.mark.parametrize("family", ["gamma", "negative_binomial", "huber"])
def test_the_choice_is_the_fit_at_that_alpha(table, family):
    X, y = table[0], table[1][family]
    chosen = ours.GeneralizedLinearRegressorCV(family, l1_ratio=[0.5, 1.0], alphas=12, cv=3).fit(X, y)
    again = ours.GeneralizedLinearRegressor(chosen.family_, alpha=chosen.alpha_, l1_ratio=chosen.l1_ratio_).fit(X, y)
    np.testing.assert_allclose(again.coef_, chosen.coef_, rtol=1e-6, atol=1e-9)
    assert chosen.deviance_path_.shape == (2, 12, 3)
    assert again.score(X, y) == pytest.approx(chosen.score(X, y), abs=1e-9) and chosen.score(X, y) > 0.1


def test_score_is_scikit_learns_for_gamma(table):
    X, y = table[0], table[1]["gamma"]
    model = ours.GammaRegressor(alpha=0.1).fit(X, y)
    assert model.score(X, y) == pytest.approx(d2_tweedie_score(y, model.predict(X), power=2), abs=1e-12)


def test_theta_is_estimated_and_infinite_where_nothing_is_overdispersed(table):
    X, y = table[0], table[1]["negative_binomial"]
    model = ours.NegativeBinomialRegressor(alpha=0.01).fit(X, y)
    assert 1.0 < model.theta_ < 4.0
    given = ours.NegativeBinomialRegressor(alpha=0.01, theta=model.theta_).fit(X, y)
    np.testing.assert_allclose(given.coef_, model.coef_, rtol=1e-6)
    even = np.round(np.exp(0.5 * X[:, 0] + 1.0))
    assert np.isinf(ours.NegativeBinomialRegressor(alpha=0.01).fit(X, even).theta_)


def test_an_offset_moves_the_intercept_only(table):
    X, y = table[0], table[1]["gamma"]
    plain, moved = (ours.GammaRegressor(alpha=0.1).fit(X, y, offset=np.full(300, o)) for o in (0.0, 0.7))
    np.testing.assert_allclose(plain.coef_, moved.coef_, atol=1e-9)
    assert plain.intercept_ - moved.intercept_ == pytest.approx(0.7, abs=1e-9)
    np.testing.assert_allclose(plain.predict(X), moved.predict(X, offset=np.full(300, 0.7)), rtol=1e-9)


def test_classes_and_impossible_targets_are_refused(table):
    X, y = table[0], table[1]["huber"]
    for model in (
        ours.GammaRegressor(),
        ours.NegativeBinomialRegressor(),
        ours.GeneralizedLinearRegressorCV("tweedie"),
    ):
        with pytest.raises(InputError, match="needs a target of"):
            model.fit(X, y)
    with pytest.raises(InputError, match="for classes"):
        ours.GeneralizedLinearRegressor("squared_hinge").fit(X, y > 0)
    with pytest.raises(InputError, match="unknown family"):
        ours.GeneralizedLinearRegressor("cauchy").fit(X, y)
    assert bridle.GeneralizedLinearRegressor is ours.GeneralizedLinearRegressor
