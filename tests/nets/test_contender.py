"""The dropout network among the contenders of a verdict."""

import dataclasses

import numpy as np
import pytest

from bridle.diagnosis import NullContender, Target, collect_evidence
from bridle.nets.contender import NetworkContender
from bridle.nets.settings import Architecture, Training
from bridle.selection import make_folds

pytest.importorskip("torch")

SMALL = {"architecture": Architecture(hidden=(8,)), "training": Training(max_epochs=15, learning_rate=0.02)}


def table(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.abs(X[:, 0]) + 0.3 * rng.normal(size=n)


def contender(X, y, **options):
    return NetworkContender(
        "dropout", "Dropout network", X, Target(y), **({"rates": (0.5, 0.2, 0.0)} | SMALL | options)
    )


def test_all_folds_at_once_are_each_fold_alone():
    X, y = table()
    pairs = make_folds(y, n_splits=3, seed=0).pairs
    together = contender(X, y).fit_predict_all(pairs, 2)
    for pair, found in zip(pairs, together, strict=True):
        alone = contender(X, y).fit_predict(*pair)
        assert set(found) == set(alone) == {"", "rate 0.5", "rate 0"}
        for variant, means in found.items():
            for a, b in zip(means, alone[variant], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_held_out_rows_have_no_part_in_it():
    X, y = table()
    train, test = make_folds(y, n_splits=3, seed=0).pairs[0]
    other = y.copy()
    other[test] = 1e3
    before, after = (contender(X, target).fit_predict(train, test) for target in (y, other))
    for variant, means in before.items():
        np.testing.assert_array_equal(means[1], after[variant][1])


def test_rows_set_aside_choose_the_rate_where_they_are_many(monkeypatch):
    monkeypatch.setattr("bridle.nets.contender.TUNING_ROWS", 10)
    X, y = table()
    one = contender(X, y)
    plan = one._plan(np.arange(100), 3)
    assert plan.inner is None and len(plan.tasks) == 1
    assert set(one.fit_predict(np.arange(100), np.arange(100, 120))) == {"", "rate 0.5", "rate 0"}
    assert set(contender(X, y, rates=(0.3,)).fit_predict(np.arange(100), np.arange(100, 120))) == {""}


def test_a_fold_that_cannot_be_trained_is_answered_by_the_mean_and_the_others_are_not():
    X, y = table()
    y[:40] = 1.0
    pairs = [(np.arange(40), np.arange(40, 60)), (np.arange(60, 120), np.arange(60))]
    constant, trained = contender(X, y).fit_predict_all(pairs, 1)
    assert set(constant) == {""} and set(constant[""][1]) == {1.0}
    assert np.ptp(trained[""][1]) > 0.1


def test_evidence_takes_it_with_contenders_of_the_other_kind():
    X, y = table()
    seen = []
    folds = make_folds(y, n_splits=3, seed=0)
    both = (NullContender(Target(y)), contender(X, y))
    evidence = collect_evidence(both, y, folds=folds, progress=lambda done, total: seen.append((done, total)))
    assert evidence.names == ("null", "dropout", "dropout: rate 0.5", "dropout: rate 0") and seen[-1] == (6, 6)
    again = collect_evidence(both[::-1], y, folds=folds, n_jobs=2)
    np.testing.assert_array_equal(evidence.test_loss[:, 0], again.test_loss[:, -1])
    np.testing.assert_array_equal(evidence.test_loss[:, 1], again.test_loss[:, 0])


def test_one_that_fails_at_once_says_so_fold_by_fold():
    X, y = table()

    class Broken(NetworkContender):
        def _together(self, pairs, n_jobs):
            raise ArithmeticError("no numbers today")

    broken = Broken(**{f.name: getattr(contender(X, y), f.name) for f in dataclasses.fields(NetworkContender)})
    evidence = collect_evidence((NullContender(Target(y)), broken), y, folds=make_folds(y, n_splits=3, seed=0))
    assert evidence.names == ("null",) and "no numbers today" in evidence.failed["dropout"]
