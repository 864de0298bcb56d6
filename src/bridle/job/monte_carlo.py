"""Are a dropout network's Monte-Carlo intervals honest? Their coverage on held-out rows.

The predictive distribution of a row mixes, over S thinned networks, the family's distribution around each one's mean
(Gal and Ghahramani 2016, equation 6). Where an observation falls in it is its probability integral transform u; a
central interval of level c holds the observation if u is within c / 2 of 1/2. A 0/1 observation says nothing alone:
classes are checked by the number of positives among rows of like predictions. Where the distribution is discrete, u is
drawn within its step (Czado, Gneiting and Held 2009).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, pdtr

from bridle.job.holdout import share_interval
from bridle.job.words import percent
from bridle.nets.network import Network
from bridle.results import Coverage, MonteCarlo

Float = NDArray[np.float64]

SAMPLES = 100
LEVELS = (0.5, 0.8, 0.9, 0.95)
TOLD = 0.9  # the level that the sentence speaks of
GROUP = 10  # rows of a class check
DRAWS = 20  # sums of 0/1 draws for each thinned network
MOST_ROWS = 2_000


def monte_carlo(
    network: Network, X: NDArray[np.float64], y: Float, offset: Float | None, *, level: float, seed: int
) -> MonteCarlo | None:
    """Check the intervals on held-out rows; None without dropout, or with too few rows to tell anything.

    Parameters
    ----------
    network : Network
        Gaussian, binomial or Poisson.
    X, y, offset : (n, p), (n,), (n,) or None
        Held-out rows.
    level : float
        Confidence level of the coverage itself.
    seed : int
        Of the masks and of the draws within steps.
    """
    if not network.samples or y.size < 2 * GROUP:
        return None
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(y.size)[:MOST_ROWS])
    links = network.sample_links(X[rows], SAMPLES, seed, None if offset is None else offset[rows])  # (S, n)
    with np.errstate(over="ignore"):
        means = network.mean_of(links)
    u, unit = _transforms(network, means, y[rows], rng)
    found = tuple(Coverage(c, share_interval(float(np.mean(np.abs(u - 0.5) <= c / 2)), u.size, level)) for c in LEVELS)
    told = next(c for c in found if c.level == TOLD)
    return MonteCarlo(SAMPLES, unit, u.size, found, _sentence(told, unit, level))


def _transforms(network: Network, means: Float, y: Float, rng: np.random.Generator) -> tuple[Float, str]:
    """Probability integral transform of each unit, and what a unit is."""
    if network.family == "gaussian":
        return np.asarray(ndtr((y - means) / max(network.noise, 1e-300)).mean(axis=0)), "rows"
    if network.family == "poisson":
        below = np.where(y > 0, pdtr(np.maximum(y - 1, 0), means), 0.0).mean(axis=0)
        return _within(below, pdtr(y, means).mean(axis=0), rng), "rows"
    order = np.argsort(means.mean(axis=0), kind="stable")
    groups = order[: order.size // GROUP * GROUP].reshape(-1, GROUP)  # rows of like predictions
    seen = y[groups].sum(axis=1)
    p = means[:, groups]  # (S, groups, GROUP)
    sums = np.concatenate([(rng.random(p.shape) < p).sum(axis=2) for _ in range(DRAWS)])  # (S * DRAWS, groups)
    return _within((sums < seen).mean(axis=0), (sums <= seen).mean(axis=0), rng), f"groups of {GROUP} rows"


def _within(low: Float, high: Float, rng: np.random.Generator) -> Float:
    return np.asarray(low + rng.random(low.size) * (high - low))


def _sentence(told: Coverage, unit: str, level: float) -> str:
    it = told.covered
    judged = "as promised"
    if it.upper < told.level:
        judged = "they are too narrow, and predictions are less certain than they say"
    elif it.lower > told.level:
        judged = "they are too wide, on the safe side"
    return (
        f"Intervals meant to hold {percent(told.level)} of {unit} held {percent(it.value)} "
        f"({100 * level:g} % CI {percent(it.lower)} to {percent(it.upper)}): {judged}."
    )
