"""A polynomial of degree 15 on 40 noisy points: what L1 and L2 do to it, value by value.

python examples/overfitting_made_visible.py [CHART.png]
"""

from __future__ import annotations

import sys

import numpy as np

import bridle

DEGREE = 15


def truth(x: np.ndarray) -> np.ndarray:
    """The curve behind the points."""
    return np.sin(3.0 * x)


def powers(x: np.ndarray) -> np.ndarray:
    """(n, 15) x, x^2, ..., x^15."""
    return x[:, None] ** np.arange(1, DEGREE + 1)


def main(chart: str | None) -> None:
    """Cross-validate both penalties, and compare with the truth that only a simulation knows."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 40)
    y = truth(x) + 0.4 * rng.normal(size=40)
    new = np.linspace(-1, 1, 2001)
    folds = bridle.make_folds(y, n_splits=5, n_repeats=4)
    found = bridle.cross_validate(powers(x), y, folds=folds, l1_ratio=[0.0, 1.0], lambda_min_ratio=1e-7)

    bare = bridle.fit_path(powers(x), y, lambdas=[0.0])
    error = np.mean((bare.predict(powers(new))[:, 0] - truth(new)) ** 2)
    for name, curve, path in zip(("ridge (L2)", "lasso (L1)"), found.curves, found.paths, strict=True):
        chosen = bridle.select(curve, "min")
        print(f"\n{name}: {chosen.reason}")
        print("    lambda   training   held out   true error   powers kept")
        true = np.mean((path.predict(powers(new)) - truth(new)[:, None]) ** 2, axis=0)
        for i in sorted({*range(0, len(path.lambdas), 14), chosen.index, len(path.lambdas) - 1}):
            mark = "  <- chosen" if i == chosen.index else ""
            print(
                f"  {path.lambdas[i]:8.2g} {curve.train_mean[i]:10.3f} {curve.mean[i]:10.3f} {true[i]:12.3f}"
                f" {path.n_nonzero[i]:13d}{mark}"
            )
        print(f"  true error without a penalty {error:.3g}, with the chosen one {true[chosen.index]:.3g}")

    if chart:
        figure = bridle.ValidationCurveDisplay.from_curve(found.curves[1]).figure_
        figure.savefig(chart)
        print("wrote", chart)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
