"""What the machine is, and what it could do at best: copy bandwidth and GEMM rate, measured."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits


def describe() -> dict[str, Any]:
    """Processor, cores, memory, kernel; no host names."""
    fields = dict(
        [part.strip() for part in line.split(":", 1)]
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if ":" in line
    )
    kilobytes = int(Path("/proc/meminfo").read_text().splitlines()[0].split()[1])
    return {
        "processor": fields.get("model name", platform.machine()), "family": fields.get("cpu family", ""),
        "cores": Path("/proc/cpuinfo").read_text().count("processor\t"), "memory_gib": round(kilobytes / 2**20, 1),
        "system": platform.system() + " " + platform.release().split("-")[0], "python": platform.python_version(),
        "numpy": np.__version__,
    }  # fmt: skip


def rates(threads: int) -> dict[str, float]:
    """Bytes a second that a copy moves (read and written, one thread), flops a second of a product; best of 5."""
    source = np.ones(2**25)
    target = np.empty_like(source)
    A = np.random.default_rng(0).standard_normal((1500, 1500))
    with threadpool_limits(threads):
        gemm = _best(lambda: A @ A)
    copy = _best(lambda: np.copyto(target, source))
    return {"copy_bytes": 2.0 * source.nbytes / copy, "gemm_flops": 2.0 * 1500.0**3 / gemm}


def lower_bound(X: Any, speed: dict[str, float]) -> dict[str, float]:
    """Seconds to read X once, and to form the smaller of X'X and XX' once (half a product, by symmetry).

    Nothing that solves the problem reads less than X once. The Gram matrix isn't needed by every method: it is the
    yardstick of those that work on it, where n > p.
    """
    n, p = X.shape
    if sparse.issparse(X):
        return {"read": (X.data.nbytes + X.indices.nbytes) / speed["copy_bytes"], "gram": float("nan")}
    return {"read": X.nbytes / speed["copy_bytes"], "gram": n * p * min(n, p) / speed["gemm_flops"]}


def _best(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
