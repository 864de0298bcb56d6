"""Parameters of a family that have no value: theta, power, delta, bandwidth, estimated once for a whole path.

A path's means depend on them, and they on the means, so both are renewed in turn, as in MASS's ``glm.nb``: at a lambda
that was given alone, or else at the lambda of a lasso path that has the smallest BIC. That point is the same for every
penalty, needs no folds, and isn't so late on the path that the fit has eaten the spread that is to be measured; with
more than half as many features as rows that takes the extended BIC, and fits of at most half as many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from bridle.errors import InputError, as_number
from bridle.grid import check_lambdas, lambda_grid
from bridle.losses import Family, get_family, row_values
from bridle.penalties import Penalty
from bridle.problem import Problem, Settings

Float = NDArray[np.float64]

_LAMBDAS = 25
_LARGEST = 0.5  # features, as a share of the rows: with more, BIC runs to fits that leave no spread to measure
_ROUNDS = 50
_SAME = 1e-4  # relative change of a parameter along a path that counts as none
_SAME_AT_ONE = 1e-9  # and at one lambda


@dataclass(frozen=True)
class Settled:
    """A family with a value for every parameter, and how these were found."""

    family: Family
    note: str  # empty where nothing had to be estimated


def settle_family(
    X: Any,
    y: ArrayLike,
    *,
    family: str | Family,
    lam: float | None = None,
    l1_ratio: float = 1.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = True,
) -> Family:
    """Estimate what a family leaves open: theta of ``"negative_binomial"``, power of ``"tweedie"``, and so on.

    Parameters
    ----------
    X : (n, p) array or sparse matrix
        Features.
    y : (n,)
        Target.
    family : str or Family
        What to settle; one with all its parameters comes back as it is.
    lam : float or None
        Where: at this penalty, or where a lasso path has its smallest BIC.
    l1_ratio : float
        Of the penalty at ``lam``.
    sample_weight, offset : (n,) or None
        As for :func:`bridle.fit_path`.
    fit_intercept, standardize : bool
        As for :func:`bridle.fit_path`.

    Returns
    -------
    Family
        Negative binomial counts that vary no more than Poisson's make a Poisson family.
    """
    return settled(
        X, y, get_family(family), lambdas=None if lam is None else [lam], sample_weight=sample_weight, offset=offset,
        fit_intercept=fit_intercept, standardize=standardize, penalty=Penalty(as_number("l1_ratio", l1_ratio)),
    ).family  # fmt: skip


def settled(
    X: Any,
    y: ArrayLike,
    family: Family,
    *,
    lambdas: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = True,
    penalty: Penalty | None = None,
) -> Settled:
    """Settle the family of a path before it is fitted.

    Parameters
    ----------
    X, y, family
        As for :func:`settle_family`.
    lambdas : (L,) or None
        Of the path: one alone is where the parameters are estimated, with the penalty.
    sample_weight, offset, fit_intercept, standardize, penalty
        The problem.

    Returns
    -------
    Settled

    Raises
    ------
    InputError
        The parameters find no rest.
    """
    y, sample_weight = family.observations(y, sample_weight)
    if family.is_settled:
        return Settled(family, "")
    alone = None if lambdas is None or np.size(lambdas) != 1 else check_lambdas(lambdas)
    target = family.target(y, np.shape(X)[0])
    w = np.ones(len(target)) if sample_weight is None else row_values(sample_weight, len(target), "sample_weight")
    problem = Problem.make(
        X, target, family=family.opening(target, w / max(float(np.sum(w)), 1e-300)), sample_weight=sample_weight,
        offset=offset, fit_intercept=fit_intercept, standardize=standardize,
        penalty=penalty if penalty is not None and alone is not None else Penalty(1.0),
    )  # fmt: skip
    return _alternate(family, problem, float(np.sum(w)), alone)


def _alternate(given: Family, problem: Problem, size: float, alone: Float | None) -> Settled:
    """Renew means and parameters in turn, from the problem's own family on."""
    found, same = problem.family, _SAME if alone is None else _SAME_AT_ONE
    seen: list[Family] = []  # along a path, whose lambdas are a grid, it may go round between two of them
    for _ in range(_ROUNDS):
        means = _means(problem.with_family(found), alone, size, tol=1e-5 if alone is None else 1e-10)
        before, found = found, given.settle(problem.y, means, problem.w)
        seen = [*seen, before] if alone is None else [before]
        if any(found.spec == each.spec or _close(each, found, max(same, given.settles_to)) for each in seen):
            found = _rounded(found)
            return Settled(found, _told(given, found, alone is not None))
    if alone is not None:
        raise InputError(f"the parameters of {given.spec} don't settle: the last is {found.spec}; give them a value")
    found = _rounded(found)
    return Settled(found, _told(given, found, False))


def _means(problem: Problem, lambdas: Float | None, size: float, tol: float) -> Float:
    """Return means (n,) at the one lambda, or at that of the smallest BIC on the problem's own grid."""
    settings = Settings(tol, 100_000, 0)
    if lambdas is None:
        top = problem.lambda_max(settings)
        ratio = 1e-3 if problem.shape[0] > problem.shape[1] else 5e-2
        lambdas = lambda_grid(top, *problem.shape, _LAMBDAS if top > 0.0 else 1, ratio, problem.l1_ratio)
    if problem.reference == 0.0:  # the null model is perfect
        return problem.family.mean(problem.start + problem.offset)
    raw, best = _solve_to_the_smallest(problem, lambdas, size, settings)
    b = np.zeros(problem.shape[1])
    part = slice(raw["starts"][best], raw["starts"][best + 1])
    b[raw["columns"][part]] = raw["values"][part]
    return problem.family.mean(problem.offset + raw["intercept"][best] + problem.design.times(b))


def _solve_to_the_smallest(problem: Problem, lambdas: Float, size: float, settings: Settings) -> tuple[Any, int]:
    """Solve the path and find its smallest BIC; with many features the path ends soon after, for its end is costly."""
    rows, p = np.count_nonzero(problem.w), problem.shape[1]
    many = p > _LARGEST * rows
    for stop in (8, 12, 16, 20, lambdas.size) if many else (lambdas.size,):
        raw = problem.solve(lambdas[:stop], settings)
        if lambdas.size == 1:
            return raw, 0
        loss = np.maximum(2.0 * (raw["loss"] - problem.saturated), 1e-12 * problem.reference)
        count = np.diff(raw["starts"])
        terms = problem.family.information_term(loss, size) + np.log(size) * count
        if many:  # the extended BIC of Chen and Chen (2008), gamma = 1
            terms += 2.0 * log_models(p, count)
            terms[count > _LARGEST * rows] = np.inf
        best = int(np.argmin(terms))
        if count[-1] > _LARGEST * rows or best + 4 < stop:
            break
    return raw, best


def log_models(p: int, count: NDArray[Any]) -> Float:
    """Return the logarithm of the number of models with ``count`` (L,) of p features."""
    q = np.asarray(count, dtype=np.float64)
    return np.asarray(gammaln(p + 1.0) - gammaln(q + 1.0) - gammaln(p - q + 1.0))


def _close(one: Family, other: Family, tol: float) -> bool:
    if type(one) is not type(other):
        return False
    pairs = zip(one.parameters.values(), other.parameters.values(), strict=True)
    return all(a is not None and b is not None and abs(a - b) <= tol * abs(b) for a, b in pairs)


def _rounded(family: Family) -> Family:
    """Keep seven digits of what was estimated: its name is shorter, and no fit is another."""
    if not family.parameters:
        return family
    return type(family)(**{k: None if v is None else float(f"{v:.7g}") for k, v in family.parameters.items()})


def _told(given: Family, found: Family, alone: bool) -> str:
    """Say what was estimated, and where."""
    where = "at this lambda" if alone else "where a lasso path has its smallest BIC"
    if type(found) is not type(given):
        return f"{given.name}: the estimate {where} is at the end of its range, so the family is {found.name}"
    values = ", ".join(f"{k} = {v:.6g}" for k, v in found.parameters.items() if given.parameters[k] is None)
    return f"{values} was estimated {where}"
