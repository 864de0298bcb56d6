"""Cox's partial likelihood in plain NumPy, one time of events after another: slow, and apart from the compiled one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp, xlogy

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class RiskSet:
    """Who may have an event at one time, and who has, at a linear predictor."""

    dead: Int  # (m,) rows with events
    others: Int  # (r,) the other rows at risk
    weight: float  # d, of the events
    share: Float  # (levels,) of the events' mass that is at risk: 1 - l/m; one level by Breslow
    count: float  # terms that a level stands for: 1, or m by Breslow
    top: float  # e^top is the unit of what follows
    dead_mass: Float  # (m,) w e^eta
    other_mass: Float  # (r,)

    @property
    def level(self) -> Float:
        """(levels,) mass at risk."""
        return np.asarray(self.other_mass.sum() + self.share * self.dead_mass.sum())


def risk_sets(rows: Float, w: Float, eta: Float, ties: str) -> Iterator[RiskSet]:
    """Give the risk set of every time of events in every stratum; rows of weight 0 are nowhere.

    Parameters
    ----------
    rows : (n, 4)
        Start, time, event, stratum.
    w, eta : (n,)
        Weights, linear predictor.
    ties : {"efron", "breslow"}
        How events of the same time are ordered.
    """
    start, time, event, stratum = rows.T
    for s in np.unique(stratum):
        members = np.flatnonzero((stratum == s) & (w > 0.0))
        for t in np.unique(time[members][event[members] == 1.0]):
            risk = members[(start[members] < t) & (t <= time[members])]
            died = (time[risk] == t) & (event[risk] == 1.0)
            dead, others = risk[died], risk[~died]
            m, top = dead.size, float(np.max(eta[risk]))
            levels = (m - np.arange(m)) / m if ties == "efron" else np.ones(1)
            mass = [w[part] * np.exp(eta[part] - top) for part in (dead, others)]
            yield RiskSet(dead, others, float(w[dead].sum()), levels, m / levels.size, top, *mass)


def loss(rows: Float, w: Float, eta: Float, ties: str) -> float:
    """Return minus the log partial likelihood, sum_k d_k/m_k sum_l log(level_kl) - sum of w eta over events.

    Parameters
    ----------
    rows : (n, 4)
    w, eta : (n,)
    ties : {"efron", "breslow"}
    """
    return sum(
        r.weight / r.dead.size * r.count * float(np.log(r.level).sum()) - float(w[r.dead] @ (eta[r.dead] - r.top))
        for r in risk_sets(rows, w, eta, ties)
    )


def residual(rows: Float, w: Float, eta: Float, ties: str) -> Float:
    """Return minus the gradient of :func:`loss` in eta, (n,): w (event - expected events), the martingale residuals.

    Parameters
    ----------
    rows : (n, 4)
    w, eta : (n,)
    ties : {"efron", "breslow"}
    """
    out = np.zeros(w.size)
    for r in risk_sets(rows, w, eta, ties):
        rate = r.weight / r.dead.size * r.count
        out[r.others] -= r.other_mass * (rate * np.sum(1.0 / r.level))
        out[r.dead] += w[r.dead] - r.dead_mass * (rate * np.sum(r.share / r.level))
    return out


def hessian(rows: Float, w: Float, eta: Float, Z: Float, ties: str) -> Float:
    """Return the second derivatives of :func:`loss` along the columns of Z (n, q): sum of variances, (q, q).

    Parameters
    ----------
    rows : (n, 4)
    w, eta : (n,)
    Z : (n, q)
        Directions.
    ties : {"efron", "breslow"}
    """
    out = np.zeros((Z.shape[1], Z.shape[1]))
    for r in risk_sets(rows, w, eta, ties):
        at = np.concatenate([r.others, r.dead])
        for share, level in zip(r.share, r.level, strict=True):
            p = np.concatenate([r.other_mass, share * r.dead_mass]) / level
            apart = Z[at] - p @ Z[at]
            out += r.weight / r.dead.size * r.count * (apart.T @ (p[:, None] * apart))
    return out


def saturated(rows: Float, w: Float, ties: str) -> float:
    """Return the infimum of :func:`loss` over all eta, where whoever has an event is the only one at risk.

    Parameters
    ----------
    rows : (n, 4)
    w : (n,)
    ties : {"efron", "breslow"}
    """
    total = 0.0
    for r in risk_sets(rows, w, np.zeros(w.size), ties):
        m = float(r.dead.size)
        total += xlogy(r.weight, r.weight)
        if ties == "efron":
            total += r.weight / m * (gammaln(m + 1.0) - m * np.log(m))
    return float(total)


def fenchel_gap(rows: Float, w: Float, eta: Float, fitted: Float, s: float, ties: str) -> float:
    """Bound F(eta) + F*(u) - u'eta from above, u = s times the gradient of the loss F at ``fitted``.

    F is a sum over times k and levels l of d_k/m_k log sum_j a_klj e^eta_j, less w eta of the events. The conjugate of
    the log is a divergence, KL(p || a), so F*(u) is the least sum of them over shares p_kl of those at risk with
    sum_kl d_k/m_k p_kl = u + (w of the events), and any such shares bound it. These have what u asks for:
    s times the shares at ``fitted`` for the others, and among the events one share for all levels. With them the
    bound is sum_kl d_k/m_k KL(p_kl || shares at eta): never negative, and 0 for s = 1 and fitted = eta.

    Parameters
    ----------
    rows : (n, 4)
    w, eta, fitted : (n,)
    s : float
        In [0, 1].
    ties : {"efron", "breslow"}
    """
    total = 0.0
    pairs = zip(risk_sets(rows, w, eta, ties), risk_sets(rows, w, fitted, ties), strict=True)
    for here, there in pairs:
        m = float(here.dead.size)
        log_dead = np.log(w[there.dead]) + fitted[there.dead] - there.top
        log_all = float(logsumexp(log_dead))
        at_events = there.share * np.exp(log_all - np.log(there.level))  # (levels,) the events' share of all at risk
        moved = s * at_events + (1.0 - s)
        before, after = there.count * at_events.sum(), there.count * moved.sum()
        common = np.exp(log_dead - log_all)
        if s < 1.0:
            common = (s * before * common + (1.0 - s) * m * w[there.dead] / there.weight) / after
        log_here = [np.log(w[part]) + eta[part] - here.top for part in (here.dead, here.others)]
        gap = 0.0
        for k in range(here.level.size):
            log_level = float(np.log(here.level[k]))
            gap += np.sum(_divergence(moved[k] * common, log_here[0] + np.log(here.share[k]) - log_level))
            gap += np.sum(_divergence(s * there.other_mass / there.level[k], log_here[1] - log_level))
        total += here.weight / m * here.count * float(gap)
    return total


def _divergence(x: Float | float, log_y: Float | float) -> Float:
    """Return x log(x / y) - x + y, elementwise, without cancellation where x is near y."""
    x, y = np.asarray(x, dtype=np.float64), np.exp(log_y)
    off = np.where(np.abs(x - y) < 1e-3 * y, (x - y) / np.maximum(y, 1e-300), 0.0)
    series = y * off**2 * (0.5 - off / 6.0 + off**2 / 12.0 - off**3 / 20.0 + off**4 / 30.0)
    plain = xlogy(x, x) - x * log_y - x + y
    return np.asarray(np.where(np.abs(x - y) < 1e-3 * y, series, plain))
