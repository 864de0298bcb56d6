"""Threads of a path change no digit."""

import numpy as np
import pytest

from bridle import fit_path
from bridle.errors import InputError


@pytest.mark.parametrize("order", ["F", "C"])
def test_threads_share_the_pass_and_change_no_digit(order):
    rng = np.random.default_rng(0)
    X = np.asarray(rng.normal(size=(60_000, 40)), order=order)  # large enough for several pieces
    y = X[:, :3].sum(axis=1) + rng.normal(size=60_000)
    one, two = (fit_path(X, y, n_lambdas=10, n_jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(one.coef, two.coef)
    np.testing.assert_array_equal(one.relative_gap, two.relative_gap)


def test_a_number_of_threads_that_is_none_is_refused():
    with pytest.raises(InputError, match="n_jobs is 0"):
        fit_path(np.eye(3), np.arange(3.0), n_jobs=0)
