"""A problem with several linear predictors as the core takes it: checked input, moments, scales, the null model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle import _core
from bridle.certificates import constant_below, penalty_scale
from bridle.errors import InputError
from bridle.grid import L1_FLOOR
from bridle.matrix import as_design, by_columns
from bridle.penalties import Penalty
from bridle.problem import (
    Settings,
    check_finite,
    name_columns,
    one_blas_thread,
    plain_features,
    row_weights,
)
from bridle.several import compressed
from bridle.several.base import SeveralFamily
from bridle.several.thresholds import Thresholds

Float = NDArray[np.float64]


_SEPARATED = 2  # the core's status


@dataclass(frozen=True)
class SeveralProblem:
    """A checked problem: K columns of the target, M predictors, Q columns of coefficients (M, or 1 if shared)."""

    design: _core.Design
    matrix: Any  # the array or CSC matrix that the design looks into
    family: SeveralFamily
    y: Float  # (n, K)
    w: Float  # (n,) sums to 1
    offset: Float  # (n, M)
    mean: Float  # (p,)
    deviation: Float  # (p,)
    scale: Float  # (p,)
    factor: Float  # (p,) inf for constant columns too
    lower: Float  # (p,) of each of a feature's coefficients
    upper: Float
    l1_ratio: float
    penalty: Penalty
    fit_intercept: bool
    standardize: bool
    start: Float  # (M,) intercepts of the null model
    reference: float
    notes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.design.shape

    @property
    def width(self) -> int:
        """Q, the number of coefficients of a feature."""
        return 1 if self.family.shared else self.family.predictors(self.y)

    @property
    def joint(self) -> bool:
        """Whether a group is its features over all predictors."""
        return self.penalty.kind.grouped

    @property
    def saturated(self) -> float:
        """Mean loss of a model that fits every row."""
        return float(self.w @ self.family.saturated(self.y))

    @property
    def centre(self) -> Float:
        """What is subtracted from the columns, (p,): nothing without an intercept."""
        return self.mean if self.fit_intercept else np.zeros_like(self.mean)

    @classmethod
    def make(
        cls,
        X: Any,
        y: ArrayLike,
        *,
        family: SeveralFamily,
        sample_weight: ArrayLike | None,
        offset: ArrayLike | None,
        fit_intercept: bool,
        standardize: bool,
        penalty: Penalty,
    ) -> SeveralProblem:
        """Check what the user gave, and find the moments of the columns and the null model.

        Parameters
        ----------
        X, y, sample_weight, offset, fit_intercept, standardize
            As for :func:`bridle.fit_path`.
        family : SeveralFamily
        penalty : Penalty
            Groups that it needs are single features where it has none.

        Returns
        -------
        SeveralProblem

        Raises
        ------
        InputError
            Data or arguments can't be used as they are.
        """
        design, matrix = as_design(by_columns(X))
        n, p = design.shape
        _check_arguments(family, penalty, p, fit_intercept=fit_intercept)
        target = family.target(y, n)
        o = family.read_offset(offset, target)
        w = row_weights(sample_weight, n)
        start = family.null_predictors(target, w, o)
        if not np.all(np.isfinite(start)):
            empty = np.flatnonzero(w @ target <= 0.0)
            raise InputError(
                f"no row with weight has the {family.name} class number {int(empty[0])} (from 0): its intercept would "
                "be infinite. Leave the class out, or use folds that keep all classes in every training part"
            )
        start = start if fit_intercept else np.zeros_like(start)
        survey = design.survey(w[None], family.residual(target, o + start, w)[:, 0][None].copy())
        mean, deviation = survey[0][0], np.sqrt(survey[1][0])
        check_finite(X, deviation)
        notes: list[str] = []
        factor = penalty.factors(p).copy()
        constant = deviation <= constant_below(mean)
        if fit_intercept and constant.any():
            factor[constant] = np.inf
            notes.append(f"{name_columns(constant)} constant: their coefficients are 0")
        lower, upper = (np.ascontiguousarray(bound) for bound in penalty.bounds(p))
        return cls(
            design=design,
            matrix=matrix,
            family=family,
            y=target,
            w=w,
            offset=o,
            mean=mean,
            deviation=deviation,
            scale=penalty_scale(mean, deviation, fit_intercept=fit_intercept, standardize=standardize),
            factor=factor,
            lower=lower,
            upper=upper,
            l1_ratio=penalty.l1_ratio,
            penalty=penalty,
            fit_intercept=bool(fit_intercept),
            standardize=bool(standardize),
            start=start,
            reference=family.excess(target, o + start, w),
            notes=tuple(notes),
        )

    def unpenalised_part(self) -> SeveralProblem:
        """Return the same problem without the penalised features."""
        return replace(self, factor=np.where(self.factor > 0.0, np.inf, 0.0), penalty=Penalty(self.l1_ratio))

    def in_space(self, Z: Float, unpenalised: int) -> SeveralProblem:
        """Return the same problem with other features Z (n, r), as they are; the last ``unpenalised`` are free."""
        return replace(self, **plain_features(Z, unpenalised, self.w, self.l1_ratio))

    def lambda_max(self, settings: Settings) -> float:
        """Smallest lambda at which every penalised coefficient is 0; for ridge as in :meth:`Problem.lambda_max`."""
        eta, room, noise = self.offset + self.start, 1.0, 0.0
        if (self.factor == 0.0).any():
            tight = replace(settings, tol=min(settings.tol, 1e-10))
            raw = self.unpenalised_part().solve(np.ones(1), tight)
            eta = self.offset + raw["intercept"][0] + self.times(raw)
            room = 1.0 + 1e-7  # what the fit of the unpenalised features may be off by
            noise = 10.0 * float(raw["kkt"][0])
        residual = self.family.residual(self.y, eta, self.w)
        total = residual.sum(axis=0) if self.fit_intercept else np.zeros(residual.shape[1])
        columns = [self.design.dots(np.ascontiguousarray(r)) for r in residual.T]
        slope = np.stack(columns, axis=1) - np.outer(self.mean, total)  # (p, Q)
        row = np.where(self.w > 0.0, self.w, 1.0)
        size = max(float(np.max((residual**2 / row[:, None]).sum(axis=0))), self.reference)
        length = np.hypot(self.mean, self.deviation) * np.sqrt(size)
        slope[np.abs(slope) <= (1e-13 * length + noise * self.scale)[:, None]] = 0.0  # rounding of an exact 0
        width = slope.shape[1]
        over, v = self.penalty.over(self.shape[1], width), np.repeat(self.factor, width)
        most = room * over.largest_strength((slope / self.scale[:, None]).ravel(), v)
        if self.l1_ratio >= L1_FLOOR or most == 0.0:
            return most / max(self.l1_ratio, L1_FLOOR)
        unit = float(np.sqrt(2.0 * self.reference)) if self.family.quadratic else 1.0
        return most / (L1_FLOOR * unit)

    def solve(self, lambdas: Float, settings: Settings) -> Any:
        """Solve at each of ``lambdas`` (L,), descending: what the core found, intercepts (L, M), cells j Q + q."""
        if self.reference <= 0.0:
            return self._null_result(len(lambdas))
        if self.family.quadratic and settings.mode == 0 and compressed.worth(self.matrix, self.width):
            return self._solve_compressed(lambdas, settings)
        with one_blas_thread:
            if self.family.shared and self.penalty.separable:
                raw = self._solve_shared(lambdas, settings)
            else:
                raw = self._solve_blocks(lambdas, settings)
        if self.family.shared:  # the loss has its intercepts inside: they are found again for the solutions
            eta = self.offset[:, :1] + self.times(raw, slice(None))
            raw["intercept"] = Thresholds.make(self.y, self.w).solve(eta)
        if self.penalty.concave and self.family.has_classes:
            for row in np.flatnonzero(raw["status"]):
                if self.gives_classes(raw["intercept"][row] + self.times(raw, row)):
                    raw["status"][row] = _SEPARATED
        return _symmetric(self, lambdas, raw)

    def _solve_compressed(self, lambdas: Float, settings: Settings) -> Any:
        with one_blas_thread:
            rows, target = compressed.compress(self.matrix, self.centre, self.y - self.offset - self.start, self.w)
        design, matrix = as_design(rows)
        m, flat = len(rows), np.zeros(self.shape[1])
        few = replace(
            self,
            design=design,
            matrix=matrix,
            y=target,
            w=np.full(m, 1.0 / m),
            offset=np.zeros_like(target),
            mean=flat,
            fit_intercept=False,
            start=np.zeros_like(self.start),
        )
        raw = few.solve(lambdas, settings)
        if self.fit_intercept:
            raw["intercept"] = np.stack([self.start - self.mean @ self.coef(raw, row) for row in range(len(lambdas))])
        return raw

    def coef(self, raw: Any, row: int) -> Float:
        """Return the coefficients (p, Q) of one fit."""
        b = np.zeros(self.shape[1] * self.width)
        part = slice(int(raw["starts"][row]), int(raw["starts"][row + 1]))
        b[raw["columns"][part]] = raw["values"][part]
        return b.reshape(self.shape[1], self.width)

    def relative_violation(self, lambdas: Float, raw: Any) -> Float:
        """Return the violations (L,) of a concave penalty's path over the null model's largest slope; at 0 the gap."""
        unit = raw["slope"] if self.reference > 0.0 else 0.0
        scale = np.where(lambdas > 0.0, unit, self.reference)
        return np.asarray(raw["gap"] / np.where(scale > 0.0, scale, 1.0))

    def _solve_blocks(self, lambdas: Float, settings: Settings) -> _core.BlockResult:
        kind, groups = self.penalty.kind, self.penalty.blocks(self.shape[1])
        offset, start = (self.offset[:, :1], np.zeros(1)) if self.family.shared else (self.offset, self.start)
        return _core.solve_blocks(
            self.design,
            self.family.core(self.y),
            self.family.core_target(self.y),
            np.asfortranarray(offset),
            self.w,
            self.centre,
            self.scale,
            ("elastic_net" if kind.separable else kind.core_name, kind.gamma),
            (groups.starts, groups.features),
            self.factor,
            self.joint,
            self.lower,
            self.upper,
            self.l1_ratio,
            kind.l1_share,
            self.fit_intercept,
            np.ascontiguousarray(start),
            self.reference,
            lambdas,
            settings.tol,
            settings.max_iter,
        )

    def gives_classes(self, eta: Float) -> bool:
        """Return whether predictors (n, M) give every row its class: a bounded penalty can't hold such a likelihood."""
        if self.family.shared:  # eta falls from threshold to threshold, and is above 0 for those below the row's level
            side = np.where(np.arange(eta.shape[1]) < np.argmax(self.y, axis=1)[:, None], 1.0, -1.0)
            return bool(np.all((side * eta)[self.w > 0.0] > 0.0))
        own = np.where(self.y == 1.0, eta, -np.inf).max(axis=1)
        others = np.where(self.y == 1.0, -np.inf, eta).max(axis=1)
        return bool(np.all((own > others)[self.w > 0.0]))

    def _solve_shared(self, lambdas: Float, settings: Settings) -> Any:
        """One predictor, and a sum of convex terms over single features."""
        o = np.ascontiguousarray(self.offset[:, 0])
        products = self.design.dots(np.ascontiguousarray(self.family.residual(self.y, self.offset, self.w)[:, 0]))
        moments = (self.centre, self.scale, self.mean, self.deviation, products)
        bounds = (self.factor, self.lower, self.upper)
        return _core.solve_paths(
            self.design, self.family.core(self.y), self.family.core_target(self.y), o,
            [(self.w, moments, bounds, 0.0, self.reference, None)], self.l1_ratio, True, lambdas, settings.tol,
            settings.max_iter, 2, 1,
        )[0]  # fmt: skip

    def times(self, raw: Any, which: Any = 0) -> Float:
        """Return X b of one fit, (n, Q), or of all where they have one predictor, (n, L)."""
        rows = range(len(raw["starts"]) - 1) if isinstance(which, slice) else [which]
        columns = []
        for row in rows:
            columns += [self.design.times(np.ascontiguousarray(each)) for each in self.coef(raw, row).T]
        return np.stack(columns, axis=1)

    def _null_result(self, count: int) -> Any:
        zeros = np.zeros(count)
        loss = float(self.w @ self.family.loss(self.y, self.start + self.offset))
        return {
            "intercept": np.tile(self.start, (count, 1)),
            "starts": np.zeros(count + 1, dtype=np.int64),
            "columns": np.zeros(0, dtype=np.int64),
            "values": np.zeros(0),
            "gap": zeros,
            "kkt": zeros,
            "loss": np.full(count, loss),
            "status": np.zeros(count, dtype=np.int32),
            "n_iter": np.zeros(count, dtype=np.int64),
        }


def _symmetric(problem: SeveralProblem, lambdas: Float, raw: _core.BlockResult) -> Any:
    """Give what isn't penalised the sum 0 over classes, where adding the same to all classes changes nothing."""
    if problem.family.name != "multinomial":
        return raw
    if problem.fit_intercept:
        raw["intercept"] = raw["intercept"] - raw["intercept"].mean(axis=1, keepdims=True)
    free = (problem.factor == 0.0) & np.isinf(problem.lower) & np.isinf(problem.upper)
    every = np.isinf(problem.lower) & np.isinf(problem.upper) & np.isfinite(problem.factor)
    if not free.any() and lambdas[-1] > 0.0:
        return raw
    starts, columns, values = [0], [], []
    for row, lam in enumerate(lambdas):
        square, which = problem.coef(raw, row), every if lam == 0.0 else free
        square[which] -= square[which].mean(axis=1, keepdims=True)
        b = square.ravel()
        columns.append(np.flatnonzero(b))
        values.append(b[columns[-1]])
        starts.append(starts[-1] + columns[-1].size)
    raw["starts"] = np.array(starts, dtype=np.int64)
    raw["columns"], raw["values"] = np.concatenate(columns), np.concatenate(values)
    return raw


def _check_arguments(family: SeveralFamily, penalty: Penalty, p: int, *, fit_intercept: bool) -> None:
    kind = penalty.kind
    if family.shared and not fit_intercept:
        raise InputError(f"the thresholds of the {family.name} family are always fitted: fit_intercept must be True")
    if family.shared:  # groups are as for one predictor
        penalty.check_groups(p)
        return
    bounded: Sequence[bool] = [bool(np.isfinite(bound).any()) for bound in (penalty.lower, penalty.upper)]
    if any(bounded) and kind.grouped:
        raise InputError("bounds can't be combined with a penalty of groups: use penalty='elastic_net', or no bounds")
