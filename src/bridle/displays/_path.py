"""Coefficients along the penalty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from bridle.displays._axes import CHOSEN, QUIET, Display, penalty_axis
from bridle.errors import InputError

if TYPE_CHECKING:
    from bridle.path import Path

Float = NDArray[np.float64]


class PathDisplay(Display):
    """Coefficients along the penalty, the strongest named.

    Make one with :meth:`from_path` or :meth:`from_estimator`.

    Parameters
    ----------
    path : Path
        Fits at a sequence of lambdas.
    feature_names : (p,), optional
        Names for the labels; by default those of the path, or x0, x1, ...
    chosen : float, optional
        A lambda to mark.

    Attributes
    ----------
    lines_ : list of Line2D
        One for each feature that is ever in the model, the largest at ``chosen`` (or anywhere) first.
    ax_, figure_ : Axes, Figure
        Where it was drawn.
    """

    lines_: list[Any]

    def __init__(self, path: Path, feature_names: Sequence[str] | None = None, chosen: float | None = None) -> None:
        p = path.coef_sparse.shape[1]
        names = feature_names if feature_names is not None else path.feature_names
        self.path = path
        self.feature_names = [f"x{j}" for j in range(p)] if names is None else [str(name) for name in names]
        self.chosen = chosen
        if len(self.feature_names) != p:
            raise InputError(f"there are {len(self.feature_names)} feature names for {p} features; give one for each")

    @classmethod
    def from_path(
        cls,
        path: Path,
        *,
        feature_names: Sequence[str] | None = None,
        chosen: float | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw a path.

        Parameters
        ----------
        path : Path
            Fits at a sequence of lambdas.
        feature_names : (p,), optional
            Names for the labels.
        chosen : float, optional
            A lambda to mark.
        ax : Axes, optional
            Where to draw.
        **options
            Of :meth:`plot`.

        Returns
        -------
        PathDisplay
        """
        return cls(path, feature_names, chosen).plot(ax=ax, **options)

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, feature_names: Sequence[str] | None = None, ax: Any = None, **options: Any
    ) -> Self:
        """Draw the path of a fitted estimator with cross-validation (LassoCV and the like), its choice marked.

        Parameters
        ----------
        estimator : estimator
            Has ``path_`` with several lambdas.
        feature_names : (p,), optional
            Names for the labels; by default ``feature_names_in_``.
        ax : Axes, optional
            Where to draw.
        **options
            Of :meth:`plot`.

        Returns
        -------
        PathDisplay

        Raises
        ------
        InputError
            The estimator isn't fitted, or has no path.
        """
        path: Any = getattr(estimator, "path_", None)
        if not hasattr(path, "coef_sparse") or len(path.lambdas) < 2:
            raise InputError(
                f"{type(estimator).__name__} has no path of several lambdas; fit LassoCV, ElasticNetCV, "
                "LogisticRegressionCV or PoissonRegressorCV, or draw bridle.fit_path(...) with from_path"
            )
        names = feature_names if feature_names is not None else getattr(estimator, "feature_names_in_", None)
        return cls(path, names, _chosen_lambda(estimator)).plot(ax=ax, **options)

    def plot(
        self,
        ax: Any = None,
        *,
        x: Literal["lambda", "l1 norm", "deviance"] = "lambda",
        standardized: bool = False,
        n_labels: int = 10,
        **line_kw: Any,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        x : {"lambda", "l1 norm", "deviance"}
            What the horizontal axis shows: the penalty, the sum of |coefficients|, or the deviance explained.
        standardized : bool
            Whether to draw the effect of one standard deviation, so that features can be compared.
        n_labels : int
            How many features are named and coloured; the others are grey.
        **line_kw
            Passed to ``Axes.plot``.

        Returns
        -------
        PathDisplay
        """
        ax = self._axes(ax)
        path, coef = self.path, self.path.coef
        if standardized:
            coef = coef * path.scale
        places = {"lambda": path.lambdas, "l1 norm": np.abs(coef).sum(axis=1), "deviance": path.deviance_ratio}
        if x not in places:
            raise InputError(f"x must be one of {', '.join(map(repr, places))}; got {x!r}")
        order = self._order(coef)
        colours = _colours(n_labels)
        self.lines_ = []
        for rank, j in enumerate(order):
            style = {
                "color": colours[rank] if rank < n_labels else QUIET,
                "linewidth": 1.6 if rank < n_labels else 0.8,
            }
            style |= {"zorder": 2 if rank < n_labels else 1, "label": self.feature_names[j]}
            self.lines_ += ax.plot(places[x], coef[:, j], **(style | line_kw))
        ax.axhline(0.0, color="black", linewidth=0.7, zorder=0)
        self._zoom(ax, coef)
        if x == "lambda":
            penalty_axis(ax, path.lambdas, "lambda")
            if self.chosen is not None and self.chosen > 0.0:
                ax.axvline(self.chosen, color=CHOSEN, linestyle="--", linewidth=1.2)
        else:
            ax.set_xlabel({"l1 norm": "sum of |coefficients|", "deviance": "share of the deviance explained"}[x])
        ax.set_ylabel("effect of one standard deviation" if standardized else "coefficient")
        _label_ends(ax, self.lines_[:n_labels])
        return self

    def _zoom(self, ax: Any, coef: Float) -> None:
        """Keep the chosen model readable where weaker penalties let coefficients explode: lines may leave the frame."""
        low, high = ax.get_ylim()
        if self.chosen is not None:
            reach = 4.0 * float(np.abs(coef[self._at_chosen()]).max(initial=0.0))
            if reach > 0.0:
                low, high = max(low, -reach), min(high, reach)
        ax.set_ylim(low, high)

    def _at_chosen(self) -> int:
        return int(np.argmin(np.abs(self.path.lambdas - (self.chosen or 0.0))))

    def _order(self, coef: Float) -> NDArray[np.intp]:
        """Features that are ever in the model: those of the chosen model first, then by size."""
        largest = np.abs(coef).max(axis=0)
        first = largest
        if self.chosen is not None:
            first = np.abs(coef[self._at_chosen()])
        order = np.lexsort((-largest, -first))
        return np.asarray(order[largest[order] > 0.0], dtype=np.intp)


def _chosen_lambda(estimator: Any) -> float | None:
    """Lambda that a fitted estimator chose: its rule's, or the point of its curve that has its alpha or C."""
    selection = getattr(estimator, "selection_", None)
    if selection is not None:
        return float(selection.value)
    C = getattr(estimator, "C_", None)
    if C is None:
        return None
    return float(1.0 / (np.ravel(C)[0] * estimator.curve_.sum_weight))


def _label_ends(ax: Any, lines: Sequence[Any]) -> None:
    """Write each line's name beside its right end, moved apart as little as keeps names off each other."""
    if not lines:
        return
    low, high = ax.get_ylim()
    ends = np.clip([float(line.get_ydata()[-1]) for line in lines], low, high)
    order = np.argsort(ends)
    steps = 0.042 * (high - low) * np.arange(len(ends))  # room for a line of text each
    places = isotonic_regression(ends[order] - steps).x + steps
    for k, place in zip(order, places, strict=True):
        ax.annotate(
            str(lines[k].get_label()),
            xy=(1.0, place),
            xycoords=ax.get_yaxis_transform(),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            color=lines[k].get_color(),
            annotation_clip=False,
        )


def _colours(n: int) -> list[Any]:
    """Return n colours that are told apart, dark enough for text on white."""
    base = [
        "#0b5fa5",
        "#d1660a",
        "#1b7f4d",
        "#a3262a",
        "#6b4aa0",
        "#7a5230",
        "#c2408f",
        "#4d5a66",
        "#8a8200",
        "#0a8a99",
    ]
    return [base[i % len(base)] for i in range(max(n, 1))]
