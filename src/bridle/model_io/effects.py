"""What each term of a linear model does as a whole: a category by its levels, a spline by points on its curve.

Effects are on the link scale, against their mean over the training rows: sum_k b_k (z_k - mean z_k), z the term's
features of a level. So no level is a reference, and what is said doesn't depend on the coding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bridle.design import Encoder
from bridle.design.columns import MISSING, ColumnCode
from bridle.design.expressions import Node, evaluate
from bridle.design.ordered import step_table
from bridle.design.terms import Term
from bridle.model_io.explain import number
from bridle.results import LevelEffect, TermEffect

Float = NDArray[np.float64]


def term_effects(encoder: Encoder, coef: Float, mean: Float) -> tuple[TermEffect, ...]:
    """Tell what each term with a coefficient other than zero does.

    Parameters
    ----------
    encoder : Encoder
        Knows which features are a term, and what they stand for.
    coef : (p,)
        Coefficients on the original scale.
    mean : (p,)
        Means of the features over the training rows.

    Returns
    -------
    tuple of TermEffect
        In the order of the features.
    """
    codes = {code.name: code for code in encoder.codes}
    parts: dict[str, list[int]] = {}
    for j, label in enumerate(encoder.groups):
        parts.setdefault(label, []).append(j)
    terms = {t.label: t for t in encoder.terms}
    found = []
    for label, at in parts.items():
        b, m = coef[at], mean[at]
        if b.any():
            found.append(_effect(label, terms.get(label), codes, b, m))
    return tuple(found)


def _effect(label: str, term: Term | None, codes: dict[str, ColumnCode], b: Float, mean: Float) -> TermEffect:
    columns = (label,) if term is None else term.columns
    node = None if term is None or len(term.factors) > 1 else term.factors[0].node
    if term is not None and len(term.factors) > 1:
        return _told(TermEffect(label, "product", columns, b.size))
    if node is not None:
        kind = "curve" if node.width > 1 else "number"
        levels = (*_curve(node, b, mean), *_gone(node, codes[columns[0]], b, mean))
        return _told(TermEffect(label, kind, columns, b.size, levels=levels))
    code = codes[columns[0]]
    if code.kind == "number":
        levels = _gone(Node("column", code.name), code, b, mean)
        told = _told(TermEffect(label, "number", columns, b.size, levels=levels))
        return replace(told, words=f"{b[0]:+.3g} per unit" + (f", {told.words}" if told.words else ""))
    levels = _levels(code, b, mean)
    kind = "ordered" if code.kind == "ordered" else "category"
    fused = _fused(code, b) if code.kind == "ordered" else ()
    return _told(TermEffect(label, kind, columns, b.size, levels=levels, fused=fused))


def _levels(code: ColumnCode, b: Float, mean: Float) -> tuple[LevelEffect, ...]:
    """Give all levels of a category: their effects against the mean, and their shares of the training rows."""
    if code.kind == "levels":
        names = [name.removeprefix(f"{code.name} = ").removeprefix(f"{code.name} ") for name in code.features]
        effects, share = b - b @ mean, mean
    else:
        names = list(code.levels)
        k = len(names) - 1
        table = step_table(names, names) if code.kind == "ordered" else np.array([[0.0], [1.0]])
        effects = (table - mean[:k]) @ b[:k]
        share = -np.diff(np.r_[1.0, mean[:k], 0.0])
        if b.size > k:  # being missing has the filled-in steps and a coefficient of its own
            effects = effects - b[k] * mean[k]
            known = 1.0 - mean[k]
            fills = np.array(code.fills if code.kind == "ordered" else (code.fill,))
            names.append(MISSING)
            effects = np.r_[effects, (fills - mean[:k]) @ b[:k] + b[k] * (1.0 - mean[k])]
            share = np.r_[share * known, mean[k]]
    return tuple(LevelEffect(n, float(e), float(s)) for n, e, s in zip(names, effects, share, strict=True))


def _fused(code: ColumnCode, b: Float) -> tuple[tuple[str, ...], ...]:
    """Runs of neighbours between which the step is exactly zero."""
    runs: list[list[str]] = [[code.levels[0]]]
    for level, step in zip(code.levels[1:], b[: len(code.levels) - 1], strict=True):
        if step == 0.0:
            runs[-1].append(level)
        else:
            runs.append([level])
    return tuple(tuple(run) for run in runs if len(run) > 1)


def _curve(node: Node, b: Float, mean: Float) -> tuple[LevelEffect, ...]:
    """Points of a spline of one column, at its knots."""
    if node.op != "bs" or node.args[0].op != "column":
        return ()
    x = np.unique(node.state)
    k = node.width
    effects = (evaluate(node, lambda _: x) - mean[:k]) @ b[:k] - b[k:] @ mean[k:]  # beyond k: the flag of missing cells
    name = node.args[0].name
    return tuple(LevelEffect(f"{name} = {number(v)}", float(e), float("nan")) for v, e in zip(x, effects, strict=True))


def _gone(node: Node, code: ColumnCode, b: Float, mean: Float) -> tuple[LevelEffect, ...]:
    """What being missing does, where that is a feature of the term: the filled-in value, and the flag."""
    k = node.width
    if b.size == k:
        return ()
    filled = evaluate(node, lambda _: np.array([code.fill]))[0]
    effect = float((filled - mean[:k]) @ b[:k] + (1.0 - mean[k]) * b[k])
    return (LevelEffect(MISSING, effect, float(mean[k])),)


def _told(effect: TermEffect) -> TermEffect:
    return replace(effect, words=_words(effect))


def _words(effect: TermEffect) -> str:
    if effect.kind == "product":
        return f"{' and '.join(effect.columns)} together: their effects depend on each other"
    if not effect.levels:
        return ""
    said = ", ".join(f"{level.level} {level.effect:+.3g}" for level in _few(effect.levels))
    told = {"curve": f"along the curve: {said}"}.get(effect.kind, said)
    if effect.fused:
        told += "; one and the same: " + "; ".join(" = ".join(run) for run in effect.fused)
    return told


def _few(levels: Sequence[LevelEffect], most: int = 12) -> Sequence[LevelEffect]:
    """The levels that are written out: all, or of very many those with the largest effects."""
    if len(levels) <= most:
        return levels
    largest = sorted(levels, key=lambda level: -abs(level.effect))[:most]
    return [level for level in levels if level in largest]
