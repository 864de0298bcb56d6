"""Families that users define in Python: the core calls back, with the same answers and certificates."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from scipy.special import expit

import bridle
from bridle.certificates import certify
from bridle.errors import InputError
from bridle.losses import Family, check_family, get_family, register_family
from bridle.path import fit_path


@dataclass(frozen=True)
class Count(Family):
    """Poisson's loss, as somebody might write it: what has a default is left to it."""

    name: ClassVar[str] = "my_counts"
    least: ClassVar[float] = 0.0

    def loss(self, y, eta):
        return np.exp(eta) - y * eta

    def gradient(self, y, eta):
        return np.exp(eta) - y

    def curvature(self, y, eta):
        return np.exp(eta)


@dataclass(frozen=True)
class Coin(Family):
    name: ClassVar[str] = "my_coin"

    def loss(self, y, eta):
        return np.logaddexp(0.0, eta) - y * eta

    def gradient(self, y, eta):
        return expit(eta) - y

    def curvature(self, y, eta):
        return expit(eta) * expit(-eta)


@dataclass(frozen=True)
class Ends(Family):
    """log cosh: flat curvature far out."""

    name: ClassVar[str] = "log_cosh"
    width: float = 1.0

    def loss(self, y, eta):
        r = np.abs(eta - y) / self.width
        return self.width**2 * (r + np.log1p(np.exp(-2 * r)) - np.log(2))

    def gradient(self, y, eta):
        return self.width * np.tanh((eta - y) / self.width)

    def curvature(self, y, eta):
        return 1 - np.tanh((eta - y) / self.width) ** 2


def rows(n=80, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, 0.4 + 0.6 * X[:, 0] - 0.3 * X[:, 1], rng


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("shape", [(80, 6), (30, 70)])
def test_a_twin_of_poisson_has_its_path(l1_ratio, shape):
    X, eta, rng = rows(*shape)
    y = rng.poisson(np.exp(eta)).astype(float)
    options = {"l1_ratio": l1_ratio, "n_lambdas": 12, "tol": 1e-9, "strict": True}
    mine, built_in = fit_path(X, y, family=Count(), **options), fit_path(X, y, family="poisson", **options)
    np.testing.assert_allclose(mine.coef, built_in.coef, atol=2e-5)
    np.testing.assert_allclose(mine.lambdas, built_in.lambdas, rtol=1e-12)
    np.testing.assert_allclose(mine.deviance, built_in.deviance, rtol=1e-6, atol=1e-8)


def test_numeric_conjugates_and_least_losses_are_those_in_closed_form():
    y, u = np.array([0.0, 1.0, 3.0]), np.array([0.5, -0.4, -2.9])
    np.testing.assert_allclose(Count().conjugate(y, u), get_family("poisson").conjugate(y, u), atol=1e-10)
    np.testing.assert_allclose(Count().saturated(y), get_family("poisson").saturated(y), atol=1e-10)
    ends = np.array([0.0, 1.0])
    np.testing.assert_allclose(Coin().saturated(ends), 0.0, atol=1e-6)
    assert np.isposinf(Coin().conjugate(ends, np.array([-0.2, 0.2]))).all()


def test_flat_losses_with_outliers_are_certified():
    X, eta, rng = rows(100, 5)
    y = eta + rng.standard_t(1.2, 100)
    y[0] = 1e4
    path = fit_path(X, y, family=Ends(0.5), n_lambdas=10, tol=1e-8, strict=True)
    for k in (1, 5, 9):
        found = certify(X, y, path.intercept[k], path.coef_row(k), path.lambdas[k], family=Ends(0.5))
        assert found.relative_gap <= 1.05e-8


def test_folds_in_threads_and_in_lockstep_call_back_too():
    for n, p in ((60, 5), (30, 90)):
        X, eta, rng = rows(n, p)
        y = rng.poisson(np.exp(eta)).astype(float)
        folds = bridle.make_folds(y, n_splits=3)
        one, two = (bridle.cross_validate(X, y, folds=folds, family=Count(), n_lambdas=8, n_jobs=k) for k in (1, 2))
        np.testing.assert_array_equal(one.curves[0].test_loss, two.curves[0].test_loss)
        built_in = bridle.cross_validate(X, y, folds=folds, family="poisson", n_lambdas=8)
        np.testing.assert_allclose(one.curves[0].test_loss, built_in.curves[0].test_loss, rtol=1e-3)


def test_what_a_family_raises_comes_through():
    @dataclass(frozen=True)
    class Broken(Count):
        name: ClassVar[str] = "broken"

        def gradient(self, y, eta):
            if np.ptp(eta) > 0:
                raise ZeroDivisionError("mine")
            return super().gradient(y, eta)

    X, eta, rng = rows()
    with pytest.raises(ZeroDivisionError, match="mine"):
        fit_path(X, rng.poisson(np.exp(eta)), family=Broken())


def test_families_are_found_by_spec_once_they_are_known():
    with pytest.raises(InputError, match="unknown family"):
        get_family("log_cosh(width=3.0)")
    register_family(Ends)
    assert get_family("log_cosh(width=3)") == Ends(3.0) and Ends(3.0).spec == "log_cosh(width=3.0)"
    with pytest.raises(InputError, match="already"):
        register_family(type("Poisson2", (Count,), {"name": "poisson"}))


@pytest.mark.parametrize("family", [Count(), Coin(), Ends(), get_family("tweedie(power=1.3)")])
def test_sound_families_pass_the_check(family):
    check_family(family, y=[0.0, 1.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gradient": lambda self, y, eta: np.exp(eta)}, "gradient is the slope"),
        ({"curvature": lambda self, y, eta: 2 * np.exp(eta)}, "curvature is the slope"),
        (
            {
                "loss": lambda self, y, eta: -np.exp(eta),
                "gradient": lambda self, y, eta: -np.exp(eta),
                "curvature": lambda self, y, eta: -np.exp(eta),
            },
            "convex",
        ),
        ({"mean": lambda self, eta: np.exp(eta)}, "inverse of mean"),
        ({"saturated": lambda self, y: y + 9.0}, "least loss"),
        ({"conjugate": lambda self, y, u: u}, "slope \\* eta"),
        ({"loss": lambda self, y, eta: 1.0}, "one finite number per row"),
    ],
    ids=["slope", "bend", "concave", "link", "least", "conjugate", "shape"],
)
def test_families_that_contradict_themselves_are_told(change, message):
    with pytest.raises(InputError, match=message):
        check_family(type("Wrong", (Count,), change)())
    with pytest.raises(InputError, match="expected an instance"):
        check_family("poisson")
