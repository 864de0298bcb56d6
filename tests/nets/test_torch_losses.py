"""Losses in PyTorch: the derivatives are right, and the values are those of the rest of bridle and of scikit-learn."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import log_loss, mean_poisson_deviance, mean_squared_error

from bridle.errors import InputError
from bridle.losses import get_family
from bridle.nets.torch_losses import unit_deviance, unit_loss

torch = pytest.importorskip("torch")

SCALAR = ("gaussian", "binomial", "poisson")


def case(family, n=40, k=4, seed=0):
    """Targets and links, those that strain a formula among them."""
    rng = np.random.default_rng(seed)
    if family == "multinomial":
        return rng.integers(0, k, n), np.vstack(
            [3.0 * rng.normal(size=(n - 2, k)), np.zeros((1, k)), [[50.0, -50, 0, 0]]]
        )
    eta = np.concatenate([2.0 * rng.normal(size=n - 5), [0.0, -30.0, 30.0, 25.0, -25.0]])
    y = {
        "gaussian": rng.normal(size=n),
        "binomial": np.where(rng.random(n) < 0.3, rng.random(n), rng.random(n) < expit(eta)).astype(float),
        "poisson": rng.poisson(3.0, n).astype(float),
    }[family]
    return y, eta


def tensors(y, eta, dtype=torch.float64):
    return torch.as_tensor(y), torch.tensor(eta, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("family", [*SCALAR, "multinomial"])
def test_first_and_second_derivatives(family):
    y, eta = case(family, n=12)
    eta = np.clip(eta, -6.0, 6.0)  # finite differences need no more
    y, eta = tensors(y, eta)
    assert torch.autograd.gradcheck(lambda e: unit_loss(family, y, e), eta, eps=1e-5)
    assert torch.autograd.gradgradcheck(lambda e: unit_loss(family, y, e), eta, eps=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", [*SCALAR, "multinomial"])
def test_every_loss_is_convex_in_the_link(family):
    y, eta = case(family, seed=1)
    for row in range(len(y)):
        of = torch.as_tensor(y[row])
        hessian = torch.autograd.functional.hessian(lambda e: unit_loss(family, of, e).sum(), torch.tensor(eta[row]))  # noqa: B023
        least = torch.linalg.eigvalsh(hessian.reshape(np.size(eta[row]), -1)).min()
        assert least >= -1e-12


@pytest.mark.parametrize("family", SCALAR)
def test_agrees_with_the_losses_of_the_linear_models(family):
    y, eta = case(family)
    known = get_family(family)
    ty, teta = tensors(y, eta)
    loss = unit_loss(family, ty, teta)
    (slope,) = torch.autograd.grad(loss.sum(), teta)
    np.testing.assert_allclose(loss.detach().numpy(), known.loss(y, eta), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(slope.numpy(), known.gradient(y, eta), rtol=1e-12, atol=1e-12)
    inside = np.abs(eta) < 20  # further out, means round to 0 and 1
    deviance = unit_deviance(family, y, eta)
    np.testing.assert_allclose(deviance[inside], known.deviance(y, known.mean(eta))[inside], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(deviance, 2 * (loss.detach().numpy() - known.saturated(y)), rtol=1e-9, atol=1e-9)


def test_agrees_with_scikit_learn():
    y, eta = case("binomial", n=200)
    y, eta = np.round(y), np.clip(eta, -10, 10)
    loss = unit_loss("binomial", torch.tensor(y), torch.tensor(eta)).mean().item()
    assert loss == pytest.approx(log_loss(y, expit(eta)), rel=1e-10)
    assert unit_deviance("binomial", y, eta).mean() == pytest.approx(2 * log_loss(y, expit(eta)), rel=1e-10)
    codes, links = case("multinomial", n=200)
    links[-1] = 0.0  # scikit-learn clips probabilities
    loss = unit_loss("multinomial", torch.tensor(codes), torch.tensor(links)).mean().item()
    reference = log_loss(codes, softmax(links, axis=1), labels=range(4))
    assert loss == pytest.approx(reference, rel=1e-10)
    assert unit_deviance("multinomial", codes, links).mean() == pytest.approx(2 * reference, rel=1e-10)
    y, eta = case("poisson", n=200)
    assert unit_deviance("poisson", y, eta).mean() == pytest.approx(mean_poisson_deviance(y, np.exp(eta)), rel=1e-10)
    y, eta = case("gaussian", n=200)
    assert unit_deviance("gaussian", y, eta).mean() == pytest.approx(mean_squared_error(y, eta), rel=1e-12)


@pytest.mark.parametrize("k", [2, 3])
def test_two_classes_are_a_difference_of_links(k):
    """The multinomial loss of links (0, eta) is the binomial one; a shift of all links changes nothing."""
    y, eta = case("binomial")
    y = np.round(y)
    links = np.column_stack([np.zeros_like(eta), eta, *[np.full_like(eta, -700.0)] * (k - 2)]) + 5.0
    loss = unit_loss("multinomial", torch.tensor(y), torch.tensor(links))
    np.testing.assert_allclose(loss.numpy(), get_family("binomial").loss(y, eta), atol=1e-12)


@pytest.mark.parametrize("family", [*SCALAR, "multinomial"])
def test_stacked_models_are_broadcast(family):
    """A batched engine has links (M, B) or (M, B, k) for targets (B,)."""
    y, eta = case(family)
    stacked = np.stack([eta, -eta, 0.5 * eta])
    apart = [unit_loss(family, torch.as_tensor(y), torch.tensor(e)).numpy() for e in stacked]
    np.testing.assert_array_equal(unit_loss(family, torch.as_tensor(y), torch.tensor(stacked)).numpy(), np.stack(apart))
    apart = [unit_deviance(family, y, e) for e in stacked]
    np.testing.assert_array_equal(unit_deviance(family, y, stacked), np.stack(apart))


@pytest.mark.parametrize(("dtype", "last", "beyond"), [(torch.float32, 80.0, 81.0), (torch.float64, 701.0, 702.0)])
def test_a_poisson_mean_that_overflows_is_infinite_and_keeps_a_finite_gradient(dtype, last, beyond):
    eta = torch.tensor([last, beyond, 1e6, torch.inf], dtype=dtype, requires_grad=True)
    y = torch.tensor([2.0, 0.0, 7.0, 0.0], dtype=dtype)
    loss = unit_loss("poisson", y, eta)
    assert torch.isfinite(loss[0]) and torch.all(loss[1:] == torch.inf)
    (slope,) = torch.autograd.grad(loss.sum(), eta)
    assert torch.all(torch.isfinite(slope)) and torch.all(slope > 1e30)  # it still points back
    assert torch.isfinite(slope[0] * 1000.0)


@pytest.mark.parametrize("family", [*SCALAR, "multinomial"])
def test_nan_links_are_never_hidden(family):
    y, eta = case(family)
    eta[3] = np.nan
    assert np.isnan(unit_deviance(family, y, eta)[3])
    assert torch.isnan(unit_loss(family, torch.as_tensor(y), torch.tensor(eta))[3])


def test_float32_keeps_its_digits_where_means_round_to_one():
    eta = torch.tensor([-90.0, 90.0, -90.0, 90.0])
    loss = unit_loss("binomial", torch.tensor([0.0, 1.0, 1.0, 0.0]), eta)
    np.testing.assert_allclose(loss.numpy(), [0.0, 0.0, 90.0, 90.0], atol=1e-6)


def test_unknown_family():
    with pytest.raises(InputError, match="unknown family 'gamma'; expected one of gaussian"):
        unit_loss("gamma", torch.zeros(1), torch.zeros(1))
    with pytest.raises(InputError, match="unknown family 'gamma'; expected one of gaussian"):
        unit_deviance("gamma", np.zeros(1), np.zeros(1))
