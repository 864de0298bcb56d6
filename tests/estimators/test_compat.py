"""Every parameter, fitted attribute and public method of scikit-learn's classes, on both sides.

The tables below name all that the classes of the installed scikit-learn have, found by introspection: what is in
neither a case nor the table of deviations of docs/estimators.md fails the last tests here.
"""

import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn.linear_model as peer
from estimators_comparison import DEVIATIONS, NOT_ALIKE, assert_same, compare, data, row_of, rows_of_the_table
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold

import bridle.estimators as ours

NAMES = [name for name in ours.__all__ if hasattr(peer, name) and name not in NOT_ALIKE]

DESCENT = {"tol": 1e-13, "max_iter": 200_000}
NEWTON = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 1000}
SAGA = {"solver": "saga", "tol": 1e-11, "max_iter": 100_000, "random_state": 0}
NOW = {"l1_ratios": (0.0,), "scoring": "accuracy", "use_legacy_attributes": False}
GRAM = "the Gram matrix"  # stands for that of the data; a name, so that every process names the cases alike
ROWS = np.arange(90)
PAIRS = [(ROWS[k != ROWS % 3], ROWS[k == ROWS % 3]) for k in range(3)]
GROUPED = list(GroupKFold(3).split(ROWS, groups=ROWS % 7))


def alphas_of(count):
    return {"alphas": count, "eps": 0.02}


COMMON = [{"fit_intercept": False}, {"positive": True}, {"tol": 1e-6}, {"max_iter": 50_000}, {"copy_X": False}]
COMMON += [{"selection": "random", "random_state": 0}, {"selection": "cyclic"}, {"random_state": None}]
COMMON += [{"precompute": True}, {"precompute": False}]
MULTI = [case for case in COMMON if not {"positive", "precompute"} & set(case)]
FOLDS = [{"cv": 4}, {"cv": PAIRS}, {"cv": GROUPED}, {"cv": KFold(3, shuffle=True, random_state=0)}]
FOLDS += [{"cv": ShuffleSplit(2, random_state=0)}, {"cv": None}]
GRIDS = [{"alphas": 7}, {"alphas": (0.5, 0.1, 2.0)}, {"alphas": np.array([0.3])}, alphas_of(5), {"precompute": "auto"}]
GRIDS += [{"precompute": GRAM}]  # needs a new one for each fold, which scikit-learn says and makes
OWN_GRAM = {"precompute": GRAM, "fit_intercept": False}
QUIET = [{"verbose": 0}, {"verbose": False}, {"n_jobs": 1}, {"n_jobs": 2}]

GENERALISED = [
    {},
    {"alpha": 0.0},
    {"alpha": 0.3, "fit_intercept": False},
    {"solver": "lbfgs", "tol": 1e-10, "max_iter": 10_000},
    {"solver": "newton-cholesky"},
    {"tol": 1e-9},
    {"max_iter": 300},
    {"warm_start": True},
    {"verbose": 0},
]

CASES = {
    "Lasso": [{}, {"alpha": 0.03}, {"alpha": np.float32(0.25)}, {"warm_start": True}, OWN_GRAM, *COMMON],
    "LassoCV": [{"eps": 0.01}, *COMMON, *FOLDS, *GRIDS, *QUIET],
    "Ridge": [
        {},
        {"alpha": 0.3},
        {"alpha": [0.7]},
        {"positive": True, "solver": "lbfgs"},
        {"fit_intercept": False},
        {"copy_X": False},
        {"tol": 1e-6},
        {"max_iter": 40},
        {"random_state": 1},
        *({"solver": s} for s in ("auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga")),
    ],
    "RidgeCV": [
        {},
        {"alphas": [3.0, 0.01]},
        {"alphas": 2.0},
        {"fit_intercept": False},
        {"scoring": "neg_median_absolute_error"},
        {"store_cv_results": True},
        {"store_cv_results": True, "scoring": "r2"},
        *({"gcv_mode": mode} for mode in (None, "auto", "svd", "eigen")),
        {"alpha_per_target": True},
        *FOLDS,
        {"cv": 3, "scoring": "neg_mean_squared_error"},
        {"cv": 3, "alphas": (0.0, 1.0)},
    ],
    "ElasticNet": [
        {},
        {"warm_start": True},
        {"alpha": 0.1, "l1_ratio": 0.9},
        {"l1_ratio": 0.0, "alpha": 0.4},
        OWN_GRAM,
        *COMMON,
    ],
    "ElasticNetCV": [{"l1_ratio": [0.2, 0.9], "alphas": 6}, {"eps": 0.01}, *COMMON, *FOLDS, *GRIDS, *QUIET],
    "LogisticRegression": [
        {},
        {"C": 0.02},
        {"C": np.inf},
        {"fit_intercept": False},
        {"class_weight": "balanced"},
        {"class_weight": {0: 2.0, 1: 0.5}},
        {"penalty": "l2"},
        {"penalty": "l1", "l1_ratio": 1, "solver": "saga", "C": 0.2},
        {"penalty": "elasticnet", "l1_ratio": 0.4, "solver": "saga", "C": 0.2},
        {"penalty": None},
        {"l1_ratio": 0.3, "solver": "saga", "C": 0.2},
        {"l1_ratio": None},
        {"l1_ratio": 1.0, "solver": "liblinear", "fit_intercept": False, "C": 0.2, "tol": 1e-10, "max_iter": 10_000},
        {"dual": True, "solver": "liblinear", "fit_intercept": False, "tol": 1e-9, "max_iter": 100_000},
        {"intercept_scaling": 3.0},
        {"warm_start": True},
        {"verbose": 0, "n_jobs": None, "random_state": 3},
        *({"solver": s, "tol": 1e-9, "max_iter": 20_000} for s in ("lbfgs", "newton-cg", "newton-cholesky", "sag")),
        {"tol": 1e-10},
        {"max_iter": 500},
    ],
    "LogisticRegressionCV": [
        {**NOW, "Cs": 3},
        {**NOW, "Cs": [2.0, 0.1], "scoring": "neg_log_loss"},
        {**NOW, "scoring": None},
        {**NOW, "refit": False},
        {**NOW, "use_legacy_attributes": True},
        {**NOW, "use_legacy_attributes": True, "refit": False, "scoring": "roc_auc"},
        {**NOW, "l1_ratios": None, "use_legacy_attributes": True},
        {**NOW, "l1_ratios": None},
        {**NOW, "l1_ratios": (1.0, 0.2), "solver": "saga", "Cs": [0.5], "cv": 2},
        {**NOW, "penalty": "l2", "l1_ratios": None},
        {**NOW, "penalty": "elasticnet", "l1_ratios": [0.5], "solver": "saga", "Cs": [0.1], "cv": 2},
        {**NOW, "fit_intercept": False},
        {**NOW, "class_weight": "balanced"},
        {**NOW, "class_weight": {1: 3.0}},
        {**NOW, "dual": True, "solver": "liblinear", "fit_intercept": False, "tol": 1e-9, "Cs": [0.1, 1.0]},
        {**NOW, "solver": "lbfgs", "tol": 1e-10, "max_iter": 5000},
        {**NOW, "n_jobs": 1, "max_iter": 3000},
        {**NOW, "verbose": 0, "random_state": 2, "intercept_scaling": 2.0},
        *({**NOW, **fold} for fold in FOLDS if fold["cv"] is not GROUPED),
        {**NOW, "cv": StratifiedKFold(3, shuffle=True, random_state=1)},
    ],
    "GammaRegressor": [*GENERALISED],
    "TweedieRegressor": [
        *({"power": power} for power in (0, 1, 1.5, 2.0)),
        {"power": 1.9, "link": "log"},
        {"link": "identity"},
        *({"power": 1.2} | case for case in GENERALISED),
    ],
    "MultiTaskLasso": [{}, {"alpha": 0.03}, {"alpha": np.float32(0.25)}, {"warm_start": True}, *MULTI],
    "MultiTaskLassoCV": [{"eps": 0.01}, *MULTI, *FOLDS, *GRIDS[:4], *QUIET],
    "MultiTaskElasticNet": [{}, {"alpha": 0.1, "l1_ratio": 0.9}, {"l1_ratio": 0.0, "warm_start": True}, *MULTI],
    "MultiTaskElasticNetCV": [{"l1_ratio": [0.2, 0.9], "alphas": 6}, {"eps": 0.01}, *MULTI, *FOLDS, *GRIDS[:4], *QUIET],
    "PoissonRegressor": GENERALISED,
}
FLAT = [(name, case) for name, cases in CASES.items() for case in cases]


# The two sides ----------------------------------------------------------------------------------------------------


def tight(name, options):
    """What makes scikit-learn's solver exact, where the case doesn't say."""
    if name == "RidgeCV":
        return {}
    if name == "Ridge":
        solver = options.get("solver", "auto")
        return {"tol": 1e-13} if options.get("positive") or solver in {"lsqr", "sparse_cg", "sag", "saga"} else {}
    if name.startswith(("Lasso", "Elastic", "MultiTask")):
        return DESCENT
    saga = options.get("solver") == "saga"
    return SAGA if saga else NEWTON


def make(module, name, options, X):
    options = {k: X.T @ X if v is GRAM else v for k, v in options.items()}
    if module is ours and name in {"LogisticRegressionCV", "MultiTaskLassoCV", "MultiTaskElasticNetCV"}:
        options = {"tol": 1e-13} | options  # the folds' fits, too, are then finer than scikit-learn's
    if module is peer:
        options = tight(name, options) | options
        if name.startswith(("Lasso", "Elastic", "MultiTask")):
            options["tol"] = min(options["tol"], 1e-13)
        if name == "Ridge":
            options.pop("max_iter", None)
        if "max_iter" in options:
            options["max_iter"] = max(options["max_iter"], 100_000)
    return getattr(module, name)(**options)


def fit_both(name, options, X, y, **fit):
    mine = make(ours, name, options, X).fit(X.copy(), y, **fit)
    theirs = make(peer, name, options, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn's asides about penalty=None and Gram matrices
        theirs.fit(X.copy(), y, **fit)
    return mine, theirs


def precision(name, options):
    """scikit-learn's first-order solvers stop at about this."""
    if options.get("solver") in {"saga", "sag", "liblinear", "lbfgs", "lsqr", "sparse_cg"} or options.get("positive"):
        return 1e-5
    return 1e-6


@pytest.mark.parametrize(("name", "options"), FLAT, ids=str)
def test_same_answer_for_the_same_parameters(name, options):
    X, y = data(name)
    mine, theirs = fit_both(name, options, X, y)
    compare(mine, theirs, name, precision(name, options), options)


# Methods --------------------------------------------------------------------------------------------------------

METHODS = {
    "fit": lambda m, X, y: m.fit(X, y) is m,
    "predict": lambda m, X, y: m.predict(X[::-1]),
    "score": lambda m, X, y: m.score(X[:50], y[:50], sample_weight=1.0 + np.arange(50.0) % 3),
    "decision_function": lambda m, X, y: m.decision_function(X[:7]),
    "predict_proba": lambda m, X, y: m.predict_proba(X[:7]),
    "predict_log_proba": lambda m, X, y: m.predict_log_proba(X[:7]),
    "sparsify": lambda m, X, y: (m.sparsify() is m, m.coef_)[1],
    "densify": lambda m, X, y: (m.sparsify().densify() is m, m.coef_)[1],
    "get_params": lambda m, X, y: sorted(clone(m).get_params(deep=True)),
    "set_params": lambda m, X, y: m.set_params(fit_intercept=False).fit_intercept,
    "get_metadata_routing": lambda m, X, y: sorted(
        m.get_metadata_routing().consumes("fit", ["sample_weight", "groups"])
    ),
    "set_fit_request": lambda m, X, y: m.set_fit_request(sample_weight=True) is m,
    "set_score_request": lambda m, X, y: m.set_score_request(sample_weight=True) is m,
    "path": lambda m, X, y: m.path(X, y, alphas=[0.5, 0.1], **PATH_TIGHT)[1],
}
METADATA = ["sample_weight", "groups"]
PATH_TIGHT = {"tol": 1e-13, "max_iter": 100_000}
OF_METHODS = {"LogisticRegressionCV": {**NOW, "Cs": 2}, "LassoCV": {"alphas": 5}, "ElasticNetCV": {"alphas": 5}}
OF_METHODS |= {"MultiTaskLassoCV": {"alphas": 5}, "MultiTaskElasticNetCV": {"alphas": 5}}


def public_methods(cls):
    return sorted(k for k, v in inspect.getmembers(cls, callable) if not k.startswith("_"))


@pytest.mark.parametrize(
    ("name", "method"), [(n, m) for n in NAMES for m in public_methods(getattr(peer, n)) if row_of(n, m) is None]
)
def test_same_methods(name, method):
    X, y = data(name)
    mine, theirs = fit_both(name, OF_METHODS.get(name, {}), X, y)
    with config_context(enable_metadata_routing=method.endswith(("request", "routing"))), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        b = METHODS[method](theirs, X, y)
        a = METHODS[method](mine, X, y)
    if method == "get_params":
        assert set(b) <= set(a)
    else:
        assert_same(a, b, method)
    if method in {"fit", "predict", "score", "path"}:
        ours_takes, theirs_takes = (inspect.signature(getattr(m, method)).parameters for m in (mine, theirs))
        assert set(theirs_takes) <= set(ours_takes)


# The list is complete -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_has_a_case(name):
    tried = {key for options in CASES[name] for key in options}
    assert set(getattr(peer, name)().get_params()) <= tried


def test_every_deviation_is_a_row_of_the_table_and_every_row_is_shown():
    rows = rows_of_the_table()
    assert set(DEVIATIONS.values()) <= rows
    shown = re.findall(r"def test_(d\d+)_", Path(__file__).with_name("test_deviations.py").read_text())
    assert rows == set(shown)
