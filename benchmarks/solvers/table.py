"""Results as a Markdown table and as a plot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from measure import median


def markdown(results: dict[str, Any]) -> str:
    """A section per case and number of threads, fastest first."""
    machine, lines = results["machine"], []
    size = "small sizes: a check that it runs, no measurement" if results["small"] else "full sizes"
    lines += [f"# Solvers, {size}", "", ", ".join(f"{k}: {v}" for k, v in machine.items()), ""]
    lines += [", ".join(f"{name} {version}" for name, version in results["versions"].items()), ""]
    lines += summary(results["entries"])
    for entry in results["entries"].values():
        lines += section(entry)
    return "\n".join(lines)


def summary(entries: dict[str, Any]) -> list[str]:
    """A line per case: bridle, and the fastest of the others, at a gap of 1e-6."""
    lines = [
        "| case | threads | path | / bound | fastest other path | times | 10-fold CV | / own path | fastest other CV"
        " | times |",
        "|---" * 10 + "|",
    ]
    for entry in entries.values():
        ours, bound = entry["peers"].get("bridle", {}), entry["bound"]
        path, cv = median(ours.get("path 1e-06")), median(ours.get("cv"))
        floor = max(bound["read"], 0.0 if math.isnan(bound["gram"]) or entry["n"] < entry["p"] else bound["gram"])
        cells = [entry["case"], str(entry["threads"]), seconds(path), f"{path / floor:.1f}"]
        cells += fastest(entry["peers"], "path 1e-06", path)
        cells += [seconds(cv), f"{cv / path:.2f}", *fastest(entry["peers"], "cv", cv)]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def fastest(peers: dict[str, Any], key: str, ours: float) -> list[str]:
    """Time and name of the fastest other, and how many times bridle's that is."""
    times = {
        name: median(row.get(key))
        for name, row in peers.items()
        if name != "bridle" and (key != "cv" or row.get("cv_target", "1e-06") == "1e-06")
    }
    times = {name: time for name, time in times.items() if not math.isnan(time)}
    if not times:
        return ["none got there", "-"]
    name = min(times, key=lambda key: times[key])
    return [f"{seconds(times[name])} {name}", f"{times[name] / ours:.1f}"]


def section(entry: dict[str, Any]) -> list[str]:
    """Heading, lower bounds, table."""
    bound = entry["bound"]
    gram = "" if math.isnan(bound["gram"]) else f", its smaller Gram matrix {seconds(bound['gram'])}"
    rows = sorted(entry["peers"].items(), key=lambda item: order(item[1]))
    return [
        f"## {entry['case']} ({entry['n']:,} x {entry['p']:,}, {entry['threads']} threads)",
        "",
        f"Reading X once takes {seconds(bound['read'])}{gram}.{how_judged(entry)}",
        "",
        "| peer | path to 1e-4 | path to 1e-6 (min to max) | its processor time | / reading X | 10-fold CV"
        " | peak MiB, path / CV | over data | compile | gap reached | own gap | KKT | held-out deviance"
        " | bridle is faster by, path / CV |",
        "|---" * 14 + "|",
        *[line(name, row, bound["read"], entry["peers"].get("bridle", {})) for name, row in rows],
        "",
    ]


def how_judged(entry: dict[str, Any]) -> str:
    """What the gaps are where there is none, and who found the better optima."""
    if entry.get("judged_by", "gap") == "gap":
        return ""
    over = {name: row["over_best"] for name, row in entry["peers"].items() if "over_best" in row}
    found = [f"{name} {x['worst']:.1e} / {x['mean']:.1e} / {100 * x['best_at']:.0f} %" for name, x in over.items()]
    return (
        " The penalty is concave: in place of gaps stand violations of stationarity over lambda_max. Objectives over"
        f" the best that anyone reached, worst / mean / share of lambdas within 1e-6 of it: {'; '.join(found)}."
    )


def line(name: str, row: dict[str, Any], read: float, ours: dict[str, Any]) -> str:
    """One competitor."""
    if not row.get("sweep"):
        return f"| {name} | {row.get('failure', 'not run')} |" + " |" * 12
    best = min(row["sweep"], key=lambda step: step["gap"])
    fine = row.get("path 1e-06")
    spread = f" ({seconds(min(fine))} to {seconds(max(fine))})" if fine else ""
    peaks = [f"{row[k]:.0f}" if k in row else "-" for k in ("peak_mib", "peak_mib_cv")]
    over = f"{row['peak_mib'] - row['loaded_mib']:.0f}" if "peak_mib" in row else "-"
    cells = [
        name, seconds(median(row.get("path 0.0001"))), seconds(median(fine)) + spread,
        seconds(median(row.get("cpu path 1e-06"))), f"{median(fine) / read:.0f}" if fine else "-",
        cross_validated(row), " / ".join(peaks), over,
        seconds(row.get("compile_seconds", 0.0)), f"{best['gap']:.1e}", f"{best['own_gap']:.1e}", f"{best['kkt']:.1e}",
        f"{best['held_out']:.6g}", " / ".join(times_faster(row, ours, key) for key in ("path 1e-06", "cv")),
    ]  # fmt: skip
    note = f" ({row['failure']})" if "failure" in row else ""
    return "| " + " | ".join(cells) + note + " |"


def times_faster(row: dict[str, Any], ours: dict[str, Any], key: str) -> str:
    """The competitor's median over bridle's; a lower bound where it only reached a looser gap."""
    ratio = median(row.get(key)) / median(ours.get(key))
    return "-" if math.isnan(ratio) else f"{ratio:.3g}"


def cross_validated(row: dict[str, Any]) -> str:
    if "failure cv" in row:
        return str(row["failure cv"])
    loose = "" if row.get("cv_target", "1e-06") == "1e-06" else f" (at {row['cv_target']})"
    return seconds(median(row.get("cv"))) + loose


def order(row: dict[str, Any]) -> tuple[float, float]:
    """Fastest first; those that don't reach the target by what they reached."""
    time = median(row.get("path 1e-06"))
    gap = min((step["gap"] for step in row.get("sweep", [])), default=math.inf)
    return (math.inf if math.isnan(time) else time, gap)


def seconds(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.3g} s" if value >= 1.0 else f"{1e3 * value:.3g} ms"


def plot(results: dict[str, Any], path: Path) -> None:
    """Time to a relative gap of 1e-6, a row per case, a mark per competitor."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    entries = list(results["entries"].values())
    names = list(dict.fromkeys(name for entry in entries for name in entry["peers"]))
    figure, axes = plt.subplots(1, 2, figsize=(12, 1.5 + 0.28 * len(entries)), sharey=True, layout="constrained")
    for axis, key, title in zip(axes, ("path 1e-06", "cv"), ("path, gap 1e-6", "10-fold CV"), strict=True):
        for number, name in enumerate(names):
            times = [median(entry["peers"].get(name, {}).get(key)) for entry in entries]
            colour = "black" if name == "bridle" else f"C{number}"
            axis.plot(times, range(len(entries)), "o", label=name, color=colour, alpha=0.8)
        axis.set(xscale="log", xlabel="seconds, median", title=title)
        axis.grid(axis="x", alpha=0.3)
    labels = [f"{entry['case']}, {entry['threads']} thr." for entry in entries]
    axes[0].set_yticks(range(len(entries)), labels)
    axes[0].invert_yaxis()
    axes[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, metadata={"Date": None})
