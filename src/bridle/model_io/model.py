"""The linear model: preprocessing, original-scale coefficients and their origin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError
from bridle.model_io.base import Meta, TableModel

if TYPE_CHECKING:
    from bridle.design import Encoder
    from bridle.results import TermEffect

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Model(TableModel):
    r"""A generalised linear model on the columns of a table.

    .. math:: \mu_i = g^{-1}(o_i + b_0 + x_i'b)

    with x the design row that :attr:`encoder` makes of a table row, b on the original scale and o an optional offset.

    Parameters
    ----------
    encoder
        Turns a table into design columns as in training.
    family
        "gaussian", "binomial" or "poisson".
    target
        Name of the predicted column.
    classes
        Binomial: (negative, positive) labels; else empty.
    intercept
        b0.
    coef : (p,)
        b, original scale.
    reference : (p,)
        Means of the training design columns: the "average row" of :meth:`explain`.
    meta
        Where the model comes from.
    offset
        Name of the table column added to the linear predictor; empty for none.
    reference_offset
        Mean of that column in training.
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

    kind: ClassVar[str] = "linear"

    def __post_init__(self) -> None:
        self._freeze("coef")
        if not np.isfinite(self.intercept):
            raise InputError(f"the intercept is {self.intercept}; expected a number")
        self._check()

    @property
    def used(self) -> NDArray[np.bool_]:  # noqa: D102
        return np.asarray(self.coef != 0.0)

    @property
    def outline(self) -> str:  # noqa: D102
        return f"{np.count_nonzero(self.coef)} of {self.coef.size} features"

    @property
    def effects(self) -> tuple[TermEffect, ...]:
        """What each term does as a whole: categories by their levels, none of them a reference; splines by points."""
        from bridle.model_io.effects import term_effects

        return term_effects(self.encoder, self.coef, self.reference)

    def split(self, x: Float, r: Float) -> tuple[float, Float]:  # noqa: D102
        coef = self.coef[self.needed[1]]
        return float(self.intercept + r @ coef), coef * (x - r)

    def _predictor(self, matrix: Any) -> Float:
        return np.asarray(matrix @ self.coef[self.needed[1]] + self.intercept, dtype=np.float64)

    def _spread(self, matrix: Any, offset: Float | None) -> Float:
        raise InputError(
            f"a standard deviation of each prediction comes from Monte-Carlo dropout, and this is a linear model "
            f"({self.meta.label or self.meta.name or self.kind}); leave std out, or save a network with dropout"
        )
