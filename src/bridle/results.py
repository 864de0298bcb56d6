"""The frozen result of the main job: all that report, compare and the saved study.json hold.

Plain numbers, strings and tuples, so that it goes to JSON and back unchanged (see ``bridle.frozen``). The report
is made from a :class:`StudyResult` only; no solver, table or estimator is needed to draw it again.
Losses are mean unit deviances unless a field says otherwise. Missing numbers are NaN (None in JSON).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridle.diagnosis.verdict import Interval, Verdict
from bridle.diagnosis.verdict import SampleSize as SampleSize  # noqa: PLC0414 (re-exported)
from bridle.nets.history import TrainingHistory as TrainingHistory  # noqa: PLC0414 (re-exported)

FORMAT = 1  # version of study.json


@dataclass(frozen=True)
class ColumnNote:
    """What became of one column of the table."""

    name: str
    kind: str  # "numeric", "boolean", "categorical", "date", "identifier", "constant", "text", "target", "weights", ...
    used: bool
    n_missing: int
    n_distinct: int
    note: str  # why it was left out or how it was encoded; empty if nothing to say
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataNotes:
    """The table as it was understood."""

    source: str  # file name, or "DataFrame"
    sha256: str  # of the file's bytes, or of the table's content
    n_rows: int
    n_train: int
    n_holdout: int
    n_columns: int
    n_features: int  # columns of the design matrix
    target: str
    family: str
    classes: tuple[str, ...]  # labels of the classes: (negative, positive) of two, lowest first if ordered; else empty
    target_summary: str  # "57 % of rows are 'benign'", "mean 152, sd 77"
    columns: tuple[ColumnNote, ...]
    notes: tuple[str, ...]  # sentences: what was dropped, imputed, suspected; most important first
    warnings: tuple[str, ...]  # suspected leaks and the like
    responses: tuple[str, ...] = ()  # names of several responses


@dataclass(frozen=True)
class CurveSummary:
    """A validation curve for drawing, simplest model first; all tuples have length L."""

    parameter: str
    values: tuple[float, ...]
    mean: tuple[float, ...]
    standard_error: tuple[float, ...]
    train: tuple[float, ...]
    n_nonzero: tuple[int, ...]
    scores: dict[str, tuple[float, ...]]  # "deviance explained", "ROC AUC", "accuracy", "R2", ...: held-out means
    index_min: int
    index_1se: int
    index_chosen: int
    rules: dict[str, int]  # every rule that applies -> index


@dataclass(frozen=True)
class PathSummary:
    """Coefficient paths for drawing: the features that matter most, on the standardised scale."""

    features: tuple[str, ...]  # (F,), most important first
    coefficients: tuple[tuple[float, ...], ...]  # (F, L), effect of one standard deviation
    bootstrap: tuple[tuple[tuple[float, ...], ...], ...]  # (B, F, Lb), the same on resampled rows; may be empty
    bootstrap_values: tuple[float, ...]  # (Lb,), the lambdas of the bootstrap paths


@dataclass(frozen=True)
class Coefficient:
    """One selected feature of the chosen model, with what is known of its trustworthiness."""

    feature: str  # design column: "age", "thal = fixed", "chol (missing)"
    column: str  # table column it came from
    value: float  # on the original scale (link scale per unit)
    standardised: float  # per standard deviation
    effect: str  # "+2.3 per year", "odds x 1.8 per unit": in words on the original scale
    lower: float  # bootstrap percentile interval of ``value``
    upper: float
    selection_frequency: float  # share of bootstrap fits in which it is nonzero
    sign_consistency: float  # share of those in which the sign is the same
    unit: str = "per unit"
    mean: float = float("nan")  # mean of the design column
    scale: float = float("nan")  # standard deviation of the design column
    by_output: tuple[Interval, ...] = ()  # of several classes or responses (K,): ``value`` is then the length of these


@dataclass(frozen=True)
class LevelEffect:
    """A level of a category, or a point on a curve: what it adds against the mean over the training rows."""

    level: str  # "north", "(missing)", "age = 40"
    effect: float  # link scale
    share: float  # of training rows; NaN for a point on a curve


@dataclass(frozen=True)
class TermEffect:
    """A group of features as a whole: a category with all its levels, a spline, a product of columns."""

    name: str  # "site", "bs(age, 5)", "sex:dose"
    kind: str  # "number", "category", "ordered", "curve", "product"
    columns: tuple[str, ...]  # table columns that it reads
    n_features: int
    levels: tuple[LevelEffect, ...] = ()
    fused: tuple[tuple[str, ...], ...] = ()  # runs of ordered neighbours whose effects are exactly equal
    words: str = ""
    size: float = float("nan")  # standard deviation of the joint contribution over the training rows


@dataclass(frozen=True)
class Swap:
    """A feature that could have been chosen instead, and what the swap would cost."""

    chosen: str
    instead: str
    correlation: float
    cost: Interval  # relative change of held-out loss after the swap; upper <= 0 would be an improvement


@dataclass(frozen=True)
class Certificate:
    """Proof of optimality of the fits on one path."""

    objective: str  # the objective solved, in one line of mathematics with the numbers in it
    n_values: int
    worst_relative_gap: float
    worst_kkt: float
    tolerance: float
    n_converged: int
    messages: tuple[str, ...] = ()  # statuses other than "converged"


@dataclass(frozen=True)
class Coverage:
    """How often Monte-Carlo dropout intervals of one nominal level held what was observed, on held-out rows."""

    level: float
    covered: Interval  # share, with Wilson's interval


@dataclass(frozen=True)
class MonteCarlo:
    """Monte-Carlo dropout (Gal and Ghahramani 2016) on held-out rows, and whether its intervals are calibrated."""

    n_samples: int
    unit: str  # what an interval is for: "rows", "groups of 10 rows"
    n_units: int
    coverage: tuple[Coverage, ...]  # by level, ascending
    sentence: str


@dataclass(frozen=True)
class Attribution:
    """How much a network leans on one feature: integrated gradients (Sundararajan, Taly and Yan 2017)."""

    feature: str
    column: str  # table column it came from
    share: float  # of the mean absolute attributions of all features
    direction: float  # correlation of attribution and feature value: 1 raises, -1 lowers, near 0 neither way


@dataclass(frozen=True)
class TechniqueGap:
    """One technique's excess risk over the best one: rho = loss(technique) / loss(best) - 1, on the same folds."""

    model: str  # name of the model that stands for it: "ridge", "lasso", "elastic net", "dropout", "unregularised"
    label: str
    technique: str  # "L1", "L2", "L1 + L2", "dropout", "none"
    loss: float  # mean held-out loss
    excess: Interval  # paired, corrected, simultaneous over the techniques; 0 for the best one
    beyond_noise: bool  # whether the interval leaves out 0


@dataclass(frozen=True)
class Techniques:
    """Which technique suits these data, by how much, and whether that is beyond noise."""

    best: str  # model name
    sentence: str
    gaps: tuple[TechniqueGap, ...]  # best first
    scheme: str  # the folds in words


@dataclass(frozen=True)
class LessonFit:
    """What one technique makes of the lesson's points."""

    name: str  # "unregularised", "ridge", "lasso", "dropout": as models are called
    label: str
    setting: str  # "λ = 0.012", "rate 0.4", "no penalty"
    y: tuple[float, ...]  # (G,), the fitted line on the grid
    train_error: float  # mean squared error on the points
    true_error: float  # mean squared distance from the truth over the grid
    n_nonzero: int
    text: str  # what it did, in a sentence with numbers


@dataclass(frozen=True)
class Lesson:
    """A curve fitted to few noisy points, with and without regularisation: overfitting to look at."""

    title: str
    text: str
    x: tuple[float, ...]  # (n,) points
    y: tuple[float, ...]
    grid: tuple[float, ...]  # (G,)
    truth: tuple[float, ...]  # (G,), the curve that the points were drawn around
    fits: tuple[LessonFit, ...]


@dataclass(frozen=True)
class ModelResult:
    """One fitted model of the study."""

    name: str  # stable: "null", "unregularised", "ridge", "lasso", "elastic net", "dropout"
    label: str  # "Lasso (L1)"
    technique: str  # "none", "L1", "L2", "L1 + L2", "dropout"
    parameter: str  # "lambda", "dropout rate"; empty for null and unregularised
    value: float  # the chosen lambda or rate
    l1_ratio: float
    rule: str
    reason: str  # why this value: the rule's sentence
    n_nonzero: int
    n_features: int
    cv_loss: Interval
    train_loss: float
    holdout_loss: Interval  # bootstrap over held-out rows
    holdout_scores: dict[str, Interval]  # "R2", "RMSE", "ROC AUC", "accuracy", "deviance explained", ...
    fit_seconds: float
    verdict: Verdict | None  # None for the null model
    curve: CurveSummary | None = None
    path: PathSummary | None = None
    intercept: float = float("nan")
    coefficients: tuple[Coefficient, ...] = ()  # nonzero ones, most important first (at most 200)
    certificate: Certificate | None = None
    lambda_bootstrap: tuple[float, ...] = ()  # lambda chosen on each bootstrap sample
    prediction_stability: float = float("nan")  # mean over rows of the bootstrap sd of the link, over the link's sd
    failed: str = ""  # why this model has no numbers (e.g. unregularised with p > n); empty if it was fitted
    network: str = ""  # a network in one line: "30 -> 64 -> 64 -> 1, relu"; empty for linear models
    history: TrainingHistory | None = None  # networks only, as the next two
    monte_carlo: MonteCarlo | None = None
    attributions: tuple[Attribution, ...] = ()  # most important first (at most 200)
    terms: tuple[TermEffect, ...] = ()  # groups of several features as wholes, most important first (at most 100)


@dataclass(frozen=True)
class CalibrationBin:
    """Held-out rows grouped by prediction."""

    predicted: float
    observed: float
    lower: float
    upper: float
    n: int


@dataclass(frozen=True)
class HoldoutPoints:
    """Predictions of the best model on (a sample of) held-out rows, for calibration and residual plots."""

    predicted: tuple[float, ...]  # means (probabilities, counts)
    observed: tuple[float, ...]
    residual: tuple[float, ...]  # deviance residuals
    calibration: tuple[CalibrationBin, ...]
    roc: tuple[tuple[float, float], ...] = ()  # binomial: (false positive rate, true positive rate)


@dataclass(frozen=True)
class RiskGroup:
    """Held-out rows of similar predicted risk: the survival seen (Kaplan-Meier) and the one predicted on average."""

    label: str  # "lowest third of predicted risk"
    n: int
    n_events: int
    times: tuple[float, ...]  # of events among the rows; thinned to what a chart can show, as all that follow
    observed: tuple[float, ...]
    lower: tuple[float, ...]  # pointwise
    upper: tuple[float, ...]
    predicted_times: tuple[float, ...]
    predicted: tuple[float, ...]  # mean of the rows' predicted survival


@dataclass(frozen=True)
class Survival:
    """Times to an event: the columns, and what the best model predicts for held-out rows beside what happened."""

    time: str  # names of the columns
    event: str
    label: str  # what the event column holds where there was one
    start: str  # empty for none
    strata: str
    levels: tuple[str, ...]  # of the strata
    horizon: float  # median time of the training rows' events, at which predictions are checked
    groups: tuple[RiskGroup, ...] = ()  # by predicted risk, lowest first
    calibration: tuple[CalibrationBin, ...] = ()  # probability of an event up to the horizon, predicted and seen


@dataclass(frozen=True)
class Output:
    """One class or response of several, on held-out rows: a class against the rest."""

    name: str
    points: HoldoutPoints
    scores: dict[str, Interval] = field(default_factory=dict)
    """Classes: "ROC AUC", "found" (share of its rows that are predicted to be it), "right" (share of the rows predicted
    to be it that are it)."""


@dataclass(frozen=True)
class Reproduce:
    """How to get the same numbers again."""

    command: str
    seed: int
    versions: dict[str, str]
    created: str  # ISO 8601, UTC
    seconds: float
    n_jobs: int
    options: dict[str, str]


@dataclass(frozen=True)
class StudyResult:
    """Everything the main job found."""

    format: int
    title: str
    data: DataNotes
    best: str  # name of the recommended model
    best_reason: str
    headline: str  # the verdict of the best model in a sentence a manager understands
    models: tuple[ModelResult, ...]  # null first, then unregularised, ridge, lasso, elastic net, ...
    holdout: HoldoutPoints | None
    sample_size: SampleSize
    swaps: tuple[Swap, ...]
    gain: str  # what regularisation bought, in a sentence with numbers
    loss_name: str  # "mean squared error", "binomial deviance per row", ...
    reproduce: Reproduce
    folds: str  # "10-fold cross-validation, stratified"
    techniques: Techniques | None = None
    lesson: Lesson | None = None  # bridle fit --demo
    survival: Survival | None = None  # times to an event only
    outputs: tuple[Output, ...] = ()  # in place of ``holdout`` where the target has several classes or responses
    confusion: tuple[tuple[float, ...], ...] = ()  # weight of held-out rows by class (rows) and predicted class

    def model(self, name: str) -> ModelResult:
        """Return the model called ``name``; KeyError names those there are."""
        for m in self.models:
            if m.name == name:
                return m
        raise KeyError(f"no model {name!r}; there are {[m.name for m in self.models]}")
