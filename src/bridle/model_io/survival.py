"""The model of times to an event: relative hazards, and the baseline hazards that make them survival curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError
from bridle.model_io.base import Meta
from bridle.model_io.model import Model
from bridle.model_io.tables import to_table
from bridle.survival import BaselineHazard

if TYPE_CHECKING:
    import polars

    from bridle.data import Table
    from bridle.design import Design, Encoder
    from bridle.model_io.explain import Explanation

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class SurvivalModel(Model):
    r"""Cox's proportional hazards on the columns of a table.

    .. math:: S_i(t) = \exp(-H_{s(i)}(t) e^{o_i + x_i'b})

    with H_s the cumulative baseline hazard of the row's stratum, x the design row and o an optional offset.

    Parameters
    ----------
    encoder
        Turns a table into design columns as in training.
    family
        "cox" with its options.
    target
        Name of the column of times.
    classes
        Empty.
    intercept
        0: the likelihood has none.
    coef : (p,)
        b, log hazard ratios on the original scale.
    reference : (p,)
        Means of the training design columns: the "average row".
    meta
        Where the model comes from.
    offset
        Name of the table column added to the linear predictor; empty for none.
    reference_offset
        Mean of that column in training.
    hazard
        Baseline hazards of the strata, from the training rows.
    event
        Name of the event's column.
    label
        What that column holds where there was an event.
    strata
        Name of the column of strata; empty for none.
    levels
        Labels of the strata: number k of ``hazard`` is ``levels[k]``; empty for none.
    times
        When survival is predicted: quartiles of the times of events in training unless set by :meth:`at`.
    """

    encoder: Encoder
    family: str
    target: str
    classes: tuple[str, ...]
    intercept: float
    coef: Float
    reference: Float
    meta: Meta = field(default_factory=Meta)
    offset: str = ""
    reference_offset: float = 0.0
    hazard: BaselineHazard = field(default_factory=lambda: BaselineHazard(np.zeros(0), (), (), 0.0))
    event: str = "event"
    label: str = "1"
    strata: str = ""
    levels: tuple[str, ...] = ()
    times: tuple[float, ...] = ()

    kind: ClassVar[str] = "survival"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_hazard(self.hazard)
        if bool(self.strata) != bool(self.levels):
            raise InputError(f"strata {self.strata!r} has the levels {self.levels!r}; expected both or neither")
        allowed = len(self.levels) or 1
        if not all(0 <= s < allowed for s in self.hazard.strata):
            raise InputError(
                f"the hazards are of strata {self.hazard.strata.tolist()}; expected numbers below {allowed}"
            )
        _check_times(self.times)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Table columns that a prediction needs: those that can change it, the offset and the strata."""
        return (*super().columns, *([self.strata] if self.strata else []))

    @property
    def reference_link(self) -> float:
        """Linear predictor of the average training row, against which hazards are told."""
        return float(self.intercept + self.reference @ self.coef + self.reference_offset)

    def at(self, times: Iterable[float]) -> SurvivalModel:
        """Return the same model with other times for :meth:`predict_frame`.

        Parameters
        ----------
        times
            Times at which survival is wanted.

        Raises
        ------
        InputError
            A time isn't a number, or none is given.
        """
        wanted = tuple(sorted({float(t) for t in times}))
        if not wanted:
            raise InputError("no time is given; expected at least one, e.g. 1,3,5")
        _check_times(wanted)
        return replace(self, times=wanted)

    def predict_mean(self, table: Any) -> Float:
        """(n,) hazards relative to that of the average training row."""
        return self._relative(self.linear_predictor(table))

    def predict_survival(self, table: Any, times: Sequence[float] | None = None) -> Float:
        """(n, T) probabilities of no event up to each time; NaN in a stratum without events in training.

        Parameters
        ----------
        table
            Anything that bridle reads.
        times
            When; :attr:`times` by default. After the last event the curve stays where it is.
        """
        frame = to_table(table)
        eta, _ = self._link(frame)
        wanted = np.asarray(self.times if times is None else times, dtype=np.float64)
        return self.hazard.survival_at(eta, self._strata(frame, eta.size), wanted)

    def predict_median(self, table: Any) -> Float:
        """(n,) first time at which survival is at most a half; inf where it never is, NaN as in predict_survival.

        Parameters
        ----------
        table
            Anything that bridle reads.
        """
        frame = to_table(table)
        eta, _ = self._link(frame)
        return self.hazard.median(eta, self._strata(frame, eta.size))

    def predict_batch(self, table: Any, std: bool = False) -> tuple[polars.DataFrame, Design]:
        """Give relative hazard, linear predictor, survival at :attr:`times` and median time, and the design."""
        import polars

        frame = to_table(table)
        eta, design = self._link(frame)
        if std:
            self._spread(design.matrix, None)
        stratum = self._strata(frame, eta.size)
        columns: dict[str, Any] = {"relative_hazard": self._relative(eta), "linear_predictor": eta}
        survival = self.hazard.survival_at(eta, stratum, np.asarray(self.times))
        for k, t in enumerate(self.times):
            columns[f"survival_{t:.6g}"] = survival[:, k]
        columns["median_time"] = self.hazard.median(eta, stratum)
        made = polars.DataFrame(columns)
        return made.with_columns(polars.all().fill_nan(None)), design

    @property
    def quantity(self) -> str:
        """What the features multiply."""
        return "the hazard"

    def explain(self, row: Any, reference: Any = "mean") -> Explanation:
        """Split the log of one hazard, against that of a reference, into what each column contributes.

        Parameters
        ----------
        row
            One row: a mapping, or a table of one row.
        reference
            "mean" for the average training row, or another row.

        Returns
        -------
        Explanation
            Its prediction is the hazard over that of the reference, whose own is 1.
        """
        found = super().explain(row, reference)
        ratio = self.loss.mean(np.array([found.link - found.baseline_link]))
        return replace(found, baseline=1.0, prediction=float(ratio[0]))

    def _relative(self, eta: Float) -> Float:
        return self.loss.mean(eta - self.reference_link)

    def _labels(self, mean: Float) -> NDArray[Any]:
        return mean

    def _strata(self, table: polars.DataFrame | Table, n: int) -> Float:
        """(n,) number of each row's stratum, -1 where training had none such."""
        if not self.strata:
            return np.zeros(n)
        from bridle.data.values import as_text

        frame = table if hasattr(table, "columns") and not hasattr(table, "forms") else getattr(table, "frame", None)
        if frame is None or self.strata not in frame.columns:
            raise InputError(
                f"the model has a baseline hazard for each of the strata {self.strata!r}, a column which the table "
                "lacks; add it"
            )
        place = {label: float(k) for k, label in enumerate(self.levels)}
        return np.array([place.get(v, -1.0) for v in as_text(frame[self.strata]).to_list()])


def _check_times(times: tuple[float, ...]) -> None:
    if not np.isfinite(times).all():
        raise InputError(f"survival is asked for at {times}; expected finite times")


def _check_hazard(hazard: BaselineHazard) -> None:
    count = len(hazard.strata)
    if len(hazard.times) != count or len(hazard.log_jumps) != count or not np.isfinite(hazard.centre):
        raise InputError(f"there are {count} strata, {len(hazard.times)} series of times; expected one for each")
    for times, jumps in zip(hazard.times, hazard.log_jumps, strict=True):
        if times.shape != jumps.shape or (np.diff(times) <= 0.0).any() or not np.isfinite(jumps).all():
            raise InputError("a baseline hazard's times must ascend, and each needs one finite jump")
