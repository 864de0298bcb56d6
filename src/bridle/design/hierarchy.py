"""Hierarchy of interactions by latent groups: a product enters a model only together with what it is a product of.

Every product a:b gets copies of the features of a and b of its own, and these with the product's features are one
group of a group lasso; a and b are groups by themselves as before. A feature's coefficient is the sum over its copies.
A group is in the model with all its features or not at all, so where a product is in, so are both its main effects
(*strong* hierarchy). For *weak* hierarchy there are two groups, the product with a and the product with b, so that one
of the main effects is in.

References
----------
Lim, M. and Hastie, T. (2015). Learning interactions via hierarchical group-lasso regularization. JCGS.
Jacob, L., Obozinski, G. and Vert, J.-P. (2009). Group lasso with overlap and graph lasso. ICML.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.design.encoder import Encoder
from bridle.design.matrix import Design
from bridle.errors import InputError

Index = NDArray[np.int64]
AnyPath = TypeVar("AnyPath", bound=Any)

KINDS = ("strong", "weak")


@dataclass(frozen=True)
class Latent:
    """Features and their copies, q of p in all."""

    index: Index  # (q,), which feature each is
    groups: tuple[str, ...]  # (q,), labels; features of one label enter together
    first: Index  # (p,), where each feature stands first


def latent_groups(encoder: Encoder, hierarchy: str) -> Latent:
    """Copy main effects into the groups of their products.

    Parameters
    ----------
    encoder : Encoder
        With terms: products and main effects.
    hierarchy : {"strong", "weak"}
        Whether a product needs both of its main effects, or one.

    Raises
    ------
    InputError
        There are no products of two, or a main effect of one is missing.
    """
    if hierarchy not in KINDS:
        raise InputError(f"hierarchy {hierarchy!r}: expected one of {', '.join(KINDS)}")
    at: dict[str, list[int]] = {}
    for j, label in enumerate(encoder.groups):
        at.setdefault(label, []).append(j)
    index: list[int] = []
    groups: list[str] = []
    products = [t for t in encoder.terms if len(t.factors) > 1]
    if not products:
        raise InputError("hierarchy is asked for, but there are no interactions; name some, or leave it out")
    inside = {t.label for t in products}
    for label, features in at.items():
        if label not in inside:
            index += features
            groups += [label] * len(features)
    for term in products:
        mains = [f.label for f in term.factors]
        if len(mains) > 2:
            raise InputError(f"hierarchy is for products of two columns; {term.label!r} has {len(mains)} factors")
        if lacking := [m for m in mains if m not in at or m in inside]:
            raise InputError(
                f"hierarchy: the product {term.label!r} needs the main effect {lacking[0]!r} among the terms; add it"
            )
        for together in [mains] if hierarchy == "strong" else [[m] for m in mains]:
            features = [*(j for m in together for j in at[m]), *at[term.label]]
            label = term.label if hierarchy == "strong" else f"{term.label} with {together[0]}"
            index += features
            groups += [label] * len(features)
    where = np.array(index, dtype=np.int64)
    first = np.array([np.flatnonzero(where == j)[0] for j in range(len(encoder.groups))], dtype=np.int64)
    return Latent(where, tuple(groups), first)


@dataclass(frozen=True, eq=False)
class LatentDesign:
    """A design with the copies of :class:`Latent` among its columns; what is fitted on it is summed up after."""

    design: Design
    latent: Latent

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and features with their copies."""
        return self.design.shape[0], self.latent.index.size

    @cached_property
    def _whole(self) -> Any:
        return self._copied(self.design.matrix)

    def _copied(self, matrix: Any) -> Any:
        if isinstance(matrix, np.ndarray):
            return np.asfortranarray(matrix[:, self.latent.index])
        return sparse.csc_array(matrix[:, self.latent.index])

    def for_rows(self, train: Index | None) -> Any:
        """Return the matrix (n, q) of all rows, what is learned being learned from the rows ``train``."""
        matrix = self.design.for_rows(train)
        return self._whole if matrix is self.design.matrix else self._copied(matrix)

    def collapse(self, path: AnyPath) -> AnyPath:
        """Return a path on the copies as one on the p features: coefficients of copies are summed."""
        q, p = self.latent.index.size, self.design.shape[1]
        add = sparse.csr_array((np.ones(q), (np.arange(q), self.latent.index)), shape=(q, p))
        width = path.coef_sparse.shape[1] // q  # coefficients of a feature: one for each class or response
        add = sparse.csr_array(sparse.kron(add, sparse.eye_array(width)))
        first = self.latent.first
        collapsed: AnyPath = replace(
            path, coef_sparse=sparse.csr_array(path.coef_sparse @ add), mean=path.mean[first], scale=path.scale[first],
            feature_names=self.design.feature_names, groups=self.design.groups,
        )  # fmt: skip
        return collapsed
