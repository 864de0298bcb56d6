"""The tables behind the studies, and a small proximal-gradient solver that fits them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.verdict import Interval

Float = NDArray[np.float64]
NAN = math.nan
NOTHING = Interval(NAN, NAN, NAN)


def mean_of(eta: Float, family: str) -> Float:
    if family == "gaussian":
        return eta
    return 1 / (1 + np.exp(-np.clip(eta, -30, 30))) if family == "binomial" else np.exp(np.clip(eta, -30, 4))


def deviance(y: Float, mu: Float, family: str) -> Float:
    """Unit deviances; y and mu broadcast."""
    if family == "gaussian":
        return (y - mu) ** 2
    mu = np.clip(mu, 1e-9, 1 - 1e-9) if family == "binomial" else np.maximum(mu, 1e-9)
    if family == "binomial":
        return -2 * (y * np.log(mu) + (1 - y) * np.log1p(-mu))
    return 2 * (np.where(y > 0, y * np.log(np.maximum(y, 1) / mu), 0) - (y - mu))


def fit_path(X: Float, y: Float, lams: Float, ratio: float, family: str, steps: int = 15) -> tuple[Float, Float]:
    """Coefficients (L, p) and intercepts (L,) by accelerated proximal gradient, each lambda from the one before."""
    n, p = X.shape
    curvature = {"gaussian": 1.0, "binomial": 0.25, "poisson": 2.0 * max(1.0, y.mean())}[family]
    step = 1 / (curvature * np.linalg.eigvalsh(X.T @ X if n > p else X @ X.T)[-1] / n + 1e-12)
    m = y.mean()
    b0 = float({"gaussian": lambda: m, "binomial": lambda: np.log(m / (1 - m)), "poisson": lambda: np.log(m)}[family]())
    b, coefs, intercepts = np.zeros(p), [], []
    for lam in lams:
        z, t = b.copy(), 1.0
        for _ in range(steps):
            r = mean_of(b0 + X @ z, family) - y
            b0 -= r.mean() / curvature
            v = z - step * (X.T @ r) / n
            new = np.sign(v) * np.maximum(np.abs(v) - step * lam * ratio, 0) / (1 + step * lam * (1 - ratio))
            t_new = (1 + math.sqrt(1 + 4 * t * t)) / 2
            z, b, t = new + (t - 1) / t_new * (new - b), new, t_new
        coefs.append(b.copy())
        intercepts.append(b0)
    return np.array(coefs), np.array(intercepts)


@dataclasses.dataclass(frozen=True)
class Source:
    title: str
    X: Float
    y: Float
    names: tuple[str, ...]
    family: str
    target: str
    classes: tuple[str, ...] = ()
    n_lambdas: int = 100
    n_folds: int = 4
    n_boot: int = 20
    n_drawn: int = 30
    label: str = "balanced"
    holdout: bool = True


def standardised(X: Float) -> tuple[Float, Float, Float]:
    mean, sd = X.mean(axis=0), X.std(axis=0)
    return (X - mean) / np.where(sd > 0, sd, 1), mean, np.where(sd > 0, sd, 1)
