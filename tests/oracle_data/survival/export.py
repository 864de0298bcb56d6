"""Write the simulated data that make.R reads, as CSV files in the folder named on the command line."""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def simulated():
    """Times rounded to give ties, censored at random; half of the rows enter late; weights, offsets, strata, folds."""
    rng = np.random.default_rng(1972)
    n, p = 90, 5
    X = (rng.normal(size=(n, p)) * [1.0, 2.0, 0.5, 1.0, 1.0] + [0.0, 5.0, 0.0, -3.0, 0.0]).round(3)
    X[:, 4] = (X[:, 4] > 0.0).astype(float)
    eta = X @ [0.8, -0.3, 0.0, 0.4, -0.5]
    life = rng.exponential(size=n) / np.exp(eta - eta.mean())
    seen = rng.exponential(2.0, size=n)
    time = np.ceil(6.0 * np.minimum(life, seen))
    late = rng.random(n) < 0.5
    start = np.where(late, np.floor(rng.random(n) * time), 0.0)
    return {
        "X": X,
        "start": start,
        "time": time,
        "event": (life <= seen).astype(float),
        "weight": rng.integers(1, 5, n).astype(float) / 2.0,
        "offset": rng.normal(size=n).round(2) * 0.3,
        "stratum": rng.integers(0, 3, n).astype(float),
        "fold": (rng.permutation(n) % 5 + 1).astype(float),
        "factor": np.array([1.0, 0.0, 2.0, 1.0, 0.5]),
        "wide": rng.normal(size=(n, 150)).round(3),
        "grid": np.geomspace(0.2, 0.01, 12),
    }


def main(folder):
    data = simulated()
    for name, values in data.items():
        np.savetxt(folder / f"{name}.csv", values, delimiter=",", fmt="%.17g")
    (HERE / "inputs.json").write_text(json.dumps({name: values.tolist() for name, values in data.items()}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
