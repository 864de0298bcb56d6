"""bridle fits regularised models, and tells whether a model over- or underfits.

Names are imported when first used, so that ``import bridle`` and ``bridle --help`` stay quick.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "fit_path": "bridle.path",
    "lasso_path": "bridle.estimators._paths",
    "enet_path": "bridle.estimators._paths",
    "Path": "bridle.path",
    "fit_dropout_path": "bridle.linear_dropout",
    "LinearDropoutPath": "bridle.linear_dropout",
    "cross_validate": "bridle.selection",
    "design_matrix": "bridle.design",
    "dropout_path": "bridle.nets.dropout",
    "DropoutPath": "bridle.nets.dropout",
    "select": "bridle.selection",
    "make_folds": "bridle.selection",
    "Curve": "bridle.selection",
    "Selection": "bridle.selection",
    "diagnose": "bridle.diagnosis",
    "Diagnosis": "bridle.diagnosis",
    "Verdict": "bridle.diagnosis",
    "study": "bridle.job",
    "Study": "bridle.job",
    "Model": "bridle.model_io",
    "SurvivalModel": "bridle.model_io",
    "load": "bridle.model_io",
    "Lasso": "bridle.estimators",
    "LassoCV": "bridle.estimators",
    "Ridge": "bridle.estimators",
    "RidgeCV": "bridle.estimators",
    "ElasticNet": "bridle.estimators",
    "ElasticNetCV": "bridle.estimators",
    "LogisticRegression": "bridle.estimators",
    "LogisticRegressionCV": "bridle.estimators",
    "LinearDropoutClassifier": "bridle.estimators",
    "LinearDropoutRegressor": "bridle.estimators",
    "MultiTaskElasticNet": "bridle.estimators",
    "MultiTaskElasticNetCV": "bridle.estimators",
    "MultiTaskLasso": "bridle.estimators",
    "MultiTaskLassoCV": "bridle.estimators",
    "OrdinalClassifier": "bridle.estimators",
    "OrdinalClassifierCV": "bridle.estimators",
    "PoissonRegressor": "bridle.estimators",
    "PoissonRegressorCV": "bridle.estimators",
    "GammaRegressor": "bridle.estimators",
    "GeneralizedLinearRegressor": "bridle.estimators",
    "GeneralizedLinearRegressorCV": "bridle.estimators",
    "HuberRegressor": "bridle.estimators",
    "HuberRegressorCV": "bridle.estimators",
    "NegativeBinomialRegressor": "bridle.estimators",
    "QuantileRegressor": "bridle.estimators",
    "TweedieRegressor": "bridle.estimators",
    "Family": "bridle.losses",
    "check_family": "bridle.losses",
    "get_family": "bridle.losses",
    "register_family": "bridle.losses",
    "settle_family": "bridle.settling",
    "GroupLasso": "bridle.estimators",
    "GroupLassoCV": "bridle.estimators",
    "SparseGroupLasso": "bridle.estimators",
    "SparseGroupLassoCV": "bridle.estimators",
    "MCPRegressor": "bridle.estimators",
    "SCADRegressor": "bridle.estimators",
    "AdaptiveLasso": "bridle.estimators",
    "AdaptiveLassoCV": "bridle.estimators",
    "MCPRegressorCV": "bridle.estimators",
    "SCADRegressorCV": "bridle.estimators",
    "GammaRegressorCV": "bridle.estimators",
    "NegativeBinomialRegressorCV": "bridle.estimators",
    "QuantileRegressorCV": "bridle.estimators",
    "TweedieRegressorCV": "bridle.estimators",
    "CoxRegressor": "bridle.estimators",
    "CoxRegressorCV": "bridle.estimators",
    "survival_target": "bridle.survival",
    "concordance_index": "bridle.survival",
    "DropoutClassifier": "bridle.estimators",
    "DropoutPathCV": "bridle.estimators",
    "DropoutRegressor": "bridle.estimators",
    "PathDisplay": "bridle.displays",
    "ValidationCurveDisplay": "bridle.displays",
    "LearningCurveDisplay": "bridle.displays",
}

__all__ = [*sorted(_HOME), "__version__"]  # noqa: PLE0604 (the keys are the names)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bridle' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
