"""scikit-learn's own conformance suite for dropout networks.

Two checks are left out, those that compare integer weights with repeated rows to seven digits, as for scikit-learn's
own multi-layer perceptrons: minibatches, masks and rows set aside are drawn by row. Where nothing is drawn training is
in single precision still: ``test_weights_are_replication`` compares what that can give.
"""

import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from bridle import DropoutClassifier, DropoutPathCV, DropoutRegressor
from bridle.estimators import LinearDropoutClassifier, LinearDropoutRegressor

pytest.importorskip("torch")

SHORT = {"hidden": (16,), "learning_rate": 0.05, "max_epochs": 12}
NOTHING_DRAWN = SHORT | {"dropout": 0.0, "early_stopping": False, "batch_size": 10**6}
REASON = {
    f"check_sample_weight_equivalence_on_{kind}_data": "training is random, and in single precision"
    for kind in ("dense", "sparse")
}
NETWORKS = [
    DropoutClassifier(**SHORT),
    DropoutClassifier(**NOTHING_DRAWN),
    DropoutRegressor(**SHORT),
    DropoutRegressor(**NOTHING_DRAWN),
    DropoutRegressor(**SHORT, family="poisson"),
]
PATHS = [
    DropoutPathCV(DropoutClassifier(**SHORT), rates=(0.0, 0.5), cv=3),
    DropoutPathCV(DropoutRegressor(**SHORT), rates=(0.0, 0.5), cv=3),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([*NETWORKS, *PATHS], expected_failed_checks=lambda estimator: REASON)
def test_conforms(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks feed data that nobody would: what counts is what they assert
        check(estimator)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        DropoutPathCV(LinearDropoutClassifier(), rates=(0.1, 0.5)),
        DropoutPathCV(LinearDropoutRegressor(), rates=(0.1, 0.5)),
    ]
)
def test_paths_of_linear_models_conform_without_exemption(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)
