"""Dropout in linear models, marginalised: the expected loss under dropout noise is minimised, and no noise is drawn."""

from bridle.linear_dropout.fit import ADVICE, RATES, fit_dropout_path
from bridle.linear_dropout.path import LinearDropoutPath

__all__ = ["ADVICE", "RATES", "LinearDropoutPath", "fit_dropout_path"]
