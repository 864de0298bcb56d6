"""Paths of penalties with groups, and of MCP and SCAD: from a problem to the core's block solver and back.

For MCP and SCAD the objective isn't convex: each lambda starts from the solution of the one before, and ends at a point
that is stationary. Where it stops being locally convex along the path is told apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from bridle import _core
from bridle.limits import splits
from bridle.penalties import Penalty
from bridle.penalties.concave import concavity
from bridle.problem import Problem, Settings, one_blas_thread
from bridle.several import SeveralProblem

Float = NDArray[np.float64]

_SEPARATED = 2  # the core's status


def applies(problem: Problem) -> bool:
    """Whether the penalty isn't a sum of convex terms, one per feature."""
    return not problem.penalty.separable


def solve_blocks(problem: Problem, lambdas: Float, settings: Settings) -> tuple[_core.PathResult, Float]:
    """Solve at each of ``lambdas``, each from the solution before.

    Parameters
    ----------
    problem : Problem
        One to which :func:`applies` says yes.
    lambdas : (L,)
        Descending. At 0 there is no penalty, and the answer is that of any other.
    settings : Settings
        Tolerance and limits.

    Returns
    -------
    tuple
        The result, and for each lambda (L,) what has to be within the tolerance: the gap over half the null deviance,
        or for MCP and SCAD the worst violation over the largest slope of the null model.
    """
    plain = replace(problem, penalty=Penalty(problem.l1_ratio))
    if problem.reference <= 0.0:
        raw = plain.solve(lambdas, settings)
        return raw, raw["gap"]
    some = lambdas[lambdas > 0.0]
    raws: list[_core.PathResult] = []
    relative: list[Float] = []
    if some.size:
        result, slope = _solve(problem, some, settings)
        raws.append(result)
        unit = slope if problem.penalty.concave else problem.reference
        relative.append(result["gap"] / unit if unit > 0.0 else result["gap"])
    if some.size < lambdas.size:
        raws.append(plain.solve(lambdas[some.size :], settings))
        relative.append(raws[-1]["gap"] / problem.reference)
    return _joined(raws), np.concatenate(relative)


def _solve(problem: Problem, lambdas: Float, settings: Settings) -> tuple[_core.PathResult, float]:
    kind, p = problem.penalty.kind, problem.shape[1]
    groups = problem.penalty.blocks(p)
    with one_blas_thread:
        found = _core.solve_blocks(
            problem.design,
            problem.family.core(problem.y),
            np.asfortranarray(problem.y),
            problem.offset,
            problem.w,
            problem.centre,
            problem.scale,
            (kind.core_name, kind.gamma),
            (groups.starts, groups.features),
            problem.factor,
            False,
            problem.lower,
            problem.upper,
            problem.l1_ratio,
            kind.l1_share,
            problem.fit_intercept,
            np.array([problem.start]),
            problem.reference,
            np.ascontiguousarray(lambdas),
            settings.tol,
            settings.max_iter,
            problem.summary,
        )
    if problem.penalty.concave and problem.family.name == "binomial":
        _mark_separated(problem, found)
    raw: _core.PathResult = {
        "intercept": found["intercept"][:, 0],
        "starts": found["starts"],
        "columns": found["columns"],
        "values": found["values"],
        "gap": found["gap"],
        "kkt": found["kkt"],
        "loss": found["loss"],
        "status": found["status"],
        "n_iter": found["n_iter"],
    }
    return raw, found["slope"]


def _mark_separated(problem: Problem, found: _core.BlockResult) -> None:
    """Tell fits apart that can't converge since a bounded penalty lets a likelihood without maximum run away."""
    starts, status = found["starts"], found["status"]
    for k in np.flatnonzero(status):
        b = np.zeros(problem.shape[1])
        part = slice(int(starts[k]), int(starts[k + 1]))
        b[found["columns"][part]] = found["values"][part]
        if splits(problem, problem.offset + found["intercept"][k, 0] + problem.design.times(b)):
            status[k] = _SEPARATED


def _joined(raws: list[_core.PathResult]) -> _core.PathResult:
    """One result from those of consecutive lambdas."""
    if len(raws) == 1:
        return raws[0]
    joined: dict[str, Any] = {
        key: np.concatenate([raw[key] for raw in raws])  # type: ignore[literal-required]
        for key in raws[0]
        if key != "starts"
    }
    first, second = (raw["starts"] for raw in raws)
    joined["starts"] = np.concatenate([first, first[-1] + second[1:]])
    return joined  # type: ignore[return-value]


def convex_until(
    problem: Problem | SeveralProblem, coef: sparse.csr_array, intercept: Float, lambdas: Float
) -> int | None:
    r"""Return the first lambda's index at which a concave penalty's objective isn't locally convex, or None.

    With A the features that are active at a lambda or the next, the objective is convex on them where the smallest
    eigenvalue of :math:`X_A' W X_A` exceeds what the penalty curves down by, :math:`1/\gamma` for MCP and
    :math:`1/(\gamma - 1)` for SCAD, less its ridge part (Breheny and Huang 2011).

    Parameters
    ----------
    problem : Problem or SeveralProblem
        What was solved, with one coefficient per feature.
    coef : (L, p)
        Coefficients on the original scale.
    intercept : (L,) or (L, M)
        Intercepts.
    lambdas : (L,)
        Descending.

    Returns
    -------
    int or None
        From there on solutions may jump, and other stationary points may be better.

    References
    ----------
    Breheny and Huang (2011), Coordinate descent algorithms for nonconvex penalized regression, Annals of Applied
    Statistics 5(1).
    """
    kind = problem.penalty.kind
    drop = concavity(kind.concave, kind.gamma)
    before: tuple[NDArray[np.int64], Float] | None = None
    for k, lam in enumerate(lambdas):
        if lam == 0.0:
            return None
        rows = coef[[k, k + 1]] if k + 1 < len(lambdas) else coef[[k]]
        active = np.unique(rows.indices)
        if active.size == 0:
            continue
        if active.size > problem.shape[0]:
            return k  # dependent columns
        product = problem.design.times(coef[[k]].toarray().ravel())
        eta = problem.offset + intercept[k] + (product[:, None] if problem.family.several else product)
        if problem.family.name == "gaussian" and before is not None and np.array_equal(before[0], active):
            H = before[1]
        else:
            H = _hessian(problem, active, eta)
        before = (active, H)
        v = problem.factor[active]
        bend = lam * (1.0 - problem.l1_ratio) * v - drop * (v > 0.0)
        smallest = linalg.eigh(H + np.diag(bend), eigvals_only=True, subset_by_index=[0, 0])[0]
        if smallest < 0.0:
            return k
    return None


def _hessian(problem: Problem | SeveralProblem, active: NDArray[np.int64], eta: Float) -> Float:
    """Second derivatives of the loss along some standardised columns, at the best intercept if there is one."""
    X = problem.matrix[:, active]
    Z = np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)
    Z = (Z - problem.centre[active]) / problem.scale[active]
    if problem.family.several or not problem.family.row_wise:  # intercepts are inside, and rows act on each other
        return problem.family.hessian(problem.y, eta, problem.w, Z)
    curvature = problem.w * problem.family.curvature(problem.y, eta)
    if problem.fit_intercept:
        Z = Z - (curvature @ Z) / max(float(np.sum(curvature)), 1e-300)
    return np.asarray(Z.T @ (curvature[:, None] * Z))
