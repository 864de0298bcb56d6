"""The example sets of glmnet's documentation, simulated anew in the same manner and sizes: python simulate.py DIR.

Like R's help pages (?glmnet) and the package's vignettes: gaussian noise as features, the first few with effects. The
generator is NumPy's RandomState, whose numbers never change, so that no data have to be kept: figures.json holds a
checksum.
"""

import sys
from pathlib import Path

import numpy as np

LEVELS = 4


def simulate():
    """Return arrays by name: features x_* (n, p), targets y_*, and weights and an offset for the ordered levels."""
    rng = np.random.RandomState(1010)
    data = {}

    def features(name, n, p):
        data[f"x_{name}"] = np.round(rng.normal(size=(n, p)), 4)
        return data[f"x_{name}"]

    x = features("gaussian", 100, 20)  # QuickStartExample
    data["y_gaussian"] = np.round(1.5 + x[:, :5] @ rng.normal(size=5) + rng.normal(size=100), 4)
    x = features("binomial", 100, 30)  # BinomialExample
    p = 1.0 / (1.0 + np.exp(-x[:, :5] @ rng.normal(size=5)))
    data["y_binomial"] = (rng.uniform(size=100) < p).astype(float)
    x = features("poisson", 500, 20)  # PoissonExample: nzc = 5, mu = exp(x beta)
    data["y_poisson"] = rng.poisson(np.exp(x[:, :5] @ rng.normal(size=5))).astype(float)
    x = features("multinomial", 500, 30)  # MultinomialExample, 3 classes
    eta = x[:, :10] @ rng.normal(size=(10, 3)) / 1.5
    data["y_multinomial"] = np.argmax(eta + rng.gumbel(size=(500, 3)), axis=1) + 1.0
    x = features("mgaussian", 100, 20)  # MultiGaussianExample, 4 responses
    data["y_mgaussian"] = np.round(x[:, :5] @ rng.normal(size=(5, 4)) + rng.normal(size=(100, 4)), 4)
    x = features("cox", 1000, 30)  # CoxExample: nzc = p / 3, fx = x beta / 3, 30 % censored
    hazard = np.exp(x[:, :10] @ rng.normal(size=10) / 3.0)
    data["y_cox"] = np.column_stack([np.round(rng.exponential(size=1000) / hazard, 5), rng.uniform(size=1000) >= 0.3])
    x = features("ordinal", 400, 6)  # for MASS::polr, as in its help: weights and an offset besides
    score = x[:, :3] @ [1.0, -0.7, 0.4] + rng.logistic(size=400)
    data["y_ordinal"] = np.digitize(score, [-1.5, 0.0, 1.2]) + 1.0
    data["w_ordinal"] = rng.randint(1, 6, size=400).astype(float)
    data["o_ordinal"] = np.round(0.3 * rng.normal(size=400), 3)
    return data


def checksum(data):
    """Return one number for all of the data."""
    return float(sum(np.sum(values * np.cos(np.arange(values.size)).reshape(values.shape)) for values in data.values()))


if __name__ == "__main__":
    folder, made = Path(sys.argv[1]), simulate()
    for name, values in made.items():
        np.savetxt(folder / f"{name}.csv", values, delimiter=",", fmt="%.10g")
    (folder / "checksum.txt").write_text(repr(checksum(made)))
