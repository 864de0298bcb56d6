"""``bridle info``: versions and machine, or what a model file or a study holds."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bridle.model_io import Model, NetworkModel, SeveralModel, SurvivalModel, TableModel

EPILOG = """[bold]Examples[/bold]

bridle info

bridle info bridle-patients

bridle info bridle-patients/model.bridle --json
"""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("info", epilog=EPILOG)(info)


def info(
    *,
    path: Annotated[
        FilePath | None,
        typer.Argument(metavar="PATH", help="Model file, or folder of a study; none for the installation."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show versions, processor and threads, or the content of a model file or a study."""
    if path is None:
        record = installation()
    elif path.is_dir() or path.name.endswith(".json"):
        record = _study(path)
    else:
        from bridle.model_io import load

        record = _model(load(path))
    if as_json:
        from bridle.frozen import to_json

        print(json.dumps(to_json(record), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _show(record)


def installation() -> dict[str, Any]:
    """Give versions, processor features and threading, as a bug report needs them."""
    import importlib.metadata
    import os
    import platform

    import threadpoolctl

    import bridle
    from bridle import _core
    from bridle.nets.extra import available

    packages = ["numpy", "scipy", "scikit-learn", "polars", "narwhals", "typer", "rich", "jinja2"]
    if available():
        packages.append("torch")
    pools = threadpoolctl.threadpool_info()
    return {
        "bridle": bridle.__version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count() or 1,
        "core": f"compiled loops for {_core.instruction_set()}",
        "threads": [_pool(pool) for pool in pools],
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }


def _pool(pool: dict[str, Any]) -> str:
    detail = " ".join(str(pool[key]) for key in ("internal_api", "version", "architecture") if pool.get(key))
    return f"{detail}: {pool['num_threads']} threads"


def _model(model: TableModel) -> dict[str, Any]:
    import numpy as np

    from bridle.model_io import Model, NetworkModel, SeveralModel, SurvivalModel
    from bridle.model_io.explain import number

    meta = model.meta
    return {
        "model": f"{meta.label or meta.name} ({model.kind}, {model.family})",
        "target": model.target,
        "classes": list(model.classes),
        **(_survival(model) if isinstance(model, SurvivalModel) else {}),
        "objective": meta.objective,
        "chosen": f"{meta.parameter} = {number(meta.value)}, rule {meta.rule}" if meta.rule else "",
        "verdict": meta.sentence,
        **(_network(model) if isinstance(model, NetworkModel) else {}),
        "features": f"{np.count_nonzero(model.used):,} of {model.used.size:,}",
        "columns needed": list(model.columns),
        "offset": model.offset,
        **(_linear(model) if isinstance(model, Model) else {}),
        **(_several(model) if isinstance(model, SeveralModel) else {}),
        "trained on": f"{meta.n_rows:,} rows of {meta.source}" if meta.source else "",
        "data sha256": meta.sha256,
        "created": meta.created,
        "versions": meta.versions,
    }


def _linear(model: Model) -> dict[str, Any]:
    import numpy as np

    used = np.flatnonzero(model.coef)
    effect = np.abs(model.coef * np.array(model.encoder.scale))  # of one standard deviation
    order = used[np.argsort(-effect[used], kind="stable")]
    return {
        **({"intercept": model.intercept} if model.loss.has_intercept else {}),
        "coefficients": {model.feature_names[j]: float(model.coef[j]) for j in order},
    }


def _survival(model: SurvivalModel) -> dict[str, Any]:
    from bridle.model_io.explain import number

    return {
        "event": f"{model.event} = {model.label}",
        "strata": f"{model.strata}: {', '.join(model.levels)}" if model.strata else "",
        "survival at": [number(t) for t in model.times],
    }


def _several(model: SeveralModel) -> dict[str, Any]:
    import numpy as np

    used = np.flatnonzero(model.used)
    size = np.abs(model.coef) if model.coef.ndim == 1 else np.linalg.norm(model.coef, axis=1)
    order = used[np.argsort(-(size * np.array(model.encoder.scale))[used], kind="stable")]
    names = model.outputs if model.coef.ndim == 2 else ()
    return {
        "responses": [] if model.classes else list(model.outputs),
        "intercepts": [float(b) for b in model.intercept],
        "coefficients": {
            model.feature_names[j]: dict(zip(names, map(float, model.coef[j]), strict=True))
            if names
            else float(model.coef[j])
            for j in order
        },
    }


def _network(model: NetworkModel) -> dict[str, Any]:
    from bridle.model_io.explain import number

    network = model.network
    rates = f", dropout rate {number(network.dropout)}" if len(network.layers) > 1 else ""
    if network.input_dropout:
        rates += f", rate of features {number(network.input_dropout)}"
    return {
        "network": network.outline + rates,
        "weights": f"{network.n_weights:,}",
        "std": model.std_meaning,
    }


def _study(path: FilePath) -> dict[str, Any]:
    from bridle.job.saving import load_result

    result = load_result(path)
    return {
        "title": result.title,
        "headline": result.headline,
        "best": result.best,
        "models": {m.label: "" if m.verdict is None else m.verdict.label for m in result.models},
        "target": f"{result.data.target} ({result.data.family})",
        "rows": f"{result.data.n_train:,} for training, {result.data.n_holdout:,} held out",
        "features": result.data.n_features,
        "folds": result.folds,
        "data": result.data.source,
        "data sha256": result.data.sha256,
        "command": result.reproduce.command,
        "seed": result.reproduce.seed,
        "created": result.reproduce.created,
        "versions": result.reproduce.versions,
    }


def _show(record: dict[str, Any], most: int = 20) -> None:
    from rich.table import Table
    from rich.text import Text

    from bridle.cli.console import out
    from bridle.cli.verdict import short

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()

    def plain(value: Any) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{k} {plain(v)}" for k, v in value.items())
        return short(value) if isinstance(value, float) else str(value)

    for key, value in record.items():
        if value in ("", [], {}):
            continue
        if isinstance(value, dict):
            lines = [f"{k}  {plain(v)}" for k, v in value.items()]
        elif isinstance(value, list):
            lines = [plain(v) for v in value]
        else:
            lines = [plain(value)]
        if len(lines) > most:
            lines = [*lines[:most], f"... and {len(lines) - most} more (--json shows all)"]
        table.add_row(key, Text("\n".join(lines)))
    out().print(table)
