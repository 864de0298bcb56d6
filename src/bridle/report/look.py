"""Identity of each technique and outcome: one colour class, one shape, one word; never colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from bridle.diagnosis.verdict import Verdict
from bridle.report.numbers import num, plain
from bridle.results import ModelResult


@dataclass(frozen=True)
class Look:
    """How a model is told apart in every chart."""

    css: str  # class that sets --accent
    shape: str  # mark


_LOOKS = {
    "null": Look("m-null", "cross"),
    "unregularised": Look("m-free", "triangle"),
    "ridge": Look("m-ridge", "square"),
    "lasso": Look("m-lasso", "circle"),
    "elastic net": Look("m-enet", "diamond"),
    "dropout": Look("m-dropout", "hourglass"),
}


def look(model: str) -> Look:
    """Return the identity of ``model``."""
    return _LOOKS.get(model, Look("m-other", "circle"))


@dataclass(frozen=True)
class Outcome:
    """A verdict's or a check's icon, word and colour class."""

    icon: str
    word: str
    css: str
    lean: str = ""  # the direction an undetermined verdict leans to


_LABELS = {
    "no signal": Outcome("○", "No signal", "v-none"),
    "overfitting": Outcome("▲", "Overfitting", "v-over"),
    "underfitting": Outcome("▼", "Underfitting", "v-under"),
    "balanced": Outcome("✓", "Balanced", "v-balanced"),
    "undetermined": Outcome("?", "Undetermined", "v-open"),
}
_STATUS = {
    "pass": Outcome("✓", "pass", "s-pass"),
    "warn": Outcome("!", "warning", "s-warn"),
    "fail": Outcome("✕", "fail", "s-fail"),
    "not applicable": Outcome("–", "not applicable", "s-na"),
}


def outcome(verdict: Verdict | None) -> Outcome:
    """Return the look of a verdict, with its lean where it is undetermined."""
    if verdict is None:
        return Outcome("–", "No verdict", "v-open")
    known = _LABELS.get(verdict.label, Outcome("?", verdict.label.capitalize(), "v-open"))
    if verdict.label == "undetermined" and verdict.lean:
        return Outcome(known.icon, known.word, known.css, f"leaning {verdict.lean}")
    return known


def status(name: str) -> Outcome:
    """Return the look of a check's status."""
    return _STATUS.get(name, Outcome("?", name, "s-na"))


RATE = "dropout rate"  # the one parameter that is a share: linear, zero allowed, written without needless digits


def is_network(model: ModelResult) -> bool:
    """Whether a model is a network: it has no coefficients, and the number of its features says little."""
    return bool(model.network) or model.technique == "dropout"


def parameter_symbol(parameter: str) -> str:
    """Return the sign of a complexity parameter: λ for lambda, its own name otherwise."""
    return "λ" if parameter == "lambda" else parameter


def parameter_phrase(parameter: str) -> str:
    """Name a complexity parameter for people."""
    return "penalty strength λ" if parameter == "lambda" else parameter


def parameter_value(value: float, parameter: str, digits: int = 3) -> str:
    """Write one value of a complexity parameter."""
    return plain(value, digits) if parameter == RATE else num(value, digits)


def parameter_setting(value: float, parameter: str) -> str:
    """Write a value together with what it is of, inside a sentence."""
    if parameter == RATE:
        return f"a {parameter} of {plain(value)}"
    return f"{parameter_symbol(parameter)} = {num(value)}"
