"""From columns to numbers: a fitted :class:`Encoder`, and the :class:`Design` matrix it makes of any table."""

from __future__ import annotations

from bridle.design.encoder import Encoder
from bridle.design.matrix import Design
from bridle.design.table import design_matrix

__all__ = ["Design", "Encoder", "design_matrix"]
