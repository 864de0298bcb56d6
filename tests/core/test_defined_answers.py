"""What has no usual answer has a documented one (docs/solver.md)."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from bridle import cross_validate, enet_path, lasso_path
from bridle.errors import BridleWarning, ConvergenceError, InputError
from bridle.grid import lambda_grid
from bridle.path import fit_path


def test_constant_columns_get_zero_and_a_note(kit):
    X, y = kit.make_data("gaussian", 30, 4, seed=0)
    X[:, 2] = 0.1
    for kind in ("F", "csc", "float32"):
        path = fit_path(kit.storage(X, kind), y)
        assert (path.coef[:, 2] == 0.0).all()
        assert any("columns 2" in note and "constant" in note for note in path.notes)
        assert path.converged


def test_constant_column_serves_as_intercept_without_one(kit):
    X, y = kit.make_data("gaussian", 30, 1, seed=0)
    both = np.column_stack([X, np.ones(30)])
    path = fit_path(both, y, fit_intercept=False, lambdas=[0.0], tol=1e-12)
    expected, *_ = np.linalg.lstsq(both, y, rcond=None)
    np.testing.assert_allclose(path.coef[0], expected, rtol=1e-9)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_duplicated_columns_change_no_prediction(kit, family):
    X, y = kit.make_data(family, 60, 5, seed=1)
    double = np.column_stack([X, X])
    for l1_ratio in (1.0, 0.5, 0.0):
        one = fit_path(X, y, family=family, l1_ratio=l1_ratio, n_lambdas=15, tol=1e-11)
        lambdas = one.lambdas
        two = fit_path(double, y, family=family, l1_ratio=l1_ratio, lambdas=lambdas, tol=1e-11)
        assert two.converged
        if l1_ratio == 1.0:
            np.testing.assert_allclose(two.predict(double), one.predict(X), rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(two.coef[:, :5] + two.coef[:, 5:], one.coef, rtol=1e-3, atol=1e-5)
        else:
            np.testing.assert_allclose(two.coef[:, :5], two.coef[:, 5:], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_one_row(family):
    path = fit_path(np.array([[1.0, 2.0]]), [3.0], family=family)
    assert (path.coef == 0.0).all()
    np.testing.assert_allclose(path.predict(np.array([[5.0, 6.0]])), 3.0)
    assert path.converged


def test_equal_targets_give_an_all_zero_path():
    X = np.random.default_rng(0).normal(size=(20, 3))
    path = fit_path(X, np.full(20, 0.1))
    assert path.lambda_max == 0.0
    assert len(path.lambdas) == 1
    assert (path.coef == 0.0).all()
    np.testing.assert_allclose(path.intercept, 0.1)
    assert path.deviance_ratio[0] == 0.0
    assert path.notes


@pytest.mark.parametrize(
    ("family", "y"), [("binomial", np.ones(5)), ("binomial", np.zeros(5)), ("poisson", np.zeros(5))]
)
def test_targets_without_a_finite_null_model_are_refused(family, y):
    with pytest.raises(InputError, match="other values"):
        fit_path(np.arange(10.0).reshape(5, 2), y, family=family)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_separated_classes_with_a_penalty_have_a_certified_path(kit, l1_ratio):
    X = np.linspace(-1.0, 1.0, 40)[:, None] * [1.0, -0.5] + 0.01 * np.random.default_rng(0).normal(size=(40, 2))
    y = (np.arange(40) >= 20).astype(float)
    path = fit_path(X, y, family="binomial", l1_ratio=l1_ratio, lambda_min_ratio=1e-5)
    assert path.converged
    assert np.isfinite(path.coef).all()
    assert kit.worst(path, X, y) <= 1e-6


def test_separated_classes_without_a_penalty_are_told():
    X = np.linspace(-1.0, 1.0, 20)[:, None]
    y = (X[:, 0] > 0.0).astype(float)
    with pytest.warns(BridleWarning, match="separated"):
        path = fit_path(X, y, family="binomial", lambdas=[0.1, 0.0])
    assert path.status == ("converged", "separated")
    assert np.isfinite(path.coef).all()
    with pytest.raises(ConvergenceError, match="separated"):
        fit_path(X, y, family="binomial", lambdas=[0.0], strict=True)
    y[[9, 10]] = y[[10, 9]]  # one overlap: there is a maximum, however steep
    assert fit_path(X, y, family="binomial", lambdas=[0.0]).converged


def test_no_penalty_and_collinear_columns_give_the_smallest_norm(kit):
    X, y = kit.make_data("gaussian", 40, 4, seed=2)
    X = np.column_stack([X, X[:, 0] + X[:, 1], X[:, 2]])
    path = fit_path(X, y, lambdas=[0.0], tol=1e-12)
    Z = (X - X.mean(0)) / X.std(0)
    expected = np.linalg.pinv(Z) @ (y - y.mean())
    np.testing.assert_allclose(path.coef[0] * path.scale, expected, rtol=1e-8, atol=1e-10)
    assert any("rank 4 of 6" in note for note in path.notes)


def test_more_columns_than_rows_without_penalty_interpolate(kit):
    X, y = kit.make_data("gaussian", 15, 40, seed=2)
    path = fit_path(X, y, lambdas=[1.0, 0.0])
    np.testing.assert_allclose(path.predict(X, lam=0.0), y, atol=1e-5)


def test_every_lambda_asked_for_is_there_in_descending_order(kit):
    X, y = kit.make_data("gaussian", 30, 4, seed=0)
    path = fit_path(X, y, lambdas=[0.1, 100.0, 1e-9])
    np.testing.assert_array_equal(path.lambdas, [100.0, 0.1, 1e-9])
    assert path.coef.shape == (3, 4)
    assert path.n_nonzero[0] == 0


def test_iteration_limit_is_a_status_a_warning_and_an_error_in_strict_mode(kit):
    X, y = kit.make_data("binomial", 80, 20, seed=0, correlation=9.0)
    with pytest.warns(BridleWarning, match="Raise max_iter") as caught:
        path = fit_path(X, y, family="binomial", max_iter=1, tol=1e-9)
    assert len(caught) == 1
    assert "max_iter" in path.status
    assert len(path.lambdas) == 100
    assert any("Raise max_iter" in note for note in path.notes)
    assert path.relative_gap[path.status.index("max_iter")] > 1e-9
    with pytest.raises(ConvergenceError, match="did not converge"):
        fit_path(X, y, family="binomial", max_iter=1, tol=1e-9, strict=True)


def test_first_lambda_is_the_smallest_with_no_feature(kit):
    for family in ("gaussian", "binomial", "poisson"):
        X, y = kit.make_data(family, 50, 10, seed=6)
        factor = np.r_[0.0, np.ones(9)]
        for extra in ({}, {"penalty_factor": factor}):
            path = fit_path(X, y, family=family, tol=1e-12, n_lambdas=3, **extra)
            below = fit_path(X, y, family=family, tol=1e-12, lambdas=[0.999 * path.lambda_max], **extra)
            penalised = slice(1, None) if extra else slice(None)
            assert not path.coef[0, penalised].any()
            assert np.count_nonzero(below.coef[0, penalised]) == 1


def test_grid():
    grid = lambda_grid(2.0, 100, 10)
    assert grid.shape == (100,)
    np.testing.assert_allclose([grid[0], grid[-1]], [2.0, 2e-4])
    np.testing.assert_allclose(grid[1:] / grid[:-1], grid[1] / grid[0])
    np.testing.assert_allclose(lambda_grid(2.0, 10, 100)[-1], 2e-2)
    np.testing.assert_array_equal(lambda_grid(0.0, 10, 5), [0.0])


GOOD_X, GOOD_Y = np.arange(12.0).reshape(6, 2) ** 1.5, np.array([1.0, 0.0, 1.0, 0.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.where(GOOD_X[3, 1] == GOOD_X, np.nan, GOOD_X)}, "column 1"),
        ({"X": np.where(GOOD_X[3, 0] == GOOD_X, np.inf, GOOD_X)}, "column 0"),
        ({"X": sparse.csc_array(np.where(GOOD_X[3, 0] == GOOD_X, np.nan, GOOD_X))}, "column 0"),
        ({"X": GOOD_X[:0]}, "at least one row"),
        ({"X": GOOD_X[:, :0]}, "at least one row and one column"),
        ({"X": sparse.csc_array((6, 0))}, "at least one row and one column"),
        ({"X": GOOD_X[:, 0]}, "two dimensions"),
        ({"X": [["a", "b"]] * 6}, "numbers"),
        ({"y": GOOD_Y[:5]}, r"shape \(5,\)"),
        ({"y": np.r_[GOOD_Y[:5], np.nan]}, "row 5"),
        ({"y": ["a"] * 6}, "numbers"),
        ({"y": GOOD_Y * 2, "family": "binomial"}, "from 0 to 1"),
        ({"y": GOOD_Y - 1, "family": "poisson"}, "at least 0"),
        ({"family": "cauchy"}, "unknown family"),
        ({"sample_weight": np.r_[GOOD_Y[:5], -1.0]}, "row 5"),
        ({"sample_weight": np.zeros(6)}, "finite sum above 0"),
        ({"sample_weight": np.ones(5)}, r"\(6,\)"),
        ({"offset": np.r_[GOOD_Y[:5], np.inf]}, "finite"),
        ({"l1_ratio": 1.5}, "l1_ratio"),
        ({"l1_ratio": np.nan}, "l1_ratio"),
        ({"lambdas": [1.0, -0.1]}, "lambdas"),
        ({"lambdas": [1.0, np.inf]}, "lambdas"),
        ({"lambdas": []}, "lambdas"),
        ({"n_lambdas": 0}, "n_lambdas"),
        ({"lambda_min_ratio": 2.0}, "lambda_min_ratio"),
        ({"penalty_factor": [1.0, -1.0]}, "number 1"),
        ({"penalty_factor": [1.0]}, r"\(2,\)"),
        ({"lower": 0.5}, "hold 0"),
        ({"upper": [-1.0, 1.0]}, "hold 0"),
        ({"tol": 0.0}, "tol"),
        ({"max_iter": 0}, "max_iter"),
        ({"mode": "fast"}, "mode"),
        ({"mode": "gram", "family": "binomial"}, "gaussian"),
        ({"feature_names": ["a"]}, "names"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_bad_input_is_refused_with_a_reason(change, message):
    arguments = {"X": GOOD_X, "y": GOOD_Y, **change}
    with pytest.raises(InputError, match=message):
        fit_path(arguments.pop("X"), arguments.pop("y"), **arguments)


def test_sklearn_signatures():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    alphas, coefs, gaps = lasso_path(X, y, n_alphas=7, precompute=False)
    assert (alphas.shape, coefs.shape, gaps.shape) == ((7,), (3, 7), (7,))
    assert len(enet_path(X, y, alphas=5, return_n_iter=True)) == 4
    assert (enet_path(X, y, positive=True)[1] >= 0.0).all()
    with pytest.raises(TypeError, match="unexpected"):
        enet_path(X, y, epsilon=1)


def test_extreme_units(kit):
    X, y = kit.make_data("gaussian", 50, 4, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reference = fit_path(X, y, n_lambdas=20, tol=1e-9)
        tiny = fit_path(X * 1e-150, y * 1e-100, n_lambdas=20, tol=1e-9)
    np.testing.assert_allclose(tiny.coef * 1e-50, reference.coef, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", ["l1_ratio", "tol", "n_lambdas", "lambda_min_ratio", "max_iter"])
@pytest.mark.parametrize("fit", [fit_path, cross_validate])
def test_an_argument_that_is_no_number_is_named(fit, name):
    X = np.random.default_rng(0).normal(size=(20, 2))
    options = {"folds": 3} if fit is cross_validate else {}
    with pytest.raises(InputError, match=f"{name} must be one number; got 'much'"):
        fit(X, X[:, 0], **options, **{name: "much"})
    with pytest.raises(InputError, match=r"n_lambdas must be a whole number from 1; got 2\.5"):
        fit(X, X[:, 0], **options, n_lambdas=2.5)
