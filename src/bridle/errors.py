"""What bridle raises and warns with: every message says what came, what was expected, and what to do."""

from typing import Any


class BridleError(Exception):
    """Root of all errors that bridle raises on purpose."""


class InputError(BridleError, ValueError):
    """The caller's data or arguments can't be used as they are (command line: exit code 2)."""


class FileFormatError(InputError):
    """A file isn't what it claims to be: damaged, hostile, or of an unknown version."""


class ConvergenceError(BridleError, RuntimeError):
    """A value on a path missed its certificate (strict mode only), or a network's training diverged."""


class MissingExtraError(BridleError, ImportError):
    """An optional dependency is absent; the message holds the one-line install command."""


class BridleWarning(UserWarning):
    """Root of all warnings that bridle gives."""


class DataWarning(BridleWarning):
    """Something about the data that the user should know: dropped columns, suspected leaks, rare classes."""


def as_number(name: str, value: Any) -> float:
    """Read an argument as one number.

    Parameters
    ----------
    name : str
        Of the argument.
    value : object
        What the caller gave.

    Returns
    -------
    float
        The number.

    Raises
    ------
    InputError
        If it isn't one.
    """
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be one number; got {value!r}") from None
