"""Held-out and training loss over complexity."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from bridle.displays._axes import CHOSEN, HELD_OUT, TRAINING, Display, loss_name, penalty_axis
from bridle.errors import InputError
from bridle.selection import Curve, Selection, select


class ValidationCurveDisplay(Display):
    """Held-out and training loss over complexity, with the one-standard-error band and the choice.

    Make one with :meth:`from_curve` or :meth:`from_estimator`.

    Parameters
    ----------
    curve : Curve
        The curve.
    selection : Selection, optional
        The choice to mark beside the minimum.

    Attributes
    ----------
    line_, train_line_ : Line2D
        Mean held-out and training loss.
    band_ : PolyCollection
        One standard error around the held-out loss; None with a single fold.
    min_line_, chosen_line_ : Line2D or None
        Vertical lines.
    ax_, figure_ : Axes, Figure
        Where it was drawn.
    """

    line_: Any
    train_line_: Any
    band_: Any
    min_line_: Any
    chosen_line_: Any

    def __init__(self, curve: Curve, selection: Selection | None = None) -> None:
        self.curve = curve
        self.selection = selection

    @classmethod
    def from_curve(
        cls,
        curve: Curve,
        selection: Selection | None = None,
        *,
        rule: str | None = "1se",
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw a validation curve.

        Parameters
        ----------
        curve : Curve
            The curve.
        selection : Selection, optional
            The choice to mark.
        rule : str, optional
            Where no selection is given: the rule that makes one; None marks the minimum only.
        ax : Axes, optional
            Where to draw.
        **options
            Of :meth:`plot`.

        Returns
        -------
        ValidationCurveDisplay
        """
        if selection is None and rule is not None:
            selection = select(curve, rule)
        return cls(curve, selection).plot(ax=ax, **options)

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **options: Any) -> Self:
        """Draw the curve of a fitted estimator with cross-validation, and what its rule chose.

        Parameters
        ----------
        estimator : estimator
            Has ``curve_``.
        ax : Axes, optional
            Where to draw.
        **options
            Of :meth:`plot`.

        Returns
        -------
        ValidationCurveDisplay

        Raises
        ------
        InputError
            The estimator isn't fitted, or doesn't cross-validate.
        """
        curve = getattr(estimator, "curve_", None)
        if curve is None:
            raise InputError(
                f"{type(estimator).__name__} has no validation curve; fit one of the classes that end in CV first"
            )
        return cls(curve, getattr(estimator, "selection_", None)).plot(ax=ax, **options)

    def plot(self, ax: Any = None, *, train: bool = True, **line_kw: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        train : bool
            Whether to draw the training loss as well.
        **line_kw
            Passed to ``Axes.plot`` for the held-out loss.

        Returns
        -------
        ValidationCurveDisplay
        """
        ax = self._axes(ax)
        c, mean, error = self.curve, self.curve.mean, self.curve.standard_error
        style = {"color": HELD_OUT, "linewidth": 2.0, "label": "held-out rows"} | line_kw
        (self.line_,) = ax.plot(c.values, mean, **style)
        self.band_ = self.train_line_ = self.chosen_line_ = None
        if np.isfinite(error).all():
            label = "± 1 standard error"
            self.band_ = ax.fill_between(
                c.values, mean - error, mean + error, color=style["color"], alpha=0.18, linewidth=0, label=label
            )
        if train:
            (self.train_line_,) = ax.plot(
                c.values, c.train_mean, color=TRAINING, linewidth=1.5, linestyle=(0, (5, 2)), label="training rows"
            )
        best = int(np.argmin(mean))
        self.min_line_ = ax.axvline(c.values[best], color="#5b6570", linestyle=":", linewidth=1.4, label="minimum")
        chosen = self.selection
        if chosen is not None and chosen.index != best:
            self.chosen_line_ = ax.axvline(
                c.values[chosen.index], color=CHOSEN, linestyle="--", linewidth=1.4, label=f"chosen ({chosen.rule})"
            )
        penalty_axis(ax, c.values, c.parameter)
        if c.n_nonzero is not None and np.unique(c.n_nonzero).size > 1:
            _count_axis(ax, c)
        ax.set_ylabel(loss_name(c.family))
        ax.legend(frameon=False, fontsize="small")
        return self


def _count_axis(ax: Any, curve: Curve) -> None:
    """Name the number of features in the model along the top."""
    counts = curve.n_nonzero
    if counts is None:
        return
    top = ax.secondary_xaxis("top")
    at = np.unique(np.linspace(0, len(curve.values) - 1, 8).round().astype(int))
    at = at[curve.values[at] > 0.0]
    top.set_xticks(curve.values[at], [str(int(counts[i])) for i in at], fontsize="small")
    top.minorticks_off()
    top.set_xlabel("features in the model", fontsize="small")
    top.spines["top"].set_visible(False)
