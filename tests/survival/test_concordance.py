"""Harrell's concordance against its definition, pair by pair."""

import numpy as np
import pytest

from bridle import concordance_index
from bridle.errors import InputError


def by_pairs(rows, risk, w):
    concordant = comparable = 0.0
    for i in range(len(w)):
        for j in range(len(w)):
            same, later = rows[i, 3] == rows[j, 3], rows[j, 1] > rows[i, 1]
            outlives = later or (rows[j, 1] == rows[i, 1] and rows[j, 2] == 0.0)
            if rows[i, 2] == 1.0 and same and outlives and rows[j, 0] < rows[i, 1] and i != j:
                comparable += w[i] * w[j]
                concordant += w[i] * w[j] * ((risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j]))
    return concordant / comparable


@pytest.mark.parametrize("kind", [{}, {"tied": True}, {"late": True}, {"tied": True, "late": True, "strata": 3}])
def test_the_index_is_its_definition(kit, kind):
    rng = np.random.default_rng(0)
    for _ in range(20):
        n = int(rng.integers(8, 40))
        rows, risk = kit.rows(rng, n, **kind), rng.normal(size=n).round(1)
        w = rng.integers(0, 4, n).astype(float)
        w[:4] = 1.0
        assert concordance_index(rows, risk, w) == pytest.approx(by_pairs(rows, risk, w), rel=1e-12)
        assert concordance_index(rows, risk) == pytest.approx(by_pairs(rows, risk, np.ones(n)), rel=1e-12)


def test_ends_of_the_scale_and_what_cannot_be_compared():
    y = np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 0.0]])
    assert concordance_index(y, [3.0, 2.0, 1.0]) == 1.0
    assert concordance_index(y, [1.0, 2.0, 3.0]) == 0.0
    assert concordance_index(y, [0.0, 0.0, 0.0]) == 0.5
    with pytest.raises(InputError, match="no two rows can be compared"):
        concordance_index(np.array([[1.0, 0.0], [2.0, 1.0]]), [0.0, 1.0])
    with pytest.raises(InputError, match="risk has shape"):
        concordance_index(y, np.zeros((3, 1)))
    with pytest.raises(InputError, match=">= 0"):
        concordance_index(y, np.zeros(3), [1.0, -1.0, 1.0])
