"""Every family with every penalty: certified by the referee, and the same fit as a conic solver's (cones.py)."""

import numpy as np
import polars as pl
import pytest
from pairs_cones import Programme, minimise, pay_loss

from bridle.certificates import certify
from bridle.design import design_matrix
from bridle.errors import InputError
from bridle.path import fit_path
from bridle.penalties import Penalty, read_penalty
from bridle.several import certify_several

FAMILIES = {
    "gaussian": {}, "binomial": {}, "trials": {}, "poisson": {}, "gamma": {}, "tweedie": {"power": 1.4},
    "negative_binomial": {"theta": 1.5}, "huber": {"delta": 0.8}, "quantile": {"tau": 0.3, "bandwidth": 0.4},
    "squared_hinge": {}, "cox": {"ties": "efron"},
}  # fmt: skip
PENALTIES = {
    "lasso": ("elastic_net", {}, 1.0), "ridge": ("elastic_net", {}, 0.0), "elastic net": ("elastic_net", {}, 0.4),
    "group lasso": ("group_lasso", {}, 1.0), "group lasso and ridge": ("group_lasso", {}, 0.6),
    "sparse group lasso": ("sparse_group_lasso", {"l1_share": 0.4}, 0.9),
    "MCP": ("mcp", {"gamma": 12.0}, 1.0), "SCAD": ("scad", {"gamma": 12.0}, 1.0),
    "group MCP": ("group_mcp", {"gamma": 12.0}, 0.9), "group SCAD": ("group_scad", {"gamma": 12.0}, 0.9),
}  # fmt: skip
AGREEMENT = 1e-6  # relative to the largest coefficient
STEEP = ("gaussian", "poisson", "tweedie")  # the others' curvature is lower, so that they need a larger gamma
GROUPS = np.array([0, 0, 0, 1, 1, 2, 3, 4])
FACTOR = np.array([1.0, 1.0, 1.0, 0.5, 0.5, 2.0, 0.0, np.inf])
LEVELS = ("none", "low", "mid", "high", "top")
LOWER, UPPER = np.full(8, -np.inf), np.full(8, np.inf)
LOWER[5], UPPER[5] = -0.05, 0.1


def spec(name, values):
    return f"{name}({', '.join(f'{k}={v!r}' for k, v in values.items())})" if values else name


def table(family, seed=3):
    """X (n, 8), the target as bridle takes it and as the oracle does, weights for each, an offset."""
    rng = np.random.default_rng(seed)
    n = 36 if family == "cox" else 60
    X = (rng.normal(size=(n, 8)) + 0.4 * rng.normal(size=(n, 1))) * rng.uniform(0.5, 2.0, 8) + 1.0
    w, offset = rng.uniform(0.5, 2.0, n), 0.2 * rng.normal(size=n)
    eta = 0.2 + ((X - 1.0) / X.std(axis=0)) @ [0.6, -0.5, 0.3, 0.3, 0.0, 0.2, 0.4, 0.0]
    mu = np.exp(eta)
    if family == "trials":
        trials = rng.integers(1, 6, n)
        hits = rng.binomial(trials, mu / (1.0 + mu))
        return X, np.column_stack([hits, trials - hits]), hits / trials, w, w * trials, offset
    if family == "cox":
        time = np.ceil(4.0 * rng.exponential(size=n) / mu)
        start = np.where(rng.random(n) < 0.3, np.floor(time / 2.0), -np.inf)
        y = np.column_stack([start, time, rng.random(n) < 0.7, rng.integers(0, 2, n)]).astype(float)
        return X, y, y, w, w, offset
    y = {
        "binomial": lambda: (rng.random(n) < mu / (1.0 + mu)).astype(float),
        "squared_hinge": lambda: (rng.random(n) < mu / (1.0 + mu)).astype(float),
        "poisson": lambda: rng.poisson(mu).astype(float),
        "gamma": lambda: rng.gamma(2.0, mu / 2.0),
        "tweedie": lambda: rng.poisson(mu) * rng.gamma(2.0, 0.5, n),
        "negative_binomial": lambda: rng.poisson(mu * rng.gamma(1.5, 1.0 / 1.5, n)).astype(float),
        "gaussian": lambda: eta + rng.normal(size=n),
    }.get(family, lambda: eta + rng.standard_t(3, n))()
    return X, y, y, w, w, offset


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("family", FAMILIES)
def test_one_predictor(family, penalty):
    X, y, plain, w, weight, offset = table(family)
    kind, values, l1_ratio = PENALTIES[penalty]
    if "gamma" in values and family in STEEP:
        values = {"gamma": 4.0}
    name = "binomial" if family == "trials" else family
    groups = GROUPS if read_penalty(kind).grouped else None
    problem = {"l1_ratio": l1_ratio, "penalty_factor": FACTOR, "lower": LOWER, "upper": UPPER, "offset": offset}
    options = {
        "family": spec(name, FAMILIES[family]), "penalty": spec(kind, values), "groups": groups, "sample_weight": w,
        "tol": 1e-13, "max_iter": 1_000_000, **problem,
    }  # fmt: skip
    top = fit_path(X, y, n_lambdas=1, **options).lambda_max * (0.01 if l1_ratio == 0.0 else 1.0)
    path = fit_path(X, y, lambdas=np.array([0.3, 0.1]) * top, **options)
    assert path.converged, path.notes
    start = None
    for k in range(2):
        found = certify(
            X, plain, path.intercept[k], path.coef_row(k), path.lambdas[k], family=options["family"],
            penalty=Penalty(l1_ratio, FACTOR, LOWER, UPPER, options["penalty"], groups), sample_weight=weight,
            offset=offset,
        )  # fmt: skip
        assert (found.stationarity if path.certificate == "stationarity" else found.relative_gap) <= 1.1e-13
        intercept, b, start = minimise(
            X, plain, path.lambdas[k], family=(name, FAMILIES[family]), penalty=(kind, values), l1_ratio=l1_ratio,
            groups=GROUPS, factor=FACTOR, lower=LOWER, upper=UPPER, w=weight, offset=offset, start=start,
        )  # fmt: skip
        compare(X, path.intercept[k], path.coef_row(k), intercept, b, has_intercept=name != "cox")


def compare(X, intercept, coef, their_intercept, b, *, has_intercept=True):
    """Hold coefficients per standard deviation, and intercepts at the columns' means, to 1e-6 of the largest."""
    scale, mean = X.std(axis=0).reshape(-1, *[1] * (b.ndim - 1)), X.mean(axis=0)
    size = np.abs(scale * b).max()
    np.testing.assert_allclose(scale * coef, scale * b, rtol=0.0, atol=AGREEMENT * size)
    if has_intercept:
        ours, theirs = intercept + mean @ coef, their_intercept + mean @ b
        np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=AGREEMENT * max(size, np.abs(theirs).max()))


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("family", ["multinomial", "multigaussian", "ordinal"])
def test_several_predictors(family, penalty):
    X, y, target, w, offset = several_table(family)
    kind, values, l1_ratio = PENALTIES[penalty]
    groups = GROUPS if "group" in penalty else None
    free = "group" in penalty and family != "ordinal"  # of bounds
    lower, upper = (np.full(8, -np.inf), np.full(8, np.inf)) if free else (LOWER, UPPER)
    options = {
        "family": family, "penalty": spec(kind, values), "groups": groups, "l1_ratio": l1_ratio,
        "penalty_factor": FACTOR, "lower": lower, "upper": upper, "offset": offset, "sample_weight": w,
        "tol": 1e-13, "max_iter": 1_000_000,
    }  # fmt: skip
    top = fit_path(X, y, n_lambdas=1, **options).lambda_max * (0.01 if l1_ratio == 0.0 else 1.0)
    path = fit_path(X, y, lambdas=np.array([0.3, 0.1]) * top, **options)
    assert path.converged, path.notes
    start = None
    for k in range(2):
        found = certify_several(
            X, y, path.intercept[k], path.coef_row(k), path.lambdas[k], family=family, sample_weight=w, offset=offset,
            penalty=Penalty(l1_ratio, FACTOR, lower, upper, options["penalty"], groups),
        )  # fmt: skip
        assert (found.stationarity if path.certificate == "stationarity" else found.relative_gap) <= 1.1e-13
        if family == "multinomial" and penalty in ("MCP", "SCAD"):
            continue  # softmax is flat where all classes move alike: such penalties have many stationary points there
        intercept, b, start = minimise(
            X, target, path.lambdas[k], family=(family, {}), penalty=(kind, values), l1_ratio=l1_ratio,
            groups=GROUPS, factor=FACTOR, lower=lower, upper=upper, w=w, offset=offset, start=start,
        )  # fmt: skip
        compare(X, path.intercept[k], path.coef_row(k), intercept, b)


def several_table(family):
    """X (n, 8), the target as bridle takes it and by columns, weights, and an offset for each predictor."""
    X, _, _, w, _, _ = table("gaussian")
    rng = np.random.default_rng(8)
    eta = ((X - 1.0) / X.std(axis=0)) @ (rng.normal(size=(8, 3)) * [[0.6]] * (rng.random((8, 3)) < 0.6))
    if family == "multigaussian":
        y = eta + rng.normal(size=(60, 3))
        return X, y, y, w, 0.2 * rng.normal(size=(60, 3))
    if family == "multinomial":
        y = np.argmax(eta + rng.gumbel(size=(60, 3)), axis=1)
        return X, y, np.eye(3)[y], w, 0.2 * rng.normal(size=(60, 3))
    score = eta[:, 0] + rng.logistic(size=60)
    y = np.searchsorted(np.quantile(score, [0.3, 0.6, 0.8]), score)
    return X, y, np.eye(4)[y], w, 0.2 * rng.normal(size=60)


@pytest.mark.parametrize("family", FAMILIES)
def test_ordered_categories_are_fused(family):
    """A lasso on steps between levels is a penalty on differences of neighbours, for whichever loss."""
    X, y, plain, w, weight, offset = table(family)
    name, n = "binomial" if family == "trials" else family, len(X)
    level = np.random.default_rng(4).integers(0, 5, n)
    frame = pl.DataFrame({"level": pl.Series([LEVELS[k] for k in level], dtype=pl.Enum(LEVELS)), "y": np.arange(n)})
    steps = design_matrix(frame, "y")[0].matrix
    options = {"family": spec(name, FAMILIES[family]), "sample_weight": w, "offset": offset, "standardize": False}
    top = fit_path(steps, y, n_lambdas=1, **options).lambda_max
    path = fit_path(steps, y, lambdas=[0.3 * top], tol=1e-13, **options)
    on = Programme()
    effect = on.variables(5)
    if name == "cox":
        on.zero(effect[[0]])  # differences alone count
    pay_loss(on, (name, FAMILIES[family]), plain, effect.under(np.eye(5)[level]) + offset, weight / weight.sum())
    on.pay(on.size_of(effect[1:] - effect[:-1]), path.lambdas[0])
    theirs = on.solve()[:5]
    ours = path.intercept[0] + np.r_[0.0, np.cumsum(path.coef_row(0))]
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=AGREEMENT * np.abs(theirs).max())
    assert 0 < path.n_nonzero[0] < 4
    np.testing.assert_array_equal(path.coef_row(0) == 0.0, np.abs(np.diff(theirs)) < 1e-7)


@pytest.mark.parametrize("family", [*FAMILIES, "ordinal"])
def test_what_groups_cannot_have_is_refused(family):
    X, y, *_, offset = several_table(family) if family == "ordinal" else table(family)
    name = "binomial" if family == "trials" else family
    options = {"family": spec(name, FAMILIES.get(family, {})), "offset": offset}
    for penalty in ("group_lasso", "sparse_group_lasso", "group_mcp", "group_scad"):
        for given, message in (
            ({}, "needs groups"),
            ({"groups": GROUPS, "penalty_factor": np.arange(8.0)}, "alike within a group; feature 1"),
            ({"groups": GROUPS, "upper": 0.5}, "bounds don't go with groups of several features; feature 0"),
        ):
            with pytest.raises(InputError, match=message):
                fit_path(X, y, penalty=penalty, **given, **options)
