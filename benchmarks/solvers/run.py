"""The benchmark: ``python benchmarks/solvers/run.py`` after ``install.py``; ``--small`` to try it.

Results are stored after every competitor, aside and then renamed; a run that was stopped goes on where it was with
``--resume``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from install import installed
from machine import describe, rates
from measure import Options, measure
from table import markdown, plot

from data import cases

HERE = Path(__file__).parent


def main() -> None:
    chosen = arguments()
    everyone = installed()
    peers = {name: found for name, found in everyone.items() if "python" in found and chosen_peer(name, chosen.peers)}
    work = [case for case in cases(chosen.small) if any(case.name.startswith(c) for c in chosen.cases)]
    if not work or not peers:
        sys.exit(f"nothing to measure: {len(work)} cases and {len(peers)} peers match")
    out = Path(chosen.out)
    results = start(out, chosen, everyone)
    for threads in chosen.threads:
        results["rates"].setdefault(str(threads), rates(threads))
        for case in work:
            key = f"{case.name} | {threads}"
            if results["entries"].get(key, {}).get("complete"):
                continue

            def keep(entry: dict[str, Any], key: str = key) -> None:
                results["entries"][key] = entry
                store(out, results)

            options = Options(threads, chosen.repeats, chosen.timeout, chosen.patience, not chosen.no_cv)
            measure(
                case, peers, options, results["rates"][str(threads)], lambda line: print(line, file=sys.stderr), keep
            )
    out.with_suffix(".md").write_text(markdown(results))
    plot(results, out.with_suffix(".svg"))
    print(markdown(results))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cases", nargs="*", default=[""], metavar="PREFIX", help="names that start so, as in: A 'H ridge'"
    )
    parser.add_argument(
        "--peers", nargs="*", default=[], metavar="PEER", help="all that are installed, if none is given"
    )
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one answer of a competitor")
    parser.add_argument(
        "--patience", type=float, default=1800.0, help="seconds for one competitor to find its tolerances in"
    )
    parser.add_argument("--no-cv", action="store_true", help="paths only")
    parser.add_argument("--small", action="store_true", help="about a hundredth of the work")
    parser.add_argument("--resume", action="store_true", help="keep the complete rows of --out")
    parser.add_argument("--out", default=str(HERE / "results" / "results.json"))
    return parser.parse_args()


def chosen_peer(name: str, wanted: list[str]) -> bool:
    return not wanted or name in wanted


def start(out: Path, chosen: argparse.Namespace, everyone: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What is there already, if asked for, or an empty file's worth."""
    out.parent.mkdir(parents=True, exist_ok=True)
    versions = {name: found.get("version") or f"not installed: {found['error']}" for name, found in everyone.items()}
    fresh = {"machine": describe(), "versions": versions, "small": chosen.small, "rates": {}, "entries": {}}
    if not chosen.resume or not out.exists():
        return fresh
    results: dict[str, Any] = json.loads(out.read_text())
    for field in ("machine", "versions", "small"):
        if results[field] != fresh[field]:
            sys.exit(f"{out} can't be resumed: its {field} was {results[field]}, now {fresh[field]}")
    return results


def store(path: Path, value: dict[str, Any]) -> None:
    aside = path.with_suffix(".part")
    aside.write_text(json.dumps(value, indent=1) + "\n")
    aside.replace(path)


if __name__ == "__main__":
    main()
