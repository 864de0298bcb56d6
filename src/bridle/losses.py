"""Families: the unit loss of one row, its derivatives in the linear predictor, its link and its conjugate.

All arrays are (n,) and all functions work element by element. ``eta`` is the linear predictor with the offset in
it, ``mu`` the mean. The loss is the unit negative log-likelihood less the terms that don't depend on ``eta``.

A family is a frozen dataclass whose fields are its parameters. It is named by its ``spec``, ``"poisson"`` or
``"tweedie(power=1.5)"``, which is what options, paths and files hold.
"""

from __future__ import annotations

import ast
import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr, expit, logit, xlogy

from bridle import _core
from bridle.errors import InputError

Float = NDArray[np.float64]


class Family(ABC):
    """One family of losses in a linear predictor."""

    name: ClassVar[str]
    loss_name: ClassVar[str]  # what the mean unit deviance is called in words
    formula: ClassVar[str]  # the unit loss as it is printed
    has_intercept: ClassVar[bool] = True  # whether an intercept changes the loss
    has_classes: ClassVar[bool] = False  # whether the means are the probabilities of several classes
    several: ClassVar[bool] = False  # whether a row has several linear predictors (bridle.several)

    @property
    def spec(self) -> str:
        """Name with the values of the parameters, as :func:`get_family` reads it."""
        given = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self))  # type: ignore[arg-type]
        return f"{self.name}({given})" if given else self.name

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
        """Return the compiled loss for a target (of :meth:`target`)."""
        return _core.loss(self.name, [float(getattr(self, f.name)) for f in fields(self)])  # type: ignore[arg-type]

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

    def classes(self, y: Float) -> NDArray[np.int64] | None:
        """Return the class of each row that folds have to balance, (n,), or None if there are none."""
        return None

    @abstractmethod
    def loss(self, y: Float, eta: Float) -> Float:
        """Unit negative log-likelihood at ``eta``."""

    @abstractmethod
    def curvature(self, y: Float, eta: Float) -> Float:
        """Second derivative of the loss in ``eta``."""

    @abstractmethod
    def mean(self, eta: Float) -> Float:
        """Inverse link."""

    @abstractmethod
    def link(self, mu: Float) -> Float:
        """Linear predictor of a mean."""

    @abstractmethod
    def saturated(self, y: Float) -> Float:
        """Loss of the model that fits every row exactly."""

    @abstractmethod
    def deviance(self, y: Float, mu: Float) -> Float:
        """Unit deviance 2 * (loss - saturated) from means; +inf where the mean rules the observation out."""

    @abstractmethod
    def conjugate(self, y: Float, u: Float) -> Float:
        """Convex conjugate sup_eta (u * eta - loss(y, eta)); +inf outside its domain."""

    @abstractmethod
    def _outside(self, y: Float) -> NDArray[np.bool_]:
        """Where a target value isn't possible."""

    _domain: ClassVar[str]

    def gradient(self, y: Float, eta: Float) -> Float:
        """First derivative of the loss in ``eta``: mean(eta) - y, since the link is canonical."""
        return self.mean(eta) - y

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
                f"the {self.name} family needs a target of {self._domain}; row {row} has {y[row]!r}. "
                "Choose another family, or correct or leave out these rows."
            )

    def null_predictor(self, y: Float, w: Float, offset: ArrayLike = 0.0) -> float:
        """Intercept of the model with nothing else, by Newton's method where an offset rules out a closed form.

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
        o = np.broadcast_to(np.asarray(offset, dtype=np.float64), y.shape)
        b = float(self.link(np.atleast_1d(np.average(y, weights=w)))[0])
        if not np.isfinite(b) or not np.any(o):
            return b
        b -= float(np.average(o, weights=w))
        for _ in range(200):
            slope = float(np.sum(w * self.gradient(y, b + o)))
            step = slope / max(float(np.sum(w * self.curvature(y, b + o))), 1e-300)
            b -= float(np.clip(step, -2.0, 2.0))
            if abs(step) <= 1e-14 * max(1.0, abs(b)):
                break
        return b


@dataclass(frozen=True)
class Gaussian(Family):
    """Squared error: 1/2 (y - eta)^2."""

    name: ClassVar[str] = "gaussian"
    loss_name: ClassVar[str] = "mean squared error"
    formula: ClassVar[str] = "1/2 (y - eta)^2"
    _domain: ClassVar[str] = "finite numbers"

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return 0.5 * (y - eta) ** 2

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.ones_like(eta)

    def mean(self, eta: Float) -> Float:  # noqa: D102
        return eta

    def link(self, mu: Float) -> Float:  # noqa: D102
        return mu

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.zeros_like(y)

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        return np.asarray((y - mu) ** 2)

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        return u * (0.5 * u + y)

    def _outside(self, y: Float) -> NDArray[np.bool_]:
        return np.zeros(y.shape, dtype=bool)


@dataclass(frozen=True)
class Binomial(Family):
    """Logistic loss: log(1 + e^eta) - y eta, y in [0, 1] (a class, or a share of successes)."""

    name: ClassVar[str] = "binomial"
    loss_name: ClassVar[str] = "binomial deviance per row"
    formula: ClassVar[str] = "log(1 + e^eta) - y eta"
    _domain: ClassVar[str] = "values from 0 to 1 (classes 0 and 1, or shares)"

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.logaddexp(0.0, eta) - y * eta

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return np.asarray(expit(eta) * expit(-eta))

    def mean(self, eta: Float) -> Float:  # noqa: D102
        return np.asarray(expit(eta))

    def link(self, mu: Float) -> Float:  # noqa: D102
        return np.asarray(logit(mu))

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.asarray(entr(y) + entr(1.0 - y))

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore"):
            return np.asarray(2.0 * (-xlogy(y, mu) - xlogy(1.0 - y, 1.0 - mu) - self.saturated(y)))

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        t = y + u  # the mean that has slope u; entr is -inf outside [0, 1]
        return np.asarray(-entr(t) - entr(1.0 - t))

    def _outside(self, y: Float) -> NDArray[np.bool_]:
        return (y < 0.0) | (y > 1.0)


@dataclass(frozen=True)
class Poisson(Family):
    """Counts with a log link: e^eta - y eta, y >= 0."""

    name: ClassVar[str] = "poisson"
    loss_name: ClassVar[str] = "Poisson deviance per row"
    formula: ClassVar[str] = "e^eta - y eta"
    _domain: ClassVar[str] = "numbers of at least 0 (counts)"

    def loss(self, y: Float, eta: Float) -> Float:  # noqa: D102
        with np.errstate(over="ignore"):
            return np.exp(eta) - y * eta

    def curvature(self, y: Float, eta: Float) -> Float:  # noqa: D102
        return self.mean(eta)

    def mean(self, eta: Float) -> Float:  # noqa: D102
        with np.errstate(over="ignore"):
            return np.exp(eta)

    def link(self, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore"):
            return np.log(mu)

    def saturated(self, y: Float) -> Float:  # noqa: D102
        return np.asarray(y - xlogy(y, y))

    def deviance(self, y: Float, mu: Float) -> Float:  # noqa: D102
        with np.errstate(divide="ignore"):
            return np.asarray(2.0 * (mu - xlogy(y, mu) - self.saturated(y)))

    def conjugate(self, y: Float, u: Float) -> Float:  # noqa: D102
        t = y + u  # entr is -inf below 0
        return np.asarray(-entr(t) - t)

    def _outside(self, y: Float) -> NDArray[np.bool_]:
        return y < 0.0


GAUSSIAN, BINOMIAL, POISSON = Gaussian(), Binomial(), Poisson()


def _elsewhere(module: str, name: str) -> Callable[..., Family]:
    """Return what makes a family of a layer above, which is imported when it is asked for."""

    def make(**parameters: Any) -> Family:
        made = getattr(importlib.import_module(module), name)(**parameters)
        assert isinstance(made, Family)
        return made

    return make


FAMILIES: dict[str, Callable[..., Family]] = {
    "gaussian": Gaussian,
    "binomial": Binomial,
    "poisson": Poisson,
    "multinomial": _elsewhere("bridle.several", "Multinomial"),
    "multigaussian": _elsewhere("bridle.several", "MultiGaussian"),
    "ordinal": _elsewhere("bridle.several", "Ordinal"),
}
"""What makes a family of this name from its parameters."""

_known: dict[str, Family] = {f.spec: f for f in (GAUSSIAN, BINOMIAL, POISSON)}  # by spec


def get_family(spec: str | Family) -> Family:
    """Return the family of this name or ``spec``.

    Parameters
    ----------
    spec : str or Family
        ``"poisson"``, or with parameters ``"tweedie(power=1.5)"``. A family of your own is given as it is; from then
        on its ``spec`` names it in this process.

    Returns
    -------
    Family
        The same object for the same spec.

    Raises
    ------
    InputError
        There is no such family, or not with these parameters.
    """
    if isinstance(spec, Family):
        return _known.setdefault(spec.spec, spec)
    found = _known.get(spec) if isinstance(spec, str) else None
    if found is None:
        name, parameters = parse_spec(spec, "family", FAMILIES)
        try:
            made = FAMILIES[name](**parameters)
        except TypeError as error:
            raise InputError(f"family {spec!r}: {error}") from None
        found = _known.setdefault(made.spec, made)
        _known[spec] = found
    return found


def parse_spec(spec: object, what: str, names: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """Read a name with parameters, ``"tweedie(power=1.5)"``.

    Parameters
    ----------
    spec : object
        What was given.
    what : str
        What it names, for the message.
    names : iterable of str
        Names that there are.

    Returns
    -------
    tuple
        Name, and the parameters by name: numbers and strings.

    Raises
    ------
    InputError
        It isn't a string, names nothing there is, or can't be read.
    """
    match = re.fullmatch(r"\s*(\w+)\s*(\(.*\))?\s*", spec) if isinstance(spec, str) else None
    if match is None or match[1] not in names:
        raise InputError(f"unknown {what} {spec!r}; expected one of {', '.join(names)}")
    try:
        call = ast.parse(f"f{match[2] or '()'}", mode="eval").body
        assert isinstance(call, ast.Call) and not call.args
        return match[1], {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (AssertionError, SyntaxError, ValueError):
        raise InputError(f"{what} {spec!r} can't be read; expected {match[1]}(parameter=value, ...)") from None


def row_values(values: ArrayLike, n: int, name: str) -> Float:
    """Return one finite number per row, (n,) contiguous.

    Parameters
    ----------
    values : (n,)
        What was given.
    n : int
        Number of rows of X.
    name : str
        What it is called in messages.

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
    if not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array)))
        raise InputError(f"{name} must be finite; row {row} has {array[row]!r}")
    return array
