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
JUDGED_PROBLEMS = 20  # of many small ones: the first


@dataclass(frozen=True)
class Options:
    """How a case is measured."""

    threads: int
    repeats: int = 5
    timeout: float = 900.0
    cross_validate: bool = True
    targets: tuple[float, ...] = TARGETS


@dataclass(frozen=True)
class Seen:
    """What the referee saw: worst gap and violation, best held-out deviance; objectives and the bounds below them."""

    numbers: dict[str, float]
    objective: NDArray[np.float64]  # (problems * L,)
    bound: NDArray[np.float64]  # (problems * L,)

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
            "case": case.name, "family": case.family, "l1_ratio": case.l1_ratio, "n": n, "p": p,
            "problems": setting.work.problems, "threads": options.threads,
            "bound": lower_bound(setting.work.X, speed), "peers": {}, "complete": False,
        }  # fmt: skip
        running: dict[str, Competitor] = {}
        sweeps: dict[str, list[Seen]] = {}
        for name, found in peers.items():
            row: dict[str, Any] = {}
            entry["peers"][name] = row
            rival = stack.enter_context(Competitor(name, found["python"], setting, options.threads, options.timeout))
            try:
                row["loaded_mib"] = rival.wait_until_ready()
                calibrate(rival, setting, options.targets, row, sweeps)
            except FailedError as failure:
                row["failure"] = str(failure)
            if row.get("tol"):
                running[name] = rival
            else:
                rival.__exit__()
            say(f"{case.name}, {options.threads} threads, {name}: {outcome(row)}")
            keep(entry)
        add_excess(entry, setting, sweeps)
        take_turns(running, entry, options)
    entry["complete"] = True
    keep(entry)
    return entry


def calibrate(
    rival: Competitor,
    setting: Setting,
    targets: tuple[float, ...],
    row: dict[str, Any],
    sweeps: dict[str, list[Seen]],
) -> None:
    """Sweep the tolerance; ``row["tol"]`` has the loosest that reaches each target, and the sweep what each reached."""
    first = rival.ask("path", TOLERANCES[0])  # compiles what is compiled at first use
    row["sweep"], row["tol"], stuck = [], {}, 0
    seen_so_far: list[Seen] = []
    sweeps[rival.name] = seen_so_far
    for tol in TOLERANCES:
        try:
            seconds = rival.ask("path", tol)
        except FailedError as failure:
            row["failure"] = f"at tolerance {tol:g}: {failure}"
            break
        row.setdefault("compile_seconds", max(first - seconds, 0.0))
        seen = referee(rival, setting)
        better = not row["sweep"] or seen.gap < 0.9 * row["sweep"][-1]["gap"]
        row["sweep"].append({"tol": tol, "seconds": seconds, **seen.numbers})
        seen_so_far.append(seen)
        for target in targets:
            if seen.gap <= target:
                row["tol"].setdefault(f"{target:g}", tol)
        if seen.gap <= min(targets):
            break
        stuck = 0 if better else stuck + 1
        if stuck >= 4 and tol < 1e-10:  # loose ones may all mean a single pass; here decades changed nothing
            break


def referee(rival: Competitor, setting: Setting) -> Seen:
    """Judge what the competitor made of each lambda (of the first problems, if there are many)."""
    coef, intercept = rival.solution()
    length = setting.lambdas.shape[1]
    if coef.shape[0] != length * len(setting.tasks):
        raise FailedError(f"{coef.shape[0]} fits came back for {length * len(setting.tasks)}")
    judged = []
    for k, task in enumerate(setting.tasks[:JUDGED_PROBLEMS]):
        rows = slice(k * length, (k + 1) * length)
        judged.append(judge(task, setting.lambdas[k], intercept[rows], coef[rows]))
    test = held_out(setting.case.family, setting.work.X_test, setting.work.y_test, intercept[:length], coef[:length])
    numbers = {
        "gap": max(each.worst_gap for each in judged),
        "kkt": max(float(np.max(each.kkt)) for each in judged),
        "held_out": float(np.min(test)),
    }
    objective = np.concatenate([each.objective for each in judged])
    return Seen(numbers, objective, objective - np.concatenate([each.gap for each in judged]))


def add_excess(entry: dict[str, Any], setting: Setting, sweeps: dict[str, list[Seen]]) -> None:
    """Add to each sweep the worst objective above the best lower bound that anyone proves, relative as gaps are.

    A competitor's own gap asks it for a good dual point too, of which some solvers think nothing: this one doesn't.
    """
    bounds = [step.bound for steps in sweeps.values() for step in steps if np.all(np.isfinite(step.bound))]
    if not bounds:
        return
    best, length = np.max(bounds, axis=0), setting.lambdas.shape[1]
    scale = np.repeat([null_scale(task.family, task.y) for task in setting.tasks[:JUDGED_PROBLEMS]], length)
    for name, steps in sweeps.items():
        for stored, step in zip(entry["peers"][name]["sweep"], steps, strict=True):
            stored["excess"] = float(np.max((step.objective - best) / scale))


def take_turns(running: dict[str, Competitor], entry: dict[str, Any], options: Options) -> None:
    """Time each target, then cross-validation, one competitor after the other in each round."""
    reached = [f"{target:g}" for target in options.targets]
    for target in reached:
        rounds("path", running, entry, f"path {target}", [target], options.repeats)
    for name, rival in running.items():
        if rival.process.poll() is None:
            entry["peers"][name]["peak_mib"] = rival.memory()
    if not options.cross_validate:
        return
    rounds("cv", running, entry, "cv", reached[::-1], options.repeats)
    for name, rival in running.items():
        if rival.process.poll() is None:
            entry["peers"][name]["peak_mib_cv"] = rival.memory()


def rounds(
    request: str, running: dict[str, Competitor], entry: dict[str, Any], key: str, wanted: list[str], repeats: int
) -> None:
    """Ask for ``request`` at the tolerance of the first of the ``wanted`` targets that the competitor reaches."""
    for turn in range(repeats):
        for name, rival in running.items():
            row = entry["peers"][name]
            target = next((t for t in wanted if t in row["tol"]), None)
            if target is None or rival.process.poll() is not None or f"failure {key}" in row:
                continue
            try:
                row.setdefault(key, []).append(rival.ask(request, row["tol"][target]))
            except FailedError as failure:
                row[f"failure {key}"] = str(failure)
                rival.process.kill()
                continue
            if request == "cv" and turn == 0:
                row["cv_target"] = target
                row["cv_minimum"] = float(np.min(rival.curve().reshape(entry["problems"], -1)[0]))


def outcome(row: dict[str, Any]) -> str:
    """The sweep in a few words."""
    if not row.get("sweep"):
        return str(row.get("failure"))
    last = row["sweep"][-1]
    words = f"gap {last['gap']:.1e} at tolerance {last['tol']:g} in {last['seconds']:.3g} s"
    return f"{words}; {row['failure']}" if "failure" in row else words


def median(values: list[float] | None) -> float:
    return statistics.median(values) if values else float("nan")
