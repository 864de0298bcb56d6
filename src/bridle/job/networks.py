"""The dropout network in the main job: fitted on the same folds, judged as a contender, and looked into."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.diagnosis.contenders import Target
from bridle.errors import ConvergenceError
from bridle.job.fitting import LABELS, Fit, Problem
from bridle.job.options import Options, Progress
from bridle.nets.contender import TUNING_RATES, NetworkContender
from bridle.nets.dropout import RATES, dropout_path
from bridle.nets.extra import INSTALL, available
from bridle.nets.network import Network
from bridle.nets.settings import Architecture, Training
from bridle.results import Attribution

Float = NDArray[np.float64]

NAME = "dropout"
MOST_ROWS, LEAST_ROWS = 20_000, 2_000  # a network trains on at most, and on wide tables
MOST_WORK = 2e8  # rows times weights of a network: some three hundred of them are to take a minute or two, not an hour
MANY_ROWS = 5_000  # from which on a coarser grid of rates and less patience do
NETWORK_RULES = ("min", "1se", "within")  # information criteria count parameters, which means nothing under dropout
EXPLAINED_ROWS = 300  # whose attributions are averaged
SHOWN_ATTRIBUTIONS = 200

STAGE = "training dropout networks"


def training_for(n: int) -> Training:
    """Settings for n training rows: an epoch of many rows is many steps, so fewer epochs show that it got no better."""
    return Training(patience=15 if n <= 2_000 else 8 if n <= MANY_ROWS else 5)


def rule_for(options: Options) -> str:
    """The rule asked for where networks have it, else the smallest held-out loss."""
    return options.rule if options.rule in NETWORK_RULES else "min"


def most_rows(p: int) -> int:
    """Rows that a network of p features trains on at most."""
    widths = (p, *Architecture().hidden, 1)
    return int(np.clip(MOST_WORK / sum(a * b for a, b in pairwise(widths)), LEAST_ROWS, MOST_ROWS))


def fit_network(problem: Problem, options: Options, progress: Progress) -> Fit:
    """Cross-validate networks over the dropout rates on the study's folds, all at once, and choose one.

    Raises
    ------
    MissingExtraError
        PyTorch isn't installed.
    ConvergenceError
        Training diverged.
    KeyboardInterrupt
        It was interrupted: a study is whole or not at all.
    """
    start = time.perf_counter()
    n, p = problem.design.shape
    rule = rule_for(options)
    path = dropout_path(
        problem.design, problem.y, family=problem.family.spec, rates=RATES if n <= MANY_ROWS else TUNING_RATES,
        folds=problem.folds, architecture=Architecture(), training=training_for(n), sample_weight=problem.weight,
        offset=problem.offset, groups=problem.groups, time=problem.time, rule=rule, most_rows=most_rows(p),
        seed=options.seed, n_jobs=options.n_jobs,
        progress=lambda done, total, _: progress(STAGE, done, total),
    )  # fmt: skip
    if path.interrupted:
        raise KeyboardInterrupt
    chosen = path.select()
    if path.fits[chosen.index].network is None:
        raise ConvergenceError("training on all rows diverged; look for features of extreme size")
    why = f"{chosen.reason} ({options.rule} isn't defined for networks)" if rule != options.rule else chosen.reason
    return Fit(
        name=NAME,
        intercept=float("nan"),
        coef=np.zeros(problem.design.shape[1]),
        value=chosen.value,
        rule=chosen.rule,
        reason=why,
        index=chosen.index,
        curve=path.curve,
        nets=path,
        seconds=time.perf_counter() - start,
    )


def network_contender(
    X: Any, target: Target, options: Options, rates: tuple[float, ...] = TUNING_RATES
) -> NetworkContender:
    """The network as the verdict compares it: its rate chosen anew inside every fold."""
    rule = rule_for(options)
    return NetworkContender(
        NAME, LABELS[NAME], X, target, rates=rates, rule=rule, training=training_for(target.y.size),
        most_rows=most_rows(X.shape[1]), seed=options.seed,
    )  # fmt: skip


def notes(problem: Problem, options: Options, fits: tuple[Fit, ...]) -> tuple[str, ...]:
    """What is to be said of dropout: that PyTorch is missing, or that networks saw some of the rows only."""
    if NAME not in options.models:
        if NAME in problem.outcome.drops:
            return (problem.outcome.drops[NAME],)
        return () if available() else (f"The dropout network was left out, as PyTorch isn't installed: {INSTALL}.",)
    fitted = any(f.nets is not None for f in fits)
    n, most = problem.n_rows, most_rows(problem.design.shape[1])
    return (f"Dropout networks train on {most:,} of {n:,} training rows, drawn at random.",) * (fitted and n > most)


def attributions(network: Network, problem: Problem, seed: int) -> tuple[Attribution, ...]:
    """What the network leans on: mean absolute integrated gradients of training rows against their mean.

    Returns
    -------
    tuple of Attribution
        Largest share first; empty where no feature moves the prediction.
    """
    share = problem.weights / problem.weights.sum()
    reference = np.asarray(problem.X.T @ share, dtype=np.float64)
    rows = np.sort(np.random.default_rng(seed).permutation(problem.n_rows)[:EXPLAINED_ROWS])
    X = problem.X[rows]
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
    parts = network.integrated_gradients(X, reference)  # (rows, p)
    size = np.abs(parts).mean(axis=0)
    if not size.sum() > 0.0:
        return ()
    order = np.argsort(-size, kind="stable")
    order = order[size[order] > 0.0][:SHOWN_ATTRIBUTIONS]
    return tuple(
        Attribution(
            feature=problem.design.feature_names[j],
            column=problem.design.source[j],
            share=float(size[j] / size.sum()),
            direction=_correlation(parts[:, j], X[:, j]),
        )
        for j in order
    )


def _correlation(a: Float, b: Float) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0.0 else float("nan")
