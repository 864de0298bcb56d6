"""A network with dropout on the columns of a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError
from bridle.model_io.base import Meta, TableModel
from bridle.nets.network import Network
from bridle.nets.packed import check

if TYPE_CHECKING:
    from bridle.design import Encoder

Float = NDArray[np.float64]

SAMPLES = 100  # thinned networks behind a standard deviation: its own error is then 7 %

ONE_OUTPUT = ("gaussian", "binomial", "poisson")  # families of networks for a table


@dataclass(frozen=True, eq=False, repr=False)
class NetworkModel(TableModel):
    r"""A multi-layer perceptron on the columns of a table; it needs no PyTorch.

    .. math:: \mu_i = g^{-1}(o_i + f(x_i))

    with x the design row that :attr:`encoder` makes of a table row, f the network and o an optional offset.

    Standard deviations (``std=True``) are those of the prediction over 100 networks thinned at the dropout rates of
    training, always the same 100 (Gal and Ghahramani 2016). For a gaussian target the noise around its mean is in them,
    where it is known (:attr:`std_meaning` says): then they are those of a new observation.

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
    network
        For the encoder's features, and of the same family.
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
    network: Network
    reference: Float
    meta: Meta = field(default_factory=Meta)
    offset: str = ""
    reference_offset: float = 0.0

    kind: ClassVar[str] = "network"

    def __post_init__(self) -> None:
        if self.family not in ONE_OUTPUT:
            raise InputError(
                f"a model of a table is for {', '.join(ONE_OUTPUT)} targets; got a network for {self.family!r}"
            )
        check(self.network)
        p = len(self.encoder.feature_names)
        if self.network.n_features != p or self.network.family != self.family:
            raise InputError(
                f"the network is {self.network.family} with {self.network.n_features} features; expected {self.family} "
                f"with {p}, as the encoder makes them"
            )
        self._check()

    @property
    def used(self) -> NDArray[np.bool_]:  # noqa: D102
        return self.network.used

    @property
    def outline(self) -> str:  # noqa: D102
        return self.network.outline

    @property
    def std_meaning(self) -> str:  # noqa: D102
        if not self.network.samples:
            return ""
        from bridle.model_io.explain import number

        of = f"the probability of {self.classes[1]}" if self.classes else f"the predicted {self.target}"
        spread = f"the standard deviation of {of} over {SAMPLES} networks thinned by dropout"
        if not math.isfinite(self.network.noise) or self.family != "gaussian":
            return spread
        return f"{spread}, with the noise of {self.target} around it ({number(self.network.noise)})"

    def split(self, x: Float, r: Float) -> tuple[float, Float]:  # noqa: D102
        base = float(self._predictor(np.stack([r, x]))[0])
        return base, self._narrow.integrated_gradients(x[None], r)[0]

    @cached_property
    def _narrow(self) -> Network:
        """The network for the features that are needed."""
        return self.network.take(self.needed[1])

    def _predictor(self, matrix: Any) -> Float:
        eta = self._narrow.link(matrix)
        wrong = np.flatnonzero(~np.isfinite(eta))
        if wrong.size:
            raise InputError(
                f"row {wrong[0]} of the table gives no finite prediction: one of its values is too far from those of "
                "training; correct it, or leave the row out"
            )
        return eta

    def _spread(self, matrix: Any, offset: Float | None) -> Float:
        if not self.network.samples:
            raise InputError(
                "this network was trained without dropout (rate 0), so Monte-Carlo dropout can't give a standard "
                "deviation; leave std out, or fit one with a dropout rate above 0"
            )
        noise = self.family == "gaussian" and math.isfinite(self.network.noise)
        return self._narrow.predictive_std(matrix, SAMPLES, offset=offset, noise=noise)
