"""From links to a curve and evidence: nothing of a fold decides the rate it is judged with."""

import numpy as np
import pytest
from scipy.special import softmax

from bridle.diagnosis import judge
from bridle.errors import InputError
from bridle.losses import get_family
from bridle.nets.evidence import CHOSEN, curve_and_evidence, rate_name
from bridle.selection import Folds, make_folds, select

RATES = np.array([0.5, 0.2, 0.0])
SCALAR = ("gaussian", "binomial", "poisson")


def case(family, n=60, repeats=2, seed=0, weighted=True):
    """Links that are the truth with more noise at rates far from 0.2."""
    rng = np.random.default_rng(seed)
    eta = 0.7 * rng.normal(size=n)
    if family == "multinomial":
        eta = 0.3 * rng.normal(size=(n, 3))
        y = np.array([rng.choice(3, p=softmax(row)) for row in eta]).astype(float)
    else:
        mu = get_family(family).mean(eta)
        if family == "gaussian":
            y = rng.normal(mu, 0.5)
        else:
            y = (rng.random(n) < mu if family == "binomial" else rng.poisson(mu)).astype(float)
    weight = rng.uniform(0.5, 2.0, n) if weighted else None
    folds = make_folds(y, family="gaussian", n_splits=4, n_repeats=repeats, seed=seed)
    noise = (0.5, 0.2, 0.6)

    def links(rows):
        return np.array([eta[rows] + s * rng.normal(size=eta[rows].shape) for s in noise])

    test, train = [links(b) for _, b in folds.pairs], [links(a) for a, _ in folds.pairs]
    return y, weight, folds, test, train


def both(family, y, weight, folds, test, train, **options):
    return curve_and_evidence(y, test, train, rates=RATES, folds=folds, family=family, weight=weight, **options)


def deviance(family, y, link):
    if family == "multinomial":
        return -2.0 * np.log(softmax(link, axis=-1)[np.arange(len(y)), y.astype(int)])
    known = get_family(family)
    return known.deviance(y, known.mean(link))


@pytest.mark.parametrize("family", [*SCALAR, "multinomial"])
def test_curve_and_evidence_are_the_same_deviances(family):
    y, weight, folds, test, train = case(family)
    curve, evidence = both(family, y, weight, folds, test, train, full_loss=np.ones(3), n_features=7)
    expected = np.array([
        [np.average(deviance(family, y[b], of), weights=weight[b]) for of in links]
        for (_, b), links in zip(folds.pairs, test, strict=True)
    ])  # fmt: skip
    np.testing.assert_allclose(curve.test_loss, expected, rtol=1e-9)
    expected = np.array([
        [np.average(deviance(family, y[a], of), weights=weight[a]) for of in links]
        for (a, _), links in zip(folds.pairs, train, strict=True)
    ])  # fmt: skip
    np.testing.assert_allclose(curve.train_loss, expected, rtol=1e-9)
    assert evidence.names == ("null", CHOSEN, "rate 0.5", "rate 0.2", "rate 0")
    np.testing.assert_allclose(evidence.test_loss[:, 2:], curve.test_loss, rtol=1e-9)  # nothing here is clipped
    np.testing.assert_allclose(evidence.train_loss[:, 2:], curve.train_loss, rtol=1e-9)
    for found in (curve, evidence):
        np.testing.assert_allclose(found.test_weight, [weight[b].sum() for _, b in folds.pairs])
        assert found.n_train.tolist() == [45] * 8 and found.n_test.tolist() == [15] * 8 and found.n_repeats == 2
    assert (curve.parameter, curve.model, curve.n_features) == ("dropout rate", "dropout", 7)
    assert curve.full_loss.tolist() == [1.0] * 3 and curve.n_nonzero is None
    assert evidence.scheme == folds.description


@pytest.mark.parametrize("family", [*SCALAR, "multinomial"])
def test_the_null_model_is_fitted_to_the_training_rows(family):
    y, weight, folds, test, train = case(family)
    curve, evidence = both(family, y, weight, folds, test, train)

    def null(rows, of):
        if family == "multinomial":
            shares = np.bincount(y[rows].astype(int), weights=weight[rows]) / weight[rows].sum()
            return np.average(-2.0 * np.log(shares[y[of].astype(int)]), weights=weight[of])
        mean = np.full(len(of), np.average(y[rows], weights=weight[rows]))
        return np.average(get_family(family).deviance(y[of], mean), weights=weight[of])

    np.testing.assert_allclose(evidence.test_loss[:, 0], [null(a, b) for a, b in folds.pairs], rtol=1e-6)
    np.testing.assert_allclose(evidence.train_loss[:, 0], [null(a, a) for a, _ in folds.pairs], rtol=1e-6)
    everything = np.arange(len(y))
    assert curve.null_loss == pytest.approx(null(everything, everything), rel=1e-6)


def test_predictions_are_those_of_the_fold_that_held_the_row_out():
    y, weight, folds, test, train = case("binomial")
    _, evidence = both("binomial", y, weight, folds, test, train)
    for j, (_, held) in enumerate(folds.pairs):
        repeat = j // 4
        assert (evidence.fold_of[repeat, held] == j).all()
        np.testing.assert_allclose(evidence.predictions["rate 0.2"][repeat, held], 1 / (1 + np.exp(-test[j][1])))
        chosen = [np.array_equal(evidence.predictions[CHOSEN][repeat, held],
                                 evidence.predictions[rate_name(r)][repeat, held]) for r in RATES]  # fmt: skip
        assert sum(chosen) == 1
    assert (evidence.fold_of >= 0).all() and all(np.isfinite(p).all() for p in evidence.predictions.values())
    _, several = both("multinomial", *case("multinomial"))
    assert several.predictions == {}  # there is no one mean to show


@pytest.mark.parametrize("rule", ["min", "1se"])
def test_a_fold_has_no_say_in_its_own_rate(rule):
    """Whatever its held-out links are, the rate it is judged with stays; its neighbours' may change."""
    y, weight, folds, test, train = case("gaussian", seed=3)

    def chosen(links):
        _, evidence = both("gaussian", y, weight, folds, links, train, rule=rule)
        # Losses on training rows don't change below, so they tell which rate a fold was given.
        return np.array([np.flatnonzero(np.isclose(evidence.train_loss[j, 2:], evidence.train_loss[j, 1]))[0]
                         for j in range(8)])  # fmt: skip

    before, moved = chosen(test), set()
    for j in range(8):
        for k in range(3):
            other = [a.copy() for a in test]
            other[j] += 30.0  # all rates are far out on fold j, except one
            other[j][k] = y[folds.pairs[j][1]]
            after = chosen(other)
            assert after[j] == before[j]
            same_repeat = np.arange(8) // 4 == j // 4
            assert (after[~same_repeat] == before[~same_repeat]).all()  # repeats don't choose for one another
            moved |= set(np.flatnonzero(after != before))
    assert len(moved) == 8


def test_the_chosen_rate_is_the_rule_of_the_other_folds():
    y, weight, folds, test, train = case("poisson", seed=5)
    for rule in ("min", "1se"):
        curve, evidence = both("poisson", y, weight, folds, test, train, rule=rule)
        for j in range(8):
            others = [i for i in range(4 * (j // 4), 4 * (j // 4) + 4) if i != j]
            mean = np.average(curve.test_loss[others], axis=0, weights=curve.test_weight[others])
            k = int(np.argmin(mean))
            if rule == "1se":
                w, spread = curve.test_weight[others], curve.test_loss[others, k] - mean[k]
                error = np.sqrt(np.average(spread**2, weights=w) / 2)
                k = int(np.flatnonzero(mean <= mean[k] + error)[0])
            assert evidence.test_loss[j, 1] == evidence.test_loss[j, 2 + k]


def test_a_rate_that_failed_somewhere_is_no_candidate():
    y, weight, folds, test, train = case("gaussian")
    test[2][1] = np.nan  # the best rate of the other folds
    curve, evidence = both("gaussian", y, weight, folds, test, train)
    assert curve.test_loss[2, 1] == np.inf
    assert evidence.names == ("null", CHOSEN, "rate 0.5", "rate 0")
    assert np.isfinite(evidence.test_loss).all()
    train[0][0] = np.inf
    train[1][2] = 1e200  # a square that overflows
    with pytest.raises(InputError, match="at no dropout rate did training give finite losses on all folds; lower the"):
        both("gaussian", y, weight, folds, test, train)


def test_rows_of_weight_zero_are_not_looked_at():
    y, weight, folds, test, train = case("poisson")
    weight[5], y[5] = 0.0, 1e300
    curve, evidence = both("poisson", y, weight, folds, test, train)
    y[5] = 0.0
    other, same = both("poisson", y, weight, folds, test, train)
    np.testing.assert_array_equal(curve.test_loss, other.test_loss)
    np.testing.assert_array_equal(evidence.test_loss[:, 1:], same.test_loss[:, 1:])


def test_sure_means_are_held_inside_what_the_rows_support():
    """One wrong prediction of probability 0 must not decide a verdict; the curve shows it as it is."""
    y, _, folds, test, train = case("binomial", weighted=False)
    test[0][2, 0] = -60.0 if y[folds.pairs[0][1][0]] == 1.0 else 60.0
    curve, evidence = both("binomial", y, None, folds, test, train)
    assert curve.test_loss[0, 2] - evidence.test_loss[0, 4] == pytest.approx((120.0 - 2 * np.log(47)) / 15, rel=1e-3)
    y, _, folds, test, train = case("multinomial", weighted=False)
    test[0][2, 0] = np.where(np.arange(3) == y[folds.pairs[0][1][0]], -60.0, 0.0)
    _, evidence = both("multinomial", y, None, folds, test, train)
    assert evidence.test_loss[0, 4] < 10.0


def test_a_single_fold_gives_a_curve():
    y = np.random.default_rng(0).normal(size=20)
    folds = Folds(((np.arange(15), np.arange(15, 20)),), "one fold given")
    test, train = [np.array([0.9, 0.5, 0.0])[:, None] * y[15:]], [np.array([0.9, 0.5, 0.0])[:, None] * y[:15]]
    curve, evidence = both("gaussian", y, None, folds, test, train, rule="1se")
    assert select(curve, "min").value == 0.5 and evidence.test_loss.shape == (1, 5)


def test_verdicts_name_the_right_side():
    """Judged by the evidence, the noisy rate that fits its training rows best overfits."""
    rng = np.random.default_rng(1)
    y = rng.normal(size=400)
    folds = make_folds(y, n_splits=5, n_repeats=2, seed=0)
    shrink, noise = (0.2, 0.7, 0.7), (0.1, 0.1, 0.6)
    test = [np.array([a * y[b] + s * rng.normal(size=b.size) for a, s in zip(shrink, noise, strict=True)])
            for _, b in folds.pairs]  # fmt: skip
    train = [np.array([0.2, 0.75, 0.95])[:, None] * y[a] for a, _ in folds.pairs]
    _, evidence = both("gaussian", y, None, folds, test, train)
    assert judge(evidence, "rate 0").label == "overfitting"
    assert judge(evidence, "rate 0.5").label == "underfitting"
    assert judge(evidence, CHOSEN).label == "balanced" and judge(evidence, CHOSEN).effect.upper < 0.05


def test_names_of_rates_are_their_own():
    assert [rate_name(r) for r in (0.5, 0.0, 0.1 + 0.2, 1 / 3)] == [
        "rate 0.5",
        "rate 0",
        "rate 0.3",
        "rate 0.333333333333",
    ]
    assert rate_name(0.12345678) != rate_name(0.12345679)
