"""Penalties: what each is, its value, conjugate and proximal operator, in plain NumPy and apart from the solver."""

from bridle.penalties.groups import Groups
from bridle.penalties.kinds import KINDS, Kind, read_penalty
from bridle.penalties.penalty import Penalty

__all__ = ["KINDS", "Groups", "Kind", "Penalty", "read_penalty"]
