"""Verdicts on times to an event: pure noise, an unregularised fit of too many features, and effects that bend."""

import numpy as np
import pytest

from bridle.diagnosis import collect_evidence, judge, learning_curve
from bridle.diagnosis.boosted_hazard import BoostedHazard
from bridle.diagnosis.challengers import make_challengers
from bridle.diagnosis.contenders import FixedContender, LinearContender, Target
from bridle.diagnosis.measure import measure_of
from bridle.selection import make_folds
from bridle.survival import survival_target
from bridle.survival.scores import concordance_error


def simulated(eta, rng, censoring=1.5):
    died, lost = rng.weibull(1.3, len(eta)) * np.exp(-eta / 1.3), rng.exponential(censoring, len(eta))
    return survival_target(np.minimum(died, lost), died <= lost)


def evidence(X, y, seed=0, names=("null", "splines"), n_repeats=2, **options):
    target = Target(y, "cox", **options)
    others, _ = make_challengers(X, target, names, seed=seed)
    own = (
        FixedContender("unregularised", "unregularised", X, target),
        LinearContender("lasso", "lasso", X, target, (1.0,), strengths=(10.0, 0.1), n_lambdas=12, inner_folds=3),
    )
    folds = make_folds(y, family="cox", n_splits=5, n_repeats=n_repeats, seed=seed)
    return collect_evidence((*others, *own), y, family="cox", folds=folds), target


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pure_noise_is_no_signal(seed):
    rng = np.random.default_rng(seed)
    found, _ = evidence(rng.standard_normal((150, 8)), simulated(np.zeros(150), rng), seed)
    for model in ("lasso", "unregularised"):
        verdict = judge(found, model)
        assert verdict.label == "no signal"
        assert "the baseline hazard alone" in verdict.sentence
    assert judge(found, "lasso").null_loss == pytest.approx(2.0, abs=0.6)


def test_an_unregularised_fit_of_many_features_overfits():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((180, 60))
    found, _ = evidence(X, simulated(X[:, :3] @ np.array([1.0, -0.8, 0.6]), rng), names=("null",))
    verdict = judge(found, "unregularised")
    assert verdict.label == "overfitting" and verdict.effect.lower > 0.0
    assert verdict.calibration_slope.upper < 0.8  # hazards too far apart
    assert judge(found, "lasso").label in ("balanced", "undetermined")


@pytest.mark.parametrize("seed", [0, 1])
def test_a_bent_effect_is_underfitting(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((300, 3))
    found, _ = evidence(X, simulated(X[:, 0] ** 2 - 1.0, rng), seed)
    verdict = judge(found, "lasso")
    assert verdict.label == "underfitting" and verdict.alternative == "splines"


def test_boosting_sees_an_interaction():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((700, 3))
    y = simulated(1.5 * X[:, 0] * X[:, 1], rng)
    options = {"max_iter": 40, "max_leaf_nodes": 8, "min_samples_leaf": 20, "max_bins": 64, "random_state": 0}
    risk = BoostedHazard(options=options).fit(X[:500], y[:500]).predict(X[500:])
    assert (risk > 0.0).all()
    assert concordance_error(y[500:], risk, np.ones(200))[0] > 0.65


def test_losses_are_per_event_and_folds_count_by_events():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((120, 2))
    y = simulated(X[:, 0], rng)
    found, target = evidence(X, y, names=("null",), n_repeats=1)
    folds = make_folds(y, family="cox", n_splits=5, seed=0)
    np.testing.assert_array_equal(found.test_weight, [y[test, 2].sum() for _, test in folds.pairs])
    assert found.test_weight.sum() == y[:, 2].sum()
    curve = learning_curve(
        FixedContender("unregularised", "u", X, target), y, family="cox", folds=folds, shares=(0.5, 1.0)
    )
    at = found.column("unregularised")
    assert curve.test[-1].value == pytest.approx(np.average(found.test_loss[:, at], weights=found.test_weight))


def test_a_null_model_on_a_part_of_the_rows_is_worth_what_it_is_on_all():
    rng = np.random.default_rng(4)
    y = simulated(np.zeros(90), rng)
    measure, w, rows = measure_of("cox"), np.ones(90), np.arange(90)
    whole, part, test = rows[:60], rows[:25], rows[60:]
    of_part = measure.losses_of_part(y, w, measure.null(y, w, None, part, test), part, test, whole)
    of_whole = measure.losses(y, w, measure.null(y, w, None, whole, test), whole, test)
    assert of_part == pytest.approx(of_whole)


def test_slope_is_one_for_true_hazards_and_two_for_half_of_them():
    rng = np.random.default_rng(5)
    eta = rng.standard_normal(800)
    y, folds = simulated(eta, rng), rng.integers(0, 5, 800)
    measure, w = measure_of("cox"), np.ones(800)
    shifted = np.exp(eta + folds)  # each fold's zero is its own
    slope, error = measure.slope(y, shifted, w, None, folds)
    assert slope == pytest.approx(1.0, abs=3 * error) and error < 0.1
    half, _ = measure.slope(y, np.exp(eta / 2), w, None, folds)
    assert half == pytest.approx(2 * slope, rel=1e-3)
    assert np.isnan(measure.slope(y, np.ones(800), w, None, folds)[0])


def test_sample_size_counts_events_and_knows_the_time_to_event_criterion():
    from bridle.diagnosis.sample_size import sample_size

    few, many = (sample_size("cox", 400, 200, k, 0.2, null=2.0) for k in (10, 40))
    assert few.per_candidate == 20.0 and "events each" in few.sentence
    assert many.riley_required > 3 * few.riley_required
    r2 = -np.expm1(-0.2 * 2.0 * 200 / 400)
    assert few.riley_required == int(np.ceil(10 / ((0.9 - 1) * np.log1p(-r2 / 0.9))))
