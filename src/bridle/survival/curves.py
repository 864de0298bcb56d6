"""Baseline hazards of a fitted Cox model, and the survival curves that they give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import InputError
from bridle.survival.target import EVENT, STRATUM, TIME

if TYPE_CHECKING:
    from bridle.survival.family import CoxFamily

Float = NDArray[np.float64]


@dataclass(frozen=True)
class StepFunction:
    """A function that is constant from each of its times up to before the next."""

    x: Float  # (K,) times, ascending
    y: Float  # (K,) value from each time on
    before: float  # value before the first time: 0 of a cumulative hazard, 1 of a survival function

    def __call__(self, time: ArrayLike) -> Float:
        """Return the value at each time, whatever its shape; beyond the last time the last value stays."""
        at = np.searchsorted(self.x, np.asarray(time, dtype=np.float64), side="right")
        return np.asarray(np.concatenate([[self.before], self.y])[at])


@dataclass(frozen=True)
class BaselineHazard:
    """Cumulative hazards at eta = ``centre``, one for each stratum; jumps are kept by their logarithms."""

    strata: Float  # (S,) numbers of the strata, ascending
    times: tuple[Float, ...]  # S of (K_s,), times of events
    log_jumps: tuple[Float, ...]  # S of (K_s,)
    centre: float  # eta that they are at

    @classmethod
    def estimate(cls, family: CoxFamily, y: Float, eta: Float, w: Float | None = None) -> BaselineHazard:
        """Estimate from the rows that a model was fitted on: Breslow's estimator, or Efron's for that rule of ties.

        Parameters
        ----------
        family : CoxFamily
            Rule for ties.
        y : (n, 4)
            Target.
        eta : (n,)
            Linear predictor of the fit.
        w : (n,) or None
            Weights, in any unit.

        Returns
        -------
        BaselineHazard
            At the weighted mean of eta.
        """
        weight = np.ones(len(y)) if w is None else w
        hazard, scale = family.core(y).increments(weight, np.ascontiguousarray(eta))
        centre = float(np.average(eta, weights=weight))
        with np.errstate(divide="ignore", invalid="ignore"):
            log_jump = np.where(hazard > 0.0, np.log(hazard) - scale + centre, -np.inf)
        strata, times, jumps, start = np.unique(y[:, STRATUM]), list[Float](), list[Float](), 0
        for stratum in strata:
            found = np.unique(y[(y[:, STRATUM] == stratum) & (y[:, EVENT] == 1.0), TIME])
            jump = log_jump[start : start + found.size]
            times.append(found[jump > -np.inf])  # no event of the others has a weight
            jumps.append(jump[jump > -np.inf])
            start += found.size
        return cls(strata, tuple(times), tuple(jumps), centre)

    def cumulative_hazard(self, eta: ArrayLike, stratum: float | None = None) -> tuple[Float, Float]:
        """Return (times (K,), cumulative hazard (m, K)) of rows with these linear predictors.

        Parameters
        ----------
        eta : (m,)
            Linear predictors.
        stratum : float or None
            Number of their stratum; needed where there are several.

        Returns
        -------
        tuple
            Times of events, and for each row the integral of its hazard up to each of them.
        """
        if stratum is None and len(self.strata) > 1:
            raise InputError(f"the model has {len(self.strata)} strata, each with a hazard of its own: say which")
        at = 0 if stratum is None else int(np.searchsorted(self.strata, stratum))
        if at >= len(self.strata) or (stratum is not None and self.strata[at] != stratum):
            raise InputError(f"there is no stratum {stratum!r}; the model has {self.strata.tolist()}")
        log_total = np.logaddexp.accumulate(self.log_jumps[at]) if self.log_jumps[at].size else self.log_jumps[at]
        shift = np.asarray(eta, dtype=np.float64)[:, None] - self.centre
        with np.errstate(over="ignore"):
            return self.times[at], np.exp(log_total + shift)

    def survival(self, eta: ArrayLike, stratum: float | None = None) -> tuple[Float, Float]:
        """Return (times (K,), probability (m, K) of no event up to and including each), exp(-cumulative hazard).

        Parameters
        ----------
        eta, stratum
            As for :meth:`cumulative_hazard`.
        """
        times, hazard = self.cumulative_hazard(eta, stratum)
        return times, np.exp(-hazard)

    def survival_at(self, eta: Float, stratum: Float, times: Float) -> Float:
        """(m, T) probabilities of no event up to and including some times; NaN in strata that have no hazard.

        Parameters
        ----------
        eta, stratum : (m,)
            Linear predictors, and numbers of strata.
        times : (T,)
            When; after a stratum's last event the curve stays where it is.
        """
        out = np.full((eta.size, times.size), np.nan)
        for rows, at, total in self._by_stratum(stratum):
            level = np.concatenate([[-np.inf], total])[np.searchsorted(at, times, side="right")]
            with np.errstate(over="ignore"):
                out[rows] = np.exp(-np.exp(level + (eta[rows] - self.centre)[:, None]))
        return out

    def median(self, eta: Float, stratum: Float) -> Float:
        """(m,) first times at which survival is at most a half: inf where it never is, NaN as in survival_at.

        Parameters
        ----------
        eta, stratum : (m,)
            Linear predictors, and numbers of strata.
        """
        out = np.full(eta.size, np.nan)
        for rows, at, total in self._by_stratum(stratum):
            first = np.searchsorted(total, np.log(np.log(2.0)) - (eta[rows] - self.centre), side="left")
            out[rows] = np.concatenate([at, [np.inf]])[first]
        return out

    def _by_stratum(self, stratum: Float) -> Iterator[tuple[NDArray[np.int64], Float, Float]]:
        """Rows of each stratum that has a hazard, its times, and the logs of its cumulative hazard at them."""
        for number, times, jumps in zip(self.strata, self.times, self.log_jumps, strict=True):
            rows = np.flatnonzero(stratum == number)
            if rows.size and times.size:
                yield rows, times, np.logaddexp.accumulate(jumps)
