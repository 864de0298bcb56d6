"""Sentences of the report, each made from numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bridle.losses import Family
from bridle.nets.settings import Training
from bridle.penalties import Kind, read_penalty
from bridle.results import ModelResult

if TYPE_CHECKING:
    from bridle.job.fitting import Fit

Float = NDArray[np.float64]

STEPS_IN_A_UNIT = 0.1  # standard deviation below which no row changes by anything like a unit


def number(x: float, digits: int = 3) -> str:
    """A number for reading: three significant digits, no exponent between 1e-3 and 1e6."""
    if not np.isfinite(x):
        return "unknown" if np.isnan(x) else ("infinite" if x > 0 else "minus infinite")
    if x == 0.0:
        return "0"
    if 1e-3 <= abs(x) < 1e6:
        decimals = max(digits - 1 - int(np.floor(np.log10(abs(x)))), 0)
        text = f"{x:,.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{x:.{digits - 1}e}"


def percent(x: float) -> str:
    """A share as a percentage, with a decimal below 10 %."""
    value = 100.0 * x
    return f"{value:.1f} %" if abs(value) < 10 and round(value, 1) != round(value) else f"{value:.0f} %"


def target_summary(y: Float, family: Family, classes: tuple[str, ...]) -> str:
    """One line on the target, as of all rows."""
    if family.is_classifier:
        return f"{percent(float(y.mean()))} of rows are {classes[1]!r}"
    if family.counts:
        zero = percent(float(np.mean(y == 0)))
        return f"mean count {number(float(y.mean()))}, {zero} zeros, largest {number(float(y.max()))}"
    return f"mean {number(float(y.mean()))}, standard deviation {number(float(y.std()))}"


def unit(scale: float, indicator: bool) -> str:
    """What a feature's effect is told for: one unit of it, or one standard deviation where a unit is far more."""
    if indicator:
        return "yes against no"
    return "per standard deviation" if 0.0 < scale < STEPS_IN_A_UNIT else "per unit"


def effect(family: Family, value: float, scale: float, feature: str, indicator: bool) -> str:
    """Say what a feature's effect of ``value`` per unit is, on the scale that people think in."""
    step = unit(scale, indicator)
    value = value * scale if step == "per standard deviation" else value
    where = f"if {feature}" if indicator else step
    if family.link_name == "identity":
        return f"{'+' if value >= 0 else '−'}{number(abs(value))} {where}"
    times = float(np.exp(np.clip(value, -700, 700)))
    return f"{family.effect_name} × {factor(times)} {where}"


def factor(times: float) -> str:
    """A factor with enough digits to tell it from 1: 3.09, 0.982, 1.00026."""
    away = abs(times - 1.0)
    return number(times) if away == 0.0 or away >= 0.01 else number(times, 2 - int(np.floor(np.log10(away))))


def objective(family: Family, fit: Fit, eta: str = "", columns: bool = False) -> str:
    """The objective that was minimised, with the chosen numbers in it; of a blend both.

    ``columns`` says that a feature has K coefficients.
    """
    solved = _objective(family, fit, eta or ("η = b₀ + x'b" if family.has_intercept else "η = x'b"), columns)
    if fit.gamma == 1.0:
        return solved
    refit = "the fit of its nonzero coefficients without penalty"
    return f"{number(1.0 - fit.gamma)} of {refit}, and {number(fit.gamma)} of: {solved}"


def _objective(family: Family, fit: Fit, eta: str, columns: bool) -> str:
    loss = family.pretty_formula
    if fit.trained is not None and fit.trained.network is not None:
        network = fit.trained.network
        decay = number(Training().l2)
        return (
            f"minimise Σ wᵢ [{loss}]ᵢ, η = network(x): {network.outline}, dropout rate {number(network.dropout)}, "
            f"by Adam with weight decay {decay} and early stopping"
        )
    head = f"minimise Σ wᵢ [{loss}]ᵢ, Σ wᵢ = 1, {eta}"
    if not fit.has_path:
        return head
    lam, a = number(fit.value, 4), fit.l1_ratio
    j = "ⱼₖ" if columns else "ⱼ"
    if fit.penalty and a > 0.0:
        return f"{head}, plus {_other_penalty(read_penalty(fit.penalty), lam, a, j)} (b per standard deviation)"
    terms = []
    if a > 0.0:
        terms.append(f"|b{j}|" if a == 1.0 else f"{number(a)}·|b{j}|")
    if a < 1.0:
        terms.append(f"½b{j}²" if a == 0.0 else f"{number((1 - a) / 2)}·b{j}²")
    return f"{head}, plus {lam} · Σ{j} [{' + '.join(terms)}] (b per standard deviation)"


def _other_penalty(kind: Kind, lam: str, a: float, j: str) -> str:
    """A penalty that isn't the elastic net, with its numbers; m_g is the number of features of a group.

    ``j`` is the index of a coefficient: of its feature, and of the class or response where each has its own. A group's
    norm is over all of them.
    """
    w = ("w_g·" if kind.grouped else "wⱼ·") if kind.initial else ""  # adaptive weights
    ridge = f" + {lam} · Σ{j} {w}{number((1 - a) / 2)}·b{j}²" if a < 1.0 else ""
    slope = lam if a == 1.0 else f"{number(a)}·{lam}"
    size, over = ("‖b_g‖", "Σ_g") if kind.grouped else (f"|b{j}|", f"Σ{j}")
    root = "√m_g·" if kind.grouped else ""
    if kind.concave:
        return f"{over} {kind.concave.upper()}({size}; {root}{slope}, γ = {number(kind.gamma)}){ridge}"
    if kind.initial:
        power = f"^{number(kind.gamma)}" if kind.gamma != 1.0 else ""
        first = size if kind.grouped or j == "ⱼ" else "‖bⱼ‖"
        return f"{slope} · {over} {w}{root}{size}{ridge}, {w[:-1]} = 1/{first}{power} of a first fit ({kind.initial})"
    if kind.l1_share == 0.0:
        return f"{slope} · Σ_g √m_g·‖b_g‖{ridge}"
    t = kind.l1_share
    return f"{slope} · [{number(t)}·Σ{j} |b{j}| + {number(1.0 - t)}·Σ_g √m_g·‖b_g‖]{ridge}"


def _lowered(share: float) -> str:
    return percent(share) if share < 0.995 else "more than 99 %"  # 100 % would be no loss at all


def gain(models: tuple[ModelResult, ...], loss_name: str, null_words: str = "the overall mean") -> str:
    """What regularisation bought by cross-validation, against the same model without a penalty."""
    plain = next((m for m in models if m.name == "unregularised"), None)
    held_back = [m for m in models if m.curve is not None and m.technique != "dropout" and not m.failed]
    if not held_back:
        return "No penalised linear model was fitted."
    best = min(held_back, key=lambda m: m.cv_loss.value)
    if plain is None:
        return "The unregularised model was not asked for, so there is nothing to compare with."
    if plain.failed:
        return f"Without a penalty there is no usable model here: {plain.failed}"
    change = best.cv_loss.value / plain.cv_loss.value - 1.0 if plain.cv_loss.value > 0 else 0.0
    null = next((m for m in models if m.name == "null" and not m.failed), None)
    if change < 0 and null is not None and plain.cv_loss.value > null.cv_loss.value > best.cv_loss.value:
        return (
            f"Without a penalty the model predicts unseen rows worse than {null_words} does: a {loss_name} of "
            f"{number(plain.cv_loss.value)} against {number(null.cv_loss.value)}, by cross-validation. Regularisation "
            f"brings it down to {number(best.cv_loss.value)} ({best.label})."
        )
    part = "all" if best.n_nonzero == best.n_features else f"{best.n_nonzero} of"
    features = f"{part} {best.n_features} features"
    if change < -0.005:
        return (
            f"Regularisation lowered the {loss_name} on unseen rows by {_lowered(-change)} "
            f"({best.label} with {features} against the same model without a penalty)."
        )
    if change > 0.005:
        return (
            f"Regularisation did not pay here: the best penalised model ({best.label}) has a "
            f"{percent(change)} higher {loss_name} on unseen rows than the model without a penalty."
        )
    simpler = f", which needs {features}" if best.n_nonzero < best.n_features else ""
    return f"Regularisation changed the {loss_name} on unseen rows by less than 0.5 % with {best.label}{simpler}."
