"""Axes, colours and words that the displays share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError, MissingExtraError
from bridle.losses import get_family

Float = NDArray[np.float64]

HELD_OUT, TRAINING, CHOSEN, QUIET = "#0b5fa5", "#d1660a", "#8a1c5c", "#9aa3ab"


def loss_name(family: str) -> str:
    """What the loss of a family is called; networks have families of their own."""
    try:
        return get_family(family).loss_name
    except InputError:
        return "loss per row"


class Display:
    """What the displays share: axes, and the attributes ``ax_`` and ``figure_``."""

    ax_: Any
    figure_: Any

    def _axes(self, ax: Any) -> Any:
        if ax is None:
            try:
                from matplotlib import pyplot
            except ImportError:
                raise MissingExtraError(
                    "drawing needs matplotlib; install it with: pip install 'bridle[plot]'"
                ) from None
            _, ax = pyplot.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        ax.spines[["top", "right"]].set_visible(False)
        return ax


def penalty_axis(ax: Any, values: Float, parameter: str) -> None:
    """Simple models left, rich ones right; logarithmic where the values span decades, 0 included."""
    positive = values[values > 0.0]
    if positive.size > 1 and positive.max() / positive.min() > 20.0:
        if positive.size == values.size:
            ax.set_xscale("log")
        else:
            ax.set_xscale("symlog", linthresh=float(positive.min()))
    low, high = float(values.min()), float(values.max())
    if low < high:
        ax.set_xlim(high, low)
    ax.set_xlabel(f"{parameter} (weaker to the right)")
