"""Cross-validated choice of alpha on a grid common to all folds: LassoCV, ElasticNetCV and PoissonRegressorCV."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.model_selection import check_cv

from bridle.estimators._base import (
    LinearPrediction,
    check_training_data,
    count_folds_equally,
    fit_last,
    objective_at,
    one_column,
    path_options,
    quiet_about_gaps,
    refuse_many_targets,
    route,
    split_rows,
    splitter_router,
    warn_unless_converged,
)
from bridle.estimators._checks import (
    check_count_or_grid,
    check_grid,
    check_number,
    check_offset,
    check_precompute,
    check_solver_controls,
    check_splitter,
    check_weight,
    refuse,
)
from bridle.estimators._paths import alpha_grid
from bridle.path import Path
from bridle.relaxed import gammas_of
from bridle.selection import Curve, Folds, cross_validate, select
from bridle.selection.rules import CROSS_VALIDATED

Float = NDArray[np.float64]


_GAUSSIAN = ("gaussian", "multigaussian")


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
    eps: float | None
    cv: Any
    n_jobs: int | None
    rule: str
    fit_intercept: bool
    relax: Any = False  # classes without this parameter have penalised fits only

    def _spec(self, y: Float, w: Float | None) -> str:
        """The family's name, with its parameters, for a target and weights."""
        return self._family

    def _l1_ratios(self) -> list[float]:
        return [1.0]

    def _check(self) -> None:
        check_count_or_grid(self, "alphas")
        check_splitter(self)
        check_number(self, "max_iter", 1, integer=True)
        check_number(self, "n_jobs", integer=True, none=True)
        check_number(self, "eps", 0.0, above=True, none=not self._has_scikit_learns_grid())
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
        if hasattr(self, "precompute"):
            check_precompute(self, p)
        folds = self._folds(X, y, routed, params)
        fixed = {"sample_weight": w, "offset": o}
        gammas_of(self.relax)  # refuses what isn't one
        options = path_options(self, self._spec(y, w)) | self._penalty(p) | fixed | {"relax": self.relax}
        if self.rule in CROSS_VALIDATED:
            options["effective_df"] = False  # no information criterion is asked for
        curves, paths = self._cross_validate(X, y, folds, options)
        self.selection_ = select(curves, self.rule)
        k = self.selection_.curve
        self.curve_, self.path_ = curves[k], paths[k]
        alike = [k for k, curve in enumerate(curves) if curve.gamma == self.selection_.gamma]
        self._store_grid([curves[k] for k in alike], [paths[k] for k in alike])
        chosen = path_options(self, self.path_.family, self.path_.l1_ratio) | self._penalty(p) | fixed
        chosen["relax"] = self.selection_.gamma < 1.0
        self._store_fit(self._last(X, y, chosen).blend(self.selection_.gamma), X.dtype)
        if "relax" in vars(self):
            self.gamma_ = self.selection_.gamma
        return self

    def _last(self, X: Any, y: Float, options: dict[str, Any]) -> Path:
        """Return a path of all rows whose last fit is the one at the alpha chosen: the known one if it serves."""
        k = self.selection_.index
        if not options["relax"] and self.path_.relative_gap[k] <= options["tol"]:
            return self.path_.only(k)
        return fit_last(X, y, self.path_.lambdas[: k + 1], options)

    def _penalty(self, p: int) -> dict[str, Any]:
        """Return what says which penalty of p features is meant, if it isn't the elastic net."""
        return {}

    def _folds(self, X: Any, y: Any, routed: Any, params: dict[str, Any]) -> Folds:
        return split_rows(check_cv(self.cv), X, y, routed, params)

    def _cross_validate(
        self, X: Any, y: Float, folds: Folds, options: dict[str, Any]
    ) -> tuple[list[Curve], list[Path]]:
        """Return a curve and the path of all rows for each l1_ratio."""
        ratios = self._l1_ratios()
        if not isinstance(self.alphas, numbers.Integral):
            runs: list[tuple[Any, dict[str, Any]]] = [(ratios, {"lambdas": check_grid(self, "alphas", self.alphas)})]
        elif self._has_scikit_learns_grid():
            runs = [(r, {"lambdas": self._alpha_grid(X, y, r, options["sample_weight"])}) for r in ratios]
        else:
            runs = [(ratios, {"n_lambdas": int(self.alphas), "lambda_min_ratio": self.eps})]
        curves: list[Curve] = []
        paths: list[Path] = []
        with quiet_about_gaps():
            for ratio, grid in runs:
                found = cross_validate(
                    X, y, folds=folds, l1_ratio=ratio, n_jobs=effective_n_jobs(self.n_jobs), **grid, **options
                )
                curves += [count_folds_equally(curve) for curve in found.curves]
                paths += found.paths
        return curves, paths

    def _has_scikit_learns_grid(self) -> bool:
        """Return whether the largest alpha is scikit-learn's: its objective, or only a sign asked for in addition."""
        plain = self.penalty_factor is None and not self.standardize
        return self._family in _GAUSSIAN and (plain or bool(getattr(self, "positive", False)))

    def _alpha_grid(self, X: Any, y: Float, ratio: float, weight: Float | None) -> Float:
        fixed: dict[str, Any] = {
            "weight": weight,
            "fit_intercept": bool(self.fit_intercept),
            "positive": bool(getattr(self, "positive", False)),
        }
        return alpha_grid(X, y, int(self.alphas), float(self.eps or 1e-3), ratio, **fixed)

    def _store_grid(self, curves: list[Curve], paths: list[Path]) -> None:
        self.alpha_ = float(self.path_.lambdas[self.selection_.index])
        if hasattr(self, "l1_ratio"):
            self.l1_ratio_ = self.path_.l1_ratio
        given = not isinstance(self.alphas, numbers.Integral)
        self.alphas_ = paths[0].lambdas if given or len(paths) == 1 else np.stack([path.lambdas for path in paths])
        self._loss_path(np.squeeze(np.stack([curve.test_loss.T for curve in curves])))

    def _store_fit(self, path: Path, dtype: Any) -> None:
        self.coef_ = np.asarray(path.coef[-1]).astype(dtype, copy=False)
        self.intercept_ = path.intercept[-1].astype(dtype, copy=False) if self.fit_intercept else 0.0
        self.n_iter_ = max(int(path.n_iter[-1]), 1)
        self.dual_gap_, self.relative_gap_ = path.gap[-1], path.relative_gap[-1]
        self.objective_ = objective_at(path, self.alpha_)
        warn_unless_converged(self, self.path_, path)

    def _loss_path(self, losses: Float) -> None:
        self.mse_path_ = losses

    def get_metadata_routing(self) -> Any:
        """Return what fit asks for itself and what goes to the splitter (groups)."""
        return splitter_router(self, check_cv(self.cv))
