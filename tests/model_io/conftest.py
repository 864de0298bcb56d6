"""Models on a small mixed table, with coefficients made up: nothing here needs a solver."""

import dataclasses
import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.model_io import Meta, Model, NetworkModel
from bridle.nets.network import Layer, Network


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


@pytest.fixture(scope="session")
def make_network_model(make_model):
    """Give a network of a family with random weights, on the columns of :func:`make_model`; ``noise`` has none."""

    def make(family="binomial", *, offset=False, seed=0, hidden=(8, 6), rate=0.5, noise=math.nan, layer_norm=False):
        linear = make_model(family, offset=offset)
        rng = np.random.default_rng(seed)
        p = len(linear.encoder.feature_names)
        sizes, layers = (p, *hidden, 1), []
        for number, (n, m) in enumerate(pairwise(sizes)):
            weight = rng.normal(0, 1 / np.sqrt(n), (n, m)).astype(np.float32)
            if not layers:
                weight[list(linear.encoder.source_columns).index("noise")] = 0.0
            norm = [rng.uniform(0.5, 1.5, m), rng.normal(size=m)] if layer_norm and number < len(hidden) else []
            layers.append(Layer(weight, *(a.astype(np.float32) for a in (rng.normal(0, 0.3, m), *norm))))
        center, spread = (1000.0, 300.0) if family == "gaussian" else (0.0, 1.0)
        network = Network(
            tuple(layers), "relu", rate, 0.0, family, mean=np.array(linear.encoder.mean),
            scale=np.array(linear.encoder.scale), center=np.array([center]), spread=spread, noise=noise,
        )  # fmt: skip
        meta = dataclasses.replace(
            linear.meta,
            name="dropout",
            label="Dropout network",
            parameter="dropout rate",
            value=rate,
            l1_ratio=math.nan,
        )
        return NetworkModel(
            encoder=linear.encoder, family=family, target=linear.target, classes=linear.classes, network=network,
            reference=linear.reference, meta=meta, offset=linear.offset, reference_offset=linear.reference_offset,
        )  # fmt: skip

    return make
