"""One case measured: every competitor's tolerance swept until the referee is content, then timed in turn."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from competitor import Competitor, FailedError, Setting, make_setting
from machine import lower_bound
from numpy.typing import NDArray
from objective import held_out, judge, null_scale

from data import Case

TARGETS = (1e-4, 1e-6)
TOLERANCES = tuple(10.0**-k for k in range(2, 25))  # some stop by squared changes: their tolerances go far down
PROOF = 1e-9  # own gap to which the dual bounds are made that everyone is measured by
JUDGED_PROBLEMS = 20  # of many small ones: the first


@dataclass(frozen=True)
class Options:
    """How a case is measured."""

    threads: int
    repeats: int = 5
    timeout: float = 900.0
    patience: float = 1800.0  # seconds for one competitor's sweep, and for its turns at one target
    cross_validate: bool = True
    targets: tuple[float, ...] = TARGETS


@dataclass(frozen=True)
class Seen:
    """What the referee saw: gaps, worst violation, best held-out deviance; the bounds below the objectives."""

    numbers: dict[str, float]
    bound: NDArray[np.float64]  # (problems * L,)
    objective: NDArray[np.float64]  # (problems * L,)

    @property
    def gap(self) -> float:
        return self.numbers["gap"]


def measure(
    case: Case,
    peers: dict[str, dict[str, str]],
    options: Options,
    speed: dict[str, float],
    say: Callable[[str], None],
    keep: Callable[[dict[str, Any]], None] = lambda entry: None,
) -> dict[str, Any]:
    """Return a row of the results; ``keep`` is called with what there is after each competitor."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        setting = make_setting(case, Path(place))
        n, p = setting.work.X.shape
        entry: dict[str, Any] = {
            "case": case.name, "family": case.family, "l1_ratio": case.l1_ratio, "penalty": case.penalty,
            "n": n, "p": p, "problems": setting.work.problems, "threads": options.threads,
            "judged_by": judged_by(setting), "bound": lower_bound(setting.work.X, speed),
            "peers": {}, "complete": False,
        }  # fmt: skip
        running: dict[str, Competitor] = {}
        bound: NDArray[np.float64] | None = None
        for name in sorted(peers, key=lambda name: name != case.prover):
            found = peers[name]
            row: dict[str, Any] = {}
            entry["peers"][name] = row
            rival = stack.enter_context(Competitor(name, found["python"], setting, options.threads, options.timeout))
            try:
                row["loaded_mib"] = rival.wait_until_ready()
                row["first_seconds"] = rival.ask("path", TOLERANCES[0]).wall  # compiles what is compiled at first use
                if bound is None and judged_by(setting) == "gap":
                    bound = prove(rival, setting)
                row["objective"] = calibrate(rival, setting, bound, options, row)
            except FailedError as failure:
                row["failure"] = str(failure)
            if row.get("tol"):
                running[name] = rival
            else:
                rival.__exit__()
            say(f"{case.name}, {options.threads} threads, {name}: {outcome(row)}")
            keep(entry)
        take_turns(running, entry, options)
    compare_objectives(entry, null_scale(case.family, setting.tasks[0].y))
    entry["complete"] = True
    keep(entry)
    return entry


def prove(rival: Competitor, setting: Setting) -> NDArray[np.float64]:
    """Dual values (problems * L,) as close below the minima as the first competitor's tightest answer proves them.

    Where dual points come from doesn't matter, since the referee computes their values. Measured by these, nobody is
    asked for a good dual point, of which many solvers think nothing, and a gap is what the coefficients alone lose.
    """
    rival.ask("path", PROOF)
    return referee(rival, setting).bound


def calibrate(
    rival: Competitor, setting: Setting, bound: NDArray[np.float64] | None, options: Options, row: dict[str, Any]
) -> list[float]:
    """Sweep the tolerance; ``row["tol"]`` has the loosest that reaches each target, and the sweep what each reached.

    Returns the first problem's objectives, as the last tolerance made them.
    """
    row["sweep"], row["tol"], stuck, spent, objective = [], {}, 0, 0.0, []
    targets = options.targets
    for tol in TOLERANCES:
        try:
            seconds, cpu = rival.ask("path", tol)
        except FailedError as failure:
            row["failure"] = f"at tolerance {tol:g}: {failure}"
            break
        spent += seconds
        row.setdefault("compile_seconds", max(row["first_seconds"] - seconds, 0.0))
        seen = referee(rival, setting, bound)
        objective = seen.objective[: setting.lambdas.shape[1]].tolist()
        better = not row["sweep"] or seen.gap < 0.9 * row["sweep"][-1]["gap"]
        row["sweep"].append({"tol": tol, "seconds": seconds, "cpu": cpu, **seen.numbers})
        for target in targets:
            if seen.gap <= target:
                row["tol"].setdefault(f"{target:g}", tol)
        if seen.gap <= min(targets):
            break
        if spent > options.patience:
            row["failure"] = f"not there after {spent:.0f} s of trying tolerances"
            break
        stuck = 0 if better else stuck + 1
        if stuck >= 4 and tol < 1e-10:  # loose ones may all mean a single pass; here decades changed nothing
            break
    return objective


def referee(rival: Competitor, setting: Setting, bound: NDArray[np.float64] | None = None) -> Seen:
    """Judge what the competitor made of each lambda (of the first problems, if there are many).

    ``gap`` is over the best dual value known, ``own_gap`` over that of the dual point made from the coefficients. For
    a concave penalty there is neither, and ``gap`` is the worst violation of stationarity.
    """
    coef, intercept = rival.solution()
    length = setting.lambdas.shape[1]
    if coef.shape[0] != length * len(setting.tasks):
        raise FailedError(f"{coef.shape[0]} fits came back for {length * len(setting.tasks)}")
    judged = []
    for k, task in enumerate(setting.tasks[:JUDGED_PROBLEMS]):
        rows = slice(k * length, (k + 1) * length)
        judged.append(judge(task, setting.lambdas[k], intercept[rows], coef[rows]))
    test = held_out(setting.case.family, setting.work.X_test, setting.work.y_test, intercept[:length], coef[:length])
    objective = np.concatenate([each.objective for each in judged])
    own = objective - np.concatenate([each.gap for each in judged])
    best = own if bound is None else np.fmax(own, bound)  # fmax: where coefficients aren't finite there is no own
    scale = np.repeat([null_scale(task.family, task.y) for task in setting.tasks[:JUDGED_PROBLEMS]], length)
    kkt = max(float(np.max(each.kkt)) for each in judged)
    worst = float(np.max((objective - best) / scale)) if judged_by(setting) == "gap" else kkt
    numbers = {
        "gap": worst if np.isfinite(worst) else float("inf"),
        "own_gap": max(each.worst_gap for each in judged),
        "kkt": kkt,
        "held_out": float(np.min(test)),
    }
    return Seen(numbers, own, objective)


def judged_by(setting: Setting) -> str:
    """What the targets are of: the duality gap, or without one the violation of stationarity."""
    return "gap" if setting.tasks[0].regulariser.convex else "stationarity"


def compare_objectives(entry: dict[str, Any], scale: float) -> None:
    """Each one's objectives over the best that anyone reached at the same lambda, in units of the gap.

    For convex penalties it says what the gap says. For concave ones, where each may be stationary elsewhere, it says
    who found the better optimum: the worst lambda, the mean, and the share of lambdas within 1e-6 of the best.
    """
    rows = [row for row in entry["peers"].values() if row.get("objective")]
    if not rows:
        return
    objectives = np.asarray([row.pop("objective") for row in rows])
    over = (objectives - np.min(objectives, axis=0)) / scale
    for row, each in zip(rows, over, strict=True):
        row["over_best"] = {
            "worst": float(np.max(each)),
            "mean": float(np.mean(each)),
            "best_at": float(np.mean(each <= 1e-6)),
        }


def take_turns(running: dict[str, Competitor], entry: dict[str, Any], options: Options) -> None:
    """Time each target, then cross-validation, one competitor after the other in each round."""
    reached = [f"{target:g}" for target in options.targets]
    for target in reached:
        rounds("path", running, entry, f"path {target}", [target], options)
    for name, rival in running.items():
        if rival.process.poll() is None:
            entry["peers"][name]["peak_mib"] = rival.memory()
    if not options.cross_validate:
        return
    rounds("cv", running, entry, "cv", reached[::-1], options)
    for name, rival in running.items():
        if rival.process.poll() is None:
            entry["peers"][name]["peak_mib_cv"] = rival.memory()


def rounds(
    request: str, running: dict[str, Competitor], entry: dict[str, Any], key: str, wanted: list[str], options: Options
) -> None:
    """Ask for ``request`` at the tolerance of the first of the ``wanted`` targets that the competitor reaches."""
    for turn in range(options.repeats):
        for name, rival in running.items():
            row = entry["peers"][name]
            if sum(row.get(key, [])) > options.patience / 10.0:
                continue  # so slow that once or twice will do
            target = next((t for t in wanted if t in row["tol"]), None)
            if target is None or rival.process.poll() is not None or f"failure {key}" in row:
                continue
            try:
                took = rival.ask(request, row["tol"][target])
                row.setdefault(key, []).append(took.wall)
                row.setdefault(f"cpu {key}", []).append(took.cpu)
            except FailedError as failure:
                row[f"failure {key}"] = str(failure)
                rival.process.kill()
                rival.process.wait()  # or it would still count as running
                continue
            if request == "cv" and turn == 0:
                row["cv_target"] = target
                row["cv_minimum"] = float(np.min(rival.curve().reshape(entry["problems"], -1)[0]))


def outcome(row: dict[str, Any]) -> str:
    """The sweep in a few words."""
    if not row.get("sweep"):
        return str(row.get("failure"))
    last = row["sweep"][-1]
    words = f"gap {last['gap']:.1e} at tolerance {last['tol']:g} in {last['seconds']:.3g} s, cpu {last['cpu']:.3g} s"
    return f"{words}; {row['failure']}" if "failure" in row else words


def median(values: list[float] | None) -> float:
    return statistics.median(values) if values else float("nan")
