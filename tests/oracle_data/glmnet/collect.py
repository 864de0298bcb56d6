"""Pack what make.R wrote into figures.json."""

import csv
import json
import sys
from pathlib import Path

import numpy as np


def main(folder):
    def load(name):
        return np.loadtxt(folder / name, delimiter=",", ndmin=2)

    r, glmnet = (folder / "versions.txt").read_text().split("\n")[:2]
    cases = {}
    with open(folder / "cases.csv", newline="") as handle:
        for row in csv.DictReader(handle):
            cv, chosen = load(f"{row['name']}_cv.csv"), load(f"{row['name']}_chosen.csv").ravel()
            cases[row["name"]] = {
                "data": row["data"],
                "family": row["family"],
                "alpha": float(row["alpha"]),
                "weighted": row["weighted"] == "TRUE",
                "lambda": cv[:, 0].tolist(),
                "cvm": cv[:, 1].tolist(),
                "cvsd": cv[:, 2].tolist(),
                "lambda.min": chosen[0],
                "lambda.1se": chosen[1],
                "coef": [[float(f"{b:.12g}") for b in fit] for fit in load(f"{row['name']}_coef.csv")],
            }
    names = ("plain", "weights", "offset", "no intercept", "penalty factor")
    small = dict(zip(names, load("small_coef.csv").tolist(), strict=True))
    figures = {"R": r, "glmnet": glmnet, "cases": cases, "small": small}
    (Path(__file__).parent / "figures.json").write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
