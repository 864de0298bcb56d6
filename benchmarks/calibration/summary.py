"""From simulated tables to the confusion matrix, the false-alarm rate and the power."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from benchmarks.calibration.simulate import GAP
from scipy.special import betaincinv

MARGIN = 0.05
WORTHWHILE = 0.01  # a procedure has found signal if its true risk is 1 % below the null's
TRUE_LABELS = ("no signal", "overfitting", "underfitting", "balanced")
SAID = ("no signal", "overfitting", "underfitting", "balanced", "undetermined")


@dataclass(frozen=True)
class Case:
    """One verdict beside the truth."""

    scenario: str
    kind: str
    n: int
    seed: int
    model: str
    said: str
    lean: str
    truth: str
    over: float  # true rho against the best alternative on the simpler side
    under: float  # ... on the richer side
    gap: bool  # whether a fixed gap would have cried overfitting

    @property
    def false_alarm(self) -> bool:
        """A direction claimed where no alternative on that side is truly better, or there's no signal."""
        if self.said not in ("overfitting", "underfitting"):
            return False
        return self.truth == "no signal" or (self.over if self.said == "overfitting" else self.under) <= 0

    @property
    def strict_alarm(self) -> bool:
        """A direction claimed that isn't the true label, margin included."""
        return self.said in ("overfitting", "underfitting") and self.said != self.truth

    @property
    def gap_alarm(self) -> bool:
        """Overfitting cried by the fixed gap where no simpler alternative is truly better, or there's no signal."""
        return self.gap and (self.truth == "no signal" or self.over <= 0)


def true_risks(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
    """Scenario -> contender -> mean (training loss, risk) over the seeds."""
    rows: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for r in records:
        for name, values in r["truth"].items():
            rows[r["scenario"]][name].append(values[:2])
    return {s: {name: np.mean(v, axis=0) for name, v in named.items()} for s, named in rows.items()}


def cases(records: list[dict[str, Any]]) -> list[Case]:
    """All verdicts with their true labels."""
    risks = true_risks(records)
    found = []
    for r in records:
        at = risks[r["scenario"]]
        for model, verdict in r["verdicts"].items():
            compared = [a for a in verdict["compared"] if a in at]
            rho = {a: at[model][1] / at[a][1] - 1 for a in compared}
            simpler = {a for a in compared if at[a][0] >= at[model][0] * (1 - 1e-9)}
            over = max((rho[a] for a in simpler), default=-1.0)
            under = max((rho[a] for a in rho if a not in simpler), default=-1.0)
            best = min(at[a][1] for a in (*compared, model))
            if best > (1 - WORTHWHILE) * at["null"][1]:
                truth = "no signal"
            elif max(over, under) > MARGIN:
                truth = "overfitting" if over >= under else "underfitting"
            else:
                truth = "balanced"
            train, fresh = r["truth"][model][2:]
            found.append(
                Case(
                    r["scenario"],
                    r["case"],
                    r["n"],
                    r["seed"],
                    model,
                    verdict["label"],
                    verdict["lean"],
                    truth,
                    over,
                    under,
                    train - fresh >= GAP,
                )
            )
    return found


def binomial_interval(k: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval."""
    a = (1 - level) / 2
    lower = 0.0 if k <= 0 else float(betaincinv(k, n - k + 1, a))
    return lower, 1.0 if k >= n else float(betaincinv(k + 1, n - k, 1 - a))


def rate(flags: list[bool], tables: int) -> dict[str, float]:
    """Share of verdicts; the interval's trials are the tables, since verdicts on one table aren't independent."""
    share = float(np.mean(flags)) if flags else float("nan")
    lower, upper = binomial_interval(share * tables, tables) if flags else (float("nan"),) * 2
    return {"rate": share, "count": int(np.sum(flags)), "verdicts": len(flags), "lower": lower, "upper": upper}


def confusion(found: list[Case]) -> dict[str, dict[str, int]]:
    """True label -> verdict -> count."""
    return {t: {s: sum(c.truth == t and c.said == s for c in found) for s in SAID} for t in TRUE_LABELS}


def summarise(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything that's published."""
    found = cases(records)
    tables = len(records)

    def by(key: str) -> dict[str, Any]:
        out = {}
        for value in sorted({getattr(c, key) for c in found}):
            mine = [c for c in found if getattr(c, key) == value]
            out[str(value)] = _block(mine, len({(c.scenario, c.seed) for c in mine}))
        return out

    return {
        "tables": tables,
        "all": _block(found, tables),
        "confusion": confusion(found),
        "fixed_gap": {
            t: {
                "overfitting": sum(c.gap for c in found if c.truth == t),
                "not": sum(not c.gap for c in found if c.truth == t),
            }
            for t in TRUE_LABELS
        },
        "by_case": by("kind"),
        "by_n": by("n"),
        "by_model": by("model"),
    }


def _block(found: list[Case], tables: int) -> dict[str, Any]:
    return {
        "false_alarms": rate([c.false_alarm for c in found], tables),
        "strict_alarms": rate([c.strict_alarm for c in found], tables),
        "gap_false_alarms": rate([c.gap_alarm for c in found], tables),
        "gap_strict_alarms": rate([c.gap and c.truth != "overfitting" for c in found], tables),
        "power_overfitting": rate([c.said == "overfitting" for c in found if c.truth == "overfitting"], tables),
        "power_underfitting": rate([c.said == "underfitting" for c in found if c.truth == "underfitting"], tables),
        "power_gap_overfitting": rate([c.gap for c in found if c.truth == "overfitting"], tables),
        "balanced_found": rate([c.said == "balanced" for c in found if c.truth == "balanced"], tables),
        "false_balanced": rate(
            [c.said == "balanced" and c.truth in ("overfitting", "underfitting") for c in found], tables
        ),
        "no_signal_found": rate([c.said == "no signal" for c in found if c.truth == "no signal"], tables),
        "undetermined": rate([c.said == "undetermined" for c in found], tables),
    }


def markdown(summary: dict[str, Any]) -> str:
    """Render the tables for the documentation."""
    everything, matrix, gap = summary["all"], summary["confusion"], summary["fixed_gap"]
    lines = [
        "# Calibration of the verdict: results on the validation seeds",
        "",
        f"{summary['tables']} tables, {everything['false_alarms']['verdicts']} verdicts. "
        "Made by `python -m benchmarks.calibration`.",
        "",
        "## Confusion matrix (rows: truth; columns: verdict)",
        "",
        "| truth | " + " | ".join(SAID) + " | fixed gap: overfitting | fixed gap: not |",
        "|---|" + "---:|" * (len(SAID) + 2),
    ]
    for t in TRUE_LABELS:
        counts = " | ".join(str(matrix[t][s]) for s in SAID)
        lines.append(f"| {t} | {counts} | {gap[t]['overfitting']} | {gap[t]['not']} |")
    lines += ["", "## Rates, with 95 % binomial intervals", "", "| what | bridle | fixed gap |", "|---|---|---|"]
    pairs = (
        ("false alarms (stated level: 5 %)", "false_alarms", "gap_false_alarms"),
        ("claims of a direction that isn't the true label, margin included", "strict_alarms", "gap_strict_alarms"),
        ("`balanced` said of a truly over- or underfitting model", "false_balanced", None),
        ("power: overfitting", "power_overfitting", "power_gap_overfitting"),
        ("power: underfitting", "power_underfitting", None),
        ("`balanced` found", "balanced_found", None),
        ("`no signal` found", "no_signal_found", None),
        ("`undetermined`", "undetermined", None),
    )
    lines += [f"| {text} | {_cell(everything[a])} | {_cell(everything[b]) if b else ''} |" for text, a, b in pairs]
    for title, key in (("case", "by_case"), ("rows", "by_n"), ("model", "by_model")):
        lines += [
            "",
            f"## By {title}",
            "",
            f"| {title} | false alarms | fixed gap | power over | power under | undetermined |",
        ]
        lines.append("|---|---|---|---|---|---|")
        values = sorted(summary[key], key=lambda v: (len(v), v)) if key == "by_n" else summary[key]
        columns = ("false_alarms", "gap_false_alarms", "power_overfitting", "power_underfitting", "undetermined")
        lines += [f"| {v} | " + " | ".join(_cell(summary[key][v][c]) for c in columns) + " |" for v in values]
    return "\n".join(lines) + "\n"


def _cell(r: dict[str, float]) -> str:
    if r["verdicts"] == 0:
        return ""
    return (
        f"{100 * r['rate']:.1f} % ({100 * r['lower']:.1f} to {100 * r['upper']:.1f}), {r['count']} of {r['verdicts']}"
    )
