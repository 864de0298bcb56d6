"""Choosing how much to hold back: folds, cross-validated curves, and the rules that pick a point on them."""

from __future__ import annotations

from bridle.selection.curve import Curve, Selection
from bridle.selection.cv import CVResult, cross_validate
from bridle.selection.fits import FoldDesign
from bridle.selection.folds import Folds, holdout_split, make_folds
from bridle.selection.freedom import effective_df
from bridle.selection.rules import RULES, applicable_rules, criterion, select

__all__ = [
    "RULES",
    "CVResult",
    "Curve",
    "FoldDesign",
    "Folds",
    "Selection",
    "applicable_rules",
    "criterion",
    "cross_validate",
    "effective_df",
    "holdout_split",
    "make_folds",
    "select",
]
