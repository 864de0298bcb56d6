"""--fail-on: a verdict as a gate for somebody's pipeline."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import typer


@dataclass(frozen=True)
class Gate:
    """The verdicts that make a command exit with 10."""

    labels: tuple[str, ...]

    def check(self, label: str) -> None:
        """Exit with 10 if ``label`` is among them."""
        from bridle.cli.guard import GATE

        if label in self.labels:
            from bridle.cli.console import say

            say(f"the verdict is {label!r}, which --fail-on names", style="bold red", label="failed")
            raise typer.Exit(GATE)


def parse_labels(text: str | None) -> Gate:
    """Read "overfitting,no-signal" as a gate.

    Raises
    ------
    typer.BadParameter
        A word isn't a verdict.
    """
    if text is None:
        return Gate(())
    from bridle.diagnosis.verdict import LABELS

    chosen = []
    for word in text.split(","):
        label = " ".join(word.replace("-", " ").replace("_", " ").lower().split())
        if label not in LABELS:
            close = difflib.get_close_matches(label, LABELS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected some of {', '.join(LABELS)}"
            raise typer.BadParameter(f"{word.strip()!r} isn't a verdict; {hint}", param_hint="--fail-on")
        chosen.append(label)
    return Gate(tuple(chosen))
