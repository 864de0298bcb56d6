"""HuberRegressorCV: alpha chosen by the held-out value of Huber's loss, each fit with the scale that it found."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.parallel import Parallel, delayed

from bridle.estimators._base import check_training_data, route, split_rows, splitter_router, warn_unless_converged
from bridle.estimators._checks import (
    check_count_or_grid,
    check_number,
    check_offset,
    check_splitter,
    check_weight,
    refuse,
)
from bridle.estimators._paths import TINY
from bridle.estimators._robust import HuberRegressor, HuberRows, fit_with_scale
from bridle.path import Path
from bridle.selection import Curve, Folds, select
from bridle.selection.rules import CROSS_VALIDATED

Float = NDArray[np.float64]


class HuberRegressorCV(HuberRegressor):
    r""":class:`HuberRegressor` with alpha chosen by cross-validation.

    .. math:: \text{loss}_{jk} = \frac{\sum_{i \in test_j} w_i \left[ \sigma_{jk} + \sigma_{jk} H_\epsilon(r_{ijk} /
              \sigma_{jk}) \right]}{\sum_{i \in test_j} w_i}

    is the objective's own loss of the held-out rows, with coefficients and scale :math:`\sigma_{jk}` of fold j's
    training rows at the k-th alpha: a scale that overfits costs as much as coefficients that do. It is in units of y.
    As in a grid search, an alpha is set against the sum of each fold's training rows. Where one scale will do, and for
    L1 penalties, there is ``GeneralizedLinearRegressorCV("huber")``, which is faster.

    Parameters
    ----------
    epsilon : float, default=1.35
        At least 1: residuals beyond epsilon sigma count by their size, not their square.
    alphas : int or list of float, default=20
        Number of values on an automatic grid, or the values. The largest keeps each standardised coefficient near 0.
    eps : float, default=1e-6
        Smallest over largest alpha of the automatic grid.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it is never penalised.
    max_iter : int, default=100
        Bound on the solver's work; rarely met.
    tol : float, default=1e-5
        Largest relative duality gap that passes without a ConvergenceWarning.
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn.
    n_jobs : int or None, default=None
        Threads for the folds; the result doesn't depend on it.
    standardize : bool, default=False
        Whether the penalty acts on coefficients of features scaled to unit variance, by each fold's training rows.
    penalty_factor : (p,), optional
        v_j: 0 is never penalised, inf is excluded.
    lower, upper : float or (p,), default=-inf, inf
        Bounds of the coefficients, lower <= 0 <= upper.
    rule : str, default="min"
        How to choose: "min", "1se" or "within".

    Attributes
    ----------
    alpha_ : float
        The one chosen.
    alphas_ : (L,)
        The grid, largest first.
    loss_path_ : (L, folds)
        Mean loss of the held-out rows.
    scale_path_ : (L, folds)
        sigma of each fit.
    coef_ : (p,)
        Coefficients at the choice; for the other attributes see :class:`HuberRegressor`.
    curve_ : Curve
        The validation curve over alpha.
    selection_ : Selection
        What the rule chose, and why.
    """

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        alphas: Any = 20,
        eps: float = 1e-6,
        fit_intercept: bool = True,
        max_iter: int = 100,
        tol: float = 1e-5,
        cv: Any = None,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        rule: str = "min",
    ) -> None:
        self.epsilon = epsilon
        self.alphas = alphas
        self.eps = eps
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.n_jobs = n_jobs
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper
        self.rule = rule

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose alpha by cross-validation, and fit all rows with it.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Target.
        sample_weight : (n,), optional
            Weights of the rows, in the fits and in the loss of the folds; twice the weights are twice the rows.
        offset : (n,), optional
            Added to the linear predictor.
        **params
            ``groups`` of rows for the splitter, and whatever metadata routing sends there.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data, the weights or the offset can't be used.
        """
        self._check_parameters()
        metadata = {k: v for k, v in (("sample_weight", sample_weight), ("offset", offset)) if v is not None}
        routed = route(self, "fit", params, **metadata)
        X, target = check_training_data(self, X, y)
        n = len(target)
        rows = HuberRows(
            X.tocsr() if hasattr(X, "tocsr") else X, target, check_weight(sample_weight, n), check_offset(offset, n)
        )
        folds = split_rows(check_cv(self.cv), rows.X, target, routed, params)
        self.alphas_ = self._grid(rows)
        jobs = [delayed(self._judge)(rows, *pair) for pair in folds]
        done = Parallel(n_jobs=self.n_jobs, prefer="threads")(jobs)
        self.curve_ = self._curve(rows, folds, [fold[0] for fold in done], [fold[1] for fold in done])
        self.selection_ = select(self.curve_, self.rule)
        self.alpha_ = float(self.alphas_[self.selection_.index])
        self.loss_path_ = self.curve_.test_loss.T
        self.scale_path_ = np.stack([fold[2] for fold in done], axis=1)
        self._keep(rows, self.alpha_)
        warn_unless_converged(self, *[path for fold in done for path in fold[3]])
        return self

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self, "eps", 0.0, 1.0, above=True)
        check_number(self, "n_jobs", integer=True, none=True)
        check_splitter(self)
        if self.rule not in CROSS_VALIDATED:
            raise refuse(self, "rule", self.rule, f"one of {', '.join(map(repr, CROSS_VALIDATED))}")

    def _grid(self, rows: HuberRows) -> Float:
        """Return the alphas, (L,), largest first."""
        given = check_count_or_grid(self, "alphas")
        if not isinstance(given, int):
            return np.sort(given)[::-1]
        scale, null = fit_with_scale(self, rows, 1e100)
        top = null.lambda_max * float(np.sum(rows.w)) / scale
        return np.geomspace(top, top * self.eps, given) if top > TINY else np.full(given, TINY)

    def _judge(self, rows: HuberRows, train: Any, test: Any) -> tuple[Float, Float, Float, list[Path]]:
        """Return the held-out and training losses, the scales, (L,) each, and the fits of one fold."""
        known, held = rows.take(train), rows.take(test)
        losses, scales, paths, scale = [], [], [], None
        for alpha in self.alphas_:
            scale, path = fit_with_scale(self, known, float(alpha), scale, fold=True)
            losses.append([self._loss(held, path, scale), self._loss(known, path, scale)])
            scales.append(scale)
            paths.append(path)
        both = np.array(losses)
        return both[:, 0], both[:, 1], np.array(scales), paths

    def _loss(self, rows: HuberRows, path: Path, scale: float) -> float:
        """Mean of sigma + sigma H(r / sigma)."""
        z = np.abs(rows.residual(path)) / scale
        inside = np.minimum(z, self.epsilon)
        return float(np.average(scale * (1.0 + inside * (2.0 * z - inside)), weights=rows.w))

    def _curve(self, rows: HuberRows, folds: Folds, test: list[Float], train: list[Float]) -> Curve:
        """Folds count equally, as in scikit-learn."""
        return Curve(
            model="ridge",
            family="huber",
            parameter="alpha",
            values=self.alphas_,
            test_loss=np.stack(test),
            train_loss=np.stack(train),
            test_weight=np.ones(len(folds)),
            n_train=np.array([len(a) for a, _ in folds], dtype=np.int64),
            n_test=np.array([len(b) for _, b in folds], dtype=np.int64),
            l1_ratio=0.0,
            n_features=int(rows.X.shape[1]),
            sum_weight=float(np.sum(rows.w)),
            fit_intercept=bool(self.fit_intercept),
        )

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what fit asks for itself and what goes to the splitter (groups)."""
        return splitter_router(self, check_cv(self.cv))
