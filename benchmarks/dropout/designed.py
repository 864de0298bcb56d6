"""The designed set: a network that must overfit without dropout, and what the verdict says of it and of tuned dropout.

    python -m benchmarks.dropout.designed            # 12 seeds of each target; about 15 minutes of 2 cores
    python -m benchmarks.dropout.designed --seeds 2 --dry

200 rows, 5 features that matter and 100 that don't, a network of 2 x 128. What it is made of, and why:

- Targets: "binomial", classes by the logistic function of three times the linear signal, the sum of the five features
  scaled to unit variance; "linear", that signal with noise of standard deviation 0.5; "friedman", Friedman's (1991)
  first function of five features with noise 1, as scikit-learn draws it.
- Dropout is the only thing that holds the networks back: no early stopping, no weight decay. 25 epochs, after which the
  network without dropout knows its training rows by heart (its training loss is published beside). More epochs teach it
  nothing, and make probabilities extreme: see `--epochs 50`.
- Folds are those of `bridle.diagnose` for so few rows: 5 folds, 4 repeats. All else is bridle's default.

These were settled on seeds 0 to 2; the seeds that are published start at 100. Judged, among the networks of the path:
the network at rate 0, and the one whose rate is chosen (anew for each fold, on the other folds) by the rule "min".
`bridle.diagnose` then judges the network without dropout against its neighbour (half of the units dropped) and the
usual alternatives: linear models, splines, boosting. Writes designed.json beside this file, and prints Markdown.

References: Friedman (1991), Multivariate adaptive regression splines, Annals of Statistics 19.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import Any

import numpy as np
from benchmarks.dropout.common import machine, markdown, store
from numpy.typing import NDArray
from sklearn.datasets import make_friedman1

import bridle
from bridle.diagnosis.facade import default_repeats
from bridle.diagnosis.verdict import Verdict
from bridle.nets import Architecture, Training, dropout_path
from bridle.selection import make_folds

Float = NDArray[np.float64]

ROWS, SIGNAL, NOISE_FEATURES = 200, 5, 100
HIDDEN = (128, 128)
EPOCHS = 25
TARGETS = ("binomial", "linear", "friedman")
FIRST_SEED, SEEDS = 100, 12


def draw(target: str, seed: int) -> tuple[Float, Float, str]:
    """X (200, 105), y (200,) and the family."""
    p = SIGNAL + NOISE_FEATURES
    if target == "friedman":
        X, y = make_friedman1(ROWS, p, noise=1.0, random_state=seed)
        return X, y, "gaussian"
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((ROWS, p))
    eta = X[:, :SIGNAL].sum(axis=1) / np.sqrt(SIGNAL)
    if target == "linear":
        return X, eta + 0.5 * rng.standard_normal(ROWS), "gaussian"
    return X, (rng.random(ROWS) < 1.0 / (1.0 + np.exp(-3.0 * eta))).astype(np.float64), "binomial"


def said(verdict: Verdict) -> dict[str, Any]:
    """Label, lean, and the comparison that it rests on."""
    worst = max(verdict.comparisons, key=lambda c: c.rho.lower)
    return {
        "label": verdict.label,
        "lean": verdict.lean,
        "against": worst.label,
        "side": worst.side,
        "excess": [worst.rho.value, worst.rho.lower, worst.rho.upper],
    }


def judge(target: str, seed: int, epochs: int) -> dict[str, Any]:
    """Both verdicts on one table, with the losses behind them."""
    X, y, family = draw(target, seed)
    folds = make_folds(y, family=family, n_splits=5, n_repeats=default_repeats(ROWS), seed=seed)
    training = Training(early_stopping=False, l2=0.0, max_epochs=epochs)
    path = dropout_path(
        X, y, family=family, folds=folds, architecture=Architecture(HIDDEN), training=training, seed=seed
    )
    kind = bridle.DropoutRegressor if family == "gaussian" else bridle.DropoutClassifier
    model = kind(HIDDEN, dropout=0.0, early_stopping=False, l2=0.0, max_epochs=epochs, random_state=seed)
    diagnosis = bridle.diagnose(model, X, y.astype(int) if family == "binomial" else y, seed=seed, learning_curve=False)
    null = path.curve.null_loss
    return {
        "target": target,
        "seed": seed,
        "without": said(path.verdict(0.0)),
        "chosen": said(path.verdict()),
        "diagnosed": said(diagnosis.verdict),
        "rate": float(path.select().value),
        "held_out": dict(zip(map(str, path.curve.values), (path.curve.mean / null).tolist(), strict=True)),
        "training": dict(
            zip(map(str, path.curve.values), (path.curve.train_loss.mean(axis=0) / null).tolist(), strict=True)
        ),
    }


def show(runs: list[dict[str, Any]]) -> str:
    """Labels counted by target, and the mean losses."""
    rows = []
    for target in dict.fromkeys(r["target"] for r in runs):
        of = [r for r in runs if r["target"] == target]
        counts = [_counted(Counter(r[who]["label"] for r in of)) for who in ("without", "chosen", "diagnosed")]
        zero = np.mean([r["held_out"]["0.0"] for r in of])
        best = np.mean([r["held_out"][str(r["rate"])] for r in of])
        memory = np.mean([r["training"]["0.0"] for r in of])
        rates = f"{np.median([r['rate'] for r in of]):g}"
        rows.append([target, str(len(of)), *counts, f"{zero:.3f}", f"{best:.3f}", f"{memory:.4f}", rates])
    head = ("target", "seeds", "rate 0", "chosen rate", "rate 0, by `diagnose`", "loss at rate 0", "at the chosen rate",
            "training loss at rate 0", "median rate")  # fmt: skip
    return markdown(head, rows)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{label} {n}" for label, n in counts.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dropout.designed", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--targets", nargs="*", default=TARGETS, choices=TARGETS)
    parser.add_argument("--dry", action="store_true", help="print only")
    asked = parser.parse_args()
    runs = []
    for target in asked.targets:
        for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
            start = time.perf_counter()
            runs.append(judge(target, seed, asked.epochs))
            labels = ", ".join(f"{who}: {runs[-1][who]['label']}" for who in ("without", "chosen", "diagnosed"))
            print(f"{target}, seed {seed}: {labels} ({time.perf_counter() - start:.0f} s)", file=sys.stderr, flush=True)
    if not asked.dry:
        store(
            "designed.json",
            {"machine": machine("torch", "scikit-learn", "numpy"), "epochs": asked.epochs, "runs": runs},
        )
    print(show(runs))


if __name__ == "__main__":
    main()
