"""PyTorch, if it's there: the extra ``nn``."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from bridle.errors import InputError, MissingExtraError

INSTALL = "pip install 'bridle[nn]'"


def available() -> bool:
    """Whether PyTorch is installed; it isn't imported to find out."""
    if "torch" in sys.modules:
        return sys.modules["torch"] is not None
    return importlib.util.find_spec("torch") is not None


def require_torch() -> Any:
    """Import and return PyTorch.

    Raises
    ------
    MissingExtraError
        It isn't installed; the message holds the command that installs it.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            f"training a network needs PyTorch, which can't be imported ({error}): {INSTALL}"
        ) from None
    return torch


def find_device(name: str) -> Any:
    """Return the ``torch.device`` that ``name`` means: "auto" is a CUDA device where there is one, else the CPU.

    Raises
    ------
    InputError
        There is no such device; the message names those there are.
    """
    torch = require_torch()
    there = ["cpu", *(f"cuda:{k}" for k in range(torch.cuda.device_count()))]
    if name == "auto":
        return torch.device("cuda" if len(there) > 1 else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise InputError(f"unknown device {name!r}; expected 'auto' or one of {', '.join(there)}") from None
    known = device.type == "cpu" or (device.type == "cuda" and (device.index or 0) < len(there) - 1)
    if not known:
        raise InputError(f"device {name!r} isn't on this machine; expected 'auto' or one of {', '.join(there)}")
    return device
