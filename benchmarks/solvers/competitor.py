"""The driver's end of a competitor: starts its worker with so many threads, asks it for paths, reads its memory."""

from __future__ import annotations

import json
import os
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from objective import Task, lambda_grid
from scipy import sparse

from data import Case, Work

HERE = Path(__file__).parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class FailedError(Exception):
    """A competitor refused, failed or took too long; the text says which."""


@dataclass(frozen=True)
class Setting:
    """A case as the competitors get it."""

    case: Case
    work: Work
    tasks: tuple[Task, ...]  # one per problem
    lambdas: NDArray[np.float64]  # (problems, L)
    folder: Path


def make_setting(case: Case, folder: Path, length: int = 100) -> Setting:
    """Make the data and write what the workers read."""
    work = case.make()
    n = work.X.shape[0] // work.problems
    parts = [slice(k * n, (k + 1) * n) for k in range(work.problems)] if work.problems > 1 else [slice(None)]
    terms = (case.l1_ratio, case.penalty, case.groups, case.joint, case.intercept)
    tasks = tuple(Task(case.family, work.X[rows], work.y[rows], *terms) for rows in parts)
    lambdas = np.asarray([lambda_grid(task, length) for task in tasks])
    is_sparse = sparse.issparse(work.X)
    job = {
        "family": case.family, "l1_ratio": case.l1_ratio, "n": work.X.shape[0], "p": work.X.shape[1],
        "problems": work.problems, "sparse": is_sparse, "penalty": case.penalty, "groups": case.groups,
        "joint": case.joint, "intercept": case.intercept, "predictors": tasks[0].loss.predictors(work.y),
        "columns": tasks[0].loss.columns(work.y),
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    if is_sparse:
        arrays = {f"X_{part}": getattr(work.X, part) for part in ("data", "indices", "indptr")}
    else:
        arrays = {"X": np.asfortranarray(work.X)}
    for name, array in (arrays | {"y": work.y, "lambdas": lambdas, "folds": work.folds}).items():
        np.save(folder / f"{name}.npy", array)
    return Setting(case, work, tasks, lambdas, folder)


class Took(NamedTuple):
    """Seconds on the clock and of the processor: the second is steadier on a machine that others use too."""

    wall: float
    cpu: float


class Competitor:
    """One worker process; use as a context."""

    def __init__(self, name: str, python: str, setting: Setting, threads: int, timeout: float) -> None:
        self.name, self.timeout = name, timeout
        self.out = setting.folder / name
        self.out.mkdir(exist_ok=True)
        folders = [str(setting.folder), str(self.out)]
        if name == "glmnet":
            command = [python, str(HERE / "peers" / "glmnet.R"), *folders]
        else:
            command = [python, str(HERE / "worker.py"), name, *folders, str(threads)]
        environment = os.environ | dict.fromkeys(THREADS, str(threads))
        self.log = (self.out / "errors").open("w")
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, bufsize=0
        )

    def __enter__(self) -> Competitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()

    def wait_until_ready(self) -> float:
        """Wait for the data to be loaded; MiB in memory then, from where the peak is counted anew."""
        self._answer("ready")
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.memory("VmRSS")

    def ask(self, request: str, tol: float) -> Took:
        """Ask for one path or cross-validation, and wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{request} {tol:g}\n".encode())
        wall, cpu = self._answer("done").split()
        return Took(float(wall), float(cpu))

    def solution(self) -> tuple[Any, NDArray[np.float64]]:
        """Coefficients (problems * L, p columns), a feature's one after the other; intercepts, (.,) or (., K)."""
        parts = tuple(np.load(self.out / f"coef_{part}.npy") for part in ("data", "indices", "indptr"))
        job = json.loads((self.out.parent / "job.json").read_text())
        coef = sparse.csr_matrix(parts, shape=(len(parts[2]) - 1, job["p"] * job["columns"]))
        intercept = np.load(self.out / "intercept.npy")
        return coef, intercept if job["predictors"] == 1 else intercept.reshape(-1, job["predictors"])

    def curve(self) -> NDArray[np.float64]:
        return np.asarray(np.load(self.out / "curve.npy"), dtype=np.float64).ravel()

    def memory(self, field: str = "VmHWM") -> float:
        """MiB: the peak since the data were loaded, or another field of the process's status."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(field))

    def _answer(self, expected: str) -> str:
        """The next line that is meant for us, or Failed."""
        assert self.process.stdout is not None
        buffer = b""
        while True:
            if not select.select([self.process.stdout], [], [], self.timeout)[0]:
                raise FailedError(f"timed out after {self.timeout:g} s")
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                self.log.flush()
                last = (self.out / "errors").read_text().strip().splitlines()[-1:] or ["no message"]
                raise FailedError(f"ended: {last[0][:200]}")
            buffer += chunk
            for line in buffer.decode(errors="replace").split("\n")[:-1]:
                if line.startswith("@"):
                    kind, _, rest = line[1:].partition(" ")
                    if kind == expected:
                        return rest
                    raise FailedError(rest)
