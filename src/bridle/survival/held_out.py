"""What a fit of Cox's model is worth on rows that it hasn't seen: a deviance that is a sum over rows.

The partial likelihood of held-out rows depends on who else is at risk, and its size on how many are: a ratio of two
of them means nothing. So a fit is taken as the prediction that it is. Its relative hazards, with the baseline hazard
that its own training rows give, say how likely any row is to have its event when it did, or none for so long as it
was seen. That log likelihood is a proper score with right-censored and late-entered rows (Rindt et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridle.survival.curves import BaselineHazard
from bridle.survival.target import EVENT, START, STRATUM, TIME

Float = NDArray[np.float64]


@dataclass(frozen=True)
class TrainedHazard:
    """Cumulative hazards that training rows give a fit, beside those of rows about which nothing is known.

    Attributes
    ----------
    fitted, plain : BaselineHazard
        With the fit's predictors, and with none.
    floor : float
        Least cumulative hazard at which a row can be expected to have its event.
    """

    fitted: BaselineHazard
    plain: BaselineHazard
    floor: float

    def cumulative(self, y: Float, eta: Float) -> Float:
        """(n,) hazard that each row was exposed to while it was at risk; NaN in strata that had no event.

        Parameters
        ----------
        y : (n, 4)
            Start, time, event, stratum.
        eta : (n,)
            Linear predictors of the fit.
        """
        return _exposure(self.fitted, y, eta)[0]

    def deviance(self, y: Float, eta: Float) -> Float:
        """(n,) unit deviances; 0 in strata where the training rows had no event, which nothing can be said of.

        With L_i the cumulative hazard of row i over its time at risk, by the fit, u_i the same where nothing is known,
        and r_i the ratio of the two hazards at its event,

            d_i = 2 [ L_i - event_i - event_i (log r_i + log u_i) ].

        That is minus twice the log likelihood, less that of the row with the constant hazard (in the time in which all
        have hazard 1) that suits it best. Without features it is the square of the deviance residual.

        Parameters
        ----------
        y : (n, 4)
            Start, time, event, stratum.
        eta : (n,)
            Linear predictors of the fit.

        References
        ----------
        Therneau, Grambsch and Fleming (1990), Martingale-based residuals for survival models, Biometrika 77.
        Rindt, Hu, Steinsaltz and Sejdinovic (2022), Survival regression with proper scoring rules, AISTATS.
        """
        hazard, jump = _exposure(self.fitted, y, eta)
        usual, usual_jump = _exposure(self.plain, y, np.zeros(len(y)))
        event = y[:, EVENT] == 1.0
        known = np.where(event, jump - usual_jump + np.log(np.maximum(usual, self.floor)), 0.0)
        with np.errstate(invalid="ignore"):
            unit = 2.0 * (hazard - event - known)
        return np.where(np.isnan(usual), 0.0, unit)

    def counted(self, y: Float) -> NDArray[np.bool_]:
        """(n,) rows of strata in which the training rows had an event."""
        return np.isin(y[:, STRATUM], [s for s, t in zip(self.plain.strata, self.plain.times, strict=True) if t.size])


def _exposure(base: BaselineHazard, y: Float, eta: Float) -> tuple[Float, Float]:
    """Cumulative hazard over each row's time at risk, and the log of its jump at the row's time, (n,) each.

    Hazards jump at the training rows' events. An event between two of them counts at the later one, as if it had
    been seen that late; so training rows have just what the likelihood gives them.
    """
    total, jump = np.full(len(y), np.nan), np.full(len(y), np.nan)
    for s, stratum in enumerate(base.strata):
        rows = np.flatnonzero(y[:, STRATUM] == stratum)
        times = base.times[s]
        if not rows.size or not times.size:
            continue
        shift = eta[rows] - base.centre
        event, sum_to = y[rows, EVENT] == 1.0, np.concatenate([[-np.inf], np.logaddexp.accumulate(base.log_jumps[s])])
        next_one = np.minimum(np.searchsorted(times, y[rows, TIME], side="left"), times.size - 1)
        passed = np.searchsorted(times, y[rows, TIME], side="right")
        stop = np.where(event, np.maximum(passed, next_one + 1), passed)
        start = np.minimum(np.searchsorted(times, y[rows, START], side="right"), stop)
        with np.errstate(over="ignore", invalid="ignore"):
            total[rows] = np.exp(sum_to[stop] + shift) - np.exp(sum_to[start] + shift)
        jump[rows] = base.log_jumps[s][next_one] + shift
    return total, jump


def supported(eta: Float, reach: float, centre: float) -> Float:
    """Keep predictors (n,) within what rows can support: no hazard further than a factor e^reach from the mean one.

    Parameters
    ----------
    eta : (n,)
        Linear predictors.
    reach : float
        Largest distance, log(m + 2) for m training rows.
    centre : float
        Mean predictor of the training rows.
    """
    return np.clip(eta, centre - reach, centre + reach)
