"""What a diagnosis says: numbers first, words made from the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Label = Literal["no signal", "overfitting", "underfitting", "balanced", "undetermined"]
LABELS: tuple[Label, ...] = ("no signal", "overfitting", "underfitting", "balanced", "undetermined")
Side = Literal["simpler", "richer", "null"]
Status = Literal["pass", "warn", "fail", "not applicable"]


@dataclass(frozen=True)
class Interval:
    """A number with its confidence interval at ``level``; missing ends are NaN."""

    value: float
    lower: float
    upper: float
    level: float = 0.95


@dataclass(frozen=True)
class Comparison:
    """Excess risk of the diagnosed model against one alternative: rho = loss(model) / loss(alternative) - 1."""

    alternative: str  # stable name: "null", "ridge", "lasso", "elastic net", "splines", "boosting", ...
    label: str  # for people: "Gradient boosting"
    side: str  # "simpler", "richer" or "null", by training loss
    rho: Interval  # paired, Nadeau-Bengio corrected, simultaneous over the alternatives
    p_value: float  # adjusted over the alternatives, of rho <= 0
    loss: float  # mean held-out loss of the alternative
    train_loss: float


@dataclass(frozen=True)
class Check:
    """One diagnostic with a stable code; ``status`` "not applicable" is an outcome, not an error."""

    code: str  # "BR101"
    title: str
    status: str  # one of Status
    value: float
    threshold: float
    unit: str  # "", "%", "rows", ...
    message: str  # what was found, with the number in it
    advice: str  # one next action; empty when the status is "pass"


@dataclass(frozen=True)
class LearningCurve:
    """Loss against the number of training rows, with intervals, for the diagnosed model."""

    n_train: tuple[int, ...]
    train: tuple[Interval, ...]
    test: tuple[Interval, ...]


@dataclass(frozen=True)
class SampleSize:
    """Whether the rows suffice for the candidate features."""

    n: int
    n_events: int  # binomial: rows of the rarer class; poisson: sum of counts; gaussian: n
    n_candidates: int
    per_candidate: float  # events per candidate parameter
    riley_required: int  # rows by Riley et al.'s criteria
    criteria: dict[str, float]  # criterion -> rows it asks for
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """Whether a model over- or underfits, with the evidence.

    ``label`` follows the rule of docs/diagnosis.md; ``lean`` is the direction an undetermined verdict leans to.
    """

    model: str
    label: str  # one of LABELS
    lean: str  # "", "overfitting", "underfitting" or "balanced": only where the label is "undetermined"
    sentence: str  # for a manager: one sentence, with the effect and its interval
    action: str  # one next action
    effect: Interval  # rho of the comparison that decided
    alternative: str  # the alternative that proves it; empty if none does
    margin: float  # 0.05
    level: float  # 0.95
    comparisons: tuple[Comparison, ...]
    optimism: Interval  # held-out loss minus training loss, shown and never the verdict
    loss: Interval  # held-out loss
    train_loss: float
    null_loss: float
    explained: Interval  # 1 - loss / null loss: the share of the null deviance explained on held-out rows
    calibration_slope: Interval
    rows_needed: int | None  # estimate of the rows that would decide; only where undetermined
    checks: tuple[Check, ...]
    learning_curve: LearningCurve | None = None
    scheme: str = ""  # "5-fold cross-validation, 4 repeats, seed 0"
