"""Which fitted model to recommend: the one with fewest features among those as good as the best on unseen rows."""

from __future__ import annotations

import numpy as np

from bridle.errors import InputError
from bridle.job.fitting import Fit
from bridle.job.words import number, percent

EQUAL = 0.01  # a loss 1 % higher is no reason to carry more features


def recommend(fits: tuple[Fit, ...], margin: float) -> tuple[Fit, str]:
    """Return the recommended fit and the reason in a sentence.

    A model is as good as the best one if its held-out loss on the same folds is higher by at most one standard
    error of the paired difference (Breiman et al. 1984) but not more than the margin, or by at most 1 %. Without the
    margin a model that explodes on a single fold would pass: its mean difference is its own standard error.

    Raises
    ------
    InputError
        No model could be fitted; the message holds each model's reason.
    """
    usable = [f for f in fits if f.curve is not None and not f.failed and np.isfinite(_loss(f))]
    if not usable:
        reasons = "; ".join(f"{f.label}: {f.failed or 'no finite held-out loss'}" for f in fits if f.name != "null")
        raise InputError(f"none of the models could be fitted. {reasons}")
    best = min(usable, key=_loss)
    equals = [f for f in usable if f is best or _as_good(f, best, margin)]
    chosen = min(equals, key=lambda f: (f.nets is not None, f.n_used, _loss(f)))  # a network only where it pays
    used, of = chosen.n_used, len(chosen.coef)
    if chosen is best:
        return (
            chosen,
            f"{chosen.label} has the lowest error on unseen rows ({number(_loss(best))}) with {used} of {of} features.",
        )
    if _loss(best) <= 0.0:
        return chosen, f"{chosen.label} predicts unseen rows as well as {best.label}, with {used} of {of} features."
    excess = _loss(chosen) / _loss(best) - 1.0
    if used == best.n_used:
        return chosen, (
            f"{chosen.label} is simpler than {best.label}; its error on unseen rows is {percent(excess)} higher, which "
            "is within noise or under 1 %."
        )
    return chosen, (
        f"{chosen.label} needs only {used} of {of} features; its error on unseen rows is {percent(excess)} above that "
        f"of {best.label}, which is within noise or under 1 %."
    )


def _loss(fit: Fit) -> float:
    assert fit.curve is not None
    return float(fit.curve.mean[fit.index])


def _as_good(fit: Fit, best: Fit, margin: float) -> bool:
    assert fit.curve is not None and best.curve is not None
    difference = fit.curve.test_loss[:, fit.index] - best.curve.test_loss[:, best.index]
    weight = fit.curve.test_weight / fit.curve.test_weight.sum()
    mean = float(weight @ difference)
    with np.errstate(over="ignore"):
        error = float(np.sqrt(weight @ (difference - mean) ** 2 / max(difference.size - 1, 1)))
    return mean <= max(min(error, margin * _loss(best)), EQUAL * _loss(best))
