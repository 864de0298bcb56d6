"""Whether there are enough rows for the candidate features.

References
----------
Riley, R. D. et al. (2019). Minimum sample size for developing a multivariable prediction model: Part I, continuous
outcomes; Part II, binary and time-to-event outcomes. Statistics in Medicine 38, 1262-1275 and 1276-1296.
Riley, R. D. et al. (2020). Calculating the sample size required for developing a clinical prediction model. BMJ 368,
m441.
"""

from __future__ import annotations

import math

import numpy as np

from bridle.diagnosis.verdict import SampleSize
from bridle.errors import InputError
from bridle.losses import get_family

SHRINKAGE = 0.9  # expected slope of the predictions on new rows
OPTIMISM = 0.05  # of R2 (binary: of Nagelkerke's R2)
RISK_ERROR = 0.05  # half-width of the interval for the overall risk
RESIDUAL_ROWS = 234  # rows beyond the parameters that know the residual sd to 10 %
ASSUMED = 0.15  # share of the largest possible R2 where nothing is known: Riley et al. (2020), step 3
LEAST_R2 = 0.02  # below it the formulas ask for any number of rows
MOST_ROWS = 10_000_000
UNCENSORED = 2 * 0.5772156649  # mean squared deviance residual of exponential times: twice Euler's constant


def sample_size(
    family: str,
    n: int,
    n_events: int,
    n_candidates: int,
    explained: float | None = None,
    null: float | None = None,
) -> SampleSize:
    """Rows that Riley et al.'s criteria ask for, and events per candidate parameter.

    Shrinkage of at least 0.9: n = k / ((S - 1) log(1 - R2 / S)), k candidates, R2 on Cox and Snell's scale.

    Parameters
    ----------
    family : str
        "gaussian": shrinkage, optimism of R2, residual sd. "binomial": shrinkage, optimism of Nagelkerke's R2, overall
        risk. "poisson" and "cox": shrinkage only, since the others aren't published for counts, or depend on the unit
        of time. Others: none are published.
    n : int
        Rows at hand.
    n_events : int
        Rows of the rarer class, sum of counts, or n.
    n_candidates : int
        Parameters that were considered, whether selected or not.
    explained : float, optional
        Share of the null deviance explained on held-out rows; 0.15 of what's possible is assumed without it.
    null : float, optional
        Null deviance per event of times to an event; that of times without censoring by default.

    Returns
    -------
    SampleSize
        ``criteria`` maps each criterion to the rows it asks for; the largest is required.

    Raises
    ------
    InputError
        Unknown family, or counts that are negative.
    """
    kind = get_family(family)
    if n < 1 or n_events < 0 or n_candidates < 0:
        raise InputError(f"sample size needs counts of at least 0 (and a row), got {n=}, {n_events=}, {n_candidates=}")
    k = max(n_candidates, 1)
    if kind.several:
        sentence = (
            f"{n:,} rows for {n_candidates:,} candidate parameters: {n / k:.3g} rows each"
            + (f", and {n_events / k:.3g} of the rarest class" if kind.has_classes else "")
            + "; the criteria of Riley et al. are for one number or two classes."
        )
        return SampleSize(n, n_events, n_candidates, n_events / k, 0, {}, sentence)
    if kind.name not in ("gaussian", "binomial", "poisson", "cox"):
        sentence = (
            f"{n:,} rows for {n_candidates:,} candidate parameters: {n / k:.3g} rows each; no criteria are "
            f"published for the {kind.label} family."
        )
        return SampleSize(n, n_events, n_candidates, n_events / k, 0, {}, sentence)
    if kind.name == "cox":
        criteria = _times(n, n_events, k, explained, UNCENSORED if null is None else null)
    else:
        criteria = {"gaussian": _continuous, "binomial": _binary, "poisson": _counts}[family](n, n_events, k, explained)
    required = math.ceil(min(max(criteria.values()), MOST_ROWS))
    per_candidate = n_events / k
    counted = f" ({n_events:,} events)"
    events = {"binomial": f" ({n_events:,} of the rarer class)", "poisson": counted, "cox": counted}
    unit = "rows" if family == "gaussian" else "events"
    enough = "enough" if n >= required else "too few"
    rows = f"{n:,} rows{events.get(kind.name, '')}"
    sentence = (
        f"{rows} for {n_candidates:,} candidate parameters: {per_candidate:.3g} {unit} each; "
        f"{enough} by the criteria of Riley et al., which ask for {required:,} rows without a penalty."
    )
    return SampleSize(n, n_events, n_candidates, per_candidate, required, criteria, sentence)


def _shrunk(k: int, r2: float, s: float) -> float:
    """Rows at which the expected shrinkage is ``s``, given Cox and Snell's R2."""
    return min(k / ((s - 1.0) * math.log1p(-min(r2 / s, 1 - 1e-12))), MOST_ROWS)


def _binary(n: int, n_events: int, k: int, explained: float | None) -> dict[str, float]:
    risk = min(max(n_events / n, 1e-6), 1 - 1e-6)
    null = -2 * (risk * math.log(risk) + (1 - risk) * math.log1p(-risk))  # null deviance per row
    most = -math.expm1(-null)  # largest Cox-Snell R2
    r2 = max(ASSUMED * most if explained is None else -math.expm1(-null * explained), LEAST_R2 * most)
    r2 = min(r2, 0.99 * SHRINKAGE * most)
    return {
        f"shrinkage of at least {SHRINKAGE:g}": _shrunk(k, r2, SHRINKAGE),
        f"optimism of R2 at most {OPTIMISM:g}": _shrunk(k, r2, r2 / (r2 + OPTIMISM * most)),
        f"overall risk within {RISK_ERROR:g}": (1.96 / RISK_ERROR) ** 2 * risk * (1 - risk),
    }


def _continuous(n: int, n_events: int, k: int, explained: float | None) -> dict[str, float]:
    r2 = min(max(ASSUMED if explained is None else explained, LEAST_R2), 0.99)
    rows = np.unique(np.geomspace(k + 3, MOST_ROWS, 200_000).astype(np.int64))
    apparent = (r2 * (rows - k - 1) + k) / (rows - 1)  # R2 on the training rows, from the adjusted one
    shrinkage = 1 + (k - 2) / (rows * np.log1p(-apparent))
    fits = np.flatnonzero(shrinkage >= SHRINKAGE)
    return {
        f"shrinkage of at least {SHRINKAGE:g}": float(rows[fits[0]] if len(fits) else MOST_ROWS),
        f"optimism of R2 at most {OPTIMISM:g}": 1 + k * (1 - r2) / OPTIMISM,
        "residual sd within 10 %": float(RESIDUAL_ROWS + k),
    }


def _counts(n: int, n_events: int, k: int, explained: float | None) -> dict[str, float]:
    mean = max(n_events / n, 1e-6)
    values = np.arange(int(mean + 10 * math.sqrt(mean) + 20))
    logs = np.cumsum(np.log(np.maximum(values, 1)))
    density = np.exp(values * math.log(mean) - mean - logs)
    unit = 2 * (np.where(values > 0, values * np.log(np.maximum(values, 1) / mean), 0.0) - (values - mean))
    null = float(density @ unit)  # deviance per row of a Poisson target with this mean
    share = ASSUMED if explained is None else explained
    r2 = min(max(-math.expm1(-null * share), LEAST_R2), 0.99 * SHRINKAGE)
    return {f"shrinkage of at least {SHRINKAGE:g}": _shrunk(k, r2, SHRINKAGE)}


def _times(n: int, n_events: int, k: int, explained: float | None, null: float) -> dict[str, float]:
    per_row = null * n_events / n
    r2 = -math.expm1(-per_row * (ASSUMED if explained is None else explained))
    r2 = min(max(r2, LEAST_R2 * -math.expm1(-per_row)), 0.99 * SHRINKAGE)
    return {f"shrinkage of at least {SHRINKAGE:g}": _shrunk(k, r2, SHRINKAGE)}
