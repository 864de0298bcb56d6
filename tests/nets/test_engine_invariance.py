"""What may change no answer of training: threads, weights of 0, units, neighbours; and what training may not touch."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bridle.nets.engine import Rows, Task, split_validation, train
from bridle.nets.settings import Architecture, Training

torch = pytest.importorskip("torch")

NOBODY = np.arange(0)
QUICK = Training(max_epochs=3, batch_size=16, patience=5)
SMALL = Architecture((8, 4))
TASKS = (Task(np.arange(45), np.arange(45, 60), 1), Task(np.arange(15, 60), np.arange(15), 2, track=True))


def table(n=60, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X[:, 0] - np.abs(X[:, 1]) + 0.3 * rng.normal(size=n)


def run(rows, tasks=TASKS, rates=(0.5, 0.0), architecture=SMALL, training=QUICK, family="gaussian", **options):
    return train(rows, tasks, rates, architecture, training, family=family, **options)


def numbers(found):
    """Everything that training answers with, in one array."""
    parts = []
    for one in (one for of_task in found for one in of_task):
        parts += [a.ravel() for layer in one.network.layers for a in layer.arrays]
        parts += [one.network.mean, one.network.scale, one.history.validation, one.history.train]
        parts += [[one.network.noise, one.validation_loss, one.history.best_epoch]]
    return np.concatenate(parts)


@pytest.mark.parametrize("normalization", [None, "batch"])
def test_same_seed_same_answer_for_any_number_of_threads(normalization):
    rows, rates = Rows(*table()), np.linspace(0.8, 0.0, 13)  # two stacks, and one more for the third task
    tasks = [*TASKS, Task(np.arange(50), np.arange(50, 60), 3)]
    architecture = Architecture((8, 4), normalization=normalization)
    first = numbers(run(rows, tasks, rates, architecture, n_jobs=1))
    for n_jobs in (1, 2, 5):
        np.testing.assert_array_equal(numbers(run(rows, tasks, rates, architecture, n_jobs=n_jobs)), first)
    other = [Task(t.train, t.validation, t.seed + 100, t.track) for t in tasks]
    assert np.abs(numbers(run(rows, other, rates, architecture))[:10] - first[:10]).max() > 1e-3


def test_models_of_a_task_share_all_draws():
    """So the difference between two rates is paired: the same rate twice is the same model twice."""
    (models,) = run(Rows(*table()), TASKS[:1], [0.4, 0.4, 0.1])
    np.testing.assert_array_equal(numbers([models[:1]]), numbers([models[1:2]]))
    assert not np.array_equal(numbers([models[:1]]), numbers([models[2:]]))


def test_torch_is_left_as_it_was():
    rows = Rows(*table())
    state, threads, kind = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    before = numbers(run(rows))

    def look():
        seen = []
        worker = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        worker.start()
        worker.join()
        return seen[0]

    in_others = look()
    with pytest.raises(ZeroDivisionError):
        run(rows, progress=lambda *_: 1 / 0)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: numbers(run(rows, n_jobs=2)), range(8)))
    for found in together:
        np.testing.assert_array_equal(found, before)
    assert torch.get_num_threads() == threads and look() == in_others
    torch.testing.assert_close(torch.get_rng_state(), state, rtol=0, atol=0)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    torch.manual_seed(7)
    torch.set_default_dtype(torch.float64)  # what others have set has no say either
    try:
        with torch.no_grad():
            np.testing.assert_array_equal(numbers(run(rows)), before)
    finally:
        torch.set_default_dtype(kind)
        torch.set_rng_state(state)


def test_stacks_are_held_to_one_thread(monkeypatch):
    seen = []
    work = "bridle.nets.stack.Stack._epoch"
    original = sys.modules["bridle.nets.stack"].Stack._epoch
    monkeypatch.setattr(work, lambda self, *a: (seen.append(torch.get_num_threads()), original(self, *a))[1])
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        run(Rows(*table()))
        assert set(seen) == {1} and torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "multinomial"])
def test_a_row_of_weight_zero_is_not_there(family):
    X, y = table()
    y = {"gaussian": y, "multinomial": np.digitize(y, [-1, 0]).astype(float)}.get(family, (y > 0).astype(float))
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 60)
    weight[[3, 17, 50]] = 0.0
    X[3], y[17] = 1e6, {"gaussian": 1e9}.get(family, y[17])
    kept = np.flatnonzero(weight)
    place = np.full(60, -1)
    place[kept] = np.arange(kept.size)
    tasks = [Task(place[t.train][place[t.train] >= 0], place[t.validation][place[t.validation] >= 0], t.seed, t.track)
             for t in TASKS]  # fmt: skip
    there = run(Rows(X, y, weight), family=family, n_classes=3)
    gone = run(Rows(X[kept], y[kept], weight[kept]), tasks, family=family, n_classes=3)
    np.testing.assert_array_equal(numbers(there), numbers(gone))
    doubled = run(Rows(X, y, 4.0 * weight), family=family, n_classes=3)  # a power of 2 rounds nothing
    np.testing.assert_array_equal(numbers(doubled), numbers(there))


def links(found, X):
    return np.array([one.network.link(X) for of_task in found for one in of_task])


def test_weights_are_not_only_looked_at_in_the_loss():
    """Rows of weight 2 count as two in the moments too; equal weights are none."""
    X, y = table()
    np.testing.assert_allclose(
        numbers(run(Rows(X, y, np.full(60, 0.7)))), numbers(run(Rows(X, y))), rtol=1e-4, atol=1e-5
    )
    weight = np.ones(60)
    weight[:20] = 2.0
    network = run(Rows(X, y, weight))[0][0].network
    twice = np.concatenate([np.arange(20), np.arange(45)])
    np.testing.assert_allclose(network.mean, X[twice].mean(axis=0))
    np.testing.assert_allclose(network.scale, X[twice].std(axis=0))
    np.testing.assert_allclose([network.center[0], network.spread], [y[twice].mean(), y[twice].std()])


@pytest.mark.parametrize(("factor", "shift"), [(1e-6, 0.0), (1e6, -4e6), (1.0, 1e8)])
def test_the_unit_of_a_gaussian_target_is_none(factor, shift):
    X, y = table()
    base = links(run(Rows(X, y)), X)
    moved = links(run(Rows(X, factor * y + shift)), X)
    np.testing.assert_allclose((moved - shift) / factor, base, rtol=0, atol=1e-4)
    assert np.std(moved) == pytest.approx(factor * np.std(base), rel=1e-3)


def test_units_and_means_of_features_are_none():
    X, y = table()
    unit, shift = np.array([1e6, 1e-9, 3.0, 1.0]), np.array([0.0, 1.0, -1e5, 1e8])
    base, moved = links(run(Rows(X, y)), X), links(run(Rows(X * unit + shift, y)), X * unit + shift)
    np.testing.assert_allclose(moved, base, rtol=0, atol=1e-4)


def test_offset_is_a_known_part_of_the_link():
    """Gaussian: the target less the offset is what is learned; Poisson: a constant offset is the unit of exposure."""
    X, y = table()
    offset = np.random.default_rng(2).normal(size=60)
    np.testing.assert_allclose(
        links(run(Rows(X, y + offset, None, offset)), X), links(run(Rows(X, y)), X), rtol=0, atol=1e-4
    )
    counts = np.random.default_rng(3).poisson(np.exp(y)).astype(float)
    plain = links(run(Rows(X, counts), family="poisson"), X)
    exposed = links(run(Rows(X, counts, None, np.full(60, 2.5)), family="poisson"), X)
    np.testing.assert_allclose(exposed + 2.5, plain, rtol=0, atol=1e-4)


def test_a_feature_that_never_varied_can_not_speak():
    """Its weights would stay as they were drawn, and turn the first new value into noise."""
    X, y = table()
    X[:45, 2] = 5.0  # varies on validation rows only
    ((found,),) = run(Rows(X, y), TASKS[:1], [0.3])
    new = X.copy()
    new[:, 2] = 1e4
    np.testing.assert_array_equal(found.network.link(new), found.network.link(X))
    assert found.network.used.tolist() == [True, True, False, True]


class Filled:
    """A design whose missing cells are the mean of the rows that train."""

    def __init__(self, X):
        self.X, self.shape, self.asked = X, X.shape, []

    def for_rows(self, train):
        self.asked.append(train)
        mean = np.nanmean(self.X[train], axis=0)
        return np.where(np.isnan(self.X), mean, self.X)


def test_missing_cells_are_filled_for_each_task():
    X, y = table()
    X[np.random.default_rng(4).random(X.shape) < 0.2] = np.nan
    tasks = [Task(np.arange(30), np.arange(30, 40), 1), Task(np.arange(20, 50), np.arange(50, 60), 2)]
    design = Filled(X)
    together = run(Rows(design, y), tasks)
    assert [rows.tolist() for rows in design.asked] == [list(range(40)), list(range(20, 60))]
    for found, rows, task in zip(together, design.asked, tasks, strict=True):
        apart = run(Rows(Filled(X).for_rows(rows), y), [task])
        np.testing.assert_allclose(numbers([found]), numbers(apart), rtol=1e-4, atol=1e-5)


def test_rows_set_aside_keep_classes_groups_and_time():
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(400)[:300])
    y = (np.arange(400) % 10 == 0).astype(float)
    fit, held = split_validation(y, rows, family="binomial", fraction=0.2, seed=0)
    np.testing.assert_array_equal(np.sort(np.concatenate([fit, held])), rows)
    assert y[held].sum() == round(0.2 * y[rows].sum()) and 55 <= held.size <= 65
    again = split_validation(y, rows, family="binomial", fraction=0.2, seed=0)
    np.testing.assert_array_equal(again[1], held)
    assert not np.array_equal(split_validation(y, rows, family="binomial", fraction=0.2, seed=1)[1], held)
    codes = rng.choice(4, 400, p=[0.5, 0.3, 0.19, 0.01]).astype(float)
    fit, held = split_validation(codes, rows, family="multinomial", fraction=0.2, seed=0)
    assert set(codes[fit]) == set(codes[rows]) == set(codes[held])
    groups = np.array([f"g{k}" for k in np.arange(400) // 13])
    for family, target in (("binomial", y), ("multinomial", codes), ("gaussian", rng.normal(size=400))):
        fit, held = split_validation(target, rows, family=family, fraction=0.2, seed=0, groups=groups)
        assert held.size and not set(groups[fit]) & set(groups[held])
        time = rng.permutation(400)
        fit, held = split_validation(target, rows, family=family, fraction=0.2, seed=0, time=time)
        assert held.size and time[fit].max() < time[held].min()


def test_rows_that_can_not_be_split_all_train():
    y, rows = np.arange(10.0), np.arange(2, 8)
    fit, held = split_validation(y, rows, family="gaussian", fraction=0.2, seed=0, groups=np.zeros(10))
    assert fit.tolist() == rows.tolist() and held.size == 0
    ordered = (np.arange(10) > 5).astype(float)  # the later rows hold all of a class
    fit, held = split_validation(ordered, rows, family="binomial", fraction=0.3, seed=0, time=np.arange(10))
    assert fit.tolist() == rows.tolist() and held.size == 0
