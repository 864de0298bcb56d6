"""`diagnose` of survival estimators: losses by hand, forms of the target, and what can't be judged."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bridle
from bridle.diagnosis.challengers import make_challengers
from bridle.diagnosis.contenders import Target
from bridle.errors import InputError
from bridle.losses import get_family
from bridle.survival import survival_target

QUICK = {"n_repeats": 1, "learning_curve": False, "challengers": ["ridge"]}


def table(n=150, p=3, seed=0, strata=None):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    died, lost = rng.weibull(1.3, n) * np.exp(-X[:, 0] / 1.3), rng.exponential(1.5, n)
    return X, survival_target(np.minimum(died, lost), died <= lost, strata=strata)


class Foreign(RegressorMixin, BaseEstimator):
    """An estimator of somebody else: trained with fields, predicts log relative hazards from another zero."""

    def __init__(self, alpha=0.01, shift=0.0, n_columns=1):
        self.alpha = alpha
        self.shift = shift
        self.n_columns = n_columns

    def fit(self, X, y):
        assert y.dtype.names is not None
        self.model_ = bridle.CoxRegressor(alpha=self.alpha).fit(X, y)
        return self

    def predict(self, X):
        eta = self.model_.predict(X) + self.shift
        return eta if self.n_columns == 1 else np.column_stack([eta] * self.n_columns)


def fields(y):
    pairs = np.empty(len(y), dtype=[("dead", "?"), ("months", "f8")])
    pairs["dead"], pairs["months"] = y[:, 2] == 1.0, y[:, 1]
    return pairs


def held_out(found):
    """(J,) losses of the estimator."""
    return found.evidence.test_loss[:, found.evidence.column("model")]


def test_losses_are_the_deviances_per_event_of_held_out_survival():
    X, y = table()
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    found = bridle.diagnose(bridle.CoxRegressor(alpha=0.05), X, y, folds=folds, **QUICK)
    family = get_family("cox")
    assert found.evidence.family == family.spec
    for j, (train, test) in enumerate(folds):
        model = bridle.CoxRegressor(alpha=0.05).fit(X[train], y[train])
        risk = np.exp(model.predict(X))
        loss, unit = family.row_deviance(y[test], risk[test], (y[train], risk[train], np.ones(len(train))))
        expected = loss.sum() / unit.sum()
        assert held_out(found)[j] == pytest.approx(expected, rel=1e-6)
    assert "CoxRegressor, alpha = 0.5" in {c.label for c in found.verdict.comparisons}
    assert found.verdict.label in ("balanced", "undetermined")


def test_forms_of_the_target_and_zeros_of_predictors_dont_matter():
    X, y = table()
    frame = pd.DataFrame({"time": y[:, 1], "status": y[:, 2]})
    search = GridSearchCV(bridle.CoxRegressor(), {"alpha": [0.05]}, cv=2)
    losses = [
        held_out(bridle.diagnose(model, X, target, **QUICK, **options))
        for model, target, options in (
            (bridle.CoxRegressor(alpha=0.05), y, {}),
            (bridle.CoxRegressor(alpha=0.05), fields(y), {}),
            (bridle.CoxRegressor(alpha=0.05), frame, {}),
            (Foreign(0.05, shift=1000.0), fields(y), {"family": "cox"}),
            (search, y, {}),
        )
    ]
    for loss in losses[1:]:
        np.testing.assert_allclose(loss, losses[0], rtol=1e-6)
    scaled = make_pipeline(StandardScaler(), bridle.CoxRegressor(alpha=0.0))
    same, plain = (bridle.diagnose(m, X, y, **QUICK) for m in (scaled, bridle.CoxRegressor(alpha=0.0)))
    np.testing.assert_allclose(held_out(same), held_out(plain), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:CoxRegressor did not converge")  # monotone likelihoods in the smallest parts
def test_a_fit_without_penalty_of_many_features_overfits_and_a_tuned_one_doesnt():
    X, y = table(180, 40, seed=2)
    options = {"n_repeats": 2, "challengers": ["lasso"]}
    over = bridle.diagnose(bridle.CoxRegressor(alpha=0.0), X, y, **options)
    assert over.verdict.label == "overfitting"
    assert over.verdict.calibration_slope.upper < 1.0
    assert over.curve.test[0].value > over.curve.test[-1].value
    tuned = bridle.CoxRegressorCV(alphas=8, cv=3, l1_ratio=1.0)
    fine = bridle.diagnose(tuned, X, y, learning_curve=False, **options)
    assert fine.verdict.label in ("balanced", "undetermined")
    noise = bridle.diagnose(tuned, np.random.default_rng(1).normal(size=X.shape), y, learning_curve=False, **options)
    assert noise.verdict.label == "no signal"


def test_weights_groups_and_strata():
    labels = np.repeat(["a", "b"], 75)
    X, y = table(strata=labels)
    w = np.random.default_rng(0).uniform(0.5, 2.0, 150)
    groups = np.arange(150) // 3
    found = bridle.diagnose(bridle.CoxRegressor(alpha=0.05), X, y, sample_weight=w, groups=groups, **QUICK)
    fold = found.evidence.fold_of[0]
    assert all(len(set(fold[groups == g])) == 1 for g in np.unique(groups))
    test = np.flatnonzero(fold == 0)
    train = np.flatnonzero(fold != 0)
    model = bridle.CoxRegressor(alpha=0.05).fit(X[train], y[train], sample_weight=w[train])
    risk = np.exp(model.predict(X))
    loss, unit = get_family("cox").row_deviance(y[test], risk[test], (y[train], risk[train], w[train]))
    expected = (w[test] @ loss) / (w[test] @ unit)
    assert held_out(found)[0] == pytest.approx(expected, rel=1e-6)


def test_boosting_takes_part():
    """Its predictions are one relative hazard a row, not one for each column of the target."""
    X, y = table(120)
    boosting = make_challengers(X, Target(y, "cox"), ["boosting"])[0][1]
    train, test = boosting.fit_predict(np.arange(80), np.arange(80, 120))[""]
    assert train.shape == (80,) and test.shape == (40,) and (test > 0.0).all()
    found = bridle.diagnose(bridle.CoxRegressor(), X, y, **(QUICK | {"challengers": ["boosting"]}))
    assert not found.evidence.failed and "boosting" in found.evidence.names


class TimesOnly(Foreign):
    """Looks like scikit-survival's accelerated failure time models."""

    __module__ = "sksurv.linear_model"
    _predict_risk_score = False


class Forest(Foreign):
    """Looks like scikit-survival's forests."""

    __module__ = "sksurv.ensemble.forest"


class Theirs(Foreign):
    """Looks like scikit-survival's Cox models."""

    __module__ = "sksurv.linear_model.coxph"

    def predict_cumulative_hazard_function(self, X):
        return self.model_.predict_cumulative_hazard_function(X)


def test_scikit_survivals_classes_get_an_event_and_a_time():
    X, y = table()
    mine, theirs = (bridle.diagnose(m, X, y, **QUICK) for m in (bridle.CoxRegressor(alpha=0.01), Theirs()))
    np.testing.assert_allclose(held_out(theirs), held_out(mine), rtol=1e-6)
    late = y.copy()
    late[:, 0] = 0.0
    with pytest.raises(InputError, match="start times or strata"):
        bridle.diagnose(Theirs(), X, late, **QUICK)


@pytest.mark.parametrize(
    ("model", "change", "said"),
    [
        (LogisticRegression(), {"family": "cox"}, "LogisticRegression is a classifier"),
        (TimesOnly(), {}, "TimesOnly predicts times"),
        (Forest(), {"family": "cox"}, "adds up cumulative hazards"),
        (LinearRegression(), {}, "LinearRegression isn't known to predict them"),
        (Foreign(n_columns=2), {"family": "cox"}, "predicts an array of shape (120, 2), expected (120,)"),
        (Foreign(shift=np.inf), {"family": "cox"}, "values that aren't finite"),
        (bridle.CoxRegressor(), {"y": np.ones(150)}, "the cox family needs times and events"),
        (bridle.CoxRegressor(), {"y": np.column_stack([np.ones(150), np.zeros(150)])}, "there is no event"),
        (bridle.CoxRegressor(), {"sample_weight": np.ones(3)}, "sample_weight has shape (3,), y has 150 rows"),
        (bridle.CoxRegressor(), {"challengers": ["pear"]}, "unknown challengers 'pear'"),
    ],
)
def test_what_cant_be_judged_is_told(model, change, said):
    X, y = table()
    options = QUICK | {"y": fields(y)} | change
    with pytest.raises(InputError, match=re.escape(said)):
        bridle.diagnose(model, X, options.pop("y"), **options)


def test_other_families_refuse_structured_targets():
    X, y = table()
    with pytest.raises(InputError, match="gaussian target must be numbers"):
        bridle.diagnose(LinearRegression(), X, fields(y), family="gaussian", **QUICK)
    with pytest.raises(InputError, match="X has 150 rows and y has 3"):
        bridle.diagnose(bridle.CoxRegressor(), X, y[:3], **QUICK)
