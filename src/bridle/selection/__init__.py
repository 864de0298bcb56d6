"""Choosing how much to hold back: folds, cross-validated curves, and the rules that pick a point on them."""

from __future__ import annotations

from bridle.selection.curve import Curve, Selection
from bridle.selection.folds import Folds, holdout_split, make_folds

__all__ = ["Curve", "Folds", "Selection", "holdout_split", "make_folds"]
