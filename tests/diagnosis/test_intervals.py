"""Arithmetic of the corrected intervals against plain formulas and scipy.stats."""

import numpy as np
import pytest
from scipy import stats

from bridle.diagnosis.intervals import MaxT, correction, excess_risk, log_ratios, mean_interval, standard_errors

N_TRAIN, N_TEST = np.full(10, 90), np.full(10, 10)


def test_mean_interval_is_nadeau_and_bengios_formula():
    values = np.array([1.0, 2.0, 4.0, 3.0, 2.0, 5.0, 1.0, 2.0, 3.0, 2.0])
    found = mean_interval(values, np.ones(10), correction(N_TRAIN, N_TEST), 0.95)
    se = np.sqrt((1 / 10 + 10 / 90) * values.var(ddof=1))
    assert found.value == pytest.approx(values.mean(), rel=1e-14)
    assert found.upper - found.value == pytest.approx(stats.t.ppf(0.975, 9) * se, rel=1e-12)
    assert found.value - found.lower == pytest.approx(found.upper - found.value, rel=1e-12)


def test_correction_takes_the_mean_ratio_of_unequal_folds():
    assert correction(np.array([8, 6]), np.array([2, 4])) == pytest.approx(0.5 + (0.25 + 4 / 6) / 2)


def test_influence_is_the_derivative_of_the_log_ratio():
    rng = np.random.default_rng(1)
    model, other, weight = rng.uniform(1, 2, 6), rng.uniform(1, 2, (6, 1)), rng.uniform(1, 3, 6)
    _, influence = log_ratios(model, other, weight)
    step = 1e-6
    for j in range(6):
        up, down = np.full(6, 0.0), np.full(6, 0.0)
        up[j], down[j] = step, -step
        # moving the fold's losses toward themselves is moving its weight: the influence function of a mean
        moved = [log_ratios(model, other, weight * (1 + d))[0][0] for d in (up, down)]
        derivative = (moved[0] - moved[1]) / (2 * step)
        assert influence[j, 0] / 6 == pytest.approx(derivative, rel=1e-4, abs=1e-8)
    assert np.allclose(influence.sum(axis=0), 0, atol=1e-12)


def test_log_ratio_changes_sign_when_model_and_alternative_swap():
    rng = np.random.default_rng(2)
    a, b, w = rng.uniform(1, 2, 10), rng.uniform(1, 2, 10), np.ones(10)
    est, d = log_ratios(a, b[:, None], w)
    back, e = log_ratios(b, a[:, None], w)
    assert est[0] == pytest.approx(-back[0])
    assert np.allclose(d, -e)


def test_excess_risk_is_unchanged_by_the_scale_of_the_loss():
    rng = np.random.default_rng(3)
    a, b = rng.uniform(1, 2, 10), rng.uniform(1, 2, 10)
    one = excess_risk(a, b, n_train=N_TRAIN, n_test=N_TEST)
    other = excess_risk(1e6 * a, 1e6 * b, n_train=N_TRAIN, n_test=N_TEST)
    assert one.value == pytest.approx(a.mean() / b.mean() - 1)
    assert (one.lower, one.upper) == pytest.approx((other.lower, other.upper), rel=1e-9)
    assert one.lower < one.value < one.upper


def test_excess_risk_of_a_perfect_alternative_is_missing():
    found = excess_risk(np.ones(10), np.zeros(10), n_train=N_TRAIN, n_test=N_TEST)
    assert np.isnan([found.value, found.lower, found.upper]).all()


@pytest.mark.parametrize("alpha", [0.001, 0.025, 0.05, 0.2])
def test_p_value_and_critical_value_are_dual(alpha):
    largest = MaxT.of(np.random.default_rng(4).standard_normal((20, 7)))
    critical = largest.critical(alpha)
    assert largest.p_value(critical) <= alpha < largest.p_value(critical * (1 - 1e-9))


def test_max_t_of_one_statistic_is_students_t():
    largest = MaxT.of(np.random.default_rng(5).standard_normal((10, 1)))
    assert largest.critical(0.025) == pytest.approx(stats.t.ppf(0.975, 9), rel=1e-9)
    assert largest.p_value(2.0) == pytest.approx(stats.t.sf(2.0, 9), rel=0.1)


def test_copies_of_an_alternative_cost_nothing_and_independent_ones_at_most_bonferroni():
    one = np.random.default_rng(6).standard_normal((10, 1))
    copies = MaxT.of(np.repeat(one, 5, axis=1)).critical(0.025)
    assert copies == pytest.approx(stats.t.ppf(0.975, 9), rel=0.03)
    apart = MaxT.of(np.random.default_rng(7).standard_normal((200, 5))).critical(0.025)
    assert stats.t.ppf(0.975, 199) < apart <= stats.t.ppf(1 - 0.025 / 5, 199) * (1 + 1e-12)


def test_max_t_holds_its_level_in_a_simulation():
    """Share of false rejections of the largest of correlated t statistics, against its binomial error."""
    rng = np.random.default_rng(8)
    root = np.linalg.cholesky(0.6 + 0.4 * np.eye(4))
    wrong, runs = 0, 200
    for _ in range(runs):
        z = rng.standard_normal((12, 4)) @ root.T
        d = z - z.mean(axis=0)
        t = z.mean(axis=0) / standard_errors(d, 1 / 12)
        wrong += t.max() > MaxT.of(d).critical(0.05)
    assert wrong / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
