"""CoxRegressor and CoxRegressorCV: scale, curves, strata, and scikit-learn's tools around them."""

import pickle

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bridle import CoxRegressor, CoxRegressorCV, concordance_index, fit_path, survival_target
from bridle.errors import InputError


def data(n=120, p=5, seed=0, late=False):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    life = rng.exponential(size=n) * np.exp(-X[:, 0] + 0.5 * X[:, 1])
    seen = rng.exponential(2.0, size=n)
    time = np.ceil(5.0 * np.minimum(life, seen))
    start = np.floor(time * rng.random(n) * 0.9) if late else None
    return X, survival_target(time, life <= seen, start)


X, Y = data()
SURV = np.array([(e == 1.0, t) for t, e in Y[:, 1:3]], dtype=[("event", bool), ("time", float)])


def test_the_scale_is_that_of_fit_path():
    model = CoxRegressor(alpha=0.02, l1_ratio=0.5, ties="breslow").fit(X, SURV)
    path = fit_path(X, Y, family="cox(ties='breslow')", lambdas=[0.02], l1_ratio=0.5, standardize=False, tol=1e-12)
    np.testing.assert_allclose(model.coef_, path.coef[0], atol=1e-7)
    assert model.relative_gap_ <= 1e-10
    assert "lam = 0.02" in model.objective_
    np.testing.assert_allclose(model.predict(X), X @ model.coef_)
    assert model.score(X, Y) == pytest.approx(concordance_index(Y, X @ model.coef_))


def test_without_features_the_curve_is_nelsons_and_aalens():
    model = CoxRegressor(alpha=1e3, l1_ratio=1.0, ties="breslow").fit(X, Y)
    assert not model.coef_.any()
    times = model.event_times_
    dead = np.array([((Y[:, 1] == t) & (Y[:, 2] == 1.0)).sum() for t in times])
    risk = np.array([(Y[:, 1] >= t).sum() for t in times])
    hazard = model.predict_cumulative_hazard_function(X[:2], return_array=True)
    np.testing.assert_allclose(hazard, np.tile(np.cumsum(dead / risk), (2, 1)), rtol=1e-12)
    curve = model.predict_survival_function(X[:1])[0]
    assert curve(0.0) == 1.0
    np.testing.assert_allclose(curve(times), np.exp(-hazard[0]))
    np.testing.assert_array_equal(curve([times[-1], times[-1] + 100.0]), [curve.y[-1]] * 2)


@pytest.mark.parametrize("late", [False, True])
def test_expected_events_equal_those_seen(late):
    """The integral of each row's hazard over its time at risk is its expected number of events."""
    X, y = data(late=late)
    model = CoxRegressor(alpha=0.0, ties="breslow").fit(X, y)
    functions = model.predict_cumulative_hazard_function(X)
    expected = [f(y[i, 1]) - (f(y[i, 0]) if late else 0.0) for i, f in enumerate(functions)]
    assert sum(expected) == pytest.approx(y[:, 2].sum(), rel=1e-9)
    residual = y[:, 2] - np.array(expected)
    np.testing.assert_allclose(X.T @ residual, 0.0, atol=1e-6)  # the score at the unpenalised fit


def test_strata_have_hazards_of_their_own():
    label = np.array(["b", "a", "c"])[np.arange(120) % 3]
    model = CoxRegressor(alpha=0.01).fit(X, SURV, strata=label)
    assert model.strata_.tolist() == ["a", "b", "c"]
    same = CoxRegressor(alpha=0.01).fit(X, survival_target(Y[:, 1], Y[:, 2], strata=label))
    np.testing.assert_array_equal(model.coef_, same.coef_)
    curves = model.predict_survival_function(X[:3], strata=["a", "b", "a"])
    alone = model.predict_survival_function(X[1:2], strata="b")[0]
    np.testing.assert_array_equal(curves[1].x, alone.x)
    np.testing.assert_allclose(curves[1].y, alone.y)
    assert not np.array_equal(curves[0].x, curves[1].x)
    assert model.predict_survival_function(X[:3], strata="c", return_array=True).shape == (3, len(model.event_times_))
    assert 0.5 < model.score(X, SURV, strata=label) < 1.0
    for wrong, message in ((None, "3 strata"), ("d", "no stratum 'd'"), (["a"], "one label for each row")):
        with pytest.raises(InputError, match=message):
            model.predict_survival_function(X[:3], strata=wrong)


def test_offsets_and_weights():
    weight, shift = np.arange(120) % 3 + 0.0, 0.5 * X[:, 2]
    model = CoxRegressor(alpha=0.01, ties="breslow").fit(X, Y, sample_weight=weight, offset=shift)
    again = np.repeat(np.arange(120), weight.astype(int))
    other = CoxRegressor(alpha=0.01, ties="breslow").fit(X[again], Y[again], offset=shift[again])
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-7)
    a, b = (m.predict_survival_function(X[:4], offset=shift[:4], return_array=True) for m in (model, other))
    np.testing.assert_allclose(a, b, rtol=1e-6)
    assert model.score(X, Y, weight, offset=shift) == pytest.approx(
        concordance_index(Y, X @ model.coef_ + shift, weight)
    )


def test_cross_validation_chooses_alpha():
    model = CoxRegressorCV(alphas=20, rule="min").fit(X, SURV)
    assert model.alpha_ in model.alphas_ and model.deviance_path_.shape == (20, 5)
    assert model.curve_.mean.argmin() == model.selection_.index
    assert model.coef_[0] > 0.3 and model.coef_[1] < -0.1
    tighter = CoxRegressorCV(alphas=20, rule="1se").fit(X, SURV)
    assert tighter.alpha_ >= model.alpha_
    several = CoxRegressorCV(alphas=8, l1_ratio=[0.2, 1.0], cv=KFold(3, shuffle=True, random_state=0)).fit(X, SURV)
    assert several.deviance_path_.shape == (2, 8, 3) and several.l1_ratio_ in (0.2, 1.0)
    assert several.predict_survival_function(X[:2], return_array=True).shape[0] == 2
    frame = pl.DataFrame(X, schema=list("abcde"))
    named = CoxRegressorCV(alphas=[0.1, 0.01]).fit(frame, pl.DataFrame({"time": Y[:, 1], "event": Y[:, 2]}))
    assert named.feature_names_in_.tolist() == list("abcde")
    assert named.score(frame, Y) > 0.6


def test_scikit_learns_tools():
    search = GridSearchCV(CoxRegressor(), {"alpha": [0.001, 0.1, 10.0]}, cv=3).fit(X, SURV)
    assert search.best_score_ > 0.6
    assert cross_val_score(make_pipeline(StandardScaler(), CoxRegressor(alpha=0.1)), X, SURV, cv=3).shape == (3,)
    model = CoxRegressor(alpha=0.1, l1_ratio=0.5).fit(sparse.csr_array(X), Y)
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.predict(X), model.predict(X))
    assert clone(model).get_params() == model.get_params()
    assert CoxRegressor(alpha=0.1).fit(X.astype(np.float32), Y).coef_.dtype == np.float32
    with pytest.raises(NotFittedError):
        CoxRegressor().predict(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": -1.0}, "alpha must be"),
        ({"l1_ratio": 2.0}, "l1_ratio must be"),
        ({"ties": "exact"}, "ties must be one of 'efron', 'breslow'"),
        ({"standardize": 3}, "standardize must be"),
    ],
)
def test_parameters_are_checked(parameters, message):
    with pytest.raises(InputError, match=message):
        CoxRegressor(**parameters).fit(X, Y)


def test_data_are_checked():
    with pytest.raises(InputError, match="one for each row of X"):
        CoxRegressor().fit(X[:50], Y)
    with pytest.raises(InputError, match="needs times and events"):
        CoxRegressor().fit(X, Y[:, 1])
    with pytest.raises(InputError, match="y to be passed"):
        CoxRegressor().fit(X, None)
    with pytest.raises(InputError, match="strata has shape"):
        CoxRegressor().fit(X, Y, strata=["a"])
    with pytest.raises(InputError, match="cv must be"):
        CoxRegressorCV(cv=1).fit(X, Y)
    with pytest.raises(ValueError, match="NaN"):
        CoxRegressor().fit(np.where(X[0, 0] == X, np.nan, X), Y)
