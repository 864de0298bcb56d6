"""What a family is: the unit loss of one row, its derivatives in the linear predictor, its link and its conjugate.

All arrays are (n,) and all functions work element by element. ``eta`` is the linear predictor with the offset in
it, ``mu`` the mean, or what is predicted in its place. The loss is the unit negative log-likelihood less the terms that
don't depend on ``eta``, or, for families without a likelihood, any convex function.

A family is a frozen dataclass whose fields are its parameters. It is named by its ``spec``, ``"poisson"`` or
``"tweedie(power=1.5)"``, which is what options, paths and files hold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle import _core
from bridle.errors import InputError
from bridle.losses.roots import monotone_root, stationary

Float = NDArray[np.float64]

_SIGNS = (
    ("theta", "θ"),
    ("delta", "δ"),
    ("tau", "τ"),
    ("eta", "η"),
    ("y η", "yη"),
    ("1/2 ", "½"),
    ("sum_k ", "Σₖ "),
    ("_k", "ₖ"),
    ("^2", "²"),
    (" - ", " − "),
)


class Family(ABC):
    """One family of losses in a linear predictor.

    A family of your own defines ``name``, ``loss``, ``gradient`` and ``curvature``; everything else has a default.
    """

    name: ClassVar[str]
    loss_name: ClassVar[str] = "mean deviance per row"  # what the mean unit deviance is called in words
    formula: ClassVar[str] = "f(y, eta)"  # the unit loss as it is printed
    has_intercept: ClassVar[bool] = True  # whether an intercept changes the loss
    has_classes: ClassVar[bool] = False  # whether the means are the probabilities of several classes
    several: ClassVar[bool] = False  # whether a row has several linear predictors (bridle.several)
    row_wise: ClassVar[bool] = True  # whether the loss is a sum of terms with one row's predictor in each
    compiled: ClassVar[bool] = False  # whether the core has the loss; else it calls back
    link_name: ClassVar[Literal["identity", "log", "logit"]] = "identity"
    is_classifier: ClassVar[bool] = False  # whether the target is one of two classes
    has_probabilities: ClassVar[bool] = False  # whether the mean is a probability
    predicts_mean: ClassVar[bool] = False  # whether what is predicted is the target's mean
    main_score: ClassVar[str] = "deviance explained"  # what people ask for first
    short_loss: ClassVar[str] = "deviance"  # loss_name, short enough for a column
    least: ClassVar[float] = -np.inf  # below which no target can be
    positive_only: ClassVar[bool] = False  # whether a target of ``least`` itself isn't possible either
    effect_name: ClassVar[str] = "mean"  # what a coefficient of a log or logit link multiplies
    information: ClassVar[Literal["deviance", "profiled", "laplace", "none"]] = "none"
    """How -2 log-likelihood comes from the mean deviance d of N rows, up to a constant: N d; N log d, the dispersion
    being unknown; 2 N log d, of the Laplace distribution; or not at all."""
    settles_to: ClassVar[float] = 0.0  # relative precision of what settle estimates
    _domain: ClassVar[str] = "finite numbers"
    _mean_is_null: ClassVar[bool] = False  # whether the mean of y is the null model's, without an offset

    @property
    def parameters(self) -> dict[str, float | None]:
        """Parameters by name; None where one is to be estimated."""
        return {f.name: getattr(self, f.name) for f in fields(self)} if is_dataclass(self) else {}

    @property
    def spec(self) -> str:
        """Name with the values of the parameters, as :func:`get_family` reads it."""
        given = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items() if value is not None)
        return f"{self.name}({given})" if given else self.name

    @property
    def label(self) -> str:
        """Name and parameters for reading: "negative binomial (theta 1.67)"."""
        given = ", ".join(f"{name} {value:.4g}" for name, value in self.parameters.items() if value is not None)
        plain = self.name.replace("_", " ")
        return f"{plain} ({given})" if given else plain

    @property
    def share_below(self) -> float | None:
        """Share of the rows that should lie below a prediction, where that is what is predicted."""
        return None

    @property
    def pretty_formula(self) -> str:
        """The unit loss in mathematical signs."""
        said = self.formula
        for plain, sign in _SIGNS:
            said = said.replace(plain, sign)
        return said

    @property
    def counts(self) -> bool:
        """Whether the target counts events."""
        return self.effect_name == "count"

    @property
    def has_unit(self) -> bool:
        """Whether the target is a number whose unit changes the loss, as money does."""
        return self.link_name == "identity" and not self.is_classifier

    @property
    def is_settled(self) -> bool:
        """Whether every parameter has a value; else :meth:`settle` has to estimate it."""
        return all(value is not None for value in self.parameters.values())

    def settle(self, y: Float, mu: Float, w: Float) -> Family:
        """Estimate the parameters that have no value.

        Parameters
        ----------
        y, mu, w : (n,)
            Target, means of a fit, and weights that sum to 1.

        Returns
        -------
        Family
            With a value for every parameter.
        """
        return self

    def opening(self, y: Float, w: Float) -> Family:
        """Return a settled family to begin with, before there is a fit.

        Parameters
        ----------
        y, w : (n,)
            Target and weights that sum to 1.

        Returns
        -------
        Family
            With a value for every parameter.
        """
        return self

    def observations(self, y: Any, weight: ArrayLike | None) -> tuple[Any, ArrayLike | None]:
        """Return target and weights with one number a row, if a row may be given by more than one.

        Parameters
        ----------
        y : array
            As the user has given it.
        weight : (n,) or None
            As the user has given them.

        Returns
        -------
        tuple
            Target, and weights.
        """
        return y, weight

    def target(self, y: ArrayLike, n: int) -> Float:
        """Return a target as the family's functions take it, checked.

        Parameters
        ----------
        y : (n,)
            As the user has given it.
        n : int
            Number of rows of X.

        Returns
        -------
        array of float64 with n rows
            (n,), unless a family needs more than one number a row.

        Raises
        ------
        InputError
            Other shapes, what aren't numbers, and values that the family can't have.
        """
        values = row_values(y, n, "y")
        self.check_target(values)
        return values

    def core(self, target: Float) -> _core.Loss:
        """Return the compiled loss for a target (of :meth:`target`); one defined in Python is called back."""
        if not self.compiled:
            return _core.PythonLoss(self._answer)
        return _core.loss(self.name, [self._value(name) for name in self.parameters])

    def _answer(self, what: str, *arrays: Float) -> Float:
        """Return what the core asks for, as it can read it."""
        values = np.asarray(getattr(self, what)(*arrays), dtype=np.float64)
        return np.ascontiguousarray(np.broadcast_to(values, arrays[0].shape))

    def mean_deviance(self, y: Float, eta: Float, w: Float | None = None) -> Float:
        """Return the weighted mean unit deviance at several predictors, finite where the loss is.

        Parameters
        ----------
        y : (n,)
            Target.
        eta : (n, L)
            Linear predictors.
        w : (n,) or None
            Weights of any positive sum.

        Returns
        -------
        (L,)
            2 * (mean loss - mean saturated loss).
        """
        unit = 2.0 * (self.loss(y[:, None], eta) - self.saturated(y)[:, None])
        return np.asarray(np.average(unit, axis=0, weights=w))

    # Sums over rows, the loss as a whole: what a family overrides whose loss isn't row by row. eta, w are (n,). -----

    def total_loss(self, y: Float, eta: Float, w: Float) -> float:
        """Return F(eta) = sum_i w_i loss(y_i, eta_i)."""
        return float(np.sum(w * self.loss(y, eta)))

    def total_saturated(self, y: Float, w: Float) -> float:
        """Return the loss of the model that fits every row exactly, sum_i w_i saturated(y_i)."""
        return float(np.sum(w * self.saturated(y)))

    def excess(self, y: Float, eta: Float, w: Float) -> float:
        """Return how far F(eta) is above the saturated loss; 0 where rounding alone could have made it so much."""
        saturated = self.saturated(y)
        value = float(np.sum(w * (self.loss(y, eta) - saturated)))
        rounding = 1e-14 * float(np.sum(w * np.abs(saturated))) + 1e-28 * float(np.sum(w * y**2))
        return value if value > rounding else 0.0

    def residual(self, y: Float, eta: Float, w: Float) -> Float:
        """Return minus the gradient of F, (n,)."""
        return np.asarray(-w * self.gradient(y, eta))

    def hessian(self, y: Float, eta: Float, w: Float, Z: Float) -> Float:
        """Return the second derivatives of F along the columns of Z (n, q), (q, q)."""
        return np.asarray(Z.T @ ((w * self.curvature(y, eta))[:, None] * Z))

    def fenchel_gap(self, y: Float, eta: Float, fitted: Float, s: float, w: Float) -> float:
        """Return F(eta) + F*(u) - u'eta >= 0, or a bound of it from above; u is s times the gradient at ``fitted``."""
        u = s * self.gradient(y, fitted)
        part = self.loss(y, eta) + self.conjugate_from(y, u, eta) - u * eta
        return float(np.sum(w * np.where(w > 0.0, part, 0.0)))

    def units(self, y: Float, w: Float | None) -> Float:
        """Return what each row counts for where losses are averaged over held-out rows, (n,): its weight."""
        return np.ones(len(y)) if w is None else w

    def held_out_deviance(self, y: Float, eta: Float, held: NDArray[np.bool_], w: Float | None = None) -> Float:
        """Return the mean deviance of held-out rows, by their :meth:`units`.

        Parameters
        ----------
        y : (n,)
            Target of the rows of a fold, those of training among them only where the loss isn't row by row.
        eta : (n, L)
            Their linear predictors from the training rows.
        held : (n,) or slice
            Which of them are held out.
        w : (n,) or None
            Weights.

        Returns
        -------
        (L,)
        """
        return self.mean_deviance(y[held], eta[held], None if w is None else w[held])

    def classes(self, y: Float) -> NDArray[np.int64] | None:
        """Return the class of each row that folds have to balance, (n,), or None if there are none."""
        return None

    def unseen(self, y: Float, w: Float, X: Any) -> NDArray[np.bool_]:
        """Return which columns of X (n, p), sparse or not, the loss can't see beside those that are constant, (p,)."""
        return np.zeros(X.shape[1], dtype=bool)

    def seen(self, y: Float, w: Float, X: Float) -> Float:
        """Return the columns of X (n, p), already centred, less what doesn't change the loss."""
        return X

    def referee(self) -> Family:
        """Return the same family in plain NumPy, for what has to be apart from the core."""
        return self

    @abstractmethod
    def loss(self, y: Float, eta: Float) -> Float:
        """Unit negative log-likelihood at ``eta``."""

    @abstractmethod
    def gradient(self, y: Float, eta: Float) -> Float:
        """First derivative of the loss in ``eta``."""

    @abstractmethod
    def curvature(self, y: Float, eta: Float) -> Float:
        """Second derivative of the loss in ``eta``."""

    def mean(self, eta: Float) -> Float:
        """Inverse link: what is predicted."""
        return eta

    def link(self, mu: Float) -> Float:
        """Linear predictor of a mean."""
        return mu

    def saturated(self, y: Float) -> Float:
        """Least loss of each row; by default found numerically."""
        return -self.conjugate(y, np.zeros_like(y))

    def deviance(self, y: Float, mu: Float) -> Float:
        """Unit deviance 2 * (loss - saturated) from means; +inf where the mean rules the observation out."""
        return 2.0 * (self.loss(y, self.link(mu)) - self.saturated(y))

    def conjugate(self, y: Float, u: Float) -> Float:
        """Convex conjugate sup_eta (u * eta - loss(y, eta)); +inf outside its domain. By default found numerically."""
        return self._maximise(y, u, np.zeros_like(u))

    def conjugate_from(self, y: Float, u: Float, eta: Float) -> Float:
        """Return the conjugate (n,), looked for from ``eta`` on if it is found numerically."""
        found_numerically = type(self).conjugate is Family.conjugate
        return self._maximise(y, u, eta) if found_numerically else self.conjugate(y, u)

    def _maximise(self, y: Float, u: Float, start: Float) -> Float:
        eta, left = stationary(lambda at: self.gradient(y, at) - u, lambda at: self.curvature(y, at), start)
        with np.errstate(over="ignore", invalid="ignore"):
            value = u * eta - self.loss(y, eta)
        return np.where(np.abs(left) <= 1e-6, value, np.inf)

    def unit(self, reference: float) -> float:
        """Return what a ridge penalty that matters is inverse to, for the unit in which y is measured.

        Parameters
        ----------
        reference : float
            Loss of the null model less the saturated loss.

        Returns
        -------
        float
            1 where y has no unit that matters.
        """
        return 1.0

    def information_term(self, deviance: Float, n: float) -> Float:
        """Return -2 log-likelihood of N rows from their mean deviances, up to a constant.

        Parameters
        ----------
        deviance : (L,)
            Mean unit deviances.
        n : float
            Number of rows, or sum of their weights.

        Returns
        -------
        (L,)

        Raises
        ------
        InputError
            The loss isn't that of a likelihood.
        """
        if self.information == "none":
            raise InputError(
                f"information criteria need a likelihood, which the {self.name} family doesn't have: choose min or 1se"
            )
        if self.information == "deviance":
            return n * deviance
        with np.errstate(divide="ignore"):
            return np.asarray((2.0 if self.information == "laplace" else 1.0) * n * np.log(deviance))

    def _outside(self, y: Float) -> NDArray[np.bool_]:
        """Where a target value isn't possible."""
        return y <= self.least if self.positive_only else y < self.least

    def check_target(self, y: Float) -> None:
        """Refuse a target that the family can't have.

        Raises
        ------
        InputError
            Names the first value that is not possible and what would be.
        """
        bad = ~np.isfinite(y) | self._outside(y)
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f"the {self.name} family needs a target of {self._domain}; row {row} has {y[row]:g}. "
                "Choose another family, or correct or leave out these rows."
            )

    def null_predictor(self, y: Float, w: Float, offset: ArrayLike = 0.0) -> float:
        """Intercept of the model with nothing else: a mean's link, or else where the loss's slope is 0.

        Parameters
        ----------
        y, w : (n,)
            Target and weights (any positive sum).
        offset : (n,) or 0
            Added to the intercept.

        Returns
        -------
        float
            The intercept on the link scale; infinite if all means sit at the end of their range.
        """
        o, start = np.asarray(offset, dtype=np.float64), 0.0
        if self._mean_is_null:
            start = float(self.link(np.atleast_1d(np.average(y, weights=w)))[0])
            if not np.isfinite(start) or not np.any(o):
                return start
        elif self.link_name == "identity" and not self.is_classifier:
            start = float(np.average(y, weights=w))
        o = np.broadcast_to(o, y.shape)
        return monotone_root(
            lambda b: float(np.sum(w * self.gradient(y, b + o))),
            lambda b: float(np.sum(w * self.curvature(y, b + o))),
            start - float(np.average(o, weights=w)),
            reach=2.0 if self.link_name != "identity" else max(float(np.std(y)), 1e-9 * abs(start), 1e-300),
        )

    def _set(self, **values: float | None) -> None:
        """Hold parameters as plain numbers, in a frozen dataclass."""
        for name, value in values.items():
            object.__setattr__(self, name, None if value is None else float(value))

    def _value(self, name: str) -> float:
        """Return a parameter that has to have a value by now."""
        value = self.parameters[name]
        if value is None:
            raise InputError(
                f"{self.name} needs a value for {name}, such as {self.name}({name}=1.5), or bridle.settle_family"
            )
        return value


def not_quite_negative(t: Float, size: Float | float) -> Float:
    """Return t with 0 where rounding of a sum of numbers of this size has left a little less."""
    return np.where((t < 0.0) & (t >= -1e-15 * size), 0.0, t)


def row_values(values: ArrayLike, n: int, name: str, *, finite: bool = True) -> Float:
    """Return one number per row, (n,) contiguous.

    Parameters
    ----------
    values : (n,)
        What was given.
    n : int
        Number of rows of X.
    name : str
        What it is called in messages.
    finite : bool
        Whether other numbers are refused.

    Returns
    -------
    (n,)
        float64.

    Raises
    ------
    InputError
        Another shape, not numbers, or not finite.
    """
    try:
        array = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} can't be read as numbers: {error}") from None
    if array.shape != (n,):
        raise InputError(f"{name} has shape {array.shape}; expected one value per row of X, ({n},)")
    if finite and not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array)))
        raise InputError(f"{name} must be finite; row {row} has {array[row]:g}")
    return array
