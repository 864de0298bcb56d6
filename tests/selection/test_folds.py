import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.model_selection import GroupKFold, KFold, RepeatedKFold, ShuffleSplit, TimeSeriesSplit

from bridle.errors import DataWarning, InputError
from bridle.selection import holdout_split, make_folds


def held_out_counts(folds, n):
    counts = np.zeros(n, dtype=int)
    for train, test in folds:
        assert np.all(np.diff(train) > 0)
        assert np.all(np.diff(test) > 0)
        assert np.intersect1d(train, test).size == 0
        counts[test] += 1
    return counts


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 90), k=st.integers(2, 12), repeats=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_kfold_is_a_balanced_partition(n, k, repeats, seed):
    k = min(k, n)
    folds = make_folds(np.zeros(n), n_splits=k, n_repeats=repeats, seed=seed)
    assert len(folds) == k * repeats
    assert folds.n_repeats == repeats
    np.testing.assert_array_equal(held_out_counts(folds, n), repeats)
    sizes = [test.size for _, test in folds]
    assert max(sizes) - min(sizes) <= 1
    assert all(train.size + test.size == n for train, test in folds)


@settings(max_examples=60, deadline=None)
@given(ones=st.integers(2, 40), zeros=st.integers(2, 40), k=st.integers(2, 8), seed=st.integers(0, 10**6))
def test_stratified_counts_of_each_class_differ_by_at_most_one(ones, zeros, k, seed):
    y = np.random.default_rng(seed).permutation(np.repeat([1.0, 0.0], [ones, zeros]))
    folds = make_folds(y, family="binomial", n_splits=min(k, ones, zeros), seed=seed)
    np.testing.assert_array_equal(held_out_counts(folds, y.size), 1)
    for value in (0.0, 1.0):
        counts = [int(np.sum(y[test] == value)) for _, test in folds]
        assert max(counts) - min(counts) <= 1
    assert "stratified by class" in folds.description


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(st.integers(0, 14), min_size=8, max_size=80).filter(lambda g: len(set(g)) >= 4),
    binomial=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_a_group_is_never_split(groups, binomial, seed):
    groups = np.array(groups)
    y = (groups % 2).astype(float) if binomial else np.zeros(groups.size)
    if binomial and min(np.unique(groups[y == v]).size for v in (0.0, 1.0)) < 2:
        return
    k = min(4, np.unique(groups).size)
    folds = make_folds(y, family="binomial" if binomial else "gaussian", n_splits=k, groups=groups, seed=seed)
    assert len(folds) == k
    np.testing.assert_array_equal(held_out_counts(folds, y.size), 1)
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])


@settings(max_examples=60, deadline=None)
@given(
    time=st.lists(st.integers(0, 30), min_size=5, max_size=80).filter(lambda t: len(set(t)) >= 4), k=st.integers(2, 3)
)
def test_time_never_looks_ahead_and_ties_stay_together(time, k):
    time = np.array(time)
    folds = make_folds(np.zeros(time.size), time=time, n_splits=k)
    assert len(folds) == k
    for train, test in folds:
        assert time[train].max() < time[test].min()
    ends = [time[test].max() for _, test in folds]
    assert ends[-1] == time.max()
    for i in range(1, k):  # the window expands to everything before the next block
        np.testing.assert_array_equal(folds.pairs[i][0], np.flatnonzero(time <= ends[i - 1]))


def test_groups_are_packed_evenly_and_balance_the_classes():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, 1200)
    y = (rng.random(1200) < np.where(groups < 20, 0.8, 0.1)).astype(float)
    folds = make_folds(y, family="binomial", n_splits=5, groups=groups, seed=3)
    rates = [y[test].mean() for _, test in folds]
    sizes = [test.size for _, test in folds]
    assert max(rates) - min(rates) < 0.03
    assert max(sizes) / min(sizes) < 1.1


def test_quantile_strata_give_every_fold_the_whole_range():
    y = np.random.default_rng(1).exponential(size=103)
    folds = make_folds(y, kind="stratified", n_splits=5, seed=2)
    np.testing.assert_array_equal(held_out_counts(folds, y.size), 1)
    rank = np.argsort(np.argsort(y)) // 5
    for _, test in folds:
        assert np.bincount(rank[test], minlength=20)[:20].tolist() == [1] * 20  # one row of each run of 5


def test_same_seed_same_folds_other_seed_other_folds():
    y = np.zeros(50)
    first, again, other = make_folds(y, seed=1), make_folds(y, seed=1), make_folds(y, seed=2)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))
    repeated = make_folds(y, n_splits=5, n_repeats=2, seed=1)
    assert not np.array_equal(repeated.pairs[0][1], repeated.pairs[5][1])


def test_folds_are_read_only():
    train, _ = make_folds(np.zeros(10), n_splits=2).pairs[0]
    with pytest.raises(ValueError, match="read-only"):
        train[0] = 3


def test_descriptions():
    y = np.tile([0.0, 1.0], 20)
    assert make_folds(y).description == "10-fold cross-validation, seed 0"
    said = make_folds(y, family="binomial", n_splits=5, n_repeats=4, seed=7).description
    assert said == "5-fold cross-validation, stratified by class, 4 repeats, seed 7"
    assert make_folds(y, groups=np.arange(40) // 4).description.startswith("10-fold cross-validation, groups kept")
    assert "time-ordered" in make_folds(y, time=np.arange(40)).description
    assert make_folds(y, splitter=KFold(4)).description == "4 folds by KFold"


def test_dates_and_strings_sort_as_times_and_groups():
    days = np.array(["2024-03-01", "2024-01-01", "2024-02-01", "2024-02-01"], dtype="datetime64[D]")
    (train, test), _ = make_folds(np.zeros(4), time=days, n_splits=2)
    assert train.tolist() == [1]
    assert test.tolist() == [2, 3]
    folds = make_folds(np.zeros(4), groups=["a", "b", "a", "b"], n_splits=2)
    assert sorted(test.tolist() for _, test in folds) == [[0, 2], [1, 3]]


@pytest.mark.parametrize(
    "splitter",
    [KFold(4, shuffle=True, random_state=0), TimeSeriesSplit(3), ShuffleSplit(2, random_state=0), GroupKFold(3)],
    ids=lambda s: type(s).__name__,
)
def test_scikit_learn_splitters_are_used_as_they_are(splitter):
    y, groups = np.arange(24.0), np.arange(24) // 3 if isinstance(splitter, GroupKFold) else None
    folds = make_folds(y, splitter=splitter, groups=groups)
    expected = list(splitter.split(np.zeros((24, 1)), y, groups))
    assert len(folds) == len(expected)
    for (train, test), (a, b) in zip(folds, expected, strict=True):
        np.testing.assert_array_equal(train, np.sort(a))
        np.testing.assert_array_equal(test, np.sort(b))


def test_repeats_of_a_splitter_are_known():
    folds = make_folds(np.zeros(20), splitter=RepeatedKFold(n_splits=5, n_repeats=3, random_state=0))
    assert (len(folds), folds.n_repeats) == (15, 3)


def test_int_lists_and_masks_are_accepted():
    y = np.zeros(6)
    assert len(make_folds(y, splitter=3)) == 3
    mask = np.array([True, True, False, False, False, False])
    folds = make_folds(y, splitter=[(~mask, mask), ([0, 1], [5, 4])])
    np.testing.assert_array_equal(folds.pairs[0][0], [2, 3, 4, 5])
    np.testing.assert_array_equal(folds.pairs[1][1], [4, 5])


@pytest.mark.parametrize(
    ("arguments", "used", "reason"),
    [
        ({"y": np.zeros(4)}, 4, "4 rows"),
        ({"y": np.repeat([0.0, 1.0], [30, 3]), "family": "binomial"}, 3, "3 rows of the rarer class"),
        ({"y": np.zeros(30), "groups": np.arange(30) % 6}, 6, "6 groups"),
        ({"y": np.zeros(30), "time": np.arange(30) % 5}, 4, "4 distinct times"),
    ],
)
def test_more_folds_than_possible_gives_fewer_with_a_warning(arguments, used, reason):
    with pytest.warns(DataWarning, match=f"10 folds asked for, but there are only {reason}"):
        folds = make_folds(**arguments)
    assert len(folds) == used


Y = np.zeros(6)
BINARY = np.repeat([0.0, 1.0], [5, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": np.zeros(1)}, "1 rows can't be split"),
        ({"y": np.zeros(0)}, "empty"),
        ({"y": np.zeros((3, 2))}, "y has shape"),
        ({"y": Y, "n_splits": 1}, "at least 2"),
        ({"y": Y, "n_repeats": 0}, "n_repeats is 0"),
        ({"y": Y, "kind": "loo"}, "expected one of auto"),
        ({"y": Y, "kind": "group"}, "needs groups"),
        ({"y": Y, "kind": "time"}, "needs time"),
        ({"y": Y, "groups": np.zeros(6)}, "1 groups can't be split"),
        ({"y": Y, "groups": np.zeros(5)}, "groups has shape"),
        ({"y": Y, "groups": [1, 2, 3, 4, 5, None]}, "groups has 1 missing"),
        ({"y": Y, "groups": np.array([1, 2, "a", "b", 3, 4], dtype=object)}, "groups mixes types"),
        ({"y": Y, "time": [1, 2, np.nan, 4, 5, 6]}, "time has 1 missing"),
        ({"y": Y, "time": np.zeros(6)}, "1 distinct times"),
        ({"y": Y, "time": np.arange(6), "n_splits": 2, "n_repeats": 2}, "time-ordered"),
        ({"y": Y, "time": np.arange(6), "groups": np.arange(6)}, "both groups and time"),
        ({"y": BINARY, "family": "binomial"}, "rarer class has 1 row"),
        ({"y": BINARY, "family": "binomial", "groups": np.arange(6), "n_splits": 6}, "one class only"),
        ({"y": BINARY, "family": "binomial", "time": np.arange(6), "n_splits": 2}, "one class only"),
        ({"y": Y, "splitter": "kfold"}, "splitter is a str"),
        ({"y": Y, "splitter": []}, "no folds"),
        ({"y": Y, "splitter": [([0, 1, 2], [2, 3])]}, r"trains on 1 of the rows it holds out \(first: row 2\)"),
        ({"y": Y, "splitter": [([0, 1], [6])]}, "expected 0 to 5"),
        ({"y": Y, "splitter": [([0, -1], [2])]}, "expected 0 to 5"),
        ({"y": Y, "splitter": [([], [2])]}, "training rows of fold 0: there are none"),
        ({"y": Y, "splitter": [([0, 1], [])]}, "held-out rows of fold 0: there are none"),
        ({"y": Y, "splitter": [([0, 0, 1], [2])]}, "twice"),
        ({"y": Y, "splitter": [([0.5, 1.0], [2])]}, "expected row numbers"),
        ({"y": Y, "splitter": [(np.ones(5, bool), [2])]}, "mask of shape"),
        ({"y": Y, "splitter": [[1, 2, 3]]}, "isn't a pair"),
        ({"y": Y, "splitter": GroupKFold(2)}, "GroupKFold can't split"),
        ({"y": Y, "splitter": KFold(9)}, "KFold can't split"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        make_folds(**arguments)


@settings(max_examples=50, deadline=None)
@given(n=st.integers(4, 80), fraction=st.floats(0.05, 0.95), seed=st.integers(0, 10**6))
def test_holdout_has_the_share_asked_for(n, fraction, seed):
    train, test = holdout_split(np.zeros(n), fraction=fraction, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(n))
    assert abs(test.size - fraction * n) <= 1


def test_holdout_draws_from_each_class():
    y = np.repeat([0.0, 1.0], [90, 10])
    _, test = holdout_split(y, family="binomial", fraction=0.2, seed=1)
    assert (int(y[test].sum()), test.size) == (2, 20)


def test_holdout_of_time_is_the_end_with_ties_together():
    time = np.array([5, 1, 2, 5, 3, 4, 5, 0, 2, 1])
    train, test = holdout_split(np.zeros(10), time=time, fraction=0.2, seed=0)
    np.testing.assert_array_equal(test, [0, 3, 6])
    assert time[train].max() < 5


@settings(max_examples=50, deadline=None)
@given(
    groups=st.lists(st.integers(0, 12), min_size=4, max_size=60).filter(lambda g: len(set(g)) >= 2),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 10**6),
)
def test_holdout_of_groups_is_whole_groups(groups, fraction, seed):
    groups = np.array(groups)
    train, test = holdout_split(np.zeros(groups.size), groups=groups, fraction=fraction, seed=seed)
    assert train.size > 0
    assert test.size > 0
    assert not set(groups[train]) & set(groups[test])
    largest = np.bincount(groups).max()
    assert abs(test.size - fraction * groups.size) <= largest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fraction": 1.0}, "fraction is 1.0"),
        ({"y": np.zeros(1)}, "2 rows are the least"),
        ({"groups": np.zeros(6)}, "1 groups"),
        ({"time": np.zeros(6)}, "1 distinct times"),
        ({"time": np.arange(6), "groups": np.arange(6)}, "both groups and time"),
    ],
)
def test_holdout_names_bad_input(arguments, message):
    with pytest.raises(InputError, match=message):
        holdout_split(**{"y": np.zeros(6), **arguments})
