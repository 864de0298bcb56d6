"""The simulations on which the verdict is calibrated, written down before the rule was tuned.

A :class:`Scenario` says how a table is drawn; :func:`draw` draws one. Nothing here knows the verdict. Tuning and
validation use separate seeds (:data:`TUNING_SEEDS`, :data:`VALIDATION_SEEDS`), and only validation is published.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

SIZES = (30, 100, 300, 1000)
TUNING_SEEDS = range(0, 2)
VALIDATION_SEEDS = range(1000, 1006)
TEST_ROWS = 4000  # rows on which the true risk of a fit is measured


@dataclass(frozen=True)
class Scenario:
    """How one kind of table is drawn."""

    case: str  # what it stands for
    n: int
    p: int
    signal: float  # gaussian: R2 of the true mean; binomial and poisson: sd of the true linear predictor
    active: int  # features that carry the signal
    correlation: float = 0.0  # of neighbouring features, AR(1)
    shape: str = "linear"  # "linear", "curved", "interaction": the last two misspecify every linear model
    noise: str = "normal"  # "normal" or "t3": Student's t with 3 degrees of freedom
    family: str = "gaussian"
    shift: float = 0.0  # intercept on the link scale (binomial: -1.5 is about 20 % events)

    @property
    def name(self) -> str:
        """Stable name, used as a key in the stored results."""
        extra = "".join(
            f" {text}"
            for text, shown in (
                (f"r={self.correlation:g}", self.correlation > 0),
                (self.noise, self.noise != "normal"),
                (self.family, self.family != "gaussian"),
            )
            if shown
        )
        return f"{self.case}: n={self.n} p={self.p} signal={self.signal:g} active={self.active}{extra}"


def _grid() -> tuple[Scenario, ...]:
    cells: list[Scenario] = []
    for n in SIZES:
        cells += [
            Scenario("pure noise", n, 5, 0.0, 0),
            Scenario("pure noise", n, 30, 0.0, 0),
            Scenario("weak sparse", n, 10, 0.1, 2),
            Scenario("weak dense", n, 30, 0.1, 30),
            Scenario("medium sparse", n, 30, 0.5, 3),
            Scenario("medium dense", n, 30, 0.5, 30),
            Scenario("medium correlated", n, 30, 0.5, 6, correlation=0.8),
            Scenario("strong sparse", n, 10, 0.9, 3),
            Scenario("curved", n, 5, 0.6, 3, shape="curved"),
            Scenario("heavy tails", n, 10, 0.4, 3, noise="t3"),
        ]
    for n in SIZES[1:]:
        cells += [
            Scenario("interaction", n, 6, 0.6, 4, shape="interaction"),
            Scenario("pure noise", n, 10, 0.0, 0, family="binomial"),
            Scenario("weak sparse", n, 10, 0.5, 2, family="binomial"),
            Scenario("strong sparse", n, 10, 2.0, 3, family="binomial"),
            Scenario("rare events", n, 10, 1.0, 3, family="binomial", shift=-2.0),
            Scenario("counts", n, 10, 0.5, 3, family="poisson", shift=0.4),
        ]
    cells += [
        Scenario("more features than rows", 30, 60, 0.5, 3),
        Scenario("more features than rows", 100, 200, 0.5, 5),
        Scenario("more features than rows", 100, 200, 0.7, 200, correlation=0.5),
    ]
    return tuple(cells)


GRID = _grid()
QUICK = tuple(s for s in GRID if s.n == 100 and s.case in ("pure noise", "medium sparse", "curved"))


def _mean_part(s: Scenario, X: Float, rng: np.random.Generator) -> Float:
    """(n,) the true signal before scaling; the active features are spread evenly, with random signs."""
    if s.active == 0:
        return np.zeros(X.shape[0])
    chosen = np.linspace(0, s.p - 1, s.active).round().astype(int)
    sign = rng.choice([-1.0, 1.0], s.active)
    Z = X[:, chosen]
    if s.shape == "curved":
        return np.asarray((np.abs(Z) * sign).sum(axis=1) + np.sin(2 * Z).sum(axis=1))
    if s.shape == "interaction":
        return np.asarray((Z[:, 0::2] * Z[:, 1::2]).sum(axis=1))
    return np.asarray(Z @ sign)


def draw(s: Scenario, seed: int) -> tuple[Float, Float]:
    """Draw a table: the first ``s.n`` rows are the sample, the :data:`TEST_ROWS` after them measure true risk.

    Returns
    -------
    X, y : (n + TEST_ROWS, p) and (n + TEST_ROWS,)
    """
    truth = np.random.default_rng(zlib.crc32(s.name.encode()))  # the truth of a cell is the same for all seeds
    rng = np.random.default_rng([zlib.crc32(s.name.encode()), seed])
    rows = s.n + TEST_ROWS
    X = rng.standard_normal((rows, s.p))
    for j in range(1, s.p if s.correlation else 0):
        X[:, j] = s.correlation * X[:, j - 1] + np.sqrt(1 - s.correlation**2) * X[:, j]
    f = _mean_part(s, X, truth)
    if s.active:
        f = (f - f[s.n :].mean()) / f[s.n :].std()
    if s.family == "binomial":
        mean = 1 / (1 + np.exp(-(s.shift + s.signal * f)))
        return X, (rng.random(rows) < mean).astype(float)
    if s.family == "poisson":
        return X, rng.poisson(np.exp(s.shift + s.signal * f)).astype(float)
    e = rng.standard_normal(rows) if s.noise == "normal" else rng.standard_t(3, rows) / np.sqrt(3.0)
    return X, np.sqrt(s.signal) * f + np.sqrt(1 - s.signal) * e
