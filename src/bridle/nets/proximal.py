"""Exact zeros: an optimiser of PyTorch followed by the proximal map of L1 and group-lasso penalties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridle.nets.extra import require_torch


def soft_threshold(w: Any, t: Any) -> Any:
    r"""Proximal map of the L1 penalty: shrink each weight by ``t``, to exactly 0 where it is no larger.

    .. math:: \operatorname{prox}(w) = \arg\min_u \tfrac12 (u - w)^2 + t |u| = \operatorname{sign}(w) \max(|w| - t, 0)

    Parameters
    ----------
    w : tensor
        Weights.
    t : float or tensor
        Threshold, at least 0; a tensor is broadcast against the weights.

    Returns
    -------
    tensor
        Of the shape of ``w``.
    """
    return w - w.clamp(-t, t)


def group_threshold(w: Any, t: Any, dim: int | Sequence[int]) -> Any:
    r"""Proximal map of the group lasso: shrink each group's norm by ``t``, the whole group to exactly 0 if it is less.

    .. math:: \operatorname{prox}(w_g) = \arg\min_u \tfrac12 \|u - w_g\|^2 + t \|u\| = w_g \max(1 - t / \|w_g\|, 0)

    Parameters
    ----------
    w : tensor
        Weights, one group at each index of the dimensions not in ``dim``: for (models, inputs, units), ``dim=-1``
        makes a group of each input of each model.
    t : float or tensor
        Threshold, at least 0; a tensor is broadcast against the norms (which keep ``dim`` with length 1).
    dim : int or sequence of int
        Dimensions along which the weights of a group lie.

    Returns
    -------
    tensor
        Of the shape of ``w``.

    References
    ----------
    Yuan, Lin (2006), Model selection and estimation in regression with grouped variables, JRSS B 68.
    """
    torch = require_torch()
    norm = torch.linalg.vector_norm(w, dim=dim, keepdim=True)
    return torch.where(norm <= t, 0.0, w * (1.0 - t / norm))  # 0 where a group is 0, NaN where it holds one
