"""What the report draws of held-out times to an event: survival by predicted risk, and calibration at a horizon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridle.results import CalibrationBin, RiskGroup
from bridle.survival import BaselineHazard
from bridle.survival.scores import kaplan_meier, survival_at
from bridle.survival.target import EVENT, STRATUM, TIME

Float = NDArray[np.float64]

POINTS = 120  # of a curve; more can't be seen
THIRDS = ("lowest third of predicted risk", "middle third", "highest third")
LEAST_ROWS = 10  # of a group
LEAST_EVENTS = 5  # of a group of the calibration, on average


def drawn_groups(y: Float, eta: Float, w: Float, hazard: BaselineHazard, z: float) -> tuple[RiskGroup, ...]:
    """Thirds of held-out rows by predicted risk, or all of them where there are few or all risks are equal.

    Parameters
    ----------
    y : (n, 4)
        Target.
    eta, w : (n,)
        Linear predictors and weights.
    hazard : BaselineHazard
        Of the fit.
    z : float
        Normal quantile of the intervals.
    """
    parts: list[tuple[str, NDArray[np.int64]]] = [("all held-out rows", np.arange(len(y)))]
    if len(y) >= 3 * LEAST_ROWS and np.ptp(eta) > 1e-9:
        order = np.argsort(eta, kind="stable")
        parts = list(zip(THIRDS, np.array_split(order, 3), strict=True))
    last = float(y[:, TIME].max())
    grid = np.unique(np.concatenate([[0.0], *hazard.times]))
    grid = _thinned(grid[grid <= last])
    found = []
    for label, rows in parts:
        seen = kaplan_meier(y[rows], w[rows], z)
        keep = _thin(seen.time.size)
        predicted = np.average(hazard.survival_at(eta[rows], y[rows, STRATUM], grid), axis=0, weights=w[rows])
        drawn = (seen.time, seen.survival, np.nan_to_num(seen.lower), np.nan_to_num(seen.upper, nan=1.0))
        times, survival, lower, upper = (tuple(v[keep].tolist()) for v in drawn)
        events = int((y[rows, EVENT] == 1.0).sum())
        found.append(
            RiskGroup(
                label, int(rows.size), events, times, survival, lower, upper, tuple(grid.tolist()),
                tuple(predicted.tolist()),
            )
        )  # fmt: skip
    return tuple(found)


def horizon_bins(
    y: Float, eta: Float, w: Float, hazard: BaselineHazard, horizon: float, z: float
) -> tuple[CalibrationBin, ...]:
    """Groups of rows by the predicted probability of an event up to the horizon, beside what Kaplan-Meier says.

    Parameters
    ----------
    y : (n, 4)
        Target.
    eta, w : (n,)
        Linear predictors and weights.
    hazard : BaselineHazard
        Of the fit.
    horizon, z : float
        When, and the normal quantile of the intervals.
    """
    risk = 1.0 - hazard.survival_at(eta, y[:, STRATUM], np.array([horizon]))[:, 0]
    events = int(((y[:, EVENT] == 1.0) & (y[:, TIME] <= horizon)).sum())
    count = int(np.clip(min(len(y) // (2 * LEAST_ROWS), events // LEAST_EVENTS), 1, 10))
    bins = []
    for rows in np.array_split(np.argsort(risk, kind="stable"), count):
        if not rows.size:
            continue
        seen = kaplan_meier(y[rows], w[rows], z)
        if seen.time.size == 0:
            continue
        value, lower, upper = survival_at(seen, horizon)
        mean = float(np.average(risk[rows], weights=w[rows]))
        low, high = (0.0, 1.0) if value == 1.0 else (1.0 - upper, 1.0 - lower)
        bins.append(CalibrationBin(mean, 1.0 - value, low, high, int(rows.size)))
    return tuple(bins)


def _thin(n: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, min(n, POINTS)).round().astype(np.int64)) if n else np.zeros(0, np.int64)


def _thinned(values: Float) -> Float:
    return np.asarray(values[_thin(values.size)])
