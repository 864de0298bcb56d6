"""What the dropout networks share: parameters to settings, one training by the engine, and Monte-Carlo dropout."""

from __future__ import annotations

import numbers
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from bridle.errors import BridleWarning, ConvergenceError, InputError
from bridle.estimators._checks import check_flags, check_weight, refuse
from bridle.estimators._dropout_progress import progress_bar
from bridle.nets.engine import Rows, Task, Trained, split_validation, train
from bridle.nets.history import TrainingHistory
from bridle.nets.network import Network
from bridle.nets.settings import Architecture, Training, check_rate

Float = NDArray[np.float64]

LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Settings:
    """The parameters of a dropout network, checked, in the words of ``bridle.nets``."""

    architecture: Architecture
    training: Training
    rate: float


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows that count: those of weight 0 are gone, and the others' weights have mean 1."""

    X: Any  # (n, p) dense or sparse
    y: Float  # (n,) numbers, or codes of the classes
    weight: Float | None  # (n,)
    kept: NDArray[np.intp] | None  # (n,) their row numbers in the data given; None where all are kept


def weigh(X: Any, y: Float, sample_weight: ArrayLike | None) -> Sample:
    """Leave rows of weight 0 out, so that they can't touch the minibatches nor the rows set aside for validation."""
    w = check_weight(sample_weight, len(y))
    if w is None:
        return Sample(X, y, None, None)
    kept = np.flatnonzero(w > 0.0)
    w = w[kept] / w[kept].mean()
    if len(kept) == len(y):
        return Sample(X, y, w, None)
    rows = X.tocsr() if hasattr(X, "tocsr") else X
    return Sample(rows[kept], y[kept], w, kept)


def seed_of(random_state: Any) -> int:
    """Return the seed that ``random_state`` means; None is a new one each time."""
    if random_state is None:
        return int(np.random.default_rng().integers(LARGEST_SEED))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(LARGEST_SEED))
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    return int(check_random_state(random_state).randint(LARGEST_SEED))


class DropoutNetwork(BaseEstimator):  # type: ignore[misc]
    """A multi-layer perceptron with dropout: what its two classes, of labels and of numbers, have in common."""

    network_: Network
    history_: TrainingHistory

    def __init__(
        self,
        hidden: Any = (64, 64),
        dropout: float = 0.5,
        *,
        input_dropout: float = 0.0,
        activation: str = "relu",
        normalization: str | None = None,
        l1: float = 0.0,
        l2: float = 1.0,
        group_l1: float = 0.0,
        learning_rate: float = 2e-3,
        batch_size: int | str | None = None,
        max_epochs: int = 200,
        early_stopping: bool = True,
        validation_fraction: float = 0.15,
        patience: int = 15,
        tol: float = 1e-4,
        device: str = "auto",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.activation = activation
        self.normalization = normalization
        self.l1 = l1
        self.l2 = l2
        self.group_l1 = group_l1
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.tol = tol
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _settings(self) -> Settings:
        """Return the parameters checked.

        Raises
        ------
        InputError
            One of them is outside its range.
        """
        check_flags(self, "early_stopping", "verbose")
        several = isinstance(self.hidden, list | tuple | np.ndarray)
        hidden = tuple(self.hidden) if several else (self.hidden,)
        size: Any = self.batch_size  # what is neither a number nor "auto" is refused by Training
        architecture = Architecture(hidden, self.activation, self.normalization)
        training = Training(
            learning_rate=self.learning_rate,
            batch_size=None if isinstance(size, str) and size == "auto" else size,
            max_epochs=self.max_epochs,
            patience=self.patience,
            tol=self.tol,
            l1=self.l1,
            l2=self.l2,
            group_l1=self.group_l1,
            input_dropout=self.input_dropout,
            early_stopping=self.early_stopping,
            validation_fraction=self.validation_fraction,
        )
        if self.normalization == "batch" and training.batch_size == 1:
            raise refuse(self, "batch_size", 1, "at least 2 where normalization='batch': one row has no spread")
        return Settings(architecture, training, check_rate("dropout", self.dropout))

    def _train(self, sample: Sample, family: str, n_classes: int = 1) -> None:
        """Train one network on the rows that count, and set the fitted attributes."""
        settings, seed = self._settings(), seed_of(self.random_state)
        everything = np.arange(len(sample.y))
        training, validation = everything, everything[:0]
        if self.early_stopping:
            training, validation = split_validation(
                sample.y, everything, family=family, fraction=settings.training.validation_fraction, seed=seed
            )
        with progress_bar("training", bool(self.verbose)) as progress:
            ((trained,),) = train(
                Rows(sample.X, sample.y, sample.weight),
                [Task(training, validation, seed, track=True)],
                [settings.rate],
                settings.architecture,
                settings.training,
                family=family,
                n_classes=n_classes,
                device=self.device,
                progress=progress,
            )
        self._keep(trained, seed, depth=4)

    def _keep(self, trained: Trained, seed: int, *, depth: int = 3) -> None:
        """Set the fitted attributes, unless training went astray; ``depth`` is how far away the caller of fit is."""
        name = type(self).__name__
        network = trained.network
        if network is None or trained.status == "diverged":
            raise ConvergenceError(
                f"{name}: training diverged, its loss is far above that of no model or no longer a number. Lower "
                f"learning_rate (now {self.learning_rate:g}), or bring features of extreme size to a common scale first"
            )
        if trained.status == "interrupted":
            warnings.warn(
                f"{name}: training was interrupted after {len(trained.history.train)} epochs; the best network so far "
                f"(epoch {trained.history.best_epoch}) is kept",
                BridleWarning,
                stacklevel=depth,
            )
        self.network_, self.history_ = network, trained.history
        self.n_epochs_, self.best_epoch_ = len(trained.history.train), trained.history.best_epoch
        self.selected_features_ = network.used
        self.__dict__.pop("noise_", None)  # of an earlier fit with another family
        if network.family == "gaussian":
            self.noise_ = network.noise
        self._seed = seed

    # Prediction -------------------------------------------------------------------------------------------------

    def _validated(self, X: Any) -> Any:
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32], reset=False)

    def _spread(self, X: Any, n_samples: Any, *, noise: bool = False) -> Float:
        """(n,) or (n, k) standard deviation over networks with dropout left on, ``n_samples`` of them.

        The draws come from the seed of the fit, so that the same rows have the same answer each time.
        """
        if isinstance(n_samples, bool) or not isinstance(n_samples, numbers.Integral) or n_samples < 2:
            raise InputError(f"n_samples must be a whole number >= 2, one per draw of dropout; got {n_samples!r}")
        return self.network_.predictive_std(X, int(n_samples), self._seed, noise=noise)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
