"""Full sentences about the data, the most important first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridle.data.kinds import Column

if TYPE_CHECKING:
    from bridle.data.leaks import Leak

_FEW_ROWS = 30


def listed(names: Sequence[str], at_most: int = 6) -> str:
    """``'a', 'b' and 3 more``."""
    shown = ", ".join(repr(n) for n in names[:at_most])
    return shown + (f" and {len(names) - at_most} more" if len(names) > at_most else "")


def data_notes(
    target: str,
    n_dropped: int,
    n_given: int,
    target_name: str,
    columns: Sequence[Column],
    duplicates: Sequence[tuple[str, str]],
    reading: Sequence[str],
    n_rows: int,
) -> tuple[str, ...]:
    """Say how the target was understood, what was dropped and left out, and what is missing."""
    notes = [target]
    if n_dropped:
        notes.append(f"{n_dropped} of {n_given} rows were dropped because the target {target_name!r} is missing there.")
    words = {
        "constant": "constant",
        "identifier": "identifiers, one value per row (use them with --keep, or keep= in Python)",
        "date": "dates or times (name one as the time column to respect the order of the rows)",
        "text": "free text, or labels that are all rare",
        "empty": "empty, every cell is missing",
    }
    for kind, word in words.items():
        names = [c.name for c in columns if c.kind == kind and not c.used and "as asked" not in c.note]
        if names:
            notes.append(f"Left out, {word}: {listed(names)}.")
    asked = [c.name for c in columns if "as asked (exclude)" in c.note]
    if asked:
        notes.append(f"Left out as asked: {listed(asked)}.")
    gaps = sorted((c for c in columns if c.used and c.n_missing), key=lambda c: -c.n_missing)
    if gaps:
        worst = gaps[0]
        notes.append(
            f"{len(gaps)} column{'s have' if len(gaps) > 1 else ' has'} missing cells: "
            f"{listed([c.name for c in gaps])}; "
            f"the most are in {worst.name!r} ({worst.n_missing} of {n_rows}, {100 * worst.n_missing / n_rows:.2g} %)."
        )
    if duplicates:
        shown = ", ".join(f"{a!r} and {b!r}" for a, b in duplicates[:4])
        more = f", and {len(duplicates) - 4} more pairs" if len(duplicates) > 4 else ""
        notes.append(f"Columns that say nearly the same (correlation above 0.999): {shown}{more}.")
    formed = [c.name for c in columns if c.used and c.note.startswith("numbers in text")]
    if formed:
        notes.append(f"Read as numbers though written as text (decimal comma or a sign): {listed(formed)}.")
    return (*notes, *reading)


def data_warnings(
    leaks: Sequence[Leak], about_target: Sequence[str], columns: Sequence[Column], n_rows: int
) -> tuple[str, ...]:
    """Say what probably is wrong and what to do."""
    warnings = [leak.sentence for leak in leaks]
    warnings += about_target
    warnings += [f"Column {c.name!r} was {c.note}." for c in columns if c.kind == "text" and " cells " in c.note]
    if n_rows < _FEW_ROWS:
        warnings.append(f"Only {n_rows} rows: whatever is found will be very uncertain; collect more if you can.")
    return tuple(warnings)
