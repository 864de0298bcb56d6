"""Families with several linear predictors a row: classes, ordered classes, several responses."""

from bridle.several.base import SeveralFamily
from bridle.several.certificate import certify_several
from bridle.several.families import MultiGaussian, Multinomial
from bridle.several.ordinal import Ordinal
from bridle.several.problem import SeveralProblem
from bridle.several.separation import separates

__all__ = ["MultiGaussian", "Multinomial", "Ordinal", "SeveralFamily", "SeveralProblem", "certify_several", "separates"]
