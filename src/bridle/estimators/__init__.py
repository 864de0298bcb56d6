"""Estimators in the scikit-learn manner: a changed import line changes nothing but speed, and adds certificates."""

from bridle.estimators._adaptive import AdaptiveLasso, AdaptiveLassoCV
from bridle.estimators._concave import MCPRegressor, MCPRegressorCV, SCADRegressor, SCADRegressorCV
from bridle.estimators._cox import CoxRegressor, CoxRegressorCV
from bridle.estimators._dropout_classifier import DropoutClassifier
from bridle.estimators._dropout_cv import DropoutPathCV
from bridle.estimators._dropout_regressor import DropoutRegressor
from bridle.estimators._elastic_net import ElasticNet, Lasso
from bridle.estimators._elastic_net_cv import ElasticNetCV, LassoCV
from bridle.estimators._families import GammaRegressor, NegativeBinomialRegressor, TweedieRegressor
from bridle.estimators._families_cv import (
    GammaRegressorCV,
    NegativeBinomialRegressorCV,
    QuantileRegressorCV,
    TweedieRegressorCV,
)
from bridle.estimators._generalized import GeneralizedLinearRegressor, GeneralizedLinearRegressorCV
from bridle.estimators._grouped import GroupLasso, GroupLassoCV, SparseGroupLasso, SparseGroupLassoCV
from bridle.estimators._huber_cv import HuberRegressorCV
from bridle.estimators._linear_dropout import LinearDropoutClassifier, LinearDropoutRegressor
from bridle.estimators._logistic import LogisticRegression
from bridle.estimators._logistic_cv import LogisticRegressionCV
from bridle.estimators._multi_task import MultiTaskElasticNet, MultiTaskLasso
from bridle.estimators._multi_task_cv import MultiTaskElasticNetCV, MultiTaskLassoCV
from bridle.estimators._ordinal import OrdinalClassifier
from bridle.estimators._ordinal_cv import OrdinalClassifierCV
from bridle.estimators._poisson import PoissonRegressor, PoissonRegressorCV
from bridle.estimators._ridge import Ridge
from bridle.estimators._ridge_cv import RidgeCV
from bridle.estimators._robust import HuberRegressor, QuantileRegressor

__all__ = [
    "AdaptiveLasso",
    "AdaptiveLassoCV",
    "CoxRegressor",
    "CoxRegressorCV",
    "DropoutClassifier",
    "DropoutPathCV",
    "DropoutRegressor",
    "ElasticNet",
    "ElasticNetCV",
    "GammaRegressor",
    "GammaRegressorCV",
    "GeneralizedLinearRegressor",
    "GeneralizedLinearRegressorCV",
    "GroupLasso",
    "GroupLassoCV",
    "HuberRegressor",
    "HuberRegressorCV",
    "Lasso",
    "LassoCV",
    "LinearDropoutClassifier",
    "LinearDropoutRegressor",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MCPRegressor",
    "MCPRegressorCV",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "NegativeBinomialRegressor",
    "NegativeBinomialRegressorCV",
    "OrdinalClassifier",
    "OrdinalClassifierCV",
    "PoissonRegressor",
    "PoissonRegressorCV",
    "QuantileRegressor",
    "QuantileRegressorCV",
    "Ridge",
    "RidgeCV",
    "SCADRegressor",
    "SCADRegressorCV",
    "SparseGroupLasso",
    "SparseGroupLassoCV",
    "TweedieRegressor",
    "TweedieRegressorCV",
]
