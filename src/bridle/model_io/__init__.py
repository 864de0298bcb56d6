"""Fitted models: predict, explain, save and load ``model.bridle`` (documented, versioned, no pickle)."""

from bridle.model_io.explain import Contribution, Explanation
from bridle.model_io.format import FORMAT, load
from bridle.model_io.model import Meta, Model

__all__ = ["FORMAT", "Contribution", "Explanation", "Meta", "Model", "load"]
