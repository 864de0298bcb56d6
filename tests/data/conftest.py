"""Optional real data, beside the repository or where BRIDLE_DATA says."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data():
    folder = Path(os.environ.get("BRIDLE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the optional real data are not here")
    return folder
