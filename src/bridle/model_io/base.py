"""What every fitted model on the columns of a table can do, whatever stands between design row and linear predictor."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
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


class TableModel(ABC):
    r"""A model that predicts and explains tables: :class:`bridle.Model` or :class:`bridle.model_io.NetworkModel`.

    .. math:: \mu_i = g^{-1}(o_i + f(x_i))

    with x the design row that :attr:`encoder` makes of a table row, f what the model has learned and o an optional
    offset. A model of a new kind says what f is, which columns it uses, and how it splits into contributions.
    """

    kind: ClassVar[str]
    encoder: Encoder
    family: str
    target: str
    classes: tuple[str, ...]
    reference: Float  # (p,)
    meta: Meta
    offset: str
    reference_offset: float

    @property
    @abstractmethod
    def used(self) -> NDArray[np.bool_]:
        """(p,) whether a design column can change a prediction."""

    @property
    @abstractmethod
    def outline(self) -> str:
        """The model in half a line: "12 of 30 features", "30 -> 64 -> 64 -> 1, relu"."""

    @abstractmethod
    def split(self, x: Float, r: Float) -> tuple[float, Float]:
        """Give f(r) and contributions (q,) that add up to f(x) - f(r); x and r (q,) are :attr:`needed` features."""

    @abstractmethod
    def _predictor(self, matrix: Any) -> Float:
        """(n,) f of the rows of a matrix (n, q) of :attr:`needed` features."""

    @abstractmethod
    def _spread(self, matrix: Any, offset: Float | None) -> Float:
        """(n,) standard deviations of predictions; refused where the model knows none."""

    @property
    def quantity(self) -> str:
        """What is predicted, in words: "the expected price"."""
        return f"the expected {self.target}"

    @property
    def std_meaning(self) -> str:
        """What a standard deviation of a prediction is, in words; empty where the model knows none."""
        return ""

    @property
    def n_labels(self) -> int:
        """How many classes the family has."""
        return 2 if self.loss.is_classifier else 0

    def _check(self) -> None:
        """Refuse what contradicts itself, and keep what is an array from being changed."""
        self._freeze("reference")
        if not np.isfinite(self.reference_offset):
            raise InputError(f"the mean offset is {self.reference_offset}; expected a number")
        labels = self.n_labels
        if len(self.classes) not in {0, labels}:
            raise InputError(f"a {self.family} model has {labels} classes, got {self.classes!r}")

    def _freeze(self, name: str) -> None:
        p = len(self.encoder.feature_names)
        values = np.array(getattr(self, name), dtype=np.float64)
        if values.shape != (p,) or not np.isfinite(values).all():
            raise InputError(f"{name} has shape {values.shape}; expected ({p},), one finite number per feature")
        values.flags.writeable = False
        object.__setattr__(self, name, values)

    def __repr__(self) -> str:
        name = self.meta.name or self.kind
        objective = f"\n{self.meta.objective}" if self.meta.objective else ""
        return f"<{name} model of {self.target!r} ({self.family}), {self.outline}>{objective}"

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
        return self.encoder.subset(self.used)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Table columns that a prediction needs: those that can change it, and the offset."""
        return (*self.needed[0].columns, *([self.offset] if self.offset else []))

    def linear_predictor(self, table: Any) -> Float:
        """(n,) offset + f(x) for each row of ``table``.

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
        if not self.loss.has_probabilities:
            raise InputError(f"a {self.family} model has no class probabilities; use predict or predict_mean")
        mean = self.predict_mean(table)
        return np.column_stack([1.0 - mean, mean])

    def predict(self, table: Any) -> NDArray[Any]:
        """(n,) class labels of a binomial model (the likelier one), else the mean, as scikit-learn does."""
        return self._labels(self.predict_mean(table))

    def predict_std(self, table: Any) -> Float:
        """(n,) standard deviations of predictions, as far as the model knows them.

        Parameters
        ----------
        table
            Anything that bridle reads.

        Returns
        -------
        ndarray of shape (n,)
            A network with dropout: see :class:`bridle.model_io.NetworkModel`.

        Raises
        ------
        InputError
            The model knows none, or the table can't be used.
        """
        frame = to_table(table)
        design = self.needed[0].transform(frame)
        return self._spread(design.matrix, self._offsets(frame))

    def predict_frame(self, table: Any, std: bool = False) -> polars.DataFrame:
        """Predictions as a table: ``prediction``, and for a binomial model ``probability_<positive class>``.

        Parameters
        ----------
        table
            Anything that bridle reads.
        std
            Whether to add the column ``std``, of :meth:`predict_std`.

        Returns
        -------
        polars.DataFrame
            One row for each row of ``table``.

        Raises
        ------
        InputError
            The table can't be used, or the model knows no standard deviations.
        """
        return self.predict_batch(table, std)[0]

    def predict_batch(self, table: Any, std: bool = False) -> tuple[polars.DataFrame, Design]:
        """Give :meth:`predict_frame` and the design that it came from, which counts missing cells and unseen levels."""
        import polars

        frame = to_table(table)
        eta, design = self._link(frame)
        mean = self.loss.mean(eta)
        columns: dict[str, Any] = {"prediction": self._labels(mean)}
        if self.classes:
            columns[f"probability_{self.classes[1]}"] = mean
        if std:
            columns["std"] = self._spread(design.matrix, self._offsets(frame))
        return polars.DataFrame(columns), design

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
    def load(path: str | os.PathLike[str]) -> TableModel:
        """Read a model file; see :func:`bridle.load`."""
        from bridle.model_io.format import load

        return load(path)

    def _link(self, table: polars.DataFrame | Table) -> tuple[Float, Design]:
        design = self.needed[0].transform(table)
        eta = self._predictor(design.matrix)
        offset = self._offsets(table)
        return eta if offset is None else eta + offset, design

    def _offsets(self, table: polars.DataFrame | Table) -> Float | None:
        return offset_of(table, self.offset) if self.offset else None

    def _labels(self, mean: Float) -> NDArray[Any]:
        if not self.classes:
            return mean
        return np.asarray(self.classes)[(mean > 0.5).astype(np.intp)]
