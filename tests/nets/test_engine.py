"""Batched training is ordinary training: the oracle is a plain loop over PyTorch's own modules, losses and AdamW."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from bridle.nets.engine import Rows, Task, train
from bridle.nets.settings import Architecture, Training
from bridle.nets.shape import Shape
from bridle.nets.stack import Stack, _State
from bridle.nets.task_data import TaskData
from bridle.nets.torch_losses import unit_loss

torch = pytest.importorskip("torch")

FAMILIES = ("gaussian", "binomial", "poisson", "multinomial")
NOBODY = np.arange(0)


@pytest.fixture(autouse=True)
def one_thread():
    """Small matrices, and other tests beside these: threads would wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def table(family, n=44, p=5, k=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * [1.0, 10.0, 0.1, 1.0, 3.0][:p] + rng.normal(size=p)
    eta = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=p) / 2
    y = {
        "gaussian": 7.0 + 3.0 * (eta + 0.3 * rng.normal(size=n)),
        "binomial": (eta + 0.5 * rng.logistic(size=n) > 0).astype(float),
        "poisson": rng.poisson(np.exp(0.5 * eta + 1.0)).astype(float),
        "multinomial": np.digitize(eta, [-0.4, 0.4]).astype(float),
    }[family]
    return X, y, k if family == "multinomial" else 1


def plain_loop(rows, task, rate, architecture, training, family, outputs, batch):
    """Train one network as anybody would write it, with the engine's initial weights and draws; links of all rows."""
    seeds = [int(s) for s in np.random.SeedSequence(task.seed).generate_state(4)]
    order, units, features = (torch.Generator().manual_seed(s) for s in seeds[1:])
    X, y, fit = np.asarray(rows.X), rows.y, task.train
    w = np.ones(len(y)) if rows.weight is None else rows.weight
    o = np.zeros(len(y)) if rows.offset is None else rows.offset
    mean = np.average(X[fit], axis=0, weights=w[fit])
    scale = np.sqrt(np.average((X[fit] - mean) ** 2, axis=0, weights=w[fit]))
    Z = torch.tensor((X - mean) / scale, dtype=torch.float32)
    center, spread = np.zeros(outputs), 1.0
    if family == "gaussian":
        center = np.array([np.average((y - o)[fit], weights=w[fit])])
        spread = np.sqrt(np.average((y - o - center)[fit] ** 2, weights=w[fit]))
        target, base = torch.tensor((y - o - center) / spread, dtype=torch.float32), torch.zeros(len(y), 1)
    else:
        share = w[fit] / w[fit].sum()
        if family == "multinomial":
            center = np.log(np.bincount(y[fit].astype(int), weights=share, minlength=outputs))
        elif family == "binomial":
            assert rows.offset is None
            center = np.array([np.log((share @ y[fit]) / (1 - share @ y[fit]))])
        else:
            center = np.array([np.log((share @ y[fit]) / (share @ np.exp(o[fit])))])
        target, base = torch.tensor(y, dtype=torch.float32), torch.tensor(center + o[:, None], dtype=torch.float32)
    weight = torch.tensor(w / w[fit].mean(), dtype=torch.float32)

    widths = (X.shape[1], *architecture.hidden, outputs)
    start = torch.tensor(
        Shape(X.shape[1], architecture, outputs).first_weights(seeds[0], np.ones(X.shape[1], dtype=bool))
    )
    linear, norm, at = [], [], 0
    for a, b in pairwise(widths):
        before_batch = architecture.normalization == "batch" and len(linear) < len(architecture.hidden)
        linear.append(torch.nn.Linear(a, b, bias=not before_batch))
        with torch.no_grad():
            linear[-1].weight.copy_(start[at : at + a * b].view(a, b).T)
            if not before_batch:
                linear[-1].bias.zero_()
        at += a * b
    for h in architecture.hidden:
        kinds = {None: torch.nn.Identity, "batch": torch.nn.BatchNorm1d, "layer": torch.nn.LayerNorm}
        norm.append(kinds[architecture.normalization](h))
    act = {"relu": torch.nn.ReLU(), "tanh": torch.nn.Tanh(), "gelu": torch.nn.GELU()}[architecture.activation]
    weights = [m.weight for m in linear]
    others = [m.bias for m in linear if m.bias is not None] + [q for m in norm for q in m.parameters()]
    groups = [{"params": weights, "weight_decay": training.l2}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=training.learning_rate)

    def links(z, masks=None):
        z = z if masks is None else z * masks[0]
        for number, (m, between) in enumerate(zip(linear[:-1], norm, strict=True)):
            z = act(between(m(z)))
            z = z if masks is None else z * masks[number + 1]
        return linear[-1](z)

    def mask(size, share, generator):
        return (torch.rand(size, generator=generator) < 1 - share).float() / (1 - share)

    for _ in range(training.max_epochs):
        shuffled = torch.randperm(len(fit), generator=order)
        for first in range(0, len(fit), batch):
            b = torch.tensor(fit)[shuffled[torch.arange(first, first + batch) % len(fit)]]
            masks = [torch.ones(batch, widths[0])]
            if training.input_dropout:
                masks = [mask((batch, widths[0]), training.input_dropout, features)]
            masks += [mask((batch, h), rate, units) for h in architecture.hidden]
            eta = links(Z[b], masks) + base[b]
            of = torch.nn.functional
            if family == "multinomial":
                loss = of.cross_entropy(eta, target[b].long(), reduction="none")
            elif family == "gaussian":
                loss = of.mse_loss(eta[:, 0], target[b], reduction="none") / 2
            elif family == "binomial":
                loss = of.binary_cross_entropy_with_logits(eta[:, 0], target[b], reduction="none")
            else:
                loss = of.poisson_nll_loss(eta[:, 0], target[b], log_input=True, reduction="none")
            optimizer.zero_grad()
            (weight[b] * loss).mean().backward()
            optimizer.step()
            with torch.no_grad():
                step = training.learning_rate
                for q in weights if training.l1 else []:
                    q.copy_(torch.sign(q) * torch.clamp(q.abs() - step * training.l1, min=0))
                if training.group_l1:  # a column of a Linear's weight is a feature
                    size, most = weights[0].norm(dim=0), step * training.group_l1 * weights[0].shape[0] ** 0.5
                    weights[0].mul_(torch.clamp(1 - most / size.clamp(min=1e-30), min=0))
    for m in norm:
        m.eval()
    with torch.no_grad():
        eta = center + spread * links(Z).double().numpy() + o[:, None]
    return eta if outputs > 1 else eta[:, 0], [q.detach().numpy().T for q in weights]


CASES = [
    pytest.param("gaussian", "relu", None, {}, id="gaussian"),
    pytest.param("gaussian", "tanh", "batch", {"offset": True, "weight": True}, id="gaussian-batch"),
    pytest.param("gaussian", "gelu", "layer", {"l1": 3.0}, id="gaussian-layer-l1"),
    pytest.param("binomial", "relu", "batch", {"l1": 1.0, "input_dropout": 0.3}, id="binomial-batch-l1"),
    pytest.param("binomial", "gelu", None, {"weight": True, "group_l1": 5.0}, id="binomial-group"),
    pytest.param("poisson", "tanh", "layer", {"offset": True, "input_dropout": 0.2}, id="poisson-layer"),
    pytest.param("poisson", "relu", None, {"l2": 0.5, "offset": True, "weight": True}, id="poisson-offset"),
    pytest.param("multinomial", "relu", "layer", {"weight": True, "l1": 1.0, "group_l1": 1.0}, id="multinomial-layer"),
    pytest.param("multinomial", "tanh", "batch", {"input_dropout": 0.2}, id="multinomial-batch"),
]


def of_case(family, options, **more):
    X, y, outputs = table(family)
    rng = np.random.default_rng(1)
    options = dict(options)
    weight = rng.uniform(0.5, 2.0, len(y)) if options.pop("weight", False) else None
    offset = rng.normal(size=len(y)) / 2 if options.pop("offset", False) else None
    training = Training(
        **{"learning_rate": 2e-3, "batch_size": 8, "max_epochs": 3, "early_stopping": False} | options | more
    )
    return Rows(X, y, weight, offset), training, outputs


@pytest.mark.parametrize(("family", "activation", "normalization", "options"), CASES)
def test_equals_a_plain_loop(family, activation, normalization, options):
    """15 steps on 37 rows (the last minibatch is filled up), with two tasks and two rates at once."""
    rows, training, outputs = of_case(family, options)
    architecture = Architecture((7, 4), activation, normalization)
    tasks = [Task(np.arange(37), NOBODY, 3), Task(np.arange(7, 44), NOBODY, 4)]
    found = train(rows, tasks, [0.5, 0.0], architecture, training, family=family, n_classes=outputs)
    for t, task in enumerate(tasks):
        for r, rate in enumerate((0.5, 0.0)):
            eta, weights = plain_loop(rows, task, rate, architecture, training, family, outputs, 8)
            network = found[t][r].network
            offset = None if rows.offset is None else rows.offset
            scale = np.std(rows.y) if family == "gaussian" else 1.0
            np.testing.assert_allclose(network.link(rows.X, offset) / scale, eta / scale, rtol=0, atol=1e-5)
            for layer, expected in zip(network.layers, weights, strict=True):
                if normalization != "batch":  # which is folded into the weights
                    np.testing.assert_allclose(layer.weight, expected, rtol=0, atol=1e-5)
            if options.get("l1"):
                assert any((layer.weight == 0.0).any() for layer in network.layers)
            assert found[t][r].status == "epochs used up" and network.dropout == rate


@pytest.mark.parametrize("family", ["gaussian", "multinomial"])
def test_no_hidden_layer_is_a_linear_model(family):
    rows, training, outputs = of_case(family, {"input_dropout": 0.4, "group_l1": 10.0, "learning_rate": 0.01})
    task, architecture = Task(np.arange(40), NOBODY, 0), Architecture(())
    ((found,),) = train(rows, [task], [0.0], architecture, training, family=family, n_classes=outputs)
    eta, weights = plain_loop(rows, task, 0.0, architecture, training, family, outputs, 8)
    np.testing.assert_allclose(found.network.link(rows.X), eta, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.network.layers[0].weight, weights[0], rtol=0, atol=1e-5)
    assert len(found.network.layers) == 1 and not found.network.used.all()


def same(found, expected, atol=1e-5):
    assert found.status == expected.status
    assert found.history.best_epoch == expected.history.best_epoch
    for name in ("train", "validation"):
        np.testing.assert_allclose(getattr(found.history, name), getattr(expected.history, name), rtol=1e-4)
    for layer, other in zip(found.network.layers, expected.network.layers, strict=True):
        for a, b in zip(layer.arrays, other.arrays, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=atol)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_a_stack_is_each_model_alone(normalization):
    """Also the model without dropout, for which alone no unit's mask is drawn."""
    rows, training, _ = of_case("binomial", {"input_dropout": 0.2, "early_stopping": True})
    architecture, rates = Architecture((6, 5), "relu", normalization), [0.7, 0.3, 0.0]
    tasks = [Task(np.arange(0, 33), np.arange(33, 40), 1), Task(np.arange(9, 42), np.arange(0, 7), 2)]
    tasks += [Task(np.arange(20), np.arange(20, 44), 3, track=True)]  # of another size: a stack of its own
    together = train(rows, tasks, rates, architecture, training, family="binomial", n_jobs=2)
    for t, task in enumerate(tasks):
        for r, rate in enumerate(rates):
            ((alone,),) = train(rows, [task], [rate], architecture, training, family="binomial")
            same(together[t][r], alone)


def test_models_that_stop_leave_the_others_as_they_are():
    rows, training, _ = of_case("gaussian", {}, early_stopping=True, patience=3, max_epochs=40, learning_rate=0.02)
    architecture, rates = Architecture((8,)), [0.6, 0.3, 0.0]
    tasks = [Task(np.arange(30), np.arange(30, 44), 1), Task(np.arange(14, 44), np.arange(14), 2, track=True)]
    together = train(rows, tasks, rates, architecture, training, family="gaussian")
    ends = {len(one.history.validation) for of_task in together for one in of_task}
    assert len(ends) >= 4 and max(ends) < 40
    for t, task in enumerate(tasks):
        for r, rate in enumerate(rates):
            ((alone,),) = train(rows, [task], [rate], architecture, training, family="gaussian")
            same(together[t][r], alone, atol=1e-4)


def test_early_stopping_keeps_the_best_weights():
    rows, training, _ = of_case("gaussian", {}, early_stopping=True, patience=4, max_epochs=60, learning_rate=0.02)
    fit, held = np.arange(25), np.arange(25, 44)
    found = train(rows, [Task(fit, held, 5, track=True)], [0.5, 0.0], Architecture((16,)), training, family="gaussian")
    for one in found[0]:
        history = one.history
        best = np.argmin(history.validation)
        assert one.status == "stopped early" and history.stopped == "early stopping"
        assert len(history.validation) == len(history.train) == history.best_epoch + 4
        assert history.validation[history.best_epoch - 1] <= history.validation[best] * (1 + training.tol)
        assert (history.n_train, history.n_validation) == (25, 19)
        residual = rows.y - one.network.link(rows.X)
        kept = np.mean(residual[held] ** 2)
        assert kept == pytest.approx(history.validation[history.best_epoch - 1], rel=1e-5)
        assert kept == pytest.approx(one.validation_loss, rel=1e-5)
        assert np.mean(residual[fit] ** 2) == pytest.approx(history.train[history.best_epoch - 1], rel=1e-5)
        assert one.network.noise == pytest.approx(np.sqrt(kept), rel=1e-5)


def test_epochs_patience_and_tol_are_honoured():
    rows, training, _ = of_case("poisson", {}, early_stopping=True, patience=3, max_epochs=5)
    task, architecture = Task(np.arange(30), np.arange(30, 44), 0), Architecture((4,))

    def run(**options):
        settings = Training(**{**training.__dict__, **options})
        ((found,),) = train(rows, [task], [0.2], architecture, settings, family="poisson")
        return found

    last = run()
    assert last.status == "epochs used up" and last.history.stopped == "the limit of epochs"
    assert len(last.history.validation) == 5 and last.history.train == ()  # not tracked
    picky = run(tol=0.9, max_epochs=50)  # nothing is ever that much better than the first epoch
    assert picky.history.best_epoch == 1 and len(picky.history.validation) == 4
    without = run(early_stopping=False)
    assert len(without.history.validation) == 5 and without.history.best_epoch <= 5


def test_gains_of_large_counts_are_seen():
    """The Poisson loss holds a constant that grows with the counts: a relative gain is one of the deviance."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = rng.poisson(np.exp(11.0 + 0.02 * x)).astype(float)  # the slope is worth 0.003 of the loss, all of the deviance
    task = Task(np.arange(150), np.arange(150, 200), 0)
    training = Training(learning_rate=1e-4, batch_size=50, max_epochs=60, patience=8, tol=1e-3)
    ((found,),) = train(Rows(x[:, None], y), [task], [0.0], Architecture(()), training, family="poisson")
    assert found.history.best_epoch > 20
    assert found.history.validation[-1] < 0.8 * found.history.validation[0]


def small_stack(family, activation, normalization, outputs):
    X, y, _ = table(family, n=12, p=3)
    rows = Rows(X, np.arange(12.0) % 3 if outputs > 1 else y)
    training = Training(batch_size=5, early_stopping=False, input_dropout=0.3)
    data = [TaskData.make(rows, Task(np.arange(12), NOBODY, s), family, outputs, training) for s in (0, 1)]
    architecture = Architecture((3, 2), activation, normalization)
    return Stack([data[0], data[1], data[1]], [0.5, 0.5, 0.1], architecture, training, torch.device("cpu"))


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize(("family", "activation"), list(zip(FAMILIES, ("relu", "tanh", "gelu", "tanh"), strict=True)))
def test_gradients_of_stacked_models(family, activation, normalization):
    outputs = 3 if family == "multinomial" else 1
    stack = small_stack(family, activation, normalization, outputs)
    state = stack._start()
    used, place = stack._places([0, 1, 2])
    X, y, w, base = stack._gather(stack.train_rows, [torch.arange(5), torch.arange(5, 10)], place)
    masks = [m.double() for m in stack._masks(used, place, 1 - stack._numbers(stack.rates)[:, None, None])]

    def losses(weights, others):
        moments = state.moments.double()  # a copy, which the running moments go to
        eta = stack._forward(_State(weights, others, moments), X.double(), base.double(), masks)
        return (w * unit_loss(family, y.double(), eta)).mean(dim=1)

    generator = torch.Generator().manual_seed(0)
    start = [v.detach().double() for v in (state.weights, state.others)]
    start = [(v + 0.3 * torch.randn(v.shape, generator=generator, dtype=v.dtype)).requires_grad_() for v in start]
    assert torch.autograd.gradcheck(losses, start, eps=1e-6, atol=1e-6, fast_mode=True)
    gradient = torch.autograd.grad(losses(*start)[1], start[0])[0]
    assert gradient[1].abs().max() > 0 and gradient[[0, 2]].abs().max() == 0  # every model's is its own


def test_running_moments_are_those_of_batchnorm1d():
    stack = small_stack("gaussian", "relu", "batch", 1)
    state, reference = stack._start(), [torch.nn.BatchNorm1d(3) for _ in range(3)]
    _, place = stack._places([0, 1, 2])
    for step in range(3):
        X, *_, base = stack._gather(stack.train_rows, [torch.arange(step, step + 5)] * 2, place)
        stack._forward(state, X, base, [None, None, None])
        first = stack.shape.split(state.weights, state.others)[0][0]
        for m, module in enumerate(reference):
            module(X[m] @ first[m])
    for m, module in enumerate(reference):
        np.testing.assert_allclose(state.moments[m, 0:3], module.running_mean, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(state.moments[m, 5:8], module.running_var, rtol=1e-5)


def test_sparse_rows_are_standardised_without_centring():
    """So a dense table whose columns have mean 0 is the same one, whichever way minibatches are made."""
    rng = np.random.default_rng(3)
    half = rng.normal(size=(20, 6)) * (rng.random((20, 6)) < 0.4)
    X = np.vstack([half, -half])
    y = X @ rng.normal(size=6) + 0.1 * rng.normal(size=40)
    training = Training(max_epochs=4, batch_size=10, early_stopping=False)
    task, results = Task(np.arange(40), NOBODY, 0), []
    for matrix, limit in ((X, None), (sparse.csr_array(X), None), (sparse.csc_matrix(X), 0)):
        with pytest.MonkeyPatch.context() as patch:
            if limit is not None:
                patch.setattr("bridle.nets.task_data.DENSE_BYTES", limit)  # minibatches are cut from the sparse table
            ((found,),) = train(Rows(matrix, y), [task], [0.3], Architecture((5,)), training, family="gaussian")
        results.append(found.network.link(matrix))
    np.testing.assert_allclose(results[1], results[0], atol=1e-5)
    np.testing.assert_allclose(results[2], results[1], atol=1e-5)
    shifted = sparse.csr_array(X + 1.0)
    ((found,),) = train(Rows(shifted, y), [task], [0.3], Architecture((5,)), training, family="gaussian")
    assert not found.network.mean.any() and np.isfinite(found.network.link(shifted)).all()
