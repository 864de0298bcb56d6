"""Bad input, and the answers that are given where no ordinary one exists."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from bridle import fit_dropout_path, fit_path, limits
from bridle.errors import BridleWarning, InputError
from bridle.penalties import Penalty


@pytest.mark.parametrize("rates", [[1.0], [-0.1], [0.5, np.nan], [], [[0.5, 0.2]], "half", [1.5], np.inf])
def test_rates_outside_their_range(rates, make_data):
    X, y, *_ = make_data("gaussian")
    with pytest.raises(InputError, match="rates"):
        fit_dropout_path(X, y, rates=rates)


BAD = [
    ({"family": "cauchy"}, "unknown family"),
    ({"family": "huber(delta=1)"}, "gaussian, binomial or poisson"),
    ({"marginal": "exact"}, "unknown marginal"),
    ({"tol": 0.0}, "tol"),
    ({"max_iter": 0}, "max_iter"),
    ({"sample_weight": -np.ones(120)}, "weights"),
    ({"sample_weight": np.zeros(120)}, "weights"),
    ({"offset": np.ones(3)}, "offset"),
    ({"feature_names": ["a"]}, "feature names"),
    ({"family": "binomial"}, "binomial"),
    ({"family": "poisson"}, "poisson"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=str)
def test_bad_arguments(options, message, make_data):
    X, y, *_ = make_data("gaussian")
    with pytest.raises(InputError, match=message):
        fit_dropout_path(X, y, **options)


def test_bad_data(problem, make_data):
    family, marginal = problem
    X, y, *_ = make_data(family)
    broken = X.copy()
    broken[3, 2] = np.nan
    infinite = y.copy()
    infinite[0] = np.inf
    for bad_X, bad_y in [(broken, y), (sparse.csr_array(broken), y), (X, y[:-1]), (X[:0], y[:0]), (X, infinite)]:
        with pytest.raises(InputError):
            fit_dropout_path(bad_X, bad_y, family=family, marginal=marginal)


def test_the_grid(make_data):
    X, y, *_ = make_data("gaussian")
    np.testing.assert_allclose(fit_dropout_path(X, y).rates, np.arange(9, -1, -1) / 10.0)
    assert fit_dropout_path(X, y, rates=[0.2, 0.7, 0.2]).rates.tolist() == [0.7, 0.2]
    assert fit_dropout_path(X, y, rates=0.5).coef.shape == (1, 6)
    with pytest.raises(InputError, match="no fit at dropout rate"):
        fit_dropout_path(X, y).predict(X, rate=0.25)
    with pytest.raises(InputError, match="kind"):
        fit_dropout_path(X, y).predict(X, kind="odds")
    with pytest.raises(InputError, match="6 columns"):
        fit_dropout_path(X, y).predict(X[:, :5])


def test_constant_targets(make_data):
    X, *_ = make_data("gaussian")
    path = fit_dropout_path(X, np.full(len(X), 3.0))
    assert path.converged and np.all(path.coef == 0.0) and np.allclose(path.intercept, 3.0, rtol=1e-14)
    path = fit_dropout_path(X, np.full(len(X), 2.0), family="poisson")
    assert path.converged and np.all(path.coef == 0.0) and np.allclose(path.intercept, np.log(2.0))
    for family, y in [("binomial", np.ones(len(X))), ("poisson", np.zeros(len(X)))]:
        with pytest.raises(InputError, match="every row has the target"):
            fit_dropout_path(X, y, family=family)


def test_one_row_one_column():
    path = fit_dropout_path([[2.0]], [3.0])
    assert path.converged and path.coef.tolist() == [[0.0]] * 10
    path = fit_dropout_path([[2.0]], [3.0], fit_intercept=False, rates=[0.5])
    assert path.coef[0, 0] == pytest.approx(0.75)  # 6 / (4 + 4)


def separated(n=40, p=3):
    X = np.random.default_rng(0).normal(size=(n, p))
    return X, (X[:, 0] > 0.1).astype(float)


def test_separated_classes_under_the_expansion():
    """The expansion has no minimum at small rates: that is said, and proved by a ray along which it falls to 0."""
    X, y = separated()
    with pytest.warns(BridleWarning, match=r"separated.*marginal='normal'"):
        path = fit_dropout_path(X, y, family="binomial")
    assert path.status[0] == "converged" and path.status[-2:] == ("separated", "separated")
    assert not path.converged and any("separated" in note for note in path.notes)
    ratio = path.rates[-2] / (1.0 - path.rates[-2])
    q = (X - X.mean(axis=0)) ** 2 @ path.coef[-2] ** 2
    eta = path.intercept[-2] + X @ path.coef[-2]
    side = np.where(y == 1.0, 1.0, -1.0)
    values = []
    for c in (1.0, 1.5, 2.0, 4.0, 8.0):
        m = c * side * eta
        values.append(np.mean(np.logaddexp(0.0, -m) + 0.5 * ratio * c**2 * q / (2.0 + 2.0 * np.cosh(m))))
    assert np.all(np.diff(values) < 0.0) and values[-1] < 1e-3


def test_separated_classes_under_normal_noise():
    """One minimum at every rate above 0, also with more columns than rows; at 0 there is none."""
    for shape in [(40, 3), (30, 60)]:
        X, y = separated(*shape)
        path = fit_dropout_path(X, y, family="binomial", marginal="normal", rates=np.arange(9, 2, -1) / 10.0)
        assert path.converged and np.all(np.diff(path.objective) < 0.0)
        tiny = fit_dropout_path(X, y, family="binomial", marginal="normal", rates=[1e-3, 1e-9], max_iter=100)
        assert tiny.converged and np.all(tiny.objective < 1e-15) and np.isfinite(tiny.coef).all()
        with pytest.warns(BridleWarning, match="separated"):
            assert fit_dropout_path(X, y, family="binomial", marginal="normal", rates=[0.0]).status == ("separated",)


def test_what_is_cut_short_is_said(make_data):
    X, y, *_ = make_data("poisson")
    with pytest.warns(BridleWarning, match="Raise max_iter"):
        path = fit_dropout_path(X, y, family="poisson", rates=[0.5], max_iter=1)
    assert path.status == ("max_iter",) and path.stationarity[0] > 1e-8
    with pytest.warns(BridleWarning, match="Rounding stops here"):
        path = fit_dropout_path(X, y, family="poisson", rates=[0.5], tol=1e-30)
    assert path.status == ("stalled",) and path.stationarity[0] < 1e-11


def test_unrelated_features_have_no_coefficients():
    """Balanced classes and counts in every cell: the gradient at the null model is 0, and so is the answer."""
    X = np.array([[a, b] for a in (-1.0, 1.0) for b in (-1.0, 1.0) for _ in range(2)])
    for family in ("gaussian", "binomial", "poisson"):
        path = fit_dropout_path(X, np.tile([0.0, 1.0], 4), family=family)
        assert path.converged and np.all(path.coef == 0.0) and np.all(path.stationarity == 0.0)


def test_dependent_columns(problem, make_data):
    """Noise makes the answer unique, and twins share alike."""
    family, marginal = problem
    X, y, *_ = make_data(family)
    twins = np.column_stack([X, X[:, 0], 3.0 * X[:, 1]])
    path = fit_dropout_path(twins, y, family=family, marginal=marginal, rates=[0.5, 0.1], tol=1e-10)
    assert path.converged
    np.testing.assert_allclose(path.coef[:, 6], path.coef[:, 0], rtol=1e-6)
    np.testing.assert_allclose(path.coef[:, 7] * 3.0, path.coef[:, 1], rtol=1e-6)


def test_means_far_beyond_the_spread(problem, make_data):
    family, marginal = problem
    X, y, *_ = make_data(family)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    near = fit_dropout_path(X, y, family=family, marginal=marginal, rates=[0.5])
    far = fit_dropout_path(X + 1e6, y, family=family, marginal=marginal, rates=[0.5])
    assert far.converged
    np.testing.assert_allclose(far.coef, near.coef, rtol=1e-6, atol=1e-8)


def test_shares_as_targets(make_data):
    X, y, *_ = make_data("binomial")
    shares = 0.2 + 0.6 * y
    path = fit_dropout_path(np.vstack([X, X]), np.concatenate([shares, shares]), family="binomial")
    split = fit_dropout_path(
        np.vstack([X, X]),
        np.repeat([1.0, 0.0], len(y)),
        family="binomial",
        sample_weight=np.append(shares, 1.0 - shares),
    )
    np.testing.assert_allclose(path.coef, split.coef, rtol=1e-6, atol=1e-9)


def test_rare_decisive_features_are_spared():
    """Two features of the same effect, one common and one rare: ridge shrinks the rare one more, dropout less."""
    rng = np.random.default_rng(1)
    n = 4000
    common, rare = rng.random(n) < 0.5, rng.random(n) < 0.02
    X = np.column_stack([common, rare]).astype(float)
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(1.5 - 3.0 * common - 3.0 * rare))).astype(float)
    dropout = fit_dropout_path(X, y, family="binomial", rates=[0.5, 0.0], standardize=False)
    kept = dropout.coef[0] / dropout.coef[1]
    lambdas = np.geomspace(1.0, 1e-5, 60)
    ridge = fit_path(X, y, family="binomial", l1_ratio=0.0, lambdas=lambdas, standardize=False)
    same = int(np.argmin(np.abs(ridge.coef[:, 0] / dropout.coef[1, 0] - kept[0])))
    assert kept[1] > 0.9 * kept[0]
    assert ridge.coef[same, 1] / dropout.coef[1, 1] < 0.5 * kept[1]


# lambda = 0 of a logistic path ----------------------------------------------------------------------------------


def strong(seed, n=60, p=3, size=6.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, (rng.random(n) < 1.0 / (1.0 + np.exp(-size * X[:, 0]))).astype(float)


def test_a_settled_fit_is_never_a_separated_one():
    """The cheap proof against the linear programme, on problems at the edge of separation."""
    answers = {(settled, split): 0 for settled in (True, False) for split in (True, False)}
    for seed in range(40):
        X, y = strong(seed, n=25)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BridleWarning)
            path = fit_path(X, y, family="binomial", lambdas=[0.0], tol=1e-10)
        problem = limits.Problem.make(
            X,
            y,
            family="binomial",
            sample_weight=None,
            offset=None,
            fit_intercept=True,
            standardize=True,
            penalty=Penalty(0.0),
        )
        used = np.ones(3, dtype=bool)
        eta = path.linear_predictor(X, lam=0.0)
        answers[limits._settled(problem, used, eta), limits._separated(problem, used)] += 1
    assert answers[True, True] == 0 and answers[False, False] == 0
    assert answers[True, False] >= 5 and answers[False, True] >= 5


def test_no_programme_is_solved_for_a_settled_fit(monkeypatch):
    monkeypatch.setattr(limits, "_separated", lambda *args: pytest.fail("not needed"))
    X, y = strong(0, n=3000)
    path = fit_path(X, y, family="binomial", lambdas=[0.0])
    assert np.max(np.abs(path.linear_predictor(X))) > 15.0 and path.converged
