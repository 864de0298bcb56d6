"""Loss against the number of training rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.diagnosis.verdict import Interval, LearningCurve, Verdict
from bridle.displays._axes import HELD_OUT, TRAINING, Display, loss_name
from bridle.errors import InputError
from bridle.selection import make_folds

if TYPE_CHECKING:
    from bridle.diagnosis.contenders import EstimatorContender

Float = NDArray[np.float64]


class LearningCurveDisplay(Display):
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
        LearningCurveDisplay, loss_name

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
        LearningCurveDisplay, loss_name
        """
        from bridle.diagnosis import learning_curve

        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        contender = _contender(estimator, X, y, family, weight, seed)
        target = contender.target
        folds = make_folds(target.y, family=target.family, n_splits=n_splits, n_repeats=n_repeats, seed=seed)
        curve = learning_curve(
            contender, target.y, family=target.family, folds=folds, shares=shares, sample_weight=weight, seed=seed
        )
        return cls(curve, target.family).plot(ax=ax, **options)

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
        LearningCurveDisplay, loss_name
        """
        ax = self._axes(ax)
        n = self.curve.n_train
        parts = [
            ("held-out rows", self.curve.test, HELD_OUT, "o"),
            ("training rows", self.curve.train, TRAINING, "s"),
        ]
        drawn = []
        for label, intervals, colour, marker in parts:
            style = {"color": colour, "marker": marker, "markersize": 4.5, "linewidth": 1.8, "label": label} | line_kw
            value, lower, upper = _columns(intervals)
            drawn += ax.plot(n, value, **style)
            drawn.append(ax.fill_between(n, lower, upper, color=colour, alpha=0.16, linewidth=0))
        self.line_, self.band_, self.train_line_, self.train_band_ = drawn
        ax.set_xlabel("training rows")
        ax.set_ylabel(loss_name(self.family))
        level = self.curve.test[0].level if self.curve.test else 0.95
        ax.legend(frameon=False, fontsize="small", title=f"mean and {level:.0%} interval", title_fontsize="small")
        return self


def _contender(
    estimator: Any, X: Any, y: ArrayLike, family: str | None, weight: Float | None, seed: int
) -> EstimatorContender:
    """Return the estimator as diagnosis trains it, a classifier's labels as 0 and 1."""
    from sklearn.base import is_classifier

    from bridle.diagnosis.contenders import EstimatorContender, Target

    values = np.asarray(y)
    name, chosen = type(estimator).__name__, family or ("binomial" if is_classifier(estimator) else "gaussian")
    if not is_classifier(estimator):
        target = Target(np.asarray(values, dtype=np.float64), chosen, weight)
        return EstimatorContender("model", name, estimator, X, target, seed=seed)
    classes = np.unique(values)
    if len(classes) != 2:
        raise InputError(f"y has {len(classes)} classes; expected two. Draw one class against the rest instead")
    target = Target((values == classes[1]).astype(np.float64), chosen, weight)
    return EstimatorContender("model", name, estimator, X, target, labels=values, positive=classes[1], seed=seed)


def _columns(intervals: Sequence[Interval]) -> tuple[Float, Float, Float]:
    table = np.array([(i.value, i.lower, i.upper) for i in intervals], dtype=np.float64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]
