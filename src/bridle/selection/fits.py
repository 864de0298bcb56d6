"""One fold at a time: taking its rows, fitting its paths, scoring what it holds out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from bridle.crew import Crew
from bridle.errors import InputError
from bridle.losses import Family, get_family, row_values
from bridle.path import Path, fit_path
from bridle.problem import laid_out
from bridle.selection import lockstep
from bridle.selection.blends import blends
from bridle.selection.folds import Folds, Pair
from bridle.selection.grams import FoldMoments, GramFit
from bridle.selection.predictors import predictors, take_rows
from bridle.several import SeveralFamily

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_LARGE = 1 << 26  # bytes of a matrix from which folds don't copy their rows


class FoldDesign(Protocol):
    """A design whose missing values are filled from the training rows of each fold."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def for_rows(self, train: Int | None) -> Any:
        """Give the (n, p) matrix of all rows, filled from ``train`` (None: from all rows)."""


@dataclass(frozen=True)
class FoldFit:
    """What a curve needs of one fold's path."""

    train_loss: Float  # (L,) mean unit deviance
    test_loss: Float  # (L,)
    scores: Mapping[str, Float]  # (L,) of each scorer
    status: tuple[str, ...]


def fit_folds(
    data: FoldData,
    folds: Folds,
    paths: Sequence[Path],
    options: Mapping[str, Any],
    scorers: Mapping[str, Any],
    crew: Crew,
    shared: FoldMoments | None = None,
    gammas: Sequence[float] = (1.0,),
) -> list[list[FoldFit]]:
    """Fit every fold's path for each of ``paths``, on its lambdas and l1_ratio, and score what the fold holds out.

    With ``shared`` moments a fold is fitted from its covariances, except where rounding calls for its rows. Returned
    are J lists: for each of ``paths``, each of ``gammas``.
    """

    def fit_fold(fold: int) -> list[Path] | list[GramFit]:
        grams = None if shared is None else shared.fit(fold, paths, options)
        if grams is not None:
            return grams
        part = data.part(folds.pairs[fold][0])
        return [
            fit_path(
                part.design, part.y, l1_ratio=path.l1_ratio, lambdas=path.lambdas, sample_weight=part.weight,
                offset=part.offset, **options,
            )
            for path in paths
        ]  # fmt: skip

    fitted: Sequence[Sequence[Path | GramFit]]
    common = data.shared(folds) if hasattr(data.design, "for_rows") else data.design
    if common is not None and lockstep.applies(common, paths, options):
        fitted = lockstep.fit_folds(common, data.y, data.weight, data.offset, folds, paths, options, crew)
    else:
        fitted = crew.map(fit_fold, range(len(folds)))

    def score(fold: int) -> list[FoldFit]:
        pair, fits = folds.pairs[fold], fitted[fold]
        if options["relax"]:
            matrix, rest = data.matrix(pair[0]), (data.y, data.weight, data.offset, pair[0])
            held = has_bounds(options)
            whole = [fit if isinstance(fit, Path) else fit.path() for fit in fits]
            fits = [blend for path in whole for blend in blends(path, gammas, matrix, *rest, bounded=held)]
        return score_fold(data, pair, fits, scorers)

    return crew.map(score, range(len(folds)))


@dataclass(frozen=True)
class FoldData:
    """What all folds take their rows from."""

    design: Any  # (n, p) matrix or FoldDesign
    y: Float  # (n,), or n rows as the family takes them
    weight: Float | None  # (n,) as given
    offset: Float | None  # (n,), or (n, K) for several linear predictors

    @classmethod
    def make(
        cls,
        X: Any,
        y: ArrayLike,
        weight: ArrayLike | None,
        offset: ArrayLike | None,
        family: Family | None = None,
    ) -> FoldData:
        """Check shapes once, and read the numbers; the target is checked if its family is known."""
        if callable(getattr(X, "for_rows", None)):
            design = X
        elif sparse.issparse(X):
            design = X.tocsc()
        else:
            design = laid_out(np.asarray(X), family, 0)
        if len(design.shape) != 2:
            raise InputError(f"X has shape {design.shape}, expected two dimensions")
        n = int(design.shape[0])
        target = row_values(y, n, "y", finite=False) if family is None else family.target(y, n)
        weights = None if weight is None else row_values(weight, n, "sample_weight")
        if offset is None:
            return cls(design, target, weights, None)
        if isinstance(family, SeveralFamily):
            return cls(design, target, weights, family.read_offset(offset, target))
        return cls(design, target, weights, row_values(offset, n, "offset"))

    def part(self, train: Int) -> FoldData:
        """The training rows; of a large matrix all rows, with weight 0 for the others, which spares a copy."""
        X = self.matrix(train)
        if not sparse.issparse(X) and X.nbytes > _LARGE:
            weight = np.zeros(self.y.shape[0])
            weight[train] = 1.0 if self.weight is None else self.weight[train]
            return FoldData(X, self.y, weight, self.offset)
        weights = None if self.weight is None else self.weight[train]
        offset = None if self.offset is None else self.offset[train]
        return FoldData(take_rows(X, train), self.y[train], weights, offset)

    def shared(self, folds: Folds) -> Any:
        """The dense matrix that serves all folds alike, or None."""
        X = self.matrix(None)
        if sparse.issparse(X) or X.dtype.kind not in "fiub":
            return None
        same = not hasattr(self.design, "for_rows") or all(self.matrix(train) is X for train, _ in folds)
        return X if same else None

    def matrix(self, train: Int | None) -> Any:
        """(n, p) matrix of all rows, filled from ``train`` if it is a FoldDesign."""
        return self.design.for_rows(train) if hasattr(self.design, "for_rows") else self.design


def has_bounds(options: Mapping[str, Any]) -> bool:
    """Whether any coefficient of these fits has a bound."""
    return bool(np.isfinite(options["lower"]).any() or np.isfinite(options["upper"]).any())


def check_folds(folds: Folds, data: FoldData, family: Family | None = None) -> None:
    """Refuse folds of another table, and parts without weight."""
    n = data.y.shape[0]
    units = None  # none but the weights
    if family is not None and not family.row_wise:
        units = family.units(data.y, data.weight)
    for j, (train, test) in enumerate(folds):
        if max(train[-1], test[-1]) >= n:
            raise InputError(
                f"the folds reach to row {max(train[-1], test[-1])} and X has {n} rows: make them from this y"
            )
        for part, rows in (("training", train), ("held-out", test)):
            if data.weight is not None and not data.weight[rows].sum() > 0:
                raise InputError(f"the {part} rows of fold {j} have no weight; use fewer folds or leave those rows out")
            if units is not None and not units[rows].sum() > 0:
                raise InputError(f"the {part} rows of fold {j} hold no event; use fewer folds")


def score_fold(data: FoldData, pair: Pair, fits: Sequence[Path | GramFit], scorers: Mapping[str, Any]) -> list[FoldFit]:
    """Per path: mean held-out deviance, and the value of each scorer, from predictions unless they are known."""
    known = [None if isinstance(fit, Path) else fit.test_loss for fit in fits]
    if not scorers and all(loss is not None for loss in known):
        return [FoldFit(fit.train_loss, fit.test_loss, {}, fit.status) for fit in fits if isinstance(fit, GramFit)]
    train, rows = pair
    chosen = [fit if isinstance(fit, Path) else fit.path() for fit in fits]
    family = get_family(chosen[0].family)
    held: Any = slice(None)
    if not family.row_wise:  # what held-out rows add depends on those of training beside them
        rows = np.sort(np.concatenate(pair))
    if data.weight is not None:
        rows = rows[data.weight[rows] > 0.0]  # an infinite loss of weight 0 is none
    if not family.row_wise:
        held = np.isin(rows, pair[1])
    X, y = data.matrix(train), data.y[rows]
    whole = take_rows(X, rows[held]) if scorers else None  # of a wide table, few columns are used
    source, of = (whole, None) if scorers and family.row_wise else (X, rows)
    weight = None if data.weight is None else data.weight[rows]
    offset = None if data.offset is None else data.offset[rows]
    share = 1.0 if family.row_wise else per_unit(family, data, train)
    scored = list[FoldFit]()
    for path in chosen:
        loss, scores = np.empty(len(path.lambdas)), {name: np.empty(len(path.lambdas)) for name in scorers}
        for start, eta in predictors(path, source, offset, of):
            block = slice(start, start + eta.shape[-1])
            loss[block] = family.held_out_deviance(y, eta, held, weight)
            for name, scorer in scorers.items():
                scores[name][block] = scorer(path, whole, y[held], eta[held], None if weight is None else weight[held])
        scored.append(FoldFit(path.deviance * share, loss, scores, path.status))
    return scored


def per_unit(family: Family, data: FoldData, rows: Int) -> float:
    """Return what turns a mean by weight into one by the family's units.

    Parameters
    ----------
    family : Family
        Of the loss.
    data : FoldData
        Target and weights.
    rows : (m,)
        Rows that the mean is over.
    """
    y, w = data.y[rows], np.ones(rows.size) if data.weight is None else data.weight[rows]
    return float(w.sum() / family.units(y, w).sum())
