"""The real data set that ``bridle fit --demo`` runs on.

Breast Cancer Wisconsin (Diagnostic): 569 masses, 30 measurements of cell nuclei, ``diagnosis`` benign or malignant.
Means, standard errors and the mean of the three largest values are given for each of ten measurements.

References
----------
Street, W. N., Wolberg, W. H. and Mangasarian, O. L. (1993). Nuclear feature extraction for breast tumor diagnosis.
Wolberg, W., Mangasarian, O., Street, N. and Street, W. (1995). Breast Cancer Wisconsin (Diagnostic). UCI Machine
Learning Repository, https://doi.org/10.24432/C5DW2B, CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path as FilePath

DEMO_TARGET = "diagnosis"


def demo_path() -> FilePath:
    """Return the path of ``breast_cancer.csv``, 569 rows and 31 columns; its target is ``diagnosis``."""
    return FilePath(__file__).with_name("breast_cancer.csv")
