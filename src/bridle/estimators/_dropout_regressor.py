"""DropoutRegressor: a multi-layer perceptron with dropout for numbers and counts."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from bridle.errors import InputError
from bridle.estimators._base import check_training_data, one_column
from bridle.estimators._checks import check_choice
from bridle.estimators._dropout import DropoutNetwork, Sample, weigh
from bridle.losses import get_family

Float = NDArray[np.float64]


class DropoutRegressor(RegressorMixin, DropoutNetwork):  # type: ignore[misc]
    r"""Predict numbers or counts with a multi-layer perceptron that is trained with dropout.

    .. math:: \min_\theta \; \mathrm{E}_m \sum_i w_i \, \mathrm{loss}(y_i, f_\theta(x_i; m_i))
              + \text{penalties on the weights of } \theta

    m are the masks of dropout, drawn anew at every step: each hidden unit is left out with probability ``dropout``,
    each feature with probability ``input_dropout``. The loss is squared error, or for ``family="poisson"`` the
    negative log-likelihood of counts with a log link. Features are standardised inside, and a gaussian target too.
    Training needs PyTorch (``pip install 'bridle[nn]'``); a fitted model is NumPy, and predicts and unpickles
    without it.

    Parameters
    ----------
    hidden : int or tuple of int, default=(64, 64)
        Units of each hidden layer; () is a linear model.
    dropout : float, default=0.5
        Share of hidden units left out at every training step, from 0 to below 1.
    input_dropout : float, default=0.0
        Share of features left out at every training step.
    activation : {"relu", "tanh", "gelu"}, default="relu"
        After every hidden layer.
    normalization : {None, "batch", "layer"}, default=None
        Before every activation.
    l1 : float, default=0.0
        L1 penalty on all weights, by a proximal step: exact zeros.
    l2 : float, default=1.0
        L2 penalty on all weights, decoupled from Adam's scaling.
    group_l1 : float, default=0.0
        Group lasso over the first layer's weights of each feature: a feature goes out as a whole.
    learning_rate : float, default=2e-3
        Of Adam.
    batch_size : int, "auto" or None, default=None
        Rows of a step; "auto" and None are about a sixteenth of the training rows, between 32 and 512.
    max_epochs : int, default=200
        Passes over the training rows at most.
    early_stopping : bool, default=True
        Whether rows are set aside to decide when to stop; else training runs for ``max_epochs``.
    validation_fraction : float, default=0.15
        Share of the rows set aside.
    patience : int, default=15
        Epochs without a better validation loss after which training stops; the best weights are kept.
    tol : float, default=1e-4
        Relative gain of the validation loss that counts as better.
    device : str, default="auto"
        "cpu", "cuda", "cuda:1"; "auto" is a CUDA device where there is one.
    random_state : int, RandomState, Generator or None, default=None
        Seed of initial weights, minibatches, masks and rows set aside. An int makes the fit reproducible on a CPU.
    verbose : bool, default=False
        Whether to show a progress bar on a terminal's standard error.
    family : {"gaussian", "poisson"}, default="gaussian"
        Of the target: numbers, or counts.

    Attributes
    ----------
    network_ : bridle.nets.Network
        The trained network, in NumPy.
    history_ : bridle.nets.history.TrainingHistory
        Loss by epoch, and why training ended.
    n_epochs_ : int
        Epochs trained.
    best_epoch_ : int
        The epoch, counted from 1, whose weights are kept.
    selected_features_ : (p,) of bool
        Whether a feature has any weight other than 0 in the first layer; ``group_l1`` takes features out.
    noise_ : float
        Gaussian only: standard deviation of y around its prediction, on the rows set aside (without early stopping on
        those trained on, which is too small; from DropoutPathCV on the held-out rows of all folds).
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (p,)
        Names of the features, where X has them.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014), Dropout: a simple way to prevent neural networks
    from overfitting, Journal of Machine Learning Research 15.
    Gal, Ghahramani (2016), Dropout as a Bayesian approximation, ICML.
    """

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
        family: str = "gaussian",
    ) -> None:
        super().__init__(
            hidden,
            dropout,
            input_dropout=input_dropout,
            activation=activation,
            normalization=normalization,
            l1=l1,
            l2=l2,
            group_l1=group_l1,
            learning_rate=learning_rate,
            batch_size=batch_size,
            max_epochs=max_epochs,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            tol=tol,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
        self.family = family

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Numbers; at least 0 where ``family="poisson"``.
        sample_weight : (n,), optional
            Weights of the rows; their sum doesn't matter, and rows of weight 0 are as good as absent.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data or the weights can't be used, or y is constant.
        ConvergenceError
            Training diverged.
        MissingExtraError
            PyTorch isn't installed.
        """
        self._settings()
        sample = self._sample(X, y, sample_weight)
        self._train(sample, self._family)
        return self

    @property
    def _family(self) -> str:
        return self.family

    def _sample(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None) -> Sample:
        """Validate the data, and return the rows that count."""
        check_choice(self, "family", ("gaussian", "poisson"))
        X, y = check_training_data(self, X, y)
        target = one_column(y)
        get_family(self.family).check_target(target)
        sample = weigh(X, target, sample_weight)
        if np.ptp(sample.y) == 0.0:
            raise InputError(
                f"y is always {sample.y[0]:g} (n_samples={len(sample.y)}): with one value there is nothing to learn; "
                "give rows with other values, and a weight above 0"
            )
        return sample

    def predict(self, X: Any, return_std: bool = False, n_samples: int = 100) -> Any:
        """Return the mean of each row's target.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        return_std : bool, default=False
            Whether to return the standard deviation of a new observation as well: the spread of the mean over
            networks with dropout left on, and the noise around it (``noise_``; of a count, its mean). This is
            Monte-Carlo dropout (Gal and Ghahramani 2016).
        n_samples : int, default=100
            Networks drawn for it.

        Returns
        -------
        (n,), or two of them
        """
        X = self._validated(X)
        mean = self.network_.predict_mean(X)
        if not return_std:
            return mean
        if self.network_.family == "gaussian":
            return mean, self._spread(X, n_samples, noise=True)
        return mean, np.sqrt(self._spread(X, n_samples) ** 2 + mean)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.family == "poisson"
        return tags
