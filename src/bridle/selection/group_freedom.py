r"""Effective degrees of freedom with penalties of groups, and with MCP and SCAD.

Away from 0 norms are smooth, with Hessian :math:`P` at the fit. On the nonzero coefficients A, with
:math:`H` those of the loss, :math:`X_A' W X_A` where it is a sum over rows,

.. math:: df = \operatorname{tr}\,[H (H + P)^{-1}], \qquad
    P_g = \lambda a (1 - t) v_g \sqrt{m_g}\, \frac{I - \hat b_g \hat b_g' / |\hat b_g|^2}{|\hat b_g|}
    + \lambda (1 - a) v_g I

(Vaiter et al. 2017). MCP and SCAD curve down, and the formula would count more parameters than there are: the rank of
:math:`X_A` is taken, as for the lasso and as ncvreg does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from bridle.path import Path
from bridle.penalties import Penalty
from bridle.penalties.blocks import Strengths

Float = NDArray[np.float64]
Int = NDArray[np.int64]


def curved_freedom(
    path: Path, penalty: Penalty, factor: Float, active: Sequence[Int], hessian: Callable[[int], Float]
) -> Float:
    """Give the degrees of freedom at each lambda of a convex penalty with groups.

    Parameters
    ----------
    path : Path
        The fits.
    penalty : Penalty
        Theirs.
    factor : (p,)
        v.
    active : sequence of int arrays
        The coefficients that are free at each lambda.
    hessian : callable
        Gives the second derivatives of the loss in those of fit k, on the penalised scale.

    Returns
    -------
    (L,)
        Degrees of freedom, the intercept left out.

    References
    ----------
    Vaiter, Deledalle, Fadili, Peyre and Dossal (2017), The degrees of freedom of partly smooth regularizers, Annals of
    the Institute of Statistical Mathematics 69.
    """
    df = np.zeros(len(path.lambdas))
    for k, lam in enumerate(path.lambdas):
        if active[k].size == 0:
            continue
        H = hessian(k)
        P = penalty_hessian(penalty.strengths(float(lam), factor), path.coef_row(k) * path.scale, active[k])
        df[k] = float(np.sum(H * linalg.pinvh(H + P).T))
    return df


def penalty_hessian(strengths: Strengths, b: Float, active: Int) -> Float:
    """Return the second derivatives of a convex penalty in its nonzero coefficients.

    Parameters
    ----------
    strengths : Strengths
        The penalty.
    b : (p,)
        Coefficients on the penalised scale.
    active : (q,)
        Those that aren't 0.

    Returns
    -------
    (q, q)
        Block diagonal.
    """
    groups = strengths.groups
    norms = strengths.norm(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = groups.spread(np.where(norms > 0.0, strengths.l2 / norms, 0.0), len(b))[active]
    number = np.full(len(b), -1)
    number[groups.features] = groups.number
    same = number[active][:, None] == number[active][None, :]
    direction = b[active] / norms[number[active]]
    P = -np.where(same, direction[:, None] * direction[None, :] * pull[:, None], 0.0)
    P[np.diag_indices_from(P)] += pull + groups.spread(strengths.ridge, len(b))[active]
    return P
