"""Responses on as few rows as there are columns, against all rows."""

import numpy as np
import pytest

from bridle import fit_path
from bridle.several import compressed


@pytest.mark.parametrize(
    ("intercept", "dtype", "far"),
    [(True, np.float64, 0.0), (True, np.float64, 1e6), (True, np.float32, 0.0), (False, np.float64, 0.0)],
)
def test_few_rows_have_the_same_path(monkeypatch, intercept, dtype, far):
    rng = np.random.default_rng(3)
    X = np.ascontiguousarray(rng.normal(size=(5000, 7)) + far, dtype=dtype)
    Y = X[:, :3] - X[:, :1] + rng.normal(size=(5000, 3))
    given = {
        "family": "multigaussian",
        "lambdas": [0.5, 0.1, 0.01, 0.0],
        "penalty": "group_lasso",
        "sample_weight": rng.uniform(size=5000) * (rng.random(5000) < 0.9),
        "offset": rng.normal(size=(5000, 3)),
        "fit_intercept": intercept,
        "penalty_factor": [1, 1, 0, 1, 1, 2, 1],
        "tol": 1e-11 if far == 0.0 else 1e-8,
    }
    counted = []
    plain = compressed.compress
    monkeypatch.setattr(compressed, "compress", lambda *args: counted.append(1) or plain(*args))
    few = fit_path(X, Y, **given)
    times = len(counted)
    assert times > 0
    every = fit_path(X, Y, mode="columns", **given)
    assert len(counted) == times
    np.testing.assert_allclose(few.coef, every.coef, atol=1e-6 if far == 0.0 else 1e-4)
    np.testing.assert_allclose(few.deviance, every.deviance, rtol=1e-8)
    assert few.status == every.status == ("converged",) * 4
