"""The linear model of several classes, ordered classes or responses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError
from bridle.model_io.base import Meta, TableModel
from bridle.model_io.tables import to_table
from bridle.several import SeveralFamily

if TYPE_CHECKING:
    import polars

    from bridle.design import Design, Encoder
    from bridle.model_io.explain_several import SeveralExplanation

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class SeveralModel(TableModel):
    r"""A model with several linear predictors on the columns of a table.

    .. math:: \eta_{ik} = o_i + b_{0k} + x_i'b_k

    Multinomial: the probabilities are the softmax of eta over the classes. Ordinal: one b for all steps k between the
    levels, and eta_k is the log odds of exceeding level k. Multigaussian: eta_k is the mean of response k.

    Parameters
    ----------
    encoder
        Turns a table into design columns as in training.
    family
        "multinomial", "ordinal" or "multigaussian".
    target
        Name of the predicted column, or names with commas.
    outputs : (K,)
        Labels of the classes, lowest first if they are ordered, or names of the responses.
    intercept : (M,)
        b0; M is K, or K - 1 for ordered classes.
    coef : (p, K) or (p,)
        b, original scale; one column where all steps share it.
    reference : (p,)
        Means of the training design columns: the "average row" of :meth:`explain`.
    meta
        Where the model comes from.
    offset
        Name of the table column added to the linear predictors; empty for none.
    reference_offset
        Mean of that column in training.
    """

    encoder: Encoder
    family: str
    target: str
    outputs: tuple[str, ...]
    intercept: Float
    coef: Float
    reference: Float
    meta: Meta = field(default_factory=Meta)
    offset: str = ""
    reference_offset: float = 0.0

    kind: ClassVar[str] = "several linear"

    def __post_init__(self) -> None:
        family = self.loss
        if not isinstance(family, SeveralFamily):
            raise InputError(f"family {self.family!r} has one linear predictor; expected one with several")
        k, p = len(self.outputs), len(self.encoder.feature_names)
        if k < 2 or len(set(self.outputs)) < k:
            raise InputError(f"the outputs are {self.outputs!r}; expected two or more distinct names")
        if self.offset and not family.takes_offset:
            raise InputError(f"an offset changes nothing in a {self.family} model, and {self.offset!r} is given as one")
        shared = family.shared
        for name, shape in (("intercept", (k - shared,)), ("coef", (p,) if shared else (p, k))):
            values = np.array(getattr(self, name), dtype=np.float64)
            if values.shape != shape or not np.isfinite(values).all():
                raise InputError(f"{name} has shape {values.shape}; expected {shape}, all of them finite")
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if shared and np.any(np.diff(self.intercept) >= 0.0):
            raise InputError(f"the thresholds are out of order: intercepts {self.intercept.tolist()} must fall")
        self._check()

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Labels of the classes; none for responses."""
        return self.outputs if self.loss.has_classes else ()

    @property
    def n_labels(self) -> int:  # noqa: D102
        return len(self.outputs) if self.loss.has_classes else 0

    @property
    def used(self) -> NDArray[np.bool_]:  # noqa: D102
        return np.asarray(self.coef != 0.0 if self.coef.ndim == 1 else (self.coef != 0.0).any(axis=1))

    @property
    def outline(self) -> str:  # noqa: D102
        what = "classes" if self.loss.has_classes else "responses"
        return f"{np.count_nonzero(self.used)} of {len(self.coef)} features for {len(self.outputs)} {what}"

    def predict_mean(self, table: Any) -> Float:
        """(n, K) probabilities of the classes, or means of the responses, in the order of :attr:`outputs`."""
        return self.loss.mean(self.linear_predictor(table))

    def predict_proba(self, table: Any) -> Float:
        """(n, K) probabilities of the classes, in the order of :attr:`classes`.

        Raises
        ------
        InputError
            The model isn't a classifier.
        """
        if not self.loss.has_classes:
            raise InputError(f"a {self.family} model has no class probabilities; use predict or predict_mean")
        return self.predict_mean(table)

    def predict(self, table: Any) -> NDArray[Any]:
        """(n,) labels of the likeliest classes, or (n, K) means of the responses."""
        return self._labels(self.predict_mean(table))

    def predict_batch(self, table: Any, std: bool = False) -> tuple[polars.DataFrame, Design]:
        """Give the label and ``probability_<class>`` of each class, or ``prediction_<response>`` of each; the design.

        Parameters
        ----------
        table
            Anything that bridle reads.
        std
            Refused: a linear model knows no standard deviation of a prediction.
        """
        import polars

        frame = to_table(table)
        eta, design = self._link(frame)
        mean, columns = self.loss.mean(eta), {}
        if self.classes:
            columns["prediction"] = self._labels(mean)
        what = "probability" if self.classes else "prediction"
        columns |= {f"{what}_{name}": mean[:, k] for k, name in enumerate(self.outputs)}
        if std:
            columns["std"] = self._spread(design.matrix, self._offsets(frame))
        return polars.DataFrame(columns), design

    def explain(self, row: Any, reference: Any = "mean") -> SeveralExplanation:  # type: ignore[override]
        """Split one prediction into what each column contributes to each class or response against a reference.

        Parameters
        ----------
        row
            One row: a mapping, or a table of one row.
        reference
            "mean" for the average training row, or another row.
        """
        from bridle.model_io.explain_several import explain

        return explain(self, row, reference)

    def split(self, x: Float, r: Float) -> tuple[Any, Float]:
        """Give f(r) (M,) and contributions (q, K), or (q,) of a shared predictor, that add up to f(x) - f(r)."""
        coef = self.coef[self.needed[1]]
        change = x - r
        return self.intercept + r @ coef, coef * (change if coef.ndim == 1 else change[:, None])

    def _predictor(self, matrix: Any) -> Float:
        eta = np.asarray(matrix @ self.coef[self.needed[1]], dtype=np.float64)
        return (eta[:, None] if eta.ndim == 1 else eta) + self.intercept

    def _link(self, table: Any) -> tuple[Float, Design]:
        design = self.needed[0].transform(table)
        eta, offset = self._predictor(design.matrix), self._offsets(table)
        return eta if offset is None else eta + offset[:, None], design

    def _spread(self, matrix: Any, offset: Float | None) -> Float:
        raise InputError(
            f"a standard deviation of each prediction comes from Monte-Carlo dropout, and this is a linear model "
            f"({self.meta.label or self.meta.name or self.kind}); leave std out, or save a network with dropout"
        )

    def _labels(self, mean: Float) -> NDArray[Any]:
        return np.asarray(self.classes)[np.argmax(mean, axis=1)] if self.classes else mean
