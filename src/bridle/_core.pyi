"""Types of the compiled core (src/bind); shapes in comments, n rows, p columns, L lambdas."""

from collections.abc import Callable
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

_Float = NDArray[np.float64]
_Index = NDArray[np.int64]

_Moments = tuple[_Float, _Float, _Float, _Float, _Float]  # centre, scale, mean, deviation, X'r of the null model
_Penalties = tuple[_Float, _Float, _Float]  # factor, lower, upper
_OwnProblem = tuple[_Float, _Moments, _Penalties, float, float, "Summary | None"]  # w (n,), then (p,), start, reference

class Design:
    @property
    def shape(self) -> tuple[int, int]: ...
    def dots(self, v: _Float) -> _Float: ...  # X'v (p,)
    def times(self, b: _Float) -> _Float: ...  # X b (n,)
    def squares(self, w: _Float, shift: _Float) -> _Float: ...  # sum_i w_i (x_ij - shift_j)^2 (p,)
    def survey(
        self, w: _Float, v: _Float
    ) -> tuple[_Float, _Float, _Float]: ...  # (m, n): X'w, squares about it, X'v (m, p)

class Loss:  # of a family; see src/core/losses.hpp
    # value, residual, curvature, saturated, gap of scaling by s, what the solver takes for it, the first three together
    def probe(
        self, y: _Float, w: _Float, eta: _Float, s: float
    ) -> tuple[float, _Float, _Float, float, float, float, tuple[float, _Float, _Float]]: ...

class PythonLoss(Loss):  # asks a function, ask(what, *arrays) -> (n,), for what a family says
    def __init__(self, ask: Callable[..., _Float]) -> None: ...

class Cox(Loss):  # K distinct times of events, by stratum and time
    def values(self, w: _Float, eta: _Float) -> _Float: ...  # (n,), (L, n) -> (L,)
    def derivatives(self, w: _Float, eta: _Float) -> tuple[_Float, _Float]: ...  # residual, curvature (n,)
    def curvature_times(self, w: _Float, eta: _Float, x: _Float) -> _Float: ...  # second derivatives times x (n,)
    def saturated(self, w: _Float) -> float: ...
    def scaling_gap(self, w: _Float, eta: _Float, s: float) -> float: ...
    def increments(self, w: _Float, eta: _Float) -> tuple[_Float, _Float]: ...  # hazard, scale (K,)

class Moments:
    def add(self, other: Moments) -> None: ...
    def summary(self, which: NDArray[np.int32]) -> Summary: ...  # of the rows of some cells together

class Summary:  # of rows, under weights that sum to 1
    weight: float
    y_mean: float
    y_variance: float
    cancellation: float  # largest mean square about the provisional centre, over the variance
    mean: _Float  # (p,)
    deviation: _Float  # (p,)
    slope: _Float  # (p,) covariance with y

class PathResult(TypedDict):
    intercept: _Float  # (L,)
    starts: _Index  # (L + 1,)
    columns: _Index  # (nnz,)
    values: _Float  # (nnz,) on the original scale
    gap: _Float  # (L,)
    kkt: _Float  # (L,)
    loss: _Float  # (L,)
    status: NDArray[np.int32]  # (L,)
    n_iter: _Index  # (L,)

class BlockResult(TypedDict):  # as PathResult, with K predictors; see src/core/block_problem.hpp
    intercept: _Float  # (L, K)
    starts: _Index  # (L + 1,)
    columns: _Index  # (nnz,) of coefficients: feature * K + predictor
    values: _Float  # (nnz,) on the original scale
    gap: _Float  # (L,) for concave penalties kkt
    kkt: _Float  # (L,)
    loss: _Float  # (L,)
    status: NDArray[np.int32]  # (L,)
    n_iter: _Index  # (L,)
    slope: float  # largest slope of penalised coefficients in the null model

class FoldResult(PathResult):
    test_loss: _Float  # (L,) mean squared error of the rows held out
    test_rounding: float  # largest share of it that may be rounding

def instruction_set() -> str: ...  # that the loops run with, chosen when the module is loaded
def dense(x: NDArray[np.float64] | NDArray[np.float32]) -> Design: ...
def sparse(
    data: NDArray[np.float64] | NDArray[np.float32],
    indices: NDArray[np.int32] | NDArray[np.int64],
    starts: NDArray[np.int32] | NDArray[np.int64],
    rows: int,
) -> Design: ...
def concordance(
    rows: _Float, rank: _Index, w: _Float, ranks: int
) -> tuple[float, float, float]: ...  # weights of pairs whose survivor has a lower, an equal, any rank
def cox(rows: _Float, efron: bool) -> Cox: ...  # (n, 4): start, time, event, stratum
def loss(family: str, parameters: list[float]) -> Loss: ...
def solve_paths(
    design: Design,
    loss: Loss,
    y: _Float,
    offset: _Float,
    problems: list[_OwnProblem],  # all of the same rows and columns
    l1_ratio: float,
    intercept: bool,
    lambdas: _Float,
    tol: float,
    max_iter: int,
    mode: int,
    threads: int,
) -> list[PathResult]: ...
def ordinal_loss(levels: _Float, classes: int) -> Loss: ...  # levels (n,) from 0 to classes - 1
def solve_blocks(
    design: Design,
    loss: Loss,
    y: _Float,  # (n,) or as the loss takes it, by columns
    offset: _Float,  # (n,) or (n, K) by columns
    w: _Float,
    centre: _Float,
    scale: _Float,
    penalty: tuple[str, float],  # kind, gamma
    groups: tuple[_Index, _Index],  # starts (G + 1,), features
    factor: _Float,  # (p,) alike within a group, or inf
    joint: bool,  # whether norms run over the predictors too
    lower: _Float,
    upper: _Float,
    l1_ratio: float,
    l1_share: float,
    intercept: bool,
    start: _Float,  # (K,)
    reference: float,
    lambdas: _Float,
    tol: float,
    max_iter: int,
    summary: Summary | None = None,  # gaussian, one predictor: moments, so that rows needn't be read
) -> BlockResult: ...
def provisional_centre(design: Design) -> _Float: ...  # (p,) mean of some rows
def moments(
    design: Design,
    y: _Float,  # counted from start
    w: _Float,
    centre: _Float,
    start: float,
    cell: NDArray[np.int32] | None,  # (n,)
    cells: int,
    rows: tuple[int, int],
) -> Moments: ...
def fold_path(
    summary: Summary,
    moments: Moments,
    held: NDArray[np.int32],  # cells of the rows held out
    scale: _Float,
    penalty: tuple[_Float, _Float, _Float],  # factor, lower, upper
    l1_ratio: float,
    intercept: bool,
    lambdas: _Float,
    tol: float,
    max_iter: int,
) -> FoldResult | None: ...  # None where rounding calls for the rows
