"""Terms: products of encoded columns and expressions, learned from training rows, each a group of features.

In a formula a product is what it says, and a factor of two levels has a feature for either, as every category has.
Among interactions beside their main effects (``interactions=``) numbers, steps and pairs are centred at their training
means first, so that a product says what its main effects don't.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.data.structure import FactorSpec, Structure, parse_expression
from bridle.design.columns import MISSING, ColumnCode
from bridle.design.expressions import Node, check_node, evaluate, learn_expression
from bridle.design.matrix import Design
from bridle.errors import FileFormatError, InputError

Float = NDArray[np.float64]

MAX_FEATURES = 10_000
SPARSE_CELLS = 1 << 22  # smaller matrices stay dense: 32 MiB
SPARSE_DENSITY = 0.1


@dataclass(frozen=True)
class Factor:
    """A column as it is encoded, or an expression."""

    label: str
    node: Node | None = None  # None for a column called ``label``
    both: bool = False  # whether two levels are two features
    centers: tuple[float, ...] = ()  # subtracted before multiplying; empty for none

    @property
    def columns(self) -> tuple[str, ...]:
        """Table columns that it reads."""
        return (self.label,) if self.node is None else self.node.columns


@dataclass(frozen=True)
class Term:
    """A product of factors; a single factor is a main effect."""

    factors: tuple[Factor, ...]
    kept: tuple[int, ...]  # which products of the factors' columns are features, of all in their order
    flags: tuple[str, ...] = ()  # table columns whose "(missing)" feature belongs to this term

    @property
    def label(self) -> str:
        """The term as written: "sex:dose"."""
        return ":".join(f.label for f in self.factors)

    @property
    def columns(self) -> tuple[str, ...]:
        """Table columns that it reads."""
        return tuple(dict.fromkeys(c for f in self.factors for c in f.columns))


def own_names(factor: Factor, code: ColumnCode | None) -> tuple[str, ...]:
    """Names of a factor's columns."""
    if factor.node is not None:
        k = factor.node.width
        first = 1 if factor.node.op != "bs" or not factor.node.whole else 0
        return (factor.label,) if k == 1 else tuple(f"{factor.label}[{i + first}]" for i in range(k))
    assert code is not None
    if factor.both:
        return tuple(f"{code.name} = {level}" for level in code.levels)
    return code.features[: code.filled] if code.filled else code.features


@dataclass(frozen=True)
class Recipe:
    """How the features of terms come from the matrix of encoded columns."""

    codes: tuple[ColumnCode, ...]
    terms: tuple[Term, ...]

    @cached_property
    def place(self) -> dict[str, tuple[int, ColumnCode]]:
        """First feature of each table column in the matrix of columns, and its code."""
        starts = np.cumsum([0, *(len(code.features) for code in self.codes)])
        return {code.name: (int(j), code) for code, j in zip(self.codes, starts, strict=False)}

    def _names(self, term: Term) -> list[str]:
        parts = [own_names(f, self.place[f.label][1] if f.node is None else None) for f in term.factors]
        every = [" : ".join(names) for names in product(*parts)]
        return [every[i] for i in term.kept] + [f"{column} {MISSING}" for column in term.flags]

    @cached_property
    def owner(self) -> tuple[Term, ...]:
        """(p,) the term of each feature."""
        return tuple(term for term in self.terms for _ in range(len(term.kept) + len(term.flags)))

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """(p,) names of the features."""
        return tuple(name for term in self.terms for name in self._names(term))

    @cached_property
    def source(self) -> tuple[str, ...]:
        """(p,) the table column of each feature, or the label of a product of several."""
        return tuple(t.columns[0] if len(t.columns) == 1 else t.label for t in self.owner)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """(p,) label of each feature's term."""
        return tuple(t.label for t in self.owner)

    @cached_property
    def indicator(self) -> tuple[bool, ...]:
        """(p,) whether the feature is 0 or 1."""
        found: list[bool] = []
        for term in self.terms:
            flat = all(
                f.node is None and not f.centers and self.place[f.label][1].kind != "number" for f in term.factors
            )
            found += [flat] * len(term.kept) + [True] * len(term.flags)
        return tuple(found)

    def build(self, matrix: Any, dtype: str) -> Any:
        """(n, p) features from the matrix of encoded columns, sparse where that pays."""
        n, p = matrix.shape[0], len(self.owner)
        if n * p >= SPARSE_CELLS and self._filled_share(matrix) < SPARSE_DENSITY:
            columns = [sparse.csc_array(x[:, None]) for x in self._columns(matrix)]
            stacked = sparse.csc_array(sparse.hstack(columns, format="csc"), dtype=dtype)
            stacked.sort_indices()
            return stacked
        values = np.empty((n, p), dtype=dtype, order="F")
        for j, x in enumerate(self._columns(matrix)):
            values[:, j] = x
        return values

    def _columns(self, matrix: Any) -> Iterator[Float]:
        for term in self.terms:
            yield from self.term_columns(term, matrix)

    def term_columns(self, term: Term, matrix: Any) -> Iterator[Float]:
        """Yield the (n,) features of one term.

        Raises
        ------
        InputError
            An expression isn't defined in some row.
        """
        parts = [self._factor_columns(f, matrix) for f in term.factors]
        kept = set(term.kept)
        for k, choice in enumerate(product(*(range(len(part)) for part in parts))):
            if k in kept:
                values = [part[i] for part, i in zip(parts, choice, strict=True)]
                yield values[0] if len(values) == 1 else np.multiply.reduce(values)
        for column in term.flags:
            start, code = self.place[column]
            yield dense_column(matrix, start + len(code.features) - 1)

    def refill(self, values: Any, matrix: Any, changed: set[int]) -> Any:
        """Give the features anew where encoded columns have ``changed``; the others are those of ``values`` (n, p)."""
        if not isinstance(values, np.ndarray):
            return self.build(matrix, str(values.dtype))
        filled, j = np.array(values, order="F"), 0
        for term in self.terms:
            width = len(term.kept) + len(term.flags)
            reads = {self.place[c][0] + i for c in term.columns for i in range(self.place[c][1].filled)}
            if reads & changed:
                for i, x in enumerate(self.term_columns(term, matrix)):
                    filled[:, j + i] = x
            j += width
        return filled

    def _factor_columns(self, factor: Factor, matrix: Any) -> list[Float]:
        if factor.node is not None:
            values = evaluate(factor.node, lambda name: dense_column(matrix, self.place[name][0]))
            bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
            if bad.size:
                raise InputError(
                    f"{factor.label} of the formula is no finite number in {bad.size} of {values.shape[0]} rows, "
                    f"first in row {int(bad[0]) + 1}; correct these cells, or choose another transformation"
                )
            found = list(np.broadcast_to(values, (matrix.shape[0], values.shape[1])).T)
        else:
            start, code = self.place[factor.label]
            width = code.filled or len(code.features)
            found = [dense_column(matrix, start + i) for i in range(width)]
            if factor.both:
                found = [1.0 - found[0], found[0]]
        return [x - c for x, c in zip(found, factor.centers, strict=True)] if factor.centers else found

    def _filled_share(self, matrix: Any) -> float:
        """Upper bound of the share of cells other than zero."""
        n = max(matrix.shape[0], 1)
        dense = isinstance(matrix, np.ndarray)
        share = (np.count_nonzero(matrix, axis=0) if dense else np.diff(matrix.indptr)) / n
        total = 0.0
        for term in self.terms:
            parts = []
            for f in term.factors:
                start, code = (0, None) if f.node is not None else self.place[f.label]
                names = own_names(f, code)
                full = code is None or f.centers or f.both
                parts.append([1.0] * len(names) if full else share[start : start + len(names)].tolist())
            every = [min(shares) for shares in product(*parts)]
            total += sum(every[i] for i in term.kept) + len(term.flags)
        return total / max(len(self.owner), 1)

    def check(self) -> None:
        """Refuse terms from a file that :func:`learn_terms` wouldn't have made.

        Raises
        ------
        FileFormatError
            A factor reads what isn't there, or its numbers don't fit.
        """
        total = 0
        for term in self.terms:
            size = 1
            for f in term.factors:
                if f.node is not None:
                    check_node(f.node, tuple(c for c, (_, code) in self.place.items() if code.kind == "number"))
                elif f.label not in self.place or (f.both and self.place[f.label][1].kind != "pair"):
                    raise _damaged(f"the term {term.label!r} reads {f.label!r}")
                names = own_names(f, self.place[f.label][1] if f.node is None else None)
                size *= len(names)
                if f.centers and (len(f.centers) != len(names) or not np.isfinite(f.centers).all()):
                    raise _damaged(f"the term {term.label!r} has {len(f.centers)} centres for {len(names)} columns")
            total += size
            rising = list(term.kept) == sorted(set(term.kept)) and all(0 <= k < size for k in term.kept)
            if not term.factors or not rising or total > MAX_FEATURES:
                raise _damaged(f"the term {term.label!r} has columns that it can't have")
            if any(c not in self.place or not self.place[c][1].missing for c in term.flags):
                raise _damaged(f"the term {term.label!r} has flags of columns that have none")


def _damaged(what: str) -> FileFormatError:
    return FileFormatError(f"the encoder in the file is damaged: {what}; save the model again")


def dense_column(matrix: Any, j: int) -> Float:
    """(n,) column of a dense or CSC matrix."""
    if isinstance(matrix, np.ndarray):
        return np.asarray(matrix[:, j], dtype=np.float64)
    x = np.zeros(matrix.shape[0])
    part = slice(matrix.indptr[j], matrix.indptr[j + 1])
    x[matrix.indices[part]] = matrix.data[part]
    return x


def learn_terms(
    structure: Structure, codes: tuple[ColumnCode, ...], base: Design, mean: Sequence[float], weights: Float | None
) -> tuple[Recipe, tuple[float, ...], tuple[float, ...]]:
    """Learn the terms from the training rows.

    Parameters
    ----------
    structure : Structure
        The terms as asked for.
    codes : tuple of ColumnCode
        Of the columns that the terms read.
    base : Design
        The encoded columns (m, q) of the training rows.
    mean : (q,)
        Their training means.
    weights : (m,) or None
        Of the training rows.

    Returns
    -------
    recipe : Recipe
    mean, scale : tuples of p floats
        Weighted means and 1/n standard deviations of the features.

    Raises
    ------
    InputError
        There would be too many features, or a term can't be learned.
    """
    learner = _TermLearner(Recipe(codes, ()), structure, base, mean, weights)
    terms = [term for specs in structure.terms if (term := learner.draft(specs)) is not None]
    learner.refuse_too_many(terms)
    done: list[Term] = []
    means: list[float] = []
    scales: list[float] = []
    flagged = {code.name for code in codes if code.missing and code.kind != "levels"}
    for draft in terms:
        own = tuple(c for c in draft.columns if c in flagged)
        flagged -= set(own)
        every = tuple(range(learner.size(draft)))
        term, its_means, its_scales = learner.settle(Term(draft.factors, every, own))
        if term is not None:
            done.append(term)
            means += its_means
            scales += its_scales
    if not done:
        raise InputError("no term is left to predict from: each has the same value in all training rows")
    return Recipe(codes, tuple(done)), tuple(means), tuple(scales)


class _TermLearner:
    def __init__(
        self, recipe: Recipe, structure: Structure, base: Design, mean: Sequence[float], weights: Float | None
    ) -> None:
        self.recipe, self.structure, self.base, self.mean, self.weights = recipe, structure, base, mean, weights

    def draft(self, specs: Sequence[FactorSpec]) -> Term | None:
        """Make a term with all its products; None if a column of an interaction says nothing in training."""
        place = self.recipe.place
        for spec in specs:
            lacking = [c for c in spec.columns if c not in place]
            if lacking and self.structure.formula:
                raise InputError(
                    f"column {lacking[0]!r} of the formula has only one level in the training rows; drop it"
                )
            if lacking:
                return None
        factors = tuple(self._factor(spec, len(specs) > 1) for spec in specs)
        return Term(factors, ())

    def size(self, term: Term) -> int:
        """How many products a term has."""
        place = self.recipe.place
        return math.prod(len(own_names(f, place[f.label][1] if f.node is None else None)) for f in term.factors)

    def refuse_too_many(self, terms: Sequence[Term]) -> None:
        """Refuse more than MAX_FEATURES features before any is made."""
        total = sum(map(self.size, terms))
        if total > MAX_FEATURES:
            worst = max(terms, key=self.size)
            raise InputError(
                f"the terms would make {total:,} features, more than the {MAX_FEATURES:,} allowed; the widest is "
                f"{worst.label!r} with {self.size(worst):,}. Name the pairs that matter, or exclude columns with many "
                "levels"
            )

    def settle(self, draft: Term) -> tuple[Term | None, list[float], list[float]]:
        """Leave out products that are constant in training; give the means and scales of the others."""
        recipe, w = self.recipe, self.weights
        kept: list[int] = []
        means: list[float] = []
        scales: list[float] = []
        single = len(draft.factors) == 1
        for k, x in enumerate(recipe.term_columns(draft, self.base.matrix)):
            is_flag = k >= len(draft.kept)
            if not single and not is_flag and np.ptp(x) == 0.0:
                continue
            mean = float(np.average(x, weights=w))
            means.append(mean)
            scales.append(float(np.sqrt(np.average((x - mean) ** 2, weights=w))))
            if not is_flag:
                kept.append(draft.kept[k])
        term = Term(draft.factors, tuple(kept), draft.flags)
        return (term if kept or draft.flags else None), means, scales

    def _factor(self, spec: FactorSpec, in_product: bool) -> Factor:
        centered = in_product and self.structure.centered
        if spec.is_column:
            start, code = self.recipe.place[spec.text]
            both = in_product and not centered and code.kind == "pair"
            centers = tuple(self.mean[start : start + code.filled]) if centered else ()
            return Factor(spec.text, None, both, centers)
        return Factor(spec.text, self._expression(spec))

    def _expression(self, spec: FactorSpec) -> Node:
        place, base = self.recipe.place, self.base
        for column in spec.columns:
            if place[column][1].kind != "number":
                raise InputError(
                    f"{spec.text!r} in the formula calculates with {column!r}, which holds categories; write the "
                    "column by itself, or multiply by ':'"
                )
        known = np.ones(base.shape[0], dtype=bool) if self.weights is None else self.weights > 0.0
        starts = {place[c][0] for c in spec.columns}
        for j, rows in base.gaps:
            if j in starts:
                known[rows] = False
        if not known.any():
            raise InputError(f"{spec.text!r} in the formula: no training row has all of {', '.join(spec.columns)}")
        weights = np.ones(int(known.sum())) if self.weights is None else self.weights[known]
        return learn_expression(
            spec.text,
            parse_expression(spec.text),
            lambda name: dense_column(base.matrix, place[name][0])[known],
            weights,
        )
