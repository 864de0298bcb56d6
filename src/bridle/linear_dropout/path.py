"""The result: one fit for every dropout rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import InputError
from bridle.losses import get_family

Float = NDArray[np.float64]

_LOSS = {"gaussian": "1/2 (y - eta)^2", "binomial": "log(1 + e^eta) - y eta", "poisson": "e^eta - y eta"}
_CURVATURE = {"gaussian": "", "binomial": "mu (1 - mu) ", "poisson": "mu "}


@dataclass(frozen=True)
class LinearDropoutPath:
    """Coefficients at a sequence of dropout rates, with the stationarity of each; R rates, p features.

    The objective is sum_i w_i [loss(y_i, eta_i) + 1/2 A''(eta_i) delta/(1 - delta) sum_j (x_ij - c_j)^2 b_j^2] with
    weights that sum to 1, eta_i = o_i + b0 + x_i'b, and c the features' means if ``standardize`` (0 otherwise).
    """

    family: str
    rates: Float  # (R,) delta, descending
    intercept: Float  # (R,)
    coef: Float  # (R, p) on the original scale
    objective: Float  # (R,) the value that was reached
    stationarity: Float  # (R,) largest component of the gradient over that of the null model, per deviation of a column
    n_iter: NDArray[np.int64]  # (R,)
    status: tuple[str, ...]  # "converged", "separated", "max_iter" or "stalled"
    deviance: Float  # (R,) mean unit deviance of the training rows, without noise
    null_deviance: float
    mean: Float  # (p,) weighted
    scale: Float  # (p,) weighted standard deviation with 1/n (1 for a constant column)
    tol: float
    fit_intercept: bool
    standardize: bool
    marginal: str  # "quadratic" or "normal"
    feature_names: tuple[str, ...] | None
    notes: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """Whether every rate met ``tol``."""
        return all(s == "converged" for s in self.status)

    @property
    def equation(self) -> str:
        """The objective that was solved, in one line."""
        start = "b0 + " if self.fit_intercept else ""
        z = "(x_j - mean_j)" if self.fit_intercept and self.standardize else "x_j"
        variance = f"delta / (1 - delta) sum_j {z}^2 b_j^2"
        loss, end = _LOSS[self.family], f"eta = {start}x'b"
        if self.marginal == "normal" and self.family != "gaussian":
            return f"minimise mean E[{loss}],  {end} + e,  e normal with variance {variance}"
        return f"minimise mean[{loss} + 1/2 {_CURVATURE[self.family]}{variance}],  {end}"

    def at(self, rate: float) -> int:
        """Return the row of ``rate``.

        Parameters
        ----------
        rate : float
            One of ``rates``.

        Raises
        ------
        InputError
            It wasn't fitted.
        """
        close = np.flatnonzero(np.isclose(self.rates, rate, rtol=0.0, atol=1e-9))
        if close.size == 0:
            known = ", ".join(f"{r:g}" for r in self.rates)
            raise InputError(f"no fit at dropout rate {rate!r}: this path has {known}. Give it in rates to the fit")
        return int(close[0])

    def linear_predictor(self, X: Any, offset: ArrayLike | None = None, rate: float | None = None) -> Float:
        """Return eta = offset + b0 + X b; nothing is dropped in prediction.

        Parameters
        ----------
        X : (n, p)
            Dense or sparse.
        offset : (n,) or None
            Added to the predictor.
        rate : float or None
            One of ``rates``, or None for all.

        Returns
        -------
        (n,) for one rate, (n, R) for all
        """
        shape = np.shape(X)
        if len(shape) != 2 or shape[1] != self.coef.shape[1]:
            raise InputError(f"X has shape {shape}; expected two dimensions with {self.coef.shape[1]} columns")
        which = slice(None) if rate is None else self.at(rate)
        matrix = X if hasattr(X, "tocsc") else np.asarray(X)
        eta = np.asarray(matrix @ self.coef[which].T) + self.intercept[which]
        if offset is None:
            return eta
        o = np.asarray(offset, dtype=np.float64)
        return eta + (o[:, None] if eta.ndim == 2 else o)

    def predict(
        self,
        X: Any,
        offset: ArrayLike | None = None,
        rate: float | None = None,
        kind: Literal["response", "link"] = "response",
    ) -> Float:
        """Return means (or linear predictors, ``kind="link"``).

        Parameters
        ----------
        X : (n, p)
            Dense or sparse.
        offset : (n,) or None
            Added to the linear predictor.
        rate : float or None
            One of ``rates``, or None for all.
        kind : {"response", "link"}
            Scale of the answer.

        Returns
        -------
        (n,) for one rate, (n, R) for all
        """
        if kind not in ("response", "link"):
            raise InputError(f"kind must be 'response' or 'link'; got {kind!r}")
        eta = self.linear_predictor(X, offset, rate)
        return eta if kind == "link" else get_family(self.family).mean(eta)
