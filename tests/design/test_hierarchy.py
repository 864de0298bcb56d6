"""Hierarchy by latent groups: which copies there are, how they are filled, and what is refused."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.design.hierarchy import LatentDesign, latent_groups
from bridle.errors import InputError

N = 200
RNG = np.random.default_rng(12)
FRAME = pl.DataFrame(
    {
        "age": RNG.uniform(20, 80, N),
        "dose": [None if RNG.random() < 0.1 else float(v) for v in RNG.standard_normal(N)],
        "site": RNG.choice(["north", "east", "west"], N),
        "y": RNG.standard_normal(N),
    }
)


def encoded(**structure):
    data = make_dataset(FRAME, None if "formula" in structure else "y", **structure)
    encoder = Encoder.fit(data)
    return encoder, encoder.transform(data)


def members(encoder, latent):
    found = {}
    for j, label in zip(latent.index, latent.groups, strict=True):
        found.setdefault(label, []).append(encoder.feature_names[j])
    return found


def test_strong_hierarchy_copies_both_main_effects():
    encoder, _ = encoded(interactions=["age:dose", "site:dose"])
    found = members(encoder, latent_groups(encoder, "strong"))
    dose, site = ["dose", "dose (missing)"], ["site = east", "site = north", "site = west"]
    assert found == {
        "age": ["age"],
        "dose": dose,
        "site": site,
        "age:dose": ["age", *dose, "age : dose"],
        "dose:site": [*dose, *site, *(f"dose : {s}" for s in site)],
    }


def test_weak_hierarchy_has_a_group_for_each_main_effect():
    encoder, _ = encoded(formula="y ~ bs(age, 3)*site")
    found = members(encoder, latent_groups(encoder, "weak"))
    products = [n for n in encoder.feature_names if " : " in n]
    assert len(products) == 9
    assert list(found) == ["bs(age, 3)", "site", "bs(age, 3):site with bs(age, 3)", "bs(age, 3):site with site"]
    assert found["bs(age, 3):site with site"] == ["site = east", "site = north", "site = west", *products]


def test_copies_of_columns_are_filled_alike_in_every_fold():
    encoder, design = encoded(interactions="all")
    latent = latent_groups(encoder, "strong")
    copied = LatentDesign(design, latent)
    assert copied.shape == (N, len(latent.groups))
    assert copied.for_rows(None) is copied.for_rows(None)
    train = np.arange(90)
    for rows in (None, train):
        assert np.array_equal(copied.for_rows(rows), design.for_rows(rows)[:, latent.index])
    assert np.array_equal(latent.index[latent.first], np.arange(design.shape[1]))
    thin = LatentDesign(Encoder.fit(make_dataset(FRAME, "y", interactions="all")).transform(FRAME).filled(), latent)
    assert sparse.issparse(thin._copied(sparse.csc_array(design.matrix)))


REFUSED = [
    ({"formula": "y ~ age + site"}, "strong", "there are no interactions"),
    ({"formula": "y ~ age + age:site"}, "strong", "'age:site' needs the main effect 'site' among the terms"),
    ({"formula": "y ~ age*site*dose"}, "weak", "'age:site:dose' has 3 factors"),
    ({"interactions": "all"}, "firm", "expected one of strong, weak"),
]


@pytest.mark.parametrize(("structure", "kind", "words"), REFUSED)
def test_hierarchies_that_are_refused(structure, kind, words):
    encoder, _ = encoded(**structure)
    with pytest.raises(InputError, match=words):
        latent_groups(encoder, kind)


def test_a_table_without_terms_has_no_hierarchy():
    with pytest.raises(InputError, match="there are no interactions"):
        latent_groups(Encoder.fit(make_dataset(FRAME, "y")), "strong")
