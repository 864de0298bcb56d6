"""``bridle compare``: two or more saved studies side by side."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bridle.results import ModelResult, StudyResult

EPILOG = """[bold]Examples[/bold]

bridle compare bridle-january bridle-february

bridle compare with-age/study.json without-age/study.json --json
"""


CLEAR = 0.5  # least correlation of contribution and value with which a feature of a network has a direction


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("compare", epilog=EPILOG)(compare)


def compare(
    *,
    studies: Annotated[
        list[FilePath], typer.Argument(metavar="STUDY...", help="Two or more folders of studies, or their study.json.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare saved studies: verdict, loss, and the features that their best models share or disagree on."""
    from bridle.job.saving import load_result

    if len(studies) < 2:
        raise typer.BadParameter(f"{len(studies)} study was given; compare needs two or more", param_hint="STUDIES")
    results = [load_result(path) for path in studies]
    names = _names(studies)
    pairs = [
        compare_pair(names[i], results[i], names[j], results[j])
        for i, j in itertools.combinations(range(len(results)), 2)
    ]
    if as_json:
        print(json.dumps(_record(names, results, pairs), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _show(names, results, pairs)


@dataclass(frozen=True)
class Pair:
    """What two studies have in common."""

    first: str
    second: str
    same_data: bool
    comparable: str  # why their losses can or can't be compared
    common: tuple[str, ...]  # features in both best models
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    sign_disagreements: tuple[str, ...]  # features in both, of opposite sign


def compare_pair(first: str, a: StudyResult, second: str, b: StudyResult) -> Pair:
    """Compare the best models of two studies."""
    left, right = _directions(a.model(a.best)), _directions(b.model(b.best))
    common = tuple(f for f in left if f in right)
    return Pair(
        first,
        second,
        _same_data(a, b),
        _comparable(a, b),
        common,
        tuple(f for f in left if f not in right),
        tuple(f for f in right if f not in left),
        tuple(f for f in common if left[f] * right[f] < 0),
    )


def _directions(model: ModelResult) -> dict[str, float]:
    """Give each feature that a model uses with a number of its sign; 0 where it neither raises nor lowers predictions.

    A feature of a network has no coefficient; it raises or lowers where its contributions go with its value.
    """
    if model.coefficients:
        return {c.feature: c.value for c in model.coefficients}
    return {a.feature: a.direction if abs(a.direction) >= CLEAR else 0.0 for a in model.attributions if a.share > 0.0}


def _setting(model: ModelResult) -> str:
    from bridle.cli.verdict import short

    return f"{model.parameter} = {short(model.value)}" if model.parameter else "-"


def _same_data(a: StudyResult, b: StudyResult) -> bool:
    return a.data.sha256 == b.data.sha256


def _comparable(a: StudyResult, b: StudyResult) -> str:
    if a.data.target != b.data.target or a.data.family != b.data.family:
        return (
            f"different targets ({a.data.target}, {a.data.family}; {b.data.target}, {b.data.family}): "
            "their losses can't be compared"
        )
    if not _same_data(a, b):
        return "different data (their hashes differ): their losses are of different rows, so compare them with care"
    if (a.data.n_train, a.data.n_holdout, a.reproduce.seed) != (b.data.n_train, b.data.n_holdout, b.reproduce.seed):
        return "the same data, split differently: losses differ by the split too"
    return "the same data and the same split: losses can be compared directly"


def _names(paths: list[FilePath]) -> list[str]:
    """Give each study the shortest name that tells it apart: its folder, or the whole path."""
    folders = [(p if p.is_dir() else p.absolute().parent).name or str(p) for p in paths]
    names = folders if len(set(folders)) == len(folders) else [str(p) for p in paths]
    return names if len(set(names)) == len(names) else [f"{n} ({k})" for k, n in enumerate(names, 1)]


def _show(names: list[str], results: list[StudyResult], pairs: list[Pair]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from bridle.cli.console import out
    from bridle.cli.verdict import interval, score_name, verdict_text

    console = out()
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for name in names:
        table.add_column(name)
    bests = [r.model(r.best) for r in results]
    scores = [score_name(r) for r in results]
    held = [b.holdout_scores.get(s, b.holdout_loss) for b, s in zip(bests, scores, strict=True)]
    heading = f"Held-out {scores[0]}" if len(set(scores)) == 1 else "Held-out score"
    table.add_row("Target", *(f"{r.data.target} ({r.data.family})" for r in results))
    table.add_row("Rows", *(f"{r.data.n_rows:,}" for r in results))
    table.add_row("Data", *(r.data.sha256[:12] for r in results))
    table.add_row("Best model", *(b.label for b in bests))
    table.add_row("Setting", *(_setting(b) for b in bests))
    if any(b.network for b in bests):
        table.add_row("Network", *(b.network or "-" for b in bests))
    table.add_row("Verdict", *(verdict_text(b) for b in bests))
    table.add_row("CV loss", *(interval(b.cv_loss) for b in bests))
    table.add_row(heading, *(interval(v) for v in held))
    table.add_row("Features", *(f"{b.n_nonzero:,} of {b.n_features:,}" for b in bests))
    console.print(table)
    for pair in pairs:
        console.print(Text(f"{pair.first} and {pair.second}", style="bold"))
        lines = [
            pair.comparable,
            f"features in both ({len(pair.common)}): {_few(pair.common)}",
            f"only in {pair.first} ({len(pair.only_first)}): {_few(pair.only_first)}",
            f"only in {pair.second} ({len(pair.only_second)}): {_few(pair.only_second)}",
        ]
        for line in lines:
            console.print(Text(f"  {line}"))
        if pair.sign_disagreements:
            text = f"opposite signs ({len(pair.sign_disagreements)}): {_few(pair.sign_disagreements)}"
            console.print(Text(f"  {text}", style="red"))


def _few(names: tuple[str, ...], most: int = 8) -> str:
    if not names:
        return "none"
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _record(names: list[str], results: list[StudyResult], pairs: list[Pair]) -> dict[str, Any]:
    from bridle.cli.verdict import model_record
    from bridle.frozen import to_json

    return {
        "studies": [
            {
                "name": name,
                "target": r.data.target,
                "family": r.data.family,
                "n_rows": r.data.n_rows,
                "sha256": r.data.sha256,
                "seed": r.reproduce.seed,
                "headline": r.headline,
                "best": {**model_record(best), "parameter": best.parameter, "network": best.network},
            }
            for name, r, best in zip(names, results, (r.model(r.best) for r in results), strict=True)
        ],
        "pairs": to_json(pairs),
    }
