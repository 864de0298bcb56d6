"""Whether classes, or ordered classes, are separated: then a likelihood without penalty has no maximum."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridle.several.problem import SeveralProblem


def separates(problem: SeveralProblem, raw: Any) -> bool:
    """Return whether the last fit of a path gives every row its own class, whatever the penalty.

    With larger and larger multiples of such predictors every probability tends to 1 and the loss to 0. That is
    complete separation; where classes touch on a plane (quasi-separation), nothing is said.

    Parameters
    ----------
    problem : SeveralProblem
        What was solved.
    raw : dict
        Intercepts (L, M) and coefficients from the core.

    Returns
    -------
    bool
        False for responses, and where a bound holds a coefficient.
    """
    y, on = problem.y, problem.w > 0.0
    bounded = bool(np.isfinite(problem.lower).any() or np.isfinite(problem.upper).any())
    if not problem.family.has_classes or bounded or not np.all((y == 0.0) | (y == 1.0)):
        return False
    b = np.zeros(problem.shape[1] * problem.width)
    last = slice(int(raw["starts"][-2]), int(raw["starts"][-1]))
    b[raw["columns"][last]] = raw["values"][last]
    columns = b.reshape(-1, problem.width).T
    eta = raw["intercept"][-1] + np.stack([problem.design.times(np.ascontiguousarray(c)) for c in columns], axis=1)
    if problem.family.shared:  # eta falls from threshold to threshold, and is above 0 for those below the row's level
        level = np.argmax(y, axis=1)[:, None]
        side = np.where(np.arange(eta.shape[1]) < level, 1.0, -1.0)
        return bool(np.all((side * eta)[on] > 0.0))
    own = np.where(y == 1.0, eta, -np.inf).max(axis=1)
    others = np.where(y == 1.0, -np.inf, eta).max(axis=1)
    return bool(np.all((own > others)[on]))
