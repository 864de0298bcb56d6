"""The folds of LogisticRegressionCV: each has the lambdas that C means for the weight of its own training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit
from sklearn.metrics import get_scorer

from bridle.estimators._base import fit_at
from bridle.estimators._logistic import LogisticRegression, family_of, lambda_of, rows_of
from bridle.losses import get_family
from bridle.path import Path
from bridle.selection import Curve, Folds

Float = NDArray[np.float64]
Int = NDArray[np.intp]


@dataclass(frozen=True)
class Rows:
    """Checked data of some rows."""

    X: Any  # (n, p), CSR where sparse: rows are taken
    y: Float  # (n,) 0 or 1, or (n, K)
    labels: NDArray[Any]  # (n,)
    weight: Float  # (n,) sample weight times class weight
    offset: Float | None  # (n,) or (n, K)

    def take(self, at: Any) -> Rows:
        """Take rows."""
        offset = None if self.offset is None else self.offset[at]
        return Rows(self.X[at], self.y[at], self.labels[at], self.weight[at], offset)

    def eta(self, path: Path) -> Float:
        """(n, L) or (n, K, L) linear predictors, the offset in them."""
        return path.linear_predictor(self.X, offset=self.offset)

    def loss(self, eta: Float) -> Float:
        """(L,) mean unit deviance for eta, (n, L) or (n, K, L)."""
        return get_family(family_of(self.y)).mean_deviance(self.y, eta, self.weight)


@dataclass(frozen=True)
class FoldFit:
    """One fold, l1_ratio and gamma. The path and its losses are in the path's order, the rest in the order of Cs."""

    path: Path
    test: Float  # (L,) mean unit deviance of the held-out rows
    train: Float  # (L,)
    scores: Float  # (n_Cs,)
    place: Int  # (n_Cs,) where each C is on the path

    def coefficients(self, fit_intercept: bool) -> Float:
        """(n_Cs, 1 or K, p) coefficients, or (n_Cs, 1 or K, p + 1) with the intercept last."""
        coef, intercept = rows_of(self.path)
        return (np.concatenate([coef, intercept[:, :, None]], axis=2) if fit_intercept else coef)[self.place]


@dataclass(frozen=True)
class FoldFits:
    """All folds and candidates: each l1_ratio with each gamma, which varies fastest."""

    fits: Sequence[Sequence[FoldFit]]  # folds x candidates
    folds: Folds
    fit_intercept: bool

    @property
    def scores(self) -> Float:
        """(folds, n_Cs, candidates)."""
        return np.stack([np.stack([fit.scores for fit in row], axis=-1) for row in self.fits])

    @property
    def coefficients(self) -> Float:
        """(folds, n_Cs, candidates, 1 or K, p or p + 1)."""
        rows = [np.stack([fit.coefficients(self.fit_intercept) for fit in row], axis=1) for row in self.fits]
        return np.stack(rows)

    @property
    def n_iter(self) -> NDArray[np.int32]:
        """(folds, n_Cs, candidates)."""
        rows = [np.stack([np.maximum(f.path.n_iter, 1)[f.place] for f in row], axis=-1) for row in self.fits]
        return np.stack(rows).astype(np.int32)

    @property
    def paths(self) -> list[Path]:
        """Every path."""
        return [fit.path for row in self.fits for fit in row]

    def every(self, first: int, step: int) -> FoldFits:
        """Each ``step``-th candidate from ``first`` on: those of one gamma."""
        return FoldFits([row[first::step] for row in self.fits], self.folds, self.fit_intercept)

    def curve(self, r: int, full: Path, data: Rows) -> Curve:
        """Validation curve of the deviance of candidate ``r``, folds counted equally as in scikit-learn."""
        return Curve(
            model={0.0: "ridge", 1.0: "lasso"}.get(full.l1_ratio, "elastic net"),
            family=full.family,
            parameter="lambda",
            values=full.lambdas,
            test_loss=np.stack([row[r].test for row in self.fits]),
            train_loss=np.stack([row[r].train for row in self.fits]),
            test_weight=np.ones(len(self.fits)),
            n_train=np.array([len(a) for a, _ in self.folds.pairs], dtype=np.int64),
            n_test=np.array([len(b) for _, b in self.folds.pairs], dtype=np.int64),
            l1_ratio=full.l1_ratio,
            full_loss=full.deviance,
            null_loss=full.null_deviance,
            n_nonzero=full.n_nonzero,
            n_features=int(data.X.shape[1]),
            sum_weight=float(data.weight.sum()),
            gamma=full.gamma,
        )


def fit_Cs(data: Rows, Cs: Float, options: Mapping[str, Any]) -> tuple[Path, Int]:
    """Return the path at the lambdas of ``Cs``, (n_Cs,), and the place of each C on it."""
    lambdas, place = np.unique(-lambda_of(Cs, float(data.weight.sum())), return_inverse=True)
    path = fit_at(data.X, data.y, -lambdas, {**options, "sample_weight": data.weight, "offset": data.offset})
    return path, place.reshape(-1)


@dataclass(frozen=True)
class Scoring:
    """How held-out rows are scored; accuracy and log loss need no estimator."""

    scoring: Any
    classes: NDArray[Any]  # (K,)
    params: Mapping[str, Any]  # what the scorer gets beside the data, all rows

    def fold(self, test: Rows, rows: Any, n: int, path: Path, eta: Float) -> Float:
        """Return the score of each fit on the path, (L,).

        Parameters
        ----------
        test : Rows
            The held-out rows.
        rows : (n_test,)
            Their numbers among all ``n``.
        n : int
            Number of all rows.
        path : Path
            The fits.
        eta : (n_test, L) or (n_test, K, L)
            Their linear predictors.
        """
        params = {k: take_rows(v, rows, n) for k, v in self.params.items()}
        weight = params.get("sample_weight")
        plain = set(params) <= {"sample_weight"}
        if plain and self.scoring == "accuracy":
            if eta.ndim == 3:
                hit = np.argmax(eta, axis=1) == np.argmax(test.y, axis=1)[:, None]
                return np.asarray(np.average(hit, axis=0, weights=weight))
            return np.asarray(np.average((eta > 0.0) == (test.y[:, None] > 0.5), axis=0, weights=weight))
        if plain and self.scoring == "neg_log_loss":
            if eta.ndim == 3:
                return -0.5 * get_family("multinomial").mean_deviance(test.y, eta, weight)
            sign = np.where(test.y > 0.5, 1.0, -1.0)[:, None]
            return np.asarray(np.average(log_expit(sign * eta), axis=0, weights=weight))
        scorer, model = get_scorer(self.scoring), LogisticRegression()
        model.classes_, model.n_features_in_ = self.classes, test.X.shape[1]
        scores, (coef, intercept) = np.empty(len(path.lambdas)), rows_of(path)
        for k in range(len(scores)):
            model.coef_, model.intercept_ = coef[k], intercept[k]
            scores[k] = scorer(model, test.X, test.labels, **params)
        return scores


def fit_fold(
    data: Rows,
    Cs: Float,
    pair: tuple[Any, Any],
    options: Mapping[str, Any],
    scoring: Scoring,
    gammas: Sequence[float] = (1.0,),
) -> list[FoldFit]:
    """Fit the training rows of one fold at every C, and judge the held-out ones; one answer for each gamma.

    Parameters
    ----------
    data : Rows
        All rows.
    Cs : (n_Cs,)
        In any order.
    pair : tuple of row numbers
        Training and held-out rows.
    options : mapping
        Arguments of ``fit_path``.
    scoring : Scoring
        The score.
    gammas : sequence of float
        Shares of the penalised fit in a blend with the relaxed one.
    """
    train, test = data.take(pair[0]), data.take(pair[1])
    path, place = fit_Cs(train, Cs, options)
    ends = [path] if path.relaxed is None else [path, path.relaxed]
    etas = [[rows.eta(end) for end in ends] for rows in (test, train)]
    fits = []
    for gamma in gammas:
        blend, (held_out, trained) = path.blend(gamma), (_blended(eta, gamma) for eta in etas)
        scores = scoring.fold(test, pair[1], len(data.y), blend, held_out)
        fits.append(FoldFit(blend, test.loss(held_out), train.loss(trained), scores[place], place))
    return fits


def _blended(ends: Sequence[Float], gamma: float) -> Float:
    """Blend the linear predictors of penalised and relaxed fits."""
    if gamma in (0.0, 1.0):
        return ends[int(gamma == 0.0)]
    return gamma * ends[0] + (1.0 - gamma) * ends[1]


def take_rows(value: Any, rows: Any, n: int) -> Any:
    """Take the rows of what is given row by row."""
    return np.asarray(value)[rows] if np.ndim(value) == 1 and len(value) == n else value
