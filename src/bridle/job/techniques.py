"""Which technique suits these data: all of them compared on the same folds, with intervals for every pair at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis import Evidence
from bridle.diagnosis.intervals import MaxT, correction, log_ratios, standard_errors
from bridle.diagnosis.verdict import Interval
from bridle.job.fitting import TECHNIQUE, label
from bridle.job.words import number, percent
from bridle.results import TechniqueGap, Techniques

Float = NDArray[np.float64]


def compare_techniques(
    evidence: Evidence, level: float, loss_name: str, penalty: str = "", *, relaxed: bool = False
) -> Techniques | None:
    """Compare every technique with the best one, by excess risk; None with fewer than two.

    The best one is found on the same folds, so the intervals are simultaneous over all pairs (max-t, two-sided), not
    only over those with the best.

    Parameters
    ----------
    evidence : Evidence
        Of the verdict: tuning redone inside every fold.
    level : float
        Confidence level, of all intervals together.
    loss_name : str
        The loss in words.
    penalty : str
        Of the lasso and elastic net, if it is another than the elastic net.
    relaxed : bool
        Whether these may be blends with refits.
    """
    names = [n for n in evidence.names if n in TECHNIQUE and n != "null"]
    if len(names) < 2:
        return None
    losses = evidence.test_loss[:, [evidence.column(n) for n in names]]
    mean = np.average(losses, axis=0, weights=evidence.test_weight)
    if not (mean > 0.0).all():
        return None
    order = np.argsort(mean, kind="stable")
    losses, mean, names = losses[:, order], mean[order], [names[k] for k in order]
    critical = _critical(losses, evidence.test_weight, level)
    est, influence = log_ratios(losses[:, 0], losses[:, 1:], evidence.test_weight)  # of the best to the others
    half = critical * standard_errors(influence, correction(evidence.n_train, evidence.n_test))
    gaps = [_gap(names[0], label(names[0], penalty, relaxed=relaxed), float(mean[0]), Interval(0.0, 0.0, 0.0, level))]
    for k, name in enumerate(names[1:]):
        value, lower, upper = (float(np.expm1(-est[k] + d)) for d in (0.0, -half[k], half[k]))
        gaps.append(
            _gap(name, label(name, penalty, relaxed=relaxed), float(mean[k + 1]), Interval(value, lower, upper, level))
        )
    return Techniques(names[0], _sentence(gaps, loss_name), tuple(gaps), evidence.scheme)


def _critical(losses: Float, weight: Float, level: float) -> float:
    """Two-sided critical value for all pairs: the largest of the t of each pair and of its mirror image."""
    columns = [log_ratios(losses[:, i], losses[:, i + 1 :], weight)[1] for i in range(losses.shape[1] - 1)]
    influence = np.concatenate(columns, axis=1)
    return MaxT.of(np.concatenate([influence, -influence], axis=1)).critical(1.0 - level)


def _gap(name: str, said: str, loss: float, excess: Interval) -> TechniqueGap:
    return TechniqueGap(name, said, TECHNIQUE[name], loss, excess, beyond_noise=excess.lower > 0.0)


def _sentence(gaps: list[TechniqueGap], loss_name: str) -> str:
    best = gaps[0]
    lead = f"{best.label} has the lowest {loss_name} on unseen rows ({number(best.loss)})"
    worse = [g for g in gaps[1:] if g.beyond_noise]
    equal = [g for g in gaps[1:] if not g.beyond_noise]
    if not worse:
        most = max(equal, key=lambda g: g.excess.value)
        return (
            f"No technique stands out: {lead}, but none of the others can be told from it; the widest gap is that of "
            f"{most.label}, {_excess(most)}."
        )
    nearest = min(worse, key=lambda g: g.excess.value)
    if not equal:
        return f"{lead}, beyond noise: the next, {nearest.label}, has {_excess(nearest)} more."
    names = " and ".join(filter(None, [", ".join(g.label for g in equal[:-1]), equal[-1].label]))
    rest = "" if len(worse) == 1 else ", the others more still"
    return (
        f"{lead}, and {names} can't be told from it. Beyond noise: {nearest.label} has {_excess(nearest)} more{rest}."
    )


def _excess(gap: TechniqueGap) -> str:
    it = gap.excess
    ends = f"{percent(it.lower)} to {percent(it.upper)}" if np.isfinite(it.upper) else "unbounded"
    return f"{percent(it.value)} ({100 * it.level:g} % CI {ends})"
