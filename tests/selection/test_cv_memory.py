"""Folds of a large matrix are weights, not copies, and give the same curves."""

import numpy as np
import pytest

from bridle.selection import cross_validate, fits, make_folds


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_folds_by_weight_equal_folds_by_copy(monkeypatch, family):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 6)) * [1, 5, 0.1, 1, 1, 1] + 3
    y = X @ [1, -0.3, 2, 0, 0, 0] + rng.normal(size=150)
    y = y if family == "gaussian" else (y > np.median(y)).astype(float)
    weight = rng.uniform(0.5, 2, 150)
    folds = make_folds(y, family=family, n_splits=4)
    options = {"folds": folds, "family": family, "sample_weight": weight, "tol": 1e-12, "l1_ratio": [1.0, 0.5]}
    copied = cross_validate(X, y, **options)
    monkeypatch.setattr(fits, "_LARGE", 0)
    weighed = cross_validate(X, y, **options)
    for a, b in zip(copied.curves, weighed.curves, strict=True):
        np.testing.assert_allclose(a.test_loss, b.test_loss, rtol=1e-7)
        np.testing.assert_allclose(a.train_loss, b.train_loss, rtol=1e-7)
