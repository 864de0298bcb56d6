"""Numbers as people read them: significant digits, per cent, intervals, and tick positions for axes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from bridle.diagnosis.verdict import Interval

MISSING = "–"
MINUS = "\u2212"
THIN = "\u202f"  # narrow no-break space: before % and between thousands
_UNITS = ((1e12, "tn"), (1e9, "bn"), (1e6, "M"))  # powers of ten that people have names for
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def num(value: float | None, digits: int = 3, signed: bool = False) -> str:
    """Write ``value`` with ``digits`` significant digits: millions as "1.23 M", and powers of ten beyond the names."""
    if value is None or not math.isfinite(value):
        return MISSING
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    return sign + _magnitude(abs(value), digits)


def _magnitude(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    mantissa, _, power_of_ten = f"{value:.{digits - 1}e}".partition("e")
    value, exponent = float(f"{value:.{digits - 1}e}"), int(power_of_ten)
    if 6 <= exponent < 15:
        size, sign = next(u for u in _UNITS if value >= u[0])
        return f"{_magnitude(value / size, digits)}{THIN}{sign}"
    if exponent < -4 or exponent >= 15:
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        power = f"10{str(exponent).translate(_SUPERSCRIPT)}"
        return power if mantissa == "1" else f"{mantissa}{THIN}×{THIN}{power}"
    decimals = max(digits - 1 - exponent, 0)
    text = f"{value:,.{decimals}f}".replace(",", THIN)
    if float(value).is_integer() and decimals and value >= 10:
        return f"{value:,.0f}".replace(",", THIN)
    return text


def plain(value: float, digits: int = 3) -> str:
    """Write a short decimal such as a rate as people type it: "0.5", and "0" for none."""
    return num(value, digits) if not math.isfinite(value) else f"{value:.{digits}g}".replace("-", MINUS)


def count(value: float) -> str:
    """Write a whole number with its thousands set apart."""
    return MISSING if not math.isfinite(value) else f"{value:,.0f}".replace(",", THIN).replace("-", MINUS)


def percent(value: float, signed: bool = False) -> str:
    """Write a share as per cent: one decimal below 10 %, none above."""
    if not math.isfinite(value):
        return MISSING
    scaled = 100 * value
    decimals = 0 if abs(scaled) >= 9.95 or scaled == 0 else 1
    text = f"{abs(scaled):,.{decimals}f}".replace(",", THIN)
    text = text.removesuffix(".0") or text
    nothing = float(text.replace(THIN, "")) == 0
    sign = "" if nothing else MINUS if scaled < 0 else "+" if signed else ""
    return f"{sign}{text}{THIN}%"


def interval(it: Interval, digits: int = 3) -> str:
    """Write "0.12 (0.10 to 0.15)", or the number alone where there is no interval."""
    if not _has_ends(it):
        return num(it.value, digits)
    # The same decimals for all three: enough for the value, no more than the width deserves.
    size = max(abs(it.value), abs(it.upper - it.lower) / 2)
    if not 1e-4 <= size < 1e15:
        return f"{num(it.value, digits)} ({num(it.lower, digits)} to {num(it.upper, digits)})"
    for unit, sign in _UNITS:
        if size >= unit:
            return f"{interval(Interval(it.value / unit, it.lower / unit, it.upper / unit), digits)}{THIN}{sign}"
    decimals = max(digits - 1 - math.floor(math.log10(size)), 0)
    # Exactly zero is a coefficient that is out, not one that is small: it has no decimals.
    value, lower, upper = (_fixed(v, decimals) if v else "0" for v in (it.value, it.lower, it.upper))
    return f"{value} ({lower} to {upper})"


def percent_interval(it: Interval, signed: bool = True) -> str:
    """Write "+17 % (+8 to +27 %)", or the number alone where there is no interval."""
    if not _has_ends(it):
        return percent(it.value, signed)
    widest = max(abs(v) for v in (it.value, it.lower, it.upper))
    if widest < 0.0005:
        return f"0{THIN}% (within ±{0.1 if widest else 0:g}{THIN}%)"
    decimals = 1 if abs(it.upper - it.lower) < 0.05 else 0
    value, lower, upper = (_fixed(100 * v, decimals, signed) for v in (it.value, it.lower, it.upper))
    return f"{value}{THIN}% ({lower} to {upper}{THIN}%)"


def _has_ends(it: Interval) -> bool:
    return math.isfinite(it.lower) and math.isfinite(it.upper)


def p_value(p: float) -> str:
    """Write a p-value, never as zero."""
    if not math.isfinite(p):
        return MISSING
    return f"<{THIN}0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def seconds(value: float) -> str:
    """Write a duration."""
    if not math.isfinite(value):
        return MISSING
    if value < 1:
        return f"{1000 * value:.0f} ms"
    return f"{value:.1f} s" if value < 90 else f"{value / 60:.1f} min"


_POWER = re.compile(r"(?<![\w.])-?\d(?:\.\d+)?e[+-]?\d+\b")
_GROUP = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NEGATIVE = re.compile(r"(?<![\w.)\]])-(?=\d)")
_WHOLE = re.compile(r"(?<=\d)\.0(?= %)")
_TIMES = re.compile(r"(?<=penalty )x(?= \d)")


def prose(text: str) -> str:
    """Write the numbers in a sentence from elsewhere as this page writes its own: "4.70e+10" as "47.0 bn"."""
    text = _POWER.sub(lambda m: num(float(m.group()), max(len(m.group().partition("e")[0].strip("-")) - 1, 1)), text)
    text = _NEGATIVE.sub(MINUS, _GROUP.sub(THIN, text))
    return _TIMES.sub("×", _WHOLE.sub("", text).replace(" %", f"{THIN}%"))


def plural(n: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun: "1 feature", "12 features"."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def short(text: str, limit: int = 20) -> str:
    """Cut a long name in the middle, where names differ least."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) * 2 // 5
    return f"{text[: limit - 1 - tail].rstrip()}…{text[-tail:].lstrip()}"


def fitted(text: str, ems: float) -> str:
    """Cut a name in the middle so that it takes at most about ``ems`` times its font size across."""
    limit = len(text)
    while limit > 4 and _ems(short(text, limit)) > ems:
        limit -= 1
    return short(text, limit)


def _ems(text: str) -> float:
    """Estimate a text's width: sans-serif letters by class, anything beyond Latin as wide as it is high."""
    return sum(
        0.3
        if c in "iljtf.,:;|'!() "
        else 1.0
        if c > "\u024f" and c != "…"
        else 0.72
        if c.isupper() or c in "mwMW@%"
        else 0.56
        for c in text
    )


def listing(names: Sequence[str], most: int = 4) -> str:
    """Join names as English does: "a, b and c", or "a, b, c, d and 7 more"."""
    shown = [short(name, 40) for name in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "none"


def linear_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round tick values (1, 2 or 5 times a power of ten apart) within [low, high]."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else []
    raw = (high - low) / max(about, 1)
    base = 10.0 ** math.floor(math.log10(raw))
    step = next(m * base for m in (1, 2, 5, 10) if m * base >= raw * 0.8)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12 - math.floor(math.log10(step))) for k in range(first, last + 1)]


def log_ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Return powers of ten within [low, high]; 1-2-5 or 1-3 steps where few decades are in sight."""
    a, b = math.log10(low), math.log10(high)
    first, last = math.floor(a - 1e-9), math.ceil(b + 1e-9)
    decades = b - a
    if decades < 1:
        ticks = linear_ticks(low, high, about)
        return [t for t in ticks if t > 0]
    mantissas = (1, 2, 5) if decades < 1.7 else (1, 3) if decades < 2.5 else (1,)
    ticks = [float(f"{m}e{e}") for e in range(first, last + 1) for m in mantissas]
    ticks = [t for t in ticks if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]
    stride = max(1, math.ceil(len(ticks) / (about + 1)))
    return ticks[::stride]


def tick_labels(ticks: Sequence[float], as_percent: bool = False) -> list[str]:
    """Label the ticks of one axis with the same number of decimals."""
    if as_percent:
        ticks = [100 * t for t in ticks]
    steps = [abs(b - a) for a, b in pairwise(ticks) if b != a]
    step = min(steps) if steps else max((abs(t) for t in ticks), default=1.0) or 1.0
    largest = max((abs(t) for t in ticks), default=0.0)
    if 0 < largest < 1e-4 or largest >= 1e12:
        labels = [num(t, 2) for t in ticks]
    elif largest >= 1e5:
        unit, sign = next((u, s) for u, s in (*_UNITS[1:], (1e3, "k")) if largest >= u)
        parts = tick_labels([t / unit for t in ticks])
        labels = [f"{text}{THIN}{sign}" if t else "0" for t, text in zip(ticks, parts, strict=True)]
    else:
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        if decimals and any(abs(t * 10**decimals - round(t * 10**decimals)) > 1e-6 for t in ticks):
            decimals += 1
        labels = [_fixed(t, decimals) for t in ticks]
    return [f"{text}{THIN}%" for text in labels] if as_percent else labels


def _fixed(value: float, decimals: int, signed: bool = False) -> str:
    text = f"{abs(value):,.{decimals}f}".replace(",", THIN)
    if not float(text.replace(THIN, "")):
        return text
    return f"{MINUS if value < 0 else '+' if signed else ''}{text}"
