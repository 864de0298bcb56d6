"""How fits of bridle and of scikit-learn are compared: the table of what isn't the same, and "same" said once."""

import inspect
from pathlib import Path

import numpy as np
from scipy import sparse

# What isn't the same: (class or "*", parameter, attribute or method) -> row of docs/estimators.md ------------------

DEVIATIONS = {
    ("*", "n_iter_"): "d1",
    ("*", "dual_gap_"): "d1",
    ("*", "eps_"): "d1",
    **{
        (name, method): "d24"
        for name in ("MultiTaskLasso", "MultiTaskElasticNet")
        for method in ("get_metadata_routing", "set_fit_request", "set_score_request")
    },
    ("Ridge", "solver_"): "d12",
    ("Ridge", "n_iter_"): "d12",
    ("LogisticRegressionCV", "set_score_request"): "d11",
    ("LogisticRegression", "set_callbacks"): "d18",
    ("LogisticRegressionCV", "set_callbacks"): "d18",
}


NOT_ALIKE = {"HuberRegressor", "QuantileRegressor"}
"""Whose objectives or parameters differ on purpose (d21, d22): test_families.py compares what can be compared."""


def row_of(name, member):
    return DEVIATIONS.get((name, member)) or DEVIATIONS.get(("*", member))


def data(name):
    """90 rows: y is numeric, of two classes, counts, or two numbers; features of different sizes, correlated."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(90, 6)) @ (np.eye(6) + 0.2) * [1.0, 2.0, 0.5, 1.0, 1.5, 1.0] + [0, 1, -1, 0, 2, 0]
    eta = X @ [1.0, -0.5, 0.0, 0.0, 0.3, 0.0]
    if name.startswith("Logistic"):
        return X, (eta + 2.0 * rng.logistic(size=90) > 0.5).astype(int)
    if name.startswith("MultiTask"):
        return X, np.column_stack([eta, X @ [0.0, 1.0, 0.5, 0.0, 0.0, -0.4]]) + rng.normal(size=(90, 2))
    if name.startswith("Poisson"):
        return X, rng.poisson(np.exp(0.2 * eta)).astype(float)
    if name.startswith(("Gamma", "Tweedie")):
        return X, rng.gamma(2.0, np.exp(0.2 * eta) / 2)
    return X, eta + rng.normal(size=90)


def assert_same(mine, theirs, what, rtol=1e-6):
    """Same kind, shape, dtype and value."""
    if theirs is None or isinstance(theirs, str):
        assert mine == theirs, what
        return
    if sparse.issparse(theirs):
        assert type(mine) is type(theirs), what
        mine, theirs = mine.toarray(), theirs.toarray()
    if isinstance(theirs, dict):
        assert list(mine) == list(theirs), what
        for key, value in theirs.items():
            assert_same(mine[key], value, f"{what}[{key!r}]", rtol)
        return
    assert isinstance(mine, np.ndarray) == isinstance(theirs, np.ndarray), f"{what}: {type(mine)} for {type(theirs)}"
    assert isinstance(mine, list) == isinstance(theirs, list), f"{what}: {type(mine)} for {type(theirs)}"
    assert np.shape(mine) == np.shape(theirs), f"{what}: {np.shape(mine)} for {np.shape(theirs)}"
    a, b = np.asarray(mine), np.asarray(theirs)
    assert a.dtype == b.dtype, f"{what}: {a.dtype} for {b.dtype}"
    if b.dtype.kind == "f":
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.max(np.abs(b), initial=0.0), err_msg=what)
    else:
        assert np.array_equal(a, b), what


def fitted(model):
    """Names of all fitted attributes, properties too."""
    found = {k for k in vars(model) if k.endswith("_") and not k.startswith("_")}
    properties = {k for k, v in inspect.getmembers(type(model)) if isinstance(v, property) and k.endswith("_")}
    return sorted(found | {k for k in properties if not k.startswith("_")})


def compare(mine, theirs, name, rtol, options):
    for attribute in fitted(theirs):
        a, b = getattr(mine, attribute), getattr(theirs, attribute)
        if options.get("solver") == "liblinear" and attribute == "intercept_":  # the number 0 there, d4
            assert np.array_equal(a, [0.0])
        elif attribute == "solver_" and not {"solver", "positive"} & set(options):
            assert_same(a, b, attribute)
        elif row_of(name, attribute) == "d1":  # measured otherwise, but as many and of the same kind
            assert np.shape(a) == np.shape(b), attribute
            assert np.asarray(a).dtype.kind == np.asarray(b).dtype.kind, attribute
        elif row_of(name, attribute) is None:
            assert_same(a, b, attribute, rtol)


def rows_of_the_table():
    """Numbers of the rows of the table of deviations."""
    text = (Path(__file__).parents[2] / "docs" / "estimators.md").read_text()
    return {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| d")}
