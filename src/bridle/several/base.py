"""What families with several linear predictors share: M predictors a row, K columns of the target and of the mean."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle import _core
from bridle.errors import InputError
from bridle.losses import Family

Float = NDArray[np.float64]


class SeveralFamily(Family):
    """A family whose target is (n, K) and whose linear predictors are (n, M), or (n, M, L) at L lambdas.

    Functions return one number a row, (n,) or (n, L), where they add over predictors: loss, deviance, saturated,
    conjugate. The others keep the axis.
    """

    several: ClassVar[bool] = True
    shared: ClassVar[bool] = False  # whether all predictors have the same coefficients, and intercepts of their own
    quadratic: ClassVar[bool] = False
    takes_offset: ClassVar[bool] = True  # whether one offset a row changes anything

    def predictors(self, target: Float) -> int:
        """Return M, the number of linear predictors."""
        return int(target.shape[1])

    @abstractmethod
    def names(self, y: Any, target: Float) -> tuple[Any, ...]:
        """Return the names of the K columns of the target: classes or responses."""

    @abstractmethod
    def null_predictors(self, target: Float, w: Float, offset: Float) -> Float:
        """Return the intercepts (M,) of the model with nothing else; infinite where a class has no rows."""

    @abstractmethod
    def row_hessians(self, target: Float, eta: Float) -> Float:
        """Return the second derivatives of each row's loss in its predictors, (n, M, M)."""

    @abstractmethod
    def fenchel_gap(self, target: Float, eta: Float, fitted: Float, s: float, w: Float) -> float:
        """Return F(eta) + F*(s u) - s u'eta >= 0, F the weighted loss and u its gradient at ``fitted``, both (n, M)."""

    def core(self, target: Float) -> _core.Loss:
        """Return the compiled loss for a target (n, K)."""
        return _core.loss(self.name, [float(target.shape[1])])

    def core_target(self, target: Float) -> Float:
        """Return the target as the compiled loss takes it, by columns."""
        return np.asfortranarray(target)

    def residual(self, target: Float, eta: Float, w: Float) -> Float:
        """Return minus the gradient of the weighted loss, (n, M)."""
        return np.asarray(-w[:, None] * self.gradient(target, eta))

    def excess(self, y: Float, eta: Float, w: Float) -> float:
        """Return how far the weighted loss is above the saturated one; 0 where rounding alone could have made it so."""
        saturated = self.saturated(y)
        gap = float(w @ (self.loss(y, eta) - saturated))
        size = float(w @ (y**2).sum(axis=1)) if self.quadratic else 0.0
        return gap if gap > 1e-14 * float(w @ np.abs(saturated)) + 1e-28 * size else 0.0

    def mean_deviance(self, y: Float, eta: Float, w: Float | None = None) -> Float:
        """Return the weighted mean unit deviance at several lambdas, (L,).

        Parameters
        ----------
        y : (n, K)
            Target.
        eta : (n, M, L)
            Linear predictors.
        w : (n,) or None
            Weights of any positive sum.
        """
        unit = 2.0 * (self.loss(y, eta) - self.saturated(y)[:, None])
        return np.asarray(np.average(unit, axis=0, weights=w))

    def read_offset(self, offset: ArrayLike | None, target: Float) -> Float:
        """Return the offset for each predictor, (n, M), from (n,), (n, M) or None."""
        shape = (target.shape[0], self.predictors(target))
        if offset is None:
            return np.zeros(shape)
        try:
            array = np.asarray(offset, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"offset can't be read as numbers: {error}") from None
        if array.shape == shape[:1]:
            array = np.broadcast_to(array[:, None], shape)
        if array.shape != shape:
            raise InputError(f"offset has shape {array.shape}; expected one value per row and predictor, {shape}")
        if not np.isfinite(array).all():
            raise InputError(f"offset must be finite; row {int(np.argmin(np.isfinite(array).all(axis=1)))} isn't")
        if self.shared and np.ptp(array, axis=1).any():
            raise InputError(f"the {self.name} family takes one offset per row, ({shape[0]},)")
        return np.array(array)

    def _outside(self, y: Float) -> NDArray[np.bool_]:
        raise NotImplementedError("targets with several columns are checked as they are read")


def expand(y: Float, eta: Float) -> Float:
    """Return y (n, K) with as many axes as ``eta``."""
    return y if eta.ndim == 2 else y[:, :, None]
