"""The dropout path: folds of every kind, a curve that says what was trained, and verdicts that are right."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import ShuffleSplit

import bridle.nets.dropout as module
from bridle.errors import DataWarning, InputError
from bridle.nets import Architecture, Training, dropout_path
from bridle.nets.evidence import rate_name
from bridle.nets.torch_losses import unit_deviance
from bridle.selection import make_folds, select

pytest.importorskip("torch")

QUICK = {"architecture": Architecture((6,)), "training": Training(max_epochs=3, batch_size=16), "n_jobs": 1}


def table(n=60, p=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X[:, 0] + 0.5 * rng.normal(size=n)


def of_family(family, y):
    if family == "multinomial":
        return np.digitize(y, [-0.5, 0.5]).astype(float)
    return {"binomial": (y > 0).astype(float), "poisson": np.round(np.exp(y))}.get(family, y)


@pytest.fixture
def asked(monkeypatch):
    """The tasks that the path gives the engine."""
    seen = []
    original = module.train

    def train(rows, tasks, *args, **options):
        seen.extend(tasks)
        return original(rows, tasks, *args, **options)

    monkeypatch.setattr(module, "train", train)
    return seen


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "multinomial"])
def test_the_curve_is_what_the_networks_predict(family, asked):
    X, y = table()
    y = of_family(family, y)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, 60)
    rates = [0.0, 0.5, 0.2, 0.5]
    path = dropout_path(X, y, family=family, rates=rates, folds=3, sample_weight=weight, seed=4, **QUICK)
    assert path.curve.values.tolist() == [0.5, 0.2, 0.0]  # the simplest first, each once
    assert [one.network.dropout for one in path.fits] == [0.5, 0.2, 0.0]
    assert path.curve.test_loss.shape == path.curve.train_loss.shape == (3, 3)
    assert len(path.folds) == 3 and len(asked) == 4 and path.curve.family == family
    rows = module.Rows(X, y, weight)
    again = module.train(
        rows, asked[:3], path.curve.values, QUICK["architecture"], QUICK["training"], family=family, n_classes=3
    )
    for j, (fit, held) in enumerate(path.folds):
        for k in range(3):
            link = again[j][k].network.link(X)
            for of, losses in ((fit, path.curve.train_loss), (held, path.curve.test_loss)):
                expected = np.average(unit_deviance(family, y[of], link[of]), weights=weight[of])
                assert losses[j, k] == pytest.approx(expected, rel=1e-4)
    for one, loss in zip(path.fits, path.curve.mean, strict=True):
        assert len(one.history.train) == 3  # tracked, for drawing
        assert (
            one.network.noise == pytest.approx(np.sqrt(loss)) if family == "gaussian" else np.isnan(one.network.noise)
        )
    chosen = path.select()
    assert chosen == select(path.curve, "min") and path.best is path.fits[chosen.index].network
    assert path.select("1se").value >= chosen.value


def test_rows_that_decide_come_from_the_training_rows(asked):
    X, y = table()
    path = dropout_path(X, y, family="gaussian", rates=[0.5], folds=4, **QUICK)
    for task, (fit, held) in zip(asked[:4], path.folds, strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate([task.train, task.validation])), fit)
        assert task.validation.size == round(0.15 * fit.size) and not set(held) & set(task.validation)
    np.testing.assert_array_equal(np.sort(np.concatenate([asked[4].train, asked[4].validation])), np.arange(60))
    assert len({t.seed for t in asked}) == 5 and [t.track for t in asked] == [False] * 4 + [True]
    asked.clear()
    training = Training(max_epochs=3, early_stopping=False)
    dropout_path(X, y, family="gaussian", rates=[0.5], folds=4, **{**QUICK, "training": training})
    assert all(task.validation.size == 0 for task in asked)


def test_at_most_so_many_rows_train(asked):
    X, y = table()
    path = dropout_path(X, y, family="gaussian", rates=[0.5], folds=4, most_rows=20, **QUICK)
    whole = make_folds(y, n_splits=4, seed=0)
    for task, (fit, held), (a, b) in zip(asked[:4], path.folds, whole, strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate([task.train, task.validation])), fit)
        assert fit.size == 20 and set(fit) <= set(a)
        np.testing.assert_array_equal(held, b)  # these all count
    assert asked[4].train.size + asked[4].validation.size == 20
    assert path.curve.n_train.tolist() == [20] * 4 and path.curve.n_test.tolist() == [15] * 4


def test_groups_and_time_hold_for_folds_and_for_rows_that_decide(asked):
    X, y = table(120)
    groups = np.arange(120) // 6
    path = dropout_path(X, y, family="gaussian", rates=[0.5], folds=4, groups=groups.tolist(), **QUICK)
    for task, (_, held) in zip(asked[:4], path.folds, strict=True):
        parts = [set(groups[rows]) for rows in (task.train, task.validation, held)]
        assert sum(map(len, parts)) == 20 == len(set.union(*parts)) and min(map(len, parts)) > 0
    asked.clear()
    time = np.random.default_rng(0).permutation(120)
    path = dropout_path(X, y, family="gaussian", rates=[0.5], folds=4, time=time, **QUICK)
    for task, (_, held) in zip(asked[:4], path.folds, strict=True):
        assert time[task.train].max() < time[task.validation].min()
        assert time[task.validation].max() < time[held].min()


def test_folds_of_every_kind():
    X, y = table()
    options = {"family": "gaussian", "rates": [0.5, 0.0], **QUICK}
    known = make_folds(y, n_splits=3, seed=0)
    first = dropout_path(X, y, folds=known, **options)
    assert first.folds.description == known.description
    for (a, b), (c, d) in zip(first.folds, known, strict=True):
        np.testing.assert_array_equal(np.concatenate([a, b]), np.concatenate([c, d]))
    for folds in (list(known.pairs), 3, np.int64(3)):
        path = dropout_path(X, y, folds=folds, **options)
        np.testing.assert_array_equal(path.curve.test_loss, first.curve.test_loss)
    several = dropout_path(X, y, folds=ShuffleSplit(2, random_state=0), **options)
    assert len(several.folds) == 2 and "ShuffleSplit" in several.folds.description
    single = dropout_path(X, y, folds=[(np.arange(40), np.arange(40, 60))], **options)
    assert single.curve.test_loss.shape == (1, 2) and single.best is not None
    repeated = dropout_path(X, y, folds=make_folds(y, n_splits=2, n_repeats=2), **options)
    assert repeated.curve.n_repeats == repeated.evidence.n_repeats == 2
    with pytest.raises(InputError, match="make them from this y"):
        dropout_path(X[:50], y[:50], folds=known, **options)


def test_classes_are_dealt_out_evenly():
    X, _ = table(100)
    codes = np.repeat([0.0, 1.0, 2.0], [60, 35, 5])
    path = dropout_path(X, codes, family="multinomial", rates=[0.0], folds=5, **QUICK)
    counts = np.array([np.bincount(codes[held].astype(int), minlength=3) for _, held in path.folds])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()
    assert path.folds.description == "5-fold cross-validation, stratified by class, seed 0"
    assert path.fits[0].network.n_outputs == 3
    codes[codes == 2.0] = 1.0
    codes[-1] = 2.0  # a class with a single row is in no training part of one fold
    path = dropout_path(X, codes, family="multinomial", rates=[0.0], folds=5, **QUICK)
    assert np.isfinite(path.curve.test_loss).all()


def test_seed_threads_and_sparse_rows():
    X, y = table()
    options = {"family": "gaussian", "rates": [0.5, 0.0], "folds": 3, **QUICK}
    first = dropout_path(X, y, **options)
    for n_jobs in (2, None):
        again = dropout_path(X, y, **{**options, "n_jobs": n_jobs})
        np.testing.assert_array_equal(again.curve.test_loss, first.curve.test_loss)
        np.testing.assert_array_equal(again.fits[0].network.link(X), first.fits[0].network.link(X))
    other = dropout_path(X, y, **options, seed=1)
    assert not np.array_equal(other.curve.test_loss, first.curve.test_loss)
    X[X < 0.5] = 0.0
    found = [dropout_path(kind(X), y, **options).curve.test_loss for kind in (sparse.csr_array, sparse.csc_matrix)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.isfinite(found[0]).all()


def test_offsets_and_missing_cells(asked):
    """Links hold the offset, and a fold's held-out rows are filled from its training rows."""
    rng = np.random.default_rng(2)
    X, y = table()
    exposure = rng.uniform(0.5, 3.0, 60)
    counts = rng.poisson(np.exp(0.3 * y) * exposure).astype(float)
    options = {"rates": [0.2], "folds": 3, **QUICK}
    path = dropout_path(X, counts, family="poisson", offset=np.log(exposure), **options)
    classes = dropout_path(X, np.arange(60.0) % 3, family="multinomial", offset=np.zeros(60), **options)
    assert np.isfinite(classes.curve.test_loss).all()
    moved = dropout_path(X, counts, family="poisson", offset=np.log(exposure) + 3.0, **options)
    np.testing.assert_allclose(moved.curve.test_loss, path.curve.test_loss, rtol=1e-4)
    np.testing.assert_allclose(moved.evidence.test_loss, path.evidence.test_loss, rtol=1e-4)

    class Filled:
        shape = X.shape

        def for_rows(self, train):
            filled = X.copy()
            filled[7, 0] = X[train, 0].mean()
            return filled

    asked.clear()
    missing = dropout_path(Filled(), y, family="gaussian", **options)
    (j,) = (j for j, (_, held) in enumerate(missing.folds) if 7 in held)
    fit, _ = missing.folds.pairs[j]
    apart = dropout_path(Filled().for_rows(fit), y, family="gaussian", **options)
    np.testing.assert_allclose(missing.curve.test_loss[j], apart.curve.test_loss[j], rtol=1e-5)


def test_verdicts_of_a_rate():
    X, y = table()
    path = dropout_path(X, y, family="gaussian", rates=[0.5, 0.3, 0.0], folds=3, **QUICK)
    verdict = path.verdict(0.1 + 0.2)  # 0.3 but for rounding
    assert verdict.model == rate_name(0.3)
    assert {c.alternative for c in verdict.comparisons} >= {"null", "rate 0.5", "rate 0"}
    assert path.verdict().model == "dropout"
    assert path.verdict(margin=0.2, level=0.9).margin == 0.2
    for rate in (0.4, 1.0, float("nan")):
        with pytest.raises(InputError, match=r"isn't on the curve; expected one of 0\.5, 0\.3, 0"):
            path.verdict(rate)


def test_settings_that_can_not_be():
    X, y = table()
    with pytest.raises(InputError, match="unknown family 'gamma'"):
        dropout_path(X, y, family="gamma", **QUICK)
    with pytest.raises(InputError, match="'best'"):
        dropout_path(X, y, family="gaussian", rates=[0.5, 0.0], rule="best", **QUICK)
    with pytest.raises(InputError, match="y has shape"):
        dropout_path(X, y[1:], family="gaussian", **QUICK)
    with pytest.raises(InputError, match="finite"):
        dropout_path(X, np.where(np.arange(60) == 5, np.nan, y), family="gaussian", **QUICK)
    with pytest.raises(InputError, match="both groups and time"):
        dropout_path(X, y, family="gaussian", groups=np.arange(60) // 3, time=np.arange(60), **QUICK)
    with pytest.warns(DataWarning, match="using 4 folds"):
        dropout_path(X[:4], y[:4], family="gaussian", rates=[0.0], folds=9, **QUICK)


def test_a_network_without_dropout_overfits_and_the_chosen_rate_does_not():
    """200 rows, 5 features that count and 100 of noise, two layers of 128: rho is well clear of the margins."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 105))
    y = X[:, :5].sum(axis=1) / np.sqrt(5.0) + 0.5 * rng.normal(size=200)
    path = dropout_path(
        X,
        y,
        family="gaussian",
        rates=(0.7, 0.5, 0.3, 0.2, 0.0),
        folds=make_folds(y, n_splits=5, n_repeats=2, seed=0),
        architecture=Architecture((128, 128)),
        training=Training(learning_rate=1e-3, max_epochs=50, early_stopping=False, input_dropout=0.2),
    )
    without, chosen = path.verdict(0.0), path.verdict()
    assert without.label == "overfitting" and without.effect.lower > 0.0 and without.effect.value > 0.05
    assert any(c.side == "simpler" and c.rho.lower > 0.0 for c in without.comparisons)
    assert chosen.label == "balanced" and chosen.explained.lower > 0.0
    assert 0.2 <= path.select().value <= 0.5
    assert path.curve.train_mean[-1] < 0.1 * path.curve.mean[-1]
