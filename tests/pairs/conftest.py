"""Makes the conic oracle importable: test folders are no packages, so it is registered under a name of its own."""

import importlib.util
import sys
from pathlib import Path

if "pairs_cones" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("pairs_cones", Path(__file__).with_name("cones.py"))
    sys.modules["pairs_cones"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["pairs_cones"])
