"""Write the data, folds and lambda grids that make.R reads, as CSV files in the folder named on the command line."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes

HERE = Path(__file__).parent


def simulated():
    rng = np.random.default_rng(20240)
    X = rng.normal(size=(80, 6)).round(3)
    wide = rng.normal(size=(40, 60)).round(3)
    small = rng.normal(size=(25, 4)).round(3)
    return {
        "counts": (X, rng.poisson(np.exp(0.4 + X @ [0.5, -0.4, 0.0, 0.3, 0.0, 0.0])).astype(float)),
        "wide": (wide, (wide[:, :4] @ [2.0, -1.5, 1.0, 1.0] + rng.normal(size=40)).round(3)),
        "small": (small, (5.0 + small @ [3.0, 0.0, -2.0, 1.0] + rng.normal(size=25)).round(3)),
    }


def lambda_max(X, y, alpha):
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    return np.abs(Z.T @ (y - y.mean())).max() / len(y) / max(alpha, 1e-3)


def main(folder):
    data = {"diabetes": load_diabetes(return_X_y=True), "cancer": load_breast_cancer(return_X_y=True), **simulated()}
    families = {"diabetes": "gaussian", "cancer": "binomial", "counts": "poisson", "wide": "gaussian"}
    rng = np.random.default_rng(7)
    cases, simulation = [], {}
    for name, (X, y) in data.items():
        save(folder / f"{name}_X.csv", X)
        save(folder / f"{name}_y.csv", y)
        if name in ("counts", "wide", "small"):
            simulation[name] = {"X": X.tolist(), "y": y.tolist()}
        if name not in families:
            continue
        k = 5 if len(y) > 50 else 4
        fold = rng.permutation(np.arange(len(y)) % k) + 1
        weight = rng.integers(1, 4, len(y)).astype(float)
        save(folder / f"{name}_fold.csv", fold)
        save(folder / f"{name}_weight.csv", weight)
        simulation.setdefault("folds", {})[name] = fold.tolist()
        for alpha, weighted in ((1.0, False), (0.5, False), (0.0, False), (1.0, True)):
            case = f"{name}_{alpha:g}{'_weighted' if weighted else ''}"
            ratio = 0.02 if name == "wide" else 3e-3
            save(folder / f"{case}_lambda.csv", lambda_max(X, y, alpha) * np.geomspace(1.0, ratio, 20))
            gaussian = families[name] == "gaussian"
            cases.append(
                [case, name, families[name], alpha, "TRUE" if weighted else "FALSE", 1e-28 if gaussian else 1e-22]
            )
            if weighted:
                simulation.setdefault("weights", {})[name] = weight.tolist()
    extra = {
        "weight": rng.integers(1, 5, 25),
        "offset": rng.normal(size=25).round(3),
        "factor": np.array([0.5, 1.0, 2.0, 3.0]),
    }
    for name, values in extra.items():
        save(folder / f"small_{name}.csv", values)
        simulation["small"][name] = values.tolist()
    with open(folder / "cases.csv", "w", newline="") as handle:
        csv.writer(handle).writerows([["name", "data", "family", "alpha", "weighted", "thresh"], *cases])
    (HERE / "inputs.json").write_text(json.dumps(simulation) + "\n")


def save(path, values):
    np.savetxt(path, values, delimiter=",", fmt="%.17g")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
