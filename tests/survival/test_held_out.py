"""The held-out deviance of Cox fits: against its definition row by row, and what doesn't change it."""

import numpy as np
import pytest

import bridle
from bridle.losses import get_family
from bridle.survival import BaselineHazard, survival_target
from bridle.survival.target import EVENT, START, STRATUM, TIME


def simulated(n, seed, *, strata=True, late=True, ties=True, effect=(0.8, -0.5)):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, len(effect)))
    died, lost = rng.exponential(np.exp(-X @ np.array(effect))), rng.exponential(2.0, n)
    time = np.minimum(died, lost)
    time = np.ceil(10 * time) / 10 if ties else time
    start = time * rng.uniform(0, 0.6, n) * (rng.random(n) < 0.4) if late else None
    y = survival_target(time, died <= lost, start, rng.integers(0, 2, n) if strata else None)
    return X, y


def by_definition(y, eta, train, eta_train, w):
    """Breslow's hazards jump by d / sum of those at risk; an event between two jumps counts at the later one."""
    found = []
    for row, f in zip(y, eta, strict=True):
        mine = train[:, STRATUM] == row[STRATUM]
        times = np.unique(train[mine & (train[:, EVENT] == 1), TIME])
        if not times.size:
            found.append(0.0)
            continue
        jumps, plain = [], []
        for t in times:
            at_risk = mine & (train[:, START] < t) & (train[:, TIME] >= t)
            d = w[mine & (train[:, TIME] == t) & (train[:, EVENT] == 1)].sum()
            jumps.append(d / np.sum(w[at_risk] * np.exp(eta_train[at_risk])))
            plain.append(d / np.sum(w[at_risk]))
        jumps, plain, event = np.array(jumps), np.array(plain), row[EVENT] == 1
        place = min(int(np.sum(times < row[TIME])), times.size - 1)
        over = (times > row[START]) & (times <= (max(row[TIME], times[place]) if event else row[TIME]))
        hazard, usual = np.exp(f) * jumps[over].sum(), plain[over].sum()
        known = np.log(np.exp(f) * jumps[place] / plain[place] * max(usual, 1 / (len(train) + 2))) if event else 0.0
        found.append(2 * (hazard - event - known))
    return np.array(found)


def test_is_its_definition():
    X, y = simulated(90, 0)
    family, train, test = get_family("cox(ties='breslow')"), np.arange(60), np.arange(60, 90)
    w, eta = np.random.default_rng(1).uniform(0.5, 2.0, 60), X @ np.array([0.6, -0.3])
    found, unit = family.row_deviance(y[test], np.exp(eta[test]), (y[train], np.exp(eta[train]), w))
    np.testing.assert_allclose(found, by_definition(y[test], eta[test], y[train], eta[train], w), rtol=1e-9)
    np.testing.assert_array_equal(unit, y[test, EVENT])


@pytest.mark.parametrize("late", [False, True])
def test_on_training_rows_differences_are_those_of_the_partial_likelihood(late):
    X, y = simulated(80, 2, late=late)
    family, w = get_family("cox(ties='breslow')"), np.ones(80)
    eta = np.column_stack([np.zeros(80), X @ np.array([0.6, -0.3]), X @ np.array([-0.2, 0.1])])
    total = [family.row_deviance(y, np.exp(e), (y, np.exp(e), w))[0].sum() for e in eta.T]
    partial = 80 * family.mean_deviance(y, eta)
    np.testing.assert_allclose(np.diff(total), np.diff(partial), rtol=1e-9)


def test_without_features_it_is_the_squared_deviance_residual():
    _, y = simulated(60, 3, late=False, strata=False)
    one = np.ones(60)
    found, _ = get_family("cox").row_deviance(y, one, (y, one, one))
    hazard = BaselineHazard.estimate(get_family("cox"), y, np.zeros(60))
    times, curve = hazard.cumulative_hazard(np.zeros(1))
    u = np.concatenate([[0.0], curve[0]])[np.searchsorted(times, y[:, TIME], side="right")]
    d = y[:, EVENT]
    np.testing.assert_allclose(found, 2 * (u - d - d * np.log(np.where(d == 1, u, 1.0))), rtol=1e-9, atol=1e-12)
    assert found.min() >= -1e-12


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_time_and_the_zero_of_the_predictor_do_not_matter(ties):
    X, y = simulated(90, 4)
    family, train, test, w = get_family(f"cox(ties='{ties}')"), np.arange(60), np.arange(60, 90), np.ones(60)
    eta = X @ np.array([0.6, -0.3])

    def total(y, eta):
        return family.row_deviance(y[test], np.exp(eta[test]), (y[train], np.exp(eta[train]), w))[0]

    other = y.copy()
    other[:, TIME], other[:, START] = other[:, TIME] ** 3, np.where(np.isinf(y[:, START]), -np.inf, y[:, START] ** 3)
    np.testing.assert_allclose(total(other, eta), total(y, eta), rtol=1e-9)
    np.testing.assert_allclose(total(y, eta + 3.0), total(y, eta), rtol=1e-8)


def test_weights_are_repeated_rows_but_for_the_floor():
    X, y = simulated(90, 5, ties=False)
    family, test = get_family("cox(ties='breslow')"), np.arange(60, 90)
    times, eta = np.random.default_rng(0).integers(1, 4, 60), X @ np.array([0.6, -0.3])
    again = np.repeat(np.arange(60), times)
    one = family.row_deviance(y[test], np.exp(eta[test]), (y[:60], np.exp(eta[:60]), times.astype(float)))[0]
    two = family.row_deviance(y[test], np.exp(eta[test]), (y[again], np.exp(eta[again]), np.ones(again.size)))[0]
    np.testing.assert_allclose(one, two, rtol=1e-9)


def test_a_stratum_without_training_events_says_nothing():
    _, y = simulated(60, 6)
    y[:40, EVENT] = np.where(y[:40, STRATUM] == 1.0, 0.0, y[:40, EVENT])
    one = np.ones(60)
    found, unit = get_family("cox").row_deviance(y[40:], one[40:], (y[:40], one[:40], one[:40]))
    silent = y[40:, STRATUM] == 1.0
    assert silent.any() and not silent.all()
    assert not found[silent].any() and not unit[silent].any()
    assert (found[~silent & (y[40:, EVENT] == 1)] > 0).all()


def test_the_true_hazards_have_the_lowest_deviance():
    X, y = simulated(6000, 7, strata=False, late=True, ties=False)
    family, train, test, w = get_family("cox"), np.arange(2000), np.arange(2000, 6000), np.ones(2000)
    eta = X @ np.array([0.8, -0.5])

    def loss(eta):
        loss, unit = family.row_deviance(y[test], np.exp(eta[test]), (y[train], np.exp(eta[train]), w))
        return loss.sum() / unit.sum()

    noise = np.random.default_rng(0).standard_normal(6000)
    assert loss(eta) < min(loss(0.7 * eta), loss(1.3 * eta), loss(eta + 0.3 * noise), loss(np.zeros(6000)))


def test_a_separated_fit_has_a_large_but_finite_deviance():
    rng = np.random.default_rng(8)
    X = rng.standard_normal((60, 80))
    y = survival_target(rng.exponential(1.0, 60), np.ones(60))
    with pytest.warns(bridle.errors.BridleWarning):
        path = bridle.fit_path(X[:40], y[:40], family="cox", lambdas=[0.0])
    family, mean = get_family("cox"), get_family("cox").mean(1e3 * path.linear_predictor(X)[:, 0])
    loss, unit = family.row_deviance(y[40:], mean[40:], (y[:40], mean[:40], np.ones(40)))
    assert np.isfinite(mean).all() and 100 < loss.sum() / unit.sum() < np.inf


def test_survival_at_times_and_medians_are_those_of_the_curves():
    X, y = simulated(90, 9)
    family, eta = get_family("cox"), X @ np.array([0.6, -0.3])
    hazard = BaselineHazard.estimate(family, y, eta)
    stratum = np.where(np.arange(90) % 3 == 0, 5.0, y[:, STRATUM])  # 5: unknown
    times = np.array([0.0, 0.3, 1.0, 50.0])
    found, median = hazard.survival_at(eta, stratum, times), hazard.median(eta, stratum)
    for i in range(90):
        if stratum[i] == 5.0:
            assert np.isnan(found[i]).all() and np.isnan(median[i])
            continue
        at, curve = hazard.survival(eta[[i]], stratum[i])
        wanted = [1.0 if t < at[0] else curve[0, np.searchsorted(at, t, side="right") - 1] for t in times]
        np.testing.assert_allclose(found[i], wanted, rtol=1e-12)
        low = curve[0] <= 0.5
        assert median[i] == (at[np.argmax(low)] if low.any() else np.inf)
