"""A fitted model that predicts and explains tables: preprocessing, original-scale coefficients and their origin."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError
from bridle.losses import Family, get_family
from bridle.model_io.tables import offset_of, to_table

if TYPE_CHECKING:
    import polars

    from bridle.data import Table
    from bridle.design import Design, Encoder
    from bridle.model_io.explain import Explanation

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Meta:
    """Where a model comes from, in plain strings and numbers; nothing here changes a prediction."""

    name: str = ""  # stable name in its study: "lasso"
    label: str = ""  # "Lasso (L1)"
    objective: str = ""  # the objective solved, in one line of mathematics
    parameter: str = "lambda"
    value: float = float("nan")  # the chosen lambda
    l1_ratio: float = float("nan")
    rule: str = ""  # how the value was chosen: "1se"
    verdict: str = ""  # the verdict's label
    sentence: str = ""  # and its sentence
    source: str = ""  # the training file's name
    sha256: str = ""  # of the training data
    n_rows: int = 0  # training rows
    created: str = ""  # ISO 8601, UTC
    versions: dict[str, str] = field(default_factory=dict)  # package -> version


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    r"""A generalised linear model on the columns of a table.

    .. math:: \mu_i = g^{-1}(o_i + b_0 + x_i'b)

    with x the design row that :attr:`encoder` makes of a table row, b on the original scale and o an optional offset.

    Parameters
    ----------
    encoder
        Turns a table into design columns as in training.
    family
        "gaussian", "binomial" or "poisson".
    target
        Name of the predicted column.
    classes
        Binomial: (negative, positive) labels; else empty.
    intercept
        b0.
    coef : (p,)
        b, original scale.
    reference : (p,)
        Means of the training design columns: the "average row" of :meth:`explain`.
    meta
        Where the model comes from.
    offset
        Name of the table column added to the linear predictor; empty for none.
    reference_offset
        Mean of that column in training.
    """

    encoder: Encoder
    family: str
    target: str
    classes: tuple[str, ...]
    intercept: float
    coef: Float
    reference: Float
    meta: Meta = field(default_factory=Meta)
    offset: str = ""
    reference_offset: float = 0.0

    kind: ClassVar[str] = "linear"

    def __post_init__(self) -> None:
        p = len(self.encoder.feature_names)
        for name in ("coef", "reference"):
            values = np.array(getattr(self, name), dtype=np.float64)
            if values.shape != (p,) or not np.isfinite(values).all():
                raise InputError(f"{name} has shape {values.shape}; expected ({p},), one finite number per feature")
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if not np.isfinite([self.intercept, self.reference_offset]).all():
            raise InputError(f"intercept is {self.intercept} and mean offset {self.reference_offset}; expected numbers")
        labels = 2 if self.loss.name == "binomial" else 0
        if len(self.classes) not in {0, labels}:
            raise InputError(f"a {self.family} model has {labels} classes, got {self.classes!r}")

    def __repr__(self) -> str:
        name = self.meta.name or self.kind
        count = f"{np.count_nonzero(self.coef)} of {self.coef.size} features"
        objective = f"\n{self.meta.objective}" if self.meta.objective else ""
        return f"<{name} model of {self.target!r} ({self.family}), {count}>{objective}"

    @property
    def feature_names(self) -> tuple[str, ...]:
        """(p,) names of the design columns."""
        return tuple(self.encoder.feature_names)

    @property
    def loss(self) -> Family:
        """The family's functions."""
        return get_family(self.family)

    @cached_property
    def needed(self) -> tuple[Encoder, NDArray[np.int64]]:
        """Encoder of the columns that can change a prediction, and which features it makes: (q,) positions.

        Only these columns are asked of a table; a lasso that kept 12 of 7,000 columns needs 12.
        """
        source = np.asarray(self.encoder.source_columns, dtype=object)
        used = set(source[self.coef != 0.0])
        kept = np.flatnonzero([column in used for column in source])
        chosen = [k for k, code in enumerate(self.encoder.codes) if code.name in used]
        at = self.encoder.positions
        encoder = replace(
            self.encoder,
            codes=tuple(self.encoder.codes[k] for k in chosen),
            mean=tuple(self.encoder.mean[j] for j in kept),
            scale=tuple(self.encoder.scale[j] for j in kept),
            positions=None if at is None else tuple(at[k] for k in chosen),
        )
        return encoder, kept

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Table columns that a prediction needs: those with a nonzero coefficient, and the offset."""
        return (*self.needed[0].columns, *([self.offset] if self.offset else []))

    def linear_predictor(self, table: Any) -> Float:
        """(n,) offset + b0 + x'b for each row of ``table``.

        Parameters
        ----------
        table
            Anything that bridle reads: a data frame, an Arrow table, an array, a mapping of one row, or a path.

        Raises
        ------
        InputError
            A column is missing or holds something else than in training.
        """
        return self._link(to_table(table))[0]

    def predict_mean(self, table: Any) -> Float:
        """(n,) expected value of the target: a probability, a count or a number."""
        return self.loss.mean(self.linear_predictor(table))

    def predict_proba(self, table: Any) -> Float:
        """(n, 2) probabilities of the classes, in the order of :attr:`classes`.

        Raises
        ------
        InputError
            The model isn't a classifier.
        """
        if self.family != "binomial":
            raise InputError(f"a {self.family} model has no class probabilities; use predict or predict_mean")
        mean = self.predict_mean(table)
        return np.column_stack([1.0 - mean, mean])

    def predict(self, table: Any) -> NDArray[Any]:
        """(n,) class labels of a binomial model (the likelier one), else the mean, as scikit-learn does."""
        return self._labels(self.predict_mean(table))

    def predict_frame(self, table: Any) -> polars.DataFrame:
        """Predictions as a table: ``prediction``, and for a binomial model ``probability_<positive class>``."""
        return self.predict_batch(table)[0]

    def predict_batch(self, table: Any) -> tuple[polars.DataFrame, Design]:
        """Give :meth:`predict_frame` and the design that it came from, which counts missing cells and unseen levels."""
        import polars

        eta, design = self._link(to_table(table))
        mean = self.loss.mean(eta)
        if not self.classes:
            return polars.DataFrame({"prediction": mean}), design
        frame = polars.DataFrame({"prediction": self._labels(mean), f"probability_{self.classes[1]}": mean})
        return frame, design

    def explain(self, row: Any, reference: Any = "mean") -> Explanation:
        """Split one prediction into what each column contributes against a reference.

        Parameters
        ----------
        row
            One row: a mapping, or a table of one row.
        reference
            "mean" for the average training row, or another row.

        Returns
        -------
        Explanation
            On the link scale the contributions add up to prediction minus baseline.
        """
        from bridle.model_io.explain import explain

        return explain(self, row, reference)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to ``path`` (``model.bridle``), whole or not at all, the same bytes for the same model."""
        from bridle.model_io.format import save

        save(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Model:
        """Read a model file; see :func:`bridle.load`."""
        from bridle.model_io.format import load

        return load(path)

    def _link(self, table: polars.DataFrame | Table) -> tuple[Float, Design]:
        encoder, kept = self.needed
        design = encoder.transform(table)
        eta = design.matrix @ self.coef[kept] + self.intercept
        if self.offset:
            eta = eta + offset_of(table, self.offset)
        return np.asarray(eta, dtype=np.float64), design

    def _labels(self, mean: Float) -> NDArray[Any]:
        if not self.classes:
            return mean
        return np.asarray(self.classes)[(mean > 0.5).astype(np.intp)]
