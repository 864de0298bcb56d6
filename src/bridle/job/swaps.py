"""Correlated features that could have been chosen instead, and what taking them would cost on held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis import Interval, excess_risk
from bridle.job.fitting import Fit, Problem
from bridle.job.options import Options
from bridle.results import Swap
from bridle.selection import cross_validate

Float = NDArray[np.float64]

AT_LEAST = 0.5  # |correlation| from which another feature counts as a stand-in
AT_MOST = 6  # swaps tried: the most important features only


def find_swaps(problem: Problem, fit: Fit, options: Options) -> tuple[Swap, ...]:
    """Leave out each of the most important features that has a correlated stand-in, and compare on the same folds.

    Returns
    -------
    tuple of Swap
        ``cost`` is the relative change of the held-out loss when the stand-in has to do the work.
    """
    if fit.path is None or fit.curve is None or not np.any(fit.coef):
        return ()
    if problem.latent is not None and problem.groups_features(fit.name):
        return ()  # a main effect can't be left out without its interactions
    X = problem.X
    order = np.argsort(-fit.sizes, kind="stable")[:AT_MOST]
    found, tried = [], set[str]()
    for j in order[fit.in_use[order]]:
        if problem.groups_features(fit.name) and problem.design.source[j] in tried:
            continue  # its group was left out as a whole already
        tried.add(problem.design.source[j])
        r = correlations(X, int(j), problem.weights, fit.path.mean, fit.path.scale)
        own = np.array([s == problem.design.source[j] for s in problem.design.source])
        r[own] = 0.0
        k = int(np.argmax(np.abs(r)))
        if abs(r[k]) >= AT_LEAST:
            names = problem.design.feature_names
            found.append(Swap(names[j], names[k], float(r[k]), _cost(problem, fit, own, options)))
    return tuple(found)


def correlations(X: Any, j: int, weight: Float, mean: Float, scale: Float) -> Float:
    """(p,) weighted correlation of feature j with every feature; constant features give 0. X isn't copied."""
    w = weight / weight.sum()
    x = np.asarray(X[:, [j]].toarray() if hasattr(X, "toarray") else X[:, [j]], dtype=np.float64)[:, 0]
    x = w * (x - w @ x)  # sums to 0, so the other features need no centring
    sd = np.where(scale > 0.0, scale, np.inf)
    return np.asarray((X.T @ x) / (sd * sd[j]), dtype=np.float64)


def _cost(problem: Problem, fit: Fit, out: NDArray[np.bool_], options: Options) -> Interval:
    assert fit.curve is not None
    share = fit.l1_ratio if np.isfinite(fit.l1_ratio) else 1.0  # without a penalty there is none
    without = cross_validate(
        problem.design, problem.y, folds=problem.folds, family=problem.family.spec, l1_ratio=share,
        lambdas=[fit.value], sample_weight=problem.weight, offset=problem.offset,
        penalty_factor=np.where(out, np.inf, 1.0), tol=options.tol, effective_df=False, n_jobs=options.n_jobs,
        relax=fit.gamma < 1.0 and (fit.gamma,),
        **problem.penalty_for(fit.name),
    ).curves[0]  # fmt: skip
    without = problem.outcome.curve(problem, without)
    return excess_risk(
        without.test_loss[:, 0], fit.curve.test_loss[:, fit.index], n_train=fit.curve.n_train,
        n_test=fit.curve.n_test, weight=fit.curve.test_weight, level=options.level,
    )  # fmt: skip
