"""The rule that turns evidence into a verdict. Its definitions are in docs/diagnosis.md, its words in ``words``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis import words
from bridle.diagnosis.evidence import Evidence
from bridle.diagnosis.intervals import MaxT, correction, log_ratios, mean_interval, standard_errors, t_quantile
from bridle.diagnosis.measure import measure_of
from bridle.diagnosis.slope import calibration_slope
from bridle.diagnosis.verdict import Comparison, Interval, Verdict
from bridle.errors import InputError

Float = NDArray[np.float64]

LOSS_FLOOR = 1e-6  # of the null's loss, added to all: a perfect fit has no ratio, and nobody needs a better one
MOST_ROWS = 100.0  # an estimate beyond this multiple of the rows at hand is no estimate


@dataclass(frozen=True)
class _Losses:
    """Held-out losses with all that their intervals need."""

    test: Float  # (J, M), floored
    weight: Float  # (J,)
    factor: float  # Nadeau and Bengio's
    level: float

    def ratios(self, of: int, to: Sequence[int]) -> tuple[Float, Float, Float]:
        """Log ratios of column ``of`` to columns ``to``, their standard errors, and the fold influences."""
        est, influence = log_ratios(self.test[:, of], self.test[:, list(to)], self.weight)
        return est, standard_errors(influence, self.factor), influence


@dataclass(frozen=True)
class _Paired:
    """The model against its alternatives: everything on the log scale."""

    columns: tuple[int, ...]  # (M,) of the evidence
    est: Float  # (M,) log(loss(model) / loss(alternative))
    se: Float  # (M,) corrected
    lower: Float  # (M,) simultaneous
    upper: Float  # (M,) pointwise
    p_value: Float  # (M,) adjusted
    critical: float
    pointwise: float


def judge(
    evidence: Evidence,
    model: str,
    *,
    margin: float = 0.05,
    level: float = 0.95,
    alternatives: Sequence[str] | None = None,
) -> Verdict:
    """Say whether ``model`` over- or underfits.

    rho = loss(model) / loss(alternative) - 1, from paired folds with the Nadeau-Bengio standard error. The lower
    ends of the intervals are simultaneous over the alternatives (max-t), since a single one suffices to convict;
    the upper ends are pointwise, since the model is balanced only if all of them pass (an intersection-union test).

    Parameters
    ----------
    evidence : Evidence
        From :func:`bridle.diagnosis.collect_evidence`.
    model : str
        Name of the contender to judge.
    margin : float
        Excess error that matters, as a share of the alternative's error.
    level : float
        Confidence level.
    alternatives : sequence of str, optional
        Names to compare with; all common contenders and the model's own path by default. The null is always among them.

    Returns
    -------
    Verdict
        Without checks and learning curve; these are added by those who have them (``dataclasses.replace``).

    Raises
    ------
    InputError
        Unknown model, no null in the evidence, a margin that isn't positive or a level outside (0.5, 1).
    """
    _check_options(evidence, model, margin, level)
    at, null = evidence.column(model), evidence.column(evidence.null)
    columns = _columns(evidence, model, alternatives)
    mean = np.average(evidence.test_loss, axis=0, weights=evidence.test_weight)
    scale = float(mean[null] or mean.max() or 1.0)  # a constant target has a null loss of 0
    floored = evidence.test_loss + LOSS_FLOOR * scale
    losses = _Losses(floored, evidence.test_weight, correction(evidence.n_train, evidence.n_test), level)
    paired = _compare(losses, at, columns)
    comparisons = tuple(_comparison(evidence, at, paired, k, level) for k in range(len(columns)))
    signal = _beats_null(losses, null, [k for k in range(len(evidence.names)) if k != null])
    label, lean, decisive = _decide(comparisons, paired, margin, signal)
    explained = _explained(losses, at, null)
    optimism = evidence.test_loss[:, at] - evidence.train_loss[:, at]
    verdict = Verdict(
        model=model,
        label=label,
        lean=lean,
        sentence="",
        action="",
        effect=decisive.rho,
        alternative="" if label in ("no signal", "balanced") else decisive.alternative,
        margin=margin,
        level=level,
        comparisons=comparisons,
        optimism=mean_interval(optimism, losses.weight, losses.factor, level),
        loss=mean_interval(evidence.test_loss[:, at], losses.weight, losses.factor, level),
        train_loss=float(evidence.train_loss[:, at].mean()),
        null_loss=float(mean[null]),
        explained=explained,
        calibration_slope=calibration_slope(evidence, model, level),
        rows_needed=_rows_needed(evidence.n_rows, paired, margin, lean) if label == "undetermined" else None,
        checks=(),
        scheme=evidence.scheme,
    )
    null_words = measure_of(evidence.family).null_words
    sentence = words.sentence(verdict, evidence.labels[at], null_words)
    return replace(verdict, sentence=sentence, action=words.action(verdict, null_words))


def _check_options(evidence: Evidence, model: str, margin: float, level: float) -> None:
    if not margin > 0:
        raise InputError(f"margin must be positive, got {margin}; 0.05 means that 5 % excess error matters")
    if not 0.5 < level < 1:
        raise InputError(f"level must lie between 0.5 and 1, got {level}; 0.95 is usual")
    if model == evidence.null:
        raise InputError("the null model can't be judged: it's what others are compared with")


def _columns(evidence: Evidence, model: str, alternatives: Sequence[str] | None) -> tuple[int, ...]:
    if alternatives is None:
        return evidence.alternatives(model)
    wanted = {evidence.column(a) for a in (evidence.null, *alternatives)}
    own = {k for k, owner in enumerate(evidence.owners) if owner == model}
    return tuple(sorted((wanted | own) - {evidence.column(model)}))


def _compare(losses: _Losses, at: int, columns: tuple[int, ...]) -> _Paired:
    est, se, influence = losses.ratios(at, columns)
    largest = MaxT.of(influence)
    alpha = (1 - losses.level) / 2
    critical, pointwise = largest.critical(alpha), t_quantile(1 - alpha, largest.df)
    t = np.where(se > 0, est / np.where(se > 0, se, 1.0), np.where(est > 0, np.inf, 0.0))
    p = np.array([largest.p_value(float(v)) for v in t])
    return _Paired(columns, est, se, est - critical * se, est + pointwise * se, p, critical, pointwise)


def _beats_null(losses: _Losses, null: int, columns: Sequence[int]) -> bool:
    """Whether any column's loss is below the null's, simultaneously at the level (one-sided).

    All evidence counts, whichever model is judged: signal is a property of the data, so one study has one answer.
    """
    est, se, influence = losses.ratios(null, columns)
    return bool(np.any(est > MaxT.of(influence).critical(1 - losses.level) * se))


def _comparison(evidence: Evidence, at: int, paired: _Paired, k: int, level: float) -> Comparison:
    column = paired.columns[k]
    train = evidence.train_loss.mean(axis=0)
    name = evidence.names[column]
    # Ties go to the simpler side: an alternative that fits the training rows no better is no richer.
    side = "simpler" if train[column] >= train[at] * (1 - 1e-9) else "richer"
    value, lower, upper = (float(np.expm1(v[k])) for v in (paired.est, paired.lower, paired.upper))
    return Comparison(
        alternative=name,
        label=evidence.labels[column],
        side="null" if name == evidence.null and side == "simpler" else side,
        rho=Interval(value, lower, upper, level),
        p_value=float(paired.p_value[k]),
        loss=float(np.average(evidence.test_loss[:, column], weights=evidence.test_weight)),
        train_loss=float(train[column]),
    )


def _decide(
    comparisons: tuple[Comparison, ...], paired: _Paired, margin: float, signal: bool
) -> tuple[str, str, Comparison]:
    """Label, lean and the comparison that decided, in the order of docs/diagnosis.md."""
    if not signal:
        return "no signal", "", next(c for c in comparisons if c.side == "null" or c.alternative == "null")
    proofs = [c for c in comparisons if c.rho.value > margin and c.rho.lower > 0]
    if proofs:
        proof = max(proofs, key=lambda c: c.rho.lower)  # the best proved one, not the luckiest one
        return _direction(proof), "", proof
    closest = max(comparisons, key=lambda c: c.rho.upper)
    if closest.rho.upper < margin:
        return "balanced", "", closest
    suspects = [(e / s, c) for e, s, c in zip(paired.est, paired.se, comparisons, strict=True) if c.rho.value > margin]
    if suspects:
        suspect = max(suspects, key=lambda pair: pair[0])[1]
        return "undetermined", _direction(suspect), suspect
    return "undetermined", "balanced", closest


def _direction(proof: Comparison) -> str:
    return "underfitting" if proof.side == "richer" else "overfitting"


def _explained(losses: _Losses, at: int, null: int) -> Interval:
    """1 - loss / null loss, with a pointwise interval from the log ratio."""
    est, se, _ = losses.ratios(at, (null,))
    half = t_quantile(0.5 + losses.level / 2, len(losses.test) - 1) * float(se[0])
    value, lower, upper = (float(-np.expm1(v)) for v in (est[0], est[0] + half, est[0] - half))
    return Interval(value, lower, upper, losses.level)


def _rows_needed(n: int, paired: _Paired, margin: float, lean: str) -> int | None:
    """Rows at which the interval would decide if the estimates stayed, since standard errors shrink as 1/sqrt(n).

    Leaning to balanced, all upper ends must come below the margin: the slowest counts. Leaning to a side, one
    lower end must come above 0: the quickest counts. None where the estimate sits on the margin, or beyond reason.
    """
    if lean == "balanced":
        room = np.log1p(margin) - paired.est
        ratio = float(np.max(paired.pointwise * paired.se / np.maximum(room, 1e-12)))
    else:
        big = paired.est > np.log1p(margin)
        ratio = float(np.min(paired.critical * paired.se[big] / paired.est[big]))
    return None if ratio**2 > MOST_ROWS else int(np.ceil(n * max(ratio**2, 1.0)))
