"""Classes that are separated, wholly or where they touch: there is no minimum, and the status says so."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

import bridle.estimators as ours
from bridle.errors import BridleWarning
from bridle.path import fit_path

FAMILIES = ["multinomial", "ordinal"]


def touching(family, n=120, seed=0):
    """One feature is 0 on both sides of a plane that the third class never crosses; the others say nothing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    y = rng.integers(0, 3, n)
    X[:, 0] = np.where(y == 2, 1.0, -1.0) * rng.integers(0, 3, n)
    return X, y


def status(X, y, family, **options):
    with pytest.warns(BridleWarning, match="no maximum"):
        path = fit_path(X, y, family=family, lambdas=[0.1, 0.0], **options)
    assert path.status[0] == "converged" and np.isfinite(path.coef).all()
    assert "classes are separated" in " ".join(path.notes)
    return path.status[1]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9])
def test_quasi_separation(family, tol):
    """A 1 that only the highest class has: in its direction nothing rises, and one class's loss falls for ever."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(90, 2))
    y = rng.integers(0, 3, 90)
    X[:, 1] = (y == 2) & (rng.random(90) < 0.3)
    assert status(X, y, family, tol=tol) == "separated"
    assert status(sparse.csc_array(X), y, family, tol=tol) == "separated"
    X[np.flatnonzero(y == 0)[0], 1] = X[np.flatnonzero(y == 1)[0], 1] = 1.0
    assert fit_path(X, y, family=family, lambdas=[0.0], tol=tol).converged


def test_classes_that_touch_on_a_plane():
    X, y = touching("multinomial")
    assert status(X, y, "multinomial") == "separated"
    assert status(X, y, "multinomial", sample_weight=np.arange(120) % 3 + 1.0) == "separated"
    assert (
        status(X, np.column_stack([y == k for k in range(3)]) * 1.0, "multinomial", fit_intercept=False) == "separated"
    )
    crossing = X.copy()
    crossing[np.flatnonzero(y == 2)[:2], 0] = -1.0
    assert fit_path(crossing, y, family="multinomial", lambdas=[0.0]).converged
    w = np.ones(120)
    w[np.flatnonzero(y == 2)[:2]] = 0.0  # rows that don't count can't cross
    assert status(crossing, y, "multinomial", sample_weight=w) == "separated"


def test_bounds_may_forbid_the_direction():
    """The direction needs the third class's coefficient above the others', which some bounds allow."""
    X, y = touching("multinomial")
    X = X[:, :1]
    assert status(X, y, "multinomial", lower=0.0) == "separated"
    assert fit_path(X, y, family="multinomial", lambdas=[0.0], lower=-1.0, upper=1.0).converged
    rng = np.random.default_rng(2)
    one = rng.integers(0, 2, (60, 1)).astype(float)
    level = np.where(one[:, 0] > 0.0, 0, rng.integers(0, 3, 60))  # a 1 means the lowest level
    assert status(one, level, "ordinal", upper=0.0) == "separated"
    assert fit_path(one, level, family="ordinal", lambdas=[0.0], lower=0.0).converged


def test_shares_must_stay_level():
    X, y = touching("multinomial")
    shares = np.eye(3)[y]
    assert status(X, shares, "multinomial") == "separated"
    third = np.flatnonzero((y == 2) & (X[:, 0] > 0.0))[0]
    shares[third] = [0.0, 0.5, 0.5]  # it belongs to two classes, so neither may run ahead there
    assert fit_path(X, shares, family="multinomial", lambdas=[0.0]).converged


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), family=st.sampled_from(FAMILIES), n=st.integers(8, 16))
def test_it_is_said_where_ridge_fits_have_no_limit(seed, family, n):
    """The oracle is what separation means: as a ridge penalty goes to 0, coefficients grow without end, or stay."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-1, 2, (n, 2)).astype(float)
    y = np.concatenate([np.arange(3), rng.integers(0, 3, n - 3)])
    if np.linalg.matrix_rank(np.column_stack([np.ones(n), X])) < 3:
        return
    ridge = fit_path(X, y, family=family, l1_ratio=0.0, lambdas=[1e-4, 1e-6, 1e-8], tol=1e-13, strict=False)
    size = [np.linalg.norm(b) for b in ridge.coef]
    grows = size[2] - size[1] > 0.5 * (size[1] - size[0]) and size[2] > 1.05 * size[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BridleWarning)
        found = fit_path(X, y, family=family, lambdas=[0.0]).status[0]
    assert (found == "separated") == grows


@pytest.mark.parametrize("family", FAMILIES)
def test_a_refit_that_separates_isnt_made(family):
    """The small lambdas' features separate the classes; the last set that doesn't stands for theirs."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 25))
    score = X[:, 0] * 1.5 + rng.logistic(size=30)
    y = np.digitize(score, [-0.7, 0.7])
    path = fit_path(X, y, family=family, relax=True, lambda_min_ratio=1e-3, n_lambdas=30)
    assert path.relaxed.converged and path.converged
    assert any("separate the target, a refit has no limit" in note for note in path.relaxed.notes)
    assert np.array_equal(path.relaxed.coef[-1], path.relaxed.coef[-2])
    assert 1.0 < np.abs(path.relaxed.coef).max() < 60.0
    on = np.flatnonzero(np.abs(path.relaxed.coef_row(29)).reshape(25, -1).any(axis=1))
    assert 0 < on.size < path.n_nonzero[-1]
    alone = fit_path(X[:, on], y, family=family, lambdas=[0.0], tol=1e-10)
    assert alone.converged
    np.testing.assert_allclose(path.relaxed.coef_row(29)[on], alone.coef[0], atol=1e-2)


def test_estimators_warn():
    X, y = touching("multinomial")
    with pytest.warns(ConvergenceWarning, match="the features separate the target"):
        ours.LogisticRegression(C=np.inf).fit(X, y)
    rng = np.random.default_rng(4)
    one = rng.integers(0, 2, (60, 1)).astype(float)
    level = np.where(one[:, 0] > 0.0, 0, rng.integers(0, 3, 60))
    with pytest.warns(ConvergenceWarning, match="the features separate the target"):
        ours.OrdinalClassifier(C=np.inf).fit(one, level)


def test_strong_signals_that_arent_separated_are_proved_so(monkeypatch):
    """Extreme predictors with a minimum nearby: no programme is asked."""
    import bridle.several.separation as module

    def never(*_):
        raise AssertionError("a linear programme was solved")

    rng = np.random.default_rng(5)
    X = rng.normal(size=(2000, 2)) * 4.0
    y = np.argmax(np.column_stack([2.0 * X[:, 0], 2.0 * X[:, 1], np.zeros(2000)]) + rng.gumbel(size=(2000, 3)), axis=1)
    monkeypatch.setattr(module, "_has_direction", never)
    path = fit_path(X, y, family="multinomial", lambdas=[0.0])
    assert path.converged
    assert np.ptp(path.linear_predictor(X)[:, :, 0], axis=1).max() > 15.0


@pytest.mark.filterwarnings("ignore::bridle.errors.BridleWarning")
@pytest.mark.parametrize("family", FAMILIES)
def test_newtons_step_says_what_the_programme_says(monkeypatch, family):
    """Rare levels of a category, which some classes never have, beside numbers that matter."""
    import bridle.several.separation as module

    tables = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = np.column_stack([rng.normal(size=(80, 3)), rng.random((80, 2)) < (0.03 if seed % 2 else 0.3)])
        score = X @ [3.0, -2.0, 0.0, 1.0, 0.0]
        y = np.digitize(score + rng.logistic(size=80), [-2.0, 2.0])
        tables.append((X, y))
    said = [fit_path(X, y, family=family, lambdas=[0.0]).status[0] for X, y in tables]
    monkeypatch.setattr(module, "_newton", lambda *_: (False, None))
    assert [fit_path(X, y, family=family, lambdas=[0.0]).status[0] for X, y in tables] == said
    assert {"separated", "converged"} == set(said)
