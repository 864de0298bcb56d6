"""--config FILE: the options of a command from a TOML file; what is given on the command line wins."""

from __future__ import annotations

import difflib
from pathlib import Path as FilePath
from typing import Any

import typer


def read_config(ctx: typer.Context, path: FilePath | None) -> FilePath | None:
    """Take the defaults of a command's options from ``path``; an eager callback of its ``--config`` option."""
    if path is None or ctx.resilient_parsing:
        return path
    import tomllib

    try:
        values = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} isn't TOML: {error}") from None
    known = {name for p in ctx.command.params if (name := p.name) and name not in {"config", "help"}}
    repeatable = {p.name for p in ctx.command.params if getattr(p, "multiple", False)}
    chosen: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {_shown(close[0])}?" if close else f"known are {', '.join(map(_shown, sorted(known)))}."
            )
            raise typer.BadParameter(f"{path} has the key {key!r}, which {ctx.info_name!r} doesn't know; {hint}")
        if isinstance(value, dict):
            raise typer.BadParameter(f"{path}: {key!r} is a table; expected a plain value, e.g. {_shown(name)} = 5")
        if name in repeatable:
            chosen[name] = [str(v) for v in value] if isinstance(value, list) else [str(value)]
        else:
            chosen[name] = ",".join(map(str, value)) if isinstance(value, list) else value
    ctx.default_map = {**(ctx.default_map or {}), **chosen}
    return path


def _shown(name: str) -> str:
    return name.replace("_", "-")
