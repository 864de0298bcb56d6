"""Rules that pick a point on stored curves, so that changing one's mind costs no refit.

Cross-validation rules read the held-out losses; information criteria read the fit on all rows: its mean unit deviance,
its effective degrees of freedom ``df`` (intercept left out) and the number of rows N (the sum of the weights, which
are taken as counts). Among several curves (one per ``l1_ratio``, and per gamma of relaxed fits) a rule takes the best
point of all; the one-standard-error rule then walks to a larger penalty at that same ``l1_ratio``, since lambdas of
different ones aren't comparable, over all gammas, as ``cv.glmnet`` does. Information criteria look at penalised fits
only: what choosing the features costs a refit has no formula.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bridle.errors import InputError
from bridle.losses import get_family
from bridle.selection.curve import Curve, Selection
from bridle.settling import log_models

Float = NDArray[np.float64]

CROSS_VALIDATED = ("min", "1se", "within")
CRITERIA = ("aic", "aicc", "bic", "ebic", "gcv")
RULES = (*CROSS_VALIDATED, *CRITERIA)
_DEFAULTS: Mapping[str, Mapping[str, float]] = {"within": {"percent": 5.0}, "ebic": {"gamma": 0.5}}


def select(curves: Curve | Sequence[Curve], rule: str = "1se", **options: float) -> Selection:
    r"""Choose a penalty by ``rule``, jointly over the curves given.

    ==========  ========================================================================================
    ``min``     smallest mean held-out loss
    ``1se``     simplest model whose mean loss is at most the smallest plus its standard error (as cv.glmnet)
    ``within``  fewest features with a mean loss within ``percent`` of the smallest; of these, the smallest loss
    ``aic``     :math:`-2\ell + 2k`
    ``aicc``    AIC + :math:`2k(k+1)/(N-k-1)`
    ``bic``     :math:`-2\ell + k \log N`
    ``ebic``    BIC + :math:`2\gamma \log \binom{p}{q}`, q the features in the fit; not for ridge, which has all
    ``gcv``     :math:`(RSS/N) / (1 - (df + 1)/N)^2`, gaussian only
    a scorer    largest mean held-out score, of those stored in the curves
    ==========  ========================================================================================

    :math:`-2\ell` is N log(RSS/N) for a gaussian target (its variance unknown, profiled out), else the deviance, both
    up to a constant that doesn't move the choice. k counts df, the intercept, and a gaussian's variance.

    Parameters
    ----------
    curves : Curve or sequence of Curve
        Curves on the same rows and folds.
    rule : str
        A rule of the table.
    **options
        ``percent`` (5) of ``within``; ``gamma`` (0.5, from 0 = BIC to 1) of ``ebic``.

    Returns
    -------
    Selection
        The point and a sentence that says why.

    Raises
    ------
    InputError
        The rule is unknown or doesn't apply to these curves; the message says why.

    References
    ----------
    Hastie, Tibshirani, Friedman (2009), The Elements of Statistical Learning, section 7.10.
    Hurvich, Tsai (1989), Regression and time series model selection in small samples, Biometrika 76.
    Chen, Chen (2008), Extended Bayesian information criteria, Biometrika 95.
    Golub, Heath, Wahba (1979), Generalized cross-validation, Technometrics 21.
    """
    given = (curves,) if isinstance(curves, Curve) else tuple(curves)
    if not given:
        raise InputError("no curves were given; pass those of a CVResult")
    settings = _settings(rule, options)
    if rule in CROSS_VALIDATED:
        return _by_loss(given, rule, settings)
    if rule in CRITERIA:
        return _by_criterion(given, rule, settings)
    if all(rule in curve.scores for curve in given):
        return _by_score(given, rule)
    scorers = sorted(set.intersection(*(set(curve.scores) for curve in given)))
    stored = f"; scorers stored in these curves: {', '.join(scorers)}" if scorers else ""
    raise InputError(f"no rule {rule!r}; there are {', '.join(RULES)}{stored}")


def applicable_rules(curve: Curve) -> dict[str, int]:
    """Give the index that every rule and stored scorer chooses on ``curve``; rules that don't apply are left out."""
    chosen = {}
    for rule in (*RULES, *curve.scores):
        try:
            chosen[rule] = select(curve, rule).index
        except InputError:
            continue
    return chosen


def criterion(curve: Curve, rule: str, **options: float) -> Float:
    """Give an information criterion at each value of ``curve``, as :func:`select` defines them.

    Parameters
    ----------
    curve : Curve
        A curve with the fit on all rows.
    rule : {"aic", "aicc", "bic", "ebic", "gcv"}
        Which one.
    **options
        ``gamma`` of ``ebic``.

    Returns
    -------
    (L,) array
        The criterion; inf where the fit leaves no degrees of freedom to judge it by.

    Raises
    ------
    InputError
        The criterion doesn't apply to this curve.
    """
    settings = _settings(rule, options)
    loss, df, n = _full_fit(curve, rule)
    gaussian = curve.family == "gaussian"
    if rule == "gcv":
        if not gaussian:
            raise InputError(f"gcv is defined for squared error; this curve is {curve.family}: choose aic or 1se")
        room = 1.0 - (df + curve.fit_intercept) / n
        with np.errstate(divide="ignore"):
            return np.where(room > _ROUNDING, loss / room**2, np.inf)
    family = get_family(curve.family)
    spread = family.information in ("profiled", "laplace")  # a scale is estimated too
    k = df + curve.fit_intercept + spread  # (L,)
    fit = family.information_term(loss, n)  # (L,)
    if rule in ("aic", "aicc"):
        value = fit + 2.0 * k
        if rule == "aicc":
            room = n - k - 1.0
            with np.errstate(divide="ignore"):
                value = np.where(room > n * _ROUNDING, value + 2.0 * k * (k + 1.0) / room, np.inf)
    else:
        value = fit + k * math.log(n)
        if rule == "ebic":
            value = value + 2.0 * settings["gamma"] * _log_models(curve)
    return np.where(k - spread < n * (1.0 - _ROUNDING), value, np.inf) if spread else np.asarray(value)


_ROUNDING = 1e-9  # df within this of N leaves nothing but rounding error


def _settings(rule: str, options: Mapping[str, float]) -> dict[str, float]:
    known = _DEFAULTS.get(rule, {})
    for name, value in options.items():
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "takes no options"
            raise InputError(f"rule {rule!r} {takes}, got {name}")
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} is {value}, expected a number >= 0")
    return {**known, **options}


def _log_models(curve: Curve) -> Float:
    """(L,) log of the number of models with as many features as the fit."""
    if curve.n_nonzero is None or curve.n_features == 0:
        raise InputError("ebic counts the features in each fit, and this curve doesn't hold them: choose bic")
    if curve.l1_ratio == 0:
        raise InputError("ebic weighs how many models of a size there are; ridge keeps every feature: choose bic")
    return log_models(curve.n_features, curve.n_nonzero)


def _full_fit(curve: Curve, rule: str) -> tuple[Float, Float, float]:
    """(L,) mean deviance and (L,) degrees of freedom of the fit on all rows, and N."""
    if rule not in CRITERIA:
        raise InputError(f"no criterion {rule!r}; there are {', '.join(CRITERIA)}")
    if curve.full_loss is None or curve.df is None or not curve.sum_weight > 0:
        raise InputError(
            f"{rule} needs the fit on all rows and its degrees of freedom, which this curve doesn't hold; choose min "
            "or 1se"
        )
    if not np.all(np.isfinite(curve.df)):
        raise InputError(
            f"{rule} needs the effective degrees of freedom, which were too costly to compute for this design; "
            "pass effective_df=True to cross_validate, or choose min or 1se"
        )
    return curve.full_loss, curve.df, curve.sum_weight


def _mean_loss(curve: Curve) -> Float:
    mean = curve.mean
    return np.where(np.isfinite(mean), mean, np.inf)


def _lowest(values: Sequence[Float], what: str) -> tuple[int, int]:
    """Curve and index of the smallest value; the first curve and the simplest model win ties."""
    best = [int(np.argmin(v)) for v in values]
    c = int(np.argmin([v[i] for v, i in zip(values, best, strict=True)]))
    if not np.isfinite(values[c][best[c]]):
        raise InputError(f"{what} isn't a finite number at any value, so there is nothing to choose from")
    return c, best[c]


def _by_loss(curves: tuple[Curve, ...], rule: str, settings: Mapping[str, float]) -> Selection:
    losses = [_mean_loss(curve) for curve in curves]
    c, i = _lowest(losses, "the mean held-out loss")
    curve, least = curves[c], float(losses[c][i])
    lowest_at = f"{least:.4g} at {_place(curve, i, curves)}"
    if rule == "min":
        error = curve.standard_error[i]
        spread = f" (standard error {error:.2g})" if np.isfinite(error) else ""
        reason = (
            f"{_place(curve, i, curves)} has the smallest mean held-out loss, {least:.4g}{spread}.{_at_end(curve, i)}"
        )
        return _selection(curves[c], rule, (c, i), least, reason)
    if rule == "1se":
        error = float(curve.standard_error[i])
        if not math.isfinite(error):
            raise InputError(
                "1se needs the spread over folds, and there is one fold per repeat: use more folds, or min"
            )
        d, j = _simplest(curves, losses, c, least + error)
        reason = (
            f"{_place(curves[d], j, curves)} is the simplest model whose mean held-out loss, {losses[d][j]:.4g}, is "
            f"within one standard error ({error:.2g}) of the smallest, {lowest_at}{_features(curve, j, i)}."
            f"{_at_end(curve, i)}"
        )
        return _selection(curves[d], rule, (d, j), float(losses[d][j]), reason)
    percent = settings["percent"]
    limit = least * (1.0 + percent / 100.0)
    c, j, count = _fewest(curves, losses, limit)
    what = f"has the fewest features, {count:.0f}," if curves[c].n_nonzero is not None else "is the simplest model"
    reason = (
        f"{_place(curves[c], j, curves)} {what} with a mean held-out loss, {losses[c][j]:.4g}, within "
        f"{percent:g} % of the smallest, {lowest_at}."
    )
    return _selection(curves[c], rule, (c, j), count, reason)


def _simplest(curves: tuple[Curve, ...], losses: Sequence[Float], c: int, limit: float) -> tuple[int, int]:
    """Curve and index of the largest lambda under ``limit``, then the largest gamma, on curve c and its blends."""
    alike = [
        d for d, curve in enumerate(curves)
        if d == c or (curve.l1_ratio == curves[c].l1_ratio and curve.gamma != curves[c].gamma)
    ]  # fmt: skip
    first = [(d, np.flatnonzero(losses[d] <= limit)) for d in alike]
    found = [(-curves[d].values[at[0]], -curves[d].gamma, d, int(at[0])) for d, at in first if at.size]
    return min(found)[2:]


def _fewest(curves: tuple[Curve, ...], losses: Sequence[Float], limit: float) -> tuple[int, int, float]:
    """Curve, index and size of the smallest model under ``limit``; size is the index where features aren't counted."""
    found = []
    for c, (curve, loss) in enumerate(zip(curves, losses, strict=True)):
        counts = np.arange(loss.size) if curve.n_nonzero is None else curve.n_nonzero
        found += [(float(counts[i]), float(loss[i]), c, int(i)) for i in np.flatnonzero(loss <= limit)]
    size, _, c, i = min(found)
    return c, i, size


def _by_criterion(curves: tuple[Curve, ...], rule: str, settings: Mapping[str, float]) -> Selection:
    own = [c for c, curve in enumerate(curves) if curve.gamma == 1.0]  # what choosing costs a refit has no formula
    if not own:
        raise InputError(f"{rule} isn't known for relaxed fits: let relax hold gamma 1, or choose min or 1se")
    values = [criterion(curves[c], rule, **settings) for c in own]
    best, i = _lowest(values, rule.upper())
    c = own[best]
    curve, value = curves[c], float(values[best][i])
    last = int(np.flatnonzero(np.isfinite(values[best]))[-1])
    unbounded = (
        get_family(curve.family).information in ("profiled", "laplace")
        and curve.n_features + curve.fit_intercept >= curve.sum_weight
    )
    if unbounded and i == last and rule != "aicc":
        raise InputError(
            f"{rule} falls without end as the fit nears the data ({curve.n_features} features, {curve.sum_weight:g} "
            "rows, noise variance unknown), so it can't choose here: use aicc, min or 1se"
        )
    assert curve.df is not None
    reason = (
        f"{_place(curve, i, curves)} has the smallest {_NAMES[rule]}, {value:.5g}, at {curve.df[i]:.3g} effective "
        "degrees of freedom."
    )
    return _selection(curves[c], rule, (c, i), value, reason)


_NAMES = {"aic": "AIC", "aicc": "corrected AIC", "bic": "BIC", "ebic": "extended BIC", "gcv": "generalised CV error"}


def _by_score(curves: tuple[Curve, ...], rule: str) -> Selection:
    means = [np.asarray(curve.scores[rule].mean(axis=0)) for curve in curves]  # unweighted, as scikit-learn's searches
    c, i = _lowest([np.where(np.isfinite(m), -m, np.inf) for m in means], f"the mean {rule}")
    best = float(means[c][i])
    reason = f"{_place(curves[c], i, curves)} has the largest mean held-out {rule}, {best:.4g}."
    return _selection(curves[c], rule, (c, i), best, reason)


def _place(curve: Curve, i: int, curves: tuple[Curve, ...]) -> str:
    said = []
    if len({other.l1_ratio for other in curves}) > 1 and math.isfinite(curve.l1_ratio):
        said.append(f"l1_ratio {curve.l1_ratio:g}")
    if any(other.gamma < 1.0 for other in curves):
        said.append(f"gamma {curve.gamma:g}")
    more = f" ({', '.join(said)})" if said else ""
    return f"{curve.parameter} {curve.values[i]:.4g}{more}"


def _features(curve: Curve, chosen: int, other: int) -> str:
    if curve.n_nonzero is None or curve.n_nonzero[chosen] == curve.n_nonzero[other]:
        return ""
    return f"; it keeps {curve.n_nonzero[chosen]} of {curve.n_features} features instead of {curve.n_nonzero[other]}"


def _at_end(curve: Curve, i: int) -> str:
    """Say so where the grid ends at the minimum: the best value may lie beyond it."""
    if i + 1 < curve.values.size or i == 0 or curve.values[i] == 0.0:
        return ""
    return f" The smallest loss is at the last {curve.parameter} of the grid: smaller ones may do better."


def _selection(curve: Curve, rule: str, place: tuple[int, int], value: float, reason: str) -> Selection:
    c, i = place
    return Selection(
        rule=rule,
        curve=c,
        index=i,
        value=float(curve.values[i]),
        l1_ratio=float(curve.l1_ratio),
        criterion=value,
        loss=float(curve.mean[i]),
        standard_error=float(curve.standard_error[i]),
        reason=reason,
        gamma=float(curve.gamma),
    )
