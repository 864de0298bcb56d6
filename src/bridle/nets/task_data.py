"""The rows of one task as a network sees them: standardised, in single precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bridle.errors import InputError
from bridle.losses import get_family
from bridle.nets.torch_losses import unit_deviance

if TYPE_CHECKING:
    from bridle.nets.row_space import RowSpace
    from bridle.nets.settings import Training

Float = NDArray[np.float64]
Single = NDArray[np.float32]
Index = NDArray[np.int64]

DENSE_BYTES = 1 << 28  # a sparse table that is smaller than this as a dense one is trained on as such
SMALLEST_BATCH, LARGEST_BATCH = 32, 512


@dataclass(frozen=True, eq=False)
class Rows:
    """The table that all tasks take their rows from.

    ``X`` is a (n, p) array, a sparse matrix, or a FoldDesign, whose missing cells are filled from each task's rows. A
    sparse one is scaled but not centred, so that it stays sparse.

    Raises
    ------
    InputError
        There are no features, the parts differ in length, or a weight is negative or not finite.
    """

    X: Any
    y: Float  # (n,); multinomial: codes 0..k-1
    weight: Float | None = None  # (n,)
    offset: Float | None = None  # (n,)

    def __post_init__(self) -> None:
        n, p = self.X.shape
        if p == 0:
            raise InputError("X has no features; a network needs one at least")
        for name, values in (("y", self.y), ("weight", self.weight), ("offset", self.offset)):
            if values is not None and np.shape(values) != (n,):
                raise InputError(f"{name} has shape {np.shape(values)}; expected ({n},), one value per row of X")
        if self.weight is not None and not (np.isfinite(self.weight) & (np.asarray(self.weight) >= 0.0)).all():
            raise InputError("the weights must be finite and not negative; give a row that doesn't count weight 0")

    def matrix(self, rows: Index) -> Any:
        """(n, p) matrix of all rows, filled from ``rows``; a sparse one by rows."""
        X = self.X.for_rows(rows) if hasattr(self.X, "for_rows") else self.X
        return X.tocsr() if sparse.issparse(X) else X


@dataclass(frozen=True, eq=False)
class Task:
    """Rows to train on, rows that decide when to stop (none: train for all epochs), and the seed of all draws."""

    train: Index  # (m,)
    validation: Index  # (v,)
    seed: int
    track: bool = False  # whether to keep the training loss of every epoch


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows: training or validation ones."""

    X: Any  # (m, p) float32 array or csr_array, standardised
    y: Single  # (m,), a gaussian target standardised
    weight: Single  # (m,), mean 1
    base: Single  # (m, k), the link's known part: null model and offset
    saturated: float  # mean unit deviance of links that gave a unit loss of 0

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.y.size)


@dataclass(frozen=True, eq=False)
class TaskData:
    """One task: rows that train, rows that decide when to stop, and how features and target were scaled."""

    train: Part
    validation: Part | None
    mean: Float  # (p,)
    scale: Float  # (p,), 1 for features that don't vary
    varies: NDArray[np.bool_]  # (n_inputs,), inputs that do on the rows that train
    center: Float  # (k,)
    spread: float
    family: str
    null_loss: float  # unit deviance of the null model on the rows that train or on those that decide, the larger
    seed: int
    track: bool
    batch_size: int
    space: RowSpace | None = None  # where the inputs are combinations of the features

    @property
    def n_features(self) -> int:
        """Features, p."""
        return int(self.mean.size)

    @property
    def n_inputs(self) -> int:
        """What the first layer sees: the features, or their combinations."""
        return int(self.varies.size)

    @property
    def n_train(self) -> int:
        """Rows that train."""
        return self.train.n

    @property
    def n_validation(self) -> int:
        """Rows that decide when to stop."""
        return 0 if self.validation is None else self.validation.n

    def deviance(self, part: Part, loss: float) -> float:
        """Mean unit deviance of a part from its mean unit loss, on the target's own scale."""
        return 2.0 * self.spread**2 * loss - part.saturated

    @classmethod
    def make(cls, rows: Rows, task: Task, family: str, outputs: int, training: Training) -> TaskData:
        """Take the rows and check them.

        Raises
        ------
        InputError
            Values that aren't finite, a constant target, fewer than 2 rows to train on, a multinomial target with an
            offset.
        """
        weight = np.ones(rows.y.size) if rows.weight is None else np.asarray(rows.weight, dtype=np.float64)
        fit, held = (r[weight[r] > 0.0] for r in (task.train, task.validation))
        if fit.size < 2:
            raise InputError(
                f"{fit.size} row to train on isn't enough for a network; 2 are the least, hundreds are better"
            )
        X = rows.matrix(np.sort(np.concatenate([task.train, task.validation])))
        y = np.asarray(rows.y, dtype=np.float64)
        offset = np.zeros(y.size) if rows.offset is None else np.asarray(rows.offset, dtype=np.float64)
        _check_offset(offset[np.concatenate([fit, held])], family)
        _check_target(y[np.concatenate([fit, held])], y[fit], family, outputs)
        mean, spread_of = _moments(X[fit], weight[fit])
        varies = spread_of > 0.0
        scale = np.where(varies, spread_of, 1.0)
        center, spread = _target_scale(y[fit], weight[fit], offset[fit], family, outputs)

        def part(chosen: Index) -> Part:
            of = y[chosen]
            base = center + offset[chosen, None]
            if family == "gaussian":
                of, base = (of - offset[chosen] - center[0]) / spread, np.zeros((chosen.size, 1))
            w = weight[chosen] / weight[chosen].mean()
            saturated = _at_zero_loss(y[chosen], family, outputs)
            return Part(
                _standardised(X[chosen], mean, scale, varies), of.astype(np.float32), w.astype(np.float32),
                base.astype(np.float32), float(np.average(saturated, weights=w)),
            )  # fmt: skip

        def null_loss(chosen: Index) -> float:
            links = center + offset[chosen, None]
            unit = unit_deviance(family, y[chosen], links if family == "multinomial" else links[:, 0])
            return float(np.average(unit, weights=weight[chosen]))

        size = training.batch_size or int(2 ** np.round(np.log2(max(fit.size / 16, 1))))
        if training.batch_size is None:
            size = int(np.clip(size, SMALLEST_BATCH, LARGEST_BATCH))
        return cls(
            train=part(fit),
            validation=part(held) if held.size else None,
            mean=mean,
            scale=scale,
            varies=varies,
            center=center,
            spread=spread,
            family=family,
            null_loss=max(null_loss(chosen) for chosen in (fit, held) if chosen.size),
            seed=task.seed,
            track=task.track,
            batch_size=min(size, int(fit.size)),
        )


def _check_offset(offset: Float, family: str) -> None:
    if not np.isfinite(offset).all():
        raise InputError("the offset holds values that aren't finite (NaN or infinite); fill or drop those rows first")
    if family == "multinomial" and offset.any():
        raise InputError("an offset shifts the links of all classes alike, which changes nothing; leave it out")


def _check_target(y: Float, trained: Float, family: str, outputs: int) -> None:
    if family == "multinomial":
        codes = np.unique(y)
        if not np.isin(codes, np.arange(outputs)).all():
            raise InputError(f"a multinomial target needs class codes 0 to {outputs - 1}; got {codes[:10].tolist()}")
    else:
        get_family(family).check_target(y)
    if np.ptp(trained) == 0.0:
        raise InputError(
            f"the target is constant, {trained[0]:g} on every row to train on: there is nothing to learn; check the "
            "target, or give rows on which it varies"
        )


def _moments(X: Any, weight: Float) -> tuple[Float, Float]:
    """(p,) weighted mean (0 for sparse rows, which stay sparse) and standard deviation, 0 for constant features."""
    w = weight / weight.sum()
    if sparse.issparse(X):
        if not np.isfinite(X.data).all():
            raise _not_finite()
        first = np.asarray(X.T @ w, dtype=np.float64)
        second = np.asarray(X.multiply(X).T @ w, dtype=np.float64)
        spread = np.sqrt(np.maximum(second - first**2, 0.0))
        return np.zeros(X.shape[1]), np.where(spread > 1e-7 * np.sqrt(second), spread, 0.0)
    values = np.asarray(X, dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        mean = w @ values
        spread = np.sqrt(w @ (values - mean) ** 2)
    if not (np.isfinite(mean).all() and np.isfinite(spread).all()):
        raise _not_finite()
    return mean, np.where(spread > 1e-12 * np.maximum(np.abs(mean), 1e-300), spread, 0.0)


def _not_finite() -> InputError:
    return InputError("X holds values that aren't finite (NaN or infinite); fill or drop them first")


def _standardised(X: Any, mean: Float, scale: Float, varies: NDArray[np.bool_]) -> Any:
    """(m, p) float32 array or csr_array; features that don't vary are 0."""
    with np.errstate(over="ignore"):  # seen below
        if not sparse.issparse(X):
            values = ((np.asarray(X, dtype=np.float64) - mean) * (varies / scale)).astype(np.float32)
        else:
            values = sparse.csr_array(X.multiply(varies / scale)).astype(np.float32)
            if 4 * X.shape[0] * X.shape[1] <= DENSE_BYTES:
                values = values.toarray()
    if not np.isfinite(values.data if sparse.issparse(values) else values).all():
        raise _not_finite()
    return values if sparse.issparse(values) else np.ascontiguousarray(values)


def _target_scale(y: Float, w: Float, offset: Float, family: str, outputs: int) -> tuple[Float, float]:
    """(k,) links of the null model, kept inside what so many rows support, and the unit of a gaussian target."""
    share = w / w.sum()
    if family == "gaussian":
        residual = y - offset
        center = float(share @ residual)
        with np.errstate(over="ignore"):
            spread = float(np.sqrt(share @ (residual - center) ** 2))
        if not np.isfinite(spread):
            raise InputError("the target is too large to compute its variance; give it in a larger unit")
        return np.array([center]), spread if spread > 0.0 else 1.0
    if family == "multinomial":
        shares = np.bincount(y.astype(np.int64), weights=share, minlength=outputs)
        return np.log(np.maximum(shares, 1.0 / (y.size + 2))), 1.0
    return np.array([get_family(family).null_predictor(y, w, offset)]), 1.0


def _at_zero_loss(y: Float, family: str, outputs: int) -> Float:
    """(m,) what twice the unit loss exceeds the unit deviance by: twice the loss of the saturated model."""
    return np.zeros_like(y) if family == "multinomial" else 2.0 * get_family(family).saturated(y)
