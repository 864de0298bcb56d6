"""Networks with dropout: a dropout path, chosen by the same folds, rules and verdicts as a lasso path.

Only training needs PyTorch (the extra ``nn``); a trained :class:`Network` is NumPy. Names are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Architecture": "settings",
    "DropoutPath": "dropout",
    "ModulePath": "modules",
    "Network": "network",
    "Proximal": "proximal",
    "Training": "settings",
    "available": "extra",
    "dropout_path": "dropout",
    "path": "modules",
    "selected_features": "proximal",
}

__all__ = [*sorted(_HOME)]  # noqa: PLE0604 (the keys are the names)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bridle.nets' has no attribute {name!r}")
    return getattr(importlib.import_module(f"bridle.nets.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
