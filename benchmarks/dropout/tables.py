"""The tables that networks are compared on: four bundled with scikit-learn, and others where the data folder is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn import datasets

Float = NDArray[np.float64]

DATA = Path(os.environ.get("BRIDLE_DATA", Path(__file__).parents[3] / "shared" / "data"))


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers only; y holds codes of the classes or a quantity."""

    name: str
    family: str
    X: Float  # (n, p)
    y: Float  # (n,)

    @property
    def n_classes(self) -> int:
        """Classes, or 1 for a quantity."""
        return 1 if self.family == "gaussian" else int(self.y.max()) + 1


def _bundled(name: str, family: str) -> Callable[[], Table]:
    def load() -> Table:
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        return Table(name.replace("_", " "), family, np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64))

    return load


def _one_hot(frame: pl.DataFrame) -> Float:
    """Categories as columns of 0 and 1 without the first level, numbers as they are, missing ones as the median."""
    frame = frame.with_columns(pl.selectors.numeric().fill_null(strategy="mean"))
    text = frame.select(pl.selectors.string()).columns
    return frame.to_dummies(text, drop_first=True).to_numpy().astype(np.float64)


def _heart() -> Table:
    frame = pl.read_csv(DATA / "heart.csv", null_values=["NA", ""]).drop("Unnamed: 0")
    y = (frame["AHD"] == "Yes").to_numpy().astype(np.float64)
    return Table("heart", "binomial", _one_hot(frame.drop("AHD")), y)


def _wage() -> Table:
    frame = pl.read_csv(DATA / "wage.csv", null_values=["NA"])
    y = frame["wage"].to_numpy().astype(np.float64)
    rest = frame.drop("Unnamed: 0", "sex", "region", "wage", "logwage")
    return Table("wage", "gaussian", _one_hot(rest), y)


def _housing(rows: int = 2000) -> Table:
    """A sample of the sales, of the logarithm of the price."""
    frame = pl.read_parquet(DATA / "king_county_housing.parquet").sample(rows, seed=0)
    y = np.log(frame["price"].to_numpy().astype(np.float64))
    rest = frame.drop("price", "above_median_price", strict=False)
    return Table("housing", "gaussian", _one_hot(rest.select(pl.selectors.numeric() | pl.selectors.string())), y)


BUNDLED = {
    "breast cancer": _bundled("breast_cancer", "binomial"),
    "diabetes": _bundled("diabetes", "gaussian"),
    "digits": _bundled("digits", "multinomial"),
    "wine": _bundled("wine", "multinomial"),
}
OTHERS = {
    "heart": (_heart, "heart.csv"),
    "wage": (_wage, "wage.csv"),
    "housing": (_housing, "king_county_housing.parquet"),
}


def load(names: list[str] | None = None) -> dict[str, Table]:
    """The bundled tables, and those of the data folder that are there."""
    found = {name: make for name, make in BUNDLED.items()}
    found |= {name: make for name, (make, file) in OTHERS.items() if (DATA / file).exists()}
    return {name: make() for name, make in found.items() if names is None or name in names}
