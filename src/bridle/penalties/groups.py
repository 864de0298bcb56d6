"""Which features make one group: (p,) labels, and the ranges that vectorised sums and the core take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import InputError

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Groups of features; those that are left out belong to none."""

    starts: Int  # (G + 1,) of each group's members in ``features``
    features: Int  # members, group after group
    width: int = 1  # members that a feature has, one for each linear predictor

    @classmethod
    def single(cls, kept: NDArray[np.bool_]) -> Groups:
        """Each feature by itself; ``kept`` (p,) says which take part."""
        features = np.flatnonzero(kept)
        return cls(np.arange(len(features) + 1), features)

    @classmethod
    def make(cls, labels: ArrayLike, kept: NDArray[np.bool_]) -> Groups:
        """Features with the same label form one group.

        Parameters
        ----------
        labels : (p,)
            Numbers or strings.
        kept : (p,)
            Which features take part; one that doesn't doesn't count in its group's size either.

        Returns
        -------
        Groups
            In order of the first member.

        Raises
        ------
        InputError
            There isn't one label for each feature.
        """
        names = np.asarray(labels)
        p = len(kept)
        if names.shape != (p,):
            raise InputError(f"groups has shape {names.shape}; expected one label per feature, ({p},)")
        if names.dtype.kind == "f" and np.isnan(names).any():
            raise InputError(f"groups must name every feature; number {int(np.argmax(np.isnan(names)))} is missing")
        features = np.flatnonzero(kept)
        try:
            _, first, number = np.unique(names[features], return_index=True, return_inverse=True)
        except TypeError:
            raise InputError("groups must be labels of one type, numbers or strings") from None
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        number = rank[number.ravel()]
        order = np.argsort(number, kind="stable")
        return cls(np.concatenate([[0], np.cumsum(np.bincount(number, minlength=len(first)))]), features[order])

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.starts) - 1

    @property
    def sizes(self) -> Int:
        """Number of features of each group, (G,)."""
        return np.asarray(np.diff(self.starts))

    @property
    def roots(self) -> Float:
        """Square roots of the numbers of features, (G,): what norms are weighted by."""
        return np.asarray(np.sqrt(self.sizes / self.width))

    @property
    def number(self) -> Int:
        """Group of each member, in the order of ``features``."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def sum(self, values: Float) -> Float:
        """Sum over the members of each group, (G,); ``values`` are (p,)."""
        return np.asarray(
            np.bincount(self.number, weights=values[self.features], minlength=len(self)), dtype=np.float64
        )

    def first(self, values: Float) -> Float:
        """Value of each group's first member, (G,)."""
        return np.asarray(values[self.features[self.starts[:-1]]])

    def spread(self, values: Float, p: int) -> Float:
        """Give each member its group's value; (p,), 0 for features without group."""
        out = np.zeros(p)
        out[self.features] = values[self.number]
        return out
