"""The data of ``bridle fit --demo``: 569 breast masses (Street, Wolberg & Mangasarian 1993)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars


def breast_cancer() -> polars.DataFrame:
    """Give the Wisconsin diagnostic breast cancer data as scikit-learn bundles them, with the column ``diagnosis``."""
    import polars
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    table = polars.DataFrame(bunch.data, schema=[name.replace(" ", "_") for name in bunch.feature_names], orient="row")
    labels = [str(bunch.target_names[k]) for k in bunch.target]
    return table.with_columns(polars.Series("diagnosis", labels))
