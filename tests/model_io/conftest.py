"""Models on a small mixed table, with coefficients made up: nothing here needs a solver."""

import numpy as np
import polars as pl
import pytest

from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.model_io import Meta, Model


@pytest.fixture(scope="session")
def table():
    """200 rows: numbers with gaps, two levels, several levels, an offset, and targets of each family."""
    rng = np.random.default_rng(7)
    n = 200
    age = rng.normal(50, 10, n).round(1)
    return pl.DataFrame(
        {
            "age": [None if k % 9 == 0 else float(a) for k, a in enumerate(age)],
            "dose": rng.integers(0, 7, n),
            "sex": rng.choice(["female", "male"], n),
            "thal": rng.choice(["fixed", "normal", "reversible", None], n),
            "noise": rng.normal(size=n),
            "exposure": rng.uniform(0.5, 2.0, n),
            "sick": rng.choice(["No", "Yes"], n),
            "cost": rng.normal(1000, 300, n),
            "visits": rng.poisson(2.0, n),
        }
    )


TARGETS = {"binomial": "sick", "gaussian": "cost", "poisson": "visits"}


@pytest.fixture(scope="session")
def make_model(table):
    """Give a model of a family with random coefficients; the column ``noise`` has none."""

    def make(family="binomial", *, offset=False, seed=0, missing="indicator", zero=False):
        rng = np.random.default_rng(seed)
        target = TARGETS[family]
        others = [t for t in TARGETS.values() if t != target]
        data = make_dataset(
            table, target, family=family, exclude=others + ([] if offset else ["exposure"]),
            offset="exposure" if offset else None,
        )  # fmt: skip
        encoder = Encoder.fit(data, missing=missing)
        coef = rng.normal(size=len(encoder.feature_names)) * (0.0 if zero else 0.7) / np.array(encoder.scale)
        coef[list(encoder.source_columns).index("noise")] = 0.0
        mean = np.array(encoder.mean)
        return Model(
            encoder=encoder, family=family, target=target, classes=data.classes,
            intercept=0.3 - float(coef @ mean), coef=coef, reference=mean, offset="exposure" if offset else "",
            reference_offset=float(table["exposure"].mean()) if offset else 0.0,
            meta=Meta(name="lasso", label="Lasso (L1)", value=0.02, l1_ratio=1.0, rule="min", sha256="ab", n_rows=200,
                      created="2026-01-01T00:00:00+00:00", versions={"bridle": "0.1.0"}),
        )  # fmt: skip

    return make
