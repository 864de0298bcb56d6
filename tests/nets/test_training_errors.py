"""Training that can't be, that fails, or that is interrupted: clear words, and nobody else is touched."""

import _thread
import signal
import threading
import time

import numpy as np
import pytest
from scipy import sparse

from bridle.errors import ConvergenceError, InputError
from bridle.nets.dropout import dropout_path
from bridle.nets.engine import Rows, Task, train
from bridle.nets.settings import Architecture, Training
from bridle.nets.stack import Stack

torch = pytest.importorskip("torch")

NOBODY = np.arange(0)
QUICK = Training(max_epochs=2, batch_size=16)
SMALL = Architecture((6,))
TASK = Task(np.arange(30), np.arange(30, 40), 0)
FAMILIES = ("gaussian", "binomial", "poisson", "multinomial")


def table(n=40, p=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X[:, 0] + rng.normal(size=n)


def run(rows, rates=(0.5,), tasks=(TASK,), architecture=SMALL, training=QUICK, family="gaussian", **options):
    return train(rows, tasks, rates, architecture, training, family=family, **options)


# What can't be trained -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [3, 33])  # one that trains, one that decides
def test_numbers_that_are_not_finite(value, row):
    X, y = table()
    broken = X.copy()
    broken[row, 1] = value
    for matrix in (broken, sparse.csr_array(broken)):
        with pytest.raises(InputError, match=r"X holds values that aren't finite \(NaN or infinite\); fill or drop"):
            run(Rows(matrix, y))
    target = y.copy()
    target[row] = value
    with pytest.raises(InputError, match=r"finite|missing"):
        run(Rows(X, target))
    with pytest.raises(InputError, match=r"class codes 0 to 2; got"):
        run(Rows(X, np.where(np.arange(40) == row, value, np.arange(40) % 3)), family="multinomial", n_classes=3)
    with pytest.raises(InputError, match="the offset holds values that aren't finite"):
        run(Rows(X, y, None, np.where(np.arange(40) == row, value, 0.0)))
    with pytest.raises(InputError, match="weights must be finite and not negative"):
        run(Rows(X, y, np.where(np.arange(40) == row, value, 1.0)))


def test_weights_and_shapes():
    X, y = table()
    with pytest.raises(InputError, match="weights must be finite and not negative"):
        Rows(X, y, np.full(40, -1.0))
    with pytest.raises(InputError, match="0 row to train on isn't enough for a network; 2 are the least"):
        run(Rows(X, y, np.zeros(40)))
    with pytest.raises(InputError, match=r"y has shape \(39,\); expected \(40,\), one value per row of X"):
        Rows(X, y[1:])
    with pytest.raises(InputError, match=r"offset has shape \(40, 1\); expected \(40,\)"):
        Rows(X, y, None, y[:, None])
    with pytest.raises(InputError, match="an offset shifts the links of all classes alike"):
        run(Rows(X, np.arange(40.0) % 3, None, y), family="multinomial", n_classes=3)


def test_tables_of_other_kinds():
    """Whatever NumPy and SciPy call a matrix of numbers is the same table."""
    X, y = table()
    X = np.where(np.abs(X) < 0.5, 0.0, np.round(X, 2))
    kinds = (X.astype(object), np.asfortranarray(X), sparse.coo_matrix(X), sparse.csc_array(X))
    expected = [run(Rows(of, y))[0][0].network.link(X) for of in (X, sparse.csr_array(X))]
    for of in kinds:
        found = run(Rows(of, y.astype(np.float32).astype(float)))[0][0].network.link(X)
        np.testing.assert_allclose(found, expected[int(sparse.issparse(of))], atol=1e-5)
    constant = run(Rows(np.ones((40, 3)), y))[0][0].network  # nothing to learn from, which is no error
    assert not constant.used.any() and np.ptp(constant.link(X)) == 0.0
    with pytest.raises(InputError, match="X has no features"):
        Rows(X[:, :0], y)
    with pytest.raises(InputError, match="the target is too large to compute its variance"):
        run(Rows(X, 1e200 * y))


@pytest.mark.parametrize("family", FAMILIES)
def test_constant_target(family):
    X, _ = table()
    y = np.ones(40)
    y[35] = 0.0  # on a validation row only
    with pytest.raises(InputError, match="the target is constant, 1 on every row to train on: there is nothing to"):
        run(Rows(X, y), family=family, n_classes=2)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ([1.0], "rates must be a share from 0 (none) to below 1 (all) of the units; got 1.0"),
        ([0.5, -0.1], "got -0.1"),
        ([np.nan], "got nan"),
        ([np.inf], "got inf"),
        (["half"], "got 'half'"),
        ([True], "got True"),
        ([[0.1, 0.2]], "got [0.1, 0.2]"),
        ([], "rates is empty; give at least one dropout rate from 0 to below 1"),
    ],
)
def test_rates(rates, words):
    X, y = table()
    with pytest.raises(InputError) as caught:
        run(Rows(X, y), rates)
    assert words in str(caught.value)
    if rates != [[0.1, 0.2]]:  # the path takes it as two rates
        with pytest.raises(InputError) as caught:
            dropout_path(X, y, family="gaussian", rates=rates)
        assert words in str(caught.value)


@pytest.mark.parametrize("device", ["tpu", "cuda:7", "cuda:-1", "mps", "", "cpu cuda"])
def test_unknown_device(device):
    with pytest.raises(InputError, match="expected 'auto' or one of cpu") as caught:
        run(Rows(*table()), device=device)
    assert repr(device) in str(caught.value)


def test_unknown_family_and_too_few_classes():
    X, y = table()
    with pytest.raises(InputError, match="unknown family 'gamma'; expected one of gaussian, binomial, multinomial"):
        run(Rows(X, y), family="gamma")
    codes = np.arange(40.0) % 3
    with pytest.raises(InputError, match=r"class codes 0 to 1; got \[0.0, 1.0, 2.0\]"):
        run(Rows(X, codes), family="multinomial", n_classes=2)
    with pytest.raises(InputError, match=r"class codes 0 to 2; got \[0.5"):
        run(Rows(X, codes + 0.5), family="multinomial", n_classes=3)
    for bad in (codes + 1.0, np.where(codes == 2.0, 1e9, codes), np.where(codes == 0.0, np.nan, codes)):
        with pytest.raises(InputError, match=r"needs class codes 0, 1, 2, ..., all of them there; got \["):
            dropout_path(X, bad, family="multinomial")


# Few rows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_two_rows_and_batches_of_one(family):
    X, y = table()
    y = np.arange(40.0) % 2 if family != "gaussian" else y
    for rows, size in ((2, None), (7, 1), (7, 2), (7, 3)):
        task = Task(np.arange(rows), NOBODY, 0)
        training = Training(max_epochs=2, batch_size=size, early_stopping=False)
        ((found,),) = run(
            Rows(X, y), (0.5,), (task,), SMALL, training, family, n_classes=2 if family == "multinomial" else 1
        )
        assert found.status == "epochs used up" and np.isfinite(found.network.link(X)).all()
    with pytest.raises(InputError, match="1 row to train on isn't enough for a network"):
        run(Rows(X, y), tasks=(Task(np.arange(1), NOBODY, 0),), family=family, n_classes=2)


def test_batch_normalisation_never_sees_one_row():
    X, y = table()
    architecture = Architecture((6,), normalization="batch")
    for size in (2, 3, 4, 6):  # 7 rows: a last minibatch would often be a single row
        training = Training(max_epochs=2, batch_size=size, early_stopping=False)
        ((found,),) = run(Rows(X, y), (0.5,), (Task(np.arange(7), NOBODY, 0),), architecture, training)
        assert np.isfinite(found.network.link(X)).all()
    with pytest.raises(InputError, match="batch normalisation needs a batch_size of at least 2"):
        run(Rows(X, y), architecture=architecture, training=Training(batch_size=1))
    linear = Architecture((), normalization="batch")  # has nothing to normalise
    assert run(Rows(X, y), architecture=linear, training=Training(batch_size=1, max_epochs=1))[0][0].network


# Training that diverges ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("early_stopping", [True, False])
def test_all_diverge(family, early_stopping):
    X, y = table()
    y = y if family == "gaussian" else np.arange(40.0) % 2
    training = Training(learning_rate=1e3, max_epochs=6, early_stopping=early_stopping, batch_size=8, patience=9)
    task = TASK if early_stopping else Task(TASK.train, NOBODY, 0)
    ((found,),) = run(
        Rows(X, y),
        (0.2,),
        (task,),
        Architecture((6, 6)),
        training,
        family,
        n_classes=2 if family == "multinomial" else 1,
    )
    assert found.status == "diverged" and found.network is None
    with pytest.raises(InputError, match="at no dropout rate did training give finite losses on all folds; lower the"):
        dropout_path(X, y, family=family, rates=[0.5, 0.0], folds=3, architecture=SMALL, training=training)


def poisoned(monkeypatch, seed, epoch, rate=None):
    """From ``epoch`` on the weights of one task's models, or of one rate's, are NaN."""
    original, count = Stack._epoch, {}

    def epoch_of(self, state, alive, stop):
        count[id(self)] = count.get(id(self), 0) + 1
        if count[id(self)] == epoch:
            for k, i in enumerate(alive):
                if self.of_model[i].seed == seed and rate in (None, self.rates[i]):
                    state.weights.data[k] = torch.nan
        return original(self, state, alive, stop)

    monkeypatch.setattr(Stack, "_epoch", epoch_of)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_one_that_diverges_leaves_the_others_alone(monkeypatch, normalization):
    X, y = table()
    tasks = [Task(np.arange(30), np.arange(30, 40), s, track=True) for s in (0, 1)]
    architecture = Architecture((6, 5), normalization=normalization)
    training = Training(max_epochs=4, batch_size=10, input_dropout=0.2)

    def links(found):
        return [None if one.network is None else one.network.link(X) for of_task in found for one in of_task]

    sound = train(Rows(X, y), tasks, [0.5, 0.0], architecture, training, family="gaussian")
    expected = links(sound)
    poisoned(monkeypatch, seed=1, epoch=1)
    found = train(Rows(X, y), tasks, [0.5, 0.0], architecture, training, family="gaussian")
    assert [one.status for one in found[0]] == ["epochs used up"] * 2
    for got, wanted in zip(links(found)[:2], expected[:2], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)
    for one in found[1]:
        assert one.status == "diverged" and one.network is None and one.history.stopped == "divergence"
        assert one.history.best_epoch == 0 and len(one.history.validation) == 1  # it left the stack


def test_best_weights_before_divergence_are_kept(monkeypatch):
    X, y = table()
    training = Training(max_epochs=5, batch_size=10)
    poisoned(monkeypatch, seed=0, epoch=4)
    ((found,),) = run(Rows(X, y), training=training)
    assert found.status == "diverged" and 1 <= found.history.best_epoch <= 3
    monkeypatch.undo()
    ((short,),) = run(Rows(X, y), training=Training(max_epochs=3, batch_size=10))
    np.testing.assert_array_equal(found.network.link(X), short.network.link(X))


def test_a_path_goes_on_without_the_rate_that_diverged(monkeypatch):
    X, y = table(60)
    poisoned(monkeypatch, seed=int(np.random.SeedSequence([0, 1]).generate_state(1)[0]), epoch=1, rate=0.0)
    options = {"rates": [0.5, 0.2, 0.0], "folds": 3, "architecture": SMALL, "training": Training(max_epochs=5)}
    path = dropout_path(X, y, family="gaussian", **options)
    assert np.isinf(path.curve.test_loss[1, 2]) and np.isfinite(path.curve.test_loss[:, :2]).all()
    assert path.evidence.names == ("null", "dropout", "rate 0.5", "rate 0.2")
    assert np.isfinite(path.evidence.test_loss).all() and path.select().value > 0.0
    with pytest.raises(InputError, match=r"training diverged at rate 0.0 in some fold, so it can't be judged"):
        path.verdict(0.0)


def test_best_network_that_diverged(monkeypatch):
    X, y = table(60)
    seed = int(np.random.SeedSequence([0, 3]).generate_state(1)[0])  # of the task of all rows
    poisoned(monkeypatch, seed=seed, epoch=1)
    options = {"rates": [0.5], "folds": 3, "architecture": SMALL, "training": QUICK}
    path = dropout_path(X, y, family="gaussian", **options)
    with pytest.raises(ConvergenceError, match="training on all rows diverged at the chosen rate; lower the learning"):
        path.best  # noqa: B018


# Interrupts ----------------------------------------------------------------------------------------------------------

LONG = Training(max_epochs=100_000, batch_size=8, patience=100_000)
MANY = [Task(np.arange(30), np.arange(30, 40), s, track=s == 0) for s in range(6)]


def workers():
    return [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]


def check_interrupted(found, X):
    for one in (one for of_task in found for one in of_task):
        assert one.status == "interrupted" and one.history.stopped == "an interrupt"
        assert np.isfinite(one.network.link(X)).all() and one.history.best_epoch >= 1
    assert not workers()


def test_an_interrupt_ends_training_with_what_there_is():
    """8 stacks on 2 threads: those that wait in the queue end too."""
    X, y = table()
    timers = []

    def progress(*_):
        if not timers:  # training has begun
            timers.append(threading.Timer(0.3, _thread.interrupt_main))
            timers[0].start()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore interrupts
    began = time.monotonic()
    try:
        found = run(Rows(X, y), np.linspace(0.8, 0.0, 30), MANY, training=LONG, n_jobs=2, progress=progress)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 60.0  # LONG would take hours
    check_interrupted(found, X)
    assert any(len(one.history.validation) > 1 for of_task in found for one in of_task)


def test_an_interrupt_that_comes_while_progress_is_told():
    X, y = table()
    calls = []

    def progress(done, total, loss):
        calls.append((done, total, loss))
        if len(calls) == 2:
            raise KeyboardInterrupt

    found = run(Rows(X, y), (0.5, 0.0), MANY, training=LONG, n_jobs=2, progress=progress)
    check_interrupted(found, X)
    assert len(calls) >= 2


def test_an_error_of_progress_goes_on_to_the_caller():
    class OwnError(Exception):
        pass

    def progress(*_):
        raise OwnError

    with pytest.raises(OwnError):
        run(Rows(*table()), (0.5, 0.0), MANY, training=LONG, n_jobs=2, progress=progress)
    assert not workers()


def test_an_error_in_a_stack_stops_the_others(monkeypatch):
    original = Stack._epoch

    def fails(self, state, alive, stop):
        if self.tasks[0].n_train == 20:
            raise MemoryError("of one stack")
        return original(self, state, alive, stop)

    monkeypatch.setattr(Stack, "_epoch", fails)
    tasks = [*MANY, Task(np.arange(20), np.arange(30, 40), 9)]
    with pytest.raises(MemoryError, match="of one stack"):
        run(Rows(*table()), (0.5, 0.0), tasks, training=LONG, n_jobs=2)
    assert not workers()


def test_progress_counts_to_the_end():
    calls = []
    training = Training(max_epochs=50, patience=2, batch_size=16, learning_rate=0.03)
    found = run(Rows(*table()), (0.5, 0.0), MANY, training=training, progress=lambda *a: calls.append(a))
    assert any(one.status == "stopped early" for of_task in found for one in of_task)
    done, totals, losses = zip(*calls, strict=True)
    assert list(done) == sorted(done) and done[-1] == totals[-1] == 50 * 12 and set(totals) == {600}
    assert np.isfinite(losses[-1]) and losses[-1] > 0.0
