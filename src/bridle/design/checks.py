"""What an encoder refuses: files that contradict themselves, tables that lack columns, missing cells."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bridle.design.columns import COUNTED_KINDS, ColumnCode
from bridle.errors import FileFormatError, InputError

if TYPE_CHECKING:
    from bridle.design.encoder import Encoder


def check_encoder(encoder: Encoder, policies: Sequence[str], dtypes: Sequence[str]) -> None:
    """Refuse an encoder from a file that contradicts itself, before anything is derived from it.

    Raises
    ------
    FileFormatError
        A value contradicts another.
    """

    def refuse(what: str) -> FileFormatError:
        return FileFormatError(f"the encoder in the file is damaged: {what}; save the model again")

    for code in encoder.codes:  # before anything is derived from them
        if code.kind not in COUNTED_KINDS or code.rare < 0 or not np.isfinite(code.fill):
            raise refuse(f"column {code.name!r} has no valid code")
        if len(set(code.levels)) != len(code.levels) or (code.kind == "pair" and len(code.levels) != 2):
            raise refuse(f"column {code.name!r} has contradicting levels")
        if code.kind == "ordered" and not _is_ladder(code):
            raise refuse(f"column {code.name!r} has contradicting levels")
        if code.form.decimal not in (".", ","):
            raise refuse(f"column {code.name!r} has the decimal mark {code.form.decimal!r}")
    if encoder.recipe is not None:
        encoder.recipe.check()
    p = len(encoder.feature_names)
    if encoder.missing not in policies or encoder.dtype not in dtypes:
        raise refuse(f"unknown option {encoder.missing!r} or {encoder.dtype!r}")
    if len(encoder.mean) != p or len(encoder.scale) != p or not np.isfinite([*encoder.mean, *encoder.scale]).all():
        raise refuse(f"{p} features need as many finite means and scales")
    if len(set(encoder.columns)) != len(encoder.codes) or len(set(encoder.feature_names)) != p:
        raise refuse("two columns or features have the same name")
    if encoder.terms and encoder.positions is not None:
        raise refuse("an encoder of arrays has terms")
    if encoder.positions is not None and (
        len(encoder.positions) != len(encoder.codes) or not all(0 <= j < encoder.width for j in encoder.positions)
    ):
        raise refuse("the columns' positions don't fit")


def _is_ladder(code: ColumnCode) -> bool:
    """Whether the levels of an ordered column fit its declared ones and its fill-in values."""
    known = [level for level in code.declared if level in code.levels]
    steps = len(code.levels) - 1
    return (
        tuple(known) == code.levels and steps >= 1 and len(code.fills) == steps and bool(np.isfinite(code.fills).all())
    )


def need_columns(columns: Sequence[str], there: Sequence[str]) -> None:
    """Refuse a table that lacks columns.

    Raises
    ------
    InputError
        Some of ``columns`` aren't there.
    """
    known = set(there)
    lacking = [c for c in columns if c not in known]
    if not lacking:
        return
    close = difflib.get_close_matches(lacking[0], list(there), n=2)
    hint = f" (is {lacking[0]!r} called {close[0]!r} here?)" if close else ""
    shown = ", ".join(map(repr, lacking[:8])) + (f" and {len(lacking) - 8} more" if len(lacking) > 8 else "")
    raise InputError(
        f"the table lacks {len(lacking)} of {len(columns)} columns that the model needs: {shown}{hint}; add them"
    )


def refuse_missing(name: str, count: int, n: int, policy: str) -> None:
    """Refuse missing cells, as the policy asks.

    Raises
    ------
    InputError
        Always.
    """
    how = "drop such rows first (Dataset.complete_rows)" if policy == "drop" else "fill them, or choose another policy"
    raise InputError(f"column {name!r} is missing in {count} of {n} rows, and the policy is missing={policy!r}: {how}")
