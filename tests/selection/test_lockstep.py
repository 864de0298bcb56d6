"""Folds in lockstep are the folds fitted one by one."""

import numpy as np
import pytest
from scipy import sparse

from bridle.certificates import certify
from bridle.penalties import Penalty
from bridle.selection import cross_validate, lockstep, make_folds

N, P = 60, 400
FAMILIES = ["gaussian", "binomial", "poisson"]


@pytest.fixture(autouse=True)
def tables_by_rows_are_read_as_they_are(monkeypatch):
    monkeypatch.setattr("bridle.matrix.COPIED", 0)


def data(family, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, P)) * rng.uniform(0.3, 3.0, size=P) + rng.normal(size=P)
    X[:, 200] = X[:, 0]
    eta = (X[:, :3] - X[:, :3].mean(axis=0)) @ rng.normal(size=3) / 3.0
    if family == "gaussian":
        y = eta + 0.3 * rng.normal(size=N)
    elif family == "binomial":
        y = (eta + 0.5 * rng.normal(size=N) > 0.0).astype(float)
    else:
        y = rng.poisson(np.exp(0.5 * eta)).astype(float)
    return X, y


def both(monkeypatch, X, y, **options):
    """Cross-validations in lockstep and fold by fold, with what each fitted on the folds."""
    results = []
    for together in (True, False):
        kept = []

        def keep(*args, together=together, kept=kept, original=lockstep.fit_folds):
            fitted = original(*args)
            kept.extend(fitted)
            return fitted

        with monkeypatch.context() as patch:
            patch.setattr(lockstep, "fit_folds", keep)
            if not together:
                patch.setattr(lockstep, "applies", lambda *_: False)
            results.append((cross_validate(X, y, **options), kept))
        assert bool(kept) == together
    return results


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["F", "C", "float32", "csc"])
def test_curves_are_those_of_single_folds(monkeypatch, family, kind):
    X, y = data(family)
    X = {"F": np.asfortranarray, "C": np.ascontiguousarray, "csc": sparse.csc_array,
         "float32": lambda A: np.asfortranarray(A, dtype=np.float32)}[kind](X)  # fmt: skip
    folds = make_folds(y, family=family, n_splits=4, seed=0)
    rng = np.random.default_rng(3)
    (one, fits), (other, _) = both(
        monkeypatch, X, y, folds=folds, family=family, l1_ratio=[1.0, 0.5], n_lambdas=12, lambda_min_ratio=0.05,
        sample_weight=rng.uniform(0.5, 2.0, size=N), offset=0.1 * rng.normal(size=N),
        penalty_factor=np.where(np.arange(P) == 7, 0.0, 1.0), tol=1e-9,
    )  # fmt: skip
    for a, b in zip(one.curves, other.curves, strict=True):
        np.testing.assert_allclose(a.test_loss, b.test_loss, rtol=2e-3, atol=1e-5)
        np.testing.assert_allclose(a.train_loss, b.train_loss, rtol=1e-6, atol=1e-8)
    assert len(fits) == 4
    assert all(path.converged for of_fold in fits for path in of_fold)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_each_fold_has_its_certificate_on_its_own_rows(monkeypatch, family, standardize, fit_intercept):
    X, y = data(family, seed=1)
    lower = np.where(np.arange(P) % 2 == 0, 0.0, -np.inf)
    factor = np.random.default_rng(5).uniform(0.5, 2.0, size=P)
    factor[20:30] = np.inf
    folds = make_folds(y, family=family, n_splits=3, seed=1)
    (_, fits), _ = both(
        monkeypatch, X, y, folds=folds, family=family, n_lambdas=15, lambda_min_ratio=0.05, lower=lower, tol=1e-6,
        penalty_factor=factor, standardize=standardize, fit_intercept=fit_intercept,
    )  # fmt: skip
    penalty = Penalty(1.0, factor, lower)
    for (train, _), (path,) in zip(folds, fits, strict=True):
        for k, lam in enumerate(path.lambdas):
            found = certify(
                X[train], y[train], path.intercept[k], path.coef_row(k), lam, family=family, penalty=penalty,
                standardize=standardize, fit_intercept=fit_intercept,
            )  # fmt: skip
            assert found.relative_gap <= 1e-6
            np.testing.assert_allclose(path.relative_gap[k], found.relative_gap, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["F", "C"])
def test_threads_and_groups_change_no_digit(monkeypatch, family, kind):
    X, y = data(family, seed=2)
    X = np.asarray(X, order=kind)
    options = {"folds": make_folds(y, family=family, n_splits=5, seed=0), "family": family, "n_lambdas": 10}
    one = cross_validate(X, y, n_jobs=1, **options).curves[0]
    np.testing.assert_array_equal(cross_validate(X, y, n_jobs=3, **options).curves[0].test_loss, one.test_loss)
    monkeypatch.setattr(lockstep, "_SPARE", 2 * lockstep._PER_FEATURE * P)
    grouped = cross_validate(X, y, **options).curves[0]
    np.testing.assert_allclose(grouped.test_loss, one.test_loss, rtol=1e-2, atol=1e-4)


def test_a_fold_whose_null_model_is_perfect_and_one_with_constant_columns():
    X, y = data("gaussian", seed=3)
    y[:] = np.where(np.arange(N) < 20, y, 1.0)  # without the first rows the target is constant
    X[20:, 3] = 2.0
    folds = [(np.arange(20, N), np.arange(20)), (np.arange(30), np.arange(30, N))]
    curve = cross_validate(X, y, folds=folds, n_lambdas=8).curves[0]
    assert np.ptp(curve.train_loss[0]) == 0.0
    assert np.isfinite(curve.test_loss).all()


def test_ridge_and_tall_tables_go_fold_by_fold(monkeypatch):
    X, y = data("gaussian")
    monkeypatch.setattr(lockstep, "fit_folds", None)
    folds = make_folds(y, family="gaussian", n_splits=3, seed=0)
    cross_validate(X, y, folds=folds, l1_ratio=0.0, n_lambdas=3)
    cross_validate(X[:, :50], y, folds=folds, n_lambdas=3)
    cross_validate(X, y, folds=folds, n_lambdas=3, mode="columns")


def tall(family, kind, n=6000, p=45):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(n, p)) * rng.uniform(0.3, 3.0, size=p) + rng.normal(size=p)
    eta = (X[:, :4] - X[:, :4].mean(axis=0)) @ rng.normal(size=4) / 3.0
    y = (rng.uniform(size=n) < 1 / (1 + np.exp(-eta))) if family == "binomial" else rng.poisson(np.exp(0.5 * eta))
    X = {"F": np.asfortranarray, "C": np.ascontiguousarray, "float32": lambda A: np.asfortranarray(A, np.float32)}[
        kind
    ](X)
    return X, y.astype(float)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
@pytest.mark.parametrize("kind", ["F", "C", "float32"])
def test_folds_of_tall_tables_share_passes_and_prove_themselves_on_their_own_rows(monkeypatch, family, kind):
    X, y = tall(family, kind)
    monkeypatch.setattr(lockstep, "_CACHED", 1 << 20)
    folds = make_folds(y, family=family, n_splits=4, seed=1)
    options = {"folds": folds, "family": family, "n_lambdas": 12, "l1_ratio": 0.9, "tol": 1e-8}
    (one, fits), (other, _) = both(monkeypatch, X, y, **options)
    np.testing.assert_allclose(one.curves[0].test_loss, other.curves[0].test_loss, rtol=1e-4)
    for (train, _), (path,) in zip(folds, fits, strict=True):
        for k in (1, 6, 11):
            found = certify(
                X[train], y[train], path.intercept[k], path.coef_row(k), path.lambdas[k], family=family,
                penalty=Penalty(0.9),
            )  # fmt: skip
            assert found.relative_gap <= 1e-8
    threads = cross_validate(X, y, n_jobs=3, **options).curves[0]
    np.testing.assert_array_equal(threads.test_loss, one.curves[0].test_loss)
