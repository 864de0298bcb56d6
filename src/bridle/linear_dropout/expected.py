r"""The expected loss of one row under noise of variance t in its linear predictor, and its derivatives.

"quadratic" is the expansion to second order, A(eta) - y eta + A''(eta) t / 2: the adaptive quadratic penalty of Wager,
Wang and Liang (2013). It is exact for a gaussian target only, and for the others neither convex nor, for the logistic
loss, growing: A'' falls faster than t grows, so that separated classes have no minimum.

"normal" is the expectation itself, for noise that is normal with variance t, as a sum over many features is nearly
(Wang and Manning 2013). It agrees with the expansion to first order in t, and it is convex, since the expectation is
convex in eta and sqrt(t) and grows with sqrt(t), which is a norm of the coefficients. For counts it is
e^(eta + t/2) - y eta. For the logistic loss: log(1 + e^eta) = E max(0, eta + Lambda), Lambda logistic, and a logistic
variable is 2 K Z, with Z normal and K of Kolmogorov's distribution (Andrews and Mallows 1974). So

    E log(1 + e^(eta + sqrt(t) Z)) = E_K max(0, eta + tau_K Z) = E_K [eta Phi(eta / tau_K) + tau_K phi(eta / tau_K)],

tau_K^2 = 4 K^2 + t, and the expectation over K is a trapezoidal sum in log K, right to 1e-13 with 28 terms: the density
falls doubly exponentially on both sides.

References
----------
Wager, Wang and Liang (2013), NIPS 26. Wang and Manning (2013), Fast dropout training, ICML 30.
Andrews and Mallows (1974), Journal of the Royal Statistical Society B 36(1).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from bridle.losses import Family

Float = NDArray[np.float64]


class Terms(NamedTuple):
    """psi and its derivatives, (n,) each."""

    value: Float
    eta: Float
    t: Float
    eta_eta: Float
    eta_t: Float
    t_t: Float


def quadratic(family: Family, y: Float, eta: Float, t: Float) -> Terms:
    """Return A(eta) - y eta + A''(eta) t / 2."""
    a2, a3, a4 = _CUMULANTS[family.name](eta)
    return Terms(
        value=family.loss(y, eta) + 0.5 * a2 * t,
        eta=family.gradient(y, eta) + 0.5 * a3 * t,
        t=0.5 * a2,
        eta_eta=a2 + 0.5 * a4 * t,
        eta_t=0.5 * a3,
        t_t=np.zeros_like(eta),
    )


def normal(family: Family, y: Float, eta: Float, t: Float) -> Terms:
    """Return the expectation of the loss at eta + sqrt(t) Z."""
    if family.name == "gaussian":
        return quadratic(family, y, eta, t)
    if family.name == "poisson":
        mu = np.exp(eta + 0.5 * t)
        return Terms(mu - y * eta, mu - y, 0.5 * mu, mu, 0.5 * mu, 0.25 * mu)
    size = np.abs(eta)
    other, beyond, eta2, eta3, eta4 = np.zeros((5, len(eta)))  # the side of 0 where eta isn't: probability, distance
    for k, share in zip(*_kolmogorov(), strict=True):
        tau = np.sqrt(4.0 * k**2 + t)
        z = size / tau
        tail, density = share * ndtr(-z), share / np.sqrt(2.0 * np.pi) * np.exp(-0.5 * z**2)
        other += tail
        beyond += tau * density - size * tail
        density /= tau
        eta2 += density
        density /= tau
        eta3 -= z * density
        eta4 += (z**2 - 1.0) * density / tau
    value = beyond + (1.0 - y) * np.maximum(eta, 0.0) + y * np.maximum(-eta, 0.0)
    slope = np.where(eta < 0.0, other - y, (1.0 - y) - other)
    return Terms(value, slope, 0.5 * eta2, eta2, 0.5 * np.sign(eta) * eta3, 0.25 * eta4)  # d/dt is half of d2/deta2


MARGINALS: dict[str, Callable[[Family, Float, Float, Float], Terms]] = {"quadratic": quadratic, "normal": normal}


def _gaussian(eta: Float) -> tuple[Float, Float, Float]:
    zero = np.zeros_like(eta)
    return np.ones_like(eta), zero, zero


def _binomial(eta: Float) -> tuple[Float, Float, Float]:
    a = expit(eta) * expit(-eta)
    return a, -a * np.tanh(0.5 * eta), a * (1.0 - 6.0 * a)


def _poisson(eta: Float) -> tuple[Float, Float, Float]:
    mu = np.exp(eta)
    return mu, mu, mu


_CUMULANTS = {"gaussian": _gaussian, "binomial": _binomial, "poisson": _poisson}  # A'', A''', A'''' at eta (n,)


@cache
def _kolmogorov() -> tuple[Float, Float]:
    """Return nodes and weights of the expectation over Kolmogorov's distribution."""
    k = np.geomspace(0.18, 4.2, 28)
    j = np.arange(1.0, 12.0)[:, None]
    rate = (2.0 * j - 1.0) ** 2 * np.pi**2 / 8.0  # the density's two series: one converges for large k, one for small
    large = 8.0 * k * np.sum((-1.0) ** (j + 1.0) * j**2 * np.exp(-2.0 * (j * k) ** 2), axis=0)
    small = np.sqrt(2.0 * np.pi) * np.sum(np.exp(-rate / k**2) * (2.0 * rate / k**4 - 1.0 / k**2), axis=0)
    weight = k * np.where(k > 1.0, large, small)
    return k, weight / np.sum(weight)
