"""Exact zeros: the proximal maps minimise what they say, and training with them ends at the penalised solution."""

import copy

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

import bridle
from bridle.errors import InputError
from bridle.nets import Proximal
from bridle.nets.proximal import group_threshold, selected_features, soft_threshold

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny matrices: threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# The maps ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [0.0, 0.3, 5.0])
def test_soft_threshold_minimises_its_objective(t):
    w = np.linspace(-2.0, 2.0, 21)
    found = soft_threshold(torch.tensor(w), t).numpy()
    best = [minimize_scalar(lambda u, v=v: 0.5 * (u - v) ** 2 + t * abs(u), (-3, 3), tol=1e-12).x for v in w]
    np.testing.assert_allclose(found, best, atol=1e-7)
    assert np.all(found[np.abs(w) <= t] == 0.0) and not np.signbit(found[np.abs(w) <= t]).any()


@pytest.mark.parametrize("t", [0.0, 0.7, 10.0])
def test_group_threshold_minimises_its_objective(t):
    w = np.random.default_rng(0).normal(size=(4, 3))  # groups are columns
    found = group_threshold(torch.tensor(w), t, 0).numpy()
    for g in range(3):

        def objective(u, g=g):
            return 0.5 * np.sum((u - w[:, g]) ** 2) + t * np.linalg.norm(u)

        options = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 20_000, "maxfev": 20_000}
        best = min(
            (minimize(objective, at, method="Nelder-Mead", options=options) for at in (w[:, g], 0.1 * w[:, g])),
            key=lambda found: found.fun,
        )
        assert objective(found[:, g]) <= best.fun + 1e-12
        np.testing.assert_allclose(found[:, g], best.x, atol=1e-4)
    out = np.linalg.norm(w, axis=0) <= t
    assert np.all(found[:, out] == 0.0) and not np.signbit(found[:, out]).any()


def test_soft_then_group_is_the_map_of_the_sum():
    """Sparse group lasso: no perturbation of the composed map lowers the objective of both penalties."""
    rng = np.random.default_rng(1)
    t1, tg = 0.3, 0.8
    for scale in (0.3, 1.0, 3.0):
        w = scale * rng.normal(size=5)
        u = group_threshold(soft_threshold(torch.tensor(w), t1), tg, 0).numpy()

        def objective(v, w=w):
            return 0.5 * np.sum((v - w) ** 2) + t1 * np.abs(v).sum() + tg * np.linalg.norm(v)

        least = objective(u)
        for size in (1e-4, 1e-2, 1.0):
            assert min(objective(u + size * rng.normal(size=5)) for _ in range(300)) >= least
        other = soft_threshold(group_threshold(torch.tensor(w), tg, 0), t1).numpy()
        assert objective(other) >= least  # and the other order doesn't do better


def test_stacked_weights_have_a_threshold_for_each_model():
    w = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))  # (models, inputs, units)
    t = torch.tensor([0.0, 0.8, 100.0])[:, None, None]
    for function in (soft_threshold, lambda w, t: group_threshold(w, t, -1)):
        found = function(w, t)
        for m in range(3):
            torch.testing.assert_close(found[m], function(w[m], t[m].item()), rtol=1e-6, atol=0)
        assert torch.equal(found[0], w[0]) and not found[2].any()


def test_a_weight_that_is_nan_is_not_mistaken_for_zero():
    w = torch.tensor([[float("nan"), 1.0], [0.0, 0.0]])
    assert torch.isnan(soft_threshold(w, 0.5)[0, 0])
    assert torch.isnan(group_threshold(w, 0.5, 1)[0]).all() and not group_threshold(w, 0.5, 1)[1].any()


# The optimiser ----------------------------------------------------------------------------------------------------


def regression(n=60, p=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = X @ np.r_[2.0, -1.0, 0.5, np.zeros(p - 3)] + 0.5 + 0.3 * rng.normal(size=n)
    return X, y


def descend(model, X, y, optimizer, steps, loss=None, scheduler=None):
    """Full-batch training of a module in double precision."""
    X, y = torch.tensor(X), torch.tensor(y)
    for _ in range(steps):
        optimizer.zero_grad()
        eta = model(X)
        value = (0.5 * (y - eta.squeeze(-1)) ** 2).mean() if loss is None else loss(y, eta)
        value.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return model


@pytest.mark.parametrize("share", [0.7, 0.2, 0.02])
def test_gradient_descent_ends_at_the_lasso(share):
    X, y = regression()
    lam = share * np.max(np.abs((X - X.mean(0)).T @ (y - y.mean()))) / len(y)
    path = bridle.fit_path(X, y, lambdas=[lam], standardize=False, tol=1e-12)
    model = torch.nn.Linear(8, 1).double()
    descend(model, X, y, Proximal(torch.optim.SGD(model.parameters(), lr=0.5), l1=lam), 300)
    b, b0 = model.weight.detach().numpy()[0], model.bias.item()
    np.testing.assert_allclose(b, path.coef_sparse.toarray()[0], atol=1e-8)
    assert b0 == pytest.approx(path.intercept[0], abs=1e-8)  # not penalised
    slope = X.T @ (X @ b + b0 - y) / len(y)
    np.testing.assert_allclose(slope[b != 0], -lam * np.sign(b[b != 0]), atol=1e-9)
    assert np.all(np.abs(slope[b == 0]) <= lam)
    assert set(np.flatnonzero(b)) == set(selected_features(model.weight)) and (share < 0.1 or np.any(b == 0.0))


def test_momentum_weakens_the_penalty_as_documented():
    X, y = regression()
    lam = 0.2 * np.max(np.abs((X - X.mean(0)).T @ (y - y.mean()))) / len(y)
    plain, heavy = torch.nn.Linear(8, 1).double(), torch.nn.Linear(8, 1).double()
    descend(plain, X, y, Proximal(torch.optim.SGD(plain.parameters(), lr=0.5), l1=lam), 300)
    optimizer = Proximal(torch.optim.SGD(heavy.parameters(), lr=0.2, momentum=0.5), l1=lam / 0.5)
    descend(heavy, X, y, optimizer, 300)
    torch.testing.assert_close(heavy.weight, plain.weight, rtol=1e-6, atol=1e-8)
    objective = (
        0.5 * np.mean((y - heavy(torch.tensor(X)).detach().numpy()[:, 0]) ** 2) + 0.5 * optimizer.penalty().item()
    )
    assert objective < 0.5 * y.var() and optimizer.penalty().item() > 0.0


def by_majorisation(X, Y, lam, l1, steps=3000):
    """Sparse group lasso by another way: each norm under a parabola through the last solution, so ridge solves only."""
    n = len(X)
    w = np.linalg.lstsq(X, Y, rcond=None)[0].T  # (k, p)
    for _ in range(steps):
        group = lam * np.sqrt(len(w)) / np.maximum(np.linalg.norm(w, axis=0), 1e-12)
        weights = group + l1 / np.maximum(np.abs(w), 1e-12)
        w = np.stack(
            [np.linalg.solve(X.T @ X / n + np.diag(d), X.T @ y / n) for d, y in zip(weights, Y.T, strict=True)]
        )
    return w


@pytest.mark.parametrize(("lam", "l1"), [(0.15, 0.0), (0.1, 0.05)])
def test_gradient_descent_ends_at_the_group_lasso(lam, l1):
    """Three responses, one group per feature."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 5))
    truth = np.zeros((3, 5))
    truth[:, :2] = rng.normal(size=(3, 2))
    Y = X @ truth.T + 0.3 * rng.normal(size=(80, 3))
    model = torch.nn.Linear(5, 3, bias=False).double()
    optimizer = Proximal(torch.optim.SGD(model.parameters(), lr=0.5), l1=l1, group_l1=lam, groups=[model.weight])
    descend(model, X, Y, optimizer, 200, loss=lambda y, eta: 0.5 * ((y - eta) ** 2).mean() * 3)
    found = model.weight.detach().numpy()
    np.testing.assert_allclose(found, by_majorisation(X, Y, lam, l1), atol=1e-6)
    # Stationarity: on the kept features exactly, on the others the soft-thresholded slope is inside the ball.
    slope = ((X @ found.T - Y).T @ X) / len(X)
    kept = selected_features(model.weight)
    assert 0 < len(kept) < 5
    for j in range(5):
        column, g = found[:, j], slope[:, j]
        if j in kept:
            at = g + lam * np.sqrt(3) * column / np.linalg.norm(column) + l1 * np.sign(column)
            assert np.all(np.abs(at[column != 0]) < 1e-8) and np.all(np.abs(at[column == 0]) <= l1 + 1e-8)
        else:
            assert np.linalg.norm(np.maximum(np.abs(g) - l1, 0.0)) <= lam * np.sqrt(3) + 1e-8
            assert np.all(column == 0.0)


def test_penalty_is_differentiable_where_smooth_and_the_step_is_its_implicit_gradient_step():
    model = torch.nn.Linear(4, 3, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(
            torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).sign() * (1.0 + torch.rand(3, 4))
        )
    optimizer = Proximal(torch.optim.SGD(model.parameters(), lr=0.1), l1=0.3, group_l1=0.2, groups=[model.weight])

    def penalty(w):
        return 0.3 * w.abs().sum() + 0.2 * 3**0.5 * torch.linalg.vector_norm(w, dim=0).sum()

    assert torch.autograd.gradcheck(penalty, model.weight)
    assert torch.isclose(optimizer.penalty(), penalty(model.weight))
    before = model.weight.detach().clone()
    model.weight.grad = torch.zeros_like(model.weight)
    optimizer.step()
    (slope,) = torch.autograd.grad(optimizer.penalty(), model.weight)
    torch.testing.assert_close(before - model.weight, 0.1 * slope)


def test_schedulers_take_it_and_the_threshold_follows_the_learning_rate():
    model = torch.nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        model.weight.fill_(1.0)
    optimizer = Proximal(torch.optim.SGD(model.parameters(), lr=0.1), l1=1.0)
    assert isinstance(optimizer, torch.optim.Optimizer)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    seen = []
    for _ in range(4):
        model.weight.grad = torch.zeros_like(model.weight)
        optimizer.step()
        scheduler.step()
        seen.append(model.weight.item())
    np.testing.assert_allclose(seen, 1.0 - np.cumsum([0.1, 0.05, 0.025, 0.0125]))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 / 16)


@pytest.mark.parametrize("kind", ["Adam", "AdamW", "RMSprop", "SGD"])
def test_only_weights_reach_zero_by_default(kind):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 1)).double()
    X, y = regression(p=6)
    optimizer = Proximal(getattr(torch.optim, kind)(model.parameters(), lr=0.05), l1=2.0)
    descend(model, X, y, optimizer, 100)
    assert not model[0].weight.any() and not model[2].weight.any()
    assert model[0].bias.any() and model[1].weight.all()
    assert model[2].bias.item() == pytest.approx(y.mean(), abs=0.3)


def test_chosen_parameters_and_groups_only():
    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Linear(4, 1)).double()
    X, y = regression(p=6)
    optimizer = Proximal(
        torch.optim.Adam(model.parameters(), lr=0.02), l1=3.0, params=model[1].parameters(),
        group_l1=0.3, groups=[model[0].weight],
    )  # fmt: skip
    descend(model, X, y, optimizer, 300)
    assert not model[1].weight.any() and not model[1].bias.any()
    assert not model[0].weight.any() and model[0].bias.any()  # nothing flows back: the groups go out


def test_group_lasso_drops_noise_features_of_a_network_and_keeps_the_others():
    torch.manual_seed(0)
    rng = np.random.default_rng(5)
    X = rng.normal(size=(300, 10))
    y = 2.0 * np.tanh(2.0 * X[:, 1]) + 2.0 * np.maximum(X[:, 4], 0.0) + 0.3 * rng.normal(size=300)
    model = torch.nn.Sequential(torch.nn.Linear(10, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).double()
    optimizer = Proximal(torch.optim.SGD(model.parameters(), lr=0.2), group_l1=0.05, groups=[model[0].weight])
    descend(model, X, y, optimizer, 600)
    assert selected_features(model[0].weight).tolist() == [1, 4]


def test_closure_state_and_groups_pass_through():
    X, y = regression(p=3)
    X, y = torch.tensor(X), torch.tensor(y)
    model = torch.nn.Linear(3, 1).double()
    optimizer = Proximal(torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=5), l1=0.01)

    def closure():
        optimizer.zero_grad()
        loss = ((y - model(X)[:, 0]) ** 2).mean()
        loss.backward()
        return loss

    first = optimizer.step(closure).item()
    assert optimizer.step(closure).item() < first
    inner = torch.optim.Adam(model.parameters(), lr=0.1)
    wrapped = Proximal(inner, l1=0.1)
    wrapped.zero_grad()
    assert model.weight.grad is None and wrapped.param_groups is inner.param_groups and wrapped.state is inner.state
    closure()
    wrapped.step()
    again = Proximal(torch.optim.Adam(model.parameters(), lr=7.0), l1=0.1)
    again.load_state_dict(wrapped.state_dict())
    assert again.param_groups[0]["lr"] == 0.1 and again.state_dict()["state"].keys() == {0, 1}
    assert "Proximal(" in repr(wrapped) and "Adam" in repr(wrapped)


def test_wrapped_twice_and_copied():
    """One strength for each of two layers; a copy acts on its own parameters."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False), torch.nn.Linear(3, 3, bias=False))
    inner = Proximal(torch.optim.SGD(model.parameters(), lr=1.0), l1=0.1, params=[model[0].weight])
    both = Proximal(inner, l1=0.2, params=model[1].weight)
    again_model, again = copy.deepcopy((model, both))
    before = [p.detach().clone() for p in model.parameters()]
    for m, optimizer in ((model, both), (again_model, again)):
        for p in m.parameters():
            p.grad = torch.zeros_like(p)
        optimizer.step()
        for p, old, t in zip(m.parameters(), before, (0.1, 0.2), strict=True):
            assert torch.equal(p, soft_threshold(old, t))


def test_convolutions_group_by_input_channel():
    conv = torch.nn.Conv1d(3, 4, 5).double()
    with torch.no_grad():
        conv.weight[:, 1] *= 1e-3
    optimizer = Proximal(torch.optim.SGD(conv.parameters(), lr=0.1), group_l1=0.1, groups=conv.weight)
    conv.weight.grad = torch.zeros_like(conv.weight)
    optimizer.step()
    assert selected_features(conv.weight).tolist() == [0, 2]


def test_parameters_without_a_gradient_are_left_alone():
    model = torch.nn.Linear(3, 1)
    before = model.weight.detach().clone()
    Proximal(torch.optim.SGD(model.parameters(), lr=1.0), l1=10.0).step()
    assert torch.equal(model.weight, before)


def test_bad_arguments():
    model, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InputError, match=r"expected a torch\.optim.Optimizer to wrap, got list"):
        Proximal(list(model.parameters()), l1=0.1)
    for bad in (-0.1, float("nan"), "0.1", None, True):
        with pytest.raises(InputError, match="l1 must be a number from 0"):
            Proximal(sgd, l1=bad)
    with pytest.raises(InputError, match="group_l1 must be a number from 0"):
        Proximal(sgd, group_l1=-1.0)
    with pytest.raises(InputError, match=r"group_l1 needs the weights .* groups=\[first_layer\.weight\]"):
        Proximal(sgd, group_l1=0.1)
    with pytest.raises(InputError, match=r"params holds a tensor of shape \(2, 3\) that the optimiser doesn't train"):
        Proximal(sgd, l1=0.1, params=other.parameters())
    with pytest.raises(InputError, match="groups holds a Linear that the optimiser doesn't train"):
        Proximal(sgd, group_l1=0.1, groups=[model])
    with pytest.raises(InputError, match=r"groups holds a parameter of shape \(2,\)"):
        Proximal(sgd, group_l1=0.1, groups=[model.bias])
    with pytest.raises(InputError, match=r"weights of shape \(2,\) have no input features"):
        selected_features(model.bias)
