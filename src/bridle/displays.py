"""matplotlib pictures in the manner of scikit-learn's Displays: made ``from_...``, drawn by ``plot``.

matplotlib is the extra ``plot`` and is imported when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.diagnosis.verdict import Interval, LearningCurve, Verdict
from bridle.errors import InputError, MissingExtraError
from bridle.selection import Curve, Selection, make_folds, select

if TYPE_CHECKING:
    from bridle.path import Path

Float = NDArray[np.float64]

_HELD_OUT, _TRAINING, _CHOSEN, _QUIET = "#0b5fa5", "#d1660a", "#8a1c5c", "#9aa3ab"
_LOSS = {
    "gaussian": "mean squared error",
    "binomial": "binomial deviance per row",
    "poisson": "Poisson deviance per row",
}


class _Display:
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


class PathDisplay(_Display):
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
                "color": colours[rank] if rank < n_labels else _QUIET,
                "linewidth": 1.6 if rank < n_labels else 0.8,
            }
            style |= {"zorder": 2 if rank < n_labels else 1, "label": self.feature_names[j]}
            self.lines_ += ax.plot(places[x], coef[:, j], **(style | line_kw))
        ax.axhline(0.0, color="black", linewidth=0.7, zorder=0)
        if x == "lambda":
            _penalty_axis(ax, path.lambdas, "lambda")
            if self.chosen is not None and self.chosen > 0.0:
                ax.axvline(self.chosen, color=_CHOSEN, linestyle="--", linewidth=1.2)
        else:
            ax.set_xlabel({"l1 norm": "sum of |coefficients|", "deviance": "share of the deviance explained"}[x])
        ax.set_ylabel("effect of one standard deviation" if standardized else "coefficient")
        _label_ends(ax, self.lines_[:n_labels])
        return self

    def _order(self, coef: Float) -> NDArray[np.intp]:
        """Features that are ever in the model: those of the chosen model first, then by size."""
        largest = np.abs(coef).max(axis=0)
        first = largest
        if self.chosen is not None:
            first = np.abs(coef[int(np.argmin(np.abs(self.path.lambdas - self.chosen)))])
        order = np.lexsort((-largest, -first))
        return order[largest[order] > 0.0]


class ValidationCurveDisplay(_Display):
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
        style = {"color": _HELD_OUT, "linewidth": 2.0, "label": "held-out rows"} | line_kw
        (self.line_,) = ax.plot(c.values, mean, **style)
        self.band_ = self.train_line_ = self.chosen_line_ = None
        if np.isfinite(error).all():
            label = "± 1 standard error"
            self.band_ = ax.fill_between(
                c.values, mean - error, mean + error, color=style["color"], alpha=0.18, linewidth=0, label=label
            )
        if train:
            (self.train_line_,) = ax.plot(
                c.values, c.train_mean, color=_TRAINING, linewidth=1.5, linestyle=(0, (5, 2)), label="training rows"
            )
        best = int(np.argmin(mean))
        self.min_line_ = ax.axvline(c.values[best], color="#5b6570", linestyle=":", linewidth=1.4, label="minimum")
        chosen = self.selection
        if chosen is not None and chosen.index != best:
            self.chosen_line_ = ax.axvline(
                c.values[chosen.index], color=_CHOSEN, linestyle="--", linewidth=1.4, label=f"chosen ({chosen.rule})"
            )
        _penalty_axis(ax, c.values, c.parameter)
        if c.n_nonzero is not None and np.unique(c.n_nonzero).size > 1:
            _count_axis(ax, c)
        ax.set_ylabel(_LOSS.get(c.family, "loss per row"))
        ax.legend(frameon=False, fontsize="small")
        return self


class LearningCurveDisplay(_Display):
    """Loss against the number of training rows, with intervals.

    Make one with :meth:`from_verdict` or :meth:`from_estimator`.

    Parameters
    ----------
    curve : LearningCurve
        The curve.
    family : str
        "gaussian", "binomial" or "poisson": names the loss.

    Attributes
    ----------
    line_, train_line_ : Line2D
        Mean held-out and training loss.
    band_, train_band_ : PolyCollection
        Their intervals.
    ax_, figure_ : Axes, Figure
        Where it was drawn.
    """

    line_: Any
    train_line_: Any
    band_: Any
    train_band_: Any

    def __init__(self, curve: LearningCurve, family: str = "gaussian") -> None:
        self.curve = curve
        self.family = family

    @classmethod
    def from_verdict(
        cls, verdict: Verdict | LearningCurve, *, family: str = "gaussian", ax: Any = None, **options: Any
    ) -> Self:
        """Draw the learning curve that a diagnosis holds.

        Parameters
        ----------
        verdict : Verdict or LearningCurve
            As from ``bridle.diagnose(...)``; its ``verdict`` is taken.
        family : str
            "gaussian", "binomial" or "poisson": names the loss.
        ax : Axes, optional
            Where to draw.
        **options
            Of :meth:`plot`.

        Returns
        -------
        LearningCurveDisplay

        Raises
        ------
        InputError
            The diagnosis was made without a learning curve.
        """
        held = getattr(verdict, "verdict", verdict)
        curve = held if isinstance(held, LearningCurve) else held.learning_curve
        if curve is None:
            raise InputError("this verdict has no learning curve; ask for one with diagnose(..., learning_curve=True)")
        return cls(curve, family).plot(ax=ax, **options)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        family: str | None = None,
        n_splits: int = 5,
        n_repeats: int = 1,
        shares: Sequence[float] = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
        sample_weight: ArrayLike | None = None,
        seed: int = 0,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Train an estimator on growing parts of each training fold, and draw.

        Parameters
        ----------
        estimator : scikit-learn estimator
            A regressor or a classifier of two classes; it's cloned, never changed.
        X : (n, p) array, sparse matrix or data frame
            Features.
        y : (n,)
            Target: numbers, or labels of two classes.
        family : str, optional
            Loss; by default "binomial" for classifiers and "gaussian" for others.
        n_splits, n_repeats : int
            Folds.
        shares : sequence of float
            Shares of the training rows.
        sample_weight : (n,), optional
            Weights of the rows.
        seed : int
            Of folds and order of rows.
        ax : Axes, optional
            Where to draw.
        **options
            Of :meth:`plot`.

        Returns
        -------
        LearningCurveDisplay
        """
        from sklearn.base import is_classifier

        from bridle.diagnosis import EstimatorContender, Target, learning_curve

        chosen = family or ("binomial" if is_classifier(estimator) else "gaussian")
        values = np.asarray(y)
        labels, positive = None, 1.0
        if is_classifier(estimator):
            classes = np.unique(values)
            if len(classes) != 2:
                raise InputError(f"y has {len(classes)} classes; expected two. Draw one class against the rest instead")
            labels, positive, values = values, classes[1], values == classes[1]
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        target = Target(np.asarray(values, dtype=np.float64), chosen, weight)
        folds = make_folds(target.y, family=chosen, n_splits=n_splits, n_repeats=n_repeats, seed=seed)
        name = type(estimator).__name__
        contender = EstimatorContender("model", name, estimator, X, target, labels=labels, positive=positive, seed=seed)
        curve = learning_curve(
            contender, target.y, family=chosen, folds=folds, shares=shares, sample_weight=weight, seed=seed
        )
        return cls(curve, chosen).plot(ax=ax, **options)

    def plot(self, ax: Any = None, **line_kw: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        **line_kw
            Passed to ``Axes.plot`` for both lines.

        Returns
        -------
        LearningCurveDisplay
        """
        ax = self._axes(ax)
        n = self.curve.n_train
        parts = [
            ("held-out rows", self.curve.test, _HELD_OUT, "o"),
            ("training rows", self.curve.train, _TRAINING, "s"),
        ]
        drawn = []
        for label, intervals, colour, marker in parts:
            style = {"color": colour, "marker": marker, "markersize": 4.5, "linewidth": 1.8, "label": label} | line_kw
            value, lower, upper = _columns(intervals)
            drawn += ax.plot(n, value, **style)
            drawn.append(ax.fill_between(n, lower, upper, color=colour, alpha=0.16, linewidth=0))
        self.line_, self.band_, self.train_line_, self.train_band_ = drawn
        ax.set_xlabel("training rows")
        ax.set_ylabel(_LOSS.get(self.family, "loss per row"))
        level = self.curve.test[0].level if self.curve.test else 0.95
        ax.legend(frameon=False, fontsize="small", title=f"mean and {level:.0%} interval", title_fontsize="small")
        return self


def _chosen_lambda(estimator: Any) -> float | None:
    """Lambda that a fitted estimator chose: its rule's, or the point of its curve that has its alpha or C."""
    selection = getattr(estimator, "selection_", None)
    if selection is not None:
        return float(selection.value)
    C = getattr(estimator, "C_", None)
    if C is None:
        return None
    return float(1.0 / (np.ravel(C)[0] * estimator.curve_.sum_weight))


def _columns(intervals: Sequence[Interval]) -> tuple[Float, Float, Float]:
    table = np.array([(i.value, i.lower, i.upper) for i in intervals], dtype=np.float64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _penalty_axis(ax: Any, values: Float, parameter: str) -> None:
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


def _label_ends(ax: Any, lines: Sequence[Any]) -> None:
    """Write each line's name beside its right end, moved apart where names would lie on each other."""
    if not lines:
        return
    ends = np.array([line.get_ydata()[-1] for line in lines], dtype=np.float64)
    low, high = ax.get_ylim()
    gap = 0.042 * (high - low)
    order = np.argsort(ends)
    places = ends[order].copy()
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    places -= np.mean(places - ends[order])
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
