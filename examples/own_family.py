"""A loss of your own: expectiles, which weigh residuals above the prediction differently from those below.

    python examples/own_family.py

Value, slope and curvature are all that a family needs; the solver calls them with whole columns. Everything else
(certificates, cross-validation, rules) works as for the families that bridle brings.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

import bridle

Float = NDArray[np.float64]


@bridle.register_family
@dataclass(frozen=True)
class Expectile(bridle.Family):
    """Asymmetric squared error: tau r^2 above the prediction, (1 - tau) r^2 below."""

    name: ClassVar[str] = "expectile"
    formula: ClassVar[str] = "tau r^2 if r > 0 else (1 - tau) r^2, r = y - eta"
    loss_name: ClassVar[str] = "mean asymmetric squared error, doubled"

    tau: float = 0.5

    def _weight(self, y: Float, eta: Float) -> Float:
        return np.where(y > eta, self.tau, 1.0 - self.tau)

    def loss(self, y: Float, eta: Float) -> Float:
        """Unit loss."""
        return self._weight(y, eta) * (y - eta) ** 2

    def gradient(self, y: Float, eta: Float) -> Float:
        """First derivative in eta."""
        return 2.0 * self._weight(y, eta) * (eta - y)

    def curvature(self, y: Float, eta: Float) -> Float:
        """Second derivative in eta."""
        return 2.0 * self._weight(y, eta)


def main() -> None:
    """Check the family, fit a path, and choose a lambda."""
    bridle.check_family(Expectile(0.9))

    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 8))
    y = X[:, 0] + (1.0 + 0.8 * X[:, 1]) * rng.normal(size=400)
    path = bridle.fit_path(X, y, family="expectile(tau=0.9)")
    print(path.objective)
    print(f"worst relative gap: {path.relative_gap.max():.1e}")

    found = bridle.cross_validate(X, y, folds=bridle.make_folds(y), family="expectile(tau=0.9)", n_lambdas=40)
    print(found.select("1se").reason)


if __name__ == "__main__":
    main()
