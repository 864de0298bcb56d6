"""Several responses with squared error, and classes with the symmetric softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr, log_softmax, rel_entr, softmax, xlogy

from bridle.several.base import SeveralFamily, expand
from bridle.several.labels import class_names, column_labels, read_classes, read_columns

Float = NDArray[np.float64]


@dataclass(frozen=True)
class MultiGaussian(SeveralFamily):
    """Squared error over T responses: 1/2 |y - eta|^2."""

    name: ClassVar[str] = "multigaussian"
    loss_name: ClassVar[str] = "squared error summed over the responses"
    formula: ClassVar[str] = "1/2 |y - eta|^2"
    quadratic: ClassVar[bool] = True
    _domain: ClassVar[str] = "finite numbers"

    def target(self, y: ArrayLike, n: int) -> Float:  # noqa: D102
        return read_columns(y, n)

    def names(self, y: Any, target: Float) -> tuple[Any, ...]:  # noqa: D102
        return column_labels(y, target)

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray(0.5 * ((expand(y, eta) - eta) ** 2).sum(axis=1))

    def gradient(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray(eta - expand(y, eta))

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.ones_like(eta)

    def row_hessians(self, target: Float, eta: Float) -> Float:  # noqa: D102
        return np.broadcast_to(np.eye(target.shape[1]), (*target.shape, target.shape[1]))

    def mean(self, eta: Float) -> Float:  # noqa: D102
        return eta

    def link(self, mu: Float) -> Float:  # noqa: D102
        return mu

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.zeros(y.shape[0])

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        return np.asarray(((expand(y, mu) - mu) ** 2).sum(axis=1))

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        return np.asarray((u * (0.5 * u + y)).sum(axis=1))

    def fenchel_gap(self, target: Float, eta: Float, fitted: Float, s: float, w: Float) -> float:  # noqa: D102
        return 0.5 * float(w @ ((eta - target - s * (fitted - target)) ** 2).sum(axis=1))

    def null_predictors(self, target: Float, w: Float, offset: Float) -> Float:  # noqa: D102
        return np.asarray(np.average(target - offset, axis=0, weights=w))


@dataclass(frozen=True)
class Multinomial(SeveralFamily):
    """Classes with the symmetric softmax: log sum_k e^eta_k - sum_k y_k eta_k, y the shares of the classes.

    Each class has a predictor. Adding the same to all of them changes nothing; the penalty chooses among these, and
    what isn't penalised (intercepts; features with factor 0; all at lambda = 0) is given with the sum 0 over classes.
    """

    name: ClassVar[str] = "multinomial"
    has_classes: ClassVar[bool] = True
    takes_offset: ClassVar[bool] = False
    main_score: ClassVar[str] = "accuracy"
    loss_name: ClassVar[str] = "multinomial deviance per row"
    formula: ClassVar[str] = "log sum_k e^eta_k - sum_k y_k eta_k"
    _domain: ClassVar[str] = "class labels, or shares of the classes"

    def target(self, y: ArrayLike, n: int) -> Float:  # noqa: D102
        return read_classes(y, n, self.name)

    def names(self, y: Any, target: Float) -> tuple[Any, ...]:  # noqa: D102
        return class_names(y, target)

    def classes(self, y: Float) -> NDArray[np.int64] | None:
        """Return the class of each row, (n,), or None where rows are shares."""
        return np.argmax(y, axis=1) if np.all((y == 0.0) | (y == 1.0)) else None

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray(-(expand(y, eta) * log_softmax(eta, axis=1)).sum(axis=1))

    def gradient(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray(softmax(eta, axis=1) - expand(y, eta))

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        mu = softmax(eta, axis=1)
        return np.asarray(mu * (1.0 - mu))

    def row_hessians(self, target: Float, eta: Float) -> Float:  # noqa: D102
        mu = softmax(eta, axis=1)
        return np.asarray(mu[:, :, None] * np.eye(mu.shape[1]) - mu[:, :, None] * mu[:, None, :])

    def mean(self, eta: Float) -> Float:  # noqa: D102
        return np.asarray(softmax(eta, axis=1))

    def link(self, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.log(mu)
            return np.asarray(log - log.mean(axis=1, keepdims=True))

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.asarray(entr(y).sum(axis=1))

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore"):
            return np.asarray(2.0 * rel_entr(expand(y, mu), mu).sum(axis=1))

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        total = np.abs(u.sum(axis=1))  # adding a constant to eta changes nothing: the slopes sum to 0
        return np.asarray(np.where(total <= 1e-9, xlogy(y + u, y + u).sum(axis=1), np.inf))

    def fenchel_gap(self, target: Float, eta: Float, fitted: Float, s: float, w: Float) -> float:  # noqa: D102
        to = s * softmax(fitted, axis=1) + (1.0 - s) * target
        part = xlogy(to, to) - to * log_softmax(eta, axis=1)
        return max(0.0, float(w @ part.sum(axis=1)))

    def null_predictors(self, target: Float, w: Float, offset: Float) -> Float:  # noqa: D102
        share = np.average(target, axis=0, weights=w)
        b = self.link(share[None])[0]
        if not np.all(share > 0.0) or not np.any(offset):
            return np.asarray(np.where(share > 0.0, b, -np.inf) if not np.all(share > 0.0) else b)
        return minimise_intercepts(self, target, w, offset, b - (offset * (w / w.sum())[:, None]).sum(axis=0))


def minimise_intercepts(family: SeveralFamily, target: Float, w: Float, offset: Float, start: Float) -> Float:
    """Return the intercepts (K,) that fit best with an offset, by Newton's method; they sum to 0.

    Parameters
    ----------
    family : SeveralFamily
    target : (n, K)
    w : (n,)
    offset : (n, K)
    start : (K,)
    """
    b = start - start.mean()
    value = float(w @ family.loss(target, b + offset))
    for _ in range(200):
        slope = w @ family.gradient(target, b + offset)
        step = np.linalg.lstsq(np.tensordot(w, family.row_hessians(target, b + offset), 1), slope, rcond=1e-12)[0]
        share = 1.0
        while (moved := float(w @ family.loss(target, b - share * step + offset))) > value + 1e-14 * abs(value):
            share *= 0.5
            if share < 1e-6:
                return np.asarray(b)
        b, value = b - share * step, moved
        if np.max(np.abs(step)) <= 1e-14 * max(1.0, float(np.max(np.abs(b)))):
            break
    return np.asarray(b - b.mean())
