"""Scores on held-out rows against scikit-learn, brute force and simulated coverage."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, d2_tweedie_score, r2_score, roc_auc_score, roc_curve

from bridle.job import holdout
from bridle.losses import BINOMIAL, GAUSSIAN, POISSON


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_auc_equals_scikit_learns_with_ties(rng):
    y, score = rng.integers(0, 2, 200) == 1, rng.integers(0, 15, 200) / 15.0
    assert holdout.auc(y, score) == pytest.approx(roc_auc_score(y, score), rel=1e-14)
    assert holdout.auc_interval(y, score, np.ones(y.size), 0.95).value == pytest.approx(
        roc_auc_score(y, score), rel=1e-14
    )
    assert np.isnan(holdout.auc(np.ones(3, bool), score[:3]))


def test_a_perfect_auc_on_few_rows_is_no_certainty():
    few = holdout.auc_interval(np.arange(14) < 5, -np.arange(14.0), np.ones(14), 0.95)
    many = holdout.auc_interval(np.arange(1400) < 500, -np.arange(1400.0), np.ones(1400), 0.95)
    assert few.value == many.value == few.upper == 1.0
    assert 0.55 < few.lower < 0.9 < 0.99 < many.lower < 1.0
    wrong = holdout.auc_interval(np.arange(14) < 5, np.arange(14.0), np.ones(14), 0.95)
    assert (wrong.value, wrong.lower, wrong.upper) == (0.0, 0.0, pytest.approx(1.0 - few.lower))


def test_delongs_variance_equals_its_definition(rng):
    y = np.r_[np.ones(13, bool), np.zeros(17, bool)]
    score = rng.normal(size=30) + y
    wins = (score[y][:, None] > score[~y]) + 0.5 * (score[y][:, None] == score[~y])  # (13, 17)
    variance = wins.mean(axis=1).var(ddof=1) / 13 + wins.mean(axis=0).var(ddof=1) / 17
    found = holdout.auc_interval(y, score, np.ones(y.size), 0.95)
    assert found.upper - found.value == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-6)


def test_scores_equal_scikit_learns(rng):
    w = np.ones(120)
    y = rng.normal(size=120)
    mu = y + rng.normal(size=120)
    got = holdout.scores(GAUSSIAN, y, mu, np.full(120, y.mean()), w, 0.95)
    assert got["deviance explained"].value == pytest.approx(r2_score(y, mu), rel=1e-12)
    assert got["RMSE"].value == pytest.approx(np.sqrt(np.mean((y - mu) ** 2)), rel=1e-12)
    label, p = rng.integers(0, 2, 120).astype(float), rng.uniform(0.02, 0.98, 120)
    got = holdout.scores(BINOMIAL, label, p, np.full(120, label.mean()), w, 0.95)
    assert got["accuracy"].value == pytest.approx(accuracy_score(label, p >= 0.5))
    assert got["Brier score"].value == pytest.approx(brier_score_loss(label, p), rel=1e-12)
    counts, mean = rng.poisson(3, 120).astype(float), rng.uniform(1, 6, 120)
    got = holdout.scores(POISSON, counts, mean, np.full(120, counts.mean()), w, 0.95)
    assert got["deviance explained"].value == pytest.approx(d2_tweedie_score(counts, mean, power=1), rel=1e-10)


def test_intervals_cover_at_their_level(rng):
    """3,000 samples of 80 rows: 95 % intervals must hold the truth in 92.5 % to 97 % of them."""
    hits = np.zeros(3)
    for _ in range(3000):
        x = rng.exponential(size=80)
        noise = rng.normal(size=80)
        y = x + noise
        ones = np.ones(80)
        mean = holdout.mean_interval(y, ones, 0.95)
        share = holdout.explained_interval(noise**2, (y - 1.0) ** 2, ones, 0.95)
        accuracy = holdout.share_interval(float(rng.binomial(80, 0.9)) / 80, 80, 0.95)
        hits += [mean.lower <= 1 <= mean.upper, share.lower <= 0.5 <= share.upper,
                 accuracy.lower <= 0.9 <= accuracy.upper]  # fmt: skip
    assert np.all(hits / 3000 > 0.915) and np.all(hits / 3000 < 0.975), hits / 3000


def test_weights_act_like_replication_on_values(rng):
    x, times = rng.normal(size=50), rng.integers(1, 4, 50)
    value = holdout.mean_interval(x, times.astype(float), 0.95).value
    assert value == pytest.approx(np.repeat(x, times).mean(), rel=1e-12)


def test_points_keep_the_ends_of_the_roc_curve_and_bins_hold_all_rows(rng):
    y, p = rng.integers(0, 2, 900).astype(float), rng.uniform(size=900)
    found = holdout.points(BINOMIAL, y, p, np.ones(900), 0.95, rng)
    assert found.roc[0] == (0.0, 0.0) and found.roc[-1] == (1.0, 1.0)
    assert sum(b.n for b in found.calibration) == 900 and len(found.predicted) == 400
    false, true, _ = roc_curve(y, p, drop_intermediate=False)
    for f, t in found.roc:
        assert np.min(np.abs(false - f) + np.abs(true - t)) < 1e-12


@pytest.mark.parametrize("n", [1, 2])
def test_tiny_held_out_sets_give_missing_ends_not_errors(n):
    got = holdout.scores(BINOMIAL, np.ones(n), np.full(n, 0.7), np.full(n, 0.5), np.ones(n), 0.95)
    assert np.isnan(got["ROC AUC"].value) and got["accuracy"].value == 1.0


def test_one_certain_and_wrong_prediction_explains_less_than_nothing():
    y, mu = np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0, 0.2])
    found = holdout.scores(BINOMIAL, y, mu, np.full(4, 0.5), np.ones(4), 0.95)["deviance explained"]
    assert found.value == -np.inf
    assert np.isnan([found.lower, found.upper]).all()


@pytest.mark.parametrize("family", [GAUSSIAN, BINOMIAL, POISSON])
def test_every_score_counts_rows_by_their_weights(rng, family):
    n = 80
    y = {"gaussian": rng.normal(size=n), "binomial": rng.integers(0, 2, n), "poisson": rng.poisson(2, n)}[family.name]
    y, times = y.astype(float), rng.integers(0, 4, n)
    mu = np.round(family.mean(rng.normal(size=n)), 1).clip(0.1, 0.9)
    null = np.full(n, 0.4)
    weighted = holdout.scores(family, y, mu, null, times.astype(float), 0.95)
    again = np.repeat(np.arange(n), times)
    repeated = holdout.scores(family, y[again], mu[again], null[again], np.ones(again.size), 0.95)
    for name, score in weighted.items():
        assert score.value == pytest.approx(repeated[name].value, rel=1e-12), name
        assert score.upper - score.lower > repeated[name].upper - repeated[name].lower  # copies aren't new rows
    rescaled = holdout.scores(family, y, mu, null, 1e6 * times, 0.95)
    for name, score in weighted.items():
        assert (rescaled[name].lower, rescaled[name].upper) == pytest.approx((score.lower, score.upper), rel=1e-9)


def test_clusters_of_copies_are_worth_one_row_each(rng):
    y, mu = rng.integers(0, 2, 60).astype(float), rng.uniform(0.1, 0.9, 60)
    copies = np.tile(np.arange(60), 5)
    one = holdout.scores(BINOMIAL, y, mu, np.full(60, 0.5), np.ones(60), 0.95, np.arange(60))
    five = holdout.scores(BINOMIAL, y[copies], mu[copies], np.full(300, 0.5), np.ones(300), 0.95, copies)
    alone = holdout.scores(BINOMIAL, y[copies], mu[copies], np.full(300, 0.5), np.ones(300), 0.95)
    for name, score in five.items():
        assert (score.lower, score.upper) == pytest.approx((one[name].lower, one[name].upper), rel=1e-9), name
        assert score.upper - score.lower > 1.9 * (alone[name].upper - alone[name].lower), name


def test_intervals_of_clustered_rows_cover_at_their_level(rng):
    """1,000 samples of 40 patients with 6 visits each: the area under the curve lies in 95 % intervals."""
    cluster, hits = np.repeat(np.arange(40), 6), np.zeros(2)
    truth = holdout.auc(np.r_[np.ones(20_000, bool), np.zeros(20_000, bool)],
                        np.r_[rng.normal(size=20_000) + 1, rng.normal(size=20_000)])  # fmt: skip
    for _ in range(1000):
        y = rng.integers(0, 2, 40) == 1
        score = (rng.normal(size=40) + y)[cluster]  # the same at every visit
        for k, by in enumerate((cluster, None)):
            found = holdout.auc_interval(y[cluster], score, np.ones(240), 0.95, by)
            hits[k] += found.lower <= truth <= found.upper
    assert hits[0] > 905 and hits[1] < 700, hits
