"""Exact zeros: an optimiser of PyTorch followed by the proximal map of L1 and group-lasso penalties."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError
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


def selected_features(weight: Any) -> NDArray[np.int64]:
    """Number the input features that a layer still reads: those with a weight that isn't 0.

    Parameters
    ----------
    weight : (out, in) or (out, in, ...) tensor or array
        Weights as PyTorch's linear and convolution layers hold them.

    Returns
    -------
    (m,) array of int
        Ascending.

    Raises
    ------
    InputError
        The weights have fewer than two dimensions.
    """
    values = np.asarray(weight.detach().cpu() if hasattr(weight, "detach") else weight)
    if values.ndim < 2:
        raise InputError(f"weights of shape {values.shape} have no input features; expected (out, in)")
    return np.flatnonzero(np.any(values != 0, axis=_others(values.ndim))).astype(np.int64)


class Proximal:
    r"""Wrap a PyTorch optimiser so that L1 and group-lasso penalties end in exact zeros.

    After each step of the optimiser on the smooth loss, the proximal map of the penalty

    .. math:: \lambda_1 \sum_j |w_j| + \lambda_g \sum_g \sqrt{|g|}\, \|w_g\|_2

    is taken at the group's current learning rate: first soft thresholding, then thresholding of whole groups, which is
    the proximal map of the sum. With plain gradient descent it is ISTA and ends at the penalised solution. Momentum m
    makes steps 1 / (1 - m) times as long and so the penalty weaker by as much. Adam and its kin scale the gradient and
    not the penalty, as AdamW does with weight decay: a step is at most about the learning rate, so strengths lie
    between 0 and 1, and a weight stays at 0 while its gradient's ratio of mean to root mean square is below that.

    It can be used wherever the optimiser could: schedulers, gradient scalers and closures work, and what isn't defined
    here is the wrapped optimiser's. Parameters without a gradient are left alone, as optimisers do.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Takes the step on the loss.
    l1 : float
        Strength on each weight of ``params``.
    group_l1 : float
        Strength on the norm of each input feature's weights in ``groups``: a feature goes out as a whole.
    params : iterable of torch.nn.Parameter, optional
        Weights under the L1 penalty; by default all of the optimiser's with two or more dimensions, so no biases and
        no gains of normalisation layers.
    groups : iterable of torch.nn.Parameter, optional
        Weights (out, in, ...) whose columns are the groups, usually ``[first_layer.weight]``.

    Raises
    ------
    InputError
        Not an optimiser, a strength below 0, weights that the optimiser doesn't train, or ``group_l1`` without
        ``groups``.

    References
    ----------
    Beck, Teboulle (2009), A fast iterative shrinkage-thresholding algorithm, SIAM J. Imaging Sciences 2.
    Friedman, Hastie, Tibshirani (2010), A note on the group lasso and a sparse group lasso, arXiv:1001.0736.
    Scardapane, Comminiello, Hussain, Uncini (2017), Group sparse regularization for deep neural networks,
    Neurocomputing 241.
    """

    def __init__(
        self,
        optimizer: Any,
        *,
        l1: float = 0.0,
        group_l1: float = 0.0,
        params: Iterable[Any] | None = None,
        groups: Iterable[Any] | None = None,
    ) -> None:
        if not isinstance(optimizer, require_torch().optim.Optimizer):
            raise InputError(f"expected a torch.optim.Optimizer to wrap, got {type(optimizer).__name__}")
        for name, strength in (("l1", l1), ("group_l1", group_l1)):
            real = isinstance(strength, numbers.Real) and not isinstance(strength, bool)
            if not real or not math.isfinite(strength) or strength < 0.0:
                raise InputError(f"{name} must be a number from 0, got {strength!r}")
        if group_l1 and groups is None:
            raise InputError(
                "group_l1 needs the weights whose columns are the groups: groups=[first_layer.weight], shape (out, in)"
            )
        self.optimizer, self.l1, self.group_l1 = optimizer, float(l1), float(group_l1)
        # Places, not parameters: a copy of the optimiser has parameters of its own.
        places = {
            id(p): (g, k) for g, group in enumerate(optimizer.param_groups) for k, p in enumerate(group["params"])
        }
        self._single = None if params is None else _chosen("params", params, places, 0)
        self._grouped = _chosen("groups", () if groups is None else groups, places, 2)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take the optimiser's step, then the proximal one; return the loss of ``closure`` if there is one."""
        loss = self.optimizer.step() if closure is None else self.optimizer.step(closure)
        with require_torch().no_grad():
            for rate, p, l1, group_l1 in self._penalised():
                if p.grad is None:
                    continue
                if l1:
                    p.copy_(soft_threshold(p, rate * l1))
                if group_l1:
                    p.copy_(group_threshold(p, rate * group_l1 * _root_size(p), _others(p.ndim)))
        return loss

    def penalty(self) -> Any:
        """Give the penalty at the current weights: what the loss plus this is the objective of (scalar tensor)."""
        torch = require_torch()
        total = torch.zeros(())
        for _, p, l1, group_l1 in self._penalised():
            if l1:
                total = total + l1 * p.abs().sum()
            if group_l1:
                total = total + group_l1 * _root_size(p) * torch.linalg.vector_norm(p, dim=_others(p.ndim)).sum()
        return total

    def _penalised(self) -> Iterator[tuple[Any, Any, float, float]]:
        """Learning rate, parameter, and its strengths."""
        for g, group in enumerate(self.optimizer.param_groups):
            for k, p in enumerate(group["params"]):
                single = p.ndim >= 2 if self._single is None else (g, k) in self._single
                yield group["lr"], p, self.l1 * single, self.group_l1 * ((g, k) in self._grouped)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """That of the wrapped optimiser: PyTorch's schedulers ask what they are given whether it is one."""
        return type(self.optimizer)

    def __getattr__(self, name: str) -> Any:
        if name == "optimizer":  # not set yet: a copy in the making
            raise AttributeError(name)
        return getattr(self.optimizer, name)

    def __repr__(self) -> str:
        return f"Proximal({self.optimizer!r}, l1={self.l1:g}, group_l1={self.group_l1:g})"


def _others(ndim: int) -> tuple[int, ...]:
    """Dimensions of weights (out, in, ...) that aren't the inputs'."""
    return (0, *range(2, ndim))


def _root_size(p: Any) -> float:
    """Square root of the number of weights that one input has."""
    return math.sqrt(p.numel() / max(p.shape[1], 1))


def _chosen(name: str, given: Any, places: dict[int, tuple[int, int]], least: int) -> set[tuple[int, int]]:
    """Places of the parameters given; refused where they have none or too few dimensions."""
    found = set()
    for p in [given] if hasattr(given, "ndim") else given:
        if id(p) not in places:
            what = f"a tensor of shape {tuple(p.shape)}" if hasattr(p, "shape") else f"a {type(p).__name__}"
            raise InputError(f"{name} holds {what} that the optimiser doesn't train; give parameters of the same model")
        if p.ndim < least:
            raise InputError(f"{name} holds a parameter of shape {tuple(p.shape)}; groups are columns of (out, in)")
        found.add(places[id(p)])
    return found
