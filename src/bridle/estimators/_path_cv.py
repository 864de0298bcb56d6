"""Cross-validated choice of alpha on a grid common to all folds: LassoCV, ElasticNetCV and PoissonRegressorCV."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.model_selection import check_cv

from bridle.estimators._base import (
    FINE,
    LinearPrediction,
    check_grid,
    check_number,
    check_offset,
    check_precompute,
    check_solver_controls,
    check_training_data,
    check_weight,
    count_folds_equally,
    fit_at,
    objective_at,
    one_column,
    path_options,
    quiet_about_gaps,
    refuse,
    refuse_many_targets,
    route,
    split_rows,
    splitter_router,
    warn_unless_converged,
)
from bridle.path import Path, lambda_grid
from bridle.selection import Curve, cross_validate, select

Float = NDArray[np.float64]


def l1_ratio_list(estimator: Any) -> list[float]:
    """Return the l1_ratios to choose from; an automatic grid of alphas needs an L1 part in a gaussian model."""
    ratios = check_grid(estimator, "l1_ratio", estimator.l1_ratio)
    if np.any(ratios > 1.0):
        raise refuse(estimator, "l1_ratio", estimator.l1_ratio, "a number, or a list of numbers, from 0 to 1")
    return [float(r) for r in ratios]


class PathCV(RegressorMixin, LinearPrediction):  # type: ignore[misc]
    """The common part: a grid for each l1_ratio, one cross-validation of each, a rule, and the fit of all rows."""

    _family: ClassVar[str] = "gaussian"
    alphas: Any
    eps: float
    cv: Any
    n_jobs: int | None
    rule: str
    fit_intercept: bool

    def _l1_ratios(self) -> list[float]:
        return [1.0]

    def _check(self) -> None:
        if not isinstance(self.alphas, numbers.Integral):
            check_grid(self, "alphas", self.alphas)
        else:
            check_number(self, "alphas", 1, integer=True)
        check_number(self, "max_iter", 1, integer=True)
        check_number(self, "n_jobs", integer=True, none=True)
        check_number(self, "eps", 0.0, above=True)
        check_solver_controls(self)

    def _prepare(self, X: Any, y: ArrayLike) -> tuple[Any, Float]:
        X, y = check_training_data(self, X, y, multi_output=True)
        if y.ndim > 1 and y.shape[1] > 1:
            raise refuse_many_targets(self, y.shape[1])
        return X, one_column(y)

    def _fit(
        self, X: Any, y: ArrayLike, weight: ArrayLike | None, offset: ArrayLike | None, params: dict[str, Any]
    ) -> Self:
        self._check()
        metadata = {k: v for k, v in (("sample_weight", weight), ("offset", offset)) if v is not None}
        routed = route(self, "fit", params, **metadata)
        X, y = self._prepare(X, y)
        n, p = X.shape
        w, o = check_weight(weight, n), check_offset(offset, n)
        mode = check_precompute(self, p) if hasattr(self, "precompute") else "auto"
        folds = split_rows(check_cv(self.cv), X, y, routed, params)
        fixed = {"sample_weight": w, "offset": o, "mode": mode}
        options = path_options(self, self._family, FINE) | fixed
        ratios = self._l1_ratios()
        grids = [self._grid(X, y, options | {"l1_ratio": ratio}) for ratio in ratios]
        with quiet_about_gaps():
            results = [
                cross_validate(X, y, folds=folds, l1_ratio=r, lambdas=g, n_jobs=self.n_jobs or 1, **options)
                for r, g in zip(ratios, grids, strict=True)
            ]
        curves = [count_folds_equally(result.curves[0]) for result in results]
        self.selection_ = select(curves, self.rule)
        k = self.selection_.curve
        self.curve_, self.path_ = curves[k], results[k].paths[0]
        self._store_grid(curves, grids, ratios)
        chosen = path_options(self, self._family) | fixed | {"l1_ratio": ratios[k]}
        self._store_fit(fit_at(X, y, [self.alpha_], chosen), X.dtype)
        return self

    def _grid(self, X: Any, y: Float, options: dict[str, Any]) -> Float:
        """(L,) alphas, largest first."""
        if not isinstance(self.alphas, numbers.Integral):
            return np.sort(check_grid(self, "alphas", self.alphas))[::-1]
        start = fit_at(X, y, [np.finfo(float).max], options).lambda_max
        if start == 0.0:  # nothing is related to y: any penalty gives the same model
            return np.full(int(self.alphas), np.finfo(float).resolution)
        return np.asarray(lambda_grid(start, *X.shape, int(self.alphas), self.eps))

    def _store_grid(self, curves: list[Curve], grids: list[Float], ratios: list[float]) -> None:
        k = self.selection_.curve
        self.alpha_ = float(grids[k][self.selection_.index])
        if hasattr(self, "l1_ratio"):
            self.l1_ratio_ = ratios[k]
        given = not isinstance(self.alphas, numbers.Integral)
        self.alphas_ = grids[0] if given or len(grids) == 1 else np.asarray(grids)
        self._loss_path(np.squeeze(np.stack([curve.test_loss.T for curve in curves])))

    def _store_fit(self, path: Path, dtype: Any) -> None:
        self.coef_ = np.asarray(path.coef[0]).astype(dtype, copy=False)
        self.intercept_ = path.intercept[0].astype(dtype, copy=False) if self.fit_intercept else 0.0
        self.n_iter_ = max(int(path.n_iter[0]), 1)
        self.dual_gap_, self.relative_gap_ = path.gap[0], path.relative_gap[0]
        self.objective_ = objective_at(path, self.alpha_)
        warn_unless_converged(self, np.append(self.path_.relative_gap, self.relative_gap_))

    def _loss_path(self, losses: Float) -> None:
        self.mse_path_ = losses

    def get_metadata_routing(self) -> Any:
        """Return what fit asks for itself and what goes to the splitter (groups)."""
        return splitter_router(self, check_cv(self.cv))
