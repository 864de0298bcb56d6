"""Held-out rows of real tables: tuned dropout, the same network without it, and scikit-learn's perceptron.

    python -m benchmarks.dropout.quality             # four tables bundled with scikit-learn, 20 seeds
    python -m benchmarks.dropout.quality --others    # and those of the data folder (BRIDLE_DATA), where it is

Each seed draws 25 % of the rows (of each class) to hold out, and seeds everything else. On the other rows
`DropoutPathCV` chooses the rate by five folds. The network without dropout is the path's own at rate 0: the same
initial weights, minibatches, early stopping and rows set aside for it. scikit-learn's perceptron has the same hidden
layers and standardised features (and target, for a quantity), and is run with and without its early stopping; what is
compared with is the one of the two with the lower held-out deviance on the table, a choice that favours it.

Differences are paired by seed; their standard errors have Nadeau and Bengio's correction for overlapping splits.
Writes quality.json beside this file, and prints Markdown.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from typing import Any

import numpy as np
from benchmarks.dropout.common import corrected, machine, markdown, store
from benchmarks.dropout.tables import BUNDLED, Table, load
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from bridle import DropoutClassifier, DropoutPathCV, DropoutRegressor

Float = NDArray[np.float64]

HIDDEN = (64, 64)
HELD_OUT = 0.25
SEEDS = 20
RULES = ("1se", "min")
TUNED = tuple(f"dropout, {rule}" for rule in RULES)
WITHOUT = "no dropout"
PEERS = ("MLP", "MLP, early stopping")
LEAST = float(np.finfo(np.float64).eps)  # probabilities are kept this far from 0, as scikit-learn's log_loss does


def score(table: Table, test: Any, answer: Float) -> tuple[float, float]:
    """Mean unit deviance, and the error that people know: 1 - accuracy or 1 - R2, on held-out rows.

    ``answer`` holds probabilities of the classes (m, k), or predicted numbers (m,).
    """
    y = table.y[test]
    if table.family == "gaussian":
        deviance = float(np.mean((y - answer) ** 2))
        return deviance, deviance / float(y.var())
    p = np.maximum(answer[np.arange(y.size), y.astype(int)], LEAST)
    return float(-2.0 * np.log(p).mean()), float(np.mean(answer.argmax(axis=1) != y))


def null_deviance(table: Table, train: Any, test: Any) -> float:
    """Held-out deviance of the overall mean, or of the shares of the classes."""
    y, m = table.y, len(test)
    if table.family == "gaussian":
        return score(table, test, np.full(m, y[train].mean()))[0]
    return score(table, test, np.tile(np.bincount(y[train].astype(int)) / len(train), (m, 1)))[0]


def networks(table: Table, train: Any, test: Any, seed: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Scores of tuned dropout, under each rule, and of the same network without dropout; and the rates chosen."""
    kind = DropoutRegressor if table.family == "gaussian" else DropoutClassifier
    y = table.y if table.family == "gaussian" else table.y.astype(int)
    model = DropoutPathCV(kind(HIDDEN), random_state=seed).fit(table.X[train], y[train])
    path = model.path_

    def at(k: int) -> tuple[float, float]:
        answer = path.fits[k].network.predict_mean(table.X[test])
        if table.family == "binomial":
            answer = np.column_stack([1.0 - answer, answer])
        return score(table, test, answer)

    chosen = {name: path.select(rule) for name, rule in zip(TUNED, RULES, strict=True)}
    found = {name: at(choice.index) for name, choice in chosen.items()}
    found[WITHOUT] = at(int(np.flatnonzero(path.curve.values == 0.0)[0]))
    return found, {name: float(choice.value) for name, choice in chosen.items()}


def perceptron(table: Table, train: Any, test: Any, seed: int, early: bool) -> tuple[float, float]:
    """Score of scikit-learn's network."""
    scaler = StandardScaler().fit(table.X[train])
    A, B = scaler.transform(table.X[train]), scaler.transform(table.X[test])
    y = table.y[train]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # its default of 200 epochs is what people run
        if table.family == "gaussian":
            mean, spread = y.mean(), y.std()
            regressor = MLPRegressor(hidden_layer_sizes=HIDDEN, early_stopping=early, random_state=seed)
            return score(table, test, mean + spread * regressor.fit(A, (y - mean) / spread).predict(B))
        classifier = MLPClassifier(hidden_layer_sizes=HIDDEN, early_stopping=early, random_state=seed)
        return score(table, test, classifier.fit(A, y).predict_proba(B))


def run_seed(table: Table, seed: int) -> dict[str, Any]:
    """All models on one split: deviance over that of the null model, and error."""
    classes = None if table.family == "gaussian" else table.y
    train, test = train_test_split(np.arange(table.y.size), test_size=HELD_OUT, random_state=seed, stratify=classes)
    found, rates = networks(table, train, test, seed)
    found |= {
        name: perceptron(table, train, test, seed, early) for name, early in zip(PEERS, (False, True), strict=True)
    }
    null = null_deviance(table, train, test)
    return {
        "seed": seed,
        "rates": rates,
        "deviance": {name: of[0] / null for name, of in found.items()},
        "error": {name: of[1] for name, of in found.items()},
    }


def summary(table: Table, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds, and paired differences of tuned dropout with what it is compared with."""
    value = {m: {k: np.array([r[m][k] for r in runs]) for k in runs[0][m]} for m in ("deviance", "error")}
    peer = min(PEERS, key=lambda name: value["deviance"][name].mean())
    differences = []
    for measure in value:
        for tuned in TUNED:
            for other in (WITHOUT, peer):
                mean, error = corrected(value[measure][tuned] - value[measure][other], HELD_OUT)
                differences.append(
                    {"measure": measure, "model": tuned, "against": other, "mean": mean, "standard_error": error,
                     "not_worse": mean <= error}
                )  # fmt: skip
    return {
        "table": table.name,
        "n": table.X.shape[0],
        "p": table.X.shape[1],
        "family": table.family,
        "better_peer": peer,
        "means": {m: {k: float(v.mean()) for k, v in of.items()} for m, of in value.items()},
        "median_rate": {k: float(np.median([r["rates"][k] for r in runs])) for k in TUNED},
        "differences": differences,
        "runs": runs,
    }


def show(summaries: list[dict[str, Any]]) -> str:
    """The means, then the differences, in Markdown."""
    names = (*TUNED, WITHOUT, *PEERS)
    means = [
        [s["table"], f"{s['n']} x {s['p']}", *(
            f"{100 * s['means']['deviance'][k]:.1f} ({100 * s['means']['error'][k]:.1f})" for k in names
        ), " / ".join(f"{s['median_rate'][k]:g}" for k in TUNED)]
        for s in summaries
    ]  # fmt: skip
    rows = []
    for s in summaries:
        for d in s["differences"]:
            row = [s["table"], d["measure"], d["model"], d["against"], f"{100 * d['mean']:+.2f}"]
            rows.append([*row, f"{100 * d['standard_error']:.2f}", "yes" if d["not_worse"] else "**no**"])
    return "\n\n".join((
        markdown(("table", "rows x features", *names, "median rate, 1se / min"), means),
        markdown(("table", "measure", "model", "against", "difference", "standard error", "not worse"), rows),
    ))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dropout.quality", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"splits of each table (default {SEEDS})")
    parser.add_argument("--tables", nargs="*", help="names of tables (default all)")
    parser.add_argument("--others", action="store_true", help="also the tables of the data folder")
    parser.add_argument("--dry", action="store_true", help="print only")
    asked = parser.parse_args()
    names = asked.tables or (None if asked.others else list(BUNDLED))
    summaries = []
    for table in load(names).values():
        start, runs = time.perf_counter(), []
        for seed in range(asked.seeds):
            runs.append(run_seed(table, seed))
            print(f"\r{table.name}: {seed + 1} of {asked.seeds}", end="", file=sys.stderr, flush=True)
        print(f", {time.perf_counter() - start:.0f} s", file=sys.stderr)
        summaries.append(summary(table, runs))
    if not asked.dry:
        about = machine("scikit-learn", "torch", "numpy")
        about_run = {"hidden": HIDDEN, "held_out": HELD_OUT, "seeds": asked.seeds}
        store("quality.json", {"machine": about, "settings": about_run, "tables": summaries})
    print(show(summaries))


if __name__ == "__main__":
    main()
