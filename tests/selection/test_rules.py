from dataclasses import replace

import numpy as np
import pytest
from scipy.special import comb

from bridle.errors import InputError
from bridle.selection import Curve, applicable_rules, criterion, select

LAMBDAS = np.array([8.0, 4.0, 2.0, 1.0, 0.5])
FEATURES = np.array([0, 1, 3, 3, 6])


def curve_of(test_loss, weight=None, **changes):
    test_loss = np.asarray(test_loss, dtype=float)
    j = test_loss.shape[0]
    base = Curve(
        model="lasso",
        family="gaussian",
        parameter="lambda",
        values=LAMBDAS[: test_loss.shape[1]],
        test_loss=test_loss,
        train_loss=np.zeros_like(test_loss),
        test_weight=np.ones(j) if weight is None else np.asarray(weight, dtype=float),
        n_train=np.full(j, 8),
        n_test=np.full(j, 2),
        l1_ratio=1.0,
        full_loss=np.array([4.0, 3.0, 2.0, 1.9, 1.8]),
        null_loss=4.0,
        df=FEATURES.astype(float),
        n_nonzero=FEATURES,
        n_features=10,
        sum_weight=40.0,
    )
    return replace(base, **changes)


FLAT = curve_of([[5.0, 4.1, 3.9, 3.4, 3.8], [5.0, 4.3, 4.1, 4.4, 4.6], [5.0, 4.2, 4.0, 3.9, 4.2]])


def glmnet_1se(curve):
    """cv.glmnet's own words: cvm, cvsd, then the largest lambda with cvm <= cvm[min] + cvsd[min]."""
    w = curve.test_weight
    cvm = np.average(curve.test_loss, axis=0, weights=w)
    cvsd = np.sqrt(np.average((curve.test_loss - cvm) ** 2, axis=0, weights=w) / (len(w) - 1))
    best = np.flatnonzero(cvm <= cvm.min())[0]
    return best, np.flatnonzero(cvm <= cvm[best] + cvsd[best])[0]


def test_min_and_1se_on_a_curve_worked_by_hand():
    # means 5, 4.2, 4, 3.9, 4.2; at the minimum the folds are 3.4, 4.4, 3.9: se = sqrt((.25 + .25 + 0)/3/2) = 0.2887
    least, one = select(FLAT, "min"), select(FLAT, "1se")
    assert (least.index, least.value, least.curve) == (3, 1.0, 0)
    assert least.criterion == pytest.approx(3.9)
    assert least.standard_error == pytest.approx(np.sqrt(0.5 / 6))
    assert (one.index, one.value) == (2, 2.0)  # 4.0 <= 3.9 + 0.2887 < 4.2
    assert "within one standard error (0.29) of the smallest, 3.9 at lambda 1" in one.reason


def test_1se_weighs_folds_as_cv_glmnet():
    rng = np.random.default_rng(0)
    for _ in range(200):
        curve = curve_of(rng.gamma(4.0, size=(4, 5)) + np.abs(np.arange(5) - 3), weight=rng.integers(1, 9, 4))
        best, one = glmnet_1se(curve)
        assert (select(curve, "min").index, select(curve, "1se").index) == (best, one)


def test_ties_go_to_the_simpler_model():
    assert select(curve_of([[3.0, 2.0, 2.0, 2.0, 3.0], [3.0, 2.0, 2.0, 2.0, 3.0]]), "min").index == 1


def test_a_minimum_at_the_end_of_the_grid_is_said():
    falling = curve_of([[5.0, 4.0, 3.0, 2.0, 1.0], [5.1, 4.2, 3.0, 2.1, 1.1]])
    for rule in ("min", "1se"):
        assert "last lambda of the grid" in select(falling, rule).reason
        assert "last lambda of the grid" not in select(FLAT, rule).reason
    unpenalised = replace(falling, values=np.array([8.0, 4.0, 2.0, 1.0, 0.0]))
    assert "last lambda" not in select(unpenalised, "min").reason  # nothing lies beyond 0


def test_repeats_do_not_shrink_the_standard_error():
    once = np.array([[1.0], [2.0], [4.0]])
    single = curve_of(once).standard_error
    twice = curve_of(np.vstack([once, once]), n_repeats=2).standard_error
    np.testing.assert_allclose(twice, single)


def test_within_takes_fewest_features_then_the_smallest_loss():
    # limit 3.9 * 1.05 = 4.095: indices 2 (4.0) and 3 (3.9), both with 3 features
    chosen = select(FLAT, "within")
    assert (chosen.index, chosen.criterion) == (3, 3.0)
    assert select(FLAT, "within", percent=8.0).index == 1  # 4.2 <= 4.212, one feature
    assert select(FLAT, "within", percent=0.0).index == 3
    assert "fewest features, 1," in select(FLAT, "within", percent=8.0).reason


def test_within_without_features_takes_the_simplest():
    assert select(replace(FLAT, n_nonzero=None), "within", percent=8.0).index == 1


def test_joint_choice_walks_on_the_curve_of_the_minimum():
    better = curve_of(FLAT.test_loss - 0.1, l1_ratio=0.5, values=LAMBDAS / 3)
    one = select([FLAT, better], "1se")
    assert (one.curve, one.index, one.l1_ratio) == (1, 2, 0.5)
    assert "l1_ratio 0.5" in one.reason
    sparse = curve_of(FLAT.test_loss + 0.05, l1_ratio=0.9, n_nonzero=np.array([0, 1, 1, 2, 2]))
    few = select([FLAT, sparse], "within")  # limit 4.095: FLAT has 3 features there, the other 1 at 4.05
    assert (few.curve, few.index) == (1, 2)


def test_criteria_are_their_formulas():
    n, df, rss = 40.0, FEATURES.astype(float), FLAT.full_loss
    k = df + 2  # intercept and variance
    aic = n * np.log(rss) + 2 * k
    np.testing.assert_allclose(criterion(FLAT, "aic"), aic)
    np.testing.assert_allclose(criterion(FLAT, "aicc"), aic + 2 * k * (k + 1) / (n - k - 1))
    bic = n * np.log(rss) + k * np.log(n)
    np.testing.assert_allclose(criterion(FLAT, "bic"), bic)
    np.testing.assert_allclose(criterion(FLAT, "ebic"), bic + np.log(comb(10, FEATURES)))
    np.testing.assert_allclose(criterion(FLAT, "ebic", gamma=1.0), bic + 2 * np.log(comb(10, FEATURES)))
    np.testing.assert_allclose(criterion(FLAT, "ebic", gamma=0.0), bic)
    np.testing.assert_allclose(criterion(FLAT, "gcv"), rss / (1 - (df + 1) / n) ** 2)
    counts = replace(FLAT, family="poisson")
    np.testing.assert_allclose(criterion(counts, "aic"), n * rss + 2 * (df + 1))
    np.testing.assert_allclose(criterion(replace(counts, fit_intercept=False), "bic"), n * rss + df * np.log(n))


def test_criteria_choose_their_minimum_and_say_the_numbers():
    for rule in ("aic", "aicc", "bic", "ebic", "gcv"):
        chosen = select(FLAT, rule)
        assert chosen.index == int(np.argmin(criterion(FLAT, rule)))
        assert "3 effective degrees of freedom" in chosen.reason


def test_no_room_left_is_infinite():
    small = replace(FLAT, sum_weight=6.0)
    assert np.isinf(criterion(small, "aicc")[2:]).all()  # n - k - 1 = 6 - 5 - 1 = 0
    assert np.isfinite(criterion(small, "aicc")[:2]).all()
    assert np.isinf(criterion(small, "aic")[4])
    assert np.isinf(criterion(small, "gcv")[4])
    assert np.isfinite(criterion(small, "gcv")[:4]).all()


def test_a_scorer_is_maximised():
    scores = {"accuracy": np.array([[0.1, 0.6, 0.7, 0.5, 0.5], [0.1, 0.8, 0.5, 0.5, 0.5]])}
    curve = curve_of(FLAT.test_loss[:2], scores=scores)
    chosen = select(curve, "accuracy")
    assert (chosen.index, chosen.criterion) == (1, pytest.approx(0.7))
    assert "largest mean held-out accuracy, 0.7" in chosen.reason


def test_values_without_a_finite_loss_are_not_chosen():
    loss = FLAT.test_loss.copy()
    loss[0, 3], loss[1, 4] = np.inf, np.nan
    curve = curve_of(loss)
    assert select(curve, "min").index == 2
    assert select(curve, "1se").index == 2
    with pytest.raises(InputError, match="isn't a finite number"):
        select(curve_of(np.full((2, 5), np.nan)), "min")


def test_applicable_rules_are_those_that_select_accepts():
    scored = curve_of(FLAT.test_loss, scores={"r2": -FLAT.test_loss})
    rules = applicable_rules(scored)
    assert set(rules) == {"min", "1se", "within", "aic", "aicc", "bic", "ebic", "gcv", "r2"}
    assert all(rules[name] == select(scored, name).index for name in rules)
    assert set(applicable_rules(replace(FLAT, family="binomial"))) == {
        "min",
        "1se",
        "within",
        "aic",
        "aicc",
        "bic",
        "ebic",
    }
    network = replace(FLAT, df=None, full_loss=None, n_nonzero=None, parameter="dropout rate")
    assert set(applicable_rules(network)) == {"min", "1se", "within"}
    assert set(applicable_rules(curve_of(FLAT.test_loss[:1]))) == {"min", "within", "aic", "aicc", "bic", "ebic", "gcv"}


@pytest.mark.parametrize(
    ("changes", "rule", "options", "message"),
    [
        ({}, "2se", {}, "no rule '2se'; there are min, 1se"),
        ({"scores": {"r2": FLAT.test_loss}}, "accuracy", {}, "scorers stored in these curves: r2"),
        ({}, "min", {"percent": 3.0}, "'min' takes no options, got percent"),
        ({}, "within", {"gamma": 3.0}, "'within' takes percent, got gamma"),
        ({}, "within", {"percent": -1.0}, "percent is -1.0"),
        ({"family": "binomial"}, "gcv", {}, "gcv is defined for squared error"),
        ({"df": None}, "aic", {}, "degrees of freedom, which this curve doesn't hold"),
        ({"df": np.full(5, np.nan)}, "bic", {}, "effective_df=True"),
        ({"l1_ratio": 0.0}, "ebic", {}, "ridge keeps every feature"),
        ({"n_nonzero": None}, "ebic", {}, "counts the features"),
        ({"n_features": 60, "df": np.arange(5.0), "full_loss": 10.0 ** -np.arange(5)}, "bic", {}, "falls without end"),
    ],
)
def test_rules_that_do_not_apply_say_why(changes, rule, options, message):
    with pytest.raises(InputError, match=message):
        select(replace(FLAT, **changes), rule, **options)


def test_no_curves():
    with pytest.raises(InputError, match="no curves"):
        select([], "min")


def test_one_fold_has_no_standard_error():
    with pytest.raises(InputError, match="1se needs the spread over folds"):
        select(curve_of(FLAT.test_loss[:1]), "1se")
