"""scikit-learn's own conformance suite, without a single exemption; dropout's is in files of its own.

It makes its own targets, one number a row, which no survival model takes: Cox's classes aren't among these.
"""

import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import bridle.estimators as estimators

FEWER = {"LogisticRegressionCV": {"cv": 3}}  # as in scikit-learn's own tests: a class has 3 rows in one of the checks
FEWER |= {name: {"alphas": 10} for name in ("MCPRegressorCV", "SCADRegressorCV", "QuantileRegressorCV")}  # slow grids
FEWER |= {"OrdinalClassifierCV": {"cv": 3, "Cs": 3}, "HuberRegressorCV": {"cv": 3, "alphas": 3}}
ALL = [
    getattr(estimators, name)(**FEWER.get(name, {}))
    for name in estimators.__all__
    if not ("Dropout" in name or "Cox" in name)
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(ALL)
def test_conforms(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks feed data that nobody would: what counts is what they assert
        check(estimator)
