"""Cox paths: certified by the referee, equal to statsmodels where there is no penalty, and the same however given."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from statsmodels.duration.hazard_regression import PHReg

from bridle import fit_path
from bridle.certificates import certify
from bridle.convert import to_statsmodels
from bridle.errors import BridleWarning, InputError
from bridle.penalties import Penalty
from bridle.survival import CoxFamily, survival_target

KINDS = [{}, {"tied": True}, {"late": True}, {"tied": True, "late": True, "strata": 3}]
FEW = {"n_lambdas": 12, "lambda_min_ratio": 1e-3}


def worst_gap(path, X, y, penalty=None, **options):
    chosen = [0, len(path.lambdas) // 2, len(path.lambdas) - 1]
    return max(
        certify(
            X, y, 0.0, path.coef[i], path.lambdas[i], family=path.family, standardize=path.standardize,
            penalty=penalty or Penalty(path.l1_ratio), **options,
        ).relative_gap
        for i in chosen
    )  # fmt: skip


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
def test_every_lambda_is_certified_by_the_referee(kit, kind, ties, l1_ratio):
    X, y = kit.problem(80, 12, 1, **kind)
    rng = np.random.default_rng(0)
    given = {"sample_weight": rng.integers(0, 3, 80).astype(float), "offset": rng.normal(size=80)}
    path = fit_path(X, y, family=CoxFamily(ties), l1_ratio=l1_ratio, **FEW, **given)
    assert path.converged
    assert path.family == f"cox(ties='{ties}')"
    assert not path.intercept.any() and not path.fit_intercept
    assert worst_gap(path, X, y, **given) <= 1e-6
    assert path.n_nonzero[0] == (0 if l1_ratio else 12)
    assert np.all(np.diff(path.deviance) <= 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_factors_and_bounds(kit, kind):
    X, y = kit.problem(90, 8, 2, **kind)
    factor = np.array([0.0, 1.0, 2.0, 0.5, np.inf, 1.0, 1.0, 0.0])
    low, high = np.full(8, -0.1), np.full(8, 0.2)
    low[0], high[0] = -np.inf, np.inf
    path = fit_path(X, y, family="cox", penalty_factor=factor, lower=low, upper=high, l1_ratio=0.7, **FEW)
    assert path.converged
    assert worst_gap(path, X, y, Penalty(0.7, factor, low, high)) <= 1e-6
    assert not path.coef[:, 4].any() and np.all(path.coef[:, 0] != 0.0)
    assert path.coef[:, 1:].min() >= -0.1 and path.coef[:, 1:].max() <= 0.2


def test_more_features_than_rows(kit):
    X, y = kit.problem(60, 300, 3)
    for l1_ratio in (1.0, 0.3, 0.0):
        path = fit_path(X, y, family="cox", l1_ratio=l1_ratio, n_lambdas=8, lambda_min_ratio=0.05)
        assert path.converged
        assert worst_gap(path, X, y) <= 1e-6


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("kind", [{}, {"tied": True}, {"late": True}, {"strata": 3}, {"tied": True, "late": True}])
def test_unpenalised_fits_equal_statsmodels(kit, kind, ties):
    X, y = kit.problem(120, 4, 4, **kind)
    entry = np.where(np.isfinite(y[:, 0]), y[:, 0] + 1e-9, 0.0) if kind.get("late") else None  # there at risk on entry
    strata = y[:, 3].astype(int) if kind.get("strata") else None
    model = PHReg(y[:, 1], X, status=y[:, 2], entry=entry, strata=strata, ties=ties)
    there = model.fit(disp=0)
    path = fit_path(X, y, family=CoxFamily(ties), lambdas=[0.0], tol=1e-12)
    np.testing.assert_allclose(path.coef[0], there.params, rtol=1e-6, atol=1e-8)
    if not (ties == "efron" and kind.get("tied")):  # statsmodels leaves a constant out there
        loss = CoxFamily(ties).total_loss(y, X @ path.coef[0], np.ones(120))
        assert -loss == pytest.approx(there.llf, rel=1e-10)


def test_ridge_and_lasso_equal_statsmodels_regularised_fit(kit):
    X, y = kit.problem(100, 4, 5)
    model = PHReg(y[:, 1], X, status=y[:, 2], ties="breslow")
    for l1_ratio in (0.0, 1.0):
        there = model.fit_regularized(**to_statsmodels("PHReg", 0.05, l1_ratio), cnvrg_tol=1e-12, maxiter=2000)
        path = fit_path(
            X, y, family="cox(ties='breslow')", lambdas=[0.05], l1_ratio=l1_ratio, standardize=False, tol=1e-14
        )
        np.testing.assert_allclose(path.coef[0], there.params, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_storage_does_not_matter(kit, kind):
    X, y = kit.problem(70, 9, 6, **kind)
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.4, X, 0.0).astype(np.float32)
    reference = fit_path(X.astype(float), y, family="cox", tol=1e-10, **FEW)
    for other in (X, np.asfortranarray(X), sparse.csc_array(X), sparse.csr_array(X.astype(float))):
        path = fit_path(other, y, family="cox", lambdas=reference.lambdas, tol=1e-10)
        np.testing.assert_allclose(path.coef, reference.coef, atol=2e-5)
        assert worst_gap(path, other, y) <= 1e-10


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), kind=st.sampled_from(KINDS), ties=st.sampled_from(["efron", "breslow"]))
def test_paths_do_not_change_with_what_does_not_matter(kit, seed, kind, ties):
    X, y = kit.problem(50, 4, seed, **kind)
    rng = np.random.default_rng(seed)
    lambdas, options = [0.05, 0.01], {"family": CoxFamily(ties), "l1_ratio": 0.5, "tol": 1e-12}
    coef = fit_path(X, y, lambdas=lambdas, **options).coef
    order = rng.permutation(50)
    later = y.copy()
    later[:, :2] = np.where(np.isfinite(y[:, :2]), np.exp(y[:, :2] / 10.0), y[:, :2])
    with_zeros = (np.vstack([X, X[:5] * 100.0]), np.vstack([y, y[:5]]), np.r_[np.ones(50), np.zeros(5)])
    for other in (
        fit_path(X[order], y[order], lambdas=lambdas, **options),
        fit_path(X, later, lambdas=lambdas, **options),
        fit_path(X + 100.0, y, lambdas=lambdas, **options),
        fit_path(X, y, lambdas=lambdas, offset=np.full(50, 3.0), **options),
        fit_path(X, y, lambdas=lambdas, sample_weight=np.full(50, 7.0), **options),
        fit_path(*with_zeros[:2], lambdas=lambdas, sample_weight=with_zeros[2], **options),
    ):
        np.testing.assert_allclose(other.coef, coef, atol=1e-5)
    scale = np.array([0.1, 1.0, 10.0, 1000.0])
    np.testing.assert_allclose(fit_path(X * scale, y, lambdas=lambdas, **options).coef * scale, coef, atol=1e-5)


def test_by_breslow_weights_are_repeated_rows(kit):
    X, y = kit.problem(40, 5, 8, tied=True)
    times = np.random.default_rng(1).integers(0, 4, 40)
    again = np.repeat(np.arange(40), times)
    options = {"family": "cox(ties='breslow')", "tol": 1e-12}
    weighted = fit_path(X, y, sample_weight=times.astype(float), **options, **FEW)
    repeated = fit_path(X[again], y[again], lambdas=weighted.lambdas, **options)
    np.testing.assert_allclose(weighted.coef, repeated.coef, atol=1e-6)
    np.testing.assert_allclose(weighted.deviance_ratio, repeated.deviance_ratio, atol=1e-8)


def test_monotone_likelihoods_have_no_fit_without_penalty(kit):
    X, y = kit.problem(60, 3, 9, late=True)
    X[:, 1] = np.where(y[:, 2] == 1.0, 1.0, 0.0)  # nobody without an event has it
    with pytest.warns(BridleWarning, match="separated"):
        path = fit_path(X, y, family="cox", lambdas=[0.1, 0.0])
    assert path.status == ("converged", "separated")
    assert any("monotone" in note for note in path.notes)
    X[0, 1] = 0.0  # one event among the others is enough
    X[np.flatnonzero(y[:, 2] == 0.0)[0], 1] = 1.0
    assert fit_path(X, y, family="cox", lambdas=[0.1, 0.0]).converged


def test_dependent_columns_at_lambda_0_have_the_smallest_norm(kit):
    X, y = kit.problem(80, 3, 10, strata=3)
    wide = np.column_stack([X, X[:, 0]])
    path = fit_path(wide, y, family="cox", lambdas=[0.0], tol=1e-12)
    alone = fit_path(X, y, family="cox", lambdas=[0.0], tol=1e-12)
    assert any("rank 3 of 4" in note for note in path.notes)
    np.testing.assert_allclose(path.coef[0, [0, 3]], alone.coef[0, 0] / 2.0, atol=1e-6)
    within = np.column_stack([X, y[:, 3]])  # the same within a stratum: of no effect
    path = fit_path(within, y, family="cox", lambdas=[0.0], tol=1e-12)
    assert path.coef[0, 3] == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(path.coef[0, :3], alone.coef[0], atol=1e-6)


def test_strata_without_events_and_rows_never_at_risk_change_nothing(kit):
    X, y = kit.problem(60, 4, 11)
    more = np.array([[-np.inf, 5.0, 0.0, 1.0], [-np.inf, 1.0, 0.0, 1.0]])
    lambdas = [0.1, 0.02]
    coef = fit_path(X, y, family="cox", lambdas=lambdas, standardize=False, tol=1e-12).coef
    weight = np.full(62, 1.0)
    path = fit_path(
        np.vstack([X, X[:2]]), np.vstack([y, more]), family="cox", lambdas=np.array(lambdas) * 60.0 / 62.0,
        standardize=False, sample_weight=weight, tol=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(path.coef, coef, atol=1e-6)


def test_an_intercept_changes_nothing_and_is_not_there(kit):
    X, y = kit.problem(50, 3, 12)
    a, b = (fit_path(X, y, family="cox", lambdas=[0.05], fit_intercept=fit, tol=1e-12) for fit in (True, False))
    np.testing.assert_array_equal(a.coef, b.coef)
    assert "eta = x'b" in a.objective and a.intercept[0] == 0.0
    constant = np.column_stack([X, np.full(50, 7.0)])
    path = fit_path(constant, y, family="cox", lambdas=[0.05])
    assert path.coef[0, 3] == 0.0 and "constant" in path.notes[0]


def test_large_coefficients_on_a_strong_signal_are_certified(kit):
    """Hazards that differ by hundreds of orders of magnitude: late entries don't cancel."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    life = np.exp(-40.0 * X[:, 0] + 0.1 * rng.gumbel(size=60))
    order = np.argsort(np.argsort(life)).astype(float) + 1.0
    y = survival_target(order, np.ones(60), np.where(rng.random(60) < 0.5, order * rng.random(60), 0.0))
    path = fit_path(X, y, family="cox", lambdas=[1e-1, 1e-3, 1e-5, 1e-6])
    assert path.converged
    assert np.ptp(X @ path.coef[-1]) > 100.0
    assert worst_gap(path, X, y) <= 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.ones(30)}, "needs times and events"),
        ({"y": np.column_stack([np.ones(30), np.zeros(30)])}, "no event"),
        ({"sample_weight": "censored only"}, "no row with an event has a weight above 0"),
        ({"family": "cox(ties='exact')"}, "ties must be 'efron' or 'breslow'"),
        ({"family": "cox(rule=1)"}, "rule"),
        ({"mode": "gram"}, "gaussian"),
    ],
)
def test_what_cannot_be_is_refused(kit, change, message):
    X, y = kit.problem(30, 3, 0)
    if change.get("sample_weight") is not None:
        change = {"sample_weight": (y[:, 2] == 0.0).astype(float)}
    with pytest.raises(InputError, match=message):
        fit_path(X, change.pop("y", y), **({"family": "cox"} | change))


def test_one_event_alone_teaches_nothing():
    y = survival_target([1.0, 2.0, 3.0], [0, 0, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = fit_path(np.arange(6.0).reshape(3, 2), y, family="cox")
    assert path.lambda_max == 0.0 and not path.coef.any()


@pytest.mark.parametrize("kind", [{}, {"tied": True, "late": True, "strata": 3}])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
def test_many_sparse_features_take_no_matrix(kit, kind, l1_ratio):
    """Newton's step by products with the second derivatives, as certain as with a matrix."""
    X, y = kit.problem(200, 500, 4, **kind)
    X = X * (np.random.default_rng(1).random(X.shape) < 0.1)
    options = {"family": "cox", "l1_ratio": l1_ratio, "n_lambdas": 10, "lambda_min_ratio": 0.05, "tol": 1e-8}
    options["upper"] = np.where(np.arange(500) % 7 == 0, 0.05, np.inf)
    path = fit_path(sparse.csc_array(X), y, **options)
    assert path.converged
    assert worst_gap(path, X, y, penalty=Penalty(l1_ratio, upper=options["upper"])) <= 1e-8 * (1.0 + 1e-6)
    dense = fit_path(X, y, **options)
    np.testing.assert_allclose(path.coef, dense.coef, atol=1e-3 * np.abs(dense.coef).max())
