"""Write the data of make.R as CSV files into a folder, and the same as inputs.json beside this script."""

import json
import sys
from pathlib import Path

import numpy as np


def main(folder: Path) -> None:
    rng = np.random.default_rng(2007)
    n = 120
    X = np.round(rng.normal(size=(n, 8)) @ (np.eye(8) + 0.2), 3)
    eta = X @ [0.6, -0.5, 0.3, 0.0, 0.0, 0.2, 0.0, 0.0]
    life, seen = rng.exponential(size=n) / np.exp(eta), rng.exponential(2.0, size=n)
    wide = np.round(rng.normal(size=(40, 60)), 3)
    columns = {
        "X": X,
        "wide": wide,
        "gaussian": np.round(eta + rng.normal(size=n), 3),
        "binomial": (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(int),
        "poisson": rng.poisson(np.exp(0.5 * eta + 0.5)),
        "time": np.ceil(8.0 * np.minimum(life, seen)),
        "event": (life <= seen).astype(int),
        "narrow": np.round(wide[:, :3] @ [1.0, -0.8, 0.6] + rng.normal(size=40), 3),
        "weight": np.round(rng.uniform(0.3, 2.0, n), 3),
        "offset": np.round(0.3 * rng.normal(size=n), 3),
        "fold": rng.permutation(n) % 5 + 1,
        "grid": np.geomspace(0.3, 0.005, 12),
    }
    for name, values in columns.items():
        np.savetxt(folder / f"{name}.csv", values, delimiter=",", fmt="%.17g")
    text = json.dumps({name: values.tolist() for name, values in columns.items()})
    (Path(__file__).parent / "inputs.json").write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
