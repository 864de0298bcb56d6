"""Write the data of make.R as CSV files into a folder, and the same as inputs.json beside this script."""

import json
import sys
from pathlib import Path

import numpy as np


def main(folder: Path) -> None:
    rng = np.random.default_rng(20)
    X = np.round(rng.normal(size=(150, 6)) @ (np.eye(6) + 0.3), 4)
    mu = np.exp(0.4 + X @ [0.5, -0.4, 0.0, 0.0, 0.2, 0.0])
    columns = {
        "X": X,
        "weight": np.round(rng.uniform(0.2, 2.0, 150), 3),
        "offset": np.round(0.3 * rng.normal(size=150), 3),
        "gamma": np.round(rng.gamma(2.0, mu / 2) + 0.001, 4),
        "counts": rng.negative_binomial(1.5, 1.5 / (1.5 + mu)),
        "even": rng.poisson(mu),
    }
    for name, values in columns.items():
        np.savetxt(folder / f"{name}.csv", values, delimiter=",", fmt="%.10g")
    text = json.dumps({name: values.tolist() for name, values in columns.items()})
    (Path(__file__).parent / "inputs.json").write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
