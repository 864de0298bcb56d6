"""Cox's proportional hazards as a family: the partial likelihood, by the compiled loss or by its slow twin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from bridle import _core
from bridle.errors import InputError
from bridle.losses import Family
from bridle.survival import likelihood
from bridle.survival.curves import BaselineHazard
from bridle.survival.held_out import TrainedHazard, supported
from bridle.survival.target import EVENT, START, STRATUM, TIME, read_target

Float = NDArray[np.float64]

_FURTHEST = 700.0  # e^it is still finite
_RECENT = threading.local()
_KEPT, _KEPT_BYTES = 3, 1 << 22  # compiled losses of a thread: of a fold's training rows, and of these with the others


@dataclass(frozen=True)
class CoxFamily(Family):
    """Minus the log partial likelihood of times to an event; ``eta`` is the log relative hazard.

    Targets are (n, 4): start, time, event, stratum (:func:`bridle.survival_target`). Weights multiply rows as in
    R's ``coxph``: a row's event and its share of the risk sets; by Efron, each of m tied events stands for the mean
    of their weights. The loss depends on differences of eta alone, so that there is no intercept.
    """

    ties: str = "efron"

    name: ClassVar[str] = "cox"
    loss_name: ClassVar[str] = "deviance per event"
    formula: ClassVar[str] = "event * (log sum_(at risk) e^eta - eta)"
    has_intercept: ClassVar[bool] = False
    row_wise: ClassVar[bool] = False
    information: ClassVar[Any] = "deviance"
    link_name: ClassVar[Any] = "log"
    effect_name: ClassVar[str] = "hazard"
    main_score: ClassVar[str] = "concordance (Harrell)"
    short_loss: ClassVar[str] = "deviance per event"
    _domain: ClassVar[str] = "times and events"

    def __post_init__(self) -> None:
        """Refuse what is no rule for ties."""
        if self.ties not in ("efron", "breslow"):
            raise InputError(f"ties must be 'efron' or 'breslow'; got {self.ties!r}")

    @property
    def pretty_formula(self) -> str:
        """The loss of an event in mathematical signs."""
        return "eventᵢ · (log Σ_(at risk) e^η − η)"

    @property
    def label(self) -> str:  # noqa: D102
        return f"cox ({self.ties} ties)"

    def target(self, y: Any, n: int) -> Float:  # noqa: D102
        return read_target(y, n)

    def core(self, target: Float) -> _core.Cox:
        """Return the compiled loss, which sorts the rows first: the last few on each thread are kept.

        Parameters
        ----------
        target : (n, 4)
            Start, time, event, stratum.
        """
        kept: list[tuple[str, Float, _core.Cox]] = _RECENT.__dict__.setdefault("cores", [])
        for i, (ties, rows, core) in enumerate(kept):
            if ties == self.ties and np.array_equal(rows, target):
                kept.append(kept.pop(i))
                return core
        rows = np.array(target, dtype=np.float64, order="C")
        core = _core.cox(rows, self.ties == "efron")
        if rows.nbytes <= _KEPT_BYTES:
            kept.append((self.ties, rows, core))
            del kept[:-_KEPT]
        return core

    def null_predictor(self, y: Float, w: Float, offset: ArrayLike = 0.0) -> float:
        """Return 0, which is as good as any other: the loss depends on differences alone.

        Parameters
        ----------
        y, w : (n, 4), (n,)
            Target and weights.
        offset : (n,) or 0
            Of no consequence.

        Returns
        -------
        float
            0.

        Raises
        ------
        InputError
            No event has a weight.
        """
        if not np.any(w[y[:, EVENT] == 1.0] > 0.0):
            raise InputError("no row with an event has a weight above 0, so there is nothing to learn")
        return 0.0

    def total_loss(self, y: Float, eta: Float, w: Float) -> float:  # noqa: D102
        return float(self.core(y).values(w, np.atleast_2d(np.ascontiguousarray(eta)))[0])

    def total_saturated(self, y: Float, w: Float) -> float:  # noqa: D102
        return self.core(y).saturated(w)

    def excess(self, y: Float, eta: Float, w: Float) -> float:  # noqa: D102
        saturated = self.total_saturated(y, w)
        value = self.total_loss(y, eta, w) - saturated
        return value if value > 1e-14 * (1.0 + abs(saturated)) else 0.0

    def residual(self, y: Float, eta: Float, w: Float) -> Float:  # noqa: D102
        return self.core(y).derivatives(w, np.ascontiguousarray(eta))[0]

    def hessian(self, y: Float, eta: Float, w: Float, Z: Float) -> Float:  # noqa: D102
        core, at = self.core(y), np.ascontiguousarray(eta)
        columns = [core.curvature_times(w, at, np.ascontiguousarray(z)) for z in Z.T]
        return np.asarray(Z.T @ np.column_stack(columns)) if columns else np.zeros((0, 0))

    def fenchel_gap(self, y: Float, eta: Float, fitted: Float, s: float, w: Float) -> float:  # noqa: D102
        return likelihood.fenchel_gap(y, w, eta, fitted, s, self.ties)

    def mean_deviance(self, y: Float, eta: Float, w: Float | None = None) -> Float:  # noqa: D102
        weight = np.full(len(y), 1.0 / len(y)) if w is None else w / np.sum(w)
        core = self.core(y)
        return 2.0 * (core.values(weight, np.ascontiguousarray(eta.T)) - core.saturated(weight))

    def units(self, y: Float, w: Float | None) -> Float:
        """Return weights of the events, 0 for censored rows: the likelihood has one factor per event."""
        return y[:, EVENT] if w is None else w * y[:, EVENT]

    def held_out_deviance(self, y: Float, eta: Float, held: NDArray[np.bool_], w: Float | None = None) -> Float:
        """Return what held-out rows add to the deviance of the others, per event (of weight 1) among them.

        A held-out row alone has no partial likelihood. Verweij and van Houwelingen take the deviance of all rows less
        that of the training rows, at the predictor of the latter's fit.

        Parameters
        ----------
        y : (n, 4)
            Target of training and held-out rows.
        eta : (n, L)
            Predictors.
        held : (n,)
            Which rows are held out.
        w : (n,) or None
            Weights.

        Returns
        -------
        (L,)

        References
        ----------
        Verweij and van Houwelingen (1993), Cross-validation in survival analysis, Statistics in Medicine 12.
        """
        weight = np.ones(len(y)) if w is None else w
        events = float(self.units(y, weight)[held].sum())
        both = float(weight.sum()) * self.mean_deviance(y, eta, weight)
        kept = float(weight[~held].sum()) * self.mean_deviance(y[~held], eta[~held], weight[~held])
        return np.asarray((both - kept) / events)

    def classes(self, y: Float) -> NDArray[np.int64]:  # noqa: D102
        return y[:, EVENT].astype(np.int64)

    def seen(self, y: Float, w: Float, X: Float) -> Float:
        """Return columns about their means within strata, 0 in rows that are never at risk when an event happens."""
        out = np.zeros_like(X)
        for rows in _at_risk(y, w):
            out[rows] = X[rows] - np.average(X[rows], axis=0, weights=w[rows])
        return out

    def unseen(self, y: Float, w: Float, X: Any) -> NDArray[np.bool_]:
        """Return which columns are constant within every stratum, among the rows that are ever at risk."""
        strata = list(_at_risk(y, w))
        sizes = np.array([rows.size for rows in strata])
        none = np.zeros(X.shape[1], dtype=bool)
        if len(strata) == 1 and sizes[0] == np.count_nonzero(w):
            return none
        place = (np.concatenate(strata), np.repeat(np.arange(len(strata)), sizes))
        pick = sparse.csr_array((w[place[0]], place[::-1]), shape=(len(strata), X.shape[0]))
        total = pick.sum(axis=1)[:, None]
        means = np.asarray(_dense(pick @ X)) / total  # (S, p)
        square = X.multiply(X) if sparse.issparse(X) else np.square(X, dtype=np.float64)
        squares = _dense(pick @ square).sum(axis=0)
        within = squares - np.sum(total * means**2, axis=0)
        for j in np.flatnonzero(within <= 1e-6 * squares):  # digits may have cancelled: look closer
            column = np.asarray(_dense(X[:, [j]]), dtype=np.float64)
            none[j] = np.max(np.abs(self.seen(y, w, column))) <= 1e-13 * np.max(np.abs(column), initial=0.0)
        return none

    def referee(self) -> Family:  # noqa: D102
        return _Referee(self.ties)

    def mean(self, eta: Float) -> Float:
        """Return the hazard relative to that at eta = 0, finite however far a separated fit goes."""
        return np.exp(np.clip(eta, -_FURTHEST, _FURTHEST))

    def row_deviance(self, y: Float, mean: Float, trained: tuple[Float, Float, Float]) -> tuple[Float, Float]:
        """Return unit deviances of rows by what a fit predicts, and what each of them counts for, (n,) both.

        Their sums' ratio is the deviance per event (:meth:`bridle.survival.TrainedHazard.deviance`). Predictors count
        as far as the training rows can support them: no relative hazard beyond m + 2, or below 1 / (m + 2), of m rows.

        Parameters
        ----------
        y : (n, 4)
            Target of the rows.
        mean : (n,)
            Their relative hazards by the fit.
        trained : tuple of (m, 4), (m,), (m,)
            Target, relative hazards and weights of the rows that it was fitted on.
        """
        hazard, reach, centre = self._trained(trained)
        return hazard.deviance(y, supported(self.link(mean), reach, centre)), y[:, EVENT] * hazard.counted(y)

    def trained_hazard(self, trained: tuple[Float, Float, Float]) -> TrainedHazard:
        """Return the hazard of a fit from its training rows: their target (m, 4), relative hazards and weights (m,)."""
        return self._trained(trained)[0]

    def _trained(self, trained: tuple[Float, Float, Float]) -> tuple[TrainedHazard, float, float]:
        y, mean, weight = trained
        used = weight > 0.0
        y, eta, w = y[used], self.link(mean[used]), weight[used]
        reach, centre = float(np.log(len(y) + 2.0)), float(np.average(eta, weights=w))
        fitted = BaselineHazard.estimate(self, y, supported(eta, reach, centre), w)
        plain = BaselineHazard.estimate(self, y, np.zeros(len(y)), w)
        return TrainedHazard(fitted, plain, 1.0 / (len(y) + 2.0)), reach, centre

    def link(self, mu: Float) -> Float:
        """Return the log of a relative hazard."""
        with np.errstate(divide="ignore"):
            return np.log(mu)

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        self._no_rows()

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        self._no_rows()

    def saturated(self, y: Float) -> Float:  # noqa: D102
        self._no_rows()

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        self._no_rows()

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        self._no_rows()

    def gradient(self, y: Float, eta: Float) -> Float:  # noqa: D102
        self._no_rows()

    def _outside(self, y: Float) -> NDArray[np.bool_]:
        self._no_rows()

    def _no_rows(self) -> NoReturn:
        raise InputError(
            "Cox's partial likelihood compares rows with each other: no row has a loss of its own, so what asks for "
            "one (a verdict, an estimator of another family) can't be had for the cox family"
        )


def _at_risk(y: Float, w: Float) -> Iterator[NDArray[np.int64]]:
    """Rows of each stratum that have a weight and are at risk when an event happens, if there are any."""
    for stratum in np.unique(y[:, STRATUM]):
        on = np.flatnonzero((y[:, STRATUM] == stratum) & (w > 0.0))
        times = np.unique(y[on][y[on, EVENT] == 1.0, TIME])
        last = np.searchsorted(times, y[on, TIME], side="right")
        rows = on[last > np.searchsorted(times, y[on, START], side="right")]
        if rows.size:
            yield rows


def _dense(X: Any) -> Any:
    return X.toarray() if sparse.issparse(X) else X


@dataclass(frozen=True)
class _Referee(CoxFamily):
    """The same in plain NumPy."""

    def total_loss(self, y: Float, eta: Float, w: Float) -> float:
        return likelihood.loss(y, w, eta, self.ties)

    def total_saturated(self, y: Float, w: Float) -> float:
        return likelihood.saturated(y, w, self.ties)

    def residual(self, y: Float, eta: Float, w: Float) -> Float:
        return likelihood.residual(y, w, eta, self.ties)

    def hessian(self, y: Float, eta: Float, w: Float, Z: Float) -> Float:
        return likelihood.hessian(y, w, eta, Z, self.ties)
