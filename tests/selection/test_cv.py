import threading
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.metrics import f1_score, fbeta_score, make_scorer, mean_absolute_error
from sklearn.model_selection import KFold
from sklearn.model_selection import cross_validate as sklearn_cross_validate

from bridle.errors import BridleWarning, ConvergenceError, InputError
from bridle.losses import get_family
from bridle.path import fit_path
from bridle.selection import Folds, cross_validate, make_folds
from bridle.selection.fits import take_rows


def problem(family="gaussian", n=60, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 3.0, p) + 1.0
    eta = (X[:, :3] - 1.0) @ [0.5, -0.4, 0.3]
    y = {
        "gaussian": lambda: eta + rng.normal(size=n),
        "binomial": lambda: (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float),
        "poisson": lambda: rng.poisson(np.exp(0.5 * eta)).astype(float),
    }[family]()
    return X, y


def deviance_by_hand(family, y, eta):
    if family == "gaussian":
        return (y - eta) ** 2
    if family == "binomial":
        return 2.0 * np.log1p(np.exp(-np.where(y == 1, 1, -1) * eta))
    with np.errstate(divide="ignore", invalid="ignore"):
        return 2.0 * (np.where(y > 0, y * np.log(y / np.exp(eta)), 0.0) - (y - np.exp(eta)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_losses_are_those_of_paths_fitted_by_hand(family, weighted):
    X, y = problem(family)
    w = np.random.default_rng(1).uniform(0.5, 2.0, 60) if weighted else None
    folds = make_folds(y, family=family, n_splits=4, seed=3)
    result = cross_validate(X, y, folds=folds, family=family, l1_ratio=0.7, n_lambdas=9, sample_weight=w)
    curve, path = result.curves[0], result.paths[0]
    whole = fit_path(X, y, family=family, l1_ratio=0.7, n_lambdas=9, sample_weight=w)
    rounding = 1e-13 if family == "gaussian" else 0.0  # sums over folds are the sum over rows in another order
    np.testing.assert_allclose(curve.values, whole.lambdas, rtol=rounding)
    np.testing.assert_allclose(path.coef, whole.coef, rtol=100 * rounding, atol=rounding)
    for j, (train, test) in enumerate(folds):
        wt = None if w is None else w[train]
        fold = fit_path(X[train], y[train], family=family, l1_ratio=0.7, lambdas=whole.lambdas, sample_weight=wt)
        for rows, loss, tolerance in ((test, curve.test_loss, 1e-12), (train, curve.train_loss, 1e-9)):
            unit = deviance_by_hand(family, y[rows, None], fold.intercept + X[rows] @ fold.coef.T)
            by_hand = np.average(unit, axis=0, weights=None if w is None else w[rows])
            np.testing.assert_allclose(loss[j], by_hand, rtol=tolerance)
        assert curve.test_weight[j] == pytest.approx(test.size if w is None else w[test].sum())
    np.testing.assert_allclose(curve.full_loss, whole.deviance, rtol=rounding)
    assert curve.null_loss == pytest.approx(whole.null_deviance, rel=1e-15)
    assert (curve.model, curve.n_features, curve.l1_ratio) == ("elastic net", 6, 0.7)
    assert curve.sum_weight == pytest.approx(60 if w is None else w.sum())


def test_columns_are_standardised_by_their_own_fold():
    """One held-out row of huge value would move a whole-data scale; the folds that don't train on it mustn't see it."""
    X, y = problem()
    X[0, 0] = 1e3
    folds = make_folds(y, splitter=[(np.arange(1, 60), [0]), (np.arange(0, 59), [59])])
    lambdas = [0.3, 0.1]
    curve = cross_validate(X, y, folds=folds, lambdas=lambdas).curves[0]

    def fitted_on(scale):
        Z = X / scale
        fold = fit_path(Z[1:], y[1:], lambdas=lambdas, standardize=False)
        return (y[0] - fold.predict(Z[:1])[0]) ** 2

    np.testing.assert_allclose(curve.test_loss[0], fitted_on(X[1:].std(axis=0)), rtol=1e-4)
    leaked = fitted_on(X.std(axis=0))
    assert np.all(np.abs(curve.test_loss[0] / leaked - 1.0) > 0.5)


class FilledDesign:
    """A design with missing values, filled with the mean of the training rows."""

    def __init__(self, X):
        self.X = X
        self.shape = X.shape
        self.asked = []

    def for_rows(self, train):
        self.asked.append(None if train is None else tuple(train))
        means = np.nanmean(self.X if train is None else self.X[train], axis=0)
        return np.where(np.isnan(self.X), means, self.X)


def test_a_design_is_filled_from_the_training_rows_of_each_fold():
    X, y = problem()
    X[:, 1] += np.linspace(0.0, 20.0, 60)  # consecutive folds, so that each has another mean
    X[::7, 1] = np.nan
    design, folds = FilledDesign(X), make_folds(y, splitter=KFold(3))
    curve = cross_validate(design, y, folds=folds, n_lambdas=5).curves[0]
    assert {tuple(train) for train, _ in folds} | {None} == set(design.asked)
    train, test = folds.pairs[0]
    Z = design.for_rows(train)
    fold = fit_path(Z[train], y[train], lambdas=curve.values)
    by_hand = np.mean((y[test, None] - fold.predict(Z[test])) ** 2, axis=0)
    np.testing.assert_allclose(curve.test_loss[0], by_hand, rtol=1e-12)
    leaked = design.for_rows(None)
    assert not np.allclose(by_hand, np.mean((y[test, None] - fold.predict(leaked[test])) ** 2, axis=0), rtol=1e-2)


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_threads_change_nothing_bit_for_bit(family):
    X, y = problem(family, n=90, p=30)
    options = {
        "folds": make_folds(y, family=family, n_splits=3, n_repeats=2), "family": family, "l1_ratio": [1.0, 0.5, 0.0],
        "n_lambdas": 12, "scorers": ["accuracy" if family == "binomial" else "r2"],
    }  # fmt: skip
    one, four = cross_validate(X, y, n_jobs=1, **options), cross_validate(X, y, n_jobs=4, **options)
    assert [c.model for c in one.curves] == ["lasso", "elastic net", "ridge"]
    for a, b, p, q in zip(one.curves, four.curves, one.paths, four.paths, strict=True):
        for name in ("values", "test_loss", "train_loss", "full_loss", "df", "n_nonzero"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        for name in a.scores:
            np.testing.assert_array_equal(a.scores[name], b.scores[name])
        np.testing.assert_array_equal(p.coef, q.coef)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_weights_are_replication_if_folds_keep_replicates_together(family):
    X, y = problem(family)
    counts = np.random.default_rng(4).integers(1, 4, 60)
    row = np.repeat(np.arange(60), counts)
    folds = make_folds(y, family=family, n_splits=4)
    repeated_folds = [(np.flatnonzero(np.isin(row, a)), np.flatnonzero(np.isin(row, b))) for a, b in folds]
    options = {"family": family, "l1_ratio": 0.5, "n_lambdas": 8, "tol": 1e-10}
    weighted = cross_validate(X, y, folds=folds, sample_weight=counts, **options).curves[0]
    repeated = cross_validate(X[row], y[row], folds=repeated_folds, **options).curves[0]
    np.testing.assert_allclose(weighted.mean, repeated.mean, rtol=1e-6)
    np.testing.assert_allclose(weighted.standard_error, repeated.standard_error, rtol=1e-5)
    np.testing.assert_allclose(weighted.df, repeated.df, rtol=1e-5)
    assert weighted.sum_weight == repeated.sum_weight == counts.sum()


@pytest.mark.parametrize(
    ("form", "tolerance"),
    [
        (np.asfortranarray, 1e-9),
        (sparse.csc_array, 1e-6),
        (sparse.csr_matrix, 1e-6),
        (pd.DataFrame, 1e-9),
        (lambda X: X.astype(np.float32), 1e-3),
        (lambda X: np.asfortranarray(X, dtype=np.float32), 1e-3),
    ],
    ids=["fortran", "csc", "csr", "frame", "float32", "float32 fortran"],
)
def test_storage_does_not_change_the_curve(form, tolerance):
    X, y = problem(n=80, p=12)
    folds = make_folds(y, n_splits=5)
    plain = cross_validate(X, y, folds=folds, n_lambdas=20, tol=1e-9).curves[0]
    other = cross_validate(form(X), y, folds=folds, n_lambdas=20, lambdas=plain.values, tol=1e-9)
    np.testing.assert_allclose(other.curves[0].test_loss, plain.test_loss, rtol=tolerance)
    if isinstance(form(X), pd.DataFrame):
        assert other.paths[0].feature_names == tuple(str(j) for j in range(12))


def test_consecutive_rows_are_a_view_and_others_keep_the_memory_order():
    X = np.asfortranarray(np.arange(40.0).reshape(10, 4))
    assert np.shares_memory(take_rows(X, np.arange(3, 9)), X)
    picked = take_rows(X, np.array([0, 2, 5]))
    assert picked.flags.f_contiguous
    np.testing.assert_array_equal(picked, X[[0, 2, 5]])
    assert take_rows(np.ascontiguousarray(X), np.array([0, 2, 5])).flags.c_contiguous


def test_blocks_of_lambdas_change_nothing(monkeypatch):
    X, y = problem("binomial")
    folds = make_folds(y, family="binomial", n_splits=3)
    options = {"folds": folds, "family": "binomial", "n_lambdas": 10, "scorers": ["accuracy"]}
    whole = cross_validate(X, y, **options).curves[0]
    monkeypatch.setattr("bridle.selection.predictors._BLOCK", 60)
    blocks = cross_validate(X, y, **options).curves[0]
    np.testing.assert_allclose(blocks.test_loss, whole.test_loss, rtol=1e-13)
    np.testing.assert_array_equal(blocks.scores["accuracy"], whole.scores["accuracy"])


def test_a_gaussian_offset_is_subtracted_from_y():
    X, y = problem()
    offset = np.random.default_rng(5).normal(size=60)
    folds = make_folds(y, n_splits=4)
    with_offset = cross_validate(X, y, folds=folds, offset=offset, n_lambdas=6, scorers=["r2"]).curves[0]
    without = cross_validate(X, y - offset, folds=folds, n_lambdas=6).curves[0]
    np.testing.assert_allclose(with_offset.test_loss, without.test_loss, rtol=1e-7)
    assert with_offset.scores["r2"].shape == (4, 6)


@pytest.mark.parametrize("weight", [None, np.random.default_rng(2).integers(1, 4, 60).astype(float)])
def test_regression_scores_equal_scikit_learn(weight):
    X, y = problem()
    folds, lam = make_folds(y, n_splits=5), 0.2
    custom = make_scorer(mean_absolute_error, greater_is_better=False)
    names = {"r2": "r2", "mse": "neg_mean_squared_error", "mae": custom}
    ours = cross_validate(
        X, y, folds=folds, lambdas=[lam], standardize=False, tol=1e-12, scorers=names, sample_weight=weight
    ).curves[0]  # fmt: skip
    for j, (train, test) in enumerate(folds):
        model = Lasso(alpha=lam, tol=1e-13, max_iter=100_000)
        model.fit(X[train], y[train], None if weight is None else weight[train])
        wt = None if weight is None else weight[test]
        assert ours.scores["mae"][j, 0] == pytest.approx(custom(model, X[test], y[test], sample_weight=wt), rel=1e-6)
    if weight is None:
        theirs = sklearn_cross_validate(
            Lasso(alpha=lam, tol=1e-13, max_iter=100_000), X, y, cv=list(folds), scoring=names
        )  # fmt: skip
        for name in names:
            np.testing.assert_allclose(ours.scores[name][:, 0], theirs[f"test_{name}"], rtol=1e-6)


def test_classification_scores_equal_scikit_learn():
    X, y = problem("binomial", n=100)
    folds, lam = make_folds(y, n_splits=5), 0.05  # plain folds of equal size, so that one C fits all: 80 rows
    f2 = make_scorer(fbeta_score, beta=2)
    names = ["roc_auc", "accuracy", "neg_log_loss", "average_precision", "neg_brier_score", f2]
    ours = cross_validate(
        X, y, folds=folds, family="binomial", l1_ratio=0.0, lambdas=[lam], standardize=False, tol=1e-12, scorers=names
    ).curves[0]  # fmt: skip
    model = LogisticRegression(C=1 / (80 * lam), tol=1e-12, solver="newton-cholesky")
    labels = {n if isinstance(n, str) else "fbeta_score": n for n in names}
    theirs = sklearn_cross_validate(model, X, y, cv=list(folds), scoring=labels)
    assert set(ours.scores) == set(labels)
    for name in labels:
        np.testing.assert_allclose(ours.scores[name][:, 0], theirs[f"test_{name}"], rtol=1e-5)


def test_a_plain_function_can_score():
    X, y = problem("binomial")

    def share_positive(estimator, rows, target):
        assert rows.shape[0] == target.size
        assert estimator.classes_.tolist() == [0.0, 1.0]
        return estimator.predict(rows).mean()

    folds = make_folds(y, family="binomial", n_splits=3)
    result = cross_validate(X, y, folds=folds, family="binomial", n_lambdas=5, scorers=[share_positive])
    assert result.curves[0].scores["share_positive"].shape == (3, 5)
    assert result.select("share_positive").rule == "share_positive"


def test_confident_mistakes_stay_finite():
    X = np.array([[-1.0], [-2.0], [-3.0], [1.0], [2.0], [3.0], [-9e3], [9e3]])
    y = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    folds = make_folds(y, splitter=[([0, 1, 2, 3, 4, 5], [6, 7])])
    curve = cross_validate(X, y, folds=folds, family="binomial", lambdas=[1e-3], standardize=False).curves[0]
    fold = fit_path(X[:6], y[:6], family="binomial", lambdas=[1e-3], standardize=False)
    eta = fold.linear_predictor(X[6:])[:, 0]
    assert np.abs(eta).min() > 800  # probabilities are 0 and 1 to the last digit
    assert np.all(get_family("binomial").mean(eta) == [0.0, 1.0])
    assert curve.test_loss[0, 0] == pytest.approx(2 * np.abs(eta).mean(), rel=1e-12)


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_progress_counts_to_its_total_in_the_calling_thread(n_jobs):
    X, y = problem()
    seen = []
    cross_validate(
        X, y, folds=make_folds(y, n_splits=4), l1_ratio=[1.0, 0.5], n_lambdas=4, n_jobs=n_jobs,
        progress=lambda done, total: seen.append((done, total, threading.current_thread())),
    )  # fmt: skip
    assert [done for done, _, _ in seen] == list(range(1, seen[-1][1] + 1))
    assert {thread for _, _, thread in seen} == {threading.main_thread()}


def test_joint_choice_finds_the_better_mixture():
    X, y = problem(n=80, p=20)
    result = cross_validate(X, y, folds=make_folds(y, n_splits=5), l1_ratio=[0.1, 0.5, 1.0], n_lambdas=20)
    least = [curve.mean.min() for curve in result.curves]
    chosen = result.select("min")
    assert chosen.curve == int(np.argmin(least))
    assert chosen.loss == min(least)
    assert result.select("1se").curve == chosen.curve
    assert result.select("1se").value >= chosen.value


def test_excluded_features_are_not_candidates():
    X, y = problem()
    factor = np.array([1.0, np.inf, 1.0, 1.0, 0.0, 1.0])
    curve = cross_validate(X, y, folds=make_folds(y, n_splits=3), n_lambdas=5, penalty_factor=factor).curves[0]
    assert curve.n_features == 5


def test_degrees_of_freedom_can_be_left_out():
    X, y = problem()
    assert cross_validate(X, y, folds=make_folds(y, n_splits=3), n_lambdas=3, effective_df=False).curves[0].df is None


def test_missed_certificates_are_one_warning_or_an_error():
    X, y = problem("binomial")
    options = {
        "folds": make_folds(y, family="binomial", n_splits=3), "family": "binomial", "n_lambdas": 10, "max_iter": 1,
        "tol": 1e-12,
    }  # fmt: skip
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cross_validate(X, y, **options)
    assert [w.category for w in caught] == [BridleWarning]
    assert "of 40 fits in cross-validation missed the relative gap" in str(caught[0].message)
    with pytest.raises(ConvergenceError):
        cross_validate(X, y, strict=True, n_jobs=2, **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.zeros(59)}, r"y has shape \(59,\); expected one value per row"),
        ({"y": ["a"] * 60}, "y can't be read as numbers"),
        ({"X": np.zeros(60)}, "expected two dimensions"),
        ({"sample_weight": np.ones(3)}, "sample_weight has shape"),
        ({"sample_weight": np.r_[np.zeros(20), np.ones(40)]}, "held-out rows of fold 0 have no weight"),
        ({"offset": np.ones(3)}, "offset has shape"),
        ({"l1_ratio": []}, "l1_ratio is empty"),
        ({"l1_ratio": 1.5}, "l1_ratio must lie in"),
        ({"n_jobs": 0}, "n_jobs is 0"),
        ({"scorers": ["nonsense"]}, "'nonsense' isn't one of scikit-learn's"),
        ({"scorers": [3]}, "3 isn't one of scikit-learn's"),
        ({"scorers": [make_scorer(f1_score), make_scorer(f1_score, pos_label=0)]}, "two scorers are called 'f1_score'"),
        ({"scorers": [lambda e, X, y: e.predict(X[:2])[0]]}, "other rows than the held-out ones"),
        ({"folds": Folds(((np.array([0, 1]), np.array([60])),), "x")}, "reach to row 60 and X has 60 rows"),
    ],
)
def test_bad_input_is_named(changes, message):
    X, y = problem()
    thirds = [(np.r_[0:20, 20:60][20:], np.arange(20)), (np.r_[0:20, 40:60], np.arange(20, 40))]
    with pytest.raises(InputError, match=message):
        cross_validate(**{"X": X, "y": y, "folds": thirds, "n_lambdas": 3, **changes})
