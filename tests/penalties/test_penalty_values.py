"""Penalties in NumPy against searches and definitions: value, conjugate, proximal operator, the largest lambda."""

import numpy as np
import pytest

from bridle.errors import InputError
from bridle.path import fit_path
from bridle.penalties import Penalty, read_penalty
from bridle.penalties.concave import concavity, derivative, minimiser, value

GROUPED = ["group_lasso", "sparse_group_lasso(l1_share=0.4)", "group_mcp(gamma=2)", "group_scad"]
LABELS = np.array(["a", "b", "a", "c", "b", "a"])
FACTOR = np.array([1.0, 0.5, 1.0, 2.0, 0.5, 1.0])


def make(spec, l1_ratio=1.0, **options):
    groups = LABELS if read_penalty(spec).grouped else None
    return Penalty(l1_ratio, spec=spec, groups=groups, **options)


@pytest.mark.parametrize("kind", ["mcp", "scad"])
def test_concave_penalties_are_the_integrals_of_their_slopes(kind):
    r, s, gamma = np.linspace(0.0, 6.0, 60_001), 1.3, 3.1
    slope = derivative(kind, r, np.full_like(r, s), gamma)
    area = np.concatenate([[0.0], np.cumsum(0.5 * (slope[1:] + slope[:-1]) * np.diff(r))])
    np.testing.assert_allclose(value(kind, r, np.full_like(r, s), gamma), area, atol=1e-8)
    assert slope[0] == s
    assert np.all(slope[r >= gamma * s] == 0.0)
    assert np.min(np.diff(slope) / np.diff(r)) == pytest.approx(-concavity(kind, gamma), rel=1e-6)


@pytest.mark.parametrize("kind", ["", "mcp", "scad"])
@pytest.mark.parametrize("bend", [0.05, 0.4, 1.0, 3.0])
def test_the_minimiser_next_to_a_quadratic_beats_a_fine_search(kind, bend):
    size, s, gamma = np.linspace(0.0, 5.0, 41), np.full(41, 1.1), 2.6
    r = np.linspace(0.0, 120.0, 240_001)
    got = minimiser(kind, size, s, np.full(41, bend), gamma)
    for k in range(41):
        cost = 0.5 * bend * r**2 - size[k] * r + value(kind, r, s[k], gamma)
        found = 0.5 * bend * got[k] ** 2 - size[k] * got[k] + value(kind, got[k], s[k], gamma)
        assert found <= cost.min() + 1e-9


def test_the_value_of_a_group_lasso_is_its_formula():
    b = np.array([1.0, -2.0, 0.5, 3.0, 0.0, -1.0])
    norms = np.sqrt([1.0 + 0.25 + 1.0, 4.0, 9.0])
    weight = np.array([1.0, 0.5, 2.0]) * np.sqrt([3, 2, 1])
    ridge = 0.5 * np.sum(FACTOR * b**2)
    got = make("group_lasso", 0.7).cost(b, 0.3, FACTOR)
    assert got == pytest.approx(0.3 * (0.7 * weight @ norms + 0.3 * ridge), rel=1e-14)
    sparse = make("sparse_group_lasso(l1_share=0.4)", 0.7).cost(b, 0.3, FACTOR)
    parts = 0.4 * FACTOR @ np.abs(b) + 0.6 * weight @ norms
    assert sparse == pytest.approx(0.3 * (0.7 * parts + 0.3 * ridge), rel=1e-14)


@pytest.mark.parametrize("spec", ["group_lasso", "sparse_group_lasso(l1_share=0.4)"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
def test_conjugates_are_attained_at_subgradients_and_never_exceeded(spec, l1_ratio):
    penalty, rng, lam = make(spec, l1_ratio), np.random.default_rng(1), 0.8
    free = (np.full(6, -np.inf), np.full(6, np.inf))
    for _ in range(50):
        v = rng.normal(0.0, 3.0, 6)
        b = penalty.proximal(v, 0.7, lam, FACTOR)
        z = (v - b) / 0.7  # a subgradient at b
        if l1_ratio == 1.0:
            z *= 1.0 - 1e-12  # the conjugate is 0 or infinite: a little inside
        got = penalty.conjugate(z, lam, FACTOR, *free).sum()
        assert got == pytest.approx(z @ b - penalty.cost(b, lam, FACTOR), abs=1e-10)
        for other in rng.normal(0.0, 2.0, (20, 6)):
            assert z @ other - penalty.cost(other, lam, FACTOR) <= got + 1e-12


@pytest.mark.parametrize("spec", ["group_lasso", "sparse_group_lasso(l1_share=0.4)"])
def test_without_ridge_part_the_conjugate_is_finite_up_to_the_feasible_scale(spec):
    penalty, z = make(spec), np.random.default_rng(2).normal(0.0, 3.0, 6)
    free = (np.full(6, -np.inf), np.full(6, np.inf))
    s = penalty.feasible_scale(z, 0.5, FACTOR, *free)
    assert 0.0 < s < 1.0
    assert penalty.conjugate(s * z, 0.5, FACTOR, *free).sum() == 0.0
    assert np.isinf(penalty.conjugate(1.0001 * s * z, 0.5, FACTOR, *free).sum())


@pytest.mark.parametrize("spec", [*GROUPED, "elastic_net", "mcp", "scad"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
def test_proximal_operators_beat_random_points(spec, l1_ratio):
    penalty, rng = make(spec, l1_ratio), np.random.default_rng(3)
    for size in (0.5, 2.0, 6.0):
        z, step, lam = rng.normal(0.0, size, 6), 0.7, 0.9
        best = penalty.proximal(z, step, lam, FACTOR)

        def cost(b, z=z, step=step, lam=lam):
            return 0.5 * np.sum((b - z) ** 2) + step * penalty.cost(b, lam, FACTOR)

        for spread in (1e-4, 0.1, 2.0):
            for _ in range(50):
                assert cost(best) <= cost(best + rng.normal(0.0, spread, 6)) + 1e-12
        assert penalty.worst_violation(
            best, (z - best) / step, lam, FACTOR, np.full(6, -np.inf), np.full(6, np.inf)
        ) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("spec", [*GROUPED, "elastic_net", "mcp", "scad"])
def test_the_largest_strength_is_where_the_first_group_enters(spec):
    penalty, z = make(spec), np.random.default_rng(4).normal(0.0, 1.0, 6)
    top = penalty.largest_strength(z, FACTOR)
    none, free = np.zeros(6), (np.full(6, -np.inf), np.full(6, np.inf))
    assert penalty.worst_violation(none, z, top * (1 + 1e-12), FACTOR, *free) == 0.0
    assert penalty.worst_violation(none, z, top * (1 - 1e-6), FACTOR, *free) > 0.0
    assert penalty.largest_strength(np.zeros(6), FACTOR) == 0.0


def test_excluded_features_leave_their_group_and_its_size():
    factor = np.array([1.0, 1.0, np.inf, 1.0, 1.0, np.inf])
    groups = make("group_lasso", factor=factor).blocks(6)
    assert groups.sizes.tolist() == [1, 2, 1]
    assert groups.features.tolist() == [0, 1, 4, 3]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("lasso_of_groups", "expected one of elastic_net, group_lasso"),
        ("mcp(gamma=1)", "gamma must be finite and above 1"),
        ("scad(gamma=2)", "gamma must be finite and above 2"),
        ("mcp(gamma='3')", "gamma must be a number"),
        ("mcp(delta=3)", "mcp has no parameter 'delta'; it has gamma"),
        ("group_lasso(gamma=3)", "it has none"),
        ("sparse_group_lasso(l1_share=1.5)", "l1_share must lie in"),
        (3, "penalty"),
    ],
)
def test_specs_that_make_no_sense_are_refused(spec, message):
    with pytest.raises(InputError, match=message):
        read_penalty(spec)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spec": "mcp", "groups": LABELS}, "has no groups"),
        ({"groups": LABELS}, "'elastic_net' has no groups"),
        ({"spec": "group_lasso", "groups": LABELS[:4]}, "one label per feature"),
        ({"spec": "group_lasso", "groups": np.array([0, 0, 1, 1, np.nan, 2])}, "number 4 is missing"),
        ({"spec": "group_lasso", "groups": LABELS, "factor": np.arange(6.0)}, "alike within a group; feature 2"),
        ({"spec": "group_lasso", "groups": LABELS, "lower": np.r_[0.0, np.full(5, -np.inf)]}, "feature 0 has one"),
        ({"spec": "group_lasso", "groups": np.array(["a", 1, "b", 2, 3, 4], dtype=object)}, "labels of one type"),
    ],
)
def test_groups_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Penalty(**options).blocks(6)


@pytest.mark.parametrize("spec", GROUPED)
def test_groups_are_asked_for(spec):
    with pytest.raises(InputError, match="needs groups"):
        fit_path(np.eye(6), np.arange(6.0), penalty=spec)


def test_a_bound_on_a_group_of_one_is_fine():
    penalty = make("group_lasso", lower=np.r_[np.full(3, -np.inf), 0.0, np.full(2, -np.inf)])
    assert len(penalty.blocks(6)) == 3


def test_a_spec_fills_in_its_parameters():
    assert Penalty(spec="mcp").spec == "mcp(gamma=3)"
    assert Penalty(spec="scad").spec == "scad(gamma=3.7)"
    assert make("sparse_group_lasso").spec == "sparse_group_lasso(l1_share=0.95)"
    assert read_penalty(Penalty(spec="mcp(gamma=3.1234567890123)").spec).gamma == 3.1234567890123
    assert read_penalty(read_penalty("group_mcp(gamma=4)").spec) == read_penalty("group_mcp(gamma=4)")
