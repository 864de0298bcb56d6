"""Which tables are copied, and that it changes no answer."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from bridle import fit_path
from bridle.matrix import as_design, by_columns


@pytest.fixture
def limit(monkeypatch):
    monkeypatch.setattr("bridle.matrix.COPIED", 8 * 60 * 7)


def test_tables_by_rows_are_copied_up_to_the_limit(limit):
    X = np.random.default_rng(0).normal(size=(60, 7))
    copied = by_columns(X)
    assert copied.flags.f_contiguous
    np.testing.assert_array_equal(copied, X)
    large = np.zeros((61, 7))
    assert by_columns(large) is large


def test_what_lies_by_columns_or_is_no_array_stays(limit):
    X = np.asfortranarray(np.random.default_rng(0).normal(size=(60, 7)))
    assert by_columns(X) is X
    S, rows = sparse.csc_array(X), X.tolist()
    assert by_columns(S) is S
    assert by_columns(rows) is rows
    strided = np.repeat(X, 2, axis=0)[::2]
    assert by_columns(strided) is strided
    frame = pd.DataFrame(np.ascontiguousarray(X))
    np.testing.assert_array_equal(as_design(by_columns(frame))[1], X)


@pytest.mark.parametrize("family", ["gaussian", "poisson", "multinomial"])
@pytest.mark.parametrize("shape", [(60, 7), (30, 12)])
def test_the_copy_changes_no_digit(limit, family, shape):
    rng = np.random.default_rng(1)
    X = rng.normal(size=shape)
    y = rng.integers(0, 3, shape[0]).astype(float)
    found = [fit_path(A, y, family=family, n_lambdas=10) for A in (np.asfortranarray(X), np.ascontiguousarray(X))]
    np.testing.assert_array_equal(found[0].coef, found[1].coef)
    np.testing.assert_array_equal(found[0].relative_gap, found[1].relative_gap)
