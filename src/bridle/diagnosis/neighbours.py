"""A foreign estimator's own path: more and less regularised versions of it, by the names of its parameters.

scikit-learn has no notion of a model's complexity, but its parameter names are conventions: ``C`` is an inverse
penalty everywhere, ``max_depth`` bounds a tree everywhere. The table below is all that's known; an estimator
without such a parameter has no neighbours, and is compared with the common alternatives only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Change = Callable[[Any], Any]  # value -> new value, or None where there is none

MOST_VARIANTS = 4


def _times(factor: float) -> Change:
    return lambda v: v * factor if isinstance(v, int | float) and not isinstance(v, bool) and v > 0 else None


def _whole(factor: float, least: int = 1) -> Change:
    """Scale a whole number; None where it would stay the same."""

    def change(v: Any) -> Any:
        if not isinstance(v, int) or isinstance(v, bool):
            return None
        new = max(least, round(v * factor))
        return None if new == v else new

    return change


def _bounded(unlimited: int, factor: float, least: int) -> Change:
    """Tighten a bound that may be absent: None becomes ``unlimited``."""
    return lambda v: unlimited if v is None else _whole(factor, least)(v)


def _halfway(v: Any) -> Any:
    """Go half of the way to a rate of 1, where nothing would be left."""
    rate = isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < 1
    return (1.0 + v) / 2 if rate else None


def _none(v: Any) -> Any:
    """Leave it out, if there is any of it."""
    return 0.0 if isinstance(v, int | float) and not isinstance(v, bool) and v > 0 else None


# parameter -> (more regularised, less regularised), in order of preference
RULES: Mapping[str, tuple[Change, Change]] = {
    "max_depth": (_bounded(3, 0.5, 1), _whole(2.0)),
    "max_leaf_nodes": (_bounded(8, 0.25, 2), _whole(4.0)),
    "n_neighbors": (_whole(4.0), _whole(0.25)),
    "C": (_times(0.1), _times(10.0)),
    "alpha": (_times(10.0), _times(0.1)),
    "dropout": (_halfway, _none),
    "learning_rate": (_times(1 / 3), _times(3.0)),
    "gamma": (_times(0.2), _times(5.0)),
    "l2_regularization": (_times(10.0), _times(0.1)),
    "reg_lambda": (_times(10.0), _times(0.1)),
    "ccp_alpha": (_times(10.0), _times(0.1)),
    "min_samples_leaf": (_whole(5.0), _whole(0.2)),
    "n_knots": (_whole(0.5, 3), _whole(2.0)),
    "degree": (_whole(0.5), _whole(1.5)),
    "n_components": (_whole(0.5), _whole(2.0)),
    "var_smoothing": (_times(100.0), _times(0.01)),
}


def neighbours(estimator: Any) -> dict[str, dict[str, Any]]:
    """More and less regularised versions of an estimator or pipeline.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Steps of a pipeline are searched from the last one backwards, and wrapped estimators inside them.

    Returns
    -------
    dict
        Words ("max_depth = 3") -> parameters for ``set_params``; at most four.
    """
    if (
        hasattr(estimator, "best_estimator_")
        or hasattr(estimator, "param_grid")
        or hasattr(estimator, "param_distributions")
        or hasattr(estimator, "rates")  # a dropout path
    ):
        return {}  # a search tunes itself; its base estimator's parameters would be overwritten
    parameters = {k: v for k, v in estimator.get_params(deep=True).items() if not hasattr(v, "get_params")}
    ranked = sorted(parameters, key=lambda k: _rank(k, estimator))
    found: dict[str, dict[str, Any]] = {}
    for key in ranked:
        short = key.rsplit("__", 1)[-1]
        if short not in RULES or not _meant(key, parameters):
            continue
        for change in RULES[short]:
            new = change(parameters[key])
            if new is not None and len(found) < MOST_VARIANTS:
                found[f"{short} = {new:.4g}" if isinstance(new, float) else f"{short} = {new}"] = {key: new}
    return found


def _rank(key: str, estimator: Any) -> tuple[int, int, int]:
    """Last steps of a pipeline first, then fewer levels of wrapping, then the table's order."""
    steps = [name for name, _ in getattr(estimator, "steps", [])]
    head, _, short = key.rpartition("__")
    step = head.split("__")[0] if head else ""
    late = len(steps) - 1 - steps.index(step) if step in steps else 0
    order = list(RULES).index(short) if short in RULES else len(RULES)
    return late, key.count("__"), order


def _meant(key: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a parameter has the meaning of the table here: a linear or RBF ``degree`` does nothing, for one."""
    head, _, short = key.rpartition("__")
    kernel = parameters.get(f"{head}__kernel" if head else "kernel")
    if kernel is not None and short == "degree":
        return bool(kernel == "poly")
    if kernel is not None and short == "gamma":
        return bool(kernel != "linear")
    beside = (f"{head}__{name}" if head else name for name in ("bootstrap", "dropout"))
    return short != "learning_rate" or not any(k in parameters for k in beside)  # a solver's step shrinks nothing
