"""Fitted models: predict, explain, save and load ``model.bridle`` (documented, versioned, no pickle)."""

from bridle.model_io.base import Meta, TableModel
from bridle.model_io.explain import Contribution, Explanation
from bridle.model_io.explain_several import SeveralExplanation
from bridle.model_io.format import FORMAT, load
from bridle.model_io.model import Model
from bridle.model_io.network import NetworkModel
from bridle.model_io.several import SeveralModel
from bridle.model_io.survival import SurvivalModel

__all__ = [
    "FORMAT",
    "Contribution",
    "Explanation",
    "Meta",
    "Model",
    "NetworkModel",
    "SeveralExplanation",
    "SeveralModel",
    "SurvivalModel",
    "TableModel",
    "load",
]
