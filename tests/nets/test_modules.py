"""A path of anybody's own modules: right numbers, the same draws for all rates, and clear errors."""

import sys

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss

import bridle
from bridle.errors import BridleWarning, ConvergenceError, InputError, MissingExtraError
from bridle.nets import Training, path
from bridle.nets.module_data import read_matrix, read_target
from bridle.nets.proximal import selected_features

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

SHORT = Training(max_epochs=3, learning_rate=0.02)
RATES = (0.0, 0.4)


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny matrices: threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Net(nn.Module):
    """One hidden layer with dropout."""

    def __init__(self, rate, p=4, k=1, width=8):
        super().__init__()
        self.first, self.last, self.drop = nn.Linear(p, width), nn.Linear(width, k), nn.Dropout(rate)

    def forward(self, x):
        return self.last(self.drop(torch.relu(self.first(x))))


def table(family="gaussian", n=90, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.arange(1, p + 1) + 5.0
    eta = 1.5 * (X[:, 0] - 5.0) - 0.4 * (X[:, 1] - 5.0)
    y = {
        "gaussian": 100.0 + 20.0 * eta + rng.normal(size=n),
        "binomial": (rng.random(n) < expit(eta)).astype(float),
        "poisson": rng.poisson(np.exp(0.4 * eta)).astype(float),
        "multinomial": np.digitize(eta, [-1.0, 1.0]),
    }[family]
    return X, y


def fit(X, y, rates=RATES, make=Net, **options):
    return path(make, rates, X, y, **{"folds": 3, "training": SHORT, "device": "cpu", "rule": "min"} | options)


# What it gives -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "multinomial"])
def test_curve_evidence_module_and_verdict_agree(family):
    X, y = table(family)
    k = 3 if family == "multinomial" else 1
    found = fit(X, y, make=lambda rate: Net(rate, k=k), family=family)
    assert found.curve.values.tolist() == [0.4, 0.0] and found.curve.parameter == "dropout rate"
    assert found.curve.test_loss.shape == (3, 2) and np.isfinite(found.curve.test_loss).all()
    assert found.rate in RATES and found.select("1se").rule == "1se" and found.family == family
    assert found.verdict.label in bridle.diagnosis.verdict.LABELS and found.verdict.scheme == found.folds.description
    assert found.verdict_at(0.4).model == "rate 0.4"
    assert not found.module.training and isinstance(found.module, Net)
    h = found.history
    assert len(h.train) == len(h.validation) == 3 and h.n_train + h.n_validation == len(y)
    assert h.stopped == "the limit of epochs" and 1 <= h.best_epoch <= 3
    means = found.predict(X)
    if family == "multinomial":
        assert found.classes.tolist() == [0, 1, 2]
        np.testing.assert_allclose(means.sum(axis=1), 1.0)
        np.testing.assert_allclose(means, softmax(found.link(X), axis=1))
        return
    # Held-out losses again, from the held-out means.
    unit = bridle.losses.get_family(family)
    for name, at in (("rate 0.4", 0), ("rate 0", 1)):
        held = found.evidence.predictions[name][0]
        again = [np.mean(unit.deviance(y[test], held[test])) for _, test in found.folds]
        np.testing.assert_allclose(found.curve.test_loss[:, at], again, rtol=1e-6)
    np.testing.assert_allclose(means, unit.mean(found.link(X)))
    assert "Net" in repr(found) and "0.4, 0" in repr(found)


def test_the_module_and_its_moments_make_the_links():
    X, y = table()
    found = fit(X, y)
    f = found.fitted
    np.testing.assert_allclose(f.mean, X[: len(X)].mean(axis=0), rtol=0.3)
    with torch.no_grad():
        out = found.module(torch.tensor((X - f.mean) / f.scale, dtype=torch.float32)).numpy()[:, 0]
    np.testing.assert_allclose(found.link(X), f.center[0] + f.spread * out, rtol=1e-5)


def test_untouched_modules_give_links_as_they_are():
    X, y = table("binomial")
    seen = []

    class Codes(Net):
        def forward(self, x):
            seen.append(x.detach().clone())
            return super().forward(x)

    codes = np.round(X)
    found = fit(codes, y, make=Codes, standardize=False)
    assert all(torch.equal(x, x.round()) for x in seen)  # exact codes: an embedding could look them up
    with torch.no_grad():
        out = found.module(torch.tensor(codes, dtype=torch.float32)).numpy()[:, 0]
    np.testing.assert_allclose(found.link(codes), out, rtol=1e-6)
    offset = np.linspace(-1, 1, len(y))
    np.testing.assert_allclose(found.link(codes, offset), out + offset, rtol=1e-6)


def test_a_linear_module_comes_to_least_squares():
    X, y = table(n=200)
    found = fit(
        X, y, rates=[0.0], make=lambda rate: nn.Linear(4, 1), folds=2,
        training=Training(max_epochs=80, early_stopping=False, batch_size=200),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.5),
    )  # fmt: skip
    best = np.column_stack([np.ones(200), X]) @ np.linalg.lstsq(np.column_stack([np.ones(200), X]), y, rcond=None)[0]
    np.testing.assert_allclose(found.predict(X), best, atol=1e-4 * y.std())
    assert found.history.validation == () and found.history.best_epoch == 80
    assert found.curve.mean[0] < 0.01 * found.curve.null_loss


def test_two_outputs_for_two_classes_are_their_difference():
    X, y = table("binomial")
    found = fit(X, np.where(y == 1, "sick", "healthy"), make=lambda rate: Net(rate, k=2))
    assert found.family == "binomial" and found.classes.tolist() == ["healthy", "sick"]
    assert found.predict(X)[y == 1].mean() > found.predict(X)[y == 0].mean()
    out = found.module(torch.tensor((X - found.fitted.mean) / found.fitted.scale, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(found.link(X), out[:, 1] - out[:, 0] + found.fitted.center[0], rtol=1e-4, atol=1e-5)


def test_iris_is_learned():
    X, y = load_iris(return_X_y=True)
    found = fit(X, y, make=lambda rate: Net(rate, k=3), training=Training(max_epochs=30, learning_rate=0.03))
    assert found.family == "multinomial" and "stratified by class" in found.folds.description
    assert all(np.bincount(y[test]).min() >= 16 for _, test in found.folds)
    assert log_loss(y, found.predict(X)) < 0.25
    assert found.verdict.explained.value > 0.7


def test_a_wide_network_overfits_and_the_chosen_dropout_mends_it():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 30))
    y = X[:, :3].sum(axis=1) + rng.normal(size=300) > 0
    found = path(
        lambda rate: nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Dropout(rate), nn.Linear(64, 1)), [0.0, 0.9], X, y,
        training=Training(early_stopping=False, max_epochs=30, learning_rate=0.01, l2=0.0), device="cpu",
    )  # fmt: skip
    assert found.verdict_at(0.0).label == "overfitting" and found.verdict.label == "balanced"
    assert found.rate == 0.9 and found.family == "binomial"


# Draws -------------------------------------------------------------------------------------------------------------


def test_rates_share_everything_but_the_rate():
    X, y = table("binomial")
    found = fit(X, y, make=lambda rate: Net(0.3), rates=[0.0, 0.3, 0.6])
    assert np.ptp(found.curve.test_loss, axis=1).max() == 0.0
    found = fit(X, y, make=Net, rates=[0.0, 0.6])
    assert np.ptp(found.curve.test_loss, axis=1).min() > 0.0


def test_deterministic_given_a_seed_and_the_global_generator_is_left_alone():
    X, y = table()
    torch.manual_seed(7)
    first = fit(X, y, seed=3)
    after = torch.rand(3)
    torch.manual_seed(123)
    again = fit(X, y, seed=3)
    torch.manual_seed(7)
    assert torch.equal(after, torch.rand(3))
    np.testing.assert_array_equal(first.curve.test_loss, again.curve.test_loss)
    np.testing.assert_array_equal(first.predict(X), again.predict(X))
    other = fit(X, y, seed=4)
    assert not np.array_equal(first.predict(X), other.predict(X))


def test_the_generator_is_left_alone_when_a_module_fails():
    X, y = table()
    torch.manual_seed(7)
    state = torch.get_rng_state()
    with pytest.raises(InputError):
        fit(X, y, make=lambda rate: Net(rate, p=5))
    assert torch.equal(state, torch.get_rng_state())


# Data --------------------------------------------------------------------------------------------------------------


def test_sparse_frames_and_arrays_are_the_same_table():
    pd = pytest.importorskip("pandas")
    X, y = table("binomial")
    X[X < 5.0] = 0.0
    dense = fit(X, y, standardize=False)
    thin = fit(sparse.csc_matrix(X), y, standardize=False)
    np.testing.assert_array_equal(dense.curve.test_loss, thin.curve.test_loss)
    np.testing.assert_array_equal(dense.predict(X), thin.predict(sparse.coo_matrix(X)))
    frame = pd.DataFrame(X, columns=list("abcd"))
    np.testing.assert_allclose(fit(frame, pd.Series(y)).predict(frame), fit(X, y).predict(X), rtol=1e-5)
    scaled = fit(sparse.csr_array(X), y)
    assert not scaled.fitted.mean.any() and np.isfinite(scaled.curve.mean).all()


def test_one_rate_is_judged_too():
    X, y = table("binomial", n=150)
    found = fit(X, y, rates=[0.2], training=Training(max_epochs=20, learning_rate=0.02, l2=0.0))
    assert found.verdict.label in ("balanced", "undetermined") and found.verdict.explained.lower > 0
    assert found.verdict_at(0.2).loss == found.verdict.loss


def test_a_feature_that_does_not_vary_in_training_has_no_say():
    X, y = table()
    X[:, 3] = 2.0
    found = fit(X, y)
    X[:, 3] = 1e6
    other = found.predict(X)
    X[:, 3] = 2.0
    np.testing.assert_array_equal(found.predict(X), other)


def test_rows_without_weight_have_no_say():
    X, y = table()
    extra = np.vstack([X, 1e3 * np.ones((5, 4))]), np.append(y, np.full(5, -1e6))
    pairs = [(np.arange(0, 60), np.arange(60, 90)), (np.arange(30, 90), np.arange(0, 30))]
    with_extra = [(np.append(a, np.arange(90, 95)), b) for a, b in pairs]
    settings = Training(max_epochs=3, early_stopping=False, batch_size=16)
    plain = fit(X, y, folds=pairs, training=settings)
    weighted = fit(*extra, folds=with_extra, training=settings, sample_weight=np.append(np.ones(90), np.zeros(5)))
    np.testing.assert_allclose(plain.curve.test_loss, weighted.curve.test_loss, rtol=1e-6)
    np.testing.assert_allclose(plain.predict(X), weighted.predict(X), rtol=1e-6)


def test_an_offset_is_part_of_the_link():
    """Exposures of 1 to 100 as an offset: without it the counts of alike rows can't be told apart."""
    rng = np.random.default_rng(2)
    X, exposure = rng.normal(size=(200, 2)), np.exp(rng.uniform(0, np.log(100), 200))
    y = rng.poisson(0.5 * exposure * np.exp(0.3 * X[:, 0])).astype(float)
    settings = Training(max_epochs=30, learning_rate=0.02)
    options = {"family": "poisson", "make": lambda rate: nn.Linear(2, 1), "rates": [0.0], "training": settings}
    known, unknown = fit(X, y, offset=np.log(exposure), **options), fit(X, y, **options)
    assert known.curve.mean[0] < 0.2 * unknown.curve.mean[0]
    ratio = known.predict(X, np.log(exposure)) / known.predict(X)
    np.testing.assert_allclose(ratio, exposure, rtol=1e-5)
    for standardize in (True, False):
        gaussian = fit(X, 3.0 * np.log(exposure) + X[:, 1], offset=3.0 * np.log(exposure), standardize=standardize,
                       **options | {"family": "gaussian"})  # fmt: skip
        assert gaussian.curve.mean[0] < 1.5


def test_repeats_groups_times_and_given_folds():
    X, y = table()
    repeated = fit(X, y, n_repeats=2)
    assert repeated.curve.n_repeats == 2 and repeated.curve.test_loss.shape == (6, 2)
    groups = np.repeat(np.arange(18), 5)
    grouped = fit(X, y, groups=groups)
    assert all(not set(groups[a]) & set(groups[b]) for a, b in grouped.folds)
    timed = fit(X, y, time=np.arange(90))
    assert all(a.max() < b.min() for a, b in timed.folds)
    folds = bridle.make_folds(y, n_splits=3, seed=9)
    assert fit(X, y, folds=folds).folds is folds


@pytest.mark.parametrize(
    ("y", "family", "classes"),
    [
        ([0, 1, 1, 0], "binomial", [0, 1]),
        ([-1.0, 1.0, 1.0], "binomial", [-1.0, 1.0]),
        ([True, False, True], "binomial", [False, True]),
        (["b", "a", "c", "a"], "multinomial", ["a", "b", "c"]),
        (np.array(["b", "a", "b"], dtype=object), "binomial", ["a", "b"]),
        ([0, 1, 2, 1], "multinomial", [0, 1, 2]),
        ([0.0, 1.0, 2.0, 1.0], "gaussian", None),
        ([1, 2, 3, 7], "gaussian", None),
        ([0.5, 0.25, 0.5], "gaussian", None),
        ([0] * 40 + [1] * 20 + [2] * 8 + [3, 3, 5, 9], "poisson", None),
    ],
)
def test_the_kind_of_target_tells_the_family(y, family, classes):
    target = read_target(y)
    assert target.family == family
    assert (None if target.classes is None else target.classes.tolist()) == classes
    if classes is not None:
        np.testing.assert_array_equal(target.classes[target.y.astype(int)], np.asarray(y))


def test_a_family_that_is_given_wins():
    assert read_target([0, 1, 2, 1], "poisson").classes is None
    assert read_target([0.2, 0.9, 0.5], "binomial").y.tolist() == [0.2, 0.9, 0.5]
    assert read_target([5, 7, 9], "multinomial").y.tolist() == [0.0, 1.0, 2.0]
    assert read_target([5, 7, 5], "gaussian").y.tolist() == [5.0, 7.0, 5.0]


# Training ----------------------------------------------------------------------------------------------------------


def test_penalties_of_the_settings_give_exact_zeros():
    X, y = table()
    hard = Training(max_epochs=10, learning_rate=0.02, l1=0.6, batch_size=16)
    found = fit(X, y, rates=[0.0], training=hard)
    assert (found.module.first.weight == 0).any() and not (found.module.first.bias == 0).any()
    grouped = fit(X, y, rates=[0.0], training=Training(max_epochs=25, learning_rate=0.02, group_l1=0.3, batch_size=16))
    weight = grouped.module.first.weight.detach().numpy()
    kept = selected_features(grouped.module.first.weight)
    assert 0 in kept and len(kept) < 4
    assert np.all(weight[:, kept] != 0) and (grouped.module.last.weight != 0).all()
    with pytest.raises(
        InputError, match=r"needs a layer that reads the 4 features, with weights of shape \(units, 4\)"
    ):
        fit(X, y, training=Training(group_l1=0.1), make=lambda rate: nn.Sequential(nn.Unflatten(1, (2, 2)),
            nn.Flatten(1), nn.BatchNorm1d(4), nn.AvgPool1d(4)))  # fmt: skip


def test_own_optimizers_momentum_and_closures():
    X, y = table()
    given = []

    def sgd(parameters):
        given.append(len(parameters))
        return torch.optim.SGD(parameters, lr=0.05, momentum=0.5)

    assert np.isfinite(fit(X, y, optimizer=sgd).curve.mean).all() and set(given) == {4}
    zeros = fit(X, y, rates=[0.0], optimizer=lambda q: bridle.nets.Proximal(torch.optim.SGD(q, lr=0.05), l1=0.2))
    assert (zeros.module.first.weight == 0).any()
    newton = fit(X, y, rates=[0.0], optimizer=lambda q: torch.optim.LBFGS(q, lr=1.0),
                 training=Training(max_epochs=3, batch_size=90), make=lambda rate: nn.Linear(4, 1))  # fmt: skip
    assert newton.curve.mean[0] < 0.01 * newton.curve.null_loss
    with pytest.raises(InputError, match=r"optimizer returned a list; expected a torch\.optim\.Optimizer"):
        fit(X, y, optimizer=list)


def test_early_stopping_keeps_the_best_weights():
    X, y = table("binomial", n=60)
    settings = Training(max_epochs=60, patience=5, learning_rate=0.1, validation_fraction=0.3)
    found = fit(X, y, rates=[0.0], make=lambda rate: Net(rate, width=64), training=settings)
    h = found.history
    assert h.stopped == "early stopping" and len(h.validation) == h.best_epoch + 5 < 60
    assert h.validation[h.best_epoch - 1] <= min(h.validation) * (1 + 1e-4)


def test_minibatches_of_one_row_are_avoided_where_they_can_be():
    X, y = table(n=66)
    pairs = [(np.arange(33), np.arange(33, 66)), (np.arange(33, 66), np.arange(33))]
    normed = lambda rate: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(rate), nn.Linear(4, 1))  # noqa: E731
    settings = Training(max_epochs=2, batch_size=32, early_stopping=False)  # 33 rows: 17 and 16, not 32 and 1
    assert np.isfinite(fit(X, y, make=normed, folds=pairs, training=settings).curve.mean).all()
    with pytest.raises(
        InputError, match=r"the module fails on a float32 tensor of shape \(1, 4\): .*more than 1 value"
    ):
        fit(X, y, make=normed, folds=pairs, training=Training(max_epochs=2, batch_size=1))
    assert np.isfinite(fit(X, y, folds=pairs, training=Training(max_epochs=1, batch_size=1)).curve.mean).all()


def test_lazy_modules_learn_their_shape_first():
    X, y = table()
    found = fit(X, y, make=lambda rate: nn.Sequential(nn.LazyLinear(5), nn.ReLU(), nn.Dropout(rate), nn.LazyLinear(1)))
    assert found.module[0].weight.shape == (5, 4)


def test_input_dropout_of_the_settings():
    X, y = table()
    with_noise = fit(X, y, training=Training(max_epochs=3, learning_rate=0.02, input_dropout=0.5))
    assert not np.array_equal(with_noise.predict(X), fit(X, y).predict(X))


def test_progress_counts_modules():
    X, y = table()
    seen = []
    fit(X, y, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 7) for k in range(1, 8)]


# What goes wrong ---------------------------------------------------------------------------------------------------


class Exploding(Net):
    """Its links are NaN in training from the rate 0.5 on."""

    def __init__(self, rate):
        super().__init__(rate)
        self.rate = rate

    def forward(self, x):
        out = super().forward(x)
        return out * torch.nan if self.training and self.rate >= 0.5 else out


def test_a_rate_that_diverges_counts_as_infinite():
    X, y = table()
    with pytest.warns(
        BridleWarning, match="at rate 0.6 training diverged on 3 of 3 folds: its loss counts as infinite"
    ):
        found = fit(X, y, rates=[0.0, 0.3, 0.6], make=Exploding)
    assert np.isinf(found.curve.test_loss[:, 0]).all() and np.isfinite(found.curve.test_loss[:, 1:]).all()
    assert found.rate < 0.5 and len(found.notes) == 1 and found.select("1se").value < 0.5
    assert found.verdict.label and found.verdict_at(0.3)
    with pytest.raises(InputError, match=r"rate 0\.6"):
        found.verdict_at(0.6)


def test_all_rates_diverging_is_an_error():
    X, y = table()
    with pytest.raises(ConvergenceError, match="training diverged at every rate; lower the learning rate"):
        fit(X, y, rates=[0.5, 0.6], make=Exploding)
    with pytest.raises(ConvergenceError, match="training diverged at every rate"):
        fit(X, y, optimizer=lambda q: torch.optim.SGD(q, lr=1e6))
    X, y = table("poisson")
    with pytest.raises(ConvergenceError, match="training diverged at every rate"):
        fit(X, y, family="poisson", optimizer=lambda q: torch.optim.SGD(q, lr=1e4))


def test_an_interrupt_keeps_the_folds_that_are_done():
    X, y = table()

    def stop_after(count):
        def progress(done, total):
            if done == count:
                raise KeyboardInterrupt

        return progress

    with pytest.warns(BridleWarning, match="interrupted after 3 of 4 folds: the module is that of fold 3"):
        found = fit(X, y, folds=4, progress=stop_after(7))
    whole = fit(X, y, folds=4)
    np.testing.assert_array_equal(found.curve.test_loss, whole.curve.test_loss[:3])
    assert len(found.folds) == 3 and found.folds.description.startswith("the first 3 of 4-fold")
    assert found.verdict.label and np.isfinite(found.predict(X)).all()
    assert found.fitted.history.n_train < 90 * 0.75
    with pytest.warns(BridleWarning, match="interrupted after 5 of 6 folds"):  # a repeat and a part of the next
        found = fit(X, y, n_repeats=2, progress=stop_after(11))
    assert found.curve.n_repeats == 1 and len(found.folds) == 3
    with pytest.raises(KeyboardInterrupt):
        fit(X, y, folds=4, progress=stop_after(2))


@pytest.mark.parametrize(("at", "note"), [(3, "the module is the best so far"), (1, "the module is that of fold 3")])
def test_an_interrupt_of_the_last_training_keeps_the_best_so_far(at, note):
    X, y = table()
    steps = {"made": 0, "seen": 0}

    class Stopping(Net):
        def __init__(self, rate):
            super().__init__(rate)
            steps["made"] += 1

        def forward(self, x):
            steps["seen"] += self.training and steps["made"] == 7
            if steps["seen"] == 3 * (at - 1) + 1:  # three minibatches an epoch
                steps["seen"] += 1
                raise KeyboardInterrupt
            return super().forward(x)

    settings = Training(max_epochs=5, batch_size=30, learning_rate=0.02)
    with pytest.warns(BridleWarning, match=note):
        found = fit(X, y, make=Stopping, training=settings)
    assert np.isfinite(found.predict(X)).all() and len(found.folds) == 3
    if at == 3:
        assert found.history.stopped == "an interrupt" and len(found.history.validation) == 2


class Words(nn.Module):
    """Answers with something that isn't links."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.weight = answer, nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return self.answer(x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda rate: "net", r"make_module\(0.4\) returned a str; expected a torch.nn.Module"),
        (lambda rate: None, r"make_module\(0.4\) returned a NoneType"),
        (lambda rate: Net(rate, p=3), r"the module fails on a float32 tensor of shape \(2, 4\): .*shapes"),
        (lambda rate: Net(rate, k=3), r"maps \(2, 4\) to \(2, 3\); a gaussian target needs \(2,\) or \(2, 1\)"),
        (lambda rate: Net(rate).double(), r"the module fails on a float32 tensor of shape \(2, 4\)"),
        (lambda rate: nn.Sequential(nn.AvgPool1d(4)), "has no parameters to train"),
        (lambda rate: Words(lambda x: (x, x)), "the module returns a tuple; expected a float tensor of links"),
        (lambda rate: Words(lambda x: x.argmax(1)), r"the module returns a tensor of torch\.int64"),
        (lambda rate: Words(lambda x: x.sum()), r"maps \(2, 4\) to \(\)"),
    ],
)
def test_modules_that_cannot_be_used(make, message):
    X, y = table()
    with pytest.raises(InputError, match=message):
        fit(X, y, make=make)


def test_a_module_with_the_wrong_number_of_classes():
    X, y = table("multinomial")
    with pytest.raises(InputError, match=r"a multinomial target needs \(2, 3\), one link per class"):
        fit(X, y)


@pytest.mark.parametrize("rates", [[1.0], [-0.1, 0.5], [np.nan], [], [0.5, 1.5]])
def test_rates_outside_their_range(rates):
    with pytest.raises(InputError, match="rates"):
        fit(*table(), rates=rates)


def test_data_that_cannot_be_used():
    X, y = table()
    broken = X.copy()
    broken[3, 2] = np.nan
    with pytest.raises(InputError, match="column 2 of X has missing or infinite values"):
        fit(broken, y)
    with pytest.raises(InputError, match="column 2 of X has missing or infinite values"):
        fit(sparse.csr_array(broken), y)
    with pytest.raises(InputError, match="X can't be read as a matrix of numbers"):
        fit(np.full((90, 2), "red"), y)
    for other in (X + 1j, np.full((90, 2), "2020-01-01", dtype="datetime64[D]"), np.full((90, 2), {}, dtype=object)):
        with pytest.raises(InputError, match="X can't be read as a matrix of numbers"):
            fit(other, y)
    with pytest.raises(InputError, match=r"X has shape \(90,\)"):
        fit(X[:, 0], y)
    with pytest.raises(InputError, match=r"y is .*7\.0.* on every row: there is nothing to learn"):
        fit(X, np.full(90, 7.0))
    with pytest.raises(InputError, match="y is missing or infinite in 1 rows, first in row 0"):
        fit(X, np.r_[np.nan, y[1:]])
    with pytest.raises(InputError, match="y is missing in 1 rows, first in row 1"):
        fit(X, np.array(["a", None] + ["b"] * 88, dtype=object))
    with pytest.raises(InputError, match=r"y has shape \(50,\)"):
        fit(X, y[:50])
    with pytest.raises(InputError, match="y holds labels such as 'a'; the poisson family needs numbers"):
        fit(X, ["a", "b"] * 45, family="poisson")
    with pytest.raises(InputError, match="y has 3 classes; the binomial family needs two"):
        fit(X, ["a", "b", "c"] * 30, family="binomial")
    with pytest.raises(InputError, match="unknown family 'gamma'"):
        fit(X, y, family="gamma")
    with pytest.raises(InputError, match=r"sample_weight must hold finite numbers of at least 0; row 1 has -1\.0"):
        fit(X, y, sample_weight=np.r_[1.0, -1.0, np.ones(88)])
    with pytest.raises(InputError, match=r"offset has shape \(3,\)"):
        fit(X, y, offset=np.zeros(3))
    with pytest.raises(InputError, match=r"groups has shape \(3,\); expected one value per row of X, \(90,\)"):
        fit(X, y, groups=[1, 2, 3], folds=bridle.make_folds(y, n_splits=3))


def test_settings_that_cannot_be_used():
    X, y = table()
    with pytest.raises(InputError, match="make_module is a str; expected a function"):
        path("Net", RATES, X, y)
    with pytest.raises(InputError, match="no rule 'aic' for a dropout path; there are min, 1se, within"):
        fit(X, y, rule="aic")
    with pytest.raises(InputError, match="device 'cuda:99' isn't on this machine"):
        fit(X, y, device="cuda:99")
    with pytest.raises(InputError, match="one fold has no spread"):
        fit(X, y, folds=[(np.arange(60), np.arange(60, 90))])
    found = fit(X, y)
    with pytest.raises(InputError, match=r"rate 0.1 isn't on the curve; expected one of 0.4, 0"):
        found.verdict_at(0.1)
    with pytest.raises(InputError, match="X has 3 columns; the module was trained on 4"):
        found.predict(X[:, :3])
    with pytest.raises(InputError, match=r"offset has shape \(2,\); expected one value per row"):
        found.predict(X, [0.0, 0.0])


def test_without_pytorch_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'bridle\[nn\]'"):
        path(lambda rate: None, [0.5], *table())


def test_matrices_are_not_copied_without_need():
    X = np.asfortranarray(np.ones((3, 2), dtype=np.float32))
    assert read_matrix(X) is X
    assert read_matrix([[1, 2], [3, 4]]).dtype == np.float64
