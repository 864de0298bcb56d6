"""What the estimators with a penalty of their own share: a choice of family, no bounds, groups of features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bridle.errors import InputError
from bridle.estimators._checks import check_count_or_grid, check_flags, check_number, check_splitter
from bridle.estimators._generalized import FamilyRegressor, FamilyRegressorCV
from bridle.losses import Family, get_family


class PenalisedModel(FamilyRegressor):
    """A fit at one alpha."""

    family: Any
    lower, upper = -np.inf, np.inf  # these classes have no bounds

    def _asked(self) -> Family:
        return get_family(self.family)

    def _check_parameters(self) -> None:
        check_number(self, "alpha", 0.0)
        check_number(self, "l1_ratio", 0.0, 1.0)
        check_number(self, "max_iter", 1, integer=True, none=True)
        check_number(self, "tol", 0.0)
        check_flags(self, "fit_intercept", "standardize")


class PenalisedModelCV(FamilyRegressorCV):
    """alpha, and perhaps l1_ratio and gamma, chosen by the cross-validated deviance."""

    family: Any
    lower, upper = -np.inf, np.inf

    def _asked(self) -> Family:
        return get_family(self.family)

    def _check(self) -> None:
        check_count_or_grid(self, "alphas")
        check_splitter(self)
        check_number(self, "max_iter", 1, integer=True, none=True)
        check_number(self, "n_jobs", integer=True, none=True)
        check_number(self, "eps", 0.0, 1.0, above=True, none=True)
        check_number(self, "tol", 0.0)
        check_flags(self, "fit_intercept", "standardize")


def labels_of(groups: ArrayLike | None, p: int) -> Any:
    """Return one label per feature: those given, or each feature by itself."""
    if groups is None:
        return np.arange(p)
    labels = np.asarray(groups)
    if labels.shape != (p,):
        raise InputError(f"groups has shape {labels.shape}; expected one label per feature, ({p},)")
    return labels
