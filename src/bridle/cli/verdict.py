"""The verdict as a person reads it in a terminal: sentence, table, action, files; and the same as JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from bridle.cli.console import VERDICT_STYLE, out, say
from bridle.frozen import to_json
from bridle.job.saving import FILES
from bridle.losses import get_family

if TYPE_CHECKING:
    from rich.table import Table

    from bridle.diagnosis.verdict import Interval, Verdict
    from bridle.results import ModelResult, StudyResult

SHORT_SCORE = {"concordance (Harrell)": "concordance", "deviance explained": "explained"}


def print_study(result: StudyResult, folder: FilePath | None, *, quiet: bool = False) -> None:
    """Print the verdict of the recommended model, all models as a table, the next action, and where the files are."""
    from rich.text import Text

    console = out()
    best = result.model(result.best)
    if not quiet:
        for warning in result.data.warnings:
            say(warning, style="yellow", label="warning")
    console.print()
    console.print(headline(best.verdict, result.headline))
    console.print()
    table = models_table(result)
    fits = console.measure(table, options=console.options.update(width=1000)).maximum <= console.width
    console.print(table if fits else models_table(result, narrow=True))
    for note in footnotes(result):
        console.print(Text(note, style="dim"))
    console.print()
    if result.gain:
        console.print(Text(result.gain))
    if result.techniques is not None:
        console.print(Text(result.techniques.sentence))
    if best.verdict is not None and best.verdict.action:
        console.print(Text.assemble(("Next: ", "bold"), best.verdict.action))
    if not quiet and result.data.notes:
        console.print(Text.assemble(("Data: ", "bold"), " ".join(result.data.notes[:3])))
    if folder is not None:
        console.print()
        for name in FILES:
            if (folder / name).exists():
                console.print(Text(f"  {folder / name}"), soft_wrap=True)


def headline(verdict: Verdict | None, sentence: str) -> Any:
    """Give the verdict's sentence, with what comes before the colon coloured by what it means."""
    from rich.text import Text

    text = Text(sentence, style="bold")
    if verdict is not None:
        end = sentence.find(":")
        text.stylize(VERDICT_STYLE.get(verdict.label, ""), 0, end if end > 0 else len(sentence))
    return text


def models_table(result: StudyResult, *, narrow: bool = False) -> Table:
    """Give all models of a study: cross-validated loss, held-out score (``narrow``: no interval), features, verdict."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    score = score_name(result)
    level = round(100 * result.model(result.best).holdout_loss.level)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("Model", no_wrap=not narrow)
    table.add_column(f"CV\n{short_loss(result)}", justify="right", no_wrap=True)
    held_out = SHORT_SCORE.get(score, score) or "loss"
    heading = f"Held-out\n{held_out}" if narrow else f"Held-out {held_out}\n[{level} % CI]"
    table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(f"Features\nof {result.data.n_features:,}", justify="right", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    for model in result.models:
        chosen = model.name == result.best
        name = Text(("> " if chosen else "  ") + model.label, style="bold" if chosen else "")
        if model.failed:
            table.add_row(name, "-", "-", "-", Text("not fitted", style="dim"))
            continue
        held = model.holdout_scores.get(score, model.holdout_loss) if score else model.holdout_loss
        table.add_row(
            name,
            short(model.cv_loss.value),
            short(held.value) if narrow else interval(held),
            f"{model.n_nonzero:,}",
            verdict_text(model),
        )
    return table


def footnotes(result: StudyResult) -> list[str]:
    """Explain what the table's marks mean, where it has any, and why a model is missing."""
    notes = [f"{m.label}: {m.failed}" for m in result.models if m.failed]
    if any(m.verdict is not None and m.verdict.lean for m in result.models):
        notes.append("?  undetermined, leaning this way")
    return notes


def verdict_text(model: ModelResult) -> Any:
    """Give a model's verdict in a word, coloured; "underfitting?" is undetermined, leaning to underfitting."""
    from rich.text import Text

    if model.verdict is None:
        return Text("")
    lean = model.verdict.lean
    return Text(f"{lean}?" if lean else model.verdict.label, style=VERDICT_STYLE.get(model.verdict.label, ""))


def score_name(result: StudyResult) -> str:
    """Give the held-out score that people ask for first; empty if the study has none."""
    names = [name for m in result.models for name in m.holdout_scores]
    wanted = get_family(result.data.family).main_score
    return wanted if wanted in names else (names[0] if names else "")


def short_loss(result: StudyResult) -> str:
    """Give the loss's name, short enough for a column."""
    return get_family(result.data.family).short_loss


def interval(value: Interval) -> str:
    """Write 0.912 [0.871, 0.944]; the bounds are left out where they aren't known."""
    if not math.isfinite(value.value):
        return "-"
    if not (math.isfinite(value.lower) and math.isfinite(value.upper)):
        return short(value.value)
    numbers = (value.value, value.lower, value.upper)
    largest = max(map(abs, numbers))
    plain = largest == 0.0 or 0.01 <= largest < 10.0  # shares and scores line up with three decimals
    first, lower, upper = (f"{x:.3f}" if plain else short(x) for x in numbers)
    return f"{first} [{lower}, {upper}]"


def short(x: float) -> str:
    """Three significant digits: 0.912, 1,520, 4.21e+10."""
    if not math.isfinite(x):
        return "-"
    if x == 0.0:
        return "0"
    if not 1e-4 <= abs(x) < 1e7:
        return f"{x:.2e}"
    digits = max(0, 2 - math.floor(math.log10(abs(x))))
    return f"{x:,.{digits}f}"


def study_json(result: StudyResult, folder: FilePath | None) -> str:
    """Give the verdict of a study as one JSON object."""
    best = result.model(result.best)
    verdict = best.verdict
    return json.dumps(
        {
            "best": result.best,
            "label": verdict.label if verdict is not None else None,
            "lean": verdict.lean if verdict is not None else None,
            "headline": result.headline,
            "action": verdict.action if verdict is not None else None,
            "gain": result.gain,
            "techniques": None if result.techniques is None else result.techniques.sentence,
            "folds": result.folds,
            "models": [model_record(m) for m in result.models],
            "warnings": list(result.data.warnings),
            "notes": list(result.data.notes),
            "files": [] if folder is None else [str(folder / n) for n in FILES if (folder / n).exists()],
        },
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )


def model_record(model: ModelResult) -> dict[str, Any]:
    """Give the numbers of one model that fit on a screen."""
    record = {
        "name": model.name,
        "label": model.label,
        "value": model.value,
        "l1_ratio": model.l1_ratio,
        "n_nonzero": model.n_nonzero,
        "cv_loss": model.cv_loss,
        "holdout_loss": model.holdout_loss,
        "holdout_scores": model.holdout_scores,
        "verdict": None if model.verdict is None else model.verdict.label,
        "effect": None if model.verdict is None else model.verdict.effect,
        "failed": model.failed,
    }
    result: dict[str, Any] = to_json(record)
    return result


def print_verdict(verdict: Verdict) -> None:
    """Print one verdict with the alternatives that it rests on."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    console = out()
    console.print()
    console.print(headline(verdict, verdict.sentence))
    console.print()
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("Against", overflow="fold")
    table.add_column("Side", no_wrap=True)
    table.add_column(f"Excess error, %\n[{100 * verdict.level:g} % CI]", justify="right", no_wrap=True)
    table.add_column("p", justify="right", no_wrap=True)
    for c in sorted(verdict.comparisons, key=lambda c: -c.rho.value):
        name = Text(c.label, "bold" if c.alternative == verdict.alternative else "")
        rho = f"{100 * c.rho.value:+.1f} [{100 * c.rho.lower:+.1f}, {100 * c.rho.upper:+.1f}]"
        table.add_row(name, c.side, rho, "<0.001" if c.p_value < 0.001 else f"{c.p_value:.3f}")
    if verdict.comparisons:
        console.print(table)
        console.print()
    for check in verdict.checks:
        if check.status in {"warn", "fail"}:
            console.print(Text.assemble((f"{check.code} {check.title}: ", "yellow"), check.message))
    if verdict.action:
        console.print()
        console.print(Text.assemble(("Next: ", "bold"), verdict.action))


def verdict_json(verdict: Verdict) -> str:
    """Give one verdict as JSON, all numbers with it."""
    return json.dumps(to_json(verdict), indent=2, ensure_ascii=False, allow_nan=False)
