"""`study`: the steps of the main job, in order."""

from __future__ import annotations

import datetime
import importlib
import os
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bridle.data import Dataset, make_dataset
from bridle.design import Design, Encoder
from bridle.design.hierarchy import latent_groups
from bridle.diagnosis import Verdict
from bridle.errors import BridleError, BridleWarning, InputError
from bridle.job import assemble
from bridle.job.checking import rows_and_features, with_checks
from bridle.job.choice import recommend
from bridle.job.fitting import Fit, Problem, fit_models
from bridle.job.judging import judge_models
from bridle.job.options import Options, Progress, check_options
from bridle.job.outcome import outcome_of
from bridle.job.saving import load_result, metrics, save_study
from bridle.job.stability import Stability, bootstrap, samples_for
from bridle.job.summaries import shown_features
from bridle.job.swaps import find_swaps
from bridle.losses import Family, get_family
from bridle.model_io import TableModel
from bridle.nets.extra import available, require_torch
from bridle.results import StudyResult
from bridle.selection import Folds, holdout_split, make_folds
from bridle.settling import settle_family

Float = NDArray[np.float64]

ROWS_TO_HOLD_OUT = 40  # with fewer rows a held-out set is too small to tell anything; cross-validation has to do


@dataclass(frozen=True)
class Study:
    """What :func:`study` returns: the fitted models, and everything found, as plain frozen values.

    Attributes
    ----------
    result : StudyResult
        All numbers of the report.
    models : mapping of str to TableModel
        Every model that could be fitted, by name ("ridge", "lasso", ...).
    predictions : polars.DataFrame
        Row number, target and each model's prediction, for the held-out rows.
    """

    result: StudyResult
    models: Mapping[str, TableModel]
    predictions: pl.DataFrame

    @property
    def best(self) -> TableModel:
        """The recommended model."""
        return self.models[self.result.best]

    @property
    def verdict(self) -> Verdict:
        """Verdict of the recommended model."""
        found = self.result.model(self.result.best).verdict
        assert found is not None
        return found

    @property
    def metrics(self) -> dict[str, Any]:
        """Scores of every model, as written to metrics.json."""
        return metrics(self.result)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write the HTML report to ``path``, whole or not at all."""
        from bridle.report import write_report

        write_report(self.result, path)

    def save(self, folder: str | os.PathLike[str], *, force: bool = False) -> tuple[FilePath, ...]:
        """Write report, model, metrics, verdict, study and predictions into ``folder``, all or none; return the paths.

        Files of these names that bridle didn't write are replaced only with ``force``.
        """
        return save_study(folder, self.result, self.best, self.predictions, force=force)

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> StudyResult:
        """Read the result of a saved study."""
        return load_result(folder)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(m.label)}</td><td>{m.cv_loss.value:.4g}</td><td>{m.n_nonzero}</td>"
            f"<td>{escape(m.verdict.label if m.verdict else m.failed)}</td></tr>"
            for m in self.result.models
        )
        head = f"<tr><th>model</th><th>{escape(self.result.loss_name)}</th><th>features</th><th>verdict</th></tr>"
        return f"<p><strong>{escape(self.result.headline)}</strong></p><table>{head}{rows}</table>"


def study(
    data: Any,
    target: Any = None,
    *,
    models: Sequence[str] | None = None,
    family: str | None = None,
    rule: str = "min",
    penalty: str = "elastic_net",
    hierarchy: str | None = None,
    relax: bool = False,
    folds: int = 10,
    repeats: int = 2,
    holdout: float = 0.2,
    margin: float = 0.05,
    level: float = 0.95,
    missing: str = "indicator",
    weights: Any = None,
    offset: Any = None,
    groups: Any = None,
    time: Any = None,
    event: Any = None,
    start: Any = None,
    strata: Any = None,
    exclude: Sequence[str] = (),
    keep: Sequence[str] = (),
    ordered: Mapping[str, Sequence[str]] | None = None,
    formula: str | None = None,
    interactions: str | Sequence[str | Sequence[str]] | None = None,
    positive: Any = None,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    bootstrap: int = 50,
    challengers: bool = True,
    learning_curve: bool = True,
    seed: int = 0,
    n_jobs: int | None = None,
    tol: float = 1e-6,
    command: str = "",
    progress: Progress | None = None,
) -> Study:
    """Fit regularised models on a table, and tell whether they over- or underfit.

    The rows are split once into training and held-out rows. Every model is tuned by cross-validation on the same
    folds of the training rows, judged against every other model and richer challengers with the tuning redone
    inside each fold, and scored once on the held-out rows.

    Parameters
    ----------
    data : path, "-", data frame (pandas, polars, Arrow), Dataset
        The table; a file may be CSV, Parquet or Feather, gzip or zstd; "-" is standard input.
    target : str, sequence of str, (n,) or (n, K)
        Column to predict, or the values themselves; a formula may name it instead. Several columns of numbers are
        predicted together.
    models : sequence of str, optional
        Some of "unregularised", "ridge", "lasso", "elastic net", "dropout"; all by default, dropout only where PyTorch
        is installed (the extra ``nn``).
    family : str, optional
        Recognised from the target by default.
    rule : str
        How lambda and the dropout rate are chosen on the validation curve: "min", "1se", "within"; for lambda also
        "aic", "aicc", "bic", "ebic", "gcv".
    penalty : str
        Of the models "lasso" and "elastic net": "group_lasso" or "sparse_group_lasso(l1_share=0.95)" take categories,
        splines, products and numbers with their ``(missing)`` feature in or out as wholes; "adaptive_lasso(gamma=1)",
        "mcp(gamma=3)" and others as in :func:`bridle.fit_path`.
    hierarchy : {"strong", "weak"}, optional
        A product of columns enters a model only with both of its main effects, or with one; by a group lasso.
    relax : bool
        Whether lasso and elastic net may be blended with a refit of their active features without penalty; the share of
        each is chosen with lambda, in the verdict again inside each fold.
    folds, repeats : int
        Folds of the validation curve, and repeats of the 5-fold comparison behind the verdict.
    holdout : float
        Share of rows held out, 0 for none.
    margin, level : float
        Smallest excess risk that matters, and confidence level of the verdict.
    missing : {"indicator", "mean", "median", "drop", "error"}
        What to do with missing values.
    weights, offset, groups, time : str or (n,), optional
        Columns (or values) with row weights, an offset on the link scale, groups kept together in folds, and the
        time that orders the folds.
    event, start, strata : str or (n,), optional
        Columns (or values) that make ``target`` a time to an event, and the models Cox's: whether the event ended it,
        from when on the row was at risk, and who shares a baseline hazard.
    exclude : sequence of str
        Columns to leave out.
    keep : sequence of str
        Columns to use although they look like an identifier, a date or free text.
    ordered : mapping of str to sequence of str, optional
        Columns of ordered categories, the target too, with all their levels, lowest first; a polars Enum and an ordered
        pandas Categorical bring their own order.
    formula : str, optional
        Target and features, such as ``"y ~ bs(age, 5) + sex:dose"``; needs the extra ``formula``. Knots and means are
        learned from the training rows.
    interactions : "all" or sequence, optional
        Pairs of columns whose products become features beside the columns: ``["age:dose", ("sex", "*")]``.
    positive : optional
        Label of the class to predict the probability of, or of the event.
    separator, decimal, encoding : str, optional
        How a text file is written; recognised by default.
    bootstrap : int
        Bootstrap samples for stability and intervals of coefficients; fewer on big tables.
    challengers : bool
        Whether richer models (splines, boosting) challenge the linear ones in the verdict.
    learning_curve : bool
        Whether to draw the recommended model's learning curve.
    seed, n_jobs, tol : int, int, float
        Seed of every random choice; threads (all cores by default; the answer doesn't depend on it); relative
        duality gap of every fit.
    command : str
        Command line to print in the report.
    progress : callable, optional
        Takes (stage, done, total).

    Returns
    -------
    Study

    Raises
    ------
    InputError
        The table, the target or a setting can't be used; the message says what to do.

    Examples
    --------
    >>> import bridle
    >>> found = bridle.study("patients.csv", target="diagnosis")  # doctest: +SKIP
    >>> found.verdict.label  # doctest: +SKIP
    'balanced'
    """
    options = check_options(
        models=models, rule=rule, folds=folds, repeats=repeats, holdout=holdout, margin=margin, level=level,
        missing=missing, bootstrap=bootstrap, challengers=challengers, learning_curve=learning_curve, seed=seed,
        n_jobs=n_jobs, tol=tol, penalty=penalty, hierarchy=hierarchy, relax=relax,
    )  # fmt: skip
    offset_name = offset if isinstance(offset, str) else ""
    every = models is None
    if isinstance(data, Dataset):
        return _run(data, options, offset_name, command, progress or _silent, every=every)
    reading = {"separator": separator, "decimal": decimal, "encoding": encoding}
    roles = {"weights": weights, "offset": offset, "groups": groups, "time": time}
    roles |= {"event": event, "start": start, "strata": strata}
    return _run(  # the table isn't kept here, so that it can go once it has become a matrix
        make_dataset(
            data, target, family=family, exclude=tuple(exclude), keep=tuple(keep), ordered=ordered, formula=formula,
            interactions=interactions, positive=positive, **roles, **reading
        ),
        options, offset_name, command, progress or _silent, every=every,
    )  # fmt: skip


def _silent(stage: str, done: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class Split:
    """Rows of the table that train and rows that are held out, as problem and as matrices."""

    encoder: Encoder
    problem: Problem
    test: NDArray[np.int64]  # rows of the dataset
    X_test: Any  # (n_test, p)
    y_test: Float
    w_test: Float
    offset_test: Float | None
    cluster_test: NDArray[np.int64] | None  # (n_test,) codes of the groups
    offset_name: str  # the table's column; empty for none


def _run(data: Dataset, options: Options, offset_name: str, command: str, progress: Progress, *, every: bool) -> Study:
    start = time.perf_counter()
    options = _possible(options, data, every)

    # 1. Hold rows out, once, and turn the rest into numbers and folds.
    data = data.complete_rows() if options.missing == "drop" else data
    train, test = _rows(data, options)
    encoder = Encoder.fit(data, missing=options.missing, rows=train)
    whole = encoder.transform(data)
    data = replace(data, frame=None, matrix=None)  # the table has become a matrix and can go
    split = _split(data, (train, test), encoder, whole, options, offset_name)
    del whole
    # scikit-learn takes a second to import, and the challengers need it only after the first fits. PyTorch comes first
    # and in this thread: while it's half imported, SciPy takes it for whole and fails.
    if "dropout" in options.models and available():
        with suppress(BridleError):  # one that can't be imported is told of when the network is fitted
            require_torch()
    if options.challengers:
        threading.Thread(target=importlib.import_module, args=("sklearn.ensemble",), daemon=True).start()
    # What falls short of its certificate, and why, stands in the result. The filter is set here, once and outside of
    # all threads, since Python's filters aren't safe to change inside of them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BridleWarning)
        return _study(data, split, options, command, progress, start)


def _study(data: Dataset, split: Split, options: Options, command: str, progress: Progress, start: float) -> Study:
    problem = split.problem

    # 2. Fit every model on the same folds.
    fits = fit_models(problem, options, progress)
    best, why = recommend(fits, options.margin)

    # 3. Judge each against every other, and against richer challengers.
    judged = judge_models(problem, fits, best, options, progress)

    # 4. Refit on bootstrap samples: what would change on other rows?
    stability = _stability(problem, fits, options, progress)

    # 5. What could have been chosen instead, and do the checks pass?
    progress("comparing correlated features", 0, 1)
    owner = best if best.has_path else next((f for f in fits if f.has_path), best)
    swaps = find_swaps(problem, owner, options)
    progress("comparing correlated features", 1, 1)
    size = rows_and_features(problem, judged.verdicts[best.name])
    verdicts = with_checks(judged, fits, problem, stability, (owner.name, swaps), size)

    # 6. Put it all into plain values.
    result = assemble.assemble(
        data, split, fits, replace(judged, verdicts=verdicts), stability, swaps, size=size, options=options,
        best=best, why=why,
        started=start, command=command, created=_now(),
    )  # fmt: skip
    models = {f.name: assemble.model(f, split, data, result) for f in fits if not f.failed}
    return Study(result=result, models=models, predictions=assemble.predictions(fits, split, data))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _possible(options: Options, data: Dataset, every: bool) -> Options:
    """The options without the techniques that such a target can't have, unless they were asked for."""
    outcome = outcome_of(get_family(data.family), data.outputs)
    outcome.check(options)
    return replace(options, models=tuple(m for m in options.models if m not in outcome.drops)) if every else options


def _rows(data: Dataset, options: Options) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that train, and rows that are held out: none of a table that is too small."""
    n = data.n_rows
    if options.holdout > 0.0 and n >= ROWS_TO_HOLD_OUT:
        return holdout_split(
            data.y, family=data.family, fraction=options.holdout, groups=data.groups, time=data.time, seed=options.seed
        )
    return np.arange(n), np.arange(0)


def _family(spec: str, design: Design, training: Dataset) -> Family:
    """The family, with what it leaves open estimated from the training rows."""
    family = get_family(spec)
    if family.is_classifier and not family.has_probabilities:
        raise InputError(
            f"a study compares probabilities, and the {family.name} family has none: use binomial, or "
            "bridle.cross_validate for this loss"
        )
    if family.is_settled:
        return family
    X = design.for_rows(None)
    return settle_family(X, training.y, family=family, sample_weight=training.weights, offset=training.offset)


def _split(
    data: Dataset,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    encoder: Encoder,
    whole: Design,
    options: Options,
    offset_name: str,
) -> Split:
    train, test = rows
    training, held_out = data.take(train), data.take(test)
    weights = np.ones(train.size) if training.weights is None else training.weights
    outcome = outcome_of(get_family(data.family), data.outputs).measured(training.y, weights, training.offset)
    training, held_out = (replace(part, y=outcome.inside(part.y)) for part in (training, held_out))
    design = whole.take(train) if test.size else whole
    folds: Folds = make_folds(
        training.y, family=data.family, n_splits=options.folds, groups=training.groups, time=training.time,
        seed=options.seed,
    )  # fmt: skip
    return Split(
        encoder=encoder,
        problem=Problem(
            design=design,
            y=training.y,
            family=_family(data.family, design, training),
            weight=training.weights,
            offset=training.offset,
            groups=training.groups,
            time=training.time,
            folds=folds,
            penalty=options.penalty,
            relax=options.relax,
            latent=latent_groups(encoder, options.hierarchy) if options.hierarchy else None,
            measured=outcome if outcome.family.is_settled else None,
        ),
        test=test,
        X_test=whole.take(test).for_rows(None),
        y_test=held_out.y,
        w_test=np.ones(test.size) if held_out.weights is None else held_out.weights,
        offset_test=held_out.offset,
        cluster_test=None if held_out.groups is None else np.unique(held_out.groups, return_inverse=True)[1],
        offset_name=offset_name,
    )


def _stability(problem: Problem, fits: tuple[Fit, ...], options: Options, progress: Progress) -> dict[str, Stability]:
    tuned = [f for f in fits if f.has_path]
    n_samples = samples_for(*problem.design.shape, options.bootstrap)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress("refitting on bootstrap samples", done, n_samples * len(tuned))

    if n_samples == 0:
        return {}
    return {
        f.name: bootstrap(problem, f, shown_features(f), n_samples, options.seed, options.n_jobs, step) for f in tuned
    }
