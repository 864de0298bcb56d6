"""Time against rows and features over three decades, with exponents: ``python benchmarks/solvers/growth.py``.

Lasso paths of 100 lambdas to a relative gap of 1e-6, gaussian and binomial; the exponent is the slope of log time on
log size, over all sizes and over the upper half, where fixed costs weigh less.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from install import installed
from machine import describe, rates
from measure import Options, measure, median
from run import store

from data import Case, dense

HERE = Path(__file__).parent
ROWS, FEATURES = (
    (1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000),
    (100, 316, 1_000, 3_162, 10_000, 31_623, 100_000),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="*", default=[])
    parser.add_argument("--families", nargs="*", default=["gaussian", "binomial"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=300.0)
    parser.add_argument("--largest", type=int, default=10**9, help="leave larger sizes out")
    parser.add_argument("--out", default=str(HERE / "results" / "growth.json"))
    chosen = parser.parse_args()
    peers = {k: v for k, v in installed().items() if "python" in v and (not chosen.peers or k in chosen.peers)}
    out, speed = Path(chosen.out), rates(1)
    out.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"machine": describe(), "series": {}}
    options = Options(1, chosen.repeats, chosen.timeout, cross_validate=False, targets=(1e-6,))
    for family in chosen.families:
        for what, sizes in (("rows, 50 features", ROWS), ("features, 200 rows", FEATURES)):
            entries = []
            for size in wanted(sizes, chosen.largest):
                n, p = (size, 50) if what.startswith("rows") else (200, size)
                case = Case(f"{family}, {n} x {p}", family, partial(dense, family, n, p, rho=0.3))
                entries.append(measure(case, peers, options, speed, lambda line: print(line, file=sys.stderr)))
                results["series"][f"{family}, {what}"] = summary(list(sizes[: len(entries)]), entries, list(peers))
                store(out, results)
    for title, series in results["series"].items():
        print(
            f"\n{title}\n\n| peer | "
            + " | ".join(f"{size:,}" for size in series["sizes"])
            + " | exponent | upper half |"
        )
        print("|---" * (len(series["sizes"]) + 3) + "|")
        for name, row in series["peers"].items():
            times = " | ".join("-" if np.isnan(t) else f"{t:.3g} s" for t in row["seconds"])
            print(f"| {name} | {times} | {row['exponent']:.2f} | {row['upper']:.2f} |")


def wanted(sizes: tuple[int, ...], largest: int) -> list[int]:
    return [size for size in sizes if size <= largest]


def summary(sizes: list[int], entries: list[dict[str, Any]], names: list[str]) -> dict[str, Any]:
    """Medians and slopes of each competitor."""
    rows = {}
    for name in names:
        times = [median(entry["peers"][name].get("path 1e-06")) for entry in entries]
        half = len(sizes) // 2
        rows[name] = {"seconds": times, "exponent": slope(sizes, times), "upper": slope(sizes[half:], times[half:])}
    return {"sizes": sizes, "peers": rows}


def slope(sizes: list[int], times: list[float]) -> float:
    """Least squares of log time on log size, over the sizes that were reached."""
    x, t = np.log(sizes), np.log(times)
    known = np.isfinite(t)
    return float(np.polyfit(x[known], t[known], 1)[0]) if known.sum() > 1 else float("nan")


if __name__ == "__main__":
    main()
