"""Pack what make.R wrote into figures.json."""

import json
import sys
from pathlib import Path

import numpy as np


def main(folder):
    def load(path):
        return [[float(f"{value:.13g}") for value in row] for row in np.loadtxt(path, delimiter=",", ndmin=2)]

    r, survival, glmnet = (folder / "versions.txt").read_text().split("\n")[:3]
    figures = {"R": r, "survival": survival, "glmnet": glmnet}
    for kind in ("coxph", "hazard", "martingale", "path", "deviance", "cv", "chosen"):
        figures[kind] = {p.stem.removeprefix(f"{kind}_"): load(p) for p in sorted(folder.glob(f"{kind}_*.csv"))}
    (Path(__file__).parent / "figures.json").write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
