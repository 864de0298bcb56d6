"""The block solver of the core, called as it is: groups of one are the lasso of the other solver."""

import numpy as np
import pytest
from scipy import sparse

from bridle import _core
from bridle.penalties import Penalty
from bridle.problem import Problem


def solve_single_blocks(X, y, lambdas, *, family, l1_ratio, tol, **options):
    problem = Problem.make(
        X, y, family=family, sample_weight=None, offset=None, fit_intercept=True, standardize=True,
        penalty=Penalty(l1_ratio, **options),
    )  # fmt: skip
    p = problem.shape[1]
    singles = (np.arange(p + 1), np.arange(p))
    result = _core.solve_blocks(
        problem.design, problem.family.core(problem.y), problem.y, problem.offset, problem.w, problem.centre,
        problem.scale, ("elastic_net", 3.0), singles, problem.factor, False, problem.lower, problem.upper, l1_ratio,
        0.0, True, np.array([problem.start]), problem.reference, lambdas, tol, 10_000,
    )  # fmt: skip
    coef = sparse.csr_array((result["values"], result["columns"], result["starts"]), shape=(len(lambdas), p))
    return result["intercept"], coef.toarray(), result


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize("shape", [(80, 12), (30, 60)])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
def test_single_blocks_are_the_elastic_net(kit, family, shape, l1_ratio):
    X, y = kit.make_data(family, *shape, seed=3)
    options = {"factor": np.r_[0.0, np.linspace(0.5, 2.0, shape[1] - 2), np.inf], "lower": -0.4, "upper": 0.9}
    path = kit.fit_path(
        X, y, family=family, l1_ratio=l1_ratio, n_lambdas=20, lambda_min_ratio=0.02, tol=1e-11,
        penalty_factor=options["factor"], lower=-0.4, upper=0.9,
    )  # fmt: skip
    intercept, coef, result = solve_single_blocks(
        X, y, path.lambdas, family=family, l1_ratio=l1_ratio, tol=1e-11, **options
    )
    assert not result["status"].any()
    assert intercept.shape == (20, 1)
    np.testing.assert_allclose(coef, path.coef, atol=2e-5 * np.abs(path.coef).max())
    np.testing.assert_allclose(intercept[:, 0], path.intercept, atol=1e-5)


def test_groups_that_do_not_fit_the_columns_are_refused(kit):
    X, y = kit.make_data("gaussian", 20, 3, seed=0)
    problem = Problem.make(
        X, y, family="gaussian", sample_weight=None, offset=None, fit_intercept=True, standardize=True,
        penalty=Penalty(),
    )  # fmt: skip

    def solve(starts, features):
        return _core.solve_blocks(
            problem.design, problem.family.core(problem.y), problem.y, problem.offset, problem.w, problem.centre,
            problem.scale, ("group_lasso", 3.0), (np.array(starts), np.array(features)), problem.factor, False,
            problem.lower, problem.upper, 1.0, 0.0, True, np.zeros(1), 1.0, np.ones(1), 1e-6, 100,
        )  # fmt: skip

    for starts, features in [
        ([0, 4], [0, 1, 2, 3]),
        ([0, 2], [0, 1, 2]),
        ([0, 2, 1, 3], [0, 1, 2]),
        ([1, 3], [0, 1, 2]),
    ]:
        with pytest.raises(ValueError, match="group"):
            solve(starts, features)
