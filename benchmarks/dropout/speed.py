"""All networks of a dropout path at once, against the same networks one after another.

    python -m benchmarks.dropout.speed               # 90 networks a table (10 folds x 9 rates), three rounds
    python -m benchmarks.dropout.speed --quick       # 2 folds, one round; prints only

skorch comes from requirements.txt beside this file. Compared, in turn within each round, with the work made equal
(same rows, minibatch sizes, distribution of starting weights, a fixed number of epochs, no early stopping; losses of
held-out rows are outside the clock, standardising the features is inside it):

- bridle: `bridle.nets.engine.train`, all networks in one call, two threads.
- bridle, one by one: the same function, one network a call.
- PyTorch loop: `nn.Sequential` with `nn.Dropout`, fused AdamW, rows permuted once an epoch and cut into minibatches, no
  DataLoader.
- skorch: as its documentation advises, `NeuralNet*` with its default DataLoader.

The loop and skorch are tried on one fold with PyTorch's own number of threads and with one; the faster is what runs.

Writes speed.json beside this file, and prints Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from benchmarks.dropout.common import machine, markdown, store
from benchmarks.dropout.tables import Table, load
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold
from torch import nn

from bridle.nets import Architecture, Training
from bridle.nets.dropout import RATES
from bridle.nets.engine import Rows, Task, train

Float = NDArray[np.float64]
Split = tuple[NDArray[np.int64], NDArray[np.int64]]
Fitted = Callable[[Float], Float]  # rows on their original scale -> links (m,) or (m, k)

FOLDS = 10
ROUNDS = 3
EPOCHS = 10
LEARNING_RATE, L2 = 1e-3, 1e-4
OUTPUT_START = 0.1  # bridle's output layers start this much smaller
CORES = 2


@dataclass(frozen=True, eq=False)
class Case:
    """A table, a network and the folds."""

    name: str
    table: Table
    hidden: tuple[int, ...]
    splits: list[Split]
    epochs: int

    @property
    def batch_size(self) -> int:
        """bridle's own default, written down here so that all use it."""
        n = self.splits[0][0].size
        return int(np.clip(2 ** np.round(np.log2(n / 16)), 32, 512))

    @property
    def outputs(self) -> int:
        return self.table.n_classes if self.table.family == "multinomial" else 1


def simulated(n: int, p: int, signal: int, seed: int = 0) -> Table:
    """Independent normal features, of which the first ``signal`` matter equally; half as much noise as signal."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return Table(
        f"{n} x {p}", "gaussian", X, X[:, :signal].sum(axis=1) / np.sqrt(signal) + 0.5 * rng.standard_normal(n)
    )


def cases(folds: int, epochs: int) -> list[Case]:
    bundled = load(["breast cancer", "digits"])
    chosen = [
        ("breast cancer", bundled["breast cancer"], (64, 64)),
        ("200 x 105", simulated(200, 105, 5), (128, 128)),
        ("digits", bundled["digits"], (64, 64)),
        ("5,000 x 50", simulated(5000, 50, 10), (64, 64)),
    ]
    found = []
    for name, table, hidden in chosen:
        kind = KFold if table.family == "gaussian" else StratifiedKFold
        splits = list(kind(FOLDS, shuffle=True, random_state=0).split(table.X, table.y))[:folds]
        found.append(Case(name, table, hidden, splits, epochs))
    return found


# bridle -----------------------------------------------------------------------------------------------------------


def _settings(case: Case) -> tuple[Architecture, Training]:
    training = Training(
        learning_rate=LEARNING_RATE, l2=L2, batch_size=case.batch_size, max_epochs=case.epochs, early_stopping=False
    )
    return Architecture(case.hidden), training


def bridle_at_once(case: Case) -> list[Fitted]:
    rows, nobody = Rows(case.table.X, case.table.y), np.array([], dtype=np.int64)
    tasks = [Task(fit, nobody, seed) for seed, (fit, _) in enumerate(case.splits)]
    trained = train(
        rows,
        tasks,
        RATES,
        *_settings(case),
        family=case.table.family,
        n_classes=case.outputs,
        device="cpu",
        n_jobs=CORES,
    )
    return [one.network.link for models in trained for one in models]


def bridle_one_by_one(case: Case) -> list[Fitted]:
    rows, nobody = Rows(case.table.X, case.table.y), np.array([], dtype=np.int64)
    found = []
    for seed, (fit, _) in enumerate(case.splits):
        for rate in RATES:
            ((one,),) = train(
                rows, [Task(fit, nobody, seed)], [rate], *_settings(case), family=case.table.family,
                n_classes=case.outputs, device="cpu", n_jobs=1,
            )  # fmt: skip
            found.append(one.network.link)
    return found


# PyTorch ----------------------------------------------------------------------------------------------------------


class Perceptron(nn.Module):
    """Linear, relu and dropout for each hidden layer, then a linear one; weights start as bridle's do."""

    def __init__(self, inputs: int, hidden: tuple[int, ...], outputs: int, rate: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(rate)]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, outputs))
        linear = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        for layer in linear:
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
        nn.init.normal_(linear[-1].weight, std=OUTPUT_START * linear[-1].in_features ** -0.5)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        eta: torch.Tensor = self.layers(X)
        return eta[:, 0] if eta.shape[1] == 1 else eta


class HalfSquares(nn.Module):
    """The unit loss of a gaussian target, (y - eta)^2 / 2."""

    def forward(self, eta: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return 0.5 * nn.functional.mse_loss(eta, y)


LOSSES: dict[str, Callable[[], nn.Module]] = {
    "gaussian": HalfSquares,
    "binomial": nn.BCEWithLogitsLoss,
    "multinomial": nn.CrossEntropyLoss,
}


@dataclass(frozen=True, eq=False)
class Scaled:
    """Training rows in single precision, standardised, and the way back."""

    X: Any  # (m, p) float32
    y: Any  # (m,) float32, or int64 codes
    mean: Float  # (p,)
    scale: Float  # (p,)
    center: float
    spread: float

    @classmethod
    def make(cls, table: Table, fit: NDArray[np.int64]) -> Scaled:
        X, y = table.X[fit], table.y[fit]
        mean, scale = X.mean(axis=0), X.std(axis=0)
        scale[scale == 0.0] = 1.0
        gaussian = table.family == "gaussian"
        center, spread = (float(y.mean()), float(y.std())) if gaussian else (0.0, 1.0)
        kind = np.int64 if table.family == "multinomial" else np.float32
        return cls(
            ((X - mean) / scale).astype(np.float32), ((y - center) / spread).astype(kind), mean, scale, center, spread
        )

    def link(self, module: nn.Module) -> Fitted:
        def answer(X: Float) -> Float:
            module.eval()
            with torch.no_grad():
                eta = module(torch.from_numpy(((X - self.mean) / self.scale).astype(np.float32)))
            return self.center + self.spread * eta.numpy().astype(np.float64)

        return answer


def loop_one(case: Case, fit: NDArray[np.int64], rate: float, seed: int) -> Fitted:
    """Train one network as a careful user of PyTorch would."""
    torch.manual_seed(seed)
    data = Scaled.make(case.table, fit)
    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y)
    model = Perceptron(X.shape[1], case.hidden, case.outputs, rate)
    criterion = LOSSES[case.table.family]()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=L2, fused=True)
    model.train()
    for _ in range(case.epochs):
        order = torch.randperm(len(X))
        for rows, target in zip(X[order].split(case.batch_size), y[order].split(case.batch_size), strict=True):
            optimizer.zero_grad()
            criterion(model(rows), target).backward()
            optimizer.step()
    return data.link(model)


def loop(case: Case) -> list[Fitted]:
    return [loop_one(case, fit, rate, seed) for seed, (fit, _) in enumerate(case.splits) for rate in RATES]


Way = Callable[[Case], list[Fitted]]


def with_threads(number: int, job: Way) -> Way:
    def run(case: Case) -> list[Fitted]:
        torch.set_num_threads(number)
        return job(case)

    return run


# skorch -----------------------------------------------------------------------------------------------------------


def skorch_one_by_one(case: Case) -> list[Fitted]:
    from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor

    kind = {"gaussian": NeuralNetRegressor, "binomial": NeuralNetBinaryClassifier, "multinomial": NeuralNetClassifier}
    found = []
    for seed, (fit, _) in enumerate(case.splits):
        for rate in RATES:
            torch.manual_seed(seed)
            data = Scaled.make(case.table, fit)
            net = kind[case.table.family](
                Perceptron, criterion=LOSSES[case.table.family], optimizer=torch.optim.AdamW, lr=LEARNING_RATE,
                optimizer__weight_decay=L2, max_epochs=case.epochs, batch_size=case.batch_size, train_split=None,
                iterator_train__shuffle=True, verbose=0, module__inputs=data.X.shape[1], module__hidden=case.hidden,
                module__outputs=case.outputs, module__rate=rate,
            )  # fmt: skip
            found.append(data.link(net.fit(data.X, data.y).module_))
    return found


# Comparison -------------------------------------------------------------------------------------------------------


def held_out(case: Case, fitted: list[Fitted]) -> Float:
    """(folds, rates) mean unit deviances of held-out rows, over that of the overall mean or shares."""
    models = iter(fitted)
    out = np.empty((len(case.splits), len(RATES)))
    for j, (fit, held) in enumerate(case.splits):
        y = case.table.y[held]
        for r in range(len(RATES)):
            eta = next(models)(case.table.X[held])
            if case.table.family == "gaussian":
                out[j, r] = np.mean((y - eta) ** 2) / np.mean((y - case.table.y[fit].mean()) ** 2)
                continue
            links = eta if eta.ndim == 2 else np.column_stack([np.zeros(y.size), eta])
            codes = y.astype(int)
            shares = np.bincount(case.table.y[fit].astype(int)) / fit.size
            loss = np.logaddexp.reduce(links, axis=1) - links[np.arange(y.size), codes]
            out[j, r] = loss.mean() / -np.log(shares[codes]).mean()
    return out


def faster(name: str, job: Way, few: Case, usual: int) -> dict[str, Way]:
    """The way with the number of threads that serves it better, under its full name."""
    took = {}
    for threads in (usual, 1):
        start = time.perf_counter()
        with_threads(threads, job)(few)
        took[threads] = time.perf_counter() - start
    best = min(took, key=took.__getitem__)
    return {f"{name}, {best} thread{'s' if best > 1 else ''}": with_threads(best, job)}


def compare(case: Case, rounds: int) -> dict[str, Any]:
    """Seconds of each way in each round, and held-out losses of the first."""
    usual = torch.get_num_threads()
    few = Case(case.name, case.table, case.hidden, case.splits[:1], min(case.epochs, 5))
    bridle_at_once(few)  # imports aren't what is compared
    ways = {
        "bridle": with_threads(usual, bridle_at_once),
        "bridle, one by one": with_threads(usual, bridle_one_by_one),
        **faster("PyTorch loop", loop, few, usual),
        **faster("skorch", skorch_one_by_one, few, usual),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, Float] = {}
    for number in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            fitted = way(case)
            seconds[name].append(time.perf_counter() - start)
            torch.set_num_threads(usual)
            if number == 0:
                losses[name] = held_out(case, fitted)
            print(f"{case.name}, round {number + 1}: {name} {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
    return _summary(case, seconds, losses)


def _summary(case: Case, seconds: dict[str, list[float]], losses: dict[str, Float]) -> dict[str, Any]:
    """Medians of the seconds, and ratios with their spread, each within one round."""
    middle = {name: statistics.median(of) for name, of in seconds.items()}
    ratios = {}
    for name in list(seconds)[1:]:
        each = [a / b for a, b in zip(seconds["bridle"], seconds[name], strict=True)]
        kind = name.rsplit(",", 1)[0] if name.endswith(("thread", "threads")) else name
        ratios[kind] = {"against": name, "median": statistics.median(each), "min": min(each), "max": max(each)}
    agreement = {}
    for name, of in losses.items():
        by_fold = (losses["bridle"] - of).mean(axis=1)
        error = float(by_fold.std(ddof=1) / np.sqrt(by_fold.size)) if by_fold.size > 1 else float("nan")
        agreement[name] = {"mean": float(of.mean()), "bridle_minus": float(by_fold.mean()), "standard_error": error}
    return {
        "case": case.name,
        "n": case.table.X.shape[0],
        "p": case.table.X.shape[1],
        "hidden": case.hidden,
        "models": len(case.splits) * len(RATES),
        "epochs": case.epochs,
        "batch_size": case.batch_size,
        "seconds": seconds,
        "median_seconds": middle,
        "ratios": ratios,
        "held_out_loss": agreement,
    }


def show(rows: list[dict[str, Any]]) -> str:
    """Seconds and ratios, then losses, in Markdown."""

    def spread(ratio: dict[str, Any]) -> str:
        return f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"

    kinds = list(rows[0]["ratios"])
    times = []
    for r in rows:
        seconds = [r["median_seconds"][way] for way in ("bridle", *(r["ratios"][k]["against"] for k in kinds))]
        start = [r["case"], "-".join(map(str, r["hidden"]))]
        times.append([*start, *(f"{s:.2f}" for s in seconds), *(spread(r["ratios"][k]) for k in kinds)])
    losses = [
        [r["case"], name, f"{of['mean']:.4f}", f"{of['bridle_minus']:+.4f}", f"{of['standard_error']:.4f}"]
        for r in rows
        for name, of in r["held_out_loss"].items()
    ]
    head = ("case", "hidden", "bridle, s", *(f"{k}, s" for k in kinds), *(f"bridle / {k}" for k in kinds))
    of_losses = ("case", "trained by", "held-out loss / null", "bridle minus it", "standard error")
    return markdown(head, times) + "\n\n" + markdown(of_losses, losses)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dropout.speed", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--cases", nargs="*", help="names of cases (default all)")
    parser.add_argument("--quick", action="store_true", help="2 folds, one round, 5 epochs; prints only")
    asked = parser.parse_args()
    folds, rounds, epochs = (2, 1, 5) if asked.quick else (FOLDS, asked.rounds, asked.epochs)
    rows = [compare(c, rounds) for c in cases(folds, epochs) if not asked.cases or c.name in asked.cases]
    if not (asked.quick or asked.cases):
        store(
            "speed.json", {"machine": machine("torch", "skorch", "numpy"), "folds": folds, "rates": RATES, "rows": rows}
        )
    print(show(rows))


if __name__ == "__main__":
    main()
