"""A polynomial of degree 15 on 40 noisy points: what L2, L1 and dropout do to it, value by value.

python examples/overfitting_made_visible.py [CHART.png]
"""

from __future__ import annotations

import sys

import numpy as np

import bridle
from bridle.linear_dropout import fit_dropout_path

DEGREE = 15
RATES = np.geomspace(0.5, 0.0005, 31)


def truth(x: np.ndarray) -> np.ndarray:
    """The curve behind the points."""
    return np.sin(3.0 * x)


def powers(x: np.ndarray) -> np.ndarray:
    """(n, 15) x, x^2, ..., x^15."""
    return x[:, None] ** np.arange(1, DEGREE + 1)


def dropout_losses(X: np.ndarray, y: np.ndarray, folds: bridle.selection.Folds) -> tuple[np.ndarray, np.ndarray]:
    """(R,) mean squared error of training and of held-out rows at each dropout rate, over the folds."""
    squares = []
    for train, test in folds:
        path = fit_dropout_path(X[train], y[train], rates=RATES)
        squares.append([np.mean((y[rows, None] - path.predict(X[rows])) ** 2, axis=0) for rows in (train, test)])
    training, held_out = np.mean(squares, axis=0)
    return training, held_out


def table(parameter: str, columns: list[np.ndarray], chosen: int) -> None:
    """Some values of the parameter, strongest regularisation first, and what they give."""
    print(f"  {parameter:>8}   training   held out   true error   powers kept")
    size = len(columns[0])
    for i in sorted({*range(0, size, max(size // 7, 1)), chosen, size - 1}):
        value, training, held_out, true, kept = (c[i] for c in columns)
        mark = "  <- chosen" if i == chosen else ""
        print(f"  {value:8.2g} {training:10.3f} {held_out:10.3f} {true:12.3f} {kept:13d}{mark}")


def main(chart: str | None) -> None:
    """Cross-validate penalties and rates, and compare with the truth that only a simulation knows."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 40)
    y = truth(x) + 0.4 * rng.normal(size=40)
    new = np.linspace(-1, 1, 2001)
    X, at_new = powers(x), powers(new)
    folds = bridle.make_folds(y, n_splits=5, n_repeats=4)
    found = bridle.cross_validate(X, y, folds=folds, l1_ratio=[0.0, 1.0], lambda_min_ratio=1e-7)

    lines = {"no penalty": bridle.fit_path(X, y, lambdas=[0.0]).predict(at_new)[:, 0]}
    bare = np.mean((lines["no penalty"] - truth(new)) ** 2)

    def show(name: str, parameter: str, columns: list[np.ndarray], predicted: np.ndarray, chosen: int) -> None:
        true = np.mean((predicted - truth(new)[:, None]) ** 2, axis=0)
        table(parameter, [*columns[:3], true, columns[3]], chosen)
        print(f"  true error without a penalty {bare:.3g}, with the chosen one {true[chosen]:.3g}")
        lines[name] = predicted[:, chosen]

    for name, curve, path in zip(("ridge (L2)", "lasso (L1)"), found.curves, found.paths, strict=True):
        choice = bridle.select(curve, "min")
        print(f"\n{name}: {choice.reason}")
        columns = [curve.values, curve.train_mean, curve.mean, path.n_nonzero]
        show(name, "lambda", columns, path.predict(at_new), choice.index)

    training, held_out = dropout_losses(X, y, folds)
    path = fit_dropout_path(X, y, rates=RATES)
    best = int(np.argmin(held_out))
    print(f"\ndropout, averaged: rate {RATES[best]:.2g} has the smallest mean held-out loss, {held_out[best]:.4g}.")
    print("  For standardised features it is ridge with lambda = rate / (1 - rate).")
    kept = np.count_nonzero(path.coef, axis=1)
    show("dropout", "rate", [RATES, training, held_out, kept], path.predict(at_new), best)

    if chart:
        draw(chart, x, y, new, lines, found.curves[0])


def draw(chart: str, x: np.ndarray, y: np.ndarray, new: np.ndarray, lines: dict, curve: bridle.Curve) -> None:
    """The fits, beside the validation curve of ridge."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    left.plot(x, y, "o", color="0.4")
    left.plot(new, truth(new), "--k", label="truth")
    for name, line in lines.items():
        left.plot(new, line, label=name)
    left.legend(frameon=False)
    left.set_ylim(y.min() - 0.5, y.max() + 0.5)
    bridle.ValidationCurveDisplay.from_curve(curve, ax=right)
    figure.savefig(chart)
    print("wrote", chart)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
