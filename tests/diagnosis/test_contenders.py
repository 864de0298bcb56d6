"""Contenders: nothing is learned from held-out rows, and each agrees with an oracle."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor

from bridle.diagnosis import collect_evidence, make_challengers
from bridle.diagnosis.contenders import (
    EstimatorContender,
    FixedContender,
    LinearContender,
    NullContender,
    Target,
)
from bridle.diagnosis.evidence import supported_means
from bridle.diagnosis.neighbours import neighbours
from bridle.diagnosis.table import FrameDesign, challenger_features
from bridle.errors import InputError
from bridle.selection import cross_validate, make_folds

TRAIN, TEST = np.arange(80), np.arange(80, 100)


def data(family="gaussian", n=100, p=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    f = X[:, 0] - 0.5 * X[:, 1]
    if family == "binomial":
        return X, (f + rng.standard_normal(n) > 0).astype(float)
    return X, rng.poisson(np.exp(0.5 * f)).astype(float) if family == "poisson" else f + rng.standard_normal(n)


def all_contenders(X, target):
    return make_challengers(
        X, target, ("ridge", "lasso", "elastic net", "unregularised", "splines", "pairs", "boosting")
    )[0]


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_held_out_targets_are_never_seen(family):
    """The target of test rows is replaced by another one: no prediction may move."""
    X, y = data(family)
    other = y.copy()
    other[TEST] = np.roll(y[TEST], 3)
    for one, two in zip(all_contenders(X, Target(y, family)), all_contenders(X, Target(other, family)), strict=True):
        a, b = (c.fit_predict(TRAIN, TEST)[""] for c in (one, two))
        assert np.array_equal(a[0], b[0]), one.name
        assert np.array_equal(a[1], b[1]), one.name


@pytest.mark.parametrize("options", [{"relax": True}, {"penalty": {"penalty": "adaptive_lasso"}}])
def test_relaxed_and_adaptive_models_are_chosen_inside_the_training_rows(options):
    """Held-out targets have no part in gamma or in the weights, and the choice is that of a cross-validation inside."""
    X, y = data(p=12)
    moved = y.copy()
    moved[TEST] += 5.0
    one, two = (LinearContender("lasso", "", X, Target(t), **options).fit_predict(TRAIN, TEST)[""] for t in (y, moved))
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])
    found = cross_validate(
        X[TRAIN], y[TRAIN], folds=make_folds(y[TRAIN], n_splits=5), n_lambdas=25, tol=1e-4, effective_df=False,
        relax=options.get("relax", False), **options.get("penalty", {}),
    )  # fmt: skip
    chosen = found.select("min")
    path = found.paths[chosen.curve]
    np.testing.assert_allclose(one[1], path.predict(X[TEST], lam=chosen.value), rtol=1e-6)
    plain = LinearContender("lasso", "", X, Target(y)).fit_predict(TRAIN, TEST)[""]
    assert not np.allclose(plain[1], one[1], rtol=1e-3)
    assert chosen.gamma < 1.0 or "penalty" in options


def test_held_out_features_are_never_learned_from():
    """Test features move only the predictions of test rows."""
    X, y = data()
    moved = X.copy()
    moved[TEST] *= 7
    for one, two in zip(all_contenders(X, Target(y)), all_contenders(moved, Target(y)), strict=True):
        assert np.array_equal(one.fit_predict(TRAIN, TEST)[""][0], two.fit_predict(TRAIN, TEST)[""][0]), one.name


def test_null_is_the_weighted_training_mean():
    _, y = data()
    w = np.linspace(1, 2, 100)
    at_train, at_test = NullContender(Target(y, weight=w)).fit_predict(TRAIN, TEST)[""]
    assert np.allclose(at_test, np.average(y[:80], weights=w[:80]))
    assert (len(at_train), len(at_test)) == (80, 20)


def test_null_with_offset_keeps_the_total_of_counts():
    _, y = data("poisson")
    offset = np.linspace(-1, 1, 100)
    at_train, _ = NullContender(Target(y, "poisson", offset=offset)).fit_predict(TRAIN, TEST)[""]
    assert at_train.sum() == pytest.approx(y[:80].sum())
    assert np.allclose(np.diff(np.log(at_train) - offset[:80]), 0)


def test_unregularised_is_least_squares():
    X, y = data()
    w = np.linspace(1, 3, 100)
    from sklearn.linear_model import LinearRegression

    oracle = LinearRegression().fit(X[:80], y[:80], sample_weight=w[:80])
    at_train, at_test = FixedContender("u", "u", X, Target(y, weight=w)).fit_predict(TRAIN, TEST)[""]
    assert np.allclose(at_train, oracle.predict(X[:80]))
    assert np.allclose(at_test, oracle.predict(X[80:]))


def test_unregularised_with_more_features_than_rows_is_the_limit_of_ridge():
    X, y = data(n=100, p=150)
    Z = X / X[:80].std(axis=0)
    oracle = Ridge(alpha=1e-6).fit(Z[:80], y[:80])
    at_train, at_test = FixedContender("u", "u", X, Target(y)).fit_predict(TRAIN, TEST)[""]
    assert np.allclose(at_train, y[:80])
    assert np.allclose(at_test, oracle.predict(Z[80:]), atol=1e-4)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_unregularised_takes_sparse_matrices_and_offsets(family):
    X, y = data(family)
    offset = np.linspace(-0.5, 0.5, 100)
    dense = FixedContender("u", "u", X, Target(y, family, offset=offset)).fit_predict(TRAIN, TEST)[""]
    thin = FixedContender("u", "u", sparse.csr_array(X), Target(y, family, offset=offset)).fit_predict(TRAIN, TEST)[""]
    assert np.allclose(dense[1], thin[1], rtol=1e-3)


def test_own_path_runs_from_stiff_to_flexible():
    X, y = data()
    found = LinearContender("ridge", "r", X, Target(y), (0.0,), strengths=(100.0, 0.01)).fit_predict(TRAIN, TEST)
    losses = {v: ((y[:80] - m[0]) ** 2).mean() for v, m in found.items()}
    assert set(losses) == {"", "penalty x 100", "penalty x 0.01"}
    assert losses["penalty x 0.01"] < losses[""] < losses["penalty x 100"]


def test_estimator_gives_the_probability_of_the_positive_label():
    X, y = data("binomial")
    labels = np.where(y > 0, "b", "a")
    target = Target(y, "binomial")
    c = EstimatorContender("m", "m", LogisticRegression(), X, target, labels=labels, positive="b")
    oracle = LogisticRegression().fit(X[:80], labels[:80]).predict_proba(X[80:])[:, 1]
    assert np.allclose(c.fit_predict(TRAIN, TEST)[""][1], oracle)


def test_weights_reach_the_last_step_of_a_pipeline():
    X, y = data()
    w = np.where(np.arange(100) < 40, 1.0, 1e-9)
    pipe = make_pipeline(StandardScaler(), Ridge())
    weighted = EstimatorContender("m", "m", pipe, X, Target(y, weight=w)).fit_predict(TRAIN, TEST)[""][1]
    plain = EstimatorContender("m", "m", pipe, X, Target(y)).fit_predict(TRAIN, TEST)[""][1]
    assert not np.allclose(weighted, plain)


def test_only_so_many_rows_are_trained_on():
    X, y = data()
    tree = EstimatorContender("m", "m", DecisionTreeRegressor(random_state=0), X, Target(y), most_rows=20)
    at_train = tree.fit_predict(TRAIN, TEST)[""][0]
    assert (at_train == y[:80]).sum() == 20


def test_encoding_is_learned_from_training_rows():
    X = np.column_stack([np.arange(100.0), np.repeat([0.0, 1.0, 2.0, 3.0], 25)])
    design = FrameDesign(X, StandardScaler())
    assert np.allclose(design.for_rows(TRAIN)[:80].mean(axis=0), 0)
    assert not np.allclose(design.for_rows(None)[:80].mean(axis=0), 0)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (DecisionTreeRegressor(), {"max_depth = 3", "max_leaf_nodes = 8", "min_samples_leaf = 5"}),
        (DecisionTreeRegressor(max_depth=6), {"max_depth = 3", "max_depth = 12"}),
        (Ridge(alpha=2.0), {"alpha = 20", "alpha = 0.2"}),
        (SVC(C=1.0, kernel="linear", gamma=0.1), {"C = 0.1", "C = 10"}),
        (make_pipeline(StandardScaler(), Ridge(alpha=1.0)), {"alpha = 10", "alpha = 0.1"}),
    ],
)
def test_neighbours(estimator, expected):
    found = neighbours(estimator)
    assert expected <= set(found)
    for parameters in found.values():
        estimator.set_params(**parameters)


def test_a_search_has_no_neighbours():
    from sklearn.model_selection import GridSearchCV

    assert neighbours(GridSearchCV(Ridge(), {"alpha": [1, 2]})) == {}


@pytest.mark.parametrize("n", [8, 98])
def test_supported_means_follow_the_rule_of_succession(n):
    y = np.r_[np.zeros(n // 2), np.ones(n - n // 2)]
    assert np.allclose(supported_means([0.0, 0.5, 1.0], y, "binomial"), [1 / (n + 2), 0.5, 1 - 1 / (n + 2)])
    assert supported_means([-1.0], y, "poisson")[0] == pytest.approx(y.mean() / (n + 2))
    assert supported_means([-1.0], y, "gaussian")[0] == -1.0


def test_a_contender_that_fails_is_left_out_with_its_reason():
    _X, y = data()

    class Broken:
        name, label = "broken", "broken"

        def fit_predict(self, train, test):
            raise ValueError("no licence")

    class Blind:
        name, label = "blind", "blind"

        def fit_predict(self, train, test):
            return {"": (np.full(len(train), np.nan), np.full(len(test), np.nan))}

    class Wild:
        name, label = "wild", "wild"

        def fit_predict(self, train, test):
            return {"": (np.full(len(train), 1e200), np.full(len(test), 1e200))}

    target = Target(y)
    found = collect_evidence((NullContender(target), Broken(), Blind(), Wild()), y, folds=make_folds(y, n_splits=3))
    assert found.names == ("null",)
    assert "no licence" in found.failed["broken"]
    assert "predictions aren't finite" in found.failed["blind"]
    assert "loss isn't finite" in found.failed["wild"]


def test_evidence_holds_every_row_once_per_repeat_and_tells_progress():
    _X, y = data()
    seen = []
    folds = make_folds(y, n_splits=4, n_repeats=2)
    found = collect_evidence((NullContender(Target(y)),), y, folds=folds, progress=lambda *at: seen.append(at))
    assert seen == [(i, 8) for i in range(1, 9)]
    assert found.predictions["null"].shape == (2, 100)
    assert np.isfinite(found.predictions["null"]).all()
    by_hand = [((y[test] - y[train].mean()) ** 2).mean() for train, test in folds.pairs]
    assert np.allclose(found.test_loss[:, 0], by_hand)


def test_weights_are_replication():
    """A row of weight 2 is two rows, for the losses of given predictions."""
    _X, y = data()
    w = np.where(np.arange(100) % 2, 2.0, 1.0)
    folds = make_folds(y, n_splits=2)
    found = collect_evidence((NullContender(Target(y, weight=w)),), y, sample_weight=w, folds=folds)
    train, test = folds.pairs[0]
    twice = np.repeat(y[test], w[test].astype(int))
    mean = np.repeat(y[train], w[train].astype(int)).mean()
    assert found.test_loss[0, 0] == pytest.approx(((twice - mean) ** 2).mean())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.full(100, np.nan)}, "gaussian family needs"),
        ({"family": "binomial", "y": np.full(100, 2.0)}, "binomial family needs"),
        ({"folds": 1}, "at least 2 folds"),
        ({"sample_weight": np.full(100, -1.0)}, "at least 0"),
        ({"twice": True}, "distinct names"),
    ],
)
def test_bad_evidence_is_refused(change, message):
    _, y = data()
    folds = make_folds(y, n_splits=3)
    if "folds" in change:
        from bridle.selection import Folds

        folds = Folds(folds.pairs[:1], "one")
    options = {"family": change.get("family", "gaussian"), "sample_weight": change.get("sample_weight")}
    null = NullContender(Target(y))
    contenders = (null, null) if "twice" in change else (null,)
    with pytest.raises(InputError, match=message):
        collect_evidence(contenders, change.get("y", y), folds=folds, **options)


def test_features_of_a_table_with_dates_flags_and_gaps():
    import pandas as pd
    import polars as pl

    days = pd.date_range("2024-01-01", periods=6)
    for table in (
        pd.DataFrame(
            {"day": days, "flag": [True, False] * 3, "age": [1.0, np.nan, 3, 4, 5, 6], "town": list("abcabc")}
        ),
        pl.DataFrame(
            {"day": days.to_list(), "flag": [True, False] * 3, "age": [1.0, None, 3, 4, 5, 6], "town": list("abcabc")}
        ),
    ):
        features, notes = challenger_features(table)
        matrix = features.for_rows(np.arange(6))
        assert matrix.shape == (6, 6), "day, flag, age and three towns"
        assert np.isfinite(matrix).all()
        assert np.allclose(np.diff(matrix[:, 0]), 1)
        assert notes == ()


def test_a_table_without_usable_columns_is_refused():
    import pandas as pd

    with pytest.raises(InputError, match="no column of X"):
        challenger_features(pd.DataFrame({"id": [f"p{i}" for i in range(100)]}))
    with pytest.raises(InputError, match="expected an array"):
        challenger_features(object())


def test_challengers_that_do_not_apply_say_why():
    _, y = data()
    _, notes = make_challengers(
        sparse.random_array((100, 20), rng=0).tocsr(), Target(y), ("splines", "pairs", "boosting")
    )
    assert len(notes) == 3
    assert all("sparse" in note for note in notes)
    _, notes = make_challengers(np.ones((100, 3)), Target(y), ("splines",))
    assert "distinct values" in notes[0]
