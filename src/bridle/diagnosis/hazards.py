"""Survival estimators before a verdict: what they are trained with, and which can't be judged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError
from bridle.survival.target import EVENT, START, STRATUM, TIME, read_target

Float = NDArray[np.float64]

_OTHERS = "sksurv"  # scikit-survival, whose classes take structured arrays only
_SUMS = ("sksurv.tree", "sksurv.ensemble.forest")  # predict() sums cumulative hazards over times


def predicts_hazards(estimator: Any) -> bool:
    """Return whether an estimator, or what a pipeline or search has inside, has hazards to predict.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Fitted or not.
    """
    return hasattr(innermost(estimator), "predict_cumulative_hazard_function")


def innermost(estimator: Any) -> Any:
    """Return the last step of a pipeline, or what a search searches."""
    while True:
        steps = getattr(estimator, "steps", None)
        searched = getattr(estimator, "estimator", None) if hasattr(estimator, "refit") else None
        inner = steps[-1][1] if steps else searched
        if not hasattr(inner, "get_params"):
            return estimator
        estimator = inner


def survival_rows(estimator: Any, y: Any, n: int, family: str | None) -> tuple[Float, Any]:
    """Return the target as numbers (n, 4), and n rows as the estimator takes them.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Whose ``predict`` gives log relative hazards.
    y : survival target with n rows
        In any form that ``bridle.CoxRegressor`` takes.
    n : int
        Number of rows of X.
    family : str or None
        As it was asked for; then ``predict`` is believed to give log relative hazards.

    Raises
    ------
    InputError
        y isn't such a target, or ``predict`` gives something else.
    """
    from sklearn.base import is_classifier

    inner = innermost(estimator)
    name, module = type(inner).__name__, type(inner).__module__
    want = "a verdict on times to an event needs log relative hazards"
    if is_classifier(estimator):
        raise InputError(f"{want}, and {name} is a classifier: use bridle.CoxRegressor, or give its classes as y")
    of_times = getattr(inner, "_predict_risk_score", True) is False or getattr(inner, "loss", "coxph") != "coxph"
    if module.startswith(_OTHERS) and of_times:
        raise InputError(f"{want}, and {name} predicts times as it is set up: no hazards follow from those")
    if module.startswith(_SUMS):
        raise InputError(
            f"{want}, and {name}.predict adds up cumulative hazards, which aren't proportional. Wrap it in an "
            "estimator whose predict gives log relative hazards, and pass family='cox'"
        )
    if family is None and not predicts_hazards(estimator):
        raise InputError(
            f"{want}, and {name} isn't known to predict them (it has no predict_cumulative_hazard_function). If its "
            "predict gives them, pass family='cox'; else see bridle.CoxRegressor"
        )
    target = read_target(y, n)
    if not module.startswith(_OTHERS):
        return target, y
    if np.isfinite(target[:, START]).any() or np.unique(target[:, STRATUM]).size > 1:
        raise InputError(f"{name} takes an event and a time for each row; y has start times or strata, too")
    pairs = np.empty(n, dtype=[("event", np.bool_), ("time", np.float64)])
    pairs["event"], pairs["time"] = target[:, EVENT] == 1.0, target[:, TIME]
    return target, pairs
