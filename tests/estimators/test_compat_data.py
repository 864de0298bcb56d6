"""Data as they arrive: containers, dtypes, labels, weights, names, and the two functions of paths, on both sides."""

import pickle
import warnings
from dataclasses import asdict

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.linear_model as peer
from estimators_comparison import NOT_ALIKE, assert_same, compare, data, row_of
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import get_tags

import bridle
import bridle.estimators as ours

NAMES = [name for name in ours.__all__ if hasattr(peer, name) and name not in NOT_ALIKE and "MultiTask" not in name]
TIGHT = {name: {"tol": 1e-13, "max_iter": 100_000} for name in NAMES if "Ridge" not in name}
NEWTON = {"solver": "newton-cholesky", "tol": 1e-12}
TIGHT |= {"RidgeCV": {}, "Ridge": {}, "PoissonRegressor": NEWTON, "GammaRegressor": NEWTON, "TweedieRegressor": NEWTON}
TIGHT |= {"LogisticRegression": NEWTON, "LogisticRegressionCV": NEWTON}
SMALL = {"LassoCV": {"alphas": 5, "eps": 0.05}, "ElasticNetCV": {"alphas": 5, "eps": 0.05}}
SMALL |= {"LogisticRegressionCV": {"Cs": [0.1, 1.0], "l1_ratios": (0.0,), "scoring": "accuracy"}}
SMALL["LogisticRegressionCV"]["use_legacy_attributes"] = False

CONTAINERS = {
    "list": lambda X: X.tolist(),
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "a view with gaps": lambda X: np.repeat(X, 2, axis=0)[::2],
    "float32": lambda X: X.astype(np.float32),
    "float32 F": lambda X: np.asfortranarray(X, dtype=np.float32),
    "float16": lambda X: X.astype(np.float16),
    "int64": lambda X: np.round(3 * X).astype(np.int64),
    "bool": lambda X: X > 0.3,
    "object": lambda X: X.astype(object),
    "big-endian": lambda X: X.astype(">f8"),
    "csr_array": sparse.csr_array,
    "csc_array": sparse.csc_array,
    "coo_array": sparse.coo_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_matrix": sparse.csc_matrix,
    "lil_matrix": sparse.lil_matrix,
    "csr_array float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcdef")),
    "pandas without names": pd.DataFrame,
    "pandas float32": lambda X: pd.DataFrame(X.astype(np.float32), columns=list("abcdef")),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcdef")),
}


def make(module, name, **options):
    extra = TIGHT[name] if module is peer else {"tol": 1e-13} if name == "LogisticRegressionCV" else {}
    return getattr(module, name)(**SMALL.get(name, {}), **(extra | options))


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize("name", NAMES)
def test_containers_and_dtypes(name, kind):
    if name == "RidgeCV" and kind in {"float16", "big-endian", "pandas float32"}:
        pytest.skip("d20: bridle has one rule for the dtype")
    X, y = data(name)
    X = X * (np.abs(X) > 0.4)
    given = CONTAINERS[kind](X)
    exact = {} if name != "Ridge" or not sparse.issparse(given) else {"tol": 1e-14, "solver": "sparse_cg"}
    if name in {"PoissonRegressor", "GammaRegressor", "TweedieRegressor"} and "float32" in kind:
        exact = {"tol": 1e-5}  # below that scikit-learn gives up, and hands over to a solver in float64
    mine, theirs = make(ours, name), make(peer, name, **exact)
    mine.fit(given, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's solvers don't get to 1e-13 in float32
        theirs.fit(given, y)
    rough = "float32" in kind or "float16" in kind
    compare(mine, theirs, name, 2e-3 if rough else 2e-6, exact)
    assert_same(mine.predict(given), theirs.predict(given), "predict", 2e-3 if rough else 2e-6)
    assert hasattr(mine, "feature_names_in_") == hasattr(theirs, "feature_names_in_")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "make_target", [list, pd.Series, lambda y: y[:, None], lambda y: y.astype(np.float32), pl.Series]
)
def test_containers_of_the_target(name, make_target):
    X, y = data(name)
    given = make_target(y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a column where a row was expected: the same warning on both sides, below
        mine, theirs = make(ours, name).fit(X, given), make(peer, name).fit(X, given)
    compare(mine, theirs, name, 2e-6, {})
    if np.ndim(given) == 2 and name not in {"Lasso", "ElasticNet", "Ridge", "RidgeCV"}:
        for module in (ours, peer):
            with pytest.warns(UserWarning, match="column-vector"):
                make(module, name).fit(X, given)


LABELS = {
    "words": lambda y: np.array(["no", "yes"])[y],
    "objects": lambda y: np.array(["no", "yes"], dtype=object)[y],
    "bool": lambda y: y > 0,
    "ints": lambda y: np.where(y > 0, -3, 8),
    "floats": lambda y: np.where(y > 0, 2.0, 1.0),
    "uint8": lambda y: y.astype(np.uint8),
    "list of words": lambda y: np.array(["no", "yes"])[y].tolist(),
    "categories": lambda y: pd.Series(pd.Categorical.from_codes(y, ["b", "a"])),
}


@pytest.mark.parametrize("name", ["LogisticRegression", "LogisticRegressionCV"])
@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_type(name, kind):
    X, y = data(name)
    labels = LABELS[kind](y)
    weight = {label: 1.0 + k for k, label in enumerate(np.unique(np.asarray(labels)).tolist())}
    mine, theirs = (make(m, name, class_weight=weight).fit(X, labels) for m in (ours, peer))
    compare(mine, theirs, name, 2e-6, {})
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert_same(getattr(mine, method)(X), getattr(theirs, method)(X), method, 2e-6)
    assert_same(mine.score(X, labels), theirs.score(X, labels), "score")


# Weights --------------------------------------------------------------------------------------------------------

WEIGHTS = {
    "ints": lambda n: np.arange(n) % 3,
    "list": lambda n: (1.0 + np.arange(n) % 2).tolist(),
    "series": lambda n: pd.Series(1.0 + np.arange(n) % 4),
    "float32": lambda n: (0.5 + np.arange(n) % 5).astype(np.float32),
    "scalar": lambda n: 2.5,
    "integer": lambda n: 3,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights(name, kind):
    X, y = data(name)
    weight = WEIGHTS[kind](len(y))
    if name.endswith("CV") and np.ndim(weight) == 0 and name != "LassoCV" and name != "ElasticNetCV":
        pytest.skip("scikit-learn's folds can't take rows of a number")
    mine, theirs = (make(module, name).fit(X, y, sample_weight=weight) for module in (ours, peer))
    compare(mine, theirs, name, 2e-6, {})


# Several targets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "Ridge", "RidgeCV"])
@pytest.mark.parametrize("targets", [1, 3])
def test_several_targets(name, targets, fit_intercept, dtype):
    X, y = data(name)
    Y = np.column_stack([y, X[:, 0] - y, X[:, 1] ** 2])[:, :targets]
    options = {"alpha_per_target": True, "store_cv_results": True} if name == "RidgeCV" else {}
    options["fit_intercept"] = fit_intercept
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine, theirs = (make(m, name, **options).fit(X.astype(dtype), Y) for m in (ours, peer))
    rtol = 2e-6 if dtype is np.float64 else 2e-3
    compare(mine, theirs, name, rtol, options)
    assert_same(mine.predict(X.astype(dtype)), theirs.predict(X.astype(dtype)), "predict", rtol)


# The protocol ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_tags(name):
    mine, theirs = (get_tags(getattr(module, name)()) for module in (ours, peer))
    for part in ("input_tags", "target_tags", "classifier_tags", "regressor_tags"):
        a, b = (None if tags is None else asdict(tags) for tags in (getattr(mine, part), getattr(theirs, part)))
        if part == "input_tags":
            assert not a["positive_only"]
        assert a == b, part
    assert mine.estimator_type == theirs.estimator_type and mine.requires_fit == theirs.requires_fit


@pytest.mark.parametrize("name", NAMES)
def test_pickles_clones_and_frames(name):
    X, y = data(name)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = make(ours, name).fit(frame, y)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(frame), model.predict(frame))
    assert list(again.feature_names_in_) == list("abcdef")
    assert not hasattr(clone(model), "coef_")
    before = frame.copy()
    kept = model.coef_.copy()
    frame.iloc[:, 0] = 0.0  # the model has nothing of the caller's
    assert np.array_equal(model.coef_, kept)
    assert np.array_equal(again.predict(before), pickle.loads(pickle.dumps(model)).predict(before))


@pytest.mark.parametrize("name", NAMES)
def test_routing_requests(name):
    with config_context(enable_metadata_routing=True):
        for request in (True, False, "w"):
            models = [getattr(m, name)().set_fit_request(sample_weight=request) for m in (ours, peer)]
            if row_of(name, "set_score_request") is None:
                found = [
                    m.get_metadata_routing().consumes("fit", ["sample_weight", "w", "check_input"]) for m in models
                ]
                assert found[0] == found[1]
                models = [m.set_score_request(sample_weight=request) for m in models]
                found = [m.get_metadata_routing().consumes("score", ["sample_weight", "w"]) for m in models]
                assert found[0] == found[1]


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet"])
@pytest.mark.parametrize("interface", ["spmatrix", "sparray"])
def test_sparse_coefficients(name, interface):
    X, y = data(name)
    try:
        context = config_context(sparse_interface=interface)
    except TypeError:
        pytest.skip("no such option in this scikit-learn")
    with context:
        mine, theirs = make(ours, name).fit(X, y).sparse_coef_, make(peer, name).fit(X, y).sparse_coef_
    assert_same(mine, theirs, "sparse_coef_")


# Paths ----------------------------------------------------------------------------------------------------------

PATHS = [
    {},
    {"alphas": 7},
    {"alphas": 4, "eps": 0.1},
    {"alphas": [0.2, 1.0, 0.05]},
    {"alphas": np.array([0.3])},
    {"positive": True, "alphas": 9},
    {"return_n_iter": True, "alphas": 3},
    {"precompute": True, "alphas": 3},
    {"precompute": False, "alphas": 3, "copy_X": False},
    {"coef_init": np.ones(6), "alphas": [0.1]},
    {"selection": "random", "random_state": 0, "alphas": 3},
    {"verbose": False, "alphas": 3, "tol": 1e-14},
]


@pytest.mark.parametrize("options", PATHS, ids=str)
@pytest.mark.parametrize("kind", ["C", "float32", "csr_array", "pandas"])
def test_paths(options, kind):
    X, y = data("Lasso")
    given = CONTAINERS[kind](X)
    for name, more in (("lasso_path", {}), ("enet_path", {"l1_ratio": 0.3}), ("enet_path", {})):
        mine = getattr(bridle, name)(given, y, **more, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = getattr(peer, name)(given, y, **more, **({"tol": 1e-13, "max_iter": 100_000} | options))
        assert len(mine) == len(theirs)
        rtol = 2e-3 if kind == "float32" else 1e-6
        assert_same(mine[0], np.asarray(theirs[0]), "alphas", rtol)
        assert_same(mine[1], theirs[1], "coefs", rtol)
        assert mine[2].shape == theirs[2].shape and mine[2].dtype == theirs[2].dtype
        if options.get("return_n_iter"):
            assert isinstance(mine[3], list) and len(mine[3]) == len(theirs[3])


def test_paths_take_the_gram_matrix_and_the_products():
    X, y = data("Lasso")
    given = {"precompute": X.T @ X, "Xy": X.T @ y, "alphas": [0.5, 0.1]}
    mine, theirs = bridle.lasso_path(X, y, **given), peer.lasso_path(X, y, **given, tol=1e-13, max_iter=10_000)
    assert_same(mine[1], theirs[1], "coefs")


BAD_PATHS = [{"eps": 0.0}, {"alphas": 0}, {"alphas": "x"}, {"n_alphas": 0}, {"precompute": "x"}, {"verbose": "x"}]
BAD_PATHS += [{"positive": 1}, {"selection": "x"}, {"unknown": 1}, {"return_n_iter": "x"}, {"copy_X": None}]


@pytest.mark.parametrize("bad", BAD_PATHS, ids=str)
@pytest.mark.parametrize("name", ["lasso_path", "enet_path"])
def test_paths_refuse_what_scikit_learns_refuse(name, bad):
    X, y = data("Lasso")
    caught = []
    for module in (bridle, peer):
        with warnings.catch_warnings(), pytest.raises(Exception) as error:
            warnings.simplefilter("ignore")
            getattr(module, name)(X, y, **bad)
        caught.append(error.value)
    assert isinstance(caught[0], type(caught[1])), caught


def test_path_without_an_l1_part_needs_alphas():
    X, y = data("Lasso")
    for module in (bridle, peer):
        with pytest.raises(ValueError, match="l1_ratio=0"):
            module.enet_path(X, y, l1_ratio=0.0)
    mine = bridle.enet_path(X, y, l1_ratio=0.0, alphas=[0.5])[1]
    assert_same(mine[:, 0], peer.Ridge(0.5 * len(y), fit_intercept=False).fit(X, y).coef_, "coefs")


def test_a_target_that_nothing_explains_has_scikit_learns_grid():
    X, _ = data("Lasso")
    y = np.full(len(X), 3.0)
    mine, theirs = ours.LassoCV().fit(X, y), peer.LassoCV().fit(X, y)
    assert np.all(mine.alphas_ == 1e-15) and np.array_equal(mine.alphas_, theirs.alphas_)
    assert mine.mse_path_.shape == theirs.mse_path_.shape and mine.mse_path_.max() < 1e-25
    assert not mine.coef_.any() and mine.alpha_ == theirs.alpha_
