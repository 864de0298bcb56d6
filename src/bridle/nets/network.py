"""A trained multi-layer perceptron in NumPy: what is saved, predicts and explains, with no PyTorch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import softmax

from bridle.errors import InputError
from bridle.losses import get_family
from bridle.nets.passes import Step, forward, reverse
from bridle.problem import one_blas_thread

Float = NDArray[np.float64]
Single = NDArray[np.float32]

BLOCK = 2**20  # numbers in the widest array of a block of rows: 8 MiB
_unmoved = np.errstate(over="ignore", invalid="ignore")  # what is too large for float32 becomes inf, and is seen there


@dataclass(frozen=True, eq=False)
class Layer:
    """z -> z W + b, then layer normalisation where there is one; batch normalisation is folded into W and b."""

    weight: Single  # (inputs, units)
    bias: Single  # (units,)
    gain: Single | None = None  # (units,), of layer normalisation
    shift: Single | None = None  # (units,)

    @property
    def arrays(self) -> tuple[Single, ...]:
        """Those that are there, in the order above."""
        return tuple(a for a in (self.weight, self.bias, self.gain, self.shift) if a is not None)


@dataclass(frozen=True, eq=False)
class Network:
    r"""eta = o + center + spread * f((x - mean) / scale), f the layers; hidden ones end with activation and dropout.

    Dropout is inverted: what is kept is divided by 1 - rate in training, so that nothing changes at prediction
    (Srivastava et al. 2014, section 10). Weights and standardised features are float32, links are summed in float64: a
    row's link doesn't depend on which rows it comes with, and a target with the mean 1e8 and the standard deviation 1
    comes out right. Samples of dropout are summed in float32, for speed. Rows are taken in blocks, so that
    memory beside the answer is bounded; how they are cut changes nothing but the last bits of float32.
    """

    layers: tuple[Layer, ...]  # hidden layers, then the output layer
    activation: str  # "relu", "tanh" or "gelu"
    dropout: float  # rate of hidden units
    input_dropout: float  # rate of standardised features
    family: str  # "gaussian", "binomial", "multinomial" or "poisson"
    mean: Float  # (p,), of the training rows; 0 for sparse input
    scale: Float  # (p,), 1 for constant features
    center: Float  # (k,), added to the output: gaussian the training mean of y, else 0
    spread: float  # multiplies the output: gaussian the training standard deviation of y, else 1
    noise: float = float("nan")  # gaussian: standard deviation of y around its mean on rows not trained on

    @property
    def n_features(self) -> int:
        """Features, p."""
        return int(self.mean.size)

    @property
    def n_outputs(self) -> int:
        """Outputs, k: the classes of a multinomial network, else 1."""
        return int(self.center.size)

    @property
    def n_weights(self) -> int:
        """Numbers that training found: weights, biases, gains and shifts."""
        return sum(a.size for layer in self.layers for a in layer.arrays)

    @property
    def samples(self) -> bool:
        """Whether there is dropout to sample from."""
        return self.input_dropout > 0.0 or (self.dropout > 0.0 and len(self.layers) > 1)

    @property
    def used(self) -> NDArray[np.bool_]:
        """(p,) whether a feature has a weight other than 0: the others change no prediction."""
        return np.asarray((self.layers[0].weight != 0.0).any(axis=1))

    @property
    def outline(self) -> str:
        """The network in one line: "30 -> 64 -> 64 -> 1, relu"."""
        sizes = " -> ".join(map(str, (self.n_features, *(layer.bias.size for layer in self.layers))))
        if len(self.layers) == 1:
            return sizes
        norm = ", layer normalisation" if self.layers[0].gain is not None else ""
        return f"{sizes}, {self.activation}{norm}"

    def take(self, features: NDArray[np.integer[Any]]) -> Network:
        """Return the network for the features at (q,) positions: the same function where the others have no weight."""
        first = replace(self.layers[0], weight=self.layers[0].weight[features])
        return replace(self, layers=(first, *self.layers[1:]), mean=self.mean[features], scale=self.scale[features])

    @_unmoved
    def link(self, X: Any, offset: Float | None = None) -> Float:
        """(n,) linear predictors of the rows of X (n, p), dense or sparse; (n, k) for a multinomial network.

        Parameters
        ----------
        X : (n, p) array or sparse matrix
            Features on their original scale.
        offset : (n,) or (n, k), optional
            Added to the linear predictors; of their shape.

        Returns
        -------
        ndarray of shape (n,) or (n, k)

        Raises
        ------
        InputError
            X or the offset has another shape.
        """
        X = _rows_of(X, self.n_features)
        out = np.empty((X.shape[0], self.n_outputs))
        for rows, Z in self._blocks(X):
            out[rows] = forward(self.layers, self.activation, self._enter(Z.astype(np.float64)))
        return self._leave(out, offset)

    def mean_of(self, link: Float) -> Float:
        """Inverse link, for linear predictors of any shape (multinomial: the classes are the last axis)."""
        if self.family == "multinomial":
            return np.asarray(softmax(link, axis=-1))
        return get_family(self.family).mean(link)

    def predict_mean(self, X: Any, offset: Float | None = None) -> Float:
        """(n,) means: numbers, probabilities or counts; (n, k) probabilities for a multinomial network.

        Parameters and errors are those of :meth:`link`.
        """
        return self.mean_of(self.link(X, offset))

    @_unmoved
    def sample_links(self, X: Any, n_samples: int = 100, seed: int = 0, offset: Float | None = None) -> Float:
        """(S, n) linear predictors of S thinned networks: Monte-Carlo dropout; (S, n, k) for a multinomial network.

        A sample is one network, with features and hidden units dropped at the rates of training, that all rows go
        through: a draw of a function, so that also what is made of several rows (a difference, an average, a curve) has
        its distribution; and a row's answers don't depend on which other rows it came with. Sample s is the same
        whatever the number of samples.

        Parameters
        ----------
        X : (n, p) array or sparse matrix
        n_samples : int
            S.
        seed : int
            Of the masks.
        offset : (n,) or (n, k), optional

        Returns
        -------
        ndarray of shape (S, n) or (S, n, k)

        Raises
        ------
        InputError
            X or the offset has another shape, or there is no sample to draw.

        References
        ----------
        Gal and Ghahramani (2016), Dropout as a Bayesian approximation: representing model uncertainty in deep learning.
        """
        if n_samples < 1:
            raise InputError(f"n_samples must be at least 1; got {n_samples!r}")
        X = _rows_of(X, self.n_features)
        out = np.empty((n_samples, X.shape[0], self.n_outputs))
        for rows, Z in self._blocks(X):
            whole = self._enter(Z)
            for s, (features, units) in enumerate(self._masks(n_samples, seed)):
                a = whole if features is None else self._enter(Z, features)
                out[s, rows] = forward(self.layers, self.activation, a, units)
        return self._leave(out, offset)

    def predictive_std(
        self, X: Any, n_samples: int = 100, seed: int = 0, offset: Float | None = None, *, noise: bool = False
    ) -> Float:
        r"""(n,) standard deviation of the mean over thinned networks; (n, k) for a multinomial network.

        .. math:: s_i^2 = \frac{1}{S - 1} \sum_s (\mu_{si} - \bar\mu_i)^2 \; [\, + \tau^{-1} \,]

        Parameters
        ----------
        X : (n, p) array or sparse matrix
        n_samples : int
            S, at least 2.
        seed : int
            Of the masks.
        offset : (n,) or (n, k), optional
        noise : bool
            Gaussian networks: whether the variance of y around its mean, ``noise ** 2``, is in it. Then it is the
            standard deviation of a new observation, without that of its mean.

        Returns
        -------
        ndarray of shape (n,) or (n, k)

        Raises
        ------
        InputError
            X or the offset has another shape, there are too few samples, or the noise isn't known.

        References
        ----------
        Gal and Ghahramani (2016), as in :meth:`sample_links`; tau is the precision of their equation 7.
        """
        if n_samples < 2:
            raise InputError(f"a standard deviation needs n_samples of at least 2; got {n_samples!r}")
        if noise and not math.isfinite(self.noise):
            raise InputError(
                f"this {self.family} network has no variance of y around its mean; call it with noise=False"
            )
        X = _rows_of(X, self.n_features)
        out = np.empty((X.shape[0], self.n_outputs))
        step = max(1, BLOCK // (n_samples * self.n_outputs))
        for start in range(0, out.shape[0], step):
            rows = slice(start, start + step)
            links = self.sample_links(X[rows], n_samples, seed, None if offset is None else offset[rows])
            out[rows] = self.mean_of(links).std(axis=0, ddof=1).reshape(-1, self.n_outputs)
        if noise:
            out = np.hypot(out, self.noise)
        return out if self.family == "multinomial" else out[:, 0]

    @_unmoved
    def gradient(self, X: Any, output: int = 0) -> Float:
        """(n, p) slopes of a linear predictor in the features, on their original scale: d eta / d x.

        Parameters
        ----------
        X : (n, p) array or sparse matrix
        output : int
            Which class of a multinomial network.

        Returns
        -------
        ndarray of shape (n, p)
            Where a unit of relu is exactly at its corner, the slope is that of the side below, as in PyTorch.

        Raises
        ------
        InputError
            X has another shape, or there is no such output.
        """
        self._check_output(output)
        X = _rows_of(X, self.n_features)
        out = np.empty((X.shape[0], self.n_features))
        for rows, Z in self._blocks(X):
            tape: list[Step] = []
            forward(self.layers, self.activation, self._enter(Z), tape=tape)
            out[rows] = reverse(self.layers, self.activation, tape, output) @ self.layers[0].weight.T
        return out * (self.spread / self.scale)

    def integrated_gradients(self, X: Any, reference: Float, output: int = 0) -> Float:
        r"""(n, p) contributions of the features that add up to link(x) - link(reference).

        .. math:: c_j = (x_j - r_j) \int_0^1 \frac{\partial \eta}{\partial x_j}(r + t (x - r)) dt

        The integral is taken in float64 and refined until the contributions add up to within 1e-4 of what they move
        (exactly for relu without layer normalisation). What is then lacking, mostly the float32 rounding of
        :meth:`link`, goes to each contribution in proportion to its size, so that the sum holds to the last digits. For
        a linear network these are the Shapley values of the linear predictor for independent features.

        Parameters
        ----------
        X : (n, p) array or sparse matrix
        reference : (p,)
            The row that contributions start from.
        output : int
            Which class of a multinomial network.

        Returns
        -------
        ndarray of shape (n, p)

        Raises
        ------
        InputError
            X or the reference has another shape, or there is no such output.

        References
        ----------
        Sundararajan, Taly and Yan (2017), Axiomatic attribution for deep networks.
        """
        from bridle.nets.attributions import completed, path_slope

        self._check_output(output)
        r = np.asarray(reference, dtype=np.float64)
        if r.shape != (self.n_features,):
            raise InputError(f"reference has shape {r.shape}; expected ({self.n_features},), one number per feature")
        X = _rows_of(X, self.n_features)
        total = self.link(X).reshape(-1, self.n_outputs)[:, output]
        base = self.link(r[None, :]).reshape(-1)[output]
        weight = self.layers[0].weight.astype(np.float64)
        start = ((r - self.mean) / self.scale) @ weight + self.layers[0].bias  # (units,)
        out = np.empty((X.shape[0], self.n_features))
        with one_blas_thread:  # many small products: threads would only wait for each other
            for i in range(out.shape[0]):
                way = (_dense(X[i : i + 1])[0] - r) / self.scale  # (p,)
                slope = path_slope(self.layers, self.activation, start, start + way @ weight, output)
                out[i] = completed(self.spread * way * (weight @ slope), float(total[i] - base))
        return out

    def _check_output(self, output: int) -> None:
        if not 0 <= output < self.n_outputs:
            raise InputError(f"there is no output {output}; this network has {self.n_outputs}, counted from 0")

    def _blocks(self, X: Any) -> Iterator[tuple[slice, Any]]:
        """Give standardised rows in float32, some at a time; sparse ones where the means are 0."""
        stays = sparse.issparse(X) and not self.mean.any()
        widest = max(layer.bias.size for layer in self.layers)
        step = max(1, BLOCK // max(widest, 1 if stays else self.n_features))
        for start in range(0, X.shape[0], step):
            rows = slice(start, min(start + step, X.shape[0]))
            block = X[rows]
            if stays:
                values = (block.data / self.scale[block.indices]).astype(np.float32)
                yield rows, sparse.csr_array((values, block.indices, block.indptr), shape=block.shape)
            else:
                yield rows, ((_dense(block) - self.mean) / self.scale).astype(np.float32)

    def _enter(self, Z: Any, mask: Single | None = None) -> Single:
        """(m, units) linear part of the first layer; ``mask`` (p,) are factors of the features."""
        first = self.layers[0]
        weight = first.weight if mask is None else first.weight * mask[:, None]
        return np.asarray(Z @ weight + first.bias)

    def _leave(self, out: Float, offset: Float | None) -> Float:
        """Linear predictors from the last layer's outputs (..., n, k)."""
        eta = self.center + self.spread * out
        if self.family != "multinomial":
            eta = eta[..., 0]
        if offset is None:
            return eta
        o = np.asarray(offset, dtype=np.float64)
        expected = eta.shape[-2:] if self.family == "multinomial" else eta.shape[-1:]
        if o.shape != expected:
            raise InputError(f"offset has shape {o.shape}; expected {expected}, as the linear predictors")
        return eta + o

    def _masks(self, n_samples: int, seed: int) -> Iterator[tuple[Single | None, list[Single] | None]]:
        """Factors of the features (p,) and of each hidden layer's units, sample by sample: 0 or 1 / (1 - rate)."""
        rng = np.random.default_rng(seed)

        def draw(size: int, rate: float) -> Single:
            return (rng.random(size) >= rate).astype(np.float32) / np.float32(1.0 - rate)

        for _ in range(n_samples):
            features = draw(self.n_features, self.input_dropout) if self.input_dropout > 0.0 else None
            hidden = self.layers[:-1] if self.dropout > 0.0 else ()
            yield features, [draw(layer.bias.size, self.dropout) for layer in hidden] if hidden else None


def _rows_of(X: Any, p: int) -> Any:
    """Return X as something that gives rows: a dense array, or a sparse one in CSR."""
    X = sparse.csr_array(X) if sparse.issparse(X) else np.asarray(X)
    if X.ndim != 2 or X.shape[1] != p:
        raise InputError(f"X has shape {X.shape}; expected (n, {p}), one column for each feature of the network")
    return X


def _dense(block: Any) -> Float:
    return np.asarray(block.toarray() if sparse.issparse(block) else block, dtype=np.float64)
