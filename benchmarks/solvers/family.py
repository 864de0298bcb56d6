r"""What the referee needs to know of a loss, in plain NumPy and SciPy, in float64.

F is the mean of f(y_i, eta_i) over n rows, the unit negative log-likelihood without the terms of y alone; Cox's partial
likelihood isn't a sum over rows. u denotes n times the gradient of F, so that u_i = f'(eta_i). A family with K
predictors has eta, u (n, K) and intercepts (K,), others (n,) and a number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


class Family(ABC):
    """What the referee needs to know of a loss."""

    several = False  # whether eta is (n, K)

    def predictors(self, y: Float) -> int:
        """Linear predictors a row, each with its intercept: K."""
        return 1

    def columns(self, y: Float) -> int:
        """Coefficients a feature."""
        return self.predictors(y)

    def by_column(self, u: Float) -> Float:
        """What of u meets each of a feature's coefficients."""
        return u

    @abstractmethod
    def value(self, y: Float, eta: Float) -> float:
        """F."""

    @abstractmethod
    def gradient(self, y: Float, eta: Float) -> Float:
        """n times the gradient of F."""

    @abstractmethod
    def balanced(self, y: Float, xb: Float, b0: Any) -> tuple[Any, Float]:
        """The intercept that is best for these xb, and u at it, which sums to zero; b0 is where to start."""

    @abstractmethod
    def conjugate(self, y: Float, eta: Float, u: Float, s: float) -> float:
        """F* at s u / n, or a bound above it that is exact at s = 1; u belongs to eta, 0 <= s <= 1."""

    @abstractmethod
    def deviance(self, y: Float, eta: Float) -> float:
        """Mean unit deviance, 2 (F - min F)."""

    @abstractmethod
    def null(self, y: Float) -> Any:
        """The intercept that is best without features."""

    def null_eta(self, y: Float) -> Float:
        """Predictors without features."""
        return np.zeros((len(y), self.predictors(y)) if self.several else len(y)) + self.null(y)


class RowFamily(Family):
    """F is a mean over rows, of one predictor each."""

    @abstractmethod
    def loss(self, y: Float, eta: Float) -> Float:
        """f, element by element."""

    @abstractmethod
    def least(self, y: Float) -> Float:
        """min over eta of f(y, eta)."""

    @abstractmethod
    def row_conjugate(self, y: Float, u: Float) -> Float:
        """f*(u) = sup over eta of u eta - f(y, eta)."""

    @abstractmethod
    def balance(self, y: Float, xb: Float, b0: float) -> float:
        """The best intercept."""

    def value(self, y: Float, eta: Float) -> float:
        return float(np.mean(self.loss(y, eta)))

    def balanced(self, y: Float, xb: Float, b0: float) -> tuple[float, Float]:
        b0 = self.balance(y, xb, b0)
        return b0, self.gradient(y, xb + b0)

    def conjugate(self, y: Float, eta: Float, u: Float, s: float) -> float:
        return float(np.mean(self.row_conjugate(y, s * u)))

    def deviance(self, y: Float, eta: Float) -> float:
        return float(np.mean(2.0 * (self.loss(y, eta) - self.least(y))))

    def null(self, y: Float) -> float:
        return self.balance(y, np.zeros(len(y)), 0.0)


def root(function: Callable[[float], tuple[float, float]], start: float) -> float:
    """Where an increasing function is 0; it returns value and slope. Newton's steps in a bracket that always holds it.

    Where the slope is 0 the bracket is halved.
    """
    low, high, width, at = start, start, 1.0, start
    while function(low)[0] > 0.0:
        low, width = low - width, 2.0 * width
    while function(high)[0] < 0.0:
        high, width = high + width, 2.0 * width
    for _ in range(300):
        value, slope = function(at)
        if value == 0.0:
            break
        low, high = (low, at) if value > 0.0 else (at, high)
        step = at - value / slope if slope > 0.0 else low
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - at) <= 1e-16 * max(1.0, abs(at)):
            break
        at = following
    return at
