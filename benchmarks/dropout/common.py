"""What the scripts share: the machine in words, standard errors of overlapping splits, and tables in Markdown."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

HERE = Path(__file__).parent


def machine(*packages: str) -> dict[str, Any]:
    """Processor, cores and versions; no names of hosts."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


def store(name: str, value: dict[str, Any]) -> None:
    """Write results beside the scripts, whole or not at all."""
    aside = HERE / f"{name}.part"
    aside.write_text(json.dumps(value, indent=1) + "\n")
    aside.replace(HERE / name)


def corrected(differences: ArrayLike, test_share: float) -> tuple[float, float]:
    r"""Mean of J paired differences over random splits, and its standard error.

    .. math:: \sqrt{(1 / J + n_{test} / n_{train}) \, s^2}

    References
    ----------
    Nadeau, Bengio (2003), Inference for the generalization error, Machine Learning 52.
    """
    d = np.asarray(differences, dtype=np.float64)
    return float(d.mean()), float(np.sqrt((1.0 / d.size + test_share / (1.0 - test_share)) * d.var(ddof=1)))


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [" | ".join(row) for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(f"| {line} |" for line in lines)
