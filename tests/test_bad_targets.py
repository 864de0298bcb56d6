"""What a family can't use, in one table: through fit_path, through an estimator, and on the command line.

A message says what came, what was expected, and where it can be told, what to do. Some cases have documented answers.
"""

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import bridle
from bridle import fit_path, survival_target
from bridle.cli import app
from bridle.errors import BridleWarning, InputError
from bridle.selection import cross_validate

N = 24
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3))
ONES, NUMBERS, COUNTS = np.ones(N), RNG.normal(size=N), RNG.poisson(2.0, N).astype(float)
AMOUNTS, CLASSES, TIMES = RNG.gamma(2.0, 1.0, N), np.arange(N) % 2 * 1.0, np.arange(1.0, N + 1)
LEVELS = np.arange(N) % 3
COX = np.column_stack([TIMES, CLASSES])
PAIRS = np.column_stack([COUNTS, COUNTS])
GROUPS = [0, 0, 1]


def put(values, place, value):
    """The values with one replaced."""
    out = np.array(values, dtype=float)
    out[place] = value
    return out


PATHS = [  # family, target, options, words of the message
    ("poisson", put(COUNTS, 3, -1), {}, r"numbers of at least 0 \(counts\); row 3 has -1\. Choose another family"),
    ("poisson", 0.0 * COUNTS, {}, "every row has the target 0: a poisson model needs rows with other values"),
    ("poisson", put(COUNTS, 3, np.nan), {}, "y must be finite; row 3 has nan"),
    ("poisson", COUNTS, {"offset": put(ONES, 2, 900)}, "offsets from 1 to 900 are too far apart.*scale of the link"),
    ("poisson", COUNTS[:5], {}, r"y has shape \(5,\); expected one value per row of X, \(24,\)"),
    ("poisson", np.repeat("many", N), {}, "y can't be read as numbers"),
    ("gamma", put(AMOUNTS, 5, 0), {}, "numbers above 0; row 5 has 0"),
    ("gamma", put(AMOUNTS, 5, np.inf), {}, "y must be finite; row 5 has inf"),
    ("tweedie(power=1.5)", put(AMOUNTS, 1, -2), {}, "numbers of at least 0; row 1 has -2"),
    ("tweedie", 0.0 * AMOUNTS, {}, "every row has the target 0"),
    ("tweedie(power=0.5)", AMOUNTS, {}, r"from 1 \(Poisson\) to 2 \(gamma\); got 0.5: with a log link"),
    ("tweedie(power=0)", AMOUNTS, {}, "for power 0 use gaussian"),
    ("tweedie(power='high')", AMOUNTS, {}, "power must be a number; got 'high'"),
    ("tweedie(p=1.5)", AMOUNTS, {}, "tweedie has no parameter 'p'; it has power"),
    ("gamma(shape=2)", AMOUNTS, {}, "gamma has no parameter 'shape'; it has none"),
    ("negative_binomial", put(COUNTS, 0, -1), {}, "row 0 has -1"),
    ("negative_binomial", 0.0 * COUNTS, {}, "every row has the target 0"),
    ("negative_binomial(theta=0)", COUNTS, {}, "theta .* must be a finite number above 0; got 0"),
    ("huber(delta=-1)", NUMBERS, {}, "delta .* above 0, in units of y; got -1"),
    ("quantile(tau=1)", NUMBERS, {}, "tau of a quantile must lie between 0 and 1; got 1"),
    ("quantile(tau=0.5, bandwidth=0)", NUMBERS, {}, "bandwidth must be a finite number above 0"),
    ("binomial", ONES, {}, "every row has the target 1: a binomial model"),
    ("binomial", put(CLASSES, 4, 2), {}, r"classes 0 and 1, or shares\); row 4 has 2"),
    ("binomial", put(PAIRS, (2, 1), -1), {}, r"row 2 has \[.*, -1.0\]\. Give failures, not trials"),
    ("binomial", 0.0 * PAIRS, {}, "no row has a trial"),
    ("binomial", np.column_stack([COUNTS, 0.0 * COUNTS]), {}, "every row has the target 1"),
    ("binomial", np.ones((N, 3)), {}, r"y has shape \(24, 3\)"),
    ("squared_hinge", put(CLASSES, 1, 0.5), {}, "two classes, 0 and 1, or -1 and 1; row 1 has 0.5"),
    ("squared_hinge", put(CLASSES, 1, -1), {}, "y has both -1 and 0"),
    ("cox", np.column_stack([TIMES, 0.0 * TIMES]), {}, "there is no event: every row is censored"),
    ("cox", put(COX, (2, 0), -1), {}, "numbers of at least 0 .or give start.; row 2 has -1"),
    ("cox", put(COX, (2, 1), 2), {}, "event must be 1 .True. for an event"),
    ("cox", COX, {"sample_weight": 1.0 - CLASSES}, "no row with an event has a weight above 0"),
    ("cox(ties='exact')", COX, {}, "ties must be 'efron' or 'breslow'; got 'exact'"),
    ("cox", TIMES, {}, "Give bridle.survival_target"),
    ("multinomial", ONES, {}, "at least 2 classes; y has 1"),
    ("multinomial", NUMBERS, {}, r"numbers with fractions, e\.g\. -?[0-9.]+: choose a family for numbers"),
    ("multinomial", LEVELS, {"sample_weight": (LEVELS != 1) * 1.0}, "class number 1 .from 0.: its intercept"),
    ("ordinal", np.array(["low", "high"] * 12), {}, "levels with an order.*ordered=True"),
    ("ordinal", ONES, {}, "at least 2 classes"),
    ("multigaussian", put(PAIRS, (3, 1), np.nan), {}, "row 3, column 1 has nan"),
    ("gamma", AMOUNTS, {"sample_weight": 0.0 * ONES}, "finite sum above 0"),
    ("gamma", AMOUNTS, {"sample_weight": put(ONES, 3, -1)}, "must be >= 0; row 3 has -1$"),
    ("gamma", AMOUNTS, {"sample_weight": ONES[:4]}, r"sample_weight has shape \(4,\)"),
    ("gamma", AMOUNTS, {"offset": put(ONES, 3, np.nan)}, "offset must be finite; row 3 has nan"),
    ("gamma", AMOUNTS, {"penalty_factor": ["a", "b", "c"]}, "penalty_factor can't be read as numbers"),
    ("gamma", AMOUNTS, {"penalty_factor": [1, -1, 1]}, "penalty factors must be >= 0 .*; number 1 is -1$"),
    ("gamma", AMOUNTS, {"lower": "none"}, "a bound can't be read as numbers"),
    ("gamma", AMOUNTS, {"upper": None}, "a bound must be a number or one for each feature"),
    ("gamma", AMOUNTS, {"lower": 0.1}, "bounds must hold 0"),
    ("gamma", AMOUNTS, {"lambdas": ["small"]}, r"lambdas must be numbers of at least 0; got \['small'\]"),
    ("gamma", AMOUNTS, {"penalty": "group_lasso", "groups": [0, 1]}, r"groups has shape \(2,\)"),
    ("gamma", AMOUNTS, {"penalty": "group_mcp", "groups": GROUPS, "penalty_factor": [1, 2, 1]}, "alike within a group"),
    ("cox", COX, {"penalty": "group_lasso"}, "needs groups"),
    ("cox", COX, {"groups": GROUPS}, "has no groups; leave groups out, or choose 'group_lasso'"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "y", "options", "message"), PATHS, ids=[f"{p[0]}: {p[3][:40]}" for p in PATHS])
def test_fit_path_and_cross_validate_say_what_is_wrong(family, y, options, message):
    with pytest.raises(InputError, match=message) as told:
        fit_path(X, y, family=family, **options)
    assert "np." not in str(told.value).replace("np.str_", "")
    with pytest.raises(InputError) as told:  # folds may be the first to see it
        cross_validate(X, y, family=family, folds=3, **options)
    assert "np." not in str(told.value).replace("np.str_", "")


ESTIMATORS = [
    (bridle.PoissonRegressor(), put(COUNTS, 3, -1), "row 3 has -1"),
    (bridle.PoissonRegressorCV(), put(COUNTS, 3, -1), "row 3 has -1"),
    (bridle.GammaRegressor(), put(AMOUNTS, 3, 0), "numbers above 0; row 3 has 0"),
    (bridle.TweedieRegressor(power=0.5), AMOUNTS, "the loss isn't convex"),
    (bridle.NegativeBinomialRegressor(theta=0), COUNTS, "theta must be a number > 0; got 0"),
    (bridle.HuberRegressor(epsilon=0.5), NUMBERS, "epsilon must be a number >= 1; got 0.5"),
    (bridle.QuantileRegressor(quantile=1.5), NUMBERS, "quantile must be a number > 0 and <= 1"),
    (bridle.GeneralizedLinearRegressor(family="cox"), TIMES, "estimator of its own, bridle.CoxRegressor"),
    (bridle.GeneralizedLinearRegressorCV(family="multinomial"), CLASSES, "of its own, bridle.LogisticRegression"),
    (bridle.CoxRegressor(), survival_target(TIMES, CLASSES)[:5], "5 rows; expected one for each row of X, 24"),
    (bridle.CoxRegressor(), np.column_stack([TIMES, 0.0 * TIMES]), "there is no event"),
    (bridle.LogisticRegression(), ONES, "at least 2 classes; the data have only one class: 1.0"),
    (bridle.OrdinalClassifier(), ONES, "at least 2 classes"),
    (bridle.MultiTaskLasso(), NUMBERS, "several targets"),
    (bridle.GroupLasso(groups=[0, 1]), NUMBERS, r"groups has shape \(2,\)"),
    (bridle.SparseGroupLasso(groups=GROUPS, family="gamma"), put(AMOUNTS, 3, 0), "row 3 has 0"),
    (bridle.MCPRegressor(gamma=1), NUMBERS, "gamma must be a number > 1"),
    (bridle.SCADRegressor(gamma=2), NUMBERS, "gamma must be a number > 2"),
]


@pytest.mark.parametrize(("model", "y", "message"), ESTIMATORS, ids=[type(e[0]).__name__ for e in ESTIMATORS])
def test_estimators_say_what_is_wrong(model, y, message):
    with pytest.raises(InputError, match=message) as told:
        model.fit(X, y)
    assert "np." not in str(told.value)


def test_a_class_that_folds_would_lose_is_named():
    y = np.r_[2, np.arange(N - 1) % 2]
    with pytest.warns(UserWarning, match="least populated"), pytest.raises(InputError, match=r"class 2 .*fewer folds"):
        bridle.LogisticRegressionCV().fit(X, y)
    with pytest.raises(InputError, match="rarer class has 1 row"):
        cross_validate(X, y, family="multinomial", folds=3)


COMMANDS = [
    ("neg", "gamma", "numbers above 0", "goes down to -"),
    ("neg", "negative_binomial", "needs counts", "goes down to -"),
    ("neg", "tweedie", "at least 0", "use gaussian"),
    ("count", "tweedie(power=0.5)", "got 0.5"),
    ("count", "tweedie(p=1.5)", "has no parameter 'p'"),
    ("number", "quantile(tau=1.5)", "between 0 and 1; got 1.5"),
    ("number", "huber(delta=0)", "above 0, in units of y"),
    ("zero", "poisson", "always '0'"),
    ("class", "squared_hinge", "compares probabilities", "use binomial"),
]


@pytest.mark.parametrize("case", COMMANDS, ids=lambda case: case[1])
def test_the_command_line_says_what_is_wrong(case, tmp_path):
    target, family, *words = case
    columns = {"x": X[:, 0], "z": X[:, 1], "neg": NUMBERS.round(), "count": COUNTS, "number": NUMBERS, "zero": ONES * 0}
    pl.DataFrame({**columns, "class": np.where(CLASSES == 1.0, "a", "b")}).write_csv(tmp_path / "t.csv")
    arguments = ["fit", tmp_path / "t.csv", "--target", target, "--family", family, "--out", tmp_path / "out"]
    done = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="bridle")
    said = " ".join((done.stderr + done.stdout).split())
    assert done.exit_code == 2, said
    assert all(word in said for word in words), said
    assert not (tmp_path / "out").exists()


SPLIT = (X[:, 0] > 0.0) * 1.0


@pytest.mark.parametrize(
    ("family", "y"),
    [("binomial", SPLIT), ("multinomial", SPLIT + (X[:, 0] > 0.8)), ("ordinal", SPLIT + (X[:, 0] > 0.8))],
)
def test_separated_classes_are_told_at_lambda_zero(family, y):
    with pytest.warns(BridleWarning, match="separated"):
        path = fit_path(X, y, family=family, lambdas=[0.1, 0.0])
    assert path.status == ("converged", "separated")
    assert "no maximum" in path.notes[0]
    mixed = put(y, 0, 1.0 - min(y[0], 1.0))
    mixed[:6] = mixed[:6][::-1]
    assert fit_path(X, mixed, family=family, lambdas=[0.0]).status == ("converged",)


@pytest.mark.parametrize(
    ("family", "y", "found"),
    [
        ("negative_binomial", np.tile([2.0, 3.0], 12), "poisson"),  # counts vary less than Poisson's: theta is infinite
        ("negative_binomial(theta=inf)", COUNTS, "poisson"),
        ("tweedie(power=2)", AMOUNTS, "gamma"),
        ("gamma", ONES, "gamma"),  # a target that doesn't vary: every coefficient is 0
        ("huber", ONES, None),
        ("cox", survival_target(TIMES, CLASSES * (TIMES < 13), strata=TIMES < 13), None),  # a stratum without events
        ("cox", survival_target(put(TIMES, 2, 0.0), CLASSES), None),  # a time of 0
        ("multinomial", np.r_[2, np.arange(N - 1) % 2], None),  # a class with one row
        ("ordinal", 10 * LEVELS, None),  # levels far apart
    ],
)
def test_documented_answers(family, y, found):
    path = fit_path(X, y, family=family, n_lambdas=5, strict=True)
    assert found is None or path.family == found
    assert np.isfinite(path.coef).all() and np.isfinite(path.intercept).all()


def test_a_stratum_without_events_adds_nothing():
    whole = survival_target(TIMES, CLASSES * (TIMES < 13), strata=TIMES < 13)
    some = TIMES < 13
    options = {"family": "cox", "lambdas": [0.01, 0.002], "standardize": False, "tol": 1e-12}
    path, part = fit_path(X, whole, **options), fit_path(X[some], whole[some], **options | {"lambdas": [0.02, 0.004]})
    np.testing.assert_allclose(path.coef, part.coef, atol=1e-6)
