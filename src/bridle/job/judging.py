"""A verdict on each fitted model: the same contenders, the same folds, tuning redone inside each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bridle.diagnosis import Evidence, Verdict, collect_evidence, judge, learning_curve
from bridle.diagnosis.challengers import MOST_PAIR_FEATURES, make_challengers
from bridle.diagnosis.contenders import FixedContender, LinearContender, Target
from bridle.diagnosis.evidence import Contender
from bridle.errors import InputError
from bridle.job.fitting import Fit, Problem
from bridle.job.networks import network_contender
from bridle.job.options import L1_RATIOS, Options, Progress
from bridle.selection import Folds, make_folds
from bridle.selection.assign import draw

FOLDS = 5  # of the comparison: a fifth held out keeps the training parts near full size
MOST_ROWS = 20_000  # beyond, intervals are narrower than the margin, and more rows only cost time
LEAST_OF_CLASS = 100  # rows of the rarer class that the comparison needs to say anything
STRENGTHS = (10.0, 0.1)  # each model is also compared with itself, held back ten times more and ten times less


@dataclass(frozen=True)
class Judged:
    """Verdicts by model name, the evidence behind them, and what was left out of it."""

    verdicts: Mapping[str, Verdict]
    evidence: Evidence
    notes: tuple[str, ...]


def judge_models(problem: Problem, fits: tuple[Fit, ...], best: Fit, options: Options, progress: Progress) -> Judged:
    """Compare all models with each other, with themselves at other strengths, and with richer challengers."""
    problem, notes = _affordable(problem, options.seed)
    folds = _folds(problem, options)
    contenders, more = _contenders(problem, fits, options)
    evidence = collect_evidence(
        contenders, problem.y, family=problem.family.spec, sample_weight=problem.weight, offset=problem.offset,
        folds=folds, n_jobs=options.n_jobs, progress=lambda done, total: progress("comparing models", done, total),
    )  # fmt: skip
    if best.name in evidence.failed:
        raise InputError(f"{best.label} fits best but can't be judged: {evidence.failed[best.name]}")
    names = [f.name for f in fits if f.name != "null" and not f.failed and f.name in evidence.names]
    verdicts = {n: judge(evidence, n, margin=options.margin, level=options.level) for n in names}
    if options.learning_curve and best.name in verdicts:
        progress("drawing the learning curve", 0, 1)
        contender = next(c for c in contenders if c.name == best.name)
        if best.nets is not None:  # its rate stays as chosen: tuned anew for every part it would take minutes
            contender = network_contender(problem.design, _target(problem), options, rates=(best.value,))
        known = evidence if best.nets is None else None
        drawn = learning_curve(
            contender, problem.y, family=problem.family.spec, sample_weight=problem.weight, folds=folds,
            level=options.level, seed=options.seed, n_jobs=options.n_jobs, known=known,
        )  # fmt: skip
        verdicts[best.name] = replace(verdicts[best.name], learning_curve=drawn)
        progress("drawing the learning curve", 1, 1)
    return Judged(verdicts, evidence, notes + tuple(f"{note[0].upper()}{note[1:]}." for note in more))


def _affordable(problem: Problem, seed: int) -> tuple[Problem, tuple[str, ...]]:
    """About ``MOST_ROWS`` rows, and a sentence if some were left out.

    Whole groups are drawn, since a group cut short isn't one of its kind; rows of classes are drawn by class, and
    so many that ``LEAST_OF_CLASS`` of the rarest class stay (or all there are).
    """
    n = problem.n_rows
    if n <= MOST_ROWS:
        return problem, ()
    share, rng = MOST_ROWS / n, np.random.default_rng(seed)
    classes = problem.outcome.measure.strata(problem.y)
    if classes is not None:
        share = max(share, min(1.0, LEAST_OF_CLASS / max(int(np.bincount(classes).min()), 1)))
    if problem.groups is not None:
        _, of = np.unique(problem.groups, return_inverse=True)
        order = rng.permutation(int(of.max()) + 1)
        before = np.cumsum(np.bincount(of)[order])  # rows up to and with each group, in the order drawn
        kept = np.zeros(order.size, dtype=bool)
        kept[order[: max(int(np.searchsorted(before, share * n, "right")), 2 * FOLDS)]] = True
        rows, how = np.flatnonzero(kept[of]), "whole groups drawn at random"
    else:
        strata = np.zeros(n, dtype=np.int64) if classes is None else classes
        rows, how = np.flatnonzero(draw(strata, share, rng)) if share < 1.0 else np.arange(n), "drawn at random"
    if rows.size == n:
        return problem, ()
    return problem.take(rows), (f"The verdict compares models on {rows.size:,} of {n:,} training rows, {how}.",)


def _folds(problem: Problem, options: Options) -> Folds:
    return make_folds(
        problem.y, family=problem.family.spec, n_splits=FOLDS,
        n_repeats=1 if problem.time is not None else options.repeats, groups=problem.groups, time=problem.time,
        seed=options.seed,
    )  # fmt: skip


def _contenders(
    problem: Problem, fits: tuple[Fit, ...], options: Options
) -> tuple[tuple[Contender, ...], tuple[str, ...]]:
    X = problem.design
    target = _target(problem)
    others, notes = make_challengers(X, target, _richer(X.shape[1], options), seed=options.seed)
    own: list[Contender] = []
    for fit in fits:
        if fit.failed or fit.name == "null":
            continue
        if fit.nets is not None:
            own.append(network_contender(X, target, options))
        elif fit.name == "unregularised":
            own.append(FixedContender(fit.name, fit.label, X, target))
        else:
            own.append(
                LinearContender(
                    fit.name, fit.label, problem.design_for(fit.name), target, L1_RATIOS[fit.name], options.rule,
                    STRENGTHS, seed=options.seed, lambda_min_ratio=problem.end_for(fit.name),
                    penalty=problem.penalty_for(fit.name), relax=problem.relaxes(fit.name),
                )
            )  # fmt: skip
    return (*others, *own), notes


def _target(problem: Problem) -> Target:
    return Target(problem.y, problem.family.spec, problem.weight, problem.offset, problem.groups, problem.time)


def _richer(p: int, options: Options) -> tuple[str, ...]:
    if not options.challengers:
        return ()
    return ("splines", "boosting", "pairs") if p <= MOST_PAIR_FEATURES else ("splines", "boosting")
