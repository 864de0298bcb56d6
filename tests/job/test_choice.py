"""Which model is recommended, from curves made by hand."""

import numpy as np
import pytest

from bridle.errors import InputError
from bridle.job.choice import recommend
from bridle.job.fitting import Fit
from bridle.selection import Curve


def fit(name, losses, features, failed=""):
    loss = np.asarray(losses, dtype=float)[:, None]
    folds = np.full(len(losses), 10)
    curve = Curve(name, "gaussian", "lambda", np.array([1.0]), loss, loss, folds.astype(float), 9 * folds, folds)
    coef = np.r_[np.ones(features), np.zeros(10 - features)]
    return Fit(name, 0.0, coef, value=1.0, curve=curve, failed=failed)


BASE = np.array([1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.3, 0.7, 1.0, 1.0])
NOISE = np.array([1, -1, 1, -1, 1, -1, 1, -1, 1, -1.0])


def test_the_lowest_error_wins_where_it_is_clear():
    chosen, why = recommend((fit("ridge", BASE, 10), fit("lasso", 1.03 * BASE + 0.001 * NOISE, 3)), 0.05)
    assert chosen.name == "ridge" and "lowest error on unseen rows (1) with 10 of 10 features" in why


def test_fewer_features_win_within_the_noise_of_the_paired_difference():
    chosen, why = recommend((fit("ridge", BASE, 10), fit("lasso", 1.03 * BASE + 0.2 * NOISE, 3)), 0.05)
    assert chosen.name == "lasso" and "only 3 of 10 features" in why and "3 % above that of Ridge" in why


def test_within_one_percent_is_the_same_however_steady():
    chosen, _ = recommend((fit("ridge", BASE, 10), fit("lasso", 1.009 * BASE, 3)), 0.05)
    assert chosen.name == "lasso"


def test_noise_excuses_nothing_beyond_the_margin():
    explodes = BASE.copy()
    explodes[3] = 1e9  # its mean difference is its own standard error
    for worse in (explodes, 1.2 * BASE + 5 * NOISE):
        assert recommend((fit("ridge", BASE, 10), fit("lasso", worse, 1)), 0.05)[0].name == "ridge"


def test_models_without_a_finite_loss_are_not_recommended():
    broken = fit("lasso", np.where(BASE > 1.25, np.inf, 0.1), 1)
    assert recommend((fit("ridge", BASE, 10), broken), 0.05)[0].name == "ridge"
    with pytest.raises(InputError, match=r"none of the models could be fitted\. Lasso \(L1\): no finite held-out loss"):
        recommend((broken,), 0.05)
