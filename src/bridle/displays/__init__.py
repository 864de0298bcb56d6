"""matplotlib pictures in the manner of scikit-learn's Displays: made ``from_...``, drawn by ``plot``.

matplotlib is the extra ``plot`` and is imported when something is drawn.
"""

from bridle.displays._learning import LearningCurveDisplay
from bridle.displays._path import PathDisplay
from bridle.displays._validation import ValidationCurveDisplay

__all__ = ["LearningCurveDisplay", "PathDisplay", "ValidationCurveDisplay"]
