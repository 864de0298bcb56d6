"""Reproduce the calibration: ``python -m benchmarks.calibration`` from the root of the repository.

Writes ``results.json`` and ``results.md`` beside this file. With ``--records`` the simulated tables are kept, and a run
that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.calibration.grid import GRID, QUICK, TUNING_SEEDS, VALIDATION_SEEDS, Scenario
from benchmarks.calibration.simulate import simulate
from benchmarks.calibration.summary import markdown, summarise
from joblib import Parallel, delayed

HERE = Path(__file__).parent


def load(path: Path | None) -> list[dict[str, Any]]:
    """Tables simulated before."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(cells: tuple[Scenario, ...], seeds: range, records: Path | None = None, jobs: int = 1) -> list[dict[str, Any]]:
    """Simulate each cell with each seed, seeds outermost so that a part of a run covers the grid."""
    found = load(records)
    done = {(r["scenario"], r["seed"]) for r in found}
    todo = [(s, seed) for seed in seeds for s in cells if (s.name, seed) not in done]
    for i, record in enumerate(Parallel(n_jobs=jobs, return_as="generator")(delayed(simulate)(*t) for t in todo)):
        found.append(record)
        if records is not None:
            with records.open("a") as out:
                out.write(json.dumps(record) + "\n")
        print(f"\r{i + 1} of {len(todo)} tables", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return sorted(found, key=lambda r: (r["scenario"], r["seed"]))


def main() -> None:
    """Run the grid and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three cells, two seeds; prints instead of writing")
    parser.add_argument("--tuning", action="store_true", help="tuning seeds; prints instead of writing")
    parser.add_argument("--records", type=Path, help="file of simulated tables to keep and to go on from")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    asked = parser.parse_args()
    start = time.process_time()
    seeds = TUNING_SEEDS if asked.tuning or asked.quick else VALIDATION_SEEDS
    summary = summarise(run(QUICK if asked.quick else GRID, seeds, asked.records, asked.jobs))
    text = markdown(summary)
    print(text)
    print(f"{time.process_time() - start:.0f} s of processor time in this process", file=sys.stderr)
    if not (asked.quick or asked.tuning):
        (HERE / "results.json").write_text(json.dumps(summary, indent=1) + "\n")
        (HERE / "results.md").write_text(text)


if __name__ == "__main__":
    main()
