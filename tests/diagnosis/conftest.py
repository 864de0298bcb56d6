"""Evidence made by hand: losses that need no solver."""

import numpy as np
import pytest

from bridle.diagnosis.evidence import Evidence


@pytest.fixture(scope="session")
def make_evidence():
    """Evidence from (J, M) losses; column names in order, "owner: variant" for variants."""

    def make(test, train, names, *, n=100, repeats=1):
        test, train = np.asarray(test, float), np.asarray(train, float)
        folds = len(test)
        per_repeat = folds // repeats
        fold_of = np.stack([np.arange(n) % per_repeat + r * per_repeat for r in range(repeats)])
        held = n // per_repeat
        return Evidence(
            names=tuple(names),
            labels=tuple(names),
            owners=tuple(name.split(": ")[0] if ": " in name else "" for name in names),
            family="gaussian",
            test_loss=test,
            train_loss=np.broadcast_to(train, test.shape).copy(),
            test_weight=np.full(folds, float(held)),
            n_train=np.full(folds, n - held),
            n_test=np.full(folds, held),
            n_repeats=repeats,
            y=np.zeros(n),
            weight=np.ones(n),
            offset=None,
            predictions={},
            fold_of=fold_of,
            scheme="by hand",
        )

    return make


@pytest.fixture(scope="session")
def noisy_losses():
    """Fold losses around given means, with a common part that pairing removes."""

    def draw(means, *, folds=10, common=0.2, own=0.02, seed=0):
        rng = np.random.default_rng(seed)
        shared = 1 + common * rng.standard_normal((folds, 1))
        return np.asarray(means) * shared * (1 + own * rng.standard_normal((folds, len(means))))

    return draw
