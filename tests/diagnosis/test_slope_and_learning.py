"""Calibration slopes against statsmodels, and the learning curve."""

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from bridle.diagnosis import calibration_slope, collect_evidence, learning_curve
from bridle.diagnosis.contenders import EstimatorContender, LinearContender, NullContender, Target
from bridle.diagnosis.learning import last_fall
from bridle.diagnosis.slope import calibration_in_the_large
from bridle.errors import InputError
from bridle.losses import get_family
from bridle.selection import make_folds


class Told:
    """Predicts means it was told."""

    name, label = "told", "told"

    def __init__(self, mean):
        self.mean = mean

    def fit_predict(self, train, test):
        return {"": (self.mean[train], self.mean[test])}


def evidence_of(mean, y, family, **options):
    folds = make_folds(y, family=family, n_splits=5, **options)
    return collect_evidence((NullContender(Target(y, family)), Told(mean)), y, family=family, folds=folds)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_slope_is_that_of_a_glm_on_the_centred_predictor(family):
    rng = np.random.default_rng(0)
    unit, f = get_family(family), rng.normal(0, 0.7, 400)
    mean = unit.mean(0.6 * f)
    y = {
        "gaussian": lambda: mean + rng.standard_normal(400),
        "binomial": lambda: (rng.random(400) < mean).astype(float),
        "poisson": lambda: rng.poisson(mean).astype(float),
    }[family]()
    evidence = evidence_of(unit.mean(f), y, family)
    centred = f.copy()
    for fold in range(5):
        centred[evidence.fold_of[0] == fold] -= f[evidence.fold_of[0] == fold].mean()
    kind = {"gaussian": sm.families.Gaussian, "binomial": sm.families.Binomial, "poisson": sm.families.Poisson}[
        family
    ]()
    oracle = sm.GLM(y, sm.add_constant(centred), family=kind).fit(cov_type="HC1")
    found = calibration_slope(evidence, "told")
    assert found.value == pytest.approx(oracle.params[1], rel=1e-5)
    assert (found.upper - found.value) / 1.966 == pytest.approx(oracle.bse[1], rel=0.01)
    assert found.lower < 0.6 < found.upper


def test_doubling_a_predictor_halves_the_slope():
    rng = np.random.default_rng(1)
    f = rng.standard_normal(200)
    y = f + rng.standard_normal(200)
    one, two = (calibration_slope(evidence_of(k * f, y, "gaussian"), "told") for k in (1, 2))
    assert two.value == pytest.approx(one.value / 2, rel=1e-9)


def test_constant_predictions_have_no_slope():
    y = np.random.default_rng(2).standard_normal(60)
    assert np.isnan(calibration_slope(evidence_of(np.zeros(60), y, "gaussian"), "told").value)


def test_probabilities_of_0_and_1_have_a_slope():
    rng = np.random.default_rng(3)
    y = (rng.random(200) < 0.5).astype(float)
    wrong = rng.random(200) < 0.2
    found = calibration_slope(evidence_of(np.where(wrong, 1 - y, y), y, "binomial"), "told")
    assert 0 < found.value < 1


def test_observed_over_expected():
    rng = np.random.default_rng(4)
    y = rng.poisson(2.0, 300).astype(float)
    found = calibration_in_the_large(evidence_of(np.full(300, 1.0), y, "poisson"), "told")
    assert found.value == pytest.approx(y.mean())
    assert found.lower > 1
    gaussian = calibration_in_the_large(evidence_of(y - 0.5 * y.std(), y, "gaussian"), "told")
    assert gaussian.value == pytest.approx(0.5)


def test_learning_curve_falls_for_a_learner_and_ends_at_the_evidence():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((200, 15))
    y = X @ rng.standard_normal(15) + rng.standard_normal(200)
    target, folds = Target(y), make_folds(y, n_splits=5)
    model = EstimatorContender("m", "m", LinearRegression(), X, target)
    curve = learning_curve(model, y, folds=folds)
    assert curve.n_train == (32, 64, 96, 128, 160)
    assert curve.test[0].value > curve.test[-1].value
    assert curve.train[0].value < curve.train[-1].value
    evidence = collect_evidence((NullContender(target), model), y, folds=folds)
    assert curve.test[-1].value == pytest.approx(np.average(evidence.test_loss[:, 1], weights=evidence.test_weight))
    assert last_fall(curve) == pytest.approx((curve.test[-2].value - curve.test[-1].value) / curve.test[-2].value)


def test_evidence_spares_the_fits_to_whole_folds():
    rng = np.random.default_rng(8)
    X = rng.standard_normal((90, 3))
    y = rng.integers(0, 3, 90).astype(float)
    target = Target(get_family("multinomial").target(y, 90), "multinomial")
    folds = make_folds(target.y, family="multinomial", n_splits=3, n_repeats=2, seed=0)
    sizes = []

    class Counted(LinearContender):
        def fit_predict(self, train, test):
            sizes.append(len(train))
            return super().fit_predict(train, test)

    model = Counted("m", "m", X, target, n_lambdas=5)
    known = collect_evidence((NullContender(target), model), target.y, family="multinomial", folds=folds)
    options = {"family": "multinomial", "folds": folds, "shares": (0.5, 1.0)}
    plain = learning_curve(model, target.y, **options)
    sizes.clear()
    assert learning_curve(model, target.y, known=known, **options) == plain
    assert len(sizes) == 3 and max(sizes) < 40


def test_sizes_that_cannot_be_trained_are_left_out():
    rng = np.random.default_rng(6)
    X, y = rng.standard_normal((100, 2)), rng.standard_normal(100)
    model = EstimatorContender("m", "m", KNeighborsRegressor(40), X, Target(y))
    assert learning_curve(model, y, folds=make_folds(y, n_splits=5)).n_train == (48, 64, 80)


def test_every_part_holds_both_classes():
    rng = np.random.default_rng(7)
    y = np.r_[np.ones(12), np.zeros(108)]
    parts = []

    class Watch(Told):
        def fit_predict(self, train, test):
            parts.append(y[train].mean())
            return super().fit_predict(train, test)

    learning_curve(
        Watch(np.full(120, 0.1)),
        rng.permutation(y) * 0 + y,
        family="binomial",
        folds=make_folds(y, family="binomial", n_splits=4),
    )
    assert np.allclose(parts, 0.1, atol=0.04)


def test_bad_shares_are_refused():
    y = np.arange(20.0)
    with pytest.raises(InputError, match="shares"):
        learning_curve(Told(y), y, folds=make_folds(y, n_splits=2), shares=(0.0, 1.0))


def test_learning_curves_agree_on_any_number_of_threads_and_skip_equal_sizes():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 3))
    y = X[:, 0] + rng.normal(size=60)
    model = LinearContender("lasso", "lasso", X, Target(y))
    folds = make_folds(y, n_splits=3)
    one, three = (learning_curve(model, y, folds=folds, n_jobs=jobs) for jobs in (1, 3))
    assert one == three and one.n_train == (10, 16, 24, 32, 40)
    few = learning_curve(model, y[:14], folds=make_folds(y[:14], n_splits=3))
    assert len(set(few.n_train)) == len(few.n_train)
