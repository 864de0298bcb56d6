"""Each verdict completed by its checks, once stability and stand-ins are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bridle.diagnosis import CheckContext, SampleSize, StandIn, Verdict, run_checks
from bridle.diagnosis.sample_size import sample_size
from bridle.job.fitting import Fit, Problem
from bridle.job.judging import Judged
from bridle.job.stability import Stability
from bridle.results import Swap


def rows_and_features(problem: Problem, verdict: Verdict) -> SampleSize:
    """Whether the training rows suffice, given the share of deviance explained on held-out rows."""
    outcome, explained = problem.outcome, verdict.explained.value
    return sample_size(
        problem.family.spec, problem.n_rows, outcome.events(problem.y), outcome.n_candidates(problem.design.shape[1]),
        explained if explained > 0 else None, verdict.null_loss,
    )  # fmt: skip


def with_checks(
    judged: Judged,
    fits: tuple[Fit, ...],
    problem: Problem,
    stability: Mapping[str, Stability],
    swaps: tuple[str, tuple[Swap, ...]],
    size: SampleSize,
) -> dict[str, Verdict]:
    """Return the verdicts with their checks; ``swaps`` are those of one named model."""
    complete = {}
    for fit in fits:
        if fit.name not in judged.verdicts:
            continue
        stable = stability.get(fit.name)
        context = CheckContext(
            verdict=judged.verdicts[fit.name],
            evidence=judged.evidence,
            curve=fit.curve if fit.tuned else None,
            chosen=fit.index if fit.tuned else None,
            lambdas=() if stable is None else tuple(stable.chosen_lambda.tolist()),
            prediction_stability=float("nan") if stable is None else stable.prediction_spread,
            selection_frequency={} if stable is None else _frequencies(fit, problem, stable),
            sample_size=size,
            stand_ins=tuple(
                StandIn(s.chosen, s.instead, s.correlation, s.cost.upper) for s in swaps[1] if swaps[0] == fit.name
            ),
        )
        complete[fit.name] = replace(context.verdict, checks=run_checks(context))
    return complete


def _frequencies(fit: Fit, problem: Problem, stable: Stability) -> dict[str, float]:
    share = stable.selected
    return {problem.design.feature_names[j]: float(share[j]) for j in np.flatnonzero(fit.in_use)}
