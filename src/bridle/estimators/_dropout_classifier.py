"""DropoutClassifier: a multi-layer perceptron with dropout for two or more classes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from bridle.errors import InputError
from bridle.estimators._base import one_column
from bridle.estimators._dropout import DropoutNetwork, Sample, weigh

Float = NDArray[np.float64]


class DropoutClassifier(ClassifierMixin, DropoutNetwork):  # type: ignore[misc]
    r"""Classify rows with a multi-layer perceptron that is trained with dropout.

    .. math:: \min_\theta \; \mathrm{E}_m \sum_i w_i \, \mathrm{loss}(y_i, f_\theta(x_i; m_i))
              + \text{penalties on the weights of } \theta

    m are the masks of dropout, drawn anew at every step: each hidden unit is left out with probability ``dropout``,
    each feature with probability ``input_dropout``. The loss is the negative log-likelihood: logistic for two
    classes, multinomial for more. Features are standardised inside. Training needs PyTorch
    (``pip install 'bridle[nn]'``); a fitted model is NumPy, and predicts and unpickles without it.

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
        Share of the rows set aside, of each class.
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

    Attributes
    ----------
    classes_ : (k,)
        Labels of the classes, sorted.
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

    classes_: NDArray[Any]

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        y : (n,)
            Labels of two or more classes, of any type.
        sample_weight : (n,), optional
            Weights of the rows; their sum doesn't matter, and rows of weight 0 are as good as absent.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter, the data or the weights can't be used, or y has one class only.
        ConvergenceError
            Training diverged.
        MissingExtraError
            PyTorch isn't installed.
        """
        self._settings()
        sample = self._sample(X, y, sample_weight)
        self._train(sample, self._family, len(self.classes_))
        return self

    @property
    def _family(self) -> str:
        return "binomial" if len(self.classes_) == 2 else "multinomial"

    def _sample(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None) -> Sample:
        """Validate the data, and return the rows that count with the codes of their classes; sets ``classes_``."""
        X, labels = validate_data(
            self, X, y, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32], accept_large_sparse=False
        )
        check_classification_targets(labels)
        labels = one_column(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        sample = weigh(X, codes.astype(np.float64), sample_weight)
        if len(np.unique(sample.y)) < 2:
            only = str(self.classes_[int(sample.y[0])])
            raise InputError(
                f"y has only one class with a weight above 0, {only!r} (n_samples={len(sample.y)}): a classifier needs "
                "rows of two classes or more"
            )
        return sample

    def decision_function(self, X: Any) -> Float:
        """Return the network's output: the log odds of the second class, or one score for each of several classes.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.

        Returns
        -------
        (n,) or (n, k)
        """
        X = self._validated(X)
        return self.network_.link(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.

        Returns
        -------
        (n,)
        """
        link = self.decision_function(X)
        codes = (link > 0.0).astype(np.intp) if link.ndim == 1 else np.argmax(link, axis=1)
        return np.asarray(self.classes_[codes])

    def predict_proba(self, X: Any, return_std: bool = False, n_samples: int = 100) -> Any:
        """Return the probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.
        return_std : bool, default=False
            Whether to return the spread of the probabilities over networks with dropout left on as well: how unsure
            the network is of them (Monte-Carlo dropout, Gal and Ghahramani 2016).
        n_samples : int, default=100
            Networks drawn for it.

        Returns
        -------
        (n, k), or two of them
        """
        X = self._validated(X)
        link = self.network_.link(X)
        p = np.column_stack([expit(-link), expit(link)]) if link.ndim == 1 else softmax(link, axis=1)
        if not return_std:
            return p
        spread = self._spread(X, n_samples)
        return p, np.column_stack([spread, spread]) if link.ndim == 1 else spread

    def predict_log_proba(self, X: Any) -> Float:
        """Return the logarithms of the probabilities, exact where these round to 0.

        Parameters
        ----------
        X : (n, p) array, data frame or sparse matrix
            Features.

        Returns
        -------
        (n, k)
        """
        link = self.decision_function(X)
        if link.ndim == 1:
            return np.column_stack([log_expit(-link), log_expit(link)])
        return np.asarray(log_softmax(link, axis=1))
