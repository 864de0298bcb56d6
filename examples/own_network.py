"""Your own PyTorch module, its dropout chosen by cross-validation, and the verdict on it.

python examples/own_network.py
"""

from __future__ import annotations

import torch
from sklearn.datasets import load_diabetes
from torch import nn

import bridle.nets
from bridle.nets.proximal import selected_features


class Residual(nn.Module):
    """A wide first layer, then a block that adds to what it was given."""

    def __init__(self, rate: float, features: int = 10, width: int = 64) -> None:
        super().__init__()
        self.read = nn.Linear(features, width)
        self.block = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Dropout(rate))
        self.drop = nn.Dropout(rate)
        self.link = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.drop(torch.relu(self.read(x)))
        return self.link(h + self.block(h))


def draw(curve: bridle.selection.Curve, chosen: float) -> None:
    """Held-out loss by rate, as bars from the best rate's loss to that of a model without features."""
    least, most = curve.mean.min(), max(curve.null_loss, curve.mean.max())
    print(f"{'dropout':>8} {'training':>9} {'held out':>9}")
    for rate, train, test, error in zip(curve.values, curve.train_mean, curve.mean, curve.standard_error, strict=True):
        bar = "#" * round(50 * (test - least) / (most - least) + 1)
        print(f"{rate:8.2f} {train:9.0f} {test:9.0f} +- {error:3.0f} {bar}{'  <- chosen' if rate == chosen else ''}")
    print(f"{'none at all':>18} {curve.null_loss:9.0f}")


def main() -> None:
    """Choose the dropout of the module, judge it, and let a group lasso leave features out."""
    torch.set_num_threads(1)  # layers as small as these are quicker on one
    data = load_diabetes()
    found = bridle.nets.path(Residual, [0.0, 0.25, 0.5, 0.75], data.data, data.target, rule="min")
    draw(found.curve, found.rate)
    print("\nChosen: ", found.select().reason)
    print("Verdict:", found.verdict.sentence)
    print("Without:", found.verdict_at(0.0).sentence)
    h = found.history
    print(f"The last training kept the weights of epoch {h.best_epoch} of {len(h.validation)}.")

    lasso = bridle.nets.Training(group_l1=0.7)
    sparse = bridle.nets.path(Residual, [found.rate], data.data, data.target, training=lasso, rule="min")
    kept = selected_features(sparse.module.read.weight)
    print(f"\nWith a group lasso on the first layer: held-out loss {sparse.curve.mean[0]:.0f}, features kept:")
    print("  " + ", ".join(data.feature_names[j] for j in kept))


if __name__ == "__main__":
    main()
