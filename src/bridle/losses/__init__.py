"""Families: the unit loss of one row, its derivatives in the linear predictor, its link and its conjugate.

``base`` says what a family is; ``canonical``, ``log_link`` and ``robust`` are those there are; ``registry`` finds them
by name; ``own`` is for families that users define.
"""

from bridle.losses.base import Family, row_values
from bridle.losses.canonical import BINOMIAL, GAUSSIAN, POISSON, Binomial, Gaussian, Poisson
from bridle.losses.log_link import GAMMA, Gamma, NegativeBinomial, Tweedie
from bridle.losses.own import check_family
from bridle.losses.registry import FAMILIES, get_family, parse_spec, register_family
from bridle.losses.robust import Huber, Quantile, SquaredHinge

__all__ = [
    "BINOMIAL",
    "FAMILIES",
    "GAMMA",
    "GAUSSIAN",
    "POISSON",
    "Binomial",
    "Family",
    "Gamma",
    "Gaussian",
    "Huber",
    "NegativeBinomial",
    "Poisson",
    "Quantile",
    "SquaredHinge",
    "Tweedie",
    "check_family",
    "get_family",
    "parse_spec",
    "register_family",
    "row_values",
]
