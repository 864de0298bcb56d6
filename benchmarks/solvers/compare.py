"""Compare two results: ``python benchmarks/solvers/compare.py OLD.json NEW.json``; exits with 1 if bridle fell behind.

Times of different days differ with the machine, so what counts is bridle's time over the fastest peer's in the same
run.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from measure import median

KEYS = ("path 0.0001", "path 1e-06", "cv")


def standing(entry: dict[str, Any], key: str) -> float:
    """bridle's median over the fastest peer's; below 1 bridle is ahead."""
    times = {name: median(row.get(key)) for name, row in entry["peers"].items()}
    others = [time for name, time in times.items() if name != "bridle" and not math.isnan(time)]
    return times.get("bridle", math.nan) / min(others) if others else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--allow", type=float, default=1.25, help="growth of the ratio that still counts as noise")
    chosen = parser.parse_args()
    old, new = (json.loads(path.read_text()) for path in (chosen.old, chosen.new))
    if old["small"] != new["small"]:
        sys.exit("one of the two is of --small sizes, the other of full sizes")
    if old["machine"] != new["machine"]:
        print("The machines differ; times are compared within each run only.\n")
    print("| case, threads | what | bridle / fastest peer, old | new | growth | bridle's own time, new / old |")
    print("|---|---|---|---|---|---|")
    behind = [key for key in old["entries"] if key in new["entries"] and compare(key, old, new, chosen.allow)]
    missing = [key for key in old["entries"] if key not in new["entries"]]
    print(f"\n{len(behind)} cases fell behind; {len(missing)} of the old aren't in the new")
    sys.exit(1 if behind else 0)


def compare(key: str, old: dict[str, Any], new: dict[str, Any], allow: float) -> bool:
    """Print a case's lines; whether any of them fell behind, or ended where there was a time before."""
    before, after, worse = old["entries"][key], new["entries"][key], False
    for what in KEYS:
        was, now = standing(before, what), standing(after, what)
        own = [median(entry["peers"].get("bridle", {}).get(what)) for entry in (before, after)]
        lost = not math.isnan(own[0]) and math.isnan(own[1])
        fell = lost or now > allow * was
        worse |= fell
        mark = " **lost**" if lost else " **behind**" if fell else ""
        print(f"| {key} | {what} | {was:.3g} | {now:.3g} | {now / was:.2f}{mark} | {own[1] / own[0]:.2f} |")
    return worse


if __name__ == "__main__":
    main()
