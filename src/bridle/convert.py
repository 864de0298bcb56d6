r"""One converter between bridle's ``lam`` and the strengths of scikit-learn, glmnet and statsmodels.

bridle minimises, with weights :math:`w_i` rescaled to sum to 1 and :math:`a` = ``l1_ratio``,

.. math:: \sum_i w_i\, \ell(y_i, \eta_i) + \lambda \sum_j \left[ a |b_j| + \tfrac{1-a}{2} b_j^2 \right].

Each peer writes the same problem on another scale; :data:`PEERS` states the objectives. A conversion holds for the
*same design*: if bridle standardises (the default of ``fit_path``), give the peer columns divided by their 1/n standard
deviation, or let bridle fit with ``standardize=False``. glmnet standardises by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridle.errors import InputError
from bridle.losses import get_family

Float = NDArray[np.float64]
Lam = TypeVar("Lam", float, NDArray[np.float64])

_ELASTIC = "l1_ratio*|b|_1 + (1 - l1_ratio)/2*|b|^2"

PEERS = MappingProxyType(
    {
        "sklearn.Lasso": "1/(2S) sum_i s_i (y_i - eta_i)^2 + alpha*|b|_1",
        "sklearn.ElasticNet": f"1/(2S) sum_i s_i (y_i - eta_i)^2 + alpha*[{_ELASTIC}]",
        "sklearn.Ridge": "sum_i s_i (y_i - eta_i)^2 + alpha*|b|^2",
        "sklearn.LogisticRegression": f"C*sum_i s_i log-loss_i + {_ELASTIC}",
        "sklearn.PoissonRegressor": "1/(2S) sum_i s_i deviance_i + alpha/2*|b|^2",
        "sklearn.GammaRegressor": "1/(2S) sum_i s_i deviance_i + alpha/2*|b|^2",
        "sklearn.TweedieRegressor": "1/(2S) sum_i s_i deviance_i + alpha/2*|b|^2",
        "sklearn.QuantileRegressor": "1/S sum_i s_i pinball_i + alpha*|b|_1",
        "glmnet.gaussian": "1/(2S) sum_i s_i (y_i - eta_i)^2 + lambda*[alpha*|b|_1 + (1 - alpha)/(2 sd(y))*|b|^2]",
        "glmnet.binomial": "-1/S sum_i s_i loglik_i + lambda*[alpha*|b|_1 + (1 - alpha)/2*|b|^2]",
        "glmnet.poisson": "-1/S sum_i s_i loglik_i + lambda*[alpha*|b|_1 + (1 - alpha)/2*|b|^2]",
        "glmnet.gamma": "1/(2S) sum_i s_i deviance_i + lambda*[alpha*|b|_1 + (1 - alpha)/2*|b|^2]",
        "glmnet.negative_binomial": "1/(2S) sum_i s_i deviance_i + lambda*[alpha*|b|_1 + (1 - alpha)/2*|b|^2]",
        "glmnet.cox": "-1/S partial loglik (Breslow) + lambda*[alpha*|b|_1 + (1 - alpha)/2*|b|^2]",
        "glmnet.multinomial": "-1/S sum_i s_i loglik_i + lambda*sum_j [alpha*|b_j|_1 + (1 - alpha)/2*|b_j|^2]",
        "glmnet.mgaussian": "1/(2S) sum_i s_i |y_i - eta_i|^2 + lambda*sum_j [alpha*|b_j|_2 + (1 - alpha)/2*|b_j|^2]",
        "statsmodels.OLS": "1/(2n) RSS + alpha*[L1_wt*|b|_1 + (1 - L1_wt)/2*|b|^2]",
        "statsmodels.WLS": "1/(2n) sum_i s_i (y_i - eta_i)^2 + S/n*alpha*[L1_wt*|b|_1 + (1 - L1_wt)/2*|b|^2]",
        "statsmodels.GLM": "-1/n sum_i s_i loglik_i + alpha*[L1_wt*|b|_1 + (1 - L1_wt)/2*|b|^2]",
        "statsmodels.PHReg": "-1/n partial loglik + alpha*[L1_wt*|b|_1 + (1 - L1_wt)/2*|b|^2]",
        "statsmodels.Logit": "-sum_i loglik_i + alpha*|b|_1",
        "statsmodels.Poisson": "-sum_i loglik_i + alpha*|b|_1",
    }
)
"""Peer -> the objective it minimises; s_i are the weights as given (1 if none), S their sum, n the number of rows."""

_FIXED_RATIO = {  # peers whose penalty has one shape only
    "sklearn.Lasso": 1.0,
    "sklearn.Ridge": 0.0,
    "sklearn.PoissonRegressor": 0.0,
    "sklearn.GammaRegressor": 0.0,
    "sklearn.TweedieRegressor": 0.0,
    "sklearn.QuantileRegressor": 1.0,
    "statsmodels.Logit": 1.0,
    "statsmodels.Poisson": 1.0,
}
_FREE_INTERCEPT = "Leave the constant unpenalised there: give alpha as a vector with 0 at the constant's place."
_NOTES = {
    "sklearn.LogisticRegression": "Every solver but liblinear, which penalises the intercept.",
    "sklearn.QuantileRegressor": "bridle smooths the pinball loss: its loss is higher by at most bandwidth * log 2.",
    "glmnet.gamma": 'With family = Gamma(link = "log").',
    "glmnet.negative_binomial": "With family = MASS::negative.binomial(theta).",
    "glmnet.gaussian": "glmnet divides y by its 1/n standard deviation, which rescales the squared term only.",
    "glmnet.multinomial": 'With type.multinomial = "grouped" |b_j|_2 for |b_j|_1: penalty="group_lasso" here.',
    "glmnet.mgaussian": 'penalty="group_lasso" here. Unlike a gaussian y, responses aren\'t rescaled there.',
    "statsmodels.OLS": _FREE_INTERCEPT,
    "statsmodels.WLS": _FREE_INTERCEPT,
    "statsmodels.GLM": _FREE_INTERCEPT,
    "statsmodels.Logit": _FREE_INTERCEPT,
    "statsmodels.Poisson": _FREE_INTERCEPT,
}


@dataclass(frozen=True)
class Strength(Generic[Lam]):
    """A point on bridle's scale: ``lam`` (a number or a grid) and one ``l1_ratio``."""

    lam: Lam
    l1_ratio: float


def to_sklearn(
    estimator: Any, lam: Lam, l1_ratio: float | None = None, *, sum_weight: float | None = None
) -> dict[str, Lam | float]:
    r"""Give the parameters with which a scikit-learn estimator minimises bridle's objective at ``lam``.

    .. math::

        \text{Lasso, ElasticNet, Poisson-, Gamma-, Tweedie-, QuantileRegressor: } \alpha = \lambda \qquad
        \text{Ridge: } \alpha = S \lambda \qquad
        \text{LogisticRegression: } C = 1 / (S \lambda)

    with the objectives of :data:`PEERS`; S is the sum of the sample weights, or the number of rows.

    Parameters
    ----------
    estimator : str, class or instance
        ``"Lasso"``, ``"ElasticNet"``, ``"Ridge"``, ``"LogisticRegression"``, ``"PoissonRegressor"``,
        ``"GammaRegressor"``, ``"TweedieRegressor"`` or ``"QuantileRegressor"``.
    lam : float or (L,) array
        bridle's penalty strength.
    l1_ratio : float, optional
        Share of the L1 penalty; may be left out where the estimator has one shape only, and is 1 otherwise.
    sum_weight : float, optional
        Sum of the sample weights, or the number of rows; needed for Ridge and LogisticRegression.

    Returns
    -------
    dict
        Keyword arguments for the estimator: ``alpha`` or ``C``, and ``l1_ratio`` where it has one.

    Raises
    ------
    InputError
        The estimator is unknown or can't have this ``l1_ratio``, or ``sum_weight`` is missing.
    """
    peer = _sklearn_peer(estimator)
    ratio = _ratio(peer, l1_ratio)
    _check_strength("lam", lam)
    if peer == "sklearn.Ridge":
        return {"alpha": lam * _total(peer, sum_weight)}
    if peer == "sklearn.LogisticRegression":
        return {"C": _inverse(lam * _total(peer, sum_weight)), "l1_ratio": ratio}
    if peer == "sklearn.ElasticNet":
        return {"alpha": lam, "l1_ratio": ratio}
    return {"alpha": lam}


def from_sklearn(
    estimator: Any,
    *,
    alpha: Lam | None = None,
    C: Lam | None = None,
    l1_ratio: float | None = None,
    sum_weight: float | None = None,
) -> Strength[Lam]:
    """Give bridle's ``lam`` and ``l1_ratio`` for a scikit-learn estimator: the inverse of :func:`to_sklearn`.

    Parameters
    ----------
    estimator : str, class or instance
        As in :func:`to_sklearn`; an instance supplies the parameters that are left out here.
    alpha, C : float or (L,) array, optional
        The estimator's strength: ``C`` for LogisticRegression, ``alpha`` for the others.
    l1_ratio : float, optional
        As in :func:`to_sklearn`.
    sum_weight : float, optional
        As in :func:`to_sklearn`.

    Returns
    -------
    Strength
        ``lam`` and ``l1_ratio``.

    Raises
    ------
    InputError
        As in :func:`to_sklearn`, or the strength is missing.
    """
    peer = _sklearn_peer(estimator)
    name = "C" if peer == "sklearn.LogisticRegression" else "alpha"
    held = {} if isinstance(estimator, str | type) else estimator.get_params(deep=False)
    given = C if name == "C" else alpha
    strength: Lam | None = held.get(name) if given is None else given
    ratio = _ratio(peer, held.get("l1_ratio") if l1_ratio is None else l1_ratio)
    if strength is None:
        raise InputError(f"{peer} has its strength in {name}, and none was given; pass {name}=...")
    _check_strength(name, strength)
    if peer == "sklearn.Ridge":
        return Strength(strength / _total(peer, sum_weight), ratio)
    if peer == "sklearn.LogisticRegression":
        return Strength(_inverse(strength * _total(peer, sum_weight)), ratio)
    return Strength(strength, ratio)


def glmnet_scale(
    y: ArrayLike,
    *,
    family: str = "gaussian",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    fit_intercept: bool = True,
) -> float:
    r"""Give the number by which glmnet divides y before it fits.

    .. math:: s = \sqrt{\sum_i w_i (z_i - \bar z)^2}, \quad z = y - \text{offset}, \quad \sum_i w_i = 1,

    without centring if there is no intercept, and 1 for families other than gaussian.

    Parameters
    ----------
    y : (n,) array
        Target of the rows that are fitted: in cross-validation, those of the training fold.
    family : str
        ``"gaussian"``, or any other.
    sample_weight, offset : (n,) array, optional
        As given to glmnet.
    fit_intercept : bool
        glmnet's ``intercept``.

    Returns
    -------
    float
        The scale.

    Raises
    ------
    InputError
        A gaussian y is constant: glmnet refuses it too.
    """
    if family != "gaussian":
        return 1.0
    z = np.asarray(y, dtype=np.float64) - (0.0 if offset is None else np.asarray(offset, dtype=np.float64))  # (n,)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    centre = np.average(z, weights=weight) if fit_intercept else 0.0
    scale = float(np.sqrt(np.average((z - centre) ** 2, weights=weight)))
    if not scale > 0:
        raise InputError("y is constant, so glmnet's scale sd(y) is 0; a gaussian fit needs a target that varies")
    return scale


def to_glmnet(
    lam: Lam, l1_ratio: float = 1.0, *, scale: float = 1.0, penalty_factor: ArrayLike | None = None
) -> dict[str, Lam | float]:
    r"""Give glmnet's ``lambda`` and ``alpha`` for bridle's ``lam`` and ``l1_ratio``.

    .. math::

        \lambda_{glmnet} = \lambda\,[a + s (1 - a)]\,\bar v, \qquad
        \alpha = \frac{a}{a + s (1 - a)},

    s = ``scale`` (1 for binomial and Poisson; :func:`glmnet_scale` for gaussian) and :math:`\bar v` the mean of the
    penalty factors, which glmnet rescales to mean 1 and bridle takes as they are. Weights need no conversion: both
    rescale them. For the lasso nothing changes.

    Parameters
    ----------
    lam : float or (L,) array
        bridle's penalty strength.
    l1_ratio : float
        Share of the L1 penalty.
    scale : float
        1 for binomial and Poisson; for gaussian the standard deviation of y, from :func:`glmnet_scale`.
    penalty_factor : (p,) array, optional
        The penalty factors, the same for both programs; infinite ones count as 1 in glmnet's rescaling.

    Returns
    -------
    dict
        ``{"lambda": ..., "alpha": ...}``

    Raises
    ------
    InputError
        A number is out of its range.
    """
    _check_glmnet(lam, l1_ratio, scale)
    stretch = l1_ratio + scale * (1.0 - l1_ratio)
    return {"lambda": lam * (stretch * _mean_factor(penalty_factor)), "alpha": l1_ratio / stretch}


def from_glmnet(
    lambda_: Lam, alpha: float = 1.0, *, scale: float = 1.0, penalty_factor: ArrayLike | None = None
) -> Strength[Lam]:
    """Give bridle's ``lam`` and ``l1_ratio`` for glmnet's ``lambda`` and ``alpha``: the inverse of :func:`to_glmnet`.

    Parameters
    ----------
    lambda_ : float or (L,) array
        glmnet's ``lambda``.
    alpha : float
        glmnet's ``alpha``.
    scale, penalty_factor
        As in :func:`to_glmnet`.

    Returns
    -------
    Strength
        ``lam`` and ``l1_ratio``.

    Raises
    ------
    InputError
        A number is out of its range.
    """
    _check_glmnet(lambda_, alpha, scale)
    shrink = alpha + (1.0 - alpha) / scale
    return Strength(lambda_ * (shrink / _mean_factor(penalty_factor)), alpha / shrink)


def unitless_ratios(
    shares: tuple[float, ...],
    y: ArrayLike,
    *,
    family: str = "gaussian",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> tuple[float, ...]:
    """Give the l1_ratios that mean ``shares`` when a y that has a unit is measured in its own standard deviations.

    The L1 part of the penalty grows with the unit of y and the L2 part doesn't: a fixed l1_ratio is another model in
    another unit. These are not. The shares 0 and 1 stay, and so do all shares of families whose y has no unit: those
    with a log or logit link, and classes. Several responses have several units: their shares stay, too.

    Parameters
    ----------
    shares : tuple of float
        What glmnet calls alpha.
    y, family, sample_weight, offset
        As in :func:`glmnet_scale`; a y without spread leaves the shares as they are.

    Returns
    -------
    tuple of float
        One l1_ratio for each share.
    """
    try:
        kind = get_family(family)
        like = "gaussian" if kind.has_unit and not kind.several else "none"
        scale = glmnet_scale(y, family=like, sample_weight=sample_weight, offset=offset)
    except InputError:
        return shares
    return tuple(float(from_glmnet(1.0, share, scale=scale).l1_ratio) for share in shares)


def to_statsmodels(
    model: str,
    lam: Lam,
    l1_ratio: float | None = None,
    *,
    n_rows: int | None = None,
    sum_weight: float | None = None,
) -> dict[str, Lam | float]:
    r"""Give the arguments of statsmodels' ``fit_regularized`` that minimise bridle's objective at ``lam``.

    .. math::

        \text{OLS, WLS: } \alpha = \lambda \qquad
        \text{GLM: } \alpha = \lambda\, S / n \qquad
        \text{Logit, Poisson: } \alpha = n \lambda

    with the objectives of :data:`PEERS`. statsmodels penalises a constant column like any other, so give ``alpha``
    as a vector with 0 in its place.

    Parameters
    ----------
    model : str
        ``"OLS"``, ``"WLS"``, ``"GLM"`` (any family that bridle has, with its link), ``"Logit"`` or ``"Poisson"``.
    lam : float or (L,) array
        bridle's penalty strength.
    l1_ratio : float, optional
        Share of the L1 penalty; 1 if left out.
    n_rows : int, optional
        Number of rows; needed for Logit and Poisson, and for a GLM with ``freq_weights``.
    sum_weight : float, optional
        Sum of the GLM's ``freq_weights``; ``n_rows`` if there are none.

    Returns
    -------
    dict
        ``{"alpha": ..., "L1_wt": ...}``, without ``L1_wt`` for Logit and Poisson.

    Raises
    ------
    InputError
        The model is unknown or can't have this ``l1_ratio``, or ``n_rows`` is missing.
    """
    peer = _statsmodels_peer(model)
    ratio = _ratio(peer, l1_ratio)
    _check_strength("lam", lam)
    alpha = lam * _statsmodels_factor(peer, n_rows, sum_weight)
    return {"alpha": alpha} if peer in _FIXED_RATIO else {"alpha": alpha, "L1_wt": ratio}


def from_statsmodels(
    model: str,
    alpha: Lam,
    L1_wt: float | None = None,
    *,
    n_rows: int | None = None,
    sum_weight: float | None = None,
) -> Strength[Lam]:
    """Give bridle's ``lam`` and ``l1_ratio`` for a statsmodels fit: the inverse of :func:`to_statsmodels`.

    Parameters
    ----------
    model : str
        As in :func:`to_statsmodels`.
    alpha : float or (L,) array
        statsmodels' penalty weight, the same for all penalised columns.
    L1_wt : float, optional
        Share of the L1 penalty; 1 if left out.
    n_rows, sum_weight
        As in :func:`to_statsmodels`.

    Returns
    -------
    Strength
        ``lam`` and ``l1_ratio``.

    Raises
    ------
    InputError
        As in :func:`to_statsmodels`.
    """
    peer = _statsmodels_peer(model)
    ratio = _ratio(peer, L1_wt)
    _check_strength("alpha", alpha)
    return Strength(alpha / _statsmodels_factor(peer, n_rows, sum_weight), ratio)


def explain(
    peer: str,
    lam: float,
    l1_ratio: float | None = None,
    *,
    sum_weight: float | None = None,
    n_rows: int | None = None,
    scale: float = 1.0,
) -> str:
    """Say in one sentence what ``lam`` is called in another package, and which objective it stands in there.

    Parameters
    ----------
    peer : str
        A key of :data:`PEERS`: ``"sklearn.Ridge"``, ``"glmnet.gaussian"``, ``"statsmodels.GLM"``, ...
    lam : float
        bridle's penalty strength.
    l1_ratio : float, optional
        Share of the L1 penalty; may be left out where the peer has one shape only, and is 1 otherwise.
    sum_weight, n_rows, scale
        As in :func:`to_sklearn`, :func:`to_statsmodels` and :func:`to_glmnet`, where the peer needs them.

    Returns
    -------
    str
        The sentence.

    Raises
    ------
    InputError
        The peer is unknown, or a number it needs is missing.
    """
    if peer not in PEERS:
        raise InputError(f"no peer {peer!r}; there are {', '.join(PEERS)}")
    package, name = peer.split(".")
    ratio = _ratio(peer, l1_ratio)
    values: dict[str, float]
    if package == "sklearn":
        values = to_sklearn(name, lam, ratio, sum_weight=sum_weight)
    elif package == "statsmodels":
        values = to_statsmodels(name, lam, ratio, n_rows=n_rows, sum_weight=sum_weight)
    else:
        values = to_glmnet(lam, ratio, scale=scale if name == "gaussian" else 1.0)
    there = ", ".join(f"{key}={value:.6g}" for key, value in values.items())
    sentence = f"lam={lam:.6g}, l1_ratio={ratio:g} is {there} in {peer}, which minimises {PEERS[peer]}."
    return f"{sentence} {_NOTES[peer]}" if peer in _NOTES else sentence


def _sklearn_peer(estimator: Any) -> str:
    if isinstance(estimator, str):
        name = estimator
    else:
        name = estimator.__name__ if isinstance(estimator, type) else type(estimator).__name__
    return _known(f"sklearn.{name}")


def _statsmodels_peer(model: str) -> str:
    return _known(f"statsmodels.{model}")


def _known(peer: str) -> str:
    if peer not in PEERS:
        package = peer.split(".", maxsplit=1)[0]
        names = ", ".join(key.split(".")[1] for key in PEERS if key.startswith(package))
        raise InputError(f"no conversion for {peer}; {package} models with one are {names}")
    return peer


def _ratio(peer: str, l1_ratio: float | None) -> float:
    fixed = _FIXED_RATIO.get(peer)
    if l1_ratio is None:
        return 1.0 if fixed is None else fixed
    _check_ratio("l1_ratio", l1_ratio)
    if fixed is not None and l1_ratio != fixed:
        raise InputError(f"{peer} has l1_ratio {fixed:g} only, got {l1_ratio:g}; choose a peer with both penalties")
    return float(l1_ratio)


def _check_ratio(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{name} is {value}, expected a number from 0 (L2 only) to 1 (L1 only)")


def _check_strength(name: str, value: Lam) -> None:
    if not bool(np.all(np.asarray(value) >= 0)):
        raise InputError(f"{name} is {value}, expected numbers >= 0")


def _check_glmnet(strength: Lam, ratio: float, scale: float) -> None:
    _check_strength("lambda", strength)
    _check_ratio("alpha", ratio)
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(f"scale is {scale}, expected the standard deviation of y, a number > 0")


def _total(peer: str, sum_weight: float | None) -> float:
    if sum_weight is None:
        raise InputError(f"{peer} sums its loss over the rows: pass sum_weight, the number of rows or sum of weights")
    if not (np.isfinite(sum_weight) and sum_weight > 0):
        raise InputError(f"sum_weight is {sum_weight}, expected a number > 0")
    return float(sum_weight)


def _statsmodels_factor(peer: str, n_rows: int | None, sum_weight: float | None) -> float:
    if peer in ("statsmodels.Logit", "statsmodels.Poisson"):
        return _total(peer, n_rows)
    if peer == "statsmodels.GLM" and sum_weight is not None:
        return _total(peer, sum_weight) / _total(peer, n_rows)
    return 1.0


def _mean_factor(penalty_factor: ArrayLike | None) -> float:
    if penalty_factor is None:
        return 1.0
    factor = np.asarray(penalty_factor, dtype=np.float64)  # (p,)
    mean = float(np.where(np.isinf(factor), 1.0, factor).mean())
    if not mean > 0:
        raise InputError("all penalty factors are 0, so nothing is penalised and glmnet has no lambda to convert")
    return mean


def _inverse(value: Lam) -> Lam:
    with np.errstate(divide="ignore"):  # no penalty is C = inf
        result: Lam = np.divide(1.0, value)
    return result
