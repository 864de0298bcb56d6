"""Overfitting to look at: a spline with nearly as many coefficients as points, free and held back in three ways.

All that is shown is fitted when it is asked for: nothing here is drawn by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridle.job.words import number, percent
from bridle.linear_dropout import fit_dropout_path
from bridle.path import fit_path
from bridle.results import Lesson, LessonFit
from bridle.selection import Curve, Folds, cross_validate, make_folds, select

Float = NDArray[np.float64]

POINTS, BUMPS, GRID = 28, 22, 141
NOISE = 0.3  # standard deviation; its square is the error that no model can avoid on new points
REACH = 3  # a bump's knots are three centres apart, so that twelve bumps at most are at work at a point
FOLDS, REPEATS = 7, 2
RATES = np.arange(18, 0, -1) / 20.0  # (18,) 0.9, 0.85, ..., 0.05

SEED = 36  # a clear picture out of forty; the tests hold the lesson to others too


@dataclass(frozen=True)
class _Sample:
    """Noisy points, and what a fit of them is judged by."""

    x: Float  # (n,)
    y: Float  # (n,)
    X: Float  # (n, p)
    grid: Float  # (G,)
    at_grid: Float  # (G, p)
    truth: Float  # (G,)


@dataclass(frozen=True)
class _Line:
    """A fitted spline."""

    intercept: float
    coef: Float  # (p,)

    def __call__(self, X: Float) -> Float:
        """Values of the spline at rows of the basis, (n, p) -> (n,)."""
        return np.asarray(self.intercept + X @ self.coef)


def truth(x: Float) -> Float:
    """The curve that the points are drawn around."""
    return np.asarray(np.sin(2.0 * np.pi * x))


def bumps(x: Float) -> Float:
    r"""Cubic B-splines of height 1, their centres c_j equally spaced on [0, 1], each far wider than that spacing h.

    .. math:: B_j(x) = \tfrac14 \left[ (2 - u)_+^3 - 4 (1 - u)_+^3 \right], \quad u = |x - c_j| / (3h)

    Parameters
    ----------
    x : (n,) array
        Where to evaluate them.

    Returns
    -------
    (n, 22) array
        One column for each.
    """
    centres = np.linspace(0.0, 1.0, BUMPS)
    u = np.abs(x[:, None] - centres) / (REACH * (centres[1] - centres[0]))
    return np.asarray((np.maximum(2.0 - u, 0.0) ** 3 - 4.0 * np.maximum(1.0 - u, 0.0) ** 3) / 4.0)


def make_lesson(seed: int = SEED) -> Lesson:
    """Draw points around a curve and fit them without regularisation, with L2, with L1 and with dropout.

    Penalty and dropout rate are chosen by cross-validation on the same folds, as on any data. The truth serves for
    nothing but the true error, the mean squared distance from it.

    Parameters
    ----------
    seed : int
        Of the points and of the folds.

    Returns
    -------
    Lesson
        The points, the curve behind them, and four fits: "unregularised", "ridge", "lasso" and "dropout".
    """
    sample = _draw(np.random.default_rng(seed))
    folds = make_folds(sample.y, n_splits=FOLDS, n_repeats=REPEATS, seed=seed)
    bare = fit_path(sample.X, sample.y, lambdas=[0.0], standardize=False)
    free = _Line(float(bare.intercept[0]), bare.coef_row(0))
    fits = (_free(sample, free), *_penalised(sample, folds, free), _dropout(sample, folds, free))
    return Lesson(
        title="Overfitting, made visible",
        text=_story(folds),
        x=_short(sample.x),
        y=_short(sample.y),
        grid=_short(sample.grid),
        truth=_short(sample.truth),
        fits=fits,
    )


def _draw(rng: np.random.Generator) -> _Sample:
    """Points in equal cells of [0, 1], somewhere in the middle half of each, so that gaps differ but none is wide."""
    x = (np.arange(POINTS) + rng.uniform(0.25, 0.75, POINTS)) / POINTS
    x = (x - x[0]) / (x[-1] - x[0])  # from end to end: a lesson on overfitting, not on extrapolation
    y = truth(x) + NOISE * rng.normal(size=POINTS)
    grid = np.linspace(0.0, 1.0, GRID)
    return _Sample(x, y, bumps(x), grid, bumps(grid), truth(grid))


def _free(sample: _Sample, line: _Line) -> LessonFit:
    train, true = _errors(sample, line)
    noise = f"less than the noise of {number(NOISE**2)}" if train < NOISE**2 else f"the noise being {number(NOISE**2)}"
    text = (
        f"{BUMPS} coefficients for {POINTS} points, and nothing to hold them: the training error is {number(train)}, "
        f"{noise}, since the curve follows the noise too. Between the points it swings: its mean squared distance from "
        f"the truth, the true error, is {number(true)}."
    )
    return _fit(sample, line, "unregularised", "Unregularised", "no penalty", text)


def _penalised(sample: _Sample, folds: Folds, free: _Line) -> tuple[LessonFit, LessonFit]:
    """Ridge and lasso with the smallest held-out error."""
    found = cross_validate(
        sample.X, sample.y, folds=folds, l1_ratio=[0.0, 1.0], standardize=False, effective_df=False
    )  # fmt: skip
    lines, settings = [], []
    for curve, path in zip(found.curves, found.paths, strict=True):
        chosen = select(curve, "min")
        lines.append(_Line(float(path.intercept[chosen.index]), path.coef_row(chosen.index)))
        settings.append(f"λ = {number(chosen.value, 2)}")
    ridge, lasso = lines
    shrunk = (
        f"L2 shrinks all coefficients and sets none to zero: their root mean square falls from "
        f"{number(_size(free), 2)} to {number(_size(ridge), 2)}, too little for steep swings. "
        f"{_effect(sample, ridge, free)}"
    )
    picked = (
        f"L1 sets coefficients to exactly zero: {np.count_nonzero(lasso.coef)} of {BUMPS} bumps are left, too few to "
        f"follow the noise. {_effect(sample, lasso, free)}"
    )
    return (
        _fit(sample, ridge, "ridge", "Ridge (L2)", settings[0], shrunk),
        _fit(sample, lasso, "lasso", "Lasso (L1)", settings[1], picked),
    )


def _dropout(sample: _Sample, folds: Folds, free: _Line) -> LessonFit:
    """The spline with dropout noise on its basis, averaged in closed form, at the rate with the smallest error."""
    curve = _rate_curve(sample, folds)
    rate = select(curve, "min").value
    path = fit_dropout_path(sample.X, sample.y, rates=[rate], standardize=False)
    line = _Line(float(path.intercept[0]), path.coef[0])
    text = (
        f"Dropout switches each bump off at random, {percent(rate)} of the time, while the curve is fitted, so that "
        f"none can count on another to cancel it. Averaged over all draws that is an L2 penalty: "
        f"{number(rate / (1.0 - rate), 2)} times the mean square of each bump, so that bumps at work at few points are "
        f"held back less. {_effect(sample, line, free)}"
    )
    return _fit(sample, line, "dropout", "Dropout", f"rate {number(rate, 2)}", text)


def _rate_curve(sample: _Sample, folds: Folds) -> Curve:
    """Held-out error of each fold at each dropout rate."""
    test_loss, train_loss = np.empty((len(folds), RATES.size)), np.empty((len(folds), RATES.size))
    for j, (train, test) in enumerate(folds):
        path = fit_dropout_path(sample.X[train], sample.y[train], rates=RATES, standardize=False)
        for rows, loss in ((train, train_loss), (test, test_loss)):
            loss[j] = np.mean((sample.y[rows, None] - path.linear_predictor(sample.X[rows])) ** 2, axis=0)
    n_test = np.array([test.size for _, test in folds])
    return Curve(
        model="dropout",
        family="gaussian",
        parameter="dropout rate",
        values=RATES,
        test_loss=test_loss,
        train_loss=train_loss,
        test_weight=n_test.astype(np.float64),
        n_train=POINTS - n_test,
        n_test=n_test,
        n_repeats=folds.n_repeats,
    )


def _fit(sample: _Sample, line: _Line, name: str, label: str, setting: str, text: str) -> LessonFit:
    train, true = _errors(sample, line)
    n_nonzero = int(np.count_nonzero(line.coef))
    return LessonFit(name, label, setting, _short(line(sample.at_grid)), train, true, n_nonzero, text)


def _errors(sample: _Sample, line: _Line) -> tuple[float, float]:
    """Mean squared error on the points, mean squared distance from the truth over the grid."""
    train = float(np.mean((sample.y - line(sample.X)) ** 2))
    return train, float(np.mean((sample.truth - line(sample.at_grid)) ** 2))


def _size(line: _Line) -> float:
    return float(np.sqrt(np.mean(line.coef**2)))


def _effect(sample: _Sample, line: _Line, free: _Line) -> str:
    """What the fit pays in training error and gains in true error, against the free one."""
    (train, true), (free_train, free_true) = _errors(sample, line), _errors(sample, free)
    return (
        f"The training error {_moves(free_train, train)} from {number(free_train)} to {number(train)}, "
        f"the true error {_moves(free_true, true)} from {number(free_true)} to {number(true)}."
    )


def _moves(before: float, after: float) -> str:
    return "rises" if after > before else "falls"


def _story(folds: Folds) -> str:
    return (
        f"{POINTS} points were drawn around a known curve, with noise of standard deviation {number(NOISE)}, and a "
        f"cubic spline of {BUMPS} overlapping bumps was fitted to them four times. The strength of the penalties and "
        f"the dropout rate were chosen as on any data, by {folds.description}, without a look at the truth."
    )


def _short(values: Float) -> tuple[float, ...]:
    return tuple(np.round(values, 4).tolist())  # finer than a chart can show
