"""Losses of a network's links: with gradients in PyTorch for training, and as unit deviances in NumPy for curves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from bridle.errors import InputError
from bridle.losses import get_family
from bridle.nets.extra import require_torch
from bridle.nets.settings import FAMILIES

Float = NDArray[np.float64]

_ROOM = 8.0  # e^8: what a mean may still be multiplied by in backpropagation before it overflows


def unit_loss(family: str, y: Any, eta: Any) -> Any:
    r"""Unit negative log-likelihood of each row, less the terms that don't depend on the link.

    ===========  =====================================
    gaussian     :math:`(y - \eta)^2 / 2`
    binomial     :math:`\log(1 + e^\eta) - y \eta`
    poisson      :math:`e^\eta - y \eta`
    multinomial  :math:`\log \sum_c e^{\eta_c} - \eta_y`
    ===========  =====================================

    A Poisson mean that is about to overflow (a link above 80 in float32, above 701 in float64) has an infinite loss
    with the finite gradient of that bound: training that diverges shows as infinity and leaves no NaN in the weights.

    Parameters
    ----------
    family : {"gaussian", "binomial", "poisson", "multinomial"}
        Which loss.
    y : (...) tensor
        Targets; class codes 0 to k - 1 for a multinomial one.
    eta : (...) tensor, multinomial (..., k)
        Links; ``y`` is broadcast against them.

    Returns
    -------
    (...) tensor
        One loss per row, differentiable in ``eta``.

    Raises
    ------
    InputError
        There is no such family.
    """
    torch = require_torch()
    if family == "gaussian":
        return 0.5 * (y - eta) ** 2
    if family == "binomial":
        return (1.0 - y) * eta - torch.nn.functional.logsigmoid(eta)
    if family == "poisson":
        most = math.log(torch.finfo(eta.dtype).max) - _ROOM
        low, excess = eta.clamp(max=most), torch.relu(eta - most)
        beyond = torch.zeros_like(eta).masked_fill(eta > most, math.inf)  # a constant: the gradient is the tangent's
        return torch.exp(low) * (1.0 + excess) - y * low + beyond
    if family == "multinomial":
        codes = y.long().expand(eta.shape[:-1])[..., None]
        return torch.logsumexp(eta, dim=-1) - eta.gather(-1, codes)[..., 0]
    raise _unknown(family)


def unit_deviance(family: str, y: ArrayLike, eta: ArrayLike) -> Float:
    r"""Unit deviance of each row from its link.

    .. math:: d(y, \eta) = 2\,(\text{loss}(y, \eta) - \min_u \text{loss}(y, u)),

    which is the squared error for a gaussian target.

    Parameters
    ----------
    family : {"gaussian", "binomial", "poisson", "multinomial"}
        Which loss.
    y : (n,)
        Targets; class codes 0 to k - 1 for a multinomial one.
    eta : (n,), multinomial (n, k)
        Links; leading axes are allowed, ``y`` is broadcast along them.

    Returns
    -------
    (n,) array
        Deviances, 0 for a perfect fit; infinite where a mean overflows, NaN where a link is NaN.

    Raises
    ------
    InputError
        There is no such family.
    """
    target, links = np.asarray(y), np.asarray(eta, dtype=np.float64)
    if family not in FAMILIES:
        raise _unknown(family)
    with np.errstate(over="ignore", invalid="ignore"):  # links of training that diverged
        if family == "multinomial":
            codes = np.broadcast_to(target.astype(np.int64), links.shape[:-1])[..., None]
            excess = logsumexp(links, axis=-1) - np.take_along_axis(links, codes, axis=-1)[..., 0]
        else:
            known, target = get_family(family), target.astype(np.float64)
            excess = known.loss(target, links) - known.saturated(target)
        return np.asarray(np.maximum(2.0 * excess, 0.0))


def _unknown(family: str) -> InputError:
    return InputError(f"unknown family {family!r}; expected one of {', '.join(FAMILIES)}")
