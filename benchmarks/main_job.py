"""Wall time and peak memory of the main job as a whole process, from a cold start.

    python benchmarks/main_job.py            # breast cancer through the command line
    python benchmarks/main_job.py --million  # and a Parquet file of 1,000,000 rows x 50 columns

Peak memory is the resident set's high-water mark of the process, as the kernel keeps it.
The result is printed as a Markdown table and written to main_job.json beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).parent
MIB = 1024.0 * 1024.0


def breast_cancer(folder: Path) -> tuple[Path, str, int, int]:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer(as_frame=True)
    path = folder / "breast_cancer.csv"
    data.frame.to_csv(path, index=False)
    return path, "target", *data.data.shape


def million(folder: Path, n: int = 1_000_000, p: int = 50) -> tuple[Path, str, int, int]:
    """Gaussian features with pairwise correlation 0.3, ten of which matter, R2 about 0.5."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal(n)
    columns, signal = {}, np.zeros(n)
    for j in range(p):
        x = np.sqrt(0.7) * rng.standard_normal(n) + np.sqrt(0.3) * shared
        columns[f"x{j:02d}"] = x
        if j % 5 == 0:
            signal += x * (1.0 if j % 2 == 0 else -0.5)
    columns["y"] = signal + signal.std() * rng.standard_normal(n)
    path = folder / "million.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return path, "y", n, p


def run_once(path: Path, target: str, out: Path) -> tuple[float, float]:
    """Seconds and peak MiB of one `bridle fit` in a process of its own (the kernel's VmHWM, so Linux only)."""
    bridle = str(Path(sys.executable).parent / "bridle")
    command = [bridle, "fit", str(path), "--target", target, "--out", str(out), "--quiet"]
    start, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        with contextlib.suppress(OSError, StopIteration):
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peak = max(peak, float(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024.0)
        time.sleep(0.01)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - start, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", action="store_true", help="also 1,000,000 x 50")
    parser.add_argument("--runs", type=int, default=5, help="runs of the small case (default 5)")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = [("breast cancer, CSV", breast_cancer, args.runs)]
        if args.million:
            cases.append(("1,000,000 x 50, Parquet", million, 1))
        for label, make, runs in cases:
            path, target, n, p = make(folder)
            found = [run_once(path, target, folder / f"out-{k}") for k in range(runs)]
            matrix = n * p * 8 / MIB
            rows.append(
                {
                    "case": label,
                    "n": n,
                    "p": p,
                    "runs": runs,
                    "seconds_median": statistics.median(s for s, _ in found),
                    "seconds_min": min(s for s, _ in found),
                    "seconds_max": max(s for s, _ in found),
                    "peak_mib": max(m for _, m in found),
                    "matrix_mib": matrix,
                    "peak_over_matrix": max(m for _, m in found) / matrix,
                    "report_kb": (folder / "out-0" / "report.html").stat().st_size / 1000,
                }
            )
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    (HERE / "main_job.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    print("| case | wall s, median (min to max) | peak MiB | peak / matrix | report kB |\n|---|---|---|---|---|")
    for r in rows:
        print(
            f"| {r['case']} | {r['seconds_median']:.2f} ({r['seconds_min']:.2f} to {r['seconds_max']:.2f}) | "
            f"{r['peak_mib']:.0f} | {r['peak_over_matrix']:.1f} | {r['report_kb']:.0f} |"
        )


if __name__ == "__main__":
    main()
