"""Features without a penalty: the dual point has to be orthogonal to them, and may be noise beside what is left."""

import numpy as np
import pytest

from bridle.certificates import certify
from bridle.path import fit_path
from bridle.penalties import Penalty


def random_problem(family, seed):
    """A tiny problem whose first columns aren't penalised: X (n, p), y (n,), v (p,)."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(3, 8)), int(rng.integers(2, 6))
    X = rng.normal(size=(n, p))
    y = rng.poisson(1.5, size=n) + 0.0 if family == "poisson" else rng.normal(size=n)
    y[:2] = (0.0, 1.0)
    return X, y, np.where(np.arange(p) < rng.integers(1, p + 1), 0.0, 1.0)


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_referee_agrees_with_the_solver(family):
    for seed in range(150):
        X, y, factor = random_problem(family, seed)
        path = fit_path(X, y, family=family, n_lambdas=8, penalty_factor=factor)
        for i in np.flatnonzero([s == "converged" for s in path.status]):
            found = certify(
                X, y, path.intercept[i], path.coef[i], path.lambdas[i], family=family, penalty=Penalty(1.0, factor)
            )
            assert found.relative_gap <= 2e-6, seed


def test_no_penalty_at_all_has_a_finite_certificate(kit):
    X, y = kit.make_data("poisson", 40, 3, seed=1)
    path = fit_path(X, y, family="poisson", lambdas=[0.0])
    assert certify(X, y, path.intercept[0], path.coef[0], 0.0, family="poisson").relative_gap <= 1e-6


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_a_penalised_copy_of_an_unpenalised_feature_has_no_signal(family):
    x = np.array([-1.0, -0.5, 0.0, 0.3, 0.7, 1.2])
    X = np.column_stack([x, -3.0 * x, 0.1 * x])
    y = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    path = fit_path(X, y, family=family, penalty_factor=[0.0, 1.0, 1.0])
    assert path.lambda_max == 0.0
    assert path.status == ("converged",)
    assert (path.coef[:, 1:] == 0.0).all()
    assert any("no feature is related" in note for note in path.notes)


def test_rows_that_unpenalised_features_fit_exactly_leave_no_signal():
    X = np.random.default_rng(3).normal(size=(3, 5))
    path = fit_path(X, [1.0, 2.5, -1.0], penalty_factor=[0.0, 0.0, 1.0, 1.0, 1.0])
    assert path.lambda_max == 0.0
    assert path.converged
    assert (path.coef[:, 2:] == 0.0).all()
